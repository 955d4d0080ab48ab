"""Guards over an intent alone, its history, and the state of its cluster; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from handler.lib.wording import duration_text, utc_text
from handler.model.observation import BUSY, RUNNING
from handler.model.operation import State
from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.history import Past
    from handler.model.intent import Intent
    from handler.model.observation import Observation
    from handler.model.policy import Cluster, Safety


#: Seconds by which a sender's clock may be ahead of ours: as much as the API grants a signature.
SENDER_CLOCK_TOLERANCE: Final = 300.0
#: What a person should do where one occurrence asks for two things.
CONFLICT_FIX: Final = "Give each request an `Id` of its own, and let no two rules of one name ask for different things."


def listed(intent: Intent, clusters: Mapping[str, Cluster], safety: Safety, now: float) -> Outcome | None:
    """A cluster that is not listed is never touched."""
    if intent.cluster in clusters:
        return None
    return Outcome.refused(
        "guard.listed",
        f"cluster {intent.cluster} is not listed under `clusters` in steward.yml",
        fix="If Steward may act on this cluster, list it there; otherwise stop sending its events here.",
        http_status=403,
        guard="listed",
    )


def allowed(intent: Intent, clusters: Mapping[str, Cluster], safety: Safety, now: float) -> Outcome | None:
    """Only what the cluster's ``allow`` names is done to it."""
    cluster = clusters[intent.cluster]
    if intent.action.op_type in cluster.allow:
        return None
    names = ", ".join(sorted(op.value for op in cluster.allow))
    return Outcome.refused(
        "guard.allowed",
        f"{intent.action.op_type} is not in `allow` of cluster {intent.cluster} (it allows {names})",
        fix="If this is meant, add it to the cluster's `allow` in steward.yml; otherwise correct the rule or the caller.",
        http_status=403,
        guard="allowed",
    )


def fresh(intent: Intent, clusters: Mapping[str, Cluster], safety: Safety, now: float) -> Outcome | None:
    """An event that is too old is no reason to act now.

    A queue or a retry may deliver it hours late.

    An event from the future would never grow old: a clock or a zone is wrong, and a person has to fix it.
    """
    if intent.occurred_at is None:
        return None
    age = now - intent.occurred_at
    if -age > SENDER_CLOCK_TOLERANCE:
        return Outcome.refused(
            "guard.future",
            f"the event is dated {utc_text(intent.occurred_at)}, and it is {utc_text(now)}: {duration_text(-age)} ahead, "
            "more than clocks differ by",
            fix="Correct the clock or the time zone of the sender, or the clock of this function.",
            guard="future",
            event_age_s=round(age),
        )
    if age <= intent.limits.max_event_age:
        return None
    since = "" if intent.is_command else ", counted from the alert's start, which its repeats keep"
    return Outcome.skipped(
        "guard.max_event_age",
        f"the event is {duration_text(age)} old; max_event_age is {duration_text(intent.limits.max_event_age)}{since}",
        guard="max_event_age",
        event_age_s=round(age),
        max_event_age_s=intent.limits.max_event_age,
    )


def unfrozen(intent: Intent, clusters: Mapping[str, Cluster], safety: Safety, now: float) -> Outcome | None:
    """Inside a freeze nothing is done, whoever asks."""
    for freeze in safety.freezes:
        if freeze.covers(now, intent.cluster):
            return Outcome.deferred("guard.freeze", f"a freeze is in force: {freeze.reason}", guard="freeze")
    return None


def outside_maintenance_window(
    intent: Intent, clusters: Mapping[str, Cluster], safety: Safety, now: float
) -> Outcome | None:
    """While people work on the cluster, its alerts are theirs; a command is carried out."""
    if intent.is_command:
        return None
    for window in safety.maintenance_windows:
        if window.covers(now, intent.cluster):
            return Outcome.skipped(
                "guard.maintenance_window",
                f"a maintenance window is open: {window.reason}",
                guard="maintenance_window",
            )
    return None


IntentGuard = Callable[["Intent", "Mapping[str, Cluster]", "Safety", float], "Outcome | None"]


INTENT_GUARDS: Final[tuple[IntentGuard, ...]] = (listed, allowed, fresh, unfrozen, outside_maintenance_window)


def not_seen_before(digest: str, past: Past | None) -> Outcome | None:
    """The same occurrence is served once, and what was left of it once more.

    The same occurrence asking for something else is a mistake, and is refused.
    """
    if past is None:
        return None
    facts: dict[str, Any] = {
        "operation": past.operation,
        "guard": "once",
        "state": past.state.value,
        "api_request_id": past.request_id,
    }
    if past.digest != digest:
        return Outcome.refused(
            "once.conflict",
            f"the same occurrence already asked for something else (operation {past.operation}, {past.state})",
            fix=CONFLICT_FIX,
            **facts,
        )
    if past.leaves_its_incident_open:
        return None
    if past.state is State.REJECTED:
        return Outcome.refused_by_api(
            past.code,
            f"already refused by the API as operation {past.operation}: {past.code}",
            **facts,
        )
    # A repeated direct call gets the status of the first one's operation.
    text, http_status = {
        State.SENDING: ("in progress", 202),
        State.ACCEPTED: ("accepted, being verified", 202),
        State.IN_DOUBT: ("sent, its answer was lost; it is being observed and not sent again", 202),
        State.VERIFIED: ("done and verified", 200),
        State.UNVERIFIED: ("carried out as far as the API shows; no health check proves that it worked", 200),
        State.FAILED: ("carried out, but it did not help; a new occurrence starts over", 500),
        State.TIMED_OUT: ("sent, but nothing was seen of it before its deadline", 500),
    }[past.state]
    return Outcome.skipped(
        f"once.{past.state.lower()}",
        f"this occurrence is operation {past.operation}: {text}",
        http_status=http_status,
        **facts,
    )


#: Seconds by which our clock may differ from the API's. The API itself refuses a signature at 300 s.
MAX_CLOCK_SKEW: Final = 60.0


def clock_agrees(skew: float | None) -> Outcome | None:
    """Nothing is sent or concluded with a clock that the API's answers contradict.

    Cooldowns, deadlines and ages would be wrong. ``skew`` is in seconds; None, while no answer bore a date,
    contradicts nothing.
    """
    if skew is None or abs(skew) <= MAX_CLOCK_SKEW:
        return None
    off = f"{duration_text(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the API's"
    return Outcome.deferred(
        "clock.skew",
        f"the clock of this machine is {off}, so nothing is sent",
        retryable=True,
        fix="Wait a minute. If it comes again, deploy the function anew, or set the clock of the machine.",
        guard="clock",
        clock_skew_s=round(skew),
    )


def cluster_ready(seen: Observation) -> Outcome | None:
    """Operations need a running cluster.

    Another workflow ends; a cluster that is being destroyed does not come back.
    """
    if seen.status == RUNNING:
        return None
    facts: dict[str, Any] = {"guard": "cluster_status", "cluster_status": seen.status}
    if seen.status in BUSY:
        return Outcome.deferred("guard.cluster_busy", f"the cluster is {seen.status_text()}", retryable=True, **facts)
    fix = "Look at the cluster in the EMR console. If it does not come back, remove it from steward.yml."
    return Outcome.refused("guard.cluster_status", f"the cluster is {seen.status_text()}", fix=fix, **facts)

"""Guards over an intent alone, the state of its cluster, and our clock; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handler.lib.wording import duration_text, utc_text
from handler.model.observation import GONE, RUNNING
from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.intent import Stated
    from handler.model.observation import Observation
    from handler.model.policy import Cluster, Safety
    from handler.model.request import OpType


#: Seconds by which a sender's clock may be ahead of ours: as much as the API grants a signature.
SENDER_CLOCK_TOLERANCE: Final = 300.0
#: Seconds by which our clock may differ from the API's. The API itself refuses a signature at 300 s.
MAX_CLOCK_SKEW: Final = 60.0
#: The codes of what people hold back on purpose.
ON_PURPOSE: Final = frozenset({"guard.freeze", "guard.pause", "guard.maintenance_window"})


# -- at delivery


def entitled(cluster: str, op_type: OpType, clusters: Mapping[str, Cluster]) -> Outcome | None:
    """Only listed clusters are touched, and only as their ``allow`` says."""
    if (known := clusters.get(cluster)) is None:
        return Outcome.refused(
            "guard.listed",
            f"cluster {cluster} is not listed under `clusters` in steward.yml",
            fix="If Steward may act on this cluster, list it there; otherwise stop sending its events here.",
            http_status=403,
            guard="listed",
        )
    if op_type in known.allow:
        return None
    names = ", ".join(sorted(op.value for op in known.allow))
    return Outcome.refused(
        "guard.allowed",
        f"{op_type} is not in `allow` of cluster {cluster} (it allows {names})",
        fix="If this is meant, add it to the cluster's `allow` in steward.yml; otherwise correct the rule or the caller.",
        http_status=403,
        guard="allowed",
    )


def not_from_the_future(stated: Stated, now: float) -> Outcome | None:
    """An event from the future would never grow old.

    A clock or a zone is wrong, and a person has to fix it.
    """
    if stated.start is None or stated.start - now <= SENDER_CLOCK_TOLERANCE:
        return None
    return Outcome.refused(
        "guard.future",
        f"the event is dated {utc_text(stated.start)}, and it is {utc_text(now)}: {duration_text(stated.start - now)} ahead, "
        "more than clocks differ by",
        fix="Correct the clock or the time zone of the sender, or the clock of this function.",
        guard="future",
        event_age_s=round(now - stated.start),
    )


def outlives_no_freeze(cluster: str, stated: Stated, safety: Safety, now: float) -> Outcome | None:
    """A command that a freeze outlives is refused at once.

    Nobody is told: it is held back on purpose.
    """
    until = (stated.told_at if stated.start is None else stated.start) + stated.max_wait
    for freeze in safety.freezes if stated.is_command else ():
        if freeze.covers(now, cluster) and freeze.end > until:
            return Outcome.refused(
                "guard.freeze",
                f"a freeze is in force until {utc_text(freeze.end)}: {freeze.reason}",
                fix="Ask for it again after the freeze.",
                http_status=409,
                is_quiet=True,
                guard="freeze",
            )
    return None


# -- when deciding


def unfrozen(cluster: str, safety: Safety, now: float) -> Outcome | None:
    """Inside a freeze nothing is done, whoever asks."""
    for freeze in safety.freezes:
        if freeze.covers(now, cluster):
            why = f"a freeze is in force until {utc_text(freeze.end)}: {freeze.reason}"
            return Outcome.pending("guard.freeze", why, guard="freeze")
    return None


def outside_maintenance_window(cluster: str, safety: Safety, now: float, *, is_command: bool) -> Outcome | None:
    """While people work on the cluster, its alerts are theirs; a command is carried out."""
    for window in () if is_command else safety.maintenance_windows:
        if window.covers(now, cluster):
            return Outcome.pending(
                "guard.maintenance_window", f"a maintenance window is open: {window.reason}", guard="maintenance_window"
            )
    return None


def clock_agrees(skew: float | None) -> Outcome | None:
    """Nothing is sent or concluded with a clock that the API's answers contradict.

    Cooldowns, deadlines and ages would be wrong. ``skew`` is in seconds; None, while no answer bore a date,
    contradicts nothing.
    """
    if skew is None or abs(skew) <= MAX_CLOCK_SKEW:
        return None
    off = f"{duration_text(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the API's"
    return Outcome.pending(
        "clock.skew",
        f"the clock of this machine is {off}, so nothing is sent",
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
    if seen.status not in GONE:  # at work, or in a status that nobody documented
        return Outcome.pending("guard.cluster_busy", f"the cluster is {seen.status_text()}", **facts)
    fix = "Look at the cluster in the EMR console. If it does not come back, remove it from steward.yml."
    return Outcome.refused("guard.cluster_status", f"the cluster is {seen.status_text()}", fix=fix, **facts)

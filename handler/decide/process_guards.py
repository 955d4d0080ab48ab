"""The guards: pure decisions, each with its reason. What no guard holds back proceeds.

They come in four tables, in the order in which they are asked: over an intent alone, over the history of what it names,
over one process as it is seen, and over a budget that the processes of a component share. A guard answers with the
Outcome that it holds the event back with, or None to let it pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from handler.decide.verification import is_satisfied
from handler.lib.wording import duration_text, utc_text
from handler.model.observation import AT_RISK, NOT_PROBED, STARTED
from handler.model.operation import UNTOUCHED, State
from handler.model.outcome import Outcome
from handler.model.request import OpType

if TYPE_CHECKING:
    from handler.decide.planning import Asked
    from handler.model.history import History
    from handler.model.observation import Observation
    from handler.model.policy import Safety

#: Operations on processes; the other two only tell EMR's daemon whether to watch them.
TOUCHES_PROCESSES: Final = frozenset({OpType.START_SERVICE, OpType.STOP_SERVICE, OpType.RESTART_SERVICE})


@dataclass(frozen=True)
class View:
    """What the process guards may look at, besides the process itself."""

    seen: Observation
    history: History
    safety: Safety
    now: float


def not_in_maintenance(asked: Asked, view: View) -> Outcome | None:
    """A process that people put into maintenance is left to them."""
    if asked.action.op_type not in TOUCHES_PROCESSES or asked.reading.is_watched:
        return None
    if asked.reading.in_maintenance:
        why = "is in maintenance (StartMonitor takes it out)"
    else:
        why = f"has the undocumented MonitorStatus {asked.reading.monitor_status}, so it is treated as in maintenance"
    return Outcome.skipped("guard.maintenance", f"{asked.reading.target} {why}", guard="maintenance")


def not_stopped(asked: Asked, view: View) -> Outcome | None:
    """A restart does not start what somebody stopped."""
    if asked.action.op_type is not OpType.RESTART_SERVICE or not asked.reading.is_stopped:
        return None
    return Outcome.skipped(
        "guard.stopped", f"{asked.reading.target} was stopped by an operator (StartService starts it)", guard="stopped"
    )


def not_satisfied(asked: Asked, view: View) -> Outcome | None:
    """A goal that is reached needs no request."""
    if not is_satisfied(asked.action.op_type, asked.reading):
        return None
    return Outcome.skipped(
        "guard.satisfied",
        f"{asked.reading.target} is already as asked ({asked.reading.describe()})",
        is_quiet=True,
        guard="satisfied",
    )


def needed(asked: Asked, view: View) -> Outcome | None:
    """An alert's restart needs evidence: a process that should run and does not answer.

    ``even_if_healthy`` of the rule waives that. A slow process is serving. A process that is not checked shows nothing.
    An unknown health may be a broken checker or a machine that is down, so the sender is asked to repeat the event.
    """
    reading = asked.reading
    if asked.action.op_type is not OpType.RESTART_SERVICE or asked.is_command or reading.is_unavailable:
        return None
    if reading.is_up:
        if asked.even_if_healthy:
            return None
        how = "serving, though slowly" if reading.health == AT_RISK else "healthy"
        why = f"{reading.target} is {how}: {reading.describe()}"
        return Outcome.skipped("guard.healthy", why, is_quiet=True, guard="healthy")
    if reading.service_status == STARTED and reading.health == NOT_PROBED:
        why = f"{reading.target} is not checked by EMR, so nothing shows that it is down: {reading.describe()}"
        return Outcome.skipped("guard.not_checked", why, guard="not_checked")
    why = f"whether {reading.target} is down is not known: {reading.describe()}"
    return Outcome.deferred("guard.health_unknown", why, guard="health_unknown", retryable=True)


def not_under_operation(asked: Asked, view: View) -> Outcome | None:
    """One open operation a process at a time, whoever asked.

    The open one already does what an alert of its kind asks for. A command, and a remediation of another kind, are
    deferred until it is over.
    """
    past = view.history.targets.get(asked.key)
    if past is None or not past.is_open:
        return None
    reason = f"operation {past.operation} ({past.op_type}, {past.state}) on {asked.reading.target} is not finished"
    facts: dict[str, Any] = {"guard": "under_operation", "operation": past.operation}
    if asked.is_command or past.op_type is not asked.action.op_type:
        return Outcome.deferred("once.under_operation", reason, retryable=True, **facts)
    return Outcome.skipped("once.under_operation", reason, is_quiet=True, **facts)


def not_served(asked: Asked, view: View) -> Outcome | None:
    """An occurrence that is served in parts acts on each process once; so does a command."""
    past = view.history.targets.get(asked.key)
    if past is None or past.state in UNTOUCHED or past.op_type is not asked.action.op_type:
        return None
    if any(case.intent.parts_since is None or case.intent.parts_since > past.at for case in asked.cases):
        return None
    return Outcome.skipped(
        "once.served",
        f"this occurrence is served in parts, and {asked.reading.target} had its part: operation {past.operation}, {past.state}",
        is_quiet=True,
        guard="served",
        operation=past.operation,
        state=past.state.value,
    )


def not_stale(asked: Asked, view: View) -> Outcome | None:
    """An alert from before a fix that was seen to work asks for what is already done."""
    past = view.history.targets.get(asked.key)
    if asked.is_command or past is None or past.state is not State.VERIFIED:
        return None
    times = [case.intent.occurred_at for case in asked.cases]
    if any(at is None or at > past.settled_at for at in times):
        return None
    return Outcome.skipped(
        "guard.stale",
        f"the alert is older than operation {past.operation}, which was verified on {asked.reading.target}",
        is_quiet=True,
        guard="stale",
        operation=past.operation,
    )


def cooled_down(asked: Asked, view: View) -> Outcome | None:
    """Between two operations on a process lies its cooldown.

    It counts from the last operation, whoever asked for it.
    """
    past = view.history.targets.get(asked.key)
    if past is None or past.state in UNTOUCHED:
        return None
    left = past.at + asked.limits.cooldown - view.now
    if left <= 0:
        return None
    return Outcome.deferred(
        "guard.cooldown",
        f"{asked.reading.target} had operation {past.operation} at {utc_text(past.at)}; "
        f"its cooldown of {duration_text(asked.limits.cooldown)} ends at {utc_text(view.now + left)}",
        guard="cooldown",
        operation=past.operation,
        cooldown_s=asked.limits.cooldown,
        cooldown_left_s=round(left),
    )


def not_quarantined(asked: Asked, view: View) -> Outcome | None:
    """Restarts that do not help lead to a person, not to more restarts."""
    if asked.is_command or asked.action.op_type is not OpType.RESTART_SERVICE:
        return None
    until = view.history.quarantined.get(asked.key)
    count = view.history.restarts.get(asked.key, 0)
    if (until is None or until <= view.now) and count < view.safety.quarantine.restarts:
        return None
    if count < view.safety.quarantine.restarts:
        why = f"restarts did not keep it healthy, and it is left alone until {utc_text(until or view.now)}"
    else:
        why = f"{count} restarts within {duration_text(view.safety.quarantine.within)} did not keep it healthy"
    return Outcome.refused(
        "guard.quarantine",
        f"{asked.reading.target} is in quarantine: {why}",
        fix=f"Find out why it dies, then let it out: `steward release {asked.reading.target}`.",
        has_own_alarm=True,
        guard="quarantine",
        target=str(asked.reading.target),
        restarts=count,
    )


#: What these decide does not depend on what the process is seen to be.
PAST_GUARDS: Final = (not_under_operation, not_served, not_stale)

ProcessGuard = Callable[["Asked", View], "Outcome | None"]
PROCESS_GUARDS: Final[tuple[ProcessGuard, ...]] = (
    not_in_maintenance,
    not_stopped,
    not_satisfied,
    not_under_operation,
    not_served,
    needed,
    not_stale,
    not_quarantined,
    cooled_down,
)
#: These guards judge a process's past. They are not asked about a process that has none (:attr:`History.touched`).
_OF_THE_PAST: Final = frozenset({*PAST_GUARDS, not_quarantined, cooled_down})
GUARDS_WITHOUT_A_PAST: Final = tuple(guard for guard in PROCESS_GUARDS if guard not in _OF_THE_PAST)

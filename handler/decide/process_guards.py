"""The guards over one process: pure decisions, each with its reason.

A guard answers with None to let a process pass, or with an Outcome: ``pending`` holds it, anything else ends what was
asked of it. docs/engine.md has them in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.decide.verification import is_satisfied
from handler.lib.wording import duration_text, utc_text
from handler.model.observation import AT_RISK, NOT_PROBED, STARTED
from handler.model.outcome import Outcome
from handler.model.request import OpType

if TYPE_CHECKING:
    from handler.model.history import History
    from handler.model.intent import Intent, Limits
    from handler.model.observation import Observation, Reading
    from handler.model.operation import Operation
    from handler.model.policy import Safety

#: Operations on processes; the other two only tell EMR's daemon whether to watch them.
TOUCHES_PROCESSES: Final = frozenset({OpType.START_SERVICE, OpType.STOP_SERVICE, OpType.RESTART_SERVICE})
#: Operations that should bring a process up: what they do not help is left to a person.
BRINGS_UP: Final = frozenset({OpType.START_SERVICE, OpType.RESTART_SERVICE})
#: With fewer processes down, a component that is down for the most part is no storm: its processes are restarted one by
#: one, within the limits.
MIN_STORM: Final = 4


class Asked(NamedTuple):
    """One process that an intent asks for."""

    #: :attr:`Target.key`.
    key: str
    reading: Reading
    intent: Intent
    limits: Limits

    @property
    def op_type(self) -> OpType:
        return self.intent.action.op_type

    @property
    def is_restart_by_alert(self) -> bool:
        return self.op_type is OpType.RESTART_SERVICE and not self.intent.is_command


@dataclass(frozen=True)
class View:
    """What the guards may look at, besides the process itself."""

    seen: Observation
    history: History
    safety: Safety
    now: float
    #: By service and component: what was found once is asked for by each of its processes.
    _storms: dict[tuple[str, str], tuple[int, int] | None] = field(default_factory=dict)
    _fallen: dict[tuple[str, str], tuple[Reading, Operation] | None] = field(default_factory=dict)
    rooms: dict[tuple[str, str], Any] = field(default_factory=dict)

    def storm(self, service: str, component: str) -> tuple[int, int] | None:
        """How many of how many processes of a component do not serve, where that is a storm.

        It is one where four or more are down, and more than half.

        Counted is what should run: started, not in maintenance, checked, and not under an operation of ours.
        """
        key = (service, component)
        if key not in self._storms:
            ours = self.history.open
            down = total = 0
            for one in self.seen.component(service, component).values():
                is_counted = one.service_status == STARTED and not one.in_maintenance and one.health != NOT_PROBED
                if is_counted and not (ours and one.target.key in ours):
                    total += 1
                    down += not one.is_up
            self._storms[key] = (down, total) if down >= MIN_STORM and down * 2 > total else None
        return self._storms[key]

    def fallen(self, service: str, component: str) -> tuple[Reading, Operation] | None:
        """A process of a component that was restarted and is down, and that operation."""
        key = (service, component)
        if key not in self._fallen:
            self._fallen[key] = None
            for one in self.seen.component(service, component).values():
                last = self.history.last.get(one.target.key)
                is_down = one.service_status == STARTED and not one.is_up
                if last is not None and last.op_type is OpType.RESTART_SERVICE and is_down:
                    self._fallen[key] = (one, last)
        return self._fallen[key]


def not_under_operation(asked: Asked, view: View) -> Outcome | None:
    """One open operation a process at a time, whoever asked.

    It is asked first: what the process is seen to be is about to change.
    """
    if (operation := view.history.open.get(asked.key)) is None:
        return None
    reason = (
        f"operation {operation.id} ({operation.op_type}, {operation.state}) on {asked.reading.target} is not finished"
    )
    return Outcome.pending("guard.under_operation", reason, guard="under_operation", operation=operation.id)


def not_in_maintenance(asked: Asked, view: View) -> Outcome | None:
    """A process that people put into maintenance is left to them."""
    if asked.op_type not in TOUCHES_PROCESSES or asked.reading.is_watched:
        return None
    if asked.reading.in_maintenance:
        why = "is in maintenance (StartMonitor takes it out)"
    else:
        why = f"has the undocumented MonitorStatus {asked.reading.monitor_status}, so it is treated as in maintenance"
    return Outcome.skipped("guard.maintenance", f"{asked.reading.target} {why}", guard="maintenance")


def not_stopped(asked: Asked, view: View) -> Outcome | None:
    """A restart does not start what somebody stopped."""
    if asked.op_type is not OpType.RESTART_SERVICE or not asked.reading.is_stopped:
        return None
    last = view.history.last.get(asked.key)
    by = f"operation {last.id}" if last and last.op_type is OpType.STOP_SERVICE else "an operator"
    return Outcome.skipped(
        "guard.stopped", f"{asked.reading.target} was stopped by {by} (StartService starts it)", guard="stopped"
    )


def needed(asked: Asked, view: View) -> Outcome | None:
    """An alert's restart needs evidence: a process that should run and does not answer.

    ``even_if_healthy`` of the rule waives that. A slow process is serving. A process that is not checked shows nothing.
    An unknown health may be a broken checker or a machine that is down: it is waited for.
    """
    reading = asked.reading
    if not asked.is_restart_by_alert or reading.is_unavailable:
        return None
    if reading.is_up:
        if asked.intent.even_if_healthy:
            return None
        how = "serving, though slowly" if reading.health == AT_RISK else "healthy"
        why = f"{reading.target} is {how}: {reading.describe()}"
        return Outcome.skipped("guard.healthy", why, guard="healthy")
    if reading.service_status == STARTED and reading.health == NOT_PROBED:
        why = f"{reading.target} is not checked by EMR, so nothing shows that it is down: {reading.describe()}"
        return Outcome.skipped("guard.not_checked", why, guard="not_checked")
    why = f"whether {reading.target} is down is not known: {reading.describe()}"
    fix = "Look whether the machine is down; where several processes of one address are unknown, it probably is."
    return Outcome.pending("guard.health_unknown", why, fix=fix, guard="health_unknown")


def not_satisfied(asked: Asked, view: View) -> Outcome | None:
    """A goal that is reached needs no request."""
    if not is_satisfied(asked.op_type, asked.reading):
        return None
    return Outcome.skipped(
        "guard.satisfied",
        f"{asked.reading.target} is already as asked ({asked.reading.describe()})",
        guard="satisfied",
    )


def not_served(asked: Asked, view: View) -> Outcome | None:
    """Where a process answers, an occurrence is served once, and not after its end.

    A look cannot tell whether a restart helped, or whether the alert is over.
    """
    if not asked.is_restart_by_alert or not asked.reading.is_up:
        return None
    statements, resolved = asked.intent.statements, view.history.resolved
    if statements and all(0 < one.start <= resolved.get(sender, 0.0) for sender, one in statements.items()):
        why = f"{asked.reading.target} answers, and this occurrence was called resolved"
        return Outcome.skipped("guard.resolved", why, guard="resolved")
    last = view.history.last.get(asked.key)
    if last is None or not asked.intent.occurrences <= last.occurrences:
        return None
    return Outcome.skipped(
        "once.served",
        f"operation {last.id} ({last.state}) restarted {asked.reading.target} for this occurrence",
        guard="served",
        operation=last.id,
    )


def not_quarantined(asked: Asked, view: View) -> Outcome | None:
    """What restarts do not help is left to a person.

    Counted are the restarts that alerts asked for and that may have touched the process.
    """
    count, quarantine = view.history.restarts.get(asked.key, 0), view.safety.quarantine
    if asked.intent.is_command or asked.op_type not in BRINGS_UP or count < quarantine.restarts:
        return None
    return Outcome.refused(
        "guard.quarantine",
        f"{asked.reading.target} is in quarantine: {count} restarts within {duration_text(quarantine.within)} did not "
        "keep it healthy",
        fix=f"Find out why it dies, then let it out: `steward release {asked.reading.target}`.",
        has_own_alarm=True,
        guard="quarantine",
        target=str(asked.reading.target),
        restarts=count,
    )


def cooled_down(asked: Asked, view: View) -> Outcome | None:
    """Between two operations on a process lies its cooldown.

    It counts from the end of the last operation, whoever asked for it.
    """
    last = view.history.last.get(asked.key)
    if last is None:
        return None
    left = last.touched_at + asked.limits.cooldown - view.now
    if left <= 0:
        return None
    return Outcome.pending(
        "guard.cooldown",
        f"{asked.reading.target} had operation {last.id} until {utc_text(last.touched_at)}; its cooldown of "
        f"{duration_text(asked.limits.cooldown)} is over in {duration_text(left)}",
        guard="cooldown",
        operation=last.id,
    )


def still_stated(asked: Asked, view: View) -> Outcome | None:
    """What nobody asks for any more is not acted on.

    Of a process that is down nevertheless, a person is told.
    """
    if asked.intent.is_stated:
        return None
    if not asked.reading.is_unavailable:
        return Outcome.withdrawn("intent.resolved", f"the alert about {asked.reading.target} is resolved")
    return Outcome.withdrawn(
        "intent.still_down",
        f"the alert about {asked.reading.target} is resolved, but EMR shows it down: {asked.reading.describe()}",
        fix="Look at the process in the EMR console. Steward acts on it when it is reported again.",
    )


def no_storm(asked: Asked, view: View) -> Outcome | None:
    """Where most of a component does not serve, restarts are no remedy.

    A command passes.
    """
    if asked.intent.is_command:
        return None
    service, component, _ = asked.reading.target
    if (found := view.storm(service, component)) is None:
        return None
    down, total = found
    return Outcome.pending(
        "guard.storm",
        f"{down} of {total} {component} do not serve: this is a storm, and no alert restarts any of them until half of them serve",
        fix="Find out what they have in common (a machine, a network, what they depend on), and bring them back by hand.",
        guard="storm",
        component=f"{service}/{component}",
    )


def no_restarted_one_is_down(asked: Asked, view: View) -> Outcome | None:
    """While a restarted peer is down, no process that answers is restarted."""
    if not asked.is_restart_by_alert or not asked.reading.is_up:
        return None
    if (found := view.fallen(*asked.reading.target[:2])) is None:
        return None
    one, last = found
    reason = f"{one.target} was restarted ({last.id}) and is down"
    return Outcome.pending("guard.peer_down", reason, guard="peer_down", operation=last.id)


ProcessGuard = Callable[["Asked", View], "Outcome | None"]
PROCESS_GUARDS: Final[tuple[ProcessGuard, ...]] = (
    not_under_operation,
    not_in_maintenance,
    not_stopped,
    needed,
    not_satisfied,
    not_served,
    not_quarantined,
    cooled_down,
    still_stated,
    no_storm,
    no_restarted_one_is_down,
)


def weigh(asked: Asked, view: View) -> Outcome | None:
    """What holds a process back or ends what was asked of it; None where it may go on."""
    return next((outcome for guard in PROCESS_GUARDS if (outcome := guard(asked, view))), None)

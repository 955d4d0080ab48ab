"""The guards: pure decisions, each with its reason. What no guard holds back proceeds.

They come in four tables, in the order in which they are asked: over an intent alone, over the history of what it names,
over one process as it is seen, and over a budget that the processes of a component share. A guard answers with the
Outcome that it holds the event back with, or None to let it pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handler.decide.verification import is_satisfied
from handler.lib.utc import utc_text
from handler.model.history import UNTOUCHED, State
from handler.model.observation import BUSY, RUNNING, component_key
from handler.model.outcome import Outcome
from handler.model.request import OpType

if TYPE_CHECKING:
    from handler.decide.planning import Asked
    from handler.model.history import Entry, History, Past
    from handler.model.intent import Intent
    from handler.model.observation import Observation, Reading
    from handler.model.policy import Breaker, Config, Safety

#: Operations that take a process away for a while, or for good.
TAKES_AWAY: Final = frozenset({OpType.RESTART_SERVICE, OpType.STOP_SERVICE})
#: Operations on processes; the other two only tell EMR's daemon whether to watch them.
TOUCHES_PROCESSES: Final = frozenset({OpType.START_SERVICE, OpType.STOP_SERVICE, OpType.RESTART_SERVICE})
#: Seconds by which a sender's clock may be ahead of ours: as much as the API grants a signature.
CLOCKS_DIFFER: Final = 300.0


# -- an intent alone


def listed(intent: Intent, config: Config, now: float) -> Outcome | None:
    """A cluster that is not listed is never touched."""
    if intent.cluster in config.clusters:
        return None
    return Outcome.refused(
        "guard.listed",
        f"cluster {intent.cluster} is not listed under `clusters` in steward.yml",
        guard="listed",
    )


def allowed(intent: Intent, config: Config, now: float) -> Outcome | None:
    """Only what the cluster's ``allow`` names is done to it."""
    cluster = config.clusters[intent.cluster]
    if intent.manner.op_type in cluster.allow:
        return None
    names = ", ".join(sorted(op.value for op in cluster.allow))
    return Outcome.refused(
        "guard.allowed",
        f"{intent.manner.op_type} is not in `allow` of cluster {intent.cluster} (it allows {names})",
        guard="allowed",
    )


def fresh(intent: Intent, config: Config, now: float) -> Outcome | None:
    """What happened too long ago is no reason to act now: a queue or a retry may deliver hours late.

    What is yet to happen would never grow old: a clock or a zone is wrong, and a person has to mend it.
    """
    if intent.occurred_at is None:
        return None
    age = now - intent.occurred_at
    if -age > CLOCKS_DIFFER:
        return Outcome.refused(
            "guard.future",
            f"the event says that it happened at {utc_text(intent.occurred_at)}, and it is {utc_text(now)}: {_span(-age)} ahead, more than clocks "
            "differ by; the sender's clock or zone is wrong, or this one's",
            guard="future",
            event_age_s=round(age),
        )
    if age <= intent.limits.max_event_age:
        return None
    since = "" if intent.is_order else ", counted from the alert's start, which its repeats keep"
    return Outcome.skipped(
        "guard.max_event_age",
        f"the event is {_span(age)} old; max_event_age is {_span(intent.limits.max_event_age)}{since}",
        guard="max_event_age",
        event_age_s=round(age),
        max_event_age_s=intent.limits.max_event_age,
    )


def unfrozen(intent: Intent, config: Config, now: float) -> Outcome | None:
    """Inside a freeze nothing is done, whoever asks."""
    for freeze in config.safety.freezes:
        if freeze.covers(now, intent.cluster):
            return Outcome.deferred("guard.freeze", f"a freeze is in force: {freeze.reason}", guard="freeze")
    return None


def outside_maintenance_window(intent: Intent, config: Config, now: float) -> Outcome | None:
    """While people work on the cluster, its alerts are theirs; an order is carried out."""
    if intent.is_order:
        return None
    for window in config.safety.maintenance_windows:
        if window.covers(now, intent.cluster):
            return Outcome.skipped(
                "guard.maintenance_window",
                f"a maintenance window is open: {window.reason}",
                guard="maintenance_window",
            )
    return None


IntentGuard = Callable[["Intent", "Config", float], "Outcome | None"]
INTENT_GUARDS: Final[tuple[IntentGuard, ...]] = (listed, allowed, fresh, unfrozen, outside_maintenance_window)


# -- the history of an incident


def not_seen_before(digest: str, past: Past | None) -> Outcome | None:
    """The same occurrence is served once, and what was left of it once more; the same occurrence asking for something else is a mistake, said loudly."""
    if past is None:
        return None
    facts = {"operation": past.operation, "guard": "once", "state": past.state.value, "api_request_id": past.request_id}
    if past.digest != digest:
        return Outcome.refused(
            "once.conflict",
            f"the same occurrence already asked for something else (operation {past.operation}, {past.state})",
            **facts,
        )
    if past.leaves_its_incident_open:
        return None
    if past.state is State.REJECTED:
        return Outcome.refused(
            f"api.{past.code}",
            f"already refused by the API as operation {past.operation}: {past.code}",
            **facts,
        )
    said = {
        State.SENDING: "in progress",
        State.ACCEPTED: "accepted, being verified",
        State.IN_DOUBT: "sent, its answer was lost; it is being observed and not sent again",
        State.VERIFIED: "done and verified",
        State.FAILED: "carried out, but it did not help; a new occurrence starts over",
        State.TIMED_OUT: "sent, but nothing was seen of it before its deadline",
    }[past.state]
    return Outcome.skipped(
        f"once.{past.state.lower()}", f"this occurrence is operation {past.operation}: {said}", **facts
    )


# -- the cluster


def cluster_ready(seen: Observation) -> Outcome | None:
    """Operations are for a running cluster; another workflow ends, a cluster that is going does not come back."""
    if seen.status == RUNNING:
        return None
    facts = {"guard": "cluster_status", "cluster_status": seen.status}
    if seen.status in BUSY:
        return Outcome.deferred("guard.cluster_busy", f"the cluster is {seen.status_text()}", retry=True, **facts)
    return Outcome.refused("guard.cluster_status", f"the cluster is {seen.status_text()}", **facts)


# -- one process


@dataclass(frozen=True)
class View:
    """What the process guards may look at, besides the process itself."""

    seen: Observation
    history: History
    safety: Safety
    now: float


def not_in_maintenance(asked: Asked, view: View) -> Outcome | None:
    """What people took into their hands stays there."""
    if asked.manner.op_type not in TOUCHES_PROCESSES or not asked.reading.in_maintenance:
        return None
    return Outcome.skipped(
        "guard.maintenance",
        f"{asked.reading.target} is in maintenance (StartMonitor takes it out)",
        guard="maintenance",
    )


def not_stopped(asked: Asked, view: View) -> Outcome | None:
    """A restart does not start what somebody stopped."""
    if asked.manner.op_type is not OpType.RESTART_SERVICE or not asked.reading.is_stopped:
        return None
    return Outcome.skipped(
        "guard.stopped", f"{asked.reading.target} was stopped by an operator (StartService starts it)", guard="stopped"
    )


def not_satisfied(asked: Asked, view: View) -> Outcome | None:
    """A goal that is reached needs no request."""
    if not is_satisfied(asked.manner.op_type, asked.reading):
        return None
    return Outcome.skipped(
        "guard.satisfied", f"{asked.reading.target} is already as asked ({asked.reading.describe()})", guard="satisfied"
    )


def needed(asked: Asked, view: View) -> Outcome | None:
    """A restart that an alert asks for is a need, and a healthy process has none, unless the rule says even_if_healthy."""
    if asked.manner.op_type is not OpType.RESTART_SERVICE or asked.is_order or asked.even_if_healthy:
        return None
    if not asked.reading.is_healthy:
        return None
    return Outcome.skipped(
        "guard.healthy", f"{asked.reading.target} is healthy again: {asked.reading.describe()}", guard="healthy"
    )


def not_under_operation(asked: Asked, view: View) -> Outcome | None:
    """One open operation a process at a time, whoever asked.

    What the open one does is what an alert of its kind asks for; an order, and a need of another kind, are asked for
    again when it is over.
    """
    past = view.history.targets.get(asked.key)
    if past is None or not past.is_open:
        return None
    reason = f"operation {past.operation} ({past.op_type}, {past.state}) on {asked.reading.target} is not finished"
    facts = {"guard": "under_operation", "operation": past.operation}
    if asked.is_order or past.op_type is not asked.manner.op_type:
        return Outcome.deferred("once.under_operation", reason, retry=True, **facts)
    return Outcome.skipped("once.under_operation", reason, **facts)


def not_served(asked: Asked, view: View) -> Outcome | None:
    """An occurrence that is served in parts has each process once, an order too."""
    past = view.history.targets.get(asked.key)
    if past is None or past.state in UNTOUCHED or past.op_type is not asked.manner.op_type:
        return None
    if any(intent.parts_since is None or intent.parts_since > past.at for intent in asked.intents):
        return None
    return Outcome.skipped(
        "once.served",
        f"this occurrence is served in parts, and {asked.reading.target} had its part: operation {past.operation}, {past.state}",
        guard="served",
        operation=past.operation,
        state=past.state.value,
    )


def not_stale(asked: Asked, view: View) -> Outcome | None:
    """An alert from before a fix that was seen to work asks for what is already done."""
    past = view.history.targets.get(asked.key)
    if asked.is_order or past is None or past.state is not State.VERIFIED:
        return None
    times = [intent.occurred_at for intent in asked.intents]
    if any(at is None or at > past.settled_at for at in times):
        return None
    return Outcome.skipped(
        "guard.stale",
        f"the alert is older than operation {past.operation}, which was verified on {asked.reading.target}",
        guard="stale",
        operation=past.operation,
    )


def cooled_down(asked: Asked, view: View) -> Outcome | None:
    """Between two operations on a process lies its cooldown, counted from the last one, whoever asked for it."""
    past = view.history.targets.get(asked.key)
    if past is None or past.state in UNTOUCHED:
        return None
    left = past.at + asked.limits.cooldown - view.now
    if left <= 0:
        return None
    return Outcome.deferred(
        "guard.cooldown",
        f"{asked.reading.target} had operation {past.operation} {_span(view.now - past.at)} ago; "
        f"its cooldown of {_span(asked.limits.cooldown)} ends in {_span(left)}",
        guard="cooldown",
        operation=past.operation,
        cooldown_s=asked.limits.cooldown,
        cooldown_left_s=round(left),
    )


def not_quarantined(asked: Asked, view: View) -> Outcome | None:
    """Restarts that do not help lead to a person, not to more restarts."""
    if asked.is_order or asked.manner.op_type is not OpType.RESTART_SERVICE:
        return None
    until = view.history.quarantined.get(asked.key)
    count = view.history.restarts.get(asked.key, 0)
    if (until is None or until <= view.now) and count < view.safety.quarantine.restarts:
        return None
    if count < view.safety.quarantine.restarts:
        why = f"restarts did not keep it healthy, and it is left alone for another {_span((until or view.now) - view.now)}"
    else:
        why = f"{count} restarts within {_span(view.safety.quarantine.within)} did not keep it healthy"
    return Outcome.refused(
        "guard.quarantine",
        f"{asked.reading.target} is in quarantine: {why}; `steward release {asked.reading.target}` lets it out",
        guard="quarantine",
        target=str(asked.reading.target),
        restarts=count,
    )


#: What these say does not depend on what the process is seen to be.
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
#: What these say is said of a process's past. One that has none (:attr:`History.touched`) is not asked for it.
_OF_THE_PAST: Final = frozenset({*PAST_GUARDS, not_quarantined, cooled_down})
GUARDS_WITHOUT_A_PAST: Final = tuple(guard for guard in PROCESS_GUARDS if guard not in _OF_THE_PAST)


# -- budgets of a cluster and of a component


def breaker_closed(cluster: str, entry: Entry, breaker: Breaker) -> Outcome | None:
    """More intents than the breaker allows within its window are a storm, and a person's matter."""
    if entry.breaker_opened_at is None:
        return None
    return Outcome.deferred(
        "guard.breaker",
        f"the storm breaker of {cluster} is open since {utc_text(entry.breaker_opened_at)}: more than {breaker.intents} intents within "
        f"{_span(breaker.window)}; it closes by itself after {_span(breaker.close_after)}, once no more than {breaker.quiet_intents:g} are left",
        guard="breaker",
        intents_in_window=entry.intents_in_window,
    )


def within_hourly(history: History, most: int) -> Outcome | None:
    """At most ``operations_per_hour`` on a cluster, whatever they are."""
    if history.operations_last_hour < most:
        return None
    return Outcome.deferred(
        "guard.operations_per_hour",
        f"{history.operations_last_hour} operations in the last hour; operations_per_hour is {most}",
        guard="operations_per_hour",
        operations_last_hour=history.operations_last_hour,
    )


@dataclass
class Room:
    """What is left of a component's budgets, while its processes are chosen one after the other."""

    component: str
    #: Processes of the component that the cluster shows.
    total: int
    #: Of these, under an open operation of ours; the other counts are without them.
    under_operation: int
    #: Known to be down, whether they died or somebody stopped them.
    down: int
    #: Seen to serve.
    serving: int
    #: Chosen so far, of these the ones that are not known to be down, and the ones that are seen to serve.
    taken: int = 0
    taken_up: int = 0
    taken_serving: int = 0

    def take(self, one: Asked) -> None:
        """``one`` is chosen."""
        self.taken += 1
        self.taken_up += one.reading.serves
        self.taken_serving += one.reading.surely_serves

    @classmethod
    def of(cls, component: str, peers: Iterable[Reading], under_operation: frozenset[str]) -> Room:
        """The room before anything is chosen."""
        total = ours = down = serving = 0
        for peer in peers:
            total += 1
            if under_operation and peer.target.key in under_operation:
                ours += 1
            elif peer.serves:
                serving += peer.surely_serves
            else:
                down += 1
        return cls(component, total, ours, down, serving)


def within_budgets(asked: Sequence[Asked], view: View) -> tuple[list[Asked], list[tuple[Asked, Outcome]]]:
    """The processes that the budgets of their component leave room for, and those held back, each with the reason.

    A budget that is partly left serves a part: processes that are down come first, since taking them away costs
    nothing; then by address.
    """
    chosen: list[Asked] = []
    held: list[tuple[Asked, Outcome]] = []
    by_component: dict[tuple[str, str], list[Asked]] = {}
    for one in asked:
        target = one.reading.target
        by_component.setdefault((target.service, target.component), []).append(one)
    for (service, component), group in by_component.items():
        peers = view.seen.component(service, component).values()
        room = Room.of(component, peers, view.history.under_operation)
        for one in sorted(group, key=lambda one: (one.reading.serves, one.key)):
            for guard in BUDGET_GUARDS:
                if outcome := guard(one, room, view):
                    held.append((one, outcome))
                    break
            else:
                room.take(one)
                chosen.append(one)
    return chosen, held


def within_max_nodes(one: Asked, room: Room, view: View) -> Outcome | None:
    """At most ``max_nodes`` processes of a component under operation at a time."""
    if one.manner.op_type not in TOUCHES_PROCESSES:
        return None
    open_now = room.under_operation + room.taken
    if open_now < one.limits.max_nodes:
        return None
    return Outcome.deferred(
        "guard.max_nodes",
        f"{open_now} of {room.component} already under operation; max_nodes is {one.limits.max_nodes}",
        guard="max_nodes",
        max_nodes=one.limits.max_nodes,
        under_operation=open_now,
    )


def within_max_share(one: Asked, room: Room, view: View) -> Outcome | None:
    """At most ``max_share`` of a component's processes away at a time, never less than one.

    Restarting a process that is down takes nothing away, so it counts only with those under operation; one that still
    serves counts with all that do not.
    """
    if one.manner.op_type not in TAKES_AWAY:
        return None
    most = max(1, int(one.limits.max_share * room.total + 1e-9))
    away = room.under_operation + room.taken
    if one.reading.serves:
        away += room.down - (room.taken - room.taken_up)
    if away < most:
        return None
    return Outcome.deferred(
        "guard.max_share",
        f"{away} of {room.total} {room.component} are away; max_share of {one.limits.max_share:.0%} leaves room for {most}",
        guard="max_share",
        max_share=one.limits.max_share,
        away=away,
        peers=room.total,
    )


def within_quorum(one: Asked, room: Room, view: View) -> Outcome | None:
    """A quorum role never loses its quorum to us: a majority, or one of a pair, that is seen to serve."""
    if one.manner.op_type not in TAKES_AWAY or not one.reading.serves:
        return None
    if component_key(room.component) not in {component_key(role) for role in view.safety.quorum_roles}:
        return None
    strategy = one.manner.strategy
    at_once = room.taken_serving + one.reading.surely_serves
    is_restart = one.manner.op_type is OpType.RESTART_SERVICE
    # Where a failed batch is skipped, those that stay down and the next batch are away together.
    if is_restart and strategy is not None and strategy.rolling and not strategy.skip_failed:
        at_once = min(strategy.batch_size, at_once)
    quorum = 1 if room.total == 2 else room.total // 2 + 1
    if room.serving - at_once >= quorum:
        return None
    return Outcome.deferred(
        "guard.quorum",
        f"{room.component} is a quorum role: {room.serving} of {room.total} serve, {quorum} must remain, "
        f"{at_once} would be away at once",
        guard="quorum",
        quorum=quorum,
        serving=room.serving,
        peers=room.total,
    )


BudgetGuard = Callable[["Asked", Room, View], "Outcome | None"]
BUDGET_GUARDS: Final[tuple[BudgetGuard, ...]] = (within_max_nodes, within_max_share, within_quorum)


def _span(seconds: float) -> str:
    """``42 s``, ``15 min``, ``3.5 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

"""Budgets that the processes of a cluster or of a component share; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handler.decide.process_guards import TOUCHES_PROCESSES, Asked, View
from handler.model.components import component_key
from handler.model.outcome import Outcome
from handler.model.request import OpType

if TYPE_CHECKING:
    from handler.model.history import History
    from handler.model.observation import Reading


#: Operations that take a process away for a while, or for good.
TAKES_AWAY: Final = frozenset({OpType.RESTART_SERVICE, OpType.STOP_SERVICE})


def within_hourly(history: History, limit: int, *, is_command: bool) -> Outcome | None:
    """At most ``operations_per_hour`` remediations on a cluster, and as many commands."""
    count = history.commands_last_hour if is_command else history.remediations_last_hour
    if count < limit:
        return None
    return Outcome.pending(
        "guard.operations_per_hour",
        f"{count} {'commands' if is_command else 'remediations'} in the last hour; operations_per_hour is {limit}",
        fix="Find out why so many are needed. If they are meant, raise `operations_per_hour` in steward.yml.",
        guard="operations_per_hour",
        operations_last_hour=count,
    )


@dataclass
class Room:
    """What is left of a component's budgets while its processes are chosen one by one."""

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
        self.taken_up += one.reading.may_serve
        self.taken_serving += one.reading.surely_serves

    @classmethod
    def of(cls, component: str, peers: Iterable[Reading], under_operation: Collection[str]) -> Room:
        """The room before anything is chosen."""
        total = ours = down = serving = 0
        for peer in peers:
            total += 1
            if under_operation and peer.target.key in under_operation:
                ours += 1
            elif peer.may_serve:
                serving += peer.surely_serves
            else:
                down += 1
        return cls(component, total, ours, down, serving)


def within_budgets(asked: Sequence[Asked], view: View) -> tuple[list[Asked], list[tuple[Asked, Outcome]]]:
    """Choose the processes that the budgets of their component leave room for.

    The others are held back, each with the reason.

    A budget that is partly left serves a part: processes that are down come first, since taking them away costs
    nothing; then by address.
    """
    chosen: list[Asked] = []
    held: list[tuple[Asked, Outcome]] = []
    # Several intents may ask for one process: together, within the limits of all.
    by_component: dict[tuple[str, str], dict[str, list[Asked]]] = {}
    for one in asked:
        target = one.reading.target
        by_component.setdefault((target.service, target.component), {}).setdefault(one.key, []).append(one)
    for (service, component), group in by_component.items():
        if (service, component) not in view.rooms:  # one for each of a thousand requests that go alone
            peers = view.seen.component(service, component).values()
            view.rooms[service, component] = Room.of(component, peers, view.history.open)
        room = replace(view.rooms[service, component])
        for _, alike in sorted(group.items(), key=lambda item: (item[1][0].reading.may_serve, item[0])):
            first = alike[0] if len(alike) == 1 else _together(alike)
            outcome = next((found for guard in BUDGET_GUARDS if (found := guard(first, room, view))), None)
            if outcome is not None:
                held += [(one, outcome) for one in alike]
            else:
                room.take(first)
                chosen += alike
    return chosen, held


def _together(alike: Sequence[Asked]) -> Asked:
    limits = alike[0].limits
    for one in alike[1:]:
        limits = limits.strictest(one.limits)
    return alike[0]._replace(limits=limits)


def within_max_nodes(one: Asked, room: Room, view: View) -> Outcome | None:
    """At most ``max_nodes`` processes of a component under operation at a time."""
    if one.op_type not in TOUCHES_PROCESSES:
        return None
    open_now = room.under_operation + room.taken
    if open_now < one.limits.max_nodes:
        return None
    return Outcome.pending(
        "guard.max_nodes",
        f"{open_now} {room.component} already under operation; max_nodes is {one.limits.max_nodes}",
        guard="max_nodes",
        max_nodes=one.limits.max_nodes,
        under_operation=open_now,
    )


def within_max_share(one: Asked, room: Room, view: View) -> Outcome | None:
    """At most ``max_share`` of a component's processes away at a time, never less than one.

    Restarting a process that is down takes nothing away, so it counts only with those under operation; one that still
    serves counts with all that do not.
    """
    if one.op_type not in TAKES_AWAY:
        return None
    limit = max(1, int(one.limits.max_share * room.total + 1e-9))
    away = room.under_operation + room.taken
    if one.reading.may_serve:
        away += room.down - (room.taken - room.taken_up)
    if away < limit:
        return None
    return Outcome.pending(
        "guard.max_share",
        f"{away} of {room.total} {room.component} are down or under operation; max_share of "
        f"{one.limits.max_share:.0%} allows {limit} at a time",
        fix="Find out why so many are down, and bring them back by hand. Steward goes on by itself as soon as enough serve.",
        guard="max_share",
        max_share=one.limits.max_share,
        away=away,
        peers=room.total,
    )


def within_quorum(one: Asked, room: Room, view: View) -> Outcome | None:
    """A quorum role never loses its quorum to us.

    A majority, or one of a pair, must be seen to serve.
    """
    if one.op_type not in TAKES_AWAY or not one.reading.may_serve:
        return None
    if room.total == 1:  # there is nothing that it could leave the work to
        return None
    if one.op_type is OpType.STOP_SERVICE and one.intent.is_command and _says_all(one):
        return None  # the role itself is to stop, as HBase does every night
    if component_key(room.component) not in {component_key(role) for role in view.safety.quorum_roles}:
        return None
    strategy = one.intent.action.strategy
    at_once = room.taken_serving + one.reading.surely_serves
    is_restart = one.op_type is OpType.RESTART_SERVICE
    # Where a failed batch is skipped, those that stay down and the next batch are away together.
    if is_restart and strategy is not None and strategy.rolling and not strategy.skip_failed:
        at_once = min(strategy.batch_size, at_once)
    quorum = 1 if room.total == 2 else room.total // 2 + 1
    if room.serving - at_once >= quorum:
        return None
    return Outcome.pending(
        "guard.quorum",
        f"{room.component} is a quorum role: {room.serving} of {room.total} serve, {quorum} must remain, "
        f"{at_once} would be away at once",
        fix="Bring back the processes that are down, or ask for fewer at once; docs/limits.md says what goes through.",
        guard="quorum",
        quorum=quorum,
        serving=room.serving,
        peers=room.total,
    )


def _says_all(one: Asked) -> bool:
    """Whether the intent asks for all processes of the component, or of its service."""
    target = one.reading.target
    return any(
        ip is None
        and service == target.service
        and component_key(component or "") in ("", component_key(target.component))
        for service, component, ip in one.intent.scope
    )


BudgetGuard = Callable[["Asked", Room, View], "Outcome | None"]


BUDGET_GUARDS: Final[tuple[BudgetGuard, ...]] = (within_max_nodes, within_max_share, within_quorum)

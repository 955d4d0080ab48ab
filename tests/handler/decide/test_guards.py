"""The guards: a row for each decision, and the budgets whatever the mix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.config.config import Config
from handler.decide import budgets, intent_guards, process_guards
from handler.decide.case import Case
from handler.decide.planning import Asked
from handler.decide.process_guards import View
from handler.lib.wording import utc_text
from handler.model.event import Event
from handler.model.history import Entry, History, Past
from handler.model.intent import COMMAND_LIMITS, Intent, Limits
from handler.model.observation import Observation, Reading
from handler.model.operation import State
from handler.model.policy import Breaker, Cluster, Freeze, MaintenanceWindow, Quarantine, Safety
from handler.model.request import Action, OpType, StrategyConfig
from handler.model.scope import OpScope, Target

CLUSTER = "emr-4zvc5mul"
NOW = 1_000_000.0
RESTART = Action(OpType.RESTART_SERVICE, StrategyConfig())
CONFIG = Config({CLUSTER: Cluster(CLUSTER, "analytics", "ap-guangzhou", frozenset({OpType.RESTART_SERVICE}))})


def an_intent(**fields: Any) -> Intent:
    values: dict[str, Any] = {
        "cluster": CLUSTER,
        "action": RESTART,
        "scope": OpScope.of_component("HDFS", "DataNode", ["172.16.0.5"]),
        "rule": "r",
        "is_command": False,
        "occurred_at": NOW - 10,
    }
    return Intent(**{**values, **fields})


def reading(
    ip: str = "172.16.0.5", component: str = "DataNode", *, status: int = 1, monitor: int = 1, health: int = 0
) -> Reading:
    return Reading(Target("HDFS", component, ip), status, monitor, health, "before")


def asked(one: Reading | None = None, *, action: Action = RESTART, is_command: bool = False, **fields: Any) -> Asked:
    intent = an_intent(action=action, is_command=is_command, **fields.pop("intent", {}))
    limits = COMMAND_LIMITS if is_command else Limits()
    seen = one or reading()
    even, limits = fields.pop("even", False), fields.pop("limits", limits)
    return Asked(seen.target.key, seen, action, (Case(Event("e", "tcop", "n"), intent),), is_command, even, limits)


def view(*readings: Reading, history: History | None = None, safety: Safety | None = None, status: int = 2) -> View:
    seen = Observation(CLUSTER, status, {"HDFS": tuple(readings)}, NOW)
    return View(seen, history or History(), safety or Safety(), NOW)


WINDOW = MaintenanceWindow(frozenset(range(7)), 0, 1440, "Asia/Shanghai", "patch day")


@pytest.mark.parametrize(
    ("guard", "intent", "config", "code"),
    [
        (intent_guards.listed, an_intent(), CONFIG, None),
        (intent_guards.listed, an_intent(cluster="emr-other000"), CONFIG, "guard.listed"),
        (intent_guards.allowed, an_intent(), CONFIG, None),
        (intent_guards.allowed, an_intent(action=Action(OpType.STOP_SERVICE)), CONFIG, "guard.allowed"),
        (intent_guards.fresh, an_intent(), CONFIG, None),
        (intent_guards.fresh, an_intent(occurred_at=None), CONFIG, None),
        (intent_guards.fresh, an_intent(occurred_at=NOW - 601), CONFIG, "guard.max_event_age"),
        (intent_guards.fresh, an_intent(occurred_at=NOW + 300), CONFIG, None),
        (intent_guards.fresh, an_intent(occurred_at=NOW + 301), CONFIG, "guard.future"),
        (intent_guards.fresh, an_intent(occurred_at=NOW + 301, is_command=True), CONFIG, "guard.future"),
        (
            intent_guards.unfrozen,
            an_intent(),
            replace(CONFIG, safety=Safety(freezes=(Freeze(NOW - 9, NOW, "over"),))),
            None,
        ),
        (
            intent_guards.unfrozen,
            an_intent(is_command=True),
            replace(CONFIG, safety=Safety(freezes=(Freeze(0, NOW + 1, "x"),))),
            "guard.freeze",
        ),
        (
            intent_guards.unfrozen,
            an_intent(),
            replace(CONFIG, safety=Safety(freezes=(Freeze(0, NOW + 1, "x", frozenset({"emr-other000"})),))),
            None,
        ),
        (intent_guards.outside_maintenance_window, an_intent(), CONFIG, None),
        (
            intent_guards.outside_maintenance_window,
            an_intent(),
            replace(CONFIG, safety=Safety(maintenance_windows=(WINDOW,))),
            "guard.maintenance_window",
        ),
        (
            intent_guards.outside_maintenance_window,
            an_intent(is_command=True),
            replace(CONFIG, safety=Safety(maintenance_windows=(WINDOW,))),
            None,
        ),
    ],
)
def test_guards_over_an_intent(guard: Callable[..., Any], intent: Intent, config: Config, code: str | None) -> None:
    """Each passes or holds, with its code and a reason."""
    held = guard(intent, config.clusters, config.safety, NOW)
    assert (held.code if held else None) == code
    assert held is None or held.reason
    assert guard in intent_guards.INTENT_GUARDS


def past(state: State, *, at: float = NOW - 60, digest: str = "") -> Past:
    return Past("op-1", OpType.RESTART_SERVICE, state, at, at + 5, digest)


OPEN = History(targets={"HDFS/datanode/172.16.0.5": past(State.ACCEPTED)})
DONE = History(targets={"HDFS/datanode/172.16.0.5": past(State.VERIFIED)})
UNSENT = History(targets={"HDFS/datanode/172.16.0.5": past(State.NOT_SENT)})
STOP, START = Action(OpType.STOP_SERVICE), Action(OpType.START_SERVICE)
ENTER, LEAVE = Action(OpType.STOP_MONITOR), Action(OpType.START_MONITOR)
TIRED = History(restarts={"HDFS/datanode/172.16.0.5": 3})
LOCKED = History(quarantined={"HDFS/datanode/172.16.0.5": NOW + 1})
FREED = History(quarantined={"HDFS/datanode/172.16.0.5": NOW})


@pytest.mark.parametrize(
    ("guard", "one", "history", "code"),
    [
        (process_guards.not_in_maintenance, asked(), History(), None),
        (process_guards.not_in_maintenance, asked(reading(monitor=2)), History(), "guard.maintenance"),
        (process_guards.not_in_maintenance, asked(reading(monitor=2), is_command=True), History(), "guard.maintenance"),
        (process_guards.not_in_maintenance, asked(reading(monitor=2), action=LEAVE), History(), None),
        (process_guards.not_in_maintenance, asked(reading(monitor=0)), History(), "guard.maintenance"),
        (process_guards.not_in_maintenance, asked(reading(monitor=3), is_command=True), History(), "guard.maintenance"),
        (process_guards.not_stopped, asked(reading(status=2)), History(), "guard.stopped"),
        (process_guards.not_stopped, asked(reading(status=2), is_command=True), History(), "guard.stopped"),
        (process_guards.not_stopped, asked(reading(status=2), action=START), History(), None),
        (process_guards.not_satisfied, asked(), History(), None),
        (process_guards.not_satisfied, asked(reading(health=1)), History(), None),
        (process_guards.not_satisfied, asked(reading(health=1), action=START), History(), "guard.satisfied"),
        (process_guards.not_satisfied, asked(reading(health=-4), action=START), History(), None),
        (process_guards.not_satisfied, asked(reading(health=-3), action=START), History(), "guard.satisfied"),
        (process_guards.not_satisfied, asked(reading(health=0), action=START), History(), None),
        (process_guards.not_satisfied, asked(reading(status=2), action=STOP), History(), "guard.satisfied"),
        (process_guards.not_satisfied, asked(reading(status=2, health=1), action=STOP), History(), None),
        (process_guards.not_satisfied, asked(reading(status=2, health=-4), action=STOP), History(), "guard.satisfied"),
        (process_guards.not_satisfied, asked(action=STOP), History(), None),
        (process_guards.not_satisfied, asked(reading(monitor=0), action=LEAVE), History(), None),
        (process_guards.not_satisfied, asked(reading(monitor=3), action=ENTER), History(), None),
        (process_guards.not_satisfied, asked(reading(monitor=2), action=ENTER), History(), "guard.satisfied"),
        (process_guards.not_satisfied, asked(action=ENTER), History(), None),
        (process_guards.not_satisfied, asked(action=LEAVE), History(), "guard.satisfied"),
        (process_guards.not_satisfied, asked(reading(monitor=2), action=LEAVE), History(), None),
        (process_guards.not_under_operation, asked(), History(), None),
        (process_guards.not_under_operation, asked(), OPEN, "once.under_operation"),
        (process_guards.not_under_operation, asked(is_command=True), OPEN, "once.under_operation"),
        (process_guards.not_under_operation, asked(action=START), OPEN, "once.under_operation"),
        (process_guards.not_under_operation, asked(), DONE, None),
        (process_guards.not_served, asked(), DONE, None),
        (process_guards.not_served, asked(intent={"parts_since": NOW - 60}), DONE, "once.served"),
        (process_guards.not_served, asked(intent={"parts_since": NOW - 60}, is_command=True), DONE, "once.served"),
        (process_guards.not_served, asked(intent={"parts_since": NOW - 59}), DONE, None),
        (process_guards.not_served, asked(intent={"parts_since": NOW - 60}), UNSENT, None),
        (process_guards.not_served, asked(intent={"parts_since": NOW - 60}, action=STOP), DONE, None),
        (process_guards.needed, asked(), History(), None),
        (process_guards.needed, asked(reading(health=1)), History(), "guard.healthy"),
        (process_guards.needed, asked(reading(health=-3)), History(), "guard.healthy"),
        (process_guards.needed, asked(reading(health=-3), even=True), History(), None),
        (process_guards.needed, asked(reading(health=-4)), History(), "guard.not_checked"),
        (process_guards.needed, asked(reading(health=-4), even=True), History(), "guard.not_checked"),
        (process_guards.needed, asked(reading(health=-2)), History(), "guard.health_unknown"),
        (process_guards.needed, asked(reading(health=-2), even=True), History(), "guard.health_unknown"),
        (process_guards.needed, asked(reading(health=77)), History(), "guard.health_unknown"),
        *(
            (process_guards.needed, asked(reading(status=new, health=health)), History(), "guard.health_unknown")
            for new in (0, 3, 5, -1, 99)
            for health in (0, 1)
        ),
        (process_guards.needed, asked(reading(health=-2), is_command=True), History(), None),
        (process_guards.needed, asked(reading(health=1), even=True), History(), None),
        (process_guards.needed, asked(reading(health=1), is_command=True), History(), None),
        (process_guards.not_stale, asked(intent={"occurred_at": NOW - 100}), DONE, "guard.stale"),
        (process_guards.not_stale, asked(intent={"occurred_at": NOW - 10}), DONE, None),
        (process_guards.not_stale, asked(intent={"occurred_at": None}), DONE, None),
        (process_guards.not_stale, asked(intent={"occurred_at": NOW - 100}, is_command=True), DONE, None),
        (process_guards.not_quarantined, asked(), History(), None),
        (process_guards.not_quarantined, asked(), TIRED, "guard.quarantine"),
        (process_guards.not_quarantined, asked(), LOCKED, "guard.quarantine"),
        (process_guards.not_quarantined, asked(), FREED, None),
        (process_guards.not_quarantined, asked(is_command=True), TIRED, None),
        (process_guards.not_quarantined, asked(action=START), TIRED, None),
        (process_guards.cooled_down, asked(), History(), None),
        (process_guards.cooled_down, asked(), DONE, "guard.cooldown"),
        (process_guards.cooled_down, asked(), UNSENT, None),
        (process_guards.cooled_down, asked(limits=Limits(cooldown=60)), DONE, None),
        (process_guards.cooled_down, asked(is_command=True), DONE, None),
    ],
)
def test_guards_over_a_process(guard: Callable[..., Any], one: Asked, history: History, code: str | None) -> None:
    """Each passes or holds, with its code and a reason."""
    held = guard(one, view(one.reading, history=history))
    assert (held.code if held else None) == code
    assert held is None or held.reason
    assert guard in process_guards.PROCESS_GUARDS
    # A process without a past is not asked for it: whatever holds it back would do so then, too.
    assert held is None or one.key in history.touched or guard in process_guards.GUARDS_WITHOUT_A_PAST


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (asked(), "skipped"),
        (asked(action=START), "deferred"),
        (asked(is_command=True), "deferred"),
    ],
)
def test_what_the_open_operation_does_not_do_is_asked_for_again(one: Asked, status: str) -> None:
    """A need of its kind it meets; a need of another kind, and what a person or a timer wants, waits until it is over."""
    held = process_guards.not_under_operation(one, view(one.reading, history=OPEN))
    assert held is not None
    assert (held.status, held.retryable) == (status, status == "deferred")


@pytest.mark.parametrize(
    ("state", "digest", "status", "code"),
    [
        (None, "d", None, None),
        (State.NOT_SENT, "d", None, None),
        (State.SENDING, "d", "skipped", "once.sending"),
        (State.ACCEPTED, "d", "skipped", "once.accepted"),
        (State.IN_DOUBT, "d", "skipped", "once.in_doubt"),
        (State.VERIFIED, "d", "skipped", "once.verified"),
        (State.FAILED, "d", "skipped", "once.failed"),
        (State.UNVERIFIED, "d", "skipped", "once.unverified"),
        (State.TIMED_OUT, "d", "skipped", "once.timed_out"),
        (State.REJECTED, "d", "refused", "api."),
        (State.VERIFIED, "other", "refused", "once.conflict"),
        (State.NOT_SENT, "other", "refused", "once.conflict"),
    ],
)
def test_an_occurrence_is_served_once(state: State | None, digest: str, status: str | None, code: str | None) -> None:
    """A redelivery is told what became of it; the same occurrence asking for something else is refused."""
    held = intent_guards.not_seen_before(digest, past(state, digest="d") if state else None)
    assert (held.status if held else None) == status
    assert (held.code if held else None) == code


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (2, None),
        (8, "deferred"),
        (9, "deferred"),
        (24, "deferred"),
        (14, "refused"),
        (23, "refused"),
        (301, "refused"),
        (999, "refused"),
    ],
)
def test_only_a_running_cluster_is_acted_upon(status: int, outcome: str | None) -> None:
    """What is busy is waited for, what is going is left alone."""
    held = intent_guards.cluster_ready(view(status=status).seen)
    assert (held.status if held else None) == outcome


def test_the_hour_and_the_breaker() -> None:
    """Budgets of the whole cluster."""
    assert budgets.within_hourly(History(operations_last_hour=11), 12) is None
    held = budgets.within_hourly(History(operations_last_hour=12), 12)
    assert held is not None
    assert held.code == "guard.operations_per_hour"
    assert budgets.breaker_closed(Entry(), Breaker()) is None
    assert budgets.breaker_closed(Entry(breaker_opened_at=NOW), Breaker()) is not None


def chosen_of(
    count: int,
    *,
    dead: int,
    action: Action = RESTART,
    component: str = "DataNode",
    limits: Limits | None = None,
    open_: int = 0,
    **more: Any,
) -> tuple[list[str], set[str]]:
    """The addresses chosen of ``count`` processes that are all asked for, the last ``dead`` of them dead; and the codes that held."""
    readings = [reading(f"10.0.0.{n}", component, health=0 if n >= count - dead else 1) for n in range(count)]
    targets = {one.target.key: past(State.ACCEPTED) for one in readings[:open_]}
    the_view = view(*readings, history=History(targets=targets), **more)
    wanted = [asked(one, action=action, limits=limits or Limits(), even=True) for one in readings[open_:]]
    chosen, held = budgets.within_budgets(wanted, the_view)
    return [one.reading.target.ip for one in chosen], {outcome.code for _, outcome in held}


LOOSE = Limits(max_nodes=99, max_share=1.0)


@pytest.mark.parametrize(
    ("count", "dead", "options", "expected", "codes"),
    [
        (20, 15, {"limits": Limits(max_nodes=99, max_share=0.2)}, 4, {"guard.max_share"}),
        (20, 0, {"limits": Limits(max_nodes=99, max_share=0.2)}, 4, {"guard.max_share"}),
        (20, 15, {"limits": Limits(max_nodes=99, max_share=0.2), "open_": 3}, 1, {"guard.max_share"}),
        (20, 15, {}, 1, {"guard.max_nodes"}),
        (20, 0, {"open_": 1}, 0, {"guard.max_nodes"}),
        (3, 0, {"limits": Limits(max_nodes=99, max_share=0.01)}, 1, {"guard.max_share"}),
        (3, 0, {"component": "JournalNode", "limits": LOOSE}, 3, set()),  # rolling, one at a time
        (3, 1, {"component": "JournalNode", "limits": LOOSE}, 1, {"guard.quorum"}),
        (5, 0, {"component": "JournalNode", "limits": LOOSE, "action": STOP}, 2, {"guard.quorum"}),
        (5, 2, {"component": "zookeeper", "limits": LOOSE}, 2, {"guard.quorum"}),
        (2, 0, {"component": "NameNode", "limits": LOOSE, "action": STOP}, 1, {"guard.quorum"}),
        (1, 0, {"component": "NameNode", "limits": LOOSE}, 0, {"guard.quorum"}),
        (1, 1, {"component": "NameNode", "limits": LOOSE}, 1, set()),
        (1, 0, {"component": "NameNode", "limits": LOOSE, "safety": Safety(quorum_roles=())}, 1, set()),
        (
            3,
            0,
            {
                "component": "QuorumPeerMain",
                "limits": LOOSE,
                "action": Action(OpType.RESTART_SERVICE, StrategyConfig(rolling=False)),
            },
            1,
            {"guard.quorum"},
        ),
    ],
)
def test_budgets(count: int, dead: int, options: dict[str, Any], expected: int, codes: set[str]) -> None:
    """How many of a component are served, and what holds the others."""
    chosen, held = chosen_of(count, dead=dead, **options)
    assert len(chosen) == expected
    assert held == codes


@pytest.mark.parametrize("status", [0, 3, 5, -1, 99])
@pytest.mark.parametrize("health", [0, 1, -2, -4, 77])
def test_a_pair_in_an_unknown_state_is_not_taken_away_at_once(status: int, health: int) -> None:
    """Unknown is never permission: each may be the one that serves, and neither can be counted upon."""
    pair = [reading(f"10.0.0.{n}", "NameNode", status=status, health=health) for n in range(2)]
    strategy = StrategyConfig(rolling=False)
    for action in (Action(OpType.RESTART_SERVICE, strategy), STOP):
        wanted = [asked(one, action=action, limits=LOOSE, is_command=True) for one in pair]
        assert budgets.within_budgets(wanted, view(*pair))[0] == []


@pytest.mark.parametrize("health", [-2, -4, 77])
def test_a_peer_whose_health_is_unknown_is_no_quorum(health: int) -> None:
    """The one that serves stays, while nobody knows whether the other does."""
    pair = [reading("10.0.0.1", "NameNode", health=1), reading("10.0.0.2", "NameNode", health=health)]
    wanted = [asked(pair[0], limits=LOOSE, is_command=True)]
    _, held = budgets.within_budgets(wanted, view(*pair))
    assert [outcome.code for _, outcome in held] == ["guard.quorum"]


def test_what_is_down_is_served_first() -> None:
    """The healthiest choice: a dead process costs nothing to restart."""
    chosen, _ = chosen_of(5, dead=1, limits=Limits(max_nodes=1, max_share=1.0))
    assert chosen == ["10.0.0.4"]


def test_what_somebody_stopped_is_away_too() -> None:
    """Taking away one that serves counts all that do not, whoever saw to that."""
    stopped = [reading(f"10.0.0.{n}", "DataNode", status=2, health=0) for n in range(5)]
    serving = [reading(f"10.0.1.{n}", "DataNode", health=1) for n in range(5)]
    limits = Limits(max_nodes=99, max_share=0.5)
    wanted = [asked(one, limits=limits, even=True) for one in serving]
    chosen, held = budgets.within_budgets(wanted, view(*stopped, *serving))
    assert not chosen
    assert {outcome.code for _, outcome in held} == {"guard.max_share"}
    assert held[0][1].facts["away"] == 5


@given(
    healths=st.lists(st.sampled_from([1, 0, -2]), min_size=1, max_size=12),
    nodes=st.integers(1, 12),
    share=st.floats(0.01, 1),
    open_=st.integers(0, 3),
    rolling=st.booleans(),
    role=st.sampled_from(["DataNode", "JournalNode"]),
)
def test_budgets_hold_whatever_the_mix(
    healths: list[int], nodes: int, share: float, open_: int, rolling: bool, role: str
) -> None:
    """Never more than max_nodes under operation, nor more than the share, nor below the quorum."""
    readings = [reading(f"10.0.0.{n}", role, health=health) for n, health in enumerate(healths)]
    busy = {one.target.key for one in readings[:open_]}
    history = History(targets={key: past(State.SENDING) for key in busy})
    action = Action(OpType.RESTART_SERVICE, StrategyConfig(rolling=rolling))
    limits = Limits(max_nodes=nodes, max_share=share)
    wanted = [asked(one, action=action, limits=limits, even=True) for one in readings[open_:]]
    chosen, held = budgets.within_budgets(wanted, view(*readings, history=history))
    assert len(chosen) + len(held) == len(wanted)
    if chosen:
        assert len(busy) + len(chosen) <= max(nodes, 1)
        assert len(busy) + len(chosen) <= max(1, int(share * len(readings) + 1e-9))
    serving = [one for one in readings if one.surely_serves and one.target.key not in busy]
    away = sum(one.reading.surely_serves for one in chosen)
    at_once = min(1, away) if rolling else away
    if role == "JournalNode" and any(one.reading.may_serve for one in chosen):
        assert len(serving) - at_once >= (1 if len(readings) == 2 else len(readings) // 2 + 1)


def rows(test: Any) -> list[tuple[Any, ...]]:
    """The table of a parametrized test."""
    (mark,) = test.pytestmark
    return list(mark.args[1])


def test_every_guard_has_its_rows() -> None:
    """One that lets pass, and one that holds."""
    for test, table in (
        (test_guards_over_an_intent, intent_guards.INTENT_GUARDS),
        (test_guards_over_a_process, process_guards.PROCESS_GUARDS),
    ):
        shown = {(guard, code is not None) for guard, _, _, code in rows(test)}
        assert shown == {(guard, holds) for guard in table for holds in (False, True)}
    held = {code for *_, codes in rows(test_budgets) for code in codes}
    assert held == {guard.__name__.replace("within_", "guard.") for guard in budgets.BUDGET_GUARDS}


def test_quarantine_counts_to_its_limit() -> None:
    """K restarts within the window, not K-1."""
    safety = Safety(quarantine=Quarantine(restarts=2))
    for count, code in ((1, None), (2, "guard.quarantine")):
        history = History(restarts={"HDFS/datanode/172.16.0.5": count})
        held = process_guards.not_quarantined(asked(), view(reading(), history=history, safety=safety))
        assert (held.code if held else None) == code


@pytest.mark.parametrize(
    ("strategy", "count", "dead", "expected"),
    [
        (StrategyConfig(), 3, 0, 3),
        (StrategyConfig(skip_failed=True), 3, 0, 1),  # one that stays down is passed over, and then another goes
        (StrategyConfig(skip_failed=True), 5, 0, 2),
        (StrategyConfig(skip_failed=True), 2, 0, 1),
        (StrategyConfig(batch_size=2), 3, 0, 1),
        (StrategyConfig(batch_size=2), 5, 0, 5),
        (StrategyConfig(batch_size=3), 5, 0, 2),
        (StrategyConfig(rolling=False), 5, 0, 2),
        (StrategyConfig(), 5, 2, 2),  # the dead ones, which take nothing away
    ],
)
def test_a_rolling_restart_keeps_the_quorum_even_where_it_fails(
    strategy: StrategyConfig, count: int, dead: int, expected: int
) -> None:
    """One batch may be away at a time; where a failed batch is skipped, every batch may be away at once."""
    action = Action(OpType.RESTART_SERVICE, strategy)
    chosen, _ = chosen_of(count, dead=dead, action=action, component="JournalNode", limits=LOOSE)
    assert len(chosen) == expected


@pytest.mark.parametrize(
    ("healths", "asks_for", "goes"),
    [
        ((1, -2, -2), 0, False),  # the one that is known to serve may be the only one
        ((1, -2, -2), 1, False),  # and so may either of the others
        ((1, 1, -2), 0, False),
        ((1, 1, -2), 2, True),
        ((1, 1, -3), 0, True),  # at risk still serves
        ((-4, -4, -4), 0, False),  # never checked: nothing speaks for them
    ],
)
def test_a_quorum_is_of_those_that_are_seen_to_serve(healths: tuple[int, ...], asks_for: int, goes: bool) -> None:
    """Who is left must be known to be there: a node that answers no probe may be gone."""
    readings = [reading(f"10.0.0.{n}", "JournalNode", health=health) for n, health in enumerate(healths)]
    chosen, held = budgets.within_budgets([asked(readings[asks_for], is_command=True)], view(*readings))
    assert bool(chosen) == goes
    assert {outcome.code for _, outcome in held} <= {"guard.quorum"}


@pytest.mark.parametrize("op_type", [OpType.START_SERVICE, OpType.STOP_MONITOR, OpType.START_MONITOR])
def test_what_takes_nothing_away_needs_no_quorum(op_type: OpType) -> None:
    """Starting, and telling the daemon to watch or not, leave every process where it is."""
    chosen, _ = chosen_of(3, dead=0, action=Action(op_type), component="JournalNode", limits=LOOSE)
    assert len(chosen) == 3


@pytest.mark.parametrize(("op_type", "expected"), [(OpType.START_SERVICE, 1), (OpType.STOP_MONITOR, 3)])
def test_max_nodes_counts_what_touches_processes(op_type: OpType, expected: int) -> None:
    """Maintenance is not a process under operation."""
    chosen, _ = chosen_of(3, dead=0, action=Action(op_type))
    assert len(chosen) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h"), (90000, "25.0 h")],
)
def test_spans_are_shown_in_the_unit_that_fits(seconds: float, text: str) -> None:
    """A reason is read at 3 a.m."""
    held = intent_guards.fresh(
        an_intent(occurred_at=NOW - seconds, limits=Limits(max_event_age=-1)), CONFIG.clusters, CONFIG.safety, NOW
    )
    assert held is not None
    assert f"the event is {text} old" in held.reason


@pytest.mark.parametrize("is_command", [True, False])
def test_what_is_too_old_says_from_when_an_alert_counts(is_command: bool) -> None:
    """Who waits for the repeat of a deferred alert learns that it is as old as the alert."""
    held = intent_guards.fresh(
        an_intent(occurred_at=NOW - 7200, is_command=is_command), CONFIG.clusters, CONFIG.safety, NOW
    )
    assert held is not None
    assert ("which its repeats keep" in held.reason) is not is_command


@pytest.mark.parametrize("at", [NOW + 8 * 3600, 253_402_300_799.0 + 86_400])
def test_what_is_yet_to_happen_is_refused_with_its_time(at: float) -> None:
    """A wrong zone is found by the two times; a year that no calendar has breaks nothing."""
    held = intent_guards.fresh(an_intent(occurred_at=at), CONFIG.clusters, CONFIG.safety, NOW)
    assert held is not None
    assert (held.status, held.is_alarming) == ("refused", True)
    assert utc_text(NOW) in held.reason
    assert utc_text(at) in held.reason


@pytest.mark.parametrize("state", [State.REJECTED, State.NOT_SENT])
def test_what_was_not_done_needs_no_cooldown(state: State) -> None:
    """A refusal by the API, or a request that never left, touched nothing."""
    history = History(targets={"HDFS/datanode/172.16.0.5": past(state)})
    assert process_guards.cooled_down(asked(), view(reading(), history=history)) is None


@pytest.mark.parametrize("state", [State.FAILED, State.TIMED_OUT, State.VERIFIED])
def test_the_cooldown_is_counted_from_the_last_operation(state: State) -> None:
    """To the second, whatever became of it."""
    for ago, code in ((900.0, None), (899.0, "guard.cooldown")):
        history = History(targets={"HDFS/datanode/172.16.0.5": past(state, at=NOW - ago)})
        held = process_guards.cooled_down(asked(), view(reading(), history=history))
        assert (held.code if held else None) == code

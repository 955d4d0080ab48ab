"""The guards: a row for each decision, and the budgets whatever the mix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.decide import budgets, intent_guards, process_guards
from handler.decide.process_guards import Asked, View
from handler.lib.wording import utc_text
from handler.model.history import History
from handler.model.intent import COMMAND_LIMITS, Limits, Statement
from handler.model.observation import BUSY, GONE, Reading
from handler.model.operation import Operation, State
from handler.model.outcome import Outcome
from handler.model.policy import Cluster, Freeze, MaintenanceWindow, Quarantine, Safety
from handler.model.request import Action, OpType, StrategyConfig
from handler.model.scope import OpScope
from tests.intents import (
    CLUSTER,
    ENTER,
    KEY,
    LEAVE,
    NOW,
    RESTART,
    START,
    STOP,
    a_command,
    a_look,
    a_reading,
    an_alert,
    an_intent,
)
from tests.operations import an_operation

CLUSTERS = {CLUSTER: Cluster(CLUSTER, "analytics", "ap-guangzhou", frozenset({OpType.RESTART_SERVICE}))}
LOOSE = Limits(max_nodes=99, max_share=1.0)


def code_of(outcome: Outcome | None) -> str | None:
    """The code, of an outcome that says why; None where nothing holds."""
    assert outcome is None or outcome.reason
    return outcome.code if outcome else None


def asked(
    reading: Reading | None = None,
    *,
    action: Action = RESTART,
    is_command: bool = False,
    even: bool = False,
    limits: Limits | None = None,
    **fields: Any,
) -> Asked:
    seen = reading or a_reading()
    intent = an_intent(action=action, is_command=is_command, even_if_healthy=even, **fields)
    return Asked(seen.target.key, seen, intent, limits or (COMMAND_LIMITS if is_command else Limits()))


def view(*readings: Reading, history: History | None = None, safety: Safety | None = None) -> View:
    return View(a_look(*readings), history or History(), safety or Safety(), NOW)


# -- over an intent

WINDOW = MaintenanceWindow(frozenset(range(7)), 0, 1440, "Asia/Shanghai", "patch day")


@pytest.mark.parametrize(
    ("cluster", "op_type", "code"),
    [
        (CLUSTER, OpType.RESTART_SERVICE, None),
        (CLUSTER, OpType.STOP_SERVICE, "guard.allowed"),
        ("emr-other000", OpType.RESTART_SERVICE, "guard.listed"),
    ],
)
def test_only_what_a_listed_cluster_allows_is_done(cluster: str, op_type: OpType, code: str | None) -> None:
    """Anything else is refused, and its caller forbidden it."""
    outcome = intent_guards.entitled(cluster, op_type, CLUSTERS)
    assert code_of(outcome) == code
    assert outcome is None or (outcome.status, outcome.http_status) == ("refused", 403)


@pytest.mark.parametrize("is_command", [True, False])
@pytest.mark.parametrize(
    ("start", "is_refused"),
    [
        (None, False),
        (NOW - 7 * 86_400, False),  # an alert may have begun long ago
        (NOW + 300, False),
        (NOW + 301, True),
        (NOW + 8 * 3600, True),  # a wrong time zone
        (253_402_300_799.0 + 86_400, True),  # a year that no calendar has
    ],
)
def test_what_is_yet_to_happen_is_refused_with_both_times(
    start: float | None, is_refused: bool, is_command: bool
) -> None:
    """A wrong zone is found by the two times; clocks may differ by what the API grants a signature."""
    outcome = intent_guards.not_from_the_future(an_alert(start=start, is_command=is_command), NOW)
    assert (outcome is not None) == is_refused
    if outcome is not None:
        assert (outcome.code, outcome.is_alarming) == ("guard.future", True)
        assert utc_text(NOW) in outcome.reason
        assert utc_text(start or 0) in outcome.reason


@pytest.mark.parametrize(
    ("freeze", "is_on"),
    [
        (Freeze(NOW - 9, NOW, "over"), False),
        (Freeze(NOW, NOW + 1, "begins"), True),
        (Freeze(NOW + 1, NOW + 2, "later"), False),
        (Freeze(NOW - 9, NOW + 9, "elsewhere", frozenset({"emr-other000"})), False),
        (Freeze(NOW - 9, NOW + 9, "here", frozenset({CLUSTER})), True),
    ],
)
def test_a_freeze_holds_everything_on_its_clusters(freeze: Freeze, is_on: bool) -> None:
    """From its start to its end; held, and on purpose."""
    outcome = intent_guards.unfrozen(CLUSTER, Safety(freezes=(freeze,)), NOW)
    assert code_of(outcome) == ("guard.freeze" if is_on else None)
    assert outcome is None or (outcome.status == "pending" and outcome.code in intent_guards.ON_PURPOSE)


@pytest.mark.parametrize(
    ("safety", "is_command", "is_held"),
    [
        (Safety(), False, False),
        (Safety(maintenance_windows=(WINDOW,)), False, True),
        (Safety(maintenance_windows=(WINDOW,)), True, False),
        (Safety(maintenance_windows=(replace(WINDOW, clusters=frozenset({"emr-other000"})),)), False, False),
    ],
)
def test_a_maintenance_window_holds_alerts_only(safety: Safety, is_command: bool, is_held: bool) -> None:
    """While people are at work, alerts are theirs and commands are carried out."""
    outcome = intent_guards.outside_maintenance_window(CLUSTER, safety, NOW, is_command=is_command)
    assert code_of(outcome) == ("guard.maintenance_window" if is_held else None)
    assert outcome is None or (outcome.status == "pending" and outcome.code in intent_guards.ON_PURPOSE)


@pytest.mark.parametrize(
    ("stated", "end", "is_refused"),
    [
        (a_command(max_wait=600.0), NOW + 601, True),
        (a_command(max_wait=600.0), NOW + 600, False),
        (a_command(max_wait=600.0, start=NOW - 100), NOW + 501, True),
        (a_command(max_wait=600.0, start=NOW - 100), NOW + 500, False),
        (an_alert(max_wait=600.0), NOW + 9999, False),  # it is kept until after the freeze
    ],
)
def test_a_command_that_a_freeze_outlives_is_refused_at_once(stated: Any, end: float, is_refused: bool) -> None:
    """Quietly: it is held on purpose, and its caller has the answer."""
    safety = Safety(freezes=(Freeze(NOW - 9, end, "year's end"),))
    outcome = intent_guards.outlives_no_freeze(CLUSTER, stated, safety, NOW)
    assert code_of(outcome) == ("guard.freeze" if is_refused else None)
    assert outcome is None or (outcome.status, outcome.is_alarming) == ("refused", False)


@pytest.mark.parametrize(
    ("skew", "agrees"), [(None, True), (0.0, True), (60.0, True), (-60.0, True), (60.1, False), (-60.1, False)]
)
def test_nothing_is_sent_by_a_clock_that_the_api_contradicts(skew: float | None, agrees: bool) -> None:
    """More than a minute, either way."""
    assert code_of(intent_guards.clock_agrees(skew)) == (None if agrees else "clock.skew")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(2, None), *((status, "pending") for status in BUSY), *((status, "refused") for status in GONE), (999, "pending")],
)
def test_only_a_running_cluster_is_acted_upon(status: int, outcome: str | None) -> None:
    """What is busy is waited for, so is what nobody documented; what is going is left alone."""
    held = intent_guards.cluster_ready(a_look(status=status))
    assert (held.status if held else None) == outcome


# -- over a process, in their order


def past(state: State = State.VERIFIED, *, ended: float = 60.0, **more: Any) -> Operation:
    """An operation that ended so many seconds ago."""
    return an_operation("op-1", now=NOW - 1000, state=state, ended_at=NOW - ended, **more)


def after(operation: Operation, restarts: int = 0) -> History:
    """The history of the DataNode after one operation."""
    return History(last={KEY: operation}, restarts={KEY: restarts})


OPEN = an_operation("op-1", state=State.ACCEPTED)
BUSY_HISTORY = History(open={KEY: OPEN}, last={KEY: OPEN})
COOLED = past(ended=900)
SAME = frozenset({f"s@{NOW - 10:.0f}"})  # the occurrence that an_intent states
TIRED = History(restarts={KEY: 3})
STORM = [a_reading(f"10.0.0.{n}", health=0) for n in range(4)]

Row = tuple[str, Asked, View, "str | None"]


def row(
    name: str,
    one: Asked,
    code: str | None,
    history: History | None = None,
    peers: tuple[Reading, ...] = (),
    safety: Safety | None = None,
) -> Any:
    return pytest.param(one, view(one.reading, *peers, history=history, safety=safety), code, id=name)


HEALTH = {
    1: "guard.healthy",
    -3: "guard.healthy",
    0: None,
    -4: "guard.not_checked",
    -2: "guard.health_unknown",
    77: "guard.health_unknown",
    2: "guard.health_unknown",
    -99: "guard.health_unknown",
}


@pytest.mark.parametrize(
    ("one", "its_view", "code"),
    [
        row("down", asked(), None),
        # An open operation is asked for before what the process is seen to be.
        row("open: down", asked(), "guard.under_operation", BUSY_HISTORY),
        row("open: healthy", asked(a_reading(health=1)), "guard.under_operation", BUSY_HISTORY),
        row("open: in maintenance", asked(a_reading(monitor=2)), "guard.under_operation", BUSY_HISTORY),
        row("open: stopped", asked(a_reading(status=2)), "guard.under_operation", BUSY_HISTORY),
        row("open: reached", asked(a_reading(health=1), action=START), "guard.under_operation", BUSY_HISTORY),
        row("open: a command", asked(is_command=True), "guard.under_operation", BUSY_HISTORY),
        row("open: a command of another kind", asked(is_command=True, action=LEAVE), "guard.under_operation", BUSY_HISTORY),
        row("open: no longer stated", asked(statements={}), "guard.under_operation", BUSY_HISTORY),
        row("open elsewhere", asked(), None, History(open={"HDFS/datanode/10.0.0.1": OPEN})),
        # Maintenance; unknown is as in maintenance.
        *(
            row(f"monitor {monitor}: {name}", asked(a_reading(monitor=monitor), action=action, is_command=True), code)
            for monitor in (2, 0, 3, -1)
            for name, action, code in (
                ("restart", RESTART, "guard.maintenance"),
                ("start", START, "guard.maintenance"),
                ("stop", STOP, "guard.maintenance"),
                ("leave", LEAVE, None),
            )
        ),
        row("maintenance holds an alert", asked(a_reading(monitor=2)), "guard.maintenance"),
        row("maintenance before stopped", asked(a_reading(monitor=2, status=2)), "guard.maintenance"),
        # Stopped on purpose.
        row("stopped: alert", asked(a_reading(status=2)), "guard.stopped"),
        row("stopped: even", asked(a_reading(status=2), even=True), "guard.stopped"),
        row("stopped: command", asked(a_reading(status=2), is_command=True), "guard.stopped"),
        row("stopped: start", asked(a_reading(status=2), action=START), None),
        # Health, in each code.
        *(row(f"health {health}", asked(a_reading(health=health)), code) for health, code in HEALTH.items()),
        *(
            row(f"health {health}, even", asked(a_reading(health=health), even=True), None if health in (1, -3) else code)
            for health, code in HEALTH.items()
        ),
        *(row(f"health {health}, command", asked(a_reading(health=health), is_command=True), None) for health in HEALTH),
        *(
            row(f"status {status}, health {health}", asked(a_reading(status=status, health=health)), "guard.health_unknown")
            for status in (0, 3, 5, -1, 99)
            for health in (0, 1)
        ),
        # The goal.
        row("start: up", asked(a_reading(health=1), action=START), "guard.satisfied"),
        row("start: slow", asked(a_reading(health=-3), action=START), "guard.satisfied"),
        row("start: down", asked(action=START), None),
        row("start: not checked", asked(a_reading(health=-4), action=START), None),
        row("stop: stopped", asked(a_reading(status=2), action=STOP, is_command=True), "guard.satisfied"),
        row("stop: stopped, not checked", asked(a_reading(status=2, health=-4), action=STOP), "guard.satisfied"),
        row("stop: stopped, still answers", asked(a_reading(status=2, health=1), action=STOP), None),
        row("stop: down is not stopped", asked(action=STOP), None),
        row("enter: inside", asked(a_reading(monitor=2), action=ENTER, is_command=True), "guard.satisfied"),
        row("enter: outside", asked(action=ENTER), None),
        row("enter: unknown", asked(a_reading(monitor=3), action=ENTER), None),
        row("leave: outside", asked(action=LEAVE), "guard.satisfied"),
        row("leave: inside", asked(a_reading(monitor=2), action=LEAVE), None),
        row("leave: unknown", asked(a_reading(monitor=0), action=LEAVE), None),
        # even_if_healthy: once an occurrence.
        row("even, served", asked(a_reading(health=1), even=True), "once.served", after(past(occurrences=SAME))),
        row("even, served long ago", asked(a_reading(health=1), even=True), "once.served", after(past(ended=9e5, occurrences=SAME))),
        row(
            "even, started anew",
            asked(a_reading(health=1), even=True, statements={"s": Statement(NOW - 5, NOW)}),
            None,
            after(past(ended=900, occurrences=SAME)),
        ),
        row(
            "even, another sender too",
            asked(a_reading(health=1), even=True, statements={"s": Statement(NOW - 10, NOW), "t": Statement(NOW - 10, NOW)}),
            None,
            after(past(ended=900, occurrences=SAME)),
        ),
        row("even, dead by now", asked(even=True), None, after(past(ended=900, occurrences=SAME))),
        row("even, a command", asked(a_reading(health=1), is_command=True), None, after(past(occurrences=SAME))),
        # Quarantine: K restarts, not K-1.
        row("tired", asked(), "guard.quarantine", TIRED),
        row("nearly tired", asked(), None, History(restarts={KEY: 2})),
        row("tired by its setting", asked(), "guard.quarantine", History(restarts={KEY: 1}), safety=Safety(quarantine=Quarantine(1))),
        row("tired: a command", asked(is_command=True), None, TIRED),
        row("tired: a start", asked(action=START), "guard.quarantine", TIRED),
        row("tired: a stop", asked(action=STOP), None, TIRED),
        row("quarantine before cooldown", asked(), "guard.quarantine", after(past(), 3)),
        # Cooldown: from the end.
        row("just ended", asked(), "guard.cooldown", after(past(ended=0))),
        row("ended 899 s ago", asked(), "guard.cooldown", after(past(ended=899))),
        row("ended 900 s ago", asked(), None, after(COOLED)),
        row("its own cooldown", asked(limits=Limits(cooldown=60)), None, after(past())),
        *(
            row(f"cooldown after {state}", asked(), "guard.cooldown", after(past(state)))
            for state in (State.FAILED, State.TIMED_OUT, State.UNVERIFIED, State.VERIFIED)
        ),
        row("cooldown: a command", asked(is_command=True), None, after(past(ended=0))),
        row("cooldown after a command", asked(), "guard.cooldown", after(past(is_command=True))),
        # No longer stated.
        row("resolved, healthy", asked(a_reading(health=1), statements={}), "guard.healthy"),
        row("resolved, even", asked(a_reading(health=1), even=True, statements={}), "intent.resolved"),
        row("resolved, down", asked(statements={}), "intent.still_down"),
        row("resolved, a command", asked(is_command=True), None),
        # A storm.
        row("storm", asked(STORM[0]), "guard.storm", peers=tuple(STORM[1:])),
        row("storm: a command", asked(STORM[0], is_command=True), None, peers=tuple(STORM[1:])),
        row("storm: resolved", asked(STORM[0], statements={}), "intent.still_down", peers=tuple(STORM[1:])),
        # A restarted peer that is down.
        row(
            "a restarted peer is down",
            asked(a_reading(health=1), even=True),
            "guard.peer_down",
            History(last={"HDFS/datanode/10.0.0.1": COOLED}),
            (a_reading("10.0.0.1"),),
        ),
        row(
            "a restarted peer is unknown",
            asked(a_reading(health=1), even=True),
            "guard.peer_down",
            History(last={"HDFS/datanode/10.0.0.1": COOLED}),
            (a_reading("10.0.0.1", health=-2),),
        ),
        row(
            "a restarted peer is up",
            asked(a_reading(health=1), even=True),
            None,
            History(last={"HDFS/datanode/10.0.0.1": COOLED}),
            (a_reading("10.0.0.1", health=1),),
        ),
        row("a peer is down by itself", asked(a_reading(health=1), even=True), None, peers=(a_reading("10.0.0.1"),)),
        row(
            "a restarted peer of another component",
            asked(a_reading(health=1), even=True),
            None,
            History(last={"HDFS/namenode/10.0.0.1": COOLED}),
            (a_reading("10.0.0.1", "NameNode"),),
        ),
        row(
            "a started peer is down",
            asked(a_reading(health=1), even=True),
            None,
            History(last={"HDFS/datanode/10.0.0.1": past(ended=900, op_type=OpType.START_SERVICE)}),
            (a_reading("10.0.0.1"),),
        ),
        row(
            "down itself beside one",
            asked(even=True),
            None,
            History(last={"HDFS/datanode/10.0.0.1": COOLED}),
            (a_reading("10.0.0.1"),),
        ),
    ],
)  # fmt: skip
def test_what_holds_a_process_back(one: Asked, its_view: View, code: str | None) -> None:
    """In the documented order: the first guard that speaks decides, with its code and a reason."""
    assert code_of(process_guards.weigh(one, its_view)) == code


HOLD, END = "pending", "ended"


@pytest.mark.parametrize(
    ("code", "status", "is_alarming"),
    [
        ("guard.under_operation", "pending", False),
        ("guard.maintenance", "skipped", False),
        ("guard.stopped", "skipped", False),
        ("guard.healthy", "skipped", False),
        ("guard.not_checked", "skipped", False),
        ("guard.health_unknown", "pending", False),
        ("guard.satisfied", "skipped", False),
        ("once.served", "skipped", False),
        ("guard.quarantine", "refused", True),
        ("guard.cooldown", "pending", False),
        ("intent.resolved", "withdrawn", False),
        ("intent.still_down", "withdrawn", False),
        ("guard.storm", "pending", False),
        ("guard.peer_down", "pending", False),
    ],
)
def test_each_guard_holds_or_ends(code: str, status: str, is_alarming: bool) -> None:
    """What passes by itself is waited for; the rest ends what was asked for, and its table has a row for each."""
    (mark,) = [mark for mark in test_what_holds_a_process_back.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    found = [process_guards.weigh(*one.values[:2]) for one in mark.args[1] if one.values[2] == code]
    assert found
    assert {(one.status, one.is_alarming) for one in found if one} == {(status, is_alarming)}


def test_what_a_person_has_to_do_is_said() -> None:
    """Where nothing passes by itself, the outcome has a fix."""
    for code in ("guard.quarantine", "guard.storm", "guard.health_unknown", "intent.still_down"):
        (mark,) = [mark for mark in test_what_holds_a_process_back.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
        for one in mark.args[1]:
            if one.values[2] == code:
                outcome = process_guards.weigh(*one.values[:2])
                assert outcome is not None
                assert outcome.fix


@pytest.mark.parametrize(
    ("peers", "is_storm"),
    [
        ([0, 0, 0, 1], False),  # fewer than four are down: they are restarted one by one
        ([0, 0, 0, 0], True),
        ([0] * 4 + [1] * 4, False),  # half of them
        ([0] * 4 + [1] * 3, True),
        ([-2, -2, 0, 77, 1], True),  # an unknown one does not serve
        ([-3, -3, 0, 0, 0], False),  # a slow one does
        ([-4] * 9 + [0, 0, 0], False),  # one that is not checked does not count at all
        ([-4] * 9 + [0, 0, 0, 0, 1], True),
    ],
)
def test_four_that_are_more_than_half_are_a_storm(peers: list[int], is_storm: bool) -> None:
    """Counted by health, as far as they are checked."""
    readings = [a_reading(f"10.0.0.{n}", health=health) for n, health in enumerate(peers)]
    assert bool(view(*readings).storm("HDFS", "DataNode")) == is_storm


@pytest.mark.parametrize(
    "absent",
    [
        {"status": 2, "health": 0},  # stopped
        {"status": 2, "health": -4},
        {"monitor": 2, "health": 0},  # in maintenance
        {"health": -4},
    ],
)
def test_what_should_not_run_makes_no_storm(absent: dict[str, Any]) -> None:
    """Stopped, in maintenance or not checked: it is neither among those that are down nor among all."""
    gone = [a_reading(f"10.0.1.{n}", **absent) for n in range(6)]
    assert view(*gone, *STORM[:3]).storm("HDFS", "DataNode") is None
    assert view(*gone, *STORM).storm("HDFS", "DataNode") == (4, 4)


def test_what_we_restart_makes_no_storm() -> None:
    """A rolling restart takes processes away on purpose."""
    history = History(open={STORM[0].target.key: OPEN})
    assert view(*STORM, history=history).storm("HDFS", "DataNode") is None


def test_who_stopped_it_is_said() -> None:
    """By our operation, or by an operator."""
    ours = after(past(ended=900, op_type=OpType.STOP_SERVICE))
    for history, by in ((ours, "operation op-1"), (History(), "an operator"), (after(COOLED), "an operator")):
        outcome = process_guards.weigh(asked(a_reading(status=2)), view(history=history))
        assert outcome is not None
        assert f"stopped by {by}" in outcome.reason


# -- budgets


@pytest.mark.parametrize(("count", "is_held"), [(11, False), (12, True), (13, True)])
@pytest.mark.parametrize("is_command", [True, False])
def test_commands_have_an_hour_of_their_own(count: int, is_held: bool, is_command: bool) -> None:
    """Neither takes the other's share."""
    mine, theirs = History(0, 0, 0), History()  # type: ignore[arg-type]
    mine = History(commands_last_hour=count) if is_command else History(remediations_last_hour=count)
    theirs = History(remediations_last_hour=count) if is_command else History(commands_last_hour=count)
    held = budgets.within_hourly(mine, 12, is_command=is_command)
    assert code_of(held) == ("guard.operations_per_hour" if is_held else None)
    assert held is None or (held.status == "pending" and held.fix)
    assert budgets.within_hourly(theirs, 12, is_command=is_command) is None


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
    readings = [a_reading(f"10.0.0.{n}", component, health=0 if n >= count - dead else 1) for n in range(count)]
    history = History(open={one.target.key: OPEN for one in readings[:open_]})
    wanted = [asked(one, action=action, limits=limits or Limits(), even=True) for one in readings[open_:]]
    chosen, held = budgets.within_budgets(wanted, view(*readings, history=history, **more))
    assert all(outcome.status == "pending" for _, outcome in held)
    return [one.reading.target.ip for one in chosen], {outcome.code for _, outcome in held}


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
        (2, 1, {"component": "NameNode", "limits": LOOSE}, 1, {"guard.quorum"}),  # the dead one only
        (1, 0, {"component": "NameNode", "limits": LOOSE}, 1, set()),  # a single one leaves its work to nobody
        (1, 1, {"component": "NameNode", "limits": LOOSE}, 1, set()),
        (2, 0, {"component": "NameNode", "limits": LOOSE, "safety": Safety(quorum_roles=()), "action": STOP}, 2, set()),
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


def test_several_intents_for_one_process_share_its_room() -> None:
    """They go or wait together, within the strictest limits of all; a process counts once."""
    reading, peer = a_reading("10.0.0.1"), a_reading("10.0.0.2")
    strict, loose = Limits(max_nodes=1, max_share=1.0), LOOSE
    both = [asked(reading, limits=loose, key="a"), asked(reading, limits=strict, key="b")]
    for order in (both, both[::-1]):
        chosen, held = budgets.within_budgets([*order, asked(peer, limits=loose, key="c")], view(reading, peer))
        assert [(one.key, one.intent.key) for one in chosen] == [
            *((reading.target.key, one.intent.key) for one in order),
            (peer.target.key, "c"),
        ]
        assert held == []
        busy = History(open={peer.target.key: OPEN})
        chosen, held = budgets.within_budgets(order, view(reading, peer, history=busy))
        assert chosen == []
        assert [outcome.code for _, outcome in held] == ["guard.max_nodes"] * 2


LIMITS = st.builds(Limits, *(st.integers(0, 9) for _ in range(4)))


@given(LIMITS, LIMITS, st.integers(0, 9), st.integers(0, 9))
def test_the_strictest_limits_admit_what_both_admit(left: Limits, right: Limits, count: int, seconds: int) -> None:
    """So many processes, so large a share, after such a wait, so soon after the last; neither more nor less."""

    def admitted(by: Limits) -> tuple[bool, ...]:
        return count <= by.max_nodes, count <= by.max_share, seconds <= by.max_wait, seconds >= by.cooldown

    both = [one and other for one, other in zip(admitted(left), admitted(right), strict=True)]
    assert list(admitted(left.strictest(right))) == both


@pytest.mark.parametrize("status", [0, 3, 5, -1, 99])
@pytest.mark.parametrize("health", [0, 1, -2, -4, 77])
def test_a_pair_in_an_unknown_state_is_not_taken_away_at_once(status: int, health: int) -> None:
    """Unknown is never permission: each may be the one that serves, and neither can be counted upon."""
    pair = [a_reading(f"10.0.0.{n}", "NameNode", status=status, health=health) for n in range(2)]
    strategy = StrategyConfig(rolling=False)
    for action in (Action(OpType.RESTART_SERVICE, strategy), STOP):
        wanted = [asked(one, action=action, limits=LOOSE, is_command=True) for one in pair]
        assert budgets.within_budgets(wanted, view(*pair))[0] == []


@pytest.mark.parametrize(
    ("scope", "action", "is_command", "count"),
    [
        (OpScope.of_service("HDFS"), STOP, True, 3),  # the role itself is to stop
        (OpScope.of_component("HDFS", "JournalNode"), STOP, True, 3),
        (OpScope.of_component("HDFS", "JournalNode", ["10.0.0.0", "10.0.0.1", "10.0.0.2"]), STOP, True, 1),
        (OpScope.of_component("HDFS", "NameNode"), STOP, True, 1),
        (OpScope.of_service("HDFS"), STOP, False, 1),
        (OpScope.of_service("HDFS"), Action(OpType.RESTART_SERVICE, StrategyConfig(rolling=False)), True, 1),
    ],
)
def test_a_command_may_stop_a_whole_quorum_role(scope: OpScope, action: Action, is_command: bool, count: int) -> None:
    """Only where it says "all": a list of nodes keeps the quorum."""
    readings = [a_reading(f"10.0.0.{n}", "JournalNode", health=1) for n in range(3)]
    wanted = [asked(one, action=action, limits=LOOSE, is_command=is_command, scope=scope) for one in readings]
    assert len(budgets.within_budgets(wanted, view(*readings))[0]) == count


@pytest.mark.parametrize("health", [-2, -4, 77])
def test_a_peer_whose_health_is_unknown_is_no_quorum(health: int) -> None:
    """The one that serves stays, while nobody knows whether the other does."""
    pair = [a_reading("10.0.0.1", "NameNode", health=1), a_reading("10.0.0.2", "NameNode", health=health)]
    wanted = [asked(pair[0], limits=LOOSE, is_command=True)]
    _, held = budgets.within_budgets(wanted, view(*pair))
    assert [outcome.code for _, outcome in held] == ["guard.quorum"]


def test_what_is_down_is_served_first() -> None:
    """The healthiest choice: a dead process costs nothing to restart."""
    chosen, _ = chosen_of(5, dead=1, limits=Limits(max_nodes=1, max_share=1.0))
    assert chosen == ["10.0.0.4"]


def test_what_somebody_stopped_is_away_too() -> None:
    """Taking away one that serves counts all that do not, whoever saw to that."""
    stopped = [a_reading(f"10.0.0.{n}", "DataNode", status=2, health=0) for n in range(5)]
    serving = [a_reading(f"10.0.1.{n}", "DataNode", health=1) for n in range(5)]
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
    readings = [a_reading(f"10.0.0.{n}", role, health=health) for n, health in enumerate(healths)]
    busy = {one.target.key for one in readings[:open_]}
    history = History(open=dict.fromkeys(busy, OPEN))
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
    if role == "JournalNode" and len(readings) > 1 and any(one.reading.may_serve for one in chosen):
        assert len(serving) - at_once >= (1 if len(readings) == 2 else len(readings) // 2 + 1)


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
    readings = [a_reading(f"10.0.0.{n}", "JournalNode", health=health) for n, health in enumerate(healths)]
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

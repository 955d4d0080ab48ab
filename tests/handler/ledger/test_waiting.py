"""What is pending: what newer commands supersede, what is split, held, told of and expires."""

from __future__ import annotations

from typing import Any

import pytest

from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.waiting import expire, hold, split, supersede
from handler.model.intent import Intent, Stage, Statement
from handler.model.operation import State
from handler.model.outcome import Outcome
from handler.model.request import Action
from handler.model.scope import OpScope, Target
from handler.model.timing import TIMING
from tests.intents import ENTER, KEY, LEAVE, NOW, RESTART, START, STOP, a_record, an_intent, one, settled, told
from tests.operations import an_operation

KEYS = tuple(f"HDFS/datanode/10.0.0.{n}" for n in range(3))
HELD = Outcome.pending("guard.cooldown", "its cooldown is not over")


def command(name: str, seq: int, action: Action, *keys: str, **fields: Any) -> Intent:
    scope = OpScope.of_component("HDFS", "DataNode", [key.rpartition("/")[2] for key in keys or KEYS])
    values: dict[str, Any] = {"is_command": True, "events": (f"e-{name}",), "waits_since": NOW, "asked_at": NOW}
    return an_intent(key=name, seq=seq, action=action, scope=scope, **{**values, **fields})


def meant(record: ClusterRecord) -> dict[str, set[str]]:
    """The processes that each command of the record means."""
    return {key: {*(one.key for one in intent.scope.targets or ())} for key, intent in record.intents.items()}


# -- superseded


@pytest.mark.parametrize(
    ("older", "newer", "is_lost"),
    [
        (STOP, START, True),
        (START, STOP, True),
        (ENTER, LEAVE, True),
        (LEAVE, ENTER, True),
        (STOP, STOP, False),
        (STOP, RESTART, False),  # a restart supersedes nothing, and nothing supersedes it
        (RESTART, STOP, False),
        (RESTART, START, False),
        (STOP, LEAVE, False),  # of another kind
        (ENTER, START, False),
    ],
)
def test_a_newer_command_supersedes_the_opposite(older: Action, newer: Action, is_lost: bool) -> None:
    """It ends, told, whichever stands first in the record; the newer one stays."""
    intents = command("old", 1, older), command("new", 2, newer)
    for order in (intents, intents[::-1]):
        record = a_record(*order)
        lost = supersede(record, meant(record), NOW)
        assert lost == ({"old": {*KEYS}} if is_lost else {})
        assert record.intents.keys() == ({"new"} if is_lost else {"old", "new"})
        assert told(record) == (["intent.superseded"] if is_lost else [])
        if is_lost:
            assert settled(record) == [("refused", "intent.superseded")]
            assert "new" in record.commands["old"].reason


@pytest.mark.parametrize("stage", ["serving", "pending"])
def test_only_what_is_pending_is_superseded(stage: Stage) -> None:
    """What is being served is served first; the newer command waits until it is over. The newer one may be at work."""
    record = a_record(command("old", 1, STOP, stage=stage), command("new", 2, START, stage="serving"))
    assert bool(supersede(record, meant(record), NOW)) == (stage == "pending")


def test_it_is_superseded_process_by_process() -> None:
    """The rest is carried out; what loses all of them, to several commands, ends."""
    record = a_record(command("old", 1, STOP), command("new", 2, START, KEYS[0]))
    assert supersede(record, meant(record), NOW) == {"old": {KEYS[0]}}
    assert [*record.intents] == ["old", "new"]
    assert told(record) == []
    record = a_record(command("old", 1, STOP), command("a", 2, START, KEYS[0]), command("b", 3, START, *KEYS[1:]))
    assert supersede(record, meant(record), NOW) == {"old": {*KEYS}}
    assert told(record) == ["intent.superseded"]


def test_a_command_on_other_processes_supersedes_nothing() -> None:
    """Nor does one whose processes are not known."""
    record = a_record(command("old", 1, STOP, KEYS[0]), command("new", 2, START, KEYS[1]))
    assert supersede(record, meant(record), NOW) == {}
    record = a_record(command("old", 1, STOP), command("new", 2, START))
    assert supersede(record, {"old": {*KEYS}}, NOW) == {}
    assert supersede(record, {"new": {*KEYS}}, NOW) == {}


@pytest.mark.parametrize(
    ("outcome", "is_lost"),
    [
        (Outcome.done("x"), True),
        (Outcome.unverified("x"), True),
        (Outcome.skipped("guard.satisfied", "x"), True),
        (Outcome.failed("operation.failed", "x", fix="Do it."), True),  # it may have been carried out in part
        (Outcome.refused("x.y", "x", fix="Do it."), False),
        (Outcome.withdrawn("intent.cancelled", "x"), False),
        (Outcome.expired("intent.expired", "x", fix="Do it."), False),
    ],
)
def test_a_newer_command_that_has_ended_supersedes_where_it_was_carried_out(outcome: Outcome, is_lost: bool) -> None:
    """What was not carried out asks for nothing any more."""
    record = a_record(command("old", 1, STOP, KEYS[0]), command("new", 2, START))
    processes = {"old": {KEYS[0]}}
    record.end(record.intents["new"], outcome, NOW)
    assert supersede(record, processes, NOW) == ({"old": {KEYS[0]}} if is_lost else {})


@pytest.mark.parametrize(
    ("asked_at", "is_dated", "is_lost"), [(NOW - 1, True, True), (NOW + 1, True, False), (NOW - 1, False, False)]
)
def test_a_late_command_loses_to_a_newer_one_that_ended_before_it_came(
    asked_at: float, is_dated: bool, is_lost: bool
) -> None:
    """By their own times, also where the newer one found nothing to do."""
    newer = command("new", 1, START)
    record = a_record(newer)
    record.end(newer, Outcome.skipped("guard.satisfied", "it runs"), NOW)
    late = command("late", 2, STOP, KEYS[0], asked_at=asked_at, is_dated=is_dated)
    record.intents["late"] = late
    assert supersede(record, meant(record), NOW) == ({"late": {KEYS[0]}} if is_lost else {})


@pytest.mark.parametrize(
    ("asked_at", "action", "is_command", "is_lost"),
    [
        (NOW - 100, STOP, True, True),  # it arrived after the newer operation had begun
        (NOW + 1, STOP, True, False),
        (NOW - 100, START, True, False),
        (NOW - 100, STOP, False, False),  # an alert's operation is no command
    ],
)
def test_a_command_that_comes_after_a_newer_one_has_begun_is_not_carried_out(
    asked_at: float, action: Action, is_command: bool, is_lost: bool
) -> None:
    """By its own time: a timer's event that was late."""
    late = command("late", 5, action, KEYS[0], asked_at=asked_at)
    record = a_record(late)
    began = an_operation("op-1", now=NOW, targets=KEYS, action=START, is_command=is_command, state=State.ACCEPTED)
    record.operations["op-1"] = began
    assert supersede(record, meant(record), NOW + 5) == ({"late": {KEYS[0]}} if is_lost else {})


def test_an_alert_is_never_superseded() -> None:
    """Whether it is needed, the cluster shows."""
    record = a_record(an_intent(action=START), command("new", 2, STOP, KEY))
    assert supersede(record, {**meant(record)}, NOW) == {}


# -- split


def test_all_becomes_an_intent_for_each_process_that_is_down() -> None:
    """With its statements and events; one that is there already keeps its own, too."""
    whole = an_intent(
        key="r|HDFS", scope=OpScope.of_service("HDFS"), events=("e-all",), statements={"all": Statement(NOW, NOW)}
    )
    known = an_intent(key=f"r|{KEYS[0]}", scope=one("10.0.0.0"), stage="serving", statements={"own": Statement(1, 1)})
    record = a_record(whole, known)
    split(record, whole, [Target("HDFS", "DataNode", f"10.0.0.{n}") for n in range(2)], NOW)
    assert record.intents.keys() == {f"r|{key}" for key in KEYS[:2]}
    first, second = (record.intents[f"r|{key}"] for key in KEYS[:2])
    assert (first.stage, {*first.statements}, first.events) == ("serving", {"all", "own"}, ("e", "e-all"))
    assert (second.stage, {*second.statements}, second.events) == ("pending", {"all"}, ("e-all",))
    assert (second.process, second.scope) == (KEYS[1], one("10.0.0.1"))
    assert second.seq > first.seq


# -- held


@pytest.mark.parametrize(
    ("is_command", "is_on_purpose", "age", "waits_since"),
    [
        (False, False, 1000, NOW - 1000),
        (False, True, 59, NOW - 59),  # not written down each second
        (False, True, 61, NOW),  # its wait stands still
        (True, True, 1000, NOW - 1000),  # a command's does not
        (True, False, 1000, NOW - 1000),
    ],
)
def test_the_wait_stands_still_while_people_hold_it(
    is_command: bool, is_on_purpose: bool, age: float, waits_since: float
) -> None:
    """Under a pause, a freeze or a maintenance window."""
    intent = an_intent(is_command=is_command, waits_since=NOW - age)
    record = a_record(intent)
    hold(record, intent, HELD, NOW, is_on_purpose=is_on_purpose)
    (held,) = record.intents.values()
    assert (held.held_by, held.waits_since) == ("guard.cooldown", waits_since)
    assert held.stage == "pending"


def test_holding_again_for_the_same_reason_writes_nothing() -> None:
    """A record that did not change is not swapped."""
    intent = an_intent(held_by=HELD.code)
    record = a_record(intent)
    hold(record, intent, HELD, NOW, is_on_purpose=False)
    assert record == a_record(intent)


# -- told of, and expired

HOUR, EXPIRY = 3600.0, TIMING.expiry


@pytest.mark.parametrize(
    ("is_command", "is_on_purpose", "waited", "stated", "ends", "alarms"),
    [
        # A command: until max_wait, and told, whoever holds it; what is held on purpose pages nobody.
        (True, False, HOUR, 0, False, []),
        (True, False, HOUR + 1, 0, True, ["intent.expired"]),
        (True, True, HOUR + 1, 0, True, []),
        # A remediation: told after max_wait, kept until 6 h after its last statement.
        (False, False, HOUR, HOUR, False, []),
        (False, False, HOUR + 1, HOUR + 1, False, ["intent.waits"]),
        (False, False, EXPIRY, EXPIRY, False, ["intent.waits"]),
        (False, False, EXPIRY + 1, EXPIRY + 1, True, ["intent.expired"]),
        (False, False, EXPIRY + 1, 60, False, ["intent.waits"]),  # still stated
        (False, False, 60, EXPIRY + 1, False, []),  # held on purpose until a minute ago
        (False, False, HOUR + 1, EXPIRY + 1, False, ["intent.waits"]),
        (False, True, 9 * EXPIRY, 9 * EXPIRY, False, []),
    ],
)
def test_what_waits_too_long_is_told_or_expires(
    is_command: bool, is_on_purpose: bool, waited: float, stated: float, ends: bool, alarms: list[str]
) -> None:
    """Once; by how long it was held, and when it was last stated."""
    statements = {} if is_command else {"s": Statement(0, NOW - stated)}
    intent = an_intent(is_command=is_command, waits_since=NOW - waited, statements=statements)
    record = a_record(intent)
    for _ in range(2):
        if intent.key in record.intents:
            assert expire(record, intent, HELD, HOUR, NOW, is_on_purpose=is_on_purpose) == ends
    assert told(record) == alarms
    assert (intent.key in record.intents) is not ends
    assert settled(record) == ([("expired", "intent.expired")] if ends else [])
    if alarms:
        assert HELD.reason in next(
            iter(saying.body["text"] for saying in record.outbox.values() if saying.kind == "alarm")
        )


def test_a_remediation_whose_rule_waits_longer_than_six_hours_is_kept_as_long() -> None:
    """``max_wait`` is never cut short by the expiry."""
    intent = an_intent(waits_since=NOW - 8 * HOUR, statements={"s": Statement(0, NOW - 8 * HOUR)})
    record = a_record(intent)
    assert not expire(record, intent, HELD, 9 * HOUR, NOW, is_on_purpose=False)
    assert told(record) == []
    assert expire(record, intent, HELD, 7 * HOUR, NOW, is_on_purpose=False)

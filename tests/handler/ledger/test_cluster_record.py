"""The cluster record: what is told and settled once, what a person takes back, and how large it grows."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from handler.ledger import serialization
from handler.ledger.cluster_record import ClusterRecord
from handler.model.alarm import Alarm
from handler.model.intent import Ended, Intent, Stage, Statement
from handler.model.operation import OPEN, Part, State, Verdict
from handler.model.outcome import Outcome, OutcomeStatus
from handler.model.policy import Quarantine
from tests.intents import CLUSTER, KEY, NOW, STOP, a_record, an_intent, one, settled, told
from tests.operations import an_operation

MINE = f"r|{KEY}"


def an_alarm(about: str = KEY, code: str = "operation.failed") -> Alarm:
    return Alarm(code, CLUSTER, about, "it did not help", fix="Look at it.")


def kinds(record: ClusterRecord) -> list[str]:
    return [saying.kind for saying in record.outbox.values()]


# -- telling


def test_an_alarm_is_told_once_until_it_is_well() -> None:
    """Then it may come again; well is said of what was told only."""
    record = a_record()
    record.well("operation.failed", KEY, "it is up", NOW)
    for _ in range(2):
        for _ in range(2):
            record.tell(an_alarm(), NOW)
        for _ in range(2):
            record.well("operation.failed", KEY, "it is up", NOW)
    assert kinds(record) == ["alarm", "well"] * 2
    assert record.told == {}


def test_other_alarms_are_other_alarms() -> None:
    """By code and by what they are about."""
    record = a_record()
    for alarm in (an_alarm(), an_alarm("other"), an_alarm(code="guard.storm")):
        record.tell(alarm, NOW)
    record.well("operation.failed", "other", "it is up", NOW)
    assert kinds(record) == ["alarm"] * 3 + ["well"]
    assert record.told.keys() == {an_alarm().key, an_alarm(code="guard.storm").key}


def test_each_saying_has_an_id_of_its_own_and_goes_when_it_was_said() -> None:
    """A crash between the swap and the saying says it again under the same id, and never not at all."""
    record = a_record()
    for n in range(3):
        record.tell(an_alarm(str(n)), NOW)
    first, *rest = record.outbox
    assert len({first, *rest}) == 3
    record.said([first, "unknown"])
    assert [*record.outbox] == rest


# -- ending


@pytest.mark.parametrize("is_command", [True, False])
@pytest.mark.parametrize(
    ("status", "is_told"),
    [
        ("done", False),
        ("unverified", False),
        ("skipped", False),
        ("withdrawn", False),
        ("refused", True),
        ("expired", True),
        ("failed", True),
    ],
)
def test_an_intent_ends_once_and_a_person_is_told_of_what_went_wrong(
    status: OutcomeStatus, is_told: bool, is_command: bool
) -> None:
    """Its events hear of it; a command's answer is remembered for its repeat."""
    intent = an_intent(is_command=is_command)
    record = a_record(intent)
    record.end(intent, Outcome(status, "x.y", "why", fix="Do it."), NOW)
    assert record.intents == {}
    assert settled(record) == [(status, "x.y")]
    assert told(record) == (["x.y"] if is_told else [])
    assert record.news[intent.key].status == status
    assert record.commands.keys() == ({intent.key} if is_command else set())


@pytest.mark.parametrize("is_command", [True, False])
def test_a_person_can_be_told_of_any_end(is_command: bool) -> None:
    """Where it is not alarming in itself: a command cancelled, a process left down."""
    intent = an_intent(is_command=is_command)
    record = a_record(intent)
    record.end(intent, Outcome.withdrawn("x.y", "why", fix="Do it."), NOW, is_told=True)
    assert told(record) == ["x.y"]


def test_what_is_quiet_tells_nobody() -> None:
    """What a freeze holds on purpose pages nobody."""
    intent = an_intent(is_command=True)
    record = a_record(intent)
    record.end(intent, Outcome.expired("x.y", "why", fix="Do it.", is_quiet=True), NOW)
    assert (told(record), settled(record)) == ([], [("expired", "x.y")])


def test_events_that_are_answered_now_hear_nothing_more() -> None:
    """Their own outcome says it: one line for each event, not two."""
    intent = an_intent(events=("e-1", "e-2"))
    record = a_record(intent)
    record.answered = frozenset({"e-1"})
    record.end(intent, Outcome.done("x"), NOW)
    assert [saying.body["events"] for saying in record.outbox.values()] == [["e-2"]]
    record = a_record(intent)
    record.answered = frozenset({"e-1", "e-2"})
    record.end(intent, Outcome.done("x"), NOW)
    assert (settled(record), record.news[intent.key].status) == ([], "done")


# -- what a person takes back


@pytest.mark.parametrize(("stage", "is_cancelled"), [("pending", True), ("proving", True), ("serving", False)])
@pytest.mark.parametrize("is_command", [True, False])
def test_what_is_pending_can_be_cancelled(stage: Stage, is_cancelled: bool, is_command: bool) -> None:
    """What is sent stays sent; the cancelling is told, with who did it."""
    intent = an_intent(stage=stage, is_command=is_command)
    record = a_record(intent)
    assert record.cancel(intent.key, "ann", NOW) == is_cancelled
    assert (intent.key in record.intents) is not is_cancelled
    assert told(record) == (["intent.cancelled"] if is_cancelled else [])
    assert settled(record) == ([("withdrawn", "intent.cancelled")] if is_cancelled else [])
    assert not record.cancel("unknown", "ann", NOW)


def test_a_process_that_is_released_may_be_told_of_again() -> None:
    """Its alarms are closed; those of others stay."""
    record = a_record()
    for about in (KEY, "HDFS/datanode/10.0.0.1"):
        record.tell(an_alarm(about, "guard.quarantine"), NOW)
    record.release(KEY, NOW)
    assert record.released == {KEY: NOW}
    assert [*record.told] == [an_alarm("HDFS/datanode/10.0.0.1", "guard.quarantine").key]


# -- operations


@pytest.mark.parametrize("state", State)
def test_a_process_is_under_one_open_operation_at_a_time(state: State) -> None:
    """The last line of defence, whatever the guards say; the record is left as it was."""
    record = a_record(an_intent())
    record.operations["op-1"] = an_operation("op-1", state=state, targets=(KEY, "HDFS/datanode/10.0.0.1"))
    before = record.copy()
    if state in OPEN:
        with pytest.raises(ValueError, match="open operation"):
            record.arm(an_operation("op-2"), (MINE,))
        assert record == before
    else:
        record.arm(an_operation("op-2"), (MINE,))
        assert (record.intents[MINE].stage, record.intents[MINE].operation) == ("serving", "op-2")
        assert [one.id for one in record.open_operations()] == ["op-2"]


@pytest.mark.parametrize(
    ("change", "has_work"),
    [
        (lambda record: None, False),
        (lambda record: record.intents.update({MINE: an_intent()}), True),
        (lambda record: record.operations.update({"op-1": an_operation("op-1")}), True),
        (lambda record: record.operations.update({"op-1": an_operation("op-1", state=State.FAILED)}), False),
        (lambda record: record.say("settled", {}, NOW), True),
        (lambda record: record.told.update({an_alarm(code="guard.storm").key: NOW}), True),  # somebody has to see that it is over
        (lambda record: record.told.update({an_alarm(code="once.conflict").key: NOW}), False),
        (lambda record: record.commands.update({"c": ended(NOW)}), False),
    ],
)  # fmt: skip
def test_the_follow_up_comes_while_there_is_something_to_do(change: Any, has_work: bool) -> None:
    """And leaves a cluster alone of which only the past is kept."""
    record = a_record()
    change(record)
    assert record.has_work == has_work


def test_a_copy_is_one_to_change() -> None:
    """What is done to it is not done to the record it was made from."""
    record = a_record(an_intent())
    before = serialization.to_bytes(record)
    copy = record.copy()
    assert copy == record
    copy.end(copy.intents[MINE], Outcome.failed("x.y", "z", fix="Do it."), NOW)
    copy.release(KEY, NOW)
    copy.arm(an_operation("op-1"), ())
    copy.commands["c"] = ended(NOW)
    assert serialization.to_bytes(record) == before
    assert (record.news, record.ended) == ({}, [])


# -- forgetting


def ended(at: float) -> Ended:
    return Ended("d", STOP.op_type.value, one(), 1, "done", "verified", "stopped", 200, at)


DAY = 86_400.0


def test_what_rules_ask_for_is_kept() -> None:
    """Open operations, those of intents, those within the longest cooldown or quarantine; commands and releases as long."""
    keep = Quarantine().within
    record = a_record(an_intent(stage="proving", operation="of-intent"))
    for name, state, ended_at in (
        ("open", State.IN_DOUBT, 0.0),
        ("of-intent", State.VERIFIED, NOW - 9 * keep),
        ("young", State.VERIFIED, NOW - keep),
        ("old", State.FAILED, NOW - keep - 1),
    ):
        record.operations[name] = an_operation(name, state=state, now=NOW - 10 * keep, ended_at=ended_at)
    record.commands = {"young": ended(NOW - DAY), "old": ended(NOW - DAY - 1)}
    record.released = {"young": NOW - keep, "old": NOW - keep - 1}
    record.told = {
        an_alarm("young", "once.conflict").key: NOW - DAY,
        an_alarm("old", "once.conflict").key: NOW - DAY - 1,
        an_alarm("HDFS/datanode/young").key: NOW - 7 * DAY,  # it lasts until it is seen to be over
        an_alarm("HDFS/datanode/old").key: NOW - 7 * DAY - 1,
    }
    record.forget(NOW, keep)
    assert [*record.operations] == ["open", "of-intent", "young"]
    assert ([*record.commands], [*record.released]) == (["young"], ["young"])
    assert [key.rpartition("|")[2] for key in record.told] == ["young", "HDFS/datanode/young"]
    assert record.intents


# -- how large it grows


def trouble(number: int) -> Intent:
    ip = f"172.16.{number // 250}.{number % 250}"
    return an_intent(
        key=f"restart-dead-process|HDFS/datanode/{ip}",
        rule="restart-dead-process",
        scope=one(ip),
        events=(f"9f86d081884c7d65-{number:08x}-1712345678",),
        statements={f"|alertmanager:9f86d081884c7d65{number:08x}": Statement(NOW + number, NOW + number)},
        held_by="guard.storm",
    )


def test_a_thousand_nodes_in_trouble_stay_under_half_a_megabyte() -> None:
    """Of JSON, and far below that as it is stored."""
    record = a_record(*map(trouble, range(1000)))
    data = serialization.to_bytes(record)
    assert len(zlib.decompress(data)) < 500_000
    assert len(data) < 100_000


def test_a_usual_record_stays_under_five_kilobytes() -> None:
    """A few operations of the day, a few commands, something pending and something told."""
    record = a_record(*map(trouble, range(2)))
    for n in range(5):
        part = {KEY: Part("2024-08-16 14:13:32", Verdict.VERIFIED, NOW)}
        record.operations[f"op-{n}"] = an_operation(f"op-{n:016}", state=State.VERIFIED, ended_at=NOW, parts=part)
        record.commands[f"nightly|timer:stop-{n}"] = ended(NOW)
    record.tell(an_alarm(), NOW)
    assert len(serialization.to_bytes(record)) < 5_000


def test_many_events_of_one_intent_are_a_count() -> None:
    """So are those beyond the first few."""
    intent = an_intent(events=())
    for n in range(1000):
        intent = intent.heard(f"event-{n}")
    assert (len(intent.events), intent.more_events) == (8, 992)
    assert intent.heard("event-0") == intent

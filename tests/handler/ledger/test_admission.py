"""Admitting: the table "event × state". What is stated becomes an intent, or joins one, and is answered from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.ledger.admission import MAX_INTENTS, Answer, admit, withdraw
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.conclusion import judge, settle
from handler.model.intent import MAX_EVENTS, MAX_STATEMENTS, Stage, Stated, Statement
from handler.model.operation import State, Verdict
from handler.model.outcome import Outcome, OutcomeStatus
from handler.model.request import Action
from handler.model.scope import OpScope
from tests.intents import (
    ENTER,
    KEY,
    LEAVE,
    NOW,
    RESTART,
    START,
    STOP,
    a_command,
    a_record,
    an_alert,
    an_intent,
    one,
    settled,
    told,
)
from tests.operations import an_operation

#: The key of the remediation that an_alert states.
MINE = f"r|{KEY}"
STAGES: tuple[Stage, ...] = ("pending", "serving", "proving")


def the(answers: list[Answer]) -> Answer:
    (answer,) = answers
    return answer


def ended(answer: Answer) -> tuple[str, str]:
    assert answer.outcome is not None
    return answer.outcome.status, answer.outcome.code


def brought_to(record: ClusterRecord, key: str, stage: Stage) -> None:
    """Arm, send and see an operation for an intent, until it is in ``stage``."""
    intent = record.intents[key]
    if stage == "pending":
        return
    operation = an_operation(f"op-{key}", intents=(key,), is_command=intent.is_command, now=NOW)
    record.arm(operation, (key,))
    if stage == "proving":
        settle(record, operation.id, "worker-1", State.ACCEPTED, NOW)
        judge(record, operation.id, {KEY: Verdict.VERIFIED}, NOW)
    assert record.intents[key].stage == stage


def with_alert(stage: Stage) -> ClusterRecord:
    record = a_record()
    admit(record, an_alert(), NOW)
    brought_to(record, MINE, stage)
    return record.copy()


# -- firing


def test_a_firing_alert_becomes_an_intent() -> None:
    """Pending, with its statement and the event that is to hear of its end."""
    record = a_record()
    assert admit(record, an_alert(), NOW) == [Answer(MINE)]
    intent = record.intents[MINE]
    assert (intent.stage, intent.events, intent.seq) == ("pending", ("e-1",), 101)
    assert intent.statements == {"|alertmanager:a": Statement(NOW - 10, NOW)}
    assert (intent.is_command, intent.is_stated, intent.waits_since) == (False, True, NOW)


def test_the_first_admission_notes_when_the_record_began() -> None:
    """Later ones do not."""
    record = ClusterRecord("emr-4zvc5mul")
    for now in (NOW, NOW + 5):
        admit(record, an_alert(), now)
        assert record.began == NOW


def test_each_process_that_an_alert_names_is_an_intent_of_its_own() -> None:
    """In their order; "all" is one until a look splits it."""
    both = OpScope.of_component("HDFS", "DataNode", ["10.0.0.2", "10.0.0.1"])
    answers = admit(a_record(), an_alert(scope=both), NOW)
    assert [answer.key for answer in answers] == ["r|HDFS/datanode/10.0.0.1", "r|HDFS/datanode/10.0.0.2"]
    record = a_record()
    (answer,) = admit(record, an_alert(scope=OpScope.of_component("HDFS", "DataNode")), NOW)
    assert record.intents[answer.key].scope.says_all


@pytest.mark.parametrize("stage", STAGES)
def test_a_repeat_within_a_minute_writes_nothing(stage: Stage) -> None:
    """Thousands of duplicates a second are compared, and not stored."""
    record = with_alert(stage)
    before = record.copy()
    assert admit(record, an_alert(told_at=NOW + 59), NOW + 59) == [Answer(MINE)]
    assert record == before


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "again", [{"told_at": NOW + 61}, {"start": NOW - 5, "told_at": NOW + 5}, {"event": "e-2", "told_at": NOW + 61}]
)
def test_a_repeat_refreshes_the_statement_and_nothing_else(stage: Stage, again: dict[str, Any]) -> None:
    """Its intent stays in its stage, with its operation; a further event is to hear of its end, unless it has ended well."""
    record = with_alert(stage)
    before = record.intents[MINE]
    stated = an_alert(**again)
    assert admit(record, stated, stated.told_at) == [Answer(MINE)]
    after = record.intents[MINE]
    assert after.statements == {stated.sender: Statement(stated.start or 0, stated.told_at)}
    heard = before.events if stage == "proving" else tuple(dict.fromkeys((*before.events, stated.event)))
    assert after == before._replace(statements=after.statements, events=heard)
    assert (told(record), record.seq) == ([], record.seq)


def test_a_repeat_that_was_told_earlier_and_comes_later_takes_nothing_back() -> None:
    """A queue delivers in any order."""
    record = with_alert("pending")
    admit(record, an_alert(told_at=NOW - 100), NOW)
    assert record.intents[MINE].last_statement == NOW
    assert record.intents[MINE].waits_since == NOW


def test_several_senders_state_one_intent() -> None:
    """Each has a statement; so many at most, and the rest are answered from it all the same."""
    record = a_record()
    for n in range(MAX_STATEMENTS + 3):
        assert admit(record, an_alert(f"e-{n}", sender=f"s-{n}"), NOW) == [Answer(MINE)]
    intent = record.intents[MINE]
    assert len(intent.statements) == MAX_STATEMENTS
    assert len(intent.events) + intent.more_events == MAX_STATEMENTS + 3
    assert len(intent.events) == MAX_EVENTS


@pytest.mark.parametrize(("age", "is_late"), [(0.0, False), (3600.0, False), (3601.0, True)])
def test_what_was_told_too_long_ago_is_told_and_not_begun(age: float, is_late: bool) -> None:
    """By when the sender said it, never by when the alert began."""
    record = a_record()
    answer = the(admit(record, an_alert(told_at=NOW - age, start=NOW - 9e6), NOW))
    assert bool(record.intents) is not is_late
    assert (answer.outcome is not None) == is_late
    assert told(record) == (["intent.too_late"] if is_late else [])


def test_a_record_that_is_full_takes_no_more_and_says_so_once() -> None:
    """503, so that a sender repeats; what it holds already it holds."""
    record = a_record()
    record.intents = dict.fromkeys((str(n) for n in range(MAX_INTENTS)), an_intent())
    for _ in range(2):
        answer = the(admit(record, an_alert(), NOW))
        assert ended(answer) == ("refused", "intent.too_many")
        assert answer.outcome is not None
        assert answer.outcome.http_status == 503
    assert told(record) == ["intent.too_many"]
    assert MINE not in record.intents


# -- resolved


@pytest.mark.parametrize("stage", STAGES)
def test_a_resolved_alert_takes_back_its_statement_and_ends_nothing(stage: Stage) -> None:
    """The intent stays as it is, without support: a look ends it."""
    record = with_alert(stage)
    before = record.intents[MINE]
    assert withdraw(record, "|alertmanager:a", NOW - 10, NOW + 5) == [MINE]
    assert record.intents == {MINE: before._replace(statements={})}
    assert not record.intents[MINE].is_stated
    assert (told(record), settled(record)) == ([], settled(with_alert(stage)))


@pytest.mark.parametrize(
    ("stated", "start", "told_at", "is_taken_back"),
    [
        (NOW - 10, NOW - 10, NOW, True),
        (NOW - 10, NOW - 11, NOW, False),  # "resolved" of an earlier occurrence, come late
        (NOW - 10, NOW + 5, NOW, True),
        (NOW - 10, None, NOW, True),  # without a start, by when it was told
        (NOW - 10, None, NOW - 1, False),
        (None, NOW - 10, NOW, True),
        (None, None, NOW - 1, False),
    ],
)
def test_a_resolved_alert_takes_back_what_is_no_younger(
    stated: float | None, start: float | None, told_at: float, is_taken_back: bool
) -> None:
    """Deliveries overtake each other."""
    record = a_record()
    admit(record, an_alert(start=stated), NOW)
    assert bool(withdraw(record, "|alertmanager:a", start, told_at)) == is_taken_back
    assert record.intents[MINE].is_stated is not is_taken_back


def test_a_resolved_alert_takes_back_its_own_statement_only() -> None:
    """Another sender still asks for it."""
    record = a_record()
    for sender in ("a", "b"):
        admit(record, an_alert(sender=sender), NOW)
    withdraw(record, "a", None, NOW)
    assert [*record.intents[MINE].statements] == ["b"]
    assert withdraw(record, "a", None, NOW) == []
    assert withdraw(record, "nobody", None, NOW) == []


def test_an_alert_that_fires_again_after_it_was_resolved_supports_its_intent() -> None:
    """It is the same intent."""
    record = with_alert("pending")
    withdraw(record, "|alertmanager:a", NOW - 10, NOW)
    admit(record, an_alert("e-2", start=NOW + 1, told_at=NOW + 2), NOW + 2)
    assert record.intents[MINE].is_stated
    assert record.intents[MINE].seq == 101


# -- commands with an id


def command_in(stage: str, stated: Stated) -> tuple[ClusterRecord, str]:
    """A record in which this command is pending, serving or ended."""
    record = a_record()
    key = the(admit(record, stated, NOW)).key
    if stage == "serving":
        brought_to(record, key, "serving")
    elif stage == "ended":
        record.end(record.intents[key], Outcome.done("stopped"), NOW + 5)
    record.outbox.clear()
    return record, key


@pytest.mark.parametrize(("stage", "status"), [("pending", None), ("serving", None), ("ended", "done")])
def test_the_same_id_with_the_same_content_is_the_same_command(stage: str, status: str | None) -> None:
    """Whatever became of it is the answer; it is not done twice, and nobody is told."""
    record, key = command_in(stage, a_command())
    before = record.copy()
    answer = the(admit(record, a_command(), NOW + 3000))
    assert answer.key == key
    assert (answer.outcome.status if answer.outcome else None) == status
    if answer.outcome is not None:
        assert answer.outcome.facts["replayed"]
        assert not answer.outcome.is_alarming
    assert record == before


@pytest.mark.parametrize("stage", ["pending", "serving", "ended"])
@pytest.mark.parametrize("other", [{"action": START}, {"scope": one("172.16.0.6")}])
def test_the_same_id_with_another_content_is_refused_loudly(stage: str, other: dict[str, Any]) -> None:
    """Nothing is done, and what was asked first goes on."""
    record, _ = command_in(stage, a_command())
    before = record.copy()
    for _ in range(2):
        answer = the(admit(record, a_command(**other), NOW + 1))
        assert ended(answer) == ("refused", "once.conflict")
    assert told(record) == ["once.conflict"]
    assert record.fresh[-1].body["where"].endswith(f" {a_command().event}")  # the id that was used twice
    assert (record.intents, record.commands) == (before.intents, before.commands)


def test_ids_are_of_their_caller_and_their_rule() -> None:
    """One caller's id is not another's."""
    record = a_record()
    keys = {
        the(admit(record, a_command(sender=sender, rule=rule), NOW)).key
        for sender in ("ci|request:1", "ops|request:1")
        for rule in ("request", "nightly")
    }
    assert record.intents.keys() == keys
    assert len(keys) == 4


@pytest.mark.parametrize("status", ["failed", "refused", "expired", "withdrawn", "unverified", "skipped"])
def test_a_repeat_gets_the_answer_of_the_first(status: OutcomeStatus) -> None:
    """Status, code and HTTP status."""
    record, key = command_in("pending", a_command())
    first = replace(Outcome.refused("x.y", "why", fix="Do it.", http_status=409), status=status)
    record.end(record.intents[key], first, NOW)
    answer = the(admit(record, a_command(), NOW + 1))
    assert ended(answer) == (status, "x.y")
    assert answer.outcome is not None
    assert answer.outcome.http_status == 409
    assert answer.outcome.reason.startswith("why")


# -- commands without an id


def unnamed(event: str, action: Action = STOP, **fields: Any) -> Stated:
    return a_command(event, action, is_named=False, **fields)


@pytest.mark.parametrize(
    ("asked", "ended_ago", "then", "expected"),
    [
        # Open: a retry where it is the last thing asked of its processes.
        ([STOP], None, STOP, "same"),
        ([STOP], None, START, "new"),
        ([STOP, START], None, STOP, "new"),
        ([STOP, START, STOP], None, STOP, "same"),
        ([STOP, START, STOP], None, START, "new"),
        # Ended: the same for two minutes; where something else was asked since, nobody can tell.
        ([STOP], 0.0, STOP, "replayed"),
        ([STOP], 120.0, STOP, "replayed"),
        ([STOP], 120.5, STOP, "new"),
        ([STOP], 0.0, START, "new"),
        ([STOP, START], 60.0, STOP, "refused"),
        ([STOP, START], 60.0, START, "replayed"),
        ([STOP, START], 121.0, STOP, "new"),
        ([STOP, RESTART], 60.0, STOP, "refused"),
    ],
)
def test_an_equal_command_without_an_id_is_a_retry_or_a_new_one(
    asked: list[Action], ended_ago: float | None, then: Action, expected: str
) -> None:
    """Stop, Start, Stop within ten minutes are three commands; a client's retry is none."""
    record = a_record()
    keys = [the(admit(record, unnamed(f"c-{n}", action), NOW)).key for n, action in enumerate(asked)]
    assert len({*keys}) == len(asked)
    if ended_ago is not None:
        for key in keys:
            record.end(record.intents[key], Outcome.done("as asked"), NOW)
    answer = the(admit(record, unnamed("again", then), NOW + (ended_ago or 0)))
    if expected == "same":
        assert answer == Answer(keys[-1])
    elif expected == "new":
        assert answer.outcome is None
        assert answer.key not in keys
        assert answer.key in record.intents
    elif expected == "replayed":
        assert (answer.key, ended(answer)) == (keys[-1], ("done", "verified"))
    else:
        assert ended(answer) == ("refused", "once.ambiguous")
        assert told(record) == ["once.ambiguous"]
        assert answer.outcome is not None
        assert "`Id`" in answer.outcome.fix


def test_each_refusal_for_want_of_an_id_is_told() -> None:
    """Each is a command of its own that is not carried out."""
    record = a_record()
    for n, action in enumerate((STOP, START)):
        key = the(admit(record, unnamed(f"c-{n}", action), NOW)).key
        record.end(record.intents[key], Outcome.done("as asked"), NOW)
    for _ in range(2):
        admit(record, unnamed("again"), NOW + 1)
    assert told(record) == ["once.ambiguous"] * 2


def test_what_is_asked_of_other_processes_makes_nothing_ambiguous() -> None:
    """The last thing asked counts for the processes that it may be about: "all" overlaps each."""
    for between, expected in ((one("10.9.9.9"), "done"), (OpScope.of_service("HDFS"), "refused")):
        record = a_record()
        for n, (action, scope) in enumerate(((STOP, one()), (START, between))):
            key = the(admit(record, unnamed(f"c-{n}", action, scope=scope), NOW)).key
            record.end(record.intents[key], Outcome.done("as asked"), NOW)
        assert ended(the(admit(record, unnamed("again"), NOW + 1)))[0] == expected


def test_an_alert_is_nothing_that_was_asked_by_a_command() -> None:
    """A remediation in between makes no retry of a command a new one."""
    record = a_record()
    first = the(admit(record, unnamed("c-1", RESTART), NOW))
    admit(record, an_alert(), NOW)
    assert the(admit(record, unnamed("c-2", RESTART), NOW)) == first


# -- commands that come too late


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"start": NOW - 3600}, None),
        ({"start": NOW - 3601}, "intent.too_late"),
        ({"start": NOW - 3601, "max_wait": 9999.0}, None),
        ({"told_at": NOW - 3601}, "intent.too_late"),
        ({"start": NOW, "told_at": NOW - 3601}, None),  # its own time counts
    ],
)
def test_a_command_that_comes_too_late_is_told_and_remembered(fields: dict[str, Any], code: str | None) -> None:
    """It is not carried out, and its repeat hears the same without a second alarm."""
    record = a_record()
    answer = the(admit(record, a_command(**fields), NOW))
    assert told(record) == ([code] if code else [])
    if code:
        assert ended(answer) == ("expired", code)
        assert ended(the(admit(record, a_command(**fields), NOW))) == ("expired", code)
        assert told(record) == [code]
        assert record.intents == {}
    else:
        assert answer.outcome is None


@pytest.mark.parametrize(
    ("start", "action", "is_refused"),
    [
        (NOW - 61, RESTART, True),
        (NOW - 60, RESTART, False),
        (NOW, RESTART, False),
        (None, RESTART, False),
        *((NOW - 61, action, False) for action in (START, STOP, ENTER, LEAVE)),  # a state, which a look shows
    ],
)
def test_a_dated_restart_from_before_the_record_is_refused(
    start: float | None, action: Action, is_refused: bool
) -> None:
    """Of a ledger that was emptied: whether it was carried out, nobody knows."""
    record = a_record(began=NOW)
    answer = the(admit(record, a_command("c-1", action, start=start), NOW + 1))
    assert told(record) == (["intent.before_the_record"] if is_refused else [])
    assert (answer.outcome is not None) == is_refused


# -- whatever comes

EVENTS = st.lists(
    st.one_of(
        st.builds(
            an_alert,
            st.sampled_from(["e-1", "e-2"]),
            sender=st.sampled_from("abc"),
            scope=st.sampled_from([one(), one("10.0.0.1"), OpScope.of_service("HDFS")]),
            start=st.sampled_from([None, NOW - 10, NOW - 5]),
        ),
        st.builds(
            a_command,
            st.sampled_from(["c-1", "c-2"]),
            st.sampled_from([START, STOP]),
            is_named=st.booleans(),
            scope=st.sampled_from([one(), OpScope.of_service("HDFS")]),
        ),
    ),
    max_size=12,
)


@given(EVENTS)
def test_every_event_is_answered_from_what_is_written_down(events: list[Stated]) -> None:
    """With an outcome, or with the key of an intent that is there; none is lost, and arrivals have an order."""
    record = a_record()
    for n, stated in enumerate(events):
        for answer in admit(record, stated, NOW + n):
            assert answer.outcome is not None or answer.key in record.intents
    seqs = [intent.seq for intent in record.intents.values()]
    assert sorted({*seqs}) == seqs
    assert all(key == intent.key for key, intent in record.intents.items())


@given(EVENTS)
def test_a_delivery_made_twice_changes_nothing(events: list[Stated]) -> None:
    """Every sender delivers at least once."""
    record = a_record()
    for stated in events:
        admit(record, stated, NOW)
        before, intents = record.seq, dict(record.intents)
        first = record.copy()
        answers = admit(record, stated, NOW)
        if all(answer.outcome is None for answer in answers):
            assert (record.seq, record.intents, record.outbox) == (before, intents, first.outbox)

"""What follows from an operation for its intents: from the API's answer, and from what a look shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.conclusion import judge, lose, proved, settle
from handler.model.intent import Intent
from handler.model.operation import OPEN, State, Verdict
from handler.model.scope import OpScope
from tests.intents import KEY, NOW, STOP, a_record, an_intent, one, settled, told
from tests.operations import an_operation

OWNER = "worker-1"
NONE, VERIFIED, UNVERIFIED = Verdict.NONE, Verdict.VERIFIED, Verdict.UNVERIFIED
FAILED, NOT_REACHED = Verdict.FAILED, Verdict.NOT_REACHED
KEYS = tuple(f"HDFS/datanode/10.0.0.{n}" for n in range(3))


def remediation(key: str = KEY, **fields: Any) -> Intent:
    return an_intent(key=f"r|{key}", scope=one(key.rpartition("/")[2]), events=(f"e-{key[-1]}",), **fields)


def command(*keys: str, name: str = "c", **fields: Any) -> Intent:
    scope = OpScope.of_component("HDFS", "DataNode", [key.rpartition("/")[2] for key in keys or (KEY,)])
    return an_intent(key=name, is_command=True, scope=scope, events=(f"e-{name}",), **fields)


def armed(*intents: Intent, keys: tuple[str, ...] = (), state: State = State.SENDING, **more: Any) -> ClusterRecord:
    """A record in which one operation serves these intents."""
    record = a_record(*intents)
    names = tuple(intent.key for intent in intents)
    targets = keys or tuple(dict.fromkeys(intent.process for intent in intents))
    is_command = any(intent.is_command for intent in intents)
    record.arm(an_operation("op-1", now=NOW, targets=targets, intents=names, is_command=is_command, **more), names)
    if state is not State.SENDING:
        settle(record, "op-1", OWNER, state, NOW, code="ReadTimeout" if state is State.IN_DOUBT else "")
        record.outbox.clear()
    return record


def over(record: ClusterRecord) -> list[str]:
    return [saying.body["code"] for saying in record.outbox.values() if saying.kind == "well"]


def stages(record: ClusterRecord) -> dict[str, str]:
    return {key: intent.stage for key, intent in record.intents.items()}


# -- the API's answer

ANSWERS = (State.ACCEPTED, State.IN_DOUBT, State.NOT_SENT, State.REJECTED)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("state", State)
def test_an_answer_settles_what_its_owner_sends(state: State, answer: State) -> None:
    """From SENDING; a definite one also what others have put in doubt. Anything else it leaves as it is."""
    record = armed(remediation())
    record.operations["op-1"] = record.operations["op-1"].moved(state)
    before = record.copy()
    operation = settle(record, "op-1", OWNER, answer, NOW + 5, code="X", request_id="r-1")
    may = state is State.SENDING or (state is State.IN_DOUBT and answer is not State.IN_DOUBT)
    assert (operation is not None) == may
    if operation is None:
        assert record == before
    else:
        assert (operation.state, operation.code, operation.request_id) == (answer, "X", "r-1")


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("name", "owner"), [("op-1", "worker-2"), ("op-2", OWNER)])
def test_nobody_settles_what_is_not_theirs(name: str, owner: str, answer: State) -> None:
    """Nor what is not there: a late worker cannot settle what is newer."""
    record = armed(remediation())
    before = record.copy()
    assert settle(record, name, owner, answer, NOW) is None
    assert record == before


def test_what_was_not_sent_is_pending_again_after_a_pause_that_grows() -> None:
    """From a second to five minutes; quietly, and without an operation that would need a cooldown."""
    record = a_record(remediation())
    pauses = []
    for _ in range(12):
        record.arm(an_operation("op-1", intents=(f"r|{KEY}",)), (f"r|{KEY}",))
        settle(record, "op-1", OWNER, State.NOT_SENT, NOW)
        (intent,) = record.intents.values()
        assert (intent.stage, intent.operation, intent.alone) == ("pending", "", False)
        pauses.append(intent.not_before - NOW)
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
    assert (record.operations, record.outbox) == ({}, {})
    assert [operation.state for operation in record.ended] == [State.NOT_SENT] * 12  # the log has a line of each


def test_a_rejection_of_one_intent_ends_it() -> None:
    """Refused by the API's code; a person is told, and the events hear of it."""
    record = armed(remediation())
    settle(record, "op-1", OWNER, State.REJECTED, NOW, code="InvalidParameter.InvalidIpList", problem="no such IP")
    assert (record.intents, record.operations) == ({}, {})
    assert settled(record) == [("refused", "api.InvalidParameter.InvalidIpList")]
    assert told(record) == ["api.InvalidParameter.InvalidIpList"]


def test_a_rejection_of_a_joined_request_tries_each_alone() -> None:
    """One wrong name must not keep the others down."""
    record = armed(*(remediation(key) for key in KEYS))
    settle(record, "op-1", OWNER, State.REJECTED, NOW, code="InvalidParameter.InvalidIpList")
    assert {(one.stage, one.alone, one.not_before) for one in record.intents.values()} == {("pending", True, NOW + 1)}
    assert (told(record), settled(record), record.operations) == ([], [], {})


def test_a_doubt_is_told_once_and_over_with_the_answer() -> None:
    """Also where the answer comes after others gave its worker up."""
    record = armed(remediation())
    lose(record, NOW + 59)
    assert told(record) == []
    for _ in range(2):
        lose(record, NOW + 60)
        assert told(record) == ["operation.in_doubt"]
    assert record.operations["op-1"].code == "worker_lost"
    assert stages(record) == {f"r|{KEY}": "serving"}
    settle(record, "op-1", OWNER, State.ACCEPTED, NOW + 61)
    assert over(record) == ["operation.in_doubt"]


def test_an_answer_that_is_not_known_is_in_doubt() -> None:
    """Told with what was read before, and what to do."""
    record = armed(remediation())
    settle(record, "op-1", OWNER, State.IN_DOUBT, NOW, code="ReadTimeout", problem="no clear answer came (x)")
    assert told(record) == ["operation.in_doubt"]
    (saying,) = record.outbox.values()
    assert "2024-08-16 14:13:32" in saying.body["text"]
    assert "never sends this request again" in saying.body["fix"]
    assert stages(record) == {f"r|{KEY}": "serving"}


# -- remediations


@pytest.mark.parametrize(
    ("state", "verdict", "ends_as", "stage", "said", "alarms"),
    [
        (State.ACCEPTED, VERIFIED, State.VERIFIED, "proving", [("done", "verified")], []),
        (State.ACCEPTED, UNVERIFIED, State.UNVERIFIED, "proving", [("unverified", "unverified")], []),
        (State.ACCEPTED, FAILED, State.FAILED, "pending", [("failed", "operation.failed")], ["operation.failed"]),
        # The API took it, and nothing came of it.
        (State.ACCEPTED, NOT_REACHED, State.FAILED, "pending", [("failed", "operation.failed")], ["operation.failed"]),
        (State.IN_DOUBT, VERIFIED, State.VERIFIED, "proving", [("done", "verified")], []),
        (State.IN_DOUBT, UNVERIFIED, State.UNVERIFIED, "proving", [("unverified", "unverified")], []),
        (State.IN_DOUBT, FAILED, State.FAILED, "pending", [("failed", "operation.failed")], ["operation.failed"]),
        (State.IN_DOUBT, NOT_REACHED, None, "pending", [], []),  # ruled out: as if it had not been
    ],
)
def test_what_becomes_of_a_remediation(
    state: State, verdict: Verdict, ends_as: State | None, stage: str, said: Any, alarms: list[str]
) -> None:
    """What helped is watched; what failed, or was not carried out, is pending again."""
    record = armed(remediation(), state=state)
    judge(record, "op-1", {KEY: verdict}, NOW + 500)
    operation = record.operations.get("op-1")
    assert (operation.state if operation else None) == ends_as
    assert operation is None or operation.ended_at == NOW + 500
    assert stages(record) == {f"r|{KEY}": stage}
    assert (settled(record), told(record)) == (said, alarms)
    assert over(record) == (["operation.in_doubt"] if state is State.IN_DOUBT else [])
    (intent,) = record.intents.values()
    assert bool(intent.events) is not bool(said)  # each event hears of it once
    if stage == "pending":
        assert (intent.operation, intent.waits_since, intent.not_before) == ("", NOW + 500, 0)
    assert [one.id for one in record.ended] == ["op-1"]


def test_a_verdict_once_given_is_kept() -> None:
    """What is seen later is of another time."""
    record = armed(*map(remediation, KEYS), state=State.ACCEPTED)
    judge(record, "op-1", {KEYS[0]: VERIFIED}, NOW + 1)
    judge(record, "op-1", dict.fromkeys(KEYS, FAILED), NOW + 2)
    assert [part.verdict for part in record.operations["op-1"].parts.values()] == [VERIFIED, FAILED, FAILED]
    assert record.operations["op-1"].parts[KEYS[0]].at == NOW + 1


def test_each_process_goes_on_by_its_own_verdict() -> None:
    """While the rest of a rolling request is under way, and whatever becomes of it."""
    record = armed(*map(remediation, KEYS), state=State.ACCEPTED)
    judge(record, "op-1", {KEYS[0]: VERIFIED, KEYS[1]: NONE, KEYS[2]: NONE}, NOW + 1)
    assert [*stages(record).values()] == ["proving", "serving", "serving"]
    assert record.operations["op-1"].is_open
    judge(record, "op-1", {KEYS[1]: FAILED, KEYS[2]: NOT_REACHED}, NOW + 700)
    assert [*stages(record).values()] == ["proving", "pending", "pending"]
    assert record.operations["op-1"].state is State.FAILED
    assert told(record) == ["operation.failed"]
    failed, blocked = (record.intents[f"r|{key}"] for key in KEYS[1:])
    assert (failed.alone, blocked.alone) == (False, True)  # what it did not reach is tried alone
    assert not record.operations["op-1"].may_have_touched(KEYS[2])
    assert blocked.events


def test_a_rolling_request_that_reached_nothing_ends_timed_out() -> None:
    """Its processes are tried one by one; no cooldown counts for them."""
    record = armed(*map(remediation, KEYS), state=State.ACCEPTED)
    judge(record, "op-1", dict.fromkeys(KEYS, NOT_REACHED), NOW + 800)
    assert record.operations["op-1"].state is State.TIMED_OUT
    assert {(one.stage, one.alone) for one in record.intents.values()} == {("pending", True)}
    assert (told(record), settled(record)) == ([], [])


def test_what_nobody_could_look_at_ends_timed_out() -> None:
    """By its deadline; it may have touched its processes."""
    record = armed(remediation(), state=State.ACCEPTED)
    judge(record, "op-1", {KEY: FAILED}, NOW + 2000, is_unseen=True)
    operation = record.operations["op-1"]
    assert (operation.state, operation.may_have_touched(KEY)) == (State.TIMED_OUT, True)
    assert told(record) == ["operation.failed"]


def test_a_failure_is_told_until_it_is_well() -> None:
    """Once, however often it is tried again."""
    record = a_record(remediation())
    for n in range(3):
        record.arm(an_operation(f"op-{n}", intents=(f"r|{KEY}",)), (f"r|{KEY}",))
        settle(record, f"op-{n}", OWNER, State.ACCEPTED, NOW)
        judge(record, f"op-{n}", {KEY: FAILED}, NOW + 1000 * n)
    assert told(record) == ["operation.failed"]
    assert settled(record) == [("failed", "operation.failed")]


@pytest.mark.parametrize(
    ("is_well", "same_occurrence", "left", "alarms"),
    [(True, False, [], []), (False, False, ["pending"], []), (True, True, [], ["intent.still_stated"])],
)
def test_after_the_cooldown_it_is_seen_whether_it_lasted(
    is_well: bool, same_occurrence: bool, left: list[str], alarms: list[str]
) -> None:
    """Well: it ends quietly. Down again: pending. Answering, and still stated: the restart did not help."""
    record = armed(remediation(), state=State.ACCEPTED)
    judge(record, "op-1", {KEY: VERIFIED}, NOW)
    record.outbox.clear()
    proved(record, record.intents[f"r|{KEY}"], NOW + 900, is_well=is_well, same_occurrence=same_occurrence)
    assert ([*stages(record).values()], told(record), settled(record)) == (left, alarms, [])


# -- commands


@pytest.mark.parametrize(
    ("state", "verdicts", "stage", "said"),
    [
        (State.ACCEPTED, [VERIFIED, VERIFIED], "pending", []),  # the next decision ends it, where nothing is left
        (State.ACCEPTED, [VERIFIED, UNVERIFIED], "pending", []),
        (State.ACCEPTED, [VERIFIED, NONE], "serving", []),
        (State.ACCEPTED, [FAILED, NONE], "serving", []),
        (State.ACCEPTED, [VERIFIED, FAILED], None, [("failed", "operation.failed")]),
        (State.ACCEPTED, [FAILED, FAILED], None, [("failed", "operation.failed")]),
        (State.ACCEPTED, [VERIFIED, NOT_REACHED], None, [("failed", "operation.failed")]),  # in part: the rest is not sent again
        (State.ACCEPTED, [FAILED, NOT_REACHED], None, [("failed", "operation.failed")]),
        (State.IN_DOUBT, [NOT_REACHED, NOT_REACHED], "pending", []),  # ruled out
        (State.IN_DOUBT, [VERIFIED, NOT_REACHED], None, [("failed", "operation.failed")]),
    ],
)  # fmt: skip
def test_what_becomes_of_a_command(state: State, verdicts: list[Verdict], stage: str | None, said: Any) -> None:
    """As a whole: it is carried out, or it failed and says where, or it was not carried out and is pending."""
    record = armed(command(*KEYS[:2]), keys=KEYS[:2], state=state)
    judge(record, "op-1", dict(zip(KEYS, verdicts, strict=False)), NOW + 500)
    assert stages(record).get("c") == stage
    assert (settled(record), told(record)) == (said, [code for _, code in said])
    assert (record.commands["c"].status == "failed") if said else not record.commands
    if stage == "pending":
        is_done = NOT_REACHED not in verdicts
        assert record.intents["c"].served == (KEYS[:2] if is_done else ())


def test_a_command_that_failed_in_part_names_both_parts() -> None:
    """Which failed, and which were not reached."""
    record = armed(command(*KEYS), keys=KEYS, state=State.ACCEPTED)
    judge(record, "op-1", dict(zip(KEYS, (VERIFIED, FAILED, NOT_REACHED), strict=True)), NOW + 500)
    reason = record.commands["c"].reason
    assert "HDFS/DataNode/10.0.0.1" in reason.partition(";")[0]
    assert "10.0.0.2" in reason.partition(";")[2].partition(".0.0.0")[0]
    assert "not sent again" in reason


def test_commands_that_were_joined_end_each_by_its_own_processes() -> None:
    """One's failure is not the other's."""
    first, second = command(KEYS[0], name="a"), command(KEYS[1], name="b")
    record = armed(first, second, keys=KEYS[:2], state=State.ACCEPTED)
    judge(record, "op-1", {KEYS[0]: VERIFIED, KEYS[1]: FAILED}, NOW + 500)
    assert record.intents["a"].served == KEYS[:1]
    assert record.commands["b"].status == "failed"


def test_an_accepted_command_of_which_nothing_came_has_failed() -> None:
    """A stop of three processes that all run on: the API took it, and it is not sent again."""
    record = armed(command(*KEYS, action=STOP), keys=KEYS, state=State.ACCEPTED, action=STOP)
    judge(record, "op-1", dict.fromkeys(KEYS, NOT_REACHED), NOW + 500)
    assert record.commands["c"].status == "failed"
    assert record.operations["op-1"].state is State.FAILED


# -- whatever is seen


@given(
    st.lists(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(Verdict), max_size=3), max_size=6),
    st.sampled_from([State.ACCEPTED, State.IN_DOUBT]),
    st.booleans(),
)
def test_no_intent_is_lost_and_no_event_hears_twice(
    looks: list[dict[str, Verdict]], state: State, is_command: bool
) -> None:
    """An intent is served while its operation is open and its process not judged; then it has gone on, or ended with its answer."""
    intents = [command(*KEYS)] if is_command else [*map(remediation, KEYS)]
    record = armed(*intents, keys=KEYS, state=state)
    for n, look in enumerate(looks):
        if (operation := record.operations.get("op-1")) is None or operation.state not in OPEN:
            break
        judge(record, "op-1", look, NOW + n)
    operation = record.operations.get("op-1")
    is_open = operation is not None and operation.is_open
    for intent in intents:
        kept = record.intents.get(intent.key)
        if kept is None:
            assert intent.is_command
            assert intent.key in record.commands
        elif is_open and (intent.is_command or operation.parts[intent.process].verdict is NONE):  # type: ignore[union-attr]
            assert (kept.stage, kept.operation) == ("serving", "op-1")
        else:
            assert kept.stage != "serving"
    heard = [event for one in record.outbox.values() if one.kind == "settled" for event in one.body["events"]]
    assert len(heard) == len({*heard})

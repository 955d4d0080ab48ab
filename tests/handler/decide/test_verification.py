"""Did it help? Each OpType's promise against what a process can be seen to be, and when."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.decide.verification import is_satisfied, keeps_promise, patience, verdicts
from handler.model.observation import Reading
from handler.model.operation import Part, State, Verdict
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.model.timing import TIMING
from tests.intents import AFTER, BEFORE, KEY, NOW, a_look, a_reading
from tests.operations import an_operation

START, STOP, RESTART = OpType.START_SERVICE, OpType.STOP_SERVICE, OpType.RESTART_SERVICE
ENTER, LEAVE = OpType.STOP_MONITOR, OpType.START_MONITOR
#: Seconds after arming: at once; when the request can no longer act; past the deadline of 600 s; and when a cluster
#: that is at work is no longer waited for.
EARLY, CANNOT_ACT, LATE, OVER = 10.0, 421.0, 601.0, 4300.0


def reading(status: int = 1, monitor: int = 1, health: int = 1, last: str = BEFORE) -> Reading:
    return a_reading(status=status, monitor=monitor, health=health, last=last)


def seen(
    op_type: OpType,
    now: Reading | None,
    age: float,
    *,
    state: State = State.ACCEPTED,
    before: str = BEFORE,
    status: int = 2,
    peers: dict[str, Part] | None = None,
) -> Verdict:
    """The verdict on the DataNode, of a look that began so many seconds after the operation was armed."""
    parts = {KEY: Part(before), **(peers or {})}
    operation = an_operation("op-1", now=NOW - age, state=state, op_type=op_type, parts=parts)
    return verdicts(operation, {} if now is None else {KEY: now}, a_look(status=status))[KEY]


NONE, VERIFIED, UNVERIFIED = Verdict.NONE, Verdict.VERIFIED, Verdict.UNVERIFIED
FAILED, NOT_REACHED = Verdict.FAILED, Verdict.NOT_REACHED


@pytest.mark.parametrize(
    ("op_type", "now", "early", "late"),
    [
        (START, reading(), VERIFIED, VERIFIED),
        (START, reading(health=-3), VERIFIED, VERIFIED),  # slow, and serving
        (START, reading(health=-4), NONE, UNVERIFIED),  # not checked: no evidence
        (START, reading(health=0), NONE, FAILED),  # it may have been started, and have died of it
        (START, reading(health=-2), NONE, FAILED),
        (START, reading(status=2), NONE, NOT_REACHED),
        (START, reading(status=7), NONE, FAILED),
        (STOP, reading(status=2, health=0), VERIFIED, VERIFIED),
        (STOP, reading(status=2, health=-4), VERIFIED, VERIFIED),  # stopped processes are not checked
        (STOP, reading(status=2, health=1), NONE, FAILED),  # its probe is still answered
        (STOP, reading(status=2, health=-3), NONE, FAILED),
        (STOP, reading(status=2, health=-2), NONE, FAILED),
        (STOP, reading(status=2, health=77), NONE, FAILED),
        (STOP, reading(status=0, health=-4), NONE, FAILED),
        (STOP, reading(), NONE, NOT_REACHED),
        (STOP, reading(health=0), NONE, NOT_REACHED),  # dead is not stopped
        (ENTER, reading(monitor=2), VERIFIED, VERIFIED),
        (ENTER, reading(), NONE, NOT_REACHED),
        (ENTER, reading(monitor=0), NONE, FAILED),
        (LEAVE, reading(), VERIFIED, VERIFIED),
        (LEAVE, reading(monitor=2), NONE, NOT_REACHED),
        (LEAVE, reading(monitor=3), NONE, FAILED),
        (RESTART, reading(last=AFTER), VERIFIED, VERIFIED),
        (RESTART, reading(last=AFTER, health=-3), VERIFIED, VERIFIED),
        (RESTART, reading(last=AFTER, health=-4), NONE, UNVERIFIED),
        (RESTART, reading(last=AFTER, health=0), NONE, FAILED),
        (RESTART, reading(last=AFTER, health=-2), NONE, FAILED),
        (RESTART, reading(last=AFTER, status=2), NONE, FAILED),
        (RESTART, reading(last=AFTER, status=99), NONE, FAILED),
        (RESTART, reading(last="2024-08-16T15:00:00"), NONE, FAILED),  # another format proves nothing
        (RESTART, reading(), NONE, NOT_REACHED),  # healthy, but not restarted
        (RESTART, reading(health=0), NONE, NOT_REACHED),
        (RESTART, reading(last=""), NONE, FAILED),  # the reading is missing: that shows nothing
        (RESTART, reading(last="", health=0), NONE, FAILED),
        *((op_type, None, NONE, FAILED) for op_type in OpType),
    ],
)
def test_what_each_operation_promises(op_type: OpType, now: Reading | None, early: Verdict, late: Verdict) -> None:
    """Goals are seen by the state, a restart by a LastRestartTime that is another and a process that is up."""
    assert seen(op_type, now, EARLY) is early
    assert seen(op_type, now, LATE) is late
    assert seen(op_type, now, LATE, state=State.IN_DOUBT) is late


@pytest.mark.parametrize(
    ("now", "late"),
    [
        (reading(last=AFTER), UNVERIFIED),  # it may have been restarted by anybody
        (reading(last=AFTER, health=-4), UNVERIFIED),
        (reading(last=""), UNVERIFIED),
        (reading(last=AFTER, health=0), FAILED),
        (reading(last="", health=0), FAILED),
    ],
)
def test_a_reading_that_was_missing_proves_no_restart(now: Reading, late: Verdict) -> None:
    """Neither that there was one, nor that there was none."""
    assert seen(RESTART, now, EARLY, before="") is NONE
    assert seen(RESTART, now, LATE, before="") is late


@pytest.mark.parametrize("op_type", OpType)
def test_goals_are_reached_where_their_promise_is_kept(op_type: OpType) -> None:
    """For every reading; a restart has no goal."""
    for now in (reading(status, monitor, health) for status in (1, 2) for monitor in (1, 2) for health in (1, 0, -4)):
        assert is_satisfied(op_type, now) == (op_type is not RESTART and keeps_promise(op_type, BEFORE, now))


@pytest.mark.parametrize("op_type", OpType)
@pytest.mark.parametrize("status", [2, 8])
def test_a_stop_is_kept_only_when_the_cluster_is_at_rest(op_type: OpType, status: int) -> None:
    """The workflow that ends its processes goes on after they show stopped; the other promises are seen at once."""
    now = {STOP: reading(2, 1, 0), ENTER: reading(monitor=2), RESTART: reading(last=AFTER)}.get(op_type, reading())
    expected = NONE if op_type is STOP and status == 8 else VERIFIED
    assert seen(op_type, now, EARLY, status=status) is expected
    assert seen(op_type, now, OVER, status=status) is VERIFIED


#: Untouched, by OpType.
UNTOUCHED = {START: reading(2), STOP: reading(), RESTART: reading(health=0), ENTER: reading(), LEAVE: reading(1, 2)}
PEERS = {one: {"HDFS/datanode/10.0.0.1": Part(BEFORE, one)} for one in Verdict}


@pytest.mark.parametrize(
    ("op_type", "state", "age", "peers", "expected"),
    [
        # In doubt: ruled out when the request can no longer act, not a second before.
        *((op_type, State.IN_DOUBT, 420.0, {}, NONE) for op_type in OpType),
        *((op_type, State.IN_DOUBT, CANNOT_ACT, {}, NOT_REACHED) for op_type in OpType),
        # Accepted: a rolling restart may yet come to it, until the deadline; the others act at once.
        (RESTART, State.ACCEPTED, CANNOT_ACT, {}, NONE),
        (RESTART, State.ACCEPTED, 599.0, {}, NONE),
        (RESTART, State.ACCEPTED, 600.0, {}, NOT_REACHED),
        *((op_type, State.ACCEPTED, CANNOT_ACT, {}, NOT_REACHED) for op_type in (START, STOP, ENTER, LEAVE)),
        *((op_type, State.ACCEPTED, 420.0, {}, NONE) for op_type in (START, STOP, ENTER, LEAVE)),
        # Another of the operation was reached, and the cluster is at rest: it is over.
        (RESTART, State.ACCEPTED, CANNOT_ACT, PEERS[VERIFIED], NOT_REACHED),
        (RESTART, State.ACCEPTED, CANNOT_ACT, PEERS[UNVERIFIED], NOT_REACHED),
        (RESTART, State.ACCEPTED, CANNOT_ACT, PEERS[FAILED], NOT_REACHED),
        (RESTART, State.ACCEPTED, CANNOT_ACT, PEERS[NOT_REACHED], NONE),
        (RESTART, State.ACCEPTED, CANNOT_ACT, PEERS[NONE], NONE),
        (RESTART, State.ACCEPTED, 420.0, PEERS[VERIFIED], NONE),
    ],
)
def test_not_reached_is_what_certainly_will_not_be(
    op_type: OpType, state: State, age: float, peers: dict[str, Part], expected: Verdict
) -> None:
    """Untouched in a look that began when nothing could act any more, on a cluster at rest."""
    assert seen(op_type, UNTOUCHED[op_type], age, state=state, peers=peers) is expected
    assert seen(op_type, UNTOUCHED[op_type], age, state=state, peers=peers, status=8) is NONE


def test_a_cluster_that_never_rests_is_waited_for_an_hour_past_the_deadline() -> None:
    """Then what is seen is judged all the same."""
    past = 600 + TIMING.busy
    for age, expected in ((LATE, NONE), (past - 1, NONE), (past, FAILED)):
        assert seen(RESTART, reading(last=AFTER, health=0), age, status=8) is expected


READINGS = st.builds(
    reading,
    st.sampled_from([0, 1, 2, 7]),
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from([1, 0, -2, -3, -4, 77]),
    st.sampled_from([BEFORE, AFTER, ""]),
)
SITUATIONS = st.fixed_dictionaries(
    {
        "op_type": st.sampled_from(OpType),
        "now": st.none() | READINGS,
        "age": st.sampled_from([0.0, 300.0, 420.0, CANNOT_ACT, 599.0, 600.0, 1000.0, OVER, 1e6]),
        "state": st.sampled_from([State.ACCEPTED, State.IN_DOUBT]),
        "before": st.sampled_from([BEFORE, ""]),
        "status": st.sampled_from([0, 2, 8, 9, 14, 301, 999]),
        "peers": st.sampled_from([{}, *PEERS.values()]),
    }
)


@given(SITUATIONS)
def test_verified_is_what_keeps_the_promise(situation: dict[str, Any]) -> None:
    """Neither more nor less, whatever the state, the age and the cluster's status; a stop when its workflow is over."""
    now, op_type = situation["now"], situation["op_type"]
    is_kept = now is not None and keeps_promise(op_type, situation["before"], now)
    is_over = op_type is not STOP or situation["status"] == 2 or situation["age"] >= 600 + TIMING.busy
    assert (seen(**situation) is VERIFIED) == (is_kept and is_over)


@given(SITUATIONS)
def test_nothing_but_a_kept_promise_is_judged_while_the_request_may_act(situation: dict[str, Any]) -> None:
    """Within 420 s of arming: 30 to send it, 300 of its signature, and clocks that differ."""
    if situation["age"] <= TIMING.ruled_out:
        assert seen(**situation) in (NONE, VERIFIED)


@given(SITUATIONS)
def test_before_its_deadline_nothing_has_failed(situation: dict[str, Any]) -> None:
    """Nor is it unverified: more may be seen."""
    if situation["age"] < 600:
        assert seen(**situation) not in (FAILED, UNVERIFIED)


@given(SITUATIONS)
def test_not_reached_has_its_last_restart_of_before(situation: dict[str, Any]) -> None:
    """What it shows is known from before, and unchanged: only so may it be sent once more."""
    now = situation["now"]
    if seen(**situation) is NOT_REACHED:
        assert now is not None
        assert not keeps_promise(situation["op_type"], situation["before"], now)
        if situation["op_type"] is RESTART:
            assert now.last_restart == situation["before"] == BEFORE


@given(SITUATIONS)
def test_nothing_is_open_for_ever(situation: dict[str, Any]) -> None:
    """Whatever is seen, and whatever the cluster is at: an hour past its deadline it is judged."""
    assert seen(**{**situation, "age": 600 + TIMING.busy}) is not NONE


@pytest.mark.parametrize(
    ("action", "processes", "seconds"),
    [
        (Action(START), 10, 600),
        (Action(STOP), 10, 600),
        (Action(STOP, None, StopParams("safe", None, 3600)), 10, 600 + 3600),
        (Action(STOP, None, StopParams("safe", None, 10**9)), 10, 600 + 86_400),
        (Action(ENTER), 10, 300),
        (Action(LEAVE), 10, 300),
        (Action(RESTART, StrategyConfig(rolling=False)), 10, 600),
        (Action(RESTART, StrategyConfig(time_wait=30)), 1, 600),
        (Action(RESTART, StrategyConfig(time_wait=30)), 10, 600 + 9 * 90),
        (Action(RESTART, StrategyConfig(batch_size=4, time_wait=0)), 10, 600 + 2 * 60),
        (Action(RESTART, StrategyConfig()), 0, 600),
    ],
)
def test_patience_grows_with_the_batches(action: Action, processes: int, seconds: float) -> None:
    """A rolling restart is given each further batch's wait and a minute, a stop its grace; everything else one span."""
    assert patience(action, processes) == seconds

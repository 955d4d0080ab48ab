"""Did it help? Each OpType's promise against what a process can be seen to be."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.decide.verification import is_satisfied, judge, keeps_promise, patience, was_carried_out
from handler.model.observation import Reading
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.model.scope import OpScope, Target
from tests.operations import an_operation

BEFORE, AFTER = "2024-08-16 14:13:32", "2024-08-16 15:00:00"
START, STOP, RESTART = OpType.START_SERVICE, OpType.STOP_SERVICE, OpType.RESTART_SERVICE
ENTER, LEAVE = OpType.STOP_MONITOR, OpType.START_MONITOR


def reading(status: int = 1, monitor: int = 1, health: int = 1, last: str = BEFORE, ip: str = "10.0.0.1") -> Reading:
    return Reading(Target("HDFS", "DataNode", ip), status, monitor, health, last)


@pytest.mark.parametrize(
    ("op_type", "now", "carried_out", "kept"),
    [
        (START, reading(), True, True),
        (START, reading(health=-3), True, True),  # slow, and serving
        (START, reading(health=-4), False, False),  # not checked: no evidence
        (START, reading(health=0), False, False),
        (START, reading(health=-2), False, False),
        (START, reading(status=2), False, False),
        (START, reading(status=7), False, False),
        (STOP, reading(status=2, health=0), True, True),
        (STOP, reading(status=2, health=-4), True, True),  # stopped processes are not checked
        (STOP, reading(status=2, health=1), True, False),  # its probe is still answered
        (STOP, reading(status=2, health=-3), True, False),
        (STOP, reading(status=2, health=-2), True, False),
        (STOP, reading(status=2, health=77), True, False),
        (STOP, reading(status=0, health=-4), False, False),
        (STOP, reading(), False, False),
        (STOP, reading(health=0), False, False),  # dead is not stopped
        (ENTER, reading(monitor=2), True, True),
        (ENTER, reading(), False, False),
        (ENTER, reading(monitor=0), False, False),
        (LEAVE, reading(), True, True),
        (LEAVE, reading(monitor=2), False, False),
        (LEAVE, reading(monitor=3), False, False),
        (RESTART, reading(last=AFTER), True, True),
        (RESTART, reading(last=AFTER, health=-3), True, True),
        (RESTART, reading(last=AFTER, health=-4), True, False),
        (RESTART, reading(last=AFTER, status=99), True, False),
        (RESTART, reading(last="2024-08-16T14:13:32"), False, False),  # the same time in another format
        (RESTART, reading(last="2024-08-16T15:00:00"), False, False),  # another format proves nothing
        (RESTART, reading(last=AFTER, health=0), True, False),
        (RESTART, reading(last=AFTER, status=2), True, False),
        (RESTART, reading(), False, False),  # healthy, but not restarted
        (RESTART, reading(last=""), False, False),  # the reading is missing: that shows nothing
        (RESTART, reading(last="", health=0), False, False),
    ],
)
def test_what_each_operation_promises(op_type: OpType, now: Reading, carried_out: bool, kept: bool) -> None:
    """Goals are seen by the state, a restart by a LastRestartTime that is another, and a process that is up."""
    assert was_carried_out(op_type, BEFORE, now) == carried_out
    assert keeps_promise(op_type, BEFORE, now) == kept
    assert is_satisfied(op_type, now) == (kept and op_type is not RESTART)
    verdict = judge(op_type, {now.target.key: BEFORE}, {now.target.key: now})
    assert (verdict.all_kept, verdict.none_touched) == (kept, not carried_out)


@pytest.mark.parametrize(
    ("op_type", "before", "now", "unclear"),
    [
        (RESTART, BEFORE, reading(health=0), False),
        (RESTART, BEFORE, reading(last=""), True),
        (RESTART, "", reading(last=""), True),
        (RESTART, BEFORE, None, True),
        (START, BEFORE, reading(status=2), False),
        (START, BEFORE, reading(health=0), True),  # it may have been started, and have died of it
        (STOP, BEFORE, reading(), False),
        (STOP, BEFORE, None, True),
        (ENTER, BEFORE, reading(), False),
        (LEAVE, BEFORE, reading(monitor=2), False),
        (LEAVE, BEFORE, reading(monitor=0), True),
        (ENTER, BEFORE, reading(monitor=3), True),
        (RESTART, "", reading(last=AFTER), True),
        (RESTART, BEFORE, reading(last="1723788812"), True),
    ],
)
def test_what_shows_nothing_does_not_show_that_nothing_was_done(
    op_type: OpType, before: str, now: Reading | None, unclear: bool
) -> None:
    """A request in doubt is ruled out by what is seen on every process, never by what is not shown."""
    verdict = judge(op_type, {"p": before}, {} if now is None else {"p": now})
    assert verdict.untouched == ("p",)
    assert verdict.unclear == (("p",) if unclear else ())


def test_a_reading_that_was_missing_proves_no_restart() -> None:
    """A process that had no LastRestartTime, and has one, may have been restarted by anybody."""
    assert not keeps_promise(RESTART, "", reading(last=AFTER))
    assert not was_carried_out(RESTART, "", reading(last=AFTER))
    assert judge(RESTART, {"p": ""}, {"p": reading(last=AFTER)}).unproven == ("p",)


@pytest.mark.parametrize(
    ("op_type", "before", "now", "unproven"),
    [
        (START, BEFORE, reading(health=-4), True),
        (START, BEFORE, reading(health=0), False),
        (RESTART, BEFORE, reading(last=AFTER, health=-4), True),
        (RESTART, "", reading(last=AFTER, health=-4), True),
        (RESTART, "", reading(last=""), True),
        (RESTART, "", reading(last=AFTER, health=0), False),
        (RESTART, BEFORE, reading(health=-4), False),  # it was not restarted
        (STOP, BEFORE, reading(status=2, health=1), False),
    ],
)
def test_what_no_probe_covers_is_unproven(op_type: OpType, before: str, now: Reading, unproven: bool) -> None:
    """It is as promised as far as it is shown, and nothing proves it: such an operation ends UNVERIFIED, never VERIFIED."""
    verdict = judge(op_type, {"p": before}, {"p": now})
    assert not verdict.all_kept
    assert verdict.unproven == (("p",) if unproven else ())


readings = st.builds(
    reading,
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 0, -2, -3, -4]),
    st.sampled_from([BEFORE, AFTER, ""]),
)


@given(
    st.sampled_from(OpType), st.dictionaries(st.text("abc", min_size=1), readings), st.sets(st.text("abcd", min_size=1))
)
def test_every_process_is_in_exactly_one_list(op_type: OpType, now: dict[str, Reading], names: set[str]) -> None:
    """None is lost, none counted twice, and one that is no longer shown is untouched, never kept."""
    verdict = judge(op_type, dict.fromkeys(names, BEFORE), now)
    assert sorted([*verdict.kept, *verdict.carried_out, *verdict.untouched]) == sorted(names)
    assert verdict.total == len(names)
    assert names - set(now) <= set(verdict.untouched)
    assert verdict.describe().startswith(f"{len(verdict.kept)} of {len(names)} verified")


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (0, "1 of 1 verified"),
        (2, "1 of 3 verified; not yet: p0, p1"),
        (5, "1 of 6 verified; not yet: p0, p1, p2 and 2 more"),
    ],
)
def test_a_verdict_reads_well(waiting: int, text: str) -> None:
    """What is verified, and the first of what is not."""
    before = {f"p{n}": BEFORE for n in range(waiting)} | {"q": BEFORE}
    assert judge(STOP, before, {"q": reading(status=2, health=-4)}).describe() == text


def test_a_process_is_called_as_the_request_calls_it() -> None:
    """Which is in the cluster's spelling; where it names none, by EMR's name."""
    keys = {"HUE/hueserver/10.0.0.1": BEFORE, "HDFS/datanode/10.0.0.1": BEFORE}
    scope = OpScope.of_component("HUE", "HueServer")
    operation = replace(an_operation("op-1"), before=keys, request={"OpScope": scope.to_wire()})
    said = judge(RESTART, operation.before, {}).describe(operation.name_of)
    assert said == "0 of 2 verified; not yet: HDFS/DataNode/10.0.0.1, HUE/HueServer/10.0.0.1"


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

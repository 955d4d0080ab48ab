"""Verification: whether two looks at a process show what its OpType promises.

Pure: the readings before and after come in, a verdict goes out. A restart is seen by a changed ``LastRestartTime`` (two
readings compared with each other, since the API names no zone), the other operations are goals, seen by the state
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.model.observation import NOT_PROBED, RUNNING, STARTED
from handler.model.operation import Operation, State, Verdict
from handler.model.request import OpType
from handler.model.timing import TIMING, Timing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.observation import Observation, Reading
    from handler.model.request import Action


def is_satisfied(op_type: OpType, reading: Reading) -> bool:
    """Whether the process is already what a goal operation would make it.

    A restart has no such goal, so it is always False.
    """
    if op_type is OpType.START_SERVICE:
        return reading.is_up
    if op_type is OpType.STOP_SERVICE:
        return reading.is_gone
    if op_type is OpType.STOP_MONITOR:  # *enters* maintenance
        return reading.in_maintenance
    if op_type is OpType.START_MONITOR:
        return reading.is_watched
    return False


def was_left_alone(op_type: OpType, before: str, now: Reading) -> bool:
    """Whether the process shows that the operation has not reached it.

    Where it shows neither this nor what was promised, nobody can tell.
    """
    if op_type is OpType.RESTART_SERVICE:
        return bool(before) and now.last_restart == before
    if op_type is OpType.START_SERVICE:
        return now.is_stopped  # one that is started and down may have been started, and died of it
    if op_type is OpType.STOP_SERVICE:
        return now.service_status == STARTED
    return now.in_maintenance if op_type is OpType.START_MONITOR else now.is_watched


def keeps_promise(op_type: OpType, before: str, now: Reading) -> bool:
    """Whether the process is what the OpType promises: for a restart, restarted and up again."""
    if op_type is OpType.RESTART_SERVICE:
        return _was_restarted(before, now) and now.is_up
    return is_satisfied(op_type, now)


def is_unproven(op_type: OpType, before: str, now: Reading) -> bool:
    """Whether the process looks as promised, while some of the proof is not shown.

    A role that is never probed shows no health; a process without an earlier LastRestartTime shows no restart.
    """
    is_up = now.service_status == STARTED and (now.answers or now.health == NOT_PROBED)
    if op_type is OpType.START_SERVICE:
        return is_up and not now.answers
    if op_type is OpType.RESTART_SERVICE:
        is_restarted = _was_restarted(before, now)
        return is_up and (not now.answers if is_restarted else not before)
    return False


def _was_restarted(before: str, now: Reading) -> bool:
    """Whether LastRestartTime changed from a reading that was known. Another format is no other time."""
    return before != now.last_restart and bool(before) and _format(before) == _format(now.last_restart)


_DIGITS: Final = str.maketrans("123456789", "000000000")


def _format(time: str) -> str:
    """``0000-00-00 00:00:00`` for every time that is written like that."""
    return time.translate(_DIGITS)


def verdicts(
    operation: Operation, readings: Mapping[str, Reading], seen: Observation, timing: Timing = TIMING
) -> dict[str, Verdict]:
    """What a look shows of the processes (Target.key) of an operation that are not judged yet."""
    is_reached = any(one.verdict not in (Verdict.NONE, Verdict.NOT_REACHED) for one in operation.parts.values())
    return {
        key: verdict(operation, key, readings.get(key), seen, timing, is_reached=is_reached)
        for key, part in operation.parts.items()
        if part.verdict is Verdict.NONE
    }


def verdict(
    operation: Operation,
    key: str,
    now: Reading | None,
    seen: Observation,
    timing: Timing = TIMING,
    *,
    is_reached: bool = False,
) -> Verdict:
    """What a look shows of one process of an operation; NONE while it cannot be told.

    ``is_reached``: the operation is known to have reached another process.

    ``now`` is its reading, None where it is not listed. What is seen counts for the time at which the look began.
    """
    part, at = operation.parts[key], seen.seen_at
    is_at_rest = seen.status == RUNNING or at >= operation.deadline + timing.busy
    is_late = at >= operation.deadline and is_at_rest
    may_act = at - operation.armed_at <= timing.ruled_out
    op_type, before = operation.op_type, part.before
    if now is None:
        return Verdict.FAILED if is_late and not may_act else Verdict.NONE
    # A stop goes on after its processes show stopped: the workflow that ends them has to end, too.
    if keeps_promise(op_type, before, now) and (is_at_rest or op_type is not OpType.STOP_SERVICE):
        return Verdict.VERIFIED
    if was_left_alone(op_type, before, now):
        is_over = op_type is not OpType.RESTART_SERVICE or operation.state is State.IN_DOUBT or is_late
        return Verdict.NOT_REACHED if is_at_rest and not may_act and (is_over or is_reached) else Verdict.NONE
    if not is_late or may_act:
        return Verdict.NONE
    return Verdict.UNVERIFIED if is_unproven(op_type, before, now) else Verdict.FAILED


#: Seconds that one process is given to be what was promised, beyond the waits between batches.
PATIENCE: Mapping[OpType, float] = {
    OpType.START_SERVICE: 600.0,
    OpType.STOP_SERVICE: 600.0,
    OpType.RESTART_SERVICE: 600.0,
    OpType.START_MONITOR: 300.0,
    OpType.STOP_MONITOR: 300.0,
}
#: Seconds of a stop's ``GraceDownTime`` that are waited for.
MAX_GRACE = 86_400.0
#: Seconds that one further batch of a rolling restart takes, beyond its wait.
BATCH_SECONDS = 60.0


def patience(action: Action, processes: int) -> float:
    """Seconds after which an operation that has not kept its promise has failed to."""
    seconds = PATIENCE[action.op_type]
    if action.stop_params is not None:
        seconds += min(action.stop_params.grace_down_time or 0, MAX_GRACE)
    if action.strategy is not None and action.strategy.rolling:
        seconds += max(0, action.strategy.batches(processes) - 1) * (action.strategy.time_wait + BATCH_SECONDS)
    return seconds

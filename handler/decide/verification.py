"""Verification: whether two looks at a process show what its OpType promises.

Pure: the readings before and after come in, a verdict goes out. A restart is seen by a changed ``LastRestartTime`` (two
readings compared with each other, since the API names no zone), the other operations are goals, seen by the state
itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handler.lib.wording import listed
from handler.model.observation import BUSY, NOT_PROBED, RUNNING, STARTED
from handler.model.operation import Operation, State
from handler.model.request import OpType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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


def was_carried_out(op_type: OpType, before: str, now: Reading) -> bool:
    """Whether the operation is seen to have reached the process.

    ``before`` is the LastRestartTime that was read before the operation.
    """
    if op_type is OpType.RESTART_SERVICE:
        return _was_restarted(before, now)
    if op_type is OpType.STOP_SERVICE:
        return now.is_stopped
    return is_satisfied(op_type, now)


def was_left_alone(op_type: OpType, before: str, now: Reading) -> bool:
    """Whether the process shows that the operation has not reached it.

    Where neither this nor :func:`was_carried_out` holds, nobody can tell.
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


def _format(time: str) -> str:
    """``0000-00-00 00:00:00`` for every time that is written like that."""
    return "".join("0" if letter.isdigit() else letter for letter in time)


@dataclass(frozen=True)
class Verdict:
    """What one look shows of an operation's processes.

    Each process, by :attr:`Target.key`, is in one of the first three lists.
    """

    kept: tuple[str, ...]
    #: Carried out, but the process is not (yet) what was promised.
    carried_out: tuple[str, ...]
    #: Nothing seen of the operation; a process that is no longer listed is here too.
    untouched: tuple[str, ...]
    #: Of the untouched, those that may have been reached all the same: they are not listed, or the proof is not shown.
    unclear: tuple[str, ...] = ()
    #: Of those that are not kept, the ones that are as promised as far as is shown (:func:`is_unproven`).
    unproven: tuple[str, ...] = ()

    @property
    def is_as_far_as_shown(self) -> bool:
        """Whether every process is as promised as far as is shown."""
        return not {*self.carried_out, *self.untouched} - {*self.unproven}

    @property
    def all_kept(self) -> bool:
        return not self.carried_out and not self.untouched

    def while_at_work(self) -> Verdict:
        """The same look, while the cluster's workflow goes on: what is kept is not final yet."""
        return replace(self, kept=(), carried_out=tuple(sorted((*self.carried_out, *self.kept))))

    @property
    def none_touched(self) -> bool:
        return not self.kept and not self.carried_out

    @property
    def total(self) -> int:
        return len(self.kept) + len(self.carried_out) + len(self.untouched)

    def describe(self, name_of: Callable[[str], str] = str) -> str:
        """``3 of 5 verified; not yet: HDFS/DataNode/172.16.0.5, …``, for people.

        ``name_of`` gives a process's name from its key.
        """
        waiting = [*self.carried_out, *self.untouched]
        text = f"{len(self.kept)} of {self.total} verified"
        if waiting:
            text += f"; not yet: {listed([name_of(key) for key in waiting], 3)}"
        return text


def judge(op_type: OpType, before: Mapping[str, str], now: Mapping[str, Reading]) -> Verdict:
    """Compare each target's reading from before with its reading ``now``.

    ``before`` holds the earlier LastRestartTime. Both are by :attr:`Target.key`.
    """
    kept, carried_out, untouched, unclear, unproven = [], [], [], [], []
    for key, last_restart in sorted(before.items()):
        reading = now.get(key)
        if reading is None:
            untouched.append(key)
            unclear.append(key)
        elif keeps_promise(op_type, last_restart, reading):
            kept.append(key)
        elif was_carried_out(op_type, last_restart, reading):
            carried_out.append(key)
        else:
            untouched.append(key)
            if not was_left_alone(op_type, last_restart, reading):
                unclear.append(key)
        if reading is not None and is_unproven(op_type, last_restart, reading):
            unproven.append(key)
    return Verdict(tuple(kept), tuple(carried_out), tuple(untouched), tuple(unclear), tuple(unproven))


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


#: A signed request is refused by the API 300 s after its timestamp: only later can one in doubt be ruled out. With a
#: margin for clocks.
SIGNATURE_SECONDS: Final = 420.0


#: Seconds past its deadline for which what the API took is waited for while the cluster carries out a workflow, which
#: may be this one.
BUSY_SECONDS: Final = 3600.0


def conclude(operation: Operation, verdict: Verdict | None, seen: Observation | None, now: float) -> tuple[State, str]:
    """Where an operation (ACCEPTED or IN_DOUBT) is, by what is seen of it now; and why. Pure."""
    is_at_rest = seen is not None and seen.status == RUNNING
    # A stop goes on after its processes show stopped: the workflow that ends them has to end, too.
    if verdict is not None and verdict.all_kept and (is_at_rest or operation.op_type is not OpType.STOP_SERVICE):
        return State.VERIFIED, "seen to have worked"
    if operation.state is State.IN_DOUBT and verdict is not None and seen is not None:
        is_ruled_out = verdict.none_touched and not verdict.unclear and is_at_rest
        if is_ruled_out and seen.seen_at - operation.armed_at > SIGNATURE_SECONDS:
            return State.NOT_SENT, "nothing changed, and the request's signature is no longer valid"
        # Of some processes it may have been the cluster's own daemon, or somebody else.
        if operation.op_type is OpType.RESTART_SERVICE and not verdict.untouched:
            return State.ACCEPTED, "carried out: every process restarted"
    may_yet_act = operation.state is State.IN_DOUBT and now - operation.armed_at <= SIGNATURE_SECONDS
    is_at_work = (
        operation.state is State.ACCEPTED
        and seen is not None
        and seen.status in BUSY
        and now < operation.deadline + BUSY_SECONDS
    )
    if now < operation.deadline or may_yet_act or is_at_work:
        return operation.state, ""
    if verdict is None:
        return State.TIMED_OUT, "its deadline passed, and the cluster could not be looked at"
    if operation.state is State.ACCEPTED and verdict.is_as_far_as_shown:
        return State.UNVERIFIED, "carried out as far as the API shows, but no health check proves that it worked"
    if verdict.none_touched:
        return State.TIMED_OUT, "its deadline passed, and nothing was seen of it"
    return State.FAILED, "carried out, but not every process is as it should be"

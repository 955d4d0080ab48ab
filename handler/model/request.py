"""What can be asked of a cluster: the request of ``StartStopServiceOrMonitor``.

The words are the API's own (EMR API 2019-01-03, StartStopServiceOrMonitor). Values are immutable and compare by
meaning; :meth:`Request.to_wire` is the only conversion to the API's JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handler.model.scope import OpScope


class OpType(str, Enum):
    """What to do. The values are the wire's strings."""

    START_SERVICE = "StartService"
    STOP_SERVICE = "StopService"
    RESTART_SERVICE = "RestartService"
    # The Chinese page is followed here (进入维护 / 退出维护); the English one reads the other way round.
    START_MONITOR = "StartMonitor"  # *leaves* maintenance: the processes are watched and pulled up again
    STOP_MONITOR = "StopMonitor"  # *enters* maintenance: dead processes stay dead

    def __str__(self) -> str:
        return self.value

    @property
    def in_words(self) -> str:
        """``the restart``: the operation as people call it."""
        return {
            OpType.START_SERVICE: "the start",
            OpType.STOP_SERVICE: "the stop",
            OpType.RESTART_SERVICE: "the restart",
            OpType.START_MONITOR: "leaving maintenance",
            OpType.STOP_MONITOR: "entering maintenance",
        }[self]


@dataclass(frozen=True)
class StrategyConfig:
    """How a restart goes through the processes.

    ``batch_size`` processes a time (1–99999), ``time_wait`` seconds between batches (0–300); ``skip_failed`` goes on
    where a batch fails, otherwise it blocks. ``args`` are further ``Key``/``Values`` of the command.
    """

    rolling: bool = True
    batch_size: int = 1
    time_wait: int = 30
    skip_failed: bool = False
    args: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """The API's ``StrategyConfig``."""
        wire: dict[str, Any] = {
            "RollingRestartSwitch": int(self.rolling),
            "BatchSize": self.batch_size,
            "TimeWait": self.time_wait,
            "DealOnFail": int(self.skip_failed),
        }
        if self.args:
            wire["Args"] = [{"Key": key, "Values": list(values)} for key, values in self.args]
        return wire

    def batches(self, processes: int) -> int:
        """How many batches ``processes`` take."""
        return -(-processes // self.batch_size) if self.rolling else min(processes, 1)


@dataclass(frozen=True)
class StopParams:
    """How a stop is carried out: policy, threads, and seconds of grace.

    The policy ``safe`` moves work away first.
    """

    policy: Literal["safe", "default"] | None = None
    thread_count: int | None = None
    grace_down_time: int | None = None

    def to_wire(self) -> dict[str, Any]:
        """The API's ``StopParams``; what is not set is not sent."""
        values = {
            "StopPolicy": self.policy,
            "ThreadCount": self.thread_count,
            "GraceDownTime": self.grace_down_time,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Action:
    """What is done, without where: requests that agree in this can be one request."""

    op_type: OpType
    strategy: StrategyConfig | None = None
    stop_params: StopParams | None = None
    keep_monitor: bool | None = None

    @cached_property
    def stable(self) -> str:
        """A text that is equal for equal actions, since all values are frozen.

        It is kept, since all requests of a rule share its action.
        """
        return repr(self)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Each reason why the API would not take it: the field that is wrong, and the problem.

        A restart needs a strategy, and any operation takes one: in the SDK it is the configuration of "重启/停止/启动服务/监控"
        (restarting, stopping, starting services, monitoring).
        """
        if self.op_type is OpType.RESTART_SERVICE and self.strategy is None:
            yield "strategy", "RestartService needs a strategy"
        if self.op_type is not OpType.STOP_SERVICE and self.stop_params is not None:
            yield "stop_params", f"only StopService takes them, not {self.op_type}"
        if self.op_type is not OpType.STOP_MONITOR and self.keep_monitor is not None:
            yield "keep_monitor", f"only StopMonitor takes it, not {self.op_type}"


class Request(NamedTuple):
    """One request of StartStopServiceOrMonitor."""

    instance_id: str
    action: Action
    scope: OpScope

    @property
    def op_type(self) -> OpType:
        return self.action.op_type

    def to_wire(self) -> dict[str, Any]:
        """Exactly what is sent."""
        wire: dict[str, Any] = {
            "InstanceId": self.instance_id,
            "OpType": self.op_type.value,
            "OpScope": self.scope.to_wire(),
        }
        if self.action.strategy is not None:
            wire["StrategyConfig"] = self.action.strategy.to_wire()
        if self.action.stop_params is not None:
            wire["StopParams"] = self.action.stop_params.to_wire()
        if self.action.keep_monitor is not None:
            wire["KeepMonitorButNotRecoverProcess"] = self.action.keep_monitor
        return wire

    def digest(self) -> str:
        """SHA-256 (hex) of the request's meaning.

        It is equal for requests that ask for the same, however they were written.
        """
        return digest_of(*self)


def digest_of(instance_id: str, action: Action, scope: OpScope) -> str:
    """:meth:`Request.digest`, of a request's parts."""
    import hashlib

    return hashlib.sha256(f"{instance_id}|{action.stable}|{scope.stable()}".encode()).hexdigest()

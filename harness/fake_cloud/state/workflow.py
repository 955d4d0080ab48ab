"""One accepted operation on its way through a cluster, batch by batch.

ServiceStatus shows what was asked for at once; health shows the result later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.fake_cloud.state.cluster import Cluster
    from harness.fake_cloud.state.process import Process

START, STOP, RESTART = "StartService", "StopService", "RestartService"
# StopMonitor *enters* maintenance (进入维护) and StartMonitor *leaves* it (退出维护).
ENTER_MAINTENANCE, LEAVE_MAINTENANCE = "StopMonitor", "StartMonitor"


@dataclass(frozen=True)
class ScopePart:
    """A part of a scope. No ``component`` means all components, no ``ips`` all nodes."""

    service: str
    component: str | None = None
    ips: tuple[str, ...] = ()


@dataclass(frozen=True)
class Strategy:
    """StrategyConfig. ``wait_seconds`` pass between the end of one batch and the next batch."""

    rolling: bool = False
    batch_size: int = 1
    wait_seconds: float = 0
    skip_failures: bool = False


@dataclass
class Operation:
    """An operation that the cloud carries out.

    ``failed`` grows while it runs; ``finished_at`` is set when it ends.
    """

    cluster: str
    op_type: str
    targets: tuple[Process, ...]
    at: float
    strategy: Strategy = field(default_factory=Strategy)
    request_id: str = ""
    secret_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    failed: list[Process] = field(default_factory=list)
    #: The processes that a blocked rolling restart did not reach.
    left_out: list[Process] = field(default_factory=list)
    finished_at: float | None = None

    @property
    def names(self) -> list[str]:
        """``HDFS/DataNode@172.16.0.5`` of each target, sorted."""
        return sorted(str(process) for process in self.targets)


class Workflow:
    """An operation that a cluster is busy with."""

    def __init__(self, cluster: Cluster, operation: Operation) -> None:
        self.operation = operation
        self._cluster = cluster
        self._timeline = cluster.timeline
        self._takes = cluster.transition_seconds
        self._waiting = list(operation.targets)
        self._batch: list[Process] = []

    def begin(self) -> None:
        """Make the changes that show at once, and plan the rest."""
        op_type, at = self.operation.op_type, self.operation.at
        if op_type == RESTART:
            self._restart_batch(at)
        elif op_type == START:
            for process in self._waiting:
                process.ask_to_start()
                if process.needs_start():
                    process.launch(at)
                    self._batch.append(process)
            self._timeline.at(at + self._takes, self._all_started)
        elif op_type == STOP:
            for process in self._waiting:
                process.ask_to_stop()
            self._timeline.at(at + self._takes, self._all_stopped)
        else:
            self._timeline.at(at + self._takes, self._maintenance_changed)

    def _restart_batch(self, at: float) -> None:
        strategy = self.operation.strategy
        size = strategy.batch_size if strategy.rolling else len(self._waiting)
        self._batch, self._waiting = self._waiting[:size], self._waiting[size:]
        for process in self._batch:
            process.ask_to_start()  # a restart starts what an operator stopped, too
            process.launch(at)
        self._timeline.at(at + self._takes, self._batch_restarted)

    def _batch_restarted(self, at: float) -> None:
        failed = [process for process in self._batch if not process.come_up(at)]
        self.operation.failed += failed
        strategy = self.operation.strategy
        if failed and not strategy.skip_failures:
            self.operation.left_out += self._waiting
            self._waiting = []
        if self._waiting:
            self._timeline.at(at + strategy.wait_seconds, self._restart_batch)
        else:
            self._finish(at)

    def _all_started(self, at: float) -> None:
        self.operation.failed += [process for process in self._batch if not process.come_up(at)]
        self._finish(at)

    def _all_stopped(self, at: float) -> None:
        for process in self._waiting:
            process.go_down()
        self._finish(at)

    def _maintenance_changed(self, at: float) -> None:
        for process in self._waiting:
            if self.operation.op_type == ENTER_MAINTENANCE:
                process.enter_maintenance()
            else:
                process.leave_maintenance(at)
        self._finish(at)

    def _finish(self, at: float) -> None:
        self.operation.finished_at = at
        self._cluster.workflow_ended()

"""One process of a cluster: what the API shows of it, and what is done to it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from harness.fake_cloud.state.codes import (
    GOOD,
    HEALTH_TEXT,
    MAINTENANCE,
    NOT_PROBED,
    STARTED,
    STOPPED,
    UNAVAILABLE,
    UNKNOWN,
    WATCHED,
)
from harness.fake_cloud.state.components import node_of

if TYPE_CHECKING:
    from harness.fake_cloud.state.cluster import Cluster

_UTC_PLUS_8: Final = 8 * 3600


def local_time(moment: float) -> str:
    """``2024-08-16 14:13:32``: the API's times name no zone and are China's, UTC+8."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment + _UTC_PLUS_8))


class Process:
    """A service's process on one node. Every change that is due is made before a value is read."""

    def __init__(self, cluster: Cluster, service: str, component: str, ip: str, restarted_at: float) -> None:
        """``restarted_at``: seconds since the epoch."""
        self.cluster = cluster
        self.service = service
        self.component = component
        self.ip = ip
        #: ``master``, ``core`` or ``common``.
        self.node = node_of(component)
        self.ha_state = ""
        self._timeline = cluster.timeline
        self._service_status = STARTED
        self._monitor_status = WATCHED
        self._health = GOOD
        self._restarted_at = restarted_at
        self._restarts = 0
        self._good = GOOD
        self._stays_down = False
        self._lives_for: float | None = None
        # Counts starts and ends, so that a death or recovery planned for an earlier life does nothing.
        self._life = 0

    def __str__(self) -> str:
        return f"{self.service}/{self.component}@{self.ip}"

    def __repr__(self) -> str:
        return f"<{self} {self.describe()}>"

    # -- what the API shows

    @property
    def service_status(self) -> int:
        with self._timeline.current():
            return self._service_status

    @property
    def monitor_status(self) -> int:
        with self._timeline.current():
            return self._monitor_status

    @property
    def health(self) -> int:
        """What EMR's prober shows of it.

        Of a machine that is down nobody knows (-2). In maintenance, and once an operator's stop is done, a process is
        not checked (-4). A stop takes its time: until then the probe is still answered.
        """
        with self._timeline.current():
            if self.ip in self.cluster.nodes_down:
                return UNKNOWN
            is_gone = self._service_status == STOPPED and self._health == UNAVAILABLE
            return NOT_PROBED if is_gone or self._monitor_status == MAINTENANCE else self._health

    @property
    def last_restart(self) -> str:
        """``LastRestartTime``: to the second, no zone."""
        with self._timeline.current():
            return local_time(self._restarted_at)

    @property
    def restarts(self) -> int:
        """How often it was started or restarted since the cluster was made, also by the daemon."""
        with self._timeline.current():
            return self._restarts

    @property
    def is_running(self) -> bool:
        """Whether it is started, and its probes see nothing against it."""
        with self._timeline.current():
            return self._service_status == STARTED and self._health in (GOOD, NOT_PROBED)

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped, and is down."""
        with self._timeline.current():
            return self._service_status == STOPPED and self._health == UNAVAILABLE

    @property
    def in_maintenance(self) -> bool:
        with self._timeline.current():
            return self._monitor_status == MAINTENANCE

    def describe(self) -> str:
        """Its state in one line, for a failed assertion."""
        with self._timeline.current():
            return (
                f"ServiceStatus {self._service_status}, MonitorStatus {self._monitor_status}, health {self.health}, "
                f"{self._restarts} restarts"
            )

    # -- for tests

    def kill(self) -> None:
        """Let it die by itself: its health is 0, and ServiceStatus stays started."""
        with self._timeline.current() as now:
            self._die(now)

    def recover(self) -> None:
        """Let it recover by itself, without a restart."""
        with self._timeline.current():
            self._life += 1
            self._health = self._good

    def stop_by_operator(self) -> None:
        """Stop it as an operator does in the console."""
        with self._timeline.current():
            self.ask_to_stop()
            self.go_down()

    def put_in_maintenance(self) -> None:
        """Put it into maintenance as an operator does; it runs on."""
        with self._timeline.current():
            self.enter_maintenance()

    def take_out_of_maintenance(self) -> None:
        """End its maintenance as an operator does."""
        with self._timeline.current() as now:
            self.leave_maintenance(now)

    def refuse_to_recover(self, refuses: bool = True) -> None:
        """Let every start and restart fail; ``False`` fixes it, and the next start works."""
        with self._timeline.current():
            self._stays_down = refuses

    def die_after_start(self, seconds: float | None) -> None:
        """Let it die ``seconds`` after each start from now on; ``None`` ends that."""
        with self._timeline.current():
            self._lives_for = seconds

    def report(self, health: int) -> None:
        """Let the probes show ``health`` from now on. Raises ValueError for an unknown code."""
        if health not in HEALTH_TEXT:
            raise ValueError(f"{health} is not one of {sorted(HEALTH_TEXT)}")
        with self._timeline.current():
            self._life += 1
            self._health = health

    def never_probed(self) -> None:
        """Show -4, not probed, whenever it runs."""
        with self._timeline.current():
            self._good = NOT_PROBED
            if self._health == GOOD:
                self._health = NOT_PROBED

    # -- for workflows and the daemon; the caller holds the timeline

    def ask_to_start(self) -> None:
        self._service_status = STARTED

    def ask_to_stop(self) -> None:
        self._service_status = STOPPED

    def needs_start(self) -> bool:
        """Whether StartService has to launch it."""
        return self._health not in (GOOD, NOT_PROBED)

    def go_down(self) -> None:
        """End the process, as asked for."""
        self._life += 1
        self._health = UNAVAILABLE

    def launch(self, at: float) -> None:
        """Begin a start at ``at``, which LastRestartTime shows. It is down until :meth:`come_up`."""
        self.go_down()
        self._restarted_at = at
        self._restarts += 1

    def come_up(self, at: float) -> bool:
        """End a start. Answers whether the process runs."""
        self._life += 1
        if self._stays_down or self.ip in self.cluster.nodes_down:
            return False
        self._health = self._good
        if self._lives_for is not None:
            life = self._life
            self._timeline.at(at + self._lives_for, lambda then: self._die(then) if self._life == life else None)
        return True

    def enter_maintenance(self) -> None:
        self._monitor_status = MAINTENANCE

    def leave_maintenance(self, at: float) -> None:
        self._monitor_status = WATCHED
        self._await_daemon(at)

    # -- by itself

    def _die(self, at: float) -> None:
        self._life += 1
        self._health = UNAVAILABLE
        self._await_daemon(at)

    def _await_daemon(self, at: float) -> None:
        """Let EMR's own daemon restart it, if the cluster has one switched on.

        The daemon restarts what should run, is dead, and is not in maintenance.
        """
        delay = self.cluster.daemon_seconds
        if delay is None or self._health != UNAVAILABLE:
            return
        life = self._life

        def restart(then: float) -> None:
            if self._life == life and self._service_status == STARTED and self._monitor_status == WATCHED:
                self.launch(then)
                self.come_up(then)

        self._timeline.at(at + delay, restart)

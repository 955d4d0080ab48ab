"""One process of a cluster, as a test may harm it and as a workflow moves it.

Source of the numbers: DescribeServiceNodeInfos (EMR API 2019-01-03).
"""

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
    """A service's process on one node. Reading it makes whatever is due first."""

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
        # Rises with every change of life, so that a planned death or recovery that was overtaken does nothing.
        self._life = 0

    def __str__(self) -> str:
        return f"{self.service}/{self.component}@{self.ip}"

    def __repr__(self) -> str:
        return f"<{self} {self.describe()}>"

    # -- what is seen

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
        with self._timeline.current():
            return self._health

    @property
    def last_restart(self) -> str:
        """``LastRestartTime``: to the second, no zone."""
        with self._timeline.current():
            return local_time(self._restarted_at)

    @property
    def restarts(self) -> int:
        """How often anything (re)started it since the cluster was made: the daemon counts too."""
        with self._timeline.current():
            return self._restarts

    @property
    def is_running(self) -> bool:
        """Started, and up as far as its probes can tell."""
        with self._timeline.current():
            return self._service_status == STARTED and self._health in (GOOD, NOT_PROBED)

    @property
    def is_stopped(self) -> bool:
        """Asked to stop, and down."""
        with self._timeline.current():
            return self._service_status == STOPPED and self._health == UNAVAILABLE

    @property
    def in_maintenance(self) -> bool:
        with self._timeline.current():
            return self._monitor_status == MAINTENANCE

    def describe(self) -> str:
        """Its state in a line, for a failed assertion."""
        with self._timeline.current():
            return (
                f"ServiceStatus {self._service_status}, MonitorStatus {self._monitor_status}, health {self._health}, "
                f"{self._restarts} restarts"
            )

    # -- what a test does to it

    def kill(self) -> None:
        """It dies by itself: health 0, while what was asked for stays *started*."""
        with self._timeline.current() as now:
            self._die(now)

    def recover(self) -> None:
        """It comes back by itself, nobody having restarted it."""
        with self._timeline.current():
            self._life += 1
            self._health = self._good

    def stop_by_operator(self) -> None:
        """Somebody stopped it in the console: it shows stopped."""
        with self._timeline.current():
            self.ask_to_stop()
            self.go_down()

    def put_in_maintenance(self) -> None:
        """Somebody put it into maintenance; what it does goes on."""
        with self._timeline.current():
            self.enter_maintenance()

    def take_out_of_maintenance(self) -> None:
        """Somebody ended its maintenance."""
        with self._timeline.current() as now:
            self.leave_maintenance(now)

    def refuse_to_recover(self, refuses: bool = True) -> None:
        """No start or restart gets it up any more; ``False`` mends it, and the next start works."""
        with self._timeline.current():
            self._stays_down = refuses

    def die_after_start(self, seconds: float | None) -> None:
        """Each start from now on gets it up and lasts ``seconds``; ``None`` ends that."""
        with self._timeline.current():
            self._lives_for = seconds

    def report(self, health: int) -> None:
        """The probes say ``health`` from now until something changes it. Raises ValueError where it is no such code."""
        if health not in HEALTH_TEXT:
            raise ValueError(f"{health} is not one of {sorted(HEALTH_TEXT)}")
        with self._timeline.current():
            self._life += 1
            self._health = health

    def never_probed(self) -> None:
        """No probe looks at it: -4 whenever it runs."""
        with self._timeline.current():
            self._good = NOT_PROBED
            if self._health == GOOD:
                self._health = NOT_PROBED

    # -- what a workflow or the daemon does to it; the caller holds the timeline

    def ask_to_start(self) -> None:
        self._service_status = STARTED

    def ask_to_stop(self) -> None:
        self._service_status = STOPPED

    def needs_start(self) -> bool:
        """Whether StartService has anything to do here."""
        return self._health not in (GOOD, NOT_PROBED)

    def go_down(self) -> None:
        """The process ends, on request."""
        self._life += 1
        self._health = UNAVAILABLE

    def launch(self, at: float) -> None:
        """The process is started: down until :meth:`come_up`, and LastRestartTime is ``at``."""
        self.go_down()
        self._restarted_at = at
        self._restarts += 1

    def come_up(self, at: float) -> bool:
        """The start has had its time. False where it did not help."""
        self._life += 1
        if self._stays_down:
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
        """EMR's own daemon pulls up what should run, is dead, and is not in maintenance; where it is switched on."""
        delay = self.cluster.daemon_seconds
        if delay is None or self._health != UNAVAILABLE:
            return
        life = self._life

        def pull_up(then: float) -> None:
            if self._life == life and self._service_status == STARTED and self._monitor_status == WATCHED:
                self.launch(then)
                self.come_up(then)

        self._timeline.at(at + delay, pull_up)

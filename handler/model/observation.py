"""What a cluster is seen to be, and which of its processes a scope means.

The numbers are those of DescribeInstances and DescribeServiceNodeInfos (EMR API 2019-01-03). Where a page leaves one
open, the comment says so, and the conservative reading is assumed.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from handler.lib.wording import listed
from handler.model.components import component_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handler.model.scope import OpScope, Target

#: DescribeInstances ``Status``: the one value at which the cluster takes an operation (assumed: nothing else is
#: documented to).
RUNNING: Final = 2
#: A workflow is running and will end.
BUSY: Final[Mapping[int, str]] = {
    3: "being created",
    4: "scaling out",
    5: "adding router nodes",
    6: "installing components",
    7: "executing commands",
    8: "restarting a service",
    9: "entering maintenance",
    10: "pausing a service",
    11: "leaving maintenance",
    12: "resuming a service",
    13: "distributing configuration",
    22: "waiting for a change of configuration",
    24: "scaling in",
}
#: Going, gone, or never come.
GONE: Final[Mapping[int, str]] = {
    14: "being destroyed",
    15: "destroying core nodes",
    16: "destroying task nodes",
    17: "destroying router nodes",
    18: "changing the web proxy's password",
    19: "being isolated",
    20: "being reversed",
    21: "being reclaimed",
    23: "isolated",
    33: "waiting for its refund",
    34: "refunded",
    301: "failed to be created",
    302: "failed to scale out",
}

STARTED, STOPPED = 1, 2  # ServiceStatus: what was last asked for (2 mirrors the filter OperatorStateId: assumed)
WATCHED, MAINTENANCE = 1, 2  # MonitorStatus (2 mirrors the filter MaintainStateId: assumed)
UNSTATED = 0  # a status that the answer lacks
GOOD, UNAVAILABLE, UNKNOWN, AT_RISK, NOT_PROBED = 1, 0, -2, -3, -4  # HealthStatus.Code: what probes see
HEALTH: Final[Mapping[int, str]] = {
    GOOD: "good",
    UNAVAILABLE: "unavailable",
    UNKNOWN: "unknown",
    AT_RISK: "at risk",
    NOT_PROBED: "not checked",
}

#: How many names are listed of what there is, where a scope names something else.
MAX_NAMES_LISTED: Final = 12


class Reading(NamedTuple):
    """One process as it is seen now.

    ``health`` is a HealthStatus code; ``last_restart`` the API's ``LastRestartTime``, which names no zone: it is
    compared with another reading only, never with a clock.
    """

    target: Target
    service_status: int
    monitor_status: int
    health: int
    last_restart: str

    @classmethod
    def unseen(cls, target: Target) -> Reading:
        """Of a process that was not looked at: nothing is known but its name."""
        return cls(target, UNSTATED, UNSTATED, UNKNOWN, "")

    @property
    def is_stopped(self) -> bool:
        """Somebody stopped it.

        It shows stopped, where a dead process shows started and unavailable (assumed).
        """
        return self.service_status == STOPPED

    @property
    def in_maintenance(self) -> bool:
        return self.monitor_status == MAINTENANCE

    @property
    def is_watched(self) -> bool:
        """Known not to be in maintenance.

        A MonitorStatus that is missing or new does not say so.
        """
        return self.monitor_status == WATCHED

    @property
    def answers(self) -> bool:
        """Its port probe is answered, be it slowly."""
        return self.health in (GOOD, AT_RISK)

    @property
    def is_unavailable(self) -> bool:
        """It should run, and its probe is not answered.

        This is the one state that is a reason for a remediation.
        """
        return self.service_status == STARTED and self.health == UNAVAILABLE

    @property
    def is_up(self) -> bool:
        """It should run, and its probe is answered."""
        return self.service_status == STARTED and self.answers

    @property
    def is_gone(self) -> bool:
        """Somebody stopped it, and its probe is no longer answered.

        Most stopped processes are not checked.
        """
        return self.is_stopped and self.health in (UNAVAILABLE, NOT_PROBED)

    @property
    def may_serve(self) -> bool:
        """Taking it away may be felt: it is not known to be down."""
        return not (self.is_unavailable or self.is_gone)

    @property
    def surely_serves(self) -> bool:
        """It can be counted upon while another is away. What no probe covers is no promise."""
        return self.is_up

    def describe(self) -> str:
        """``started, health unavailable, last restart 2024-08-16 14:13:32``."""
        state = {STARTED: "started", STOPPED: "stopped"}.get(self.service_status, f"status {self.service_status}")
        watch = ", in maintenance" if self.in_maintenance else "" if self.is_watched else ", maintenance unknown"
        health = HEALTH.get(self.health, f"code {self.health}")
        return f"{state}{watch}, health {health}, last restart {self.last_restart or 'unknown'}"


class UnknownPart(Exception):
    """The scope names a service, component or node that the cluster does not have.

    ``problem`` names what the cluster has instead.
    """

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


@dataclass(frozen=True)
class Observation:
    """One cluster, seen at one time: its status and its processes.

    The processes are those of the services that were asked for.
    """

    cluster: str
    status: int
    #: By service name, upper case. A service that the cluster does not have is there with no readings.
    services: Mapping[str, tuple[Reading, ...]]
    #: Seconds since the epoch at which the looking began.
    seen_at: float
    #: By service name: why a service that was asked for is not among them.
    unseen: Mapping[str, str] = field(default_factory=dict)

    def status_text(self) -> str:
        """The cluster's status in words."""
        if self.status == RUNNING:
            return "running"
        return BUSY.get(self.status) or GONE.get(self.status) or f"in status {self.status}"

    @cached_property
    def _by_target(self) -> dict[Target, tuple[str, Reading]]:
        """Each reading with its target's key."""
        return {
            reading.target: (reading.target.key, reading) for readings in self.services.values() for reading in readings
        }

    @cached_property
    def _by_component(self) -> dict[tuple[str, str], dict[str, Reading]]:
        """The readings of a service's component, by address."""
        index: dict[tuple[str, str], dict[str, Reading]] = {}
        for service, readings in self.services.items():
            for reading in readings:
                index.setdefault((service, component_key(reading.target.component)), {})[reading.target.ip] = reading
        return index

    def component(self, service: str, component: str) -> dict[str, Reading]:
        """All processes of one component, by address."""
        return self._by_component.get((service.upper(), component_key(component)), {})

    def resolve(self, scope: OpScope) -> dict[str, Reading]:
        """The processes that ``scope`` means, by :attr:`Target.key`.

        Raises UnknownPart where any of its parts does not exist: a scope that is partly wrong is a mistake.
        """
        if targets := scope.targets:  # each by its name, mostly spelled as the cluster spells it
            with suppress(KeyError):
                return dict([self._by_target[target] for target in targets])
        return {
            reading.target.key: reading
            for service, component, ip in scope
            for reading in self._matching(service, component, ip)
        }

    def _matching(self, service: str, component: str | None, ip: str | None) -> tuple[Reading, ...]:
        readings = self.services.get(service, ())
        if not readings:
            raise UnknownPart(f"service {service}: {self.cluster} shows no process of it")
        if component is None:
            return readings
        of_component = self._by_component.get((service, component_key(component)))
        if not of_component:
            names = sorted({reading.target.component for reading in readings})
            raise UnknownPart(f"component {component}: {service} has {listed(names, MAX_NAMES_LISTED)}")
        if ip is None:
            return tuple(of_component.values())
        at = of_component.get(ip)
        if at is None:
            raise UnknownPart(f"address {ip}: {component} runs on {listed(sorted(of_component), MAX_NAMES_LISTED)}")
        return (at,)


def read(services: Mapping[str, tuple[Reading, ...]], keys: Iterable[str]) -> dict[str, Reading]:
    """The readings of these targets (:attr:`Target.key`) that are there."""
    wanted = set(keys)
    return {
        key: reading for readings in services.values() for reading in readings if (key := reading.target.key) in wanted
    }

"""One cluster: its processes, its workflow, and which operations it accepts.

Refusals follow StartStopServiceOrMonitor's list of error codes. Where no page documents the code of a mistake, the
nearest one is assumed.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from harness.fake_cloud.errors import ApiError
from harness.fake_cloud.state.codes import FAILED, RUNNING, STATUS_DURING
from harness.fake_cloud.state.components import ACTIVE_AND_STANDBY, ROLLING_ONLY
from harness.fake_cloud.state.process import Process
from harness.fake_cloud.state.workflow import RESTART, Operation, ScopePart, Workflow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.fake_cloud.state.timeline import Timeline

#: Live identifiers have eight characters.
IDENTIFIER: Final = re.compile(r"emr-[a-z0-9]{8}")


class Cluster:
    """A cluster and its processes. Every change that is due is made before a value is read."""

    def __init__(
        self,
        timeline: Timeline,
        identifier: str,
        services: Mapping[str, Mapping[str, Sequence[str]]],
        *,
        name: str,
        region: str,
        project_id: int,
        uin: str,
        transition_seconds: float,
    ) -> None:
        self.timeline = timeline
        self.id = identifier
        self.name = name
        self.region = region
        self.project_id = project_id
        #: The account that it belongs to.
        self.uin = uin
        #: Seconds that a start, a stop, a restart of one batch, or a change of maintenance takes.
        self.transition_seconds = transition_seconds
        #: Seconds after which EMR's own daemon restarts a dead process; ``None``: never.
        self.daemon_seconds: float | None = None
        #: Services that StartStopServiceOrMonitor does not support.
        self.unsupported: set[str] = set()
        #: Addresses of the machines that are down.
        self.nodes_down: set[str] = set()
        self.created_at = timeline.clock.now() - 90 * 86400
        self._status = RUNNING
        self._workflow: Workflow | None = None
        self._processes = list(self._made(services))

    def _made(self, services: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterable[Process]:
        restarted_at = self.created_at + 3600
        for service, components in services.items():
            for component, ips in components.items():
                for position, ip in enumerate(ips):
                    restarted_at += 7  # no two are equal, so that a test notices swapped readings
                    process = Process(self, service, component, ip, restarted_at)
                    if component in ACTIVE_AND_STANDBY:
                        process.ha_state = "standby" if position else "active"
                    yield process

    def __str__(self) -> str:
        return f"{self.id} ({self.name}, {self.region})"

    # -- what the API shows

    @property
    def status(self) -> int:
        """``Status`` of DescribeInstances: 2 is running."""
        with self.timeline.current():
            return self._status

    @status.setter
    def status(self, status: int) -> None:
        """Set it, as another workflow would, or the end of the cluster. Only 2 accepts operations."""
        with self.timeline.current():
            self._status = status

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(process.service for process in self._processes))

    def processes(self, service: str | None = None, component: str | None = None) -> tuple[Process, ...]:
        """Those of a service and a component, or all."""
        return tuple(
            process
            for process in self._processes
            if service in (None, process.service) and component in (None, process.component)
        )

    # -- operations; the caller holds the timeline

    def take_node_down(self, ip: str) -> None:
        """The machine stops: its processes are dead, and their health is unknown, until it is back."""
        with self.timeline.current():
            for process in self._processes:
                if process.ip == ip:
                    process.kill()
            self.nodes_down.add(ip)

    def bring_node_up(self, ip: str) -> None:
        """The machine is back. Its processes are dead until somebody, or EMR's daemon, starts them."""
        with self.timeline.current():
            self.nodes_down.discard(ip)
            for process in self._processes:
                if process.ip == ip:
                    process.kill()

    def begin(self, operation: Operation) -> None:
        """Carry ``operation`` out, or raise the API's error."""
        if self._status in FAILED:
            raise ApiError("FailedOperation", f"Cluster {self.id} is in status {self._status}.")
        if self._workflow or self._status != RUNNING:
            raise ApiError("ResourceInUse.InstanceInProcess", f"Cluster {self.id} is in status {self._status}.")
        if operation.op_type == RESTART and not operation.strategy.rolling:
            refused = sorted({process.component for process in operation.targets} & ROLLING_ONLY)
            if refused:
                raise ApiError(
                    "InvalidParameter.RestartServiceUnsupported", f"{', '.join(refused)}: rolling restart only."
                )
        self._status = STATUS_DURING[operation.op_type]
        self._workflow = Workflow(self, operation)
        self._workflow.begin()

    def workflow_ended(self) -> None:
        self._workflow = None
        self._status = RUNNING

    def resolve(self, scope: Iterable[ScopePart]) -> tuple[Process, ...]:
        """The processes that ``scope`` means, each once."""
        return tuple(dict.fromkeys(process for part in scope for process in self._resolve(part)))

    def _resolve(self, part: ScopePart) -> tuple[Process, ...]:
        of_service = self.processes(part.service)
        if not of_service:
            raise ApiError("InvalidParameter.InvalidServiceName", f"{self.id} has no service {part.service!r}.")
        if part.service in self.unsupported:
            raise ApiError("UnsupportedOperation.ServiceNotSupport", f"{part.service} does not support this operation.")
        if part.component is None:
            return of_service
        of_component = self.processes(part.service, part.component)
        if not of_component:
            raise ApiError(
                "ResourceNotFound.ServiceNodeNotFound", f"{part.service} of {self.id} has no {part.component!r}."
            )
        # An empty list means all nodes, as an absent one does.
        if not part.ips:
            return of_component
        return tuple(process for ip in part.ips for process in _on_node(of_component, ip))


def _on_node(processes: tuple[Process, ...], ip: str) -> list[Process]:
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        raise ApiError("InvalidParameter.InvalidIpList", f"{ip!r} is not an address.") from None
    found = [process for process in processes if process.ip == ip]
    if not found:
        raise ApiError("InvalidParameter.InvalidIpList", f"{processes[0].component} does not run on {ip}.")
    return found

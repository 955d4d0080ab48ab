"""The cloud: its clusters, its callers, and a record of every request."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from harness.fake_cloud.errors import ApiError
from harness.fake_cloud.state.cluster import IDENTIFIER, Cluster
from harness.fake_cloud.state.codes import GOING
from harness.fake_cloud.state.timeline import Timeline
from harness.fake_cloud.state.workflow import Operation, Strategy
from harness.fake_cloud.sts import HOME_UIN, Role, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from harness.clock import Clock
    from harness.fake_cloud.state.process import Process
    from harness.fake_cloud.state.workflow import ScopePart

#: The key pair that every new cloud knows.
SECRET_ID: Final = "AKIDEXAMPLE"  # noqa: S105 - known to the fake alone
SECRET_KEY: Final = "secret-key-example"  # noqa: S105 - known to the fake alone

#: Regions and their numbers (``RegionId``).
REGIONS: Final[Mapping[str, int]] = {
    "ap-guangzhou": 1,
    "ap-shanghai": 4,
    "ap-hongkong": 5,
    "ap-beijing": 8,
    "ap-singapore": 9,
    "ap-chengdu": 16,
    "ap-chongqing": 19,
    "eu-frankfurt": 17,
    "na-siliconvalley": 15,
    "na-ashburn": 22,
}


@dataclass(frozen=True)
class Request:
    """One request that reached the API. ``error`` is the code of its refusal, if any."""

    action: str
    params: Mapping[str, Any]
    secret_id: str
    region: str
    at: float
    request_id: str
    error: str | None = None


@dataclass(frozen=True)
class PutEvent:
    """One event that EventBridge accepted."""

    bus: str
    event: Mapping[str, Any]
    at: float


@dataclass
class Cloud:
    """A whole fake cloud. Thread-safe: :meth:`current` holds the one lock."""

    clock: Clock
    #: The :attr:`Cluster.transition_seconds` of clusters that are added.
    transition_seconds: float = 3.0
    #: What ``Offset`` counts. EMR's pages document page numbers; elsewhere in API 3.0 it is items. A client must cope with both.
    offset_is: Literal["item", "page"] = "page"
    #: Requests of each action that are accepted in a second; ``None`` is no limit. 20 is documented.
    requests_per_second: int | None = None
    #: Secret key and session token (``None`` for a permanent key) by secret id.
    credentials: dict[str, tuple[str, str | None]] = field(default_factory=lambda: {SECRET_ID: (SECRET_KEY, None)})
    #: (secret id, action) that the caller's CAM policy does not allow.
    denied: set[tuple[str, str]] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    put_events: list[PutEvent] = field(default_factory=list)
    #: By ARN.
    roles: dict[str, Role] = field(default_factory=dict)
    #: By temporary secret id. Expired ones stay.
    sessions: dict[str, Session] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._timeline = Timeline(self.clock)
        self._clusters: dict[str, Cluster] = {}

    def current(self) -> AbstractContextManager[float]:
        """Hold the lock, with every change made that is due. Gives the present time."""
        return self._timeline.current()

    # -- for tests

    def add_cluster(
        self,
        identifier: str,
        services: Mapping[str, Mapping[str, Sequence[str]]],
        *,
        name: str = "",
        region: str = "ap-guangzhou",
        project_id: int = 0,
        uin: str = HOME_UIN,
        transition_seconds: float | None = None,
    ) -> Cluster:
        """Add a running cluster of healthy processes.

        ``services`` maps a service to its components, and each component to its addresses. ``uin`` is the owner's account.
        """
        with self.current():
            cluster = Cluster(
                self._timeline,
                identifier,
                services,
                name=name or identifier,
                region=region,
                project_id=project_id,
                uin=uin,
                transition_seconds=self.transition_seconds if transition_seconds is None else transition_seconds,
            )
            self._clusters[identifier] = cluster
            return cluster

    def remove_cluster(self, identifier: str) -> None:
        """Destroy a cluster: the API does not find it any more."""
        with self.current():
            del self._clusters[identifier]

    def clusters(self, region: str | None = None) -> tuple[Cluster, ...]:
        """All clusters, or those of a region, in the order in which they were added."""
        with self.current():
            return tuple(cluster for cluster in self._clusters.values() if region in (None, cluster.region))

    def cluster(self, identifier: str) -> Cluster:
        """The cluster of that id. Raises KeyError if there is none."""
        return self._clusters[identifier]

    def process(self, cluster: str, component: str, ip: str) -> Process:
        """One process. Raises KeyError if there is none, naming those that there are."""
        there = self.cluster(cluster).processes()
        for process in there:
            if process.component == component and process.ip == ip:
                return process
        raise KeyError(f"{component}@{ip}: {cluster} has {', '.join(map(str, there))}")

    def requests_for(self, action: str) -> list[Request]:
        """All requests of one action, including refused ones."""
        with self.current():
            return [request for request in self.requests if request.action == action]

    # -- for the wire

    def uin_of(self, secret_id: str) -> str:
        """The account as which a key acts."""
        session = self.sessions.get(secret_id)
        return session.role.uin if session else HOME_UIN

    def assume(self, arn: str, secret_id: str, seconds: int) -> Session:
        """AssumeRole: make a key that is valid for ``seconds``. Raises ApiError if refused."""
        with self.current() as now:
            role = self.roles.get(arn)
            if role is None:
                raise ApiError("ResourceNotFound.RoleNotFound", f"{arn} does not exist.")
            if self.uin_of(secret_id) not in role.trusts:
                raise ApiError("UnauthorizedOperation", f"{arn} may not be assumed by {self.uin_of(secret_id)}.")
            if seconds > role.max_seconds:
                raise ApiError(
                    "InvalidParameter.OverTimeError", f"{arn} may be assumed for {role.max_seconds} seconds."
                )
            number = len(self.sessions) + 1
            session = Session(
                role, f"AKIDTMP{number:04d}", secrets.token_hex(20), f"token-{secrets.token_hex(40)}", now + seconds
            )
            self.sessions[session.secret_id] = session
            self.credentials[session.secret_id] = (session.secret_key, session.token)
            return session

    def find(self, identifier: str, region: str, uin: str = HOME_UIN) -> Cluster:
        """The cluster of account ``uin`` in ``region``. Raises ApiError if there is none."""
        if not IDENTIFIER.fullmatch(identifier):
            raise ApiError("InvalidParameter.InvalidInstanceName", f"{identifier!r} is not the name of a cluster.")
        cluster = self._clusters.get(identifier)
        if cluster is None or cluster.region != region or cluster.uin != uin or cluster.status in GOING:
            raise ApiError("ResourceNotFound.InstanceNotFound", f"{identifier} is not found in {region}.")
        return cluster

    def authorize(self, secret_id: str, action: str) -> None:
        """Raises CheckCamAuth if the caller lacks the right, TokenFailure if its key has expired."""
        session = self.sessions.get(secret_id)
        if session is not None:
            with self.current() as now:
                if now >= session.until:
                    raise ApiError("AuthFailure.TokenFailure")
        if (secret_id, action) in self.denied or (session is not None and action in session.role.denied):
            raise ApiError("UnauthorizedOperation.CheckCamAuth", f"{secret_id} has no permission for {action}.")

    def throttle(self, action: str) -> None:
        """Raises RequestLimitExceeded if this second's limit of ``action`` is reached."""
        if self.requests_per_second is None:
            return
        with self.current() as now:
            recent = sum(1 for request in self._recent(now) if request.action == action)
            if recent >= self.requests_per_second:
                raise ApiError("RequestLimitExceeded")

    def _recent(self, now: float) -> Iterator[Request]:
        for request in reversed(self.requests):
            if request.at <= now - 1:
                return
            yield request

    def start_stop(
        self,
        identifier: str,
        op_type: str,
        scope: Iterable[ScopePart],
        strategy: Strategy | None = None,
        *,
        region: str,
        request_id: str = "",
        secret_id: str = "",
        params: Mapping[str, Any] | None = None,
    ) -> Operation:
        """StartStopServiceOrMonitor: begin the operation, or raise the API's error.

        The same request sent twice acts twice.
        """
        with self.current() as now:
            cluster = self.find(identifier, region, self.uin_of(secret_id))
            operation = Operation(
                cluster=identifier,
                op_type=op_type,
                targets=cluster.resolve(scope),
                at=now,
                strategy=strategy or Strategy(),
                request_id=request_id,
                secret_id=secret_id,
                params=params or {},
            )
            cluster.begin(operation)
            self.operations.append(operation)
            return operation

    def put(self, bus: str, events: Iterable[Mapping[str, Any]]) -> None:
        """EventBridge's PutEvents."""
        with self.current() as now:
            self.put_events.extend(PutEvent(bus, event, now) for event in events)

    def record(self, request: Request) -> None:
        """Record a request and its result."""
        with self.current():
            self.requests.append(request)

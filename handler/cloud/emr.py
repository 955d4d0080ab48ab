"""The gateway to the EMR API (2019-01-03): it looks, and it acts.

Looking is DescribeInstances and DescribeServiceNodeInfos, acting is StartStopServiceOrMonitor; how a call is made, and
what its failures mean, is ``handler/cloud/client.py``'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

from typing_extensions import NotRequired, TypedDict

from handler.cloud.client import Product
from handler.errors import AnswerLost, InvalidInput, NotAuthenticated, NotFound, ObservationIncomplete
from handler.lib.validation import Bound, Schema
from handler.model.observation import UNKNOWN, UNSTATED, Reading
from handler.model.scope import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from handler.cloud.account import Credentials, Endpoint
    from handler.cloud.client import CloudApi
    from handler.lib.clock import Deadline
    from handler.model.policy import Cluster
    from handler.model.request import Request

VERSION: Final = "2019-01-03"
PAGE: Final = 100  # the largest that the pages document


class Gateway(Protocol):
    """The part of the EMR API that the pipeline uses."""

    @property
    def clock_skew(self) -> float | None:
        """Seconds by which our clock is ahead of the API's, by its newest answer.

        It is None before there is an answer.
        """

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        """The cluster's status code. Raises ApiError (NotFound where there is no such cluster)."""

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        """All processes of a service; none where the cluster does not have it.

        Raises ApiError, ObservationIncomplete.
        """

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        """Send the request once, and not after the deadline; returns the API's RequestId.

        Raises NotCarriedOut or MaybeCarriedOut.
        """


# -- the shapes of the answers: what is read of them, no more


class HealthWire(TypedDict):
    """``HealthStatus``."""

    Code: NotRequired[int | None]


class ProcessWire(TypedDict):
    """``ServiceNodeDetailInfo``."""

    Ip: str
    NodeName: str
    ServiceStatus: int
    MonitorStatus: NotRequired[int | None]
    LastRestartTime: NotRequired[str | None]
    HealthStatus: NotRequired[HealthWire | None]


class ProcessesWire(TypedDict):
    """The answer of DescribeServiceNodeInfos."""

    TotalCnt: Annotated[int, Bound(ge=0)]
    ServiceNodeList: NotRequired[list[ProcessWire] | None]


class ClusterWire(TypedDict):
    """``ClusterInstancesInfo``."""

    ClusterId: str
    Status: int


class ClustersWire(TypedDict):
    """The answer of DescribeInstances."""

    ClusterList: NotRequired[list[ClusterWire] | None]


PROCESSES: Final = Schema(ProcessesWire)
CLUSTERS: Final = Schema(ClustersWire)


class EmrGateway:
    """The EMR API at one endpoint.

    ``credentials`` gives the key for a cluster, which may belong to another account, and raises NotCarriedOut where
    there is none; ``on_refused`` is called with a cluster whose key the API did not accept.
    """

    def __init__(
        self,
        api: CloudApi,
        endpoint: Endpoint,
        credentials: Callable[[Cluster, Deadline], Credentials],
        on_refused: Callable[[Cluster], None] | None = None,
    ) -> None:
        self._api = api
        self._endpoint = endpoint
        self._credentials = credentials
        self._on_refused = on_refused

    @property
    def clock_skew(self) -> float | None:
        """Seconds by which this machine's clock is ahead of the API's: :attr:`CloudApi.clock_skew`."""
        return self._api.clock_skew

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        answer = self._look(
            cluster,
            "DescribeInstances",
            # Without ProjectId -1 only the default project is seen.
            {"DisplayStrategy": "clusterList", "InstanceIds": [cluster.id], "Limit": 10, "ProjectId": -1},
            CLUSTERS,
            deadline,
        )
        for found in answer.get("ClusterList") or ():
            if found["ClusterId"] == cluster.id:
                return int(found["Status"])
        raise NotFound(
            "ResourceNotFound.InstanceNotFound", f"{cluster.id} is not seen in {cluster.region} with these credentials"
        )

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        # Tencent's pages call Offset a page number in one language and an offset in the other. Items are counted first;
        # where that brings nothing new, pages are. What does not add up to TotalCnt is refused, whichever it is.
        found: dict[str, Reading] = {}
        offset, page = 0, 0
        by_page = False
        while True:
            answer = self._look(
                cluster,
                "DescribeServiceNodeInfos",
                {
                    "InstanceId": cluster.id,
                    "ServiceName": service,
                    "Offset": page if by_page else offset,
                    "Limit": PAGE,
                    "HealthStateId": "-99",
                    "MaintainStateId": 0,
                    "OperatorStateId": 0,
                },
                PROCESSES,
                deadline,
            )
            before = len(found)
            for wire in answer.get("ServiceNodeList") or ():
                reading = _reading(service, wire)
                found[reading.target.key] = reading
            if len(found) == answer["TotalCnt"]:
                return tuple(found.values())
            is_new = len(found) > before
            if len(found) > answer["TotalCnt"] or (not is_new and (by_page or not before)):
                raise ObservationIncomplete(
                    f"{cluster.id} {service}: {len(found)} processes shown, but TotalCnt says {answer['TotalCnt']}"
                )
            if not is_new:
                by_page = True
                page = max(1, len(found) // PAGE)
            else:
                offset, page = len(found), page + 1

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        answer = self._call(cluster, "StartStopServiceOrMonitor", request.to_wire(), deadline)
        request_id = answer.get("RequestId")
        if not isinstance(request_id, str) or not request_id:
            raise AnswerLost("NoRequestId", "the answer holds no RequestId, so nothing says that it is the API's")
        return request_id.encode("utf-8", "backslashreplace").decode()[:80]

    def _look(
        self, cluster: Cluster, action: str, params: dict[str, Any], schema: Schema[Any], deadline: Deadline
    ) -> Any:
        answer = self._call(cluster, action, params, deadline)
        try:
            return schema.validate(answer, action)
        except InvalidInput as error:
            raise ObservationIncomplete(f"{cluster.id}: the answer cannot be read: {error}") from None

    def _call(self, cluster: Cluster, action: str, params: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        host = self._endpoint.for_region(cluster.region)
        product = Product("emr", VERSION, self._endpoint.scheme, host, cluster.region)
        credentials = self._credentials(cluster, deadline)
        try:
            return self._api.call(product, credentials, action, params, deadline)
        except NotAuthenticated:
            if self._on_refused is not None:
                self._on_refused(cluster)
            raise


def _reading(service: str, wire: ProcessWire) -> Reading:
    health = (wire.get("HealthStatus") or {}).get("Code")
    monitor = wire.get("MonitorStatus")
    return Reading(
        target=Target(service, wire["NodeName"], wire["Ip"]),
        service_status=wire["ServiceStatus"],
        monitor_status=UNSTATED if monitor is None else monitor,
        health=UNKNOWN if health is None else health,
        last_restart=wire.get("LastRestartTime") or "",
    )

"""What each action does and answers, once its caller and its parameters are checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.fake_cloud.errors import ApiError, missing_parameter
from harness.fake_cloud.state.codes import BEING_CREATED, CREATION_FAILED
from harness.fake_cloud.state.workflow import ScopePart, Strategy
from harness.fake_cloud.wire import responses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from harness.fake_cloud.cloud import Cloud
    from harness.fake_cloud.state.cluster import Cluster
    from harness.fake_cloud.state.process import Process

#: The maximum size of one page of a list.
MAX_PAGE: Final = 100

Answer = dict[str, Any]


class ValidRequest(NamedTuple):
    """A request whose caller may make it and whose parameters are valid.

    ``params`` are as they were sent, ``values`` with the documented defaults filled in.
    """

    cloud: Cloud
    params: Mapping[str, Any]
    values: Mapping[str, Any]
    secret_id: str
    region: str
    request_id: str
    english: bool


def start_stop(request: ValidRequest) -> Answer:
    """StartStopServiceOrMonitor: the operation begins. Sent twice, it acts twice."""
    values = request.values
    if values["OpType"] == "RestartService" and "StrategyConfig" not in values:
        raise missing_parameter("StrategyConfig")
    # StopParams and KeepMonitorButNotRecoverProcess change nothing here: the one matters while processes stop, the other
    # to the daemon, which maintenance switches off in either case.
    request.cloud.start_stop(
        values["InstanceId"],
        values["OpType"],
        [part for service in values["OpScope"]["ServiceInfoList"] for part in _scope_parts(service)],
        _strategy(values["StrategyConfig"]) if "StrategyConfig" in values else None,
        region=request.region,
        request_id=request.request_id,
        secret_id=request.secret_id,
        params=request.params,
    )
    return {}  # no flow id: nothing but the RequestId


def describe_instances(request: ValidRequest) -> Answer:
    """DescribeInstances."""
    values = request.values
    found = [
        cluster
        for cluster in _visible(request, values["InstanceIds"])
        if values["ProjectId"] in (-1, cluster.project_id)
    ]
    found = _ordered(found, values["OrderField"], descending=values["Asc"] == 0)
    page = _page(request, found, values["Limit"])
    return responses.clusters(len(found), _described(request, page, responses.cluster_info))


def describe_instances_list(request: ValidRequest) -> Answer:
    """DescribeInstancesList."""
    values = request.values
    found = [
        cluster
        for cluster in _visible(request)
        if values["ClusterType"] == 0 and all(_passes(cluster, each) for each in values["Filters"])
    ]
    # Both pages document it so: 0 is ascending here, and descending in DescribeInstances.
    found = _ordered(found, values["OrderField"], descending=values["Asc"] == 1)
    page = _page(request, found, values["Limit"])
    return responses.instances_list(len(found), _described(request, page, responses.list_entry))


def describe_service_node_infos(request: ValidRequest) -> Answer:
    """DescribeServiceNodeInfos."""
    values, service = request.values, request.values["ServiceName"]
    cluster = request.cloud.find(values["InstanceId"], request.region, request.cloud.uin_of(request.secret_id))
    if service != service.upper():
        raise ApiError("InvalidParameter.InvalidServiceName", f"{service!r} is not in upper case.")
    found = [process for process in cluster.processes(service) if _matches(process, values)]
    page = _page(request, found, min(values["Limit"], MAX_PAGE))
    nodes = [responses.service_node(process, english=request.english) for process in page]
    return responses.service_nodes(len(found), nodes)


def put_events(request: ValidRequest) -> Answer:
    """EventBridge's PutEvents."""
    request.cloud.put(request.values["EventBusId"], request.values["EventList"])
    return {}


def assume_role(request: ValidRequest) -> Answer:
    """STS's AssumeRole."""
    values = request.values
    return responses.assumed(request.cloud.assume(values["RoleArn"], request.secret_id, values["DurationSeconds"]))


#: By service and action.
ACTIONS: Final[Mapping[tuple[str, str], Callable[[ValidRequest], Answer]]] = {
    ("emr", "StartStopServiceOrMonitor"): start_stop,
    ("emr", "DescribeInstances"): describe_instances,
    ("emr", "DescribeInstancesList"): describe_instances_list,
    ("emr", "DescribeServiceNodeInfos"): describe_service_node_infos,
    ("eb", "PutEvents"): put_events,
    ("sts", "AssumeRole"): assume_role,
}


# -- parameters, as the state understands them


def _scope_parts(service: Mapping[str, Any]) -> list[ScopePart]:
    """The parts of one service. An empty list means everything, as an absent one does."""
    return [
        ScopePart(service["ServiceName"], component["ComponentName"], tuple(component["IpList"]))
        for component in service["ComponentInfoList"]
    ] or [ScopePart(service["ServiceName"])]


def _strategy(config: Mapping[str, Any]) -> Strategy:
    return Strategy(
        rolling=config["RollingRestartSwitch"] == 1,
        batch_size=config["BatchSize"],
        wait_seconds=config["TimeWait"],
        skip_failures=config["DealOnFail"] == 1,
    )


# -- lists


def _visible(request: ValidRequest, ids: Collection[str] = ()) -> list[Cluster]:
    """The caller's clusters that the region, ``ids`` and the display strategy let through."""
    hidden = () if request.values["DisplayStrategy"] == "clusterList" else (BEING_CREATED, CREATION_FAILED)
    uin = request.cloud.uin_of(request.secret_id)
    return [
        cluster
        for cluster in request.cloud.clusters(request.region)
        if cluster.uin == uin and cluster.status not in hidden and (not ids or cluster.id in ids)
    ]


def _described(
    request: ValidRequest, page: Iterable[Cluster], describe: Callable[[Cluster, int, float], Answer]
) -> list[Answer]:
    everywhere = request.cloud.clusters()
    with request.cloud.current() as now:
        return [describe(cluster, 1000 + everywhere.index(cluster), now) for cluster in page]


def _page(request: ValidRequest, found: Sequence[Any], limit: int) -> Sequence[Any]:
    offset = request.values["Offset"]
    start = offset if request.cloud.offset_is == "item" else offset * limit
    return found[start : start + limit]


def _ordered(found: list[Cluster], field: str, *, descending: bool) -> list[Cluster]:
    keys: dict[str, Callable[[Cluster], Any]] = {
        "clusterid": lambda cluster: cluster.id,
        "addtime": lambda cluster: cluster.created_at,
        "status": lambda cluster: cluster.status,
    }
    if not field:
        return found
    if field.lower() not in keys:
        raise ApiError("InvalidParameter", f"The parameter `OrderField` is not valid: {field}.")
    return sorted(found, key=keys[field.lower()], reverse=descending)


def _passes(cluster: Cluster, wanted: Mapping[str, Any]) -> bool:
    shown = {"ClusterId": cluster.id, "ClusterName": cluster.name, "ClusterStatus": str(cluster.status)}
    return shown[wanted["Name"]] in wanted["Values"]


def _matches(process: Process, wanted: Mapping[str, Any]) -> bool:
    text = wanted["SearchText"]
    return (
        wanted["OperatorStateId"] in (0, process.service_status)
        and wanted["MaintainStateId"] in (0, process.monitor_status)
        and wanted["HealthStateId"] in ("-99", str(process.health))
        and wanted["NodeTypeName"] in ("", process.node)
        and wanted["ConfStatus"] in (-99, 1)
        and wanted["DataNodeMaintenanceId"] == 0
        and (text in process.ip or text.lower() in process.component.lower())
        and all(item["SearchValue"] in process.ip for item in wanted["SearchFields"])
    )

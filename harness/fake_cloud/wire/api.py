"""The API as HTTP sees it: who calls, which action, its parameters, its answer in the envelope.

Errors arrive as HTTP 200 with ``{"Response": {"Error": {"Code", "Message"}, "RequestId"}}`` (API 3.0, Responses).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from harness.clock import SystemClock
from harness.fake_cloud.cloud import REGIONS, Request
from harness.fake_cloud.errors import ApiError, missing_parameter
from harness.fake_cloud.wire import parameters, responses, signature
from harness.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from harness.clock import Clock
    from harness.fake_cloud.cloud import Cloud
    from harness.fake_cloud.state.cluster import Cluster
    from harness.fake_cloud.state.process import Process
    from harness.messages import Call

#: What TC3 allows in a body.
LARGEST_BODY: Final = 10 * 1024 * 1024
#: The most that one page of a list holds.
PAGE: Final = 100

VERSIONS: Final[Mapping[str, str]] = {"emr": "2019-01-03", "eb": "2021-04-16", "sts": "2018-08-13"}

Answer = dict[str, Any]


class Sent(NamedTuple):
    """A request whose sender is known and whose action exists."""

    action: str
    params: dict[str, Any]
    secret_id: str
    region: str
    request_id: str
    english: bool


class Api:
    """The front door of a :class:`Cloud`."""

    def __init__(self, cloud: Cloud, signed_by: Clock | None = None) -> None:
        """``signed_by``: the clock that signatures are checked against.

        It is the machine's own unless told otherwise, even where the cloud's time is virtual: the SDK signs with the
        machine's.
        """
        self.cloud = cloud
        #: What the Date header says, too.
        self.signed_by = signed_by or SystemClock()
        self._actions: dict[tuple[str, str], Callable[[Sent], Answer]] = {
            ("emr", "StartStopServiceOrMonitor"): self._start_stop,
            ("emr", "DescribeInstances"): self._describe_instances,
            ("emr", "DescribeInstancesList"): self._describe_instances_list,
            ("emr", "DescribeServiceNodeInfos"): self._describe_service_node_infos,
            ("eb", "PutEvents"): self._put_events,
            ("sts", "AssumeRole"): self._assume_role,
        }

    def answer(self, call: Call, instead: ApiError | None = None, *, although_carried_out: bool = False) -> Reply:
        """Serve ``call`` and record it.

        ``instead`` is answered to a well-signed request in place of what would be; with ``although_carried_out`` the
        request has its effect first.
        """
        request_id = str(uuid.uuid4())
        error: ApiError | None = None
        answer: Answer = {}
        with self.cloud.current() as now:
            sent = Sent(
                action=call.action,
                params={},
                secret_id=signature.claimed_secret_id(call),
                region=call.header("x-tc-region"),
                request_id=request_id,
                english=call.header("x-tc-language") == "en-US",
            )
            try:
                action = self._admit(call)
                sent = sent._replace(params=parameters.read_object(call.body))
                if instead is None or although_carried_out:
                    answer = action(sent)
                if instead is not None:
                    raise instead
            except ApiError as refusal:
                error = refusal
            self.cloud.record(
                Request(
                    action=sent.action,
                    params=sent.params,
                    secret_id=sent.secret_id,
                    region=sent.region,
                    at=now,
                    request_id=request_id,
                    error=error.code if error else None,
                )
            )
        return enveloped(error_answer(error) if error else answer, request_id)

    def _admit(self, call: Call) -> Callable[[Sent], Answer]:
        """The action that ``call`` may take, or the error that it earns before its parameters are looked at."""
        if call.method != "POST" or call.header("content-type").partition(";")[0].strip() != "application/json":
            raise ApiError("UnsupportedProtocol")
        if len(call.body) > LARGEST_BODY:
            raise ApiError("RequestSizeLimitExceeded")
        for name in ("X-TC-Action", "X-TC-Version"):
            if not call.header(name):
                raise missing_parameter(name)
        caller = signature.verify(call, self.cloud.credentials, self.signed_by.now())
        service = _service(call, caller.service)
        if call.header("x-tc-version") != VERSIONS[service]:
            raise ApiError("NoSuchVersion", f"{service} has no version {call.header('x-tc-version')}.")
        action = self._actions.get((service, call.action))
        if action is None:
            raise ApiError("InvalidAction", f"{service} has no action {call.action}.")
        region = call.header("x-tc-region")
        if not region:
            raise missing_parameter("X-TC-Region")
        if region not in REGIONS:
            raise ApiError("UnsupportedRegion", f"{service} does not support region {region}.")
        self.cloud.authorise(caller.secret_id, call.action)
        self.cloud.throttle(call.action)
        return action

    # -- the actions

    def _start_stop(self, sent: Sent) -> Answer:
        wanted = parameters.read(parameters.StartStopServiceOrMonitor, sent.params)
        self.cloud.start_stop(
            wanted.InstanceId,
            wanted.OpType,
            wanted.scope(),
            wanted.strategy(),
            region=sent.region,
            request_id=sent.request_id,
            secret_id=sent.secret_id,
            params=sent.params,
        )
        return {}  # no flow id: nothing but the RequestId

    def _describe_instances(self, sent: Sent) -> Answer:
        wanted = parameters.read(parameters.DescribeInstances, sent.params)
        found = [
            cluster
            for cluster in self._shown(sent, wanted.DisplayStrategy, wanted.InstanceIds)
            if wanted.ProjectId in (-1, cluster.project_id)
        ]
        found = _ordered(found, wanted.OrderField, descending=wanted.Asc == 0)
        page = self._page(found, wanted.Offset, wanted.Limit)
        return responses.clusters(len(found), self._described(page, responses.cluster_info))

    def _describe_instances_list(self, sent: Sent) -> Answer:
        wanted = parameters.read(parameters.DescribeInstancesList, sent.params)
        found = [
            cluster
            for cluster in self._shown(sent, wanted.DisplayStrategy)
            if wanted.ClusterType == 0 and all(_passes(cluster, filter_) for filter_ in wanted.Filters)
        ]
        # 0 is ascending here, where DescribeInstances has it descending: so both pages say.
        found = _ordered(found, wanted.OrderField, descending=wanted.Asc == 1)
        page = self._page(found, wanted.Offset, wanted.Limit)
        return responses.instances_list(len(found), self._described(page, responses.list_entry))

    def _describe_service_node_infos(self, sent: Sent) -> Answer:
        wanted = parameters.read(parameters.DescribeServiceNodeInfos, sent.params)
        cluster = self.cloud.find(wanted.InstanceId, sent.region, self.cloud.uin_of(sent.secret_id))
        if wanted.ServiceName != wanted.ServiceName.upper():
            raise ApiError("InvalidParameter.InvalidServiceName", f"{wanted.ServiceName!r} is not in upper case.")
        found = [process for process in cluster.processes(wanted.ServiceName) if _matches(process, wanted)]
        page = self._page(found, wanted.Offset, min(wanted.Limit, PAGE))
        nodes = [responses.service_node(process, english=sent.english) for process in page]
        return responses.service_nodes(len(found), nodes)

    def _put_events(self, sent: Sent) -> Answer:
        wanted = parameters.read(parameters.PutEvents, sent.params)
        self.cloud.put(wanted.EventBusId, [event.model_dump(exclude_none=True) for event in wanted.EventList])
        return {}

    def _assume_role(self, sent: Sent) -> Answer:
        wanted = parameters.read(parameters.AssumeRole, sent.params)
        return responses.assumed(self.cloud.assume(wanted.RoleArn, sent.secret_id, wanted.DurationSeconds))

    # -- lists

    def _shown(self, sent: Sent, display: str, ids: Collection[str] = ()) -> list[Cluster]:
        hidden = () if display == "clusterList" else (3, 301)  # being created, failed to be created
        uin = self.cloud.uin_of(sent.secret_id)
        there = self.cloud.clusters(sent.region)
        asked = [cluster for cluster in there if cluster.uin == uin and (not ids or cluster.id in ids)]
        return [cluster for cluster in asked if cluster.status not in hidden]

    def _described(
        self, page: Iterable[Cluster], describe: Callable[[Cluster, int, float], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        everywhere = self.cloud.clusters()
        with self.cloud.current() as now:
            return [describe(cluster, 1000 + everywhere.index(cluster), now) for cluster in page]

    def _page(self, found: Sequence[Any], offset: int, limit: int) -> Sequence[Any]:
        start = offset if self.cloud.offset_is == "item" else offset * limit
        return found[start : start + limit]


def enveloped(answer: Answer, request_id: str) -> Reply:
    """``answer`` in the envelope."""
    body = {"Response": {**answer, "RequestId": request_id}}
    # A lone surrogate that a request brought along goes back as it came, as an escape.
    return Reply(json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace"))


def error_answer(error: ApiError) -> Answer:
    """How an error stands in the envelope."""
    return {"Error": {"Code": error.code, "Message": error.message}}


def _service(call: Call, signed: str) -> str:
    """The service that is called.

    The cloud's own host names say it, and the signature must be for it. A local endpoint says nothing: there the
    signature does, unless the client took its scope from the endpoint's first label (the Node SDK does); then the
    version has to.
    """
    host = call.header("host").rpartition("//")[2].partition(":")[0]
    if host.endswith(".tencentcloudapi.com"):
        service = host.partition(".")[0]
        if service in VERSIONS and signed != service:
            raise ApiError("AuthFailure.SignatureFailure", f"The signature is for {signed}.")
    else:
        service = signed
        if service == host.partition(".")[0]:
            service = next((name for name, its in VERSIONS.items() if its == call.header("x-tc-version")), "emr")
    if service not in VERSIONS:
        raise ApiError("NoSuchProduct", f"There is no product {service}.")
    return service


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


def _passes(cluster: Cluster, wanted: parameters.Filter) -> bool:
    value = {"ClusterId": cluster.id, "ClusterName": cluster.name, "ClusterStatus": str(cluster.status)}[wanted.Name]
    return value in wanted.Values


def _matches(process: Process, wanted: parameters.DescribeServiceNodeInfos) -> bool:
    return (
        wanted.OperatorStateId in (0, process.service_status)
        and wanted.MaintainStateId in (0, process.monitor_status)
        and wanted.HealthStateId in ("-99", str(process.health))
        and wanted.NodeTypeName in ("", process.node)
        and wanted.ConfStatus in (-99, 1)
        and wanted.DataNodeMaintenanceId == 0
        and (wanted.SearchText in process.ip or wanted.SearchText.lower() in process.component.lower())
        and all(item.SearchValue in process.ip for item in wanted.SearchFields)
    )

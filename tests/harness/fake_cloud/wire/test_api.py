"""The fake cloud's wire, asked by the official SDK in process: strict requests, whole answers, every error code."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.emr.v20190103 import errorcodes, models

from harness.clock import VirtualClock
from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS, NIGHTLY, demo_cloud
from harness.fake_cloud.errors import MESSAGES, ApiError
from harness.fake_cloud.sdk_clients import KEY, common_client, typed_client
from harness.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: StartStopServiceOrMonitor's own list, what the SDK adds to it, and the common errors.
DOCUMENTED = [
    "FailedOperation",
    "InternalError.CamCgwError",
    "InternalError.WoodServerError",
    "InvalidParameter.InvalidInstanceName",
    "InvalidParameter.InvalidJobFlow",
    "ResourceInUse.InstanceInProcess",
    "ResourceNotFound.InstanceNotFound",
    "UnauthorizedOperation.CheckCamAuth",
    "UnsupportedOperation.ServiceNotSupport",
    "InvalidParameter.InvalidServiceName",
    "InvalidParameter.InvalidIpList",
    "InvalidParameter.RestartServiceUnsupported",
    "ResourceNotFound.ServiceNodeNotFound",
]
COMMON = [
    "AuthFailure.SignatureExpire",
    "AuthFailure.SignatureFailure",
    "AuthFailure.SecretIdNotFound",
    "AuthFailure.TokenFailure",
    "AuthFailure.InvalidSecretId",
    "RequestLimitExceeded",
    "RequestLimitExceeded.UinLimitExceeded",
    "RequestLimitExceeded.IPLimitExceeded",
    "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
    "RequestSizeLimitExceeded",
    "ServiceUnavailable",
    "InternalError",
]

START_STOP = "StartStopServiceOrMonitor"
HDFS_ON_ONE = {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode", "IpList": ["172.16.0.5"]}]}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def cloud(clock: VirtualClock) -> Cloud:
    return demo_cloud(clock)


@pytest.fixture
def adapter(cloud: Cloud) -> CloudAdapter:
    return CloudAdapter(cloud)


@pytest.fixture
def client(adapter: CloudAdapter) -> Iterator[Any]:
    with common_client(adapter) as client:
        yield client


def request(**changes: Any) -> dict[str, Any]:
    """A valid StartService for one DataNode, with ``changes``; a change to ``...`` leaves the key out."""
    params = {
        "InstanceId": ANALYTICS,
        "OpType": "StartService",
        "OpScope": {"ServiceInfoList": [HDFS_ON_ONE]},
        **changes,
    }
    return {key: value for key, value in params.items() if value is not ...}


def scope(service: str, component: str | None = None, ips: list[str] | None = None) -> dict[str, Any]:
    info: dict[str, Any] = {"ServiceName": service}
    if component:
        info["ComponentInfoList"] = [{"ComponentName": component, **({} if ips is None else {"IpList": ips})}]
    return {"ServiceInfoList": [info]}


def refusal(client: Any, action: str, params: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(action, params)
    return caught.value.get_code(), caught.value.get_message()


def response(client: Any, action: str, params: dict[str, Any]) -> dict[str, Any]:
    return dict(client.call_json(action, params)["Response"])


# -- StartStopServiceOrMonitor


def test_an_accepted_request_answers_its_id_and_nothing_else(cloud: Cloud, client: Any) -> None:
    """No flow id; the request, its sender and its operation are on record."""
    answer = response(client, START_STOP, request())
    assert set(answer) == {"RequestId"}
    (record,) = cloud.requests
    assert (record.action, record.secret_id, record.region, record.error) == (
        START_STOP,
        SECRET_ID,
        "ap-guangzhou",
        None,
    )
    assert record.params == request()
    assert (record.request_id, cloud.operations[0].request_id) == (answer["RequestId"], answer["RequestId"])
    assert cloud.operations[0].names == ["HDFS/DataNode@172.16.0.5"]


@pytest.mark.parametrize(
    ("op_scope", "count"),
    [
        (scope("HDFS"), 12),
        ({"ServiceInfoList": [{"ServiceName": "HDFS", "ComponentInfoList": []}]}, 12),
        (scope("HDFS", "DataNode"), 5),
        (scope("HDFS", "DataNode", []), 5),
        (scope("HDFS", "DataNode", ["172.16.0.5"]), 1),
    ],
)
def test_an_empty_list_is_an_absent_one(cloud: Cloud, client: Any, op_scope: dict[str, Any], count: int) -> None:
    """What names nothing means everything: the trap that a client must not fall into is there."""
    client.call_json(START_STOP, request(OpScope=op_scope))
    assert len(cloud.operations[0].targets) == count


def test_every_part_of_a_request_is_understood(cloud: Cloud, client: Any) -> None:
    """All documented parameters are taken, and the strategy is that of the request."""
    strategy = {
        "RollingRestartSwitch": 1,
        "BatchSize": 2,
        "TimeWait": 300,
        "DealOnFail": 1,
        "Args": [{"Key": "k", "Values": ["v"]}],
    }
    stop = {"StopPolicy": "safe", "ThreadCount": 4, "GraceDownTime": 60}
    client.call_json(
        START_STOP,
        request(
            OpType="RestartService", StrategyConfig=strategy, StopParams=stop, KeepMonitorButNotRecoverProcess=True
        ),
    )
    carried_out = cloud.operations[0].strategy
    assert (carried_out.rolling, carried_out.batch_size, carried_out.wait_seconds, carried_out.skip_failures) == (
        True,
        2,
        300,
        True,
    )


@pytest.mark.parametrize(
    ("params", "code", "named"),
    [
        (request(InstanceId=...), "MissingParameter", "InstanceId"),
        (request(OpType=...), "MissingParameter", "OpType"),
        (request(OpScope=...), "MissingParameter", "OpScope"),
        (request(OpScope={}), "MissingParameter", "OpScope.ServiceInfoList"),
        (request(OpType="RestartService"), "MissingParameter", "StrategyConfig"),
        (request(ClientToken="once"), "UnknownParameter", "ClientToken"),
        (
            request(OpScope={"ServiceInfoList": [{"ServiceName": "HDFS", "ComponentInfolist": []}]}),
            "UnknownParameter",
            "OpScope.ServiceInfoList.0.ComponentInfolist",
        ),
        (request(InstanceID=ANALYTICS, InstanceId=...), "UnknownParameter", "InstanceID"),
        (request(InstanceId=5), "InvalidParameter", "InstanceId"),
        (request(InstanceId=None), "InvalidParameter", "InstanceId"),
        (request(OpType="RebootService"), "InvalidParameter", "OpType"),
        (request(OpScope={"ServiceInfoList": []}), "InvalidParameter", "OpScope.ServiceInfoList"),
        (request(OpScope=scope("HDFS", "DataNode", [5])), "InvalidParameter", "IpList.0"),  # type: ignore[list-item]
        (request(StrategyConfig={"BatchSize": "1"}), "InvalidParameter", "StrategyConfig.BatchSize"),
        (request(StrategyConfig={"BatchSize": 100_000}), "InvalidParameter", "StrategyConfig.BatchSize"),
        (request(StrategyConfig={"TimeWait": 301}), "InvalidParameter", "StrategyConfig.TimeWait"),
        (request(StrategyConfig={"DealOnFail": 2}), "InvalidParameter", "StrategyConfig.DealOnFail"),
        (
            request(StrategyConfig={"RollingRestartSwitch": True}),
            "InvalidParameter",
            "StrategyConfig.RollingRestartSwitch",
        ),
        (request(StopParams={"StopPolicy": "kill"}), "InvalidParameter", "StopParams.StopPolicy"),
        (request(KeepMonitorButNotRecoverProcess="true"), "InvalidParameter", "KeepMonitorButNotRecoverProcess"),
    ],
)
def test_a_request_that_is_not_as_documented_is_refused(
    cloud: Cloud, client: Any, params: dict[str, Any], code: str, named: str
) -> None:
    """Missing, unknown and wrong keys have their codes, the message names the key, and nothing is done."""
    found, message = refusal(client, START_STOP, params)
    assert (found, named in message) == (code, True), message
    assert cloud.requests[0].error == code
    assert not cloud.operations


def fields(model: type) -> set[str]:
    return {name for name, value in vars(model).items() if isinstance(value, property)}


# -- looking


def test_node_infos_carry_every_field_of_the_model(clock: VirtualClock, cloud: Cloud, client: Any) -> None:
    """What is answered has exactly the fields of the SDK's model, and shows each process as it is."""
    cloud.process(ANALYTICS, "DataNode", "172.16.0.5").kill()
    cloud.process(ANALYTICS, "DataNode", "172.16.0.6").stop_by_operator()
    cloud.process(ANALYTICS, "DataNode", "172.16.0.7").put_in_maintenance()
    params = {"InstanceId": ANALYTICS, "ServiceName": "HDFS", "Limit": 100}
    answer = response(client, "DescribeServiceNodeInfos", params)
    assert set(answer) == fields(models.DescribeServiceNodeInfosResponse)
    nodes = answer["ServiceNodeList"]
    assert answer["TotalCnt"] == len(nodes) == 12
    assert all(set(node) == fields(models.ServiceNodeDetailInfo) for node in nodes)
    assert all(set(node["HealthStatus"]) == fields(models.HealthStatus) for node in nodes)
    shown = [
        (node["Ip"], node["ServiceStatus"], node["MonitorStatus"], node["HealthStatus"]["Code"])
        for node in nodes
        if node["NodeName"] == "DataNode"
    ]
    assert shown == [
        ("172.16.0.5", 1, 1, 0),
        ("172.16.0.6", 2, 1, 0),
        ("172.16.0.7", 1, 2, 1),
        ("172.16.0.8", 1, 1, 1),
        ("172.16.0.9", 1, 1, 1),
    ]
    assert [node["HAState"] for node in nodes if node["NodeName"] == "NameNode"] == ["active", "standby"]


def test_clusters_carry_every_field_of_the_models(client: Any) -> None:
    """DescribeInstances and DescribeInstancesList fill their models, and nothing besides."""
    (info,) = response(client, "DescribeInstances", {"DisplayStrategy": "clusterList"})["ClusterList"]
    assert set(info) == fields(models.ClusterInstancesInfo)
    assert set(info["Config"]) == fields(models.EmrProductConfigOutter)
    assert set(info["Config"]["CoreResource"]) >= {"Spec", "MemSize", "Cpu", "DiskSize"}
    (entry,) = response(client, "DescribeInstancesList", {"DisplayStrategy": "clusterList"})["InstancesList"]
    assert set(entry) == fields(models.EmrListInstance)
    assert (info["ClusterId"], info["Status"], entry["ClusterId"], entry["Status"]) == (ANALYTICS, 2, ANALYTICS, 2)


def test_the_typed_client_understands_every_answer(cloud: Cloud) -> None:
    """The generated models deserialise each action's answer without a field left over."""
    with typed_client(cloud) as client, warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.simplefilter("error", UserWarning)
        nodes = models.DescribeServiceNodeInfosRequest()
        nodes.from_json_string(json.dumps({"InstanceId": ANALYTICS, "ServiceName": "YARN", "Offset": 0, "Limit": 100}))
        answer = client.DescribeServiceNodeInfos(nodes)
        assert [node.NodeName for node in answer.ServiceNodeList].count("NodeManager") == 5
        assert answer.ServiceNodeList[0].HealthStatus.Code == 1
        instances = models.DescribeInstancesRequest()
        instances.from_json_string(json.dumps({"DisplayStrategy": "clusterList", "ProjectId": -1}))
        assert client.DescribeInstances(instances).ClusterList[0].ConfigDetail.CoreNodeSize == 5
        listed = models.DescribeInstancesListRequest()
        listed.from_json_string(json.dumps({"DisplayStrategy": "clusterList"}))
        assert client.DescribeInstancesList(listed).InstancesList[0].ClusterName == "analytics"
        act = models.StartStopServiceOrMonitorRequest()
        act.from_json_string(json.dumps(request()))
        assert client.StartStopServiceOrMonitor(act).RequestId == cloud.operations[0].request_id


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 12),
        ({"OperatorStateId": 2}, 1),
        ({"OperatorStateId": 1}, 11),
        ({"MaintainStateId": 2}, 1),
        ({"MaintainStateId": 1}, 11),
        ({"HealthStateId": "0"}, 2),
        ({"HealthStateId": "1"}, 10),
        ({"HealthStateId": "-99"}, 12),
        ({"HealthStateId": "-3"}, 0),
        ({"NodeTypeName": "core"}, 5),
        ({"NodeTypeName": "common"}, 3),
        ({"SearchText": "172.16.0.5"}, 1),
        ({"SearchText": "datanode"}, 5),
        ({"SearchFields": [{"SearchType": "ipv4", "SearchValue": "172.16.0.2"}]}, 2),
        ({"OperatorStateId": 1, "HealthStateId": "0"}, 1),
    ],
)
def test_node_infos_can_be_filtered(cloud: Cloud, client: Any, filters: dict[str, Any], expected: int) -> None:
    """TotalCnt and the list hold what all filters let through."""
    cloud.process(ANALYTICS, "DataNode", "172.16.0.5").kill()
    cloud.process(ANALYTICS, "DataNode", "172.16.0.6").stop_by_operator()
    cloud.process(ANALYTICS, "DataNode", "172.16.0.7").put_in_maintenance()
    params = {"InstanceId": ANALYTICS, "ServiceName": "HDFS", "Limit": 100, **filters}
    answer = response(client, "DescribeServiceNodeInfos", params)
    assert (answer["TotalCnt"], len(answer["ServiceNodeList"] or [])) == (expected, expected)


@pytest.mark.parametrize(("offset_is", "offsets"), [("page", (0, 1, 2)), ("item", (0, 100, 200))])
def test_an_offset_counts_pages_or_items(clock: VirtualClock, offset_is: Any, offsets: tuple[int, ...]) -> None:
    """Either way no page holds more than 100, whatever Limit says, and the pages together hold all."""
    cloud = Cloud(clock, offset_is=offset_is)
    ips = [f"10.0.{host // 250}.{host % 250 + 1}" for host in range(230)]
    cloud.add_cluster("emr-largeone", {"HDFS": {"DataNode": ips}})
    found: list[str] = []
    with common_client(cloud) as client:
        for offset in offsets:
            params = {"InstanceId": "emr-largeone", "ServiceName": "HDFS", "Offset": offset, "Limit": 100}
            answer = response(client, "DescribeServiceNodeInfos", params)
            assert answer["TotalCnt"] == 230
            found += [node["Ip"] for node in answer["ServiceNodeList"]]
        large = response(
            client, "DescribeServiceNodeInfos", {"InstanceId": "emr-largeone", "ServiceName": "HDFS", "Limit": 999}
        )
        beyond = response(client, "DescribeServiceNodeInfos", {**params, "Offset": 1000})
    assert found == ips
    assert len(large["ServiceNodeList"]) == 100
    assert (beyond["TotalCnt"], beyond["ServiceNodeList"]) == (230, None)


def test_what_is_not_there_is_null(client: Any) -> None:
    """A list with nothing in it "may be null", and is: for a service that the cluster lacks, and for an unknown cluster."""
    nodes = response(client, "DescribeServiceNodeInfos", {"InstanceId": ANALYTICS, "ServiceName": "KUDU"})
    assert (nodes["TotalCnt"], nodes["ServiceNodeList"]) == (0, None)
    clusters = response(
        client, "DescribeInstances", {"DisplayStrategy": "clusterList", "InstanceIds": ["emr-nosuch00"]}
    )
    assert (clusters["TotalCnt"], clusters["ClusterList"]) == (0, None)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["emr-4zvc5mul"]),
        ({"ProjectId": 7}, ["emr-project7"]),
        ({"ProjectId": -1}, ["emr-4zvc5mul", "emr-project7", "emr-beingnew"]),
        ({"ProjectId": -1, "DisplayStrategy": "monitorManage"}, ["emr-4zvc5mul", "emr-project7"]),
        ({"ProjectId": -1, "InstanceIds": ["emr-project7", "emr-8kd2m1qp"]}, ["emr-project7"]),
        ({"ProjectId": -1, "OrderField": "clusterid", "Asc": 1}, ["emr-4zvc5mul", "emr-beingnew", "emr-project7"]),
        ({"ProjectId": -1, "OrderField": "clusterId"}, ["emr-project7", "emr-beingnew", "emr-4zvc5mul"]),
        ({"ProjectId": -1, "OrderField": "status"}, ["emr-beingnew", "emr-4zvc5mul", "emr-project7"]),
        ({"ProjectId": -1, "Limit": 2, "Offset": 1}, ["emr-beingnew"]),
    ],
)
def test_clusters_are_listed_by_project_and_region(
    cloud: Cloud, client: Any, params: dict[str, Any], expected: list[str]
) -> None:
    """Without ProjectId -1 only the default project's clusters are seen; never those of another region."""
    cloud.add_cluster("emr-project7", {}, project_id=7)
    cloud.add_cluster("emr-beingnew", {}, project_id=8).status = 3
    answer = response(client, "DescribeInstances", {"DisplayStrategy": "clusterList", **params})
    assert [cluster["ClusterId"] for cluster in answer["ClusterList"]] == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["emr-4zvc5mul", "emr-beingnew"]),
        ({"Filters": [{"Name": "ClusterName", "Values": ["analytics"]}]}, ["emr-4zvc5mul"]),
        ({"Filters": [{"Name": "ClusterStatus", "Values": ["3"]}]}, ["emr-beingnew"]),
        ({"OrderField": "clusterId", "Asc": 1}, ["emr-beingnew", "emr-4zvc5mul"]),
        ({"OrderField": "addTime", "Asc": 0}, ["emr-4zvc5mul", "emr-beingnew"]),
    ],
)
def test_the_list_of_clusters_can_be_filtered(
    cloud: Cloud, client: Any, params: dict[str, Any], expected: list[str]
) -> None:
    """By DescribeInstancesList's own filters; its Asc runs the other way round."""
    cloud.add_cluster("emr-beingnew", {}, project_id=8).status = 3
    answer = response(client, "DescribeInstancesList", {"DisplayStrategy": "clusterList", **params})
    assert [cluster["ClusterId"] for cluster in answer["InstancesList"]] == expected


@pytest.mark.parametrize(
    ("action", "params", "code"),
    [
        ("DescribeInstances", {}, "MissingParameter"),
        ("DescribeInstances", {"DisplayStrategy": "all"}, "InvalidParameter"),
        ("DescribeInstances", {"DisplayStrategy": "clusterList", "Limit": 101}, "InvalidParameter"),
        ("DescribeInstances", {"DisplayStrategy": "clusterList", "OrderField": "size"}, "InvalidParameter"),
        ("DescribeServiceNodeInfos", {"InstanceId": ANALYTICS}, "MissingParameter"),
        (
            "DescribeServiceNodeInfos",
            {"InstanceId": ANALYTICS, "ServiceName": "hdfs"},
            "InvalidParameter.InvalidServiceName",
        ),
        (
            "DescribeServiceNodeInfos",
            {"InstanceId": NIGHTLY, "ServiceName": "HIVE"},
            "ResourceNotFound.InstanceNotFound",
        ),
        (
            "DescribeServiceNodeInfos",
            {"InstanceId": ANALYTICS, "ServiceName": "HDFS", "Offset": -1},
            "InvalidParameter",
        ),
        (
            "DescribeServiceNodeInfos",
            {"InstanceId": ANALYTICS, "ServiceName": "HDFS", "HealthStateId": 0},
            "InvalidParameter",
        ),
    ],
)
def test_a_look_that_is_not_as_documented_is_refused(
    client: Any, action: str, params: dict[str, Any], code: str
) -> None:
    """The describing actions are as strict as the acting one."""
    assert refusal(client, action, params)[0] == code


@pytest.mark.parametrize(("language", "text"), [("en-US", "Good"), ("zh-CN", "良好"), (None, "良好")])
def test_health_is_worded_in_the_callers_language(client: Any, language: str | None, text: str) -> None:
    """English where X-TC-Language asks for it, else Chinese."""
    client.profile.language = language
    answer = response(client, "DescribeServiceNodeInfos", {"InstanceId": ANALYTICS, "ServiceName": "HIVE"})
    assert answer["ServiceNodeList"][0]["HealthStatus"]["Text"] == text


def test_the_cluster_shows_what_it_is_busy_with(cloud: Cloud, client: Any, clock: VirtualClock) -> None:
    """DescribeInstances gives the workflow's status while an operation runs, and 2 afterwards."""

    def status() -> int:
        answer = response(client, "DescribeInstances", {"DisplayStrategy": "clusterList", "InstanceIds": [ANALYTICS]})
        return int(answer["ClusterList"][0]["Status"])

    client.call_json(START_STOP, request(OpType="StopMonitor"))
    assert status() == 9
    clock.advance(3)
    assert status() == 2


# -- EventBridge


def test_events_put_on_the_bus_are_on_record(cloud: Cloud) -> None:
    """PutEvents of service eb is taken with its bus and events."""
    event = {
        "Source": "emr.steward",
        "Type": "steward:alarm",
        "Subject": ANALYTICS,
        "Data": "{}",
        "Time": 1748833200000,
    }
    with common_client(cloud, service="eb", version="2021-04-16") as client:
        assert set(response(client, "PutEvents", {"EventBusId": "eb-4tvz9zk1", "EventList": [event]})) == {"RequestId"}
        assert (
            refusal(client, "PutEvents", {"EventBusId": "eb-4tvz9zk1", "EventList": [{**event, "Data": {}}]})[0]
            == "InvalidParameter"
        )
        assert refusal(client, "PutEvents", {"EventList": [event]})[0] == "MissingParameter"
    assert [(put.bus, put.event) for put in cloud.put_events] == [("eb-4tvz9zk1", event)]


# -- who, what and where


@pytest.mark.parametrize(
    ("options", "action", "code"),
    [
        ({"key": ("AKIDunknown", SECRET_KEY, None)}, "DescribeInstances", "AuthFailure.SecretIdNotFound"),
        ({"key": (SECRET_ID, "wrong", None)}, "DescribeInstances", "AuthFailure.SignatureFailure"),
        ({"key": (SECRET_ID, SECRET_KEY, "token")}, "DescribeInstances", "AuthFailure.TokenFailure"),
        ({"version": "2018-01-01"}, "DescribeInstances", "NoSuchVersion"),
        ({}, "DescribeEverything", "InvalidAction"),
        ({}, "PutEvents", "InvalidAction"),
        ({"region": "mars-1"}, "DescribeInstances", "UnsupportedRegion"),
        ({"region": ""}, "DescribeInstances", "MissingParameter"),
    ],
)
def test_a_wrong_caller_or_address_is_refused(cloud: Cloud, options: dict[str, Any], action: str, code: str) -> None:
    """Key, token, version, action and region each have their error, which is on record."""
    with common_client(cloud, **options) as client:
        assert refusal(client, action, {"DisplayStrategy": "clusterList"})[0] == code
    assert [record.error for record in cloud.requests] == [code]


def test_a_temporary_key_needs_its_token(cloud: Cloud) -> None:
    """With the token it was registered with it is let in."""
    cloud.credentials["AKIDtemporary"] = ("key", "session-token")
    with common_client(cloud, key=("AKIDtemporary", "key", "session-token")) as client:
        assert response(client, "DescribeInstances", {"DisplayStrategy": "clusterList"})["TotalCnt"] == 1


def test_an_unknown_product_is_refused(adapter: CloudAdapter) -> None:
    """A service that is not there is no other one's request."""
    with common_client(adapter, service="cvm") as client:
        assert refusal(client, "DescribeInstances", {})[0] == "NoSuchProduct"


def test_a_signature_is_for_one_service(cloud: Cloud) -> None:
    """What was signed for eb does not open emr."""
    with common_client(cloud, service="eb") as client:
        client.profile.httpProfile.endpoint = "emr.tencentcloudapi.com"
        assert (
            refusal(client, "DescribeInstances", {"DisplayStrategy": "clusterList"})[0]
            == "AuthFailure.SignatureFailure"
        )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"InstanceId": NaN}',
        b'{"InstanceId": "a", "InstanceId": "b"}',
        b"\xff",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut", "list", "null", "NaN", "key twice", "not UTF-8", "deep", "huge number"],
)
def test_a_body_that_is_no_json_object_is_refused(cloud: Cloud, client: Any, body: bytes) -> None:
    """Whatever the body is, the answer is an error in the envelope and nothing is done."""
    with pytest.raises(TencentCloudSDKException) as caught:
        send_raw(client, body)
    assert caught.value.get_code() == "InvalidParameter"
    assert not cloud.operations


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    action=st.sampled_from([START_STOP, "DescribeInstances", "DescribeInstancesList", "DescribeServiceNodeInfos"]),
    key=st.sampled_from(
        ["InstanceId", "OpType", "OpScope", "StrategyConfig", "ServiceName", "Limit", "Offset", "Filters"]
    ),
    value=_json,
)
def test_whatever_is_sent_is_answered(action: str, key: str, value: Any) -> None:
    """Any JSON for any parameter ends in an answer or in a refusal of the parameters, never in a crash."""
    params = request() if action == START_STOP else {"DisplayStrategy": "clusterList"}
    if action == "DescribeServiceNodeInfos":
        params = {"InstanceId": ANALYTICS, "ServiceName": "HDFS"}
    cloud = demo_cloud(VirtualClock())
    with common_client(cloud) as client:
        try:
            client.call_json(action, {**params, key: value})
        except TencentCloudSDKException as error:
            earned = error.get_code()
        else:
            earned = None
    assert [record.error for record in cloud.requests] == [earned]
    refusals = ("InvalidParameter", "UnknownParameter", "MissingParameter", "ResourceNotFound")
    assert earned is None or earned.startswith(refusals)


def send_raw(client: Any, body: bytes) -> None:
    """``body`` as it is, signed by the SDK."""
    from tencentcloud.common import abstract_client

    class Verbatim:
        @staticmethod
        def dumps(_: Any) -> bytes:
            return body

        loads = staticmethod(json.loads)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(abstract_client, "json", Verbatim)
        client.call_json(START_STOP, {})


def test_a_lone_surrogate_comes_back_as_it_was_sent(client: Any) -> None:
    """A name that is no Unicode text does not break the answer that repeats it."""
    code, message = refusal(client, START_STOP, {"\ud800": None})
    assert (code, "\ud800" in message) == ("InvalidParameter", True)


def test_a_second_has_room_for_so_many_requests(cloud: Cloud, client: Any, clock: VirtualClock) -> None:
    """Beyond the limit an action is throttled, other actions are not, and the next second has room again."""
    cloud.requests_per_second = 2
    look = {"DisplayStrategy": "clusterList"}
    for _ in range(2):
        client.call_json("DescribeInstances", look)
    assert refusal(client, "DescribeInstances", look)[0] == "RequestLimitExceeded"
    client.call_json("DescribeInstancesList", look)
    clock.advance(1)
    client.call_json("DescribeInstances", look)


# -- every error code can be had


def _busy(cloud: Cloud) -> None:
    cloud.cluster(ANALYTICS).status = 4


def _failed(cloud: Cloud) -> None:
    cloud.cluster(ANALYTICS).status = 302


def _denied(cloud: Cloud) -> None:
    cloud.denied.add((SECRET_ID, START_STOP))


def _unsupported(cloud: Cloud) -> None:
    cloud.cluster(ANALYTICS).unsupported.add("HDFS")


def _throttled(cloud: Cloud) -> None:
    cloud.requests_per_second = 0


def _token_wanted(cloud: Cloud) -> None:
    cloud.credentials[SECRET_ID] = (SECRET_KEY, "token")


def _other_key(cloud: Cloud) -> None:
    cloud.credentials[SECRET_ID] = ("another", None)


def _key_deleted(cloud: Cloud) -> None:
    del cloud.credentials[SECRET_ID]


def _nothing(_: Cloud) -> None:
    pass


_RESTART: dict[str, Any] = {"OpType": "RestartService", "StrategyConfig": {"RollingRestartSwitch": 0}}

#: The code, what is wrong with the cloud, what is wrong with the request.
BY_STATE: list[tuple[str, Callable[[Cloud], None], dict[str, Any]]] = [
    ("FailedOperation", _failed, request()),
    ("InvalidParameter.InvalidInstanceName", _nothing, request(InstanceId="emr_4zvc5mul")),
    ("ResourceInUse.InstanceInProcess", _busy, request()),
    ("ResourceNotFound.InstanceNotFound", _nothing, request(InstanceId="emr-00000000")),
    ("UnauthorizedOperation.CheckCamAuth", _denied, request()),
    ("UnsupportedOperation.ServiceNotSupport", _unsupported, request()),
    ("InvalidParameter.InvalidServiceName", _nothing, request(OpScope=scope("KUDU"))),
    ("InvalidParameter.InvalidIpList", _nothing, request(OpScope=scope("HDFS", "DataNode", ["10.9.9.9"]))),
    ("InvalidParameter.RestartServiceUnsupported", _nothing, request(**_RESTART, OpScope=scope("YARN"))),
    ("ResourceNotFound.ServiceNodeNotFound", _nothing, request(OpScope=scope("HDFS", "Router"))),
    ("AuthFailure.SignatureFailure", _other_key, request()),
    ("AuthFailure.SecretIdNotFound", _key_deleted, request()),
    ("AuthFailure.TokenFailure", _token_wanted, request()),
    ("RequestLimitExceeded", _throttled, request()),
    ("RequestSizeLimitExceeded", _nothing, request(ClientToken="x" * (10 * 1024 * 1024))),
]


@pytest.mark.parametrize(("code", "break_it", "params"), BY_STATE, ids=[row[0] for row in BY_STATE])
def test_a_code_is_earned_by_the_state_of_things(
    cloud: Cloud, client: Any, code: str, break_it: Callable[[Cloud], None], params: dict[str, Any]
) -> None:
    """What is wrong with cluster, caller or request gives the documented code, and nothing is done."""
    break_it(cloud)
    assert refusal(client, START_STOP, params)[0] == code
    assert not cloud.operations


def test_a_signature_expires(cloud: Cloud) -> None:
    """A caller whose clock is more than five minutes off is told so."""
    with common_client(CloudAdapter(cloud, signed_by=VirtualClock())) as client:
        assert refusal(client, START_STOP, request())[0] == "AuthFailure.SignatureExpire"


@pytest.mark.parametrize("code", [*DOCUMENTED, *COMMON, "LimitExceeded.NewToday"])
def test_every_code_can_be_provoked(cloud: Cloud, adapter: CloudAdapter, client: Any, code: str) -> None:
    """Also those that no state earns, and codes that the API has not got yet; the request after it is served."""
    adapter.faults.add(Fault.api_error(code, START_STOP))
    client.call_json("DescribeInstances", {"DisplayStrategy": "clusterList"})
    assert refusal(client, START_STOP, request())[0] == code
    assert [record.error for record in cloud.requests] == [None, code]
    assert not cloud.operations
    client.call_json(START_STOP, request())
    assert len(cloud.operations) == 1


def test_every_documented_code_has_a_message() -> None:
    """No documented code is missing in the table, and the SDK knows each of the action's too."""
    assert set(DOCUMENTED) | set(COMMON) <= set(MESSAGES)
    in_sdk = {value for name, value in vars(errorcodes).items() if name.isupper()}
    assert set(DOCUMENTED) <= in_sdk
    assert all(ApiError(code).message for code in MESSAGES)


@pytest.mark.parametrize("code", ["InternalError.WoodServerError", "FailedOperation"])
def test_an_error_may_be_said_after_the_effect(cloud: Cloud, adapter: CloudAdapter, client: Any, code: str) -> None:
    """An internal error does not prove that nothing was done: the fake can do it and say so."""
    adapter.faults.add(Fault.api_error(code, although_carried_out=True))
    assert refusal(client, START_STOP, request())[0] == code
    assert (len(cloud.operations), cloud.requests[0].error) == (1, code)


def test_throttling_ends_after_so_many_times(cloud: Cloud, adapter: CloudAdapter, client: Any) -> None:
    """The throttled tries leave no trace in the cluster, the next one does."""
    adapter.faults.add(Fault.throttle(3))
    for _ in range(3):
        assert refusal(client, START_STOP, request())[0] == "RequestLimitExceeded"
    client.call_json(START_STOP, request())
    assert (len(cloud.operations), len(cloud.requests_for(START_STOP)), len(adapter.faults)) == (1, 4, 0)


def test_the_default_key_is_the_only_one() -> None:
    """A new cloud lets in the exported key pair and nobody else."""
    assert Cloud(VirtualClock()).credentials == {KEY[0]: (KEY[1], None)}

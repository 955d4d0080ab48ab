"""What each action does and answers when the official SDK calls it in process."""

from __future__ import annotations

from typing import Any

import pytest

from harness.clock import VirtualClock
from harness.fake_cloud.cloud import SECRET_ID, Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS, NIGHTLY
from harness.fake_cloud.sdk_clients import common_client
from tests.harness.calls import (
    START_STOP,
    refusal,
    request,
    response,
    scope,
)


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
    """An empty list means everything, which is a trap for clients."""
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
    """Missing, unknown and wrong keys have their codes and are named, and nothing is done."""
    found, message = refusal(client, START_STOP, params)
    assert (found, named in message) == (code, True), message
    assert cloud.requests[0].error == code
    assert not cloud.operations


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 12),
        ({"OperatorStateId": 2}, 1),
        ({"OperatorStateId": 1}, 11),
        ({"MaintainStateId": 2}, 1),
        ({"MaintainStateId": 1}, 11),
        ({"HealthStateId": "0"}, 1),
        ({"HealthStateId": "-4"}, 2),
        ({"HealthStateId": "1"}, 9),
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
    """No page has more than 100 items, whatever Limit is, and the pages together have all."""
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
    """Without ProjectId -1 only the default project is seen; another region never is."""
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


def test_the_cluster_shows_what_it_is_busy_with(cloud: Cloud, client: Any, clock: VirtualClock) -> None:
    """DescribeInstances gives the workflow's status while an operation runs, and 2 afterwards."""

    def status() -> int:
        answer = response(client, "DescribeInstances", {"DisplayStrategy": "clusterList", "InstanceIds": [ANALYTICS]})
        return int(answer["ClusterList"][0]["Status"])

    client.call_json(START_STOP, request(OpType="StopMonitor"))
    assert status() == 9
    clock.advance(3)
    assert status() == 2


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

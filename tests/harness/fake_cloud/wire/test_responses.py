"""The answers have every field of the SDK's response models, and nothing besides."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from tencentcloud.emr.v20190103 import models

from harness.clock import VirtualClock
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS
from harness.fake_cloud.sdk_clients import typed_client
from tests.harness.calls import (
    fields,
    request,
    response,
)


def test_node_infos_carry_every_field_of_the_model(clock: VirtualClock, cloud: Cloud, client: Any) -> None:
    """The answer has exactly the fields of the SDK's model, and shows each process as it is."""
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
        ("172.16.0.6", 2, 1, -4),
        ("172.16.0.7", 1, 2, -4),
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


def test_what_is_not_there_is_null(client: Any) -> None:
    """An empty list "may be null", and is: for a missing service, and for an unknown cluster."""
    nodes = response(client, "DescribeServiceNodeInfos", {"InstanceId": ANALYTICS, "ServiceName": "KUDU"})
    assert (nodes["TotalCnt"], nodes["ServiceNodeList"]) == (0, None)
    clusters = response(
        client, "DescribeInstances", {"DisplayStrategy": "clusterList", "InstanceIds": ["emr-nosuch00"]}
    )
    assert (clusters["TotalCnt"], clusters["ClusterList"]) == (0, None)


@pytest.mark.parametrize(("language", "text"), [("en-US", "Good"), ("zh-CN", "良好"), (None, "良好")])
def test_health_is_worded_in_the_callers_language(client: Any, language: str | None, text: str) -> None:
    """English where X-TC-Language asks for it, else Chinese."""
    client.profile.language = language
    answer = response(client, "DescribeServiceNodeInfos", {"InstanceId": ANALYTICS, "ServiceName": "HIVE"})
    assert answer["ServiceNodeList"][0]["HealthStatus"]["Text"] == text

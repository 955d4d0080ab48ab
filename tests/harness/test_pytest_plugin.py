"""The fixtures for anybody's tests, with the SDK's own typed client as the code under test."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from tencentcloud.common.credential import EnvironmentVariableCredential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.emr.v20190103 import models
from tencentcloud.emr.v20190103.emr_client import EmrClient

from harness.clock import START, VirtualClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS
from harness.fake_cloud.server import CloudServer
from harness.faults import FaultQueue, Kind

pytest_plugins = ["harness.pytest_plugin"]


def client(profile: Any = None) -> Any:
    """A client as any code makes it, with the credentials of the environment."""
    return EmrClient(EnvironmentVariableCredential().get_credential(), "ap-guangzhou", profile)


def restart_request() -> Any:
    """A restart of one DataNode, made of the SDK's models."""
    component = models.ComponentBasicRestartInfo()
    component.ComponentName, component.IpList = "DataNode", ["172.16.0.5"]
    service = models.ServiceBasicRestartInfo()
    service.ServiceName, service.ComponentInfoList = "HDFS", [component]
    request = models.StartStopServiceOrMonitorRequest()
    request.InstanceId, request.OpType = ANALYTICS, "RestartService"
    request.OpScope, request.StrategyConfig = models.OpScope(), models.StrategyConfig()
    request.OpScope.ServiceInfoList = [service]
    request.StrategyConfig.RollingRestartSwitch = 1
    return request


def health(of: Any) -> int:
    """Of the DataNode, as the API shows it."""
    request = models.DescribeServiceNodeInfosRequest()
    request.InstanceId, request.ServiceName, request.SearchText = ANALYTICS, "HDFS", "172.16.0.5"
    (node,) = of.DescribeServiceNodeInfos(request).ServiceNodeList
    return int(node.HealthStatus.Code)


def test_the_sdk_talks_to_the_fake_cloud(emr_cloud: Cloud, emr_clock: VirtualClock) -> None:
    """A dead process is seen, restarted and seen to run, on a clock that the test moves."""
    process = emr_cloud.process(ANALYTICS, "DataNode", "172.16.0.5")
    process.kill()
    emr = client()
    assert health(emr) == 0
    emr.StartStopServiceOrMonitor(restart_request())
    emr_clock.advance(3)
    assert (health(emr), process.is_running, process.restarts) == (1, True, 1)
    assert [request.params["OpType"] for request in emr_cloud.requests_for("StartStopServiceOrMonitor")] == [
        "RestartService"
    ]


EARLIER = EmrClient(None, "ap-guangzhou")


def test_a_client_made_before_the_test_is_answered_too(
    emr_cloud: Cloud, emr_credentials: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that makes its client once, when it is imported, needs no change."""
    monkeypatch.setattr(EARLIER, "credential", EnvironmentVariableCredential().get_credential())
    assert emr_credentials == (SECRET_ID, SECRET_KEY)
    assert EARLIER.StartStopServiceOrMonitor(restart_request()).RequestId == emr_cloud.operations[0].request_id


def test_other_hosts_are_not_touched(emr_cloud: Cloud) -> None:
    """Requests to other hosts still go to those hosts."""
    with requests.Session() as session:
        assert session.get_adapter("https://emr.ap-guangzhou.tencentcloudapi.com/").cloud is emr_cloud  # type: ignore[attr-defined]
        assert session.get_adapter("https://example.com/") is session.adapters["https://"]
        assert session.get_adapter("https://tencentcloudapi.com.example.com/") is session.adapters["https://"]


def test_a_test_without_the_fixture_is_left_alone() -> None:
    """Nothing of the fake stays behind."""
    with requests.Session() as session:
        url = "https://emr.tencentcloudapi.com/"
        assert session.get_adapter(url) is session.adapters["https://"]


def test_faults_can_be_injected(emr_cloud: Cloud, emr_faults: FaultQueue) -> None:
    """The client sees a lost answer; the cloud did what was asked."""
    emr_faults.add(Kind.RESET_AFTER_READING)
    with pytest.raises(TencentCloudSDKException, match="ClientNetworkError"):
        client().StartStopServiceOrMonitor(restart_request())
    assert len(emr_cloud.operations) == 1


def test_a_server_gives_other_clients_an_endpoint(emr_server: CloudServer, emr_clock: VirtualClock) -> None:
    """The same over a socket, for a client with an endpoint of its own."""
    emr = client(ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=emr_server.endpoint)))
    emr.StartStopServiceOrMonitor(restart_request())
    assert health(emr) == 0
    emr_clock.advance(3)
    assert health(emr) == 1
    assert [operation.at for operation in emr_server.cloud.operations] == [START]

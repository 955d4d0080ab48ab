"""Which operations a cluster accepts, and what a scope means."""

from __future__ import annotations

import pytest

from harness.clock import VirtualClock
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.state.workflow import ScopePart, Strategy
from tests.harness.calls import (
    refused,
)
from tests.harness.fake_cloud.state.acts import CLUSTER, DATA_NODES, ONE, act, healths


def test_a_busy_cluster_refuses(cloud: Cloud, clock: VirtualClock) -> None:
    """A second operation meanwhile is refused and leaves no trace; afterwards it is taken."""
    act(cloud, "RestartService", ONE)
    with refused("ResourceInUse.InstanceInProcess"):
        act(cloud, "StopService", DATA_NODES)
    assert cloud.process(CLUSTER, "DataNode", "172.16.0.6").service_status == 1
    clock.advance(3)
    act(cloud, "StopService", DATA_NODES)
    assert len(cloud.operations) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (4, "ResourceInUse.InstanceInProcess"),
        (24, "ResourceInUse.InstanceInProcess"),
        (301, "FailedOperation"),
        (302, "FailedOperation"),
        (14, "ResourceNotFound.InstanceNotFound"),
        (34, "ResourceNotFound.InstanceNotFound"),
    ],
)
def test_a_cluster_that_is_not_running_refuses(cloud: Cloud, status: int, code: str) -> None:
    """Another workflow, a failure and a destruction each have their code."""
    cloud.cluster(CLUSTER).status = status
    with refused(code):
        act(cloud, "StartService", ONE)
    assert not cloud.operations


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ([ScopePart("HDFS")], 7),
        ([ScopePart("HDFS", "DataNode")], 5),
        ([ScopePart("HDFS", "DataNode", ("172.16.0.5", "172.16.0.6"))], 2),
        ([ScopePart("HDFS", "DataNode"), ScopePart("HDFS", "DataNode", ("172.16.0.5",))], 5),
        ([ScopePart("HDFS"), ScopePart("YARN", "NodeManager")], 12),
    ],
)
def test_what_a_scope_leaves_out_means_everything(cloud: Cloud, scope: list[ScopePart], expected: int) -> None:
    """No component: all of the service; no address: all of the component; each process once."""
    assert len(act(cloud, "StopService", scope).targets) == expected


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (ScopePart("HIVE"), "InvalidParameter.InvalidServiceName"),
        (ScopePart("hdfs"), "InvalidParameter.InvalidServiceName"),
        (ScopePart("HDFS", "NodeManager"), "ResourceNotFound.ServiceNodeNotFound"),
        (ScopePart("HDFS", "datanode"), "ResourceNotFound.ServiceNodeNotFound"),
        (ScopePart("HDFS", "DataNode", ("172.16.0.2",)), "InvalidParameter.InvalidIpList"),
        (ScopePart("HDFS", "DataNode", ("172.16.0.5", "172.16.0")), "InvalidParameter.InvalidIpList"),
        (ScopePart("HDFS", "DataNode", ("",)), "InvalidParameter.InvalidIpList"),
    ],
)
def test_a_scope_that_is_partly_wrong_does_nothing(cloud: Cloud, part: ScopePart, code: str) -> None:
    """The error has the part's code, and what was right in the scope is not touched either."""
    with refused(code):
        act(cloud, "StopService", [*DATA_NODES, part])
    assert healths(cloud) == [1, 1, 1, 1, 1]
    assert cloud.cluster(CLUSTER).status == 2


@pytest.mark.parametrize("scope", [[ScopePart("YARN", "ResourceManager")], [ScopePart("YARN")]])
def test_the_resource_manager_is_restarted_by_rolling_only(cloud: Cloud, scope: list[ScopePart]) -> None:
    """All at once is refused, also where it is only a part of the scope; rolling is taken."""
    with refused("InvalidParameter.RestartServiceUnsupported"):
        act(cloud, "RestartService", scope, Strategy(rolling=False))
    assert act(cloud, "RestartService", scope, Strategy(rolling=True)).targets

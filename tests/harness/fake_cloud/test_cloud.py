"""The cloud as a whole: clusters beside each other, and threads."""

from __future__ import annotations

import threading

import pytest

from harness.clock import VirtualClock
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS, NIGHTLY, demo_cloud
from harness.fake_cloud.errors import ApiError
from harness.fake_cloud.state.workflow import ScopePart
from tests.harness.calls import (
    refused,
)
from tests.harness.fake_cloud.state.acts import CLUSTER, ONE, act


def test_the_same_request_twice_acts_twice(cloud: Cloud, clock: VirtualClock) -> None:
    """There is no idempotency: both are carried out, and counted."""
    for _ in range(2):
        act(cloud, "RestartService", ONE)
        clock.advance(3)
    assert cloud.process(CLUSTER, "DataNode", "172.16.0.5").restarts == 2
    assert [operation.names for operation in cloud.operations] == [["HDFS/DataNode@172.16.0.5"]] * 2


def test_clusters_do_not_block_each_other(clock: VirtualClock) -> None:
    """While one is busy, the other takes its own operation."""
    cloud = demo_cloud(clock)
    cloud.start_stop(ANALYTICS, "StopService", [ScopePart("HIVE")], region="ap-guangzhou")
    cloud.start_stop(NIGHTLY, "StopService", [ScopePart("HBASE")], region="ap-shanghai")
    clock.advance(3)
    assert all(process.is_stopped for process in cloud.cluster(NIGHTLY).processes("HBASE"))
    assert all(process.is_running for process in cloud.cluster(NIGHTLY).processes("HIVE"))


def test_one_of_many_threads_gets_the_cluster(cloud: Cloud) -> None:
    """Of 16 operations at the same moment one is carried out; the others are refused as busy."""
    refused: list[str] = []
    together = threading.Barrier(16)

    def try_it() -> None:
        together.wait()
        try:
            act(cloud, "RestartService", ONE)
        except ApiError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(cloud.operations), len(refused)) == (1, 15)


def test_a_process_that_is_not_there_is_named_with_those_that_are(cloud: Cloud) -> None:
    """The error of a mistyped process in a test lists the processes that exist."""
    with pytest.raises(KeyError, match=r"DataNode@10\.0\.0\.1.*HDFS/DataNode@172\.16\.0\.5"):
        cloud.process(CLUSTER, "DataNode", "10.0.0.1")


def test_a_destroyed_cluster_is_gone(cloud: Cloud) -> None:
    """After its removal nothing can be asked of it."""
    cloud.remove_cluster(CLUSTER)
    with refused("ResourceNotFound.InstanceNotFound"):
        act(cloud, "StartService", ONE)

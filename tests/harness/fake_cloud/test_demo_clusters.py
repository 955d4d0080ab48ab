"""The two demonstration clusters."""

from __future__ import annotations

from harness.clock import VirtualClock
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from tests.harness.fake_cloud.state.acts import NODES


def test_the_demonstration_is_made_of_two_clusters(clock: VirtualClock) -> None:
    """What the sample events are about is there, healthy and running."""
    cloud = demo_cloud(clock)
    assert [(cluster.id, cluster.name, cluster.region, cluster.services) for cluster in cloud.clusters()] == [
        ("emr-4zvc5mul", "analytics", "ap-guangzhou", ("HDFS", "YARN", "HIVE", "HBASE", "ZOOKEEPER")),
        ("emr-8kd2m1qp", "nightly", "ap-shanghai", ("HBASE", "HIVE")),
    ]
    assert [process.ip for process in cloud.cluster(ANALYTICS).processes("HDFS", "DataNode")] == NODES
    assert all(process.is_running for cluster in cloud.clusters() for process in cluster.processes())

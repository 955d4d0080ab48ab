"""Operations on the cluster of these tests."""

from __future__ import annotations

from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.state.workflow import Operation, ScopePart, Strategy

CLUSTER = "emr-4zvc5mul"
NODES = ["172.16.0.5", "172.16.0.6", "172.16.0.7", "172.16.0.8", "172.16.0.9"]
DATA_NODES = [ScopePart("HDFS", "DataNode")]
ONE = [ScopePart("HDFS", "DataNode", ("172.16.0.5",))]
REGION = "ap-guangzhou"


def act(cloud: Cloud, op_type: str, scope: list[ScopePart], strategy: Strategy | None = None) -> Operation:
    return cloud.start_stop(CLUSTER, op_type, scope, strategy, region=REGION)


def healths(cloud: Cloud, component: str = "DataNode") -> list[int]:
    return [process.health for process in cloud.cluster(CLUSTER).processes(component=component)]

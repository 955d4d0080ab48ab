"""A cluster of two services on a virtual clock."""

from __future__ import annotations

import pytest

from harness.clock import VirtualClock
from harness.fake_cloud.cloud import Cloud
from tests.harness.fake_cloud.state.acts import CLUSTER, NODES


@pytest.fixture
def cloud(clock: VirtualClock) -> Cloud:
    cloud = Cloud(clock, transition_seconds=3)
    cloud.add_cluster(
        CLUSTER,
        {
            "HDFS": {"NameNode": ["172.16.0.2", "172.16.0.3"], "DataNode": NODES},
            "YARN": {"ResourceManager": ["172.16.0.2", "172.16.0.3"], "NodeManager": NODES},
        },
    )
    return cloud

"""Two clusters for demonstrations and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.fake_cloud.cloud import Cloud

if TYPE_CHECKING:
    from harness.clock import Clock

ANALYTICS: Final = "emr-4zvc5mul"
NIGHTLY: Final = "emr-8kd2m1qp"


def _addresses(network: str, first: int, count: int) -> list[str]:
    return [f"{network}.{host}" for host in range(first, first + count)]


def demo_cloud(clock: Clock, *, transition_seconds: float = 3.0) -> Cloud:
    """A cloud with two running clusters.

    ``analytics`` in ap-guangzhou has HDFS, YARN, HIVE, HBASE and ZOOKEEPER; ``nightly`` in ap-shanghai has HBASE and HIVE.
    """
    cloud = Cloud(clock, transition_seconds=transition_seconds)
    masters, cores, commons = (_addresses("172.16.0", *span) for span in ((2, 2), (5, 5), (10, 3)))
    cloud.add_cluster(
        ANALYTICS,
        {
            "HDFS": {
                "NameNode": masters,
                "JournalNode": commons,
                "ZKFailoverController": masters,
                "DataNode": cores,
            },
            "YARN": {"ResourceManager": masters, "NodeManager": cores, "JobHistoryServer": masters[:1]},
            "HIVE": {"HiveServer2": masters, "HiveMetaStore": masters},
            "HBASE": {"HMaster": masters, "HRegionServer": cores},
            "ZOOKEEPER": {"QuorumPeerMain": commons},
        },
        name="analytics",
        region="ap-guangzhou",
    )
    masters, cores = (_addresses("172.17.0", *span) for span in ((2, 2), (5, 3)))
    cloud.add_cluster(
        NIGHTLY,
        {
            "HBASE": {"HMaster": masters, "HRegionServer": cores},
            "HIVE": {"HiveServer2": masters, "HiveMetaStore": masters},
        },
        name="nightly",
        region="ap-shanghai",
    )
    return cloud

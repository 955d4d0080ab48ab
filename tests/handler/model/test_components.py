"""Names of services and processes are known in the spellings that senders use; unknown ones refuse nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.model.components import (
    COMPONENTS,
    Process,
    component_key,
    process_named,
    process_of_policy,
    service_named,
    spelled,
)
from handler.model.policy import QUORUM_ROLES


@pytest.mark.parametrize(
    ("policy_type", "namespace", "process"),
    [
        ("hdfs_namenode", "", ("HDFS", "NameNode")),
        ("hdfs_datanode", "", ("HDFS", "DataNode")),
        ("hdfs_journalnode", "", ("HDFS", "JournalNode")),
        ("hdfs_zkfailovercontroller", "", ("HDFS", "ZKFailoverController")),
        ("yarn_resourcemanager", "", ("YARN", "ResourceManager")),
        ("yarn_nodemanager", "", ("YARN", "NodeManager")),
        ("yarn_jobhistoryserver", "", ("YARN", "JobHistoryServer")),
        ("hive_hiveserver2", "", ("HIVE", "HiveServer2")),
        ("hive_hivemetastore", "", ("HIVE", "HiveMetaStore")),
        ("hbase_hmaster", "", ("HBASE", "HMaster")),
        ("hbase_regionserver", "", ("HBASE", "HRegionServer")),
        ("zookeeper_zookeeper", "", ("ZOOKEEPER", "QuorumPeerMain")),
        ("presto_presto_worker", "", ("PRESTO", "PrestoWorker")),
        ("presto_presto_sql_worker", "", ("PRESTOSQL", "PrestoSqlWorker")),
        ("kudu_master", "", ("KUDU", "KuduMaster")),
        ("impala_daemon", "", ("IMPALA", "Impala-Daemon")),
        ("kyuubi_kyuubiserver", "", ("KYUUBI", "KyuubiServer")),
        ("ranger_admin", "", ("RANGER", "Ranger")),
        ("trino_trinoworker", "", ("TRINO", "TrinoWorker")),
        ("starrocks_fe", "", ("STARROCKS", "FE")),
        ("new_doris_fe_dim", "", ("DORIS", "FE")),
        ("kafka_kafka", "", ("KAFKA", "Kafka")),
        ("kafka", "", ("KAFKA", "")),
        ("new_hdfs_datanode", "", ("HDFS", "DataNode")),
        ("hdfs_datanode_dim", "", ("HDFS", "DataNode")),
        ("new_hdfs_datanode_dim", "QCE/TXMR_HDFS", ("HDFS", "DataNode")),
        ("HDFS_DataNode", "", ("HDFS", "DataNode")),
        ("hdfs_overview", "", ("HDFS", "")),
        ("hdfs", "", ("HDFS", "")),
        ("zookeeper", "", ("ZOOKEEPER", "")),
        ("yarn_datanode", "", ("YARN", "")),
        ("node_cpu", "", ("", "")),
        ("node_cpu", "QCE/TXMR_NODE", ("", "")),
        ("emr_custom", "QCE/TXMR_HBASE", ("HBASE", "")),
        ("", "qce/txmr_hive", ("HIVE", "")),
        ("cvm_device", "qce/cvm", ("", "")),
        ("x" * 10_000, "y" * 10_000, ("", "")),
    ],
)
def test_policy_types_name_processes(policy_type: str, namespace: str, process: tuple[str, str]) -> None:
    """Cloud Monitor's roles, with their variants; the namespace helps where the role says nothing."""
    assert process_of_policy(policy_type, namespace) == Process(*process)


@pytest.mark.parametrize(
    ("name", "service", "expected"),
    [
        ("datanode", "", ("HDFS", "DataNode")),
        ("DATANODE", "HDFS", ("HDFS", "DataNode")),
        ("hdfs-datanode", "", ("HDFS", "DataNode")),
        ("hdfs_datanode", "HDFS", ("HDFS", "DataNode")),
        ("zkfc", "", ("HDFS", "ZKFailoverController")),
        ("impala_daemon", "", ("IMPALA", "Impala-Daemon")),
        ("Solr", "RANGER", ("RANGER", "Solr")),
        ("Gateway", "", None),
        ("Router", "HDFS", ("HDFS", "Router")),
        ("DataNode", "YARN", None),
        ("FE", "", None),
        ("be", "", None),
        ("Broker", "", None),
        ("FE", "STARROCKS", ("STARROCKS", "FE")),
        ("fe", "doris", ("DORIS", "FE")),
        ("doris-be", "", ("DORIS", "BE")),
        ("FE", "HDFS", None),
        ("trinocoordinator", "", ("TRINO", "TrinoCoordinator")),
        ("Kafka", "", None),
        ("kafka", "KAFKA", ("KAFKA", "Kafka")),
        ("Ui", "", None),
        ("ui", "STORM", ("STORM", "Ui")),
        ("Httpd", "", None),
        ("Gmond", "", ("GANGLIA", "Gmond")),
        ("COSRangerServer", "", ("COSRANGER", "COSRangerServer")),
        ("Broker", "KAFKA", None),
        ("", "HDFS", None),
    ],
)
def test_labels_name_processes(name: str, service: str, expected: tuple[str, str] | None) -> None:
    """Any spelling of a known process; a word that several products use needs its service beside it."""
    assert process_named(name, service) == (Process(*expected) if expected else None)


@pytest.mark.parametrize("service", sorted(COMPONENTS))
def test_every_process_is_found_by_its_own_name(service: str) -> None:
    """The table's own spellings lead back to it."""
    assert service_named(service.lower()) == service
    for component in COMPONENTS[service]:
        assert process_named(component, service) == Process(service, component)
        assert process_of_policy(f"{service}_{component}", "") == Process(service, component)


def test_every_quorum_role_is_a_component() -> None:
    """The defaults name components by EMR's names, or by a known alias."""
    known = {component_key(component) for components in COMPONENTS.values() for component in components}
    assert {component_key(role) for role in QUORUM_ROLES} <= known


@given(st.text(), st.text())
def test_no_name_is_too_odd(name: str, service: str) -> None:
    """Unknown names are no error."""
    found = process_named(name, service)
    assert found is None or found.component in COMPONENTS[found.service]
    assert process_of_policy(name, service).service in {"", *COMPONENTS}


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("HDFS/datanode/172.16.0.5", "HDFS/DataNode/172.16.0.5"),
        ("IMPALA/impala-daemon/fd00::5", "IMPALA/Impala-Daemon/fd00::5"),
        ("HDFS/zkfc/172.16.0.5", "HDFS/zkfc/172.16.0.5"),  # a name of its own, by which it is found again
        ("CUSTOM/thing/172.16.0.5", "CUSTOM/thing/172.16.0.5"),
        ("no key", "no key"),
    ],
)
def test_a_process_is_spelled_as_emr_spells_it(key: str, name: str) -> None:
    """Where EMR's name differs in case only, so that the name is still the process's."""
    assert spelled(key) == name

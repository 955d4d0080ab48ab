"""The names of services and processes: EMR's, Cloud Monitor's, and those in labels.

This is knowledge to help a rule, never a whitelist: a name that is not here stays as it was written.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple


class Process(NamedTuple):
    """A process by EMR's names for its service and its component.

    Either is empty where a sender does not name it.
    """

    service: str
    component: str


#: By service and component (EMR API, DescribeServiceNodeInfos, and the console's service pages): the other names that
#: Tencent's pages and exporters use, in lower-case letters and digits.
COMPONENTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "HDFS": {
        "NameNode": (),
        "DataNode": (),
        "JournalNode": (),
        "ZKFailoverController": ("zkfc",),
        "Router": (),
    },
    "YARN": {
        "ResourceManager": (),
        "NodeManager": (),
        "JobHistoryServer": ("historyserver",),
        "TimeLineServer": ("applicationhistoryserver",),
    },
    "HIVE": {"HiveServer2": ("hs2",), "HiveMetaStore": ("metastore",), "HiveWebHcat": ()},
    "HBASE": {
        "HMaster": ("hbasemaster",),
        "HRegionServer": ("regionserver", "hbaseregionserver"),
        "HbaseThrift": (),
    },
    "ZOOKEEPER": {"QuorumPeerMain": ("zookeeper", "zookeeperzookeeper", "zookeeperserver")},
    "SPARK": {"SparkJobHistoryServer": ()},
    "PRESTO": {"PrestoCoordinator": (), "PrestoWorker": ()},
    "PRESTOSQL": {"PrestoSqlCoordinator": (), "PrestoSqlWorker": ()},
    "TRINO": {"TrinoCoordinator": (), "TrinoWorker": ()},  # PrestoSQL's name since EMR 3.4.0
    "STARROCKS": {"FE": (), "BE": (), "Broker": ()},
    "DORIS": {"FE": (), "BE": (), "Broker": ()},
    "KUDU": {"KuduMaster": (), "KuduServer": ("kudutserver",)},
    "IMPALA": {
        "Impala-Daemon": ("impalad",),
        "Impala-Statestore": ("statestored",),
        "Impala-Catalog": ("catalogd",),
    },
    "RANGER": {"Ranger": ("rangeradmin",), "RangerUsersync": (), "Solr": ()},
    "COSRANGER": {"COSRangerServer": ()},
    "ALLUXIO": {"AlluxioMaster": (), "AlluxioWorker": ()},
    "KYUUBI": {"KyuubiServer": ()},
    "LIVY": {"LivyServer": ()},
    "KNOX": {"Gateway": ()},
    "KAFKA": {"Kafka": ()},
    "STORM": {"Nimbus": (), "Supervisor": (), "Ui": (), "Logviewer": ()},
    "KRB5": {"Krb5Kdc": ()},
    "OPENLDAP": {"Slapd": ()},
    "GANGLIA": {"Httpd": (), "Gmetad": (), "Gmond": ()},
    "HUE": {"Hue": ()},
    "OOZIE": {"Oozie": ()},
    "ZEPPELIN": {},
    "SUPERSET": {},
}

# Too common as words to identify a process alone, or the name of the whole service; beside their service they do.
_COMMON: Final = frozenset(
    {"Router", "Ranger", "Solr", "Gateway", "Supervisor", "Ui", "Logviewer", "Httpd", "Kafka", "Hue", "Oozie"}
)
# Of several services, so that only the service beside it tells which process is meant.
_SHARED: Final = frozenset(
    name
    for name, services in Counter(name for components in COMPONENTS.values() for name in components).items()
    if services > 1
)


def _key(name: str) -> str:
    """``Impala-Daemon``, ``impala_daemon`` and ``IMPALA daemon`` alike."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


_SERVICES: Final = {_key(service): service for service in COMPONENTS}


def _named() -> dict[str, Process]:
    table: dict[str, Process] = {}
    for service, components in COMPONENTS.items():
        for name, aliases in components.items():
            known = (_key(service + name), *aliases, *([] if name in _COMMON | _SHARED else [_key(name)]))
            table |= dict.fromkeys(known, Process(service, name))
    return table


_PROCESSES: Final = _named()
_MAX_LENGTH = 64  # characters of any such name


def service_named(name: str) -> str:
    """EMR's name for the service that ``name`` means, or empty.

    ``TXMR_HDFS`` and ``QCE/TXMR_HDFS`` are HDFS.
    """
    if len(name) > _MAX_LENGTH:
        return ""
    key = _key(name.rpartition("/")[2])
    return _SERVICES.get(key.removeprefix("txmr"), "")


def process_named(name: str, service: str = "") -> Process | None:
    """The process that ``name`` means, whatever its case and separators.

    Where ``service`` is given, it is a process of that service. Without it, a name of several services (``FE``) is not
    guessed at.

    ``datanode``, ``HDFS-DataNode``, ``hdfs_datanode`` and ``zkfc`` are known; None for what is not.
    """
    if not name or len(name) > _MAX_LENGTH:
        return None
    key = _key(name)
    if not service:
        return _PROCESSES.get(key)
    found = _PROCESSES.get(_key(service) + key) or _PROCESSES.get(key)
    return found if found and found.service == service_named(service) else None


def spelled(key: str) -> str:
    """``HDFS/DataNode/172.16.0.5`` for the key ``HDFS/datanode/172.16.0.5``.

    EMR's name is used where it differs in case only.
    """
    service, _, rest = key.partition("/")
    component, slash, ip = rest.partition("/")
    name = next((name for name in COMPONENTS.get(service, ()) if name.lower() == component), component)
    return f"{service}/{name}/{ip}" if slash else key


def process_of_policy(policy_type: str, namespace: str) -> Process:
    """The process that a Cloud Monitor policy type and a namespace name.

    Examples are ``new_hdfs_datanode_dim`` and ``QCE/TXMR_HDFS``.

    A role that is not known leaves the component empty, a policy type that names no service leaves that to the
    namespace.
    """
    role = policy_type.strip().lower().removeprefix("new_").removesuffix("_dim")
    first, _, rest = role.partition("_")
    service = service_named(first) or service_named(namespace)
    # "zookeeper" alone may be the service or its process; a role has to be named.
    if rest and (found := process_named(role) or process_named(rest)):
        # PRESTO's policies hold PRESTOSQL's roles too; otherwise a role of another service is none.
        return found if found.service.startswith(service) else Process(service, "")
    return Process(service, "")


#: By alias: the component's own name in lower case.
_BY_ALIAS: Final = {
    alias: name.lower()
    for components in COMPONENTS.values()
    for name, aliases in components.items()
    for alias in aliases
}


def component_key(name: str) -> str:
    """One name for one process, whatever its case and the page it was taken from."""
    name = name.lower()
    return _BY_ALIAS.get(name, name)


def same_spelling(left: str, right: str) -> bool:
    """Whether two names mean the same process."""
    return component_key(left) == component_key(right)

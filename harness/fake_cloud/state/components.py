"""Components that the documentation treats in a special way.

All other components behave alike.
"""

from __future__ import annotations

from typing import Final

#: Components that run in active and standby.
ACTIVE_AND_STANDBY: Final = frozenset({"NameNode", "ResourceManager", "HMaster"})

#: A restart that is not rolling is refused for these.
ROLLING_ONLY: Final = frozenset({"ResourceManager", "PrestoCoordinator"})

_COMMON: Final = frozenset({"JournalNode", "QuorumPeerMain"})
_CORE: Final = frozenset(
    {
        "DataNode",
        "NodeManager",
        "HRegionServer",
        "KuduServer",
        "Impala-Daemon",
        "PrestoWorker",
        "PrestoSqlWorker",
        "TrinoWorker",
        "AlluxioWorker",
    }
)


def node_of(component: str) -> str:
    """The type of node on which EMR places ``component``: ``common``, ``core`` or ``master``."""
    if component in _COMMON:
        return "common"
    return "core" if component in _CORE else "master"

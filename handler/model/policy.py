"""The values of the configuration, frozen, as the function works with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from handler.model.request import OpType
    from handler.model.scope import All

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: The consensus groups and the pairs of active and standby that EMR has, under every name of theirs.
QUORUM_ROLES: Final = (
    "NameNode",
    "JournalNode",
    "QuorumPeerMain",
    "Zookeeper",
    "ResourceManager",
    "HMaster",
    "KuduMaster",
    "FE",
    "AlluxioMaster",
    "PrestoCoordinator",
    "PrestoSqlCoordinator",
    "TrinoCoordinator",
    "Kafka",
)


@dataclass(frozen=True)
class Cluster:
    """A cluster that may be touched.

    ``role_arn`` is the role to assume for a cluster of another account.
    """

    id: str
    name: str
    region: str
    allow: frozenset[OpType]
    operations_per_hour: int = 12
    role_arn: str = ""


@dataclass(frozen=True)
class Grant:
    """What a caller may do: what is not named here, it may not.

    ``sources`` are the senders whose events it may send. The others are for direct requests. A cluster's ``allow``
    holds besides: ``ALL`` is never more than that.
    """

    sources: frozenset[str] = frozenset()
    operations: frozenset[OpType] = frozenset()
    clusters: Literal[All.ALL] | frozenset[str] = frozenset()
    #: Names in upper case, as a scope has them.
    services: Literal[All.ALL] | frozenset[str] = frozenset()


@dataclass(frozen=True)
class Caller:
    """A caller over HTTP: by basic credentials where ``user`` is set, else by a bearer token.

    ``secret_env`` names the variable that holds the secret. Without a ``grant`` it may do nothing.
    """

    name: str
    secret_env: str
    user: str = ""
    grant: Grant = field(default_factory=Grant)


@dataclass(frozen=True)
class Webhook:
    """Who may call over HTTP. ``patience``: seconds within which a sender is answered."""

    callers: tuple[Caller, ...] = ()
    patience: float = 4.0


@dataclass(frozen=True)
class Quarantine:
    """The quarantine: ``restarts`` within ``within`` seconds that did not last lead to it.

    The process is left alone until its restarts are older than ``within``, or a person releases it.
    """

    restarts: int = 3
    within: float = 86400.0


@dataclass(frozen=True)
class Freeze:
    """A time at which nothing is done, from ``start`` to ``end`` (seconds since the epoch).

    It holds for ``clusters``, or for all where that is empty.
    """

    start: float
    end: float
    reason: str
    clusters: frozenset[str] = frozenset()

    def covers(self, now: float, cluster: str) -> bool:
        """Whether it is in force at ``now`` (seconds since the epoch)."""
        return self.start <= now < self.end and (not self.clusters or cluster in self.clusters)


@dataclass(frozen=True)
class MaintenanceWindow:
    """A time of the week at which alerts are left to the people at work.

    ``start`` and ``end`` are minutes of the day; it may pass midnight.
    """

    days: frozenset[int]
    start: int
    end: int
    time_zone: str
    reason: str
    clusters: frozenset[str] = frozenset()

    def covers(self, now: float, cluster: str) -> bool:
        """Whether it is open at ``now`` (seconds since the epoch), by the clock of its time zone."""
        if self.clusters and cluster not in self.clusters:
            return False
        import datetime
        import zoneinfo

        local = datetime.datetime.fromtimestamp(now, zoneinfo.ZoneInfo(self.time_zone))
        minute, day = local.hour * 60 + local.minute, local.weekday()
        if self.start < self.end:
            return day in self.days and self.start <= minute < self.end
        # Past midnight it still belongs to the day on which it began.
        return (day in self.days and minute >= self.start) or ((day - 1) % 7 in self.days and minute < self.end)


@dataclass(frozen=True)
class Safety:
    """What holds for all rules."""

    quorum_roles: tuple[str, ...] = QUORUM_ROLES
    quarantine: Quarantine = field(default_factory=Quarantine)
    freezes: tuple[Freeze, ...] = ()
    maintenance_windows: tuple[MaintenanceWindow, ...] = ()
    #: Seconds for which the ledger remembers what is finished; longer than every sender's repeat.
    keep_records: float = 30 * 86400.0


@dataclass(frozen=True)
class Chat:
    """A chat or pager: ``url_env`` names the variable that holds its apprise URL."""

    url_env: str


@dataclass(frozen=True)
class EventBus:
    """An EventBridge bus."""

    id: str
    region: str


@dataclass(frozen=True)
class AlarmSettings:
    """The channels of alarms besides the log.

    The same alarm is raised once within ``group_within`` seconds.
    """

    chat: tuple[Chat, ...] = ()
    event_bus: EventBus | None = None
    group_within: float = 600.0


Mode = Literal["act", "observe"]


LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")

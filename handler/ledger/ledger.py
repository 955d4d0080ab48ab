"""The ledger: the records of all clusters and their history, in a store.

It decodes and encodes, compares and swaps. Rules are the records' own (``handler/ledger/cluster_record.py``); what a
store does is in ``handler/ledger/store.py``.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from handler.errors import LedgerUnavailable, ReplyLost
from handler.ledger import alarm_record, request_ids, serialization
from handler.ledger.alarm_record import AlarmRecord
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.request_ids import RequestIds
from handler.ledger.store import Line, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: The keys of the alarms and of the ids of requests. No cluster has such an id.
ALARMS: Final = "alarms"
REQUEST_IDS: Final = "request-ids"
#: How often a change is made anew on what others wrote meanwhile.
MAX_TRIES: Final = 200


class Loaded(NamedTuple):
    """A record, the caller's to change, and the version that a swap compares."""

    record: ClusterRecord
    version: int


class Ledger:
    """All that is remembered, in one store.

    Every method may raise LedgerUnavailable; then nothing may be sent.

    A record that an instance has decoded is kept with its version, which the store compares.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, tuple[int, Any]] = {}

    def load(self, cluster: str) -> Loaded:
        """The record of a cluster; a new one where there is none."""
        version, record = self._read(cluster)
        return Loaded(record.copy() if record else ClusterRecord(cluster), version)

    def _read(self, cluster: str) -> tuple[int, ClusterRecord | None]:
        known, record = self._kept.get(cluster, (0, None))
        stored = self._store.load(cluster, known)
        if stored.version == 0:
            return 0, None
        if stored.value is not None:
            record = serialization.from_bytes(stored.value, cluster)
            self._kept[cluster] = (stored.version, record)
        return stored.version, record

    def swap(self, loaded: Loaded, record: ClusterRecord, *, patient: bool = False) -> bool:
        """Replace what was loaded, if nobody has done so meanwhile.

        ``patient``: it tells of what was sent.
        """
        record = record.copy()
        data = serialization.to_bytes(record)
        version = self._swap(record.cluster, loaded.version, data, has_open=record.has_work, patient=patient)
        if version:
            self._kept[record.cluster] = (version, record)
        return bool(version)

    def _swap(self, key: str, version: int, data: bytes, *, has_open: bool, patient: bool = False) -> int:
        try:
            return self._store.swap(key, version, data, has_open=has_open, patient=patient)
        except ReplyLost:
            # Read back before anything is decided: it is ours, or it is not.
            stored = self._store.load(key)
            return stored.version if stored.value == data else 0

    def change(
        self, cluster: str, change: Callable[[ClusterRecord], T], *, patient: bool = False
    ) -> tuple[T, ClusterRecord]:
        """Apply ``change`` to the newest record, as often as others come between.

        It may see several records.

        A change that leaves the record as it was writes nothing.
        """
        for attempt in range(MAX_TRIES):
            loaded = self.load(cluster)
            record = loaded.record.copy()
            result = change(record)
            if record == loaded.record or self.swap(loaded, record, patient=patient):
                return result, record
            wait_a_little(attempt)
        raise LedgerUnavailable(f"the record of {cluster} changes too often")

    def alarms(self) -> AlarmRecord:
        """The alarms, as they are now."""
        stored = self._store.load(ALARMS)
        return alarm_record.from_bytes(stored.value) if stored.value is not None else AlarmRecord()

    def change_alarms(self, change: Callable[[AlarmRecord], T]) -> T:
        """Apply ``change`` to the newest alarms, as often as others come between."""
        return self._change(ALARMS, alarm_record, AlarmRecord, change)

    def change_request_ids(self, change: Callable[[RequestIds], T]) -> T:
        """Apply ``change`` to the ids of direct requests, as often as others come between."""
        return self._change(REQUEST_IDS, request_ids, RequestIds, change)

    def _change(self, key: str, codec: Any, new: Callable[[], Any], change: Callable[[Any], T]) -> T:
        for attempt in range(MAX_TRIES):
            stored = self._store.load(key)
            record = codec.from_bytes(stored.value) if stored.value is not None else new()
            result = change(record)
            data = codec.to_bytes(record)
            if data == stored.value or self._swap(key, stored.version, data, has_open=False):
                return result
            wait_a_little(attempt)
        raise LedgerUnavailable(f"the record of {key} changes too often")

    def clusters_with_work(self) -> list[str]:
        """The clusters whose records have something open."""
        return self._store.open_keys()

    def append(self, lines: Sequence[Line]) -> None:
        """Add lines to the history. They need not survive a power cut."""
        if lines:
            self._store.append(lines)

    def lines(
        self, *, cluster: str | None = None, id: str | None = None, since: float = 0.0, limit: int = 1000
    ) -> list[Line]:
        """Lines of history, the newest first."""
        return self._store.lines(cluster=cluster, id=id, since=since, limit=limit)

    def forget(self, before: float) -> int:
        """Forget history older than ``before``, some of it at a time; returns how many lines."""
        return self._store.forget(before)

    def check(self) -> list[str]:
        """Warnings about the store in plain words; none where all is well."""
        return self._store.check()

    def close(self) -> None:
        """Let go of files and connections."""
        self._store.close()


def open_ledger(url: str) -> Ledger:
    """The ledger at ``url``: ``sqlite:///FILE``, ``redis://…`` or ``rediss://…``.

    An absolute path takes four slashes; ``:memory:`` keeps it in memory.

    Raises ConfigurationError for another URL. The store is first touched when it is first used.
    """
    return Ledger(open_store(url))


def wait_a_little(attempt: int) -> None:
    """Sleep before trying again, longer the more often it was in vain.

    It is real time, since others write in it.
    """
    import random  # with what it loads, which an event that meets nobody does without

    time.sleep(random.uniform(0, min(0.05, 0.001 * 2 ** min(attempt, 6))))  # noqa: S311 - jitter, not a secret

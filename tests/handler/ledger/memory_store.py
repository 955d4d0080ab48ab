"""A store in memory: what a new kind of store costs. It is for one process, and is gone with it."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from handler.ledger.stored import Line, Stored, new_version


class MemoryStore:
    """Everything in two containers under one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, tuple[int, bytes, bool]] = {}
        self._lines: list[Line] = []

    def load(self, key: str, known: int = 0) -> Stored:
        with self._lock:
            version, value, _ = self._records.get(key, (0, None, False))
        return Stored(version, None if version == known else value)

    def swap(self, key: str, version: int, value: bytes, *, has_open: bool, patient: bool = False) -> int:
        with self._lock:
            if self._records.get(key, (0,))[0] != version:
                return 0
            self._records[key] = new_version(), value, has_open
            return self._records[key][0]

    def open_keys(self) -> list[str]:
        with self._lock:
            return sorted(key for key, (_, _, has_open) in self._records.items() if has_open)

    def append(self, lines: Sequence[Line]) -> None:
        with self._lock:
            self._lines = sorted([*self._lines, *lines], key=lambda line: line.at)  # of one time: as they came

    def lines(
        self, *, cluster: str | None = None, id: str | None = None, since: float = 0.0, limit: int = 1000
    ) -> list[Line]:
        with self._lock:
            newest = [line for line in reversed(self._lines) if line.at >= since]
        return [line for line in newest if cluster in (None, line.cluster) and id in (None, line.id)][:limit]

    def forget(self, before: float) -> int:
        with self._lock:
            count = sum(line.at < before for line in self._lines)
            del self._lines[:count]
        return count

    def check(self) -> list[str]:
        return ["the ledger is in memory: it is gone with its process"]

    def close(self) -> None:
        """Nothing to close."""

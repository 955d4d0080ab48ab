"""Injected faults that wait for a request."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from harness.faults.kinds import Fault, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class FaultQueue:
    """Faults in the order in which requests meet them; each is met once. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()
        self._met: list[tuple[Fault, str]] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault | Kind | Iterable[Fault]) -> None:
        """Queue faults. A bare kind stands for one fault of it, for any action."""
        with self._lock:
            for fault in faults:
                if isinstance(fault, Kind):
                    self._waiting.append(Fault(fault))
                elif isinstance(fault, Fault):
                    self._waiting.append(fault)
                else:
                    self._waiting.extend(fault)

    def clear(self) -> None:
        """Forget the faults that wait."""
        with self._lock:
            self._waiting.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(tuple(self._waiting))

    @property
    def met(self) -> list[tuple[Fault, str]]:
        """The faults that a request met, with its action."""
        with self._lock:
            return list(self._met)

    def for_connection(self) -> Fault | None:
        """The fault that a new connection meets before anything is read from it."""
        return self._take("", lambda fault: fault.kind is Kind.MUTE_FROM_ACCEPT)

    def for_request(self, action: str) -> Fault | None:
        """The fault that a request for ``action`` meets."""
        return self._take(action, lambda fault: fault.meets(action))

    def _take(self, action: str, meets: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for fault in self._waiting:
                if meets(fault):
                    self._waiting.remove(fault)
                    self._met.append((fault, action))
                    return fault
        return None

"""Changes that wait for their time on a clock, and are made at the next look.

No thread runs. A change that is due at 3.0 s is made as of 3.0 s, even if the next look comes at 60 s. So what a test
sees does not depend on how often it looks.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.clock import Clock


class Timeline:
    """The clock, the changes that wait for it, and the one lock that guards all state."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._lock = threading.RLock()
        self._waiting: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._running = False

    @contextmanager
    def current(self) -> Iterator[float]:
        """Hold the lock, with every change made that is due. Gives the time, in epoch seconds."""
        with self._lock:
            now = self.clock.now()
            self._catch_up(now)
            yield now

    def at(self, moment: float, change: Callable[[float], None]) -> None:
        """Make ``change`` at ``moment``, which it is given. It may plan others."""
        with self._lock:
            heapq.heappush(self._waiting, (moment, next(self._order), change))

    def _catch_up(self, now: float) -> None:
        if self._running:  # a change that is being made reads the state
            return
        self._running = True
        try:
            while self._waiting and self._waiting[0][0] <= now:
                moment, _, change = heapq.heappop(self._waiting)
                change(moment)
        finally:
            self._running = False

"""The clock of a private fake cluster: it starts at the machine's time, and waiting on it takes no time."""

from __future__ import annotations

import threading

from handler.lib.clock import SystemClock


class SimulatedClock(SystemClock):
    """The machine's clock plus all the seconds that somebody slept on it.

    The function and the fake cluster share one, so that a rolling restart of ten minutes is over at once for both.
    Threads may share it: each one's sleep moves the time of all.
    """

    def __init__(self, not_before: float = 0.0) -> None:
        """``not_before``: a moment (seconds since the epoch) that the clock starts at if the machine's time is earlier."""
        self._lock = threading.Lock()
        self._ahead = max(0.0, not_before - super().now())

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        with self._lock:
            return super().now() + self._ahead

    def monotonic(self) -> float:
        """Seconds from an arbitrary point; sleeping adds to them."""
        with self._lock:
            return super().monotonic() + self._ahead

    def sleep(self, seconds: float) -> None:
        """Move the time on by ``seconds`` and return at once."""
        if seconds > 0:
            with self._lock:
                self._ahead += seconds

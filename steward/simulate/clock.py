"""The clocks of fake clusters, on which waiting takes no time."""

from __future__ import annotations

import threading
import time

from harness.clock import SystemClock


class SimulatedClock:
    """A clock (:class:`handler.lib.clock.Clock`) that stands still until somebody sleeps on it.

    The function and the fake cluster share one, so that a rolling restart of ten minutes is over at once for both, and
    a slow machine changes nothing. Threads may share it: each one's sleep moves the time of all.
    """

    def __init__(self, not_before: float = 0.0) -> None:
        """Start at the machine's time, or at ``not_before`` (seconds since the epoch) if that is later."""
        self._lock = threading.Lock()
        self._start = max(not_before, time.time())
        self._slept = 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        with self._lock:
            return self._start + self._slept

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        with self._lock:
            return self._slept

    def sleep(self, seconds: float) -> None:
        """Move the time on by ``seconds`` and return at once."""
        if seconds > 0:
            with self._lock:
                self._slept += seconds


class AheadClock(SystemClock):
    """The machine's clock, moved ahead so that nobody waits for a transition of a fake cluster."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC, plus what it was moved ahead by."""
        return super().now() + self._ahead

    def move_on(self, seconds: float) -> None:
        """Move it ahead by ``seconds`` more."""
        self._ahead += seconds

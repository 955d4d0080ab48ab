"""Time that passes only when told to, so that an hour of transitions takes a test a millisecond."""

from __future__ import annotations

import threading
from typing import Final

from handler.lib.clock import SystemClock

#: 2025-06-02 03:00:00 UTC, a Monday: where a virtual clock starts unless told otherwise.
START: Final = 1_748_833_200.0


class VirtualClock:
    """A clock (:class:`handler.lib.clock.Clock`) that stands still until somebody sleeps on it or moves it.

    Threads may share one: each one's sleep moves the time of all.
    """

    def __init__(self, start: float = START) -> None:
        """``start``: seconds since the Unix epoch."""
        self._start = start
        self._elapsed = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        with self._lock:
            return self._start + self._elapsed

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        with self._lock:
            return self._elapsed

    def sleep(self, seconds: float) -> None:
        """Move time on by ``seconds`` and return at once; nothing happens where that is not positive."""
        if seconds > 0:
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move time on by ``seconds``. Raises ValueError where that would move it back."""
        if not seconds >= 0:  # written so that NaN is refused too
            raise ValueError(f"time moves forward only, not by {seconds} s")
        with self._lock:
            self._elapsed += seconds

    def leap(self, seconds: float) -> None:
        """Set the time of day by ``seconds`` ahead, or back: :meth:`monotonic` shows nothing of it."""
        with self._lock:
            self._start += seconds


class AheadClock(SystemClock):
    """The machine's clock, moved on by whoever does not want to wait for what takes its time on a fake cluster."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC, and what it was moved on by."""
        return super().now() + self._ahead

    def move_on(self, seconds: float) -> None:
        """Be so much further ahead."""
        self._ahead += seconds

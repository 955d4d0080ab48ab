"""Clocks: the machine's own, and a virtual one for tests that must not wait."""

from __future__ import annotations

import threading
import time
from typing import Final, Protocol

#: 2025-06-02 03:00:00 UTC, a Monday: where a virtual clock starts by default.
START: Final = 1_748_833_200.0


class Clock(Protocol):
    """What the fake cloud needs of time, in seconds. Any object with these methods is a clock."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, never going back."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``; at once if that is not positive."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class VirtualClock:
    """A clock that stands still until somebody sleeps on it or moves it.

    Threads may share one: the sleep of one thread moves the time of all.
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
        """Move time on by ``seconds`` and return at once; do nothing if that is not positive."""
        if seconds > 0:
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move time on by ``seconds``. Raises ValueError if that would move it back."""
        if not seconds >= 0:  # written so that NaN is refused too
            raise ValueError(f"time moves forward only, not by {seconds} s")
        with self._lock:
            self._elapsed += seconds

    def leap(self, seconds: float) -> None:
        """Set the time of day ``seconds`` ahead, or back; :meth:`monotonic` does not change."""
        with self._lock:
            self._start += seconds

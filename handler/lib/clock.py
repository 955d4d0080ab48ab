"""The one place where the function meets time.

Pure modules are handed ``now``; everything that waits is handed a :class:`Clock`, so that a test can run an hour of
verification in a millisecond.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The time, for everything that is not pure. Seconds throughout, as floats."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC. For records, ages and schedules."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary point, never going back. For deadlines."""

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``; at once where that is not positive."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class Deadline:
    """A moment on the monotonic clock by which something must have ended.

    ``until`` (seconds since the epoch) is another, on the wall clock, for what must not happen later whatever the first
    one says: it stands still while a machine is suspended.
    """

    __slots__ = ("_at", "_clock", "_until")

    def __init__(self, clock: Clock, seconds: float, until: float | None = None) -> None:
        self._clock = clock
        self._at = clock.monotonic() + seconds
        self._until = until

    def remaining(self) -> float:
        """Seconds left; negative once it has passed."""
        left = self._at - self._clock.monotonic()
        return left if self._until is None else min(left, self._until - self._clock.now())

    def sooner(self, seconds: float, until: float | None = None) -> Deadline:
        """This deadline, or one ``seconds`` from now and at ``until``, whichever comes first."""
        moments = [moment for moment in (until, self._until) if moment is not None]
        return Deadline(self._clock, min(seconds, self.remaining()), min(moments, default=None))

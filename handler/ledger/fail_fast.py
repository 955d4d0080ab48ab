"""A store that does not answer: one caller finds out, and the others fail at once.

A payload is about many clusters, and each asks the ledger several times. Were each question to wait anew for what has
just been waited for, the platform would end the function before any outcome is written. That the store is well again is
found out a second later at most.
"""

from __future__ import annotations

import time
from typing import Final

#: Seconds after which a failure has kept somebody waiting. What fails sooner is asked again by whoever comes.
LONG: Final = 0.25
#: Seconds for which nobody waits after that.
SECONDS: Final = 1.0


class Outage:
    """Of one store, in one process. Safe to use from several threads."""

    def __init__(self) -> None:
        #: Until when (monotonic), and why, in one: threads read it while another writes.
        self._last = (float("-inf"), "")

    @property
    def why(self) -> str:
        """The error of the last call that waited; empty once the store may be tried again."""
        until, why = self._last
        return why if time.monotonic() < until else ""

    def failed(self, began: float, why: str) -> None:
        """A question that began at ``began`` (monotonic seconds) failed: ``why``."""
        now = time.monotonic()
        if now - began >= LONG:
            self._last = (now + SECONDS, why)

    def over(self) -> None:
        """The store answered."""
        self._last = (float("-inf"), "")

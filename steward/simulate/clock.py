"""The clock of the command's own fake cluster."""

from __future__ import annotations

from harness.clock import SystemClock


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

"""How long an idle connection is trusted, for all connections kept between invocations."""

from __future__ import annotations

import time
from typing import Final

from handler.lib.clock import Deadline, SystemClock

#: Seconds for which a connection is trusted after its last answer. One that is not used again by then is closed: an
#: instance may be frozen between invocations, and wake up with connections that everybody else has long forgotten.
KEPT_SECONDS: Final = 10.0


class TrustedUntil(Deadline):
    """The moment from which a connection that has just answered is no longer trusted."""

    def __init__(self) -> None:
        # By both clocks: the monotonic one stands still while a machine is suspended.
        super().__init__(SystemClock(), KEPT_SECONDS, until=time.time() + KEPT_SECONDS)

    @property
    def is_over(self) -> bool:
        """Whether the connection must be closed."""
        return self.remaining() < 0

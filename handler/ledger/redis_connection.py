"""The connections to a Redis: trusted for a while after they were last of use. Imported with the client, when a Redis is first asked."""

from __future__ import annotations

import time
from typing import Any, Final

from redis.connection import Connection, SSLConnection

from handler.lib import in_flight
from handler.lib.clock import Deadline, SystemClock

#: Seconds to connect in: to look up the name, to be let in at one of its addresses, to greet by TLS.
CONNECT_SECONDS: Final = 1.5
#: Seconds for which a connection is trusted after its last answer. One that is not used again by then is closed: an
#: instance may be frozen between invocations, and wake up with connections that everybody else has long forgotten. The
#: client sends nothing twice, so that the first question would be lost by one of these.
KEPT_SECONDS: Final = 10.0


class _Kept:
    """Over the client's own connection."""

    _trusted: Deadline | None = None

    def connect(self) -> None:
        """What the pool calls before each use."""
        if self._trusted is not None and self._trusted.remaining() < 0:
            self._trusted = None
            self.disconnect()  # type: ignore[attr-defined]
        super().connect()  # type: ignore[misc]

    def _connect(self) -> Any:
        """The client's own, in a thread of its own: its time-outs bound each address, and nothing bounds a name look-up."""

        def connect() -> Any:
            made = super(_Kept, self)._connect()  # type: ignore[misc]
            try:
                in_flight.note_sent()
            except in_flight.Abandoned:
                made.close()
                raise
            return made

        _, made, error = in_flight.run(connect, CONNECT_SECONDS)
        if isinstance(error, RuntimeError):
            raise OSError(f"no thread to connect in: {error}")
        if error is not None:
            raise error
        return made

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().read_response(*args, **kwargs)  # type: ignore[misc]
        # By both clocks: the one stands still while a machine is suspended.
        self._trusted = Deadline(SystemClock(), KEPT_SECONDS, until=time.time() + KEPT_SECONDS)
        return answer


class KeptConnection(_Kept, Connection):
    """For ``redis://``."""


class KeptSSLConnection(_Kept, SSLConnection):
    """For ``rediss://``."""

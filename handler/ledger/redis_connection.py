"""The connections to a Redis: trusted for a while after they were last of use.

This module is imported with the client, when a Redis is first asked.
"""

from __future__ import annotations

from typing import Any, Final

from redis.connection import Connection, SSLConnection
from redis.exceptions import AuthenticationError, BusyLoadingError, RedisError, ResponseError

from handler.lib import in_flight
from handler.lib.idle_connection import TrustedUntil

#: Seconds to connect in: to look up the name, to be let in at one of its addresses, to greet by TLS.
CONNECT_SECONDS: Final = 1.5


class NotConnected(RedisError):
    """There is no connection, so nothing was sent.

    The client does not try twice, as it does after its own errors.
    """


def was_not_run(error: BaseException) -> bool:
    """Whether Redis has certainly not run the command that ended in ``error``."""
    if type(error) is ResponseError:
        # The client names the codes that it knows by a class, and leaves others in the text. An ``ERR``, which it takes
        # away, may also come from a proxy that lost its server.
        return str(error).split(" ")[0].isupper()
    return isinstance(error, (NotConnected, ResponseError, AuthenticationError, BusyLoadingError))


class _Kept:
    """Over the client's own connection."""

    _trusted: TrustedUntil | None = None

    def connect(self) -> None:
        """What the pool calls before each use."""
        if self._trusted is not None and self._trusted.is_over:
            self._trusted = None
            self.disconnect()  # type: ignore[attr-defined]
        try:
            super().connect()  # type: ignore[misc]
        except Exception as error:  # what is no Redis breaks the client's reader in its own ways
            self.disconnect()  # type: ignore[attr-defined]
            raise NotConnected(f"{type(error).__name__}: {error}") from error

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
        # The client sends nothing twice, so that the first question would be lost by a connection that is forgotten.
        self._trusted = TrustedUntil()
        return answer


class KeptConnection(_Kept, Connection):
    """For ``redis://``."""


class KeptSSLConnection(_Kept, SSLConnection):
    """For ``rediss://``."""

"""Sent or not sent: what became of one HTTP request, known for certain.

The SDK raises the same error for a refused connection and for a lost answer, and so does the layer below it. What tells
them apart is whether the request's first byte was handed to a connection. A :class:`Flight` notes that moment, and can
forbid it: once a caller has given up on a request that had not left, it never leaves.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from handler.lib.threads import begin

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from requests.adapters import HTTPAdapter

    from handler.lib.clock import Deadline

_current = threading.local()


class Abandoned(Exception):
    """The caller gave up before the first byte, or its time was over, so no byte is sent."""


class Flight:
    """One request on its way, shared by the thread that sends it and the one that waits. After ``deadline`` no first byte leaves."""

    def __init__(self, deadline: Deadline | None = None) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._sent = False
        self._abandoned = False
        self._socket: socket.socket | None = None

    @property
    def was_sent(self) -> bool:
        """Whether a byte of the request may have left."""
        return self._sent

    def first_byte(self) -> None:
        """About to hand bytes to the connection. Raises Abandoned where that is no longer wanted."""
        with self._lock:
            if self._abandoned:
                raise Abandoned
            # Whoever was held up (a process that was stopped, an instance that was frozen) looks at its clocks here,
            # with the request signed: what is held up any later bears a signature of before.
            if not self._sent and self._deadline is not None and self._deadline.remaining() <= 0:
                raise Abandoned("held up until it was too late to send")
            self._sent = True

    def over(self, connected: socket.socket | None) -> None:
        """Which socket it goes over, so that giving up can end a read that hangs."""
        with self._lock:
            self._socket = connected

    def abandon(self) -> bool:
        """Give up. Afterwards nothing more is sent; answers whether anything may have been."""
        import socket

        with self._lock:
            self._abandoned = True
            if self._socket is not None:
                with suppress(OSError):  # already closed
                    self._socket.shutdown(socket.SHUT_RDWR)
            return self._sent


def run(
    call: Callable[[], Any], seconds: float, deadline: Deadline | None = None
) -> tuple[Flight, Any, BaseException | None]:
    """Run ``call`` for at most ``seconds``: its flight, which sends nothing after ``deadline``, its result, its exception.

    In a thread of its own, since a time-out of sockets bounds a read, not a call, and nothing bounds a name look-up.
    Where time runs out, the exception is a TimeoutError and the flight is abandoned.
    """
    flight = Flight(deadline)
    ended: list[tuple[Any, BaseException | None]] = []

    def fly() -> None:
        _current.flight = flight
        try:
            ended.append((call(), None))
        except BaseException as error:
            ended.append((None, error))
        finally:
            del _current.flight

    try:
        done = begin(fly)
    except RuntimeError as no_thread:
        return flight, None, no_thread
    if done.acquire(timeout=max(0.0, seconds)):
        result, error = ended[0]
        return flight, result, error
    flight.abandon()
    return flight, None, TimeoutError(f"no answer within {seconds:.1f} s")


def note_sent() -> None:
    """For a transport without sockets: the request of this thread leaves now."""
    flight = getattr(_current, "flight", None)
    if flight is not None:
        flight.first_byte()


def tracked_adapter() -> HTTPAdapter:
    """A transport for a ``requests`` session that tells this thread's Flight when its first byte leaves."""
    return _adapter_class()()


_made: type[HTTPAdapter] | None = None


def _adapter_class() -> type[HTTPAdapter]:
    # Made when first needed: requests and urllib3 are most of a cold start, and many events need neither.
    global _made  # noqa: PLW0603
    if _made is None:
        from requests.adapters import HTTPAdapter
        from urllib3.connection import HTTPConnection, HTTPSConnection
        from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

        class Tracked:
            """Over http.client's connection: connecting sends nothing of the request, ``send`` does."""

            _connecting = False

            def connect(self) -> None:
                self._connecting = True  # a proxy's CONNECT goes through send() too, and carries no request
                try:
                    super().connect()  # type: ignore[misc]
                finally:
                    self._connecting = False

            def send(self, data: Any) -> None:
                if self.sock is None:  # type: ignore[attr-defined]
                    self.connect()
                flight = getattr(_current, "flight", None)
                if flight is not None and not self._connecting:
                    flight.over(self.sock)  # type: ignore[attr-defined] # here, since a kept connection is not made again
                    note_sent()
                super().send(data)  # type: ignore[misc]

        class TrackedHTTP(Tracked, HTTPConnection):
            pass

        class TrackedHTTPS(Tracked, HTTPSConnection):
            pass

        class HTTPPool(HTTPConnectionPool):
            ConnectionCls = TrackedHTTP

        class HTTPSPool(HTTPSConnectionPool):
            ConnectionCls = TrackedHTTPS

        pools = {"http": HTTPPool, "https": HTTPSPool}

        class TrackedAdapter(HTTPAdapter):
            def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
                super().init_poolmanager(*args, **kwargs)
                self.poolmanager.pool_classes_by_scheme = pools

            def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
                manager = super().proxy_manager_for(*args, **kwargs)
                manager.pool_classes_by_scheme = pools
                return manager

        _made = TrackedAdapter
    return _made

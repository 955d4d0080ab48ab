"""A call in a thread of its own, and whether its request was sent.

The SDK raises the same error for a refused connection and for a lost answer, and so does the layer below it. What tells
them apart is whether the request's first byte was handed to a connection. An :class:`InFlightRequest` notes that moment,
and can forbid it: once a caller has given up on a request that had not left, it never leaves.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from handler.lib.threads import begin

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from handler.lib.clock import Deadline


_current = threading.local()


class Abandoned(Exception):
    """The caller gave up before the first byte, or its time was over, so no byte is sent."""


class InFlightRequest:
    """One in-flight request, shared by the thread that sends it and the one that waits.

    After ``deadline`` no first byte leaves.
    """

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

    def note_socket(self, connected: socket.socket | None) -> None:
        """Remember the socket, so that giving up can end a read that hangs."""
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
) -> tuple[InFlightRequest, Any, BaseException | None]:
    """Run ``call`` for at most ``seconds``; returns its request, its result, its exception.

    The request sends nothing after ``deadline``.

    In a thread of its own, since a time-out of sockets bounds a read, not a call, and nothing bounds a name look-up.
    Where time runs out, the exception is a TimeoutError and the request is abandoned.
    """
    request = InFlightRequest(deadline)
    ended: list[tuple[Any, BaseException | None]] = []

    def work() -> None:
        _current.request = request
        try:
            ended.append((call(), None))
        except BaseException as error:
            ended.append((None, error))
        finally:
            del _current.request

    try:
        done = begin(work)
    except RuntimeError as no_thread:
        return request, None, no_thread
    if done.acquire(timeout=max(0.0, seconds)):
        result, error = ended[0]
        return request, result, error
    request.abandon()
    return request, None, TimeoutError(f"no answer within {seconds:.1f} s")


def current() -> InFlightRequest | None:
    """The request that this thread is sending, if any."""
    return getattr(_current, "request", None)


def note_sent() -> None:
    """For a transport without sockets: the request of this thread leaves now."""
    request = current()
    if request is not None:
        request.first_byte()

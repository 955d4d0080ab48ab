"""An address behind which servers change, and a network that forgets connections: a relay on real sockets."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes what comes to ``port`` on to ``target`` (a port of this machine), which may change: old connections stay where they are."""

    def __init__(self, listener: socket.socket, target: int) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.target = target
        #: Whether replies are lost: the connection ends instead.
        self.loses_replies = False
        #: Connections that came in so far, and the bytes of each that were passed on.
        self.received: list[int] = []
        self._open: list[tuple[socket.socket, socket.socket]] = []
        self._silent: set[int] = set()
        self._reset: set[int] = set()

    def forget(self, *, silently: bool) -> None:
        """From now on what comes by the connections of before is answered by a reset, or ``silently`` by nothing."""
        (self._silent if silently else self._reset).update(range(len(self.received)))

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            number = len(self.received)
            self.received.append(0)
            self._open.append((near, far))
            threading.Thread(target=self._requests, args=(number, near, far), daemon=True).start()
            threading.Thread(target=self._replies, args=(near, far), daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for pair in self._open:
            for one in pair:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _requests(self, number: int, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while data := near.recv(65536):
                if number in self._silent:
                    continue
                if number in self._reset:
                    near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    near.close()
                    return
                self.received[number] += len(data)
                far.sendall(data)
            far.shutdown(socket.SHUT_RDWR)

    def _replies(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while (data := far.recv(65536)) and not self.loses_replies:
                near.sendall(data)
            near.shutdown(socket.SHUT_RDWR)


@contextmanager
def relayed(target: int) -> Iterator[Relay]:
    """A relay to this port."""
    relay = Relay(socket.create_server(("127.0.0.1", 0)), target)
    threading.Thread(target=relay.serve, daemon=True).start()
    try:
        yield relay
    finally:
        relay.close()

"""The fake API on a local port, with real sockets and injected faults of them."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, cast

from harness.fake_cloud.wire.api import MAX_BODY, Api
from harness.fake_cloud.wire.request_models import sdk_models
from harness.faults import FaultQueue, Kind
from harness.messages import Call, Reply

if TYPE_CHECKING:
    from types import TracebackType

    from harness.clock import Clock
    from harness.fake_cloud.cloud import Cloud
    from harness.faults import Fault

#: How long a hang lasts if neither the fault nor the client ends it.
HANG_SECONDS: Final = 30.0
DRIP_SECONDS: Final = 0.02


class CloudServer:
    """A :class:`Cloud` behind ``http://127.0.0.1:PORT``.

    The port is bound when the server is made. It is served within ``with``, or by :meth:`serve_forever`.
    """

    def __init__(self, cloud: Cloud, port: int = 0, *, signed_by: Clock | None = None) -> None:
        """Bind ``port``; 0 takes a free one. Raises OSError if it is taken.

        ``signed_by``: see :class:`Api`.
        """
        sdk_models()  # now, and not while the first client waits
        self.cloud = cloud
        self.faults = FaultQueue()
        self._http = _Server(port, Api(cloud, signed_by), self.faults)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @property
    def endpoint(self) -> str:
        """``127.0.0.1:PORT``, as ``HttpProfile(protocol="http", endpoint=…)`` wants it."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.endpoint}"

    def __enter__(self) -> CloudServer:
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), name="fake-cloud", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.shutdown()
        if self._thread:
            self._thread.join()
        self.close()

    def serve_forever(self) -> None:
        """Serve in this thread until KeyboardInterrupt, which is raised again."""
        try:
            self._http.serve_forever(0.05)
        finally:
            self.close()

    def close(self) -> None:
        """End every connection, including hanging ones, and release the port."""
        self._http.end_connections()
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close waits for them: no thread outlives its test
    request_queue_size = 128

    def __init__(self, port: int, api: Api, queue: FaultQueue) -> None:
        self.api = api
        self.queue = queue
        self.ending = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show errors of the server. A client that went away is not one."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        self.ending.set()
        with self._connections_lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @property
    def _ours(self) -> _Server:
        return cast("_Server", self.server)

    def handle(self) -> None:
        fault = self._ours.queue.for_connection()
        if fault:
            self._hang(fault)
        else:
            super().handle()

    def do_POST(self) -> None:
        fault = self._ours.queue.for_request(self.headers.get("X-TC-Action", ""))
        body = self._body()
        if body is None:
            return
        headers: dict[str, str] = {}
        for name, value in self.headers.items():  # two headers of one name are joined, as they mean the same
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        call = Call.received(self.command, self.path, headers, body)
        if fault:
            self._fail(call, fault)
        else:
            self._send(self._ours.api.answer(call))

    def do_GET(self) -> None:
        self.do_POST()  # the API itself refuses other methods than POST

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header, by the API's clock."""
        return super().date_time_string(self._ours.api.signed_by.now() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing: ``cloud.requests`` has every request."""

    def _body(self) -> bytes | None:
        """The body; ``None`` if it cannot be read, which was answered."""
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()) or "Transfer-Encoding" in self.headers:
            self._send(Reply(b"", 411, "text/plain"), close=True)
            return None
        if int(length) > 4 * MAX_BODY:  # a body that is only a little too large is read, so that the API refuses it
            self._send(Reply(b"", 413, "text/plain"), close=True)
            return None
        return self.rfile.read(int(length))

    def _fail(self, call: Call, fault: Fault) -> None:
        if fault.kind is Kind.HANG_BEFORE:
            self._hang(fault)
            return
        if fault.kind is Kind.RESET_BEFORE_READING:
            # The body was read first, so that the reset cannot reach the client while it still sends: urllib3 drops an
            # error from there, and the client would sometimes see a closed connection instead of a reset.
            self._reset()
            return
        reply = self._ours.api.answer_with(call, fault)
        if fault.kind is Kind.RESET_AFTER_READING:
            self._reset()
        elif fault.kind is Kind.CLOSE_SILENTLY:
            self.close_connection = True
        elif fault.kind is Kind.HANG_AFTER:
            self._hang(fault)
        elif fault.kind is Kind.CUT_BODY:
            self._send(reply, sent=len(reply.body) // 2, close=True)
        elif fault.kind is Kind.DRIPPED_BODY:
            self._drip(reply, DRIP_SECONDS if fault.seconds is None else fault.seconds)
        else:
            self._send(reply)

    def _send(self, reply: Reply, sent: int | None = None, *, close: bool = False) -> None:
        """``reply``, or only the first ``sent`` bytes of its body."""
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if close:
            self.close_connection = True
            if sent is None:
                self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body[:sent])

    def _drip(self, reply: Reply, seconds: float) -> None:
        self._send(reply, sent=0)
        for position in range(len(reply.body)):
            if self._ours.ending.wait(seconds):
                self.close_connection = True
                return
            self.wfile.write(reply.body[position : position + 1])

    def _hang(self, fault: Fault) -> None:
        self._ours.ending.wait(HANG_SECONDS if fault.seconds is None else fault.seconds)
        self.close_connection = True

    def _reset(self) -> None:
        """End the connection with RST: what the client then sees is a reset, not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

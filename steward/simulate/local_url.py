"""The function behind a local URL: each HTTP call becomes a function-URL event, as on the platform."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

from handler.receive import sanitize
from steward.simulate.platform import function_url_event

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES: Final = 6 * 1024 * 1024  # of a synchronous request (583/11637)


class LocalUrl(ThreadingHTTPServer):
    """Serves ``handle(event) -> response`` on ``port`` of this machine; ``refused(method, path, status)`` hears of calls that are too large."""

    daemon_threads = True

    def __init__(
        self, handle: Callable[[Any], Any], port: int, refused: Callable[[str, str, int], None] = lambda *_: None
    ) -> None:
        self.handle_event = handle
        self.refused = refused
        super().__init__(("127.0.0.1", port), _Call)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Call(BaseHTTPRequestHandler):
    server: LocalUrl

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        size = int(length) if length.isdigit() else -1
        if not 0 <= size <= MAX_BYTES:
            self.close_connection = True
            self.server.refused(self.command, sanitize.plain(self.path, 1024), 413)
            self._answer(413, {}, b"")
            return
        event = function_url_event(
            self.command, self.path, dict(self.headers.items()), self.rfile.read(size), remote=self.client_address[0]
        )
        response = self.server.handle_event(event)
        body = response["body"].encode() if self.command != "HEAD" else b""
        self._answer(response["statusCode"], response["headers"], body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """The function's own log tells what happened."""

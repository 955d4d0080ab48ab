"""The function behind a local URL: each HTTP call becomes a function-URL event."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from handler.receive import sanitize
from steward.simulate.platform import function_url_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

#: Of a synchronous request (583/11637).
MAX_BYTES: Final = 6 * 1024 * 1024
#: Seconds in which a body must have arrived.
BODY_SECONDS: Final = 10.0
#: Seconds for which the rest of a refused body is read and dropped. Closing earlier would reset the connection, and
#: the client might lose the answer.
DRAIN_SECONDS: Final = 2.0
#: Seconds for which a shutdown waits for calls that are being answered.
SHUTDOWN_SECONDS: Final = 5


class BodyTooLarge(Exception):
    """The body has more than MAX_BYTES."""


class FunctionUrl:
    """Serves ``handle(event) -> response`` over HTTP/1.1 on ``listener``, one event at a time.

    ``refused(method, path, status)`` is called for a call that does not reach the function.
    """

    def __init__(
        self,
        handle: Callable[[Any], Any],
        listener: socket.socket,
        refused: Callable[[str, str, int], None] = lambda *_: None,
        *,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._handle = handle
        self._listener = listener
        self._refused = refused
        self._body_seconds = body_seconds
        # An instance of the function serves one event at a time.
        self._instance = ThreadPoolExecutor(1, "function")
        config = uvicorn.Config(
            self._serve,
            interface="asgi3",
            http="h11",
            loop="asyncio",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = uvicorn.Server(config)

    @property
    def port(self) -> int:
        """The port of the listener."""
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self.port}"

    def serve_forever(self) -> None:
        """Serve until :meth:`stop` or KeyboardInterrupt, which is raised on."""
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._instance.shutdown(wait=False, cancel_futures=True)
            self._listener.close()

    def stop(self) -> None:
        """End :meth:`serve_forever`, from any thread."""
        self._server.should_exit = True

    def invoke(self, event: Any) -> Any:
        """Deliver an event that is no HTTP call, after those that wait: its answer."""
        return self._instance.submit(self._handle, event).result()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        request = Request(scope, receive)
        try:
            body = await asyncio.wait_for(_body(request), self._body_seconds)
        except ClientDisconnect:
            return
        except BodyTooLarge:
            await self._refuse(request, send, 413, "Content Too Large", f"the body is larger than {MAX_BYTES:,} bytes")
            return
        except asyncio.TimeoutError:
            detail = f"the body did not arrive within {self._body_seconds:g} s"
            await self._refuse(request, send, 408, "Request Timeout", detail)
            return
        event = function_url_event(request.method, _target(request), _headers(request), body, remote=_remote(request))
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._instance, self._handle, event)
        except Exception:
            traceback.print_exc()  # an error of ours: the function itself answers everything
            await _problem(500, "Internal Server Error", "the function failed")(scope, receive, send)
            return
        await Response(answer["body"], answer["statusCode"], answer["headers"])(scope, receive, send)

    async def _refuse(self, request: Request, send: Send, status: int, title: str, detail: str) -> None:
        """Answer at once, then read what the client still sends, so that it gets to see the answer."""
        response = _problem(status, title, detail)
        self._refused(request.method, sanitize.plain(_target(request), 1024), status)
        await send({"type": "http.response.start", "status": status, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": bytes(response.body), "more_body": True})
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(_drain(request.receive), DRAIN_SECONDS)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def listen(port: int) -> socket.socket:
    """A listener on ``port`` of this machine; 0 takes a free one. Raises OSError."""
    return socket.create_server(("127.0.0.1", port), backlog=128)


async def _body(request: Request) -> bytes:
    """Read the whole body. Raises BodyTooLarge and ClientDisconnect."""
    if int(request.headers.get("content-length", "0")) > MAX_BYTES:
        raise BodyTooLarge
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise BodyTooLarge
    return bytes(body)


async def _drain(receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


def _target(request: Request) -> str:
    path = bytes(request.scope.get("raw_path") or b"/").decode("latin-1")
    query = bytes(request.scope["query_string"]).decode("latin-1")
    return f"{path}?{query}" if query else path


def _headers(request: Request) -> dict[str, str]:
    """By lower-case name; headers of one name are joined, as they mean the same."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _remote(request: Request) -> str:
    return request.client.host if request.client else ""


def _problem(status: int, title: str, detail: str) -> Response:
    """A problem+json response (RFC 9457), after which the connection is closed."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = {"Cache-Control": "no-store", "Connection": "close"}
    return Response(json.dumps(body), status, headers, "application/problem+json")

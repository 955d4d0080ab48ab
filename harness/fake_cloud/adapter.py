"""The fake API in process: a transport for the SDK's own ``requests`` session.

Requests are signed and checked as over a socket, and no socket is opened.

``client.request.conn._session.mount("https://", CloudAdapter(cloud))``
"""

from __future__ import annotations

import io
from email.utils import formatdate
from http.client import RemoteDisconnected
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.exceptions import ProtocolError

from harness.fake_cloud.wire.api import Api
from harness.faults import FaultQueue, Kind
from harness.messages import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.clock import Clock
    from harness.fake_cloud.cloud import Cloud
    from harness.messages import Reply


class CloudAdapter(HTTPAdapter):
    """Answers each request from the same API as :class:`CloudServer`, in the caller's thread.

    Injected faults of the connection arrive at once, as the exceptions that ``requests`` raises for them.
    """

    def __init__(
        self, cloud: Cloud, *, signed_by: Clock | None = None, on_send: Callable[[], None] | None = None
    ) -> None:
        """``signed_by``: see :class:`Api`.

        ``on_send`` is called when a connection would send the request's first byte. If it raises, nothing is sent.
        """
        super().__init__()
        self.cloud = cloud
        self.faults = FaultQueue()
        self._api = Api(cloud, signed_by)
        self._on_send = on_send

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        """As ``HTTPAdapter.send``; raises what that raises."""
        if self._on_send is not None:
            self._on_send()
        call = _received(request)
        fault = self.faults.for_connection() or self.faults.for_request(call.action)
        if fault is None:
            return self._built(request, self._api.answer(call))
        never_read = fault.kind in (Kind.MUTE_FROM_ACCEPT, Kind.RESET_BEFORE_READING, Kind.HANG_BEFORE)
        reply = None if never_read else self._api.answer_with(call, fault)
        broken = _BROKEN.get(fault.kind)
        if broken:
            raise broken(request)
        assert reply is not None  # noqa: S101 - the kinds that are never read are all in _BROKEN
        return self._built(request, reply, cut=fault.kind is Kind.CUT_BODY)

    def _built(self, request: requests.PreparedRequest, reply: Reply, *, cut: bool = False) -> requests.Response:
        length = len(reply.body)
        raw = HTTPResponse(
            body=io.BytesIO(reply.body[: length // 2] if cut else reply.body),
            headers={
                "Content-Type": reply.content_type,
                "Content-Length": str(length),
                "Date": formatdate(self._api.signed_by.now(), usegmt=True),
                **reply.headers,
            },
            status=reply.status,
            version=11,
            preload_content=False,
            request_method=request.method,
        )
        return self.build_response(request, raw)


def _received(request: requests.PreparedRequest) -> Call:
    url = urlsplit(str(request.url))
    headers = {"Host": url.netloc, **{name: _text(value) for name, value in request.headers.items()}}
    body = request.body or b""
    if not isinstance(body, (bytes, str)):
        raise TypeError("the SDK sends whole bodies; a stream is not served")
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Call.received(str(request.method), target, headers, body.encode() if isinstance(body, str) else body)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _reset(request: requests.PreparedRequest) -> Exception:
    reset = ConnectionResetError(104, "Connection reset by peer")
    return requests.ConnectionError(ProtocolError("Connection aborted.", reset), request=request)


def _closed(request: requests.PreparedRequest) -> Exception:
    closed = RemoteDisconnected("Remote end closed connection without response")
    return requests.ConnectionError(ProtocolError("Connection aborted.", closed), request=request)


def _timed_out(request: requests.PreparedRequest) -> Exception:
    return requests.ReadTimeout("Read timed out.", request=request)


_BROKEN: Final[Mapping[Kind, Callable[[requests.PreparedRequest], Exception]]] = {
    Kind.MUTE_FROM_ACCEPT: _timed_out,
    Kind.RESET_BEFORE_READING: _reset,
    Kind.RESET_AFTER_READING: _reset,
    Kind.CLOSE_SILENTLY: _closed,
    Kind.HANG_BEFORE: _timed_out,
    Kind.HANG_AFTER: _timed_out,
}

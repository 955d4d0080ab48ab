"""What an injected fault leaves of the API's answer.

What a fault does to the connection is the transport's part.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from harness.faults.kinds import Fault, Kind
from harness.messages import JSON, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The kinds that put another answer in the place of the API's.
_REPLACED: Final[Mapping[Kind, Reply]] = {
    Kind.BAD_GATEWAY: Reply(b"<html><h1>502 Bad Gateway</h1></html>", 502, "text/html"),
    Kind.BAD_GATEWAY_AFTER: Reply(b"<html><h1>502 Bad Gateway</h1></html>", 502, "text/html"),
    Kind.GATEWAY_TIMEOUT: Reply(b"<html><h1>504 Gateway Time-out</h1></html>", 504, "text/html"),
    Kind.HTML: Reply(b"<html><title>Service</title><h1>It works!</h1></html>", content_type="text/html"),
    Kind.REDIRECT: Reply(b"", 307, "text/html", {"Location": "/"}),
    Kind.NOT_AN_OBJECT: Reply(b'["Response"]'),
    Kind.NO_RESPONSE_KEY: Reply(b'{"Reply": {}}'),
}


def distorted(reply: Reply, fault: Fault) -> Reply:
    """What ``fault`` leaves of ``reply``: all of it, if it concerns the connection only."""
    distort = _DISTORTED.get(fault.kind)
    if distort is not None:
        return distort(reply, fault)
    return _REPLACED.get(fault.kind, reply)


def _cut_in_half(reply: Reply, _: Fault) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _padded(reply: Reply, fault: Fault) -> Reply:
    return replace(reply, body=b'{"Padding": "' + b"x" * fault.size + b'", ' + reply.body[1:])


def _without_request_id(reply: Reply, _: Fault) -> Reply:
    envelope = json.loads(reply.body)
    del envelope["Response"]["RequestId"]
    return replace(reply, body=json.dumps(envelope).encode())


def _with_charset(reply: Reply, _: Fault) -> Reply:
    return replace(reply, content_type=f"{JSON}; charset=utf-8")


_DISTORTED: Final[Mapping[Kind, Callable[[Reply, Fault], Reply]]] = {
    Kind.BROKEN_JSON: _cut_in_half,
    Kind.HUGE_BODY: _padded,
    Kind.NO_REQUEST_ID: _without_request_id,
    Kind.ERROR_WITHOUT_REQUEST_ID: _without_request_id,
    Kind.ERROR_WITH_CHARSET: _with_charset,
}

"""What can go wrong between a client and the API, and whether the request was carried out nevertheless.

That last is the point: the client cannot tell, and a test compares what it concluded with what was so.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from harness.fake_cloud.errors import ApiError
from harness.messages import JSON, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.fake_cloud.wire.api import Api
    from harness.messages import Call

_HTML: Final = b"<html><head><title>Service</title></head><body><h1>It works!</h1></body></html>"


class Kind(Enum):
    """One way to fail; ``carried_out`` says whether the request had its effect."""

    # The connection
    MUTE_FROM_ACCEPT = ("the connection is accepted, and not a byte read or written (a TLS handshake hangs so)", False)
    RESET_BEFORE_READING = ("reset before the API reads the request", False)
    RESET_AFTER_READING = ("reset after the request was read", True)
    CLOSE_SILENTLY = ("closed after the request was read, without a byte", True)
    HANG_BEFORE = ("the request is read; no answer, and it never gets any further", False)
    HANG_AFTER = ("the request is carried out; no answer", True)
    DRIPPED_BODY = ("the answer comes a byte at a time", True)
    CUT_BODY = ("the connection ends within the answer's body", True)
    # A gateway on the way
    BAD_GATEWAY = ("502, the request went no further", False)
    BAD_GATEWAY_AFTER = ("502, the answer was lost behind it", True)
    GATEWAY_TIMEOUT = ("504, it got tired of waiting", True)
    HTML = ("200 with a page", True)
    REDIRECT = ("307 to the same place: a client that follows it sends the request again", False)
    # The answer's form
    BROKEN_JSON = ("200 with half a JSON text, its length true", True)
    NOT_AN_OBJECT = ("200 with a JSON list", True)
    NO_RESPONSE_KEY = ("200 with a JSON object that is no envelope", True)
    NO_REQUEST_ID = ("an envelope without RequestId", True)
    HUGE_BODY = ("an envelope of many megabytes", True)
    # An error of the API
    API_ERROR = ("an error envelope", False)
    ERROR_WITH_CHARSET = (
        "an error envelope as `application/json; charset=utf-8`, which the SDK takes for a success",
        False,
    )
    ERROR_WITHOUT_REQUEST_ID = ("an error envelope without RequestId", False)

    def __init__(self, meaning: str, carried_out: bool) -> None:
        self.meaning = meaning
        self.carried_out = carried_out


@dataclass(frozen=True)
class Fault:
    """A kind, and what of it can be chosen."""

    kind: Kind
    #: Only a request for this action meets it. Not for MUTE_FROM_ACCEPT, which reads no request.
    action: str | None = None
    #: The error's, where there is one.
    code: str = "InternalError"
    message: str = ""
    #: Of an error envelope: the effect was had, and then the error was said.
    although_carried_out: bool = False
    #: Of a hang: until the connection is closed; of a dripped body: between two bytes.
    seconds: float | None = None
    #: Of HUGE_BODY, in bytes.
    size: int = 8 * 1024 * 1024

    @classmethod
    def api_error(cls, code: str, action: str | None = None, *, although_carried_out: bool = False) -> Fault:
        """Any error of the API."""
        return cls(Kind.API_ERROR, action, code=code, although_carried_out=although_carried_out)

    @classmethod
    def throttle(cls, times: int, action: str | None = None) -> list[Fault]:
        """RequestLimitExceeded for so many requests."""
        return [cls.api_error("RequestLimitExceeded", action)] * times

    @property
    def carried_out(self) -> bool:
        """Whether the request has its effect."""
        return self.kind.carried_out or self.although_carried_out

    def meets(self, action: str) -> bool:
        """Whether a request for ``action`` runs into it."""
        return self.kind is not Kind.MUTE_FROM_ACCEPT and self.action in (None, action)


class FaultQueue:
    """Faults that wait for a request, first come first served; each is met once. Thread-safe."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()
        self._met: list[tuple[Fault, str]] = []
        self._lock = threading.Lock()

    def add(self, *faults: Fault | Kind | Iterable[Fault]) -> None:
        """Queue faults; a bare kind stands for one of it, for any action."""
        with self._lock:
            for fault in faults:
                if isinstance(fault, Kind):
                    self._waiting.append(Fault(fault))
                elif isinstance(fault, Fault):
                    self._waiting.append(fault)
                else:
                    self._waiting.extend(fault)

    def clear(self) -> None:
        """Forget those that wait."""
        with self._lock:
            self._waiting.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting)

    def __iter__(self) -> Iterator[Fault]:
        with self._lock:
            return iter(tuple(self._waiting))

    @property
    def met(self) -> list[tuple[Fault, str]]:
        """Those that a request met, with its action."""
        with self._lock:
            return list(self._met)

    def for_connection(self) -> Fault | None:
        """The fault that a new connection meets before anything is read of it."""
        return self._take("", lambda fault: fault.kind is Kind.MUTE_FROM_ACCEPT)

    def for_request(self, action: str) -> Fault | None:
        """The fault that a request for ``action`` meets."""
        return self._take(action, lambda fault: fault.meets(action))

    def _take(self, action: str, meets: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for fault in self._waiting:
                if meets(fault):
                    self._waiting.remove(fault)
                    self._met.append((fault, action))
                    return fault
        return None


def reply_to(call: Call, api: Api, fault: Fault) -> Reply:
    """The answer that ``fault`` leaves of the one to ``call``, which is carried out if the fault says so.

    What a fault does to the connection is for the caller: here its answer is whole.
    """
    if fault.kind in _ERRORS:
        error = ApiError(fault.code, fault.message)
        reply = api.answer(call, error, although_carried_out=fault.although_carried_out)
        return _distorted(reply, fault)
    if fault.carried_out:
        return _distorted(api.answer(call), fault)
    return _distorted(Reply(b""), fault)


_ERRORS: Final = frozenset({Kind.API_ERROR, Kind.ERROR_WITH_CHARSET, Kind.ERROR_WITHOUT_REQUEST_ID})


def _distorted(reply: Reply, fault: Fault) -> Reply:
    kind = fault.kind
    if kind in (Kind.BAD_GATEWAY, Kind.BAD_GATEWAY_AFTER):
        return Reply(b"<html><h1>502 Bad Gateway</h1></html>", 502, "text/html")
    if kind is Kind.GATEWAY_TIMEOUT:
        return Reply(b"<html><h1>504 Gateway Time-out</h1></html>", 504, "text/html")
    if kind is Kind.HTML:
        return Reply(_HTML, content_type="text/html")
    if kind is Kind.REDIRECT:
        return Reply(b"", 307, "text/html", {"Location": "/"})
    if kind is Kind.BROKEN_JSON:
        return replace(reply, body=reply.body[: len(reply.body) // 2])
    if kind is Kind.NOT_AN_OBJECT:
        return replace(reply, body=b'["Response"]')
    if kind is Kind.NO_RESPONSE_KEY:
        return replace(reply, body=b'{"Reply": {}}')
    if kind is Kind.HUGE_BODY:
        return replace(reply, body=b'{"Padding": "' + b"x" * fault.size + b'", ' + reply.body[1:])
    if kind in (Kind.NO_REQUEST_ID, Kind.ERROR_WITHOUT_REQUEST_ID):
        envelope = json.loads(reply.body)
        del envelope["Response"]["RequestId"]
        return replace(reply, body=json.dumps(envelope).encode())
    if kind is Kind.ERROR_WITH_CHARSET:
        return replace(reply, content_type=f"{JSON}; charset=utf-8")
    return reply

"""What the platform puts around a payload: HTTP calls, and the messages of queues.

A function URL (SCF, "Function URL overview") and the retired API Gateway wrap an HTTP call in nearly the same object;
CKafka and CMQ triggers (SCF, "Ckafka trigger", "CMQ trigger") wrap several messages in ``Records``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.errors import FieldError, InvalidInput
from handler.lib import strict_json
from handler.receive import sanitize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


#: Any of these makes an object an HTTP call. None of them is a key of any sender's payload; where in doubt, the caller
#: has to say who they are.
_SIGNS_OF_HTTP = ("httpMethod", "headers", "requestContext", "headerParameters", "isBase64Encoded")
#: The key that makes an object a queue's delivery.
QUEUE = "Records"
_MAX_IN_HEADER = 8192
#: Headers that name a call for the sender's retries, in this order (Standard Webhooks; the IETF's Idempotency-Key
#: draft).
_KEYS = ("idempotency-key", "webhook-id")


@dataclass(frozen=True)
class HttpCall:
    """One HTTP call, nothing of it believed yet.

    ``headers`` have lower-case names; one that was sent twice holds both values, joined by a comma. ``body`` is the
    bytes that a signature covers; where they cannot be had, it is empty and ``problem`` says why.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    remote: str = ""
    problem: InvalidInput | None = None

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body)

    @property
    def is_too_large(self) -> bool:
        return self.size > strict_json.MAX_BYTES

    @property
    def idempotency_key(self) -> str:
        """What the caller names this call by, over all its retries; empty where they do not."""
        return next((value for name in _KEYS if (value := self.headers.get(name, "").strip())), "")

    def payload(self) -> object:
        """The JSON value that the call carries. To be asked once the caller is known. Raises InvalidInput."""
        if self.problem is not None:
            raise self.problem
        if self.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            raise InvalidInput(FieldError("content-encoding", "is not supported; send the body as it is"))
        return strict_json.parse(self.body, "body")


class Message(NamedTuple):
    """One message of a queue: its body, the queue's own id of it (which a redelivery repeats), and where it stood."""

    body: object
    id: str
    at: str


def open_envelope(raw: object) -> HttpCall | None:
    """The HTTP call that the platform handed over; None for anything else. Never raises.

    An HTTP call is for its receiver to authenticate. A queue's delivery and a bare payload came through the platform's
    own access control; ``handler.receive.payload.read`` reads both.
    """
    if not isinstance(raw, dict):
        return None
    return _http_call(raw) if any(sign in raw for sign in _SIGNS_OF_HTTP) else None


def _http_call(raw: Mapping[str, Any]) -> HttpCall:
    headers = _headers(raw.get("headers"))
    context = raw.get("requestContext")
    source = context.get("sourceIp") if isinstance(context, dict) else ""
    body, problem = b"", None
    try:
        body = _body(raw.get("body"), raw.get("isBase64Encoded"))
    except InvalidInput as error:
        problem = error
    return HttpCall(
        method=sanitize.plain(sanitize.as_text(raw.get("httpMethod")).upper(), 16),
        path=sanitize.plain(sanitize.as_text(raw.get("path")) or "/", 1024),
        headers=headers,
        body=body,
        remote=sanitize.plain(headers.get("x-scf-remote-addr") or sanitize.as_text(source), 64),
        problem=problem,
    )


def messages_of(raw: Mapping[str, Any], at: str) -> Iterator[Message]:
    """The messages of a queue's envelope, each still as the queue had it. Raises InvalidInput where there is none."""
    prefix = f"{at}." if at else ""
    records = raw.get(QUEUE)
    if not isinstance(records, list) or not records:
        raise InvalidInput(FieldError(f"{prefix}{QUEUE}", "is no list of messages"))
    return (_message(record, f"{prefix}{QUEUE}[{place}]") for place, record in enumerate(records))


def opened(message: Message) -> object:
    """The JSON value that a message carries. Raises InvalidInput."""
    if message.body is None:
        raise InvalidInput(FieldError(message.at, "holds no message (a Ckafka or CMQ object with a msgBody is wanted)"))
    if isinstance(message.body, (str, bytes)):
        return strict_json.parse(message.body, message.at)
    return message.body


def _message(record: object, at: str) -> Message:
    if isinstance(record, dict):
        for name, parts in (("Ckafka", ("topic", "partition", "offset")), ("CMQ", ("topicName", "msgId"))):
            queue = record.get(name)
            if isinstance(queue, dict):
                place = "/".join(sanitize.as_text(queue.get(part)) for part in parts)
                return Message(
                    queue.get("msgBody"), sanitize.identity(f"{name.lower()}:{place}"), f"{at}.{name}.msgBody"
                )
    return Message(None, f"unread:{sanitize.digest(record)}", at)


def _headers(raw: object) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw.items() if isinstance(raw, dict) else ():
        key = sanitize.as_text(name).strip().lower()
        parts = value if isinstance(value, list) else [value]
        written = ", ".join(sanitize.as_text(part) for part in parts)[:_MAX_IN_HEADER]
        headers[key] = f"{headers[key]}, {written}" if key in headers else written
    return headers


def _body(raw: object, is_base64: object) -> bytes:
    if raw is None:
        return b""
    if not isinstance(raw, str):
        raise InvalidInput(FieldError("body", "is no string"))
    try:
        if is_base64 is True or is_base64 == "true":
            import base64
            import binascii

            try:
                return base64.b64decode("".join(raw.split()), validate=True)
            except (ValueError, binascii.Error):
                raise InvalidInput(FieldError("body", "is not base64")) from None
        return raw.encode()
    except UnicodeEncodeError:
        raise InvalidInput(FieldError("body", "is not UTF-8")) from None


#: Seconds: the platform's own default, where the context does not say.
DEFAULT_TIME_LIMIT: Final = 3.0


class Context(NamedTuple):
    """What the platform says of an invocation."""

    request_id: str
    #: Seconds that the invocation may take; None where it does not say.
    time_limit: float | None

    @property
    def seconds(self) -> float:
        """The time limit that counts."""
        return DEFAULT_TIME_LIMIT if self.time_limit is None else self.time_limit

    @classmethod
    def of(cls, raw: Any) -> Context:
        """Whatever the platform, or whoever calls, passes."""
        about = raw if isinstance(raw, dict) else {}
        limit = about.get("time_limit_in_ms")
        if not isinstance(limit, (int, float)) or isinstance(limit, bool) or not 0 <= limit < 1e9:
            limit = None
        return cls(str(about.get("request_id") or "")[:80], None if limit is None else limit / 1000)


def asks_for_doctor(event: Any) -> bool:
    """``{"steward": "doctor"}``, with or without ``"send_test_alarm": true``."""
    return isinstance(event, dict) and event.get("steward") == "doctor" and set(event) <= {"steward", "send_test_alarm"}

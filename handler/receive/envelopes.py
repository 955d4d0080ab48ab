"""The envelopes in which the platform delivers a payload: HTTP calls and queue messages.

A function URL (SCF, "Function URL overview") and the retired API Gateway wrap an HTTP call in nearly the same object.
CKafka and CMQ triggers (SCF, "Ckafka trigger", "CMQ trigger") wrap several messages in ``Records``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.errors import FieldError, InvalidInput
from handler.lib import strict_json
from handler.receive import sanitize
from handler.receive.timestamps import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


#: An object with any of these keys is an HTTP call. No sender's payload has one of them. A wrong guess is safe: an
#: HTTP call has to authenticate.
_HTTP_KEYS = ("httpMethod", "headers", "requestContext", "headerParameters", "isBase64Encoded")
#: An object with this key is a delivery from a queue.
QUEUE = "Records"
_MAX_HEADER_LENGTH = 8192  # characters of one value
#: Headers that stay the same when a caller retries a call (the IETF's Idempotency-Key draft; Standard Webhooks). The
#: first one that is present counts.
_IDEMPOTENCY_HEADERS = ("idempotency-key", "webhook-id")


@dataclass(frozen=True)
class HttpCall:
    """One HTTP call, not authenticated yet.

    ``headers`` have lower-case names. A header that was sent twice holds both values, joined by a comma. The body is
    kept as the platform delivered it: nothing of it is read before the caller is known.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: object = None
    is_base64: object = False
    remote: str = ""

    @cached_property
    def body(self) -> bytes:
        """The bytes as they were sent. Raises InvalidInput where they cannot be decoded."""
        return _body(self.sent, self.is_base64)

    @property
    def size(self) -> int:
        """Length of the body in bytes; 0 where it cannot be decoded."""
        try:
            return len(self.body)
        except InvalidInput:
            return 0

    @property
    def is_too_large(self) -> bool:
        """Whether the body is longer than the platform's limit for a synchronous request."""
        return self.size > strict_json.MAX_BYTES

    @property
    def idempotency_key(self) -> str:
        """The caller's key for this call and all its retries; empty where there is none."""
        return next((value for name in _IDEMPOTENCY_HEADERS if (value := self.headers.get(name, "").strip())), "")

    def payload(self) -> object:
        """The JSON value in the body.

        Authenticate the caller first: the error describes the body. Raises InvalidInput.
        """
        body = self.body
        if self.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
            raise InvalidInput(FieldError("content-encoding", "is not supported; send the body without compression"))
        return strict_json.parse(body, "body")


class Message(NamedTuple):
    """One message of a queue.

    ``id`` is the queue's own id, which stays the same on redelivery. ``at`` is the path of the body in the payload.
    """

    body: object
    id: str
    at: str
    #: When it was put into the queue, seconds since the epoch; None where the queue does not say.
    published_at: float | None = None


def open_envelope(raw: object) -> HttpCall | None:
    """The HTTP call in what the platform delivered, or None for anything else. Never raises.

    The function has to authenticate an HTTP call. The platform has already authorised a delivery from a queue and a
    bare payload; ``handler.receive.payload.read`` reads both.
    """
    if not isinstance(raw, dict):
        return None
    return _http_call(raw) if any(key in raw for key in _HTTP_KEYS) else None


def _http_call(raw: Mapping[str, Any]) -> HttpCall:
    headers = _headers(raw.get("headers"))
    context = raw.get("requestContext")
    source = context.get("sourceIp") if isinstance(context, dict) else ""
    return HttpCall(
        method=sanitize.plain(sanitize.as_text(raw.get("httpMethod")).upper(), 16),
        path=sanitize.plain(sanitize.as_text(raw.get("path")) or "/", 1024),
        headers=headers,
        sent=raw.get("body"),
        is_base64=raw.get("isBase64Encoded"),
        remote=sanitize.plain(headers.get("x-scf-remote-addr") or sanitize.as_text(source), 64),
    )


def messages_of(raw: Mapping[str, Any], at: str) -> Iterator[Message]:
    """The messages of a queue's delivery, their bodies not parsed yet.

    Raises InvalidInput where there are none.
    """
    prefix = f"{at}." if at else ""
    records = raw.get(QUEUE)
    if not isinstance(records, list) or not records:
        raise InvalidInput(FieldError(f"{prefix}{QUEUE}", "is not a list of messages; expected at least one"))
    return (_message(record, f"{prefix}{QUEUE}[{place}]") for place, record in enumerate(records))


def body_of(message: Message) -> object:
    """The JSON value in the body of a message. Raises InvalidInput."""
    if message.body is None:
        raise InvalidInput(FieldError(message.at, "holds no message; expected a Ckafka or CMQ object with a msgBody"))
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
                    queue.get("msgBody"),
                    sanitize.identity(f"{name.lower()}:{place}"),
                    f"{at}.{name}.msgBody",
                    parse_time(sanitize.as_text(queue.get("publishTime"))) or None,
                )
    return Message(None, f"unread:{sanitize.digest(record)}", at)


def _headers(raw: object) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in raw.items() if isinstance(raw, dict) else ():
        key = sanitize.as_text(name).strip().lower()
        parts = value if isinstance(value, list) else [value]
        written = ", ".join(sanitize.as_text(part) for part in parts)[:_MAX_HEADER_LENGTH]
        headers[key] = f"{headers[key]}, {written}" if key in headers else written
    return headers


def _body(raw: object, is_base64: object) -> bytes:
    if raw is None:
        return b""
    if not isinstance(raw, str):
        raise InvalidInput(FieldError("body", "is not a string"))
    try:
        if is_base64 is True or is_base64 == "true":
            import base64
            import binascii

            try:
                return base64.b64decode("".join(raw.split()), validate=True)
            except (ValueError, binascii.Error):
                raise InvalidInput(FieldError("body", "is not valid base64, but isBase64Encoded is true")) from None
        return raw.encode()
    except UnicodeEncodeError:
        raise InvalidInput(FieldError("body", "is not valid UTF-8")) from None


#: Seconds. The platform's own default, for a context that does not give a limit.
DEFAULT_TIME_LIMIT: Final = 3.0


class Context(NamedTuple):
    """The platform's facts about an invocation."""

    request_id: str
    #: Seconds that the invocation may take; None where the platform does not say.
    time_limit: float | None

    @property
    def seconds(self) -> float:
        """The time limit in seconds, or the platform's default where it is not known."""
        return DEFAULT_TIME_LIMIT if self.time_limit is None else self.time_limit

    @classmethod
    def of(cls, raw: Any) -> Context:
        """Reads the platform's context; accepts any value."""
        about = raw if isinstance(raw, dict) else {}
        limit = about.get("time_limit_in_ms")
        if not isinstance(limit, (int, float)) or isinstance(limit, bool) or not 0 <= limit < 1e9:
            limit = None
        return cls(str(about.get("request_id") or "")[:80], None if limit is None else limit / 1000)


def is_doctor_request(event: Any) -> bool:
    """Whether the event is ``{"steward": "doctor"}``, with or without ``send_test_alarm``."""
    return isinstance(event, dict) and event.get("steward") == "doctor" and set(event) <= {"steward", "send_test_alarm"}

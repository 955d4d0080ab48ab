"""Answers to HTTP callers: JSON, or problem+json (RFC 9457) where the call is wrong.

Senders repeat what is answered with 5xx (Alertmanager that alone), so a sender is answered with 503 where nothing could
be written down (``Outcome.retryable``), and with 2xx for everything else, refusals included. A direct caller asked for
one thing, and the status says what became of it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from handler.decide import grants
from handler.lib.wording import listed
from handler.model.event import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handler.errors import FieldError
    from handler.model.event import Event
    from handler.model.outcome import Record


TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
#: Seconds after which a caller should try again: as long as the platform waits with what raised.
RETRY_AFTER: Final = 60


def problem(
    status: int,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    **extra: Any,
) -> dict[str, Any]:
    """A problem+json response. Each of the ``errors`` has its field and its detail."""
    body: dict[str, Any] = {"type": "about:blank", "title": TITLES[status], "status": status, "detail": detail, **extra}
    if errors:
        body["errors"] = [{"field": error.field, "detail": error.problem} for error in errors]
    return _response(status, body, "application/problem+json", headers)


def unauthenticated(detail: str) -> dict[str, Any]:
    """The response to a call whose caller is not known."""
    return problem(401, detail, headers={"WWW-Authenticate": 'Basic realm="steward", Bearer realm="steward"'})


def unusable(events: Sequence[Event | Unreadable], records: Sequence[Record]) -> dict[str, Any] | None:
    """The response where nothing in a payload could be used; None where something could.

    It is 403 where all of it is beyond the caller's grant, and says no more than which grant is missing; else 400.
    """
    unreadable = [
        event.error
        for event, record in zip(events, records, strict=True)
        if isinstance(event, Unreadable) and not grants.refusals([record.outcome])
    ]
    beyond = grants.refusals(record.outcome for record in records)
    if len(unreadable) + len(beyond) < len(events):
        return None
    if unreadable:
        found = [one for error in unreadable for one in error.errors][:20]
        return problem(400, "the body contains no event that can be read", errors=found)
    return problem(403, listed(list(dict.fromkeys(outcome.reason for outcome in beyond)), 4))


def answer(records: Sequence[Record], *, is_direct: bool, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The response for a payload that was read.

    It is 200; 202 while anything is open; 503 where any of its events could not be written down; or a direct caller's
    status. ``extra`` is what the sender wants to read where all is decided.
    """
    outcomes = [
        {
            "event": record.event,
            "outcome": record.outcome.status,
            "code": record.outcome.code,
            "reason": record.outcome.reason,
            **({"operations": list(record.operations)} if record.operations else {}),
        }
        for record in records
    ]
    if again := next((record.outcome for record in records if record.outcome.retryable), None):
        # What else the payload held is not done again: it is written down.
        return problem(503, again.reason, headers={"Retry-After": str(RETRY_AFTER)}, outcomes=outcomes)
    body = {"outcomes": outcomes, **extra}
    if is_direct and len(records) == 1:
        status = records[0].outcome.http_status
        if status >= 400:
            return problem(status, records[0].outcome.reason, **body)
        return _response(status, body)
    return _response(202 if any(record.outcome.is_open for record in records) else 200, body)


def _response(
    status: int, body: Mapping[str, Any], kind: str = "application/json", headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The function URL's response object."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return {
        "isBase64Encoded": False,
        "statusCode": status,
        "headers": {"Content-Type": kind, "Cache-Control": "no-store", **(headers or {})},
        # A lone surrogate can be held by a string, but not be sent.
        "body": text.encode("utf-8", "backslashreplace").decode(),
    }


def summary(records: Sequence[Record], hide: Callable[[str], str]) -> dict[str, Any]:
    """The result of an asynchronous invocation, short and without secrets.

    The platform logs it.
    """
    counts: dict[str, int] = {}
    for record in records:
        counts[record.outcome.status] = counts.get(record.outcome.status, 0) + 1
    first = [
        {
            "event": hide(r.event),
            "outcome": r.outcome.status,
            "code": r.outcome.code,
            "reason": hide(r.outcome.reason),
        }
        for r in records[:20]
    ]
    return {"outcomes": first, "counts": counts}

"""The platform's timer trigger: its name, the time it was due, and the user's message.

Source: SCF, "Timer trigger". The message may be a StartStopServiceOrMonitor request as JSON, or an array of them, which
is carried out without asking the rules. Any other message is for the rules: it is both the name and the message of the
event. The trigger's own name is the label ``trigger``; it is also the name of an event whose message is empty.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import NotRequired, TypedDict

from handler.errors import FieldError, InvalidInput
from handler.lib import strict_json
from handler.lib.validation import Schema
from handler.model.event import Event, Unreadable
from handler.receive import sanitize
from handler.receive.timestamps import parse_time


class Timer(TypedDict):
    """The event of a timer on the wire."""

    TriggerName: str
    Time: str
    Message: NotRequired[str | None]


TIMER = Schema(Timer)

#: The label that holds the trigger's own name.
TRIGGER = "trigger"
#: A JSON object in a message is a request where it has any of these keys.
_REQUEST_KEYS = ("InstanceId", "OpType", "OpScope")


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The event of the timer, or one event for each request in its message.

    The id is the trigger's name and the time it was due, which stay the same when the platform retries. The ``Id`` of a
    request is ignored, because it would be the same every day. Raises InvalidInput.
    """
    timer = TIMER.validate(payload, at)
    name, time, message = timer["TriggerName"], timer["Time"], timer.get("Message") or ""
    due = parse_time(time)
    prefix = f"{at}." if at else ""
    if not name:
        raise InvalidInput(FieldError(f"{prefix}TriggerName", "is empty; expected the name of the trigger"))
    if due is None:
        raise InvalidInput(FieldError(f"{prefix}Time", "is not an RFC 3339 time, such as 2026-11-23T14:00:00Z"))
    event = Event(
        id=sanitize.identity(f"{name}@{time}"),
        source="timer",
        name=sanitize.plain(name, sanitize.MAX_IN_NAME),
        labels=sanitize.labels({TRIGGER: name}),
        occurred_at=due,
        message=sanitize.plain(message, sanitize.MAX_IN_MESSAGE),
    )
    requests = _requests_in(message, f"{prefix}Message")
    if requests is None:
        return [event._replace(name=sanitize.plain(message.strip(), sanitize.MAX_IN_NAME) or event.name)]
    received: list[Event | Unreadable] = []
    for index, raw in enumerate(requests):
        if len(requests) == 1:
            received.append(_with_request(event, raw, f"{prefix}Message"))
        else:
            numbered_event = event._replace(id=sanitize.identity(f"{name}@{time}#{index}"))
            received.append(_with_request(numbered_event, raw, f"{prefix}Message[{index}]"))
    return received


def _requests_in(message: str, at: str) -> list[Any] | None:
    """The requests in a message, still as JSON values; None where the message holds none."""
    if message.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = strict_json.parse(message, at)
    except InvalidInput:
        # Ordinary text may begin with a brace. A mistyped request must not pass for text: no rule would match it.
        if any(f'"{key}"' in message for key in _REQUEST_KEYS):
            raise
        return None
    values = value if isinstance(value, list) else [value]
    is_request = any(isinstance(item, dict) and any(key in item for key in _REQUEST_KEYS) for item in values)
    return values if is_request else None


def _with_request(event: Event, raw: object, at: str) -> Event | Unreadable:
    from handler.receive.senders import request

    try:
        requested = request.event_of(raw, at)
    except InvalidInput as error:
        return Unreadable(event.id, "timer", error)
    labels = {**requested.labels, **event.labels}
    return requested._replace(
        id=event.id, source="timer", name=event.name, labels=labels, occurred_at=event.occurred_at, is_named=True
    )

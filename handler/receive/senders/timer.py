"""The platform's timer (SCF, "Timer trigger"): a name, the moment it was due, and a message of the user's.

A message that is a whole request of StartStopServiceOrMonitor, or an array of them, as JSON says itself what to do. Any
other message names what is to happen: it is the event's name as well as its message, so that rules may ask for either.
The trigger's own name is the label ``trigger``, and the name of an event whose message names nothing.
"""

from __future__ import annotations

from typing import Any

from typing_extensions import NotRequired, TypedDict

from handler.errors import FieldError, InvalidInput
from handler.lib import strict_json
from handler.lib.validation import Schema
from handler.model.event import Event, Unreadable
from handler.receive import sanitize
from handler.receive.timestamps import moment


class Timer(TypedDict):
    """A timer's event as it is on the wire."""

    TriggerName: str
    Time: str
    Message: NotRequired[str | None]


TIMER = Schema(Timer)

#: The label with the trigger's own name.
TRIGGER = "trigger"
#: Any of these names in a message's JSON object makes it a request.
_WORDS_OF_A_REQUEST = ("InstanceId", "OpType", "OpScope")


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The timer's event: one, or one a request where the message is an array of several.

    The id is the name and the due time, which the platform's retries repeat, so a request's own ``Id`` is not asked: it
    would be the same every day. Raises InvalidInput.
    """
    timer = TIMER.read(payload, at)
    name, time, message = timer["TriggerName"], timer["Time"], timer.get("Message") or ""
    due = moment(time)
    prefix = f"{at}." if at else ""
    if not name:
        raise InvalidInput(FieldError(f"{prefix}TriggerName", "is empty"))
    if due is None:
        raise InvalidInput(FieldError(f"{prefix}Time", "is no RFC 3339 time"))
    event = Event(
        id=sanitize.identity(f"{name}@{time}"),
        source="timer",
        name=sanitize.plain(name, sanitize.MAX_IN_NAME),
        labels=sanitize.labels({TRIGGER: name}),
        occurred_at=due,
        message=sanitize.plain(message, sanitize.MAX_IN_MESSAGE),
    )
    wanted = _requests_in(message, f"{prefix}Message")
    if wanted is None:
        return [event._replace(name=sanitize.plain(message.strip(), sanitize.MAX_IN_NAME) or event.name)]
    received: list[Event | Unreadable] = []
    for place, raw in enumerate(wanted):
        if len(wanted) == 1:
            received.append(_with_request(event, raw, f"{prefix}Message"))
        else:
            its_event = event._replace(id=sanitize.identity(f"{name}@{time}#{place}"))
            received.append(_with_request(its_event, raw, f"{prefix}Message[{place}]"))
    return received


def _requests_in(message: str, at: str) -> list[Any] | None:
    """The JSON objects of a message that is a request or several, None for any other message."""
    if message.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = strict_json.parse(message, at)
    except InvalidInput:
        # Text may well begin with a brace. A request that was mistyped must not pass for text, and so for nothing.
        if any(f'"{word}"' in message for word in _WORDS_OF_A_REQUEST):
            raise
        return None
    values = value if isinstance(value, list) else [value]
    is_request = any(isinstance(item, dict) and any(word in item for word in _WORDS_OF_A_REQUEST) for item in values)
    return values if is_request else None


def _with_request(event: Event, raw: object, at: str) -> Event | Unreadable:
    from handler.receive.senders import request

    try:
        asked = request.event_of(raw, at)
    except InvalidInput as error:
        return Unreadable(event.id, "timer", error)
    labels = {**asked.labels, **event.labels}
    return asked._replace(id=event.id, source="timer", name=event.name, labels=labels, occurred_at=event.occurred_at)

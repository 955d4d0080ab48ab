"""Recognises the sender of a payload by its keys, and reads the payload into Events.

A payload may arrive bare, over HTTP or through a queue, alone or in an array. The sender of each element of an array
is recognised on its own. An Unreadable takes the place of whatever cannot be read, and the rest is read as usual.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from handler.errors import FieldError, InvalidInput
from handler.lib import strict_json
from handler.model.event import QUEUE_SOURCE, UNKNOWN_SOURCE, Event, Unreadable
from handler.receive import envelopes, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


# Enough for an array of queue deliveries whose JSON texts hold arrays.
_MAX_LAYERS = 6


class Sender(NamedTuple):
    """How the payloads of one sender are recognised.

    ``recognised_by`` names the keys for messages; ``matches`` checks them. The module of the sender is imported when
    its first payload arrives.
    """

    source: str
    recognised_by: str
    matches: Callable[[dict[str, Any]], bool]


#: The first row that matches wins: a sender has keys that the senders below it never have. Some of its keys are enough,
#: so that a payload with an error is still recognised, and its sender's module names the invalid field.
SENDERS = (
    Sender("timer", "Type: Timer, TriggerName", lambda raw: raw.get("Type") == "Timer" or "TriggerName" in raw),
    Sender("request", "InstanceId, OpType, OpScope", lambda raw: _has_any(raw, "OpType", "OpScope", "InstanceId")),
    Sender(
        "tcop", "alarmStatus, alarmObjInfo", lambda raw: _has_any(raw, "alarmStatus", "alarmObjInfo", "alarmPolicyInfo")
    ),
    Sender("grafana", "alerts, orgId", lambda raw: "alerts" in raw and ("orgId" in raw or raw.get("version") == "1")),
    Sender("alertmanager", "alerts, version: 4", lambda raw: _has_any(raw, "alerts", "groupKey", "truncatedAlerts")),
    Sender(
        "eventbridge",
        "specversion, id, source",
        lambda raw: "specversion" in raw or _has_all(raw, "id", "source", "type"),
    ),
)

#: The senders whose payloads may come over HTTP. Timers are the platform's.
OVER_HTTP = tuple(sender.source for sender in SENDERS if sender.source != "timer")


class _Call(NamedTuple):
    """The call that a payload came with: its idempotency key, and its caller over HTTP. Either may be empty."""

    key: str = ""
    caller: str = ""


def read(payload: object, idempotency_key: str = "", at: str = "", caller: str = "") -> list[Event | Unreadable]:
    """The events in ``payload``, a JSON value. Never raises.

    The list has at least one element and at most MAX_EVENTS; one more element reports that there were more. A direct
    call without an ``Id`` takes the caller's ``idempotency_key`` as its id. ``at`` is the path of the payload, for the
    names of invalid fields. ``caller`` is who sent it over HTTP, where nothing comes in a queue's envelope.
    """
    limit = sanitize.MAX_EVENTS
    received = list(islice(_events(payload, _Call(idempotency_key, caller), at, 0), limit + 2))
    # The module of a sender reports too many alerts itself, with an id that stays the same when the group is repeated.
    is_reported = len(received) == limit + 1 and received[-1].id.startswith(sanitize.LEFT_OUT_EVENTS)
    if len(received) > limit and not is_reported:
        problem = f"holds more than {limit} events; the others were not read; send fewer at once"
        identity = f"{sanitize.LEFT_OUT_EVENTS}{sanitize.digest(payload)}"
        received[limit:] = [Unreadable(identity, UNKNOWN_SOURCE, InvalidInput(FieldError(at, problem)))]
    if not caller:
        return received
    return [event._replace(caller=caller) if isinstance(event, Event) else event for event in received]


def _events(payload: object, call: _Call, at: str, layer: int) -> Iterator[Event | Unreadable]:
    if layer > _MAX_LAYERS:
        problem = f"is nested in more than {_MAX_LAYERS} arrays and envelopes; send fewer layers"
        yield _unreadable(payload, UNKNOWN_SOURCE, FieldError(at, problem))
    elif isinstance(payload, list):
        if not payload:
            yield _unreadable(payload, UNKNOWN_SOURCE, FieldError(at, "is an empty array; expected at least one event"))
        for index, item in enumerate(payload):
            of_item = call._replace(key=f"{call.key}#{index}") if call.key and len(payload) > 1 else call
            yield from _events(item, of_item, f"{at}[{index}]", layer + 1)
    elif isinstance(payload, str) and payload.lstrip()[:1] in ("{", "["):
        yield from _parsed(
            lambda: strict_json.parse(payload, at), f"unread:{sanitize.digest(payload)}", call, at, layer
        )
    elif not isinstance(payload, dict):
        problem = f"is {_json_type(payload)}; expected an object or an array"
        yield _unreadable(payload, UNKNOWN_SOURCE, FieldError(at, problem))
    elif envelopes.QUEUE not in payload:
        yield from _from_sender(payload, call.key, at)
    elif call.caller:
        problem = "is the envelope of a queue, which never comes over HTTP"
        yield _unreadable(payload, QUEUE_SOURCE, FieldError(at, problem))
    else:
        yield from _from_queue(payload, at, layer)


def _from_queue(payload: dict[str, Any], at: str, layer: int) -> Iterator[Event | Unreadable]:
    try:
        messages = envelopes.messages_of(payload, at)
    except InvalidInput as error:
        yield _unreadable(payload, UNKNOWN_SOURCE, *error.errors)
        return
    for message in messages:
        for event in _parsed(partial(envelopes.body_of, message), message.id, _Call(message.id), message.at, layer):
            yield event._replace(told_at=message.published_at) if isinstance(event, Event) else event


def _parsed(
    parse: Callable[[], object], identity: str, call: _Call, at: str, layer: int
) -> Iterator[Event | Unreadable]:
    """The events in the value that ``parse`` returns, or one Unreadable with the id ``identity`` where it fails."""
    try:
        inner = parse()
    except InvalidInput as error:
        yield Unreadable(identity, UNKNOWN_SOURCE, _sanitized(error.errors))
        return
    yield from _events(inner, call, at, layer + 1)


def _from_sender(payload: dict[str, Any], key: str, at: str) -> list[Event | Unreadable]:
    sender = _sender_of(payload)
    if sender is None:
        senders = "; ".join(f"{sender.source} ({sender.recognised_by})" for sender in SENDERS)
        problem = f"is not recognised as any supported sender; expected one of: {senders}"
        return [_unreadable(payload, UNKNOWN_SOURCE, FieldError(at, problem))]
    module = _module_of(sender)
    try:
        received = module.read(payload, at, key) if sender.source == "request" else module.read(payload, at)
    except InvalidInput as error:
        return [_unreadable(payload, sender.source, *error.errors)]
    return cast("list[Event | Unreadable]", received)


def response_fields(payload: object) -> dict[str, Any]:
    """The fields that the sender requires in the HTTP response; most senders require none."""
    sender = _sender_of(payload) if isinstance(payload, dict) else None
    fields = getattr(_module_of(sender), "response_fields", None) if sender else None
    return fields(payload) if fields else {}


def _sender_of(payload: dict[str, Any]) -> Sender | None:
    return next((sender for sender in SENDERS if sender.matches(payload)), None)


def _module_of(sender: Sender) -> Any:
    return import_module(f"handler.receive.senders.{sender.source}")


def _unreadable(payload: object, source: str, *errors: FieldError) -> Unreadable:
    return Unreadable(f"unread:{sanitize.digest(payload)}", source, _sanitized(errors))


def _sanitized(errors: Iterable[FieldError]) -> InvalidInput:
    """The errors, safe to log: an unknown field's name comes from the sender and may hold anything."""
    return InvalidInput(
        *(FieldError(sanitize.plain(field, 256), sanitize.plain(problem, 512)) for field, problem in errors)
    )


def _json_type(value: object) -> str:
    """The JSON type of ``value``, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return {str: "text", int: "a number", float: "a number"}.get(type(value), "not a JSON value")


def _has_any(raw: dict[str, Any], *keys: str) -> bool:
    return any(key in raw for key in keys)


def _has_all(raw: dict[str, Any], *keys: str) -> bool:
    return all(key in raw for key in keys)

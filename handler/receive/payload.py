"""From a payload to Events: who sent it is told by its shape, and its sender's own module reads it.

Any payload may come bare, over HTTP or through a queue, alone or in an array, where each element is told by itself.
Whatever cannot be read is an Unreadable in its place; nothing raises, and the rest is served.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from handler.errors import FieldError, InvalidInput
from handler.lib import strict_json
from handler.model.event import Event, Unreadable
from handler.receive import envelopes, sanitize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handler.model.event import SourceKind

# An array of queue envelopes of JSON text of arrays is as much as anybody needs.
_MAX_LAYERS = 6


class Sender(NamedTuple):
    """How a sender's payload is told from others. Its module is imported when a payload of it is there."""

    source: SourceKind
    looks: str
    is_sender: Callable[[dict[str, Any]], bool]


#: In this order: a sender further up has marks that the others never have. A payload needs to show only some of a
#: sender's keys, so that one with an error in it is refused by its sender, who names the field.
SENDERS = (
    Sender("timer", "Type: Timer, TriggerName", lambda raw: raw.get("Type") == "Timer" or "TriggerName" in raw),
    Sender("request", "InstanceId, OpType, OpScope", lambda raw: _has(raw, "OpType", "OpScope", "InstanceId")),
    Sender(
        "tcop", "alarmStatus, alarmObjInfo", lambda raw: _has(raw, "alarmStatus", "alarmObjInfo", "alarmPolicyInfo")
    ),
    Sender("grafana", "alerts, orgId", lambda raw: "alerts" in raw and ("orgId" in raw or raw.get("version") == "1")),
    Sender("alertmanager", "alerts, version: 4", lambda raw: _has(raw, "alerts", "groupKey", "truncatedAlerts")),
    Sender(
        "eventbridge",
        "specversion, id, source",
        lambda raw: "specversion" in raw or _has_all(raw, "id", "source", "type"),
    ),
)


def read(payload: object, idempotency_key: str = "", at: str = "") -> list[Event | Unreadable]:
    """The events that ``payload``, a JSON value, holds: one at least, MAX_EVENTS (and one that says that there are more) at most.

    ``idempotency_key`` is what the caller names the call by over its retries (an ``Idempotency-Key``); a direct call
    without an ``Id`` has it as its id. ``at`` is where the payload stood, for the names of faulty fields. Never raises.
    """
    limit = sanitize.MAX_EVENTS
    received = list(islice(_events(payload, idempotency_key, at, 0), limit + 2))
    # A sender whose alerts are too many says so itself, by an id that is the same for the repeats of their group.
    says_so = len(received) == limit + 1 and received[-1].id.startswith(sanitize.LEFT_OUT_EVENTS)
    if len(received) > limit and not says_so:
        problem = f"holds more than {limit} events; the others were not read"
        identity = f"{sanitize.LEFT_OUT_EVENTS}{sanitize.digest(payload)}"
        received[limit:] = [Unreadable(identity, "unknown", InvalidInput(FieldError(at, problem)))]
    return received


def _events(payload: object, key: str, at: str, layer: int) -> Iterator[Event | Unreadable]:
    if layer > _MAX_LAYERS:
        yield _unread(
            payload, "unknown", FieldError(at, f"lies in more than {_MAX_LAYERS} layers of arrays and envelopes")
        )
    elif isinstance(payload, list):
        if not payload:
            yield _unread(payload, "unknown", FieldError(at, "is an empty array; an event is wanted"))
        for place, item in enumerate(payload):
            its_key = f"{key}#{place}" if key and len(payload) > 1 else key
            yield from _events(item, its_key, f"{at}[{place}]", layer + 1)
    elif isinstance(payload, str) and payload.lstrip()[:1] in ("{", "["):
        yield from _opened(lambda: strict_json.parse(payload, at), f"unread:{sanitize.digest(payload)}", key, at, layer)
    elif not isinstance(payload, dict):
        yield _unread(payload, "unknown", FieldError(at, f"is {_kind(payload)}; an object or an array is wanted"))
    elif envelopes.QUEUE in payload:
        yield from _from_queue(payload, at, layer)
    else:
        yield from _from_sender(payload, key, at)


def _from_queue(payload: dict[str, Any], at: str, layer: int) -> Iterator[Event | Unreadable]:
    try:
        messages = envelopes.messages_of(payload, at)
    except InvalidInput as error:
        yield _unread(payload, "unknown", *error.errors)
        return
    for message in messages:
        yield from _opened(partial(envelopes.opened, message), message.id, message.id, message.at, layer)


def _opened(
    opening: Callable[[], object], identity: str, key: str, at: str, layer: int
) -> Iterator[Event | Unreadable]:
    """The events of what ``opening`` gives, or the one Unreadable of ``identity`` where it cannot be opened."""
    try:
        inner = opening()
    except InvalidInput as error:
        yield Unreadable(identity, "unknown", _fit(error.errors))
        return
    yield from _events(inner, key, at, layer + 1)


def _from_sender(payload: dict[str, Any], key: str, at: str) -> list[Event | Unreadable]:
    sender = _sender_of(payload)
    if sender is None:
        known = "; ".join(f"{sender.source} ({sender.looks})" for sender in SENDERS)
        return [_unread(payload, "unknown", FieldError(at, f"is of no known sender; looked for {known}"))]
    module = _module_of(sender)
    try:
        received = module.read(payload, at, key) if sender.source == "request" else module.read(payload, at)
    except InvalidInput as error:
        return [_unread(payload, sender.source, *error.errors)]
    return cast("list[Event | Unreadable]", received)


def response_fields(payload: object) -> dict[str, Any]:
    """The fields that the payload's sender demands in an HTTP response; most senders demand none."""
    sender = _sender_of(payload) if isinstance(payload, dict) else None
    fields = getattr(_module_of(sender), "response_fields", None) if sender else None
    return fields(payload) if fields else {}


def _sender_of(payload: dict[str, Any]) -> Sender | None:
    return next((sender for sender in SENDERS if sender.is_sender(payload)), None)


def _module_of(sender: Sender) -> Any:
    return import_module(f"handler.receive.senders.{sender.source}")


def _unread(payload: object, source: SourceKind, *errors: FieldError) -> Unreadable:
    return Unreadable(f"unread:{sanitize.digest(payload)}", source, _fit(errors))


def _fit(errors: Iterable[FieldError]) -> InvalidInput:
    """Faults that may be logged: a faulty field's name is its sender's, who may have put anything into it."""
    return InvalidInput(
        *(FieldError(sanitize.plain(field, 256), sanitize.plain(problem, 512)) for field, problem in errors)
    )


def _kind(value: object) -> str:
    """What JSON calls it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return {str: "text", int: "a number", float: "a number"}.get(type(value), "no JSON value")


def _has(raw: dict[str, Any], *keys: str) -> bool:
    return any(key in raw for key in keys)


def _has_all(raw: dict[str, Any], *keys: str) -> bool:
    return all(key in raw for key in keys)

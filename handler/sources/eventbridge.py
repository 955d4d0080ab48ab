"""EventBridge: one CloudEvent (EventBridge, "Tencent Cloud service events"; CloudEvents 1.0).

Older pages print ``specversion`` "0" and ``subjuect``; ``time`` is a millisecond epoch as a number or a string, and
CloudEvents itself has an RFC 3339 time there: all are read. A delivery in batches is an array of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from handler.errors import Fault, InvalidInput
from handler.events import Event, Unreadable
from handler.sources import places, text
from handler.sources.moments import counted, moment
from handler.sources.processes import process_named, service_named
from handler.validation import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.events import Status


class CloudEvent(TypedDict):
    """A CloudEvent as it is on the wire. ``status`` is Cloud Monitor's addition: "1" is an alarm, "0" its recovery."""

    id: str
    source: str
    type: str
    subject: NotRequired[Any]
    subjuect: NotRequired[Any]
    time: NotRequired[Any]
    region: NotRequired[Any]
    status: NotRequired[Any]
    tags: NotRequired[Any]
    data: NotRequired[Any]


CLOUD_EVENT = Shape(CloudEvent)

_STATUSES: dict[str, Status] = {"1": "firing", "0": "resolved"}
_SEVERITIES = ("severity", "level", "alarmLevel")


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The event: its id is the CloudEvent's source and id, which together are unique. Raises InvalidInput."""
    event = CLOUD_EVENT.read(payload, at)
    prefix = f"{at}." if at else ""
    if not event["id"] or not event["source"]:
        raise InvalidInput(Fault(f"{prefix}{'source' if event['id'] else 'id'}", "is empty"))
    subject = text.as_text(event.get("subject")) or text.as_text(event.get("subjuect"))
    data = event.get("data")
    details: Mapping[str, Any] = data if isinstance(data, dict) else {}
    dimensions = text.flattened(details.get("dimensions"), "dimension")
    rest = text.flattened({key: value for key, value in details.items() if key != "dimensions"}, "data")
    service, component = _process(dimensions)
    return [
        Event(
            id=text.identity(f"{event['source']}#{event['id']}"),
            source="eventbridge",
            name=text.plain(event["type"], text.MOST_IN_NAME),
            status=_STATUSES.get(text.as_text(event.get("status")).strip(), "none"),
            severity=text.plain(
                next((found for key in _SEVERITIES if (found := text.as_text(details.get(key)))), ""), 256
            ),
            cluster=_cluster(subject, details, dimensions),
            service=service,
            component=component,
            ip=places.address(dimensions.get("dimension_ip", "")) or places.only_address(dimensions.values()),
            labels=text.labels({**_labels(event, subject), **dimensions, **rest}),
            occurred_at=_time(event.get("time"), f"{prefix}time"),
            message=text.plain(data if isinstance(data, str) else "", text.MOST_IN_MESSAGE),
        )
    ]


def _time(written: object, field: str) -> float | None:
    if written is None or written == "":
        return None
    found = counted(written)
    if found is None and isinstance(written, str):
        found = moment(written)
    if found is None:
        # Without its age an old event would count as fresh.
        raise InvalidInput(Fault(field, "is no time (milliseconds since 1970, or RFC 3339)"))
    return found


def _cluster(subject: str, details: Mapping[str, Any], dimensions: Mapping[str, str]) -> str:
    named = places.cluster(subject) or places.cluster(text.as_text(details.get("instanceId")))
    return named or places.only_cluster([*dimensions.values(), subject])


def _process(dimensions: Mapping[str, str]) -> tuple[str, str]:
    """``service`` and ``component`` (or ``role``, ``process``) among the dimensions, by EMR's names where those are known."""
    service = dimensions.get("dimension_service", "")
    keys = ("dimension_component", "dimension_role", "dimension_process")
    component = next((dimensions[key] for key in keys if key in dimensions), "")
    known = service_named(service)
    if (known or not service) and (found := process_named(component, known)):
        return found
    return known or text.plain(service, text.MOST_IN_NAME), text.plain(component, text.MOST_IN_NAME)


def _labels(event: CloudEvent, subject: str) -> dict[str, str]:
    values = {"type": event["type"], "event_source": event["source"], "subject": subject, "region": event.get("region")}
    found = {key: written for key, value in values.items() if (written := text.as_text(value))}
    return {**found, **text.flattened(event.get("tags"), "tag")}

"""EventBridge: one CloudEvent, or an array of them for a batch.

Sources: EventBridge, "Tencent Cloud service events"; CloudEvents 1.0. Older pages print ``specversion`` "0" and
``subjuect``, which are accepted. ``time`` may be a count of milliseconds, as a number or a string, or an RFC 3339 time
as CloudEvents defines it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from handler.errors import FieldError, InvalidInput
from handler.lib.validation import Schema
from handler.model.components import process_named, service_named
from handler.model.event import Event, Unreadable
from handler.receive import locators, sanitize
from handler.receive.timestamps import parse_epoch, parse_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.event import Status


class CloudEvent(TypedDict):
    """A CloudEvent on the wire.

    Cloud Monitor adds ``status``: "1" is an alarm, "0" is its recovery.
    """

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


CLOUD_EVENT = Schema(CloudEvent)

_STATUSES: dict[str, Status] = {"1": "firing", "0": "resolved"}
_SEVERITIES = ("severity", "level", "alarmLevel")


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The one event, whose id is the source and id of the CloudEvent. Raises InvalidInput."""
    event = CLOUD_EVENT.validate(payload, at)
    prefix = f"{at}." if at else ""
    if not event["id"] or not event["source"]:
        raise InvalidInput(
            FieldError(f"{prefix}{'source' if event['id'] else 'id'}", "is empty; CloudEvents requires it")
        )
    subject = sanitize.as_text(event.get("subject")) or sanitize.as_text(event.get("subjuect"))
    data = event.get("data")
    details: Mapping[str, Any] = data if isinstance(data, dict) else {}
    dimensions = sanitize.flattened(details.get("dimensions"), "dimension")
    rest = sanitize.flattened({key: value for key, value in details.items() if key != "dimensions"}, "data")
    service, component = _process(dimensions)
    return [
        Event(
            id=sanitize.identity(f"{event['source']}#{event['id']}"),
            source="eventbridge",
            name=sanitize.plain(event["type"], sanitize.MAX_IN_NAME),
            status=_STATUSES.get(sanitize.as_text(event.get("status")).strip(), "none"),
            severity=sanitize.plain(
                next((found for key in _SEVERITIES if (found := sanitize.as_text(details.get(key)))), ""), 256
            ),
            cluster=_cluster(subject, details, dimensions),
            service=service,
            component=component,
            ip=locators.address(dimensions.get("dimension_ip", "")) or locators.only_address(dimensions.values()),
            labels=sanitize.labels({**_labels(event, subject), **dimensions, **rest}),
            occurred_at=_time(event.get("time"), f"{prefix}time"),
            message=sanitize.plain(data if isinstance(data, str) else "", sanitize.MAX_IN_MESSAGE),
        )
    ]


def _time(written: object, field: str) -> float | None:
    if written is None or written == "":
        return None
    found = parse_epoch(written)
    if found is None and isinstance(written, str):
        found = parse_time(written)
    if found is None:
        # An event of unknown age could be an old one that is delivered late.
        raise InvalidInput(
            FieldError(
                field, "is not a time; expected milliseconds since 1970, or RFC 3339 such as 2026-11-23T21:34:02Z"
            )
        )
    return found


def _cluster(subject: str, details: Mapping[str, Any], dimensions: Mapping[str, str]) -> str:
    named = locators.cluster(subject) or locators.cluster(sanitize.as_text(details.get("instanceId")))
    return named or locators.only_cluster([*dimensions.values(), subject])


def _process(dimensions: Mapping[str, str]) -> tuple[str, str]:
    """The service and component in the dimensions, by EMR's names where they are known."""
    service = dimensions.get("dimension_service", "")
    keys = ("dimension_component", "dimension_role", "dimension_process")
    component = next((dimensions[key] for key in keys if key in dimensions), "")
    known = service_named(service)
    if (known or not service) and (found := process_named(component, known)):
        return found
    return known or sanitize.plain(service, sanitize.MAX_IN_NAME), sanitize.plain(component, sanitize.MAX_IN_NAME)


def _labels(event: CloudEvent, subject: str) -> dict[str, str]:
    values = {"type": event["type"], "event_source": event["source"], "subject": subject, "region": event.get("region")}
    found = {key: written for key, value in values.items() if (written := sanitize.as_text(value))}
    return {**found, **sanitize.flattened(event.get("tags"), "tag")}

"""Prometheus Alertmanager's webhook, version 4 (Prometheus, "Alerting: webhook_config"): one body, many alerts.

An alert's identity is its fingerprint and its ``startsAt``: repeats of it, and its resolution, have the same id.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, cast

from typing_extensions import NotRequired, TypedDict

from handler.errors import FieldError, InvalidInput
from handler.lib import wording
from handler.lib.validation import Schema
from handler.model.components import Process, process_named, service_named
from handler.model.event import Event, Unreadable
from handler.receive import locators, sanitize
from handler.receive.timestamps import moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handler.model.event import SourceKind, Status

#: Labels that are looked at, in this order, and what is taken from the first that holds such a thing.
CLUSTER_LABELS = ("cluster_id", "emr_cluster", "cluster", "instance_id")
ADDRESS_LABELS = ("ip", "instance", "host", "node", "address")
COMPONENT_LABELS = ("component", "role", "process")
MESSAGE_ANNOTATIONS = ("summary", "description", "message")
#: Annotations become labels under this prefix, so that a label is never mistaken for one.
ANNOTATION = "annotation_"
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: the sender does not know when it began
_STATUSES: dict[str, Status] = {"firing": "firing", "resolved": "resolved"}


class Alert(TypedDict):
    """One alert as it is on the wire."""

    status: NotRequired[Literal["firing", "resolved"]]
    labels: dict[str, str]
    annotations: NotRequired[dict[str, str] | None]
    startsAt: str
    endsAt: NotRequired[str]
    fingerprint: NotRequired[str]


class Group(TypedDict):
    """The body, its alerts unread."""

    alerts: list[Any]
    status: NotRequired[Any]
    groupKey: NotRequired[Any]
    truncatedAlerts: NotRequired[Any]


class Alerts(TypedDict):
    """All alerts of a body at once: what is quickest, where each of them is sound."""

    alerts: list[Alert]


ALERT = Schema(Alert)
GROUP = Schema(Group)
ALERTS = Schema(Alerts)


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """Each alert of the body, and one Unreadable where the sender says that it left some out.

    Those alerts would have asked for something that is not known here: a refused outcome, and so an alarm, is what an
    operator should see. Their Unreadable has the group's id, so that repeats of the body are one alarm.
    """
    return read_group("alertmanager", payload, at, (ALERTS, ALERT), lambda _: {})


def read_group(
    source: SourceKind,
    payload: dict[str, Any],
    at: str,
    schemas: tuple[Schema[Any], Schema[Any]],
    more_labels: Callable[[Any], Mapping[str, str]],
) -> list[Event | Unreadable]:
    """The alerts of a body in Alertmanager's shape.

    ``shapes`` are those of a body with its alerts and of one alert; ``more_labels`` gives what an alert of that shape
    has to say beyond Alertmanager's.
    """
    group = GROUP.read(payload, at)
    alerts = group["alerts"]
    status: Status | None = _STATUSES.get(sanitize.as_text(group.get("status")))
    if not alerts:
        raise InvalidInput(FieldError(_below(at, "alerts"), "is empty; an alert is wanted"))
    received: list[Event | Unreadable] = []
    for place, alert in enumerate(_each(alerts[: sanitize.MAX_EVENTS], at, schemas)):
        event = alert if isinstance(alert, InvalidInput) else _event(source, alert, status, more_labels(alert))
        if isinstance(event, FieldError):
            event = InvalidInput(FieldError(_below(at, f"alerts[{place}].{event.field}"), event.problem))
        if isinstance(event, InvalidInput):
            received.append(Unreadable(_unread_id(alerts[place]), source, event))
        else:
            received.append(event)
    if left := group.get("truncatedAlerts"):
        count = sanitize.plain(sanitize.as_text(left), 20) if isinstance(left, int) else "some"
        problem = f"{count} alerts of this group were left out by the sender (its max_alerts)"
        received.append(_left_out(source, group, _below(at, "truncatedAlerts"), problem))
    if beyond := alerts[sanitize.MAX_EVENTS :]:
        problem = f"{len(beyond)} alerts more than the {sanitize.MAX_EVENTS} that one body may hold were not read"
        received.append(_left_out(source, group, _below(at, "alerts"), problem))
    return received


def _each(alerts: list[Any], at: str, schemas: tuple[Schema[Any], Schema[Any]]) -> list[Any]:
    """Each alert, or its InvalidInput: all by one run of the validator, one by one only where that finds a fault."""
    whole, one = schemas
    try:
        return cast("list[Any]", whole.read({"alerts": alerts})["alerts"])
    except InvalidInput:
        return [_one(one, raw, _below(at, f"alerts[{place}]")) for place, raw in enumerate(alerts)]


def _one(schema: Schema[Any], raw: object, at: str) -> object:
    try:
        return schema.read(raw, at)
    except InvalidInput as error:
        return error


def _event(
    source: SourceKind, alert: Alert, group_status: Status | None, more: Mapping[str, str]
) -> Event | FieldError:
    """The alert as an Event, or what its shape does not tell of its faults."""
    labels, starts_at = alert["labels"], alert["startsAt"]
    status = alert.get("status") or group_status
    if status is None:
        return FieldError("status", "is missing, here and in the group; firing or resolved is wanted")
    occurred_at = moment(starts_at)
    if occurred_at is None and starts_at != _NEVER:
        # Without its age an old alert would count as fresh.
        return FieldError("startsAt", "is no RFC 3339 time")
    if status == "resolved" and (ended := moment(alert.get("endsAt", ""))) is not None:
        occurred_at = ended
    annotations = alert.get("annotations") or {}
    name = labels.get("alertname", "")
    service, component = _process(
        wording.cut(labels.get("service", ""), sanitize.MAX_IN_NAME),
        wording.cut(_first(labels, COMPONENT_LABELS), sanitize.MAX_IN_NAME),
        wording.cut(labels.get("job", ""), sanitize.MAX_IN_NAME),
    )
    fingerprint = alert.get("fingerprint") or f"labels:{sanitize.digest(labels)}"
    return Event(
        id=sanitize.identity(f"{fingerprint}@{starts_at}"),
        source=source,
        name=sanitize.plain(name, sanitize.MAX_IN_NAME),
        status=status,
        severity=sanitize.plain(labels.get("severity", ""), sanitize.MAX_IN_NAME),
        cluster=_first_place(labels, CLUSTER_LABELS, locators.cluster),
        service=service,
        component=component,
        ip=_first_place(labels, ADDRESS_LABELS, locators.address),
        labels=sanitize.labels({**_prefixed(annotations), **more, **labels}),
        occurred_at=occurred_at,
        message=sanitize.plain(_first(annotations, MESSAGE_ANNOTATIONS) or name, sanitize.MAX_IN_MESSAGE),
    )


def _first(labels: Mapping[str, str], keys: tuple[str, ...]) -> str:
    for key in keys:
        if value := labels.get(key):
            return value
    return ""


def _first_place(labels: Mapping[str, str], keys: tuple[str, ...], reading: Callable[[str], str]) -> str:
    for key in keys:
        if (value := labels.get(key)) and (found := reading(value)):
            return found
    return ""


def _prefixed(annotations: Mapping[str, str]) -> dict[str, str]:
    return {ANNOTATION + key: value for key, value in annotations.items()}


@lru_cache(maxsize=512)
def _process(service: str, component: str, job: str) -> Process:
    """EMR's names where they are known, otherwise what the labels say; the job's name only where they say nothing."""
    known_service = service_named(service)
    if component:
        found = process_named(component, known_service) if known_service or not service else None
        if found:
            return found
        return Process(known_service or _plain(service), _plain(component))
    if known_service:
        found = process_named(job, known_service)
        return found or Process(known_service, "")
    # Some exporters write the process where EMR has the service: service="DataNode".
    if found := process_named(service):
        return found
    if service:
        return Process(_plain(service), "")
    return process_named(job) or Process(service_named(job), "")


def _plain(name: str) -> str:
    return sanitize.plain(name, sanitize.MAX_IN_NAME)


def _unread_id(raw: object) -> str:
    fingerprint = raw.get("fingerprint") if isinstance(raw, dict) else None
    if isinstance(fingerprint, str) and fingerprint and isinstance(raw, dict):
        return sanitize.identity(f"{fingerprint}@{sanitize.as_text(raw.get('startsAt'))}")
    return f"unread:{sanitize.digest(raw)}"


def _left_out(source: SourceKind, group: Group, field: str, problem: str) -> Unreadable:
    key = group.get("groupKey") or [
        alert.get("fingerprint") for alert in islice(group["alerts"], 10) if isinstance(alert, dict)
    ]
    return Unreadable(
        f"{sanitize.LEFT_OUT_EVENTS}{sanitize.digest(key)}", source, InvalidInput(FieldError(field, problem))
    )


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name

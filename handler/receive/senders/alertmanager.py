"""Prometheus Alertmanager: webhook version 4, with many alerts in one body.

Source: Prometheus, "Alerting: webhook_config". The id of an alert is its fingerprint and its ``startsAt``, so that the
alert, its repeats and its resolution have the same id.
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
from handler.receive.timestamps import parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handler.model.event import Status

#: The labels that may hold the cluster, the address and the component. The first one with a valid value counts.
CLUSTER_LABELS = ("cluster_id", "emr_cluster", "cluster", "instance_id")
ADDRESS_LABELS = ("ip", "instance", "host", "node", "address")
COMPONENT_LABELS = ("component", "role", "process")
MESSAGE_ANNOTATIONS = ("summary", "description", "message")
#: Annotations become labels with this prefix, so that they never hide a label of the same name.
ANNOTATION = "annotation_"
_NEVER = "0001-01-01T00:00:00Z"  # Go's zero time: the sender does not know when it began
_STATUSES: dict[str, Status] = {"firing": "firing", "resolved": "resolved"}


class Alert(TypedDict):
    """One alert on the wire."""

    status: NotRequired[Literal["firing", "resolved"]]
    labels: dict[str, str]
    annotations: NotRequired[dict[str, str] | None]
    startsAt: str
    endsAt: NotRequired[str]
    fingerprint: NotRequired[str]


class Group(TypedDict):
    """The body of the webhook, its alerts not validated yet."""

    alerts: list[Any]
    status: NotRequired[Any]
    groupKey: NotRequired[Any]
    truncatedAlerts: NotRequired[Any]


class Alerts(TypedDict):
    """All alerts of a body, for one validation of them together, which is quickest."""

    alerts: list[Alert]


ALERT = Schema(Alert)
GROUP = Schema(Group)
ALERTS = Schema(Alerts)


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The alerts in the body, and one Unreadable where Alertmanager left some out.

    Nobody knows what the missing alerts would have required, so the Unreadable becomes a refused outcome and an alarm.
    Its id is that of the group, so that repeats of the body raise one alarm. Raises InvalidInput.
    """
    return read_group("alertmanager", payload, at, (ALERTS, ALERT), lambda _: {})


def read_group(
    source: str,
    payload: dict[str, Any],
    at: str,
    schemas: tuple[Schema[Any], Schema[Any]],
    extra_labels: Callable[[Any], Mapping[str, str]],
) -> list[Event | Unreadable]:
    """The alerts in a body that has Alertmanager's format.

    ``schemas`` holds the schema of all alerts together and that of one alert. ``extra_labels`` returns the labels for
    the fields that the sender adds to an alert. Raises InvalidInput.
    """
    group = GROUP.validate(payload, at)
    alerts = group["alerts"]
    status: Status | None = _STATUSES.get(sanitize.as_text(group.get("status")))
    if not alerts:
        raise InvalidInput(FieldError(_below(at, "alerts"), "is empty; expected at least one alert"))
    received: list[Event | Unreadable] = []
    for index, alert in enumerate(_each(alerts[: sanitize.MAX_EVENTS], at, schemas)):
        event = alert if isinstance(alert, InvalidInput) else _event(source, alert, status, extra_labels(alert))
        if isinstance(event, FieldError):
            event = InvalidInput(FieldError(_below(at, f"alerts[{index}].{event.field}"), event.problem))
        if isinstance(event, InvalidInput):
            received.append(Unreadable(_unreadable_id(alerts[index]), source, event))
        else:
            received.append(event)
    if truncated := group.get("truncatedAlerts"):
        count = sanitize.plain(sanitize.as_text(truncated), 20) if isinstance(truncated, int) else "some"
        problem = f"the sender left {count} alerts out of this group; raise max_alerts in its webhook settings"
        received.append(_left_out(source, group, _below(at, "truncatedAlerts"), problem))
    if rest := alerts[sanitize.MAX_EVENTS :]:
        problem = f"holds {len(rest)} alerts beyond the limit of {sanitize.MAX_EVENTS}, which were not read; send fewer at once"
        received.append(_left_out(source, group, _below(at, "alerts"), problem))
    return received


def _each(alerts: list[Any], at: str, schemas: tuple[Schema[Any], Schema[Any]]) -> list[Any]:
    """Each alert, or its InvalidInput: validated one by one only where validating all together finds an error."""
    all_alerts, one_alert = schemas
    try:
        return cast("list[Any]", all_alerts.validate({"alerts": alerts})["alerts"])
    except InvalidInput:
        return [_one(one_alert, raw, _below(at, f"alerts[{index}]")) for index, raw in enumerate(alerts)]


def _one(schema: Schema[Any], raw: object, at: str) -> object:
    try:
        return schema.validate(raw, at)
    except InvalidInput as error:
        return error


def _event(
    source: str, alert: Alert, group_status: Status | None, extra_labels: Mapping[str, str]
) -> Event | FieldError:
    """The alert as an Event, or the error that its schema does not find."""
    labels, starts_at = alert["labels"], alert["startsAt"]
    status = alert.get("status") or group_status
    if status is None:
        return FieldError("status", "is missing, here and in the group; expected firing or resolved")
    occurred_at = started_at = parse_time(starts_at)
    if occurred_at is None and starts_at != _NEVER:
        # An alert of unknown age could be an old one that is delivered late.
        return FieldError("startsAt", "is not an RFC 3339 time, such as 2026-11-23T21:34:02Z")
    if status == "resolved" and (ended := parse_time(alert.get("endsAt", ""))) is not None:
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
        cluster=_first_valid(labels, CLUSTER_LABELS, locators.cluster),
        service=service,
        component=component,
        ip=_first_valid(labels, ADDRESS_LABELS, locators.address),
        labels=sanitize.labels({**_prefixed(annotations), **extra_labels, **labels}),
        occurred_at=occurred_at,
        message=sanitize.plain(_first(annotations, MESSAGE_ANNOTATIONS) or name, sanitize.MAX_IN_MESSAGE),
        alert=sanitize.identity(fingerprint),
        started_at=started_at,
    )


def _first(labels: Mapping[str, str], keys: tuple[str, ...]) -> str:
    for key in keys:
        if value := labels.get(key):
            return value
    return ""


def _first_valid(labels: Mapping[str, str], keys: tuple[str, ...], parse: Callable[[str], str]) -> str:
    for key in keys:
        if (value := labels.get(key)) and (found := parse(value)):
            return found
    return ""


def _prefixed(annotations: Mapping[str, str]) -> dict[str, str]:
    return {ANNOTATION + key: value for key, value in annotations.items()}


@lru_cache(maxsize=512)
def _process(service: str, component: str, job: str) -> Process:
    """EMR's names where they are known, otherwise the labels' own; the job counts only where both labels are empty."""
    known_service = service_named(service)
    if component:
        found = process_named(component, known_service) if known_service or not service else None
        if found:
            return found
        return Process(known_service or _plain(service), _plain(component))
    if known_service:
        found = process_named(job, known_service)
        return found or Process(known_service, "")
    # Some exporters write the component into the service label: service="DataNode".
    if found := process_named(service):
        return found
    if service:
        return Process(_plain(service), "")
    return process_named(job) or Process(service_named(job), "")


def _plain(name: str) -> str:
    return sanitize.plain(name, sanitize.MAX_IN_NAME)


def _unreadable_id(raw: object) -> str:
    fingerprint = raw.get("fingerprint") if isinstance(raw, dict) else None
    if isinstance(fingerprint, str) and fingerprint and isinstance(raw, dict):
        return sanitize.identity(f"{fingerprint}@{sanitize.as_text(raw.get('startsAt'))}")
    return f"unread:{sanitize.digest(raw)}"


def _left_out(source: str, group: Group, field: str, problem: str) -> Unreadable:
    key = group.get("groupKey") or [
        alert.get("fingerprint") for alert in islice(group["alerts"], 10) if isinstance(alert, dict)
    ]
    return Unreadable(
        f"{sanitize.LEFT_OUT_EVENTS}{sanitize.digest(key)}", source, InvalidInput(FieldError(field, problem))
    )


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name

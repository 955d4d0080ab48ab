"""Grafana: the alerting webhook, which adds fields to Alertmanager's format.

Source: Grafana, "Configure the webhook notifier". The added fields of an alert become labels: ``value_B`` for the
values that fired, ``valueString``, ``dashboardURL``, ``panelURL`` and ``silenceURL``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from handler.lib.validation import Schema
from handler.receive import sanitize
from handler.receive.senders.alertmanager import Alert, read_group

if TYPE_CHECKING:
    from handler.model.event import Event, Unreadable


class GrafanaAlert(Alert, TypedDict):
    """One alert on the wire."""

    values: NotRequired[dict[str, Any] | None]
    valueString: NotRequired[str]
    dashboardURL: NotRequired[str]
    panelURL: NotRequired[str]
    silenceURL: NotRequired[str]


class GrafanaAlerts(TypedDict):
    """All alerts of a body, for one validation of them together."""

    alerts: list[GrafanaAlert]


SCHEMAS = (Schema(GrafanaAlerts), Schema(GrafanaAlert))


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The alerts in the body, read as Alertmanager's are. Raises InvalidInput."""
    return read_group("grafana", payload, at, SCHEMAS, _labels)


def _labels(alert: GrafanaAlert) -> dict[str, str]:
    found = sanitize.flattened(alert.get("values"), "value")
    for key in ("valueString", "dashboardURL", "panelURL", "silenceURL"):
        if written := sanitize.as_text(alert.get(key)):
            found[key] = written
    return found

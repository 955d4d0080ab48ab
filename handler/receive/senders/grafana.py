"""Grafana's alerting webhook (Grafana, "Configure the webhook notifier"): Alertmanager's body with more beside it.

What each alert adds becomes labels: ``value_B`` for the values that fired, ``valueString``, ``dashboardURL``,
``panelURL`` and ``silenceURL``.
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
    """One alert as it is on the wire."""

    values: NotRequired[dict[str, Any] | None]
    valueString: NotRequired[str]
    dashboardURL: NotRequired[str]
    panelURL: NotRequired[str]
    silenceURL: NotRequired[str]


class GrafanaAlerts(TypedDict):
    """All alerts of a body at once."""

    alerts: list[GrafanaAlert]


SHAPES = (Schema(GrafanaAlerts), Schema(GrafanaAlert))


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """Each alert of the body, as Alertmanager's are read."""
    return read_group("grafana", payload, at, SHAPES, _labels)


def _labels(alert: GrafanaAlert) -> dict[str, str]:
    found = sanitize.flattened(alert.get("values"), "value")
    for key in ("valueString", "dashboardURL", "panelURL", "silenceURL"):
        if written := sanitize.as_text(alert.get(key)):
            found[key] = written
    return found

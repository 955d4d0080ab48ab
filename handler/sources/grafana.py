"""Grafana's alerting webhook (Grafana, "Configure the webhook notifier"): Alertmanager's body with more beside it.

What each alert adds becomes labels: ``value_B`` for the values that fired, ``valueString``, ``dashboardURL``,
``panelURL`` and ``silenceURL``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from handler.sources import text
from handler.sources.alertmanager import Alert, read_group
from handler.validation import Shape

if TYPE_CHECKING:
    from handler.events import Event, Unreadable


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


SHAPES = (Shape(GrafanaAlerts), Shape(GrafanaAlert))


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """Each alert of the body, as Alertmanager's are read."""
    return read_group("grafana", payload, at, SHAPES, _labels)


def _labels(alert: GrafanaAlert) -> dict[str, str]:
    found = text.flattened(alert.get("values"), "value")
    for key in ("valueString", "dashboardURL", "panelURL", "silenceURL"):
        if written := text.as_text(alert.get(key)):
            found[key] = written
    return found

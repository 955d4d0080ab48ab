"""The Event: one occurrence, in our own words, whoever sent it.

A sender's field names end in ``handler/receive/senders/``; from here on there is only this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.errors import InvalidInput
    from handler.model.request import Request

Status = Literal["firing", "resolved", "none"]
SourceKind = Literal["timer", "tcop", "alertmanager", "grafana", "eventbridge", "request", "unknown"]

#: Typed as what cannot be changed; a dict, since patterns and JSON know no other mapping.
_NO_LABELS: Final[Mapping[str, str]] = {}


class Event(NamedTuple):
    """One occurrence. (A NamedTuple, as all that there is of each of a thousand alerts: a frozen dataclass takes three times as long to make.)

    ``id`` is the sender's identity of the occurrence, stable over its repeats; ``occurred_at`` is seconds since the
    epoch, None where the sender does not say. ``status`` is ``none`` for what is no alert. ``cluster`` is an ``emr-…``
    id. ``service``, ``component`` and ``ip`` are empty where the sender does not say; ``labels`` holds everything else
    a rule could ask for, as strings.
    """

    id: str
    source: SourceKind
    name: str
    status: Status = "none"
    severity: str = ""
    cluster: str = ""
    service: str = ""
    component: str = ""
    ip: str = ""
    labels: Mapping[str, str] = _NO_LABELS
    occurred_at: float | None = None
    message: str = ""
    #: A direct call says itself what it wants; rules are not asked.
    request: Request | None = None

    def view(self) -> dict[str, Any]:
        """What patterns and templates see: the FIELDS that are there, and the message, whose being empty a rule can ask for."""
        view = {name: value for name, value in zip(FIELDS, self) if value}  # noqa: B905 - the request comes after all of them, and is not shown
        view["message"] = self.message
        return view


#: The fields that a rule's pattern and its templates can name.
FIELDS: Final = Event._fields[: Event._fields.index("request")]


@dataclass(frozen=True)
class Unreadable:
    """One event of a payload that could not be read, in its place. The others are served all the same."""

    id: str
    source: SourceKind
    error: InvalidInput
    #: Nothing else is known of it.
    name: ClassVar[str] = ""
    cluster: ClassVar[str] = ""

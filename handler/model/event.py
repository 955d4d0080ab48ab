"""The Event: one occurrence in the same form, whichever sender reported it.

Only ``handler/receive/senders/`` knows the senders' field names. The rest of the function sees Events.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.errors import InvalidInput
    from handler.model.request import Request

Status = Literal["firing", "resolved", "none"]

#: The source of what is not recognised as any sender's, and of a queue's envelope.
UNKNOWN_SOURCE: Final = "unknown"
QUEUE_SOURCE: Final = "queue"
#: Typed as read-only. It is a dict because patterns and JSON accept no other mapping.
_NO_LABELS: Final[Mapping[str, str]] = {}


class Event(NamedTuple):
    """One occurrence that a sender reported.

    ``id`` identifies the occurrence and stays the same when the sender repeats it. ``occurred_at`` is in seconds since
    the epoch, or None where the sender does not give a time. ``status`` is ``none`` where the event is not an alert.
    ``source`` is the sender's name in ``SENDERS``, or ``unknown``. ``cluster`` is an ``emr-…`` id. ``cluster``, ``service``, ``component`` and ``ip`` are empty where the sender does
    not name them. ``labels`` holds everything else that a rule may match, as strings.
    """

    # A NamedTuple: one payload may hold a thousand alerts, and a frozen dataclass takes three times as long to create.

    id: str
    source: str
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
    #: The caller's name in steward.yml, for what came over HTTP.
    caller: str = ""
    #: The request of a direct call, which is carried out without asking the rules.
    request: Request | None = None
    #: The alert's identity without its start, where its ``id`` has both; and when it started, by the sender's clock.
    alert: str = ""
    started_at: float | None = None
    #: When the sender last said it, where that was before the delivery: the time of a queue's message.
    told_at: float | None = None
    #: Whether a direct call came with an id.
    is_named: bool = True

    def view(self) -> dict[str, Any]:
        """The fields that patterns and templates see.

        Empty fields are left out, except ``message``: a rule may match an empty message.
        """
        view = {name: value for name, value in zip(FIELDS, self) if value}  # noqa: B905 - FIELDS ends before the request
        view["message"] = self.message
        return view


#: The fields that a rule's pattern and templates may name.
FIELDS: Final = Event._fields[: Event._fields.index("request")]


@dataclass(frozen=True)
class Unreadable:
    """Stands for one event of a payload that could not be read.

    The other events of the payload are processed as usual.
    """

    id: str
    source: str
    error: InvalidInput
    #: Empty, because nothing else is known about the event.
    name: ClassVar[str] = ""
    cluster: ClassVar[str] = ""

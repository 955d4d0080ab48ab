"""An alarm, and its entry in the outbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Unsent(NamedTuple):
    """An alarm that one way has not taken yet: ``text`` is for whoever wrote it, ``at`` is when it was raised (seconds since the epoch)."""

    id: str
    at: float
    text: str


@dataclass(frozen=True)
class Alarm:
    """One thing to tell a person. Alarms with the same ``code``, ``cluster``, ``about`` and ``occasion`` are the same alarm.

    What has an occasion (an operation, the opening of a breaker) is said once, however often it is raised: so it may be
    raised by everybody who sees it, and is said even if the first who saw it died. What has none is said again after
    ``group_within``.
    """

    code: str
    cluster: str
    about: str
    text: str
    count: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    occasion: str = ""

    @property
    def key(self) -> str:
        return "|".join((self.code, self.cluster, self.about, *filter(None, [self.occasion])))

    @property
    def title(self) -> str:
        return f"EMR Steward: {self.code} {self.cluster}".rstrip()

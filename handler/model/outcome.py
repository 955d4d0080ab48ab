"""What became of an Event, and why. Every event ends in exactly one Outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

OutcomeStatus = Literal["done", "unverified", "skipped", "deferred", "refused", "failed", "in_doubt"]

#: Least to most urgent: of several decisions about one event, the most urgent is its outcome.
URGENCY: Final[Mapping[OutcomeStatus, int]] = {
    "skipped": 0,
    "done": 1,
    "deferred": 2,
    "unverified": 3,
    "refused": 4,
    "failed": 5,
    "in_doubt": 6,
}
#: The outcomes that a person should hear of.
ALARMING: Final[frozenset[OutcomeStatus]] = frozenset({"refused", "failed", "in_doubt"})


@dataclass(frozen=True)
class Outcome:
    """The fate of one event.

    ``code`` is a dotted word for machines (``guard.healthy``, ``api.ResourceNotFound.InstanceNotFound``), ``reason``
    the same for people. ``facts`` are first-level values for the log line: what the deciding guard saw, the API's
    RequestId, what verification read.
    """

    status: OutcomeStatus
    code: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def done(cls, reason: str, **facts: Any) -> Outcome:
        """Carried out, and seen to have worked."""
        return cls("done", "verified", reason, facts)

    @classmethod
    def unverified(cls, reason: str, **facts: Any) -> Outcome:
        """The API took it; that it worked has not been seen yet."""
        return cls("unverified", "accepted", reason, facts)

    @classmethod
    def skipped(cls, code: str, reason: str, **facts: Any) -> Outcome:
        """Nothing to do, for a good reason."""
        return cls("skipped", code, reason, facts)

    @classmethod
    def deferred(cls, code: str, reason: str, **facts: Any) -> Outcome:
        """Not now: a later event, or the sender's repeat, may do it."""
        return cls("deferred", code, reason, facts)

    @classmethod
    def refused(cls, code: str, reason: str, **facts: Any) -> Outcome:
        """Not at all: the event, the rules or the API do not allow it."""
        return cls("refused", code, reason, facts)

    @classmethod
    def failed(cls, code: str, reason: str, **facts: Any) -> Outcome:
        """Tried, and seen not to have worked."""
        return cls("failed", code, reason, facts)

    @classmethod
    def in_doubt(cls, code: str, reason: str, **facts: Any) -> Outcome:
        """Sent, and nobody knows what became of it. It is looked at, never sent again."""
        return cls("in_doubt", code, reason, facts)

    @property
    def is_alarming(self) -> bool:
        return self.status in ALARMING

    @property
    def wants_repeat(self) -> bool:
        """Whether the same event, delivered again, may do better: nothing was sent, and what kept it back passes by itself.

        The one rule for who is asked to repeat: the platform by an exception, an HTTP sender by 503.
        """
        return bool(self.facts.get("retry"))


class Record(NamedTuple):
    """One event and its outcome, as the log line and the ledger keep it.

    ``at`` is seconds since the epoch; ``rules`` and ``operations`` are those that had a part in it.
    """

    at: float
    event: str
    source: str
    name: str
    cluster: str
    outcome: Outcome
    rules: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

"""A Case: one intent and, once it is decided, its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from handler.model.outcome import URGENCY, Outcome
from handler.model.request import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handler.model.event import Event
    from handler.model.intent import Intent


#: Seconds for which the same direct call without a name, known by what it asks, is the sender's retry of the first.
UNNAMED_SECONDS: Final = 600.0


@dataclass(slots=True, eq=False)
class Case:
    """One intent that passes through the pipeline, equal to itself alone."""

    event: Event
    intent: Intent
    outcome: Outcome | None = None
    operation: str = ""
    #: Tells apart what a sender does not: one repetition of a call without a name from the next.
    period: str = ""
    #: The one before it, under which a call shortly before its turn came.
    earlier_period: str = ""
    #: Why some of its processes are not served, where others are.
    held_in_part: Outcome | None = None
    #: Whether some of these are only deferred: a repeat may serve them.
    has_more: bool = False
    #: The sender's identity of the occurrence.
    origin: str = field(init=False)
    #: The rule and the sender's identity of the occurrence: what is served once.
    incident: str = field(init=False)
    _digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self.origin = f"{self.event.source}:{self.event.id}"
        self.incident = f"{self.intent.rule}|{self.origin}{self.period}"

    @property
    def earlier_incident(self) -> str:
        """The incident of which this one may be the sender's retry; empty where there is none."""
        return f"{self.intent.rule}|{self.origin}{self.earlier_period}" if self.earlier_period else ""

    @property
    def digest(self) -> str:
        """The hash of what is asked, :meth:`Request.digest`: one occurrence asks for one thing."""
        if not self._digest:
            self._digest = digest_of(self.intent.cluster, self.intent.action, self.intent.scope)
        return self._digest


def hold(cases: Iterable[Case], outcome: Outcome) -> None:
    """Give this outcome to the cases that have none.

    Where only a part of a case was acted on, the more urgent of the two outcomes leads.
    """
    for case in cases:
        if case.outcome is not None:
            continue
        case.outcome = outcome
        part = case.held_in_part
        if part is not None and not part.is_quiet:
            leading, other = (part, outcome) if URGENCY[part.status] > URGENCY[outcome.status] else (outcome, part)
            facts = {**part.facts, **outcome.facts}
            case.outcome = replace(
                leading,
                reason=f"{leading.reason}; in part: {other.reason}",
                facts=facts,
                retryable=part.retryable or outcome.retryable,
            )


def most_urgent(outcomes: Sequence[Outcome]) -> Outcome:
    return outcomes[0] if len(outcomes) == 1 else max(outcomes, key=lambda outcome: URGENCY[outcome.status])


def of_processes(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of an intent from those of its processes: the most urgent one.

    It says for how many more processes the same holds.
    """
    leading = most_urgent(outcomes)
    more = sum(one.code == leading.code for one in outcomes) - 1
    if not more:
        return leading
    return replace(leading, reason=f"{leading.reason}; and {more} more likewise")

"""Outcomes: how an intent stands, and what all decisions about an event come to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from handler.ledger.reasons import IN_DOUBT_FIX
from handler.model.operation import State
from handler.model.outcome import URGENCY, Outcome, Record

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.event import Event, Unreadable
    from handler.model.intent import Stated


@dataclass(eq=False)
class Case:
    """What one event asks of one cluster, by one rule."""

    event: Event
    cluster: str
    rule: str
    stated: Stated | None
    outcome: Outcome | None = None
    operations: tuple[str, ...] = ()
    is_repeat: bool = False
    #: Of a resolution: whether it is remembered, since its alarm may come later.
    is_kept: bool = False


def state_of(key: str, record: ClusterRecord) -> Outcome:
    """How an intent stands that this invocation did not decide upon."""
    intent = record.intents.get(key)
    if intent is None:
        return Outcome.pending(
            "intent.elsewhere", "written down; whoever ends it, the follow-up or another worker, says how"
        )
    if intent.stage == "pending":
        why = f" ({intent.held_by} holds it back)" if intent.held_by else ""
        return Outcome.pending(intent.held_by or "intent.pending", f"written down; the follow-up serves it{why}")
    operation = record.operations.get(intent.operation)
    name = intent.operation
    if intent.stage == "proving":
        return Outcome.skipped("once.verified", f"operation {name} has helped; whether that lasts is being watched")
    if operation is not None and operation.state is State.IN_DOUBT:
        return Outcome.in_doubt(
            "operation.in_doubt",
            f"it is not known whether {operation.op_type.in_words} was carried out: {operation.problem}; it is observed, and "
            "not sent again",
            fix=IN_DOUBT_FIX,
            has_own_alarm=True,
            operation=name,
        )
    if operation is not None and operation.state is State.ACCEPTED:
        return Outcome.accepted(f"{operation.op_type} accepted by the API; {operation.seen()}", operation=name)
    return Outcome.accepted(f"operation {name} is being sent", operation=name)


def of_input(event: Unreadable) -> str:
    """The errors of an event, each with its subject: the field, or the event itself."""
    return "; ".join(str(error) if error.field else f"the event {error.problem}" for error in event.error.errors)


def decided(now: float, event: Event | Unreadable, cases: list[Case], outcome: Outcome | None) -> list[Record]:
    """What was decided about an event, at least one thing.

    It is one for each of its cases, and ``outcome`` where there is one.
    """
    found = [
        Record(
            at=now,
            event=event.id,
            source=event.source,
            name=event.name,
            cluster=case.cluster,
            outcome=case.outcome,
            rules=(case.rule,) if case.rule else (),
            operations=case.operations,
            is_repeat=case.is_repeat,
        )
        for case in cases
        if case.outcome is not None
    ]
    if outcome is not None:
        cluster = cases[0].cluster if cases else event.cluster
        found.append(Record(now, event.id, event.source, event.name, cluster, outcome))
    return found


def joined(decided: list[Record]) -> Record:
    """One record of what several rules came to.

    It is the most urgent outcome, with its cluster, which also says what the others did.
    """
    leading = max(decided, key=lambda record: URGENCY[record.outcome.status])
    others = {
        f"{one.outcome.status} on {one.cluster}: {one.outcome.reason}": one.outcome
        for one in decided
        if one is not leading
    }
    return leading._replace(
        outcome=replace(
            leading.outcome,
            reason="; besides ".join((leading.outcome.reason, *others)),
            retryable=any(one.outcome.retryable for one in decided),
        ),
        rules=tuple(dict.fromkeys(rule for one in decided for rule in one.rules)),
        operations=tuple(dict.fromkeys(name for one in decided for name in one.operations)),
    )

"""Admission: what an event states becomes an intent of the record, or joins one. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handler.ledger import reasons
from handler.model.intent import MAX_STATEMENTS, Ended, Intent, Stated, Statement
from handler.model.outcome import Outcome
from handler.model.request import OpType, digest_of
from handler.model.scope import OpScope

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord

#: Intents that one cluster may have at a time, ten for each process of a large one; and commands that it remembers.
MAX_INTENTS: Final = 5000
#: Seconds by which clocks may differ.
CLOCK_SKEW: Final = 60.0


class Answer(NamedTuple):
    """What became of a statement: its intent's key, and the outcome if it is known."""

    key: str
    outcome: Outcome | None = None


def admit(record: ClusterRecord, stated: Stated, now: float) -> list[Answer]:
    """Write down what one event asks: an Answer for each intent that it became a part of."""
    record.began = record.began or now
    if len(record.intents) >= MAX_INTENTS or (stated.is_command and len(record.commands) >= MAX_INTENTS):
        outcome = reasons.too_many(MAX_INTENTS)
        record.tell_outcome(outcome, "intents", "", now)
        return [Answer("", outcome)]
    if stated.is_command:
        return [_admit_command(record, stated, now)]
    targets = stated.scope.targets
    if targets is None:
        return [_state(record, stated, stated.scope, f"{stated.rule}|{stated.scope.stable()}", now)]
    return [_state(record, stated, OpScope.of_target(one), f"{stated.rule}|{one.key}", now) for one in targets]


def _state(record: ClusterRecord, stated: Stated, scope: OpScope, key: str, now: float) -> Answer:
    """A remediation: state it, or state it again."""
    if now - stated.told_at > stated.max_wait:
        outcome = reasons.too_late(stated, now)
        record.tell_outcome(outcome, key, str(scope), now)
        return Answer(key, outcome)
    statement = Statement(stated.start or 0.0, stated.told_at)
    known = record.intents.get(key)
    if known is None:
        record.intents[key] = Intent(
            key,
            record.next_seq(),
            False,
            stated.rule,
            stated.action,
            scope,
            stated.even_if_healthy,
            "",
            stated.told_at,
            stated.start is not None,
            stated.told_at,
            {stated.sender: statement},
            (stated.event,),
        )
        return Answer(key)
    if known.stage == "proving":
        record.restated[key] = (*record.restated.get(key, ()), stated.event)
    before = known.statements.get(stated.sender)
    is_heard = stated.event in known.events or known.stage == "proving"
    if before and is_heard and before.start == statement.start and stated.told_at - before.last < record.timing.refresh:
        return Answer(key)
    if before is None and len(known.statements) >= MAX_STATEMENTS:  # so many ask for it already; all hear of its end
        record.intents[key] = known if is_heard else known.heard(stated.event)
        return Answer(key)
    if before and before.last > statement.last:
        statement = before
    changed = known._replace(statements={**known.statements, stated.sender: statement})
    record.intents[key] = changed if is_heard else changed.heard(stated.event)
    return Answer(key)


def _admit_command(record: ClusterRecord, stated: Stated, now: float) -> Answer:
    key = f"{stated.rule}|{stated.sender}"
    digest = digest_of(record.cluster, stated.action, stated.scope)
    if stated.is_named:
        if known := record.intents.get(key):
            return Answer(key, None if known.digest == digest else _conflict(record, key, stated, now))
        if ended := record.commands.get(key):
            return Answer(key, _replayed(ended) if ended.digest == digest else _conflict(record, key, stated, now))
    else:
        found = _retried(record, stated, digest, now)
        if found is not None:
            return found
        key = f"{key}#{record.seq + 1}"
    asked_at = stated.told_at if stated.start is None else stated.start
    is_dated = stated.start is not None
    intent = Intent(
        key,
        record.next_seq(),
        True,
        stated.rule,
        stated.action,
        stated.scope,
        False,
        digest,
        asked_at,
        is_dated,
        asked_at,
        {},
        (stated.event,),
    )
    if now - asked_at > stated.max_wait:
        return Answer(key, record.end(intent, reasons.too_late(stated, now), now, is_answer=True))
    is_restart = stated.action.op_type is OpType.RESTART_SERVICE  # the others ask for a state, which a look shows
    if is_dated and is_restart and asked_at < record.began - CLOCK_SKEW:
        outcome = reasons.before_the_record(stated, record.began)
        return Answer(key, record.end(intent, outcome, now, is_answer=True))
    record.intents[key] = intent
    return Answer(key)


def _retried(record: ClusterRecord, stated: Stated, digest: str, now: float) -> Answer | None:
    """The answer to a command without an id that may be a retry; None for a new command."""
    here = [one for one in record.intents.values() if one.is_command]
    young = {
        key: one
        for key, one in record.commands.items()
        if one.digest == digest and now - one.at <= record.timing.unnamed
    }
    if not young and all(one.digest != digest for one in here):
        return None
    others: list[Intent | Ended] = [*here, *record.commands.values()]
    newest = max((one.seq for one in others if one.scope.overlaps(stated.scope)), default=-1)
    for one in here:
        if one.digest == digest and one.seq == newest:
            record.intents[one.key] = one.heard(stated.event)  # it is to hear of the end, too
            return Answer(one.key)
    for key, ended in young.items():
        if ended.seq == newest:
            return Answer(key, _replayed(ended))
    if not young:
        return None
    outcome = reasons.ambiguous()
    record.tell_outcome(outcome, digest, str(stated.scope), now, occasion=str(record.next_seq()))
    return Answer("", outcome)


def _conflict(record: ClusterRecord, key: str, stated: Stated, now: float) -> Outcome:
    outcome = reasons.conflict()
    record.tell_outcome(outcome, key, f"{stated.action.op_type} {stated.event}", now)
    return outcome


def withdraw(
    record: ClusterRecord, sender: str, start: float | None, told_at: float, *, is_kept: bool = False
) -> list[str]:
    """Take back one sender's statements that are no younger; returns their keys.

    It ends nothing: a look does. ``is_kept``: it is remembered, since its alarm may come later, and a look cannot tell
    whether that is over.
    """
    if is_kept and start:
        record.resolved[sender] = max(start, record.resolved.get(sender, 0.0))
    found = []
    for key, one in record.intents.items():
        statement = one.statements.get(sender)
        if statement is None:
            continue
        is_older = statement.last <= told_at if not (statement.start and start) else statement.start <= start
        if is_older:
            found.append(key)
    for key in found:
        one = record.intents[key]
        rest = {name: statement for name, statement in one.statements.items() if name != sender}
        record.intents[key] = one._replace(statements=rest)
    return found


def _replayed(ended: Ended) -> Outcome:
    """The answer to a repeat of a command that has ended: the same."""
    return Outcome(
        ended.status,  # type: ignore[arg-type]
        ended.code,
        f"{ended.reason} (this request ended before; it is not done again)",
        {"replayed": True},
        http_status=ended.http_status,
        is_quiet=True,
    )

"""What became of an operation, and what follows for the intents that it serves. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handler.ledger import reasons
from handler.model.operation import UNTOUCHED, Operation, Part, State, Verdict
from handler.model.outcome import Outcome
from handler.model.request import OpType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.intent import Intent

GOOD: Final = frozenset({Verdict.VERIFIED, Verdict.UNVERIFIED})


def settle(
    record: ClusterRecord,
    operation_id: str,
    owner: str,
    state: State,
    now: float,
    *,
    code: str = "",
    request_id: str = "",
    problem: str = "",
) -> Operation | None:
    """Write down the API's answer; returns the operation where it was its owner's to settle.

    It is from SENDING; a definite answer also settles what others have put in doubt meanwhile.
    """
    operation = record.operations.get(operation_id)
    if operation is None or operation.owner != owner:
        return None
    is_late = operation.state is State.IN_DOUBT and state is not State.IN_DOUBT
    if operation.state is not State.SENDING and not is_late:
        return None
    if is_late:
        record.well("operation.in_doubt", operation.id, "its answer is known after all", now, where=operation.where())
    operation = operation.moved(
        state, code=code, request_id=request_id, problem=problem, ended_at=now if state in UNTOUCHED else 0.0
    )
    record.operations[operation_id] = operation
    if state is State.IN_DOUBT:
        _in_doubt(record, operation, now)
    if state in UNTOUCHED:
        record.ended.append(operation)
        _not_carried_out(record, operation, now)
    return operation


def lose(record: ClusterRecord, now: float) -> None:
    """Put in doubt what has been SENDING for longer than a worker lives."""
    for one in list(record.operations.values()):
        if one.state is State.SENDING and now - one.armed_at >= record.timing.lost:
            lost = one.moved(State.IN_DOUBT, code="worker_lost", problem=reasons.WORKER_LOST)
            record.operations[one.id] = lost
            _in_doubt(record, lost, now)


def _in_doubt(record: ClusterRecord, operation: Operation, now: float) -> None:
    record.tell(reasons.in_doubt(operation), now)


def _not_carried_out(record: ClusterRecord, operation: Operation, now: float) -> None:
    """What becomes of the intents of an operation that certainly did nothing."""
    is_joined = len(operation.intents) > 1
    for intent in _served_by(record, operation):
        if operation.state is State.NOT_SENT or is_joined:
            pause = min(record.timing.first_pause * 2**intent.tries, record.timing.longest_pause)
            record.intents[intent.key] = intent._replace(
                stage="pending",
                operation="",
                tries=min(intent.tries + 1, 16),
                not_before=now + pause,
                alone=operation.state is State.REJECTED,
            )
        else:
            outcome = Outcome.refused_by_api(
                operation.code, f"the API refused: {operation.problem}", operation=operation.id
            )
            record.end(intent, outcome, now, where=operation.where(), operation=operation.id)
    record.operations.pop(operation.id)


def _served_by(record: ClusterRecord, operation: Operation) -> list[Intent]:
    return [
        one
        for key in operation.intents
        if (one := record.intents.get(key)) and one.stage == "serving" and one.operation == operation.id
    ]


def judge(
    record: ClusterRecord, operation_id: str, verdicts: Mapping[str, Verdict], now: float, *, is_unseen: bool = False
) -> None:
    """Write down what a look shows of an operation's processes.

    What follows from it for its intents is part of that.

    ``is_unseen``: nobody could look at it by its deadline.
    """
    before = record.operations[operation_id]
    parts = {
        key: part if part.verdict or not verdicts.get(key) else Part(part.before, verdicts[key], now)
        for key, part in before.parts.items()
    }
    found = {part.verdict for part in parts.values()}
    # Others may have kept a remediation's joined restart from all of them: each is tried alone. A command is asked once.
    is_one_by_one = before.op_type is OpType.RESTART_SERVICE and len(parts) > 1 and not before.is_command
    if found == {Verdict.NOT_REACHED} and before.state is State.ACCEPTED and not is_one_by_one:
        # The API took it, and nothing came of it.
        parts = {key: Part(part.before, Verdict.FAILED, now) for key, part in parts.items()}
        found = {Verdict.FAILED}
    operation = replace(before, parts=parts)
    if Verdict.NONE not in found:
        operation = operation.moved(_end_of(before, found, is_unseen=is_unseen), ended_at=now)
    record.operations[operation_id] = operation
    for intent in _served_by(record, operation):
        _conclude(record, intent, operation, now)
    if not operation.is_open:
        record.ended.append(operation)
        if before.state is State.IN_DOUBT:
            record.well("operation.in_doubt", operation.id, reasons.of_doubt(operation), now, where=before.where())
        if operation.state is State.NOT_SENT:
            record.operations.pop(operation.id)


def _conclude(record: ClusterRecord, intent: Intent, operation: Operation, now: float) -> None:
    if intent.is_command:
        if not operation.is_open:
            _conclude_command(record, intent, operation, now)
        return
    key = intent.process
    part = operation.parts.get(key)
    if part is None or part.verdict is Verdict.NONE:
        return
    back = intent._replace(stage="pending", operation="", waits_since=now, not_before=0.0, tries=0)
    if part.verdict in GOOD:
        outcome = reasons.carried_out(operation, key)
        record.say_settled(intent, outcome, now)
        record.intents[intent.key] = intent._replace(stage="proving", events=(), more_events=0, tries=0)
    elif part.verdict is Verdict.NOT_REACHED:
        record.intents[intent.key] = back._replace(alone=not operation.is_open and len(operation.parts) > 1)
    else:
        outcome = reasons.did_not_help(operation, key)
        record.say_settled(intent, outcome, now)
        record.tell_outcome(
            outcome, key, " ".join(operation.name_of(key).split("/")), now, facts={"operation": operation.id}
        )
        record.intents[intent.key] = back._replace(events=(), more_events=0)


def _conclude_command(record: ClusterRecord, intent: Intent, operation: Operation, now: float) -> None:
    mine = {key: part.verdict for key, part in operation.parts.items() if intent.scope.covers(key)}
    found = set(mine.values())
    if found and found <= GOOD:
        served = (*intent.served, *(key for key in mine if key not in intent.served))
        # The next decision ends it where nothing is left of it.
        record.intents[intent.key] = intent._replace(stage="pending", served=served, tries=0, waits_since=now)
    elif found == {Verdict.NOT_REACHED}:
        record.intents[intent.key] = intent._replace(stage="pending", operation="", waits_since=now)
    else:
        record.end(
            intent, reasons.failed_command(operation, mine), now, where=operation.where(), operation=operation.id
        )


def proved(record: ClusterRecord, intent: Intent, now: float, *, is_well: bool, same_occurrence: bool) -> None:
    """What a look after the cooldown shows of a process that an operation helped."""
    if same_occurrence:
        record.end(intent, reasons.still_stated(intent), now, is_told=True)
    elif is_well:
        record.intents.pop(intent.key)  # its events were told "done"
        record.news[intent.key] = reasons.lasts(intent)
    else:
        again = intent._replace(stage="pending", operation="", waits_since=now)
        for event in record.restated.get(intent.key, ()):
            again = again.heard(event)
        record.intents[intent.key] = again


def _end_of(operation: Operation, found: set[Verdict], *, is_unseen: bool) -> State:
    """The state in which an operation ends, by what was seen of its processes."""
    if found == {Verdict.NOT_REACHED} and operation.state is State.IN_DOUBT:
        return State.NOT_SENT
    if is_unseen or found == {Verdict.NOT_REACHED}:
        return State.TIMED_OUT
    if found == {Verdict.VERIFIED}:
        return State.VERIFIED
    return State.UNVERIFIED if found <= GOOD else State.FAILED

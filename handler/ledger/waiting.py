"""What is pending: what newer commands supersede, what is held and expires. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handler.ledger import reasons
from handler.model.request import OpType
from handler.model.scope import OpScope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.intent import Intent
    from handler.model.outcome import Outcome

#: Of the same kind, and contrary to each other: the newer command supersedes the older one.
OPPOSITES: Final = {
    OpType.START_SERVICE: OpType.STOP_SERVICE,
    OpType.STOP_SERVICE: OpType.START_SERVICE,
    OpType.START_MONITOR: OpType.STOP_MONITOR,
    OpType.STOP_MONITOR: OpType.START_MONITOR,
}


def supersede(record: ClusterRecord, processes: Mapping[str, Collection[str]], now: float) -> dict[str, set[str]]:
    """The processes, by intent key, that pending commands lose to newer opposite ones.

    ``processes`` are those that each open command means. A command that loses all of them ends here.
    """
    newest: dict[tuple[OpType, str], Intent] = {}
    for one in sorted(record.intents.values(), key=lambda one: one.seq):
        if one.is_command:
            newest.update(((one.action.op_type, process), one) for process in processes.get(one.key, ()))
    lost: dict[str, set[str]] = {}
    for one in [one for one in record.intents.values() if one.is_command and one.stage == "pending"]:
        opposite = OPPOSITES.get(one.action.op_type)
        # What was carried out already is not lost to a newer command.
        mine = set(processes.get(one.key, ())).difference(one.served)
        if opposite is None or not mine:
            continue
        by = {
            process: other.key
            for process in sorted(mine)
            if (other := newest.get((opposite, process))) and other.seq > one.seq
        }
        for name, is_about in _past(record, one, opposite):
            by.update(dict.fromkeys(filter(is_about, mine), name))
        if by:
            lost[one.key] = {*by}
            if len(by) == len(mine):
                record.end(one, reasons.superseded(one, [*by.values()][-1]), now)
    return lost


def _past(record: ClusterRecord, one: Intent, opposite: OpType) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """What asked the opposite later, and is over or under way: its name, and whether it is about a process."""
    for key, ended in record.commands.items():
        if ended.op_type != opposite or ended.status not in ("done", "unverified", "skipped", "failed"):
            continue
        if ended.seq > one.seq or (one.is_dated and ended.asked_at > one.asked_at):
            yield key, ended.scope.covers
    for operation in record.operations.values():
        # It arrived after this operation began, though it is older.
        is_newer = operation.seq < one.seq and operation.armed_at > one.asked_at
        if operation.is_command and operation.op_type is opposite and is_newer:
            yield operation.id, operation.may_have_touched


def split(record: ClusterRecord, intent: Intent, targets: Iterable[Any], now: float) -> None:
    """Replace a remediation of "all" by one for each of these processes."""
    record.intents.pop(intent.key)
    for target in targets:
        key = f"{intent.rule}|{target.key}"
        record.splits[intent.key] = (*record.splits.get(intent.key, ()), key)
        if known := record.intents.get(key):
            merged = known._replace(statements={**intent.statements, **known.statements})
            for event in intent.events:
                merged = merged.heard(event)
            record.intents[key] = merged
        else:
            record.intents[key] = intent._replace(key=key, seq=record.next_seq(), scope=OpScope.of_target(target))


def hold(record: ClusterRecord, intent: Intent, outcome: Outcome, now: float, *, is_on_purpose: bool) -> None:
    """Leave an intent pending, and note why.

    While people hold it on purpose, its wait does not run.
    """
    changed = intent._replace(held_by=outcome.code)
    if is_on_purpose and not intent.is_command and now - intent.waits_since > record.timing.refresh:
        changed = changed._replace(waits_since=now)
    if changed != intent:
        record.intents[intent.key] = changed


def expire(
    record: ClusterRecord, intent: Intent, outcome: Outcome, max_wait: float, now: float, *, is_on_purpose: bool
) -> bool:
    """End, or tell of, what waits longer than it may. Answers whether it ended."""
    waited = now - intent.waits_since
    longest = max(record.timing.expiry, max_wait)
    if intent.is_command:
        in_all = now - intent.asked_at
        # One whose requests get lost again and again ends, too.
        if waited > max_wait or (in_all > longest and not intent.served):
            waited = max(waited, in_all)
            record.end(intent, reasons.expired(intent, outcome, waited, is_quiet=is_on_purpose), now)
            return True
        return False
    if is_on_purpose or waited <= max_wait:
        return False
    if now - max(intent.last_statement, intent.waits_since) > longest:
        record.end(intent, reasons.expired(intent, outcome, waited, is_quiet=False), now)
        return True
    record.tell(reasons.waits(record.cluster, intent, intent.process, outcome, waited), now)
    return False

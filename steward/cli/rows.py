"""The ledger's entries, as JSON rows for programs and as lines for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.console import Console

from handler.errors import LedgerUnavailable
from handler.lib.wording import utc_text
from steward.cli.narration import say

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord
    from handler.ledger.ledger import Ledger
    from handler.model.intent import Intent
    from handler.model.outcome import Record
    from handler.report.history import OperationRow


#: The facts of an outcome that people see beside its reason, in this order. Guards give theirs in the reason;
#: ``--json`` has all.
FACTS: Final = {
    "caller": "caller",
    "retryable": "the sender should",
    "shortened": "shortened in the log",
    "request_id": "invocation",
}
#: The lines of the history by event id that say what became of what was open.
Settled = Mapping[str, Mapping[str, Any]]


class OpenIntent(NamedTuple):
    """Something that was asked of a cluster and has not ended."""

    cluster: str
    intent: Intent

    def title(self) -> str:
        """``RestartService of HDFS/DataNode/172.16.0.5 on emr-4zvc5mul, since …``."""
        one = self.intent
        return f"{one.action.op_type} of {one.scope} on {self.cluster}, asked for at {utc_text(one.asked_at)}"

    def held(self, reason: str = "") -> str:
        """Why it is pending: the reason where it is known, else the guard's code."""
        why = f" ({reason})" if reason else ""
        if self.intent.stage != "pending":
            return f"{self.intent.stage}, operation {self.intent.operation}"
        return f"held by {self.intent.held_by}{why}" if self.intent.held_by else f"not yet looked at{why}"


class Work(NamedTuple):
    """What is open now, by the records, and the clusters whose record cannot be read."""

    records: list[ClusterRecord]
    problems: dict[str, str]

    @classmethod
    def of(cls, ledger: Ledger, cluster: str | None = None) -> Work:
        """Raises LedgerUnavailable where not even the clusters can be listed."""
        work = cls([], {})
        for name in ledger.clusters_with_work():
            if cluster in (None, name):
                try:
                    work.records.append(ledger.load(name).record)
                except LedgerUnavailable as error:
                    work.problems[name] = str(error)
        return work

    def intents(self, *stages: str) -> list[OpenIntent]:
        """The open intents; only those at these stages where any is named."""
        return [
            OpenIntent(record.cluster, one)
            for record in self.records
            for one in record.intents.values()
            if not stages or one.stage in stages
        ]


def operation_row(operation: OperationRow) -> dict[str, Any]:
    """An operation for programs."""
    return {
        **operation._asdict(),
        "rules": list(operation.rules),
        "ended_at": operation.ended_at or None,
    }


def intent_row(one: OpenIntent) -> dict[str, Any]:
    """An open intent for programs."""
    intent = one.intent
    return {
        "key": intent.key,
        "cluster": one.cluster,
        "op_type": intent.action.op_type.value,
        "scope": str(intent.scope),
        "rule": intent.rule,
        "is_command": intent.is_command,
        "stage": intent.stage,
        "held_by": intent.held_by,
        "operation": intent.operation,
        "asked_at": intent.asked_at,
        "not_before": intent.not_before,
        "events": list(intent.events),
    }


def record_row(record: Record, settled: Mapping[str, Any] | None) -> dict[str, Any]:
    """An event and its outcome for programs.

    ``settled`` is what became of it where it was open.
    """
    end = settled and {key: settled.get(key, "") for key in ("time", "outcome", "code", "reason", "operation")}
    return {
        "at": record.at,
        "event": record.event,
        "source": record.source,
        "cluster": record.cluster,
        "rules": list(record.rules),
        "operations": list(record.operations),
        "outcome": record.outcome.status,
        "code": record.outcome.code,
        "reason": record.outcome.reason,
        "settled": end,
        "facts": _facts(record),
    }


def _facts(record: Record) -> dict[str, Any]:
    facts = {key: value for key, value in record.outcome.facts.items() if value not in ("", None)}
    return facts | ({"retryable": True} if record.outcome.retryable else {})


def notable_facts(record: Record) -> list[tuple[str, str]]:
    """The labelled FACTS of an outcome that its reason does not show."""
    facts = {key: str(value) for key, value in _facts(record).items()}
    facts |= {"retryable": "repeat it"} if "retryable" in facts else {}
    return [
        (label, facts[key]) for key, label in FACTS.items() if key in facts and facts[key] not in record.outcome.reason
    ]


def settled_of(records: Iterable[Record], settled: Settled) -> dict[int, Mapping[str, Any]]:
    """By the place of a record, the newest first: how its event settled.

    That is told once, to the newest open outcome.
    """
    found: dict[int, Mapping[str, Any]] = {}
    seen: set[str] = set()
    for place, record in enumerate(records):
        if record.outcome.is_open and record.event in settled and record.event not in seen:
            seen.add(record.event)
            found[place] = settled[record.event]
    return found


def settled_in_words(row: Mapping[str, Any]) -> str:
    """``2026-11-23T21:34:02Z  done: RestartService verified on …``."""
    return f"{row['time'].partition('.')[0]}Z  {row['outcome']}: {row['reason']}"


def one_line(operation: OperationRow) -> str:
    """An operation, its state and its result in one line."""
    request = f"RequestId {operation.request_id or 'none'}"
    return f"{operation.id}: {operation.op_type} {operation.state}, {request}; {result_of(operation)}"


def result_of(operation: OperationRow) -> str:
    """An operation's result beside its state: API code, problem, last observation."""
    return "; ".join(text for text in (operation.code, operation.problem, operation.seen) if text)


def show_unreadable(console: Console, count: int, problems: Mapping[str, str]) -> None:
    """Print what of the ledger cannot be read."""
    for cluster, problem in problems.items():
        say(console, f"The record of {cluster} cannot be read: {problem}", "red")
    if count:
        say(console, f"{count} line{' of history cannot' if count == 1 else 's of history cannot'} be read.", "red")

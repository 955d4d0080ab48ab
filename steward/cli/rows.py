"""The ledger's entries, as JSON rows for programs and as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.console import Console

from steward.cli.narration import say

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.model.operation import Operation
    from handler.model.outcome import Record


#: The facts of an outcome that people see beside its reason, in this order. Guards give theirs in the reason;
#: ``--json`` has all.
FACTS: Final = {
    "caller": "caller",
    "scope": "scope",
    "intents_in_window": "intents in the breaker's window",
    "attempts": "attempts",
    "api_code": "API code",
    "api_request_id": "RequestId",
    "retryable": "the sender should",
    "shortened": "shortened in the log",
    "request_id": "invocation",
}


class Unreadables(NamedTuple):
    """Ledger entries that cannot be read: ids of operations, numbers of event records."""

    operations: list[str]
    events: list[str]

    def show(self, console: Console) -> None:
        """Print a line for each."""
        for name in self.operations:
            say(console, f"Operation {name} cannot be read.", "red")
        for number in self.events:
            say(console, f"Event record {number} cannot be read.", "red")


def operation_row(operation: Operation) -> dict[str, Any]:
    """An operation for programs."""
    return {
        "id": operation.id,
        "at": operation.armed_at,
        "settled_at": operation.settled_at,
        "deadline": operation.deadline,
        "cluster": operation.cluster,
        "op_type": operation.op_type.value,
        "is_command": operation.is_command,
        "state": operation.state.value,
        "code": operation.code,
        "reason": operation.reason,
        "attempts": operation.attempts,
        "request_id": operation.request_id,
        "request": operation.request,
        "before": dict(operation.before),
        "events": list(operation.events),
        "rules": list(operation.rules),
        "observed": operation.observed,
    }


def record_row(record: Record) -> dict[str, Any]:
    """An event and its outcome for programs."""
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
        "facts": _facts(record),
    }


def _facts(record: Record) -> dict[str, Any]:
    facts = {key: value for key, value in record.outcome.facts.items() if value not in ("", None)}
    return facts | ({"retryable": True} if record.outcome.retryable else {})


def notable_facts(record: Record, operations: Iterable[Operation]) -> list[tuple[str, str]]:
    """The labelled FACTS of an outcome that neither its reason nor its operations show."""
    shown = " ".join([record.outcome.reason, *map(one_line, operations)])
    facts = {key: str(value) for key, value in _facts(record).items()}
    if facts.get("attempts") == "1":
        del facts["attempts"]
    facts |= {"retryable": "repeat it"} if "retryable" in facts else {}
    return [(label, facts[key]) for key, label in FACTS.items() if key in facts and facts[key] not in shown]


def targets_of(operation: Operation) -> str:
    """The first process of an operation, and the number of the others."""
    first, *others = [*map(operation.name_of, operation.before)] or ["no process"]
    return f"{first} and {len(others)} more" if others else first


def one_line(operation: Operation) -> str:
    """An operation, its state and its result in one line."""
    request = f"RequestId {operation.request_id or 'none'}"
    return f"{operation.id}: {operation.op_type} {operation.state}, {request}; {result_of(operation)}"


def result_of(operation: Operation) -> str:
    """An operation's result beside its state: API code, reason, last observation."""
    return "; ".join(text for text in (operation.code, operation.reason, operation.observed) if text)

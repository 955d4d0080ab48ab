"""The history: operations, outcomes and what settled, as log lines and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.decide import grants
from handler.errors import LedgerUnavailable
from handler.ledger.store import Line
from handler.model.outcome import Outcome, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handler.ledger.cluster_record import Saying
    from handler.ledger.ledger import Ledger
    from handler.model.operation import Operation
    from handler.report.log import Log

#: The kinds of lines.
OUTCOME: Final = "steward.outcome"
OPERATION: Final = "steward.operation"
SETTLED: Final = "steward.settled"
#: What a canonical line says of an event; what else it holds are facts.
_FIELDS: Final = ("event_id", "source", "name", "cluster", "outcome", "code", "reason", "rules", "operations")


def fields_of(operation: Operation) -> dict[str, Any]:
    """An operation, as its line in the log has it."""
    return {
        "operation": operation.id,
        "cluster": operation.cluster,
        "op_type": operation.op_type.value,
        "state": operation.state.value,
        "seen": operation.seen(),
        "problem": operation.problem,
        "targets": operation.targets(),
        "processes": len(operation.parts),
        "rules": ",".join(operation.rules),
        "is_command": operation.is_command,
        "armed_at": round(operation.armed_at, 3),
        "ended_at": round(operation.ended_at, 3) or None,
        "api_request_id": operation.request_id,
        "api_code": operation.code,
    }


def log_operation(log: Log, operation: Operation) -> Line:
    """Log that an operation has ended; returns the line for the history."""
    text = log.kept(OPERATION, **fields_of(operation))
    return Line(operation.ended_at or operation.armed_at, operation.cluster, operation.id, text)


def log_settled(log: Log, cluster: str, saying: Saying) -> list[Line]:
    """Log what became of events that were told "pending"; returns the lines for their history."""
    body = saying.body
    events = body["events"]
    text = log.kept(
        SETTLED,
        id=saying.id,
        cluster=cluster,
        rule=body["rule"],
        outcome=body["outcome"],
        code=body["code"],
        reason=body["reason"],
        operation=body["operation"],
        events=",".join(events),
        more_events=body.get("more_events"),
    )
    return [Line(saying.at, cluster, event, text) for event in events]


def lines_of(records: Iterable[Record], texts: Sequence[str]) -> list[Line]:
    """The outcomes of events with their log lines, for the history.

    What is beyond a caller's grant leaves no trace there, since the caller chose the event's id: the log has it.
    """
    return [
        Line(one.at, one.cluster, one.event, text)
        for one, text in zip(records, texts, strict=True)
        if not one.is_repeat and one.outcome.code != grants.CODE
    ]


def parsed(line: Line) -> dict[str, Any]:
    """A line's fields. Raises LedgerUnavailable where it is none of ours."""
    try:
        row = json.loads(line.text)
        if row["event"] in (OUTCOME, OPERATION, SETTLED):
            return dict(row)
    except (KeyError, TypeError, ValueError):
        pass
    raise LedgerUnavailable("the ledger holds a line that cannot be read")


def record_of(line: Line) -> Record:
    """The outcome that a line tells of. Raises LedgerUnavailable for anything else."""
    row = parsed(line)
    try:
        for key in ("time", "level", "event"):
            del row[key]
        fields = {key: row.pop(key, "") for key in _FIELDS}
        retryable, fix = row.pop("retryable", False), row.pop("fix", "")
        return Record(
            at=line.at,
            event=fields["event_id"],
            source=fields["source"],
            name=fields["name"],
            cluster=fields["cluster"],
            outcome=Outcome(fields["outcome"], fields["code"], fields["reason"], row, retryable=retryable, fix=fix),
            rules=tuple(filter(None, fields["rules"].split(","))),
            operations=tuple(filter(None, fields["operations"].split(","))),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise LedgerUnavailable("the ledger holds a record that cannot be read") from None


class OperationRow(NamedTuple):
    """An operation as the history shows it.

    Times are seconds since the epoch; ``ended_at`` is 0 while it is open.
    """

    id: str
    cluster: str
    op_type: str
    state: str
    is_command: bool
    armed_at: float
    ended_at: float
    #: Its first processes by name, and how many there are.
    targets: str
    processes: int
    rules: tuple[str, ...]
    seen: str
    problem: str
    request_id: str
    code: str

    @property
    def is_open(self) -> bool:
        """Whether the cluster may still be changing because of it."""
        return not self.ended_at

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> OperationRow:
        """From the fields of a line."""
        return cls(
            str(fields["operation"]),
            str(fields["cluster"]),
            str(fields["op_type"]),
            str(fields["state"]),
            bool(fields.get("is_command", False)),
            float(fields["armed_at"]),
            float(fields.get("ended_at") or 0.0),
            str(fields.get("targets", "")),
            int(fields.get("processes", 0)),
            tuple(filter(None, str(fields.get("rules", "")).split(","))),
            str(fields.get("seen", "")),
            str(fields.get("problem", "")),
            str(fields.get("api_request_id", "")),
            str(fields.get("api_code", "")),
        )


class Past(NamedTuple):
    """A part of the history, the newest first."""

    operations: list[OperationRow]
    records: list[Record]
    #: By event id: the lines that say what became of what was pending.
    settled: dict[str, dict[str, Any]]
    #: How many lines cannot be read.
    unreadable: int


def past_of(
    ledger: Ledger, *, cluster: str | None = None, id: str | None = None, since: float = 0.0, limit: int = 1000
) -> Past:
    """What the ledger knows: the newest operations from the records, the rest from lines.

    Raises LedgerUnavailable.

    An operation that has ended is in its record, too, for as long as a rule asks for it: its line is written after the
    swap that ended it, and is lost with a worker that dies between.
    """
    operations: dict[str, OperationRow] = {}
    for name in ledger.clusters_with_work():
        if cluster in (None, name):
            try:
                record = ledger.load(name).record
            except LedgerUnavailable:  # of this cluster; a store that cannot be read at all is found out below
                continue
            for one in record.operations.values():
                if id in (None, one.id) and one.armed_at >= since:
                    operations[one.id] = OperationRow.of(fields_of(one))
    records: list[Record] = []
    settled: dict[str, dict[str, Any]] = {}
    unreadable = 0
    for line in ledger.lines(cluster=cluster, id=id, since=since, limit=4 * limit):
        try:
            row = parsed(line)
            if row["event"] == OPERATION:
                operations[row["operation"]] = OperationRow.of(row)
            elif row["event"] == SETTLED:
                settled.setdefault(line.id, row)
            else:
                records.append(record_of(line))
        except (LedgerUnavailable, KeyError, TypeError, ValueError):
            unreadable += 1
    newest = sorted(operations.values(), key=lambda one: -one.armed_at)
    return Past(newest, records, settled, unreadable)

"""Operations and records as JSON text, the same in both stores."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from handler.history import Operation, State
from handler.json_writer import writer
from handler.operations import OpType
from handler.outcomes import Outcome, Record

if TYPE_CHECKING:
    from collections.abc import Sequence

#: How both stores lay out what they keep. A ledger of another version is refused: what it says was sent must not be overlooked.
SCHEMA_VERSION: Final = 3
_TUPLES = ("events", "rules")
_NAMES = tuple(field.name for field in fields(Operation))
#: What of an operation changes once it is armed. The rest, which may be long, is written once.
CHANGING = ("state", "owner", "settled_at", "code", "request_id", "observed", "attempts")


def changing(operation: Operation) -> list[Any]:
    """The values of CHANGING."""
    return [operation.state.value, *(getattr(operation, name) for name in CHANGING[1:])]


def operation_to_text(operation: Operation) -> str:
    """One operation as a JSON object."""
    return writer(len(operation.events))({name: getattr(operation, name) for name in _NAMES})


def operation_from(text: str, changed: Sequence[Any]) -> Operation:
    """The operation that ``operation_to_text`` wrote, with what ``changing`` gave since. Raises KeyError, TypeError, ValueError for anything else."""
    row = {**json.loads(text), **dict(zip(CHANGING, changed, strict=True))}
    values = {name: row[name] for name in _NAMES if name in row}
    for name in _TUPLES:
        values[name] = tuple(values[name])
    values["op_type"] = OpType(values["op_type"])
    values["state"] = State(values["state"])
    return Operation(**values)


def records_to_texts(records: Sequence[Record]) -> list[str]:
    """Each event's outcome as a JSON object."""
    write = writer(len(records))
    return [
        write(
            {
                "at": record.at,
                "event": record.event,
                "source": record.source,
                "name": record.name,
                "cluster": record.cluster,
                "rules": record.rules,
                "operations": record.operations,
                "outcome": record.outcome.status,
                "code": record.outcome.code,
                "reason": record.outcome.reason,
                "facts": record.outcome.facts,
            }
        )
        for record in records
    ]


def record_from(text: str) -> Record:
    """The record that ``records_to_texts`` wrote. Raises KeyError, TypeError, ValueError for anything else."""
    row = json.loads(text)
    return Record(
        at=row["at"],
        event=row["event"],
        source=row["source"],
        name=row["name"],
        cluster=row["cluster"],
        outcome=Outcome(row["outcome"], row["code"], row["reason"], row["facts"]),
        rules=tuple(row["rules"]),
        operations=tuple(row["operations"]),
    )

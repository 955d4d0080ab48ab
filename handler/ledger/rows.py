"""Operations and records as JSON text, the same in both stores."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from handler.history import Operation, State
from handler.operations import OpType
from handler.outcomes import Outcome, Record

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
_TUPLES = ("events", "rules")
_NAMES = tuple(field.name for field in fields(Operation))


def operation_to_text(operation: Operation) -> str:
    """One operation as a JSON object."""
    return _JSON.encode({name: getattr(operation, name) for name in _NAMES})


def operation_from(row: dict[str, Any]) -> Operation:
    """The operation that ``operation_to_text`` wrote. Raises KeyError, TypeError, ValueError for anything else."""
    values = {name: row[name] for name in _NAMES if name in row}
    for name in _TUPLES:
        values[name] = tuple(values[name])
    values["op_type"] = OpType(values["op_type"])
    values["state"] = State(values["state"])
    return Operation(**values)


def record_to_text(record: Record) -> str:
    """One event's outcome as a JSON object."""
    from pydantic_core import to_json  # several times as fast as the standard library's, and already there

    outcome = record.outcome
    return to_json(
        {
            "at": record.at,
            "event": record.event,
            "source": record.source,
            "name": record.name,
            "cluster": record.cluster,
            "rules": record.rules,
            "operations": record.operations,
            "outcome": outcome.status,
            "code": outcome.code,
            "reason": outcome.reason,
            "facts": outcome.facts,
        },
        fallback=str,
        inf_nan_mode="null",
    ).decode()


def record_from(text: str) -> Record:
    """The record that ``record_to_text`` wrote. Raises KeyError, TypeError, ValueError for anything else."""
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

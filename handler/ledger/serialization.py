"""What both stores have in common: operations as JSON text, and records from lines.

It also decides how far a time is believed.
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from handler.errors import LedgerUnavailable
from handler.model.operation import Operation, State
from handler.model.outcome import Outcome, Record
from handler.model.request import OpType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

T = TypeVar("T")

#: How both stores lay out what they keep. A ledger of another version is refused: what it says was sent must not be
#: overlooked.
SCHEMA_VERSION: Final = 4
#: Clocks differ by less; a time so far ahead was written by one that was wrong.
CLOCK_SKEW_TOLERANCE: Final = 60.0
_TUPLES = ("events", "rules")
_NAMES = tuple(field.name for field in fields(Operation))
#: What a canonical line says of an event; what else it holds are facts.
_FIELDS = ("event_id", "source", "name", "cluster", "outcome", "code", "reason", "rules", "operations")
#: What of an operation changes once it is armed. The rest, which may be long, is written once.
CHANGING = ("state", "owner", "settled_at", "code", "request_id", "observed", "attempts", "reason")


def changing(operation: Operation) -> list[Any]:
    """The values of CHANGING."""
    return [operation.state.value, *(getattr(operation, name) for name in CHANGING[1:])]


def operation_to_text(operation: Operation) -> str:
    """One operation as a JSON object."""
    return to_json({name: getattr(operation, name) for name in _NAMES})


def operation_from(text: str, changed: Sequence[Any]) -> Operation:
    """The operation that ``operation_to_text`` wrote, with what ``changing`` gave since.

    Raises KeyError, TypeError, ValueError for anything else.
    """
    row = {**json.loads(text), **dict(zip(CHANGING, changed, strict=True))}
    values = {name: row[name] for name in _NAMES if name in row}
    for name in _TUPLES:
        values[name] = tuple(values[name])
    values["op_type"] = OpType(values["op_type"])
    values["state"] = State(values["state"])
    return Operation(**values)


def all_readable(named: Iterable[tuple[str, Callable[[], T]]], unreadable: list[str] | None) -> list[T]:
    """The operations or records with these ids.

    Ids whose reading raises LedgerUnavailable are noted in ``unreadable``; without it, the first one raises.
    """
    found = []
    for name, read in named:
        try:
            found.append(read())
        except LedgerUnavailable:
            if unreadable is None:
                raise
            unreadable.append(name)
    return found


def record_from(at: float, line: str) -> Record:
    """The record of ``at`` whose canonical line this is.

    Raises LedgerUnavailable for anything else.
    """
    try:
        row = json.loads(line)
        for key in ("time", "level", "event"):
            del row[key]
        fields = {key: row.pop(key, "") for key in _FIELDS}
        retryable, fix = row.pop("retryable", False), row.pop("fix", "")
        return Record(
            at=at,
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


#: Writes an object without spaces, and a value that JSON does not know as its ``str``.
to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode

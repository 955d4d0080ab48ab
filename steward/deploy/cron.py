"""The platform's cron expressions (SCF, "Timer trigger").

They have seven fields: second, minute, hour, day, month, week and year.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Field(NamedTuple):
    """One field: its name, its bounds, and words for its numbers from ``minimum`` on."""

    name: str
    minimum: int
    maximum: int
    words: tuple[str, ...] = ()
    #: Whether ``? L W #`` may stand in it.
    is_day: bool = False


FIELDS: Final = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day", 1, 31, (), True),
    Field("month", 1, 12, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")),
    Field("week", 0, 6, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), True),
    Field("year", 1970, 2099),
)
_ITEM: Final = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/([1-9][0-9]*))?", re.ASCII)
_DAY_ITEM: Final = re.compile(r"\?|LW?|[0-9]{1,2}[LW]|[0-6]#[1-5]")


def problem_of(expression: str) -> str:
    """What is wrong with a cron expression; empty if the platform is expected to accept it."""
    values = expression.split()
    if len(values) != len(FIELDS):
        names = " ".join(field.name for field in FIELDS)
        return f"has {len(values)} fields instead of {len(FIELDS)}: {names}"
    for field, value in zip(FIELDS, values, strict=True):
        if not all(_fits(field, item) for item in value.split(",")):
            return f"its {field.name} {value!r} cannot be read; it is from {field.minimum} to {field.maximum}, or *"
    return ""


def _fits(field: Field, item: str) -> bool:
    if field.is_day and _DAY_ITEM.fullmatch(item):
        return True
    read = _ITEM.fullmatch(item)
    if read is None:
        return False
    if read[1] == "*":
        return True
    first, last = _number(field, read[2]), _number(field, read[3] or read[2])
    return field.minimum <= first <= last <= field.maximum


def _number(field: Field, text: str) -> int:
    if text.upper() in field.words:
        return field.minimum + field.words.index(text.upper())
    return int(text) if text.isdecimal() else -1

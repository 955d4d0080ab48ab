"""Literals in a rule's pattern that no Event can match.

Examples are a number where there are only texts, and a source that does not exist. EventBridge accepts such a pattern,
and so does :mod:`handler.decide.patterns`; but nobody notices a rule that never fires until it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

from handler.decide.patterns import PatternError
from handler.lib.wording import meant
from handler.model.event import Status
from handler.receive.payload import SENDERS

#: The fields that take only certain words. A source that is not recognised never reaches a rule.
_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "source": tuple(sender.source for sender in SENDERS),
    "status": get_args(Status),
}
#: The fields that no timer has. A timer's event has its message, which is its name too, its time, and one label: the
#: trigger's name.
NOT_OF_TIMERS: Final = ("severity", "cluster", "service", "component", "ip", "caller")
LABEL_OF_TIMERS: Final = "trigger"
#: The only field that is a number. All others, and all labels, are texts.
_NUMBER: Final = "occurred_at"


def unmatchable(pattern: Mapping[str, Any], path: str) -> Iterator[PatternError]:
    """An error for each literal that cannot match, in a pattern that compiles.

    ``path`` is the pattern's place in the file.
    """
    yield from _within(pattern, path, is_event=True)
    if only_timers(pattern):
        yield from _of_no_timer(pattern, path)


def only_timers(pattern: Mapping[str, Any]) -> bool:
    """Whether a pattern that compiles asks for timers' events and no others."""
    return set(map(str, pattern.get("source", ()))) == {"timer"}


def _of_no_timer(pattern: Mapping[str, Any], path: str) -> Iterator[PatternError]:
    """An error for each field or label that a pattern for timers asks for and no timer has."""
    for key, value in pattern.items():
        if key == "$or":
            for index, choice in enumerate(value):
                yield from _of_no_timer(choice, f"{path}.$or[{index}]")
        elif key in NOT_OF_TIMERS and _wants_a_value(value):
            yield PatternError(f"{path}.{key}", f"a timer has no {key}, so this never matches", "leave it out")
        elif key == "labels":
            for label, wanted in value.items():
                if label not in (LABEL_OF_TIMERS, "$or") and _wants_a_value(wanted):
                    problem = f"a timer has no label {label[:80]}, so this never matches"
                    yield PatternError(
                        f"{path}.labels.{label[:80]}", problem, f"its trigger's name is {LABEL_OF_TIMERS}"
                    )
        elif key == "status" and all(isinstance(item, str) and item != "none" for item in value):
            yield PatternError(f"{path}.{key}", "a timer's status is none, so this never matches", "leave it out")


def _wants_a_value(value: Any) -> bool:
    """Whether an absent field does not match ``value``."""
    if isinstance(value, Mapping):
        return any(_wants_a_value(item) for key, item in value.items() if key != "$or")
    return not any(item is None or (isinstance(item, Mapping) and item.get("exists") is False) for item in value)


def _within(pattern: Mapping[str, Any], path: str, *, is_event: bool) -> Iterator[PatternError]:
    for key, value in pattern.items():
        at = f"{path}.{key[:80]}"
        if key == "$or":
            for index, choice in enumerate(value):
                yield from _within(choice, f"{at}[{index}]", is_event=is_event)
        elif isinstance(value, Mapping):
            yield from _within(value, at, is_event=False)
        else:
            for place, literal in _literals(value, at):
                if problem := _problem(key if is_event else "", literal):
                    yield PatternError(place, *problem)


def _literals(items: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The literals of a field's list and of its ``anything-but``, each with its place."""
    for index, item in enumerate(items):
        at = f"{path}[{index}]"
        if not isinstance(item, Mapping):
            yield at, item
        elif "anything-but" in item:
            unwanted = item["anything-but"]
            yield from _literals(unwanted if isinstance(unwanted, (list, tuple)) else [unwanted], f"{at}.anything-but")


def _problem(field: str, literal: Any) -> tuple[str, str] | None:
    """What is wrong with a literal, and the fix. An empty ``field`` stands for a label."""
    if literal is None:
        return None
    if field == _NUMBER:
        if isinstance(literal, str):
            return (
                "is a text, and occurred_at a number: seconds since the epoch",
                'such as {numeric: [">=", 1700000000]}',
            )
    elif not isinstance(literal, str):
        written = str(literal).lower() if isinstance(literal, bool) else str(literal)
        return (
            f"{written} never matches: {field or 'every label'} is a text",
            f'write "{written}", or {{numeric: ["=", …]}}',
        )
    elif field in _WORDS and literal not in _WORDS[field]:
        return f"no event has this {field}", meant(literal, _WORDS[field])
    return None

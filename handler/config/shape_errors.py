"""What is wrong with the shape of steward.yml, in the words of the file: the key's path, what is wrong, and the nearest right word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.config.schema import (
    CONFIG,
    AlarmsShape,
    BasicShape,
    BreakerShape,
    CallerShape,
    ChatShape,
    ClusterShape,
    ConfigShape,
    DoShape,
    EventBusShape,
    FreezeShape,
    LimitsShape,
    MaintenanceWindowShape,
    QuarantineShape,
    RuleShape,
    SafetyShape,
    StopParamsShape,
    StrategyShape,
    WebhookShape,
)
from handler.lib.validation import MISSING, UNKNOWN, dotted
from handler.lib.wording import meant, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.lib.validation import Steps

#: What a YAML file calls it, and how to mend it.
YAML: Final = {
    "must be an object": ("must be a mapping", "key: value"),
    "must be a list": ("must be a list", "in brackets: [one, two]"),
}
#: What one item of each list of mappings is.
ITEMS: Final = {
    "rules": "rule",
    "callers": "caller",
    "freezes": "freeze",
    "maintenance_windows": "window",
    "chat": "chat",
}
SCALARS: Final = ("must be a whole number", "must be a number", "must be true or false")
ALL: Final = "must be `all`"
UNKNOWN_KEY: Final = "unknown key"


class ShapeError(NamedTuple):
    """One thing wrong with the shape of a file: the steps to it, what is wrong, and how to mend it.

    ``meant`` is where a key that may not stand there was probably meant to be; None where that cannot be told.
    """

    steps: Steps
    problem: str
    hint: str = ""
    meant: Steps | None = None


class Readable(NamedTuple):
    """A copy of a file's content that can be read as the shape, and what is wrong with the content.

    None stands in the copy for every part that cannot be read. A misspelt key, or one in the wrong mapping, is where it
    was probably meant to be, so that what it holds is read; ``moved`` has its path there and the one that is written.
    Other unknown keys are left out.
    """

    copy: Any
    errors: list[ShapeError]
    moved: list[tuple[str, str]]


def readable(raw: object) -> Readable:
    """What can be read of the file's content, which is not valid. No value is repeated in its faults."""
    copy = _copied(raw)
    unknown: list[ShapeError] = []
    moved: list[tuple[str, str]] = []
    while True:
        errors = [_fault(steps, problem, copy) for steps, problem in CONFIG.errors(copy)]
        found = [fault for fault in errors if fault.problem == UNKNOWN_KEY]
        if not found:
            break
        unknown += found
        for fault in found:
            value = _at(copy, fault.steps[:-1]).pop(fault.steps[-1])
            if fault.meant and _is_free(copy, fault.meant):
                _at(copy, fault.meant[:-1])[fault.meant[-1]] = value
                moved.append((dotted("", fault.meant), dotted("", fault.steps)))
    told = _once(errors)
    for fault in told:
        if not fault.steps:
            copy = None
        elif (holder := _at(copy, fault.steps[:-1])) is not None:
            holder[fault.steps[-1]] = None
    return Readable(copy, unknown + told, moved)


def _once(errors: Iterable[ShapeError]) -> list[ShapeError]:
    """What is wrong whichever of two forms is meant is said once."""
    by_steps: dict[Steps, list[ShapeError]] = {}
    for fault in errors:
        by_steps.setdefault(fault.steps, []).append(fault)
    around = {steps[:length] for steps in by_steps for length in range(len(steps))}
    told = []
    for steps, said in by_steps.items():
        problems = list(dict.fromkeys(fault.problem for fault in said))
        if problems == [ALL] and steps in around:
            continue  # the other form was meant: what is wrong within it is said
        problem = problems[0] + "".join(f", or {more.removeprefix('must be ')}" for more in problems[1:])
        told.append(said[0]._replace(problem=problem, hint=next((fault.hint for fault in said if fault.hint), "")))
    return told


def _is_free(value: Any, steps: Steps) -> bool:
    """Whether a key can be put there."""
    holder = _at(value, steps[:-1])
    return isinstance(holder, dict) and steps[-1] not in holder


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _at(value: Any, steps: Steps) -> Any:
    """What stands there; None where that cannot be told."""
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _fault(steps: Steps, said: str, raw: object) -> ShapeError:
    problem, _, fix = said.partition("; ")
    here, value = _in_file(steps, raw)
    if problem == MISSING:
        return ShapeError((*here, steps[-1]), problem)
    if problem == UNKNOWN:
        return ShapeError(here, UNKNOWN_KEY, *_nearest_key(here))
    if problem == "must be a text" and value is not None:
        return ShapeError(here, problem, 'quote a template: "{cluster}"' if isinstance(value, dict) else "quote it")
    if problem in SCALARS and isinstance(value, str) and re.fullmatch(r"\d+|true|false", value):
        return ShapeError(here, problem, "without quotes")
    if problem == "must be a list" and here and here[-1] in ITEMS:
        return ShapeError(here, problem, f"begin each {ITEMS[here[-1]]} with `- {_keys()[f'{here[-1]}[]'][0]}:`")
    return ShapeError(here, *YAML.get(problem, (problem, fix)))


def _in_file(steps: Steps, raw: Any) -> tuple[Steps, object]:
    """The steps without pydantic's names of the forms that a value may have, which no file holds; and the value there."""
    kept: list[int | str] = []
    for step in steps:
        is_there = step in raw if isinstance(raw, dict) else isinstance(raw, list) and isinstance(step, int)
        if is_there:
            raw = raw[step]
            kept.append(step)
    return tuple(kept), raw


def _nearest_key(steps: Steps) -> tuple[str, Steps | None]:
    """What is said of an unknown key, and where it was probably meant to be."""
    *above, key = steps
    keys = _keys()
    words = keys.get(_level(above), [])
    if above and key in keys.get(_level(above[:-1]), []):
        return f"it belongs beside `{above[-1]}`", (*above[:-1], key)
    for below in words:
        if key in keys.get(below, []):
            return f"it belongs under `{below}`", (*above, below, key)
    near = nearest(str(key), words)
    return meant(str(key), words), (*above, near) if near else None


def _level(steps: list[int | str]) -> str:
    """The name in :func:`_keys` of the mapping at ``steps``."""
    if len(steps) == 2 and steps[0] == "clusters":
        return "clusters.*"
    if not steps:
        return ""
    return f"{steps[-2]}[]" if isinstance(steps[-1], int) else steps[-1]


def _keys() -> dict[str, list[str]]:
    """The keys that may stand at each level, by the last named key of the path above."""
    levels: dict[str, Any] = {
        "": ConfigShape,
        "clusters.*": ClusterShape,
        "rules[]": RuleShape,
        "do": DoShape,
        "strategy": StrategyShape,
        "stop_params": StopParamsShape,
        "limits": LimitsShape,
        "webhook": WebhookShape,
        "callers[]": CallerShape,
        "basic": BasicShape,
        "safety": SafetyShape,
        "breaker": BreakerShape,
        "quarantine": QuarantineShape,
        "freezes[]": FreezeShape,
        "maintenance_windows[]": MaintenanceWindowShape,
        "alarms": AlarmsShape,
        "chat[]": ChatShape,
        "event_bus": EventBusShape,
    }
    return {
        level: [key for key in schema.__annotations__ if not key.startswith("_")] for level, schema in levels.items()
    }

"""What is wrong with the shape of steward.yml, in the words of the file: the key's path, what is wrong, and the nearest right word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from handler.configuration_shape import (
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
from handler.nearest import nearest
from handler.validation import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.errors import Fault

#: What a YAML file calls it, and how to mend it.
YAML: Final = {
    "must be an object": ("must be a mapping", "key: value"),
    "must be a list": ("must be a list", "in brackets: [one, two]"),
}
SCALARS: Final = ("must be a whole number", "must be a number", "must be true or false")
ALL: Final = "must be `all`"


def in_words(faults: Iterable[Fault], raw: object) -> list[tuple[str, str, str]]:
    """``(path, problem, hint)`` of each; what is wrong whichever of two forms is meant is said once. No value is repeated."""
    told: dict[str, list[tuple[str, str]]] = {}
    for fault in faults:
        path = plain(fault.field)
        told.setdefault(path, []).append(_words(path, fault.problem, _value_at(raw, path)))
    lines = []
    for path, said in told.items():
        problems = list(dict.fromkeys(problem for problem, _ in said))
        if problems == [ALL] and any(other.startswith((f"{path}.", f"{path}[")) for other in told):
            continue  # the other form was meant: what is wrong within it is said
        problem = problems[0] + "".join(f", or {more.removeprefix('must be ')}" for more in problems[1:])
        lines.append((path, problem, next((hint for _, hint in said if hint), "")))
    return lines


def plain(field: str) -> str:
    """The key's path without pydantic's names of union members, which no file holds."""
    return re.sub(r"\.(literal\['all'\]|dict\[[^\n]*?\]+|list\[str\]|str|int|float)(?=\.|\[|$)", "", field)


def meant(word: str, words: list[str]) -> str:
    """A question for the word that was probably meant, else what there is."""
    if near := nearest(word, words):
        return f"did you mean {near}?"
    return f"there is {', '.join(words[:20])}" if words else ""


def _words(path: str, fault: str, value: object) -> tuple[str, str]:
    problem, _, mend = fault.partition("; ")
    if problem == UNKNOWN:
        return "no such key", _nearest_key(path)
    if problem == "must be a text" and value is not None:
        return problem, 'quote a template: "{cluster}"' if isinstance(value, dict) else "quote it"
    if problem in SCALARS and isinstance(value, str) and re.fullmatch(r"\d+|true|false", value):
        return problem, "without quotes"
    return YAML.get(problem, (problem, mend))


def _value_at(raw: Any, path: str) -> object:
    """What stands at ``path``; None where that cannot be told."""
    for key, index in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            raw = raw[int(index)] if index else raw[key]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def _nearest_key(path: str) -> str:
    above, _, key = path.rpartition(".")
    level = re.sub(r"\[\d+\]$", "[]", above.rpartition(".")[2])
    if re.fullmatch(r"clusters\.[^.]+", above):
        level = "clusters.*"
    return meant(key, _keys().get(level, []))


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
    return {level: [key for key in shape.__annotations__ if not key.startswith("_")] for level, shape in levels.items()}

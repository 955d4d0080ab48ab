"""What pydantic finds wrong with steward.yml, in the words of the file: the key's path, what is wrong, and the nearest right word."""

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

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.errors import Fault

#: pydantic's messages, and what they are in the words of a YAML file: a problem, and how to mend it.
WORDS: Final = (
    (r"Field required", "is missing", ""),
    (r"Input should be a valid dictionary", "must be a mapping", "key: value"),
    (r"Input should be a valid list", "must be a list", "in brackets: [one, two]"),
    (r"Input should be a valid string", "must be a text", ""),
    (r"Input should be a valid integer.*", "must be a whole number", ""),
    (r"Input should be a valid boolean.*", "must be true or false", ""),
    (r"Input should be greater than or equal to (\S+)", r"must be at least \1", ""),
    (r"Input should be less than or equal to (\S+)", r"must be at most \1", ""),
    (r"(List|String) should have at least 1 (item|character).*", "is empty", ""),
    (r"String should have at most (\d+) characters", r"is longer than \1 characters", ""),
)
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


def _words(path: str, problem: str, value: object) -> tuple[str, str]:
    if "Extra inputs" in problem:
        return "no such key", _nearest_key(path)
    if choices := re.findall(r"'([^']*)'", problem if problem.startswith("Input should be '") else ""):
        if choices == ["all"]:
            return ALL, ""
        near = nearest(value, choices) if isinstance(value, str) else ""
        return f"must be one of {', '.join(choices)}", f"did you mean {near}?" if near else ""
    if problem == "Input should be a valid string" and value is not None:
        return "must be a text", 'quote a template: "{cluster}"' if isinstance(value, dict) else "quote it"
    for pattern, words, hint in WORDS:
        if found := re.fullmatch(pattern, problem):
            return found.expand(words), hint
    return problem, ""


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

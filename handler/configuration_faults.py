"""What pydantic finds wrong with steward.yml's shape, in the words of the file: one message for each wrong value, with the nearest right word."""

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from handler.errors import Fault

#: What is wrong, by how pydantic begins to say it, and how it is said here; ``{0}`` is the rest of pydantic's sentence, ``{is}`` what stands there.
_WORDS: Final = (
    ("Field required", "is missing"),
    ("Extra inputs are not permitted", "no such key"),
    ("Input should be a valid boolean", "{is}; true or false is wanted, without quotes"),
    ("Input should be a valid integer", "{is}; a whole number is wanted, without quotes"),
    ("Input should be a valid number", "{is}; a number is wanted, without quotes"),
    ("Input should be a valid string", "{is}; a text is wanted"),
    ("Input should be a valid list", "{is}; a list is wanted"),
    ("Input should be a valid dictionary", "{is}; keys with values are wanted"),
    ("Input should be greater than or equal to ", "is too small; at least {0} is wanted"),
    ("Input should be less than or equal to ", "is too large; at most {0} is wanted"),
    ("String should have at least ", "is empty"),
    ("String should have at most ", "is too long; at most {0} are wanted"),
    ("List should have at least ", "is empty"),
)
_ONE_OF: Final = "Input should be '"
_SCOPE: Final = re.compile(r"rules\[\d+\]\.do\.scope")
_SCOPE_HINT: Final = "{HDFS: all}, {HDFS: {DataNode: all}} or {HDFS: {DataNode: [172.16.0.5]}}"


def in_words(raw: object, faults: Iterable[Fault]) -> Iterator[tuple[str, str, str]]:
    """Each fault's path, problem and hint. ``raw`` is the file's content. No value is repeated: it may be a secret."""
    by_path: dict[str, list[Fault]] = {}
    for fault in faults:
        by_path.setdefault(_plain(fault.field), []).append(fault)
    scopes: set[str] = set()
    for path, found in by_path.items():
        if inside := _SCOPE.match(path):
            scope, missing = inside[0], "Field required" in found[0].problem
            if scope not in scopes and not missing:
                yield from _of_scope(_at(raw, scope), scope)
            scopes.add(scope)
            if not missing:
                continue
        value = _at(raw, path)
        if len(found) > 1:  # of every kind that may stand there, pydantic says that it is not this one
            yield path, f"{_is(value)}; a text or a number is wanted", ""
        else:
            yield path, _problem(found[0].problem, value), _hint(path, value, found[0].problem)


def nearest(word: str, words: list[str]) -> str:
    """The word that was meant, or which there are."""
    import difflib

    lower = {one.lower(): one for one in words}
    near = difflib.get_close_matches(word.lower()[:80], list(lower), 1, 0.6)
    if near:
        return f"did you mean {lower[near[0]]}?"
    return f"there is {', '.join(words[:20])}" if words else ""


def _problem(said: str, value: object) -> str:
    for begin, words in _WORDS:
        if said.startswith(begin):
            return words.replace("{is}", _is(value)).replace("{0}", said[len(begin) :])
    return "is none of the words that may stand here" if said.startswith(_ONE_OF) else said


def _hint(path: str, value: object, said: str) -> str:
    if said.startswith("Extra inputs"):
        above, _, key = path.rpartition(".")
        level = re.sub(r"\[\d+\]$", "[]", above.rpartition(".")[2])
        if re.fullmatch(r"clusters\.[^.]+", above):
            level = "clusters.*"
        return nearest(key, _keys().get(level, []))
    if said.startswith(_ONE_OF):
        return nearest(value if isinstance(value, str) else "", re.findall(r"'([^']*)'", said))
    return ""


def _of_scope(value: object, path: str) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a scope: services, in each `all` or components, in each `all` or a list of addresses."""
    if not isinstance(value, dict):
        yield path, f"{_is(value)}; services are wanted", _SCOPE_HINT
        return
    for service, components in value.items():
        if components == "all":
            continue
        if not isinstance(components, dict):
            yield f"{path}.{service}", f"{_is(components)}; `all` or components are wanted", _SCOPE_HINT
            continue
        for component, ips in components.items():
            if ips != "all" and not (isinstance(ips, list) and all(isinstance(ip, str) for ip in ips)):
                what = "holds what is no text" if isinstance(ips, list) else _is(ips)
                yield f"{path}.{service}.{component}", f"{what}; `all` or a list of addresses is wanted", _SCOPE_HINT


def _is(value: object) -> str:
    if value is None:
        return "is empty"
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    kinds: dict[type, str] = {
        str: "a text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "keys with values",
    }
    return f"is {kinds.get(type(value), 'something else')}"


def _plain(field: str) -> str:
    """The key's path without pydantic's names of union members, which no file holds."""
    return re.sub(r"\.(literal\['all'\]|dict\[[^\n]*?\]+|list\[str\]|str|int|float)(?=\.|\[|$)", "", field)


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


def _at(raw: Any, path: str) -> object:
    """What stands at a path such as ``rules[0].do.operation``; None where nothing does."""
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            raw = raw[int(step) if isinstance(raw, list) else step]
        except (TypeError, ValueError, LookupError):
            return None
    return raw

"""pydantic's errors in the words of the file.

Each names the key's path, what is wrong, and the nearest right word. The module serves every file that a pydantic model defines: steward.yml, and serverless.yml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError

from handler.lib.validation import MISSING, WORDS, dotted
from handler.lib.wording import meant, nearest, question

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from steward.config.values import Steps

Model = type[BaseModel]
#: What is wrong in YAML's terms, and how to fix it, by pydantic's type of error.
_YAML: Final = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), ("must be a mapping", "key: value")),
    "list_type": ("must be a list", "in brackets: [one, two]"),
}
#: What one item of a list of mappings is called.
_ITEMS: Final = {
    "rules": "rule",
    "callers": "caller",
    "freezes": "freeze",
    "maintenance_windows": "window",
    "chat": "chat",
}
_SCALARS: Final = ("must be a whole number", "must be a number", "must be true or false")
UNKNOWN_KEY: Final = "unknown key"
_TIMER: Final = (
    "a timer is a trigger in serverless.yml: its `cronExpression` says when, and its `argument` is the event's name, "
    "for which a rule has when: {source: [timer], name: [nightly-stop]}"
)
#: Keys that people try in this file, and where they belong.
ELSEWHERE: Final[Mapping[str, str]] = dict.fromkeys(
    ("cron", "cronExpression", "cron_expression", "crontab", "schedule"), _TIMER
)
#: Keys of earlier versions, and what holds instead.
REPLACED: Final[Mapping[str, str]] = {
    "max_event_age": "max_wait replaces it: how long an intent may stay pending, 1h unless it is written",
    "breaker": (
        "take it out: alerts are no longer counted; a remediation is held while more than half of a component's "
        "processes are not serving"
    ),
    "release_after": (
        "take it out: a process is left alone until its restarts are older than `within`, or until `steward release`"
    ),
}
#: Where the value of such a key is checked, if it still has a meaning.
_NEW_NAMES: Final = {"max_event_age": "max_wait"}
_MAX_IN_WORD: Final = 80


class Problem(NamedTuple):
    """One error: the steps to it, its path as it is shown, what is wrong, and how to fix it.

    ``meant`` is the place where a misplaced key was probably meant to be; None if that is not known. ``is_read`` is
    True if the value is wrong and can be read nevertheless.
    """

    steps: Steps
    path: str
    problem: str
    hint: str = ""
    meant: Steps | None = None
    is_read: bool = False


class Readable(NamedTuple):
    """A copy of a file's content that the model can read, and what is wrong with the content.

    Parts that cannot be read are None in the copy. A misspelt or misplaced key is moved to where it was probably meant
    to be, so that its value is checked too; ``moved`` has the path there and the path as written. Other unknown keys
    are left out. ``file`` is None if anything is wrong.
    """

    file: Any
    copy: Any
    problems: list[Problem]
    moved: list[tuple[str, str]]


def readable(model: Model, raw: object) -> Readable:
    """Read a file's content as ``model``, as far as possible.

    No value that may be a secret is repeated in an error.
    """
    copy = _copied(raw)
    unknown: list[Problem] = []
    moved: list[tuple[str, str]] = []
    while True:
        file, problems = _validated(model, copy)
        found = [problem for problem in problems if problem.problem == UNKNOWN_KEY]
        if not found:
            break
        unknown += found
        for problem in found:
            value = _at(copy, problem.steps[:-1]).pop(problem.steps[-1])
            if problem.meant and _is_free(copy, problem.meant):
                _at(copy, problem.meant[:-1])[problem.meant[-1]] = value
                moved.append((dotted("", problem.meant), dotted("", problem.steps)))
    for problem in problems:
        if problem.is_read:
            continue
        if not problem.steps:
            copy = None
        elif (holder := _at(copy, problem.steps[:-1])) is not None:
            holder[problem.steps[-1]] = None
    return Readable(None if unknown else file, copy, unknown + problems, moved)


def _validated(model: Model, raw: Any) -> tuple[Any, list[Problem]]:
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return None, [_problem(model, details, raw) for details in error.errors(include_url=False)]
    except RecursionError:
        return None, [Problem((), "", "is nested too deeply")]


def _is_free(value: Any, steps: Steps) -> bool:
    """Whether a key can be put there."""
    holder = _at(value, steps[:-1])
    return isinstance(holder, dict) and steps[-1] not in holder


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _at(value: Any, steps: Steps) -> Any:
    """The value at ``steps``; None if there is none."""
    for step in steps:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _problem(model: Model, details: ErrorDetails, raw: Any) -> Problem:
    steps: Steps = tuple(step for step in details["loc"] if step != "[key]")
    kind, context = details["type"], details.get("ctx", {})
    path = dotted("", steps)
    if kind == "steward":
        if context.get("of_key"):
            path = dotted("", steps[:-1])
        path += context.get("below", "")
        return Problem(steps, path, context["problem"], context["hint"], is_read=context.get("is_read", False))
    above, field = _place(model, steps)
    if kind == "extra_forbidden":
        hint, is_meant = _nearest_key(model, steps)
        return Problem(steps, path, UNKNOWN_KEY, hint, is_meant)
    if kind == "missing":
        return Problem(steps, path, MISSING, _misspelt(above, steps, raw) or _why(field))
    problem, hint = _in_words(kind, context, details["input"], steps, model)
    return Problem(steps, path, problem, hint or _why(field))


def _in_words(kind: str, context: Mapping[str, Any], value: Any, steps: Steps, model: Model) -> tuple[str, str]:
    """What is wrong, and how to fix it (empty if that is not known)."""
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        suggestion = question(value[:_MAX_IN_WORD], words) if isinstance(value, str) else ""
        return (f"must be {words[0]}", "") if len(words) == 1 else (f"must be one of {', '.join(words)}", suggestion)
    if kind == "list_type" and steps and steps[-1] in _ITEMS:
        first = next(iter(_keys(_model_at(model, (*steps, 0)))))
        return "must be a list", f"begin each {_ITEMS[str(steps[-1])]} with `- {first}:`"
    if kind in _YAML:
        return _YAML[kind]
    if kind == "string_type":
        quoted = 'quote a template: "{cluster}"' if isinstance(value, dict) else "quote it"
        return WORDS[kind], quoted if value is not None else ""
    if kind in ("too_short", "string_too_short") and context["min_length"] == 1:
        return "is empty", ""
    if words_of_kind := WORDS.get(kind):
        problem = words_of_kind.format_map(context)
        is_quoted = problem in _SCALARS and isinstance(value, str) and re.fullmatch(r"\d+|true|false", value)
        return problem, "without quotes" if is_quoted else ""
    return f"is not valid ({kind.replace('_', ' ')})", ""


# -- what the models define of a key


def _place(model: Model, steps: Steps) -> tuple[Model | None, FieldInfo | None]:
    """The model of the mapping that holds the last key of a path, and the field of that key."""
    above = _model_at(model, steps[:-1])
    return above, _fields(above).get(str(steps[-1])) if above and steps else None


def _model_at(model: Model, steps: Steps) -> Model | None:
    """The model of the mapping at ``steps``; None for a mapping of free keys, or another value."""
    here: Any = model
    for step in steps:
        if _is_model(here):
            field = _fields(here).get(str(step))
            here = field.annotation if field else None
        else:  # an item of a list, or the value of a free key
            here = (get_args(here) or (None,))[-1]
        if get_origin(here) not in (list, dict):
            here = next(_models(here), None)
    return here if _is_model(here) else None


def _models(annotation: Any) -> Iterator[Model]:
    if _is_model(annotation):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: Model) -> dict[str, FieldInfo]:
    """The fields of a model, by their names in the file."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _keys(model: Model | None) -> list[str]:
    return list(_fields(model)) if model else []


def _why(field: FieldInfo | None) -> str:
    """Why a key is required, if its model gives a reason."""
    extra = field.json_schema_extra if field else None
    return str(extra.get("why", "")) if isinstance(extra, dict) else ""


def _misspelt(model: Model | None, steps: Steps, raw: Any) -> str:
    """A hint for a missing key: an unknown key that is probably its misspelling.

    Only for models that ignore unknown keys; elsewhere the unknown key is an error itself.
    """
    holder = _at(raw, steps[:-1])
    if model is None or model.model_config.get("extra") == "forbid" or not isinstance(holder, dict):
        return ""
    near = nearest(str(steps[-1]), [key for key in holder if key not in _keys(model)])
    return f"did you mean {steps[-1]} by {near}?" if near else ""


def _nearest_key(model: Model, steps: Steps) -> tuple[str, Steps | None]:
    """The hint for an unknown key, and where it was probably meant to be."""
    *above, key = steps
    if key in REPLACED:
        return REPLACED[str(key)], (*above, _NEW_NAMES[key]) if key in _NEW_NAMES else None
    here = _model_at(model, tuple(above))
    words = _keys(here)
    if above and key in _keys(_model_at(model, tuple(above[:-1]))):
        return f"it belongs beside `{above[-1]}`", (*above[:-1], key)
    for below in words:
        if key in _keys(_model_at(model, (*above, below))):
            return f"it belongs under `{below}`", (*above, below, key)
    near = nearest(str(key), words)
    if near:
        return meant(str(key), words), (*above, near)
    return ELSEWHERE.get(str(key)) or meant(str(key), words), None

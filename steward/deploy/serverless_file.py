"""serverless.yml, read strictly: what the vendor would drop, replace or refuse late is told before anything is deployed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from handler.config.config import Config
from handler.config.settings import Settings, time_limit_problem, unknown_variables
from handler.errors import ConfigurationError, InvalidConfiguration
from handler.execute.follow_up import MESSAGE as FOLLOW_UP
from handler.ledger.protocol import open_ledger
from handler.lib.wording import meant
from steward.config.yaml_file import locate, read_raw
from steward.deploy.serverless_schema import MAX_TIMERS, VARIABLE, Inputs, ServerlessFile, TimerParameters
from steward.simulate.platform import timer_event
from steward.simulate.world import events_of

#: What other function components call their triggers, and what to say here.
RETIRED: Final = {"apigw": "the platform retired its API gateway; `http` is the function's URL"}


def load(path: Path, config: Config | None = None, env: Mapping[str, str] = os.environ) -> ServerlessFile:
    """The file, checked; against ``config`` (of the steward.yml that is packed), where one is given.

    ``env`` is where ``${env:NAME}`` is looked up; a name that it does not have is taken as it stands. Raises
    ConfigurationError, and InvalidConfiguration with every problem, each with its line.
    """
    if not path.is_file():
        raise ConfigurationError("no such file", where=str(path))
    if not path.read_bytes().strip():
        raise ConfigurationError("is empty", where=str(path), hint="`component: scf` and `inputs:` belong here")
    raw, lines = read_raw(str(path))
    try:
        file = ServerlessFile.model_validate(_resolved(raw, env))
    except ValidationError as error:
        problems = [_told(details) for details in error.errors(include_url=False, include_input=False)]
    else:
        problems = [*_problems(file.inputs, config), *_of_source(file.inputs, path.parent)]
        if not problems:
            return file
    raise InvalidConfiguration(
        tuple(
            ConfigurationError(one.problem, path=one.path, where=locate(str(path), one.path, lines), hint=one.hint)
            for one in problems
        )
    )


def _resolved(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, env) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{env:(\w+)\}", lambda named: env.get(named[1], named[0]), value)
    return value


# -- the shape's faults, in words


def _told(details: ErrorDetails) -> ConfigurationError:
    at = [part for part in details["loc"] if part != "[key]"]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
    above, field = _place(at)
    kind, context = details["type"], details.get("ctx", {})
    if kind == "steward":
        return ConfigurationError(context["problem"], path=path, hint=context["hint"])
    if kind == "extra_forbidden":
        return ConfigurationError("unknown key", path=path, hint=_nearest(str(at[-1]), above))
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return ConfigurationError("must be a mapping", path=path)
    hint = (field.description or "") if field else ""
    if kind == "missing":
        return ConfigurationError("is missing", path=path, hint=hint)
    if kind == "literal_error":
        return ConfigurationError(f"must be {context['expected']}", path=path, hint=hint)
    return ConfigurationError(details["msg"][:1].lower() + details["msg"][1:], path=path, hint=hint)


def _place(at: list[int | str]) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The mapping that holds the last key of a path, and what is known of that key."""
    model: type[BaseModel] | None = ServerlessFile
    above, field = model, None
    for part in at:
        if isinstance(part, int):
            continue
        fields = {one.alias: one for one in model.model_fields.values()} if model else {}
        above, field = model, fields.get(part)
        model = next(_models(field.annotation), None) if field else None
    return above, field


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _nearest(word: str, model: type[BaseModel] | None) -> str:
    if word in RETIRED:
        return RETIRED[word]
    return meant(word, [str(one.alias) for one in model.model_fields.values()] if model else [])


# -- what the values mean


def _problems(inputs: Inputs, config: Config | None) -> Iterator[ConfigurationError]:
    if problem := time_limit_problem(inputs.timeout, (config or Config()).webhook.patience):
        yield ConfigurationError(problem, path="inputs.timeout", hint="60 is a good one")
    variables = inputs.environment.variables if inputs.environment else {}
    yield from _of_variables(variables, config)
    yield from _of_triggers(inputs, config)


def _of_variables(variables: Mapping[str, str], config: Config | None) -> Iterator[ConfigurationError]:
    at = "inputs.environment.variables"
    known = {name: value for name, value in variables.items() if not VARIABLE.search(value)}
    try:
        settings = Settings.from_env(known)
        open_ledger(settings.ledger).close()
    except ConfigurationError as error:
        yield ConfigurationError(error.problem, path=f"{at}.{error.where}", hint=error.hint)
    if config is None:
        return
    for name, nearest in unknown_variables(variables, config.variables).items():
        hint = f"did you mean {nearest}?" if nearest else "leave it out, or name it in steward.yml"
        yield ConfigurationError("nothing reads it", path=f"{at}.{name}", hint=hint)


def _of_triggers(inputs: Inputs, config: Config | None) -> Iterator[ConfigurationError]:
    timers = [(place, one.timer.parameters) for place, one in enumerate(inputs.events) if one.timer]
    if len(timers) > MAX_TIMERS:
        yield ConfigurationError(
            f"has {len(timers)} timers", path="inputs.events", hint=f"a function has at most {MAX_TIMERS}"
        )
    if len([one for one in inputs.events if one.http]) > 1:
        yield ConfigurationError("has two URLs", path="inputs.events", hint="one `http` is all that a function has")
    names: set[str] = set()
    for place, timer in timers:
        at = f"inputs.events[{place}].timer.parameters"
        if timer.name in names:
            yield ConfigurationError("appears twice", path=f"{at}.name", hint="timers have names of their own")
        names.add(timer.name)
        if config is not None and (problem := _unserved(timer, config)):
            yield ConfigurationError(problem[0], path=f"{at}.argument", hint=problem[1])
    if not any(timer.argument == FOLLOW_UP and timer.enable for _, timer in timers):
        yield ConfigurationError(
            "has no timer for the follow-up",
            path="inputs.events",
            hint=f'what an invocation could not see to its end would stay open: argument: "{FOLLOW_UP}", enable: true',
        )


def _unserved(timer: TimerParameters, config: Config) -> tuple[str, str] | None:
    """Why the event of a timer would come to nothing, and how to mend it."""
    if timer.argument == FOLLOW_UP or VARIABLE.search(timer.argument):
        return None
    events = events_of(timer_event(timer.name, timer.argument, 0.0))
    if not events:
        return "is a request that cannot be read", "`steward run` says why"
    for event in events:
        view = event.view()
        if event.request is None and not any(rule.matches(view) for rule in config.rules):
            mismatches = [rule.explain(view) for rule in config.rules]
            lacking = [one[0] for one in mismatches if len(one) == 1]
            wanted = [mismatch.wanted for mismatch in lacking if mismatch.path in ("name", "message")]
            return "no rule of steward.yml is for it", f"rules for timers want {', '.join(wanted) or 'nothing'}"
    return None


def _of_source(inputs: Inputs, beside: Path) -> Iterator[ConfigurationError]:
    """Code that lies here already must be the package: the function's own folder lacks the packages that it imports."""
    if inputs.src.src is None or VARIABLE.search(inputs.src.src):
        return
    folder = beside / inputs.src.src
    lacking = [name for name in ("index.py", "handler", "pydantic_core") if not (folder / name).exists()]
    if folder.exists() and lacking:
        yield ConfigurationError(
            f"lacks {', '.join(lacking)}",
            path="inputs.src",
            hint="`make package` fills build/function with all that the function needs",
        )

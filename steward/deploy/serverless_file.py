"""Checks of serverless.yml before anything is deployed.

Every error in the parts that concern this function is reported at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from handler.config.config import Config
from handler.config.settings import VARIABLES, Settings, time_limit_problem, unknown_variables
from handler.errors import ConfigurationError, InvalidConfiguration
from handler.execute.follow_up import MESSAGE as FOLLOW_UP
from handler.ledger.ledger import open_ledger
from steward.config.messages import readable
from steward.config.report import Report
from steward.config.yaml_file import parsed
from steward.deploy.serverless_schema import VARIABLE, ServerlessFile
from steward.simulate.platform import timer_event
from steward.simulate.world import events_of

_VARIABLES_AT: Final = "inputs.environment.variables"


def load(path: Path, config: Config | None = None, env: Mapping[str, str] = os.environ) -> ServerlessFile:
    """Read and check the file, also against ``config`` if that is given.

    ``config`` is that of the steward.yml that is packaged. ``${env:NAME}`` is looked up in ``env``; a name that is not
    there is left as it is written. Raises ConfigurationError, and InvalidConfiguration with every error, each with its
    line.
    """
    if not path.is_file():
        raise ConfigurationError("no such file", where=str(path))
    if not path.read_bytes().strip():
        raise ConfigurationError("is empty", where=str(path), hint="`component: scf` and `inputs:` belong here")
    document = parsed(str(path))
    found = readable(ServerlessFile, _resolved(document.raw, env))
    report = Report(document.locate, document.errors, found.problems, found.moved)
    inputs = (found.copy or {}).get("inputs")
    if inputs is not None:
        _time_limit(report, inputs.get("timeout"), config)
        _variables(report, inputs, config)
        _timers(report, inputs, config)
        _source(report, inputs.get("src"), path.parent)
    if report.problems:
        raise InvalidConfiguration(report.problems)
    return cast("ServerlessFile", found.file)


def _resolved(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _resolved(item, env) for key, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, env) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{env:(\w+)\}", lambda named: env.get(named[1], named[0]), value)
    return value


# -- what the values mean; a part that could not be read is None, and its error is already reported


def _time_limit(report: Report, timeout: int | None, config: Config | None) -> None:
    if timeout is not None and (problem := time_limit_problem(timeout, (config or Config()).webhook.patience)):
        report.problem("inputs.timeout", problem, "60 is a good value")


def _variables(report: Report, inputs: Mapping[str, Any], config: Config | None) -> None:
    environment = inputs.get("environment") or {}
    variables = {name: str(value) for name, value in (environment.get("variables") or {}).items() if value is not None}
    for name, value in variables.items():
        if name in VARIABLES and not VARIABLE.search(value):
            for error in _of_setting(name, value):
                report.problem(f"{_VARIABLES_AT}.{name}", error.problem, error.hint)
    if config is None:
        return
    for name, nearest in unknown_variables(variables, config.variables).items():
        hint = f"did you mean {nearest}?" if nearest else "leave it out, or name it in steward.yml"
        report.problem(f"{_VARIABLES_AT}.{name}", "nothing reads it", hint)


def _of_setting(name: str, value: str) -> Iterator[ConfigurationError]:
    """The errors that the function would report about one of its own variables."""
    if name == "STEWARD_CONFIG" and value.endswith((".yml", ".yaml")):
        hint = "leave it out: `make package` packs the compiled configuration"
        yield ConfigurationError("is YAML, and the function reads compiled JSON only", hint=hint)
    try:
        settings = Settings.from_env({name: value})
        if name == "STEWARD_LEDGER":
            open_ledger(settings.ledger).close()
    except ConfigurationError as error:
        yield error


def _timers(report: Report, inputs: Mapping[str, Any], config: Config | None) -> None:
    events = inputs.get("events", [])
    if events is None:
        return
    names: set[str] = set()
    has_follow_up = False
    for index, event in enumerate(events):
        timer = None if event is None else event.get("timer", {})
        timer = None if timer is None else timer.get("parameters", {})
        if timer is None:
            has_follow_up = True  # it may be this one
            continue
        at = f"inputs.events[{index}].timer.parameters"
        name, argument, enable = timer.get("name"), timer.get("argument"), timer.get("enable")
        if name is not None and name in names:
            report.problem(f"{at}.name", "appears twice", "timers have names of their own")
        names.add(name)
        is_unreadable = "argument" in timer and argument is None
        has_follow_up = has_follow_up or is_unreadable or (argument == FOLLOW_UP and enable is not False)
        if argument is not None and config is not None and (problem := _without_effect(name or "", argument, config)):
            report.problem(f"{at}.argument", *problem)
    if not has_follow_up:
        report.problem(
            "inputs.events",
            "has no timer for the follow-up",
            f'operations that an invocation cannot finish would stay open: argument: "{FOLLOW_UP}", enable: true',
        )


def _without_effect(name: str, argument: str, config: Config) -> tuple[str, str] | None:
    """Why the event of a timer would have no effect, and how to fix it."""
    if argument == FOLLOW_UP or VARIABLE.search(argument):
        return None
    events = events_of(timer_event(name, argument, 0.0))
    if not events:
        return "is a request that cannot be read", "`steward run` explains why"
    for event in events:
        view = event.view()
        if event.request is None and not any(rule.matches(view) for rule in config.rules):
            mismatches = [rule.explain(view) for rule in config.rules]
            lacking = [one[0] for one in mismatches if len(one) == 1]
            wanted = [mismatch.wanted for mismatch in lacking if mismatch.path in ("name", "message")]
            return "no rule of steward.yml is for it", f"rules for timers want {', '.join(wanted) or 'nothing'}"
    return None


def _source(report: Report, src: Any, beside: Path) -> None:
    """Report a source folder that exists and is not the package.

    The repository itself lacks the packages that the function imports.
    """
    named = src.get("src") if isinstance(src, dict) else src
    if named is None or VARIABLE.search(named):
        return
    folder = beside / named
    lacking = [name for name in ("index.py", "handler", "pydantic_core") if not (folder / name).exists()]
    if folder.exists() and lacking:
        hint = "`make package` fills build/function with all that the function needs"
        report.problem("inputs.src", f"lacks {', '.join(lacking)}", hint)

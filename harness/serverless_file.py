"""serverless.yml, read strictly: the vendor's component drops a key that it does not know without a word.

The keys are those of the component ``scf`` as documented; a misspelt one is named with the nearest right one. Beyond the keys: what would deploy
well and then not work, a timer that is created closed, a URL without a network, a time limit in which nothing can be done.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from handler.settings import time_limit_problem

#: The main rhythm of the follow-up; without its timer nothing that an invocation left open is ever finished.
FOLLOW_UP = "steward:follow-up"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class NetConfig(_Strict):
    """Where the function's URL can be reached from."""

    enableIntranet: bool
    enableExtranet: bool


class HttpParameters(_Strict):
    """The function's URL. Left out, ``netConfig`` turns both networks off and ``qualifier`` breaks the look-up: both must be written."""

    name: str | None = None
    qualifier: str
    authType: Literal["NONE", "CAM"]
    netConfig: NetConfig


class Http(_Strict):
    http: dict[Literal["parameters"], HttpParameters]


class TimerParameters(_Strict):
    """A timer; without ``enable: true`` it is created closed, and an ``argument`` that is no string is refused."""

    name: str
    qualifier: str = "$DEFAULT"
    cronExpression: str = Field(pattern=r"^\S+( \S+){6}$")
    enable: Literal[True]
    argument: str


class Timer(_Strict):
    timer: dict[Literal["parameters"], TimerParameters]


class Source(_Strict):
    src: str
    exclude: list[str] = []


class Environment(_Strict):
    variables: dict[str, str]


class VpcConfig(_Strict):
    vpcId: str
    subnetId: str


class Cls(_Strict):
    logsetId: str
    topicId: str


class Inputs(_Strict):
    """What the component takes of an event function."""

    name: str
    namespace: str = "default"
    type: Literal["event"]
    src: str | Source
    handler: Literal["index.main_handler"]
    runtime: Literal["Python3.10"]
    region: str
    description: str = ""
    memorySize: int = Field(ge=64)
    timeout: int = Field(ge=1, le=900)
    initTimeout: int | None = None
    role: str
    environment: Environment
    vpcConfig: VpcConfig | None = None
    layers: list[Any] | None = None
    deadLetter: dict[str, Any] | None = None
    cls: Cls | None = None
    cfs: list[Any] | None = None
    tags: dict[str, str] | None = None
    publicAccess: bool | None = None
    installDependency: bool | None = None
    asyncRunEnable: bool | None = None
    retryNum: int | None = None
    msgTTL: int | None = None
    events: list[Http | Timer]


class ServerlessFile(_Strict):
    """The whole file."""

    component: Literal["scf"]
    name: str
    inputs: Inputs


def problems_of(raw: Any, patience: float) -> list[str]:
    """What is wrong with the file's content, each with the field and the mend. ``patience`` in seconds: that of the HTTP door."""
    try:
        file = ServerlessFile.model_validate(raw)
    except ValidationError as error:
        return sorted({_told(one) for one in error.errors(include_url=False)})
    found = []
    if problem := time_limit_problem(file.inputs.timeout, patience):
        found.append(f"inputs.timeout: {problem}")
    variables = file.inputs.environment.variables
    found += [
        f"inputs.environment.variables.{name}: is empty: give it a value or leave it out"
        for name, value in variables.items()
        if not value.strip()
    ]
    if not any(isinstance(one, Timer) and one.timer["parameters"].argument == FOLLOW_UP for one in file.inputs.events):
        found.append(
            f"inputs.events: no timer with the argument {FOLLOW_UP}: what an invocation leaves open is never finished"
        )
    return found


def check(path: Path, patience: float) -> list[str]:
    """:func:`problems_of` a file, each with its name. Raises ConfigurationError where it is no YAML."""
    from handler.steward_file import read_raw

    raw, lines = read_raw(str(path))
    return [f"{path}:{lines.get(problem.partition(':')[0], 1)}: {problem}" for problem in problems_of(raw, patience)]


def _told(fault: Any) -> str:
    # The members of a union are steps of pydantic's, not of the file's.
    steps = [str(step) for step in fault["loc"] if step not in ("Http", "Timer", "Source", "str")]
    at = ".".join(steps)
    if fault["type"] != "extra_forbidden":
        return f"{at}: {fault['msg']}"
    close = difflib.get_close_matches(steps[-1], _words(ServerlessFile), 1, 0.6)
    return f"{at}: is no key that the component knows" + (f"; did you mean {close[0]}?" if close else "")


def _words(model: Any) -> list[str]:
    """Every key of the file."""
    words: list[str] = []
    for name, field in model.model_fields.items():
        words.append(name)
        for part in _models(field.annotation):
            words += _words(part)
    return words


def _models(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in get_args(annotation) for one in _models(part)]

"""The parts of serverless.yml that concern this function.

These are its code, its time limit, its variables and its timers. The vendor's component ``scf`` checks the rest.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from steward.config.values import Checked, Parsed, wrong
from steward.deploy import cron

#: A value that the vendor's command fills in: ``${env:NAME}``, ``${stage}``.
VARIABLE: Final = re.compile(r"\$\{[^}]+\}")


def _text(value: str) -> str:
    if not value.strip():
        raise wrong("is empty", "give it a value or leave it out")
    if re.fullmatch(r"<.*>", value.strip()):
        raise wrong("is still the placeholder", "replace what stands in angle brackets")
    return value


class VariableValue(Parsed):
    """The value of an environment variable, converted to a text as the vendor does it.

    Errors never repeat it.
    """

    def read(self, raw: Any) -> str:
        if raw is None or (isinstance(raw, str) and not raw.strip()):
            raise wrong("is empty", "the platform takes no empty value: give it one or leave the variable out")
        if isinstance(raw, bool):
            return str(raw).lower()
        if not isinstance(raw, (str, int, float)):
            raise wrong("must be one value", "a text; quote it if YAML would read something else")
        return _text(str(raw))

    def marks(self) -> dict[str, Any]:
        return {"type": ["string", "number", "boolean"]}


def _cron(expression: str) -> str:
    if problem := cron.problem_of(expression):
        raise wrong(problem, '"0 0 22 * * * *" is each day at 22:00')
    return expression


def _as_mapping(src: Any) -> Any:
    return {"src": src} if isinstance(src, str) else src


def _needed(why: str) -> Any:
    """A required key, and why it is required."""
    return Field(json_schema_extra={"why": why})


Text = Annotated[str, Checked(_text)]


class Part(BaseModel):
    """A mapping of the file. Only the keys that concern the function are read."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, alias_generator=to_camel)


class TimerParameters(Part):
    """The parameters of a timer. ``argument`` becomes the event's ``Message``.

    Unknown keys are errors here, since the vendor drops them silently.
    """

    model_config = ConfigDict(extra="forbid")

    name: Text = _needed("without it two timers get the same name")
    qualifier: Text = "$DEFAULT"
    cron_expression: Annotated[str, Checked(_cron)]
    enable: bool = _needed("without it the timer is made, and stays switched off")
    argument: Text = _needed("a text, which a rule of steward.yml has as its `message`")


class Timer(Part):
    """The mapping ``timer:`` of a trigger."""

    parameters: TimerParameters


class Trigger(Part):
    """One of ``events``. Only timers are read."""

    timer: Timer | None = None


class Source(Part):
    """Where the code is: a folder, or an object in a bucket, which the vendor checks."""

    src: Text | None = None


class Environment(Part):
    """The function's environment variables."""

    model_config = ConfigDict(extra="forbid")

    variables: dict[str, Annotated[str, VariableValue()]] = Field(default_factory=dict)


class Inputs(Part):
    """``inputs``: the function and its triggers."""

    src: Annotated[Source, BeforeValidator(_as_mapping)] = _needed("the folder that `make package` fills")
    handler: Literal["index.main_handler"] = _needed("what the package's index.py offers")
    runtime: Literal["Python3.10"] = _needed("for which the package is built; it cannot be changed later")
    timeout: int = _needed("in seconds; without it the platform gives 3")
    role: Text = _needed("without it the function has no credentials")
    environment: Environment = Field(default_factory=Environment)
    events: list[Trigger] = Field(default_factory=list)


class ServerlessFile(Part):
    """The whole file serverless.yml."""

    inputs: Inputs

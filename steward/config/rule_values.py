"""The values of a rule: its pattern, its templates, its scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import PydanticCustomError

from handler.decide.patterns import PatternError, compile_pattern
from handler.decide.templates import Template, TemplateError, compile_template
from handler.model import names
from steward.config.messages import ELSEWHERE
from steward.config.pattern_lint import unmatchable
from steward.config.values import Checked, Parsed, Steps, all_wrong, wrong

_MAPPING: Final = ("must be a mapping", "key: value")
Found = Iterator[tuple[Steps, PydanticCustomError]]


class When(Parsed):
    """An event pattern.

    Every field that does not compile, or that no event can match, is an error of its own.
    """

    def read(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise wrong(*_MAPPING)
        if errors := list(_of_when(raw)):
            raise all_wrong([((), error) for error in errors])
        return raw

    def marks(self) -> dict[str, Any]:
        return {"type": "object"}  # json_schema.py puts the definition of a pattern here


def _of_when(pattern: Mapping[str, Any]) -> Iterator[PydanticCustomError]:
    """The first error of each field, and the literals in the other fields that cannot match."""
    sound: dict[str, Any] = {}
    broken: list[PatternError] = []
    for key, value in pattern.items():
        try:
            compile_pattern({key: value}, "")
        except PatternError as error:
            broken.append(error)
        else:
            sound[key] = value
    if not broken:
        try:  # of the whole: it may be empty, or too large
            compile_pattern(pattern, "")
        except PatternError as error:
            broken.append(error)
            sound = {}
    for one in broken:
        field = one.path.removeprefix(".")
        yield wrong(one.problem, ELSEWHERE.get(field, one.hint), below=one.path)
    for one in unmatchable(sound, ""):
        yield wrong(one.problem, one.hint, below=one.path, is_read=True)


def template(raw: str) -> Template:
    """The template that ``raw`` is. Raises PydanticCustomError."""
    try:
        return compile_template(raw, "")
    except TemplateError as error:
        subject = f"{error.name} {error.problem}" if error.name else error.problem
        listed = f"there is {', '.join(error.available)}" if error.available else ""
        raise wrong(subject, error.hint or listed) from None


def _is_template(raw: str) -> str:
    template(raw)
    return raw


#: A cluster's id, or a template that gives one. ``checks.py`` checks whether the cluster is listed.
CLUSTER: Final = Checked(_is_template, pattern=rf"^{names.CLUSTER_ID}$|\{{")


class Scope(Parsed):
    """A scope: by service, either ``all``, or by component ``all`` or a list of addresses.

    Every name may be a template.
    """

    def read(self, raw: Any) -> Any:
        if not isinstance(raw, dict):
            raise wrong(*_MAPPING)
        if errors := list(_of_scope(raw)):
            raise all_wrong(errors)
        return raw

    def marks(self) -> dict[str, Any]:
        addresses = {"anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}
        components = {
            "anyOf": [{"const": "all"}, {"type": "object", "minProperties": 1, "additionalProperties": addresses}]
        }
        return {"type": "object", "minProperties": 1, "additionalProperties": components}


def _of_scope(raw: dict[str, Any]) -> Found:
    if not raw:
        yield (), wrong("is empty", "name a service: {HDFS: all}")
    for service, components in raw.items():
        yield from _of_name(service, (service,), "service")
        if isinstance(components, dict):
            yield from _of_components(components, service)
        elif components != "all":
            yield (service,), wrong("must be `all`, or a mapping", "key: value")


def _of_components(raw: dict[str, Any], service: str) -> Found:
    if not raw:
        yield (service,), wrong("is empty", "say `all`, or name components")
    for component, addresses in raw.items():
        steps = (service, component)
        yield from _of_name(component, steps, "component")
        if isinstance(addresses, list):
            if not addresses:
                yield steps, wrong("is empty", "say `all`, or list addresses")
            for index, address in enumerate(addresses):
                yield from _of_address(address, (*steps, index))
        elif addresses != "all":
            yield steps, wrong("must be `all`, or a list", "in brackets: [one, two]")


def _of_name(raw: str, steps: Steps, what: str) -> Found:
    """The error of a name that is not spelled as the API spells names. Templates are skipped."""
    try:
        constant = template(raw).constant
    except PydanticCustomError as error:
        yield steps, _of_key(error)
        return
    if constant is not None and not names.is_process_name(constant):
        yield steps, wrong(f"{raw!r} is not a {what} name", "letters and digits, as the console shows it", of_key=True)


def _of_key(error: PydanticCustomError) -> PydanticCustomError:
    facts = error.context or {}
    return wrong(facts["problem"], facts["hint"], of_key=True)


def _of_address(raw: Any, steps: Steps) -> Found:
    if not isinstance(raw, str):
        yield steps, wrong("must be a text", "quote it")
        return
    try:
        constant = template(raw).constant
    except PydanticCustomError as error:
        yield steps, error
        return
    if constant is not None and not names.address(constant):
        yield steps, wrong(f"{raw!r} is not an address", "such as 172.16.0.5, or a template such as {ip}")

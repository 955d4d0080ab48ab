"""Schemas: TypedDicts that pydantic validates, at a start-up cost that a function can bear.

A schema is written as a ``TypedDict`` with ``Annotated`` bounds. On a laptop pydantic turns it into a validator when it
is first used. Importing pydantic takes about as long as importing the whole SDK, so a deployed package can carry what
pydantic made of each schema (its core schema, plain data) and only pydantic's Rust core is loaded there; the two are the
same validator, which a test proves.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from handler.errors import FieldError, InvalidInput
from handler.lib.wording import cut, question

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic_core import ErrorDetails, SchemaValidator

T = TypeVar("T")
#: The steps from a payload to one of its values: keys and indexes.
Steps = tuple[int | str, ...]

#: The problem of a key that is not allowed there. Whoever asked knows which ones are.
UNKNOWN: Final = "unknown"
MISSING: Final = "is missing"
#: By pydantic's type of error: what is wrong, in the words of JSON.
WORDS: Final = {
    "missing": MISSING,
    "extra_forbidden": UNKNOWN,
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "string_type": "must be a text",
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), "must be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "must be a number"),
    "finite_number": "must be a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "must be true or false"),
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "has fewer than {min_length} items",
    "too_long": "has more than {max_length} items",
    "string_too_short": "is shorter than {min_length} characters",
    "string_too_long": "is longer than {max_length} characters",
}
#: Validation errors of one payload that are reported to its sender.
MAX_ERRORS: Final = 10
#: Characters of a value that are looked at for the word that was meant.
MAX_IN_WORD: Final = 80

#: Where ``python -m steward.package.compiled_schemas`` writes the core schemas, by name; absent on a laptop.
COMPILED = "compiled_schemas.json"

_compiled: dict[str, Any] | None = None
#: Every schema there is, for the package and the test that compares.
schemas: dict[str, Schema[Any]] = {}


class Schema(Generic[T]):
    """A validator for ``kind``, made when first used.

    Validation is lax as pydantic's default is (``"1"`` is read as a number where one is wanted); JSON-like input only.
    """

    __slots__ = ("_validator", "kind", "name")

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        self.name = f"{kind.__module__}.{kind.__qualname__}"
        self._validator: SchemaValidator | None = None
        schemas[self.name] = self

    def validate(self, raw: object, at: str = "") -> T:
        """Validate ``raw`` and return it as ``kind``.

        ``at`` is the path of ``raw`` within the payload, for the names of fields in errors.

        Raises InvalidInput, naming each field that is wrong (the first ten).
        """
        validator = self._validator or self._make()
        try:
            return cast("T", validator.validate_python(raw))
        except (ValueError, RecursionError) as error:
            found = [FieldError(dotted(at, steps), problem) for steps, problem in _errors(error)[:MAX_ERRORS]]
            raise InvalidInput(*found) from None

    def core_schema(self) -> dict[str, Any]:
        """What pydantic makes of the type, as plain data."""
        from pydantic import TypeAdapter

        return cast("dict[str, Any]", _as_data(TypeAdapter(self.kind).core_schema))

    def _make(self) -> SchemaValidator:
        compiled = _load_compiled().get(self.name)
        if compiled:
            _import_core_alone()
        from pydantic_core import SchemaValidator

        self._validator = SchemaValidator(compiled or self.core_schema())
        return self._validator


def _load_compiled() -> dict[str, Any]:
    global _compiled  # noqa: PLW0603 - read once an instance; the file is part of the code
    if _compiled is None:
        import os

        try:
            with open(os.path.join(os.path.dirname(__file__), COMPILED), encoding="utf-8") as file:
                _compiled = json.load(file)
        except FileNotFoundError:
            _compiled = {}
    return cast("dict[str, Any]", _compiled)


def _import_core_alone() -> None:
    """Import pydantic_core without its ``core_schema``, which holds types for those who write schemas.

    It is three fifths of that package's import, and would make an event without a cloud call 18 % slower to start.
    """
    import sys
    import types

    if "pydantic_core" in sys.modules:
        return
    name = "pydantic_core.core_schema"
    sys.modules[name] = stand_in = types.ModuleType(name)
    # What the package takes from there are names for type checkers.
    for taken in ("CoreConfig", "CoreSchema", "CoreSchemaType", "ErrorType"):
        setattr(stand_in, taken, Any)
    try:
        import pydantic_core  # noqa: F401
    except ImportError:
        pass  # another version, which takes more: whoever imports it next gets all of it
    finally:
        del sys.modules[name]


def _as_data(schema: Any) -> Any:
    """The core schema without what only a running Python can hold: the TypedDict class, and the addresses in its refs."""
    if isinstance(schema, dict):
        return {
            key: re.sub(r":\d+", "", value) if key in ("ref", "schema_ref") else _as_data(value)
            for key, value in schema.items()
            if key not in ("cls", "metadata") and not (key == "computed_fields" and not value)
        }
    if isinstance(schema, (list, tuple)):
        return [_as_data(item) for item in schema]
    return schema


def _errors(error: Exception) -> list[tuple[Steps, str]]:
    from pydantic_core import ValidationError

    if not isinstance(error, ValidationError):
        return [((), "nested too deeply" if isinstance(error, RecursionError) else "is not valid data")]
    return [(detail["loc"], _in_words(detail)) for detail in error.errors(include_url=False)]


def _in_words(detail: ErrorDetails) -> str:
    """pydantic's finding in plain words, and after a semicolon the fix where it is known. No value is repeated."""
    kind, bounds, value = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", bounds["expected"])
        if len(words) == 1:
            return f"must be `{words[0]}`"
        asked = question(value[:MAX_IN_WORD], words) if isinstance(value, str) else ""
        return f"must be one of {', '.join(words)}" + (f"; {asked}" if asked else "")
    if kind in ("too_short", "string_too_short") and bounds["min_length"] == 1:
        return "is empty"
    if words_of_kind := WORDS.get(kind):
        return words_of_kind.format_map(bounds)
    text = detail["msg"].removeprefix("Input should ")
    return f"must {text}" if text != detail["msg"] else text[:1].lower() + text[1:]


def dotted(at: str, steps: Steps) -> str:
    """``alerts[0].labels.ip`` for ``("alerts", 0, "labels", "ip")`` below ``at``."""
    path = at
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            name = cut(step, 80)
            path += f".{name}" if path else name
    return path


class Bound:
    """A bound in ``Annotated[int, Bound(ge=0, le=300)]``, added to the core schema.

    Numbers know ``ge`` and ``le``, texts and lists ``min_length`` and ``max_length``. A class of our own, since the
    packaged function never derives a schema, and ``annotated_types``, which says the same, takes 9 ms to import.
    """

    __slots__ = ("_bounds",)

    def __init__(self, **bounds: int) -> None:
        self._bounds = bounds

    def __get_pydantic_core_schema__(self, kind: Any, derive: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """pydantic's protocol for annotations."""
        return {**derive(kind), **self._bounds}

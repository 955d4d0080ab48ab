"""Event patterns: Amazon EventBridge's, over ``Event.view()``.

A pattern is an object of fields; all of them must match. A field's value is a list; any of it may match. An item of the
list is a literal, compared exactly and with its type (``"1"`` is not ``1``; ``1`` is ``1.0``; ``true`` is not ``1``),
or an object with one operator: ``prefix``, ``suffix``, ``anything-but``, ``exists``, ``numeric``, ``cidr``,
``equals-ignore-case``, ``wildcard``. ``$or`` holds a list of patterns, at any level. The source of these meanings is
the EventBridge User Guide, "Comparison operators for use in event patterns".

What differs, because an Event is not JSON from a bus:

- A missing field, ``null``, an empty list and an object where a value is wanted are all "no value": ``{exists: false}``
  and ``null`` match them, and nothing else does, ``anything-but`` included.
- Labels are always strings. So ``numeric`` reads strings that are written as JSON numbers (``"93.5"``; not ``"5 %"``)
  as well as numbers, to a float's precision. Literals stay exact: ``"9100"`` matches the label ``"9100"``, ``9100`` does not.
- ``equals-ignore-case`` compares by Unicode's case folding.
- What no Event can match because of its shape (``labels`` as a list, an object for ``status``) is refused.

A list in the event matches when one of its elements does. Matching never raises, whatever the event holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from handler.decide.operators import OPERATORS, PatternError, item_test, no_value, shown
from handler.lib.wording import question
from handler.model.event import FIELDS

__all__ = ("Mismatch", "Pattern", "PatternError", "compile_pattern")

_MAX_DEPTH: Final = 16
_MAX_ITEMS: Final = 10_000


class Mismatch(NamedTuple):
    """A field that does not match, in words.

    It names the field (``labels.severity`` or ``$or[0].status``), what is wanted, and what was found.
    """

    path: str
    wanted: str
    found: str


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_root",)

    def __init__(self, root: _Object) -> None:
        self._root = root

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether the event, as ``Event.view()`` shows it, matches. Never raises."""
        return self._root.check(event)

    def explain(self, event: Mapping[str, Any]) -> list[Mismatch]:
        """Each field that does not match; empty when the event matches. Never raises.

        Where no alternative of an ``$or`` matches, each of them says why.
        """
        return self._root.explain(event, "")

    def literals(self, key: str) -> frozenset[str]:
        """The texts that a field may have, as far as the pattern spells them out."""
        return self._root.literals(key)


def compile_pattern(raw: object, path: str = "when") -> Pattern:
    """Parse a pattern that comes as JSON or YAML values; ``path`` is where it stands.

    Raises PatternError for the first thing that is wrong with it.
    """
    _measure(raw, path)
    return Pattern(_object(raw, path, fields=FIELDS))


class _Field(NamedTuple):
    key: str
    #: The literal strings, for the short way; ``only`` says that there is nothing else.
    strings: frozenset[str]
    only: bool
    check: Callable[[Any], bool]
    wanted: str
    inside: _Object | None = None


class _Object:
    """The fields and the alternatives that one object must match."""

    __slots__ = ("_choices", "_fields", "_rows")

    def __init__(self, fields: list[_Field], choices: list[_Object]) -> None:
        self._fields = fields
        self._choices = choices
        self._rows = tuple((field.key, field.strings, field.only, field.check) for field in fields)

    def check(self, value: Any) -> bool:
        if value.__class__ is dict:
            return self._matches(value)
        return any(self._matches(item) for item in _objects(value))

    def _matches(self, event: Mapping[str, Any]) -> bool:
        # The hot loop: one look-up decides most fields, without a call.
        for key, strings, only, check in self._rows:
            value = event.get(key)
            if value.__class__ is str:
                if value in strings:
                    continue
                if only:
                    return False
            if not check(value):
                return False
        return not self._choices or any(choice._matches(event) for choice in self._choices)

    def literals(self, key: str) -> frozenset[str]:
        found = [field.strings for field in self._fields if field.key == key]
        return frozenset().union(*found, *(choice.literals(key) for choice in self._choices))

    def explain(self, value: Any, prefix: str) -> list[Mismatch]:
        if self.check(value):
            return []
        # Of a list of objects, none matches: what each lacks says little, so the last speaks for all.
        event = _objects(value)[-1]
        found: list[Mismatch] = []
        for field in self._fields:
            at = event.get(field.key)
            if field.inside is not None:
                found += field.inside.explain(at, f"{prefix}{field.key}.")
            elif not field.check(at):
                found.append(Mismatch(prefix + field.key, field.wanted, "nothing" if at is None else shown(at)))
        if self._choices and not any(choice.check(event) for choice in self._choices):
            for index, choice in enumerate(self._choices):
                found += choice.explain(event, f"{prefix}$or[{index}].")
        return found


def _object(raw: object, path: str, fields: tuple[str, ...] | None = None) -> _Object:
    """``fields`` are the keys that there can be: those of an Event, at the top and in its alternatives."""
    if not isinstance(raw, Mapping):
        raise PatternError(path, "must be an object of fields", "such as {source: [tcop], status: [firing]}")
    if not raw:
        raise PatternError(path, "is empty", "name a field; {source: [{exists: true}]} matches every event")
    found: list[_Field] = []
    choices: list[_Object] = []
    for key, value in raw.items():
        if not isinstance(key, str):
            raise PatternError(path, f"has a key that is not a string: {shown(key)}", "quote it")
        at = f"{path}.{key[:80]}"
        if key == "$or":
            if not isinstance(value, (list, tuple)) or not value:
                raise PatternError(at, "must be a list of patterns", "such as [{status: [firing]}, {name: [nightly]}]")
            choices = [_object(choice, f"{at}[{index}]", fields) for index, choice in enumerate(value)]
            continue
        if fields is not None:
            _check_field(key, value, at, fields)
        if not isinstance(value, Mapping):
            found.append(_list(key, value, at))
            continue
        # A label may bear an operator's name; below a label or another field, it is a list that was forgotten.
        if (fields is None or key != "labels") and (slip := [name for name in value if name in OPERATORS]):
            written = shown({slip[0]: value[slip[0]]})
            raise PatternError(at, f"has the operator {slip[0]} outside a list", f"write [{written}]")
        inside = _object(value, at)
        found.append(_Field(key, frozenset(), False, inside.check, "", inside))
    return _Object(found, choices)


def _check_field(key: str, value: object, path: str, fields: tuple[str, ...]) -> None:
    """The key is an Event's, and the value can be what such a field is matched with."""
    if key not in fields:
        label = key.removeprefix("labels.")
        near = question(key, fields) if label == key else ""
        # What is no field may be a label, as its sender calls it.
        raise PatternError(path, "is not a field of an Event", near or f"write labels: {{{label[:80]}: …}}")
    if key == "labels" and not isinstance(value, Mapping):
        raise PatternError(path, "must be an object: labels have names", "such as {severity: [critical]}")
    if key != "labels" and isinstance(value, Mapping) and not any(name in OPERATORS for name in value):
        raise PatternError(path, "is one value in an Event, not an object", "write a list of values")


def _list(key: str, raw: object, path: str) -> _Field:
    """What a field's list wants: any of its literals and operators."""
    if not isinstance(raw, (list, tuple)):
        raise PatternError(path, "must be a list of values", f"write [{shown(raw)}]")
    if not raw:
        raise PatternError(path, "is an empty list, which nothing matches", "name a value, or use [{exists: false}]")
    literals = frozenset(item for item in raw if isinstance(item, str))
    made = [item_test(item, f"{path}[{index}]") for index, item in enumerate(raw) if not isinstance(item, str)]
    absent = no_value in made
    tests = tuple(test for test in made if test is not no_value)

    def leaf(value: Any) -> bool:
        if isinstance(value, str) and value in literals:
            return True
        for test in tests:  # noqa: SIM110 - any() with a generator costs twice as much here
            if test(value):
                return True
        return False

    def check(value: Any) -> bool:
        if value is None:
            return absent
        if value.__class__ is str:
            return leaf(value)
        leaves = [item for item in _flat(value) if not isinstance(item, Mapping)]
        return any(map(leaf, leaves)) if leaves else absent

    return _Field(key, literals, not tests, check, " or ".join(map(_wanted, raw)))


def _flat(value: Any) -> Iterator[Any]:
    """The values of a list, its lists' included; any other value alone. None is no value."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, (list, tuple)):
            pending += item
        elif item is not None:
            yield item


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects that a value is or holds; where there are none, one without fields."""
    return [item for item in _flat(value) if isinstance(item, Mapping)] or [{}]


def _measure(raw: object, path: str) -> None:
    """Refuses what would take too long or too deep a recursion to compile, such as a YAML alias within itself."""
    pending: list[tuple[Any, int]] = [(raw, 0)]
    seen = 0
    while pending:
        item, depth = pending.pop()
        seen += 1
        if depth > _MAX_DEPTH or seen > _MAX_ITEMS:
            raise PatternError(path, "is too large", f"at most {_MAX_DEPTH} levels and {_MAX_ITEMS} values")
        if isinstance(item, Mapping):
            pending += [(inner, depth + 1) for inner in item.values()]
        elif isinstance(item, (list, tuple)):
            pending += [(inner, depth + 1) for inner in item]


def _wanted(item: Any) -> str:
    """An item of a list as its writer knows it: ``"firing"``, ``prefix "crit"``, ``numeric [">=", 3]``."""
    if not isinstance(item, Mapping):
        return shown(item)
    return " ".join(f"{name} {shown(operand)}" for name, operand in item.items())

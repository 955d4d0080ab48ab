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

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from handler.errors import StewardError
from handler.lib.wording import cut, meant
from handler.model.event import FIELDS

#: A check of one value that is neither None, nor a list, nor an object.
_Test = Callable[[Any], bool]

_MAX_DEPTH: Final = 16
_MAX_ITEMS: Final = 10_000
_INFINITY: Final = float("inf")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CIDR: Final = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
_COMPARATORS: Final = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class PatternError(StewardError):
    """A pattern that means nothing.

    ``path`` is the key's, as in ``when.labels.severity[0].prefix``; ``hint`` says how to mend it and may be empty.
    """

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        self.path, self.problem, self.hint = path, problem, hint
        text = f"{path}: {problem}" + (f" ({hint})" if hint else "")
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


class Mismatch(NamedTuple):
    """A field that does not match, in words: ``labels.severity`` or ``$or[0].status``, what is wanted, what was found."""

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


def compile_pattern(raw: object, path: str = "when") -> Pattern:
    """The pattern that ``raw``, as JSON or YAML gives it, describes; ``path`` is where it stands.

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
                found.append(Mismatch(prefix + field.key, field.wanted, "nothing" if at is None else _shown(at)))
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
            raise PatternError(path, f"has a key that is not a string: {_shown(key)}", "quote it")
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
        if (fields is None or key != "labels") and (slip := [name for name in value if name in _OPERATORS]):
            written = _shown({slip[0]: value[slip[0]]})
            raise PatternError(at, f"has the operator {slip[0]} outside a list", f"write [{written}]")
        inside = _object(value, at)
        found.append(_Field(key, frozenset(), False, inside.check, "", inside))
    return _Object(found, choices)


def _check_field(key: str, value: object, path: str, fields: tuple[str, ...]) -> None:
    """The key is an Event's, and the value can be what such a field is matched with."""
    if key not in fields:
        label = key.removeprefix("labels.")
        hint = meant(key, fields) if label == key else f"write labels: {{{label[:80]}: …}}"
        raise PatternError(path, "is not a field of an Event", hint)
    if key == "labels" and not isinstance(value, Mapping):
        raise PatternError(path, "must be an object: labels have names", "such as {severity: [critical]}")
    if key != "labels" and isinstance(value, Mapping) and not any(name in _OPERATORS for name in value):
        raise PatternError(path, "is one value in an Event, not an object", "write a list of values")


def _list(key: str, raw: object, path: str) -> _Field:
    """What a field's list wants: any of its literals and operators."""
    if not isinstance(raw, (list, tuple)):
        raise PatternError(path, "must be a list of values", f"write [{_shown(raw)}]")
    if not raw:
        raise PatternError(path, "is an empty list, which nothing matches", "name a value, or use [{exists: false}]")
    literals = frozenset(item for item in raw if isinstance(item, str))
    made = [_item(item, f"{path}[{index}]") for index, item in enumerate(raw) if not isinstance(item, str)]
    absent = _no_value in made
    tests = tuple(test for test in made if test is not _no_value)

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


def _item(raw: Any, path: str) -> _Test:
    """The test that one item of a list, a literal or an operator, stands for."""
    if isinstance(raw, Mapping):
        name, operand = _operator(raw, path)
        return _OPERATORS[name](operand, f"{path}.{name}")
    if raw is None:
        return _no_value
    if isinstance(raw, bool):
        return lambda value: value is raw
    if isinstance(raw, str):
        return lambda value: isinstance(value, str) and value == raw
    if _is_number(raw):
        return lambda value: _is_number(value) and value == raw
    if isinstance(raw, (list, tuple)):
        raise PatternError(path, "is a list within the list", "write the values side by side")
    raise PatternError(path, "is not a string, number, true, false or null", "quote it")


def _no_value(value: Any) -> bool:
    """Stands for ``null`` and ``{exists: false}``, which no value matches: the list's check knows it."""
    return False


def _operator(raw: Mapping[Any, Any], path: str) -> tuple[str, Any]:
    """The one operator of an object, and its operand."""
    if not raw:
        raise PatternError(path, "is an empty object", f"one of {', '.join(_OPERATORS)}")
    for name in raw:
        if name not in _OPERATORS:
            raise PatternError(f"{path}.{str(name)[:80]}", "is not an operator", meant(str(name), _OPERATORS))
    if len(raw) > 1:
        raise PatternError(path, f"has several operators: {', '.join(raw)}", "one object each; any of them may match")
    return next(iter(raw.items()))


def _affix(method: Callable[[str, str], bool]) -> Callable[[Any, str], _Test]:
    folded = _folded(method)

    def make(operand: Any, path: str) -> _Test:
        if isinstance(operand, Mapping):
            if list(operand) != ["equals-ignore-case"]:
                raise PatternError(path, "takes a string or equals-ignore-case", "such as {equals-ignore-case: hbase}")
            return folded(operand["equals-ignore-case"], f"{path}.equals-ignore-case")
        text = _text(operand, path)
        return lambda value: isinstance(value, str) and method(value, text)

    return make


def _folded(method: Callable[[str, str], bool]) -> Callable[[Any, str], _Test]:
    def make(operand: Any, path: str) -> _Test:
        text = _text(operand, path).casefold()
        return lambda value: isinstance(value, str) and method(value.casefold(), text)

    return make


def _wildcard(operand: Any, path: str) -> _Test:
    pieces = [""]
    before = ""
    for part in re.findall(r"\\.?|.", _text(operand, path), re.DOTALL):
        if part == before == "*":
            raise PatternError(path, "has two stars side by side", "one stands for any number of characters")
        if part[0] == "\\" and part not in ("\\*", "\\\\"):
            raise PatternError(path, f"has {_shown(part)}, which is not an escape", r"escapes are \* and \\")
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += part[-1]
        before = part
    if len(pieces) == 1:
        return _item(pieces[0], path)
    first, *middle, last = pieces

    # Each piece at its first place is enough, so nothing is tried twice: no text takes long.
    def test(value: Any) -> bool:
        if not isinstance(value, str) or not value.startswith(first) or not value.endswith(last):
            return False
        at, end = len(first), len(value) - len(last)
        for piece in middle:
            place = value.find(piece, at, end)
            if place < 0:
                return False
            at = place + len(piece)
        return at <= end

    return test


def _exists(operand: Any, path: str) -> _Test:
    if not isinstance(operand, bool):
        raise PatternError(path, f"takes true or false, not {_shown(operand)}")
    return (lambda value: True) if operand else _no_value


def _numeric(operand: Any, path: str) -> _Test:
    if not isinstance(operand, (list, tuple)) or len(operand) not in (2, 4):
        raise PatternError(path, "takes a comparator and a number, once or twice", 'such as [">=", 3, "<", 10]')
    for index, term in enumerate(operand):
        if index % 2 and not _is_number(term):
            raise PatternError(f"{path}[{index}]", f"{_shown(term)} is not a number", "finite and not quoted")
        if not index % 2 and (not isinstance(term, str) or term not in _COMPARATORS):
            hint = "use anything-but" if term == "!=" else f"one of {' '.join(_COMPARATORS)}"
            raise PatternError(f"{path}[{index}]", f"{_shown(term)} is not a comparator", hint)
    sign, bound, also, other = (*operand, *operand)[:4]
    if len(operand) == 4:
        if {sign[0], also[0]} != {"<", ">"}:
            raise PatternError(path, "needs one lower and one upper bound", 'such as [">=", 3, "<", 10]')
        low, high = (bound, other) if sign[0] == ">" else (other, bound)
        if low > high or (low == high and {sign, also} != {">=", "<="}):
            raise PatternError(
                path, f"no number is {sign} {_shown(bound)} and {also} {_shown(other)}", "swap the bounds"
            )
    compare, compare_also = _COMPARATORS[sign], _COMPARATORS[also]

    def test(value: Any) -> bool:
        if isinstance(value, str):
            if not _NUMBER.fullmatch(value):
                return False
            value = float(value)
        elif not _is_number(value):
            return False
        return bool(compare(value, bound) and compare_also(value, other))

    return test


def _cidr(operand: Any, path: str) -> _Test:
    from ipaddress import ip_address, ip_network

    try:
        if not _CIDR.fullmatch(_text(operand, path)):
            raise ValueError  # noqa: TRY301 - ip_network would read a netmask or a bare address, too
        network = ip_network(operand, strict=False)
    except ValueError:
        hint = "such as 172.16.0.0/16 or fd00::/8; one address is /32 or /128"
        raise PatternError(path, f"{_shown(operand)} is not a block of addresses", hint) from None

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ip_address(value) in network
        except ValueError:
            return False

    return test


def _anything_but(operand: Any, path: str) -> _Test:
    make: Callable[[Any, str], _Test] = _item
    if isinstance(operand, Mapping):
        name, operand = _operator(operand, path)
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise PatternError(path, f"cannot hold {name}", "prefix, suffix, equals-ignore-case, wildcard or values")
        make, path = _OPERATORS[name], f"{path}.{name}"
    items = operand if isinstance(operand, (list, tuple)) else [operand]
    if not items:
        raise PatternError(path, "is an empty list", "name what is not wanted")
    for item in items:
        if make is _item and not isinstance(item, str) and not _is_number(item):
            raise PatternError(
                path, f"takes strings and numbers, not {_shown(item)}", "or one operator for all of them"
            )
        if item == "" and path.endswith(("prefix", "suffix")):
            raise PatternError(path, "is empty, as every text's can be: nothing would be left", "name some characters")
    tests = tuple(make(item, path if items is not operand else f"{path}[{index}]") for index, item in enumerate(items))
    return lambda value: not any(test(value) for test in tests)


_OPERATORS: Final[Mapping[str, Callable[[Any, str], _Test]]] = {
    "prefix": _affix(str.startswith),
    "suffix": _affix(str.endswith),
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
    "cidr": _cidr,
    "equals-ignore-case": _folded(operator.eq),
    "wildcard": _wildcard,
}


def _text(operand: Any, path: str) -> str:
    if not isinstance(operand, str):
        raise PatternError(path, f"takes a string, not {_shown(operand)}")
    return operand


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_INFINITY < value < _INFINITY


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
        return _shown(item)
    return " ".join(f"{name} {_shown(operand)}" for name, operand in item.items())


def _shown(value: object) -> str:
    """A value as JSON writes it, short enough for a line, and printable even with lone surrogates."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = f"some {type(value).__name__}"
    text = text.encode("utf-8", "backslashreplace").decode()
    return cut(text, 200)

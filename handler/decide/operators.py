"""The operators of event patterns: what one item of a field's list matches.

:mod:`handler.decide.patterns` says what they mean.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from handler.errors import StewardError
from handler.lib.wording import cut, meant

#: A check of one value that is neither None, nor a list, nor an object.
Test = Callable[[Any], bool]

_INFINITY: Final = float("inf")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_CIDR: Final = re.compile(r"[0-9A-Fa-f.:]+/[0-9]{1,3}")
_COMPARATORS: Final = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


class PatternError(StewardError):
    """A pattern that means nothing.

    ``path`` is the key's, as in ``when.labels.severity[0].prefix``; ``hint`` says how to fix it and may be empty.
    """

    def __init__(self, path: str, problem: str, hint: str = "") -> None:
        self.path, self.problem, self.hint = path, problem, hint
        text = f"{path}: {problem}" + (f" ({hint})" if hint else "")
        super().__init__(text.encode("utf-8", "backslashreplace").decode())


def item_test(raw: Any, path: str) -> Test:
    """The test that one item of a list, a literal or an operator, stands for."""
    if isinstance(raw, Mapping):
        name, operand = _operator(raw, path)
        return OPERATORS[name](operand, f"{path}.{name}")
    if raw is None:
        return no_value
    if isinstance(raw, bool):
        return lambda value: value is raw
    if isinstance(raw, str):
        return lambda value: isinstance(value, str) and value == raw
    if _is_number(raw):
        return lambda value: _is_number(value) and value == raw
    if isinstance(raw, (list, tuple)):
        raise PatternError(path, "is a list within the list", "write the values side by side")
    raise PatternError(path, "is not a string, number, true, false or null", "quote it")


def no_value(value: Any) -> bool:
    """The test of ``null`` and ``{exists: false}``, which no value matches.

    The check of the whole list knows it.
    """
    return False


def _operator(raw: Mapping[Any, Any], path: str) -> tuple[str, Any]:
    """The one operator of an object, and its operand."""
    if not raw:
        raise PatternError(path, "is an empty object", f"one of {', '.join(OPERATORS)}")
    for name in raw:
        if name not in OPERATORS:
            raise PatternError(f"{path}.{str(name)[:80]}", "is not an operator", meant(str(name), OPERATORS))
    if len(raw) > 1:
        raise PatternError(path, f"has several operators: {', '.join(raw)}", "one object each; any of them may match")
    return next(iter(raw.items()))


def _affix(method: Callable[[str, str], bool]) -> Callable[[Any, str], Test]:
    folded = _folded(method)

    def make(operand: Any, path: str) -> Test:
        if isinstance(operand, Mapping):
            if list(operand) != ["equals-ignore-case"]:
                raise PatternError(path, "takes a string or equals-ignore-case", "such as {equals-ignore-case: hbase}")
            return folded(operand["equals-ignore-case"], f"{path}.equals-ignore-case")
        text = _text(operand, path)
        return lambda value: isinstance(value, str) and method(value, text)

    return make


def _folded(method: Callable[[str, str], bool]) -> Callable[[Any, str], Test]:
    def make(operand: Any, path: str) -> Test:
        text = _text(operand, path).casefold()
        return lambda value: isinstance(value, str) and method(value.casefold(), text)

    return make


def _wildcard(operand: Any, path: str) -> Test:
    pieces = [""]
    before = ""
    for part in re.findall(r"\\.?|.", _text(operand, path), re.DOTALL):
        if part == before == "*":
            raise PatternError(path, "has two stars side by side", "one stands for any number of characters")
        if part[0] == "\\" and part not in ("\\*", "\\\\"):
            raise PatternError(path, f"has {shown(part)}, which is not an escape", r"escapes are \* and \\")
        if part == "*":
            pieces.append("")
        else:
            pieces[-1] += part[-1]
        before = part
    if len(pieces) == 1:
        return item_test(pieces[0], path)
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


def _exists(operand: Any, path: str) -> Test:
    if not isinstance(operand, bool):
        raise PatternError(path, f"takes true or false, not {shown(operand)}")
    return (lambda value: True) if operand else no_value


def _numeric(operand: Any, path: str) -> Test:
    if not isinstance(operand, (list, tuple)) or len(operand) not in (2, 4):
        raise PatternError(path, "takes a comparator and a number, once or twice", 'such as [">=", 3, "<", 10]')
    for index, term in enumerate(operand):
        if index % 2 and not _is_number(term):
            raise PatternError(f"{path}[{index}]", f"{shown(term)} is not a number", "finite and not quoted")
        if not index % 2 and (not isinstance(term, str) or term not in _COMPARATORS):
            hint = "use anything-but" if term == "!=" else f"one of {' '.join(_COMPARATORS)}"
            raise PatternError(f"{path}[{index}]", f"{shown(term)} is not a comparator", hint)
    sign, bound, also, other = (*operand, *operand)[:4]
    if len(operand) == 4:
        if {sign[0], also[0]} != {"<", ">"}:
            raise PatternError(path, "needs one lower and one upper bound", 'such as [">=", 3, "<", 10]')
        low, high = (bound, other) if sign[0] == ">" else (other, bound)
        if low > high or (low == high and {sign, also} != {">=", "<="}):
            raise PatternError(path, f"no number is {sign} {shown(bound)} and {also} {shown(other)}", "swap the bounds")
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


def _cidr(operand: Any, path: str) -> Test:
    from ipaddress import ip_address, ip_network

    try:
        if not _CIDR.fullmatch(_text(operand, path)):
            raise ValueError  # noqa: TRY301 - ip_network would read a netmask or a bare address, too
        network = ip_network(operand, strict=False)
    except ValueError:
        hint = "such as 172.16.0.0/16 or fd00::/8; one address is /32 or /128"
        raise PatternError(path, f"{shown(operand)} is not a block of addresses", hint) from None

    def test(value: Any) -> bool:
        try:
            return isinstance(value, str) and ip_address(value) in network
        except ValueError:
            return False

    return test


def _anything_but(operand: Any, path: str) -> Test:
    make: Callable[[Any, str], Test] = item_test
    if isinstance(operand, Mapping):
        name, operand = _operator(operand, path)
        if name not in ("prefix", "suffix", "equals-ignore-case", "wildcard"):
            raise PatternError(path, f"cannot hold {name}", "prefix, suffix, equals-ignore-case, wildcard or values")
        make, path = OPERATORS[name], f"{path}.{name}"
    items = operand if isinstance(operand, (list, tuple)) else [operand]
    if not items:
        raise PatternError(path, "is an empty list", "name what is not wanted")
    for item in items:
        if make is item_test and not isinstance(item, str) and not _is_number(item):
            raise PatternError(path, f"takes strings and numbers, not {shown(item)}", "or one operator for all of them")
        if item == "" and path.endswith(("prefix", "suffix")):
            raise PatternError(path, "is empty, as every text's can be: nothing would be left", "name some characters")
    tests = tuple(make(item, path if items is not operand else f"{path}[{index}]") for index, item in enumerate(items))
    return lambda value: not any(test(value) for test in tests)


OPERATORS: Final[Mapping[str, Callable[[Any, str], Test]]] = {
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
        raise PatternError(path, f"takes a string, not {shown(operand)}")
    return operand


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -_INFINITY < value < _INFINITY


def shown(value: object) -> str:
    """A value as JSON writes it, cut to fit a line.

    It can be printed even with lone surrogates.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        text = f"some {type(value).__name__}"
    text = text.encode("utf-8", "backslashreplace").decode()
    return cut(text, 200)

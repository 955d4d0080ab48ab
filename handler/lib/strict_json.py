"""JSON from outside, read strictly and within bounds, so that a text has one meaning.

Python's own reader takes duplicate keys (the last one wins), NaN, and numbers of any length. Of two programs that read
such a text differently, one acts on what the other never saw; so here it ends as InvalidInput.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from handler.errors import FieldError, InvalidInput
from handler.lib.wording import cut

#: The platform's own bound of a synchronous request (SCF, "Quota limits"), in bytes.
MAX_BYTES = 6 * 1024 * 1024
#: Levels of objects and arrays. The deepest known payload has seven.
MAX_LEVELS = 64
#: Characters of one number. A double has 17 digits, an unsigned 64-bit integer 20.
MAX_DIGITS = 40


def parse(text: str | bytes, at: str) -> object:
    """The value that ``text`` (UTF-8, with or without a byte order mark) stands for.

    ``at`` is the field that holds the text, for the error. Raises InvalidInput for what is not strict JSON (RFC
    8259, with unique keys and finite numbers), is longer than MAX_BYTES or deeper than MAX_LEVELS.
    """
    if len(text) > MAX_BYTES:
        raise InvalidInput(FieldError(at, f"is longer than {MAX_BYTES} bytes"))
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(FieldError(at, f"is not UTF-8 (byte {error.start})")) from None
    text = text.removeprefix("\ufeff")
    if not text or text.isspace():
        raise InvalidInput(FieldError(at, "is empty; a JSON object or array is wanted"))
    try:
        value = _decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidInput(FieldError(at, f"is not valid JSON: {error.msg} ({place})")) from None
    except _NotStrict as error:
        raise InvalidInput(FieldError(at, str(error))) from None
    except RecursionError:
        raise InvalidInput(FieldError(at, _TOO_DEEP)) from None
    if is_deeper(value, MAX_LEVELS):
        raise InvalidInput(FieldError(at, _TOO_DEEP))
    return value


def is_deeper(value: object, levels: int) -> bool:
    """Whether objects and arrays lie in each other more than ``levels`` deep."""
    level: list[Any] = [value] if type(value) in _CONTAINERS else []
    for _ in range(levels):
        inner: list[Any] = []
        for item in level:
            if type(item) is dict:
                inner += item.values()
            else:
                inner += item
        level = [item for item in inner if type(item) in _CONTAINERS]
        if not level:
            return False
    return bool(level)


_CONTAINERS = frozenset((dict, list))
_TOO_DEEP = f"is nested more than {MAX_LEVELS} deep"


class _NotStrict(Exception):
    """What Python's reader would take and we do not."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise _NotStrict(f"has a key twice in one object: {cut(ascii(twice), 80)}")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _NotStrict(f"holds a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise _NotStrict("holds a number that is too large")
    return number


def _constant(name: str) -> NoReturn:
    raise _NotStrict(f"holds {name}, which is not valid JSON")


_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_fraction, parse_constant=_constant
).decode

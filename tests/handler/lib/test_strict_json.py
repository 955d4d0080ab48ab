"""JSON from outside is read strictly, and what is wrong with it is said."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import InvalidInput
from handler.lib.strict_json import MAX_BYTES, MAX_LEVELS, is_deeper, parse

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_what_json_can_say_is_read_as_it_was_meant(value: Any) -> None:
    """A strict text keeps its value, as text, as bytes, and with a byte order mark."""
    written = json.dumps(value)
    assert parse(written, "body") == value
    assert parse(written.encode(), "body") == value
    assert parse(b"\xef\xbb\xbf" + written.encode(), "body") == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty"),
        (b" \n", "is empty"),
        ("\ufeff", "is empty"),
        ("{", "is not valid JSON: Expecting property name enclosed in double quotes (line 1, column 2)"),
        ('{\n "a": x}', "(line 2, column 7)"),
        ("{'a': 1}", "is not valid JSON"),
        ('{"a": 1} {}', "is not valid JSON: Extra data"),
        (b'{"a": "\xff"}', "is not UTF-8 (byte 7)"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8 (byte 0)"),
        ('{"a": 1, "b": {}, "a": 2}', "has a key twice in one object: 'a'"),
        ('[{"x": {"\\u001b": 1, "\\u001b": 2}}]', "has a key twice in one object: '\\x1b'"),
        ("[NaN]", "holds NaN"),
        ("-Infinity", "holds -Infinity"),
        ("[1e999]", "holds a number that is too large"),
        ("-1e999", "holds a number that is too large"),
        ("[" + "9" * 41 + "]", "holds a number of more than 40 digits"),
        ("9" * 5000, "holds a number of more than 40 digits"),
        ("[" * (MAX_LEVELS + 1) + "]" * (MAX_LEVELS + 1), "is nested more than 64 deep"),
        ('{"a":' * 65 + "1" + "}" * 65, "is nested more than 64 deep"),
        ("[" * 200_000, "is nested more than 64 deep"),
        ('{"a":' * 200_000, "is nested more than 64 deep"),
        ("[" * 100_000 + "]" * 100_000, "is nested more than 64 deep"),
        (" " * (MAX_BYTES + 1), f"is longer than {MAX_BYTES} bytes"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_strict_is_refused_with_its_place(text: str | bytes, problem: str) -> None:
    """Every text that two programs could read differently, or that is out of bounds, is InvalidInput for its field."""
    with pytest.raises(InvalidInput) as caught:
        parse(text, "body")
    (fault,) = caught.value.errors
    assert fault.field == "body"
    assert problem in fault.problem


def test_the_deepest_text_that_is_allowed_is_read() -> None:
    """The bound is MAX_LEVELS, not one less."""
    assert parse("[" * MAX_LEVELS + "]" * MAX_LEVELS, "body")


@given(st.text() | st.binary())
def test_any_text_is_a_value_or_invalid_input(text: str | bytes) -> None:
    """Nothing else ever comes out."""
    with suppress(InvalidInput):
        parse(text, "body")


@pytest.mark.parametrize(
    ("value", "levels"), [(1, 0), ([], 1), ({}, 1), ([1, [2]], 2), ({"a": [{}]}, 3), ([[], [[]]], 3)]
)
def test_depth_counts_objects_and_arrays(value: object, levels: int) -> None:
    """A scalar has no depth, an empty array one."""
    assert not is_deeper(value, levels)
    assert is_deeper([value], levels)
    if levels:
        assert is_deeper(value, levels - 1)


def test_a_repeated_key_among_many_is_found_quickly() -> None:
    """A body of hundreds of thousands of keys costs time in proportion, or one call could stop the function."""
    text = "{" + ",".join(f'"{n}":1' for n in range(400_000)) + ',"399999":1}'
    started = time.process_time()
    with pytest.raises(InvalidInput, match="'399999'"):
        parse(text, "body")
    assert time.process_time() - started < 10

"""Text from senders is cut and made safe to log; text that is safe already stays unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.receive.sanitize import (
    LEFT_OUT,
    MAX_IN_ID,
    MAX_IN_LABEL,
    MAX_IN_NAME,
    MAX_LABELS,
    as_text,
    digest,
    flattened,
    identity,
    labels,
    plain,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DataNode down", "DataNode down"),
        ("", ""),
        ("数据节点　离线", "数据节点　离线"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b[31mred\x00", "\ufffd[31mred\ufffd"),
        ("right\u202eto left", "right\ufffdto left"),
        ("half \ud800 a pair", "half \ufffd a pair"),
        ("12345678901234567890", "12345678901234567890"),
        ("123456789012345678901", "1234567890123456789…"),
    ],
)
def test_text_is_cut_and_cleaned(text: str, expected: str) -> None:
    """Control characters, direction marks and lone surrogates are replaced; line breaks and all scripts stay."""
    assert plain(text, 20) == expected


@given(st.text(st.characters()), st.integers(1, 300))
def test_plain_text_can_always_be_encoded(text: str, limit: int) -> None:
    """The result is valid UTF-8, within its limit, and unchanged by a second call."""
    cleaned = plain(text, limit)
    assert len(cleaned) <= limit
    assert cleaned.encode().decode() == cleaned
    assert plain(cleaned, limit) == cleaned


def test_an_empty_text_stays_empty() -> None:
    """An empty text is not replaced by an ellipsis."""
    assert plain("", 1) == ""


@given(st.text(max_size=400), st.text(max_size=400))
def test_ids_are_bounded_and_as_different_as_their_texts(one: str, other: str) -> None:
    """A long or unsafe id stays unique because it ends with a hash of the whole."""
    assert len(identity(one)) <= MAX_IN_ID
    assert identity(one).encode().decode() == identity(one)
    assert (identity(one) == identity(other)) == (one == other)


def test_a_short_id_is_unchanged() -> None:
    """An operator can search for the sender's own id."""
    assert identity("87719609573713f6@2026-11-23T21:34:02Z") == "87719609573713f6@2026-11-23T21:34:02Z"
    assert identity("x" * 256) == "x" * 256
    assert identity("x" * 257).startswith("x" * 200)


def test_a_digest_depends_on_the_value_alone() -> None:
    """The order of keys does not matter, and a digest never raises."""
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest({1, 2}) == digest({3})
    assert digest(10**5000) == digest(10**5000)


def nested(inside: object, levels: int = 100_000) -> object:
    """A list that is nested deeper than Python's JSON encoder allows."""
    for _ in range(levels):
        inside = [inside]
    return inside


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({1: 1, "a": 2}, {"other": 1, 2: 2}),
        (10**5000, 10**5000 + 1),
        ({"a": 10**5000, "b": 1}, {"a": 10**5000, "b": 2}),
        ([nested(1), "x"], [nested(1), "y"]),
        ({"id": "x", "deep": nested(1)}, {"id": "y", "deep": nested(1)}),
        (nested(1, 2000), nested(2, 2000)),
        ([float("inf"), b"a"], [float("inf"), b"b"]),
        ([True, 10**5000], [1, 10**5000]),
    ],
    ids=range(8),
)
def test_values_that_cannot_be_json_have_digests_too(one: object, other: object) -> None:
    """Different values have different digests, and equal values the same, whatever the order of their keys."""
    assert digest(one) != digest(other)
    assert digest(one) == digest(one if not isinstance(one, dict) else dict(reversed(one.items())))


def test_the_digest_of_a_value_that_contains_itself_ends() -> None:
    """A list that contains itself has a digest, and no endless loop."""
    ring: list[object] = []
    ring.append(ring)
    assert digest(ring) == digest(ring)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "a"),
        (True, "true"),
        (False, "false"),
        (1, "1"),
        (0.5, "0.5"),
        (None, ""),
        ([1], ""),
        ({}, ""),
        (10**5000, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_scalars_are_written_as_json_writes_them(value: object, expected: str) -> None:
    """Labels are strings, whatever type the sender used."""
    assert as_text(value) == expected


@given(st.dictionaries(st.text(max_size=300), st.text(max_size=1100), max_size=5))
def test_labels_are_bounded(pairs: dict[str, str]) -> None:
    """Keys and values are bounded; those that are safe already stay unchanged."""
    bounded = labels(dict(pairs))
    assert all(len(key) <= MAX_IN_NAME and len(value) <= MAX_IN_LABEL for key, value in bounded.items())
    assert json.dumps(bounded, ensure_ascii=False).encode()
    for key, value in pairs.items():
        if len(key) <= MAX_IN_NAME and len(value) <= MAX_IN_LABEL and (key + value).isprintable():
            assert bounded[key] == value


def test_labels_beyond_the_bound_are_counted() -> None:
    """A label holds the number of labels that were left out."""
    bounded = labels({f"label-{n}": "" for n in range(MAX_LABELS + 10)})
    assert len(bounded) == MAX_LABELS
    assert bounded[LEFT_OUT] == "11"


def test_nested_scalars_are_named_by_their_path() -> None:
    """Paths are joined with underscores, as templates can name them; empty values are left out."""
    value = {
        "ip": "172.16.0.5",
        "detail": {"lan": "10.0.0.1", "none": None, "ok": True},
        "list": [1, {"x": 2}],
        "no": {},
    }
    assert flattened(value, "dimension") == {
        "dimension_ip": "172.16.0.5",
        "dimension_detail_lan": "10.0.0.1",
        "dimension_detail_ok": "true",
        "dimension_list_0": "1",
        "dimension_list_1_x": "2",
    }
    assert flattened("emr-4zvc5mul#172.16.0.5", "dimension") == {"dimension": "emr-4zvc5mul#172.16.0.5"}


@pytest.mark.parametrize(
    "value",
    [
        {str(n): n for n in range(100_000)},
        [[n] * 1000 for n in range(1000)],
        {"a": {str(n): {str(m): m for m in range(500)} for n in range(500)}},
    ],
    ids=["wide", "wide twice", "wide below"],
)
def test_flattening_is_bounded(value: Any) -> None:
    """Only a limited number of scalars is read, however wide the value is."""
    assert 0 < len(flattened(value, "x")) <= 2 * MAX_LABELS


def test_flattening_is_limited_in_depth() -> None:
    """Values below the fourth level are not read."""
    assert flattened({"a": {"b": {"c": {"d": 1, "e": {"f": 2}}}}}, "x") == {"x_a_b_c_d": "1"}

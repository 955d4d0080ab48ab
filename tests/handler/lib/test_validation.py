"""Schemas: what is valid, and the errors that name their fields and never their values."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core.core_schema import ErrorType
from typing_extensions import NotRequired, TypedDict

from handler.errors import InvalidInput
from handler.lib.validation import WORDS, Bound, Schema, dotted, schemas


class Alert(TypedDict):
    """One of a payload's."""

    ip: str
    value: NotRequired[Annotated[int, Bound(ge=0, le=10)]]
    kind: NotRequired[Literal["start", "stop", "restart"]]
    moment: NotRequired[float]
    is_new: NotRequired[bool]


class Payload(TypedDict):
    """What tests read."""

    alerts: list[Alert]
    labels: NotRequired[dict[str, str]]
    names: NotRequired[Annotated[list[Annotated[str, Bound(max_length=3)]], Bound(min_length=1, max_length=2)]]


PAYLOAD: Schema[Any] = Schema(Payload)
del schemas[PAYLOAD.name]  # none of the function's: it is neither packaged nor compared


def test_a_core_that_needs_more_than_the_types_stand_in_for_is_imported_whole(tmp_path: Path) -> None:
    """Another version may take something else from its core_schema: then it is loaded, only more slowly."""
    package = tmp_path / "pydantic_core"
    package.mkdir()
    (package / "__init__.py").write_text("from .core_schema import CoreSchema, Another\n", encoding="utf-8")
    (package / "core_schema.py").write_text("CoreSchema, Another = 1, 2\n", encoding="utf-8")
    code = (
        "from handler.lib.validation import _import_core_alone; _import_core_alone(); "
        "import pydantic_core; print(pydantic_core.Another)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{root}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ({}, ["alerts"]),
        ([], [""]),
        (None, [""]),
        ({"alerts": 1}, ["alerts"]),
        ({"alerts": [{"ip": 1}]}, ["alerts[0].ip"]),
        ({"alerts": [{"ip": "a"}, {"ip": "b", "value": 11}, {}]}, ["alerts[1].value", "alerts[2].ip"]),
        ({"alerts": [], "labels": {"k": 7}}, ["labels.k"]),
    ],
)
def test_each_field_that_is_wrong_is_named(raw: object, fields: list[str]) -> None:
    """By its path within the payload."""
    with pytest.raises(InvalidInput) as raised:
        PAYLOAD.validate(raw)
    assert [fault.field for fault in raised.value.errors] == fields
    assert all(fault.problem for fault in raised.value.errors)
    with pytest.raises(InvalidInput) as raised:
        PAYLOAD.validate(raw, "body")
    assert all(fault.field.startswith("body") for fault in raised.value.errors)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({}, "alerts: is missing"),
        ([], "must be an object"),
        ({"alerts": {}}, "alerts: must be a list"),
        ({"alerts": [{"ip": 1}]}, "alerts[0].ip: must be a text"),
        ({"alerts": [{"ip": "a", "value": "x"}]}, "alerts[0].value: must be a whole number"),
        ({"alerts": [{"ip": "a", "value": 1.5}]}, "alerts[0].value: must be a whole number"),
        ({"alerts": [{"ip": "a", "value": -1}]}, "alerts[0].value: must be at least 0"),
        ({"alerts": [{"ip": "a", "value": 11}]}, "alerts[0].value: must be at most 10"),
        (
            {"alerts": [{"ip": "a", "kind": "restrat"}]},
            "alerts[0].kind: must be one of start, stop, restart; did you mean restart?",
        ),
        ({"alerts": [{"ip": "a", "kind": "x" * 99_999}]}, "alerts[0].kind: must be one of start, stop, restart"),
        ({"alerts": [{"ip": "a", "kind": None}]}, "alerts[0].kind: must be one of start, stop, restart"),
        ({"alerts": [{"ip": "a", "moment": "soon"}]}, "alerts[0].moment: must be a number"),
        ({"alerts": [{"ip": "a", "is_new": "perhaps"}]}, "alerts[0].is_new: must be true or false"),
        ({"alerts": [], "names": []}, "names: is empty"),
        ({"alerts": [], "names": ["a"] * 3}, "names: has more than 2 items"),
        ({"alerts": [], "names": ["abcd"]}, "names[0]: is longer than 3 characters"),
    ],
)
def test_it_is_said_in_plain_words(raw: object, says: str) -> None:
    """Not in the validator's, with the word that was meant where it is one of a few."""
    with pytest.raises(InvalidInput) as raised:
        PAYLOAD.validate(raw)
    assert str(raised.value) == says


def test_the_words_are_of_findings_that_there_are() -> None:
    """By pydantic's own list."""
    assert set(WORDS) <= set(get_args(ErrorType))


def test_a_value_is_never_shown() -> None:
    """A fault goes to a log and an answer; what was in the field may be a secret."""
    with pytest.raises(InvalidInput) as raised:
        PAYLOAD.validate({"alerts": [{"ip": ["hunter2"], "value": "hunter2"}], "labels": "hunter2"})
    assert "hunter2" not in str(raised.value)
    assert len(raised.value.errors) == 3


def test_only_the_first_ten_faults_are_said() -> None:
    """An answer about a payload of a thousand stays short, and so does a name."""
    with pytest.raises(InvalidInput) as raised:
        PAYLOAD.validate({"alerts": [{} for _ in range(1000)]})
    assert len(raised.value.errors) == 10
    with pytest.raises(InvalidInput) as raised:
        PAYLOAD.validate({"alerts": [], "labels": {"k" * 5000: 1}})
    assert len(raised.value.errors[0].field) < 120


def test_what_is_right_is_read() -> None:
    """Numbers as text are numbers; what the shape does not name is left out."""
    assert PAYLOAD.validate({"alerts": [{"ip": "a", "value": "7", "more": 1}]}) == {"alerts": [{"ip": "a", "value": 7}]}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alerts", "ip", "labels", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(anything)
def test_anything_is_read_or_refused(raw: object) -> None:
    """No input raises anything else."""
    try:
        read = PAYLOAD.validate(raw)
    except InvalidInput as error:
        assert error.errors
    else:
        assert isinstance(read["alerts"], list)


@pytest.mark.parametrize(
    ("at", "loc", "path"),
    [
        ("", (), ""),
        ("", ("alerts", 0, "labels", "ip"), "alerts[0].labels.ip"),
        ("body", ("alerts",), "body.alerts"),
        ("body", (3,), "body[3]"),
        ("", (3, "a"), "[3].a"),
    ],
)
def test_paths_are_written_as_people_do(at: str, loc: tuple[int | str, ...], path: str) -> None:
    """Dots for names, brackets for places."""
    assert dotted(at, loc) == path

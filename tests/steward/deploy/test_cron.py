"""The platform's cron of seven fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steward.deploy import cron


@pytest.mark.parametrize(
    "expression",
    [
        "0 * * * * * *",
        "0 0 22 * * * *",
        "*/5 * * * * * *",
        "0 15,30-45/5 8-20 1-15 JAN-MAR,dec MON-FRI 2026-2030",
        "0 0 2 L * ? *",
        "0 0 2 15W * ? *",
        "0 0 2 ? * 1#1 *",
        "0  0 2 * * 0 *",
    ],
)
def test_what_the_platform_documents_is_taken(expression: str) -> None:
    """Numbers, ranges, steps, lists, words, and the signs of days."""
    assert not cron.problem_of(expression)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("*/5 * * * *", "has 5 fields instead of 7: second minute hour day month week year"),
        ("0 0 22 * * *", "has 6 fields"),
        ("", "has 0 fields"),
        ("60 * * * * * *", "its second '60'"),
        ("0 0 24 * * * *", "its hour '24'"),
        ("0 0 0 0 * * *", "its day '0'"),
        ("0 0 0 * * 7 *", "its week '7' cannot be read; it is from 0 to 6"),
        ("0 30-10 * * * * *", "its minute '30-10'"),
        ("0 */0 * * * * *", "its minute '*/0'"),
        ("0 0 0 * FOO * *", "its month 'FOO'"),
        ("0 0 ? * * * *", "its hour '?'"),
        ("0 0 1, * * * *", "its hour '1,'"),
        ("0 0 1 * * * 26", "its year '26'"),
    ],
)
def test_what_it_would_refuse_is_reported_with_its_field(expression: str, expected: str) -> None:
    """Unix's five fields, six of other schedulers, and values out of bounds."""
    assert expected in cron.problem_of(expression)


@given(st.text(max_size=60))
def test_no_text_breaks_it(text: str) -> None:
    """Every text is accepted or has a problem."""
    assert isinstance(cron.problem_of(text), str)


@given(st.tuples(*(st.integers(field.minimum, field.maximum) for field in cron.FIELDS)))
def test_every_number_within_its_bounds_is_taken(numbers: tuple[int, ...]) -> None:
    """The first number beyond a bound is refused."""
    assert not cron.problem_of(" ".join(map(str, numbers)))
    for place, field in enumerate(cron.FIELDS):
        beyond = [*numbers[:place], field.maximum + 1, *numbers[place + 1 :]]
        assert f"its {field.name} " in cron.problem_of(" ".join(map(str, beyond)))

"""The times that senders write are parsed into seconds since the epoch."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.receive.timestamps import CHINA, parse_epoch, parse_time


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2019-02-21T11:49:00Z", 1550749740.0),
        ("2019-02-21t11:49:00z", 1550749740.0),
        ("2019-02-21T19:49:00+08:00", 1550749740.0),
        ("2019-02-21T19:49:00+0800", 1550749740.0),
        ("2019-02-21T06:19:00-05:30", 1550749740.0),
        ("2019-02-21 11:49:00", 1550749740.0),
        ("2026-11-23T21:34:02.5Z", 1795469642.5),
        ("2026-11-23T21:34:02.069320828Z", 1795469642.069320828),
        ("0001-01-01T00:00:00Z", None),
        ("1969-12-31T23:59:59Z", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-11-23T25:00:00Z", None),
        ("2026-11-23", None),
        ("2026-11-23T21:34:02Z ", None),
        ("٢٠٢٦-11-23T21:34:02Z", None),
        ("2026-11-23T21:34:02." + "0" * 60 + "Z", None),
        ("0", None),
        ("", None),
        ("now", None),
    ],
)
def test_times(text: str, seconds: float | None) -> None:
    """RFC 3339 and similar formats are parsed; any other text, and a time before 1970, is None."""
    assert parse_time(text) == seconds


def test_a_time_without_a_zone_uses_the_default_zone() -> None:
    """Cloud Monitor writes China Standard Time; a zone in the text takes precedence."""
    assert parse_time("2018-06-15 16:32:06", CHINA) == 1529051526.0
    assert parse_time("2018-06-15 08:32:06Z", CHINA) == 1529051526.0


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 - the zone is drawn beside it
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_any_time_that_python_formats_is_parsed(time: datetime, offset: int) -> None:
    """The result is the same time, to the precision of a float."""
    aware = time.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert parse_time(aware.isoformat()) == pytest.approx(aware.timestamp(), abs=1e-4)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (1615430559146, 1615430559.146),
        ("1615430559146", 1615430559.146),
        (1615430559146.0, 1615430559.146),
        (1615430559, 1615430559.0),
        ("1615430559", 1615430559.0),
        (0, 0.0),
        (-1, None),
        (True, None),
        (None, None),
        ("", None),
        ("soon", None),
        ("16154305591.46", None),
        ("²", None),
        ("1" * 5000, None),
        (10**400, None),
        (float("nan"), None),
        (float("inf"), None),
        ([1615430559146], None),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_epoch_counts(value: object, seconds: float | None) -> None:
    """Seconds and milliseconds are distinguished by size; anything else is None."""
    assert parse_epoch(value) == seconds

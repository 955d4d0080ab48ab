"""Times as senders write them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.receive.timestamps import CHINA, counted, moment


@pytest.mark.parametrize(
    ("written", "seconds"),
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
def test_moments(written: str, seconds: float | None) -> None:
    """RFC 3339 and its relatives are read; what is no moment after 1970 is None."""
    assert moment(written) == seconds


def test_a_time_without_a_zone_is_meant_where_its_sender_is() -> None:
    """Cloud Monitor's times are China's; a zone that is written wins."""
    assert moment("2018-06-15 16:32:06", CHINA) == 1529051526.0
    assert moment("2018-06-15 08:32:06Z", CHINA) == 1529051526.0


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001 - the zone is drawn beside it
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_any_moment_that_python_writes_is_read(time: datetime, offset: int) -> None:
    """The same instant comes back, to the microsecond that a float holds."""
    aware = time.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert moment(aware.isoformat()) == pytest.approx(aware.timestamp(), abs=1e-4)


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
def test_counts(value: object, seconds: float | None) -> None:
    """Milliseconds and seconds are told apart; what is no count is None."""
    assert counted(value) == seconds

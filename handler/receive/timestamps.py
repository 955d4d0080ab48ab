"""Moments as senders write them, as seconds since the epoch."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

#: Cloud Monitor writes local times without a zone; Tencent's consoles run on China Standard Time.
CHINA = timezone(timedelta(hours=8))

_WRITTEN = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2}))?"
)
_MAX_LENGTH = 64  # characters
_LAST = 253_402_300_799.0  # the last second of the year 9999
_FIRST_IN_MILLISECONDS = 100_000_000_000  # as seconds this is the year 5138, as milliseconds 1973


def moment(written: str, without_zone: timezone = timezone.utc) -> float | None:
    """Seconds since the epoch for ``2026-11-23T21:34:02.069320828Z``, ``2018-06-15 16:32:06`` and the like.

    ``without_zone`` is where a time without a zone is meant to be. None for what is no such moment, and for one before
    1970: Go's zero time, ``0001-01-01T00:00:00Z``, means that there is none.
    """
    return _moment(written, without_zone) if len(written) <= _MAX_LENGTH else None


@lru_cache(maxsize=512)  # the alerts of one rule began at one moment
def _moment(written: str, without_zone: timezone) -> float | None:
    found = _WRITTEN.fullmatch(written)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, is_utc, sign, zone_hours, zone_minutes = found.groups()
    zone = timezone.utc if is_utc or sign else without_zone
    try:
        seconds = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=zone
        ).timestamp()
    except (ValueError, OverflowError):
        return None
    if sign:
        offset = int(zone_hours) * 3600 + int(zone_minutes) * 60
        seconds += -offset if sign == "+" else offset
    if fraction:
        seconds += int(fraction) / 10 ** len(fraction)
    return seconds if seconds >= 0 else None


def counted(value: object) -> float | None:
    """Seconds since the epoch for a count of milliseconds (or of seconds, which are told apart by their size).

    The count may be a number or a string of digits. None for what is neither, and for what lies after the year 9999.
    """
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= 16 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _LAST * 1000:
        return None
    return value / 1000 if value >= _FIRST_IN_MILLISECONDS else float(value)

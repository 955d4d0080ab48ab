"""Parses the times that senders write into seconds since the epoch."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from functools import lru_cache

#: Cloud Monitor writes local times without a zone, which are China Standard Time.
CHINA = timezone(timedelta(hours=8))

_FORMAT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,12}))?"
    r"(?:([Zz])|([+-])([0-9]{2}):?([0-9]{2}))?"
)
_MAX_LENGTH = 64  # characters
_MAX_SECONDS = 253_402_300_799.0  # the last second of the year 9999
#: A count of at least this is in milliseconds: as seconds it is the year 5138, as milliseconds 1973.
_MIN_MILLISECONDS = 100_000_000_000


def parse_time(text: str, default_zone: timezone = timezone.utc) -> float | None:
    """Seconds since the epoch for a time in RFC 3339 or a similar format.

    Examples: ``2026-11-23T21:34:02.069320828Z``, ``2018-06-15 16:32:06``.
    ``default_zone`` applies to a time without a zone. The result is None where ``text`` is not a time, and where it is
    before 1970: Go programs write ``0001-01-01T00:00:00Z`` for "no time".
    """
    return _parse(text, default_zone) if len(text) <= _MAX_LENGTH else None


@lru_cache(maxsize=512)  # the alerts of one rule often have the same time
def _parse(text: str, default_zone: timezone) -> float | None:
    found = _FORMAT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, is_utc, sign, zone_hours, zone_minutes = found.groups()
    zone = timezone.utc if is_utc or sign else default_zone
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


def parse_epoch(value: object) -> float | None:
    """Seconds since the epoch for a count of seconds or milliseconds.

    The size of the count shows its unit. It may be a number or a string of digits. The result is None for anything
    else, and for a time after the year 9999.
    """
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= 16 else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= _MAX_SECONDS * 1000:
        return None
    return value / 1000 if value >= _MIN_MILLISECONDS else float(value)

"""A moment as people read it."""

from __future__ import annotations


def utc_text(at: float) -> str:
    """``2026-01-31T12:00:00Z`` for seconds since the epoch; the seconds themselves where no calendar has the year."""
    from datetime import datetime, timezone  # only what is told to people pays for it

    try:
        return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{at:.0f} s after 1970"

"""A moment as people read it."""

from __future__ import annotations


def utc_text(at: float) -> str:
    """``2026-01-31T12:00:00Z`` for seconds since the epoch."""
    from datetime import datetime, timezone  # only what is told to people pays for it

    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

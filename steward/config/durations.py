"""Durations as they stand in steward.yml: ``90s``, ``15m``, ``2h``, ``1h30m``."""

from __future__ import annotations

import re


def duration(raw: object) -> float | None:
    """Read ``90s``, ``15m``, ``2h``, ``7d``, ``1h30m`` or a number as seconds.

    Anything else is None.
    """
    if isinstance(raw, bool):
        return None
    if isinstance(raw, (int, float)):
        return float(raw) if raw == raw and abs(raw) < 1e12 else None  # noqa: PLR0124 - NaN is not itself
    if not isinstance(raw, str):
        return None
    text = raw.strip().lower()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text):
        return float(text)
    parts = re.findall(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*([smhd])", text)
    if not parts or "".join(f"{number}{unit}" for number, unit in parts) != re.sub(r"\s", "", text):
        return None
    return sum(float(number) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for number, unit in parts)


def span(seconds: float) -> str:
    """Write seconds as :func:`duration` reads them.

    The unit is the largest one in which they are a whole number.
    """
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"

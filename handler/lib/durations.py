"""Durations as people write them: ``90s``, ``15m``, ``1h30m``."""

from __future__ import annotations

import re


def duration(raw: object) -> float | None:
    """Seconds of ``90s``, ``15m``, ``2h``, ``7d``, ``1h30m`` or a number; None for anything else."""
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
    """Seconds as :func:`duration` reads them, in the largest unit that they are a whole number of."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"

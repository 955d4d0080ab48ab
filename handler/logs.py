"""Structured logs: one JSON object a line on standard output, as the platform's log service (CLS) expands it.

CLS indexes first-level keys only, cuts a line at 8 KB, and reserves keys that begin with ``SCF_``; so nested values are written as
JSON text, long ones are shortened, and the names are ours. Every event ends in one canonical line, ``steward.outcome``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from handler.settings import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from handler.clock import Clock
    from handler.outcomes import Record

#: Bytes of a line, its end included. The platform cuts at 8 KB; this leaves room for what it adds.
MOST_BYTES: Final = 8000
#: Secrets shorter than this are not looked for: they would blank out ordinary words.
SHORTEST_SECRET: Final = 6
REDACTED: Final = "[redacted]"


#: Made once: json.dumps makes one for every line that asks for anything but its defaults.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Log:
    """Writes lines. ``write`` takes text that ends in a line's end; ``secrets`` never get past it."""

    def __init__(
        self,
        write: Callable[[str], Any],
        clock: Clock,
        *,
        level: str = "INFO",
        secrets: Iterable[str] = (),
        base: Mapping[str, Any] | None = None,
    ) -> None:
        self._write = write
        self._clock = clock
        self._level = LEVELS.index(level)
        self._secrets = sorted({secret for secret in secrets if len(secret) >= SHORTEST_SECRET}, key=len, reverse=True)
        self._base = dict(base or {})

    def with_fields(self, **fields: Any) -> Log:
        """A log whose every line bears ``fields`` too."""
        log = Log(self._write, self._clock, level=LEVELS[self._level], base={**self._base, **fields})
        log._secrets = self._secrets
        return log

    def also_hide(self, secrets: Iterable[str]) -> None:
        """Secrets that became known later."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)}
        self._secrets = sorted(known, key=len, reverse=True)

    @property
    def is_debug(self) -> bool:
        """Whether debug lines are written: they may cost more to make than to write."""
        return self._level == 0

    def debug(self, event: str, **fields: Any) -> None:
        if self._level == 0:
            self._line("DEBUG", event, fields)

    def info(self, event: str, **fields: Any) -> None:
        if self._level <= 1:
            self._line("INFO", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        if self._level <= 2:
            self._line("WARNING", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        self._line("ERROR", event, fields)

    def outcomes(self, records: Iterable[Record], **fields: Any) -> None:
        """The canonical line of each event, whatever the level: it is what an operator asks for."""
        lines = []
        for record in records:
            outcome = record.outcome
            lines.append(
                self._text(
                    "WARNING" if outcome.is_alarming else "INFO",
                    "steward.outcome",
                    {
                        "outcome": outcome.status,
                        "code": outcome.code,
                        "reason": outcome.reason,
                        "event_id": record.event,
                        "source": record.source,
                        "name": record.name,
                        "cluster": record.cluster,
                        "rules": ",".join(record.rules),
                        "operations": ",".join(record.operations),
                        **outcome.facts,
                        **fields,
                    },
                )
            )
        self._write("".join(lines))

    def hide(self, text: str) -> str:
        """``text`` without the secrets that are known."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        return text

    def _line(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        self._write(self._text(level, event, fields))

    def _text(self, level: str, event: str, fields: Mapping[str, Any]) -> str:
        row = {"time": _iso(self._clock.now()), "level": level, "event": event, **self._base}
        for key, value in fields.items():
            if value is None or value == "":
                continue
            row[key] = value if isinstance(value, (str, int, float, bool)) else _nested(value)
        text = self._encode(row)
        while len(text) > MOST_BYTES // 4 and len(text.encode()) > MOST_BYTES:
            longest = max(row, key=lambda key: len(str(row[key])))
            kept = str(row[longest])
            row[longest] = kept[: max(16, len(kept) * 2 // 3)] + "…"
            row["shortened"] = longest
            text = self._encode(row)
        return text

    def _encode(self, row: Mapping[str, Any]) -> str:
        text = _JSON.encode(row)
        # A lone surrogate can be held by a string, but not be written.
        return self.hide(text.encode("utf-8", "backslashreplace").decode()) + "\n"


def _nested(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


_iso_cache: tuple[int, str] = (0, "")


def _iso(now: float) -> str:
    """``2026-01-31T12:00:00.123Z``. The part down to seconds is kept, since lines come in bursts."""
    global _iso_cache  # noqa: PLW0603 - a cache of one value; a race costs a repeated computation
    import time

    second = int(now // 1)
    known, text = _iso_cache
    if known != second:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        _iso_cache = (second, text)
    return f"{text}.{int((now - second) * 1000):03d}Z"

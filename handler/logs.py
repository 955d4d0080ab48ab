"""Structured logs: one JSON object a line on standard output, as the platform's log service (CLS) expands it.

CLS indexes first-level keys only, cuts a line at 8 KB, and reserves keys that begin with ``SCF_``; so nested values are written as
JSON text, long ones are shortened, and the names are ours. Every event ends in one canonical line, ``steward.outcome``.

A line is first written as if nothing were wrong with it, which is nearly always so. One that is too long, holds what JSON does not know, or
may hold a secret, is written again with care: values are cleaned before they are written, since JSON writes a secret's quotes and
backslashes otherwise than they are, and a cut could leave half of one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from handler.json_writer import writer
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
#: The end of what was cut, here as in ``sources.text``. What stands before it may be half a secret.
CUT: Final = "…"


#: Depth to which a nested value is shown; what contains itself ends there.
DEEPEST: Final = 20

#: CLS holds numbers of 64 bits.
LARGEST: Final = 2**63 - 1

#: Made once: json.dumps makes one for every line that asks for anything but its defaults. NaN is no JSON.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_JSON_OF_ANYTHING: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


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
        self._hidden: frozenset[str] = frozenset()
        #: As which a secret may stand in a value, the longest first; and those as which JSON then writes it.
        self._forms: list[str] = []
        self._written_forms: list[str] = []
        self.also_hide(secrets)
        self._base = dict(base or {})

    def with_fields(self, **fields: Any) -> Log:
        """A log whose every line bears ``fields`` too."""
        return Log(
            self._write,
            self._clock,
            level=LEVELS[self._level],
            secrets=self._hidden,
            base={**self._base, **fields},
        )

    def also_hide(self, secrets: Iterable[str]) -> None:
        """Secrets that became known later."""
        self._hidden |= {secret for secret in secrets if len(secret) >= SHORTEST_SECRET}
        # Whole, within JSON that is a text itself, and within the text of an exception.
        plain = self._hidden | {repr(secret)[1:-1] for secret in self._hidden}
        forms = plain | _in_json(plain) | {json.dumps(form)[1:-1] for form in plain}
        self._forms = sorted(forms, key=len, reverse=True)
        self._written_forms = list(forms | _in_json(forms) | _in_json(_in_json(forms)))

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
        records = list(records)
        write = writer(len(records))
        begin = self._flat(self._begin("INFO", "steward.outcome"))
        # Events that were served together share their outcome, whose facts are looked through once.
        shared: dict[int, dict[str, Any]] = {}
        lines = []
        for record in records:
            outcome = record.outcome
            facts = shared.get(id(outcome))
            if facts is None:
                facts = shared[id(outcome)] = self._flat({**outcome.facts, **fields})
            row = {
                **begin,
                "level": "WARNING" if outcome.is_alarming else "INFO",
                "outcome": outcome.status,
                "code": outcome.code,
                "reason": outcome.reason,
                "event_id": record.event,
                "source": record.source,
                "name": record.name,
                "cluster": record.cluster,
                "rules": ",".join(record.rules),
                "operations": ",".join(record.operations),
                **facts,
            }
            lines.append(self._text(row, write, self._base, outcome.facts, fields))
        self._write("".join(lines))

    def hide(self, text: str) -> str:
        """``text`` without the secrets that are known."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, REDACTED)
        return self._without_halves(text) if CUT in text else text

    def _without_halves(self, text: str) -> str:
        """``text`` without the beginnings of secrets that stand before the mark of a cut: what senders write is bounded before it comes here."""
        *before, rest = text.split(CUT)
        return CUT.join([*map(self._without_half, before), rest])

    def _without_half(self, text: str) -> str:
        """``text`` without the beginning of a secret at its end."""
        for form in self._forms:
            start = text.find(form[:SHORTEST_SECRET], max(0, len(text) - len(form)))
            while start >= 0:
                if form.startswith(text[start:]):
                    return text[:start] + REDACTED
                start = text.find(form[:SHORTEST_SECRET], start + 1)
        return text

    def _line(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        row = {**self._begin(level, event), **fields}
        self._write(self._text(self._flat(row), _JSON.encode, row))

    def _begin(self, level: str, event: str) -> dict[str, Any]:
        return {"time": _iso(self._clock.now()), "level": level, "event": event, **self._base}

    def _flat(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """First-level values as CLS takes them; cleaned where JSON does not know one of them."""
        try:
            return {
                key: value if value.__class__ is str else _scalar(value)
                for key, value in fields.items()
                if value is not None
            }
        except Exception:  # or one that cannot even be shown
            return {key: self._scalar(value) for key, value in fields.items() if value is not None}

    def _text(
        self, row: Mapping[str, Any], write: Callable[[Mapping[str, Any]], str], *as_given: Mapping[str, Any]
    ) -> str:
        """The line of a flat row; what is flat in it, ``as_given``: what has to be cleaned is cleaned before it becomes text."""
        try:
            text = write({key: value for key, value in row.items() if value != ""})
        except Exception:  # a text that cannot be written
            return self._careful(row, *as_given)
        is_long = len(text) > MOST_BYTES // 4 and _size(text) > MOST_BYTES
        if is_long or any(map(text.__contains__, self._written_forms)) or (CUT in text and self._forms):
            return self._careful(row, *as_given)
        return _writable(text)

    def _careful(self, *parts: Mapping[str, Any]) -> str:
        """The line, of whatever values: cleaned first, then written, then shortened until it fits."""
        row = {key: value for part in parts for key, value in part.items()}
        clean = {key: self._scalar(value) for key, value in row.items() if value is not None and not _is_empty(value)}
        text = _JSON.encode(clean)
        while _size(text) > MOST_BYTES:
            longest = max(clean, key=lambda key: len(str(clean[key])))
            kept = str(clean[longest])
            if len(kept) > 2 * len(REDACTED):
                clean[longest] = kept[: len(kept) * 2 // 3] + "…"
                clean["shortened"] = longest[:80]
            else:  # no value is long: there are too many, or their names are
                for key in list(clean)[max(3, len(clean) // 2) :]:
                    del clean[key]
                clean["shortened"] = "fields"
            text = _JSON.encode(clean)
        return _writable(text)

    def _scalar(self, value: Any) -> str | int | float | bool:
        clean = self._clean(value, 0)
        return clean if isinstance(clean, (str, int, float)) else _JSON.encode(clean)

    def _clean(self, value: Any, depth: int) -> Any:
        """``value`` as JSON knows it, without the secrets."""
        if isinstance(value, str):
            return self.hide(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and value.bit_length() > 63:
            value = hex(value)  # CLS holds 64 bits, and Python writes only so many decimal digits
        if isinstance(value, (dict, list, tuple, set, frozenset)) and depth >= DEEPEST:
            return "…"
        if isinstance(value, dict):
            return {self._clean_text(key): self._clean(item, depth + 1) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self._clean(item, depth + 1) for item in value]
        text = self._clean_text(value)
        is_number = isinstance(value, (int, float)) and text not in ("nan", "inf", "-inf")
        return value if is_number and REDACTED not in text else text

    def _clean_text(self, value: Any) -> str:
        try:
            return self.hide(str(value))
        except Exception:  # an object's own str() may do anything
            return f"<{type(value).__name__}>"


def _scalar(value: Any) -> str | int | float:
    """A first-level value as JSON writes it. Raises ValueError where it has to be cleaned first."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        if not -LARGEST <= value <= LARGEST:  # NaN too
            raise ValueError
        return value
    return _JSON_OF_ANYTHING.encode(value)


def _is_empty(value: Any) -> bool:
    return isinstance(value, str) and not value


def _in_json(texts: Iterable[str]) -> set[str]:
    """As what ``texts`` stand within a JSON string."""
    return {_JSON.encode(text)[1:-1] for text in texts}


def _size(text: str) -> int:
    """Bytes of a line, its end included."""
    return len(_writable(text).encode())


def _writable(text: str) -> str:
    if text.isascii():
        return text + "\n"
    # A lone surrogate can be held by a string, but not be written.
    return text.encode("utf-8", "backslashreplace").decode() + "\n"


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

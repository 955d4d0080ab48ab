"""Structured logs: one JSON object a line on standard output, as CLS expands it.

CLS is the platform's log service.

CLS indexes first-level keys only, cuts a line at 8 KB, and reserves keys that begin with ``SCF_``; so nested values are
written as JSON text, long ones are shortened, and the names are ours. Every event ends in one canonical line,
``steward.outcome``.

A line is first written as if nothing were wrong with it, which is nearly always so. One that is too long, holds what
JSON does not know, or may hold a secret, is written again: values are cleaned before they are written, since
JSON writes a secret's quotes and backslashes otherwise than they are, and a cut could leave half of one.
"""

from __future__ import annotations

import json
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from handler.lib.wording import CUT
from handler.model.event import Unreadable
from handler.model.outcome import Outcome
from handler.model.policy import LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from handler.lib.clock import Clock
    from handler.model.event import Event
    from handler.model.outcome import Record


#: Bytes of a line, its end included. The platform cuts at 8 KB; this leaves room for what it adds.
MAX_BYTES: Final = 8000
#: Secrets shorter than this are not looked for: they would blank out ordinary words.
MIN_SECRET_LENGTH: Final = 6
REDACTED: Final = "[redacted]"


#: Depth to which a nested value is shown; what contains itself ends there.
MAX_DEPTH: Final = 20

#: CLS holds numbers of 64 bits.
MAX_INTEGER: Final = 2**63 - 1

#: Made once: json.dumps makes one for every line that asks for anything but its defaults. NaN is no JSON.
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_JSON_OF_ANYTHING: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str)


class Log:
    """Writes lines, without the ``secrets``.

    ``write`` takes text that ends in a line's end.
    """

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
        self._forms: tuple[str, ...] = ()
        self._written_forms: tuple[str, ...] = ()
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
        self._hidden |= {secret for secret in secrets if len(secret) >= MIN_SECRET_LENGTH}
        self._forms, self._written_forms = _forms(self._hidden)

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

    def kept(self, event: str, **fields: Any) -> str:
        """Write a line whatever the level; returns it as it was written, for the ledger."""
        return self._line("INFO", event, fields)

    def outcomes(self, records: Iterable[Record], **fields: Any) -> list[str]:
        """Write the canonical line of each event, whatever the level.

        Returns the lines as they were written, for the ledger.
        """
        begin = self._begin("INFO", "steward.outcome")
        # Events with a common outcome share all fields but their identity: these are written once.
        shared: dict[tuple[object, ...], tuple[str, str]] = {}
        lines = []
        for record in records:
            key = (id(record.outcome), record.source, record.cluster, record.rules, record.operations)
            around = shared.get(key)
            if around is None:
                before, after = _parts(record)
                around = shared[key] = (
                    _written(self._flat({**begin, **before})),
                    _written(self._flat({**after, **record.outcome.facts, **fields})),
                )
            name = f'"name":{_JSON.encode(record.name)},' if record.name else ""
            text = f'{around[0][:-1]},"event_id":{_JSON.encode(record.event)},{name}{around[1][1:]}'
            if self._needs_cleaning(text):
                before, after = _parts(record)
                who = {"event_id": record.event, "name": record.name}
                text = self._cleaned({**begin, **before, **who, **after, **record.outcome.facts, **fields})
            lines.append(_writable(text))
        self._write("".join([f"{line}\n" for line in lines]))
        return lines

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
            start = text.find(form[:MIN_SECRET_LENGTH], max(0, len(text) - len(form)))
            while start >= 0:
                if form.startswith(text[start:]):
                    return text[:start] + REDACTED
                start = text.find(form[:MIN_SECRET_LENGTH], start + 1)
        return text

    def _line(self, level: str, event: str, fields: Mapping[str, Any]) -> str:
        row = {**self._begin(level, event), **fields}
        text = _written(self._flat(row))
        text = _writable(self._cleaned(row) if self._needs_cleaning(text) else text)
        self._write(text + "\n")
        return text

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

    def _needs_cleaning(self, text: str) -> bool:
        """Whether a line is too long, or may hold a secret."""
        is_long = len(text) > MAX_BYTES // 4 and _size(text) > MAX_BYTES
        if is_long or any(map(text.__contains__, self._written_forms)):
            return True
        return CUT in text and bool(self._forms)

    def _cleaned(self, row: Mapping[str, Any]) -> str:
        """The line, of whatever values: cleaned first, then written, then shortened until it fits."""
        clean = {key: self._scalar(value) for key, value in row.items() if value is not None}
        text = _written(clean)
        while _size(text) > MAX_BYTES:
            longest = max(clean, key=lambda key: len(str(clean[key])))
            kept = str(clean[longest])
            if len(kept) > 2 * len(REDACTED):
                clean[longest] = kept[: len(kept) * 2 // 3] + "…"
                clean["shortened"] = longest[:80]
            else:  # no value is long: there are too many, or their names are
                for key in list(clean)[max(3, len(clean) // 2) :]:
                    del clean[key]
                clean["shortened"] = "fields"
            text = _written(clean)
        return text

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
        if isinstance(value, (dict, list, tuple, set, frozenset)) and depth >= MAX_DEPTH:
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
        if not -MAX_INTEGER <= value <= MAX_INTEGER:  # NaN too
            raise ValueError
        return value
    return _JSON_OF_ANYTHING.encode(value)


def _written(row: Mapping[str, Any]) -> str:
    """A flat row as JSON, without what is empty."""
    return _JSON.encode({key: value for key, value in row.items() if value != ""})


def _parts(record: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields of an event's line, before and after its identity."""
    outcome = record.outcome
    before = {
        "level": "WARNING" if outcome.is_alarming else "INFO",
        "outcome": outcome.status,
        "code": outcome.code,
        "reason": outcome.reason,
    }
    after = {
        "source": record.source,
        "cluster": record.cluster,
        "rules": ",".join(record.rules),
        "operations": ",".join(record.operations),
        "retryable": outcome.retryable or None,
        "fix": outcome.fix,
    }
    return before, after


@lru_cache(maxsize=4)  # an instance's secrets are mostly those of its last invocation
def _forms(secrets: frozenset[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As which secrets may stand in a value, the longest first; and those as which JSON then writes it."""
    # Whole, within JSON that is a text itself, and within the text of an exception.
    plain = secrets | {repr(secret)[1:-1] for secret in secrets}
    forms = plain | _in_json(plain) | {json.dumps(form)[1:-1] for form in plain}
    return tuple(sorted(forms, key=len, reverse=True)), tuple(forms | _in_json(forms) | _in_json(_in_json(forms)))


def _in_json(texts: Iterable[str]) -> set[str]:
    """As what ``texts`` stand within a JSON string."""
    return {_JSON.encode(text)[1:-1] for text in texts}


def _size(text: str) -> int:
    """Bytes of a line, its end included."""
    return len(_writable(text).encode()) + 1


def _writable(text: str) -> str:
    # A lone surrogate can be held by a string, but not be written.
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


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


def event_fields(event: Event | Unreadable) -> dict[str, Any]:
    if isinstance(event, Unreadable):
        return {"event_id": event.id, "source": event.source, "problem": str(event.error)}
    fields = event.view()
    fields["event_id"] = fields.pop("id")
    return fields


def outcome_of(error: Exception, log: Log) -> Outcome:
    """The outcome of events that our own ``error`` interrupted.

    The log line ``steward.internal_error`` says where it was raised.
    """
    import traceback

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"
    problem = log.hide(f"{type(error).__name__}: {error}")  # before the cut, which could leave half a secret
    log.error("steward.internal_error", problem=problem[:500], at=place)
    return Outcome.failed(
        "internal_error",
        f"an internal error of Steward at {place} ({type(error).__name__})",
        fix="Look at the cluster yourself: Steward does nothing more about it. "
        "Report the log line `steward.internal_error` as a bug.",
    )

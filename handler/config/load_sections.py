"""What steward.yml says for all rules: roles that need a quorum, storms, restarts that do not help, and times at which nothing is done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from handler.config.problems import each
from handler.model.policy import DAYS, QUORUM_ROLES, Breaker, Freeze, MaintenanceWindow, Quarantine, Safety

if TYPE_CHECKING:
    from collections.abc import Callable

    from handler.config.problems import Notes


def read_safety(notes: Notes, schema: Any) -> Safety:
    """What holds for all rules; without ``safety`` in the file, ``shape`` is empty."""
    schema = {"keep_records": None} if schema is None else schema
    breaker, quarantine, roles = schema.get("breaker") or {}, schema.get("quarantine") or {}, schema.get("quorum_roles")
    safety = Safety(
        quorum_roles=QUORUM_ROLES if roles is None else tuple(roles),
        breaker=Breaker(
            breaker.get("intents", 100),
            notes.duration("safety.breaker", breaker, "window", 300.0, least=1),
            notes.duration("safety.breaker", breaker, "close_after", 600.0),
        ),
        quarantine=Quarantine(
            quarantine.get("restarts", 3),
            notes.duration("safety.quarantine", quarantine, "within", 3600.0, least=1),
            notes.duration("safety.quarantine", quarantine, "release_after", 86400.0, least=1),
        ),
        freezes=tuple(_freeze(notes, path, one) for path, one in each("safety.freezes", schema.get("freezes"))),
        maintenance_windows=tuple(
            _window(notes, path, one)
            for path, one in each("safety.maintenance_windows", schema.get("maintenance_windows"))
        ),
        keep_records=notes.duration("safety", schema, "keep_records", 30 * 86400.0, least=86400),
    )
    notes.counted(safety.quarantine.within, "safety.quarantine.within")
    return safety


def _freeze(notes: Notes, path: str, schema: Any) -> Freeze:
    zone = schema.get("time_zone", "")
    _zone(notes, f"{path}.time_zone", zone or None)
    start = _moment(notes, f"{path}.from", schema["from"], zone, min)
    end = _moment(notes, f"{path}.to", schema["to"], zone, max)
    if start is not None and end is not None and start >= end:
        notes.problem(path, "ends before it begins", "`to` is later than `from`")
    return Freeze(start or 0.0, end or 0.0, schema["reason"], notes.named(f"{path}.clusters", schema.get("clusters")))


def _moment(notes: Notes, path: str, text: str | None, zone: str | None, which: Callable[..., float]) -> float | None:
    """Seconds since the epoch; None where it cannot be read. ``zone`` is empty where there is none.

    Where clocks are changed an hour is twice or never: ``which`` (min, max) of the two that may be meant.
    """
    import datetime

    if text is None:
        return None
    try:
        moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        notes.problem(path, f"{text!r} is not a date and time", "2026-12-24T18:00:00+08:00")
        return None
    if moment.tzinfo is None:
        if zone == "":
            notes.problem(path, f"{text!r} names no time zone", "add +08:00, or time_zone: Asia/Shanghai")
            return None
        named = _zone(notes, path.rpartition(".")[0] + ".time_zone", zone)
        if named is None:
            return None
        moment = moment.replace(tzinfo=named)
    return which(moment.replace(fold=0).timestamp(), moment.replace(fold=1).timestamp())


def _zone(notes: Notes, path: str, name: str | None) -> Any:
    import zoneinfo

    try:
        return None if name is None else zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        notes.problem(path, f"{name!r} is not a time zone", "an IANA name such as Asia/Shanghai")
        return None


def _window(notes: Notes, path: str, schema: Any) -> MaintenanceWindow:
    _zone(notes, f"{path}.time_zone", schema["time_zone"])
    start, end = _minute(notes, f"{path}.start", schema["start"]), _minute(notes, f"{path}.end", schema["end"])
    if start == end and start is not None:
        notes.problem(path, "ends when it begins", "a whole day is 00:00 to 24:00")
    days = schema.get("days") or list(DAYS)
    return MaintenanceWindow(
        frozenset(DAYS.index(day) for day in days if day is not None),
        start or 0,
        end or 0,
        schema["time_zone"],
        schema["reason"],
        notes.named(f"{path}.clusters", schema.get("clusters")),
    )


def _minute(notes: Notes, path: str, text: str | None) -> int | None:
    if text is not None and re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", text):
        return int(text[:2]) * 60 + int(text[3:])
    if text is not None:
        notes.problem(path, f"{text!r} is not a time of day", "HH:MM, quoted")
    return None

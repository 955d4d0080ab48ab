"""Which outcomes raise an alarm, and which alarms are the same."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handler.lib.wording import duration_text
from handler.model.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.model.outcome import Record

#: What a person should do about a ledger that cannot be used.
LEDGER_FIX: Final = (
    "Check that the store that STEWARD_LEDGER names is up and that the function can reach it (`steward doctor`). "
    "Until then Steward does nothing, and senders are asked to repeat their events."
)
#: How many alarms the errors of one sender's events can be.
MAX_ERRORS: Final = 64


def alarms_of(records: Iterable[Record]) -> list[Alarm]:
    """An alarm for each outcome that a person must be notified of: failed, refused, in doubt."""
    return [
        Alarm(
            code=record.outcome.code,
            cluster=record.cluster,
            about=",".join(record.operations) or record.name or _error_of(record),
            text=record.outcome.reason,
            fix=record.outcome.fix,
            where=_where(record),
            facts={"outcome": record.outcome.status, "event_id": record.event, "rules": ",".join(record.rules)},
        )
        for record in records
        if record.outcome.is_alarming and not record.outcome.has_own_alarm
    ]


def _where(record: Record) -> str:
    """The event as people call it."""
    if record.source == "request" and record.name:
        return f"Request {record.name}"
    if record.name:
        return f"Event {record.name}"
    return "An event from an unknown sender" if record.source == "unknown" else f"An event from {record.source}"


def ledger_unavailable(reason: str) -> Alarm:
    """The alarm about a ledger that cannot be used.

    It is one alarm for all clusters, since there is one ledger.
    """
    return Alarm("ledger.unavailable", "", "ledger", reason, fix=LEDGER_FIX, where="The ledger")


def follow_up_missing(seconds: float) -> Alarm:
    """The alarm that the follow-up's timer does not call."""
    return Alarm(
        "follow_up.missing",
        "",
        "timer",
        f"no follow-up has come for {duration_text(seconds)}: what is open is not brought to its end",
        fix="Switch on the timer with the message `steward:follow-up` (a timer is created closed); serverless.yml has it.",
        where="The follow-up",
    )


def _error_of(record: Record) -> str:
    """What an event without a name is about: its sender, and its error by one of MAX_ERRORS numbers.

    So another error is another alarm; and whoever sends a thousand sorts of nonsense raises no thousand alarms. Where
    in a payload an error stood makes no other of it.
    """
    import re
    import zlib

    if record.outcome.code != "input.invalid":
        return record.source
    problem = re.sub(r"\d+", "#", record.outcome.reason)
    return f"{record.source} error {zlib.crc32(problem.encode('utf-8', 'backslashreplace')) % MAX_ERRORS}"


def grouped(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Identical alarms as one, with their count; in the order in which they first came."""
    groups: dict[str, Alarm] = {}
    for alarm in alarms:
        first = groups.get(alarm.key)
        groups[alarm.key] = alarm if first is None else replace(first, count=first.count + alarm.count)
    return list(groups.values())

"""What was told to people, and what their channels have not taken yet.

It is one value, read and swapped whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.errors import LedgerUnavailable
from handler.model.alarm import Alarm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Entries that wait for their channels, and of one channel and code, beyond which they become one.
MAX_UNSENT: Final = 300
MAX_ALIKE: Final = 20
#: Alarms that are remembered as told.
MAX_TOLD: Final = 5000
#: Seconds for which an alarm that could not be sent is tried again, and for which its id is remembered.
UNSENT_SECONDS: Final = 24 * 3600.0
#: Seconds within which a follow-up has to come: its timer calls each minute.
FOLLOW_UP_SECONDS: Final = 300.0
#: Where alarms have to be dropped, these go last: by the beginning of their code, the last first.
RANKS: Final = ("operation.in_doubt", "operation.", "intent.")


class Unsent(NamedTuple):
    """An alarm that one channel has not taken. Until ``taken_until`` it is somebody's to send."""

    id: str
    at: float
    channel: str
    alarm: Alarm
    is_over: bool = False
    taken_until: float = 0.0

    @property
    def rank(self) -> int:
        """The higher, the longer it is kept."""
        codes = [place for place, code in enumerate(RANKS) if self.alarm.code.startswith(code)]
        return len(RANKS) - codes[0] if codes else 0


@dataclass
class AlarmRecord:
    """The aggregate of all alarms."""

    #: By the id or the key of an alarm: when it was told.
    told: dict[str, float] = field(default_factory=dict)
    unsent: dict[str, Unsent] = field(default_factory=dict)
    #: How many were dropped since that was last said.
    dropped: int = 0
    #: When old records were last forgotten, and when the follow-up last came.
    tidied_at: float = 0.0
    followed_at: float = 0.0
    #: Since when somebody has waited for the first follow-up.
    awaited_since: float = 0.0

    def is_told(self, name: str, now: float, within: float) -> bool:
        """Whether it was told less than ``within`` seconds ago."""
        return abs(now - self.told.get(name, float("-inf"))) < within

    def add(self, names: Iterable[str], entries: Iterable[Unsent], now: float) -> None:
        """These are told, and these are to be sent."""
        self.told.update(dict.fromkeys(names, now))
        if len(self.told) > MAX_TOLD:
            newest = sorted(self.told.items(), key=lambda one: one[1])[-MAX_TOLD // 2 :]
            self.told = dict(newest)
        self.unsent.update((one.id, one) for one in entries)
        for one in [one for one in self.unsent.values() if now - one.at > UNSENT_SECONDS]:
            del self.unsent[one.id]
            self.dropped += one.alarm.count
        if len(self.unsent) > MAX_UNSENT:
            self._shrink()

    def _shrink(self) -> None:
        """Make one of many of a kind, and drop what matters least, the oldest first."""
        alike: dict[tuple[str, str, bool], list[Unsent]] = {}
        for one in self.unsent.values():
            alike.setdefault((one.channel, one.alarm.code, one.is_over), []).append(one)
        for group in alike.values():
            if len(group) > MAX_ALIKE:
                first, *rest = sorted(group, key=lambda one: one.at)
                count = sum(one.alarm.count for one in group)
                self.unsent[first.id] = first._replace(alarm=replace(first.alarm, count=count))
                for one in rest:
                    del self.unsent[one.id]
        by_rank = sorted(self.unsent.values(), key=lambda one: (one.rank, one.at))
        for one in by_rank[: max(0, len(by_rank) - MAX_UNSENT)]:
            del self.unsent[one.id]
            self.dropped += one.alarm.count

    def take(self, now: float, until: float, limit: int) -> list[Unsent]:
        """Take what is nobody's to send now: what matters most first, then what waited longest."""
        free = [one for one in self.unsent.values() if one.taken_until <= now or one.taken_until > now + UNSENT_SECONDS]
        taken = sorted(free, key=lambda one: (-one.rank, one.taken_until, one.at))[:limit]
        for one in taken:
            self.unsent[one.id] = one._replace(taken_until=until)
        return taken

    def misses_follow_up(self, now: float) -> float | None:
        """For how many seconds no follow-up has come, where that is too long."""
        self.awaited_since = self.awaited_since or now
        missed = now - max(self.followed_at, self.awaited_since)
        return missed if missed > FOLLOW_UP_SECONDS else None

    def followed(self, now: float, tidy_after: float, may_tidy: bool) -> bool:
        """The follow-up came at ``now``; whether old records are due to be forgotten."""
        self.followed_at = now
        is_due = may_tidy and abs(now - self.tidied_at) >= tidy_after
        if is_due:
            self.tidied_at = now
        return is_due

    def sent(self, ids: Iterable[str]) -> None:
        """These are sent, or never will be."""
        for one in ids:
            self.unsent.pop(one, None)


def to_bytes(record: AlarmRecord) -> bytes:
    """The record, to be stored."""
    row = {
        **vars(record),
        "unsent": [[*one._replace(alarm=one.alarm.to_json())] for one in record.unsent.values()],  # type: ignore[arg-type]
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "backslashreplace")


def from_bytes(data: bytes) -> AlarmRecord:
    """What :func:`to_bytes` wrote. Raises LedgerUnavailable for anything else."""
    try:
        row: dict[str, Any] = json.loads(data)
        entries = [_to_unsent(one) for one in row["unsent"]]
        return AlarmRecord(
            {name: float(at) for name, at in row["told"].items()},
            {one.id: one for one in entries},
            int(row["dropped"]),
            float(row["tidied_at"]),
            float(row["followed_at"]),
            float(row["awaited_since"]),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise LedgerUnavailable(f"the record of the alarms cannot be read ({type(error).__name__})") from None


def _to_unsent(row: Sequence[Any]) -> Unsent:
    id, at, channel, alarm, is_over, taken_until = row
    return Unsent(str(id), float(at), str(channel), Alarm.from_json(alarm), bool(is_over), float(taken_until))

"""An alarm, and its entry in the outbox."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True)
class Alarm:
    """One thing to notify a person of: what happened where, and what to do about it.

    ``where`` is the thing itself as people call it (``HDFS DataNode 172.16.0.5``; empty for the whole cluster),
    ``text`` what happened to it and why, ``fix`` what a person should do, in whole sentences. The cluster's name is
    added where the alarm is sent. ``code`` and ``about`` are for machines.

    Alarms with the same ``code``, ``cluster``, ``about`` and ``occasion`` are the same alarm.
    """

    code: str
    cluster: str
    about: str
    text: str
    fix: str = field(kw_only=True)
    where: str = field(default="", kw_only=True)
    count: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)
    occasion: str = ""

    def to_json(self) -> dict[str, Any]:
        """All of it, as JSON values."""
        return {**vars(self), "facts": dict(self.facts)}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Alarm:
        """What :meth:`to_json` gave. Raises TypeError for anything else."""
        return cls(**row)

    @property
    def key(self) -> str:
        return "|".join((self.code, self.cluster, self.about, *filter(None, [self.occasion])))

    def subject(self, cluster: str) -> str:
        """``HDFS DataNode 172.16.0.5 on analytics``: what it happened to.

        ``cluster`` is the name of the cluster for people.
        """
        return " on ".join(filter(None, (self.where, cluster))) or "EMR Steward"


class OutboxEntry(NamedTuple):
    """An alarm that one channel has not taken yet, as the ledger keeps it.

    ``at`` is when it was raised (seconds since the epoch), ``text`` is the channel and the alarm as JSON.
    """

    id: str
    at: float
    text: str

    @classmethod
    def of(cls, id_: str, at: float, channel: str, alarm: Alarm, hide: Callable[[str], str]) -> OutboxEntry:
        """The entry of ``alarm`` for ``channel``, without the secrets that ``hide`` knows."""
        texts = [hide(text) for text in (alarm.code, alarm.cluster, alarm.about, alarm.text)]
        facts = {name: hide(fact) if isinstance(fact, str) else fact for name, fact in alarm.facts.items()}
        row = [channel, *texts, alarm.count, facts, hide(alarm.fix), hide(alarm.where)]
        return cls(id_, at, json.dumps(row, ensure_ascii=False, default=lambda other: hide(str(other))))

    def opened(self) -> tuple[str, Alarm]:
        """Its channel and its alarm. Raises ValueError, TypeError where its text is none of ours."""
        channel, code, cluster, about, text, count, facts, *rest = json.loads(self.text)
        fix, where = rest or ("", "")  # an entry of a version before these two has none
        return channel, Alarm(code, cluster, about, text, int(count), dict(facts), fix=fix, where=where)

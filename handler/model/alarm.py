"""An alarm: what a person is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


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

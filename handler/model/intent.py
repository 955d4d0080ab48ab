"""The Intent: what was asked of one cluster, kept until it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.request import Action
    from handler.model.scope import OpScope


@dataclass(frozen=True)
class Limits:
    """How much one rule may do. Omitted limits default to conservative values.

    ``cooldown`` and ``max_wait`` in seconds; ``max_nodes`` processes of a component under operation at a time;
    ``max_share`` of a component's processes, from 0 to 1, that may be away at a time, never rounded below one.
    """

    cooldown: float = 900.0
    max_nodes: int = 1
    max_share: float = 0.25
    max_wait: float = 3600.0

    def strictest(self, other: Limits) -> Limits:
        """The limits that satisfy both."""
        return Limits(
            cooldown=max(self.cooldown, other.cooldown),
            max_nodes=min(self.max_nodes, other.max_nodes),
            max_share=min(self.max_share, other.max_share),
            max_wait=min(self.max_wait, other.max_wait),
        )


#: Limits of commands (a timer's, a person's): only their wait is bounded, unless the rule bounds more.
COMMAND_LIMITS = Limits(cooldown=0.0, max_nodes=99_999, max_share=1.0)


class Stated(NamedTuple):
    """What one event asks of one cluster, by one rule.

    ``sender`` is who says so: for an alert its identity without its start, for a command the id that its caller gave
    it, each within its source and caller. ``start`` is the event's own time, in seconds since the epoch, None where
    the sender gives none; ``told_at`` is when the sender last said it.
    """

    event: str
    sender: str
    rule: str
    action: Action
    scope: OpScope
    is_command: bool
    told_at: float
    start: float | None = None
    even_if_healthy: bool = False
    max_wait: float = Limits.max_wait
    #: Whether the sender gave a command an id of its own. Without one, equal commands may be a retry.
    is_named: bool = True


class Statement(NamedTuple):
    """That one sender asks for it.

    Seconds since the epoch; ``start`` is by the sender's clock, 0 where unknown.
    """

    start: float
    last: float


#: How many events an intent names, and how many senders.
MAX_EVENTS: Final = 8
MAX_STATEMENTS: Final = 16
#: pending: nothing is under way for it. serving: an operation is. proving: an operation helped; whether that lasts is
#: seen after its cooldown.
Stage = Literal["pending", "serving", "proving"]


class Intent(NamedTuple):
    """Something that was asked for, until it ends.

    A remediation asks that a process be healthy: it holds as long as it is stated. A command asks for something once.
    """

    key: str
    #: Its place among all that was admitted.
    seq: int
    is_command: bool
    rule: str
    action: Action
    scope: OpScope
    even_if_healthy: bool
    digest: str
    #: When it was asked for: the event's own time, else its arrival.
    asked_at: float
    is_dated: bool
    #: Since when ``max_wait`` runs.
    waits_since: float
    statements: Mapping[str, Statement]
    #: Events that are to hear of its end, and how many more there were.
    events: tuple[str, ...] = ()
    more_events: int = 0
    stage: Stage = "pending"
    operation: str = ""
    #: Nothing is sent for it earlier than that.
    not_before: float = 0.0
    #: How often in a row it was certainly not carried out.
    tries: int = 0
    #: Whether no other intent may be joined with it.
    alone: bool = False
    #: Processes of a command that had their share of it already.
    served: tuple[str, ...] = ()
    #: The code of what held it back when it was last looked at.
    held_by: str = ""

    @property
    def is_stated(self) -> bool:
        """Whether somebody still asks for it."""
        return self.is_command or bool(self.statements)

    @property
    def last_statement(self) -> float:
        """When it was last stated."""
        return max((one.last for one in self.statements.values()), default=self.asked_at)

    @property
    def process(self) -> str:
        """The process (Target.key) of a remediation; of "all", the scope in words."""
        targets = self.scope.targets
        return targets[0].key if targets else str(self.scope)

    @property
    def where(self) -> str:
        """What it is about, in words: ``HDFS DataNode 172.16.0.5``."""
        targets = self.scope.targets
        return " ".join(targets[0]) if targets and len(targets) == 1 else str(self.scope)

    def heard(self, event: str) -> Intent:
        """The intent, of whose end one more event is to hear."""
        if not event or event in self.events:
            return self
        if len(self.events) >= MAX_EVENTS:
            return self._replace(more_events=self.more_events + 1)
        return self._replace(events=(*self.events, event))

    @property
    def occurrences(self) -> frozenset[str]:
        """The occurrences that state it: each sender with the start that it gives."""
        return frozenset(f"{sender}@{one.start:.0f}" for sender, one in self.statements.items())


class Ended(NamedTuple):
    """A command that has ended, so that its repeat gets the same answer."""

    digest: str
    op_type: str
    scope: OpScope
    seq: int
    status: str
    code: str
    reason: str
    http_status: int
    at: float
    #: When it was asked for.
    asked_at: float = 0.0

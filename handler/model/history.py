"""The past of a cluster as the guards see it: a snapshot from the ledger.

The states are those of one operation's life; who may move it from one to the next is the ledger's matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from handler.model.operation import ENDED, OPEN, State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.request import OpType


class Past(NamedTuple):
    """The newest operation on something: its id, its state and its time.

    The time is in seconds since the epoch.
    """

    operation: str
    op_type: OpType
    state: State
    #: When it was armed.
    at: float
    #: When it reached its state.
    settled_at: float
    #: SHA-256 of what the incident asked for; empty for a target's past.
    digest: str = ""
    #: The API's code or the reason, where there is one.
    code: str = ""
    request_id: str = ""
    #: Of an incident that is served in parts: when the first of them was armed; 0 where it is served at once.
    parts_since: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def leaves_its_incident_open(self) -> bool:
        """Whether the incident may be served again: nothing was sent, or a part of it may be left."""
        return self.state is State.NOT_SENT or (self.parts_since > 0 and self.state in ENDED)


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of the occurrences that just came in.

    It also says whether they are too many.
    """

    #: By incident key.
    incidents: Mapping[str, Past] = field(default_factory=dict)
    #: Those incident keys whose sender has called the occurrence resolved.
    ended: frozenset[str] = frozenset()
    #: Intents in the breaker's window, these included.
    intents_in_window: int = 0
    #: Since when the storm breaker is open (seconds since the epoch); None while it is closed.
    breaker_opened_at: float | None = None


@dataclass(frozen=True)
class History:
    """A snapshot of one cluster's past.

    Arming compares ``version``, so that no two invocations decide on the same past.
    """

    version: int = 0
    #: Operations armed in the last hour that were sent, or may have been.
    operations_last_hour: int = 0
    #: By Target.key: the newest operation that touched each process, or may have; where none did, the newest of all.
    targets: Mapping[str, Past] = field(default_factory=dict)
    #: By Target.key: how many settled restarts that an alert asked for fell into the quarantine window.
    restarts: Mapping[str, int] = field(default_factory=dict)
    #: By Target.key: until when (seconds since the epoch) a process is left alone.
    quarantined: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def touched(self) -> frozenset[str]:
        """The targets of which there is anything to know."""
        return frozenset().union(self.targets, self.restarts, self.quarantined)

    @cached_property
    def under_operation(self) -> frozenset[str]:
        """The targets whose newest operation is still open."""
        return frozenset(key for key, past in self.targets.items() if past.state in OPEN)

"""What was already done to a cluster, as the guards see it: a snapshot that the ledger hands out.

The states are those of one operation's life; who may move it from one to the next is the ledger's matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.operations import OpType

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(str, Enum):
    """Where an operation is. An absent record means that nothing was sent."""

    SENDING = "SENDING"  # maybe sent: the owner is at it, or died at it
    NOT_SENT = "NOT_SENT"  # certainly not carried out: it may be armed again
    REJECTED = "REJECTED"  # the API definitely refused
    ACCEPTED = "ACCEPTED"  # the API took it; that it worked is yet to be seen
    IN_DOUBT = "IN_DOUBT"  # sent, answer unknown: observed, never sent again
    VERIFIED = "VERIFIED"  # seen to have worked
    FAILED = "FAILED"  # carried out, and seen not to have worked
    TIMED_OUT = "TIMED_OUT"  # the deadline passed before anything could be seen

    def __str__(self) -> str:
        return self.value


#: States in which the cluster may still be changing because of us.
OPEN: Final = frozenset({State.SENDING, State.ACCEPTED, State.IN_DOUBT})
#: States of operations that did nothing to the cluster.
UNTOUCHED: Final = frozenset({State.NOT_SENT, State.REJECTED})


class Unsent(NamedTuple):
    """An alarm that one way has not taken yet: ``text`` is for whoever wrote it, ``at`` is when it was raised (seconds since the epoch)."""

    id: str
    at: float
    text: str


class Past(NamedTuple):
    """The newest operation on something: which, in what state, and when (seconds since the epoch)."""

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

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


@dataclass(frozen=True)
class Entry:
    """What the ledger knows of the occurrences that just came in, and whether they are too many."""

    #: By incident key.
    incidents: Mapping[str, Past] = field(default_factory=dict)
    #: Those incident keys whose sender has called the occurrence resolved.
    ended: frozenset[str] = frozenset()
    #: Intents in the breaker's window, these included.
    intents_in_window: int = 0
    breaker_is_open: bool = False
    #: Whether it was this entry that opened it.
    breaker_opened: bool = False


@dataclass(frozen=True)
class History:
    """A snapshot of one cluster's past. ``version`` is what arming compares, so that no two decide on the same past."""

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
    def under_operation(self) -> frozenset[str]:
        """The targets whose newest operation is still open."""
        return frozenset(key for key, past in self.targets.items() if past.state in OPEN)


@dataclass(frozen=True)
class Operation:
    """One request and its life: what the ledger keeps of it."""

    id: str
    cluster: str
    op_type: OpType
    state: State
    #: Who armed it. Whoever moves it on must know the owner, and the state that it leaves.
    owner: str
    armed_at: float
    settled_at: float
    #: When verification gives up, seconds since the epoch.
    deadline: float
    #: The request as it is sent (JSON object).
    request: Mapping[str, Any]
    #: SHA-256 of the request's meaning.
    digest: str
    #: By Target.key: the LastRestartTime read before.
    before: Mapping[str, str]
    #: Incident keys, each with the digest of what it asked for.
    incidents: Mapping[str, str]
    #: The ids of the events that it serves, and the rules that asked.
    events: tuple[str, ...]
    rules: tuple[str, ...]
    #: Whether a timer or a person asked.
    is_order: bool
    #: Batches that a rolling restart takes; 1 otherwise.
    batches: int = 1
    attempts: int = 1
    #: The API's code or ours, where it did not go well.
    code: str = ""
    #: The API's RequestId.
    request_id: str = ""
    #: What the newest look at it showed.
    observed: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_restart_for_a_need(self) -> bool:
        """Whether it counts for quarantine: a restart that an alert asked for, seen to its end."""
        ended = self.state in (State.VERIFIED, State.FAILED)
        return ended and self.op_type is OpType.RESTART_SERVICE and not self.is_order

    def moved(
        self,
        state: State,
        now: float,
        *,
        code: str = "",
        request_id: str = "",
        observed: str = "",
        attempts: int | None = None,
    ) -> Operation:
        """The operation in ``state``. Empty texts keep what is there; the time is noted where the state is another."""
        return replace(
            self,
            state=state,
            settled_at=now if state is not self.state else self.settled_at,
            code=code or self.code,
            request_id=request_id or self.request_id,
            observed=observed or self.observed,
            attempts=self.attempts if attempts is None else attempts,
        )

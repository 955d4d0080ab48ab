"""One operation: a request to the API, its states and its life."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.lib.wording import listed, utc_text
from handler.model.components import spelled
from handler.model.scope import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handler.model.request import Action, OpType


class State(str, Enum):
    """Where an operation is. An absent record means that nothing was sent."""

    SENDING = "SENDING"  # maybe sent: the owner is at it, or died at it
    NOT_SENT = "NOT_SENT"  # certainly not carried out: it may be armed again
    REJECTED = "REJECTED"  # the API definitely refused
    ACCEPTED = "ACCEPTED"  # the API took it; that it worked is yet to be seen
    IN_DOUBT = "IN_DOUBT"  # sent, answer unknown: observed, never sent again
    VERIFIED = "VERIFIED"  # seen to have worked
    UNVERIFIED = "UNVERIFIED"  # as promised as far as is shown; no probe covers it, or an earlier reading is missing
    FAILED = "FAILED"  # carried out, and seen not to have worked
    TIMED_OUT = "TIMED_OUT"  # the deadline passed before anything could be seen

    def __str__(self) -> str:
        return self.value


#: States in which the cluster may still be changing because of us.
OPEN: Final = frozenset({State.SENDING, State.ACCEPTED, State.IN_DOUBT})


#: States of operations that did nothing to the cluster.
UNTOUCHED: Final = frozenset({State.NOT_SENT, State.REJECTED})


class Verdict(str, Enum):
    """What is seen of an operation on one process."""

    NONE = ""  # not yet to be told
    VERIFIED = "VERIFIED"
    UNVERIFIED = "UNVERIFIED"  # as promised as far as is shown
    FAILED = "FAILED"
    NOT_REACHED = "NOT_REACHED"  # the operation has not touched it, and will not

    def __str__(self) -> str:
        return self.value


class Part(NamedTuple):
    """One process of an operation: its LastRestartTime from before, and its verdict."""

    before: str
    verdict: Verdict = Verdict.NONE
    at: float = 0.0


#: How many of an operation's processes are named to a person.
MAX_PROCESSES_LISTED: Final = 5


@dataclass(frozen=True)
class Operation:
    """One request and its life, as the ledger keeps it. Times are seconds since the epoch."""

    id: str
    seq: int
    cluster: str
    action: Action
    state: State
    #: Who armed it: only the owner settles what it sent.
    owner: str
    armed_at: float
    #: When verification gives up.
    deadline: float
    is_command: bool
    rules: tuple[str, ...]
    #: The keys of the intents that it serves.
    intents: tuple[str, ...]
    #: By Target.key.
    parts: Mapping[str, Part]
    #: ``SERVICE/Component`` of its processes, as the cluster spells them.
    components: tuple[str, ...] = ()
    #: Of an operation on processes that answer: the occurrences that it serves.
    occurrences: frozenset[str] = frozenset()
    #: When it ended; 0 while it is open.
    ended_at: float = 0.0
    #: The API's code or ours, where it did not go well.
    code: str = ""
    #: The API's RequestId.
    request_id: str = ""
    #: What the API or we said of it, for people.
    problem: str = ""

    @property
    def op_type(self) -> OpType:
        return self.action.op_type

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def touched_at(self) -> float:
        """Since when its cooldown runs: its end, or its beginning while it is open."""
        return self.ended_at or self.armed_at

    def may_have_touched(self, key: str) -> bool:
        """Whether a process may be, or have been, changed by it."""
        part = self.parts.get(key)
        return part is not None and self.state not in UNTOUCHED and part.verdict is not Verdict.NOT_REACHED

    @property
    def batches(self) -> int:
        """Batches that a rolling restart takes; 1 otherwise."""
        return self.action.strategy.batches(len(self.parts)) if self.action.strategy else 1

    def seen(self) -> str:
        """``2 of 3 verified; not yet: HDFS/DataNode/172.16.0.5``, for people."""
        counts = Counter(part.verdict for part in self.parts.values())
        good = counts[Verdict.VERIFIED] + counts[Verdict.UNVERIFIED]
        text = f"{good} of {len(self.parts)} {'verified' if not counts[Verdict.UNVERIFIED] else 'as asked'}"
        for verdict, word in (
            (Verdict.NONE, "not yet"),
            (Verdict.FAILED, "failed"),
            (Verdict.NOT_REACHED, "not reached"),
        ):
            if keys := [key for key, part in self.parts.items() if part.verdict is verdict]:
                text += f"; {word}: {self._names(keys, 3)}"
        return text

    def _names(self, keys: Sequence[str], limit: int = MAX_PROCESSES_LISTED) -> str:
        """The first of these processes by their names, and how many more there are; a thousand times for a thousand."""
        return listed([*map(self.name_of, keys[:limit]), *keys[limit:]], limit)

    def in_words(self) -> str:
        """``RestartService of HDFS/DataNode/10.0.0.1, begun at 2026-01-31T12:00:00Z, RequestId …``."""
        known = f", RequestId {self.request_id}" if self.request_id else ""
        return f"{self.op_type} of {self.targets()}, begun at {utc_text(self.armed_at)}{known}"

    def targets(self) -> str:
        """Its processes by their names, the first ones."""
        return self._names([*self.parts])

    def where(self) -> str:
        """Its processes in words: ``HDFS DataNode 10.0.0.1``, ``HDFS DataNode (3 processes)``."""
        names = [self.name_of(key).split("/") for key in self.parts]
        if len(names) == 1:
            return " ".join(names[0])
        components = list(dict.fromkeys(f"{service} {component}" for service, component, _ in names))
        parts = components if len(components) == 1 else list(dict.fromkeys(service for service, _, _ in names))
        return f"{listed(parts, MAX_PROCESSES_LISTED)} ({len(names)} processes)"

    def before_in_words(self) -> str:
        """The readings from before."""
        return listed(
            [f"{self.name_of(key)} last restarted {part.before or 'never seen'}" for key, part in self.parts.items()],
            MAX_PROCESSES_LISTED,
        )

    def name_of(self, key: str) -> str:
        """One of its processes (Target.key) as the cluster spells it, where that is known."""
        ip = key.rpartition("/")[2]
        for name in self.components:
            service, _, component = name.partition("/")
            target = Target(service, component, ip)
            if target.key == key:
                return str(target)
        return spelled(key)

    def moved(self, state: State, **changes: Any) -> Operation:
        """The operation in ``state``, with these fields changed."""
        return replace(self, state=state, **changes)

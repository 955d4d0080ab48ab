"""One operation: a request to the API, its states and its life."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from handler.lib.wording import listed, utc_text
from handler.model.request import OpType
from handler.model.scope import ALL, OpScope

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
    UNVERIFIED = "UNVERIFIED"  # as promised as far as is shown; no probe covers it, or an earlier reading is missing
    FAILED = "FAILED"  # carried out, and seen not to have worked
    TIMED_OUT = "TIMED_OUT"  # the deadline passed before anything could be seen

    def __str__(self) -> str:
        return self.value


#: States in which the cluster may still be changing because of us.
OPEN: Final = frozenset({State.SENDING, State.ACCEPTED, State.IN_DOUBT})


#: States of operations that did nothing to the cluster.
UNTOUCHED: Final = frozenset({State.NOT_SENT, State.REJECTED})


#: States in which what was sent is over.
ENDED: Final = frozenset(State) - OPEN - UNTOUCHED


#: How many of an operation's processes are named to a person.
MAX_PROCESSES_LISTED: Final = 5


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
    is_command: bool
    #: Those of the incidents that are served in parts, each with the time at which the first part was armed.
    parts: Mapping[str, float] = field(default_factory=dict)
    #: Batches that a rolling restart takes; 1 otherwise.
    batches: int = 1
    attempts: int = 1
    #: The API's code or ours, where it did not go well.
    code: str = ""
    #: The API's RequestId.
    request_id: str = ""
    #: What the newest look at it showed.
    observed: str = ""
    #: Why it is in its state, in words, where the follow-up concluded it.
    reason: str = ""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_remediation_restart(self) -> bool:
        """Whether it counts for quarantine: a restart that an alert asked for, seen to its end."""
        ended = self.state in (State.VERIFIED, State.UNVERIFIED, State.FAILED)
        return ended and self.op_type is OpType.RESTART_SERVICE and not self.is_command

    @property
    def scope(self) -> OpScope:
        """What the request names."""
        parts = []
        for service in self.request.get("OpScope", {}).get("ServiceInfoList", ()):
            name, components = service["ServiceName"], service.get("ComponentInfoList")
            parts += [OpScope.of_service(name)] if components is None else []
            parts += [
                OpScope.of_component(name, one["ComponentName"], one.get("IpList", ALL)) for one in components or ()
            ]
        return OpScope.union_of(parts)

    def in_words(self) -> str:
        """``RestartService of HDFS/DataNode/10.0.0.1, begun at 2026-01-31T12:00:00Z, RequestId …``."""
        known = f", RequestId {self.request_id}" if self.request_id else ""
        return f"{self.op_type} of {self.scope}, begun at {utc_text(self.armed_at)}{known}"

    def where(self) -> str:
        """Its processes in words: ``HDFS DataNode 10.0.0.1``, ``HDFS DataNode (3 processes)``."""
        names = [self.name_of(key).split("/") for key in self.before]
        if len(names) == 1:
            return " ".join(names[0])
        components = list(dict.fromkeys(f"{service} {component}" for service, component, _ in names))
        parts = components if len(components) == 1 else list(dict.fromkeys(service for service, _, _ in names))
        return f"{listed(parts, MAX_PROCESSES_LISTED)} ({len(names)} processes)"

    def before_in_words(self) -> str:
        """The readings from before."""
        return listed(
            [f"{self.name_of(key)} last restarted {last or 'never seen'}" for key, last in self.before.items()],
            MAX_PROCESSES_LISTED,
        )

    @cached_property
    def _names(self) -> dict[str, str]:
        """By the beginning of a Target.key: that of its name, for each component that the request names."""
        return {f"{service}/{name.lower()}/": f"{service}/{name}/" for service, name, _ in self.scope if name}

    def name_of(self, key: str) -> str:
        """One of its processes (Target.key) as the cluster spells it, where that is known."""
        begin, slash, ip = key.rpartition("/")
        if known := self._names.get(begin + slash):
            return known + ip
        from handler.model.components import spelled  # with names of which hardly any event needs one

        return spelled(key)

    def moved(
        self,
        state: State,
        now: float,
        *,
        code: str = "",
        request_id: str = "",
        observed: str = "",
        reason: str = "",
        attempts: int | None = None,
    ) -> Operation:
        """The operation moved to ``state``.

        Empty texts keep the present ones. ``settled_at`` changes only with the state.
        """
        return replace(
            self,
            state=state,
            settled_at=now if state is not self.state else self.settled_at,
            code=code or self.code,
            request_id=request_id or self.request_id,
            observed=observed or self.observed,
            reason=reason or self.reason,
            attempts=self.attempts if attempts is None else attempts,
        )

"""What one invocation works with, and what working on one cluster adds to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from handler.cloud.emr import Gateway
    from handler.config.config import Config
    from handler.ledger.cluster_record import ClusterRecord, Saying
    from handler.ledger.ledger import Ledger
    from handler.ledger.store import Line
    from handler.lib.clock import Clock, Deadline
    from handler.model.alarm import Alarm
    from handler.model.operation import Operation
    from handler.model.outcome import Outcome
    from handler.model.policy import Cluster, Mode
    from handler.report.log import Log


@dataclass
class Collaborators:
    """Everything that one invocation works with."""

    config: Config
    gateway: Gateway
    ledger: Ledger
    clock: Clock
    log: Log
    mode: Mode
    #: Who arms operations: unique to the invocation.
    owner: str


@dataclass(kw_only=True)
class Run(Collaborators):
    """One invocation's work on one cluster, which ends by the deadline."""

    cluster_id: str
    #: None where it is no longer listed.
    cluster: Cluster | None
    deadline: Deadline
    #: The events of this invocation: their own outcomes say what became of them.
    own_events: frozenset[str] = frozenset()
    #: Writes down what they state, in the first swap; answers whether there is anything to serve.
    admit: Callable[[ClusterRecord], bool] | None = None
    #: What swaps of this invocation decided to say, by id, or found unsaid.
    sayings: dict[str, Saying] = field(default_factory=dict)
    #: Alarms that no record holds.
    alarms: list[Alarm] = field(default_factory=list)
    #: Operations that ended in this invocation.
    operations_ended: list[Operation] = field(default_factory=list)
    #: Lines for the history.
    lines: list[Line] = field(default_factory=list)
    #: The newest outcome of each intent (key), as far as this invocation saw it.
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    #: Whether all that the events state was stated a moment ago.
    is_repeat: bool = False
    #: Whether what the events state is written down.
    is_written: bool = False
    #: By the key of an intent: the keys of those that took its place.
    splits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: The operation that served each intent.
    operations: dict[str, str] = field(default_factory=dict)

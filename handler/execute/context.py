"""What one invocation works with, and what serving one cluster adds to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handler.model.alarm import Alarm

if TYPE_CHECKING:
    from handler.cloud.emr import Gateway
    from handler.config.config import Config
    from handler.ledger.protocol import Ledger
    from handler.lib.clock import Clock, Deadline
    from handler.model.outcome import Outcome
    from handler.model.policy import Cluster, Mode
    from handler.report.log import Log


@dataclass(frozen=True)
class Collaborators:
    """All that one invocation works with."""

    config: Config
    gateway: Gateway
    ledger: Ledger
    clock: Clock
    log: Log
    mode: Mode
    #: Who arms: unique to the invocation.
    owner: str


@dataclass(frozen=True, kw_only=True)
class Run(Collaborators):
    """One invocation's run at one cluster, by the deadline; ``alarms`` collects what a person should hear of."""

    cluster: Cluster
    deadline: Deadline
    alarms: list[Alarm] = field(default_factory=list)

    def alarm(self, outcome: Outcome, about: str, occasion: str = "") -> None:
        """A person should hear of this outcome, which is ``about`` something in this cluster; of one ``occasion`` once."""
        self.alarms.append(Alarm(outcome.code, self.cluster.id, about, outcome.reason, occasion=occasion))

"""What one invocation works with, and what working on one cluster adds to it."""

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
    """Everything that one invocation works with."""

    config: Config
    gateway: Gateway
    ledger: Ledger
    clock: Clock
    log: Log
    mode: Mode
    #: Who arms operations: unique to the invocation.
    owner: str


@dataclass(frozen=True, kw_only=True)
class Run(Collaborators):
    """One invocation's work on one cluster, which ends by the deadline.

    ``alarms`` collects what a person must be notified of.
    """

    cluster: Cluster
    deadline: Deadline
    alarms: list[Alarm] = field(default_factory=list)

    def alarm(self, outcome: Outcome, about: str, *, where: str = "", occasion: str = "") -> None:
        """Raise the alarm of an outcome that is ``about`` something in this cluster.

        ``where`` is the same in words; its name is not repeated at the beginning of the text. One ``occasion`` raises
        one alarm.
        """
        text = outcome.reason.removeprefix(f"{about} is ") if where else outcome.reason
        self.alarms.append(
            Alarm(outcome.code, self.cluster.id, about, text, fix=outcome.fix, where=where, occasion=occasion)
        )

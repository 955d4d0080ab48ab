"""What the ledger knows of a cluster's past, as the guards see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.operation import Operation


@dataclass(frozen=True)
class History:
    """The past of one cluster's processes. Processes are named by Target.key."""

    #: The open operation on each process that has one.
    open: Mapping[str, Operation] = field(default_factory=dict)
    #: The newest operation that touched each process, or may have.
    last: Mapping[str, Operation] = field(default_factory=dict)
    #: How many restarts that alerts asked for each process had, or may have had, in the quarantine's time.
    restarts: Mapping[str, int] = field(default_factory=dict)
    #: By sender: the start of the newest occurrence that it called resolved.
    resolved: Mapping[str, float] = field(default_factory=dict)
    #: Operations of the last hour that were sent, or may have been: those of remediations, and those of commands.
    remediations_last_hour: int = 0
    commands_last_hour: int = 0

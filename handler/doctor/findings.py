"""What an examination sees, and what is found of it: plain values, between the one that looks and the one that judges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.cloud.account import Credentials
    from handler.config.config import Config
    from handler.errors import ConfigurationError, StewardError
    from handler.model.operation import Operation

Health = Literal["ok", "warn", "fail", "not proved"]


@dataclass(frozen=True)
class Finding:
    """One thing that an operation needs: its state, what was seen of it, and how to mend it where that is wanted."""

    name: str
    state: Health
    seen: str
    fix: str = ""

    def to_wire(self) -> dict[str, str]:
        """As JSON: ``mend`` only where there is something to mend."""
        row = {"name": self.name, "state": self.state, "seen": self.seen}
        return {**row, "mend": self.fix} if self.fix else row


@dataclass(frozen=True)
class Call:
    """A harmless call that was made: ``role`` is the ARN of the role whose key signed it, or for which it asked; empty for our own."""

    action: str
    cluster: str
    host: str
    role: str = ""
    error: StewardError | None = None
    #: The cluster's status, of DescribeInstances.
    status: int | None = None


@dataclass(frozen=True)
class LedgerSeen:
    """What the ledger did: ``error`` where it cannot be used; ``keeps`` where what was written was there when read."""

    error: str = ""
    keeps: bool = False
    warnings: tuple[str, ...] = ()
    open_operations: int = 0
    #: The newest first.
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class AlarmsSeen:
    """What is known of the ways of alarms without using them, and what became of a test alarm."""

    #: By variable: what is wrong with the chat's URL; empty where nothing is seen to be.
    chats: Mapping[str, str] = field(default_factory=dict)
    was_sent: bool = False
    #: By way (``chat:VARIABLE``, ``event_bus``): why the test alarm did not go.
    unsent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """All that was seen. ``time_limit`` in seconds; None outside of the function."""

    env: Mapping[str, str]
    endpoint: str
    mode: str
    config_path: str
    config: Config | None
    settings_problems: tuple[ConfigurationError, ...] = ()
    config_problems: tuple[ConfigurationError, ...] = ()
    credentials: Credentials | None = None
    calls: tuple[Call, ...] = ()
    #: Seconds by which our clock is ahead.
    skew: float | None = None
    ledger: LedgerSeen | None = None
    alarms: AlarmsSeen = field(default_factory=AlarmsSeen)
    time_limit: float | None = None

"""The evidence that an examination collects, and the findings of its checks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.cloud.account import Credentials
    from handler.config.config import Config
    from handler.errors import ConfigurationError, StewardError
    from handler.report.history import OperationRow

#: ``unknown``: no harmless call can show it, or another check has to pass first.
Health = Literal["ok", "warn", "fail", "unknown"]


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    ``name`` is what was checked, ``detail`` is what was found, and ``fix`` says what to do. ``fix`` is empty where
    nothing needs to be done.
    """

    name: str
    state: Health
    detail: str
    fix: str = ""

    def to_wire(self) -> dict[str, str]:
        """The finding as JSON, with ``fix`` only where there is one."""
        row = {"name": self.name, "state": self.state, "detail": self.detail}
        return {**row, "fix": self.fix} if self.fix else row


@dataclass(frozen=True)
class Call:
    """A read-only call that was made to the API.

    ``role`` is the ARN of the role whose key signed the call, or that the call asked for. It is empty for a call with
    the function's own key.
    """

    action: str
    cluster: str
    host: str
    role: str = ""
    error: StewardError | None = None
    #: The cluster's status, from DescribeInstances.
    status: int | None = None


@dataclass(frozen=True)
class LedgerEvidence:
    """The result of writing to the ledger and reading it back.

    ``error`` says why the ledger cannot be used. ``keeps`` is true where the value that was written was read back.
    """

    error: str = ""
    keeps: bool = False
    warnings: tuple[str, ...] = ()
    open_operations: int = 0
    #: The newest first.
    operations: tuple[OperationRow, ...] = ()


@dataclass(frozen=True)
class AlarmEvidence:
    """The state of the alarm channels, and the result of a test alarm where one was sent."""

    #: By variable: what is wrong with the URL of the chat, or an empty string.
    chats: Mapping[str, str] = field(default_factory=dict)
    was_sent: bool = False
    #: By channel (``chat:VARIABLE``, ``event_bus``): why it did not accept the test alarm.
    unsent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """Everything that an examination found, for the checks.

    ``time_limit`` is in seconds, and None outside the function.
    """

    env: Mapping[str, str]
    endpoint: str
    mode: str
    config_path: str
    config: Config | None
    settings_problems: tuple[ConfigurationError, ...] = ()
    config_problems: tuple[ConfigurationError, ...] = ()
    credentials: Credentials | None = None
    calls: tuple[Call, ...] = ()
    #: Seconds by which this machine's clock is ahead of the API's; None where it is not known.
    clock_skew: float | None = None
    ledger: LedgerEvidence | None = None
    alarms: AlarmEvidence = field(default_factory=AlarmEvidence)
    time_limit: float | None = None

"""The configuration as values: all that steward.yml decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handler.model.policy import AlarmSettings, Safety, Webhook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.decide.rules import Rule
    from handler.model.policy import Cluster


@dataclass(frozen=True)
class Config:
    """All of steward.yml."""

    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    webhook: Webhook = field(default_factory=Webhook)
    safety: Safety = field(default_factory=Safety)
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    #: Whether the function is limited to one instance.
    is_single_instance: bool = False

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that the file names: those of secrets."""
        return (
            *(caller.secret_env for caller in self.webhook.callers),
            *(chat.url_env for chat in self.alarms.chat),
        )

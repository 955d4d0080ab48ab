"""The Intent: what an event asks for. It states; it never acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from handler.model.request import Action
    from handler.model.scope import OpScope


@dataclass(frozen=True)
class Limits:
    """How much one rule may do. Omitted limits default to conservative values.

    ``cooldown`` and ``max_wait`` in seconds; ``max_nodes`` processes of a component under operation at a time;
    ``max_share`` of a component's processes, from 0 to 1, that may be away at a time, never rounded below one.
    """

    cooldown: float = 900.0
    max_nodes: int = 1
    max_share: float = 0.25
    max_wait: float = 3600.0

    def strictest(self, other: Limits) -> Limits:
        """The limits that satisfy both."""
        return Limits(
            cooldown=max(self.cooldown, other.cooldown),
            max_nodes=min(self.max_nodes, other.max_nodes),
            max_share=min(self.max_share, other.max_share),
            max_wait=min(self.max_wait, other.max_wait),
        )


#: Limits of commands (a timer's, a person's): only the wait is bounded, unless the rule bounds more.
COMMAND_LIMITS = Limits(cooldown=0.0, max_nodes=99_999, max_share=1.0, max_wait=3600.0)


class Intent(NamedTuple):
    """What one event asks of one cluster, by which rule.

    ``is_command`` tells what a timer or a person asks for (it is carried out) from what an alert asks for (a need:
    skipped where the process is healthy, unless ``even_if_healthy``).
    """

    cluster: str
    action: Action
    scope: OpScope
    rule: str
    is_command: bool
    even_if_healthy: bool = False
    limits: Limits = Limits()
    #: When the event happened, seconds since the epoch; None where the sender does not say.
    occurred_at: float | None = None
    #: When the first part of it was armed, seconds since the epoch, where it is served in parts.
    parts_since: float | None = None

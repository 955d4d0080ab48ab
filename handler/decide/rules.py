"""Rules: a pattern over an Event, and the Intent that it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, Union

from handler.errors import FieldError, InvalidInput
from handler.lib.wording import cut
from handler.model import names
from handler.model.intent import Limits, Stated
from handler.model.scope import All, OpScope, Target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.decide.patterns import Mismatch, Pattern
    from handler.decide.templates import Template
    from handler.model.event import Event
    from handler.model.request import Action

#: The senders of commands. All others send alerts.
COMMANDERS: Final = ("timer", "request")
#: component template → all its nodes, or address templates
ComponentScope = tuple["Template", Union[Literal[All.ALL], "tuple[Template, ...]"]]
#: service template → all its components, or component scopes
ServiceScope = tuple["Template", Union[Literal[All.ALL], "tuple[ComponentScope, ...]"]]


@dataclass(frozen=True)
class Rule:
    """One rule of steward.yml.

    ``command_limits`` hold for commands, ``limits`` for alerts.
    """

    name: str
    pattern: Pattern
    action: Action
    cluster: Template
    scope: tuple[ServiceScope, ...]
    limits: Limits
    command_limits: Limits
    even_if_healthy: bool = False

    def matches(self, view: Mapping[str, Any]) -> bool:
        """Whether the rule is for this event (:meth:`Event.view`)."""
        return self.pattern.matches(view)

    def explain(self, view: Mapping[str, Any]) -> list[Mismatch]:
        """What in the event does not match; empty where it does."""
        return self.pattern.explain(view)

    def state(self, event: Event, view: Mapping[str, Any], sender: str, told_at: float) -> tuple[str, Stated]:
        """What an event states by this rule, and of which cluster.

        ``sender`` identifies who says so (:class:`Stated`). Raises TemplateError, or InvalidInput where a template
        gives an invalid value.
        """
        cluster = _cluster(self.cluster.render(view))
        is_command = event.source in COMMANDERS
        limits = self.command_limits if is_command else self.limits
        start = event.occurred_at if is_command or event.started_at is None else event.started_at
        return cluster, Stated(
            event.id,
            sender,
            self.name,
            self.action,
            self._scope(view),
            is_command,
            told_at,
            start,
            self.even_if_healthy,
            limits.max_wait,
        )

    def _scope(self, view: Mapping[str, Any]) -> OpScope:
        parts: list[OpScope] = []
        for service_template, components in self.scope:
            service = _service_name(service_template.render(view))
            if isinstance(components, All):
                parts.append(OpScope.of_service(service))
                continue
            for component_template, addresses in components:
                component = _process_name(component_template.render(view), "component")
                if isinstance(addresses, All):
                    parts.append(OpScope.of_component(service, component))
                else:
                    ips = [_address(ip.render(view)) for ip in addresses]
                    parts += [OpScope.of_target(Target(service, component, ip)) for ip in ips]
        return parts[0] if len(parts) == 1 else OpScope.union_of(parts)


def _address(text: str) -> str:
    if address := names.address(text):
        return address
    raise InvalidInput(
        FieldError("do.scope", f"{_shown(text)} is not an address (a filter such as `|host` strips a port)")
    )


def _cluster(text: str) -> str:
    if not names.is_cluster_id(text):
        raise InvalidInput(FieldError("do.cluster", f"{_shown(text)} is not a cluster id ({names.CLUSTER_ID_FORMAT})"))
    return text


@lru_cache(maxsize=512)
def _service_name(text: str) -> str:
    return _process_name(text, "service").upper()


def _process_name(text: str, what: str) -> str:
    if not names.is_process_name(text):
        raise InvalidInput(FieldError("do.scope", f"{_shown(text)} is not a {what} name"))
    return text


def _shown(text: str) -> str:
    return repr(cut(text, 60))

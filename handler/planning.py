"""From intents to operations: what many events ask of one cluster becomes one request.

Intents that agree in cluster and manner (OpType, strategy, stop parameters) are one plan; its scope is their exact union.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from handler.observation import Reading, UnknownPart, same_spelling
from handler.operations import OpScope, Target

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.intents import Intent, Limits
    from handler.observation import Observation
    from handler.operations import Manner


@dataclass(frozen=True)
class Plan:
    """The intents that one request to one cluster would serve."""

    cluster: str
    manner: Manner
    intents: tuple[Intent, ...]

    @cached_property
    def scope(self) -> OpScope:
        """All that is asked for, and nothing else."""
        return OpScope.union_of(intent.scope for intent in self.intents)


def plan(intents: Iterable[Intent]) -> list[Plan]:
    """One plan for each cluster and manner, in the order in which they were first asked for."""
    groups: dict[tuple[str, Manner], list[Intent]] = {}
    for intent in intents:
        groups.setdefault((intent.cluster, intent.manner), []).append(intent)
    return [Plan(cluster, manner, tuple(group)) for (cluster, manner), group in groups.items()]


@dataclass(frozen=True)
class Asked:
    """One process that is asked for, by whom, and within which limits."""

    reading: Reading
    manner: Manner
    intents: tuple[Intent, ...]
    is_order: bool
    even_if_healthy: bool
    limits: Limits

    @cached_property
    def key(self) -> str:
        return self.reading.target.key


def resolve(the_plan: Plan, seen: Observation) -> tuple[list[Asked], list[tuple[Intent, str]]]:
    """The processes that a plan means, and the intents that mean none, each with the problem.

    One intent that names what does not exist spoils nothing but itself.
    """
    readings: dict[str, Reading] = {}
    asking: dict[str, list[Intent]] = {}
    unknown: list[tuple[Intent, str]] = []
    for intent in the_plan.intents:
        try:
            meant = seen.resolve(intent.scope)
        except UnknownPart as error:
            unknown.append((intent, error.problem))
            continue
        readings.update(meant)
        for key in meant:
            asking.setdefault(key, []).append(intent)
    return [_asked(readings[key], the_plan.manner, asking[key]) for key in sorted(asking)], unknown


def named(the_plan: Plan) -> tuple[list[Asked], dict[str, list[Intent]]]:
    """The processes that a plan names itself, one by one, not looked at; and who names them, by key.

    Only of intents that name nothing else: of "all", a look has to say what it means.
    """
    asking: dict[str, list[Intent]] = {}
    targets: dict[str, Target] = {}
    for intent in the_plan.intents:
        parts = list(intent.scope)
        for service, component, ip in parts if all(ip is not None for *_, ip in parts) else ():
            target = Target(service, component or "", ip or "")
            targets[target.key] = target
            asking.setdefault(target.key, []).append(intent)
    return [_asked(Reading.unseen(targets[key]), the_plan.manner, asking[key]) for key in sorted(asking)], asking


def _asked(reading: Reading, manner: Manner, intents: list[Intent]) -> Asked:
    # Where a person or a timer asks too, the process is theirs: an alert's limits do not hold an order back.
    orders = [intent for intent in intents if intent.is_order]
    deciding = orders or intents
    limits = deciding[0].limits
    for intent in deciding[1:]:
        if intent.limits is not limits:
            limits = limits.strictest(intent.limits)
    return Asked(
        reading=reading,
        manner=manner,
        intents=tuple(intents),
        is_order=bool(orders),
        even_if_healthy=any(intent.even_if_healthy for intent in intents),
        limits=limits,
    )


def scope_to_send(the_plan: Plan, chosen: list[Asked], held_any: bool) -> OpScope:
    """The scope of the request, in the cluster's own spelling.

    As it was asked where every process goes ("all of a service" lets the API order the components itself); exactly the chosen
    processes once anything is held back.
    """
    targets = [asked.reading.target for asked in chosen]
    if held_any:
        return OpScope.of_targets(targets)
    parts = [OpScope.of_targets(targets)]
    for service, component, ip in the_plan.scope:
        if component is None:
            parts.append(OpScope.of_service(service))
        elif ip is None:
            names = [t.component for t in targets if t.service == service and same_spelling(t.component, component)]
            parts.append(OpScope.of_component(service, names[0]))
    return OpScope.union_of(parts)

"""From cases to operations: what many events ask of one cluster becomes one request.

Intents that agree in cluster and action (OpType, strategy, stop parameters) are one plan; its scope is their exact
union.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from handler.model.components import same_spelling
from handler.model.observation import Reading, UnknownPart
from handler.model.scope import OpScope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from handler.decide.case import Case
    from handler.model.intent import Limits
    from handler.model.observation import Observation
    from handler.model.request import Action
    from handler.model.scope import Target


@dataclass(frozen=True)
class Plan:
    """The cases that one request to one cluster would serve."""

    cluster: str
    action: Action
    cases: tuple[Case, ...]

    @property
    def is_command(self) -> bool:
        return self.cases[0].intent.is_command

    @cached_property
    def scope(self) -> OpScope:
        """All that is asked for, and nothing else."""
        return OpScope.union_of(case.intent.scope for case in self.cases)


def plan(cases: Iterable[Case]) -> list[Plan]:
    """One plan for each cluster and action, in the order in which they were first asked for.

    Commands come first.

    Commands and remediations are never one plan: limits and quarantine do not hold a command back, so they would not
    hold the remediations that went with it.
    """
    groups: dict[tuple[str, str, bool], list[Case]] = {}
    for case in cases:
        intent = case.intent
        groups.setdefault((intent.cluster, intent.action.stable, intent.is_command), []).append(case)
    plans = [Plan(group[0].intent.cluster, group[0].intent.action, tuple(group)) for group in groups.values()]
    return sorted(plans, key=lambda one: not one.is_command) if len(plans) > 1 else plans


class Asked(NamedTuple):
    """One process that is asked for, by whom, and within which limits."""

    #: :attr:`Target.key`.
    key: str
    reading: Reading
    action: Action
    cases: tuple[Case, ...]
    is_command: bool
    even_if_healthy: bool
    limits: Limits

    @classmethod
    def of(cls, key: str, reading: Reading, action: Action, cases: Sequence[Case]) -> Asked:
        """What ``cases``, most often one, together ask of a process."""
        first = cases[0].intent
        if len(cases) == 1:
            return cls(key, reading, action, tuple(cases), first.is_command, first.even_if_healthy, first.limits)
        limits = first.limits
        for case in cases[1:]:
            if case.intent.limits is not limits:
                limits = limits.strictest(case.intent.limits)
        even_if_healthy = any(case.intent.even_if_healthy for case in cases)
        return cls(key, reading, action, tuple(cases), first.is_command, even_if_healthy, limits)


def resolve(the_plan: Plan, seen: Observation) -> tuple[list[Asked], list[tuple[Case, str]]]:
    """The processes that a plan means, and the cases that mean none, each with the problem.

    One case that names what does not exist spoils nothing but itself.
    """
    asked: dict[str, tuple[Reading, list[Case]]] = {}
    unknown: list[tuple[Case, str]] = []
    for case in the_plan.cases:
        try:
            meant = seen.resolve(case.intent.scope)
        except UnknownPart as error:
            unknown.append((case, error.problem))
            continue
        for key, reading in meant.items():
            if known := asked.get(key):
                known[1].append(case)
            else:
                asked[key] = reading, [case]
    return [
        Asked.of(key, reading, the_plan.action, asking) for key, (reading, asking) in sorted(asked.items())
    ], unknown


def with_a_past(the_plan: Plan, past: Collection[str]) -> tuple[list[Asked], list[Case]]:
    """The processes of a plan that are in ``past`` (keys), without a look at the cluster.

    Also returns the cases that name only such processes.

    A case for "all" is not among these: a look has to say what it means.
    """
    asking: dict[str, list[Case]] = {}
    targets: dict[str, Target] = {}
    wholly: list[Case] = []
    for case in the_plan.cases if past else ():
        named = case.intent.scope.targets
        known = [target for target in named or () if target.key in past]
        for target in known:
            targets[target.key] = target
            asking.setdefault(target.key, []).append(case)
        if known and len(known) == len(named or ()):
            wholly.append(case)
    asked = [Asked.of(key, Reading.unseen(targets[key]), the_plan.action, asking[key]) for key in sorted(asking)]
    return asked, wholly


def scope_to_send(the_plan: Plan, chosen: Sequence[Asked], held_any: bool) -> OpScope:
    """The scope of the request, in the cluster's own spelling.

    As it was asked where every process goes ("all of a service" lets the API order the components itself); exactly the
    chosen processes once anything is held back.
    """
    targets = [asked.reading.target for asked in chosen]
    exactly = OpScope.of_targets(targets)
    if held_any or not the_plan.scope.says_all:
        return exactly
    parts = [exactly]
    for service, component, ip in the_plan.scope:
        if component is None:
            parts.append(OpScope.of_service(service))
        elif ip is None:
            names = [t.component for t in targets if t.service == service and same_spelling(t.component, component)]
            parts.append(OpScope.of_component(service, names[0]))
    return OpScope.union_of(parts)

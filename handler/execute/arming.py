"""Arming: what passes the guards and agrees becomes one operation. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handler.decide import budgets
from handler.decide.verification import patience
from handler.model.operation import Operation, Part, State
from handler.model.outcome import Outcome
from handler.model.request import Request
from handler.model.scope import OpScope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handler.decide.process_guards import Asked
    from handler.execute.policy import Step
    from handler.model.intent import Intent
    from handler.model.observation import Observation


def arm(step: Step, passing: list[tuple[Intent, list[Asked]]]) -> tuple[Operation | None, Request | None]:
    """Join what agrees, the commands first, and arm what the budgets leave room for."""
    left = sorted(passing, key=lambda one: (not one[0].is_command, one[0].seq))
    while left:
        first, group, left = _joined(left)
        chosen = _within_budgets(step, group)
        if not chosen:
            continue
        limit = step.policy.cluster.operations_per_hour if step.policy.cluster else 0
        held = budgets.within_hourly(step.view.history, limit, is_command=first.is_command)
        about = "commands_per_hour" if first.is_command else "operations_per_hour"
        if held is None:
            step.record.well("guard.operations_per_hour", about, "operations are sent again", step.policy.now)
        if held is not None:
            step.record.tell(step.alarm(held, about), step.policy.now)
        elif step.policy.mode == "observe":
            _observed(step, chosen)
            continue
        elif not step.policy.may_arm:
            held = Outcome.pending("time.short", "too little time is left to send a request; the follow-up does it")
        if held is None:
            for intent, _ in left:
                step.held[intent.key] = Outcome.pending("guard.queued", "another operation is sent first")
            return _armed(step, first, chosen)
        for intent in {one.intent.key: one.intent for one in chosen}.values():
            step.hold(intent, held, step.policy.limits_of(intent))
    return None, None


def _within_budgets(step: Step, group: list[tuple[Intent, list[Asked]]]) -> list[Asked]:
    """The processes of a group that the budgets leave room for. What is left out is held."""
    group = list(group)
    while True:
        chosen, over = budgets.within_budgets([one for _, asked in group for one in asked], step.view)
        # A command waits as a whole, unless its own limits say that it goes on in portions.
        whole = {
            one.intent.key: outcome
            for one, outcome in over
            if one.intent.is_command and outcome.code not in ("guard.max_nodes", "guard.max_share")
        }
        if not whole:
            break
        for intent, _ in group:
            if intent.key in whole:
                step.hold(intent, whole[intent.key], step.policy.limits_of(intent))
        group = [(intent, asked) for intent, asked in group if intent.key not in whole]
    served = {one.intent.key for one in chosen}
    for one, outcome in over:
        if one.intent.key not in served and one.intent.key in step.record.intents:
            step.hold(one.intent, outcome, one.limits)
    return chosen


def _observed(step: Step, chosen: Iterable[Asked]) -> None:
    by_intent: dict[str, list[Asked]] = {}
    for one in chosen:
        by_intent.setdefault(one.intent.key, []).append(one)
    for key, asked in by_intent.items():
        intent = step.record.intents[key]
        scope = scope_to_send([intent], asked, step.seen)
        would = f"observe mode: would send {intent.action.op_type} of {scope}"
        step.record.end(intent, Outcome.skipped("mode.observe", would, guard="mode"), step.policy.now)


def _armed(step: Step, first: Intent, chosen: list[Asked]) -> tuple[Operation, Request]:
    record, now = step.record, step.policy.now
    by_key = {one.key: one.reading for one in chosen}
    intents = list({one.intent.key: one.intent for one in chosen}.values())
    scope = scope_to_send(intents, chosen, step.seen)
    targets = [reading.target for reading in by_key.values()]
    operation = Operation(
        id=step.policy.operation_id,
        seq=record.next_seq(),
        cluster=record.cluster,
        action=first.action,
        state=State.SENDING,
        owner=step.policy.owner,
        armed_at=now,
        deadline=now + patience(first.action, len(by_key)),
        is_command=first.is_command,
        rules=tuple(dict.fromkeys(one.rule for one in intents)),
        intents=tuple(one.key for one in intents),
        parts={key: Part(reading.last_restart) for key, reading in sorted(by_key.items())},
        components=tuple(dict.fromkeys(f"{one.service}/{one.component}" for one in targets)),
        occurrences=frozenset().union(*(one.occurrences for one in intents if one.even_if_healthy)),
    )
    record.arm(operation, operation.intents)
    return operation, Request(record.cluster, first.action, scope)


def _joined(
    left: list[tuple[Intent, list[Asked]]],
) -> tuple[Intent, list[tuple[Intent, list[Asked]]], list[tuple[Intent, list[Asked]]]]:
    """The first intent, those that one request can serve with it, and the rest.

    Where a rolling request blocks on failure, they are of one component: what one blocks must not be another's.
    """
    first, asked = left[0]
    if first.alone:
        return first, left[:1], left[1:]
    strategy = first.action.strategy
    blocks = strategy is not None and strategy.rolling and not strategy.skip_failed
    components = {one.reading.target[:2] for one in asked}
    group: list[tuple[Intent, list[Asked]]] = left[:1]
    rest: list[tuple[Intent, list[Asked]]] = []
    for intent, more in left[1:]:
        agrees = (
            intent.action.stable == first.action.stable and intent.is_command == first.is_command and not intent.alone
        )
        if agrees and blocks:
            agrees = len(components | {one.reading.target[:2] for one in more}) == 1
        (group if agrees else rest).append((intent, more))
    return first, group, rest


def scope_to_send(intents: Sequence[Intent], chosen: Sequence[Asked], seen: Observation | None) -> OpScope:
    """The scope of the request, in the cluster's own spelling.

    As it was asked where every process of it goes ("all of a service" lets the API order the components itself);
    exactly the chosen processes otherwise.
    """
    exactly = OpScope.of_targets(one.reading.target for one in chosen)
    asked = OpScope.union_of(one.scope for one in intents)
    if seen is None or not asked.says_all or set(seen.resolve(asked)) != {one.key for one in chosen}:
        return exactly
    parts = [exactly]
    for service, component, ip in asked:
        if component is None:
            parts.append(OpScope.of_service(service))
        elif ip is None:
            name = next(iter(seen.component(service, component).values())).target.component
            parts.append(OpScope.of_component(service, name))
    return OpScope.union_of(parts)

"""Weighing what is pending: the processes it means, and what the guards say. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handler.decide import intent_guards, process_guards
from handler.decide.process_guards import Asked
from handler.ledger import reasons, waiting
from handler.model.observation import UNKNOWN, UnknownPart
from handler.model.operation import Verdict
from handler.model.outcome import URGENCY, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.execute.policy import Step
    from handler.model.intent import Intent, Limits
    from handler.model.observation import Reading

#: Seconds after which a person is told that the health of a process is not known.
UNKNOWN_SECONDS = 300.0


def weigh(step: Step) -> list[tuple[Intent, list[Asked]]]:
    """The intents that no guard holds back, each with the processes that are left of it."""
    record, now = step.record, step.policy.now
    meant: dict[str, dict[str, Reading]] = {}
    for intent in _by_age(step):
        if intent.stage == "pending" or intent.is_command:
            _resolve(step, intent, meant)
    lost = waiting.supersede(record, meant, now)
    passing: list[tuple[Intent, list[Asked]]] = []
    for intent in _by_age(step):
        if intent.stage != "pending":
            continue
        limits = step.policy.limits_of(intent)
        outcome = _of_intent(step, intent, limits)
        if outcome is not None and outcome.status != "pending":
            record.end(intent, outcome, now)
        elif limits is None or intent.key not in meant:
            step.hold(intent, outcome or step.held[intent.key], limits)
        else:
            rest = {key: one for key, one in meant[intent.key].items() if key not in lost.get(intent.key, ())}
            asked = _of_processes(step, intent, limits, rest, outcome)
            if asked and not _is_too_late(step, intent, limits):
                passing.append((record.intents[intent.key], asked))
    return passing


def _is_too_late(step: Step, intent: Intent, limits: Limits) -> bool:
    """End a command that nothing holds any more, but that waited longer than it may: nobody looked in time."""
    unseen = Outcome.pending("intent.unseen", "nobody looked at it in time")
    return intent.is_command and waiting.expire(
        step.record, intent, unseen, limits.max_wait, step.policy.now, is_on_purpose=False
    )


def _by_age(step: Step) -> list[Intent]:
    return sorted(step.record.intents.values(), key=lambda one: one.seq)


def _resolve(step: Step, intent: Intent, meant: dict[str, dict[str, Reading]]) -> None:
    """The processes that an intent means; where they are not known, it is held, or ended."""
    seen, now = step.seen, step.policy.now
    missing = [name for name in intent.scope.services if seen is None or name not in seen.services]
    if seen is None or missing:
        why = seen.unseen.get(missing[0], "it was not looked at") if seen else ""
        step.held[intent.key] = step.failure or Outcome.pending(
            "look.failed", f"{', '.join(missing)} cannot be looked at: {why}", guard="look"
        )
        return
    try:
        found = seen.resolve(intent.scope)
    except UnknownPart as error:
        if intent.stage == "pending":
            fix = "Correct the rule or the sender's labels: they name something that the cluster does not have."
            outcome = Outcome.refused("scope.unknown", error.problem, fix=fix, http_status=404, guard="scope")
            step.record.end(intent, outcome, now)
        return
    if intent.is_command or intent.scope.targets is not None:
        meant[intent.key] = found
        return
    down = [one for one in found.values() if one.is_unavailable or intent.even_if_healthy]
    if not down:
        unknown = [one for one in found.values() if one.health == UNKNOWN and not one.is_stopped]
        if unknown:
            why = f"whether {unknown[0].target} is down is not known: {unknown[0].describe()}"
            step.held[intent.key] = Outcome.pending("guard.health_unknown", why, guard="health_unknown")
            return
    step.record.well("intent.waits", intent.process, f"{intent.scope} can be looked at again", now)
    if not down:
        outcome = Outcome.skipped("guard.healthy", f"no process of {intent.scope} is down", guard="healthy")
        step.record.end(intent, outcome, now)
        return
    waiting.split(step.record, intent, [one.target for one in down], now)
    for one in down:
        key = f"{intent.rule}|{one.target.key}"
        if step.record.intents[key].stage == "pending":
            meant[key] = {one.target.key: one}


def _of_intent(step: Step, intent: Intent, limits: Limits | None) -> Outcome | None:
    """What holds back, or ends, an intent whatever its processes are."""
    policy, now, seen = step.policy, step.policy.now, step.seen
    clusters = {policy.cluster.id: policy.cluster} if policy.cluster else {}
    if refused := intent_guards.entitled(step.record.cluster, intent.action.op_type, clusters):
        return refused
    if limits is None:
        fix = "If this is still wanted, restore the rule in steward.yml, or do it by hand."
        return Outcome.refused("rules.gone", f"the rule {intent.rule} is no longer in steward.yml", fix=fix)
    pause = step.record.pause
    if pause is not None and now < pause.until:
        return Outcome.pending("guard.pause", f"paused by {pause.by}: {pause.reason}", guard="pause")
    cluster = step.record.cluster
    if held := intent_guards.unfrozen(cluster, policy.safety, now):
        return held
    if held := intent_guards.outside_maintenance_window(cluster, policy.safety, now, is_command=intent.is_command):
        return held
    if seen is not None and (held := intent_guards.cluster_ready(seen)):
        return held
    if now < intent.not_before:
        wait = intent.not_before - now
        return Outcome.pending(
            "guard.backoff", f"the last request was certainly not carried out; it is tried again in {wait:.0f} s"
        )
    return None


def _of_processes(
    step: Step, intent: Intent, limits: Limits, meant: dict[str, Reading], held: Outcome | None
) -> list[Asked]:
    """The processes of an intent that may go on; without any, it is held or ended."""
    go: list[Asked] = []
    outcomes: list[Outcome] = []
    for key, reading in sorted(meant.items()):
        if key in intent.served:
            continue
        asked = Asked(key, reading, intent, limits)
        if outcome := process_guards.weigh(asked, step.view):
            outcomes.append(outcome)
        else:
            go.append(asked)
    waiting = next((one for one in outcomes if one.status == "pending"), None)
    if intent.served and waiting is None and not go:
        _end(step, intent, outcomes)  # it is done, whatever holds others
        return []
    if held is not None and intent.is_command:
        step.hold(intent, held, limits)
        return []
    if waiting is not None or go:
        reason = held or waiting
        if reason is None:
            return go
        _escalate(step, intent, reason, meant)
        step.hold(intent, reason, limits)
        return []
    if held is not None and any(one.status != "skipped" for one in outcomes):
        step.hold(intent, held, limits)
        return []
    _end(step, intent, outcomes)
    return []


def _end(step: Step, intent: Intent, outcomes: Sequence[Outcome]) -> None:
    """End an intent of which no process is left to serve."""
    record, now = step.record, step.policy.now
    if intent.served:
        operation = record.operations.get(intent.operation)
        # By its own processes, of all its portions: a request may have joined another command that failed.
        verdicts = {
            part.verdict
            for one in record.operations.values()
            if intent.key in one.intents
            for key, part in one.parts.items()
            if key in intent.served
        }
        is_proven = Verdict.UNVERIFIED not in verdicts
        outcome = reasons.done_command(operation, len(intent.served), is_proven=is_proven)
        if outcomes:
            outcome = replace(outcome, reason=f"{outcome.reason}; in part: {of_processes(outcomes).reason}")
        record.end(intent, outcome, now, operation=intent.operation)
        return
    outcome = of_processes(outcomes)
    if not intent.is_stated and outcome.status == "skipped":
        outcome = Outcome.withdrawn("intent.resolved", f"the alert is resolved; {outcome.reason}")
    record.end(intent, outcome, now, is_told=outcome.code == "intent.still_down")


def _escalate(step: Step, intent: Intent, held: Outcome, meant: dict[str, Reading]) -> None:
    """Tell a person of what holds an intent back, where a person has to act."""
    now = step.policy.now
    target = next(iter(meant.values())).target
    if held.code == "guard.storm":
        about = f"{target.service}/{target.component}"
        step.record.tell(step.alarm(held, about, f"{target.service} {target.component}"), now)
    elif held.code == "guard.health_unknown" and now - intent.waits_since > UNKNOWN_SECONDS:
        if target.ip in step.told_unknown:
            return  # one alarm an address
        step.told_unknown.add(target.ip)
        at_address = step.unknown_at.get(target.ip, ())
        more = f" (so is {', '.join(at_address)} of {target.ip}: the machine looks down)" if len(at_address) > 1 else ""
        alarm = step.alarm(held, target.key, " ".join(target))
        step.record.tell(replace(alarm, text=alarm.text + more), now)


def of_processes(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of an intent from those of its processes: the most urgent one.

    It says for how many more processes the same holds.
    """
    if not outcomes:
        return Outcome.skipped("guard.satisfied", "nothing is left to do")
    leading = max(outcomes, key=lambda outcome: URGENCY[outcome.status])
    more = sum(one.code == leading.code for one in outcomes) - 1
    return replace(leading, reason=f"{leading.reason}; and {more} more likewise") if more else leading

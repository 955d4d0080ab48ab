"""The decision about one plan: look at the cluster, ask the guards, choose processes."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from handler.decide import budgets, intent_guards, process_guards
from handler.decide.case import hold, of_processes
from handler.decide.planning import Plan, resolve, scope_to_send, with_a_past
from handler.decide.verification import patience
from handler.errors import ApiError, ClusterBusy, NeverSent, NotCarriedOut, ObservationIncomplete, Throttled
from handler.execute.polling import observe
from handler.execute.sending import LATEST_SEND, SECONDS_TO_ACT
from handler.model.observation import Observation
from handler.model.operation import Operation, State
from handler.model.outcome import Outcome
from handler.model.request import Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handler.decide.case import Case
    from handler.decide.planning import Asked
    from handler.execute.context import Run
    from handler.lib.clock import Deadline
    from handler.model.history import History

    Held = list[tuple[Asked, Outcome]]


class Decided(NamedTuple):
    """What is to be armed, and then sent."""

    operation: Operation
    request: Request
    #: The cluster's version that it was decided upon, which arming compares.
    version: int
    #: By both clocks, and from before arming on: later the worker counts as lost.
    send_by: Deadline


def decide(run: Run, the_plan: Plan) -> Decided | None:
    """Decide what to send, and record on which past that was decided.

    Where nothing is to be sent it is None, and every case has its outcome.
    """
    now = run.clock.now()
    send_by = run.deadline.sooner(LATEST_SEND, until=now + LATEST_SEND)
    history = run.ledger.history(run.cluster.id, now, quarantine_within=run.config.safety.quarantine.within)
    the_plan = _without_the_decided(run, the_plan, history)
    the_plan, seen = _look(run, the_plan)
    if seen is None:
        return None
    chosen, is_part = _choose(run, the_plan, process_guards.View(seen, history, run.config.safety, now))
    if not chosen:
        return None
    request = Request(run.cluster.id, the_plan.action, scope_to_send(the_plan, chosen, is_part))
    served = [case for case in the_plan.cases if case.outcome is None]
    if held := _held_at_last(run, request, history):
        hold(served, held)
        return None
    return Decided(_operation(run, request, chosen, served, now), request, history.version, send_by)


def _without_the_decided(run: Run, the_plan: Plan, history: History) -> Plan:
    """The part of a plan that the past does not decide.

    A process that is under operation, or was operated on since the event happened, needs no look.

    An alert that comes through a second sender, under another id, is such a one; and looks are requests too.
    """
    now = run.clock.now()
    asked, wholly = with_a_past(the_plan, history.targets)
    unseen = process_guards.View(Observation(run.cluster.id, 0, {}, now), history, run.config.safety, now)
    passed, held = _weigh(asked, unseen, process_guards.PAST_GUARDS)
    decided = {*wholly}.difference(*(one.cases for one in passed))
    if not decided:
        return the_plan
    for case, outcomes in _by_case(held).items():
        if case in decided:
            case.outcome = of_processes(outcomes)
    left = tuple(case for case in the_plan.cases if case not in decided)
    if not left:
        _log_guards(run, the_plan, [], held)
    return replace(the_plan, cases=left)


def _look(run: Run, the_plan: Plan) -> tuple[Plan, Observation | None]:
    """What can be served of a plan, and the cluster, ready for it; None where nothing can. What cannot has its outcome."""
    cases = the_plan.cases
    if not cases:
        return the_plan, None
    try:
        seen = observe(run.gateway, run.cluster, the_plan.scope.services, run.deadline, run.clock)
    except (ApiError, ObservationIncomplete) as error:
        hold(cases, _not_looked_at(run, error))
        return the_plan, None
    if wrong_clock := intent_guards.clock_agrees(run.gateway.clock_skew):
        run.alarm(wrong_clock, "clock")
        hold(cases, wrong_clock)
        return the_plan, None
    if not_ready := intent_guards.cluster_ready(seen):
        hold(cases, not_ready)
        return the_plan, None
    for service, why in seen.unseen.items():
        hold([case for case in cases if service in case.intent.scope.services], _not_looked_at(run, why))
    if seen.unseen:
        the_plan = replace(the_plan, cases=tuple(case for case in cases if case.outcome is None))
    return the_plan, seen if the_plan.cases else None


def _not_looked_at(run: Run, error: ApiError | ObservationIncomplete) -> Outcome:
    code = getattr(error, "code", "ObservationIncomplete")
    reason = f"the cluster cannot be looked at: {error}"
    if isinstance(error, NotCarriedOut) and not isinstance(error, (NeverSent, Throttled, ClusterBusy)):
        return Outcome.refused_by_api(code, reason, guard="look")
    fix = "Check the EMR API, and the function's network and role (`steward doctor`). Senders are asked to repeat."
    outcome = Outcome.deferred("look.failed", reason, guard="look", retryable=True, fix=fix, api_code=code)
    run.alarm(outcome, "look")
    return outcome


def _choose(run: Run, the_plan: Plan, view: process_guards.View) -> tuple[list[Asked], bool]:
    """The processes that no guard holds back, and whether more were asked for; the cases none of whose processes is among them have their outcome."""
    asked, unknown = resolve(the_plan, view.seen)
    for case, problem in unknown:
        fix = "Correct the rule or the sender's labels: they name something that the cluster does not have."
        case.outcome = Outcome.refused("scope.unknown", problem, fix=fix, http_status=404, guard="scope")
    passed, held = _weigh(asked, view)
    chosen, over_budget = budgets.within_budgets(passed, view)
    held += over_budget
    _log_guards(run, the_plan, chosen, held)
    for one, outcome in held:
        _escalate(run, one, outcome)
    served = {case for one in chosen for case in one.cases} if held else ()
    for case, outcomes in _by_case(held).items():
        if case in served:
            case.held_in_part = of_processes(outcomes)
            case.has_more = any(outcome.status == "deferred" for outcome in outcomes)
        elif case.outcome is None:
            case.outcome = of_processes(outcomes)
    return chosen, bool(held or unknown)


def _escalate(run: Run, one: Asked, outcome: Outcome) -> None:
    """Raise the alarm where a person should decide: once for each process in quarantine and each component."""
    now = run.clock.now()
    if outcome.code == "guard.quarantine":
        until = run.ledger.quarantine(run.cluster.id, one.key, now, now + run.config.safety.quarantine.release_after)
        target = one.reading.target
        run.alarm(outcome, str(target), where=" ".join(target), occasion=repr(until))
    elif outcome.code == "guard.max_share" and not one.is_command:
        # More processes are down than may be restarted at once: one alarm for the component.
        service, component, _ = one.reading.target
        run.alarm(outcome, f"{service}/{component}", where=f"{service} {component}")


def _held_at_last(run: Run, request: Request, history: History) -> Outcome | None:
    """What holds back a request that could be sent, whatever it is."""
    if spent := budgets.within_hourly(history, run.cluster.operations_per_hour):
        run.alarm(spent, "operations_per_hour")
        return spent
    if run.mode == "observe":
        would = f"observe mode: would send {request.op_type} of {request.scope}"
        return Outcome.skipped("mode.observe", would, guard="mode")
    if run.deadline.remaining() < SECONDS_TO_ACT:
        return Outcome.deferred("time.short", "too little time is left to send a request and verify it", retryable=True)
    return None


def _operation(run: Run, request: Request, chosen: list[Asked], served: list[Case], now: float) -> Operation:
    action = request.action
    return Operation(
        id=f"op-{os.urandom(8).hex()}",
        cluster=run.cluster.id,
        op_type=request.op_type,
        state=State.SENDING,
        owner=run.owner,
        armed_at=now,
        settled_at=now,
        deadline=now + patience(action, len(chosen)),
        request=request.to_wire(),
        digest=request.digest(),
        before={one.key: one.reading.last_restart for one in chosen},
        incidents={case.incident: case.digest for case in served},
        parts={
            case.incident: case.intent.parts_since or now for case in served if case.has_more or case.intent.parts_since
        },
        events=tuple(dict.fromkeys(case.event.id for case in served)),
        rules=tuple(dict.fromkeys(case.intent.rule for case in served)),
        is_command=chosen[0].is_command,
        batches=action.strategy.batches(len(chosen)) if action.strategy else 1,
    )


def _weigh(
    asked: Iterable[Asked],
    view: process_guards.View,
    table: Sequence[process_guards.ProcessGuard] = process_guards.PROCESS_GUARDS,
) -> tuple[list[Asked], Held]:
    """The processes that no guard of the table holds back, and the others, each with the first guard's outcome."""
    passed: list[Asked] = []
    held: Held = []
    touched = view.history.touched
    for one in asked:
        for guard in table if one.key in touched else process_guards.GUARDS_WITHOUT_A_PAST:
            if outcome := guard(one, view):
                held.append((one, outcome))
                break
        else:
            passed.append(one)
    return passed, held


def _by_case(held: Held) -> dict[Case, list[Outcome]]:
    """The guards' outcomes for each case's processes."""
    outcomes: dict[Case, list[Outcome]] = {}
    for one, outcome in held:
        for case in one.cases:
            outcomes.setdefault(case, []).append(outcome)
    return outcomes


def _log_guards(run: Run, the_plan: Plan, chosen: list[Asked], held: Held) -> None:
    run.log.info(
        "steward.guards",
        cluster=run.cluster.id,
        op_type=the_plan.action.op_type.value,
        proceed=len(chosen),
        held=len(held),
        held_by=Counter(outcome.code for _, outcome in held) or None,
        reason=held[0][1].reason if held else None,
    )

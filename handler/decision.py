"""One cluster's part of a payload: past the ledger's door, looked at, weighed, and armed.

What the guards decide is decided on a past (the ledger's version) and a look at the cluster that came after it; arming compares the version, so
a decision that others overtook is taken anew, never acted upon.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from handler import guards, own_faults
from handler.alarms import Alarm
from handler.cases import hold, of_processes
from handler.doubt import SENDING_SECONDS, alarm_of, of_lost_worker
from handler.errors import (
    ApiError,
    ClusterBusy,
    LedgerUnavailable,
    NeverSent,
    NotCarriedOut,
    ObservationIncomplete,
    Throttled,
)
from handler.history import Operation, State
from handler.observation import Observation
from handler.operations import Request
from handler.outcomes import Outcome
from handler.planning import Plan, plan, resolve, scope_to_send, with_a_past
from handler.sending import LATEST_SEND, SECONDS_TO_ACT, Sending
from handler.verification import patience
from handler.watch import observe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handler.cases import Case
    from handler.clock import Clock, Deadline
    from handler.configuration import Cluster, Config
    from handler.emr import Gateway
    from handler.history import History, Past
    from handler.ledger import Ledger
    from handler.logs import Log
    from handler.planning import Asked
    from handler.settings import Mode

#: Others may change a cluster's past while we decide; then we decide anew, so many times.
MOST_DECISIONS: Final = 20


class Decided(NamedTuple):
    """What is to be armed, and then sent."""

    operation: Operation
    request: Request
    #: The cluster's version that it was decided upon, which arming compares.
    version: int
    #: By both clocks, and from before arming on: later the worker counts as lost.
    send_by: Deadline


@dataclass
class ClusterRun:
    """The cases of one payload for one cluster; ``alarms`` collects what a person should hear of."""

    cluster: Cluster
    cases: list[Case]
    config: Config
    gateway: Gateway
    ledger: Ledger
    clock: Clock
    log: Log
    mode: Mode
    #: Who arms: unique to the invocation.
    owner: str
    deadline: Deadline
    alarms: list[Alarm] = field(default_factory=list)

    def serve(self) -> list[Alarm]:
        """Give every case its outcome; the alarms to be said. A failure here touches no other cluster."""
        try:
            open_cases = self._enter(self.cases)
            by_intent = {id(case.intent): case for case in open_cases}
            for the_plan in plan(case.intent for case in open_cases):
                self._serve_plan(the_plan, {id(intent): by_intent[id(intent)] for intent in the_plan.intents})
        except LedgerUnavailable as error:
            self._ledger_unavailable(error)
        except Exception as error:
            # What was sent, here or elsewhere, is what it is: only what has no outcome yet is the fault's.
            hold(self.cases, own_faults.outcome_of(error, self.log))
        return self.alarms

    def _enter(self, cases: list[Case], *, is_counted: bool = False) -> list[Case]:
        """Past the ledger's door: those of the cases that nobody has served yet; each other one has its outcome."""
        breaker = self.config.safety.breaker
        incidents = {case.incident: case.origin for case in cases}
        entry = self.ledger.enter(self.cluster.id, incidents, self.clock.now(), breaker, is_counted=is_counted)
        stormy = guards.breaker_closed(self.cluster.id, entry, breaker)
        if entry.breaker_opened and stormy is not None:
            self._alarm(stormy, "breaker")
        pasts = self._without_the_lost(entry.incidents)
        asked: dict[str, str] = {}
        for case in cases:
            past = pasts.get(case.incident)
            if case.incident in entry.ended:
                case.outcome = Outcome.skipped(
                    "guard.ended", "its sender has called this occurrence resolved", guard="ended"
                )
            elif asked.setdefault(case.incident, digest := case.digest) != digest:
                case.outcome = Outcome.refused(
                    "once.conflict", "the same occurrence asks for something else earlier in this payload", guard="once"
                )
            else:
                case.outcome = guards.not_seen_before(digest, past) or stormy
            if past is not None and case.outcome is not None:
                case.operation = past.operation
            elif past is not None and past.parts_since:
                case.intent = case.intent._replace(parts_since=past.parts_since)
        return [case for case in cases if case.outcome is None]

    def _without_the_lost(self, pasts: Mapping[str, Past]) -> Mapping[str, Past]:
        """The pasts of incidents; what has been SENDING for longer than a worker lives is in doubt from now on, and a redelivery says so."""
        now = self.clock.now()
        silent = {
            past.operation
            for past in pasts.values()
            if past.state is State.SENDING and now - past.at >= SENDING_SECONDS
        }
        in_doubt: dict[str, Operation] = {}
        for name in silent:
            operation = None
            # Of one that cannot be read the follow-up tells; that the ledger is away the next step finds out.
            with suppress(LedgerUnavailable):
                operation = self.ledger.get(name)
            lost = operation and of_lost_worker(operation, self.ledger, now)
            if lost:
                in_doubt[name] = lost
                self.alarms.append(alarm_of(lost, lost.reason, ""))
        if not in_doubt:
            return pasts
        return {
            key: past._replace(state=State.IN_DOUBT, settled_at=now) if past.operation in in_doubt else past
            for key, past in pasts.items()
        }

    # -- one plan: look, decide, arm, send, look again

    def _serve_plan(self, the_plan: Plan, by_intent: dict[int, Case]) -> None:
        cases = list(by_intent.values())
        self.log.info(
            "steward.plan",
            cluster=self.cluster.id,
            op_type=the_plan.manner.op_type.value,
            scope=str(the_plan.scope),
            intents=len(cases),
        )
        for _ in range(MOST_DECISIONS):
            decided = self._decide(the_plan, by_intent)
            if decided is None:
                return
            operation, request, version, send_by = decided
            if self.ledger.arm(operation, version):
                served = [case for case in cases if case.outcome is None]
                for case in served:
                    case.operation = operation.id
                hold(served, self._sending().carry_out(operation, request, send_by))
                return
            self.log.debug("steward.ledger.conflict", cluster=self.cluster.id, version=version)
            for case in cases:
                case.outcome = case.held_in_part = None
                case.has_more = False
            # Whoever was faster may have served the very same: then there is nothing to decide.
            cases = self._enter(cases, is_counted=True)
            if not cases:
                return
            by_intent = {id(case.intent): case for case in cases}
            the_plan = replace(the_plan, intents=tuple(case.intent for case in cases))
        hold(cases, Outcome.deferred("once.contended", "others kept changing what was decided upon", retry=True))

    def _decide(self, the_plan: Plan, by_intent: dict[int, Case]) -> Decided | None:
        """What to send, and on which past that was decided; None where nothing is: every case then has its outcome."""
        now = self.clock.now()
        send_by = self.deadline.sooner(LATEST_SEND, until=now + LATEST_SEND)
        safety = self.config.safety
        history = self.ledger.history(self.cluster.id, now, quarantine_within=safety.quarantine.within)
        the_plan = self._without_the_decided(the_plan, by_intent, history)
        if not the_plan.intents:
            return None
        cases = [case for case in by_intent.values() if case.outcome is None]
        seen = self._observe(the_plan, cases)
        if seen is None:
            return None
        if not_ready := guards.cluster_ready(seen):
            hold(cases, not_ready)
            return None
        asked, unknown = resolve(the_plan, seen)
        for intent, problem in unknown:
            by_intent[id(intent)].outcome = Outcome.refused("scope.unknown", problem, guard="scope")
        view = guards.View(seen, history, safety, now)
        passed, held_back = _weigh(asked, view)
        chosen, over_budget = guards.within_budgets(passed, view)
        held_back += over_budget
        self._tell_guards(the_plan, chosen, held_back)
        self._hold_back(held_back, chosen, by_intent)
        if not chosen:
            return None
        if spent := guards.within_hourly(history, self.cluster.operations_per_hour):
            self._alarm(spent, "operations_per_hour")
            hold(cases, spent)
            return None
        request = Request(self.cluster.id, the_plan.manner, scope_to_send(the_plan, chosen, bool(held_back or unknown)))
        served = [case for case in cases if case.outcome is None]
        if self.mode == "observe":
            hold(
                served,
                Outcome.skipped(
                    "mode.observe", f"observe mode: would send {request.op_type} of {request.scope}", guard="mode"
                ),
            )
            return None
        if self.deadline.remaining() < SECONDS_TO_ACT:
            hold(served, Outcome.deferred("time.short", "too little time is left to send and to see", retry=True))
            return None
        return Decided(self._operation(request, chosen, served, now), request, history.version, send_by)

    def _without_the_decided(self, the_plan: Plan, by_intent: dict[int, Case], history: History) -> Plan:
        """What is left of a plan when the past has spoken: what is under operation, or was done since it was asked for, needs no look.

        An alert that comes through a second sender, under another id, is such a one; and looks are requests too.
        """
        now = self.clock.now()
        asked, wholly = with_a_past(the_plan, history.targets)
        unseen = guards.View(Observation(self.cluster.id, 0, {}, now), history, self.config.safety, now)
        passed, held = _weigh(asked, unseen, guards.PAST_GUARDS)
        undecided = {id(intent) for one in passed for intent in one.intents}
        decided = {id(intent) for intent in wholly} - undecided
        if not decided:
            return the_plan
        for key, outcomes in _said(held).items():
            if key in decided:
                by_intent[key].outcome = of_processes(outcomes)
        left = tuple(intent for intent in the_plan.intents if id(intent) not in decided)
        if not left:
            self._tell_guards(the_plan, [], held)
        return replace(the_plan, intents=left)

    def _observe(self, the_plan: Plan, cases: list[Case]) -> Observation | None:
        try:
            return observe(self.gateway, self.cluster, the_plan.scope.services, self.deadline, self.clock)
        except (ApiError, ObservationIncomplete) as error:
            code = getattr(error, "code", "ObservationIncomplete")
            lasting = isinstance(error, NotCarriedOut) and not isinstance(error, (NeverSent, Throttled, ClusterBusy))
            if lasting:
                outcome = Outcome.refused(f"api.{code}", f"the cluster cannot be looked at: {error}", guard="look")
            else:
                outcome = Outcome.deferred(
                    "look.failed", f"the cluster cannot be looked at: {error}", guard="look", retry=True, api_code=code
                )
                self._alarm(outcome, "look")
            hold(cases, outcome)
            return None

    def _hold_back(self, held: list[tuple[Asked, Outcome]], chosen: list[Asked], by_intent: dict[int, Case]) -> None:
        """Outcomes for the cases none of whose processes is served; escalations for what a person should decide."""
        for one, outcome in held:
            self._escalate(one, outcome)
        served = {id(intent) for one in chosen for intent in one.intents} if held else ()
        for key, outcomes in _said(held).items():
            if key in served:
                by_intent[key].held_in_part = of_processes(outcomes)
                by_intent[key].has_more = any(outcome.status == "deferred" for outcome in outcomes)
            elif by_intent[key].outcome is None:
                by_intent[key].outcome = of_processes(outcomes)

    def _escalate(self, one: Asked, outcome: Outcome) -> None:
        now = self.clock.now()
        if outcome.code == "guard.quarantine":
            until = now + self.config.safety.quarantine.release_after
            if self.ledger.quarantine(self.cluster.id, one.key, now, until):
                self._alarm(outcome, one.key)
        elif outcome.code == "guard.max_share" and not one.is_order:
            # More need help than may be helped at once: one escalation for the component.
            self._alarm(outcome, f"{one.reading.target.service}/{one.reading.target.component}")

    def _tell_guards(self, the_plan: Plan, chosen: list[Asked], held: list[tuple[Asked, Outcome]]) -> None:
        reasons: dict[str, int] = {}
        for _, outcome in held:
            reasons[outcome.code] = reasons.get(outcome.code, 0) + 1
        self.log.info(
            "steward.guards",
            cluster=self.cluster.id,
            op_type=the_plan.manner.op_type.value,
            proceed=len(chosen),
            held=len(held),
            held_by=reasons or None,
            reason=held[0][1].reason if held else None,
        )

    def _operation(self, request: Request, chosen: list[Asked], served: list[Case], now: float) -> Operation:
        import os

        manner = request.manner
        batches = manner.strategy.batches(len(chosen)) if manner.strategy else 1
        return Operation(
            id=f"op-{os.urandom(8).hex()}",
            cluster=self.cluster.id,
            op_type=request.op_type,
            state=State.SENDING,
            owner=self.owner,
            armed_at=now,
            settled_at=now,
            deadline=now + patience(manner, len(chosen)),
            request=request.to_wire(),
            digest=request.digest(),
            before={one.key: one.reading.last_restart for one in chosen},
            incidents={case.incident: case.digest for case in served},
            parts={
                case.incident: case.intent.parts_since or now
                for case in served
                if case.has_more or case.intent.parts_since
            },
            events=tuple(dict.fromkeys(case.event.id for case in served)),
            rules=tuple(dict.fromkeys(case.intent.rule for case in served)),
            is_order=chosen[0].is_order,
            batches=batches,
        )

    def _ledger_unavailable(self, error: LedgerUnavailable) -> None:
        outcome = Outcome.failed(
            "ledger.unavailable", f"nothing was sent, since the ledger cannot be used: {error}", retry=True
        )
        hold(self.cases, outcome)
        # The same one for all clusters: there is one ledger.
        self.alarms.append(Alarm(outcome.code, "", "ledger", outcome.reason))

    def _sending(self) -> Sending:
        return Sending(self.cluster, self.gateway, self.ledger, self.clock, self.log, self.deadline, self.alarms)

    def _alarm(self, outcome: Outcome, about: str) -> None:
        self.alarms.append(Alarm(outcome.code, self.cluster.id, about, outcome.reason))


Held = list[tuple["Asked", Outcome]]


def _weigh(
    asked: Iterable[Asked], view: guards.View, table: Sequence[guards.ProcessGuard] = guards.PROCESS_GUARDS
) -> tuple[list[Asked], Held]:
    """The processes that no guard of the table holds back, and the others, each with what the first guard said."""
    passed: list[Asked] = []
    held: Held = []
    touched = view.history.touched
    for one in asked:
        for guard in table if one.key in touched else guards.GUARDS_WITHOUT_A_PAST:
            if outcome := guard(one, view):
                held.append((one, outcome))
                break
        else:
            passed.append(one)
    return passed, held


def _said(held: Held) -> dict[int, list[Outcome]]:
    """What was said to each intent (by ``id``) about its processes."""
    said: dict[int, list[Outcome]] = {}
    for one, outcome in held:
        for intent in one.intents:
            said.setdefault(id(intent), []).append(outcome)
    return said

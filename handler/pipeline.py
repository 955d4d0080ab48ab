"""The sequence: events → intents → plans → guards → request → verification → outcomes. Its collaborators are passed in.

An event never acts. It states an intent; here all intents of a payload are weighed, cluster by cluster and side by side, against what
the cluster is seen to be and what the ledger says was already done, and then acted upon at most once. Every event leaves with
exactly one Outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from handler import guards
from handler.alarms import Alarm
from handler.errors import (
    ApiError,
    ClusterBusy,
    InvalidInput,
    LedgerUnavailable,
    MaybeCarriedOut,
    NeverSent,
    NotCarriedOut,
    ObservationIncomplete,
    Throttled,
)
from handler.events import Unreadable
from handler.history import Operation, State
from handler.intents import ORDER_LIMITS, Intent
from handler.operations import Request
from handler.outcomes import URGENCY, Outcome, Record
from handler.planning import Plan, plan, resolve, scope_to_send
from handler.templates import TemplateError
from handler.verification import patience
from handler.watch import observe, side_by_side, verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handler.clock import Clock, Deadline
    from handler.configuration import Cluster, Config
    from handler.emr import Gateway
    from handler.events import Event
    from handler.history import History
    from handler.ledger import Ledger
    from handler.logs import Log
    from handler.observation import Observation
    from handler.planning import Asked
    from handler.settings import Mode

#: Seconds that must be left to arm, call and settle; with less, nothing is begun.
SECONDS_TO_ACT: Final = 1.0
#: Others may change a cluster's past while we decide; then we decide anew, so many times.
MOST_DECISIONS: Final = 20
#: The API takes 20 requests a second of this action (documented); all instances share one bucket.
REQUESTS_A_SECOND: Final = 20.0
#: What may be sent again is, so many times in all, and so often across all instances.
MOST_SENDS: Final = 4
RETRIES_A_SECOND: Final = 0.5
RETRIES_AT_ONCE: Final = 10.0


@dataclass
class Case:
    """One intent on its way through the pipeline."""

    event: Event
    intent: Intent
    digest: str
    outcome: Outcome | None = None
    operation: str = ""
    #: Why some of its processes are not served, where others are.
    held_in_part: Outcome | None = None

    @property
    def origin(self) -> str:
        """The sender's identity of the occurrence."""
        return f"{self.event.source}:{self.event.id}"

    @property
    def incident(self) -> str:
        """The rule and the sender's identity of the occurrence: what is served once."""
        return f"{self.intent.rule}|{self.origin}"


@dataclass
class Served:
    """What a payload came to."""

    records: list[Record]
    alarms: list[Alarm] = field(default_factory=list)


@dataclass(frozen=True)
class Pipeline:
    """All that one invocation works with."""

    config: Config
    gateway: Gateway
    ledger: Ledger
    clock: Clock
    log: Log
    mode: Mode
    #: Who arms: unique to the invocation.
    owner: str

    def serve(self, received: Sequence[Event | Unreadable], deadline: Deadline) -> Served:
        """Decide and act on every event of a payload, by the deadline. Raises nothing for what an event holds."""
        served = Served([])
        fates: list[tuple[Event | Unreadable, list[Case], Outcome | None]] = []
        by_cluster: dict[str, list[Case]] = {}
        resolved: dict[str, list[str]] = {}
        for event in received:
            if isinstance(event, Unreadable):
                fates.append((event, [], Outcome.refused("input.invalid", str(event.error))))
                continue
            if event.status == "resolved" and event.cluster in self.config.clusters:
                resolved.setdefault(event.cluster, []).append(f"{event.source}:{event.id}")
            cases, outcome = self._understand(event)
            fates.append((event, cases, outcome))
            for case in cases:
                if case.outcome is None:
                    by_cluster.setdefault(case.intent.cluster, []).append(case)

        def serve_cluster(item: tuple[str, list[Case]]) -> list[Alarm]:
            return _ClusterRun(self, self.config.clusters[item[0]], item[1], deadline).serve()

        for cluster, origins in resolved.items():
            self._end(cluster, origins)
        for alarms in side_by_side(serve_cluster, list(by_cluster.items())):
            served.alarms.extend(alarms)
        now = self.clock.now()
        served.records = [_record(now, event, cases, outcome) for event, cases, outcome in fates]
        return served

    # -- one event

    def _understand(self, event: Event) -> tuple[list[Case], Outcome | None]:
        """What the rules make of an event: its cases, or the outcome where there are none."""
        cases, refusal = self._cases(event)
        if event.status == "resolved":
            what = "the alert is resolved" + ("" if cases or refusal else "; no rule matches it")
            return [], Outcome.skipped("guard.resolved", what, guard="resolved")
        if not cases:
            return [], refusal or Outcome.skipped("rules.none", "no rule matches this event")
        if refusal is not None:  # one rule could not be applied: the event says so, whatever the others do
            self.log.warning("steward.rule.refused", event_id=event.id, reason=refusal.reason)
        now = self.clock.now()
        for case in cases:
            case.outcome = next(
                (held for guard in guards.INTENT_GUARDS if (held := guard(case.intent, self.config, now))), None
            )
            self.log.debug(
                "steward.rule",
                event_id=event.id,
                rule=case.intent.rule,
                op_type=case.intent.manner.op_type.value,
                cluster=case.intent.cluster,
                scope=str(case.intent.scope),
                held=case.outcome.reason if case.outcome else None,
            )
        return cases, refusal

    def _cases(self, event: Event) -> tuple[list[Case], Outcome | None]:
        if event.request is not None:
            request = event.request
            intent = Intent(
                cluster=request.instance_id,
                manner=request.manner,
                scope=request.scope,
                rule="request",
                event_id=event.id,
                is_order=True,
                even_if_healthy=False,
                limits=ORDER_LIMITS,
                occurred_at=event.occurred_at,
            )
            return [Case(event, intent, request.digest())], None
        cases: list[Case] = []
        refusal: Outcome | None = None
        view = event.view()
        for rule in self.config.rules:
            if not rule.matches(view):
                continue
            try:
                intent = rule.intent(event, view)
            except (TemplateError, InvalidInput) as error:
                refusal = Outcome.refused("rules.template", f"rule {rule.name}: {error}", rule=rule.name)
                continue
            digest = Request(intent.cluster, intent.manner, intent.scope).digest()
            cases.append(Case(event, intent, digest))
        return cases, refusal

    def _end(self, cluster: str, origins: list[str]) -> None:
        try:
            self.ledger.end(cluster, origins, self.clock.now())
        except LedgerUnavailable as error:
            self.log.error("steward.ledger.unavailable", cluster=cluster, problem=str(error))


class _ClusterRun:
    """The cases of one payload for one cluster, from the ledger's door to their outcomes."""

    def __init__(self, pipeline: Pipeline, cluster: Cluster, cases: list[Case], deadline: Deadline) -> None:
        self._config = pipeline.config
        self._gateway = pipeline.gateway
        self._ledger = pipeline.ledger
        self._clock = pipeline.clock
        self._log = pipeline.log
        self._mode = pipeline.mode
        self._owner = pipeline.owner
        self._cluster = cluster
        self._cases = cases
        self._deadline = deadline
        self._alarms: list[Alarm] = []

    def serve(self) -> list[Alarm]:
        """Give every case its outcome; the alarms to be said. A failure here touches no other cluster."""
        try:
            open_cases = self._enter()
            for the_plan in plan(case.intent for case in open_cases):
                mine = [case for case in open_cases if case.intent.manner == the_plan.manner]
                self._serve_plan(the_plan, mine)
        except LedgerUnavailable as error:
            self._ledger_unavailable(error)
        return self._alarms

    def _enter(self) -> list[Case]:
        """Past the ledger's door: the cases that nobody has served yet."""
        breaker = self._config.safety.breaker
        entry = self._ledger.enter(
            self._cluster.id,
            {case.incident: case.origin for case in self._cases},
            self._clock.now(),
            most=breaker.intents,
            window=breaker.window,
            close_after=breaker.close_after,
        )
        stormy = guards.breaker_closed(self._cluster.id, entry, breaker)
        if entry.breaker_opened and stormy is not None:
            self._alarm(stormy, "breaker")
        for case in self._cases:
            past = entry.incidents.get(case.incident)
            if case.incident in entry.ended:
                case.outcome = Outcome.skipped(
                    "guard.ended", "its sender has called this occurrence resolved", guard="ended"
                )
            else:
                case.outcome = guards.not_seen_before(case.digest, past) or stormy
            if past is not None and case.outcome is not None:
                case.operation = past.operation
        return [case for case in self._cases if case.outcome is None]

    # -- one plan: look, decide, arm, send, look again

    def _serve_plan(self, the_plan: Plan, cases: list[Case]) -> None:
        by_intent = {id(case.intent): case for case in cases}
        self._log.info(
            "steward.plan",
            cluster=self._cluster.id,
            op_type=the_plan.manner.op_type.value,
            scope=str(the_plan.scope),
            intents=len(cases),
        )
        for _ in range(MOST_DECISIONS):
            decided = self._decide(the_plan, by_intent)
            if decided is None:
                return
            chosen, operation, history, request = decided
            if self._ledger.arm(operation, history.version):
                self._send(operation, request, chosen, by_intent)
                return
            self._log.debug("steward.ledger.conflict", cluster=self._cluster.id, version=history.version)
            for case in cases:
                case.outcome = case.held_in_part = None
        _hold(cases, Outcome.deferred("once.contended", "others kept changing what was decided upon", retry=True))

    def _decide(
        self, the_plan: Plan, by_intent: dict[int, Case]
    ) -> tuple[list[Asked], Operation, History, Request] | None:
        """What to send, and on which past that was decided; None where nothing is: every case then has its outcome."""
        cases = list(by_intent.values())
        now = self._clock.now()
        safety = self._config.safety
        history = self._ledger.history(self._cluster.id, now, quarantine_within=safety.quarantine.within)
        held = guards.within_hourly(history, self._cluster.operations_per_hour)
        seen = None if held else self._observe(the_plan, cases)
        if seen is None:
            if held:
                self._alarm(held, "operations_per_hour")
                _hold(cases, held)
            return None
        if not_ready := guards.cluster_ready(seen):
            _hold(cases, not_ready)
            return None
        asked, unknown = resolve(the_plan, seen)
        for intent, problem in unknown:
            by_intent[id(intent)].outcome = Outcome.refused("scope.unknown", problem, guard="scope")
        view = guards.View(seen, history, safety, now)
        chosen, held_back = self._weigh(asked, view)
        self._tell_guards(the_plan, chosen, held_back)
        self._hold_back(held_back, chosen, by_intent)
        if not chosen:
            return None
        request = Request(
            self._cluster.id, the_plan.manner, scope_to_send(the_plan, chosen, bool(held_back or unknown))
        )
        served = [case for case in cases if case.outcome is None]
        if self._mode == "observe":
            _hold(
                served,
                Outcome.skipped(
                    "mode.observe", f"observe mode: would send {request.op_type} of {request.scope}", guard="mode"
                ),
            )
            return None
        if self._deadline.remaining() < SECONDS_TO_ACT:
            _hold(served, Outcome.deferred("time.short", "too little time is left to send and to see", retry=True))
            return None
        return chosen, self._operation(request, chosen, served, now), history, request

    def _observe(self, the_plan: Plan, cases: list[Case]) -> Observation | None:
        try:
            return observe(self._gateway, self._cluster, the_plan.scope.services, self._deadline, self._clock)
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
            _hold(cases, outcome)
            return None

    def _weigh(self, asked: list[Asked], view: guards.View) -> tuple[list[Asked], list[tuple[Asked, Outcome]]]:
        passed: list[Asked] = []
        held: list[tuple[Asked, Outcome]] = []
        for one in asked:
            outcome = next((said for guard in guards.PROCESS_GUARDS if (said := guard(one, view))), None)
            if outcome is None:
                passed.append(one)
            else:
                held.append((one, outcome))
        chosen, over_budget = guards.within_budgets(passed, view)
        return chosen, [*held, *over_budget]

    def _hold_back(self, held: list[tuple[Asked, Outcome]], chosen: list[Asked], by_intent: dict[int, Case]) -> None:
        """Outcomes for the cases none of whose processes is served; escalations for what a person should decide."""
        served = {id(intent) for one in chosen for intent in one.intents}
        said: dict[int, list[Outcome]] = {}
        for one, outcome in held:
            for intent in one.intents:
                said.setdefault(id(intent), []).append(outcome)
            self._escalate(one, outcome)
        for key, outcomes in said.items():
            if key in served:
                by_intent[key].held_in_part = _most_urgent(outcomes)
            elif by_intent[key].outcome is None:
                by_intent[key].outcome = _most_urgent(outcomes)

    def _escalate(self, one: Asked, outcome: Outcome) -> None:
        now = self._clock.now()
        if outcome.code == "guard.quarantine":
            until = now + self._config.safety.quarantine.release_after
            if self._ledger.quarantine(self._cluster.id, one.key, now, until):
                self._alarm(outcome, one.key)
        elif outcome.code == "guard.max_share" and not one.is_order:
            # More need help than may be helped at once: one escalation for the component.
            self._alarm(outcome, f"{one.reading.target.service}/{one.reading.target.component}")

    def _tell_guards(self, the_plan: Plan, chosen: list[Asked], held: list[tuple[Asked, Outcome]]) -> None:
        reasons: dict[str, int] = {}
        for _, outcome in held:
            reasons[outcome.code] = reasons.get(outcome.code, 0) + 1
        self._log.info(
            "steward.guards",
            cluster=self._cluster.id,
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
            cluster=self._cluster.id,
            op_type=request.op_type,
            state=State.SENDING,
            owner=self._owner,
            armed_at=now,
            settled_at=now,
            deadline=now + patience(manner, len(chosen)),
            request=request.to_wire(),
            digest=request.digest(),
            before={one.key: one.reading.last_restart for one in chosen},
            incidents={case.incident: case.digest for case in served},
            events=tuple(dict.fromkeys(case.event.id for case in served)),
            rules=tuple(dict.fromkeys(case.intent.rule for case in served)),
            is_order=any(one.is_order for one in chosen),
            batches=batches,
        )

    # -- armed: exactly one worker comes here

    def _send(self, operation: Operation, request: Request, chosen: list[Asked], by_intent: dict[int, Case]) -> None:
        served = [case for case in by_intent.values() if case.outcome is None]
        for case in served:
            case.operation = operation.id
        self._log.info(
            "steward.request",
            operation=operation.id,
            cluster=operation.cluster,
            op_type=operation.op_type.value,
            scope=str(request.scope),
            processes=len(chosen),
            events=len(operation.events),
            request=operation.request,
        )
        attempts, answer = self._send_until_taken(request)
        if isinstance(answer, ApiError):
            state, request_id, code = _state_after(answer), answer.request_id, answer.code
        else:
            state, request_id, code = State.ACCEPTED, answer, ""
        self._log.info(
            "steward.answer",
            operation=operation.id,
            state=state.value,
            api_request_id=request_id,
            api_code=code,
            attempts=attempts,
        )
        operation = replace(operation, state=state, code=code, request_id=request_id, attempts=attempts)
        self._settle(operation, attempts)
        facts: dict[str, Any] = {
            "op_type": operation.op_type.value,
            "scope": str(request.scope)[:500],
            "processes": len(chosen),
            "api_request_id": request_id,
            "attempts": attempts,
        }
        if isinstance(answer, NotCarriedOut):
            _hold(served, _not_carried_out(answer, facts))
            return
        if isinstance(answer, ApiError):
            facts["api_code"] = code
        _hold(served, self._verified(operation, answer if isinstance(answer, ApiError) else None, facts))

    def _send_until_taken(self, request: Request) -> tuple[int, str | ApiError]:
        """Send, and send again only what certainly was not carried out: how often, and the RequestId or the error."""
        attempts = 0
        while True:
            wait = self._ledger.take(
                "api|StartStopServiceOrMonitor",
                self._clock.now(),
                rate=REQUESTS_A_SECOND,
                burst=REQUESTS_A_SECOND,
                most_wait=max(0.0, self._deadline.remaining() - SECONDS_TO_ACT),
            )
            if wait is None:
                return attempts, Throttled("steward.rate", "our own rate limit leaves no room before the deadline")
            self._clock.sleep(wait)
            attempts += 1
            try:
                return attempts, self._gateway.start_stop(self._cluster, request, self._deadline)
            except (NeverSent, Throttled) as error:
                if attempts >= MOST_SENDS or not self._may_retry(attempts):
                    return attempts, error
                self._log.info("steward.retry", attempt=attempts, api_code=error.code, problem=error.message)
            except ApiError as error:
                return attempts, error

    def _may_retry(self, attempts: int) -> bool:
        """Sleep before the next try, with full jitter; False where no time or no shared budget is left."""
        import random

        pause = random.uniform(0, min(4.0, 0.25 * 2**attempts))  # noqa: S311 - jitter, not a secret
        if self._deadline.remaining() - pause < SECONDS_TO_ACT:
            return False
        taken = self._ledger.take(
            "retries", self._clock.now(), rate=RETRIES_A_SECOND, burst=RETRIES_AT_ONCE, most_wait=0.0
        )
        if taken is None:
            return False
        self._clock.sleep(pause)
        return True

    def _settle(self, operation: Operation, attempts: int) -> None:
        """Write down what became of it. Where that fails the request is as it is: the record says SENDING, and is observed."""
        try:
            kept = self._ledger.settle(
                operation.id,
                operation.owner,
                State.SENDING,
                operation.state,
                self._clock.now(),
                code=operation.code,
                request_id=operation.request_id,
                attempts=attempts,
            )
        except LedgerUnavailable as error:
            kept = False
            self._log.error("steward.ledger.settle_failed", operation=operation.id, problem=str(error))
        if not kept:
            self._alarms.append(
                Alarm("ledger.settle_failed", operation.cluster, operation.id, "the answer could not be written down")
            )

    def _verified(self, operation: Operation, doubt: ApiError | None, facts: dict[str, Any]) -> Outcome:
        verdict = verify(
            operation,
            gateway=self._gateway,
            ledger=self._ledger,
            cluster=self._cluster,
            deadline=self._deadline,
            clock=self._clock,
            log=self._log,
        )
        seen = verdict.describe() if verdict else "not looked at yet"
        if verdict is not None and verdict.all_kept:
            return Outcome.done(f"{operation.op_type} verified on {verdict.total} processes", verified=seen, **facts)
        if doubt is not None:
            return Outcome.in_doubt(
                f"api.{doubt.code}",
                f"{operation.op_type} was sent at {_clock_time(operation.armed_at)}, its answer is not known ({doubt}); "
                f"{seen}; it is being observed and not sent again",
                verified=seen,
                **facts,
            )
        return Outcome.unverified(f"{operation.op_type} accepted by the API; {seen}", verified=seen, **facts)

    def _ledger_unavailable(self, error: LedgerUnavailable) -> None:
        outcome = Outcome.failed(
            "ledger.unavailable", f"nothing was sent, since the ledger cannot be used: {error}", retry=True
        )
        _hold(self._cases, outcome)
        self._alarm(outcome, "ledger")

    def _alarm(self, outcome: Outcome, about: str) -> None:
        self._alarms.append(Alarm(outcome.code, self._cluster.id, about, outcome.reason))


def _state_after(error: ApiError) -> State:
    if isinstance(error, (NeverSent, Throttled, ClusterBusy)):
        return State.NOT_SENT
    return State.REJECTED if isinstance(error, NotCarriedOut) else State.IN_DOUBT


def _not_carried_out(error: NotCarriedOut, facts: dict[str, Any]) -> Outcome:
    facts["api_code"] = error.code
    if isinstance(error, ClusterBusy):
        return Outcome.deferred("api.busy", f"the cluster is busy: {error}", retry=True, **facts)
    if isinstance(error, (NeverSent, Throttled)):
        return Outcome.deferred(f"api.{error.code}", f"certainly not carried out: {error}", retry=True, **facts)
    return Outcome.refused(f"api.{error.code}", f"the API refused: {error}", **facts)


def _hold(cases: Iterable[Case], outcome: Outcome) -> None:
    """Give the cases that have none this outcome; where only a part was served, the more urgent part speaks."""
    for case in cases:
        if case.outcome is not None:
            continue
        case.outcome = outcome
        part = case.held_in_part
        if part is not None and part.status != "skipped":
            leading, other = (part, outcome) if URGENCY[part.status] > URGENCY[outcome.status] else (outcome, part)
            facts = {**part.facts, **outcome.facts}
            case.outcome = replace(leading, reason=f"{leading.reason}; in part: {other.reason}", facts=facts)


def _most_urgent(outcomes: Iterable[Outcome]) -> Outcome:
    return max(outcomes, key=lambda outcome: URGENCY[outcome.status])


def _record(now: float, event: Event | Unreadable, cases: list[Case], outcome: Outcome | None) -> Record:
    outcomes = [case.outcome for case in cases if case.outcome is not None]
    if outcome is not None:
        outcomes.append(outcome)
    is_event = not isinstance(event, Unreadable)
    return Record(
        at=now,
        event=event.id,
        source=event.source,
        name=event.name if is_event else "",  # type: ignore[union-attr]
        cluster=cases[0].intent.cluster if cases else (event.cluster if is_event else ""),  # type: ignore[union-attr]
        outcome=_most_urgent(outcomes),
        rules=tuple(dict.fromkeys(case.intent.rule for case in cases)),
        operations=tuple(dict.fromkeys(case.operation for case in cases if case.operation)),
    )


def _clock_time(at: float) -> str:
    import time

    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

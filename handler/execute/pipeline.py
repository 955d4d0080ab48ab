"""The sequence: events → intents → plans → guards → request → verification → outcomes.

Its collaborators are passed in.

An event never acts. It states an intent; here all intents of a payload are weighed, cluster by cluster and side by
side, against what the cluster is seen to be and what the ledger says was already done, and then acted upon at most
once. Every event leaves with exactly one Outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from handler.decide import intent_guards
from handler.decide.case import UNNAMED_SECONDS, Case, hold
from handler.decide.planning import plan
from handler.decide.templates import TemplateError
from handler.errors import InvalidInput, LedgerUnavailable
from handler.execute.admission import enter
from handler.execute.context import Collaborators, Run
from handler.execute.decision import decide
from handler.execute.sending import send
from handler.lib.threads import side_by_side
from handler.model.alarm import Alarm
from handler.model.event import Unreadable
from handler.model.intent import COMMAND_LIMITS, Intent
from handler.model.outcome import URGENCY, Outcome, Record
from handler.report.log import outcome_of
from handler.report.outcome_alarms import LEDGER_FIX, ledger_unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.decide.planning import Plan
    from handler.lib.clock import Deadline
    from handler.model.event import Event


#: Seconds after its time at which a timer comes for the last time: the platform delivers what raised twice more, a
#: minute apart.
LAST_TRY_SECONDS: Final = 110.0
#: What a person should do about an event that cannot be read, and about a rule that cannot be applied to an event.
INPUT_FIX: Final = "Correct what the sender sends; docs/alerts.md has what each sender must send."
TEMPLATE_FIX: Final = "Correct the rule's template in steward.yml, or add to the alert what the template reads."


@dataclass
class Served:
    """What a payload came to."""

    #: One for each event.
    records: list[Record]
    #: One for each decision: where several rules matched an event there are several, and each may raise an alarm.
    decided: list[Record]
    alarms: list[Alarm] = field(default_factory=list)


class Pipeline(Collaborators):
    """The sequence, for one invocation."""

    def serve(self, received: Sequence[Event | Unreadable], deadline: Deadline) -> Served:
        """Decide and act on every event of a payload, by the deadline.

        Raises nothing, whatever an event holds.
        """
        served = Served([], [])
        fates: list[tuple[Event | Unreadable, list[Case], Outcome | None]] = []
        by_cluster: dict[str, list[Case]] = {}
        resolved: dict[str, list[Event]] = {}
        for event in received:
            if isinstance(event, Unreadable):
                fates.append(
                    (event, [], Outcome.refused("input.invalid", _of_input(event), fix=INPUT_FIX, http_status=400))
                )
                continue
            if event.status == "resolved":
                for cluster in self._clusters_of(event):
                    resolved.setdefault(cluster, []).append(event)
            cases, outcome = self._understand(event)
            fates.append((event, cases, outcome))
            for case in cases:
                if case.outcome is None:
                    by_cluster.setdefault(case.intent.cluster, []).append(case)

        def serve_cluster(item: tuple[str, list[Case]]) -> list[Alarm]:
            run = Run(**vars(self), cluster=self.config.clusters[item[0]], deadline=deadline)
            return serve(run, item[1])

        unwritten: dict[int, Outcome] = {}
        for cluster, events in resolved.items():
            if failure := self._end(cluster, events):
                unwritten.update((id(event), failure) for event in events)
                served.alarms.append(ledger_unavailable(failure.reason))
        for alarms in side_by_side(serve_cluster, list(by_cluster.items())):
            served.alarms.extend(alarms)
        now = self.clock.now()
        for event, cases, outcome in fates:
            decided = _decided(now, event, cases, unwritten.get(id(event), outcome))
            served.decided += decided
            if event.source == "timer" and not isinstance(event, Unreadable):
                served.alarms += _given_up(event, decided, now)
            served.records.append(decided[0] if len(decided) == 1 else _joined(decided))
        return served

    # -- one event

    def _clusters_of(self, event: Event) -> set[str]:
        """The clusters that a resolved alert concerned: the one that it names, and those that rules named when it fired."""
        cases, _ = self._cases(event._replace(status="firing"))
        return {event.cluster, *(case.intent.cluster for case in cases)} & self.config.clusters.keys()

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
            for guard in intent_guards.INTENT_GUARDS:
                if held := guard(case.intent, self.config.clusters, self.config.safety, now):
                    case.outcome = held
                    break
            if not self.log.is_debug:
                continue
            self.log.debug(
                "steward.rule",
                event_id=event.id,
                rule=case.intent.rule,
                op_type=case.intent.action.op_type.value,
                cluster=case.intent.cluster,
                scope=str(case.intent.scope),
                held=case.outcome.reason if case.outcome else None,
            )
        return cases, refusal

    def _cases(self, event: Event) -> tuple[list[Case], Outcome | None]:
        if event.request is not None:
            from handler.receive.senders.request import (
                fallback_id,  # with its shapes, which other events do not pay for
            )

            request = event.request
            intent = Intent(
                cluster=request.instance_id,
                action=request.action,
                scope=request.scope,
                rule="request",
                is_command=True,
                limits=COMMAND_LIMITS,
                occurred_at=event.occurred_at,
            )
            if event.id != fallback_id(request):
                return [Case(event, intent)], None
            # Soon after the first such call it is the sender's retry (``admission.py``); later, a new request.
            turn = int(self.clock.now() // UNNAMED_SECONDS)
            return [Case(event, intent, period=f"#{turn}", earlier_period=f"#{turn - 1}")], None
        cases: list[Case] = []
        refused: dict[str, str] = {}
        view = event.view()
        for rule in self.config.rules:
            if not rule.matches(view):
                continue
            try:
                intent = rule.intent(event, view)
            except (TemplateError, InvalidInput) as error:
                refused[rule.name] = f"rule {rule.name}: {error}"
                continue
            cases.append(Case(event, intent))
        if not refused:
            return cases, None
        reason = "; ".join(refused.values())
        return cases, Outcome.refused("rules.template", reason, fix=TEMPLATE_FIX, rule=",".join(refused))

    def _end(self, cluster: str, events: list[Event]) -> Outcome | None:
        """Record that these alerts are over; where that fails, their outcome asks the sender to repeat them."""
        try:
            self.ledger.end(cluster, [f"{event.source}:{event.id}" for event in events], self.clock.now())
        except LedgerUnavailable as error:
            why = f"the end of the alert could not be recorded, since the ledger cannot be used: {error}"
            return Outcome.failed("ledger.unavailable", why, fix=LEDGER_FIX, retryable=True, has_own_alarm=True)
        return None


def _of_input(event: Unreadable) -> str:
    """The errors of an event, each with its subject: the field, or the event itself."""
    return "; ".join(str(error) if error.field else f"the event {error.problem}" for error in event.error.errors)


def _decided(now: float, event: Event | Unreadable, cases: list[Case], outcome: Outcome | None) -> list[Record]:
    """What was decided about an event, at least one thing: for each of its cases, and ``outcome`` where there is one besides."""
    found = [
        Record(
            at=now,
            event=event.id,
            source=event.source,
            name=event.name,
            cluster=case.intent.cluster,
            outcome=case.outcome,
            rules=(case.intent.rule,),
            operations=(case.operation,) if case.operation else (),
        )
        for case in cases
        if case.outcome is not None
    ]
    if outcome is not None:
        cluster = cases[0].intent.cluster if cases else event.cluster
        found.append(Record(now, event.id, event.source, event.name, cluster, outcome))
    return found


def _given_up(event: Event, decided: list[Record], now: float) -> list[Alarm]:
    """Alarms for a timer's deferred commands that nobody repeats: nothing else reports that they are not carried out."""
    is_last = event.occurred_at is not None and now - event.occurred_at >= LAST_TRY_SECONDS
    return [
        Alarm(
            "timer.not_done",
            record.cluster,
            event.name,
            f"not done: {record.outcome.reason}. The timer is not delivered again",
            fix="Do it by hand, or invoke the function with the timer's event when the reason is gone.",
            where=f"Timer {event.name}",
            facts={"event_id": event.id, "rules": ",".join(record.rules), "held_by": record.outcome.code},
            occasion=event.id,
        )
        for record in decided
        if record.outcome.status == "deferred" and (is_last or not record.outcome.retryable)
    ]


def _joined(decided: list[Record]) -> Record:
    """One record of what several rules came to: the most urgent outcome, and its cluster, which also says what the others did.

    That a repeat of the event can help one of them is kept: what the others did is not done again.
    """
    leading = max(decided, key=lambda record: URGENCY[record.outcome.status])
    others = {
        f"{one.outcome.status} on {one.cluster}: {one.outcome.reason}": one.outcome
        for one in decided
        if one is not leading
    }
    return leading._replace(
        outcome=replace(
            leading.outcome,
            reason="; besides ".join((leading.outcome.reason, *others)),
            retryable=any(one.outcome.retryable for one in decided),
        ),
        rules=tuple(dict.fromkeys(rule for one in decided for rule in one.rules)),
        operations=tuple(dict.fromkeys(name for one in decided for name in one.operations)),
    )


#: Others may change a cluster's past while we decide; then we decide again, at most this often.
MAX_DECISIONS: Final = 20


def serve(run: Run, cases: list[Case]) -> list[Alarm]:
    """Give every case of one cluster its outcome, and return the alarms to raise.

    A failure here concerns no other cluster.
    """
    try:
        for the_plan in plan(enter(run, cases)):
            _serve_plan(run, the_plan)
    except LedgerUnavailable as error:
        _ledger_unavailable(run, cases, error)
    except Exception as error:
        # What was sent stays as it is: only cases without an outcome get that of the error.
        hold(cases, outcome_of(error, run.log))
    return run.alarms


def _serve_plan(run: Run, the_plan: Plan) -> None:
    run.log.info(
        "steward.plan",
        cluster=run.cluster.id,
        op_type=the_plan.action.op_type.value,
        scope=str(the_plan.scope),
        intents=len(the_plan.cases),
    )
    for _ in range(MAX_DECISIONS):
        decided = decide(run, the_plan)
        if decided is None:
            return
        operation, request, version, send_by = decided
        if run.ledger.arm(operation, version):
            served = [case for case in the_plan.cases if case.outcome is None]
            for case in served:
                case.operation = operation.id
            hold(served, send(run, operation, request, send_by))
            return
        run.log.debug("steward.ledger.conflict", cluster=run.cluster.id, version=version)
        for case in the_plan.cases:
            case.outcome = case.held_in_part = None
            case.has_more = False
        # Whoever was faster may have served the very same: then there is nothing to decide.
        cases = enter(run, the_plan.cases, is_counted=True)
        if not cases:
            return
        the_plan = replace(the_plan, cases=tuple(cases))
    hold(
        the_plan.cases,
        Outcome.deferred("once.contended", "other invocations kept changing the cluster's record", retryable=True),
    )


def _ledger_unavailable(run: Run, cases: list[Case], error: LedgerUnavailable) -> None:
    outcome = Outcome.failed(
        "ledger.unavailable",
        f"nothing was sent, since the ledger cannot be used: {error}",
        fix=LEDGER_FIX,
        retryable=True,
        has_own_alarm=True,
    )
    hold(cases, outcome)
    run.alarms.append(ledger_unavailable(outcome.reason))

"""The sequence: events → what they state → the record → reconciling → outcomes.

Its collaborators are passed in. An event never acts: it states an intent, which is written down before anybody is
answered, cluster by cluster and side by side. Every event leaves with exactly one Outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from handler.decide import grants, intent_guards
from handler.decide.rules import COMMANDERS
from handler.decide.templates import TemplateError
from handler.errors import InvalidInput, LedgerUnavailable
from handler.execute.context import Collaborators, Run
from handler.execute.outcomes import Case, decided, joined, of_input, state_of
from handler.execute.reconcile import REQUEST_RULE, reconcile
from handler.ledger import admission, reasons
from handler.ledger.cluster_record import ClusterRecord
from handler.lib import wording
from handler.lib.threads import side_by_side
from handler.model.alarm import Alarm
from handler.model.event import Unreadable
from handler.model.intent import Stated
from handler.model.outcome import URGENCY, Outcome, Record
from handler.report.log import outcome_of
from handler.report.outcome_alarms import LEDGER_FIX, ledger_unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.ledger.admission import Answer
    from handler.ledger.request_ids import RequestIds
    from handler.lib.clock import Deadline
    from handler.model.event import Event
    from handler.model.policy import Caller


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
    runs: list[Run] = field(default_factory=list)
    alarms: list[Alarm] = field(default_factory=list)


class Pipeline(Collaborators):
    """The sequence, for one invocation."""

    def serve(self, received: Sequence[Event | Unreadable], deadline: Deadline, caller: Caller | None = None) -> Served:
        """Decide and act on every event of a payload, by the deadline.

        ``caller`` is who sent it over HTTP: it does not exceed its grant, and identities hold within it. Raises nothing,
        whatever an event holds.
        """
        served = Served([], [])
        fates: list[tuple[Event | Unreadable, list[Case], Outcome | None]] = []
        by_cluster: dict[str, list[Case]] = {}
        name = "" if caller is None else caller.name
        for event in received:
            if caller is not None and (beyond := grants.granted(event, caller)) is not None:
                fates.append((event, [], beyond))
                continue
            if isinstance(event, Unreadable):
                is_told = not (caller and event.source == "request")  # whoever asked has the answer
                refused = Outcome.refused(
                    "input.invalid", of_input(event), fix=INPUT_FIX, http_status=400, is_quiet=not is_told
                )
                fates.append((event, [], refused))
                continue
            cases, refusal = self._understand(event, name)
            fates.append((event, cases, refusal))
            for case in cases:
                if case.outcome is None:
                    by_cluster.setdefault(case.cluster, []).append(case)

        if caller is not None and (beyond_grant := grants.refusals(outcome for _, _, outcome in fates)):
            served.alarms.append(grants.alarm(caller, beyond_grant[0], len(beyond_grant)))
        served.alarms += self._claim_ids(by_cluster)

        def serve_cluster(item: tuple[str, list[Case]]) -> Run:
            run = Run(
                **vars(self),
                cluster_id=item[0],
                cluster=self.config.clusters[item[0]],
                deadline=deadline,
                own_events=frozenset(case.event.id for case in item[1]),
            )
            serve(run, item[1], name)
            return run

        served.runs = side_by_side(serve_cluster, list(by_cluster.items()))
        for run in served.runs:
            served.alarms += run.alarms
        now = self.clock.now()
        for event, cases, outcome in fates:
            found = decided(now, event, cases, outcome)
            served.decided += found
            served.records.append(found[0] if len(found) == 1 else joined(found))
        return served

    def _claim_ids(self, by_cluster: dict[str, list[Case]]) -> list[Alarm]:
        """Refuse requests whose id stands for a request to another cluster; where that cannot be known, all with an id."""
        named = [
            case
            for cases in by_cluster.values()
            for case in cases
            if case.event.source == "request" and case.stated and case.stated.is_named
        ]
        if not named:
            return []
        now = self.clock.now()

        def claim(ids: RequestIds) -> list[str]:
            return [ids.claim(case.stated.sender if case.stated else "", case.cluster, now) for case in named]

        alarms: list[Alarm] = []
        try:
            owners = self.ledger.change_request_ids(claim)
        except LedgerUnavailable as error:
            _fail(named, _unwritten(error))
            owners = [case.cluster for case in named]
            alarms = [ledger_unavailable(str(error))]
        for case, owner in zip(named, owners, strict=True):
            if owner != case.cluster:
                case.outcome = replace(reasons.conflict(), has_own_alarm=False)
        for cluster, cases in list(by_cluster.items()):
            by_cluster[cluster] = [case for case in cases if case.outcome is None]
            if not by_cluster[cluster]:
                del by_cluster[cluster]
        return alarms

    # -- one event

    def _understand(self, event: Event, caller: str) -> tuple[list[Case], Outcome | None]:
        """What the rules make of an event: its cases, and the outcome where there are none, or one could not be made."""
        is_resolved = event.status == "resolved"
        # Of a resolution: what the rules made of the alert when it fired.
        cases, refusal = self._cases(event._replace(status="firing") if is_resolved else event, caller)
        if is_resolved:
            clusters = {event.cluster, *(case.cluster for case in cases)} & self.config.clusters.keys()
            is_kept = any(case.stated and case.stated.even_if_healthy for case in cases)
            over = [Case(event, cluster, "", None, is_kept=is_kept) for cluster in sorted(clusters)]
            what = "the alert is resolved" + ("" if cases or refusal else "; no rule matches it")
            return over, None if over else Outcome.skipped("guard.resolved", what, guard="resolved")
        if not cases:
            return [], refusal or self._unmatched(event)
        if refusal is not None:  # one rule could not be applied: the event says so, whatever the others do
            self.log.warning("steward.rule.refused", event_id=event.id, reason=refusal.reason)
        now = self.clock.now()
        for case in cases:
            if (stated := case.stated) is None:
                continue
            case.outcome = (
                intent_guards.entitled(case.cluster, stated.action.op_type, self.config.clusters)
                or intent_guards.not_from_the_future(stated, now)
                or intent_guards.outlives_no_freeze(case.cluster, stated, self.config.safety, now)
            )
            if self.log.is_debug:
                self.log.debug(
                    "steward.rule",
                    event_id=event.id,
                    rule=case.rule,
                    op_type=stated.action.op_type.value,
                    cluster=case.cluster,
                    scope=str(stated.scope),
                    held=case.outcome.reason if case.outcome else None,
                )
        return cases, refusal

    def _unmatched(self, event: Event) -> Outcome:
        """No rule matches: of a command, a person is told, with the rule that was probably meant."""
        if event.source not in COMMANDERS:
            return Outcome.skipped("rules.none", "no rule matches this event")
        names = {
            text: rule.name
            for rule in self.config.rules
            for text in (rule.name, *rule.pattern.literals("message"), *rule.pattern.literals("name"))
        }
        near = wording.nearest(event.message or event.name, names)
        said = wording.cut(event.message, 60)
        hint = f"; the nearest rule is {names[near]} ({near!r})" if near else ""
        return Outcome.refused(
            "rules.none",
            f"no rule of steward.yml matches this timer (message {said!r}){hint}",
            fix="Correct the timer's message in serverless.yml, or the rule's `when`.",
        )

    def _cases(self, event: Event, caller: str) -> tuple[list[Case], Outcome | None]:
        now = self.clock.now()
        told_at = now if event.told_at is None else min(event.told_at, now)
        origin = f"{caller}|{event.source}"
        if event.request is not None:
            request = event.request
            stated = Stated(
                event.id,
                f"{origin}:{event.id}",
                REQUEST_RULE,
                request.action,
                request.scope,
                True,
                told_at,
                event.occurred_at,
                is_named=event.is_named,
            )
            return [Case(event, request.instance_id, REQUEST_RULE, stated)], None
        sender = f"{origin}:{event.alert or event.id}" if event.source not in COMMANDERS else f"{origin}:{event.id}"
        cases: list[Case] = []
        refused: dict[str, str] = {}
        view = event.view()
        for rule in self.config.rules:
            if not rule.matches(view):
                continue
            try:
                cluster, stated = rule.state(event, view, sender, told_at)
            except (TemplateError, InvalidInput) as error:
                refused[rule.name] = f"rule {rule.name}: {error}"
                continue
            cases.append(Case(event, cluster, rule.name, stated))
        if not refused:
            return cases, None
        reason = "; ".join(refused.values())
        return cases, Outcome.refused("rules.template", reason, fix=TEMPLATE_FIX, rule=",".join(refused))


# -- one cluster


def serve(run: Run, cases: list[Case], caller: str) -> None:
    """Write down what the cases of one cluster state, and serve what is pending.

    Every case gets its outcome.

    A failure here concerns no other cluster. Raises nothing.
    """
    answers: list[list[Answer]] = []

    def admit(record: ClusterRecord) -> bool:
        answers[:], is_ours = _admitted(run, cases, caller, record)
        return is_ours

    run.admit = admit
    record = ClusterRecord(run.cluster_id)
    try:
        try:
            record = reconcile(run)
        except LedgerUnavailable:
            raise
        except Exception as error:  # what is stated is written down all the same, and the follow-up tries again
            failure = outcome_of(error, run.log)
            run.alarms.append(Alarm(failure.code, run.cluster_id, "reconcile", failure.reason, fix=failure.fix))
            if not run.is_written:
                _, record = run.ledger.change(run.cluster_id, admit)
                run.is_written = True
    except LedgerUnavailable as error:
        run.log.error("steward.ledger.unavailable", cluster=run.cluster_id, problem=str(error))
        run.alarms.append(ledger_unavailable(str(error)))
        if not run.is_written:
            _fail(cases, _unwritten(error))
            return
    except Exception as error:  # the event itself cannot be written down
        _fail(cases, outcome_of(error, run.log))
        return
    for case, found in zip(cases, answers, strict=True):
        _conclude(run, case, found, record)


def _admitted(run: Run, cases: list[Case], caller: str, record: ClusterRecord) -> tuple[list[list[Answer]], bool]:
    """The answers to the cases, and whether there is something to serve that no other worker is at."""
    now, before = run.clock.now(), record.copy()
    answers: list[list[Answer]] = []
    for case in cases:
        if case.stated is not None:
            answers.append(admission.admit(record, case.stated, now))
            continue
        event = case.event
        told_at = now if event.told_at is None else event.told_at
        sender = f"{caller}|{event.source}:{event.alert or event.id}"
        admission.withdraw(record, sender, event.started_at, told_at, is_kept=case.is_kept)
        answers.append([])
    before.began = record.began
    # What was said a moment ago, and is said again, is answered and logged; nothing is written.
    run.is_repeat = record == before
    return answers, not run.is_repeat and record.claim(run.owner, now)


def _conclude(run: Run, case: Case, answers: list[Answer], record: ClusterRecord) -> None:
    """Give a case the outcome of what it became a part of."""
    if case.stated is None:
        case.outcome = Outcome.skipped("guard.resolved", "the alert is resolved", guard="resolved")
        return
    found = [answer.outcome for answer in answers if answer.outcome is not None]
    keys = [key for answer in answers if answer.outcome is None for key in run.splits.get(answer.key, (answer.key,))]
    found += [run.outcomes.get(key) or state_of(key, record) for key in keys]
    outcome = max(found, key=lambda one: URGENCY[one.status], default=None)
    if outcome is None:
        outcome = Outcome.skipped("scope.empty", "the scope names no process")
    alike = sum(one.code == outcome.code for one in found) - 1
    case.outcome = replace(outcome, reason=f"{outcome.reason}; and {alike} more likewise") if alike else outcome
    case.is_repeat = run.is_repeat
    operations = (run.operations.get(key, "") for key in keys)
    case.operations = tuple(dict.fromkeys(filter(None, operations)))


def _unwritten(error: LedgerUnavailable) -> Outcome:
    why = f"nothing could be written down, since the ledger cannot be used: {error}"
    return Outcome.failed("ledger.unavailable", why, fix=LEDGER_FIX, retryable=True, has_own_alarm=True)


def _fail(cases: list[Case], outcome: Outcome) -> None:
    for case in cases:
        case.outcome = case.outcome or outcome

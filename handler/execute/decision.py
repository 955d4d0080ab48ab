"""One decision about a cluster: from its record and a look to at most one operation. Pure.

The steps, in their order: what was sent and lost is in doubt; open operations are judged by the look, and their intents
go on; newer commands supersede older ones; the guards weigh each pending intent; what waits too long is told of; what
passes and agrees is joined and armed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from handler.decide import budgets, intent_guards, process_guards
from handler.decide.process_guards import Asked, View
from handler.decide.verification import patience, verdict
from handler.ledger import reasons
from handler.model.alarm import Alarm
from handler.model.observation import UNKNOWN, Observation, Reading, UnknownPart, read
from handler.model.operation import Operation, Part, State, Verdict
from handler.model.outcome import URGENCY, Outcome
from handler.model.request import OpType, Request
from handler.model.scope import OpScope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.history import History
    from handler.model.intent import Intent, Limits
    from handler.model.policy import Cluster, Mode, Safety

#: Seconds after which a person is told that the health of a process is not known.
UNKNOWN_SECONDS = 300.0


@dataclass(frozen=True)
class Policy:
    """What steward.yml and the moment say about one decision."""

    #: None where it is no longer listed.
    cluster: Cluster | None
    safety: Safety
    #: The limits of an intent's rule; None where the rule is gone.
    limits_of: Callable[[Intent], Limits | None]
    now: float
    #: Who arms, and the id of what is armed.
    owner: str
    operation_id: str
    mode: Mode = "act"
    #: Whether there is time left to send something.
    may_arm: bool = True
    #: By how many seconds our clock is ahead of the API's; None where it is not known.
    clock_skew: float | None = None


class Decision(NamedTuple):
    """What is to be sent, and why each intent that is still pending is held."""

    operation: Operation | None
    request: Request | None
    held: dict[str, Outcome]


def decide(record: ClusterRecord, seen: Observation | None, failure: Outcome | None, policy: Policy) -> Decision:
    """Change the record by what a look shows, and arm at most one operation.

    ``seen`` is None where nobody could look, for the reason ``failure``.
    """
    return _Decider(record, seen, failure, policy).run()


def services_to_see(record: ClusterRecord, policy: Policy) -> set[str]:
    """The services that a decision has to look at; none where nothing can be decided now."""
    services: set[str] = set()
    for operation in record.open_operations():
        if operation.state is not State.SENDING or policy.now - operation.armed_at >= record.timing.lost:
            services.update(key.partition("/")[0] for key in operation.parts)
    for intent in record.intents.values():
        if intent.stage == "pending" or (intent.stage == "proving" and _is_cooled(record, intent, policy, policy.now)):
            services.update(intent.scope.services)
    for key in record.told:
        code, _, about = key.split("|", 2)
        if (code in _OF_PROCESSES and about.count("/") == 2) or code == "guard.storm":
            services.add(about.partition("/")[0])
    return services


#: Alarms that are over when their process is up.
_OF_PROCESSES = (
    "guard.quarantine",
    "operation.failed",
    "intent.still_down",
    "intent.waits",
    "intent.expired",
    "guard.health_unknown",
)


@dataclass
class _Decider:
    record: ClusterRecord
    seen: Observation | None
    failure: Outcome | None
    policy: Policy
    held: dict[str, Outcome] = field(default_factory=dict)

    def run(self) -> Decision:
        record, now, seen = self.record, self.policy.now, self.seen
        record.began = record.began or now
        record.lose(now)
        if wrong_clock := intent_guards.clock_agrees(self.policy.clock_skew):
            # Nothing is concluded with a clock that is wrong.
            record.tell(self._alarm(wrong_clock, "clock"), now)
            self._hold_all(wrong_clock)
            return Decision(None, None, self.held)
        self._judge()
        if seen is not None:
            self._well_again(seen)
            self._prove(seen)
        elif self.failure is not None and self.failure.code == "look.failed":
            record.tell(self._alarm(self.failure, "look"), now)
        view = View(seen or _nothing_seen(record, now), self._history(), self.policy.safety, now)
        passing = self._weigh(view)
        operation, request = self._arm(passing, view)
        if self.policy.clock_skew is not None:  # the API has confirmed our clock
            record.forget(now, self._keep())
        return Decision(operation, request, self.held)

    # -- what became of operations

    def _judge(self) -> None:
        record, now, seen = self.record, self.policy.now, self.seen
        for operation in record.open_operations():
            if operation.state is State.SENDING:
                continue
            services = {key.partition("/")[0] for key in operation.parts}
            if seen is not None and services <= seen.services.keys():
                readings = read(seen.services, operation.parts)
                found: dict[str, Verdict] = {}
                for key, part in operation.parts.items():
                    if part.verdict is Verdict.NONE:
                        found[key] = verdict(operation, key, readings.get(key), seen, record.timing)
                if any(found.values()):
                    record.judge(operation.id, found, now)
                    self._judge_again(operation.id, readings)
            elif self.policy.cluster is None or now >= operation.deadline + record.timing.unseen:
                record.judge(operation.id, dict.fromkeys(operation.parts, Verdict.FAILED), now, is_unseen=True)

    def _judge_again(self, operation_id: str, readings: dict[str, Reading]) -> None:
        """That one process was reached may show that another was not."""
        operation, seen = self.record.operations.get(operation_id), self.seen
        if operation is None or not operation.is_open or seen is None:
            return
        found = {
            key: verdict(operation, key, readings.get(key), seen, self.record.timing)
            for key, part in operation.parts.items()
            if part.verdict is Verdict.NONE
        }
        if any(found.values()):
            self.record.judge(operation_id, found, self.policy.now)

    def _well_again(self, seen: Observation) -> None:
        record, now = self.record, self.policy.now
        record.well("clock.skew", "clock", "the clock agrees with the API's again", now)
        record.well("look.failed", "look", "the cluster can be looked at again", now)
        if not record.told:
            return
        view = View(seen, self._history(), self.policy.safety, now)
        by_key = {reading.target.key: reading for readings in seen.services.values() for reading in readings}
        for key in list(record.told):
            code, _, about = key.split("|", 2)
            if code == "guard.storm":
                service, _, component = about.partition("/")
                if service in seen.services and process_guards.is_storm(service, component, view) is None:
                    record.well(code, about, f"most {component} serve again", now)
            elif code in _OF_PROCESSES and (reading := by_key.get(about)) and about not in view.history.open:
                if reading.is_up or (code == "guard.health_unknown" and reading.health != UNKNOWN):
                    record.well(code, about, f"{reading.target} is well again: {reading.describe()}", now)
                elif reading.is_stopped:
                    record.well(code, about, f"{reading.target} was stopped by an operator", now)

    def _prove(self, seen: Observation) -> None:
        """Whether what an operation helped is still well after its cooldown."""
        by_key = {reading.target.key: reading for readings in seen.services.values() for reading in readings}
        for intent in list(self.record.intents.values()):
            if intent.stage != "proving" or not _is_cooled(self.record, intent, self.policy, seen.seen_at):
                continue
            if not seen.services.keys() >= set(intent.scope.services):
                continue
            operation = self.record.operations.get(intent.operation)
            key = (intent.scope.targets or ())[0].key
            reading = by_key.get(key)
            is_again = (
                intent.even_if_healthy
                and operation is not None
                and reading is not None
                and reading.is_up
                and bool(intent.occurrences & operation.occurrences)
            )
            is_unknown = reading is not None and reading.health == UNKNOWN and not reading.is_stopped
            if is_unknown and self.policy.now - intent.last_statement <= self.record.timing.expiry:
                continue
            is_well = reading is None or not reading.is_unavailable
            self.record.proved(intent, self.policy.now, is_well=is_well, same_occurrence=is_again)

    # -- what is pending

    def _weigh(self, view: View) -> list[tuple[Intent, list[Asked]]]:
        """The intents that no guard holds back, each with the processes that are left of it."""
        record, now = self.record, self.policy.now
        meant: dict[str, dict[str, Reading]] = {}
        for intent in self._by_age():
            if intent.stage == "pending" or intent.is_command:
                self._resolve(intent, meant)
        lost = record.supersede(meant, now)
        passing: list[tuple[Intent, list[Asked]]] = []
        for intent in self._by_age():
            if intent.stage != "pending":
                continue
            limits = self.policy.limits_of(intent)
            outcome = self._of_intent(intent, limits)
            if outcome is not None and outcome.status != "pending":
                record.end(intent, outcome, now)
            elif limits is None or intent.key not in meant:
                self._hold(intent, outcome or self.held[intent.key], limits)
            else:
                rest = {key: one for key, one in meant[intent.key].items() if key not in lost.get(intent.key, ())}
                asked = self._of_processes(intent, limits, rest, outcome, view)
                if asked:
                    passing.append((record.intents[intent.key], asked))
        return passing

    def _by_age(self) -> list[Intent]:
        return sorted(self.record.intents.values(), key=lambda one: one.seq)

    def _resolve(self, intent: Intent, meant: dict[str, dict[str, Reading]]) -> None:
        """The processes that an intent means; where they are not known, it is held, or ended."""
        seen, now = self.seen, self.policy.now
        missing = {
            name: why
            for name in intent.scope.services
            if seen is None or name not in seen.services
            for why in [seen and seen.unseen.get(name)]
        }
        if seen is None or missing:
            why = next((str(one) for one in missing.values() if one), "")
            looked = Outcome.pending("look.failed", f"the cluster cannot be looked at: {why}", guard="look")
            self.held[intent.key] = self.failure or looked
            return
        try:
            found = seen.resolve(intent.scope)
        except UnknownPart as error:
            if intent.stage == "pending":
                fix = "Correct the rule or the sender's labels: they name something that the cluster does not have."
                outcome = Outcome.refused("scope.unknown", error.problem, fix=fix, http_status=404, guard="scope")
                self.record.end(intent, outcome, now)
            return
        if intent.is_command or intent.scope.targets is not None:
            meant[intent.key] = found
            return
        down = [one for one in found.values() if one.is_unavailable or intent.even_if_healthy]
        if not down:
            unknown = [one for one in found.values() if one.health == UNKNOWN and not one.is_stopped]
            if unknown:
                why = f"whether {unknown[0].target} is down is not known: {unknown[0].describe()}"
                self.held[intent.key] = Outcome.pending("guard.health_unknown", why, guard="health_unknown")
                return
            outcome = Outcome.skipped("guard.healthy", f"no process of {intent.scope} is down", guard="healthy")
            self.record.end(intent, outcome, now)
            return
        self.record.split(intent, [one.target for one in down], now)
        for one in down:
            key = f"{intent.rule}|{one.target.key}"
            if self.record.intents[key].stage == "pending":
                meant[key] = {one.target.key: one}

    def _of_intent(self, intent: Intent, limits: Limits | None) -> Outcome | None:
        """What holds back, or ends, an intent whatever its processes are."""
        policy, now, seen = self.policy, self.policy.now, self.seen
        clusters = {policy.cluster.id: policy.cluster} if policy.cluster else {}
        if refused := intent_guards.entitled(self.record.cluster, intent.action.op_type, clusters):
            return refused
        if limits is None:
            fix = "If this is still wanted, restore the rule in steward.yml, or do it by hand."
            return Outcome.refused("rules.gone", f"the rule {intent.rule} is no longer in steward.yml", fix=fix)
        pause = self.record.pause
        if pause is not None and now < pause.until:
            return Outcome.pending("guard.pause", f"paused by {pause.by}: {pause.reason}", guard="pause")
        cluster = self.record.cluster
        if held := intent_guards.unfrozen(cluster, policy.safety, now):
            return held
        if held := intent_guards.outside_maintenance_window(cluster, policy.safety, now, is_command=intent.is_command):
            return held
        if seen is not None and (held := intent_guards.cluster_ready(seen)):
            return held
        if now < intent.not_before:
            wait = intent.not_before - now
            return Outcome.pending(
                "guard.pausing", f"the last request was certainly not carried out; it is tried again in {wait:.0f} s"
            )
        return None

    def _of_processes(
        self, intent: Intent, limits: Limits, meant: dict[str, Reading], held: Outcome | None, view: View
    ) -> list[Asked]:
        """The processes of an intent that may go on; without any, it is held or ended."""
        if held is not None and intent.is_command:
            self._hold(intent, held, limits)
            return []
        go: list[Asked] = []
        outcomes: list[Outcome] = []
        for key, reading in sorted(meant.items()):
            if key in intent.served:
                continue
            asked = Asked(key, reading, intent, limits)
            if outcome := process_guards.weigh(asked, view):
                outcomes.append(outcome)
            else:
                go.append(asked)
        waiting = next((one for one in outcomes if one.status == "pending"), None)
        if waiting is not None or go:
            reason = held or waiting
            if reason is None:
                return go
            self._escalate(intent, reason, meant)
            self._hold(intent, reason, limits)
            return []
        if held is not None and any(one.status != "skipped" for one in outcomes):
            self._hold(intent, held, limits)
            return []
        self._end(intent, outcomes)
        return []

    def _end(self, intent: Intent, outcomes: Sequence[Outcome]) -> None:
        """End an intent of which no process is left to serve."""
        record, now = self.record, self.policy.now
        if intent.served:
            operation = record.operations.get(intent.operation)
            is_proven = operation is None or operation.state is State.VERIFIED
            outcome = reasons.done_command(operation, len(intent.served), is_proven=is_proven)
            record.end(intent, outcome, now, operation=intent.operation)
            return
        outcome = of_processes(outcomes)
        if not intent.is_stated and outcome.status == "skipped":
            outcome = Outcome.withdrawn("intent.resolved", f"the alert is resolved; {outcome.reason}")
        record.end(intent, outcome, now, is_told=outcome.code == "intent.still_down")

    def _hold(self, intent: Intent, outcome: Outcome, limits: Limits | None) -> None:
        record, now = self.record, self.policy.now
        is_on_purpose = outcome.code in intent_guards.ON_PURPOSE
        max_wait = limits.max_wait if limits else 0.0
        if not record.expire(intent, outcome, max_wait, now, is_on_purpose=is_on_purpose):
            self.held[intent.key] = outcome
            record.hold(intent, outcome, now, is_on_purpose=is_on_purpose)

    def _hold_all(self, outcome: Outcome) -> None:
        for intent in list(self.record.intents.values()):
            if intent.stage == "pending":
                self._hold(intent, outcome, self.policy.limits_of(intent))

    def _escalate(self, intent: Intent, held: Outcome, meant: dict[str, Reading]) -> None:
        """Tell a person of what holds an intent back, where a person has to act."""
        now = self.policy.now
        target = next(iter(meant.values())).target
        if held.code == "guard.storm":
            about = f"{target.service}/{target.component}"
            self.record.tell(self._alarm(held, about, f"{target.service} {target.component}"), now)
        elif held.code == "guard.health_unknown" and now - intent.waits_since > UNKNOWN_SECONDS:
            at_address = [
                one.target.component
                for readings in (self.seen.services.values() if self.seen else ())
                for one in readings
                if one.target.ip == target.ip and one.health == UNKNOWN
            ]
            more = (
                f" (so is {', '.join(at_address)} of {target.ip}: the machine looks down)"
                if len(at_address) > 1
                else ""
            )
            alarm = self._alarm(held, target.key, " ".join(target))
            self.record.tell(Alarm(**{**vars(alarm), "text": alarm.text + more}), now)

    def _alarm(self, outcome: Outcome, about: str, where: str = "") -> Alarm:
        return Alarm(outcome.code, self.record.cluster, about, outcome.reason, fix=outcome.fix, where=where)

    # -- arming

    def _arm(self, passing: list[tuple[Intent, list[Asked]]], view: View) -> tuple[Operation | None, Request | None]:
        """Join what agrees, the commands first, and arm what the budgets leave room for."""
        left = sorted(passing, key=lambda one: (not one[0].is_command, one[0].seq))
        while left:
            first, group, left = _joined(left)
            chosen = self._within_budgets(group, view)
            if not chosen:
                continue
            limit = self.policy.cluster.operations_per_hour if self.policy.cluster else 0
            held = budgets.within_hourly(view.history, limit, is_command=first.is_command)
            if held is not None:
                about = "commands_per_hour" if first.is_command else "operations_per_hour"
                self.record.tell(self._alarm(held, about), self.policy.now)
            elif self.policy.mode == "observe":
                self._observed(chosen)
                continue
            elif not self.policy.may_arm:
                held = Outcome.pending("time.short", "too little time is left to send a request; the follow-up does it")
            if held is None:
                for intent, _ in left:
                    self.held[intent.key] = Outcome.pending("guard.queued", "another operation is sent first")
                return self._armed(first, chosen)
            for intent in {one.intent.key: one.intent for one in chosen}.values():
                self._hold(intent, held, self.policy.limits_of(intent))
        return None, None

    def _within_budgets(self, group: list[tuple[Intent, list[Asked]]], view: View) -> list[Asked]:
        """The processes of a group that the budgets leave room for. What is left out is held."""
        group = list(group)
        while True:
            chosen, over = budgets.within_budgets([one for _, asked in group for one in asked], view)
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
                    self._hold(intent, whole[intent.key], self.policy.limits_of(intent))
            group = [(intent, asked) for intent, asked in group if intent.key not in whole]
        served = {one.intent.key for one in chosen}
        for one, outcome in over:
            if one.intent.key not in served and one.intent.key in self.record.intents:
                self._hold(one.intent, outcome, one.limits)
        return chosen

    def _observed(self, chosen: Iterable[Asked]) -> None:
        by_intent: dict[str, list[Asked]] = {}
        for one in chosen:
            by_intent.setdefault(one.intent.key, []).append(one)
        for key, asked in by_intent.items():
            intent = self.record.intents[key]
            scope = OpScope.of_targets(one.reading.target for one in asked)
            would = f"observe mode: would send {intent.action.op_type} of {scope}"
            self.record.end(intent, Outcome.skipped("mode.observe", would, guard="mode"), self.policy.now)

    def _armed(self, first: Intent, chosen: list[Asked]) -> tuple[Operation, Request]:
        record, now = self.record, self.policy.now
        by_key = {one.key: one.reading for one in chosen}
        intents = list({one.intent.key: one.intent for one in chosen}.values())
        scope = scope_to_send(intents, chosen, self.seen)
        targets = [reading.target for reading in by_key.values()]
        operation = Operation(
            id=self.policy.operation_id,
            seq=record._next(),
            cluster=record.cluster,
            action=first.action,
            state=State.SENDING,
            owner=self.policy.owner,
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

    # -- the past

    def _keep(self) -> float:
        """Seconds for which an ended operation counts for any rule."""
        return max(
            self.policy.safety.quarantine.within, *(self._cooldown(one) for one in self.record.intents.values()), 3600.0
        )

    def _cooldown(self, intent: Intent) -> float:
        limits = self.policy.limits_of(intent)
        return limits.cooldown if limits else 0.0

    def _history(self) -> History:
        return history_of(self.record, self.policy.now, self.policy.safety.quarantine.within)


def history_of(record: ClusterRecord, now: float, quarantine_within: float) -> History:
    """The cluster's past, as the guards see it."""
    from handler.model.history import History

    ongoing: dict[str, Operation] = {}
    last: dict[str, Operation] = {}
    restarts: dict[str, int] = {}
    counts = {True: 0, False: 0}
    for one in record.operations.values():
        counts[one.is_command] += one.armed_at > now - 3600
        is_counted = (
            one.op_type is OpType.RESTART_SERVICE and not one.is_command and one.armed_at > now - quarantine_within
        )
        for key in one.parts:
            if one.is_open:
                ongoing[key] = one
            if not one.may_have_touched(key):
                continue
            if key not in last or one.touched_at >= last[key].touched_at:
                last[key] = one
            if is_counted and one.armed_at > record.released.get(key, 0.0):
                restarts[key] = restarts.get(key, 0) + 1
    return History(ongoing, last, restarts, counts[False], counts[True])


def _nothing_seen(record: ClusterRecord, now: float) -> Observation:
    return Observation(record.cluster, 0, {}, now)


def _is_cooled(record: ClusterRecord, intent: Intent, policy: Policy, at: float) -> bool:
    """Whether the cooldown of what served an intent is over."""
    operation, limits = record.operations.get(intent.operation), policy.limits_of(intent)
    if operation is None or limits is None:
        return True
    return not operation.is_open and at >= operation.ended_at + limits.cooldown


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


def of_processes(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcome of an intent from those of its processes: the most urgent one.

    It says for how many more processes the same holds.
    """
    from dataclasses import replace

    if not outcomes:
        return Outcome.skipped("guard.satisfied", "nothing is left to do")
    leading = max(outcomes, key=lambda outcome: URGENCY[outcome.status])
    more = sum(one.code == leading.code for one in outcomes) - 1
    return replace(leading, reason=f"{leading.reason}; and {more} more likewise") if more else leading

"""The cluster record: all that is remembered of one cluster, and every rule about it.

One value for each cluster, read and swapped whole: what was asked for and has not ended, the operations, what a person
was told. A method changes this object only; it reads no clock and does no I/O. ``handler/ledger/ledger.py`` loads and
swaps it. docs/engine.md has the rules in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.ledger import reasons
from handler.model.intent import MAX_EVENTS, MAX_STATEMENTS, Ended, Intent, Stated, Statement
from handler.model.operation import OPEN, UNTOUCHED, Operation, Part, State, Verdict
from handler.model.outcome import Outcome
from handler.model.request import OpType, digest_of
from handler.model.scope import OpScope
from handler.model.timing import TIMING, Timing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from handler.model.alarm import Alarm

#: Intents that one cluster may have at a time: ten for each process of a large one.
MAX_INTENTS: Final = 5000
#: Seconds by which clocks may differ.
CLOCK_SKEW: Final = 60.0
#: Of the same kind, and contrary to each other: the newer command supersedes the older one.
OPPOSITES: Final = {
    OpType.START_SERVICE: OpType.STOP_SERVICE,
    OpType.STOP_SERVICE: OpType.START_SERVICE,
    OpType.START_MONITOR: OpType.STOP_MONITOR,
    OpType.STOP_MONITOR: OpType.START_MONITOR,
}
GOOD: Final = frozenset({Verdict.VERIFIED, Verdict.UNVERIFIED})


class Answer(NamedTuple):
    """What became of a statement: the intent's key, and its outcome where that is known at once."""

    key: str
    outcome: Outcome | None = None


class Saying(NamedTuple):
    """Something that a swap decided to say: an alarm, that one is over, or that an intent has settled."""

    id: str
    kind: str  # "alarm", "well" or "settled"
    body: Mapping[str, Any]
    at: float


class Pause(NamedTuple):
    """Nothing is sent until ``until`` (seconds since the epoch)."""

    by: str
    reason: str
    until: float


@dataclass
class ClusterRecord:
    """The aggregate of one cluster."""

    cluster: str
    #: When it was first written, seconds since the epoch; 0 for one that never was.
    began: float = 0.0
    #: Counts admissions and operations: the order among arrivals, never a clock.
    seq: int = 0
    intents: dict[str, Intent] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    commands: dict[str, Ended] = field(default_factory=dict)
    #: By process: when a person let it out of quarantine. Restarts before that do not count.
    released: dict[str, float] = field(default_factory=dict)
    pause: Pause | None = None
    #: Who is at it, and until when the others leave it to that one. No rule depends on it.
    hint: tuple[str, float] | None = None
    outbox: dict[str, Saying] = field(default_factory=dict)
    #: What is open with a person: alarm key → since when.
    told: dict[str, float] = field(default_factory=dict)
    timing: Timing = TIMING
    #: Not stored: what this change of the record brought, by intent key; and the events whose own outcome says it.
    news: dict[str, Outcome] = field(default_factory=dict, compare=False)
    ended: list[Operation] = field(default_factory=list, compare=False)
    answered: frozenset[str] = field(default=frozenset(), compare=False)

    def copy(self) -> ClusterRecord:
        """One to change: its values are immutable, its dicts are its own."""
        return replace(
            self,
            intents=dict(self.intents),
            operations=dict(self.operations),
            commands=dict(self.commands),
            released=dict(self.released),
            outbox=dict(self.outbox),
            told=dict(self.told),
            news={},
            ended=[],
            answered=frozenset(),
        )

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    # -- admitting what is stated

    def admit(self, stated: Stated, now: float) -> list[Answer]:
        """Write down what one event asks: an Answer for each intent that it became a part of."""
        self.began = self.began or now
        if len(self.intents) >= MAX_INTENTS:
            outcome = reasons.too_many(MAX_INTENTS)
            self._tell_outcome(outcome, "intents", "", now)
            return [Answer("", outcome)]
        if stated.is_command:
            return [self._admit_command(stated, now)]
        targets = stated.scope.targets
        if targets is None:
            return [self._state(stated, stated.scope, f"{stated.rule}|{stated.scope.stable()}", now)]
        return [self._state(stated, OpScope.of_target(one), f"{stated.rule}|{one.key}", now) for one in targets]

    def _state(self, stated: Stated, scope: OpScope, key: str, now: float) -> Answer:
        """A remediation: state it, or state it again."""
        if now - stated.told_at > stated.max_wait:
            outcome = reasons.too_late(stated, now)
            self._tell_outcome(outcome, key, str(scope), now)
            return Answer(key, outcome)
        statement = Statement(stated.start or 0.0, stated.told_at)
        known = self.intents.get(key)
        if known is None:
            self.intents[key] = Intent(
                key,
                self._next(),
                False,
                stated.rule,
                stated.action,
                scope,
                stated.even_if_healthy,
                "",
                stated.told_at,
                stated.start is not None,
                stated.told_at,
                {stated.sender: statement},
                (stated.event,),
            )
            return Answer(key)
        before = known.statements.get(stated.sender)
        is_heard = stated.event in known.events or known.stage == "proving"
        if (
            before
            and is_heard
            and before.start == statement.start
            and stated.told_at - before.last < self.timing.refresh
        ):
            return Answer(key)
        if before is None and len(known.statements) >= MAX_STATEMENTS:
            return Answer(key)  # so many ask for it already
        if before and before.last > statement.last:
            statement = before
        self.intents[key] = _heard(
            known._replace(
                statements={**known.statements, stated.sender: statement},
                waits_since=max(known.waits_since, stated.told_at),
            ),
            "" if is_heard else stated.event,
        )
        return Answer(key)

    def _admit_command(self, stated: Stated, now: float) -> Answer:
        key = f"{stated.rule}|{stated.sender}"
        digest = digest_of(self.cluster, stated.action, stated.scope)
        if stated.is_named:
            if known := self.intents.get(key):
                return Answer(key, None if known.digest == digest else self._conflict(key, now))
            if ended := self.commands.get(key):
                return Answer(key, _replayed(ended) if ended.digest == digest else self._conflict(key, now))
        else:
            found = self._retried(digest, stated.scope, now)
            if found is not None:
                return found
            key = f"{key}#{self.seq + 1}"
        asked_at = stated.told_at if stated.start is None else stated.start
        is_dated = stated.start is not None
        intent = Intent(
            key,
            self._next(),
            True,
            stated.rule,
            stated.action,
            stated.scope,
            False,
            digest,
            asked_at,
            is_dated,
            asked_at,
            {},
            (stated.event,),
        )
        if now - asked_at > stated.max_wait:
            return Answer(key, self._end_command(intent, reasons.too_late(stated, now), now))
        if is_dated and asked_at < self.began - CLOCK_SKEW:
            outcome = reasons.before_the_record(stated, self.began)
            return Answer(key, self._end_command(intent, outcome, now))
        self.intents[key] = intent
        return Answer(key)

    def _retried(self, digest: str, scope: OpScope, now: float) -> Answer | None:
        """The answer to a command without an id that may be a retry; None for a new command."""
        here = [one for one in self.intents.values() if one.is_command and one.scope.overlaps(scope)]
        past = {key: one for key, one in self.commands.items() if one.scope.overlaps(scope)}
        newest = max((*(one.seq for one in here), *(one.seq for one in past.values())), default=-1)
        for one in here:
            if one.digest == digest and one.seq == newest:
                return Answer(one.key)
        young = {key: one for key, one in past.items() if one.digest == digest and now - one.at <= self.timing.unnamed}
        for key, ended in young.items():
            if ended.seq == newest:
                return Answer(key, _replayed(ended))
        if not young:
            return None
        outcome = reasons.ambiguous()
        self._tell_outcome(outcome, digest, str(scope), now, occasion=str(self._next()))
        return Answer("", outcome)

    def _conflict(self, key: str, now: float) -> Outcome:
        outcome = reasons.conflict()
        self._tell_outcome(outcome, key, "", now)
        return outcome

    def _end_command(self, intent: Intent, outcome: Outcome, now: float, where: str = "") -> Outcome:
        """End a command: remember its answer, and tell of one that is not carried out. Returns its outcome."""
        self.intents.pop(intent.key, None)
        self.commands[intent.key] = Ended(
            intent.digest,
            intent.action.op_type.value,
            intent.scope,
            intent.seq,
            outcome.status,
            outcome.code,
            outcome.reason,
            outcome.http_status,
            now,
        )
        if outcome.is_alarming:
            self._tell_outcome(
                outcome, intent.key, where or str(intent.scope), now, facts={"event_id": intent.events[0]}
            )
        return replace(outcome, has_own_alarm=True)

    # -- taking back

    def withdraw(self, sender: str, start: float | None, told_at: float) -> list[str]:
        """Take back one sender's statements that are no younger; returns their keys. It ends nothing: a look does."""
        found = []
        for key, one in self.intents.items():
            statement = one.statements.get(sender)
            if statement is None:
                continue
            is_older = statement.last <= told_at if not (statement.start and start) else statement.start <= start
            if is_older:
                found.append(key)
        for key in found:
            one = self.intents[key]
            rest = {name: statement for name, statement in one.statements.items() if name != sender}
            self.intents[key] = one._replace(statements=rest)
        return found

    def cancel(self, key: str, by: str, now: float) -> bool:
        """End what is pending because a person says so. What is sent stays sent. Answers whether there was anything."""
        one = self.intents.get(key)
        if one is None or one.stage == "serving":
            return False
        self.end(one, Outcome.withdrawn("intent.cancelled", f"cancelled by {by}"), now, is_told=True)
        return True

    def release(self, process: str, now: float) -> None:
        """Let a process out of quarantine."""
        self.released[process] = now
        for key in [key for key in self.told if key.split("|")[2:3] == [process]]:
            del self.told[key]

    # -- ending

    def end(
        self,
        intent: Intent,
        outcome: Outcome,
        now: float,
        *,
        is_told: bool = False,
        where: str = "",
        operation: str = "",
    ) -> None:
        """End an intent with its outcome; ``is_told``: a person is told of it, whatever its status."""
        self.intents.pop(intent.key, None)
        about = intent.key if intent.is_command or intent.scope.targets is None else intent.scope.targets[0].key
        where = where or _where(intent.scope)
        facts = {
            "rules": intent.rule,
            "event_id": intent.events[0] if intent.events else None,
            "operation": operation or None,
        }
        self._settled(intent, outcome, now, operation)
        if intent.is_command:
            self._end_command(intent, outcome, now, where)
            if is_told and not outcome.is_alarming:
                self._tell_outcome(outcome, about, where, now, facts=facts)
        elif is_told or outcome.is_alarming:
            self._tell_outcome(outcome, about, where, now, facts=facts)

    def _settled(self, intent: Intent, outcome: Outcome, now: float, operation: str = "") -> None:
        """Say to the events of an intent what became of it."""
        self.news[intent.key] = outcome
        events = [one for one in intent.events if one not in self.answered]
        if not events:
            return
        body = {
            "key": intent.key,
            "rule": intent.rule,
            "events": events,
            "more_events": intent.more_events or None,
            "outcome": outcome.status,
            "code": outcome.code,
            "reason": outcome.reason,
            "operation": operation or intent.operation,
        }
        self._say("settled", body, now)

    def _say(self, kind: str, body: Mapping[str, Any], now: float) -> None:
        saying = Saying(f"{self.cluster}-{self._next()}-{now:.0f}", kind, body, now)
        self.outbox[saying.id] = saying

    def said(self, ids: Iterable[str]) -> None:
        """These were said."""
        for one in ids:
            self.outbox.pop(one, None)

    # -- telling a person

    def tell(self, alarm: Alarm, now: float) -> None:
        """Raise an alarm, once until :meth:`well` says that it is over."""
        if alarm.key not in self.told:
            self.told[alarm.key] = now
            self._say("alarm", alarm.to_json(), now)

    def well(self, code: str, about: str, text: str, now: float) -> None:
        """What was told under this key is over."""
        from handler.model.alarm import Alarm

        alarm = Alarm(code, self.cluster, about, text, fix="")
        if self.told.pop(alarm.key, None) is not None:
            self._say("well", alarm.to_json(), now)

    def _tell_outcome(
        self,
        outcome: Outcome,
        about: str,
        where: str,
        now: float,
        *,
        occasion: str = "",
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        from handler.model.alarm import Alarm

        what = {"outcome": outcome.status, **{name: value for name, value in (facts or {}).items() if value}}
        self.tell(
            Alarm(
                outcome.code,
                self.cluster,
                about,
                outcome.reason,
                fix=outcome.fix,
                where=where,
                occasion=occasion,
                facts=what,
            ),
            now,
        )

    # -- operations

    def arm(self, operation: Operation, keys: Collection[str]) -> None:
        """Add an operation as SENDING for these intents. Raises ValueError where a process of it is under an open one."""
        busy = {key for one in self.operations.values() if one.is_open for key in one.parts}
        if not busy.isdisjoint(operation.parts):
            raise ValueError("a process is under an open operation")
        self.operations[operation.id] = operation
        for key in keys:
            self.intents[key] = self.intents[key]._replace(
                stage="serving", operation=operation.id, alone=False, held_by=""
            )

    def settle(
        self,
        operation_id: str,
        owner: str,
        state: State,
        now: float,
        *,
        code: str = "",
        request_id: str = "",
        problem: str = "",
    ) -> Operation | None:
        """Write down the API's answer; returns the operation where it was its owner's to settle.

        It is from SENDING; a definite answer also settles what others have put in doubt meanwhile.
        """
        operation = self.operations.get(operation_id)
        if operation is None or operation.owner != owner:
            return None
        is_late = operation.state is State.IN_DOUBT and state is not State.IN_DOUBT
        if operation.state is not State.SENDING and not is_late:
            return None
        if is_late:
            self.well("operation.in_doubt", operation.id, "its answer is known after all", now)
        operation = operation.moved(
            state, code=code, request_id=request_id, problem=problem, ended_at=now if state in UNTOUCHED else 0.0
        )
        self.operations[operation_id] = operation
        if state is State.IN_DOUBT:
            self._in_doubt(operation, now)
        if state in UNTOUCHED:
            self.ended.append(operation)
            self._not_carried_out(operation, now)
        return operation

    def lose(self, now: float) -> None:
        """Put in doubt what has been SENDING for longer than a worker lives."""
        for one in list(self.operations.values()):
            if one.state is State.SENDING and now - one.armed_at >= self.timing.lost:
                lost = one.moved(State.IN_DOUBT, code="worker_lost", problem=reasons.WORKER_LOST)
                self.operations[one.id] = lost
                self._in_doubt(lost, now)

    def _in_doubt(self, operation: Operation, now: float) -> None:
        self.tell(reasons.in_doubt(operation), now)

    def _not_carried_out(self, operation: Operation, now: float) -> None:
        """What becomes of the intents of an operation that certainly did nothing."""
        is_joined = len(operation.intents) > 1
        for intent in self._served_by(operation):
            if operation.state is State.NOT_SENT or is_joined:
                pause = min(self.timing.first_pause * 2**intent.tries, self.timing.longest_pause)
                self.intents[intent.key] = intent._replace(
                    stage="pending",
                    operation="",
                    tries=min(intent.tries + 1, 16),
                    not_before=now + pause,
                    alone=operation.state is State.REJECTED,
                )
            else:
                outcome = Outcome.refused_by_api(
                    operation.code, f"the API refused: {operation.problem}", operation=operation.id
                )
                self.end(intent, outcome, now, where=operation.where(), operation=operation.id)
        self.operations.pop(operation.id)

    def _served_by(self, operation: Operation) -> list[Intent]:
        return [
            one
            for key in operation.intents
            if (one := self.intents.get(key)) and one.stage == "serving" and one.operation == operation.id
        ]

    def judge(self, operation_id: str, verdicts: Mapping[str, Verdict], now: float, *, is_unseen: bool = False) -> None:
        """Write down what a look shows of an operation's processes, and what follows from it for its intents.

        ``is_unseen``: nobody could look at it by its deadline.
        """
        before = self.operations[operation_id]
        parts = {
            key: part if part.verdict or not verdicts.get(key) else Part(part.before, verdicts[key], now)
            for key, part in before.parts.items()
        }
        found = {part.verdict for part in parts.values()}
        if found == {Verdict.NOT_REACHED} and before.state is State.ACCEPTED:
            if len(parts) == 1 or before.op_type is not OpType.RESTART_SERVICE:
                # The API took it, and nothing came of it.
                parts = {key: Part(part.before, Verdict.FAILED, now) for key, part in parts.items()}
                found = {Verdict.FAILED}
        operation = replace(before, parts=parts)
        if Verdict.NONE not in found:
            operation = operation.moved(_end_of(before, found, is_unseen=is_unseen), ended_at=now)
        self.operations[operation_id] = operation
        for intent in self._served_by(operation):
            self._conclude(intent, operation, now)
        if not operation.is_open:
            self.ended.append(operation)
            if before.state is State.IN_DOUBT:
                self.well("operation.in_doubt", operation.id, reasons.of_doubt(operation), now)
            if operation.state is State.NOT_SENT:
                self.operations.pop(operation.id)

    def _conclude(self, intent: Intent, operation: Operation, now: float) -> None:
        if intent.is_command:
            if not operation.is_open:
                self._conclude_command(intent, operation, now)
            return
        key = _process(intent)
        part = operation.parts.get(key)
        if part is None or part.verdict is Verdict.NONE:
            return
        back = intent._replace(stage="pending", operation="", waits_since=now, not_before=0.0, tries=0)
        if part.verdict in GOOD:
            outcome = reasons.carried_out(operation, key)
            self._settled(intent, outcome, now)
            self.intents[intent.key] = intent._replace(stage="proving", events=(), more_events=0, tries=0)
        elif part.verdict is Verdict.NOT_REACHED:
            self.intents[intent.key] = back._replace(alone=not operation.is_open and len(operation.parts) > 1)
        else:
            outcome = reasons.did_not_help(operation, key)
            self._settled(intent, outcome, now)
            self._tell_outcome(
                outcome, key, " ".join(operation.name_of(key).split("/")), now, facts={"operation": operation.id}
            )
            self.intents[intent.key] = back._replace(events=(), more_events=0)

    def _conclude_command(self, intent: Intent, operation: Operation, now: float) -> None:
        mine = {key: part.verdict for key, part in operation.parts.items() if intent.scope.covers(key)}
        found = set(mine.values())
        if found <= GOOD:
            served = (*intent.served, *(key for key in mine if key not in intent.served))
            # The next decision ends it where nothing is left of it.
            self.intents[intent.key] = intent._replace(stage="pending", served=served, tries=0, waits_since=now)
        elif found == {Verdict.NOT_REACHED}:
            self.intents[intent.key] = intent._replace(stage="pending", operation="", waits_since=now)
        else:
            self.end(
                intent, reasons.failed_command(operation, mine), now, where=operation.where(), operation=operation.id
            )

    # -- what a look decides

    def proved(self, intent: Intent, now: float, *, is_well: bool, same_occurrence: bool) -> None:
        """What a look after the cooldown shows of a process that an operation helped."""
        if same_occurrence:
            self.end(intent, reasons.still_stated(intent), now, is_told=True)
        elif is_well:
            self.intents.pop(intent.key)  # its events were told "done"
        else:
            self.intents[intent.key] = intent._replace(stage="pending", operation="", waits_since=now)

    def supersede(self, processes: Mapping[str, Collection[str]], now: float) -> dict[str, set[str]]:
        """The processes (by intent key) that pending commands lose to newer commands that ask the opposite.

        ``processes`` are those that each open command means. A command that loses all of them ends here.
        """
        lost: dict[str, set[str]] = {}
        commands = [one for one in self.intents.values() if one.is_command]
        for one in commands:
            if one.stage != "pending" or (opposite := OPPOSITES.get(one.action.op_type)) is None:
                continue
            mine = set(processes.get(one.key, ()))
            gone: set[str] = set()
            by = ""
            for other in commands:
                if (
                    other.seq > one.seq
                    and other.action.op_type is opposite
                    and (both := mine & set(processes.get(other.key, ())))
                ):
                    gone, by = gone | both, other.key
            for key, ended in self.commands.items():
                is_done = ended.status in ("done", "unverified", "skipped", "failed")
                if is_done and ended.seq > one.seq and ended.op_type == opposite.value:
                    if both := {process for process in mine if ended.scope.covers(process)}:
                        gone, by = gone | both, key
            for operation in self.operations.values():  # this one arrived after it began, and is older
                is_newer = operation.seq < one.seq and operation.armed_at > one.asked_at
                if operation.is_command and operation.op_type is opposite and is_newer:
                    if both := {process for process in mine if operation.may_have_touched(process)}:
                        gone, by = gone | both, operation.id
            if not gone:
                continue
            lost[one.key] = gone
            if gone >= mine:
                self.end(one, reasons.superseded(one, by), now)
        return lost

    def split(self, intent: Intent, targets: Iterable[Any], now: float) -> None:
        """Replace a remediation of "all" by one for each of these processes."""
        self.intents.pop(intent.key)
        for target in targets:
            key = f"{intent.rule}|{target.key}"
            if known := self.intents.get(key):
                merged = known._replace(statements={**intent.statements, **known.statements})
                for event in intent.events:
                    merged = _heard(merged, event)
                self.intents[key] = merged
            else:
                self.intents[key] = intent._replace(key=key, seq=self._next(), scope=OpScope.of_target(target))

    def hold(self, intent: Intent, outcome: Outcome, now: float, *, is_on_purpose: bool) -> None:
        """Leave an intent pending, and note why. While people hold it on purpose, its wait does not run."""
        changed = intent._replace(held_by=outcome.code)
        if is_on_purpose and not intent.is_command and now - intent.waits_since > self.timing.refresh:
            changed = changed._replace(waits_since=now)
        if changed != intent:
            self.intents[intent.key] = changed

    def expire(self, intent: Intent, outcome: Outcome, max_wait: float, now: float, *, is_on_purpose: bool) -> bool:
        """End, or tell of, what waits longer than it may. Answers whether it ended."""
        waited = now - intent.waits_since
        if intent.is_command:
            if waited > max_wait:
                self.end(intent, reasons.expired(intent, outcome, waited, is_quiet=is_on_purpose), now)
                return True
            return False
        if is_on_purpose or waited <= max_wait:
            return False
        if now - max(intent.last_statement, intent.waits_since) > max(self.timing.expiry, max_wait):
            self.end(intent, reasons.expired(intent, outcome, waited, is_quiet=False), now)
            return True
        self.tell(reasons.waits(self.cluster, intent, _process(intent), outcome, waited), now)
        return False

    # -- looking back

    def restarts(self, process: str, since: float) -> int:
        """How many restarts that alerts asked for may have touched a process since then."""
        since = max(since, self.released.get(process, 0.0))
        return sum(
            1
            for one in self.operations.values()
            if one.op_type is OpType.RESTART_SERVICE
            and not one.is_command
            and one.armed_at > since
            and one.may_have_touched(process)
        )

    def open_operations(self) -> list[Operation]:
        """SENDING, ACCEPTED and IN_DOUBT, the oldest first."""
        return [one for one in self.operations.values() if one.state in OPEN]

    @property
    def has_work(self) -> bool:
        """Whether the follow-up has anything to do here."""
        return bool(
            self.intents or self.outbox or self.open_operations() or any(_is_condition(key) for key in self.told)
        )

    def forget(self, now: float, keep: float) -> None:
        """Drop what no rule asks for any more: ``keep`` seconds for operations, the longest cooldown or quarantine."""
        used = {one.operation for one in self.intents.values()}
        for one in list(self.operations.values()):
            if not one.is_open and one.id not in used and now - one.ended_at > keep:
                del self.operations[one.id]
        for key, ended in list(self.commands.items()):
            if now - ended.at > self.timing.commands:
                del self.commands[key]
        self.released = {key: at for key, at in self.released.items() if now - at <= keep}
        self.told = {
            key: at for key, at in self.told.items() if now - at <= (7 * 86_400.0 if _is_condition(key) else 86_400.0)
        }


#: Alarms that end by themselves: somebody has to look whether they have.
CONDITIONS: Final = (
    "guard.storm",
    "guard.quarantine",
    "guard.health_unknown",
    "operation.failed",
    "intent.still_down",
    "intent.waits",
    "intent.expired",
    "clock.skew",
    "look.failed",
)


def _is_condition(key: str) -> bool:
    return key.partition("|")[0] in CONDITIONS


def _heard(intent: Intent, event: str) -> Intent:
    """The intent, of whose end one more event is to hear."""
    if not event or event in intent.events:
        return intent
    if len(intent.events) >= MAX_EVENTS:
        return intent._replace(more_events=intent.more_events + 1)
    return intent._replace(events=(*intent.events, event))


def _process(intent: Intent) -> str:
    """The process (Target.key) of a remediation."""
    targets = intent.scope.targets
    return targets[0].key if targets else str(intent.scope)


def _where(scope: OpScope) -> str:
    targets = scope.targets
    return " ".join(targets[0]) if targets and len(targets) == 1 else str(scope)


def _replayed(ended: Ended) -> Outcome:
    """The answer to a repeat of a command that has ended: the same."""
    return Outcome(
        ended.status,  # type: ignore[arg-type]
        ended.code,
        f"{ended.reason} (this request ended before; it is not done again)",
        {"replayed": True},
        http_status=ended.http_status,
        is_quiet=True,
    )


def _end_of(operation: Operation, found: set[Verdict], *, is_unseen: bool) -> State:
    """The state in which an operation ends, by what was seen of its processes."""
    if found == {Verdict.NOT_REACHED} and operation.state is State.IN_DOUBT:
        return State.NOT_SENT
    if is_unseen or found == {Verdict.NOT_REACHED}:
        return State.TIMED_OUT
    if found == {Verdict.VERIFIED}:
        return State.VERIFIED
    return State.UNVERIFIED if found <= GOOD else State.FAILED

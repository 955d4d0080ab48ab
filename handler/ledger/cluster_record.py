"""The cluster record: all that is remembered of one cluster.

One value for each cluster, read and swapped whole (``handler/ledger/ledger.py``): what was asked for and has not ended,
the operations, what a person was told. Here is what it holds, and how an intent ends and a person is told. The rules
about it are in ``admission.py`` (what is stated), ``waiting.py`` (what is pending) and ``conclusion.py`` (what became of
operations). All of them change this object only; they read no clock and do no I/O. docs/engine.md has them in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.model.intent import Ended, Intent
from handler.model.operation import OPEN, Operation
from handler.model.outcome import Outcome
from handler.model.timing import TIMING, Timing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from handler.model.alarm import Alarm


#: Alarms that are remembered as told.
MAX_TOLD: Final = 5000


class Saying(NamedTuple):
    """What a swap decided to say: an alarm, that one is over, or that an intent settled."""

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
    #: By sender: the start of the newest occurrence that it called resolved, where a look cannot tell whether that is so.
    resolved: dict[str, float] = field(default_factory=dict)
    timing: Timing = TIMING
    #: Not stored: what this change of the record brought, by intent key; and the events whose own outcome says it.
    news: dict[str, Outcome] = field(default_factory=dict, compare=False)
    ended: list[Operation] = field(default_factory=list, compare=False)
    #: By the key of a remediation of "all": the keys of those that took its place.
    splits: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    fresh: list[Saying] = field(default_factory=list, compare=False)
    answered: frozenset[str] = field(default=frozenset(), compare=False)
    #: The events that this change states again of intents that are proving: they hear of its end where it goes on.
    restated: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False)

    def copy(self) -> ClusterRecord:
        """One to change: its values are immutable, its dicts are its own."""
        return replace(
            self,
            intents=dict(self.intents),
            operations=dict(self.operations),
            commands=dict(self.commands),
            released=dict(self.released),
            resolved=dict(self.resolved),
            outbox=dict(self.outbox),
            told=dict(self.told),
            news={},
            ended=[],
            splits={},
            fresh=[],
            answered=frozenset(),
            restated={},
        )

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    # -- ending

    def cancel(self, key: str, by: str, now: float) -> bool:
        """End what is pending because a person says so; answers whether there was anything.

        What is sent stays sent.
        """
        one = self.intents.get(key)
        if one is None or one.stage == "serving":
            return False
        outcome = Outcome.withdrawn(
            "intent.cancelled", f"cancelled by {by}", fix="Ask for it anew if it is still needed."
        )
        self.end(one, outcome, now, is_told=True)
        return True

    def release(self, process: str, now: float) -> None:
        """Let a process out of quarantine."""
        self.released[process] = now
        for key in [key for key in self.told if key.split("|")[2:3] == [process]]:
            del self.told[key]

    def end(
        self,
        intent: Intent,
        outcome: Outcome,
        now: float,
        *,
        is_told: bool = False,
        is_answer: bool = False,
        where: str = "",
        operation: str = "",
    ) -> Outcome:
        """End an intent with its outcome, which is returned.

        That of a command is remembered for its repeats.

        ``is_told``: a person is told of it, whatever its status. ``is_answer``: it is its event's own outcome.
        """
        self.intents.pop(intent.key, None)
        outcome = replace(outcome, has_own_alarm=True)  # raised here, not once more for each event
        if not is_answer:
            self.say_settled(intent, outcome, now, operation)
        if intent.is_command:
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
                intent.asked_at,
            )
        if is_told or outcome.is_alarming:
            about = intent.key if intent.is_command else intent.process
            facts = {"rules": intent.rule, "event_id": next(iter(intent.events), ""), "operation": operation}
            self.tell_outcome(outcome, about, where or intent.where, now, facts=facts)
        return outcome

    def say_settled(self, intent: Intent, outcome: Outcome, now: float, operation: str = "") -> None:
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
        self.say("settled", body, now)

    def say(self, kind: str, body: Mapping[str, Any], now: float) -> None:
        saying = Saying(f"{self.cluster}-{self.next_seq()}-{now:.0f}", kind, body, now)
        self.outbox[saying.id] = saying
        self.fresh.append(saying)

    def said(self, ids: Iterable[str]) -> None:
        """These were said."""
        for one in ids:
            self.outbox.pop(one, None)

    # -- telling a person

    def tell(self, alarm: Alarm, now: float) -> None:
        """Raise an alarm, once until :meth:`well` says that it is over."""
        if alarm.key not in self.told:
            if len(self.told) >= MAX_TOLD:  # the oldest may be told anew
                self.told = dict([*self.told.items()][MAX_TOLD // 2 :])
            self.told[alarm.key] = now
            self.say("alarm", alarm.to_json(), now)

    def well(self, code: str, about: str, text: str, now: float, *, where: str = "") -> None:
        """What was told under this key is over; ``where`` it was, unless the text says so."""
        from handler.model.alarm import Alarm

        alarm = Alarm(code, self.cluster, about, text, fix="", where=where)
        if self.told.pop(alarm.key, None) is not None:
            self.say("well", alarm.to_json(), now)

    def tell_outcome(
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
        """Add an operation as SENDING for these intents.

        Raises ValueError where a process of it is under an open one.
        """
        busy = {key for one in self.operations.values() if one.is_open for key in one.parts}
        if not busy.isdisjoint(operation.parts):
            raise ValueError("a process is under an open operation")
        self.operations[operation.id] = operation
        for key in keys:
            self.intents[key] = self.intents[key]._replace(
                stage="serving", operation=operation.id, alone=False, held_by=""
            )

    # -- the hint

    def claim(self, owner: str, now: float) -> bool:
        """Become the one who reconciles, unless another one is at it.

        A hint too far ahead is of a wrong clock.
        """
        if self.hint is not None and now < self.hint[1] <= now + 2 * self.timing.lost:
            return False
        self.hint = (owner, now + self.timing.hint)
        return True

    def stay(self, owner: str, until: float) -> None:
        """Go on reconciling until then."""
        self.hint = (owner, until)

    def leave(self, owner: str) -> None:
        """Reconcile no longer.

        It is part of the swap that finds nothing to do, so that nobody relies on one who left.
        """
        if self.hint is not None and self.hint[0] == owner:
            self.hint = None

    # -- looking back

    def open_operations(self) -> list[Operation]:
        """SENDING, ACCEPTED and IN_DOUBT, the oldest first."""
        return [one for one in self.operations.values() if one.state in OPEN]

    @property
    def has_work(self) -> bool:
        """Whether the follow-up has anything to do here."""
        return bool(self.intents or self.outbox or self.open_operations() or any(map(is_condition, self.told)))

    def forget(self, now: float, keep: float) -> None:
        """Drop what no rule asks for any more.

        ``keep``: seconds for operations, the longest cooldown or quarantine.
        """
        used = {one.operation for one in self.intents.values()}
        for one in list(self.operations.values()):
            if not one.is_open and one.id not in used and now - one.ended_at > keep:
                del self.operations[one.id]
        for key, ended in list(self.commands.items()):
            if now - ended.at > self.timing.commands:
                del self.commands[key]
        self.resolved = {sender: start for sender, start in self.resolved.items() if now - start <= 2 * 86_400.0}
        self.released = {key: at for key, at in self.released.items() if now - at <= keep}
        self.told = {
            key: at for key, at in self.told.items() if now - at <= (7 * 86_400.0 if is_condition(key) else 86_400.0)
        }


#: What later looks show to be over: alarms about one process (Target.key), about a component, about the cluster.
OF_PROCESSES: Final = frozenset(
    {
        "guard.quarantine",
        "guard.health_unknown",
        "operation.failed",
        "intent.still_down",
        "intent.waits",
        "intent.expired",
    }
)
STORM: Final = "guard.storm"
OF_CLUSTER: Final = {
    "clock.skew": "the clock agrees with the API's again",
    "look.failed": "the cluster can be looked at again",
}


def is_condition(key: str) -> bool:
    """Whether an alarm (its key) is over by itself one day.

    Somebody has to look whether it is.
    """
    code, _, about = key.split("|", 2)
    if code in OF_PROCESSES:  # about a command it is no condition, nor about "all" of a component
        return about.count("/") == 2 and not {"|", " "} & {*about}
    return code == STORM or code in OF_CLUSTER

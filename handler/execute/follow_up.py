"""The follow-up: each minute it looks at every open operation, and finishes it.

What an invocation began and could not see to its end (its time was up, it crashed, an answer was lost) ends here:
verified, failed, timed out, or, for a request in doubt, found not to have been carried out. It only looks and writes
down; it never sends to a cluster. It may run twice at once: every step names the state it found.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from handler.decide.intent_guards import clock_agrees
from handler.decide.verification import conclude
from handler.errors import ApiError, LedgerUnavailable, ObservationIncomplete
from handler.execute.in_doubt import SENDING_SECONDS, alarm_of, of_lost_worker
from handler.execute.polling import observe, services_of, verdict_of
from handler.lib.threads import side_by_side
from handler.lib.wording import duration_text, listed
from handler.model.alarm import Alarm
from handler.model.observation import read
from handler.model.operation import MAX_PROCESSES_LISTED, Operation, State
from handler.report import log

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handler.cloud.emr import Gateway
    from handler.config.config import Config
    from handler.decide.verification import Verdict
    from handler.ledger.protocol import Ledger
    from handler.lib.clock import Clock, Deadline
    from handler.model.observation import Observation
    from handler.report.log import Log

#: The ``Message`` of the timer that calls for it.
MESSAGE: Final = "steward:follow-up"
#: Seconds past its deadline for which an operation that could not be looked at is tried again: a failed look says
#: nothing of it.
LOOK_AGAIN_SECONDS: Final = 900.0
#: Seconds after which the alarm about an operation that cannot be read is raised again.
UNREADABLE_SECONDS: Final = 86_400.0
#: Seconds between two rounds that forget what is old.
TIDY_SECONDS: Final = 3600.0
#: Seconds that must be left to begin another cluster.
SECONDS_TO_LOOK: Final = 1.0


@dataclass(frozen=True)
class FollowUp:
    """All that one round works with.

    ``notify`` raises an alarm, identical ones once. It is called before what the alarm is about is settled: who dies in
    between leaves an operation that the next round ends.
    """

    config: Config
    gateway: Gateway
    ledger: Ledger
    clock: Clock
    log: Log
    notify: Callable[[Alarm], None]

    def run(self, deadline: Deadline) -> dict[str, int]:
        """One round, the oldest first, by the deadline: how many operations are now in which state.

        Raises LedgerUnavailable where the open operations cannot be read.
        """
        unreadable: list[str] = []
        operations = self.ledger.open_operations(unreadable)
        by_cluster: dict[str, list[Operation]] = {}
        for operation in operations:
            by_cluster.setdefault(operation.cluster, []).append(operation)
        for name in unreadable:
            if self._is_new(name):
                self.notify(self._cannot_be_read(name))

        def follow(item: tuple[str, list[Operation]]) -> list[State]:
            return self._follow_cluster(item[0], item[1], deadline)

        found = side_by_side(follow, list(by_cluster.items()))
        counts = Counter(state.value for states in found for state in states)
        self.log.info("steward.follow_up", open=len(operations), states=counts or None)
        self._tidy(deadline)
        return counts

    def _is_clock_confirmed(self, deadline: Deadline) -> bool:
        """Whether an answer of now agrees with our clock. Any listed cluster will do; without one nobody can tell."""
        cluster = next(iter(self.config.clusters.values()), None)
        if cluster is None or deadline.remaining() < SECONDS_TO_LOOK:
            return False
        with suppress(ApiError):  # a refusal bears a date, too
            self.gateway.cluster_status(cluster, deadline)
        skew = self.gateway.clock_skew
        return skew is not None and clock_agrees(skew) is None

    def _is_new(self, name: str) -> bool:
        return self.ledger.claim(f"unreadable|{name}", self.clock.now(), UNREADABLE_SECONDS)

    def _cannot_be_read(self, name: str) -> Alarm:
        return Alarm(
            "operation.unreadable",
            "",
            name,
            "it is open, and its record in the ledger cannot be read: its result cannot be seen, and its processes are "
            "left alone",
            fix="Correct the record in the ledger or delete it; `steward history` shows what else is known of it.",
            where=f"Operation {name}",
        )

    def _follow_cluster(self, cluster_id: str, operations: Sequence[Operation], deadline: Deadline) -> list[State]:
        seen: Observation | None = None
        cluster = self.config.clusters.get(cluster_id)
        if cluster is not None and deadline.remaining() >= SECONDS_TO_LOOK:
            services = {service for operation in operations for service in services_of(operation)}
            try:
                seen = observe(self.gateway, cluster, services, deadline, self.clock)
            except (ApiError, ObservationIncomplete) as error:
                self.log.warning("steward.follow_up.look_failed", cluster=cluster_id, problem=str(error))
            for service, why in seen.unseen.items() if seen else ():
                self.log.warning("steward.follow_up.look_failed", cluster=cluster_id, service=service, problem=str(why))
        if seen is not None and (wrong_clock := clock_agrees(self.gateway.clock_skew)):
            self.notify(Alarm(wrong_clock.code, cluster_id, "clock", wrong_clock.reason, fix=wrong_clock.fix))
            return [operation.state for operation in operations]
        states = []
        for operation in operations:
            try:
                its = seen if seen and seen.unseen.keys().isdisjoint(services_of(operation)) else None
                states.append(self._follow(operation, its, may_be_seen=cluster is not None))
            except LedgerUnavailable as error:
                self.log.error("steward.ledger.settle_failed", operation=operation.id, problem=str(error))
                states.append(operation.state)
            except Exception as error:  # this one's, be it ours or its record's; the others are finished all the same
                failure = log.outcome_of(error, self.log)
                self.notify(
                    Alarm(
                        failure.code,
                        cluster_id,
                        operation.id,
                        failure.reason,
                        fix=failure.fix,
                        where=f"Operation {operation.id}",
                    )
                )
                states.append(operation.state)
        return states

    def _follow(self, operation: Operation, seen: Observation | None, *, may_be_seen: bool) -> State:
        """Where one operation is after this look."""
        now = self.clock.now()
        if operation.state is State.SENDING:
            if now - operation.armed_at < SENDING_SECONDS:
                return State.SENDING  # its owner is at it
            lost = of_lost_worker(operation, self.ledger, now)
            if lost is None:
                return State.SENDING
            operation = lost
        state = self._follow_sent(operation, seen, may_be_seen=may_be_seen)
        if (
            operation.state is state is State.IN_DOUBT
        ):  # the worker that put it in doubt may have died before it raised the alarm
            why = operation.reason or f"its answer is not known ({operation.code})"
            self.notify(alarm_of(operation, why, f"Now: {_readings(operation, seen)}" if seen else ""))
        return state

    def _follow_sent(self, operation: Operation, seen: Observation | None, *, may_be_seen: bool) -> State:
        now = self.clock.now()
        if seen is None and may_be_seen and now < operation.deadline + LOOK_AGAIN_SECONDS:
            return operation.state  # the next round looks
        verdict = verdict_of(operation, seen.services) if seen is not None else None
        if verdict is not None:
            self._log_progress(operation, verdict)
        state, why = conclude(operation, verdict, seen, now)
        if state is operation.state:
            if verdict is not None and verdict.describe(operation.name_of) != operation.observed:
                self.ledger.settle(operation.moved(state, now, observed=verdict.describe(operation.name_of)), state)
            return state
        observed = verdict.describe(operation.name_of) if verdict is not None else ""
        if ending := _ENDS.get((operation.state, state)):
            known = self.ledger.get(operation.id)
            if known is None or known.state is not operation.state:
                return known.state if known else operation.state  # while we looked, another round was faster
            self.notify(
                Alarm(
                    f"operation.{state.lower()}",
                    operation.cluster,
                    operation.id,
                    f"{ending.text.format(operation=operation.op_type.in_words)}. {_sentence(why)}. "
                    f"Now, after {duration_text(now - operation.armed_at)}: {_readings(operation, seen)}; "
                    f"before: {operation.before_in_words()}. It was {operation.in_words()}",
                    fix=ending.fix,
                    where=operation.where(),
                    facts={"operation": operation.id, "api_request_id": operation.request_id},
                    occasion=operation.id,
                )
            )
        if not self.ledger.settle(operation.moved(state, now, reason=why, observed=observed), operation.state):
            return operation.state  # another round was faster
        self._log_end(operation, state, why, observed)
        return state

    def _log_progress(self, operation: Operation, verdict: Verdict) -> None:
        self.log.info(
            "steward.progress",
            operation=operation.id,
            cluster=operation.cluster,
            op_type=operation.op_type.value,
            verified=len(verdict.kept),
            of=verdict.total,
            batches=operation.batches,
            seen=verdict.describe(operation.name_of),
        )

    def _log_end(self, operation: Operation, state: State, why: str, observed: str) -> None:
        self.log.info(
            "steward.operation",
            operation=operation.id,
            cluster=operation.cluster,
            op_type=operation.op_type.value,
            was=operation.state.value,
            state=state.value,
            reason=why,
            seen=observed,
            api_request_id=operation.request_id,
            events=",".join(operation.events[:20]),
        )

    def _tidy(self, deadline: Deadline) -> None:
        """Forget old records, once an hour, and only after the API has confirmed our clock in this round."""
        try:
            if not self.ledger.claim("tidy", self.clock.now(), TIDY_SECONDS) or not self._is_clock_confirmed(deadline):
                return
            forgotten = self.ledger.expire(self.clock.now(), self.config.safety.keep_records)
        except LedgerUnavailable as error:
            self.log.error("steward.ledger.expire_failed", problem=str(error))
            return
        if forgotten:
            self.log.info("steward.ledger.expired", records=forgotten)


class _Ending(NamedTuple):
    """What an alarm reports about an operation that ends, and what a person should do."""

    text: str
    fix: str


_LOOK_AT_PROCESS: Final = (
    "Look at the process and its log in the EMR console. Only a new alert or command acts on it again."
)
_LOOK_WHETHER_IT_RAN: Final = "Look in the EMR console whether it ran. Only a new alert or command acts on it again."
#: By the state that an operation was in, and the state that it ends in.
_ENDS: Final = {
    (State.ACCEPTED, State.FAILED): _Ending("{operation} did not help", _LOOK_AT_PROCESS),
    (State.ACCEPTED, State.TIMED_OUT): _Ending("{operation} had no visible effect", _LOOK_WHETHER_IT_RAN),
    (State.IN_DOUBT, State.FAILED): _Ending("{operation} was in doubt, and did not help", _LOOK_AT_PROCESS),
    (State.IN_DOUBT, State.TIMED_OUT): _Ending(
        "{operation} is in doubt, and it could not be settled whether it was carried out", _LOOK_WHETHER_IT_RAN
    ),
    (State.IN_DOUBT, State.NOT_SENT): _Ending(
        "{operation} was in doubt, and it turned out that it was not carried out",
        "Do it by hand if it is still needed: Steward does it only if the event is sent again.",
    ),
}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _readings(operation: Operation, seen: Observation | None) -> str:
    """What its processes are seen to be."""
    if seen is None:
        return "not seen"
    now = read(seen.services, operation.before)
    return listed(
        [
            f"{operation.name_of(key)} {now[key].describe() if key in now else 'is not listed'}"
            for key in operation.before
        ],
        MAX_PROCESSES_LISTED,
    )

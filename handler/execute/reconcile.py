"""Reconciling one cluster: load, look, decide, swap, send, settle, and again.

It goes on until nothing pending can be served.

The invocation that brought an intent runs it, and so does the follow-up. Whoever is at it drains what others write down
meanwhile. A swap that is lost has sent nothing: it is decided again. docs/engine.md has the rules.
"""

from __future__ import annotations

import os
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from handler.errors import ApiError, ObservationIncomplete
from handler.execute.decision import decide, needs_status, services_to_see
from handler.execute.looking import is_old, moves_of, observe, shows, why_not
from handler.execute.policy import Policy
from handler.execute.sending import send
from handler.ledger.ledger import wait_a_little
from handler.model.intent import COMMAND_LIMITS
from handler.model.outcome import Outcome
from handler.report.history import log_operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handler.execute.context import Run
    from handler.execute.decision import Decision
    from handler.ledger.cluster_record import ClusterRecord
    from handler.model.intent import Intent, Limits
    from handler.model.observation import Observation
    from handler.model.operation import Operation

#: Seconds between looks at an operation: short at first, since most are quick, then patient.
POLLS: Final = (0.5, 1.0, 2.0, 3.0, 5.0)
#: Seconds that must be left for a look; and to arm, call and settle.
SECONDS_TO_LOOK: Final = 0.3
SECONDS_TO_ACT: Final = 1.0
#: What was certainly not carried out is tried again by the same invocation where its pause is no longer than that.
MAX_PAUSE: Final = 5.0
#: The rule of direct requests.
REQUEST_RULE: Final = "request"


def reconcile(run: Run) -> ClusterRecord:
    """Write down what is stated, and serve what is pending in one cluster.

    It goes on until nothing can be served, or time is short.

    Returns the record. Raises LedgerUnavailable.
    """
    return _Reconciler(run).run()


class _Reconciler:
    def __init__(self, run: Run) -> None:
        self._run = run
        self._limits = {rule.name: rule for rule in run.config.rules}
        cooldowns = [limits.cooldown for rule in run.config.rules for limits in (rule.limits, rule.command_limits)]
        self._keep = max(run.config.safety.quarantine.within, 3600.0, *cooldowns)
        self._seen: Observation | None = None
        self._failure: Outcome | None = None
        #: The operations as they were when the look began: where one moved since, the look is no longer used.
        self._moves: object = None
        self._polls: Iterator[float] = chain(POLLS, repeat(POLLS[-1]))
        self._sent: set[str] = set()

    def run(self) -> ClusterRecord:
        run, lost = self._run, 0
        while True:
            loaded = run.ledger.load(run.cluster_id)
            record = loaded.record.copy()
            record.answered = run.own_events
            if not run.is_written and run.admit is not None and not run.admit(record):
                # Nothing to serve, or another worker is at it.
                decision, wait = None, None
            else:
                self._look(record)
                policy = self._policy(run.clock.now())
                decision = decide(record, self._seen, self._failure, policy)
                wait = None if decision.operation else self._wait(record)
                self._set_hint(record, decision, wait)
                if decision.operation and self._is_old(record):
                    continue  # held up since the look: what it saw is no longer so
            if record != loaded.record and not run.ledger.swap(loaded, record):
                lost += 1
                wait_a_little(lost)
                continue
            run.is_written = True
            self._collect(loaded.record, record, decision)
            if decision is not None and decision.operation is not None:
                settled = self._send(record, decision)
                wait = self._wait(settled)
                record = settled
            elif wait is None:
                return record
            if wait is not None:
                run.clock.sleep(wait)
            self._seen = None

    def _set_hint(self, record: ClusterRecord, decision: Decision, wait: float | None) -> None:
        """Say to the others that somebody is at it; in the swap that finds nothing to do, that nobody is."""
        run = self._run
        if decision.operation is not None:
            seconds = min(record.timing.lost, max(0.0, run.deadline.remaining()))
            record.stay(run.owner, run.clock.now() + seconds)
        elif wait is None:
            record.leave(run.owner)

    def _send(self, record: ClusterRecord, decision: Decision) -> ClusterRecord:
        """Send what is armed; the record with the answer, or as it was where the answer could not be written."""
        run, operation, request = self._run, decision.operation, decision.request
        assert operation is not None and request is not None  # noqa: S101, PT018 - armed together
        self._sent.add(operation.id)
        latest = record.timing.latest_send
        settled = send(run, operation, request, run.deadline.sooner(latest, until=operation.armed_at + latest))
        if settled is None:
            return record
        self._collect(record, settled, None)
        return settled

    def _policy(self, now: float) -> Policy:
        run = self._run
        return Policy(
            run.cluster,
            run.config.safety,
            self._limits_of,
            now,
            run.owner,
            f"op-{os.urandom(8).hex()}",
            run.mode,
            may_arm=run.deadline.remaining() >= SECONDS_TO_ACT,
            clock_skew=run.gateway.clock_skew,
            keep=self._keep,
        )

    def _limits_of(self, intent: Intent) -> Limits | None:
        rule = self._limits.get(intent.rule)
        if rule is None:
            return COMMAND_LIMITS if intent.is_command and intent.rule == REQUEST_RULE else None
        return rule.command_limits if intent.is_command else rule.limits

    def _look(self, record: ClusterRecord) -> None:
        """Look at what the record needs, unless the last look still shows it."""
        run = self._run
        policy = self._policy(run.clock.now())
        services, with_status = services_to_see(record, policy), needs_status(record, policy)
        moves, seen = moves_of(record), self._seen
        is_same = moves == self._moves and seen is not None and not self._is_old(record)
        if is_same and seen is not None and shows(seen, services, with_status=with_status):
            return
        self._seen, self._failure, self._moves = None, None, moves
        if not (services or with_status) or run.cluster is None:
            return
        if run.deadline.remaining() < SECONDS_TO_LOOK:
            self._failure = Outcome.pending("time.short", "too little time is left to look; the follow-up does it")
            return
        try:
            self._seen = observe(
                run.gateway, run.cluster, services, run.deadline, run.clock, hide=run.log.hide, with_status=with_status
            )
        except (ApiError, ObservationIncomplete) as error:
            run.log.warning("steward.look_failed", cluster=run.cluster_id, problem=str(error))
            self._failure = why_not(error, run.log.hide)
            return
        for service, why in self._seen.unseen.items():
            run.log.warning("steward.look_failed", cluster=run.cluster_id, service=service, problem=why)

    def _is_old(self, record: ClusterRecord) -> bool:
        """Whether what was seen may no longer be so."""
        return self._seen is not None and is_old(self._seen, record.timing, self._run.clock.now())

    def _wait(self, record: ClusterRecord) -> float | None:
        """Seconds until the next lap; None where nothing is to be waited for, or no time is left."""
        run, now = self._run, self._run.clock.now()
        waits = [
            one.not_before - now
            for one in record.intents.values()
            if one.stage == "pending" and now < one.not_before <= now + MAX_PAUSE
        ]
        if any(one.id in self._sent and one.is_open for one in record.operations.values()):
            waits.append(next(self._polls))
        wait = min(waits, default=None)
        return wait if wait is not None and run.deadline.remaining() >= wait + SECONDS_TO_ACT else None

    def _collect(self, before: ClusterRecord, record: ClusterRecord, decision: Decision | None) -> None:
        """Note what a swap decided: outcomes, what is to be said, and how operations moved."""
        run, now = self._run, self._run.clock.now()
        if decision is not None:
            for key in [
                key for key in run.outcomes if run.outcomes[key].status == "pending" and key not in decision.held
            ]:
                del run.outcomes[key]
            if run.log.is_debug:
                self._log_held(record, decision)
            # What is final for an event stays so, even if its intent is pending anew.
            run.outcomes.update(
                (key, held)
                for key, held in decision.held.items()
                if key not in run.outcomes or run.outcomes[key].is_open
            )
        run.outcomes.update(record.news)
        run.splits.update(record.splits)
        for intent in record.intents.values():
            if intent.operation:
                run.operations[intent.key] = intent.operation
        # What another worker decided is its to say, unless it is silent for long.
        silent = [one for one in record.outbox.values() if now - one.at > record.timing.lost]
        run.sayings.update((one.id, one) for one in (*silent, *record.fresh))
        for operation in record.operations.values():
            was = before.operations.get(operation.id)
            if was is not None and was != operation and operation.is_open:
                self._log_progress(operation)
        for operation in record.ended:
            run.operations_ended.append(operation)
            run.lines.append(log_operation(run.log, operation))

    def _log_held(self, record: ClusterRecord, decision: Decision) -> None:
        """Why intents are still pending, where that is new in this invocation: their outcomes may be of another one."""
        run = self._run
        for key, outcome in decision.held.items():
            known, intent = run.outcomes.get(key), record.intents.get(key)
            if intent is not None and (known is None or known.code != outcome.code):
                run.log.debug(
                    "steward.held",
                    cluster=run.cluster_id,
                    intent=key,
                    op_type=intent.action.op_type.value,
                    scope=str(intent.scope),
                    code=outcome.code,
                    reason=outcome.reason,
                )

    def _log_progress(self, operation: Operation) -> None:
        self._run.log.info(
            "steward.verification",
            operation=operation.id,
            cluster=operation.cluster,
            op_type=operation.op_type.value,
            state=operation.state.value,
            of=len(operation.parts),
            batches=operation.batches,
            seen=operation.seen(),
        )

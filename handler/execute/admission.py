"""Admission: which of a cluster's cases nobody has acted on yet, by the ledger."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from handler.decide import budgets, intent_guards
from handler.decide.case import UNNAMED_SECONDS
from handler.errors import LedgerUnavailable
from handler.execute.in_doubt import SENDING_SECONDS, alarm_of, of_lost_worker
from handler.model.operation import State
from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from handler.decide.case import Case
    from handler.execute.context import Run
    from handler.model.history import Past
    from handler.model.operation import Operation


def enter(run: Run, cases: Sequence[Case], *, is_counted: bool = False) -> list[Case]:
    """The cases that nobody has acted on yet; each of the others gets its outcome.

    ``is_counted``: the breaker has already counted them.
    """
    breaker = run.config.safety.breaker
    _know_retries(run, cases)
    incidents = {case.incident: case.origin for case in cases}
    entry = run.ledger.enter(run.cluster.id, incidents, run.clock.now(), breaker, is_counted=is_counted)
    stormy = budgets.breaker_closed(entry, breaker)
    if stormy is not None:  # the invocation that opened it may have died before it raised the alarm
        run.alarm(stormy, "breaker", occasion=repr(entry.breaker_opened_at))
    pasts = _without_the_lost(run, entry.incidents)
    asked: dict[str, str] = {}
    for case in cases:
        past = pasts.get(case.incident)
        if case.incident in entry.ended:
            case.outcome = Outcome.skipped(
                "guard.ended", "the sender has reported this occurrence as resolved", guard="ended"
            )
        elif asked.setdefault(case.incident, digest := case.digest) != digest:
            case.outcome = Outcome.refused(
                "once.conflict",
                "the same occurrence asks for something else earlier in this payload",
                fix=intent_guards.CONFLICT_FIX,
                guard="once",
            )
        else:
            case.outcome = intent_guards.not_seen_before(digest, past) or stormy
        if past is not None and case.outcome is not None:
            case.operation = past.operation
        elif past is not None and past.parts_since:
            # Whoever armed the first part may have a clock that is ahead of ours: what we arm would seem to come before
            # it.
            case.intent = case.intent._replace(parts_since=min(past.parts_since, run.clock.now()))
    return [case for case in cases if case.outcome is None]


def _know_retries(run: Run, cases: Sequence[Case]) -> None:
    """A call without a name that came before, shortly before the turn of its period, keeps the incident of the first."""
    origins = {case.earlier_incident: case.origin for case in cases if case.earlier_period}
    if not origins:
        return
    now = run.clock.now()
    entry = run.ledger.enter(run.cluster.id, origins, now, run.config.safety.breaker, is_counted=True)
    for case in cases:
        past = entry.incidents.get(case.earlier_incident)
        if past is not None and now - past.at < UNNAMED_SECONDS:
            case.incident = case.earlier_incident


def _without_the_lost(run: Run, pasts: Mapping[str, Past]) -> Mapping[str, Past]:
    """The pasts of incidents; what has been SENDING for longer than a worker lives is in doubt from now on, and a redelivery says so."""
    now = run.clock.now()
    silent = {
        past.operation for past in pasts.values() if past.state is State.SENDING and now - past.at >= SENDING_SECONDS
    }
    in_doubt: dict[str, Operation] = {}
    for name in silent:
        operation = None
        # The follow-up reports a record that cannot be read; the next step finds out that the ledger is unavailable.
        with suppress(LedgerUnavailable):
            operation = run.ledger.get(name)
        lost = operation and of_lost_worker(operation, run.ledger, now)
        if lost:
            in_doubt[name] = lost
            run.alarms.append(alarm_of(lost, lost.reason, ""))
    if not in_doubt:
        return pasts
    return {
        key: past._replace(state=State.IN_DOUBT, settled_at=now) if past.operation in in_doubt else past
        for key, past in pasts.items()
    }

"""One cluster's part of a payload: enter, plan, and for each plan decide, arm, send.

What is decided is decided on a past (the ledger's version) and a look at the cluster that came after it; arming
compares the version, so a decision that others overtook is taken anew, never acted upon.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from handler.decide.planning import plan
from handler.errors import LedgerUnavailable
from handler.execute.admission import enter
from handler.execute.case import hold
from handler.execute.decision import decide
from handler.execute.sending import carry_out
from handler.model.outcome import Outcome
from handler.report import own_faults
from handler.report.alarms import Alarm

if TYPE_CHECKING:
    from handler.decide.planning import Plan
    from handler.execute.case import Case
    from handler.execute.context import Run

#: Others may change a cluster's past while we decide; then we decide again, at most this often.
MOST_DECISIONS: Final = 20


def serve(run: Run, cases: list[Case]) -> list[Alarm]:
    """Give every case its outcome; the alarms to be said. A failure here touches no other cluster."""
    try:
        by_intent = {id(case.intent): case for case in enter(run, cases)}
        for the_plan in plan(case.intent for case in by_intent.values()):
            _serve_plan(run, the_plan, [by_intent[id(intent)] for intent in the_plan.intents])
    except LedgerUnavailable as error:
        _ledger_unavailable(run, cases, error)
    except Exception as error:
        # What was sent, here or elsewhere, is what it is: only what has no outcome yet is the fault's.
        hold(cases, own_faults.outcome_of(error, run.log))
    return run.alarms


def _serve_plan(run: Run, the_plan: Plan, cases: list[Case]) -> None:
    run.log.info(
        "steward.plan",
        cluster=run.cluster.id,
        op_type=the_plan.manner.op_type.value,
        scope=str(the_plan.scope),
        intents=len(cases),
    )
    for _ in range(MOST_DECISIONS):
        decided = decide(run, the_plan, cases)
        if decided is None:
            return
        operation, request, version, send_by = decided
        if run.ledger.arm(operation, version):
            served = [case for case in cases if case.outcome is None]
            for case in served:
                case.operation = operation.id
            hold(served, carry_out(run, operation, request, send_by))
            return
        run.log.debug("steward.ledger.conflict", cluster=run.cluster.id, version=version)
        for case in cases:
            case.outcome = case.held_in_part = None
            case.has_more = False
        # Whoever was faster may have served the very same: then there is nothing to decide.
        cases = enter(run, cases, is_counted=True)
        if not cases:
            return
        the_plan = replace(the_plan, intents=tuple(case.intent for case in cases))
    hold(cases, Outcome.deferred("once.contended", "others kept changing what was decided upon", retry=True))


def _ledger_unavailable(run: Run, cases: list[Case], error: LedgerUnavailable) -> None:
    outcome = Outcome.failed(
        "ledger.unavailable", f"nothing was sent, since the ledger cannot be used: {error}", retry=True
    )
    hold(cases, outcome)
    # The same one for all clusters: there is one ledger.
    run.alarms.append(Alarm(outcome.code, "", "ledger", outcome.reason))

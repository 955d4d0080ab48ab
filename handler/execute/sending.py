"""Sending what is armed: one worker comes here with an operation, and sends it once.

What certainly was not carried out is pending again; anything else is written down and looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.errors import (
    ApiError,
    ClusterBusy,
    LedgerUnavailable,
    NeverSent,
    NotAuthenticated,
    NotAuthorized,
    NotCarriedOut,
    OutOfResources,
    Throttled,
)
from handler.ledger import conclusion
from handler.model.alarm import Alarm
from handler.model.operation import State
from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from handler.execute.context import Run
    from handler.ledger.cluster_record import ClusterRecord
    from handler.lib.clock import Deadline
    from handler.model.operation import Operation
    from handler.model.request import Request

#: For causes that a person can remove: one alarm, until an operation is accepted again.
_REMOVABLE: Final = (NotAuthenticated, NotAuthorized, OutOfResources)
#: Certainly not carried out, for a cause that can pass or be removed: it may be armed again.
_MAY_PASS: Final = (NeverSent, Throttled, ClusterBusy, *_REMOVABLE)


def send(run: Run, operation: Operation, request: Request, send_by: Deadline) -> ClusterRecord | None:
    """Send the request by ``send_by``, and write down the answer; returns the record with it.

    None where it could not be written: the record says SENDING, and others will put it in doubt.
    """
    run.log.info(
        "steward.request",
        operation=operation.id,
        cluster=operation.cluster,
        op_type=operation.op_type.value,
        scope=str(request.scope),
        processes=len(operation.parts),
        rules=",".join(operation.rules),
        request=request.to_wire(),
    )
    answer = _sent(run, request, send_by)
    error = answer if isinstance(answer, ApiError) else None
    state = State.ACCEPTED if error is None else _state_after(error)
    code, request_id = (error.code, error.request_id) if error else ("", str(answer))
    run.log.info("steward.answer", operation=operation.id, state=state.value, api_request_id=request_id, api_code=code)
    problem = "" if error is None else f"no clear answer came ({error})" if state is State.IN_DOUBT else str(error)

    def settle(record: ClusterRecord) -> bool:
        now = run.clock.now()
        record.answered = run.own_events
        settled = conclusion.settle(
            record, operation.id, run.owner, state, now, code=code, request_id=request_id, problem=run.log.hide(problem)
        )
        if isinstance(error, _REMOVABLE):
            refusal = Outcome.refused_by_api(error.code, f"the API refused: {error}")
            reason = run.log.hide(refusal.reason)
            record.tell(Alarm(refusal.code, record.cluster, error.code, reason, fix=refusal.fix), now)
        elif state is State.ACCEPTED:
            for code_, _, about in [key.split("|", 2) for key in record.told if key.startswith("api.")]:
                record.well(code_, about, "the API accepts operations again", now)
        return settled is not None

    try:
        is_ours, record = run.ledger.change(operation.cluster, settle, patient=True)
    except LedgerUnavailable as unavailable:
        run.log.error("steward.ledger.settle_failed", operation=operation.id, problem=str(unavailable))
        is_ours, record = False, None
    if not is_ours:
        run.alarms.append(
            Alarm(
                "ledger.settle_failed",
                operation.cluster,
                operation.id,
                f"{operation.op_type.in_words} was sent, but the API's answer could not be written to the ledger",
                fix="Check the ledger (`steward doctor`). The follow-up looks at the processes and ends the operation.",
                where=operation.where(),
            )
        )
    return record


def _sent(run: Run, request: Request, send_by: Deadline) -> str | ApiError:
    """The RequestId, or the error."""
    if run.cluster is None or send_by.remaining() <= 0:
        return NeverSent("steward.late", "this worker was delayed, and counts as lost by now")
    try:
        return run.gateway.start_stop(run.cluster, request, send_by)
    except ApiError as error:
        return error


def _state_after(error: ApiError) -> State:
    if isinstance(error, _MAY_PASS):
        return State.NOT_SENT
    return State.REJECTED if isinstance(error, NotCarriedOut) else State.IN_DOUBT

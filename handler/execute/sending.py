"""Sending what is armed: exactly one worker comes here with an operation.

What certainly was not carried out may be sent again, within the deadline and a budget that all instances share;
anything else is written down and looked at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

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
from handler.execute.in_doubt import FIX, alarm_of
from handler.execute.polling import verify
from handler.lib.wording import utc_text
from handler.model.alarm import Alarm
from handler.model.operation import Operation, State
from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from handler.execute.context import Run
    from handler.lib.clock import Deadline
    from handler.model.request import Request

#: Seconds that must be left to arm, call and settle; with less, nothing is begun.
SECONDS_TO_ACT: Final = 1.0
#: The API takes 20 requests a second of this action (documented); all instances share one bucket.
REQUESTS_A_SECOND: Final = 20.0
#: Seconds after arming beyond which nothing is sent: well before a redelivery or the follow-up takes a silent worker
#: for lost.
LATEST_SEND: Final = 30.0
#: How often a request is sent at most, and how many retries all instances share.
MAX_SENDS: Final = 4
RETRIES_A_SECOND: Final = 0.5
RETRIES_AT_ONCE: Final = 10.0


def send(run: Run, operation: Operation, request: Request, send_by: Deadline) -> Outcome:
    """Send the request by ``send_by``, record the answer, and verify until the deadline."""
    run.log.info(
        "steward.request",
        operation=operation.id,
        cluster=operation.cluster,
        op_type=operation.op_type.value,
        scope=str(request.scope),
        processes=len(operation.before),
        events=len(operation.events),
        request=operation.request,
    )
    attempts, answer = _send_until_taken(run, request, send_by)
    if isinstance(answer, ApiError):
        state, request_id, code = _state_after(answer), answer.request_id, answer.code
    else:
        state, request_id, code = State.ACCEPTED, answer, ""
    run.log.info(
        "steward.answer",
        operation=operation.id,
        state=state.value,
        api_request_id=request_id,
        api_code=code,
        attempts=attempts,
    )
    operation = operation.moved(state, run.clock.now(), code=code, request_id=request_id, attempts=attempts)
    _settle(run, operation)
    facts: dict[str, Any] = {
        "op_type": operation.op_type.value,
        "scope": str(request.scope)[:500],
        "processes": len(operation.before),
        "api_request_id": request_id,
        "api_code": code,
        "attempts": attempts,
    }
    if isinstance(answer, NotCarriedOut):
        return _not_carried_out(run, answer, facts)
    return _verified(run, operation, answer if isinstance(answer, ApiError) else None, facts)


def _send_until_taken(run: Run, request: Request, send_by: Deadline) -> tuple[int, str | ApiError]:
    """Send, and send again only what certainly was not carried out: how often, and the RequestId or the error."""
    attempts = 0
    while True:
        try:
            wait = run.ledger.take(
                "api|StartStopServiceOrMonitor",
                run.clock.now(),
                rate=REQUESTS_A_SECOND,
                burst=REQUESTS_A_SECOND,
                most_wait=max(0.0, send_by.remaining() - SECONDS_TO_ACT),
            )
        except LedgerUnavailable as error:
            return attempts, NeverSent("LedgerUnavailable", f"recorded, but not sent: {error}")
        if wait is None:
            return attempts, Throttled("steward.rate", "our own rate limit leaves no room before the deadline")
        run.clock.sleep(wait)
        if send_by.remaining() <= 0:
            return attempts, NeverSent("steward.late", "this worker was delayed, and counts as lost by now")
        attempts += 1
        try:
            return attempts, run.gateway.start_stop(run.cluster, request, send_by)
        except (NeverSent, Throttled) as error:
            if attempts >= MAX_SENDS or not _may_retry(run, attempts, send_by):
                return attempts, error
            run.log.info("steward.retry", attempt=attempts, api_code=error.code, problem=error.message)
        except ApiError as error:
            return attempts, error


def _may_retry(run: Run, attempts: int, send_by: Deadline) -> bool:
    """Sleep before the next try, with full jitter; False where no time or no shared budget is left."""
    import random

    pause = random.uniform(0, min(4.0, 0.25 * 2**attempts))  # noqa: S311 - jitter, not a secret
    if send_by.remaining() - pause < SECONDS_TO_ACT:
        return False
    try:
        taken = run.ledger.take("retries", run.clock.now(), rate=RETRIES_A_SECOND, burst=RETRIES_AT_ONCE, most_wait=0.0)
    except LedgerUnavailable:
        return False
    if taken is None:
        return False
    run.clock.sleep(pause)
    return True


def _settle(run: Run, operation: Operation) -> None:
    """Record what became of the request. Where that fails, the record stays SENDING, and the follow-up observes it."""
    try:
        kept = run.ledger.settle(operation, State.SENDING)
    except LedgerUnavailable as error:
        kept = False
        run.log.error("steward.ledger.settle_failed", operation=operation.id, problem=str(error))
    if not kept:
        run.alarms.append(
            Alarm(
                "ledger.settle_failed",
                operation.cluster,
                operation.id,
                f"{operation.op_type.in_words} was sent, but the API's answer could not be written to the ledger",
                fix="Check the ledger (`steward doctor`). The follow-up looks at the processes and settles the operation.",
                where=operation.where(),
            )
        )


def _verified(run: Run, operation: Operation, unknown: ApiError | None, facts: dict[str, Any]) -> Outcome:
    verdict = verify(run, operation)
    seen = verdict.describe(operation.name_of) if verdict else "not looked at yet"
    if verdict is not None and verdict.all_kept:
        return Outcome.done(f"{operation.op_type} verified on {_processes(verdict.total)}", verified=seen, **facts)
    if unknown is not None:
        run.alarms.append(
            alarm_of(
                operation,
                f"its answer is not known ({unknown})",
                verdict.describe(operation.name_of) if verdict else "",
            )
        )
        return Outcome.in_doubt(
            "operation.in_doubt",
            f"{operation.op_type} was sent at {utc_text(operation.armed_at)}, its answer is not known ({unknown}); "
            f"{seen}; it is being observed and not sent again",
            fix=FIX,
            has_own_alarm=True,
            verified=seen,
            **facts,
        )
    return Outcome.unverified(f"{operation.op_type} accepted by the API; {seen}", verified=seen, **facts)


#: Certainly not carried out, for a cause that can pass or be removed: the same occurrence may be armed again.
_MAY_PASS: Final = (NeverSent, Throttled, ClusterBusy, NotAuthenticated, NotAuthorized, OutOfResources)


def _state_after(error: ApiError) -> State:
    if isinstance(error, _MAY_PASS):
        return State.NOT_SENT
    return State.REJECTED if isinstance(error, NotCarriedOut) else State.IN_DOUBT


def _not_carried_out(run: Run, error: NotCarriedOut, facts: dict[str, Any]) -> Outcome:
    if isinstance(error, ClusterBusy):
        return Outcome.deferred("api.busy", f"the cluster is busy: {error}", retryable=True, **facts)
    if isinstance(error, (NeverSent, Throttled)):
        return Outcome.deferred(f"api.{error.code}", f"certainly not carried out: {error}", retryable=True, **facts)
    outcome = Outcome.refused_by_api(error.code, f"the API refused: {error}", **facts)
    if not isinstance(error, _MAY_PASS):
        return outcome
    # A person can remove the cause. Until then each repeat is refused: one alarm for a cluster and code, not each time.
    run.alarm(outcome, error.code)
    return replace(outcome, has_own_alarm=True)


def _processes(count: int) -> str:
    return "1 process" if count == 1 else f"{count} processes"

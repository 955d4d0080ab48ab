"""Operations whose result is unknown: how they come to be IN_DOUBT, and the one alarm that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.cloud.client import CALL_SECONDS
from handler.model.alarm import Alarm
from handler.model.operation import State

if TYPE_CHECKING:
    from handler.ledger.protocol import Ledger
    from handler.model.operation import Operation

#: A worker that has not settled by then is dead: no call takes longer than CALL_SECONDS, tries and pauses included.
SENDING_SECONDS: Final = 6 * CALL_SECONDS


def of_lost_worker(operation: Operation, ledger: Ledger, now: float) -> Operation | None:
    """The operation, now in doubt, whose worker has been SENDING for longer than one lives; None where somebody else was faster.

    It died, or could not write: whether the request was sent, nobody knows. Raises LedgerUnavailable.
    """
    lost = operation.moved(State.IN_DOUBT, now, code="worker_lost", reason="its worker never said what became of it")
    return lost if ledger.settle(lost, State.SENDING) else None


def alarm_of(operation: Operation, why: str, seen: str) -> Alarm:
    """What a person is told when an operation comes to be in doubt; ``seen``: what a look showed since, where there was one."""
    return Alarm(
        "operation.in_doubt",
        operation.cluster,
        operation.id,
        f"{operation.in_words()}: {why}. {seen or 'Not looked at yet'}; before: {operation.before_in_words()}. "
        "It is being observed and not sent again",
        facts={
            "outcome": "in_doubt",
            "operation": operation.id,
            "api_request_id": operation.request_id,
            "api_code": operation.code,
        },
        occasion=operation.id,
    )

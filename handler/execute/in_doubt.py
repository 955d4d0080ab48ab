"""Operations whose result is unknown: how they become IN_DOUBT, and their alarm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.cloud.client import CALL_SECONDS
from handler.model.alarm import Alarm
from handler.model.operation import State

if TYPE_CHECKING:
    from handler.ledger.protocol import Ledger
    from handler.model.operation import Operation

#: What a person should do about an operation in doubt.
FIX: Final = (
    "Look in the EMR console whether it ran before you do it by hand. "
    "Steward keeps looking at the processes and never sends it again."
)
#: A worker that has not settled by then is dead: no call takes longer than CALL_SECONDS, tries and pauses included.
SENDING_SECONDS: Final = 6 * CALL_SECONDS


def of_lost_worker(operation: Operation, ledger: Ledger, now: float) -> Operation | None:
    """Put an operation in doubt whose worker has been SENDING for longer than a worker lives.

    The worker died, or could not write: nobody knows whether the request was sent. Returns None where another
    invocation was faster. Raises LedgerUnavailable.
    """
    lost = operation.moved(
        State.IN_DOUBT, now, code="worker_lost", reason="its worker stopped before it recorded the result"
    )
    return lost if ledger.settle(lost, State.SENDING) else None


def alarm_of(operation: Operation, why: str, seen: str) -> Alarm:
    """The alarm for an operation in doubt.

    ``seen`` is what a look has shown since; it is empty where nobody has looked.
    """
    return Alarm(
        "operation.in_doubt",
        operation.cluster,
        operation.id,
        f"it is not known whether {operation.op_type.in_words} was carried out: {why}. {seen or 'Not looked at yet'}; "
        f"before: {operation.before_in_words()}. It was {operation.in_words()}",
        fix=FIX,
        where=operation.where(),
        facts={
            "outcome": "in_doubt",
            "operation": operation.id,
            "api_request_id": operation.request_id,
            "api_code": operation.code,
        },
        occasion=operation.id,
    )

"""Grants: what a caller may send over HTTP, and what it may ask for directly; pure.

A grant is checked on the event as it was read, never on the payload's text: what is checked is what would be done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handler.lib.wording import listed
from handler.model.alarm import Alarm
from handler.model.event import UNKNOWN_SOURCE, Unreadable
from handler.model.outcome import Outcome
from handler.model.scope import All

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.model.event import Event
    from handler.model.policy import Caller, Grant

#: The code of every outcome, and of the alarm, about what a caller may not do.
CODE: Final = "guard.grant"
_FIX: Final = (
    "If the caller should do this, add it to its entry under `webhook.callers` in steward.yml. "
    "Otherwise find out who has its secret, and change the secret."
)


def granted(event: Event | Unreadable, caller: Caller) -> Outcome | None:
    """None where ``caller`` may send this event; else the refusal.

    It names the missing grant. What cannot be recognised as any sender's is not refused here: nothing would be done for it.
    """
    missing = _missing(event, caller.grant)
    return refusal(missing) if missing else None


def refusal(missing: str) -> Outcome:
    """The refusal of what is beyond a caller's grant, for want of ``missing``."""
    return Outcome.refused(
        CODE,
        f"not granted to this caller: {missing}",
        fix=_FIX,
        http_status=403,
        has_own_alarm=True,  # one of the caller's, however much it sends
        guard="grant",
    )


def _missing(event: Event | Unreadable, grant: Grant) -> str:
    """The first part of the grant that is missing, by its key in steward.yml; empty if there is none."""
    if event.source not in grant.sources:
        is_unknown = isinstance(event, Unreadable) and event.source == UNKNOWN_SOURCE
        return "" if is_unknown else f"sources: {event.source}"
    if isinstance(event, Unreadable) or (request := event.request) is None:
        return ""
    if request.op_type not in grant.operations:
        return f"operations: {request.op_type}"
    if not (isinstance(grant.clusters, All) or request.instance_id in grant.clusters):
        return f"clusters: {request.instance_id}"
    if isinstance(grant.services, All):
        return ""
    others = [service for service in request.scope.services if service not in grant.services]
    return f"services: {listed(others, 4)}" if others else ""


def refusals(outcomes: Iterable[Outcome | None]) -> list[Outcome]:
    """Those of the outcomes that a missing grant is the reason of."""
    return [outcome for outcome in outcomes if outcome is not None and outcome.code == CODE]


def alarm(caller: Caller, refused: Outcome, count: int = 1) -> Alarm:
    """The alarm that a caller went beyond its grant: one for each caller."""
    return Alarm(
        CODE,
        "",
        caller.name,
        f"{refused.reason.replace('this caller', caller.name)}; it was refused",
        fix=refused.fix,
        where=f"The caller {caller.name}",
        count=count,
    )

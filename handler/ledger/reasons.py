"""The words of the cluster record: why something ended, and what a person is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handler.lib.wording import duration_text, listed, utc_text
from handler.model.alarm import Alarm
from handler.model.operation import MAX_PROCESSES_LISTED, Operation, State, Verdict
from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.model.intent import Intent, Stated

WORKER_LOST: Final = "its worker stopped before it recorded the result"
IN_DOUBT_FIX: Final = (
    "Look in the EMR console whether it ran before you do it by hand. "
    "Steward keeps looking at the processes and never sends this request again."
)
LOOK_AT_PROCESS: Final = "Look at the process and its log in the EMR console."
UNSEEN: Final = "nobody could see by its deadline what became of it"
BY_HAND: Final = "Do it by hand if it is still needed, or ask for it anew."


def ambiguous() -> Outcome:
    """A command without an id that may be a retry, and may be new."""
    return Outcome.refused(
        "once.ambiguous",
        "the same was asked for less than two minutes ago, and something else since: whether this is a retry or a new "
        "request cannot be told",
        fix="Give each request an `Id` of its own.",
        http_status=409,
        has_own_alarm=True,
    )


def conflict() -> Outcome:
    """One id for two different commands."""
    return Outcome.refused(
        "once.conflict",
        "an earlier request with the same id asked for something else",
        fix="Give each request an `Id` of its own.",
        has_own_alarm=True,
    )


def too_many(limit: int) -> Outcome:
    """More was asked of one cluster than is kept."""
    return Outcome.refused(
        "intent.too_many",
        f"more than {limit} things are asked of this cluster already",
        fix="Find out what sends so many events; `steward history` shows them.",
        http_status=503,
        has_own_alarm=True,
    )


def too_late(stated: Stated, now: float) -> Outcome:
    """What came later than it may wait."""
    since = stated.told_at if not stated.is_command or stated.start is None else stated.start
    return Outcome.expired(
        "intent.too_late",
        f"it is from {utc_text(since)}, {duration_text(now - since)} ago, and max_wait is {duration_text(stated.max_wait)}",
        fix=BY_HAND,
        has_own_alarm=True,
    )


def before_the_record(stated: Stated, began: float) -> Outcome:
    """A command older than all that is remembered: whether it was carried out is not known."""
    return Outcome.refused(
        "intent.before_the_record",
        f"it is from {utc_text(stated.start or 0)}, and the ledger knows nothing from before {utc_text(began)}: "
        "whether it was carried out is not known",
        fix=BY_HAND,
        has_own_alarm=True,
    )


def in_doubt(operation: Operation) -> Alarm:
    """The alarm for an operation whose answer is not known."""
    why = operation.problem or f"no clear answer came ({operation.code})"
    return Alarm(
        "operation.in_doubt",
        operation.cluster,
        operation.id,
        f"it is not known whether {operation.op_type.in_words} was carried out: {why}; before: "
        f"{operation.before_in_words()}. It was {operation.in_words()}",
        fix=IN_DOUBT_FIX,
        where=operation.where(),
        facts=_facts(operation, "in_doubt"),
    )


def of_doubt(operation: Operation) -> str:
    """How an operation that was in doubt ended."""
    if operation.state is State.NOT_SENT:
        return f"{operation.op_type.in_words} was in doubt, and was not carried out"
    if operation.state is State.TIMED_OUT:
        return f"{operation.op_type.in_words} was in doubt, and {UNSEEN}"
    return f"{operation.op_type.in_words} was in doubt, and was carried out: {operation.seen()}"


def carried_out(operation: Operation, key: str) -> Outcome:
    """The outcome of a remediation whose process an operation helped."""
    name = operation.name_of(key)
    if operation.parts[key].verdict is Verdict.VERIFIED:
        return Outcome.done(f"{operation.op_type} verified on {name}", operation=operation.id)
    return Outcome.unverified(
        f"{operation.op_type} carried out on {name} as far as is shown; no health check proves that it worked",
        operation=operation.id,
    )


def did_not_help(operation: Operation, key: str) -> Outcome:
    """The outcome of a remediation whose operation did not help."""
    is_unseen = operation.state is State.TIMED_OUT
    what = (
        f"{operation.op_type.in_words} was sent, and {UNSEEN}"
        if is_unseen
        else f"{operation.op_type.in_words} did not help"
    )
    return Outcome.failed(
        "operation.failed",
        f"{operation.name_of(key)}: {what}; last restart before it: {operation.parts[key].before or 'unknown'}. "
        f"It was {operation.in_words()}",
        fix=f"{LOOK_AT_PROCESS} Steward tries again after the cooldown, until the quarantine.",
        has_own_alarm=True,
        operation=operation.id,
    )


def done_command(operation: Operation | None, count: int, *, is_proven: bool) -> Outcome:
    """The outcome of a command that was carried out on ``count`` processes."""
    what = str(operation.op_type) if operation else "it"
    processes = "1 process" if count == 1 else f"{count} processes"
    facts: dict[str, Any] = {"operation": operation.id} if operation else {}
    if is_proven:
        return Outcome.done(f"{what} verified on {processes}", **facts)
    return Outcome.unverified(
        f"{what} carried out on {processes} as far as is shown; no health check proves that it worked", **facts
    )


def failed_command(operation: Operation, mine: Mapping[str, Verdict]) -> Outcome:
    """The outcome of a command that failed, or was carried out in part."""
    bad = [operation.name_of(key) for key, verdict in mine.items() if verdict is Verdict.FAILED]
    rest = [operation.name_of(key) for key, verdict in mine.items() if verdict is Verdict.NOT_REACHED]
    text = []
    if bad:
        is_unseen = operation.state is State.TIMED_OUT
        what = f"was sent, and {UNSEEN}:" if is_unseen else "did not bring about what was asked on"
        text.append(f"{operation.op_type.in_words} {what} {listed(bad, MAX_PROCESSES_LISTED)}")
    if rest:
        text.append(f"it did not reach {listed(rest, MAX_PROCESSES_LISTED)}, and is not sent again")
    return Outcome.failed(
        "operation.failed" if operation.state is not State.TIMED_OUT else "operation.timed_out",
        f"{'; '.join(text)}. It was {operation.in_words()}",
        fix=f"{LOOK_AT_PROCESS} Then ask anew for what is left.",
        has_own_alarm=True,
        operation=operation.id,
    )


def lasts(intent: Intent) -> Outcome:
    """The outcome of an event that comes when an earlier restart is seen to have lasted."""
    return Outcome.skipped("guard.healthy", f"{intent.scope} is healthy since operation {intent.operation}")


def still_stated(intent: Intent) -> Outcome:
    """A restart of a process that answers did not end the alert."""
    # A code of its own: that the process answers ends an "operation.failed", and does not end this.
    return Outcome.failed(
        "intent.still_stated",
        f"the alert still stands after the restart of {intent.scope}: the restart did not help",
        fix=f"{LOOK_AT_PROCESS} The same occurrence is not served twice.",
        has_own_alarm=True,
        operation=intent.operation,
    )


def superseded(intent: Intent, by: str) -> Outcome:
    """A command that lost to a newer one."""
    return Outcome.refused(
        "intent.superseded",
        f"{intent.action.op_type} of {intent.scope} is not carried out: a newer command asks the opposite ({by})",
        fix=BY_HAND,
        http_status=409,
        has_own_alarm=True,
    )


def expired(intent: Intent, held: Outcome, waited: float, *, is_quiet: bool) -> Outcome:
    """What waited longer than it may."""
    return Outcome.expired(
        "intent.expired",
        f"{intent.action.op_type} of {intent.scope} was not carried out within {duration_text(waited)}: {held.reason}",
        fix=held.fix or BY_HAND,
        is_quiet=is_quiet,
        has_own_alarm=True,
        held_by=held.code,
    )


def waits(cluster: str, intent: Intent, process: str, held: Outcome, waited: float) -> Alarm:
    """The alarm about a remediation that waits for long."""
    targets = intent.scope.targets
    return Alarm(
        "intent.waits",
        cluster,
        process,
        f"{intent.action.op_type} has waited for {duration_text(waited)}: {held.reason}",
        fix=held.fix or "Remove what holds it, or do it by hand. It is served as soon as it can be.",
        where=" ".join(targets[0]) if targets else str(intent.scope),
        facts={"held_by": held.code, "rules": intent.rule},
    )


def _facts(operation: Operation, outcome: str) -> dict[str, Any]:
    return {
        "outcome": outcome,
        "operation": operation.id,
        "api_request_id": operation.request_id,
        "api_code": operation.code,
    }

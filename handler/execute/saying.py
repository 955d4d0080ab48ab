"""Saying what the records decided: settled lines, alarms, and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handler.errors import LedgerUnavailable
from handler.report import history
from handler.report.alarms import Raised

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handler.execute.context import Run
    from handler.ledger.ledger import Ledger
    from handler.ledger.store import Line
    from handler.lib.clock import Deadline
    from handler.model.alarm import Alarm
    from handler.report.alarms import Alarms
    from handler.report.log import Log


def say(
    runs: Sequence[Run],
    alarms: Sequence[Alarm],
    lines: list[Line],
    *,
    ledger: Ledger,
    channels: Callable[[], Alarms],
    log: Log,
    deadline: Deadline,
) -> None:
    """Say it, then note in the records that it is said. Raises nothing.

    Who dies in between leaves it to the next.

    ``alarms`` are those that no record holds, ``lines`` the outcomes of the events.
    """
    raised = []
    for run in runs:
        lines += run.lines
        for saying in run.sayings.values():
            if saying.kind == "settled":
                lines += history.log_settled(log, run.cluster_id, saying)
            else:
                raised.append(Raised.of_saying(saying))
    if raised or alarms:
        to_tell = channels()
        to_tell.notify([*raised, *to_tell.of(alarms)], log, deadline)
    try:
        ledger.append(lines)
        for run in runs:
            if said := list(run.sayings):
                ledger.change(run.cluster_id, lambda record, said=said: record.said(said))  # type: ignore[misc]
    except LedgerUnavailable as error:
        log.error("steward.ledger.record_failed", problem=str(error))

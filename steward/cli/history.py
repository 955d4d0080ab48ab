"""``steward history``: what is open, operations and events, the newest first."""

from __future__ import annotations

import json
import sys
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from handler.lib.wording import utc_text
from handler.report.history import past_of
from steward.cli.context import JsonOption, known_ledger
from steward.cli.narration import say, screen
from steward.cli.rows import (
    OpenIntent,
    Settled,
    Work,
    intent_row,
    notable_facts,
    operation_row,
    record_row,
    result_of,
    settled_in_words,
    settled_of,
    show_unreadable,
)
from steward.config.durations import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handler.model.outcome import Record
    from handler.report.history import OperationRow


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="List what is pending, operations with their results, and events with their outcomes.")(
        history
    )


def history(
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only this cluster.")] = None,
    since: Annotated[str, typer.Option(metavar="2h|7d", help="How far back.")] = "24h",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most N operations and N events.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """List what is pending, operations, and events with their outcomes.

    The newest come first.

    Example: steward history --cluster emr-4zvc5mul --since 2h
    """
    seconds = duration(since)
    if seconds is None:
        raise typer.BadParameter(f"{since!r} is not a duration such as 90s, 15m, 2h or 7d", param_hint="--since")
    ledger, name = known_ledger()
    past = past_of(ledger, cluster=cluster, since=time.time() - seconds, limit=limit + 1)
    work = Work.of(ledger, cluster)
    operations, records = past.operations, past.records
    cut = [kind for kind, rows in (("operations", operations), ("events", records)) if len(rows) > limit]
    del operations[limit:], records[limit:]
    if as_json:
        ends = settled_of(records, past.settled)
        document = {
            "cut": cut,
            "unreadable": {"lines": past.unreadable, "clusters": work.problems},
            "open": [intent_row(one) for one in work.intents()],
            "operations": [operation_row(operation) for operation in operations],
            "events": [record_row(record, ends.get(place)) for place, record in enumerate(records)],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    console, pending = screen(), work.intents("pending")
    if not any((pending, operations, records, past.unreadable, work.problems)):
        say(console, f"{name} has no entry{f' of {cluster}' if cluster else ''} from the last {since}.")
        return
    if pending:
        show_pending(console, pending)
    _show_operations(console, operations)
    _show_events(console, records, past.settled)
    show_unreadable(console, past.unreadable, work.problems)
    if cut:
        say(console, f"Only the newest {limit} {' and '.join(cut)} are shown; --limit N shows more.", "yellow")


# Lines, not tables: a narrow table would cut the ids that `steward explain` takes.
def show_pending(
    console: Console, pending: Iterable[OpenIntent], reasons: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Print what was asked for and is not yet served, and why.

    ``reasons`` are by the intents' keys, where they are known.
    """
    say(console, "Pending", "bold")
    for one in pending:
        say(console, f"  {one.title()}: {one.held(reasons.get(one.intent.key, ''))}", "yellow")


def _show_operations(console: Console, operations: Iterable[OperationRow]) -> None:
    say(console, "Operations", "bold")
    for operation in operations:
        request = f", RequestId {operation.request_id}" if operation.request_id else ""
        what = f"{operation.op_type} on {operation.targets}{request}"
        start = f"{utc_text(operation.armed_at)}  {operation.state:<9} {operation.id}"
        say(console, f"  {start}  {operation.cluster}: {what}")
        if result := result_of(operation):
            say(console, f"    {result}")


def _show_events(console: Console, records: Sequence[Record], settled: Settled) -> None:
    say(console, "Events", "bold")
    ends = settled_of(records, settled)
    for place, record in enumerate(records):
        rules = f"{', '.join(record.rules)}: " if record.rules else ""
        start = f"{utc_text(record.at)}  {record.outcome.status:<10} {record.event}"
        say(console, f"  {start}  {rules}{record.outcome.reason}")
        if end := ends.get(place):
            say(console, f"    settled {settled_in_words(end)}")
        if facts := notable_facts(record):
            say(console, f"    {', '.join(f'{label} {value}' for label, value in facts)}")

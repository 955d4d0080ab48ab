"""``steward history``: the operations and events of the ledger, the newest first."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from handler.lib.wording import utc_text
from steward.cli.context import JsonOption, known_ledger
from steward.cli.narration import say, screen
from steward.cli.rows import Unreadables, notable_facts, operation_row, record_row, result_of, targets_of
from steward.config.durations import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handler.model.operation import Operation
    from handler.model.outcome import Record


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="List operations with their results, and events with their outcomes.")(history)


def history(
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only this cluster.")] = None,
    since: Annotated[str, typer.Option(metavar="2h|7d", help="How far back.")] = "24h",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most N operations and N events.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """List operations with their results, and events with their outcomes, the newest first.

    Example: steward history --cluster emr-4zvc5mul --since 2h
    """
    seconds = duration(since)
    if seconds is None:
        raise typer.BadParameter(f"{since!r} is not a duration such as 90s, 15m, 2h or 7d", param_hint="--since")
    ledger, name = known_ledger()
    begin = time.time() - seconds
    unreadable = Unreadables([], [])
    operations = ledger.operations(cluster=cluster, since=begin, limit=limit + 1, unreadable=unreadable.operations)
    records = ledger.records(cluster=cluster, since=begin, limit=limit + 1, unreadable=unreadable.events)
    cut = [kind for kind, rows in (("operations", operations), ("events", records)) if len(rows) > limit]
    del operations[limit:], records[limit:]
    if as_json:
        document = {
            "cut": cut,
            "unreadable": unreadable._asdict(),
            "operations": [operation_row(operation) for operation in operations],
            "events": [record_row(record) for record in records],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    console = screen()
    if not operations and not records and not any(unreadable):
        say(console, f"{name} has no entry{f' of {cluster}' if cluster else ''} from the last {since}.")
        return
    _show_operations(console, operations)
    _show_events(console, records, {operation.id: operation for operation in operations})
    unreadable.show(console)
    if cut:
        say(console, f"Only the newest {limit} {' and '.join(cut)} are shown; --limit N shows more.", "yellow")


# Lines, not tables: a narrow table would cut the ids that `steward explain` takes.
def _show_operations(console: Console, operations: Iterable[Operation]) -> None:
    say(console, "Operations", "bold")
    for operation in operations:
        request = f", RequestId {operation.request_id}" if operation.request_id else ""
        what = f"{operation.op_type} on {targets_of(operation)}{request}"
        start = f"{utc_text(operation.armed_at)}  {operation.state:<9} {operation.id}"
        say(console, f"  {start}  {operation.cluster}: {what}")
        if result := result_of(operation):
            say(console, f"    {result}")


def _show_events(console: Console, records: Iterable[Record], operations: Mapping[str, Operation]) -> None:
    say(console, "Events", "bold")
    for record in records:
        rules = f"{', '.join(record.rules)}: " if record.rules else ""
        start = f"{utc_text(record.at)}  {record.outcome.status:<10} {record.event}"
        say(console, f"  {start}  {rules}{record.outcome.reason}")
        known = [operations[name] for name in record.operations if name in operations]
        if facts := notable_facts(record, known):
            say(console, f"    {', '.join(f'{label} {value}' for label, value in facts)}")

"""``steward explain``: which rules match an event, or what happened to an earlier one."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from rich.console import Console

from handler.decide.intent_guards import entitled
from handler.decide.templates import TemplateError
from handler.errors import ConfigurationError, InvalidInput
from handler.lib.wording import utc_text
from handler.model.event import Unreadable
from handler.report.history import past_of
from steward.cli.context import (
    STDIN,
    ConfigOption,
    JsonOption,
    example_or,
    known_ledger,
    load_config,
    read_event,
    show_config,
)
from steward.cli.exit_codes import FAILED
from steward.cli.history import show_pending
from steward.cli.narration import say, screen
from steward.cli.rows import (
    OpenIntent,
    Work,
    intent_row,
    notable_facts,
    one_line,
    operation_row,
    record_row,
    settled_in_words,
    settled_of,
    show_unreadable,
)
from steward.simulate.world import received_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.config.config import Config
    from handler.ledger.ledger import Ledger
    from handler.model.event import Event
    from handler.model.outcome import Record
    from handler.report.history import OperationRow

#: Events that are searched for a bare fingerprint or an operation, the newest first.
MAX_SEARCHED: Final = 25_000


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Show which rules match an event, or what happened to an earlier one.")(explain)


def explain(
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT.json|ID",
            help="An event's file (- reads standard input), or the id of an event or operation in the ledger; an "
            "alert's bare fingerprint is enough.",
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which rules match an event, or what happened to an earlier event or operation.

    Example: steward explain events/alertmanager-datanode-down.json; steward explain op-7f6c3a2dc8fbac6d
    """
    path = Path(event)
    if path != STDIN and not path.exists() and not event.endswith(".json"):
        _explain_past(event, as_json=as_json)
        return
    loaded = load_config(config)
    received = received_of(read_event(path))
    if as_json:
        rows = [{**_event_row(one), "rules": _evaluated(one, loaded)} for one in received]
        json.dump({"config": str(example_or(config)), "events": rows}, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        console = screen()
        show_config(console, config)
        for one in received:
            _show_event(console, one, loaded)
    if all(isinstance(one, Unreadable) for one in received):
        if not as_json:
            say(console, "It contains no readable event.", "red")
        raise typer.Exit(FAILED)


# -- an event that has not happened


def _show_event(console: Console, event: Event | Unreadable, config: Config) -> None:
    if isinstance(event, Unreadable):
        say(console, f"\n{event.source}: {event.id}", "bold")
        say(console, f"  unreadable: {event.error}", "red")
        return
    status = "" if event.status == "none" else event.status
    header = " ".join(part for part in (f"{event.source}:", event.name, status, event.id) if part)
    say(console, f"\n{header}", "bold")
    if event.request is not None:
        request = f"{event.request.op_type} {event.request.scope}"
        say(console, f"  a direct request, to which rules do not apply: {request}")
    for row in _evaluated(event, config):
        if mismatches := row["mismatches"]:
            why = "; ".join(f"{m['path']} is {m['found']}, expected {m['wanted']}" for m in mismatches)
            say(console, f"  no   {row['rule']}: {why}")
        elif row["problem"]:
            say(console, f"  yes  {row['rule']}, but: {row['problem']}", "red")
        elif event.status == "resolved":
            say(
                console,
                f"  skip {row['rule']}: {row['asks']}; but the alert is resolved, so this is no longer asked for",
            )
        else:
            say(console, f"  yes  {row['rule']}: {row['asks']}", "green")


def _event_row(event: Event | Unreadable) -> dict[str, Any]:
    if isinstance(event, Unreadable):
        return {"id": event.id, "source": event.source, "problem": str(event.error)}
    request = {} if event.request is None else {"request": event.request.to_wire()}
    return {**event.view(), **request}


def _evaluated(event: Event | Unreadable, config: Config) -> list[dict[str, Any]]:
    """For each rule: its mismatches, its operation, and why that cannot be derived or would be refused.

    Rules do not apply to a request.
    """
    if isinstance(event, Unreadable) or event.request is not None:
        return []
    view = event.view()
    rows = []
    for rule in config.rules:
        row: dict[str, Any] = {"rule": rule.name, "mismatches": [m._asdict() for m in rule.explain(view)]}
        row |= {"matches": not row["mismatches"], "problem": "", "asks": ""}
        rows.append(row)
        if row["matches"]:
            try:
                cluster, stated = rule.state(event, view, event.id, event.told_at or 0.0)
            except (TemplateError, InvalidInput) as error:
                row["problem"] = str(error)
            else:
                row["asks"] = f"{stated.action.op_type} {stated.scope} on {cluster}"
                refused = entitled(cluster, stated.action.op_type, config.clusters)
                row["problem"] = refused.reason if refused else ""
    return rows


# -- what the ledger knows


class _Past(NamedTuple):
    """What the ledger knows of an id, the newest first."""

    records: list[Record]
    operations: list[OperationRow]
    settled: Mapping[str, Mapping[str, Any]]
    #: What is still open of it.
    open: list[OpenIntent]
    unreadable: int
    problems: dict[str, str]


def _explain_past(wanted: str, *, as_json: bool) -> None:
    try:
        ledger, name = known_ledger()
    except ConfigurationError as error:
        raise ConfigurationError(
            f"there is no such file, and no ledger to look it up in: {error}", where=wanted
        ) from None
    past = _past_of(wanted, ledger)
    if as_json:
        ends = settled_of(past.records, past.settled)
        document = {
            "events": [record_row(record, ends.get(place)) for place, record in enumerate(past.records)],
            "operations": [operation_row(operation) for operation in past.operations],
            "open": [intent_row(one) for one in past.open],
            "unreadable": {"lines": past.unreadable, "clusters": past.problems},
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _show_past(screen(), past, wanted, name)
    if not past.records and not past.operations and not past.open:
        raise typer.Exit(FAILED)


def _past_of(wanted: str, ledger: Ledger) -> _Past:
    work = Work.of(ledger)
    found = past_of(ledger, id=wanted)
    if not found.records:
        # An operation's events, or an alert's id of which only the fingerprint is given: FINGERPRINT@START.
        newest = past_of(ledger, limit=MAX_SEARCHED)
        ids = {
            *(record.event for record in newest.records if wanted in record.operations),
            *(event for event, row in newest.settled.items() if row.get("operation") == wanted),
            *(record.event for record in newest.records if record.event.startswith(f"{wanted}@")),
        }
        found = found._replace(
            records=[record for record in newest.records if record.event in ids],
            settled={event: row for event, row in newest.settled.items() if event in ids},
        )
    names = {*(name for record in found.records for name in record.operations)}
    names |= {str(row["operation"]) for row in found.settled.values() if row.get("operation")}
    operations = {one.id: one for one in found.operations}
    for name in sorted(names - operations.keys()):
        operations.update((one.id, one) for one in past_of(ledger, id=name).operations)
    events = {wanted, *(record.event for record in found.records)}
    still = [one for one in work.intents("pending") if events & {*one.intent.events}]
    return _Past(found.records, list(operations.values()), found.settled, still, found.unreadable, work.problems)


def _show_past(console: Console, past: _Past, wanted: str, ledger_name: str) -> None:
    if not (past.records or past.operations or past.open or past.unreadable or past.problems):
        hint = "`steward history` lists the ids"
        say(
            console, f"There is no file {wanted}, and no event or operation of this id in {ledger_name}; {hint}.", "red"
        )
    header, shown, ends = "", set(), settled_of(past.records, past.settled)
    by_id = {operation.id: operation for operation in past.operations}
    for place, record in enumerate(past.records):
        title = " ".join(part for part in (f"{record.source}:", record.name, record.event) if part)
        if title != header:
            header = title
            say(console, header, "bold")
        say(console, f"  {utc_text(record.at)}  {record.outcome.status}: {record.outcome.reason}")
        end = ends.get(place, {})
        if end:
            say(console, f"    settled {settled_in_words(end)}")
        if record.cluster:
            say(console, f"    cluster: {record.cluster}")
        if record.rules:
            say(console, f"    rule: {', '.join(record.rules)}")
        for label, value in notable_facts(record):
            say(console, f"    {label}: {value}")
        for name in dict.fromkeys((*record.operations, end.get("operation", ""))):
            if name in by_id:
                shown.add(name)
                say(console, f"    {one_line(by_id[name])}")
    for operation in past.operations:
        if operation.id not in shown:  # its event's record is older than the ledger keeps
            say(console, one_line(operation))
    if past.open:
        show_pending(console, past.open)
    show_unreadable(console, past.unreadable, past.problems)

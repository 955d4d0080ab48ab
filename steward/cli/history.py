"""``steward explain``, ``schema``, ``history`` and ``release``: looking, without a cluster."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from handler.decide.templates import TemplateError
from handler.errors import ConfigurationError, InvalidInput, LedgerUnavailable
from handler.lib.wording import utc_text
from handler.model import names
from handler.model.components import spelled
from handler.model.event import Unreadable
from handler.model.scope import Target
from steward.cli.context import ConfigOption, JsonOption, example_or, known_ledger, load_config, read_event, tell_config
from steward.cli.narration import say, screen
from steward.config.durations import duration
from steward.config.json_schema import json_schema
from steward.config.reference import reference
from steward.simulate.world import received_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from handler.decide.rules import Rule
    from handler.ledger.protocol import Ledger
    from handler.model.event import Event
    from handler.model.operation import Operation
    from handler.model.outcome import Record


#: What people are told of an outcome's facts beyond its reason, in this order. Whatever guards weighed is in the
#: reason; ``--json`` has all.
FACTS: Final = {
    "caller": "called by",
    "scope": "scope",
    "intents_in_window": "intents in the breaker's window",
    "attempts": "times sent",
    "api_code": "the API's code",
    "api_request_id": "RequestId",
    "retryable": "the sender was asked to",
    "shortened": "cut in the log",
    "request_id": "invocation",
}


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(short_help="Which rules match an event, and why the others do not.")(explain)
    app.command(short_help="The JSON Schema of steward.yml, for editors.")(schema)
    app.command(short_help="Operations and their fate, events and their outcomes.")(history)
    app.command(short_help="Let a process out of quarantine, or list what is in it.")(release)


def explain(
    event: Annotated[
        str, typer.Argument(metavar="EVENT.json|EVENT_ID", help="An event's file, or the id of one that happened.")
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Which rules match an event, and why the others do not; or what became of one that happened.

    Example: steward explain events/alertmanager-datanode-down.json
    """
    if event != "-" and not Path(event).exists() and not event.endswith(".json"):
        _explain_past(event, as_json=as_json)
        return
    loaded = load_config(config)
    received = received_of(read_event(Path(event)))
    if as_json:
        rows = [{**_event_row(one), "rules": _weighed(one, loaded.rules)} for one in received]
        json.dump({"config": str(example_or(config)), "events": rows}, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        console = screen()
        tell_config(console, config)
        for one in received:
            _tell_event(console, one, loaded.rules)
    if all(isinstance(one, Unreadable) for one in received):
        if not as_json:
            say(console, "Nothing in it can be read as an event.", "red")
        raise typer.Exit(1)


def _tell_event(console: Console, event: Event | Unreadable, rules: Iterable[Rule]) -> None:
    if isinstance(event, Unreadable):
        say(console, f"\n{event.source}: {event.id}", "bold")
        say(console, f"  unreadable: {event.error}", "red")
        return
    header = " ".join(part for part in (f"{event.source}:", event.name, _status(event), event.id) if part)
    say(console, f"\n{header}", "bold")
    if event.request is not None:
        say(console, f"  a direct request: rules are not asked. {event.request.op_type} {event.request.scope}")
    for row in _weighed(event, rules):
        if mismatches := row["mismatches"]:
            why = "; ".join(f"{m['path']} is {m['found']}, wanted {m['wanted']}" for m in mismatches)
            say(console, f"  no   {row['rule']}: {why}")
        elif row["problem"]:
            say(console, f"  yes  {row['rule']}, but: {row['problem']}", "red")
        elif event.status == "resolved":
            resolved = "but the alert is resolved, and nothing is done for it"
            say(console, f"  skip {row['rule']}: {row['asks']}; {resolved}")
        else:
            say(console, f"  yes  {row['rule']}: {row['asks']}", "green")


def _event_row(event: Event | Unreadable) -> dict[str, Any]:
    if isinstance(event, Unreadable):
        return {"id": event.id, "source": event.source, "problem": str(event.error)}
    request = {} if event.request is None else {"request": event.request.to_wire()}
    return {**event.view(), **request}


def _weighed(event: Event | Unreadable, rules: Iterable[Rule]) -> list[dict[str, Any]]:
    """What each rule makes of an event: its mismatches, or what is asked for, or why that cannot be told. None is asked about a request."""
    if isinstance(event, Unreadable) or event.request is not None:
        return []
    view = event.view()
    rows = []
    for rule in rules:
        row: dict[str, Any] = {"rule": rule.name, "mismatches": [m._asdict() for m in rule.explain(view)]}
        row |= {"matches": not row["mismatches"], "problem": "", "asks": ""}
        rows.append(row)
        if row["matches"]:
            try:
                intent = rule.intent(event, view)
            except (TemplateError, InvalidInput) as error:
                row["problem"] = str(error)
            else:
                row["asks"] = f"{intent.action.op_type} {intent.scope} on {intent.cluster}"
    return rows


def _status(event: Event) -> str:
    return "" if event.status == "none" else event.status


def _explain_past(event: str, *, as_json: bool) -> None:
    console = screen()
    try:
        ledger, name = known_ledger()
    except ConfigurationError as error:
        raise ConfigurationError(f"is no file; nor can it be an event's id: {error}", where=event) from None
    lost = _Lost([], [])
    records = ledger.records(event=event, unreadable=lost.events)
    operations = _operations_of(records, ledger, lost.operations)
    if as_json:
        document = {
            "events": [_record_row(record) for record in records],
            "operations": [_operation_row(operation) for operation in operations.values()],
            "unreadable": lost._asdict(),
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    elif not records and not lost.events:
        say(
            console,
            f"There is no file {event}, and {name} knows no event of this id; `steward history` lists those that it knows.",
            "red",
        )
    header = ""
    for record in () if as_json else records:
        is_new = header != (
            header := " ".join(part for part in (f"{record.source}:", record.name, record.event) if part)
        )
        if is_new:
            say(console, header, "bold")
        say(console, f"  {utc_text(record.at)}  {record.outcome.status}: {record.outcome.reason}")
        known = [operations[name] for name in record.operations if name in operations]
        if record.cluster:
            say(console, f"    cluster: {record.cluster}")
        if record.rules:
            say(console, f"    rule: {', '.join(record.rules)}")
        for label, value in _told_facts(record, known):
            say(console, f"    {label}: {value}")
        for operation in known:
            say(console, f"    {_one_line(operation)}")
    if not as_json:
        lost.told(console)
    if not records:
        raise typer.Exit(1)


def _operations_of(records: Iterable[Record], ledger: Ledger, unreadable: list[str]) -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for name in dict.fromkeys(name for record in records for name in record.operations):
        try:
            operation = ledger.get(name)
        except LedgerUnavailable:
            unreadable.append(name)
        else:
            if operation is not None:
                found[name] = operation
    return found


def schema(
    as_reference: Annotated[
        bool, typer.Option("--reference", help="The reference for people instead, docs/configuration.md.")
    ] = False,
) -> None:
    """The JSON Schema of steward.yml, for editors.

    Example: steward schema > steward.schema.json
    """
    if as_reference:
        sys.stdout.write(reference())
        return
    json.dump(json_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def history(
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only this cluster.")] = None,
    since: Annotated[str, typer.Option(metavar="2h|7d", help="How far back.")] = "24h",
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="So many operations, and so many events.")] = 1000,
    as_json: JsonOption = False,
) -> None:
    """Operations and their fate, and each event with its outcome, the newest first.

    Example: steward history --cluster emr-4zvc5mul --since 2h
    """
    seconds = duration(since)
    if seconds is None:
        raise typer.BadParameter(f"{since!r} is not a duration such as 90s, 15m, 2h or 7d", param_hint="--since")
    ledger, name = known_ledger()
    begin = time.time() - seconds
    lost = _Lost([], [])
    operations = ledger.operations(cluster=cluster, since=begin, limit=limit + 1, unreadable=lost.operations)
    records = ledger.records(cluster=cluster, since=begin, limit=limit + 1, unreadable=lost.events)
    cut = [name for name, rows in (("operations", operations), ("events", records)) if len(rows) > limit]
    del operations[limit:], records[limit:]
    if as_json:
        document = {
            "cut": cut,
            "unreadable": lost._asdict(),
            "operations": [_operation_row(operation) for operation in operations],
            "events": [_record_row(record) for record in records],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    console = screen()
    if not operations and not records and not any(lost):
        say(console, f"{name} knows nothing{f' of {cluster}' if cluster else ''} in the last {since}.")
        return
    # Lines, not tables: a table that is too narrow cuts the ids off that `steward explain` asks for.
    say(console, "Operations", "bold")
    for operation in operations:
        targets = list(map(operation.name_of, operation.before))
        more = f" and {len(targets) - 1} more" if len(targets) > 1 else ""
        what = f"{operation.op_type} on {targets[0]}{more}" if targets else str(operation.op_type)
        asked = f", RequestId {operation.request_id}" if operation.request_id else ""
        say(
            console,
            f"  {utc_text(operation.armed_at)}  {operation.state:<9} {operation.id}  {operation.cluster}: {what}{asked}",
        )
        if seen := _fate(operation):
            say(console, f"    {seen}")
    say(console, "Events", "bold")
    by_id = {operation.id: operation for operation in operations}
    for record in records:
        rules = f"{', '.join(record.rules)}: " if record.rules else ""
        say(
            console,
            f"  {utc_text(record.at)}  {record.outcome.status:<10} {record.event}  {rules}{record.outcome.reason}",
        )
        if facts := _told_facts(record, [by_id[name] for name in record.operations if name in by_id]):
            say(console, f"    {', '.join(f'{label} {value}' for label, value in facts)}")
    lost.told(console)
    if cut:
        say(console, f"Cut: only the newest {limit} {' and '.join(cut)} are shown; --limit N shows more.", "yellow")


def release(
    target: Annotated[
        str | None, typer.Argument(metavar="SERVICE/COMPONENT/ADDRESS", help="As the outcome that names it says.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only in this cluster.")] = None,
) -> None:
    """Let a process out of quarantine; without one, what is in quarantine, and until when.

    Example: steward release HDFS/DataNode/172.16.0.5
    """
    asked = None if target is None else _target(target)
    (ledger, name), now = known_ledger(), time.time()
    if asked is None:
        held = [row for row in ledger.quarantined(now) if cluster in (None, row[0])]
        for where, key, until in sorted(held):
            typer.echo(f"{where}  {spelled(key)}  until {utc_text(until)}")
        if not held:
            typer.echo(f"{name} knows of nothing in quarantine.")
        return
    clusters = ledger.release(asked.key, now, cluster)
    if not clusters:
        typer.echo(f"{spelled(asked.key)} is not in quarantine; `steward release` lists what is", err=True)
        raise typer.Exit(1)
    typer.echo(f"{spelled(asked.key)} is released in {', '.join(clusters)}")


def _target(written: str) -> Target:
    """A process however the alert or the console spells it."""
    service, _, rest = written.replace("@", "/").partition("/")
    component, _, ip = rest.partition("/")
    if not names.is_process_name(service) or not names.is_process_name(component) or not names.address(ip):
        raise typer.BadParameter(f"{written!r} is not SERVICE/COMPONENT/ADDRESS, such as HDFS/DataNode/172.16.0.5")
    return Target(service, component, names.address(ip))


class _Lost(NamedTuple):
    """What the ledger holds and cannot be read: the ids of operations, the numbers of events' records."""

    operations: list[str]
    events: list[str]

    def told(self, console: Console) -> None:
        for name in self.operations:
            say(console, f"Operation {name} cannot be read.", "red")
        for number in self.events:
            say(console, f"Record {number}, of an event, cannot be read.", "red")


def _operation_row(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "at": operation.armed_at,
        "settled_at": operation.settled_at,
        "deadline": operation.deadline,
        "cluster": operation.cluster,
        "op_type": operation.op_type.value,
        "is_command": operation.is_command,
        "state": operation.state.value,
        "code": operation.code,
        "reason": operation.reason,
        "attempts": operation.attempts,
        "request_id": operation.request_id,
        "request": operation.request,
        "before": dict(operation.before),
        "events": list(operation.events),
        "rules": list(operation.rules),
        "observed": operation.observed,
    }


def _record_row(record: Record) -> dict[str, Any]:
    return {
        "at": record.at,
        "event": record.event,
        "source": record.source,
        "cluster": record.cluster,
        "rules": list(record.rules),
        "operations": list(record.operations),
        "outcome": record.outcome.status,
        "code": record.outcome.code,
        "reason": record.outcome.reason,
        "facts": _facts(record),
    }


def _facts(record: Record) -> dict[str, Any]:
    facts = {key: value for key, value in record.outcome.facts.items() if value not in ("", None)}
    return facts | ({"retryable": True} if record.outcome.retryable else {})


def _told_facts(record: Record, operations: Iterable[Operation]) -> list[tuple[str, str]]:
    """For people: the facts of FACTS, each with its label, but for what the outcome's reason or its operations say."""
    said = " ".join([record.outcome.reason, *map(_one_line, operations)])
    facts = {key: str(value) for key, value in _facts(record).items()}
    if facts.get("attempts") == "1":
        del facts["attempts"]
    facts |= {"retryable": "repeat it"} if "retryable" in facts else {}
    return [(label, facts[key]) for key, label in FACTS.items() if key in facts and facts[key] not in said]


def _one_line(operation: Operation) -> str:
    return f"{operation.id}: {operation.op_type} {operation.state}, RequestId {operation.request_id or 'none'}; {_fate(operation)}"


def _fate(operation: Operation) -> str:
    """What is known besides the state: the API's code, why, and what was seen."""
    return "; ".join(text for text in (operation.code, operation.reason, operation.observed) if text)

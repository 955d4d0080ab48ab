"""``steward explain``, ``check``, ``schema``, ``history`` and ``release``: looking, without a cluster."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from handler import steward_file
from handler.configuration_file import InvalidConfiguration, duration
from handler.errors import ConfigurationError, InvalidInput
from handler.events import Event, Unreadable
from handler.templates import TemplateError
from harness import serverless_file
from harness.command.deliver import _read, example_or, user_ledger
from harness.world import received_of

if TYPE_CHECKING:
    from handler.history import Operation
    from handler.outcomes import Record

#: How the function is deployed; it lies beside steward.yml.
SERVERLESS: Final = "serverless.yml"

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration (steward.yml here, else the example)."),
]


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    for command in (explain, check, schema, history, release):
        app.command()(command)


def explain(
    event: Annotated[
        str, typer.Argument(metavar="EVENT.json|EVENT_ID", help="An event's file, or the id of one that happened.")
    ],
    config: ConfigOption = None,
) -> None:
    """Which rules match an event, and why the others do not; or what became of one that happened.

    Example: steward explain events/alertmanager-datanode-down.json
    """
    if event != "-" and not Path(event).exists() and not event.endswith(".json"):
        _explain_past(event)
        return
    console = Console(highlight=False)
    loaded = steward_file.load(str(example_or(config)))
    received = received_of(_read(Path(event)))
    for one in received:
        if isinstance(one, Unreadable):
            console.print(f"\n{one.source}: {one.id}", style="bold", markup=False)
            console.print(f"  unreadable: {one.error}", markup=False, style="red")
            continue
        console.print(f"\n{one.source}: {one.name} {one.status} {one.id}", style="bold", markup=False)
        if one.request is not None:
            console.print(
                f"  a direct request: rules are not asked. {one.request.op_type} {one.request.scope}", markup=False
            )
            continue
        view = one.view()
        for rule in loaded.rules:
            mismatches = rule.explain(view)
            if mismatches:
                why = "; ".join(f"{m.path} is {m.found}, wanted {m.wanted}" for m in mismatches)
                console.print(f"  no   {rule.name}: {why}", markup=False)
                continue
            try:
                intent = rule.intent(one, view)
            except (TemplateError, InvalidInput) as error:
                console.print(f"  yes  {rule.name}, but: {error}", markup=False, style="red")
                continue
            what = f"{rule.name}: {intent.manner.op_type} {intent.scope} on {intent.cluster}"
            if one.status == "resolved":
                console.print(f"  skip {what}; but the alert is resolved, and nothing is done for it", markup=False)
            else:
                console.print(f"  yes  {what}", markup=False, style="green")
    if not any(isinstance(one, Event) for one in received):
        console.print("Nothing in it can be read as an event; `steward run` says why.", style="red")
        raise typer.Exit(1)


def _explain_past(event: str) -> None:
    console = Console(highlight=False)
    ledger = user_ledger()
    records = ledger.records(event=event)
    if not records:
        console.print(
            f"The ledger knows no event {event}; `steward history` lists those that it knows.",
            style="red",
            markup=False,
        )
        raise typer.Exit(1)
    for record in records:
        console.print(f"{_when(record.at)}  {record.outcome.status}: {record.outcome.reason}", markup=False)
        for key, value in _facts(record).items():
            console.print(f"  {key}: {value}", markup=False)
        for name in record.operations:
            operation = ledger.get(name)
            if operation is not None:
                console.print(f"  {_one_line(operation)}", markup=False)


def check(
    config: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A configuration, or a serverless.yml, to check.")
    ] = None,
) -> None:
    """Every fault of a configuration, and of the serverless.yml beside it, with its line. Exits with 2 where there is any.

    Example: steward check steward.yml; steward check serverless.yml
    """
    if config is not None and config.name == SERVERLESS:
        beside = config.parent / "steward.yml"
        path, deployment = (beside if beside.exists() else None), config
    else:
        path = example_or(config)
        deployment = path.parent / SERVERLESS
    loaded = None
    problems: list[ConfigurationError] = []
    if path is not None:
        try:
            loaded = steward_file.load(str(path))
        except InvalidConfiguration as error:
            problems += error.problems
    if deployment.exists() or deployment is config:
        try:
            file = serverless_file.load(deployment, loaded)
        except InvalidConfiguration as error:
            problems += error.problems
    if problems:
        raise InvalidConfiguration(tuple(problems))
    if loaded is not None:
        counts = f"{len(loaded.clusters)} clusters, {len(loaded.rules)} rules, {len(loaded.webhook.callers)} callers"
        typer.echo(f"{path}: fine. {counts}.")
    if deployment.exists():
        compared = (
            "" if loaded is not None else " No steward.yml lies beside it: its timers were not held against rules."
        )
        typer.echo(f"{deployment}: fine. {len(file.inputs.events)} triggers.{compared}")


def schema() -> None:
    """The JSON Schema of steward.yml, for editors.

    Example: steward schema > steward.schema.json
    """
    json.dump(steward_file.json_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def history(
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only this cluster.")] = None,
    since: Annotated[str, typer.Option(metavar="2h|7d", help="How far back.")] = "24h",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
) -> None:
    """Operations and their fate, and each event with its outcome, the newest first.

    Example: steward history --cluster emr-4zvc5mul --since 2h
    """
    seconds = duration(since)
    if seconds is None:
        raise typer.BadParameter(f"{since!r} is no duration such as 90s, 15m, 2h or 7d", param_hint="--since")
    ledger = user_ledger()
    begin = time.time() - seconds
    operations = ledger.operations(cluster=cluster, since=begin)
    records = ledger.records(cluster=cluster, since=begin)
    if as_json:
        document = {
            "operations": [_operation_row(operation) for operation in operations],
            "events": [_record_row(record) for record in records],
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    console = Console(highlight=False)
    table = Table("when", "operation", "cluster", "what", "state", "RequestId", title="Operations")
    for operation in operations:
        row = (
            _when(operation.armed_at),
            operation.id,
            operation.cluster,
            f"{operation.op_type} on {len(operation.before)}",
            operation.state.value,
            operation.request_id or "-",
        )
        # Text, not markup: what a sender or the API wrote must not colour anything.
        table.add_row(*map(Text, row))
    console.print(table)
    table = Table("when", "event", "rule", "outcome", "reason", title="Events")
    for record in records:
        said = (_when(record.at), record.event, ", ".join(record.rules), record.outcome.status, record.outcome.reason)
        table.add_row(*map(Text, said))
    console.print(table)


def release(
    target: Annotated[
        str, typer.Argument(metavar="SERVICE/component/ADDRESS", help="As the outcome that names it says.")
    ],
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only in this cluster.")] = None,
) -> None:
    """Let a process out of quarantine.

    Example: steward release HDFS/datanode/172.16.0.5
    """
    clusters = user_ledger().release(target, time.time(), cluster)
    if not clusters:
        typer.echo(f"{target} is not in quarantine", err=True)
        raise typer.Exit(1)
    typer.echo(f"{target} is released in {', '.join(clusters)}")


def _operation_row(operation: Operation) -> dict[str, Any]:
    return {
        "id": operation.id,
        "at": operation.armed_at,
        "cluster": operation.cluster,
        "op_type": operation.op_type.value,
        "state": operation.state.value,
        "code": operation.code,
        "request_id": operation.request_id,
        "request": operation.request,
        "targets": list(operation.before),
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
    return {key: value for key, value in record.outcome.facts.items() if value not in ("", None)}


def _one_line(operation: Operation) -> str:
    return f"{operation.id}: {operation.op_type} {operation.state}, RequestId {operation.request_id or 'none'}; {operation.observed}"


def _when(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(at))

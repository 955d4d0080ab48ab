"""``steward release``: the processes in quarantine."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from handler.lib.wording import utc_text
from handler.model import names
from handler.model.components import spelled
from handler.model.scope import Target
from steward.cli.context import known_ledger
from steward.cli.exit_codes import FAILED


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Release a process from quarantine, or list what is in quarantine.")(release)


def release(
    target: Annotated[
        str | None, typer.Argument(metavar="SERVICE/COMPONENT/ADDRESS", help="A process, as its outcome names it.")
    ] = None,
    cluster: Annotated[str | None, typer.Option(metavar="emr-…", help="Only in this cluster.")] = None,
) -> None:
    """Release a process from quarantine.

    Without an argument it lists the processes in quarantine, and until when.

    Example: steward release HDFS/DataNode/172.16.0.5
    """
    wanted = None if target is None else _target(target)
    (ledger, name), now = known_ledger(), time.time()
    if wanted is None:
        held = [row for row in ledger.quarantined(now) if cluster in (None, row[0])]
        for where, key, until in sorted(held):
            typer.echo(f"{where}  {spelled(key)}  until {utc_text(until)}")
        if not held:
            typer.echo(f"Nothing is in quarantine in {name}.")
        return
    clusters = ledger.release(wanted.key, now, cluster)
    if not clusters:
        typer.echo(f"{spelled(wanted.key)} is not in quarantine; `steward release` lists what is", err=True)
        raise typer.Exit(FAILED)
    typer.echo(f"{spelled(wanted.key)} is released in {', '.join(clusters)}")


def _target(written: str) -> Target:
    """A process, in the spelling of an alert or of the console."""
    service, _, rest = written.replace("@", "/").partition("/")
    component, _, ip = rest.partition("/")
    if not names.is_process_name(service) or not names.is_process_name(component) or not names.address(ip):
        raise typer.BadParameter(f"{written!r} is not SERVICE/COMPONENT/ADDRESS, such as HDFS/DataNode/172.16.0.5")
    return Target(service, component, names.address(ip))

"""``steward release``: the processes in quarantine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from handler.lib.wording import utc_text
from handler.model import names
from handler.model.components import spelled
from handler.model.scope import Target
from steward.cli.context import known_ledger
from steward.cli.exit_codes import FAILED
from steward.cli.rows import Work

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord

#: The alarm that a process in quarantine raises; the record keeps it until the process is well or released.
CODE: Final = "guard.quarantine"


class Quarantined(NamedTuple):
    """A process (Target.key) in quarantine, and since when (seconds since the epoch)."""

    cluster: str
    key: str
    since: float


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

    Without an argument it lists the processes in quarantine, and since when. A release restarts nothing by
    itself: the next delivery of an alert about the process does. If it is urgent, restart the process by hand.

    Example: steward release HDFS/DataNode/172.16.0.5
    """
    wanted = None if target is None else _target(target)
    ledger, name = known_ledger()
    work = Work.of(ledger, cluster)
    held = sorted(one for record in work.records for one in quarantined(record))
    for where, problem in work.problems.items():
        typer.echo(f"The record of {where} cannot be read: {problem}", err=True)
    if wanted is None:
        for one in held:
            typer.echo(f"{one.cluster}  {spelled(one.key)}  since {utc_text(one.since)}")
        if not held:
            typer.echo(f"Nothing is in quarantine in {name}.")
        return
    clusters = [one.cluster for one in held if one.key == wanted.key]
    if not clusters:
        typer.echo(f"{spelled(wanted.key)} is not in quarantine; `steward release` lists what is", err=True)
        raise typer.Exit(FAILED)
    for where in clusters:
        ledger.change(where, lambda record: _release(record, wanted.key))
    typer.echo(f"{spelled(wanted.key)} is released in {', '.join(clusters)}; the next alert about it is served")


def quarantined(record: ClusterRecord) -> list[Quarantined]:
    """The processes of a cluster in quarantine."""
    told = [(key.split("|"), since) for key, since in record.told.items()]
    return [Quarantined(record.cluster, parts[2], since) for parts, since in told if parts[0] == CODE]


def _release(record: ClusterRecord, key: str) -> None:
    # What the ledger has may be of a simulated clock, which is ahead of the machine's.
    newest = max((one.armed_at for one in record.operations.values()), default=0.0)
    record.release(key, max(time.time(), newest))


def _target(written: str) -> Target:
    """A process, in the spelling of an alert or of the console."""
    service, _, rest = written.replace("@", "/").partition("/")
    component, _, ip = rest.partition("/")
    if not names.is_process_name(service) or not names.is_process_name(component) or not names.address(ip):
        raise typer.BadParameter(f"{written!r} is not SERVICE/COMPONENT/ADDRESS, such as HDFS/DataNode/172.16.0.5")
    return Target(service, component, names.address(ip))

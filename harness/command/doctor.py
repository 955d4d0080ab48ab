"""``steward doctor``: whether everything that an operation needs is there, and how to mend what is not."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from handler.clock import Deadline, SystemClock
from handler.doctor import exit_code
from handler.examination import Examination, Setup
from handler.findings import Finding
from harness.command.surroundings import example_or, user_ledger_url

#: Seconds that an examination may take.
SECONDS: Final = 60.0
COLOURS: Final = {"ok": "green", "warn": "yellow", "fail": "bold red", "not proved": "cyan"}


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command()(doctor)


def doctor(
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration (steward.yml here).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
    send_test_alarm: Annotated[
        bool, typer.Option("--send-test-alarm", help="Send one alarm to every chat and bus that is configured.")
    ] = False,
) -> None:
    """Examine a deployment from here: settings, credentials, endpoint, clock, clusters, rights, ledger, alarms.

    With the environment's credentials, against the real API unless STEWARD_EMR_ENDPOINT says otherwise. It only looks: no call
    of it can act on a cluster. In the function, invoke it with {"steward":"doctor"}. Exits with 1 where something fails, with 2
    where settings or configuration do.

    Example: steward doctor --json
    """
    clock = SystemClock()
    setup = Setup.read(os.environ, config_path=str(config or example_or(None)), ledger_url=user_ledger_url(fake=False))
    examination = Examination(setup, clock=clock, deadline=Deadline(clock, SECONDS))
    findings = examination.findings(send_test_alarm=send_test_alarm)
    if as_json:
        json.dump([finding.to_wire() for finding in findings], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        Console(highlight=False).print(_table(findings))
    raise typer.Exit(exit_code(findings))


def _table(findings: list[Finding]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("check", overflow="fold", max_width=40)
    table.add_column("state", no_wrap=True)
    table.add_column("seen, and → how to mend it", overflow="fold")
    for finding in findings:
        # Text, not markup: what the API says must not colour anything.
        state = Text(finding.state, COLOURS[finding.state])
        told = Text.assemble(finding.seen, *([("\n→ " + finding.mend, "dim")] if finding.mend else []))
        table.add_row(Text(finding.name), state, told)
    return table

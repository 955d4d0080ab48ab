"""``steward doctor``: whether everything that an operation needs is there, and how to mend what is not."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from handler.doctor.checks import exit_code
from handler.doctor.findings import Finding
from handler.doctor.probes import Examination, Setup
from handler.lib.clock import Deadline, SystemClock
from steward.cli.context import ConfigOption, JsonOption, example_or, make_room_for, user_ledger_url
from steward.cli.narration import say, screen
from steward.config.compile import load_yaml

#: Seconds that an examination may take.
SECONDS: Final = 60.0
#: In the order in which they are told.
COLOURS: Final = {"fail": "bold red", "warn": "yellow", "unknown": "cyan", "ok": "green"}


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command(short_help="What a deployment lacks, and how to mend it; it only looks.")(doctor)


def doctor(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    send_test_alarm: Annotated[
        bool, typer.Option("--send-test-alarm", help="Send one alarm to every chat and bus that is configured.")
    ] = False,
) -> None:
    """Examine a deployment from here: settings, credentials, endpoint, clock, clusters, rights, ledger, alarms.

    With the environment's credentials, against the real API unless STEWARD_EMR_ENDPOINT says otherwise. It only looks:
    no call of it can act on a cluster. In the function, invoke it with {"steward":"doctor"}. Exits with 1 where
    something fails, with 2 where settings or configuration do.

    Example: steward doctor --json
    """
    clock = SystemClock()
    ledger_url = user_ledger_url(fake=False)
    make_room_for(ledger_url)  # it is tried: written and read back
    path = str(config or example_or(None))
    setup = Setup.read(os.environ, config_path=path, ledger_url=ledger_url, load_config=load_yaml)
    examination = Examination(setup, clock=clock, deadline=Deadline(clock, SECONDS))
    findings = examination.findings(send_test_alarm=send_test_alarm)
    if as_json:
        json.dump([finding.to_wire() for finding in findings], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        _tell(screen(), findings)
    raise typer.Exit(exit_code(findings))


def _tell(console: Console, findings: list[Finding]) -> None:
    """A line for each, what fails first, and how to mend it below; and how many there are of each at the end."""
    for state, colour in COLOURS.items():
        for finding in findings:
            if finding.state != state:
                continue
            # Text, not markup: what the API says must not colour anything.
            console.print(Text.assemble((f"{state:<11}", colour), f"{finding.name}: {finding.detail}"), soft_wrap=True)
            if finding.fix:
                say(console, f"{'':<11}→ {finding.fix}", "dim")
    counts = {state: sum(finding.state == state for finding in findings) for state in COLOURS}
    say(console, ", ".join(f"{count} {state}" for state, count in counts.items() if count))

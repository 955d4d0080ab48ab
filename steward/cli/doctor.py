"""``steward doctor``: check everything that an operation needs."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Final

import typer

from handler.doctor.checks import exit_code
from handler.doctor.probes import Examination, Setup
from handler.lib.clock import Deadline, SystemClock
from steward.cli.context import ConfigOption, JsonOption, example_or, make_folder_for, user_ledger_url
from steward.cli.findings import show_findings
from steward.cli.narration import screen
from steward.config.compile import load_yaml

#: Seconds that an examination may take.
SECONDS: Final = 60.0


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Check a deployment and say how to fix it; it only reads.")(doctor)


def doctor(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    send_test_alarm: Annotated[
        bool, typer.Option("--send-test-alarm", help="Send one alarm to every configured chat and event bus.")
    ] = False,
) -> None:
    """Check a deployment from here, and say how to fix it.

    It checks settings, credentials, endpoint, clock, clusters, rights, ledger and alarms. It uses the environment's credentials and the real API, unless STEWARD_EMR_ENDPOINT names another. It only reads: no
    call of it can change a cluster. To check the deployed function, invoke it with {"steward":"doctor"}. The exit code
    is 1 if a check fails, and 2 if the settings or the configuration are wrong.

    Example: steward doctor --json
    """
    clock = SystemClock()
    ledger_url = user_ledger_url(fake=False)
    make_folder_for(ledger_url)  # a check writes to the ledger and reads it back
    path = str(config or example_or(None))
    setup = Setup.read(os.environ, config_path=path, ledger_url=ledger_url, load_config=load_yaml)
    examination = Examination(setup, clock=clock, deadline=Deadline(clock, SECONDS))
    findings = examination.findings(send_test_alarm=send_test_alarm)
    if as_json:
        json.dump([finding.to_wire() for finding in findings], sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        show_findings(screen(), findings)
    raise typer.Exit(exit_code(findings))

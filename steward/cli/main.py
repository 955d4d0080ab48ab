"""The ``steward`` command: its subcommands, its version and its errors."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from handler.errors import ConfigurationError, InvalidConfiguration, LedgerUnavailable
from steward.cli import (
    check,
    cloud,
    compile_config,
    demo,
    doctor,
    explain,
    follow_up,
    history,
    policy,
    quarantine,
    run,
    schema,
    serve,
)
from steward.cli.exit_codes import EXIT_CODES, INTERRUPTED, USAGE
from steward.cli.output import accept_every_character

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: paragraphs that wrap, and no boxes
    help="Start, stop and restart EMR services: once, within limits, and verified. Every command works on a private "
    "fake cluster on this machine unless STEWARD_EMR_ENDPOINT is set; only `doctor` examines the real one, and it "
    "only reads.",
    epilog="\n\n".join(["Exit codes:", *(f"{code}: {when}." for code, when in EXIT_CODES.items())]),
)
for command in (
    demo,
    run,
    follow_up,
    explain,
    schema,
    history,
    quarantine,
    check,
    compile_config,
    doctor,
    policy,
    serve,
    cloud,
):
    command.add_to(app)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"steward {version('emr-steward')}")
        except PackageNotFoundError:
            typer.echo("steward (from the source)")
        raise typer.Exit


@app.callback()
def _steward(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; a user's error is shown as text, without a traceback."""
    accept_every_character()
    try:
        app(prog_name="steward")
    except InvalidConfiguration as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(USAGE)
    except (ConfigurationError, LedgerUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(USAGE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

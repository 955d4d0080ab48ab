"""The ``steward`` command. Exit codes: 0 fine, 1 an operation failed, was refused or is in doubt, 2 usage or configuration."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from handler.configuration_file import InvalidConfiguration
from handler.errors import ConfigurationError, LedgerUnavailable
from harness.command import access, check, deliver, doctor, follow_up, look, serve

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: paragraphs that wrap, and no boxes
    help="Start, stop and restart EMR services: once, not too much, and verified. Everything runs against a fake cluster "
    "on this machine unless STEWARD_EMR_ENDPOINT is set; `doctor` alone looks at the real one, and only looks.",
)
deliver.add_to(app)
follow_up.add_to(app)
look.add_to(app)
check.add_to(app)
doctor.add_to(app)
access.add_to(app)
serve.add_to(app)


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
        bool, typer.Option("--version", callback=_version, is_eager=True, help="The version, and nothing else.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; what a user did wrong is told in words, without a traceback."""
    try:
        app(prog_name="steward")
    except InvalidConfiguration as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        sys.exit(2)
    except (ConfigurationError, LedgerUnavailable) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)

"""The ``steward`` command, and what its exit codes mean."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

from handler.errors import ConfigurationError, InvalidConfiguration, LedgerUnavailable
from steward.cli import check, compile_config, doctor, follow_up, history, policy, run, serve

#: What each exit code says, as the README's table and ``steward --help`` have it.
EXIT_CODES: Final = {
    0: "all is well; what was skipped, or deferred to a later event, is well too",
    1: "`run`: an event was refused, failed, is in doubt, or its sender is asked to repeat it. `follow-up`: an operation failed, timed out, "
    "is in doubt, or cannot be looked at. `explain`: nothing in the file can be read, or the event is not known. `release`: the process is "
    "not in quarantine. `doctor`: something fails. `demo`: something was not verified",
    2: "usage, settings, configuration (`check`: any fault of it), or a ledger that is not there or cannot be read",
    130: "interrupted",
}

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"max_content_width": 100},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain text: paragraphs that wrap, and no boxes
    help="Start, stop and restart EMR services: once, not too much, and verified. Everything runs against a fake cluster "
    "on this machine unless STEWARD_EMR_ENDPOINT is set; `doctor` alone looks at the real one, and only looks.",
    epilog="\n\n".join(["Exit codes:", *(f"{code}: {when}." for code, when in EXIT_CODES.items())]),
)
run.add_to(app)
follow_up.add_to(app)
history.add_to(app)
check.add_to(app)
compile_config.add_to(app)
doctor.add_to(app)
policy.add_to(app)
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

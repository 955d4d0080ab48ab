"""``steward compile``: steward.yml becomes the JSON that the function loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from handler.errors import ConfigurationError
from steward.cli.context import ConfigArgument, configuration_of
from steward.config.compile import compiled


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command("compile", short_help="The JSON that the function loads, from steward.yml.")(compile_)


def compile_(
    file: ConfigArgument = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT.json", help="Where to write; else standard output.")
    ] = None,
) -> None:
    """Check a configuration and write it as the JSON that the function loads.

    `make package` packs the same. Durations are seconds, shares are fractions, dates are seconds since the epoch, and defaults are filled in. Name the
    file in STEWARD_CONFIG of the function, or put it beside handler/ as steward.json. Exits with 2 where the
    configuration has an error, and writes nothing then.

    Example: steward compile steward.yml -o steward.json
    """
    text = json.dumps(compiled(str(configuration_of(file))), ensure_ascii=False, indent=1)
    if output is None:
        typer.echo(text)
        return
    try:
        output.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot be written: {error.strerror}", where=str(output)) from None
    typer.echo(f"{output}: written.", err=True)

"""``steward check``: the errors in a configuration and its deployment, and warnings."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handler.config.loader import config_from
from handler.doctor.checks import many
from handler.errors import ConfigurationError, InvalidConfiguration
from steward.cli.context import JsonOption, configuration_of
from steward.cli.grants import grant_rows, grant_table
from steward.config.compile import compiled_document
from steward.config.lint import warnings
from steward.config.yaml_file import parsed, parsed_text

if TYPE_CHECKING:
    from handler.config.config import Config

#: How the function is deployed; it lies beside steward.yml.
SERVERLESS: Final = "serverless.yml"
STDIN: Final = Path("-")


def add_to(app: typer.Typer) -> None:
    """The command of this file."""
    app.command(short_help="Every error in a configuration, with its line.")(check)


def check(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="A configuration, or a serverless.yml; - reads standard input; else STEWARD_CONFIG, ./steward.yml, or the example.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show every error in a configuration, and in the serverless.yml beside it, with its line.

    The exit code is 2 if there is an error. A warning is about what is valid and probably not meant; it changes nothing.
    Without an error, a table shows what each caller may send over HTTP, and what it may request.

    Example: steward check steward.yml; steward check serverless.yml --json
    """
    problems: list[ConfigurationError] = []
    doubts: list[ConfigurationError] = []
    fine: list[str] = []
    loaded: Config | None = None
    try:
        path, deployment = _files(config)
        if path is not None:
            loaded = _configuration(path, problems, doubts, fine)
        if deployment is not None and (deployment.exists() or deployment is config):
            _deployment(deployment, loaded, problems, fine, alone=path is None)
    except ConfigurationError as error:
        problems.append(error)
    if as_json:
        document = {"problems": list(map(_row, problems)), "warnings": list(map(_row, doubts))}
        document["grants"] = [] if loaded is None else grant_rows(loaded)
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        for doubt in doubts:
            at = ": ".join(part for part in (doubt.where, doubt.path) if part)
            typer.echo(f"{at}: warning: {doubt.problem}" + (f" ({doubt.hint})" if doubt.hint else ""), err=True)
        for problem in problems:
            typer.echo(str(problem), err=True)
        for line in () if problems else fine:
            typer.echo(line)
        for line in () if problems or loaded is None else grant_table(loaded):
            typer.echo(line)
    if problems:
        raise typer.Exit(2)


def _files(named: Path | None) -> tuple[Path | None, Path | None]:
    """The configuration and the serverless.yml that are meant; either may lie beside the other, or not be there."""
    if named == STDIN:
        return named, None
    if named is not None and named.name == SERVERLESS:
        beside = named.parent / "steward.yml"
        return (beside if beside.exists() else None), named
    path = configuration_of(named)
    return path, path.parent / SERVERLESS


def _configuration(
    path: Path, problems: list[ConfigurationError], doubts: list[ConfigurationError], fine: list[str]
) -> Config | None:
    document = parsed_text("stdin", sys.stdin.buffer.read()) if path == STDIN else parsed(str(path))
    try:
        loaded = config_from(compiled_document(document), document.path)
    except InvalidConfiguration as error:
        problems += error.problems
        doubts += warnings(document.raw, None, document.locate)
        return None
    doubts += warnings(document.raw, loaded, document.locate)
    counts = (many(loaded.clusters, "cluster"), many(loaded.rules, "rule"), many(loaded.webhook.callers, "caller"))
    fine.append(f"{document.path}: fine. {', '.join(counts)}.")
    return loaded


def _deployment(
    path: Path, loaded: Config | None, problems: list[ConfigurationError], fine: list[str], *, alone: bool
) -> None:
    try:
        from steward.deploy import serverless_file  # its model takes longer to make than all else takes to read

        file = serverless_file.load(path, loaded)
    except InvalidConfiguration as error:
        problems += error.problems
        return
    compared = " No steward.yml lies beside it: its timers were not held against rules." if alone else ""
    fine.append(f"{path}: fine. {many(file.inputs.events, 'trigger')}.{compared}")


def _row(problem: ConfigurationError) -> dict[str, Any]:
    """For programs: the place, what is wrong with it, and how to fix it."""
    file, _, line = problem.where.rpartition(":")
    has_line = bool(file) and line.isdigit()
    return {
        "file": file if has_line else problem.where,
        "line": int(line) if has_line else None,
        "path": problem.path,
        "problem": problem.problem,
        "hint": problem.hint,
    }

"""``steward schema``: the JSON Schema of steward.yml."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from steward.config.json_schema import json_schema
from steward.config.reference import reference


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Print the JSON Schema of steward.yml, for editors.")(schema)


def schema(
    as_reference: Annotated[
        bool, typer.Option("--reference", help="Print the reference for people instead: docs/configuration.md.")
    ] = False,
) -> None:
    """Print the JSON Schema of steward.yml, for editors.

    Example: steward schema > steward.schema.json
    """
    if as_reference:
        sys.stdout.write(reference())
        return
    json.dump(json_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")

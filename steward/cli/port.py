"""The option ``--port``, and what it says when the port cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from handler.errors import ConfigurationError

Bound = TypeVar("Bound")
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one.")]


def bind(listen: Callable[[int], Bound], port: int) -> Bound:
    """Call ``listen(port)``. Raises ConfigurationError if the port cannot be used."""
    try:
        return listen(port)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise ConfigurationError(
            f"cannot listen: {reason}", where=f"port {port}", hint="--port 0 takes a free one"
        ) from None

"""What the command finds around it: the configuration, the endpoint, the ledger, the files that are named."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handler.cloud.account import Endpoint
from handler.errors import ConfigurationError
from handler.ledger.protocol import Ledger, open_ledger
from steward.cli.narration import say
from steward.config.compile import load_yaml

if TYPE_CHECKING:
    from rich.console import Console

    from handler.config.config import Config

ROOT: Final = Path(__file__).resolve().parents[2]
#: In the current folder: what the command remembers where STEWARD_LEDGER names no other place.
_FOLDER: Final = ".steward"
_CONFIG: Final = "The configuration; else STEWARD_CONFIG, ./steward.yml, or the example."
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=_CONFIG)]
ConfigArgument = Annotated[Path | None, typer.Argument(metavar="FILE", help=_CONFIG)]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document instead of text.")]


def example_or(config: Path | None) -> Path:
    """The configuration that was named, that of STEWARD_CONFIG, that of this folder, or the example. Raises ConfigurationError."""
    if config is not None and not config.exists():
        raise ConfigurationError("no such file", where=str(config))  # the hint at STEWARD_CONFIG is for who named none
    named = config or (Path(os.environ["STEWARD_CONFIG"]) if os.environ.get("STEWARD_CONFIG") else None)
    here = Path("steward.yml")
    return named or (here if here.exists() else ROOT / "steward.yml")


def load_config(named: Path | None) -> Config:
    """What :func:`example_or` finds, read. Raises ConfigurationError, with every problem of it."""
    return load_yaml(str(example_or(named)))


def tell_config(console: Console, named: Path | None) -> None:
    """The first line of what depends on it: which configuration :func:`example_or` finds, and why where that may not be expected."""
    path = example_or(named)
    if named is not None or path == Path("steward.yml"):
        found = str(path)
    elif os.environ.get("STEWARD_CONFIG"):
        found = f"{path} (STEWARD_CONFIG)"
    else:
        found = "the example (there is no steward.yml here)"
    say(console, f"config   {found}", "dim")


def on_a_fake() -> bool:
    """Whether commands are about a fake cluster: they are unless STEWARD_EMR_ENDPOINT is set."""
    return not os.environ.get("STEWARD_EMR_ENDPOINT")


def user_ledger(*, fake: bool | None = None) -> Ledger:
    """The ledger where the user sees it, for what is done; made where there is none."""
    url = user_ledger_url(fake=on_a_fake() if fake is None else fake)
    make_room_for(url)
    return open_ledger(url)


def known_ledger() -> tuple[Ledger, str]:
    """The ledger that commands look into, and its name for people. Raises ConfigurationError where there is none: looking makes none."""
    url = user_ledger_url(fake=on_a_fake())
    name = ledger_name(url)
    if url.startswith("sqlite:///") and name != ":memory:" and not Path(name).exists():
        is_named = "STEWARD_LEDGER" in os.environ
        hint = "STEWARD_LEDGER" if is_named else "`steward run` makes it; STEWARD_LEDGER names another"
        raise ConfigurationError("there is no ledger there yet", where=name, hint=hint)
    return open_ledger(url), name


def user_ledger_url(*, fake: bool) -> str:
    """STEWARD_LEDGER, else a file in ``.steward`` in this folder: ``ledger.db`` for the cloud itself.

    What happened on a fake cluster proves nothing of a real one, and must hold nothing back there. So the private fake
    has a file of its own, and so has each endpoint that is not the cloud's, named by its host and port.
    """
    url = os.environ.get("STEWARD_LEDGER")
    return f"sqlite:///{_FOLDER}/{'fake' if fake else _elsewhere() or 'ledger'}.db" if url is None else url


def fresh_ledger_url(name: str) -> str:
    """STEWARD_LEDGER, else a file of this name in ``.steward`` that begins anew, for a cluster that does."""
    if url := os.environ.get("STEWARD_LEDGER"):
        return url
    Path(_FOLDER).mkdir(exist_ok=True)
    for file in Path(_FOLDER).glob(f"{name}.db*"):
        file.unlink()
    return f"sqlite:///{_FOLDER}/{name}.db"


def ledger_name(url: str) -> str:
    """The ledger at ``url`` as it may be shown: a file's path, or a store's address without user and password."""
    kind, _, place = url.partition("://")
    return place[1:] if kind == "sqlite" else f"{kind}://{place.rpartition('@')[2]}"


def make_room_for(url: str) -> None:
    """The folder of the ledger at ``url``, where it is ours; a folder that the user names is the user's to make."""
    if url.startswith(f"sqlite:///{_FOLDER}/"):
        Path(_FOLDER).mkdir(exist_ok=True)


def _elsewhere() -> str:
    """The host and port of STEWARD_EMR_ENDPOINT as a file's name; empty where it is the cloud's own, or none at all."""
    try:
        endpoint = Endpoint.parse(os.environ.get("STEWARD_EMR_ENDPOINT", "global"))
    except ConfigurationError:  # said where settings are read
        return ""
    return "" if endpoint.is_the_clouds else re.sub(r"[^\w.-]+", "-", endpoint.host).strip("-.")


def warn_of_a_named_ledger(*, fake: bool) -> None:
    """Say so where what is done to anything but the cloud's own clusters is written into a ledger that the user named."""
    if os.environ.get("STEWARD_LEDGER") and (fake or _elsewhere()):
        what = "to the fake cluster" if fake else f"at {_elsewhere()}, which is not the cloud's,"
        sys.stderr.write(f"STEWARD_LEDGER is set: what is done {what} is remembered there too\n")


def read_event(path: Path) -> Any:
    """An event's file, or standard input for ``-``. Raises ConfigurationError for what is no JSON."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}", where=str(path)
        ) from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is no JSON: {error}", where=str(path)) from None

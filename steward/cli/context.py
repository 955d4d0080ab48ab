"""What every command needs: the configuration, the target, the ledger and the event files."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from handler.cloud.account import Endpoint
from handler.config.settings import Settings, unknown_variables
from handler.errors import ConfigurationError, InvalidConfiguration
from handler.ledger.ledger import Ledger, open_ledger
from steward import examples
from steward.cli.narration import say
from steward.config.compile import load_yaml

if TYPE_CHECKING:
    from rich.console import Console

    from handler.config.config import Config

#: The folder, in the current one, of every ledger that STEWARD_LEDGER does not name.
FOLDER: Final = Path(".steward")
STDIN: Final = Path("-")
_CONFIG: Final = "The configuration; default: STEWARD_CONFIG, else ./steward.yml, else the example."
ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help=_CONFIG)]
ConfigArgument = Annotated[Path | None, typer.Argument(metavar="FILE", help=_CONFIG)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


# -- configuration and settings


def example_or(config: Path | None) -> Path:
    """The path of the configuration to use. Raises ConfigurationError.

    It is the named one, else STEWARD_CONFIG, else ./steward.yml, else the example. The last is announced on standard
    error by :func:`configuration_of`, for commands whose output does not name it.
    """
    if config is not None and not config.exists():
        # The loader's own message points to STEWARD_CONFIG, which does not help a user who named a file.
        raise ConfigurationError("no such file", where=str(config))
    named = config or (Path(os.environ["STEWARD_CONFIG"]) if os.environ.get("STEWARD_CONFIG") else None)
    here = Path("steward.yml")
    return named or (here if here.exists() else examples.CONFIG)


def configuration_of(config: Path | None) -> Path:
    """The path of the configuration to use, as :func:`example_or` finds it.

    The example is announced on standard error.
    """
    path = example_or(config)
    if path == examples.CONFIG and config is None:
        typer.echo("There is no steward.yml here, so this is about the example.", err=True)
    return path


def load_config(named: Path | None) -> Config:
    """Load the configuration that :func:`example_or` finds. Raises ConfigurationError."""
    return load_yaml(str(example_or(named)))


def show_config(console: Console, named: Path | None) -> None:
    """Print which configuration is used, and why where that may surprise."""
    path = example_or(named)
    if named is not None or path == Path("steward.yml"):
        found = str(path)
    elif os.environ.get("STEWARD_CONFIG"):
        found = f"{path} (STEWARD_CONFIG)"
    else:
        found = "the example (there is no steward.yml here)"
    say(console, f"config   {found}", "dim")


def read_settings(config: Config) -> Settings:
    """Read the settings from the environment. Raises ConfigurationError.

    An unknown STEWARD_ variable is an error: what it was meant to hold back would not be held back.
    """
    unknown = [
        ConfigurationError("nothing reads it", where=name, hint=f"did you mean {right}?" if right else "unset it")
        for name, right in unknown_variables(os.environ, config.variables).items()
    ]
    if unknown:
        raise InvalidConfiguration(tuple(unknown))
    return Settings.from_env(os.environ)


# -- the target


def is_private() -> bool:
    """Whether commands work on the private fake cluster: STEWARD_EMR_ENDPOINT is not set."""
    return not os.environ.get("STEWARD_EMR_ENDPOINT")


def target_name(settings: Settings) -> str:
    """The target in words: the private fake cluster, or the API's address."""
    if is_private():
        return "the private fake cluster"
    endpoint = settings.endpoint
    return f"{endpoint.scheme}://{endpoint.host} ({'real' if endpoint.is_the_clouds else 'not the cloud itself'})"


# -- the ledger


def user_ledger() -> Ledger:
    """Open the ledger that commands write to, or create it.

    Raises ConfigurationError where it is known not to be writable, and LedgerUnavailable where it cannot be read:
    before anything is delivered, and not after the platform's retries.
    """
    url = user_ledger_url(fake=is_private())
    make_folder_for(url)
    if url.startswith("sqlite:///") and (name := ledger_name(url)) != ":memory:":
        for path in (Path(name), Path(name).parent):
            if path.exists() and not os.access(path, os.W_OK):
                raise ConfigurationError(
                    "is not writable", where=str(path), hint="name another ledger by STEWARD_LEDGER"
                )
    ledger = open_named_ledger(url)
    ledger.check()
    return ledger


def known_ledger() -> tuple[Ledger, str]:
    """Open an existing ledger, to read it: the ledger and its name. Raises ConfigurationError."""
    url = user_ledger_url(fake=is_private())
    name = ledger_name(url)
    if url.startswith("sqlite:///") and name != ":memory:" and not _is_there(Path(name)):
        is_named = "STEWARD_LEDGER" in os.environ
        hint = "STEWARD_LEDGER" if is_named else "`steward run` creates it; STEWARD_LEDGER names another"
        raise ConfigurationError("there is no ledger yet", where=name, hint=hint)
    return open_named_ledger(url), name


def _is_there(path: Path) -> bool:
    """Whether the file is there. Raises ConfigurationError where its folder is none, or may not be read."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:
        hint = "remove it, or name another ledger by STEWARD_LEDGER"
        raise ConfigurationError(f"cannot be used: {_reason(error)}", where=str(path.parent), hint=hint) from None
    return True


def open_named_ledger(url: str) -> Ledger:
    """Open the ledger at ``url``. Raises ConfigurationError where its client is not installed."""
    if url.startswith(("redis://", "rediss://")) and importlib.util.find_spec("redis") is None:
        raise ConfigurationError(
            "the package redis is missing", where=ledger_name(url), hint='pip install "emr-steward[redis]"'
        )
    return open_ledger(url)


def user_ledger_url(*, fake: bool) -> str:
    """The ledger's URL: STEWARD_LEDGER, else a file in ``.steward``.

    It is ``fake.db``, ``ledger.db`` for the cloud, or ``HOST-PORT.db`` for another endpoint. Operations on a fake cluster prove nothing about a real one, and must not hold back anything there. So each target
    has a file of its own.
    """
    url = os.environ.get("STEWARD_LEDGER")
    return f"sqlite:///{FOLDER}/{'fake' if fake else _other_endpoint() or 'ledger'}.db" if url is None else url


def fresh_ledger_url(name: str) -> str:
    """STEWARD_LEDGER, else ``.steward/NAME.db``, emptied. Raises ConfigurationError."""
    if url := os.environ.get("STEWARD_LEDGER"):
        return url
    url = f"sqlite:///{FOLDER}/{name}.db"
    make_folder_for(url)
    for file in FOLDER.glob(f"{name}.db*"):
        try:
            file.unlink()
        except OSError as error:
            raise ConfigurationError(f"cannot be removed: {_reason(error)}", where=str(file)) from None
    return url


def ledger_name(url: str) -> str:
    """The ledger's name for people: a path, or an address without user and password."""
    kind, _, place = url.partition("://")
    return place[1:] if kind == "sqlite" else f"{kind}://{place.rpartition('@')[2]}"


def make_folder_for(url: str) -> None:
    """Create ``.steward`` if the ledger at ``url`` is in it. Raises ConfigurationError.

    A folder that STEWARD_LEDGER names is the user's to create.
    """
    if not url.startswith(f"sqlite:///{FOLDER}/"):
        return
    hint = "run in another folder, or name a ledger elsewhere: STEWARD_LEDGER=sqlite:////tmp/steward.db"
    if FOLDER.exists() and not FOLDER.is_dir():
        raise ConfigurationError("is a file; the ledger needs a folder of this name", where=str(FOLDER), hint=hint)
    try:
        FOLDER.mkdir(exist_ok=True)
    except OSError as error:
        where = str(Path.cwd() / FOLDER)
        raise ConfigurationError(f"the folder cannot be created: {_reason(error)}", where=where, hint=hint) from None
    if not os.access(FOLDER, os.W_OK | os.X_OK):
        raise ConfigurationError("the folder is not writable", where=str(FOLDER.resolve()), hint=hint)


def warn_of_named_ledger() -> None:
    """Warn if operations on other clusters than the cloud's go into a ledger that was named."""
    place = "the private fake cluster" if is_private() else _other_endpoint()
    if os.environ.get("STEWARD_LEDGER") and place:
        sys.stderr.write(f"warning: STEWARD_LEDGER is set, so operations on {place} are recorded in that ledger\n")


def _other_endpoint() -> str:
    """STEWARD_EMR_ENDPOINT's host and port as a file name; empty for the cloud's own."""
    try:
        endpoint = Endpoint.parse(os.environ.get("STEWARD_EMR_ENDPOINT", "global"))
    except ConfigurationError:  # reported where the settings are read
        return ""
    return "" if endpoint.is_the_clouds else re.sub(r"[^\w.-]+", "-", endpoint.host).strip("-.")


# -- events


def event_name(path: Path) -> str:
    """The name that an event's file has in the output; ``stdin`` for ``-``."""
    return "stdin" if path == STDIN else str(path)


def read_event(path: Path) -> Any:
    """Read an event from a file, or from standard input for ``-``. Raises ConfigurationError."""
    where = event_name(path)
    try:
        data = sys.stdin.buffer.read() if path == STDIN else path.read_bytes()
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError("is not UTF-8", where=where, hint="save it as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {_reason(error)}", where=where) from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is not valid JSON: {error}", where=where) from None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)

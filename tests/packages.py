"""Packages for tests: what is costly is made once a session, whichever worker of the suite asks first."""

from __future__ import annotations

import fcntl
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from handler.errors import ConfigurationError
from steward.package.build import Package, build

ROOT = Path(__file__).parents[1]
WHEELS = ROOT / "build" / "wheels"
Made = TypeVar("Made")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One worker at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """What ``make`` returned for the first worker that asked; it was given a folder, and nobody else may change that."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    kept = folder / "made.pickle"
    with locked(base / f"{name}.lock"):
        if not kept.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            kept.write_bytes(pickle.dumps(make(folder)))
    made: Made = pickle.loads(kept.read_bytes())  # noqa: S301 - written above
    return made


def built(folder: Path, config: Path, **options: Any) -> Package:
    """Build into ``folder``; downloads are kept between runs. Skips where they cannot be had."""
    with locked(WHEELS / ".lock"):
        try:
            return build(config, folder / "function.zip", wheels=WHEELS, **options)
        except ConfigurationError as error:
            if "cannot be reached" in str(error):
                pytest.skip(f"the package index cannot be reached: {error}")
            raise


def example_package(factory: pytest.TempPathFactory) -> Package:
    """The example configuration, packaged."""
    return made_once(factory, "package", lambda folder: built(folder, ROOT / "steward.yml"))

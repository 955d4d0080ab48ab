"""Bytecode for the function's Python: on the platform the code is read-only, so what is not shipped is compiled at every cold start."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from handler.errors import ConfigurationError

VERSION: Final = "3.10"
#: Where the platform unpacks the code (USER_CODE_ROOT): what tracebacks name.
CODE_ROOT: Final = "/var/user"


def find_python(named: str = "") -> str:
    """A Python 3.10: the one ``named``, else on PATH or among pyenv's versions; empty where there is none.

    Raises ConfigurationError where the one that is named is none.
    """
    if named:
        if (found := _version(named)) != VERSION:
            problem = f"is Python {found}" if found else "is no Python that runs"
            raise ConfigurationError(problem, where=named, hint=f"the platform's bytecode is made by Python {VERSION}")
        return named
    return next((path for path in _candidates() if _version(path) == VERSION), "")


def compile_tree(folder: Path, python: str) -> None:
    """Put bytecode beside every source in ``folder``, the same bytes for the same sources. Raises ConfigurationError."""
    # Unchecked: the platform's unpacking changes times, and nothing there changes sources. One process, in order,
    # without randomised hashes: sets of constants come out in one order.
    command = [python, "-S", "-m", "compileall", "-q", "-j1", "-f", "--invalidation-mode=unchecked-hash"]
    command += ["-s", str(folder), "-p", CODE_ROOT, str(folder)]
    env = {"PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1", **_system_root()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    if done.returncode != 0:
        raise ConfigurationError(
            f"a source cannot be compiled: {(done.stdout or done.stderr).strip()[-300:]}",
            where=python,
            hint=f"every source of the package must run on Python {VERSION}",
        )


def _candidates() -> Iterator[str]:
    if on_path := shutil.which(f"python{VERSION}"):
        yield on_path
    for path in sorted(Path.home().glob(f".pyenv/versions/{VERSION}.*/bin/python{VERSION}"), reverse=True):
        yield str(path)


def _version(python: str) -> str:
    """``3.10`` for a CPython 3.10 that runs, else what it is; empty where it does not run."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    try:
        done = subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _system_root() -> Mapping[str, str]:
    import os

    return {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if "SYSTEMROOT" in os.environ else {}

"""Bytecode for the function's Python.

On the platform the code is read-only: a module without packaged bytecode is compiled anew at every cold start.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from handler.errors import ConfigurationError

VERSION: Final = "3.10"
#: Where the platform unpacks the code (USER_CODE_ROOT). Tracebacks name files there.
CODE_ROOT: Final = "/var/user"


def find_python(named: str = "") -> str:
    """The path of a Python 3.10: ``named``, or one on PATH or of pyenv; else empty.

    Raises ConfigurationError if ``named`` is not a Python 3.10.
    """
    if named:
        if (found := _version(named)) != VERSION:
            problem = f"is Python {found}" if found else "is not a Python that runs"
            raise ConfigurationError(problem, where=named, hint=f"the platform's bytecode is made by Python {VERSION}")
        return named
    return next((path for path in _candidates() if _version(path) == VERSION), "")


def compile_tree(folder: Path, python: str) -> None:
    """Put bytecode beside every source in ``folder``.

    The same sources give the same bytes. Raises ConfigurationError.
    """
    # The hashes are unchecked: unpacking on the platform changes the times of files, and nothing there changes sources.
    # One process with fixed hashes compiles in order, so that sets of constants always have the same order.
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
    """The version of a Python, such as ``3.10``; empty if it does not run."""
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    try:
        done = subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _system_root() -> Mapping[str, str]:
    import os

    return {"SYSTEMROOT": os.environ["SYSTEMROOT"]} if "SYSTEMROOT" in os.environ else {}

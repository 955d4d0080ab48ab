"""The steward command, run as a person runs it: in a process of its own, which comes with its imports done."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from steward.simulate.forkserver import PROCESSES

ROOT: Final = Path(__file__).parents[1]
#: What a command finds in its environment, besides what a test adds.
ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
#: Seconds after which a command hangs.
PATIENCE: Final = 60
STREAMS: Final = ("stdin", "stdout", "stderr")


def steward(*arguments: str, cwd: Path, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run it in this folder. Raises subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        streams = {name: Path(folder, name) for name in STREAMS}
        for path in streams.values():
            path.touch()
        streams["stdin"].write_text(stdin, encoding="utf-8", errors="surrogateescape")
        process = PROCESSES.Process(target=_run, args=(arguments, cwd, streams, {**ENVIRONMENT, **env}))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, PATIENCE)
        said = [streams[name].read_text(encoding="utf-8") for name in STREAMS[1:]]
        return subprocess.CompletedProcess(["steward", *arguments], process.exitcode, *said)


def _run(arguments: tuple[str, ...], cwd: Path, streams: Mapping[str, Path], env: Mapping[str, str]) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for number, name in enumerate(STREAMS):
        os.dup2(os.open(streams[name], os.O_RDWR), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the process's own
    sys.argv = ["steward", *arguments]
    from steward.cli.main import main

    main()

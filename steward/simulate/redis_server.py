"""A real redis-server on a free port, configured for a ledger: append-only, no eviction."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

#: Why tests that need it are skipped; empty if it is installed.
MISSING = "" if shutil.which("redis-server") else "redis-server is not installed (apt-get install redis-server)"


class RedisServer:
    """One server process with its files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = ("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", "--databases", "10000")
        self._process = subprocess.Popen(
            [
                str(shutil.which("redis-server")),
                "--port",
                str(self.port),
                "--bind",
                "127.0.0.1",
                "--dir",
                str(self._folder),
                *settings,
            ],
            stdout=subprocess.DEVNULL,
        )
        for _ in range(200):
            try:
                with self._client() as client:
                    client.ping()
            except redis.exceptions.RedisError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("redis-server does not answer")

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def url(self) -> str:
        """The URL of a database that is not yet used."""
        self._used += 1
        return f"redis://127.0.0.1:{self.port}/{self._used}"

    @contextmanager
    def configured(self, **settings: str) -> Iterator[None]:
        """Change settings within ``with``; underscores stand for hyphens."""
        before: dict[str, str] = {}
        with self._client() as client:
            for written, value in settings.items():
                name = written.replace("_", "-")
                before[name] = str(client.config_get(name)[name])
                client.config_set(name, value)
            try:
                yield
            finally:
                for name, known in before.items():
                    client.config_set(name, known)
                # Turning the append-only file on again rewrites it; until that has ended, nothing is durable.
                while any(client.info("persistence")[f"aof_rewrite_{state}"] for state in ("in_progress", "scheduled")):
                    time.sleep(0.01)

    def _client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True, socket_timeout=2)

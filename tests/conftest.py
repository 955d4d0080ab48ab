"""What all tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from hypothesis import settings

from handler.ledger.ledger import Ledger, open_ledger
from steward.simulate.forkserver import PRELOADED, PROCESSES
from steward.simulate.redis_server import MISSING, RedisServer
from tests.share import SHARE

# jsonschema would build 38 grammars of internationalised addresses when it is imported: seconds in each worker, for a
# format that no schema of ours has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# Fewer examples in each run of the suite, which runs often and on four Pythons; `make exhaustive` tries many.
settings.register_profile("suite", max_examples=50, deadline=2000)  # milliseconds; a busy machine is slow
settings.register_profile("exhaustive", max_examples=max(100, round(1000 * SHARE)), deadline=None)
settings.load_profile(os.environ.get("STEWARD_TEST_PROFILE", "suite"))

# Processes that start in a test module import what it imports.
PROCESSES.set_forkserver_preload([*PRELOADED, "hypothesis", "pytest", "pytest_mock"])

pytest_plugins = ["steward.simulate.fixtures"]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A real Redis, shared by the tests of one process; each takes a database of its own."""
    if MISSING:
        pytest.skip(MISSING)
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def fresh_ledger(url: str) -> Iterator[Callable[[], Ledger]]:
    """Empties the ledger, of either kind, each time it is asked for: the one it gave before is gone."""
    made: list[Ledger] = []

    def fresh() -> Ledger:
        for old in made:
            old.close()
        if url.startswith("sqlite"):
            made[:] = [open_ledger("sqlite:///:memory:")]  # a file each time would cost more than what is tested
        else:
            with redis.Redis.from_url(url) as client:
                client.flushdb()
            made[:] = made or [open_ledger(url)]
        return made[0]

    yield fresh
    for old in made:
        old.close()


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty ledger of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: RedisServer = request.getfixturevalue("redis_server")
    return server.url()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what Hypothesis finds examples for: `make exhaustive` runs it with many more."""
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.examples)

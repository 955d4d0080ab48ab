"""How much work the engine does in a storm: looks, swaps and requests for each need, and duplicates a second.

Eight workers, threads with a function each, deliver alerts about 60 dead processes of one cluster, each several times,
to one ledger. Counted are the looks at the cluster, the swaps of its record and the requests. Then eight processes
deliver the same alerts again, which were stated a moment ago: so many a second is what duplicates cost.
``--json`` prints the figures for programs.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.warm import InstantGateway, config, payload
from handler.app import Function
from handler.config.settings import Settings
from handler.ledger.ledger import Ledger
from handler.ledger.store import open_store
from handler.model.observation import Reading
from handler.model.scope import Target
from steward.simulate.redis_server import MISSING, RedisServer

if TYPE_CHECKING:
    from handler.config.config import Config
    from handler.lib.clock import Deadline
    from handler.model.policy import Cluster
    from handler.model.request import Request

CLUSTER = "emr-4zvc5mul"
WORKERS, NEEDS, DELIVERIES, REPEATS = 8, 60, 400, 400


class CountingGateway(InstantGateway):
    """A cluster of which some DataNodes are dead, and restart as soon as they are asked to. Safe for threads."""

    def __init__(self, dead: int, alive: int) -> None:
        super().__init__(dead)
        targets = [Target("HDFS", "DataNode", f"172.20.{n // 250}.{n % 250 + 1}") for n in range(alive)]
        self._alive = tuple(Reading(target, 1, 1, 1, "2024-08-16 14:13:32") for target in targets)
        self._restarted_ips: set[str] = set()
        self._lock = threading.Lock()
        self.looks = 0

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        with self._lock:
            self.looks += 1
            known = set(self._restarted_ips)
        return (
            *(self._restarted[n] if one.target.ip in known else one for n, one in enumerate(self._dead)),
            *self._alive,
        )

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        with self._lock:
            self.requests += 1
            self._restarted_ips.update(target.ip for target in request.scope.targets or ())
            return f"request-{self.requests}"


class CountingStore:
    """A store that counts the swaps of the cluster's record: those that were tried, and those that were won."""

    def __init__(self, url: str) -> None:
        self._store = open_store(url)
        self.tried = self.won = 0

    def swap(self, key: str, *args: Any, **more: Any) -> int:
        version = self._store.swap(key, *args, **more)
        if key == CLUSTER:
            self.tried += 1
            self.won += bool(version)
        return version

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def storm(url: str) -> dict[str, Any]:
    """The counts of one storm on this ledger, and the rate of duplicates after it."""
    gateway = CountingGateway(NEEDS, 3 * NEEDS)
    store = CountingStore(url)
    body = payload(CLUSTER, NEEDS)
    deliveries = [n % NEEDS for n in range(DELIVERIES)]
    random.Random(1).shuffle(deliveries)  # noqa: S311 - an order
    outcomes: Counter[str] = Counter()
    its_config = loose_config()

    def worker(mine: list[int]) -> None:
        function = Function(
            Settings(mode="act"),
            its_config,
            env={},
            ledger=Ledger(store),
            gateway=gateway,
            write=lambda text: None,
        )
        for n in mine:
            answer = function.handle({**body, "alerts": [body["alerts"][n]]}, {"time_limit_in_ms": 60_000})
            outcomes.update(answer["counts"])

    def run(portions: list[list[int]]) -> None:
        threads = [threading.Thread(target=worker, args=(portion,)) for portion in portions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    run([deliveries[n::WORKERS] for n in range(WORKERS)])
    counts = {
        "looks a need": gateway.looks / NEEDS,
        "swaps a need": store.won / NEEDS,
        "swaps lost": store.tried - store.won,
        "requests": gateway.requests,
        "outcomes": dict(outcomes),
    }
    return {**counts, "duplicates a second": duplicates(url, body)}


def duplicates(url: str, body: dict[str, Any]) -> int:
    """How many deliveries a second eight processes answer, of alerts that were stated a moment ago."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(WORKERS + 1)
    workers = [context.Process(target=_repeat, args=(url, body, n, ready)) for n in range(WORKERS)]
    for one in workers:
        one.start()
    ready.wait()
    began = time.perf_counter()
    for one in workers:
        one.join()
    return round(WORKERS * REPEATS / (time.perf_counter() - began))


def _repeat(url: str, body: dict[str, Any], number: int, ready: Any) -> None:
    """One process: its function, warmed up, then its share of the duplicates."""
    function = Function(
        Settings(mode="act"),
        loose_config(),
        env={},
        ledger=Ledger(open_store(url)),
        gateway=CountingGateway(NEEDS, 3 * NEEDS),
        write=lambda text: None,
    )

    def deliver(count: int) -> None:
        for n in range(count):
            function.handle({**body, "alerts": [body["alerts"][(n + number) % NEEDS]]}, {"time_limit_in_ms": 60_000})

    deliver(20)
    ready.wait()
    deliver(REPEATS)


def loose_config() -> Config:
    """Limits that refuse nothing, and a cooldown, so that what was served is watched."""
    loose = config([CLUSTER])
    rules = tuple(replace(rule, limits=replace(rule.limits, cooldown=900.0)) for rule in loose.rules)
    return replace(loose, rules=rules)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    args = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        found["SQLite"] = storm(f"sqlite:///{Path(folder) / 'storm.db'}")
        if MISSING:
            print(MISSING, file=sys.stderr)  # noqa: T201
        else:
            redis = RedisServer(Path(folder))
            redis.start()
            try:
                found["Redis"] = storm(redis.url())
            finally:
                redis.kill()
    if args.json:
        print(json.dumps(found, indent=1))  # noqa: T201
        return
    for name, counts in found.items():
        print(f"{name}: {WORKERS} workers, {NEEDS} needs, {DELIVERIES} deliveries")  # noqa: T201
        for what, count in counts.items():
            print(f"  {what:<20} {count if not isinstance(count, float) else f'{count:.2f}'}")  # noqa: T201


if __name__ == "__main__":
    main()

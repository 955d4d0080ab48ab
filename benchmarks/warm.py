"""The warm figures of docs/figures.md: the time that the function itself takes.

Two payloads are measured from the handler to the gateway and back: one alert, and 1,000 alerts on one cluster. Then the
ledger is measured. The network is left out: the cluster is a gateway in process that answers at once. The figures are
medians of one run, with the fastest tenth in brackets; ``--json`` prints them for programs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handler.app import Function
from handler.config.settings import Settings
from handler.ledger import conclusion
from handler.ledger.ledger import Ledger, open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.model.observation import Reading
from handler.model.operation import State
from handler.model.request import Request
from handler.model.scope import Target
from steward.config.compile import config_of
from steward.simulate.redis_server import MISSING, RedisServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handler.config.config import Config
    from handler.model.policy import Cluster

#: How many payloads are handled before the measured ones.
WARM_UP = 20


def config(clusters: Sequence[str]) -> Config:
    """The rule of the README with limits that refuse nothing, so that the work is measured."""
    return config_of(
        {
            "clusters": {
                name: {"region": "ap-guangzhou", "allow": ["RestartService"], "operations_per_hour": 1_000_000}
                for name in clusters
            },
            "rules": [
                {
                    "name": "restart-dead-process",
                    "when": {
                        "source": ["tcop", "alertmanager"],
                        "status": ["firing"],
                        "component": ["DataNode", "NodeManager"],
                    },
                    "do": {
                        "operation": "RestartService",
                        "cluster": "{cluster}",
                        "scope": {"{service}": {"{component}": ["{ip}"]}},
                        "strategy": {"rolling": True},
                    },
                    "limits": {"max_nodes": 99_999, "max_share": 1, "cooldown": 0},
                }
            ],
            "safety": {"quarantine": {"restarts": 1_000_000}},
        }
    )


class InstantGateway:
    """A cluster of dead DataNodes that restart at once, and of as many healthy ones: more would be a storm."""

    def __init__(self, nodes: int) -> None:
        targets = [Target("HDFS", "DataNode", f"172.16.{n // 250}.{n % 250 + 1}") for n in range(nodes)]
        others = [Target("HDFS", "DataNode", f"172.17.{n // 250}.{n % 250 + 1}") for n in range(nodes)]
        healthy = tuple(Reading(target, 1, 1, 1, "2024-08-16 14:13:32") for target in others)
        self._dead = tuple(Reading(target, 1, 1, 0, "2024-08-16 14:13:32") for target in targets) + healthy
        self._restarted = tuple(Reading(target, 1, 1, 1, "2024-08-16 15:00:00") for target in targets) + healthy
        self._sent: set[str] = set()
        self.requests = 0

    @property
    def clock_skew(self) -> float | None:
        return 0.0

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        return 2

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        return self._restarted if cluster.id in self._sent else self._dead

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        self._sent.add(cluster.id)
        self.requests += 1
        return f"request-{self.requests}"


def payload(cluster: str, alerts: int) -> dict[str, Any]:
    """The body of a call of Alertmanager with alerts about one cluster."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time()))
    return {
        "version": "4",
        "status": "firing",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "alerts": [
            {
                "status": "firing",
                "labels": {
                    "alertname": "DataNodeDown",
                    "cluster_id": cluster,
                    "service": "HDFS",
                    "component": "DataNode",
                    "ip": f"172.16.{n // 250}.{n % 250 + 1}",
                    "severity": "critical",
                },
                "annotations": {"summary": "DataNode down"},
                "startsAt": now,
                "fingerprint": f"{n:016x}",
            }
            for n in range(alerts)
        ],
    }


class SleeplessClock(SystemClock):
    """The machine's clock without sleeping, so that only work is measured, verification included.

    It is moved on between payloads, so that the function's own limit of requests a second delays none of them.
    """

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def sleep(self, seconds: float) -> None:
        pass


class TimedLedger:
    """A ledger that counts the seconds that are spent in it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


@dataclass(frozen=True)
class Served:
    """The milliseconds of one payload, with and without the ledger, and its requests.

    Each time is a median and the fastest tenth. The latter shows what the work takes when nobody else uses the machine.
    """

    whole: tuple[float, float]
    without_ledger: tuple[float, float]
    requests: int


CONTEXT = {"time_limit_in_ms": 60_000, "request_id": "bench"}


def served(alerts: int, runs: int) -> Served:
    """Measure payloads at a warm function with a ledger in memory, each about a new cluster."""
    whole, in_ledger, requests = [], [], []
    clock = SleeplessClock()
    gateway = InstantGateway(alerts)
    ledger = TimedLedger(open_ledger("sqlite:///:memory:"))
    clusters = [f"emr-{number:08d}" for number in range(WARM_UP + runs)]
    function = Function(
        Settings(),
        config(clusters),
        env={},
        clock=clock,
        ledger=cast("Ledger", ledger),
        gateway=gateway,
        write=lambda text: None,
    )
    for cluster in clusters:
        body = payload(cluster, alerts)
        clock.ahead += 1
        ledger.seconds, sent = 0.0, gateway.requests
        start = time.perf_counter()
        function.handle(body, CONTEXT)
        whole.append((time.perf_counter() - start) * 1000)
        in_ledger.append(ledger.seconds * 1000)
        requests.append(gateway.requests - sent)
    rest = [all_of_it - part for all_of_it, part in zip(whole, in_ledger, strict=True)]
    return Served(_measured(whole), _measured(rest), max(requests))


def _measured(taken: list[float]) -> tuple[float, float]:
    """The median and the fastest tenth of the runs after the warm-up."""
    warm = taken[WARM_UP:]
    return statistics.median(warm), statistics.quantiles(warm, n=10)[0]


def _in_words(measured: tuple[float, float], digits: int) -> str:
    median, fastest = (round(one, digits) for one in measured)
    return f"{median} ({fastest})"


def arm_and_settle(url: str, runs: int) -> float:
    """The median milliseconds of arming and settling one operation."""
    ledger = open_ledger(url)
    clock = SystemClock()
    from tests.operations import an_operation

    def once(run: int) -> float:
        now = clock.now()
        operation = an_operation(
            f"op-{os.getpid()}-{run}",
            cluster=f"emr-{run:08d}",
            now=now,
            targets=(f"HDFS/datanode/10.0.{run // 250}.{run % 250}",),
        )
        loaded = ledger.load(operation.cluster)  # the decision reads it in any case
        start = time.perf_counter()
        record = loaded.record.copy()
        record.arm(operation, ())
        ledger.swap(loaded, record)
        ledger.change(
            operation.cluster,
            lambda one: conclusion.settle(one, operation.id, operation.owner, State.ACCEPTED, now, request_id="r"),
        )
        return (time.perf_counter() - start) * 1000

    taken = [once(run) for run in range(runs + 5)]
    ledger.close()
    return statistics.median(taken[5:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    one, thousand = served(1, 400), served(1000, 20)
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        "one alert, handler to gateway and back, ms": _in_words(one.without_ledger, 2),
        "  with its ledger, ms": _in_words(one.whole, 2),
        "  requests": one.requests,
        "1,000 alerts on one cluster, ms": _in_words(thousand.without_ledger, 1),
        "  with their ledger, ms": _in_words(thousand.whole, 1),
        "  requests for them": thousand.requests,
    }
    with tempfile.TemporaryDirectory() as folder:
        figures["arm + settle, SQLite file, ms"] = round(arm_and_settle(f"sqlite:///{folder}/ledger.db", 100), 2)
        if MISSING:
            figures["arm + settle, local Redis, ms"] = MISSING
        else:
            server = RedisServer(Path(folder))
            server.start()
            figures["arm + settle, local Redis, ms"] = round(arm_and_settle(server.url(), 100), 2)
            server.kill()
    if arguments.json:
        json.dump(figures, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    width = max(map(len, figures))
    for name, value in figures.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")


if __name__ == "__main__":
    main()

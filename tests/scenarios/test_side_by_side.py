"""Many clusters in one payload: served at once, not one after the other. Counted, not timed."""

from __future__ import annotations

import threading
from typing import Any

from handler.app import Function
from handler.config.settings import Settings
from handler.ledger.ledger import open_ledger
from handler.lib.clock import Deadline
from handler.model.observation import Reading
from handler.model.policy import Cluster
from handler.model.request import Request
from handler.model.scope import Target
from harness.clock import VirtualClock
from steward.chaos.workload import restarting

CLUSTERS = [f"emr-{number:08d}" for number in range(20)]


class Meeting:
    """A gateway that answers nobody before all clusters ask: served one by one, the first would wait for ever."""

    def __init__(self) -> None:
        self._looks = threading.Barrier(2 * len(CLUSTERS))  # each cluster's status and its one service
        self._sends = threading.Barrier(len(CLUSTERS))
        self._restarted: set[str] = set()

    @property
    def clock_skew(self) -> float | None:
        return 0.0

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        self._looks.wait(20)
        return 2

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        if cluster.id in self._restarted:
            return (Reading(Target("HDFS", "DataNode", "10.0.0.1"), 1, 1, 1, "2024-08-16 15:00:00"),)
        self._looks.wait(20)
        return (Reading(Target("HDFS", "DataNode", "10.0.0.1"), 1, 1, 0, "2024-08-16 14:13:32"),)

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        self._sends.wait(20)
        self._restarted.add(cluster.id)
        return f"request-{cluster.id}"


def test_twenty_clusters_take_about_as_long_as_one() -> None:
    """All twenty are looked at together, and their requests are under way together."""
    clock = VirtualClock()
    config = restarting(CLUSTERS, limits={})
    alerts: list[dict[str, Any]] = [
        {
            "status": "firing",
            "labels": {"alertname": "Down", "cluster_id": name, "component": "DataNode", "ip": "10.0.0.1"},
            "annotations": {},
            "startsAt": "2025-06-02T02:59:00Z",
            "fingerprint": name,
        }
        for name in CLUSTERS
    ]
    function = Function(
        Settings(),
        config,
        env={},
        clock=clock,
        ledger=open_ledger("sqlite:///:memory:"),
        gateway=Meeting(),
        write=lambda text: None,
    )
    payload = {"version": "4", "status": "firing", "groupKey": "{}", "truncatedAlerts": 0, "alerts": alerts}
    answer = function.handle(payload, {"time_limit_in_ms": 60_000})
    assert answer["counts"] == {"done": 20}

"""Ten alerts at ten cold instances, each a process of its own, at once; and the recovery that follows."""

from __future__ import annotations

import json
import time
from typing import Any

from handler.app import Function
from handler.cloud.account import Endpoint
from handler.config.config import Config
from handler.config.settings import Settings
from handler.ledger.ledger import open_ledger
from handler.lib.clock import SystemClock
from handler.model.operation import State
from harness.clock import VirtualClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.server import CloudServer
from steward.chaos.workload import alertmanager, restarting
from steward.simulate.forkserver import PROCESSES
from steward.simulate.platform import timer_event

CLUSTER = "emr-00000000"
NODES = [f"10.0.0.{node + 1}" for node in range(20)]
DEAD = NODES[:10]
#: 20 % of 20.
MOST = 4


def config() -> Config:
    limits = {"max_nodes": 20, "max_share": 0.2, "cooldown": "15m"}
    return restarting([CLUSTER], limits=limits, operations_per_hour=100)


def instance(url: str, endpoint: str, clock: Any, write: Any) -> Function:
    """A function that has served nothing yet."""
    return Function(
        Settings(endpoint=Endpoint.parse(endpoint)),
        config(),
        env={"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},
        clock=clock,
        ledger=open_ledger(url),
        write=write,
    )


def _serve(url: str, endpoint: str, began: float, ip: str, together: Any, said: Any) -> None:
    """One instance's life: an alert, and what was logged of it, as it is logged."""

    def write(text: str) -> None:
        for line in text.splitlines():
            row = json.loads(line)
            if row["event"] in ("steward.request", "steward.outcome", "steward.alarm"):
                said.put((ip, row["event"], row.get("code", "")))

    function = instance(url, endpoint, SystemClock(), write)
    together.wait()
    function.handle(alertmanager(CLUSTER, ip, began), {"time_limit_in_ms": 6_000})


def come_up(cloud: Cloud) -> None:
    """Those that were restarted are well again."""
    for target in {target for one in cloud.operations for target in one.targets}:
        target.recover()


def test_a_fifth_at_a_time_whoever_comes_and_all_in_the_end(url: str) -> None:
    """20 DataNodes, 10 dead, a share of 20 %: at most 4 at a time, whoever comes; then the follow-up alone brings all back."""
    clock = VirtualClock(time.time())
    began = clock.now()
    cloud = Cloud(clock, transition_seconds=0.0)
    cloud.add_cluster(CLUSTER, {"HDFS": {"DataNode": NODES}})
    for ip in DEAD:
        cloud.process(CLUSTER, "DataNode", ip).kill()
        cloud.process(CLUSTER, "DataNode", ip).refuse_to_recover()  # restarted at once, and up when the test says so
    with CloudServer(cloud, signed_by=SystemClock()) as server:
        together, said = PROCESSES.Barrier(len(DEAD)), PROCESSES.Queue()
        processes = [PROCESSES.Process(target=_serve, args=(url, server.url, began, ip, together, said)) for ip in DEAD]
        for process in processes:
            process.start()
        rows: list[tuple[str, str, str]] = []
        while sum(event == "steward.outcome" for _, event, _ in rows) < len(DEAD):
            rows.append(said.get(timeout=60))
        for process in processes:
            process.join(60)
            assert process.exitcode == 0
        assert sum(event == "steward.outcome" for _, event, _ in rows) == len(DEAD)
        assert 0 < sum(len(one.targets) for one in cloud.operations) <= MOST
        assert not [code for _, event, code in rows if event == "steward.alarm"]

        # Recovery: nobody repeats anything.
        follower = instance(url, server.url, clock, lambda text: None)
        for _ in range(30):
            come_up(cloud)
            clock.advance(60)
            follower.handle(timer_event("follow-up", "steward:follow-up", clock.now()), {"time_limit_in_ms": 3000})
            record = follower.ledger.load(CLUSTER).record
            assert sum(len(one.parts) for one in record.open_operations()) <= MOST
        restarted = [target.ip for one in cloud.operations for target in one.targets]
        assert sorted(restarted) == sorted(DEAD)
        assert all(cloud.process(CLUSTER, "DataNode", ip).is_running for ip in NODES)
        assert {one.state for one in record.operations.values()} == {State.VERIFIED}
        follower.ledger.close()

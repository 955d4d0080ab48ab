"""What an operation does to its processes, and when it shows."""

from __future__ import annotations

import pytest

from harness.clock import START, VirtualClock
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.state.process import local_time
from harness.fake_cloud.state.workflow import Strategy
from tests.harness.fake_cloud.state.acts import CLUSTER, DATA_NODES, ONE, act, healths


def test_a_restart_takes_its_time(cloud: Cloud, clock: VirtualClock) -> None:
    """The process is down and the cluster busy meanwhile; LastRestartTime is the beginning."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.kill()
    assert (process.service_status, process.health) == (1, 0)
    before = process.last_restart
    clock.advance(10)
    act(cloud, "RestartService", ONE)
    clock.advance(2.9)
    assert (process.health, cloud.cluster(CLUSTER).status) == (0, 8)
    assert process.last_restart == local_time(START + 10) != before
    clock.advance(0.1)
    assert (process.health, cloud.cluster(CLUSTER).status, process.restarts) == (1, 2, 1)
    assert healths(cloud) == [1, 1, 1, 1, 1]


def test_a_restart_asks_for_no_leave(cloud: Cloud, clock: VirtualClock) -> None:
    """A restart starts a process that an operator stopped or put into maintenance."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.stop_by_operator()
    process.put_in_maintenance()
    assert process.is_stopped
    act(cloud, "RestartService", ONE)
    clock.advance(3)
    assert process.is_running
    assert process.in_maintenance


def test_a_rolling_restart_goes_batch_by_batch(cloud: Cloud, clock: VirtualClock) -> None:
    """BatchSize processes are down at a time, with TimeWait between two batches."""
    operation = act(cloud, "RestartService", DATA_NODES, Strategy(rolling=True, batch_size=2, wait_seconds=10))
    seen = []
    for _ in range(5):
        seen.append(healths(cloud))
        clock.advance(3)
        seen.append(healths(cloud))
        clock.advance(10)
    assert seen == [
        [0, 0, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 0, 0, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1],
    ]
    assert operation.finished_at == START + 29
    assert cloud.cluster(CLUSTER).status == 2


def test_a_restart_that_is_not_rolling_takes_all_at_once(cloud: Cloud) -> None:
    """All nodes of the component are down together."""
    act(cloud, "RestartService", DATA_NODES, Strategy(rolling=False, batch_size=1))
    assert healths(cloud) == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("skip", "restarted", "left_out"),
    [(False, [1, 1, 0, 0, 0], 3), (True, [1, 1, 1, 1, 1], 0)],
)
def test_a_failed_batch_blocks_or_is_skipped(
    cloud: Cloud, clock: VirtualClock, skip: bool, restarted: list[int], left_out: int
) -> None:
    """DealOnFail 0 leaves the other batches alone, 1 goes on; then the cluster is free again."""
    broken = cloud.process(CLUSTER, "DataNode", "172.16.0.6")
    broken.refuse_to_recover()
    strategy = Strategy(rolling=True, batch_size=1, wait_seconds=1, skip_failures=skip)
    operation = act(cloud, "RestartService", DATA_NODES, strategy)
    clock.advance(60)
    assert [process.restarts for process in operation.targets] == restarted
    assert operation.failed == [broken]
    assert len(operation.left_out) == left_out
    assert (broken.service_status, broken.health) == (1, 0)
    assert cloud.cluster(CLUSTER).status == 2


def test_a_stop_shows_what_was_asked_before_it_is_so(cloud: Cloud, clock: VirtualClock) -> None:
    """ServiceStatus is 2 at once, health falls when the process ends; LastRestartTime stays."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    before = process.last_restart
    act(cloud, "StopService", ONE)
    assert (process.service_status, process.health, cloud.cluster(CLUSTER).status) == (2, 1, 10)
    clock.advance(3)
    assert (process.service_status, process.health, cloud.cluster(CLUSTER).status) == (2, -4, 2), (
        "what is stopped is not checked"
    )
    assert process.last_restart == before


def test_a_start_leaves_alone_what_runs(cloud: Cloud, clock: VirtualClock) -> None:
    """Only what is down is started."""
    down = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    down.stop_by_operator()
    act(cloud, "StartService", DATA_NODES)
    assert (down.service_status, down.health, cloud.cluster(CLUSTER).status) == (1, 0, 12)
    clock.advance(3)
    assert healths(cloud) == [1, 1, 1, 1, 1]
    assert [process.restarts for process in cloud.cluster(CLUSTER).processes(component="DataNode")] == [1, 0, 0, 0, 0]


def test_stop_monitor_enters_maintenance_and_start_monitor_leaves_it(cloud: Cloud, clock: VirtualClock) -> None:
    """As the Chinese page has it (进入维护 / 退出维护); the process itself runs on."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    act(cloud, "StopMonitor", ONE)
    assert (process.monitor_status, cloud.cluster(CLUSTER).status) == (1, 9)
    clock.advance(3)
    assert (process.monitor_status, process.health) == (2, -4)
    act(cloud, "StartMonitor", ONE)
    assert (process.monitor_status, cloud.cluster(CLUSTER).status) == (2, 11)
    clock.advance(3)
    assert (process.monitor_status, process.health) == (1, 1)

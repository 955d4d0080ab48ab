"""One process on a virtual clock: what it shows, and what tests and the daemon do to it."""

from __future__ import annotations

import pytest

from harness.clock import START, VirtualClock
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.state.process import local_time
from tests.harness.fake_cloud.state.acts import CLUSTER, ONE, act


@pytest.mark.parametrize("health", [0, -2, -3, -4, 1])
def test_any_health_can_be_reported(cloud: Cloud, health: int) -> None:
    """A test sets each of the documented health codes."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.report(health)
    assert process.health == health


def test_an_unknown_health_is_refused(cloud: Cloud) -> None:
    """A code that the API does not have is a mistake in the test."""
    with pytest.raises(ValueError, match="7 is not one of"):
        cloud.process(CLUSTER, "DataNode", "172.16.0.5").report(7)


def test_a_process_that_is_never_probed_stays_so(cloud: Cloud, clock: VirtualClock) -> None:
    """It shows -4 before a restart and after it."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.never_probed()
    assert process.health == -4
    act(cloud, "RestartService", ONE)
    clock.advance(3)
    assert process.health == -4


def test_a_process_may_come_back_by_itself(cloud: Cloud) -> None:
    """It recovers without a restart: it is healthy, and LastRestartTime is unchanged."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    before = process.last_restart
    process.kill()
    process.recover()
    assert (process.is_running, process.last_restart) == (True, before)


def test_a_process_describes_its_state(cloud: Cloud) -> None:
    """A failed assertion shows which process it is and in what state."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.kill()
    assert repr(process) == "<HDFS/DataNode@172.16.0.5 ServiceStatus 1, MonitorStatus 1, health 0, 0 restarts>"


def test_a_fixed_process_starts_again(cloud: Cloud, clock: VirtualClock) -> None:
    """A process that refused to come up comes up once it is fixed."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.refuse_to_recover()
    act(cloud, "RestartService", ONE)
    clock.advance(3)
    assert not process.is_running
    process.refuse_to_recover(False)
    act(cloud, "StartService", ONE)
    clock.advance(3)
    assert process.is_running


def test_a_restart_may_help_only_for_a_while(cloud: Cloud, clock: VirtualClock) -> None:
    """A process can be made to die after each start; a later start cancels an earlier death."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.die_after_start(60)
    act(cloud, "RestartService", ONE)
    clock.advance(3 + 30)
    act(cloud, "RestartService", ONE)
    clock.advance(3 + 59)
    assert process.is_running
    clock.advance(1)
    assert (process.service_status, process.health) == (1, 0)


def test_a_machine_that_is_down_has_processes_of_unknown_health(cloud: Cloud, clock: VirtualClock) -> None:
    """-2 for all of them, and no restart helps, until the machine is back and something starts them."""
    cluster, process = cloud.cluster(CLUSTER), cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    cluster.take_node_down("172.16.0.5")
    others = [one.health for one in cluster.processes(component="DataNode") if one is not process]
    assert (process.health, process.is_running, others) == (-2, False, [1, 1, 1, 1])
    act(cloud, "RestartService", ONE)
    clock.advance(3)
    assert not process.is_running
    cluster.bring_node_up("172.16.0.5")
    assert process.health == 0
    act(cloud, "RestartService", ONE)
    clock.advance(3)
    assert process.health == 1


def test_maintenance_hides_health(cloud: Cloud) -> None:
    """-4 while it lasts, whatever the process does; afterwards its health is shown again."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.put_in_maintenance()
    assert process.health == -4
    process.kill()
    assert process.health == -4
    process.take_out_of_maintenance()
    assert process.health == 0


@pytest.mark.parametrize(
    ("seconds", "prepare", "at_first", "expected"),
    [
        (None, "", 0, 0),
        (20, "", 0, 1),
        (20, "put_in_maintenance", -4, -4),
        (20, "stop_by_operator", -4, -4),
        (20, "refuse_to_recover", 0, 0),
    ],
)
def test_the_daemon_restarts_what_should_run(
    cloud: Cloud, clock: VirtualClock, seconds: float | None, prepare: str, at_first: int, expected: int
) -> None:
    """A dead process comes back by itself, unless it is in maintenance, stopped or broken."""
    cloud.cluster(CLUSTER).daemon_seconds = seconds
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    if prepare:
        getattr(process, prepare)()
    process.kill()
    clock.advance(19)
    assert process.health == at_first
    clock.advance(1)
    assert process.health == expected


def test_the_daemon_leaves_alone_what_came_back_before_it(cloud: Cloud, clock: VirtualClock) -> None:
    """Its wait is for one death: a restart meanwhile ends it, and a later death begins another."""
    cloud.cluster(CLUSTER).daemon_seconds = 20
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.kill()
    act(cloud, "RestartService", ONE)
    clock.advance(15)
    process.kill()
    clock.advance(19)
    assert (process.health, process.restarts) == (0, 1)
    clock.advance(1)
    assert (process.health, process.restarts) == (1, 2)


def test_the_daemon_looks_again_when_maintenance_ends(cloud: Cloud, clock: VirtualClock) -> None:
    """A process that died in maintenance is restarted some time after it has ended."""
    cloud.cluster(CLUSTER).daemon_seconds = 20
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.put_in_maintenance()
    process.kill()
    clock.advance(100)
    process.take_out_of_maintenance()
    clock.advance(20)
    assert process.is_running
    assert process.last_restart == local_time(START + 120)

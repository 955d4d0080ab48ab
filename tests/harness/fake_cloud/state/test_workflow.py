"""The fake cloud's state on a virtual clock: what an operation does, and when it shows."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.clock import START, VirtualClock
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS, NIGHTLY, demo_cloud
from harness.fake_cloud.errors import ApiError
from harness.fake_cloud.state.process import local_time
from harness.fake_cloud.state.timeline import Timeline
from harness.fake_cloud.state.workflow import Operation, ScopePart, Strategy

CLUSTER = "emr-4zvc5mul"
NODES = ["172.16.0.5", "172.16.0.6", "172.16.0.7", "172.16.0.8", "172.16.0.9"]
DATA_NODES = [ScopePart("HDFS", "DataNode")]
ONE = [ScopePart("HDFS", "DataNode", ("172.16.0.5",))]
REGION = "ap-guangzhou"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def cloud(clock: VirtualClock) -> Cloud:
    cloud = Cloud(clock, transition_seconds=3)
    cloud.add_cluster(
        CLUSTER,
        {
            "HDFS": {"NameNode": ["172.16.0.2", "172.16.0.3"], "DataNode": NODES},
            "YARN": {"ResourceManager": ["172.16.0.2", "172.16.0.3"], "NodeManager": NODES},
        },
    )
    return cloud


def refused(code: str) -> pytest.RaisesExc[ApiError]:
    """Expects an error of the API with exactly this code."""
    return pytest.raises(ApiError, check=lambda error: error.code == code)


def act(cloud: Cloud, op_type: str, scope: list[ScopePart], strategy: Strategy | None = None) -> Operation:
    return cloud.start_stop(CLUSTER, op_type, scope, strategy, region=REGION)


def healths(cloud: Cloud, component: str = "DataNode") -> list[int]:
    return [process.health for process in cloud.cluster(CLUSTER).processes(component=component)]


# -- restart


def test_a_restart_takes_its_time(cloud: Cloud, clock: VirtualClock) -> None:
    """The process is down and the cluster busy until the time is up; LastRestartTime is when it was restarted."""
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
    """Restarting a process that an operator stopped, or put into maintenance, starts it all the same."""
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
    """DealOnFail 0 leaves the rest of the batches alone, 1 goes on; either way the cluster is free again."""
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


def test_a_mended_process_starts_again(cloud: Cloud, clock: VirtualClock) -> None:
    """A process that refused to come up comes up once it is mended."""
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
    """A process can be made to die some time after each start; the death planned by an earlier start is off."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.die_after_start(60)
    act(cloud, "RestartService", ONE)
    clock.advance(3 + 30)
    act(cloud, "RestartService", ONE)
    clock.advance(3 + 59)
    assert process.is_running
    clock.advance(1)
    assert (process.service_status, process.health) == (1, 0)


# -- stop, start, maintenance


def test_a_stop_shows_what_was_asked_before_it_is_so(cloud: Cloud, clock: VirtualClock) -> None:
    """ServiceStatus is 2 at once, the health falls when the process has ended; LastRestartTime stays."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    before = process.last_restart
    act(cloud, "StopService", ONE)
    assert (process.service_status, process.health, cloud.cluster(CLUSTER).status) == (2, 1, 10)
    clock.advance(3)
    assert (process.service_status, process.health, cloud.cluster(CLUSTER).status) == (2, 0, 2)
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
    assert (process.monitor_status, process.health) == (2, 1)
    act(cloud, "StartMonitor", ONE)
    assert (process.monitor_status, cloud.cluster(CLUSTER).status) == (2, 11)
    clock.advance(3)
    assert (process.monitor_status, process.health) == (1, 1)


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


# -- EMR's own daemon


@pytest.mark.parametrize(
    ("seconds", "prepare", "expected"),
    [
        (None, "", 0),
        (20, "", 1),
        (20, "put_in_maintenance", 0),
        (20, "stop_by_operator", 0),
        (20, "refuse_to_recover", 0),
    ],
)
def test_the_daemon_pulls_up_what_should_run(
    cloud: Cloud, clock: VirtualClock, seconds: float | None, prepare: str, expected: int
) -> None:
    """Where it is switched on, a dead process comes back by itself, except in maintenance, stopped or broken."""
    cloud.cluster(CLUSTER).daemon_seconds = seconds
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    if prepare:
        getattr(process, prepare)()
    process.kill()
    clock.advance(19)
    assert process.health == 0
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
    """What died in maintenance is pulled up some time after it has ended."""
    cloud.cluster(CLUSTER).daemon_seconds = 20
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.put_in_maintenance()
    process.kill()
    clock.advance(100)
    process.take_out_of_maintenance()
    clock.advance(20)
    assert process.is_running
    assert process.last_restart == local_time(START + 120)


def test_a_process_may_come_back_by_itself(cloud: Cloud) -> None:
    """It recovers with nobody's help: healthy, LastRestartTime unchanged."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    before = process.last_restart
    process.kill()
    process.recover()
    assert (process.is_running, process.last_restart) == (True, before)


# -- not too kind


def test_the_same_request_twice_acts_twice(cloud: Cloud, clock: VirtualClock) -> None:
    """There is no idempotency: both are carried out, and counted."""
    for _ in range(2):
        act(cloud, "RestartService", ONE)
        clock.advance(3)
    assert cloud.process(CLUSTER, "DataNode", "172.16.0.5").restarts == 2
    assert [operation.names for operation in cloud.operations] == [["HDFS/DataNode@172.16.0.5"]] * 2


def test_a_busy_cluster_refuses(cloud: Cloud, clock: VirtualClock) -> None:
    """A second operation meanwhile is refused and leaves no trace; afterwards it is taken."""
    act(cloud, "RestartService", ONE)
    with refused("ResourceInUse.InstanceInProcess"):
        act(cloud, "StopService", DATA_NODES)
    assert cloud.process(CLUSTER, "DataNode", "172.16.0.6").service_status == 1
    clock.advance(3)
    act(cloud, "StopService", DATA_NODES)
    assert len(cloud.operations) == 2


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (4, "ResourceInUse.InstanceInProcess"),
        (24, "ResourceInUse.InstanceInProcess"),
        (301, "FailedOperation"),
        (302, "FailedOperation"),
        (14, "ResourceNotFound.InstanceNotFound"),
        (34, "ResourceNotFound.InstanceNotFound"),
    ],
)
def test_a_cluster_that_is_not_running_refuses(cloud: Cloud, status: int, code: str) -> None:
    """Another workflow, a failure and a destruction each have their code."""
    cloud.cluster(CLUSTER).status = status
    with refused(code):
        act(cloud, "StartService", ONE)
    assert not cloud.operations


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ([ScopePart("HDFS")], 7),
        ([ScopePart("HDFS", "DataNode")], 5),
        ([ScopePart("HDFS", "DataNode", ("172.16.0.5", "172.16.0.6"))], 2),
        ([ScopePart("HDFS", "DataNode"), ScopePart("HDFS", "DataNode", ("172.16.0.5",))], 5),
        ([ScopePart("HDFS"), ScopePart("YARN", "NodeManager")], 12),
    ],
)
def test_what_a_scope_leaves_out_means_everything(cloud: Cloud, scope: list[ScopePart], expected: int) -> None:
    """No component: all of the service; no address: all of the component; each process once."""
    assert len(act(cloud, "StopService", scope).targets) == expected


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (ScopePart("HIVE"), "InvalidParameter.InvalidServiceName"),
        (ScopePart("hdfs"), "InvalidParameter.InvalidServiceName"),
        (ScopePart("HDFS", "NodeManager"), "ResourceNotFound.ServiceNodeNotFound"),
        (ScopePart("HDFS", "datanode"), "ResourceNotFound.ServiceNodeNotFound"),
        (ScopePart("HDFS", "DataNode", ("172.16.0.2",)), "InvalidParameter.InvalidIpList"),
        (ScopePart("HDFS", "DataNode", ("172.16.0.5", "172.16.0")), "InvalidParameter.InvalidIpList"),
        (ScopePart("HDFS", "DataNode", ("",)), "InvalidParameter.InvalidIpList"),
    ],
)
def test_a_scope_that_is_partly_wrong_does_nothing(cloud: Cloud, part: ScopePart, code: str) -> None:
    """The error has the part's code, and what was right in the scope is not touched either."""
    with refused(code):
        act(cloud, "StopService", [*DATA_NODES, part])
    assert healths(cloud) == [1, 1, 1, 1, 1]
    assert cloud.cluster(CLUSTER).status == 2


@pytest.mark.parametrize("scope", [[ScopePart("YARN", "ResourceManager")], [ScopePart("YARN")]])
def test_the_resource_manager_is_restarted_by_rolling_only(cloud: Cloud, scope: list[ScopePart]) -> None:
    """All at once is refused, also where it is only a part of the scope; rolling is taken."""
    with refused("InvalidParameter.RestartServiceUnsupported"):
        act(cloud, "RestartService", scope, Strategy(rolling=False))
    assert act(cloud, "RestartService", scope, Strategy(rolling=True)).targets


def test_clusters_do_not_block_each_other(clock: VirtualClock) -> None:
    """While one is busy, the other takes its own operation."""
    cloud = demo_cloud(clock)
    cloud.start_stop(ANALYTICS, "StopService", [ScopePart("HIVE")], region="ap-guangzhou")
    cloud.start_stop(NIGHTLY, "StopService", [ScopePart("HBASE")], region="ap-shanghai")
    clock.advance(3)
    assert all(process.is_stopped for process in cloud.cluster(NIGHTLY).processes("HBASE"))
    assert all(process.is_running for process in cloud.cluster(NIGHTLY).processes("HIVE"))


@given(
    steps=st.lists(st.floats(min_value=0.1, max_value=20), max_size=25),
    batch=st.integers(min_value=1, max_value=6),
    wait=st.integers(min_value=0, max_value=8),
)
def test_what_is_seen_does_not_depend_on_how_often_one_looks(steps: list[float], batch: int, wait: int) -> None:
    """Two equal clouds, one looked at after every step and one only at the end, show the same."""

    def cloud_after(looks: bool) -> list[tuple[int, str, int]]:
        clock = VirtualClock()
        cloud = demo_cloud(clock)
        scope = [ScopePart("HDFS", "DataNode")]
        strategy = Strategy(rolling=True, batch_size=batch, wait_seconds=wait)
        operation = cloud.start_stop(ANALYTICS, "RestartService", scope, strategy, region="ap-guangzhou")
        for step in steps:
            clock.advance(step)
            if looks:
                assert sum(process.health == 0 for process in operation.targets) <= batch
        return [(process.health, process.last_restart, process.restarts) for process in operation.targets]

    assert cloud_after(looks=True) == cloud_after(looks=False)


def test_one_of_many_threads_gets_the_cluster(cloud: Cloud) -> None:
    """Of 16 operations at the same moment one is carried out; the others are refused as busy."""
    refused: list[str] = []
    together = threading.Barrier(16)

    def try_it() -> None:
        together.wait()
        try:
            act(cloud, "RestartService", ONE)
        except ApiError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=try_it) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(cloud.operations), len(refused)) == (1, 15)


def test_the_demonstration_is_made_of_two_clusters(clock: VirtualClock) -> None:
    """What the sample events are about is there, healthy and running."""
    cloud = demo_cloud(clock)
    assert [(cluster.id, cluster.name, cluster.region, cluster.services) for cluster in cloud.clusters()] == [
        ("emr-4zvc5mul", "analytics", "ap-guangzhou", ("HDFS", "YARN", "HIVE", "HBASE", "ZOOKEEPER")),
        ("emr-8kd2m1qp", "nightly", "ap-shanghai", ("HBASE", "HIVE")),
    ]
    assert [process.ip for process in cloud.cluster(ANALYTICS).processes("HDFS", "DataNode")] == NODES
    assert all(process.is_running for cluster in cloud.clusters() for process in cluster.processes())


def test_a_change_may_look_at_the_state(clock: VirtualClock) -> None:
    """Looking from within a change sees what was made before it, and makes nothing that comes after it."""
    timeline = Timeline(clock)
    made: list[str] = []

    def look(_: float) -> None:
        with timeline.current():
            made.append(f"seen {made}")

    timeline.at(START + 1, lambda _: made.append("first"))
    timeline.at(START + 2, look)
    timeline.at(START + 3, lambda _: made.append("last"))
    clock.advance(3)
    with timeline.current() as now:
        assert (now, made) == (START + 3, ["first", "seen ['first']", "last"])


def test_a_process_says_how_it_is(cloud: Cloud) -> None:
    """A failed assertion shows which process it is and in what state."""
    process = cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.kill()
    assert repr(process) == "<HDFS/DataNode@172.16.0.5 ServiceStatus 1, MonitorStatus 1, health 0, 0 restarts>"


def test_a_process_that_is_not_there_is_named_with_those_that_are(cloud: Cloud) -> None:
    """A mistyped process in a test says what it could have been."""
    with pytest.raises(KeyError, match=r"DataNode@10\.0\.0\.1.*HDFS/DataNode@172\.16\.0\.5"):
        cloud.process(CLUSTER, "DataNode", "10.0.0.1")


def test_a_destroyed_cluster_is_gone(cloud: Cloud) -> None:
    """After its removal nothing can be asked of it."""
    cloud.remove_cluster(CLUSTER)
    with refused("ResourceNotFound.InstanceNotFound"):
        act(cloud, "StartService", ONE)

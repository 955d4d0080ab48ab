"""What a person must hear of is said, once, whoever dies before saying it; and that it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pytest_mock import MockerFixture

from handler.app import Invocation
from handler.execute import reconcile
from handler.ledger.ledger import Ledger
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import restamp, timer_event
from steward.simulate.world import World
from tests.operations import an_operation, put
from tests.worlds import (
    ACTION,
    CLUSTER,
    DOWN,
    alarms,
    faulty,
    follow_up,
    kill,
    outcomes,
    over,
    process,
    settled,
    states,
)

CONTEXT = {"time_limit_in_ms": 30_000}


class Died(BaseException):
    """The process is no more."""


@contextmanager
def dying(mocker: MockerFixture, owner: object, name: str, *, after: bool = False) -> Iterator[None]:
    """Whoever comes to this step dies at it, or right ``after`` it."""
    real = getattr(owner, name)

    def die(*args: object, **more: object) -> None:
        if after:
            real(*args, **more)
        raise Died

    patched = mocker.patch.object(owner, name, die)
    with pytest.raises(Died):
        yield
    mocker.stop(patched)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", [(reconcile, "send"), (Ledger, "swap"), (Ledger, "append"), (Invocation, "_say")])
@pytest.mark.parametrize(
    "fault", [None, Fault(Kind.RESET_BEFORE_READING, ACTION), Fault(Kind.RESET_AFTER_READING, ACTION)]
)
def test_a_worker_that_dies_at_a_step(
    world: World, mocker: MockerFixture, step: tuple[object, str], after: bool, fault: Fault | None
) -> None:
    """The event comes again, the follow-up looks: one restart in the end, and what was in doubt is told and over."""
    kill(world)
    faulty(world, *([fault] if fault else []))
    event = restamp(sample(DOWN), world.clock.now())
    with dying(mocker, *step, after=after):
        world.function.handle(event, CONTEXT)
    world.function.handle(event, CONTEXT)
    follow_up(world, 20)
    assert world.requests() == 1
    assert process(world).health == 1
    assert {*alarms(world)} <= {"operation.in_doubt"}
    assert over(world) == alarms(world)


@pytest.mark.parametrize("step", [(Ledger, "append"), (Invocation, "_say")])
def test_a_follow_up_that_dies_before_it_says_what_it_decided(
    world: World, mocker: MockerFixture, step: tuple[object, str]
) -> None:
    """It is part of what was decided: the next one says it, once."""
    kill(world)
    process(world).refuse_to_recover()
    world.deliver(sample(DOWN), time_limit_ms=3000)
    world.clock.sleep(700)
    with dying(mocker, *step):
        follow_up(world, 1)
    follow_up(world, 5)
    assert (states(world)[0], alarms(world)) == ("FAILED", ["operation.failed"])


def test_a_worker_that_was_lost_is_told_of_once(world: World) -> None:
    """As soon as it is known; and what is then found to have worked is said to be over."""
    put(world.function.ledger, an_operation("op-lost", now=world.clock.now(), before=process(world).last_restart))
    world.deliver(sample(DOWN))
    assert outcomes(world) == ["pending"]
    follow_up(world, 3)
    assert alarms(world) == ["operation.in_doubt"]
    follow_up(world, 10)
    assert (over(world), settled(world)) == (["operation.in_doubt"], ["skipped"])


def test_quarantine_is_told_once_and_ends_by_a_release(world: World) -> None:
    """Three restarts that did not last; then nothing by itself, until a person releases it."""
    for _ in range(9):
        kill(world)
        world.deliver(sample(DOWN))
        follow_up(world, 16)
    assert (world.requests(), alarms(world)) == (3, ["guard.quarantine"])
    (alarm,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert alarm["where"] == "HDFS DataNode 172.16.0.5 on analytics"
    assert "`steward release HDFS/DataNode/172.16.0.5`" in alarm["fix"]
    now = world.clock.now()
    world.function.ledger.change(CLUSTER, lambda record: record.release("HDFS/datanode/172.16.0.5", now))
    world.deliver(sample(DOWN))
    follow_up(world, 2)
    assert world.requests() == 4


def test_what_each_of_several_rules_came_to_is_said(make_world: MakeWorld) -> None:
    """The event's outcome is the more urgent one; that another cluster refused is an alarm of its own."""
    raw, _ = read_raw("steward.yml")
    restart = {"operation": "RestartService", "scope": {"HIVE": "all"}, "strategy": {"rolling": False}}
    stop = {"operation": "StopService", "scope": {"HBASE": "all"}}
    raw["rules"] = [
        {"name": cluster, "when": {"message": ["evening"]}, "do": {**do, "cluster": cluster}}
        for do, cluster in ((restart, CLUSTER), (stop, "emr-8kd2m1qp"))
    ]
    world = make_world(config_of(raw))
    world.cloud.cluster("emr-8kd2m1qp").status = 23  # isolated
    faulty(world, Fault(Kind.RESET_AFTER_READING, ACTION))
    process(world, "172.16.0.2", "HiveServer2").refuse_to_recover()
    world.deliver(timer_event("timer", "evening", world.clock.now()))
    assert outcomes(world) == ["in_doubt"]
    assert sorted(alarms(world)) == ["guard.cluster_status", "operation.in_doubt"]

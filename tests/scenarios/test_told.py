"""What a person must hear of is said, once, whoever dies before saying it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.errors import LedgerUnavailable
from handler.execute import sending
from handler.execute.follow_up import MESSAGE, FollowUp
from handler.ledger.ledger import open_ledger
from handler.model.operation import State
from handler.report.alarms import Alarms
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import restamp, timer_event
from steward.simulate.world import World
from tests.worlds import ACTION, DOWN, alarms, faulty, kill

CONTEXT = {"time_limit_in_ms": 30_000}


class Died(BaseException):
    """The process is no more."""


@contextmanager
def dying(mocker: MockerFixture, owner: object, name: str) -> Iterator[None]:
    """Whoever comes to this step dies at it."""
    patched = mocker.patch.object(owner, name, side_effect=Died)
    with pytest.raises(Died):
        yield
    mocker.stop(patched)


def follow_up(world: World, times: int = 12, every: float = 60) -> None:
    for _ in range(times):
        world.clock.sleep(every)
        world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), CONTEXT)


def state(world: World) -> State:
    (operation,) = world.function.ledger.operations()
    return operation.state


def test_a_worker_that_dies_once_its_request_is_in_doubt(world: World, mocker: MockerFixture) -> None:
    """The follow-up says it, and what it comes to."""
    kill(world)
    faulty(world, Fault(Kind.RESET_BEFORE_READING, ACTION))
    event = restamp(sample(DOWN), world.clock.now())
    with dying(mocker, sending, "verify"):
        world.function.handle(event, CONTEXT)
    assert (state(world), alarms(world)) == (State.IN_DOUBT, [])
    world.function.handle(event, CONTEXT)
    follow_up(world)
    assert (state(world), world.requests()) == (State.NOT_SENT, 0)
    assert alarms(world) == ["operation.in_doubt", "operation.not_sent"]


def test_a_worker_that_dies_at_arming_and_is_found_late(world: World, mocker: MockerFixture) -> None:
    """Its signature is no longer valid when the first follow-up comes: in doubt and ruled out are one step, and a person hears of it."""
    kill(world)
    with dying(mocker, world.function.ledger, "take"):
        world.function.handle(restamp(sample(DOWN), world.clock.now()), CONTEXT)
    follow_up(world, 3, every=430)
    assert state(world) is State.NOT_SENT
    assert alarms(world) == ["operation.not_sent"]


def test_a_request_that_never_arrived_is_told_of_to_its_end(world: World) -> None:
    """Nobody dies: who was told that it is in doubt is told that it was not carried out."""
    kill(world)
    faulty(world, Fault(Kind.RESET_BEFORE_READING, ACTION))
    world.function.handle(restamp(sample(DOWN), world.clock.now()), CONTEXT)
    follow_up(world)
    assert alarms(world) == ["operation.in_doubt", "operation.not_sent"]
    (line,) = [line for line in world.lines if line.get("code") == "operation.not_sent"]
    assert "the restart was in doubt, and it turned out that it was not carried out" in line["reason"]
    assert "only if the event is sent again" in line["fix"]


def test_a_worker_that_dies_once_it_was_refused(world: World, mocker: MockerFixture) -> None:
    """The sender's repeat tries again, since the right may have been granted; one alarm says that it was not."""
    kill(world)
    faulty(world, *(Fault.api_error("UnauthorizedOperation.CheckCamAuth", ACTION) for _ in range(4)))
    event = restamp(sample(DOWN), world.clock.now())
    with dying(mocker, sending, "_not_carried_out"):
        world.function.handle(event, CONTEXT)
    assert (state(world), alarms(world)) == (State.NOT_SENT, [])
    for _ in range(3):
        world.function.handle(event, CONTEXT)
        world.clock.sleep(120)
    assert alarms(world) == ["api.UnauthorizedOperation.CheckCamAuth"]


@pytest.mark.parametrize("step", [(FollowUp, "_log_end"), (Alarms, "send_unsent")])
def test_a_follow_up_that_dies_at_the_end_of_an_operation(
    world: World, mocker: MockerFixture, step: tuple[object, str]
) -> None:
    """It has said what it then settled."""
    kill(world)
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").refuse_to_recover()
    world.deliver(sample(DOWN), time_limit_ms=3000)
    world.clock.sleep(700)
    with dying(mocker, *step):
        world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), CONTEXT)
    follow_up(world)
    assert (state(world), alarms(world)) == (State.FAILED, ["operation.failed"])


def lost(call: Callable[..., Any]) -> Callable[..., Any]:
    """The store does it, and its answer does not arrive."""

    def lose(*arguments: Any, **more: Any) -> Any:
        call(*arguments, **more)
        raise LedgerUnavailable("Timeout reading from socket")

    return lose


def test_a_breaker_whose_opening_was_not_answered(make_world: MakeWorld, mocker: MockerFixture, url: str) -> None:
    """Whoever is held back by it says so; once, however long the storm is."""
    raw, _ = read_raw("steward.yml")
    raw["safety"] = {"breaker": {"intents": 2, "window": "5m", "close_after": "10m"}}
    world = make_world(config_of(raw), ledger=open_ledger(url))
    event = sample(DOWN)
    (alert,) = event["alerts"]
    event["alerts"] = [
        {**alert, "fingerprint": str(node), "labels": {**alert["labels"], "ip": f"172.16.0.{node}"}}
        for node in (5, 6, 7)
    ]
    event = restamp(event, world.clock.now())
    ledger = world.function.ledger
    patched = mocker.patch.object(ledger, "enter", side_effect=lost(ledger.enter))
    world.deliver(event, fresh=False, retries=0)
    mocker.stop(patched)
    assert alarms(world) == ["ledger.unavailable"]
    for _ in range(3):
        world.clock.sleep(180)
        world.deliver(event, fresh=False)
    assert alarms(world)[1:] == ["guard.breaker"]


def test_a_quarantine_whose_beginning_was_not_answered(world: World, mocker: MockerFixture) -> None:
    """Whoever is held back by it says so; once, until it is over."""
    process = world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5")
    ledger = world.function.ledger
    patched = mocker.patch.object(ledger, "quarantine", side_effect=lost(ledger.quarantine))
    for _ in range(4):
        process.kill()
        world.deliver(sample(DOWN), retries=0)
        world.clock.sleep(16 * 60)
    mocker.stop(patched)
    assert alarms(world) == ["ledger.unavailable"]
    for _ in range(3):
        world.deliver(sample(DOWN))
        world.clock.sleep(16 * 60)
    assert alarms(world)[1:] == ["guard.quarantine"]
    assert world.requests() == 3


def test_what_each_of_several_rules_came_to_is_said(make_world: MakeWorld) -> None:
    """The event's outcome is the more urgent one; that another cluster refused is an alarm of its own."""
    raw, _ = read_raw("steward.yml")
    restart = {"operation": "RestartService", "scope": {"HIVE": "all"}, "strategy": {"rolling": False}}
    stop = {"operation": "StopService", "scope": {"HBASE": "all"}}
    raw["rules"] = [
        {"name": cluster, "when": {"message": ["evening"]}, "do": {**do, "cluster": cluster}}
        for do, cluster in ((restart, "emr-4zvc5mul"), (stop, "emr-8kd2m1qp"))
    ]
    world = make_world(config_of(raw))
    world.cloud.cluster("emr-8kd2m1qp").status = 23  # isolated
    faulty(world, Fault(Kind.RESET_AFTER_READING, ACTION))
    world.cloud.process("emr-4zvc5mul", "HiveServer2", "172.16.0.2").refuse_to_recover()
    world.deliver(timer_event("timer", "evening", world.clock.now()))
    assert [line["outcome"] for line in world.outcomes()] == ["in_doubt"]
    assert sorted(alarms(world)) == ["guard.cluster_status", "operation.in_doubt"]

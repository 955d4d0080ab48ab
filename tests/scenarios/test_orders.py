"""What a timer or a person asks for is carried out, or they are told that it was not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.execute.follow_up import MESSAGE
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World
from tests.worlds import DOWN, alarms, kill, post

CLUSTER = "emr-4zvc5mul"


def order(op_type: str, *nodes: str, **more: Any) -> dict[str, Any]:
    """A direct call about DataNodes."""
    scope = {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode", "IpList": list(nodes)}]}
    return {"InstanceId": CLUSTER, "OpType": op_type, "OpScope": {"ServiceInfoList": [scope]}, **more}


@pytest.fixture
def restarting(world: World) -> World:
    """An alert's restart of the DataNode on 172.16.0.5 is accepted, and not seen to work for as long as it does not recover."""
    process = world.cloud.process(CLUSTER, "DataNode", "172.16.0.5")
    process.kill()
    process.refuse_to_recover()
    world.deliver(sample(DOWN), time_limit_ms=2500)
    world.clock.sleep(10)
    assert [operation.state.value for operation in world.function.ledger.operations()] == ["ACCEPTED"]
    return world


def finish(world: World, minutes: int = 15) -> None:
    """The follow-up comes each minute."""
    for _ in range(minutes):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))


def stopped(world: World) -> set[str]:
    """Where DataNodes are stopped."""
    found = (world.cloud.process(CLUSTER, "DataNode", f"172.16.0.{node}") for node in range(5, 10))
    return {process.ip for process in found if process.is_stopped}


def test_an_order_waits_for_what_is_under_way(restarting: World) -> None:
    """Its sender is asked to repeat it, and the repeat is carried out when the other is over."""
    call = order("StopService", "172.16.0.5", Id="stop-5")
    assert post(restarting, call)["statusCode"] == 503
    finish(restarting)
    assert post(restarting, call)["statusCode"] == 200
    assert stopped(restarting) == {"172.16.0.5"}


def test_a_timers_order_that_has_to_wait_is_delivered_again(restarting: World) -> None:
    """As a person's."""
    timer = timer_event("nightly", json.dumps(order("StopService", "172.16.0.5")), restarting.clock.now())
    assert "RetryLater" in restarting.deliver(timer, fresh=False, retries=0).error


def test_a_timer_that_never_gets_its_turn_is_a_persons_matter(restarting: World) -> None:
    """At its last delivery, since nobody delivers it again; once."""
    timer = timer_event("nightly", json.dumps(order("StopService", "172.16.0.5")), restarting.clock.now())
    restarting.deliver(timer, fresh=False, retries=1)
    assert alarms(restarting) == []
    restarting.clock.sleep(60)
    for _ in range(2):
        restarting.deliver(timer, fresh=False, retries=0)
    assert alarms(restarting) == ["timer.not_done"]
    (line,) = [line for line in restarting.lines if line["event"] == "steward.alarm"]
    assert (line["about"], line["held_by"]) == ("nightly", "once.under_operation")
    assert line["where"] == "Timer nightly on analytics"


def test_a_timer_that_is_put_off_for_good_is_a_persons_matter(make_world: MakeWorld) -> None:
    """A freeze that somebody forgot: nothing repeats a timer that did not raise."""
    raw, _ = read_raw("steward.yml")
    freeze = {"from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z", "reason": "the year's end"}
    raw["safety"] = {"freezes": [freeze]}
    world = make_world(config_of(raw))
    world.deliver(timer_event("nightly", json.dumps(order("StopService", "172.16.0.5")), world.clock.now()))
    world.deliver(sample(DOWN))
    assert [line["outcome"] for line in world.outcomes()] == ["deferred"] * 2
    assert alarms(world) == ["timer.not_done"]


def test_the_part_of_an_order_that_has_to_wait_is_served_by_its_repeat(restarting: World) -> None:
    """What could be done is done; what could not is said, and done by the repeat."""
    call = order("StopService", "172.16.0.5", "172.16.0.6", Id="stop-both")
    assert post(restarting, call)["statusCode"] == 503
    restarting.clock.sleep(10)
    assert stopped(restarting) == {"172.16.0.6"}
    finish(restarting)
    assert post(restarting, call)["statusCode"] == 200
    assert stopped(restarting) == {"172.16.0.5", "172.16.0.6"}


def test_an_order_says_what_it_left_out(world: World) -> None:
    """A process in maintenance is people's, and the person who asked for its restart is told so."""
    world.deliver(order("StopMonitor", "172.16.0.5", Id="hands-on"))
    call = order("RestartService", "172.16.0.5", "172.16.0.6", Id="both", StrategyConfig={"RollingRestartSwitch": 0})
    answer = json.loads(post(world, call)["body"])
    (outcome,) = answer["outcomes"]
    assert outcome["outcome"] == "done"
    assert "in part: HDFS/DataNode/172.16.0.5 is in maintenance" in outcome["reason"]


def test_calls_without_a_name_that_ask_for_different_things_hold_nothing_back(world: World) -> None:
    """A start soon after a stop is another wish; so is a person's restart soon after an alert's."""
    for op_type in ("StopService", "StartService"):
        assert post(world, order(op_type, "172.16.0.6"))["statusCode"] == 200
        world.clock.sleep(60)
    kill(world)
    world.deliver(sample(DOWN))
    call = order("RestartService", "172.16.0.5", StrategyConfig={"RollingRestartSwitch": 0})
    assert post(world, call)["statusCode"] == 200
    assert world.requests() == 4


def unnamed() -> dict[str, Any]:
    return {key: value for key, value in sample("request-restart-hive").items() if key != "Id"}


@pytest.mark.parametrize(("seconds", "requests"), [(0, 1), (30, 1), (500, 1), (700, 2)])
@pytest.mark.parametrize("before_the_turn", [5, 400])
def test_a_call_without_a_name_is_a_retry_soon_after_and_a_new_wish_later(
    world: World, seconds: float, requests: int, before_the_turn: float
) -> None:
    """The nightly restart of a pipeline is not the one of last night; a retry across a period's turn sends nothing."""
    world.clock.sleep(600 - world.clock.now() % 600 - before_the_turn)
    world.deliver(unnamed())
    world.clock.sleep(seconds)
    world.deliver(unnamed())
    assert world.requests() == requests


def test_a_callers_own_name_is_a_name_however_it_begins(world: World) -> None:
    """What is called `digest:…` by its caller comes under that name once, whenever it comes."""
    call = {**unnamed(), "Id": "digest:of-our-own"}
    world.deliver(call)
    world.clock.sleep(700)
    world.deliver(call)
    assert world.requests() == 1

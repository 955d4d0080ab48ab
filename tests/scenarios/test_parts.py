"""An occurrence that asks for more than may go at a time: what is left of it is served by its repeats, each process once."""

from __future__ import annotations

from typing import Any

import pytest

from handler.cloud.client import CloudApi
from handler.config.config import Config
from handler.ledger.protocol import open_ledger
from handler.model.operation import State
from harness.clock import VirtualClock
from harness.faults import Fault
from steward.config.compile import config_of
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import restamp, timer_event
from steward.simulate.world import World, in_process

CLUSTER = "emr-4zvc5mul"
NODES = [f"172.16.0.{node}" for node in range(5, 10)]


def config(when: dict[str, Any], limits: dict[str, Any], *, nodes: Any = "all", **safety: Any) -> Config:
    """One rule: whoever rings, the DataNodes on ``nodes`` are restarted, within ``limits``."""
    cluster = {"region": "ap-guangzhou", "allow": ["RestartService"], "operations_per_hour": 100}
    restart = {
        "operation": "RestartService",
        "cluster": CLUSTER,
        "scope": {"HDFS": {"DataNode": nodes}},
        "strategy": {"rolling": False},
    }
    rule = {"name": "restart-all", "when": when, "do": restart, "limits": limits}
    return config_of({"clusters": {CLUSTER: cluster}, "rules": [rule], "safety": safety})


def restarted(world: World) -> list[list[str]]:
    """The addresses of each request."""
    return [[target.ip for target in operation.targets] for operation in world.cloud.operations]


def codes(world: World) -> list[str]:
    return [line["code"] for line in world.outcomes()]


@pytest.fixture
def dying(make_world: MakeWorld, url: str) -> World:
    """Every DataNode is dead, and one may be restarted at a time."""
    world = make_world(config({"status": ["firing"]}, {"max_nodes": 1, "max_share": 1}), ledger=open_ledger(url))
    for ip in NODES:
        world.cloud.process(CLUSTER, "DataNode", ip).kill()
    return world


def test_what_a_limit_left_of_an_alert_is_served_by_its_repeats(dying: World) -> None:
    """One process each time, until all were; from then on a repeat is told so, and starts nothing."""
    alert = restamp(sample("alertmanager-datanode-down"), dying.clock.now())
    for _ in range(7):
        dying.deliver(alert, fresh=False)
        dying.clock.sleep(30)
    assert restarted(dying) == [[ip] for ip in NODES]
    assert [line["outcome"] for line in dying.outcomes()] == ["deferred"] * 4 + ["done"] + ["skipped"] * 2
    assert codes(dying)[-2:] == ["once.served"] * 2


def test_while_a_part_is_open_the_rest_waits(dying: World) -> None:
    """In progress, as any operation."""
    dying.cloud.process(CLUSTER, "DataNode", NODES[0]).refuse_to_recover()
    alert = restamp(sample("alertmanager-datanode-down"), dying.clock.now())
    for _ in range(3):
        dying.deliver(alert, fresh=False, time_limit_ms=3000)
    assert restarted(dying) == [NODES[:1]]
    assert codes(dying)[1:] == ["once.accepted"] * 2


def test_a_part_that_was_not_sent_hides_nothing_that_was(dying: World) -> None:
    """A repeat whose own request never left knows still what the ones before it did."""
    adapter = in_process(dying.cloud)
    dying.function._api = CloudApi(lambda: adapter)
    alert = restamp(sample("alertmanager-datanode-down"), dying.clock.now())
    dying.deliver(alert, fresh=False)
    adapter.faults.add(Fault.api_error("ResourceInUse.InstanceInProcess", "StartStopServiceOrMonitor"))
    dying.deliver(alert, fresh=False, retries=0)
    assert dying.function.ledger.operations()[0].state is State.NOT_SENT
    for _ in range(6):
        dying.deliver(alert, fresh=False)
    assert restarted(dying) == [[ip] for ip in NODES]


def test_what_the_api_refused_is_not_asked_again(dying: World) -> None:
    """In parts or not: a refusal stands."""
    adapter = in_process(dying.cloud)
    dying.function._api = CloudApi(lambda: adapter)
    adapter.faults.add(*[Fault.api_error("InvalidParameter.InvalidIpList", "StartStopServiceOrMonitor")] * 3)
    alert = restamp(sample("alertmanager-datanode-down"), dying.clock.now())
    for _ in range(3):
        dying.deliver(alert, fresh=False)
    assert restarted(dying) == []
    assert len(adapter.faults.met) == 1


def test_an_order_that_comes_again_restarts_no_process_twice(make_world: MakeWorld, url: str) -> None:
    """Neither its health nor a cooldown holds an order back: that it had its part does."""
    world = make_world(config({"source": ["timer"]}, {"max_nodes": 2, "cooldown": 0}), ledger=open_ledger(url))
    order = timer_event("nightly", "restart", world.clock.now())
    for _ in range(5):
        world.deliver(order, fresh=False)
    assert restarted(world) == [NODES[:2], NODES[2:4], NODES[4:]]
    assert codes(world)[-2:] == ["once.served"] * 2
    world.clock.sleep(60)
    world.deliver(timer_event("nightly", "restart", world.clock.now()), fresh=False)
    assert restarted(world)[3:] == [NODES[:2]]


def test_a_repeat_of_what_was_served_in_parts_needs_no_look(make_world: MakeWorld, url: str) -> None:
    """Where the rule names each process, the ledger alone says that all of them had their part."""
    world = make_world(
        config({"source": ["timer"]}, {"max_nodes": 3, "cooldown": 0}, nodes=NODES), ledger=open_ledger(url)
    )
    order = timer_event("nightly", "restart", world.clock.now())
    for _ in range(2):
        world.deliver(order, fresh=False)
    assert restarted(world) == [NODES[:3], NODES[3:]]
    asked = len(world.cloud.requests)
    world.deliver(order, fresh=False)
    assert codes(world)[-1] == "once.served"
    assert len(world.cloud.requests) == asked


@pytest.mark.parametrize("ahead", [50, -50])
def test_an_order_in_parts_is_served_once_by_clocks_that_differ(make_world: MakeWorld, url: str, ahead: float) -> None:
    """Whoever armed the first part has a clock of its own."""
    world = make_world(config({"source": ["timer"]}, {"max_nodes": 2, "cooldown": 0}), ledger=open_ledger(url))
    order = timer_event("nightly", "restart", world.clock.now())
    assert isinstance(world.clock, VirtualClock)
    world.clock.leap(ahead)
    world.deliver(order, fresh=False)
    world.clock.leap(-ahead)
    for _ in range(4):
        world.deliver(order, fresh=False)
    assert restarted(world) == [NODES[:2], NODES[2:4], NODES[4:]]
    assert codes(world)[-2:] == ["once.served"] * 2

"""A clock that is wrong: nothing is sent, concluded or forgotten with it, and a person is notified."""

from __future__ import annotations

import json

import pytest

from handler.cloud.client import CloudApi
from handler.lib.clock import SystemClock
from handler.lib.in_flight import note_sent
from harness.clock import VirtualClock
from harness.fake_cloud.adapter import CloudAdapter
from steward.simulate.fixtures import sample
from steward.simulate.world import World
from tests.worlds import CLUSTER, DOWN, alarms, follow_up, kill, over, process, record, settled, states

MONTH = 31 * 86_400.0


class Shifted(SystemClock):
    """The API's clock, ``ahead`` seconds from this machine's."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead

    def now(self) -> float:
        return super().now() + self._ahead


def answered_by(world: World, ahead: float) -> None:
    """From now on the API's clock is ``ahead`` seconds from ours."""
    world.function._api = CloudApi(lambda: CloudAdapter(world.cloud, signed_by=Shifted(ahead), on_send=note_sent))


@pytest.mark.parametrize("ahead", [-200, -70, 70, 200])
def test_nothing_is_sent_with_a_clock_that_the_api_contradicts(world: World, ahead: float) -> None:
    """The signature would still be accepted; cooldowns and ages would be wrong."""
    kill(world)
    answered_by(world, ahead)
    world.deliver(sample(DOWN), retries=0)
    assert world.requests() == 0
    assert {line["code"] for line in world.outcomes()} == {"clock.skew"}
    assert "clock.skew" in alarms(world)
    answered_by(world, 0)
    follow_up(world)
    assert world.requests() == 1
    assert over(world) == ["clock.skew"]


@pytest.mark.parametrize("ahead", [-30, 0, 30])
def test_clocks_may_differ_by_some_seconds(world: World, ahead: float) -> None:
    """No two machines agree to the second."""
    kill(world)
    answered_by(world, ahead)
    world.deliver(sample(DOWN))
    assert world.requests() == 1


@pytest.mark.parametrize("ahead", [-MONTH, -200.0])
def test_a_follow_up_with_a_wrong_clock_forgets_and_sends_nothing(world: World, ahead: float) -> None:
    """One round of a machine that is a month ahead would else expire what waits and empty the ledger that all share."""
    kill(world)
    world.deliver(sample(DOWN))
    kill(world, "172.16.0.6")
    world.cloud.cluster(CLUSTER).status = 4
    world.deliver(json.loads(json.dumps(sample(DOWN)).replace("172.16.0.5", "172.16.0.6")))
    world.cloud.cluster(CLUSTER).status = 2
    before, lines = record(world), len(world.function.ledger.lines())
    assert isinstance(world.clock, VirtualClock)
    world.clock.leap(-ahead)
    answered_by(world, ahead)
    follow_up(world, 2)
    after = record(world)
    assert (after.operations, after.intents.keys()) == (before.operations, before.intents.keys())
    assert len(world.function.ledger.lines()) == lines
    assert (world.requests(), alarms(world), settled(world)) == (1, ["clock.skew"], [])
    world.clock.leap(ahead)
    answered_by(world, 0)
    follow_up(world, 2)
    assert (world.requests(), over(world), settled(world)) == (2, ["clock.skew"], ["done"])


def test_what_is_old_is_forgotten_by_a_clock_that_the_api_confirms(world: World) -> None:
    """Its history a month later, its place in the record a day later."""
    kill(world)
    world.deliver(sample(DOWN))
    world.clock.sleep(MONTH)
    world.cloud.cluster(CLUSTER).status = 4
    world.deliver(sample(DOWN))
    follow_up(world, 1)
    assert states(world) == []
    assert [line.at >= world.clock.now() - 120 for line in world.function.ledger.lines()] == [True]


def test_an_operation_is_not_given_up_by_a_wrong_clock(world: World) -> None:
    """Its deadline may not have passed: it stays open until a clock says so that the API confirms."""
    kill(world)
    process(world).refuse_to_recover()
    world.deliver(sample(DOWN), time_limit_ms=3000)
    world.clock.sleep(3600)
    answered_by(world, -200)
    follow_up(world)
    assert states(world) == ["ACCEPTED"]
    answered_by(world, 0)
    follow_up(world)
    assert states(world)[0] == "FAILED"

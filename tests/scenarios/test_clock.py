"""A clock that is wrong: nothing is sent, concluded or forgotten with it, and a person is notified."""

from __future__ import annotations

from typing import Any

import pytest

from handler.cloud.client import CloudApi
from handler.execute.follow_up import MESSAGE
from handler.lib.clock import SystemClock
from handler.lib.in_flight import note_sent
from harness.fake_cloud.adapter import CloudAdapter
from steward.simulate.fixtures import sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World
from tests.worlds import DOWN, alarms, kill

MONTH = 31 * 86_400.0
CONTEXT = {"time_limit_in_ms": 30_000, "request_id": "r"}


class Shifted(SystemClock):
    """The API's clock, ``ahead`` seconds from this machine's."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead

    def now(self) -> float:
        return super().now() + self._ahead


def answered_by(world: World, ahead: float) -> None:
    """From now on the API's clock is ``ahead`` seconds from ours."""
    world.function._api = CloudApi(lambda: CloudAdapter(world.cloud, signed_by=Shifted(ahead), on_send=note_sent))


def follow_up(world: World) -> Any:
    return world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), CONTEXT)


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
    world.deliver(sample(DOWN))
    assert world.requests() == 1


@pytest.mark.parametrize("ahead", [-30, 0, 30])
def test_clocks_may_differ_by_some_seconds(world: World, ahead: float) -> None:
    """No two machines agree to the second."""
    kill(world)
    answered_by(world, ahead)
    world.deliver(sample(DOWN))
    assert world.requests() == 1


@pytest.mark.parametrize("ahead", [-MONTH, -200.0])
def test_a_follow_up_with_a_wrong_clock_forgets_nothing(world: World, ahead: float) -> None:
    """One round of a machine that is a month ahead would else empty the ledger that all share."""
    kill(world)
    world.deliver(sample(DOWN))
    assert len(world.function.ledger.operations()) == 1
    world.clock.sleep(MONTH)
    answered_by(world, ahead)
    follow_up(world)
    assert len(world.function.ledger.operations()) == 1
    answered_by(world, 0)
    world.clock.sleep(3600)
    follow_up(world)
    assert world.function.ledger.operations() == []


def test_an_operation_is_not_given_up_by_a_wrong_clock(world: World) -> None:
    """Its deadline may not have passed: it stays open until a clock says so that the API confirms."""
    kill(world)
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").refuse_to_recover()
    world.deliver(sample(DOWN), time_limit_ms=3000)
    world.clock.sleep(3600)
    answered_by(world, -200)
    assert follow_up(world) == {"follow_up": {"ACCEPTED": 1}}
    answered_by(world, 0)
    assert follow_up(world) == {"follow_up": {"FAILED": 1}}

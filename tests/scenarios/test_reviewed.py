"""What a review of the engine found: each kind of it, so that it does not come back."""

from __future__ import annotations

from typing import Any, Final

import pytest

from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.world import World
from tests.worlds import (
    DOWN,
    alarms,
    command,
    follow_up,
    outcomes,
    post,
    process,
    record,
    requested,
    settled,
)

ROLLING: Final[dict[str, Any]] = {
    "StrategyConfig": {"RollingRestartSwitch": 1, "BatchSize": 1, "TimeWait": 1, "DealOnFail": 0}
}
HS2: Final = "172.16.0.2"


@pytest.mark.parametrize("spelling", ["HiveServer2", "hs2", "HIVESERVER2"])
def test_a_command_in_another_spelling_is_carried_out_once(world: World, spelling: str) -> None:
    """What a name means decides, not how it is written: neither sent again and again, nor open for ever."""
    post(world, command("RestartService", HS2, service="HIVE", component=spelling, Id="x-1", **ROLLING))
    follow_up(world, 30)
    assert (requested(world), settled(world)) == ([("RestartService", [HS2])], ["done"])
    assert not record(world).intents


def test_a_rule_in_another_spelling_ends(make_world: MakeWorld) -> None:
    """Its intent is the process that the cluster shows."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["do"]["scope"] = {"HIVE": {"hs2": [HS2]}}
    world = make_world(config_of(raw))
    process(world, HS2, "HiveServer2").kill()
    world.deliver(sample(DOWN))
    follow_up(world, 30)
    assert (world.requests(), outcomes(world), alarms(world)) == (1, ["done"], [])
    assert not record(world).intents


def test_a_rule_may_be_named_request(make_world: MakeWorld) -> None:
    """It keeps its limits: direct calls, which have none, are not taken for it."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["name"] = "request"
    world = make_world(config_of(raw))
    for _ in range(3):
        process(world).kill()
        world.deliver(sample(DOWN))
        follow_up(world, 3)
    assert world.requests() == 1

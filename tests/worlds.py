"""What scenarios do to a world, and read from it."""

from __future__ import annotations

import json
from typing import Any

from handler.cloud.client import CloudApi
from harness.fake_cloud.adapter import CloudAdapter
from harness.faults import Fault
from steward.simulate.platform import function_url_event
from steward.simulate.world import World, in_process

#: The sample of an alert about the DataNode on 172.16.0.5.
DOWN = "alertmanager-datanode-down"
#: The API's action that acts.
ACTION = "StartStopServiceOrMonitor"


def kill(world: World, ip: str = "172.16.0.5") -> None:
    """The DataNode there dies."""
    world.cloud.process("emr-4zvc5mul", "DataNode", ip).kill()


def faulty(world: World, *faults: Fault) -> CloudAdapter:
    """The API meets the next calls with these faults."""
    adapter = in_process(world.cloud)
    adapter.faults.add(*faults)
    world.function._api = CloudApi(lambda: adapter)
    return adapter


def alarms(world: World) -> list[str]:
    """The codes of the alarms that were raised; each says what happened and what a person should do."""
    raised = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert all(line["reason"] and line["fix"] for line in raised)
    return [line["code"] for line in raised]


def post(world: World, payload: Any) -> dict[str, Any]:
    """The answer to a call over HTTP."""
    headers = {"Authorization": f"Bearer {world.env['STEWARD_SECRET_DEPLOY']}"}
    event = function_url_event("POST", "/", headers, json.dumps(payload).encode())
    answer: dict[str, Any] = world.function.handle(event, {"time_limit_in_ms": 30_000})
    return answer

"""Whatever is delivered, bare, over HTTP or through a queue, ends in outcomes or in an answer that says what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handler.errors import LedgerUnavailable
from handler.model.policy import Caller, Grant, Webhook
from handler.model.request import OpType
from handler.model.scope import ALL
from handler.receive.payload import OVER_HTTP
from harness.clock import VirtualClock
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.config.compile import load_yaml
from steward.simulate.platform import function_url_event
from steward.simulate.world import World, private_world
from tests.handler.receive.test_payload import ANYTHING, mutated

EXAMPLE = load_yaml(str(Path(__file__).parents[2] / "steward.yml"))
#: May send whatever comes over HTTP.
ANYBODY = Caller("a", "A", grant=Grant(frozenset(OVER_HTTP), frozenset(OpType), ALL, ALL))


def a_world() -> World:
    clock = VirtualClock()
    return private_world(replace(EXAMPLE, webhook=Webhook((ANYBODY,))), clock=clock, cloud=demo_cloud(clock))


def delivered(world: World, payload: Any, way: str) -> Any:
    """The event as the platform would hand it over; what cannot be JSON comes bare."""
    try:
        body = json.dumps(payload)
    except (TypeError, ValueError):
        return payload
    if way == "http":
        headers = {"Authorization": f"Bearer {world.env['A']}"}
        return function_url_event("POST", "/", headers, body.encode())
    return {"Records": [{"CMQ": {"topicName": "t", "msgId": "1", "msgBody": body}}]} if way == "queue" else payload


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated() | ANYTHING, st.sampled_from(["bare", "http", "queue"]))
def test_what_comes_back_is_always_an_outcome(payload: Any, way: str) -> None:
    """Each with a code and a reason, none of them a fault of ours; or 4xx, and nothing is sent then."""
    world = a_world()
    try:
        answer = world.function.handle(delivered(world, payload, way), {"time_limit_in_ms": 30_000})
    except LedgerUnavailable:
        answer = None
    outcomes = world.outcomes()
    assert all(line["reason"] and line["code"] != "internal_error" for line in outcomes)
    is_refused = isinstance(answer, dict) and 400 <= answer.get("statusCode", 200) < 500
    assert outcomes or is_refused or answer == {"follow_up": {}}
    assert world.requests() <= len(outcomes)
    json.dumps(answer)

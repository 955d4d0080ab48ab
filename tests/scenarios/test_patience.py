"""By the machine's own clock: an HTTP sender is answered within its patience, whatever hangs."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from handler.clock import SystemClock
from handler.configuration import AlarmSettings, Chat, Config
from handler.settings import Settings
from harness.cloud.demo_clusters import demo_cloud
from harness.cloud.faults import Fault, Kind
from harness.cloud.server import CloudServer
from harness.emulator import context, function_url_event, restamp
from harness.fixtures import sample
from harness.world import World, private_world

ACTION = "StartStopServiceOrMonitor"


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What only the first event of an instance pays for is another matter."""
    from tencentcloud.common.common_client import CommonClient

    assert CommonClient


def answered(world: World, name: str) -> tuple[float, dict[str, Any]]:
    """Seconds until an alert or a call is answered, and the answer."""
    headers = {"Authorization": f"Bearer {world.env['STEWARD_SECRET_DEPLOY']}"}
    body = restamp(sample(name), time.time())
    event = function_url_event("POST", "/", headers, json.dumps(body).encode())
    began = time.monotonic()
    answer = world.function.handle(event, context(time_limit_ms=60_000, request_id="r"))
    return time.monotonic() - began, answer


@pytest.mark.parametrize("name", ["alertmanager-datanode-down", "request-restart-hive"])
@pytest.mark.parametrize(
    ("fault", "patience", "status"),
    [
        (Fault(Kind.HANG_BEFORE, action="DescribeInstances"), 1.0, 503),
        (Fault(Kind.DRIPPED_BODY, action="DescribeServiceNodeInfos", seconds=0.2), 1.0, 503),
        # With less nothing is begun with: it could neither be seen nor written down.
        (Fault(Kind.HANG_BEFORE, action=ACTION), 2.0, 202),
        (Fault(Kind.HANG_AFTER, action=ACTION), 2.0, 202),
    ],
    ids=["look hangs", "look drips", "request hangs", "answer hangs"],
)
def test_whatever_hangs_the_sender_is_answered(
    example: Config, name: str, fault: Fault, patience: float, status: int
) -> None:
    """Within twice the patience on a machine that does other things too; with a chat configured, which is left to the follow-up."""
    webhook = replace(example.webhook, patience=patience)
    config = replace(example, webhook=webhook, alarms=AlarmSettings((Chat("CHAT_URL"),)))
    with CloudServer(demo_cloud(SystemClock())) as server:
        server.faults.add(*[fault] * 9)
        env = {"CHAT_URL": "json://127.0.0.1:9/x"}
        world = private_world(config, settings=Settings(), cloud=server.cloud, endpoint=server.url, env=env)
        world.kill_what_fires(sample(name))
        seconds, answer = answered(world, name)
    assert seconds < 2 * patience
    assert answer["statusCode"] == status, answer["body"]

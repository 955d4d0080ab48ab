"""By the machine's own clock: an HTTP sender is answered within its patience, whatever hangs: the API, or the ledger."""

from __future__ import annotations

import json
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.config.config import Config
from handler.config.settings import Settings
from handler.ledger.ledger import open_ledger
from handler.lib.clock import SystemClock
from handler.model.policy import AlarmSettings, Caller, Chat, Grant, Webhook
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.faults import Fault, Kind
from steward.chaos import workload
from steward.simulate.fixtures import sample
from steward.simulate.platform import context, function_url_event, restamp
from steward.simulate.world import World, private_world
from tests.worlds import bearer_for

ACTION = "StartStopServiceOrMonitor"


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What only the first event of an instance pays for is another matter."""
    from tencentcloud.common.common_client import CommonClient

    assert CommonClient


def answered(world: World, name: str) -> tuple[float, dict[str, Any]]:
    """Seconds until an alert or a call is answered, and the answer."""
    return posted(world, restamp(sample(name), time.time()))


def posted(world: World, body: Any) -> tuple[float, dict[str, Any]]:
    """Seconds until a body is answered, and the answer."""
    headers = {"Authorization": bearer_for(world, body)}
    event = function_url_event("POST", "/", headers, json.dumps(body).encode())
    began = time.monotonic()
    answer = world.function.handle(event, context(time_limit_ms=60_000, request_id="r"))
    return time.monotonic() - began, answer


@pytest.mark.parametrize("name", ["alertmanager-datanode-down", "request-restart-hive"])
@pytest.mark.parametrize(
    ("fault", "patience", "status"),
    [
        (Fault(Kind.HANG_BEFORE, action="DescribeInstances"), 1.0, 202),
        (Fault(Kind.DRIPPED_BODY, action="DescribeServiceNodeInfos", seconds=0.2), 1.0, 202),
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


@contextmanager
def a_locked_file(tmp_path: Path, mocker: MockerFixture) -> Iterator[str]:
    """Another has its write lock, and keeps it."""
    path = tmp_path / "ledger.db"
    first = open_ledger(f"sqlite:///{path}")
    first.alarms()
    first.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield f"sqlite:///{path}"


@contextmanager
def a_mute_redis(tmp_path: Path, mocker: MockerFixture) -> Iterator[str]:
    """It takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@contextmanager
def a_look_up_that_hangs(tmp_path: Path, mocker: MockerFixture) -> Iterator[str]:
    """Nobody says where that Redis is."""
    look_up, ended = socket.getaddrinfo, threading.Event()

    def hang(host: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "redis.example":
            return look_up(host, *args, **kwargs)
        ended.wait(30)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    mocker.patch("socket.getaddrinfo", hang)
    yield "redis://redis.example/0"
    ended.set()


@pytest.mark.parametrize("status", ["firing", "resolved"])
@pytest.mark.parametrize("broken", [a_locked_file, a_mute_redis, a_look_up_that_hangs])
def test_whatever_ledger_hangs_the_sender_is_answered(
    tmp_path: Path, mocker: MockerFixture, broken: Callable[..., Any], status: str
) -> None:
    """A payload about many clusters too: they do not wait one after the other for what one of them waited for already."""
    clusters = workload.clusters(10 * workload.NODES)
    webhook = Webhook((Caller("a", "STEWARD_SECRET_ALERTMANAGER", grant=Grant(frozenset({"alertmanager"}))),))
    config = replace(workload.restarting(clusters, limits={}), webhook=webhook)
    began = time.time()
    bodies = [workload.alertmanager(cluster, ips[0], began) for cluster, ips in clusters.items()]
    alerts = [{**alert, "status": status} for body in bodies for alert in body["alerts"]]
    with broken(tmp_path, mocker) as url:
        world = private_world(config, ledger=open_ledger(url))
        seconds, answer = posted(world, {**bodies[0], "alerts": alerts})
        world.function.ledger.close()
    assert seconds < webhook.patience
    if (broken, status) == (a_locked_file, "resolved"):  # it can be read, and there is nothing to write
        assert answer["statusCode"] == 200, answer["body"]
        return
    assert answer["statusCode"] == 503, answer["body"]
    assert [line["code"] for line in world.outcomes()] == ["ledger.unavailable"] * len(clusters)
    assert [line["code"] for line in world.lines if line["event"] == "steward.alarm"] == ["ledger.unavailable"]

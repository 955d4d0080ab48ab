"""One search for every secret that there is, in everything that anybody can read: lines, answers, returned values, exceptions, alarms, the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from handler.cloud.client import CloudApi
from handler.config.config import Config
from handler.config.settings import Settings
from handler.execute.follow_up import MESSAGE
from handler.ledger.ledger import open_ledger
from handler.model.policy import AlarmSettings, Chat, EventBus
from harness.fake_cloud.sts import Role
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import function_url_event, timer_event
from steward.simulate.world import World, in_process
from tests.chat import PATH, ChatRoom, chat_room
from tests.command import ROOT, steward

ARN = "qcs::cam::uin/200000000002:roleName/emr-steward"
PASSWORD = 'planted "ledger" password'
KEY, TOKEN = "planted-key-of-the-role-0123456789", "planted-session-token-0123456789"


@pytest.fixture
def room() -> Iterator[ChatRoom]:
    with chat_room() as room:
        yield room


@pytest.fixture
def config() -> Config:
    """The example with all that has a secret: callers, a role of another account, a chat, an event bus."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["clusters"]["emr-4zvc5mul"]["role_arn"] = ARN
    alarms = AlarmSettings((Chat("CHAT_URL"),), EventBus("eb-example0", "ap-guangzhou"))
    return replace(config_of(raw), alarms=alarms)


@pytest.fixture(params=["its ledger", "no ledger"])
def world(make_world: MakeWorld, config: Config, room: ChatRoom, request: pytest.FixtureRequest) -> World:
    url = f"redis://:{PASSWORD}@127.0.0.1:1/0"
    ledger = open_ledger("sqlite:///:memory:" if request.param == "its ledger" else url)
    world = make_world(config, settings=Settings(log_level="DEBUG", ledger=url), ledger=ledger)
    world.cloud.cluster("emr-4zvc5mul").uin = "200000000002"
    world.cloud.roles[ARN] = Role(ARN)
    world.cloud.credentials["AKIDROLE"] = (KEY, TOKEN)
    world.env |= {
        "TENCENTCLOUD_SECRETID": "AKIDROLE",
        "TENCENTCLOUD_SECRETKEY": KEY,
        "TENCENTCLOUD_SESSIONTOKEN": TOKEN,
        "CHAT_URL": room.url,
    }
    return world


def secrets_of(world: World) -> dict[str, str]:
    """By what they are."""
    found = {name: world.env[name] for name in world.env if name.startswith("STEWARD_SECRET_")}
    for session in world.cloud.sessions.values():
        found |= {"key of the assumed role": session.secret_key, "token of the assumed role": session.token}
    return {**found, "key": KEY, "token": TOKEN, "password of the ledger": PASSWORD, "chat": world.env["CHAT_URL"]}


def everywhere(secret: str) -> list[Any]:
    """Events that hold it wherever a sender can write something."""
    alert = {
        "status": "firing",
        "startsAt": "2025-06-02T03:00:00Z",
        "fingerprint": secret,
        "labels": {
            "alertname": secret,
            "cluster_id": "emr-4zvc5mul",
            secret: secret,
            "component": secret,
            "ip": secret,
        },
        "annotations": {"summary": f"for {secret}"},
    }
    asked = {**sample("request-restart-hive"), "Id": f"{secret}-1", "Reason": secret}
    nowhere = {"ServiceInfoList": [{"ServiceName": secret[:40]}]}
    return [
        {"version": "4", "status": "firing", "groupKey": secret, "alerts": [alert, {**alert, "startsAt": secret}]},
        asked,
        {**asked, "Id": f"{secret}-2", "OpScope": nowhere},
        {**asked, secret: secret},
        {**sample("tcop-metric-datanode-down"), "alertId": secret, "sessionId": secret, "alarmType": secret},
        [secret, {secret: secret}],
        secret,
    ]


def answers_to(world: World, secret: str) -> list[Any]:
    """What the function answers, returns and raises, over each way in; and then what the API says to it."""
    said: list[Any] = []
    bearer = {"Authorization": f"Bearer {world.env['STEWARD_SECRET_DEPLOY']}"}
    for event in everywhere(secret):
        body = json.dumps(event).encode()
        calls = [bearer, {"Authorization": f"Bearer {secret}x"}, {**bearer, "Idempotency-Key": secret}]
        ways_in = [
            *(function_url_event("POST", f"/{secret}", {**headers, "X-Note": secret}, body) for headers in calls),
            event,
            timer_event(secret, json.dumps(event), world.clock.now()),
        ]
        said += [world.deliver(one, retries=0) for one in ways_in]
    adapter = in_process(world.cloud)
    for code in ("InternalError", "UnauthorizedOperation", "RequestLimitExceeded"):
        fault = Fault(Kind.API_ERROR, code=code, message=f"{'x' * 480}{secret} {secret}")
        adapter.faults.add(*[fault] * 4)
    world.function._api = CloudApi(lambda: adapter)
    names = ("alertmanager-datanode-down", "request-restart-hive", "timer-nightly-stop")
    said += [world.deliver(sample(name), retries=1) for name in names]
    world.clock.sleep(60)
    said.append(world.deliver(timer_event("follow-up", MESSAGE, world.clock.now())))
    said.append(world.deliver({"steward": "doctor", "send_test_alarm": True}))
    return said


def test_no_secret_is_anywhere(world: World, room: ChatRoom) -> None:
    """Whoever plants it, in whatever field, and whoever repeats it: not one, nor the half of one that a cut would leave."""
    world.kill_what_fires(sample("alertmanager-datanode-down"))
    world.deliver(sample("alertmanager-datanode-down"), retries=0)  # the role is assumed
    said: list[Any] = []
    for secret in secrets_of(world).values():
        said += answers_to(world, secret)
        world.clock.sleep(1200)
    told = "\n".join(
        [*map(json.dumps, world.lines), repr(said), *room.titles, *room.texts, repr(world.cloud.put_events)]
    )
    assert "[redacted]" in told
    assert room.texts
    assert world.cloud.put_events
    for what, secret in secrets_of(world).items():
        for form in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], secret[: len(secret) * 2 // 3]):
            at = told.find(form)
            assert at < 0, f"{what}: {told[max(0, at - 300) : at + 100]}"
    assert PATH not in told


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", str(ROOT / "events" / "alertmanager-datanode-down.json")),
        ("explain", str(ROOT / "events" / "alertmanager-datanode-down.json")),
        ("explain", "op-nowhere"),
        ("check",),
        ("policy",),
        ("history",),
        ("release", "HDFS/datanode/172.16.0.5"),
        ("doctor", "--send-test-alarm"),
        ("doctor", "--json"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("ledger", ["redis://:planted-ledger@127.0.0.1:1/0", "mysql://u:planted-ledger@h/0", ""])
def test_the_command_prints_none(tmp_path: Any, arguments: tuple[str, ...], ledger: str) -> None:
    """Neither what it finds in its environment, nor in a URL that it cannot use."""
    config = (ROOT / "steward.yml").read_text() + "\nalarms: {chat: [{url_env: STEWARD_CHAT_URL}]}\n"
    (tmp_path / "steward.yml").write_text(config)
    env = {
        **{f"STEWARD_SECRET_{name}": f"planted-{name}" for name in ("TCOP", "ALERTMANAGER", "GRAFANA", "DEPLOY")},
        "TENCENTCLOUD_SECRET_ID": "AKIDPLAIN",
        "TENCENTCLOUD_SECRET_KEY": "planted-key",
        "TENCENTCLOUD_TOKEN": "planted-token",
        "STEWARD_CHAT_URL": "json://127.0.0.1:1/planted-chat",
        "STEWARD_EMR_ENDPOINT": "http://u:planted-user@127.0.0.1:1" if not ledger else "http://127.0.0.1:1",
        **({"STEWARD_LEDGER": ledger} if ledger else {}),
    }
    done = steward(*arguments, cwd=tmp_path, **env)
    assert done.stdout + done.stderr
    assert "planted" not in done.stdout + done.stderr

"""Each file of events/, end to end: the real SDK in process, the fake cloud, a virtual clock."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handler.cloud.client import CloudApi
from handler.config.config import Config
from handler.config.settings import Settings
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import function_url_event, restamp, timer_event
from steward.simulate.world import World, events_of, in_process
from tests.worlds import alarms, follow_up, outcomes, over, record, settled, states

ROOT = Path(__file__).parents[2]
ALL = sorted(path.stem for path in (ROOT / "events").glob("*.json"))


def example_with(change: Callable[[dict[str, Any]], object]) -> Config:
    """The example configuration, changed."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    change(raw)
    return config_of(raw)


@pytest.mark.parametrize("name", ALL)
def test_every_sample_ends_in_outcomes_and_never_raises(world: World, name: str) -> None:
    """Whatever arrives, each event has one outcome with a reason, or the HTTP caller is told what is wrong."""
    event = sample(name)
    world.kill_what_fires(event)
    invocation = world.deliver(event)
    assert not invocation.error
    is_refused = isinstance(invocation.answer, dict) and invocation.answer.get("statusCode", 200) >= 400
    assert is_refused or world.outcomes()
    for line in world.outcomes():
        assert line["reason"]
        assert line["code"]
    assert world.requests() <= len(world.outcomes())


def test_a_rule_for_healthy_processes_is_tried_on_a_healthy_one(world: World) -> None:
    """What its alert names does not die on the fake cluster: the rule is there because it still answers, and it is restarted all the same."""
    event = sample("tcop-metric-hiveserver2-heap")
    assert world.kill_what_fires(event) == []
    process = world.cloud.process("emr-4zvc5mul", "HiveServer2", "172.16.0.2")
    before = process.health, process.restarts
    world.deliver(event)
    assert (before, (process.health, process.restarts)) == ((1, 0), (1, 1))
    (line,) = world.outcomes()
    assert (line["outcome"], line["rules"]) == ("done", "restart-full-heap")


@pytest.mark.parametrize(
    ("name", "expected", "requests"),
    [
        ("alertmanager-datanode-down", ["done"], 1),
        ("alertmanager-resolved", ["skipped"], 0),
        ("tcop-metric-datanode-down", ["done"], 1),
        ("tcop-recovered", ["skipped"], 0),
        ("grafana-nodemanager-down", ["done"], 1),
        ("function-url-alertmanager", ["accepted"], 1),
        ("ckafka-alertmanager", ["done"], 1),
        ("timer-nightly-stop", ["done"], 1),
        ("timer-morning-start", ["skipped"], 0),
        ("timer-maintenance-on", ["done"], 1),
        ("timer-maintenance-off", ["skipped"], 0),
        ("request-restart-hive", ["done"], 1),
        ("request-stop", ["done"], 1),
        ("request-start", ["skipped"], 0),
        ("request-stopmonitor", ["done"], 1),
        ("request-startmonitor", ["skipped"], 0),
        ("bad-unknown-sender", ["refused"], 0),
        ("bad-request-misspelt", ["refused"], 0),
        ("documented-request", ["refused"], 0),
        ("documented-tcop-metric", ["skipped"], 0),
    ],
)
def test_what_becomes_of_it(world: World, name: str, expected: list[str], requests: int) -> None:
    """The outcome and the number of requests of the samples that show a path each."""
    event = sample(name)
    world.kill_what_fires(event)
    world.deliver(event)
    assert outcomes(world) == expected
    assert world.requests() == requests


def test_what_holds_of_several_processes_says_of_how_many(world: World) -> None:
    """One is named; the others are counted, so that it is not taken for the only one."""
    world.deliver(sample("timer-morning-start"))
    (line,) = world.outcomes()
    assert line["reason"].startswith("HBASE/HMaster/172.17.0.2 is already as asked (")
    assert line["reason"].endswith("; and 4 more likewise")


def test_a_dead_process_runs_again(world: World) -> None:
    """Given a dead DataNode, when Alertmanager says so, then it runs, by one request that names it alone."""
    process = world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5")
    process.kill()
    world.deliver(sample("alertmanager-datanode-down"))
    assert process.health == 1
    (operation,) = world.cloud.operations
    assert operation.params["OpScope"] == {
        "ServiceInfoList": [
            {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode", "IpList": ["172.16.0.5"]}]}
        ]
    }


def test_the_same_need_through_three_senders_is_one_request(world: World) -> None:
    """The fence is the process, not the sender's id."""
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").refuse_to_recover()
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    for name in ("alertmanager-datanode-down", "tcop-metric-datanode-down", "ckafka-alertmanager"):
        world.deliver(sample(name), time_limit_ms=3000)
    assert world.requests() == 1


def test_a_thousand_alerts_are_one_request(make_world: MakeWorld) -> None:
    """The union of the addresses is exact, and every event is named in exactly one decision."""

    def loosen(raw: dict[str, Any]) -> None:
        raw["rules"][0]["limits"] = {"max_nodes": 9999, "max_share": "100%"}
        raw["rules"][0]["do"]["even_if_healthy"] = True  # all five dead would be a storm

    world = make_world(example_with(loosen))
    event = sample("storm-1000")
    sent = [one.id for one in events_of(restamp(event, world.clock.now()))]
    assert len(set(sent)) == 1000
    world.deliver(event)
    (request,) = [operation.params for operation in world.cloud.operations]
    ips = [f"172.16.0.{node}" for node in range(5, 10)]
    assert request == {
        "InstanceId": "emr-4zvc5mul",
        "OpType": "RestartService",
        "OpScope": {
            "ServiceInfoList": [
                {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode", "IpList": ips}]}
            ]
        },
        "StrategyConfig": {"RollingRestartSwitch": 1, "BatchSize": 1, "TimeWait": 30, "DealOnFail": 0},
    }
    # One outcome each, and one operation that serves them.
    assert sorted(line["event_id"] for line in world.outcomes()) == sorted(sent)
    (operation,) = record(world).operations
    assert {line["operations"] for line in world.outcomes()} == {operation}


def test_observe_mode_decides_and_sends_nothing(make_world: MakeWorld) -> None:
    """The mode for the first week in production."""
    world = make_world(settings=Settings(mode="observe", log_level="DEBUG"))
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    world.deliver(sample("alertmanager-datanode-down"))
    assert outcomes(world) == ["skipped"]
    assert world.outcomes()[0]["code"] == "mode.observe"
    assert world.requests() == 0


def test_the_follow_up_finishes_what_the_invocation_could_not(world: World) -> None:
    """Accepted is not done: the timer of the next minute sees that it worked."""
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    world.deliver(sample("alertmanager-datanode-down"), time_limit_ms=2100)
    assert outcomes(world) == ["accepted"]
    assert follow_up(world) == {"follow_up": {"VERIFIED": 1}}
    assert settled(world) == ["done"]
    assert follow_up(world) == {"follow_up": {}}


@pytest.mark.parametrize(
    ("kind", "carried_out"), [(Kind.RESET_AFTER_READING, 1), (Kind.CUT_BODY, 1), (Kind.RESET_BEFORE_READING, 0)]
)
def test_a_lost_answer_is_in_doubt_and_never_sent_again(make_world: MakeWorld, kind: Kind, carried_out: int) -> None:
    """The request may have been carried out: the cluster is looked at, the request never resent."""
    world = make_world()
    adapter = in_process(world.cloud)
    adapter.faults.add(Fault(kind, action="StartStopServiceOrMonitor"))
    world.function._api = CloudApi(lambda: adapter)
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    event = sample("alertmanager-datanode-down")
    world.deliver(event, time_limit_ms=2100)
    assert outcomes(world) == ["in_doubt"]
    world.clock.sleep(60)
    world.deliver(event, time_limit_ms=2100)
    follow_up(world, 4)
    assert world.requests() == carried_out
    assert states(world) == ["VERIFIED" if carried_out else "IN_DOUBT"]
    follow_up(world, 6)  # ruled out by now, it is armed again
    assert (world.requests(), settled(world)) == (1, ["done"])
    assert (alarms(world), over(world)) == (["operation.in_doubt"], ["operation.in_doubt"])


# -- authentication and answers


def call(world: World, payload: Any, **headers: str) -> dict[str, Any]:
    """The answer to a call with these headers and no others."""
    event = function_url_event("POST", "/", headers, json.dumps(payload).encode())
    answer: dict[str, Any] = world.function.handle(event, {"time_limit_in_ms": 30_000})
    return answer


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic ???"}, {"Authorization": "Digest x"}]
)
def test_a_caller_without_its_secret_is_refused(world: World, headers: dict[str, str]) -> None:
    """401 as problem+json, nothing read, nothing sent."""
    answer = call(world, sample("request-restart-hive"), **headers)
    assert answer["statusCode"] == 401
    assert json.loads(answer["body"])["status"] == 401
    assert not world.cloud.requests
    assert not world.outcomes()


def test_without_callers_everybody_is_refused(make_world: MakeWorld) -> None:
    """Whoever may call is named, whatever the method."""
    world = make_world(example_with(lambda raw: raw.pop("webhook")))
    assert call(world, sample("request-restart-hive"), Authorization="Bearer ")["statusCode"] == 401
    assert world.function.handle(function_url_event("GET", "/", {}, b""), None)["statusCode"] == 401


def test_cloud_monitor_gets_the_answer_it_expects(world: World) -> None:
    """sessionId and retCode, beside what became of the alarm; basic credentials."""
    import base64

    password = world.env["STEWARD_SECRET_TCOP"]
    basic = base64.b64encode(f"tcop:{password}".encode()).decode()
    answer = call(world, sample("tcop-recovered"), Authorization=f"Basic {basic}")
    body = json.loads(answer["body"])
    assert answer["statusCode"] == 200
    assert body["retCode"] == 0
    assert body["sessionId"] == sample("tcop-recovered")["sessionId"]


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ("request-restart-hive", 200),
        ("bad-request-misspelt", 400),
        ("documented-request", 404),
        ("alertmanager-resolved", 403),  # it may send requests only
    ],
)
def test_a_direct_caller_is_told_by_the_status(world: World, payload: str, status: int) -> None:
    """2xx for what is decided; 4xx as problem+json for a direct call that cannot be served."""
    answer = call(world, sample(payload), Authorization=f"Bearer {world.env['STEWARD_SECRET_DEPLOY']}")
    assert answer["statusCode"] in ({status, 202} if status == 200 else {status})


def test_no_secret_is_ever_printed(world: World) -> None:
    """Secrets planted in headers, environment and payload are in no line, no answer, no returned value and no alarm."""
    secret = world.env["STEWARD_SECRET_DEPLOY"]
    planted = {**sample("request-restart-hive"), "Reason": f"token {secret}", "Id": secret}
    scope = {"ServiceInfoList": [{"ServiceName": f"S{secret}"}]}
    (message,) = sample("ckafka-alertmanager")["Records"]
    answers = [
        call(world, planted, Authorization=f"Bearer {secret}"),
        call(world, {"alerts": [{"labels": {"x": secret}}], "version": "4"}, Authorization=f"Bearer {secret}"),
        call(world, {**planted, "Id": "another", "OpScope": scope}, Authorization=f"Bearer {secret}"),
        call(world, {**planted, secret: 1}, Authorization=f"Bearer {secret}"),
        call(world, {**planted, secret: 1}, Authorization=f"Bearer wrong-{secret}"),
        world.deliver(timer_event(secret, secret, world.clock.now())).answer,
        world.deliver(timer_event("t", json.dumps({**planted, "OpScope": scope}), world.clock.now())).answer,
        world.deliver({**message, secret: secret}).answer,
    ]
    text = json.dumps(world.lines) + json.dumps(answers)
    assert secret not in text
    assert world.env["TENCENTCLOUD_SECRET_KEY"] not in text

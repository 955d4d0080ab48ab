"""What goes wrong around the function: the ledger, the API, the clock, ourselves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apprise
import pytest
from pytest_mock import MockerFixture

from handler import decision
from handler.clock import Deadline
from handler.cloud import MOST_MESSAGE
from handler.configuration import AlarmSettings, Chat, Cluster, EventBus
from handler.configuration.reading import read_config
from handler.configuration.steward_file import read_raw
from handler.crew import SIDE_BY_SIDE, side_by_side
from handler.emr import EmrGateway
from handler.errors import ConfigurationError, LedgerUnavailable, Rejected
from handler.events import Event
from handler.follow_up import BUSY_SECONDS, MESSAGE, SECONDS_TO_LOOK, FollowUp, conclude
from handler.function import Function
from handler.history import Operation, State
from handler.ledger import open_ledger
from handler.logs import Log
from handler.observation import Observation, Reading
from handler.operations import OpScope, OpType, Request
from handler.planning import Plan, resolve
from handler.settings import Credentials, Endpoint, Settings
from handler.sources import read
from handler.utc import utc_text
from handler.verification import Verdict
from harness.clock import VirtualClock
from harness.cloud.faults import Fault, Kind
from harness.emulator import function_url_event, restamp, timer_event
from harness.fixtures import MakeWorld, sample
from harness.needs import restarting
from harness.world import World, events_of
from tests.operations import an_operation
from tests.worlds import ACTION, DOWN, alarms, faulty, kill, post

ROOT = Path(__file__).parents[2]


@pytest.fixture
def broken(make_world: MakeWorld, tmp_path: Path) -> World:
    """A world whose ledger is a folder."""
    return make_world(ledger=open_ledger(f"sqlite:///{tmp_path}"))


def test_without_its_ledger_nothing_is_sent(broken: World) -> None:
    """An exception to the platform's retry, one alarm, no request."""
    kill(broken)
    invocation = broken.deliver(sample(DOWN), retries=0)
    assert "RetryLater" in invocation.error
    assert broken.requests() == 0
    assert not any(request.action == ACTION for request in broken.cloud.requests)
    assert alarms(broken) == ["ledger.unavailable"]


def test_without_its_ledger_one_alarm_is_raised(broken: World) -> None:
    """However many events of however many clusters there are, and again only when the alarms' time is over."""
    for _ in range(5):
        broken.deliver(sample("alertmanager-two-clusters"), retries=0)
    assert alarms(broken) == ["ledger.unavailable"]
    broken.clock.sleep(601)
    broken.deliver(sample("alertmanager-two-clusters"), retries=0)
    assert {line["code"] for line in broken.outcomes()} == {"ledger.unavailable"}
    assert alarms(broken) == ["ledger.unavailable"] * 2


def test_without_its_ledger_http_senders_are_asked_to_repeat(broken: World) -> None:
    """503: the one thing that Alertmanager repeats."""
    answer = post(broken, sample("request-restart-hive"))
    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"]
    assert broken.requests() == 0


def in_a_workflow(world: World) -> None:
    world.cloud.cluster("emr-4zvc5mul").status = 4


def without_an_answer_to_looks(world: World) -> None:
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeInstances") for _ in range(9)))


def answering(code: str) -> Callable[[World], object]:
    return lambda world: faulty(world, *(Fault(Kind.API_ERROR, action=ACTION, code=code) for _ in range(40)))


def changed_by_others(world: World) -> None:
    world.function.ledger.arm = lambda *_: False  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (in_a_workflow, "guard.cluster_busy"),
        (answering("ResourceInUse.InstanceInProcess"), "api.busy"),
        (answering("RequestLimitExceeded"), "api.RequestLimitExceeded"),
        (without_an_answer_to_looks, "look.failed"),
        (changed_by_others, "once.contended"),
    ],
)
@pytest.mark.parametrize("event", [DOWN, "request-restart-hive"])
def test_what_may_do_better_later_is_asked_for_again(
    world: World, event: str, given: Callable[[World], object], code: str
) -> None:
    """By 503 and Retry-After, whatever kept it back, to alert senders and direct callers alike."""
    kill(world)
    given(world)
    answer = post(world, restamp(sample(event), world.clock.now()))
    assert {line["code"] for line in world.outcomes()} == {code}
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "60")
    assert world.requests() == 0


def test_a_direct_caller_that_asks_again_is_told_what_became_of_it(world: World) -> None:
    """202 while it is looked at, 500 once it is seen not to have worked: a pipeline that repeats its call does not go on as if it had."""
    process = world.cloud.process("emr-4zvc5mul", "HiveServer2", "172.16.0.2")
    process.refuse_to_recover()
    event = sample("request-restart-hive")
    assert [post(world, event)["statusCode"] for _ in range(2)] == [202, 202]
    for _ in range(30):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    answer = post(world, event)
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (500, "application/problem+json")
    assert "once.failed" in answer["body"]
    assert world.requests() == 1


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "ResourceInUse.InstanceInProcess"])
def test_http_senders_are_asked_to_repeat_what_was_certainly_not_carried_out(world: World, code: str) -> None:
    """As the platform is for a timer: what Alertmanager is told 200 of, it repeats in hours. The repeat is sent, once."""
    adapter = faulty(world, *(Fault.api_error(code, action=ACTION) for _ in range(4)))
    answer = post(world, sample("request-restart-hive"))
    assert (answer["statusCode"], world.requests()) == (503, 0)
    adapter.faults.clear()
    world.clock.sleep(60)
    assert post(world, sample("request-restart-hive"))["statusCode"] in (200, 202)
    assert world.requests() == 1


def test_without_its_ledger_an_alert_is_not_taken_for_resolved(broken: World) -> None:
    """Its sender is to say so again: a late repeat of the alert would act otherwise."""
    invocation = broken.deliver(sample("alertmanager-resolved"))
    assert "RetryLater" in invocation.error
    assert set(alarms(broken)) == {"ledger.unavailable"}
    assert {line["code"] for line in broken.outcomes()} == {"ledger.unavailable"}


def test_the_follow_up_without_its_ledger_says_so(broken: World) -> None:
    """It raises nothing: the next minute tries again."""
    answer = broken.deliver(timer_event("follow-up", MESSAGE, broken.clock.now())).answer
    assert "cannot be used" in answer["follow_up"]


def test_a_lost_settle_leaves_the_request_as_it_is(world: World, mocker: MockerFixture) -> None:
    """The record says SENDING, the sender gets its answer, the follow-up observes."""
    kill(world)
    mocker.patch.object(type(world.function.ledger), "settle", side_effect=LedgerUnavailable("gone"))
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["outcome"] == "done"
    assert "ledger.settle_failed" in alarms(world)
    mocker.stopall()
    for _ in range(2):
        world.clock.sleep(61)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    (operation,) = world.function.ledger.operations()
    assert operation.state is State.VERIFIED
    assert world.requests() == 1


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "RequestLimitExceeded.UinLimitExceeded"])
def test_a_throttled_request_is_sent_again_with_a_pause(world: World, code: str) -> None:
    """What certainly was not carried out may be: the third try is taken."""
    kill(world)
    fault = next(kind for kind in Kind if kind.name in ("ERROR", "API_ERROR", "ERROR_ENVELOPE"))
    faulty(world, *(Fault(fault, action=ACTION, code=code) for _ in range(2)))
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["outcome"] == "done"
    assert world.outcomes()[0]["attempts"] == 3
    assert world.requests() == 1


def test_when_the_shared_budget_of_retries_is_empty_nothing_is_sent_again(world: World) -> None:
    """A storm of throttled requests is not multiplied by its retries; the budget fills up again."""
    adapter = faulty(world)
    sent = []
    for number in range(8):
        world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
        event = sample(DOWN)
        event["alerts"][0]["fingerprint"] = f"storm-{number}"
        before = len(adapter.faults.met)
        adapter.faults.add(Fault.throttle(4, action=ACTION))
        world.deliver(event, retries=0)
        adapter.faults.clear()
        sent.append(len(adapter.faults.met) - before)
    assert sent[:2] == [4, 4]
    assert sent[-2:] == [1, 1]
    # Ten at once, and one in two seconds; each of the first ones waited for its turn.
    assert sum(sent) - len(sent) <= 10 + 0.5 * 8 * 10
    assert {operation.state for operation in world.function.ledger.operations()} == {State.NOT_SENT}
    world.clock.sleep(30)
    world.deliver(sample(DOWN))
    assert world.requests() == 1


@pytest.mark.parametrize(
    ("code", "outcome", "state"),
    [
        ("RequestLimitExceeded", "deferred", State.NOT_SENT),
        ("ResourceInUse.InstanceInProcess", "deferred", State.NOT_SENT),
        ("UnauthorizedOperation.CheckCamAuth", "refused", State.REJECTED),
        ("InvalidParameter.InvalidIpList", "refused", State.REJECTED),
        ("InternalError.WoodServerError", "in_doubt", State.IN_DOUBT),
        ("FailedOperation", "in_doubt", State.IN_DOUBT),
    ],
)
def test_the_apis_errors_end_in_their_outcomes(world: World, code: str, outcome: str, state: State) -> None:
    """Deferred, refused or in doubt: by the code; and nothing is carried out."""
    kill(world)
    fault = next(kind for kind in Kind if kind.name in ("ERROR", "API_ERROR", "ERROR_ENVELOPE"))
    faulty(world, *(Fault(fault, action=ACTION, code=code) for _ in range(40)))
    world.deliver(sample(DOWN), time_limit_ms=6000)
    assert {line["outcome"] for line in world.outcomes()} == {outcome}
    assert {operation.state for operation in world.function.ledger.operations()} == {state}
    assert world.requests() == 0


def test_a_cluster_that_cannot_be_seen_is_left_alone(world: World) -> None:
    """No look, no request; a timer's event is delivered again by the platform."""
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeInstances") for _ in range(9)))
    invocation = world.deliver(sample("timer-nightly-stop"))
    assert "RetryLater" in invocation.error
    assert world.requests() == 0
    assert {line["code"] for line in world.outcomes()} == {"look.failed"}


def test_what_is_raised_or_goes_wrong_bears_no_secret(world: World, mocker: MockerFixture) -> None:
    """The platform logs exceptions as well; and a text that is cut is cleaned first, since half a secret is one."""
    secret = world.env["STEWARD_SECRET_DEPLOY"]
    for message in (f"for {secret}", "x" * (MOST_MESSAGE - 12) + secret):
        fault = Fault(Kind.API_ERROR, action="DescribeInstances", code="InternalError", message=message)
        faulty(world, *[fault] * 3)
        error = world.deliver(sample("timer-nightly-stop"), retries=0).error
        assert "RetryLater" in error
        assert "[redacted]" in error
        assert secret[:10] not in error + str(world.function.ledger.records())
    mocker.patch("handler.pipeline.Pipeline.serve", side_effect=RuntimeError("x" * 470 + secret))
    world.deliver(sample(DOWN))
    assert secret[:10] not in json.dumps(world.lines)


def test_a_follow_up_among_others_loses_nothing(world: World) -> None:
    """Events that come beside it are served."""
    kill(world)
    world.deliver([timer_event("follow-up", MESSAGE, world.clock.now()), sample(DOWN)])
    assert "done" in {line["outcome"] for line in world.outcomes()}


def test_missing_rights_to_look_are_a_refusal(world: World) -> None:
    """A repeat would not help."""
    for secret in list(world.cloud.credentials):
        world.cloud.denied.add((secret, "DescribeInstances"))
    kill(world)
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["outcome"] == "refused"


@pytest.fixture
def one_cannot_be_seen(mocker: MockerFixture) -> None:
    """The API refuses to tell of the service NOSUCH."""
    processes = EmrGateway.processes

    def refuse(self: EmrGateway, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        if service == "NOSUCH":
            raise Rejected("InvalidParameter.InvalidServiceName", "no service NOSUCH")
        return processes(self, cluster, service, deadline)

    mocker.patch.object(EmrGateway, "processes", refuse)


@pytest.mark.usefixtures("one_cannot_be_seen")
def test_a_service_that_cannot_be_looked_at_hides_no_other(world: World) -> None:
    """An alert about it is refused; the one beside it is served."""
    kill(world)
    event = sample(DOWN)
    (alert,) = event["alerts"]
    other = {**alert, "fingerprint": "other", "labels": {**alert["labels"], "service": "NOSUCH"}}
    world.deliver({**event, "alerts": [alert, other]})
    assert [line["code"] for line in world.outcomes()] == ["verified", "api.InvalidParameter.InvalidServiceName"]
    assert world.requests() == 1


@pytest.mark.usefixtures("one_cannot_be_seen")
def test_a_service_that_cannot_be_looked_at_ends_no_operation_on_another(world: World) -> None:
    """The follow-up verifies what it sees, and tries the other again until it has to give up."""
    kill(world)
    now, ledger = world.clock.now(), world.function.ledger
    lost = an_operation("op-lost", now=now, targets=("NOSUCH/x/172.16.0.6",))
    assert ledger.arm(lost, 0)
    assert ledger.settle(lost.moved(State.ACCEPTED, now), State.SENDING)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    for _ in range(30):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    states = {operation.id: operation.state for operation in ledger.operations()}
    assert states.pop("op-lost") is State.TIMED_OUT
    assert list(states.values()) == [State.VERIFIED]


def test_a_busy_cluster_defers(world: World) -> None:
    """Another workflow ends; the event says that it waited."""
    kill(world)
    world.cloud.cluster("emr-4zvc5mul").status = 4
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["code"] == "guard.cluster_busy"


def test_an_order_that_finds_its_cluster_busy_is_delivered_again(world: World) -> None:
    """The workflow ends, and HBase does not run all night."""
    cluster = world.cloud.cluster("emr-8kd2m1qp")
    cluster.status = 4
    event = sample("timer-nightly-stop")
    assert "RetryLater" in world.deliver(event, retries=0).error
    cluster.status = 2
    world.deliver(event)
    assert [line["outcome"] for line in world.outcomes()] == ["deferred", "done"]


def test_too_little_time_begins_nothing(world: World) -> None:
    """Refused before anything is armed."""
    kill(world)
    assert "RetryLater" in world.deliver(sample(DOWN), time_limit_ms=1000).error
    assert world.function.ledger.operations() == []


def test_quarantine_after_restarts_that_do_not_last(world: World) -> None:
    """K verified restarts, then one escalation, then nothing by itself, until a person releases it."""
    process = world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5")
    for _ in range(9):
        process.kill()
        world.deliver(sample(DOWN))
        world.clock.sleep(16 * 60)
    assert world.requests() == 3
    assert alarms(world) == ["guard.quarantine"]
    assert world.outcomes()[-1]["code"] == "guard.quarantine"
    world.function.ledger.release("HDFS/datanode/172.16.0.5", world.clock.now())
    world.deliver(sample(DOWN))
    assert world.requests() == 4


def loosened(limits: dict[str, Any]) -> Any:
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["rules"][0]["limits"] = limits
    return read_config(raw)


@pytest.mark.parametrize(("digest", "code"), [("", "once.sending"), ("d" * 64, "once.conflict")])
def test_whoever_was_overtaken_is_told_by_whom(
    make_world: MakeWorld, mocker: MockerFixture, url: str, digest: str, code: str
) -> None:
    """The same occurrence, armed by another worker between our door and our arm: one more look at the ledger, not twenty at the cluster."""
    ledger = open_ledger(url)
    world = make_world(ledger=ledger)
    kill(world)
    arm = ledger.arm

    def second(operation: Operation, version: int) -> bool:
        theirs = {key: digest or asked for key, asked in operation.incidents.items()}
        assert arm(an_operation("op-theirs", incidents=theirs, now=world.clock.now(), targets=("a/b/c",)), version)
        return arm(operation, version)

    mocker.patch.object(ledger, "arm", side_effect=second)
    looks = mocker.spy(ledger, "history")
    world.deliver(sample(DOWN))
    (line,) = world.outcomes()
    assert (line["code"], line["operation"], looks.call_count, world.requests()) == (code, "op-theirs", 1, 0)


def test_one_failing_cluster_does_not_touch_the_other(world: World) -> None:
    """Clusters are served side by side."""
    event = sample("alertmanager-two-clusters")
    world.kill_what_fires(event)
    world.cloud.cluster("emr-8kd2m1qp").status = 23
    world.deliver(event)
    assert sorted(line["outcome"] for line in world.outcomes()) == ["done", "refused"]


def test_a_fault_in_one_cluster_is_that_clusters(world: World, mocker: MockerFixture) -> None:
    """What was sent to another has its own outcome; and the fault's line bears no secret, not even half of one."""
    event = sample("alertmanager-two-clusters")
    world.kill_what_fires(event)
    secret = world.env["STEWARD_SECRET_DEPLOY"]

    def breaks(the_plan: Plan, seen: Observation) -> Any:
        if the_plan.cluster == "emr-8kd2m1qp":
            raise RuntimeError("x" * 470 + secret)
        return resolve(the_plan, seen)

    mocker.patch.object(decision, "resolve", breaks)
    world.deliver(event)
    assert sorted(line["code"] for line in world.outcomes()) == ["fault", "verified"]
    assert world.requests() == 1
    (fault,) = [line for line in world.lines if line["event"] == "steward.fault"]
    assert fault["at"].startswith("test_failures.py:")
    assert secret[:10] not in json.dumps(world.lines)


def test_one_name_for_two_requests_of_a_payload_is_refused_loudly(world: World) -> None:
    """The first is served; the later one is told why not, and so is a person; said twice alike, it is one."""
    one = sample("request-restart-hive")
    other = {**one, "OpScope": {"ServiceInfoList": [{"ServiceName": "YARN"}]}}
    world.deliver([one, other, one])
    assert [line["code"] for line in world.outcomes()] == ["verified", "once.conflict", "verified"]
    assert [operation.params["OpScope"] for operation in world.cloud.operations] == [one["OpScope"]]
    assert alarms(world) == ["once.conflict"]


def test_what_was_not_sent_is_not_sent_as_something_else(world: World) -> None:
    """Whoever mends a request gives it another name: under the old one the first may come again at any time."""
    one = sample("request-restart-hive")
    faulty(world, Fault.api_error("ResourceInUse.InstanceInProcess", ACTION))
    world.deliver(one, retries=0)
    world.deliver({**one, "OpScope": {"ServiceInfoList": [{"ServiceName": "YARN"}]}})
    world.deliver(one)
    assert [line["code"] for line in world.outcomes()] == ["api.busy", "once.conflict", "verified"]
    assert world.requests() == 1


def test_the_hours_budget_is_weighed_when_something_would_be_sent(make_world: MakeWorld) -> None:
    """Who is healthy is told so, and nobody is alarmed; who is not waits, and that is said."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["clusters"]["emr-4zvc5mul"]["operations_per_hour"] = 1
    world = make_world(read_config(raw))
    kill(world)
    world.deliver(sample(DOWN))
    event = sample(DOWN)
    event["alerts"][0]["labels"]["ip"] = "172.16.0.6"
    world.clock.sleep(60)
    world.deliver(event)
    assert [line["code"] for line in world.outcomes()] == ["verified", "guard.healthy"]
    assert alarms(world) == []
    kill(world, "172.16.0.6")
    world.clock.sleep(60)
    world.deliver(event)
    assert world.outcomes()[-1]["code"] == "guard.operations_per_hour"
    assert alarms(world) == ["guard.operations_per_hour"]
    assert world.requests() == 1


def test_an_order_beside_it_exempts_no_need_from_quarantine(make_world: MakeWorld) -> None:
    """A payload with both: two requests, of which one is counted; and one process that both name is restarted once, by the order."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["rules"][0]["do"]["strategy"] = {"rolling": False}
    world = make_world(read_config(raw))
    kill(world)
    alert = sample(DOWN)
    rule = world.function.config.rules[0]
    order = {
        **sample("request-restart-hive"),
        "OpScope": OpScope.of_component("HDFS", "DataNode", ["172.16.0.6", "172.16.0.7"]).to_wire(),
        "StrategyConfig": rule.manner.strategy.to_wire() if rule.manner.strategy else {},
    }
    both = {**alert["alerts"][0], "labels": {**alert["alerts"][0]["labels"], "ip": "172.16.0.7"}, "fingerprint": "both"}
    kill(world, "172.16.0.7")
    world.deliver([{**alert, "alerts": [*alert["alerts"], both]}, order])
    operations = world.function.ledger.operations()
    assert sorted((one.is_order, sorted(one.before)) for one in operations) == [
        (False, ["HDFS/datanode/172.16.0.5"]),
        (True, ["HDFS/datanode/172.16.0.6", "HDFS/datanode/172.16.0.7"]),
    ]
    history = world.function.ledger.history("emr-4zvc5mul", world.clock.now(), quarantine_within=3600)
    assert history.restarts == {"HDFS/datanode/172.16.0.5": 1}


def test_what_one_rule_could_not_do_is_not_hidden_by_another(make_world: MakeWorld) -> None:
    """One event, two rules: the outcome tells of both, and the platform's repeat does what is left, and only that."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    restart = {"operation": "RestartService", "scope": {"HIVE": "all"}, "strategy": {"rolling": False}}
    enter = {"operation": "StopMonitor", "scope": {"YARN": "all"}}
    for name, do in (("a", restart), ("b", enter)):
        when = {"source": ["timer"], "message": ["evening"]}
        raw["rules"].append({"name": name, "when": when, "do": {**do, "cluster": "emr-4zvc5mul"}})
    world = make_world(read_config(raw))
    world.cloud.process("emr-4zvc5mul", "HiveServer2", "172.16.0.2").refuse_to_recover()
    invocation = world.deliver(timer_event("t", "evening", world.clock.now()), time_limit_ms=2400)
    first, second, *_ = world.outcomes()
    assert first["outcome"] == "unverified"
    assert "; besides deferred on emr-4zvc5mul: " in first["reason"]
    assert "; besides skipped on emr-4zvc5mul: this occurrence is operation " in second["reason"]
    assert [operation.params["OpType"] for operation in world.cloud.operations] == ["RestartService", "StopMonitor"]
    assert not invocation.error


def test_each_rule_that_could_not_be_applied_is_said(make_world: MakeWorld) -> None:
    """Not the last of them alone: mending that one would only bring up the next."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    do = {"operation": "StopMonitor", "scope": {"YARN": "all"}}
    for name in ("a", "b"):
        raw["rules"].append(
            {"name": name, "when": {"message": ["evening"]}, "do": {**do, "cluster": f"{{labels.{name}}}"}}
        )
    world = make_world(read_config(raw))
    world.deliver(timer_event("t", "evening", world.clock.now()))
    (line,) = world.outcomes()
    assert (line["code"], line["rule"]) == ("rules.template", "a,b")
    assert "rule a: " in line["reason"]
    assert "; rule b: " in line["reason"]


def test_a_fault_of_our_own_is_an_outcome(world: World, mocker: MockerFixture) -> None:
    """No input loses an event without a word."""
    mocker.patch("handler.pipeline.Pipeline.serve", side_effect=RuntimeError("bug"))
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["code"] == "fault"
    assert post(world, sample("request-restart-hive"))["statusCode"] == 500
    assert post(world, sample(DOWN))["statusCode"] == 200


def test_only_post_is_served_and_bodies_are_bounded(world: World) -> None:
    """405, 413 and 400 as problem+json."""
    headers = {"Authorization": f"Bearer {world.env['STEWARD_SECRET_DEPLOY']}"}

    def call(method: str, body: bytes) -> int:
        status: int = world.function.handle(function_url_event(method, "/?a=1", headers, body), None)["statusCode"]
        return status

    assert call("GET", b"") == 405
    assert call("POST", b"{") == 400
    assert call("POST", b"\xff") == 400
    assert call("POST", b"[" * (7 * 1024 * 1024)) == 413


def test_alarms_reach_chats_and_the_bus_and_their_failure_changes_nothing(world: World, mocker: MockerFixture) -> None:
    """Once each; a chat that fails, and one that is not set, are said in the log."""
    object.__setattr__(
        world.function.config,
        "alarms",
        AlarmSettings((Chat("CHAT_A"), Chat("CHAT_B")), EventBus("eb-example0", "ap-guangzhou")),
    )
    try:
        world.env["CHAT_A"] = "json://127.0.0.1:9/token-that-nobody-may-see"
        world.env["STEWARD_EB_ENDPOINT"] = "https://eb.tencentcloudapi.com"
        notify = mocker.patch.object(apprise.Apprise, "notify", return_value=False)
        world.deliver(sample("documented-request"))
        world.deliver(sample("documented-request"))
    finally:
        object.__setattr__(world.function.config, "alarms", AlarmSettings())
    assert notify.call_count == 1
    assert len(world.cloud.put_events) == 1
    unsent = [line["problem"] for line in world.lines if line["event"] == "steward.alarm.unsent"]
    assert any("CHAT_B" in problem for problem in unsent)
    assert any("did not take" in problem for problem in unsent)
    assert {line["outcome"] for line in world.outcomes()} == {"refused"}
    assert "token-that-nobody-may-see" not in json.dumps(world.lines)


# -- the follow-up's conclusions


def verdict(kept: int, carried_out: int, untouched: int) -> Verdict:
    names = iter("abcdefghi")
    return Verdict(*(tuple(next(names) for _ in range(count)) for count in (kept, carried_out, untouched)))


@pytest.mark.parametrize(
    ("state", "seen", "status", "age", "expected"),
    [
        (State.ACCEPTED, verdict(2, 0, 0), 2, 10, State.VERIFIED),
        (State.ACCEPTED, verdict(1, 1, 0), 8, 10, State.ACCEPTED),
        (State.ACCEPTED, verdict(1, 1, 0), 2, 601, State.FAILED),
        (State.ACCEPTED, verdict(1, 1, 0), 10, 601, State.ACCEPTED),
        (State.ACCEPTED, verdict(0, 0, 2), 10, 601, State.ACCEPTED),
        (State.ACCEPTED, verdict(0, 0, 2), 10, 600 + BUSY_SECONDS, State.TIMED_OUT),
        (State.ACCEPTED, verdict(0, 0, 2), 2, 601, State.TIMED_OUT),
        (State.ACCEPTED, None, 2, 10, State.ACCEPTED),
        (State.ACCEPTED, None, 2, 601, State.TIMED_OUT),
        (State.IN_DOUBT, verdict(2, 0, 0), 2, 10, State.VERIFIED),
        (State.IN_DOUBT, verdict(0, 2, 0), 8, 10, State.ACCEPTED),
        (State.IN_DOUBT, verdict(0, 1, 1), 8, 10, State.IN_DOUBT),
        (State.IN_DOUBT, verdict(0, 1, 1), 8, 601, State.FAILED),
        (State.IN_DOUBT, verdict(0, 0, 2), 2, 300, State.IN_DOUBT),
        (State.IN_DOUBT, verdict(0, 0, 2), 2, 361, State.NOT_SENT),
        (State.IN_DOUBT, verdict(0, 0, 2), 8, 361, State.IN_DOUBT),
        (State.IN_DOUBT, verdict(0, 0, 2), 8, 601, State.TIMED_OUT),
    ],
)
def test_what_the_follow_up_concludes(
    state: State, seen: Verdict | None, status: int, age: float, expected: State
) -> None:
    """By what is seen and how much time has passed; never by guessing."""
    now = 1_000_000.0
    operation = an_operation("op-1", now=now - age, state=state)
    observed = Observation("emr-4zvc5mul", status, {}, now) if seen is not None else None
    assert conclude(operation, seen, observed, now)[0] is expected


def test_a_start_in_doubt_that_ended_in_a_crash_is_not_taken_for_unsent(world: World) -> None:
    """Started and down is what a start that was carried out may leave: nothing frees it to be sent again, and a person is told."""
    processes = [one for one in world.cloud.cluster("emr-8kd2m1qp").processes() if one.service == "HBASE"]
    for process in processes:
        process.stop_by_operator()
        process.refuse_to_recover()
    faulty(world, Fault(Kind.RESET_AFTER_READING, ACTION))
    world.deliver(sample("timer-morning-start"))
    assert world.outcomes()[0]["outcome"] == "in_doubt"
    for _ in range(11):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    (operation,) = world.function.ledger.operations()
    assert (operation.state, operation.code) == (State.TIMED_OUT, "ConnectionError")
    first, last = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (first["code"], last["code"]) == ("operation.in_doubt", "operation.timed_out")
    begun = f"StartService of HBASE (all) in emr-8kd2m1qp, begun at {utc_text(operation.armed_at)}: "
    before = "before: HBASE/HMaster/172.17.0.2 last restarted 2"
    assert first["reason"].startswith(f"{begun}its answer is not known (")
    assert "0 of 5 verified; not yet: HBASE/HMaster/172.17.0.2, HBASE/HMaster/172.17.0.3, " in first["reason"]
    assert before in first["reason"]
    assert last["reason"].startswith(f"{begun}it is in doubt, and could not be settled. Its deadline passed")
    assert before in last["reason"]
    assert "now: HBASE/HMaster/172.17.0.2 started, health unavailable, last restart 2" in last["reason"]


def test_a_redelivery_puts_in_doubt_what_no_worker_is_at_any_more(make_world: MakeWorld, url: str) -> None:
    """By itself, not only by the follow-up: in progress as long as a worker may live, then in doubt, with one alarm."""
    world = make_world(ledger=open_ledger(url))
    kill(world)
    event = restamp(sample(DOWN), world.clock.now())
    (alert,) = [one for one in read(event) if isinstance(one, Event)]
    (rule, *_) = [rule for rule in world.function.config.rules if rule.matches(alert.view())]
    intent = rule.intent(alert, alert.view())
    asked = Request(intent.cluster, intent.manner, intent.scope).digest()
    incident = {f"{rule.name}|alertmanager:{alert.id}": asked}
    assert world.function.ledger.arm(an_operation("op-lost", now=world.clock.now(), incidents=incident), 0)
    for wait in (0.0, 59.0, 1.0, 60.0):
        world.clock.sleep(wait)
        world.deliver(event, fresh=False)
    assert [line["code"] for line in world.outcomes()] == ["once.sending"] * 2 + ["once.in_doubt"] * 2
    assert alarms(world) == ["operation.in_doubt"]
    (operation,) = world.function.ledger.operations()
    assert (operation.state, operation.code) == (State.IN_DOUBT, "worker_lost")
    assert world.requests() == 0


def test_a_lost_operation_that_cannot_be_read_is_still_in_progress(world: World) -> None:
    """Nothing can be said of it but that; the alert beside it in the payload is served."""
    event = restamp(sample(DOWN), world.clock.now())
    (alert,) = events_of(event)
    (rule, *_) = [rule for rule in world.function.config.rules if rule.matches(alert.view())]
    intent = rule.intent(alert, alert.view())
    asked = Request(intent.cluster, intent.manner, intent.scope).digest()
    incidents = {f"{rule.name}|alertmanager:{alert.id}": asked}
    ledger = world.function.ledger
    assert ledger.arm(an_operation("op-lost", now=world.clock.now(), incidents=incidents, targets=("a/b/c",)), 0)
    ledger._file.connection.execute("UPDATE operations SET body = '{'")  # type: ignore[attr-defined]
    kill(world, "172.16.0.6")
    beside = json.loads(json.dumps(event["alerts"][0]).replace("172.16.0.5", "172.16.0.6"))
    world.clock.sleep(61)
    world.deliver({**event, "alerts": [*event["alerts"], {**beside, "fingerprint": "another"}]}, fresh=False)
    assert [line["code"] for line in world.outcomes()] == ["once.sending", "verified"]
    assert alarms(world) == []


def test_a_worker_that_was_lost_is_told_of_once(world: World) -> None:
    """As soon as it is known, by one of two follow-ups at the same time; and what is then found to have worked is no matter for a person."""
    now, ledger = world.clock.now(), world.function.ledger
    kill(world)
    restarted = world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").last_restart
    for name, ip, before in (("op-lost", "172.16.0.5", restarted), ("op-fine", "172.16.0.6", "another")):
        operation = replace(an_operation(name, now=now), before={f"HDFS/datanode/{ip}": before})
        assert ledger.arm(operation, ledger.history(operation.cluster, now, quarantine_within=1).version)
    for _ in range(3):
        world.clock.sleep(40)
        side_by_side(
            lambda _: world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), {}), ["a", "b"]
        )
    (alarm,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (alarm["code"], alarm["about"], alarm["api_code"]) == ("operation.in_doubt", "op-lost", "worker_lost")
    assert "its worker never said what became of it. Now: HDFS/DataNode/172.16.0.5 started, health " in alarm["reason"]


@pytest.mark.parametrize(("looks_fail", "state"), [(1, State.VERIFIED), (30, State.TIMED_OUT)])
def test_a_look_that_fails_at_the_deadline_is_not_the_last(world: World, looks_fail: int, state: State) -> None:
    """One lost answer does not end an operation that worked; what can never be looked at ends all the same, with one alarm."""
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    world.clock.sleep(700)
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeInstances") for _ in range(looks_fail)))
    for _ in range(20):
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
        world.clock.sleep(60)
    (operation,) = world.function.ledger.operations()
    assert operation.state is state
    assert alarms(world) == ["operation.timed_out"] * (state is State.TIMED_OUT)


class Slow:
    """Clusters that all take ten seconds to look at; who was looked at."""

    def __init__(self, clock: VirtualClock, at_once: int) -> None:
        self.looked: list[str] = []
        self._clock = clock
        self._begun = threading.Barrier(at_once, action=lambda: clock.advance(10))

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        self.looked.append(cluster.id)
        self._begun.wait(20)
        return 2

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        return ()

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        raise AssertionError("the follow-up sends nothing")


def test_the_follow_up_begins_with_the_oldest_and_nothing_for_which_no_time_is_left() -> None:
    """Of forty clusters with an open operation, the thirty-two whose are the oldest; the next round begins with the others."""
    clock = VirtualClock()
    ledger = open_ledger("sqlite:///:memory:")
    names = [f"emr-{number:08d}" for number in range(40)]
    for number in (number * 7 % 40 for number in range(40)):
        operation = an_operation(f"op-{40 - number:02}", cluster=names[number], now=clock.now() - 100 + number)
        assert ledger.arm(operation, 0)
        assert ledger.settle(operation.moved(State.ACCEPTED, clock.now()), State.SENDING)
    gateway = Slow(clock, SIDE_BY_SIDE)
    follow_up = FollowUp(
        restarting(names, limits={}),
        gateway,
        ledger,
        clock,
        Log(lambda text: None, clock),
        say=lambda alarm: None,
    )
    counts = follow_up.run(Deadline(clock, 10 + SECONDS_TO_LOOK / 2))
    assert sorted(gateway.looked) == names[:SIDE_BY_SIDE]
    assert counts == {"ACCEPTED": 40}


def test_a_rolling_restart_tells_its_progress_and_ends_once(make_world: MakeWorld) -> None:
    """n of m in the log, the oldest first; two follow-ups at the same time end it once, with one line."""
    world = make_world(loosened({"max_nodes": 3, "max_share": "100%"}))
    event = sample(DOWN)
    (alert,) = event["alerts"]
    ips = [f"172.16.0.{node}" for node in (5, 6, 7)]
    event["alerts"] = [{**alert, "labels": {**alert["labels"], "ip": ip}, "fingerprint": ip} for ip in ips]
    for ip in ips:
        kill(world, ip)
    world.deliver(event, time_limit_ms=2100)
    for _ in range(20):
        side_by_side(
            lambda _: world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), {}),
            ["one", "another"],
        )
        world.clock.sleep(10)
    told = [(line["verified"], line["of"]) for line in world.lines if line["event"] == "steward.progress"]
    assert [of for _, of in told] == [3] * len(told)
    assert {1, 2, 3} <= {verified for verified, _ in told}
    assert [line["state"] for line in world.lines if line["event"] == "steward.operation"] == ["VERIFIED"]


def test_an_operation_that_cannot_be_read_stops_no_other(world: World) -> None:
    """The follow-up passes it over, and one alarm names it, however many rounds there are."""
    now, ledger = world.clock.now(), world.function.ledger
    assert ledger.arm(an_operation("op-broken", cluster="emr-gone0000", now=now), 0)
    ledger._file.connection.execute("UPDATE operations SET body = '{'")  # type: ignore[attr-defined]
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    for _ in range(30):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    assert [line["state"] for line in world.lines if line["event"] == "steward.operation"] == ["VERIFIED"]
    (alarm,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (alarm["code"], alarm["about"]) == ("operation.unreadable", "op-broken")


def test_a_fault_in_one_operation_stops_no_other(world: World, mocker: MockerFixture) -> None:
    """The follow-up says it, by one alarm however many rounds there are, and goes on with the others, and with what comes after them."""
    now, ledger = world.clock.now(), world.function.ledger
    assert ledger.arm(an_operation("op-odd", now=now, targets=("YARN/nodemanager/172.16.0.5",)), 0)
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)

    def breaks(operation: Operation, *others: Any) -> Any:
        if operation.id == "op-odd":
            raise RuntimeError("this cannot be")
        return conclude(operation, *others)

    mocker.patch("handler.follow_up.conclude", breaks)
    for _ in range(5):
        world.clock.sleep(61)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    assert [line["state"] for line in world.lines if line["event"] == "steward.operation"] == ["VERIFIED"]
    faults = [line["about"] for line in world.lines if line["event"] == "steward.alarm" and line["code"] == "fault"]
    assert faults == ["op-odd"]


def test_a_cluster_that_is_no_longer_listed_times_out(world: World) -> None:
    """What cannot be looked at does not stay open for ever."""
    now = world.clock.now()
    ledger = world.function.ledger
    operation = an_operation("op-1", cluster="emr-gone0000", now=now, op_type=OpType.STOP_SERVICE)
    assert ledger.arm(operation, 0)
    for _ in range(12):
        world.clock.sleep(61)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    found = ledger.get("op-1")
    assert found is not None
    assert found.state is State.TIMED_OUT
    assert alarms(world) == ["operation.in_doubt", "operation.timed_out"]


# -- settings


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"STEWARD_MODE": "dry"}, "act or observe"),
        ({"STEWARD_LOG_LEVEL": "LOUD"}, "DEBUG"),
        ({"STEWARD_EMR_ENDPOINT": "ftp://x"}, "is not an endpoint"),
        ({"STEWARD_EMR_ENDPOINT": "http://h/path"}, "is not an endpoint"),
        ({"STEWARD_CONFIG": " "}, "set but empty"),
    ],
)
def test_a_wrong_setting_stops_the_start(env: dict[str, str], says: str) -> None:
    """Naming the variable and what it may be."""
    with pytest.raises(ConfigurationError, match=says) as raised:
        Settings.from_env(env)
    assert next(iter(env)) in str(raised.value)


@pytest.mark.parametrize(
    ("text", "scheme", "host"),
    [
        ("global", "https", "emr.tencentcloudapi.com"),
        ("regional", "https", "emr.ap-guangzhou.tencentcloudapi.com"),
        ("international", "https", "emr.intl.tencentcloudapi.com"),
        ("internal", "https", "emr.internal.tencentcloudapi.com"),
        ("emr.example.com", "https", "emr.example.com"),
        ("http://127.0.0.1:18080/", "http", "127.0.0.1:18080"),
    ],
)
def test_endpoints(text: str, scheme: str, host: str) -> None:
    """A word, a host, or a URL."""
    endpoint = Endpoint.parse(text)
    assert (endpoint.scheme, endpoint.for_region("ap-guangzhou")) == (scheme, host)


def test_credentials_come_from_the_platform_first() -> None:
    """A whole pair of its names, then the SDK's; never printed."""
    sdk = {"TENCENTCLOUD_SECRET_ID": "id-b", "TENCENTCLOUD_SECRET_KEY": "key-b"}
    role = {"TENCENTCLOUD_SECRETID": "id-a", "TENCENTCLOUD_SECRETKEY": "key-a", "TENCENTCLOUD_SESSIONTOKEN": "token-a"}
    assert Credentials.from_env({**sdk, **role}).kind == "role"
    assert Credentials.from_env(sdk).kind == "key"
    assert "key-a" not in repr(Credentials.from_env(role))
    with pytest.raises(ConfigurationError, match="execution role"):
        Credentials.from_env({"TENCENTCLOUD_SECRETID": "only"})


def test_the_platforms_entry_starts_with_the_example_and_fails_loudly_without(
    mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """index.main_handler, as deployed: one instance, made by the first event."""
    import index

    mocker.patch.object(Function, "_instance", None)
    mocker.patch.dict("os.environ", {"STEWARD_CONFIG": "/nonexistent/steward.yml"}, clear=True)
    with pytest.raises(ConfigurationError):
        index.main_handler({}, {})
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("ERROR", "steward.configuration"),
        ("ERROR", "steward.alarm"),
    ]
    assert "/nonexistent/steward.yml" in lines[1]["reason"]
    answer = index.main_handler(function_url_event("POST", "/", {}, b"{}"), {})
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (500, "application/problem+json")
    assert "nonexistent" not in answer["body"]
    mocker.patch.dict("os.environ", {"STEWARD_LEDGER": "sqlite:///:memory:"}, clear=True)
    answer = index.main_handler(
        sample("timer-maintenance-on") | {"Message": "nobody listens"}, {"time_limit_in_ms": "x"}
    )
    assert answer["counts"] == {"skipped": 1}
    out = capsys.readouterr().out
    assert '"code":"rules.none"' in out


def test_at_its_start_the_function_says_what_nobody_reads(world: World) -> None:
    """A misspelt variable and a time limit that is too small, once an instance, before anything is lost by them."""
    world.env |= {"STEWARD_MDOE": "observe", "STEWARD_SECRET_TCPO": "planted-secret"}
    for _ in range(2):
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()), time_limit_ms=3000)
    unknown = [line["reason"] for line in world.lines if line["event"] == "steward.settings.unknown"]
    assert unknown == ["nothing reads it; did you mean STEWARD_MODE?", "nothing reads it; leave it out"]
    assert [line["event"] for line in world.lines].count("steward.settings.time_limit") == 1
    assert "planted-secret" not in json.dumps(world.lines)

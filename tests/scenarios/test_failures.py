"""What goes wrong around the function: the API, the cluster, the clock, others, ourselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apprise
import pytest
from pytest_mock import MockerFixture

from handler.cloud.client import MAX_MESSAGE
from handler.cloud.emr import EmrGateway
from handler.decide.planning import Plan, resolve
from handler.errors import Rejected
from handler.execute import decision
from handler.execute.follow_up import MESSAGE
from handler.ledger.ledger import open_ledger
from handler.lib.clock import Deadline
from handler.model.observation import Observation, Reading
from handler.model.operation import Operation, State
from handler.model.policy import AlarmSettings, Chat, Cluster, EventBus
from handler.model.scope import OpScope
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import function_url_event, restamp, timer_event
from steward.simulate.world import World
from tests.operations import an_operation
from tests.worlds import ACTION, DOWN, alarms, faulty, kill, post

ROOT = Path(__file__).parents[2]


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
        ("UnauthorizedOperation.CheckCamAuth", "refused", State.NOT_SENT),
        ("AuthFailure.SecretIdNotFound", "refused", State.NOT_SENT),
        ("LimitExceeded", "refused", State.NOT_SENT),
        ("ResourceInsufficient", "refused", State.NOT_SENT),
        ("InvalidParameter.InvalidIpList", "refused", State.REJECTED),
        ("InternalError.WoodServerError", "in_doubt", State.IN_DOUBT),
        ("FailedOperation", "in_doubt", State.IN_DOUBT),
    ],
)
def test_the_apis_errors_end_in_their_outcomes(world: World, code: str, outcome: str, state: State) -> None:
    """Deferred, refused or in doubt: by the code; and nothing is carried out. A cause that can be removed ends nothing."""
    kill(world)
    fault = next(kind for kind in Kind if kind.name in ("ERROR", "API_ERROR", "ERROR_ENVELOPE"))
    faulty(world, *(Fault(fault, action=ACTION, code=code) for _ in range(40)))
    world.deliver(sample(DOWN), time_limit_ms=6000)
    assert {line["outcome"] for line in world.outcomes()} == {outcome}
    assert {operation.state for operation in world.function.ledger.operations()} == {state}
    assert world.requests() == 0


@pytest.mark.parametrize(
    "code", ["UnauthorizedOperation.CheckCamAuth", "AuthFailure.SecretIdNotFound", "LimitExceeded"]
)
def test_an_alert_is_served_once_the_cause_of_a_refusal_is_removed(world: World, code: str) -> None:
    """The right is granted, and the same occurrence comes again: a person need not restart by hand."""
    kill(world)
    event = restamp(sample(DOWN), world.clock.now())
    adapter = faulty(world, Fault.api_error(code, ACTION))
    world.deliver(event, fresh=False)
    adapter.faults.clear()
    world.clock.sleep(60)
    world.deliver(event, fresh=False)
    assert world.requests() == 1
    assert [line["outcome"] for line in world.outcomes()] == ["refused", "done"]


def test_half_a_surrogate_pair_in_an_answer_is_written_down(world: World) -> None:
    """JSON can hold it, and no file can: the refusal is settled all the same."""
    kill(world)
    faulty(world, Fault.api_error("InvalidParameter.\ud800", ACTION))
    world.deliver(sample(DOWN))
    (operation,) = world.function.ledger.operations()
    assert (operation.state, operation.code) == (State.REJECTED, "InvalidParameter.\\ud800")


def test_a_cluster_that_cannot_be_seen_is_left_alone(world: World) -> None:
    """No look, no request; a timer's event is delivered again by the platform."""
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeInstances") for _ in range(9)))
    invocation = world.deliver(sample("timer-nightly-stop"))
    assert "LedgerUnavailable" in invocation.error
    assert world.requests() == 0
    assert {line["code"] for line in world.outcomes()} == {"look.failed"}


def test_what_is_raised_or_goes_wrong_bears_no_secret(world: World, mocker: MockerFixture) -> None:
    """The platform logs exceptions as well; and a text that is cut is cleaned first, since half a secret is one."""
    secret = world.env["STEWARD_SECRET_DEPLOY"]
    for message in (f"for {secret}", "x" * (MAX_MESSAGE - 12) + secret):
        fault = Fault(Kind.API_ERROR, action="DescribeInstances", code="InternalError", message=message)
        faulty(world, *[fault] * 3)
        error = world.deliver(sample("timer-nightly-stop"), retries=0).error
        assert "LedgerUnavailable" in error
        assert "[redacted]" in error
        assert secret[:10] not in error + str(world.function.ledger.records())
    mocker.patch("handler.execute.pipeline.Pipeline.serve", side_effect=RuntimeError("x" * 470 + secret))
    world.deliver(sample(DOWN))
    assert secret[:10] not in json.dumps(world.lines)


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
    assert "LedgerUnavailable" in world.deliver(event, retries=0).error
    cluster.status = 2
    world.deliver(event)
    assert [line["outcome"] for line in world.outcomes()] == ["deferred", "done"]


def test_too_little_time_begins_nothing(world: World) -> None:
    """Refused before anything is armed."""
    kill(world)
    assert "LedgerUnavailable" in world.deliver(sample(DOWN), time_limit_ms=1000).error
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
    (alarm,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert alarm["where"] == "HDFS DataNode 172.16.0.5 on analytics"
    assert alarm["reason"].startswith("in quarantine: 3 restarts within 24.0 h did not keep it healthy")
    assert "`steward release HDFS/DataNode/172.16.0.5`" in alarm["fix"]
    world.function.ledger.release("HDFS/datanode/172.16.0.5", world.clock.now())
    world.deliver(sample(DOWN))
    assert world.requests() == 4


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
    assert sorted(line["code"] for line in world.outcomes()) == ["internal_error", "verified"]
    assert world.requests() == 1
    (fault,) = [line for line in world.lines if line["event"] == "steward.internal_error"]
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
    world = make_world(config_of(raw))
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
    world = make_world(config_of(raw))
    kill(world)
    alert = sample(DOWN)
    rule = world.function.config.rules[0]
    order = {
        **sample("request-restart-hive"),
        "OpScope": OpScope.of_component("HDFS", "DataNode", ["172.16.0.6", "172.16.0.7"]).to_wire(),
        "StrategyConfig": rule.action.strategy.to_wire() if rule.action.strategy else {},
    }
    both = {**alert["alerts"][0], "labels": {**alert["alerts"][0]["labels"], "ip": "172.16.0.7"}, "fingerprint": "both"}
    kill(world, "172.16.0.7")
    world.deliver([{**alert, "alerts": [*alert["alerts"], both]}, order])
    operations = world.function.ledger.operations()
    assert sorted((one.is_command, sorted(one.before)) for one in operations) == [
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
    world = make_world(config_of(raw))
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
    world = make_world(config_of(raw))
    world.deliver(timer_event("t", "evening", world.clock.now()))
    (line,) = world.outcomes()
    assert (line["code"], line["rule"]) == ("rules.template", "a,b")
    assert "rule a: " in line["reason"]
    assert "; rule b: " in line["reason"]


def test_a_fault_of_our_own_is_an_outcome(world: World, mocker: MockerFixture) -> None:
    """No input loses an event without a word."""
    mocker.patch("handler.execute.pipeline.Pipeline.serve", side_effect=RuntimeError("bug"))
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["code"] == "internal_error"
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
    assert any("did not accept" in problem for problem in unsent)
    assert {line["outcome"] for line in world.outcomes()} == {"refused"}
    assert "token-that-nobody-may-see" not in json.dumps(world.lines)

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
from handler.errors import Rejected
from handler.execute import decision
from handler.ledger.cluster_record import ClusterRecord
from handler.lib.clock import Deadline
from handler.model.observation import Reading
from handler.model.operation import State
from handler.model.policy import AlarmSettings, Chat, Cluster, EventBus
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import function_url_event, restamp, timer_event
from steward.simulate.world import World
from tests.operations import an_operation, put
from tests.worlds import (
    ACTION,
    DOWN,
    alarms,
    codes,
    faulty,
    follow_up,
    kill,
    outcomes,
    over,
    post,
    process,
    requested,
    settled,
    states,
)

ROOT = Path(__file__).parents[2]


def in_a_workflow(world: World) -> None:
    world.cloud.cluster("emr-4zvc5mul").status = 4


def without_an_answer_to_looks(world: World) -> None:
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeInstances") for _ in range(9)))


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
    assert [line["code"] for line in world.outcomes()] == ["verified", "look.failed"]
    assert world.requests() == 1


def test_one_failing_cluster_does_not_touch_the_other(world: World) -> None:
    """Clusters are served side by side."""
    event = sample("alertmanager-two-clusters")
    world.kill_what_fires(event)
    world.cloud.cluster("emr-8kd2m1qp").status = 23
    world.deliver(event)
    assert sorted(line["outcome"] for line in world.outcomes()) == ["done", "refused"]


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


def without_rights_to_look(world: World) -> None:
    world.cloud.denied |= {(secret, "DescribeInstances") for secret in world.cloud.credentials}


@pytest.mark.parametrize(
    ("given", "code", "is_told"),
    [
        (in_a_workflow, "guard.cluster_busy", False),
        (without_an_answer_to_looks, "look.failed", True),
        (without_rights_to_look, "look.failed", True),
    ],
)
@pytest.mark.parametrize("event", [DOWN, "request-restart-hive"])
def test_what_cannot_be_done_now_is_written_down_and_done_later(
    world: World, event: str, given: Callable[[World], object], code: str, is_told: bool
) -> None:
    """202, whatever holds it, for alerts and direct calls alike; nobody has to repeat it."""
    kill(world)
    given(world)
    answer = post(world, restamp(sample(event), world.clock.now()))
    assert (answer["statusCode"], codes(world), world.requests()) == (202, [code], 0)
    assert alarms(world) == [code] * is_told
    world.cloud.cluster("emr-4zvc5mul").status = 2
    world.cloud.denied.clear()
    faulty(world)
    follow_up(world, 3)
    assert (world.requests(), settled(world), over(world)) == (1, ["done"], [code] * is_told)


#: The failure matrix: how the API's answer can fail, what the event is told at once, and how often the cloud carries it
#: out in the end. What may have been carried out is observed, and sent again only once it is ruled out.
MATRIX = [
    (Fault.api_error("RequestLimitExceeded", ACTION), "done", []),
    (Fault.api_error("ResourceInUse.InstanceInProcess", ACTION), "done", []),
    (Fault.api_error("UnauthorizedOperation.CheckCamAuth", ACTION), "done", ["api.UnauthorizedOperation.CheckCamAuth"]),
    (Fault.api_error("AuthFailure.SecretIdNotFound", ACTION), "done", ["api.AuthFailure.SecretIdNotFound"]),
    *(
        (fault, "in_doubt", ["operation.in_doubt"])
        for fault in (
            Fault(Kind.RESET_BEFORE_READING, ACTION),
            Fault(Kind.RESET_AFTER_READING, ACTION),
            Fault(Kind.CLOSE_SILENTLY, ACTION),
            Fault(Kind.HANG_BEFORE, ACTION),
            Fault(Kind.HANG_AFTER, ACTION),
            Fault(Kind.CUT_BODY, ACTION),
            Fault(Kind.BAD_GATEWAY, ACTION),
            Fault(Kind.BAD_GATEWAY_AFTER, ACTION),
            Fault(Kind.GATEWAY_TIMEOUT, ACTION),
            Fault(Kind.HTML, ACTION),
            Fault(Kind.REDIRECT, ACTION),
            Fault(Kind.BROKEN_JSON, ACTION),
            Fault(Kind.NOT_AN_OBJECT, ACTION),
            Fault(Kind.NO_RESPONSE_KEY, ACTION),
            Fault.api_error("InternalError.WoodServerError", ACTION),
            Fault.api_error("InternalError", ACTION, although_carried_out=True),
            Fault.api_error("FailedOperation", ACTION),
        )
    ),
]


@pytest.mark.parametrize(
    ("fault", "answered", "told"), MATRIX, ids=[f"{one.kind.name} {one.code}{one.carried_out:d}" for one, *_ in MATRIX]
)
def test_a_failed_request_is_carried_out_exactly_once_in_the_end(
    world: World, fault: Fault, answered: str, told: list[str]
) -> None:
    """Whatever the fault: one restart, each event one outcome and one settled line, one alarm and its end."""
    kill(world)
    process(world).refuse_to_recover(answered == "in_doubt" and fault.carried_out)  # so that it is not over at once
    faulty(world, fault)
    world.deliver(sample(DOWN))
    assert outcomes(world) == [answered]
    process(world).refuse_to_recover(False)
    process(world).recover() if fault.carried_out else None
    follow_up(world, 12)
    assert (world.requests(), alarms(world), over(world)) == (1, told, told)
    assert settled(world) == ["done"] * (answered != "done")


@pytest.mark.parametrize("code", ["InvalidParameter.\ud800", "InternalError.\ud800"])
def test_half_a_surrogate_pair_in_an_answer_is_written_down(world: World, code: str) -> None:
    """JSON can hold it, and no file can: the answer is settled all the same."""
    kill(world)
    faulty(world, Fault.api_error(code, ACTION, although_carried_out=True))
    world.deliver(sample(DOWN))
    assert outcomes(world) == ["refused" if code.startswith("Invalid") else "done"]
    assert "\\ud800" in json.dumps(world.lines)


def test_what_goes_wrong_bears_no_secret(world: World, mocker: MockerFixture) -> None:
    """A text that is cut is cleaned first, since half a secret is one."""
    secret = world.env["STEWARD_SECRET_DEPLOY"]
    for message in (f"for {secret}", "x" * (MAX_MESSAGE - 12) + secret):
        fault = Fault(Kind.API_ERROR, action="DescribeInstances", code="InternalError", message=message)
        faulty(world, *[fault] * 3)
        answer = world.deliver(sample("timer-nightly-stop"), retries=0).answer
        assert secret[:10] not in json.dumps(answer) + str(world.function.ledger.lines())
    mocker.patch("handler.execute.pipeline.Pipeline.serve", side_effect=RuntimeError("x" * 470 + secret))
    world.deliver(sample(DOWN))
    assert secret[:10] not in json.dumps(world.lines)
    assert "[redacted]" in json.dumps(world.lines)


def test_a_fault_in_one_cluster_is_that_clusters(world: World, mocker: MockerFixture) -> None:
    """What was sent to another has its own outcome; what was stated stays pending, and the follow-up serves it."""
    event = sample("alertmanager-two-clusters")
    world.kill_what_fires(event)
    secret = world.env["STEWARD_SECRET_DEPLOY"]
    decide = decision.decide

    def breaks(record: ClusterRecord, *more: Any) -> Any:
        if record.cluster == "emr-8kd2m1qp":
            raise RuntimeError("x" * 470 + secret)
        return decide(record, *more)

    mocker.patch("handler.execute.reconcile.decide", breaks)
    world.deliver(event)
    assert sorted(outcomes(world)) == ["done", "pending"]
    assert (world.requests(), alarms(world)) == (1, ["internal_error"])
    assert secret[:10] not in json.dumps(world.lines)
    mocker.stopall()
    follow_up(world, 2)
    assert (world.requests(), settled(world)) == (2, ["done"])


def test_a_service_that_cannot_be_looked_at_ends_no_operation_on_another(
    world: World, one_cannot_be_seen: None
) -> None:
    """The follow-up verifies what it sees, and tries the other again until it has to give up."""
    kill(world)
    lost = an_operation("op-lost", now=world.clock.now(), targets=("NOSUCH/x/172.16.0.6",), state=State.ACCEPTED)
    put(world.function.ledger, lost)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    follow_up(world, 30)
    assert sorted(states(world)) == ["TIMED_OUT", "VERIFIED"]
    assert settled(world) == ["done"]


def test_what_two_rules_ask_of_one_event_is_said_in_one_outcome(make_world: MakeWorld) -> None:
    """The more urgent leads; the other waits for it and is done by the follow-up."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    restart = {"operation": "RestartService", "scope": {"HIVE": "all"}, "strategy": {"rolling": False}}
    enter = {"operation": "StopMonitor", "scope": {"YARN": "all"}}
    for name, do in (("a", restart), ("b", enter)):
        when = {"source": ["timer"], "message": ["evening"]}
        raw["rules"].append({"name": name, "when": when, "do": {**do, "cluster": "emr-4zvc5mul"}})
    world = make_world(config_of(raw))
    world.deliver(timer_event("t", "evening", world.clock.now()), time_limit_ms=2400)
    assert outcomes(world) == ["accepted"]
    assert "; besides pending on emr-4zvc5mul: " in world.outcomes()[0]["reason"]
    follow_up(world, 3)
    assert [op_type for op_type, _ in requested(world)] == ["RestartService", "StopMonitor"]
    assert sorted(settled(world)) == ["done", "done"]

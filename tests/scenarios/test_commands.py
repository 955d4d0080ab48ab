"""What a timer or a person asks for is carried out, once, or they are told that it was not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.lib.wording import utc_text
from harness.faults import Fault
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World
from tests.worlds import (
    ACTION,
    CLUSTER,
    DOWN,
    alarms,
    codes,
    command,
    faulty,
    follow_up,
    kill,
    lines,
    outcomes,
    post,
    process,
    requested,
    settled,
    states,
)


@pytest.fixture
def world(world: World) -> World:
    """Its operations take a second, so that a caller over HTTP sees them end."""
    world.cloud.cluster(CLUSTER).transition_seconds = 1
    return world


@pytest.fixture
def restarting(world: World) -> World:
    """An alert's restart of the DataNode on 172.16.0.5 is accepted, and not seen to work for as long as it does not recover."""
    process(world).refuse_to_recover()
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2500)
    world.clock.sleep(10)
    assert states(world) == ["ACCEPTED"]
    return world


def stopped(world: World) -> set[str]:
    """Where DataNodes are stopped."""
    return {ip for ip in (f"172.16.0.{node}" for node in range(5, 10)) if process(world, ip).is_stopped}


def timer(world: World, message: str, *, ago: float = 0, name: str = "EveryNight") -> None:
    """A timer's event, of some seconds ago."""
    world.deliver(timer_event(name, message, world.clock.now() - ago), fresh=False)


def test_a_command_waits_for_what_is_under_way(restarting: World) -> None:
    """It is written down, and carried out when the other is over, without being asked again."""
    assert post(restarting, command("StopService", "172.16.0.5", Id="stop-5"))["statusCode"] == 202
    follow_up(restarting, 15)
    assert stopped(restarting) == {"172.16.0.5"}
    assert settled(restarting)[-1] == "done"
    answer = post(restarting, command("StopService", "172.16.0.5", Id="stop-5"))
    assert answer["statusCode"] == 200
    assert requested(restarting)[1:] == [("StopService", ["172.16.0.5"])]


def test_a_command_whose_part_has_to_wait_waits_as_a_whole(restarting: World) -> None:
    """What is asked at once is done at once."""
    assert post(restarting, command("StopService", "172.16.0.5", "172.16.0.6", Id="both"))["statusCode"] == 202
    restarting.clock.sleep(10)
    assert stopped(restarting) == set()
    follow_up(restarting, 15)
    assert requested(restarting)[1:] == [("StopService", ["172.16.0.5", "172.16.0.6"])]


def test_a_command_that_cannot_be_carried_out_in_time_expires_loudly(world: World) -> None:
    """An hour of another workflow: it is told, and not carried out afterwards."""
    cluster = world.cloud.cluster("emr-8kd2m1qp")
    cluster.status = 4
    timer(world, "nightly-stop", name="nightly-stop")
    follow_up(world, 70, every=300)
    assert (alarms(world), settled(world)) == (["intent.expired"], ["expired"])
    cluster.status = 2
    follow_up(world, 3)
    assert requested(world) == []


@pytest.mark.parametrize("minutes", [0, 30, 59])
def test_a_late_timer_is_carried_out(world: World, minutes: float) -> None:
    """The platform delivers the evening's timer half an hour late."""
    timer(world, "nightly-stop", ago=60 * minutes)
    assert outcomes(world) == ["done"]
    assert requested(world)[0][0] == "StopService"


@pytest.mark.parametrize(
    ("message", "ago", "code", "hint"),
    [
        ("nightly-stop", 3700, "intent.too_late", "max_wait is 60 min"),
        ("nightly_stop", 0, "rules.none", "the nearest rule is nightly-stop"),
        ("nihgtly-stop", 0, "rules.none", "the nearest rule is nightly-stop"),
        ("{'InstanceId': 'emr-4zvc5mul', 'OpType': 'StopService'}", 0, None, ""),
        ('{"InstanceId": "emr-4zvc5mul", "OpType": "StopServic"}', 0, "input.invalid", "OpType"),
        ("", 0, "rules.none", ""),
    ],
    ids=["too late", "misspelt", "letters swapped", "a request in wrong quotes", "a wrong request", "empty"],
)
def test_a_timer_that_is_not_carried_out_is_told(
    world: World, message: str, ago: float, code: str | None, hint: str
) -> None:
    """Whatever the reason, and with the rule that was probably meant."""
    timer(world, message, ago=ago)
    assert requested(world) == []
    (alarm,) = lines(world, "steward.alarm")
    assert code in (None, alarm["code"])
    assert hint in alarm["reason"]


def test_a_stop_a_start_and_a_stop_are_three_operations(world: World) -> None:
    """Within minutes, without ids: none of them is taken for a repeat of another."""
    for op_type in ("StopService", "StartService", "StopService"):
        answer = post(world, command(op_type, service="HIVE"))
        assert answer["statusCode"] == 200, answer["body"]
        world.clock.sleep(121)
    assert [op_type for op_type, _ in requested(world)] == ["StopService", "StartService", "StopService"]
    assert alarms(world) == []


def test_what_may_be_a_retry_and_may_be_new_is_refused_loudly(world: World) -> None:
    """Equal to one of the last two minutes, with something else asked since; after that it is a new one."""
    for op_type in ("StopService", "StartService"):
        post(world, command(op_type, service="HIVE"))
    answer = post(world, command("StopService", service="HIVE"))
    assert answer["statusCode"] == 409
    assert "`Id`" in lines(world, "steward.alarm")[0]["fix"]
    assert alarms(world) == ["once.ambiguous"]
    assert len(requested(world)) == 2
    world.clock.sleep(121)
    assert post(world, command("StopService", service="HIVE"))["statusCode"] == 200
    assert len(requested(world)) == 3


def unnamed() -> dict[str, Any]:
    return {key: value for key, value in sample("request-restart-hive").items() if key != "Id"}


@pytest.mark.parametrize(("seconds", "requests"), [(0, 1), (30, 1), (110, 1), (200, 2)])
def test_a_call_without_an_id_is_a_retry_soon_after_and_a_new_one_later(
    world: World, seconds: float, requests: int
) -> None:
    """The nightly restart of a pipeline is not the one of last night."""
    world.deliver(unnamed())
    world.clock.sleep(seconds)
    world.deliver(unnamed())
    assert world.requests() == requests


def test_a_call_without_an_id_joins_its_like_while_that_is_open(restarting: World) -> None:
    """A client that gives up after ten seconds and asks again, and again, for minutes."""
    for _ in range(5):
        post(restarting, command("StopService", "172.16.0.5"))
        follow_up(restarting, 4)
    assert [op_type for op_type, _ in requested(restarting)] == ["RestartService", "StopService"]


def test_calls_without_an_id_that_ask_for_different_things_hold_nothing_back(world: World) -> None:
    """A start soon after a stop; a person's restart soon after an alert's."""
    for op_type in ("StopService", "StartService"):
        assert post(world, command(op_type, "172.16.0.6"))["statusCode"] == 200
        world.clock.sleep(60)
    kill(world)
    world.deliver(sample(DOWN))
    call = command("RestartService", "172.16.0.5", StrategyConfig={"RollingRestartSwitch": 0})
    assert post(world, call)["statusCode"] == 200
    assert world.requests() == 4


@pytest.mark.parametrize("header", [False, True])
def test_a_repeated_id_returns_the_first_result(world: World, header: bool) -> None:
    """Whenever it comes within a day; with other content it is refused loudly."""
    named = {"Idempotency-Key": "deploy-1"} if header else {}
    call = {**unnamed(), **({} if header else {"Id": "deploy-1"})}
    assert post(world, call, **named)["statusCode"] == 202
    follow_up(world, 2)
    for _ in range(3):
        assert post(world, call, **named)["statusCode"] == 200
        world.clock.sleep(7 * 3600)
    assert (world.requests(), outcomes(world)) == (1, ["accepted"] + ["done"] * 3)
    other = {**call, "OpScope": {"ServiceInfoList": [{"ServiceName": "YARN"}]}}
    assert post(world, other, **named)["statusCode"] == 422
    assert (world.requests(), alarms(world)) == (1, ["once.conflict"])


def test_one_id_for_two_requests_of_a_payload_is_refused_loudly(world: World) -> None:
    """The first is served; the other is refused, and a person is told."""
    one = sample("request-restart-hive")
    other = {**one, "OpScope": {"ServiceInfoList": [{"ServiceName": "YARN"}]}}
    world.deliver([one, other, one])
    assert codes(world) == ["verified", "once.conflict", "verified"]
    assert [operation.params["OpScope"] for operation in world.cloud.operations] == [one["OpScope"]]
    assert alarms(world) == ["once.conflict"]


@pytest.mark.parametrize("in_maintenance", [True, False])
def test_an_older_command_after_a_newer_opposite_one_is_not_carried_out(world: World, in_maintenance: bool) -> None:
    """The timers of 14:05 and 14:02 arrive in the wrong order: what was asked last holds, and that is told."""
    for one in world.cloud.cluster(CLUSTER).processes():
        if one.service == "HIVE" and in_maintenance:
            one.put_in_maintenance()
    timer(world, "maintenance-off", ago=60, name="off")
    timer(world, "maintenance-on", ago=240, name="on")
    follow_up(world, 3)
    assert [op_type for op_type, _ in requested(world)] == ["StartMonitor"] * in_maintenance
    assert alarms(world) == ["intent.superseded"]
    assert not any(one.in_maintenance for one in world.cloud.cluster(CLUSTER).processes())


def test_a_newer_opposite_command_supersedes_one_that_waits(restarting: World) -> None:
    """Stop waits; Start comes: the stop is told of and not carried out; the start has nothing to do."""
    post(restarting, command("StopService", "172.16.0.5", Id="stop"))
    restarting.clock.sleep(5)
    post(restarting, command("StartService", "172.16.0.5", Id="start"))
    process(restarting).refuse_to_recover(False)
    follow_up(restarting, 30)
    assert "StopService" not in [op_type for op_type, _ in requested(restarting)]
    assert "intent.superseded" in alarms(restarting)
    assert process(restarting).health == 1


def test_a_command_that_a_freeze_outlives_is_refused_at_once_and_quietly(make_world: MakeWorld) -> None:
    """What people froze on purpose pages nobody, also where somebody forgot the freeze."""
    raw, _ = read_raw("steward.yml")
    freeze = {"from": "2020-01-01T00:00:00Z", "to": "2040-01-01T00:00:00Z", "reason": "the year's end"}
    raw["safety"] = {"freezes": [freeze]}
    world = make_world(config_of(raw))
    timer(world, json.dumps(command("StopService", "172.16.0.5")))
    assert post(world, command("StopService", "172.16.0.6"))["statusCode"] == 409
    assert (outcomes(world), alarms(world)) == (["refused"] * 2, [])


def test_a_command_says_what_it_left_out(world: World) -> None:
    """A process in maintenance is people's, and the person who asked for its restart is told so."""
    process(world).put_in_maintenance()
    call = command("RestartService", "172.16.0.5", "172.16.0.6", Id="both", StrategyConfig={"RollingRestartSwitch": 0})
    (outcome,) = json.loads(post(world, call)["body"])["outcomes"]
    assert outcome["outcome"] == "done"
    assert "HDFS/DataNode/172.16.0.5 is in maintenance" in outcome["reason"]


def test_a_stop_is_not_done_while_processes_answer(world: World) -> None:
    """Their status shows what was asked for; they drain for three minutes, and only then it is done."""
    world.cloud.cluster(CLUSTER).transition_seconds = 180
    answer = post(world, command("StopService", "172.16.0.5", Id="stop"))
    assert (answer["statusCode"], outcomes(world)) == (202, ["accepted"])
    follow_up(world, 2)
    assert (process(world).service_status, settled(world)) == (2, [])
    follow_up(world, 3)
    assert (stopped(world), settled(world)) == ({"172.16.0.5"}, ["done"])


@pytest.mark.parametrize("before", ["", "2024-08-16T14:13:32Z"], ids=["missing", "another format"])
def test_a_restart_is_not_proven_by_a_reading_that_was_missing(world: World, before: str) -> None:
    """LastRestartTime was null before, or was written otherwise: the restart ends unverified at its deadline."""
    cloud_process = process(world, "172.16.0.2", "HiveServer2")
    with_reading(cloud_process, before)
    call = command(
        "RestartService",
        "172.16.0.2",
        service="HIVE",
        component="HiveServer2",
        Id="r",
        StrategyConfig={"RollingRestartSwitch": 0},
    )
    post(world, call)
    follow_up(world, 15)
    assert settled(world) in (["unverified"], ["failed"])
    assert "VERIFIED" not in states(world)


def with_reading(cloud_process: Any, before: str) -> None:
    """The API shows ``before`` as its LastRestartTime until it is restarted."""
    kind = type(cloud_process)
    shown = kind.last_restart
    cloud_process.__class__ = type(
        "Shown", (kind,), {"last_restart": property(lambda self: shown.fget(self) if self._restarts else before)}
    )


@pytest.mark.parametrize(
    "code",
    [
        "AuthFailure.SecretIdNotFound",
        "UnauthorizedOperation.CheckCamAuth",
        "LimitExceeded",
        "ResourceInsufficient",
        "ResourceUnavailable",
    ],
)
@pytest.mark.parametrize("event", [DOWN, "request-restart-hive"])
def test_what_is_refused_for_a_cause_that_can_be_removed_is_served_without_a_repeat(
    world: World, code: str, event: str
) -> None:
    """Pending, with one alarm however often it is tried; when the right is granted it is carried out, and that is said."""
    kill(world)
    adapter = faulty(world, *[Fault.api_error(code, ACTION)] * 40)
    world.deliver(sample(event))
    follow_up(world, 20)
    assert (outcomes(world), alarms(world)) == (["pending"], [f"api.{code}"])
    adapter.faults.clear()
    follow_up(world, 6)
    assert (world.requests(), settled(world)) == (1, ["done"])
    assert [line["code"] for line in lines(world, "steward.alarm.over")] == [f"api.{code}"]


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "ResourceInUse.InstanceInProcess"])
def test_what_is_busy_or_throttled_is_tried_again_quietly(world: World, code: str) -> None:
    """By the same invocation while its pause is short, then by the follow-up."""
    kill(world)
    faulty(world, *[Fault.api_error(code, ACTION)] * 6)
    world.deliver(sample(DOWN))
    follow_up(world, 10)
    assert (world.requests(), alarms(world)) == (1, [])
    assert (outcomes(world), settled(world)) in ((["done"], []), (["pending"], ["done"]))


@pytest.mark.parametrize("event", [DOWN, "request-restart-hive"])
def test_what_the_api_refuses_for_good_is_told_and_not_asked_again(world: World, event: str) -> None:
    """A refusal of the request itself stands."""
    kill(world)
    adapter = faulty(world, *[Fault.api_error("InvalidParameter.InvalidIpList", ACTION)] * 9)
    world.deliver(sample(event))
    follow_up(world, 20)
    assert len(adapter.faults.met) == 1
    assert (outcomes(world), alarms(world)) == (["refused"], ["api.InvalidParameter.InvalidIpList"])


def test_a_hundred_alerts_about_nothing_close_nothing_for_commands(world: World) -> None:
    """They are one question to the cluster; the budget of commands is their own."""
    body = sample(DOWN)
    (alert,) = body["alerts"]
    for number in range(101):
        about = {**alert, "fingerprint": str(number), "labels": {**alert["labels"], "ip": f"172.16.0.{5 + number % 5}"}}
        world.deliver({**body, "alerts": [about]})
    assert post(world, command("StopService", "172.16.0.5", Id="stop"))["statusCode"] == 200
    assert (stopped(world), alarms(world)) == ({"172.16.0.5"}, [])


@pytest.mark.parametrize("body", ["bad-request-misspelt", "bad-request-cluster-id", "bad-request-address"])
def test_a_direct_callers_bad_body_is_answered_and_pages_nobody(world: World, body: str) -> None:
    """400: whoever asked has the answer. From a timer nobody would read it, so a person is told."""
    assert post(world, sample(body))["statusCode"] == 400
    assert alarms(world) == []
    timer(world, json.dumps(sample(body)))
    assert alarms(world) == ["input.invalid"]


@pytest.mark.parametrize("start", ["0001-01-01 junk", "yesterday", "0001-13-45T00:00:00Z"])
def test_a_start_that_is_no_time_is_refused(world: World, start: str) -> None:
    """Nothing acts on an alert whose time cannot be read."""
    kill(world)
    body = sample(DOWN)
    body["alerts"][0]["startsAt"] = start
    world.deliver(body, fresh=False)
    assert (outcomes(world), requested(world)) == (["refused"], [])


@pytest.mark.parametrize("form", ["a time of the future", "an hour behind"])
def test_a_timers_time_decides_how_old_it_is(world: World, form: str) -> None:
    """What is dated after now would never grow old: refused, told."""
    ahead = 3600 if form == "a time of the future" else -3700
    world.deliver({**timer_event("t", "nightly-stop", 0), "Time": utc_text(world.clock.now() + ahead)}, fresh=False)
    assert (len(alarms(world)), requested(world)) == (1, [])

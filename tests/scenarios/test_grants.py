"""Grants: nobody does over HTTP what its entry in steward.yml does not name, and nobody touches another's identities."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from handler.config.config import Config
from handler.decide.grants import granted
from handler.execute.follow_up import MESSAGE
from handler.model.event import Event
from handler.receive import envelopes
from handler.receive.payload import SENDERS, read
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import ROOT, MakeWorld, sample
from steward.simulate.platform import function_url_event, restamp, timer_event
from steward.simulate.world import World
from tests.worlds import ACTION, CLUSTER, DOWN, alarms, command, follow_up, kill, lines, outcomes, record

OTHER = "emr-8kd2m1qp"
OPERATIONS = ("StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor")
REQUESTS = {"sources": ["request"], "operations": ["RestartService"], "clusters": [CLUSTER], "services": ["HDFS"]}
#: The grants of the matrix, as they stand in steward.yml.
GRANTS: dict[str, dict[str, Any]] = {
    **{source: {"sources": [source]} for source in ("tcop", "grafana", "alertmanager", "eventbridge")},
    "one": REQUESTS,
    "two": {**REQUESTS, "operations": ["StopService", "StartMonitor"], "clusters": [OTHER], "services": ["hive", "YARN"]},
    "all": {**REQUESTS, "sources": ["request", "tcop", "grafana", "alertmanager", "eventbridge"], "clusters": "all",
            "services": "all", "operations": list(OPERATIONS)},
}  # fmt: skip
#: A payload of each source, and what only the platform delivers.
PAYLOADS: dict[str, Any] = {
    "tcop": sample("tcop-recovered"),
    "grafana": sample("grafana-resolved"),
    "alertmanager": sample("alertmanager-resolved"),
    "eventbridge": sample("eventbridge-recovered"),
    "timer": sample("timer-nightly-stop"),
    "timer with a request": sample("timer-request"),
    "queue": sample("ckafka-alertmanager"),
    "queue in a text": json.dumps(sample("ckafka-mixed")),
    "queue in arrays": [[json.dumps([sample("cmq-tcop")])]],
    "follow-up": timer_event("follow-up", MESSAGE, 0.0),
    "doctor": {"steward": "doctor"},
    "doctor's test alarm": {"steward": "doctor", "send_test_alarm": True},
}


def config_with(grants: dict[str, dict[str, Any]], **change: Any) -> Config:
    """The example with these callers; the secret of each is in the variable of its name."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["webhook"] = {"callers": [{"name": name, "bearer_env": name.upper(), **one} for name, one in grants.items()]}
    return config_of({**raw, **change})


def call(world: World, caller: str, payload: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """The status and the body of the answer to a call by this caller."""
    sent = {"Authorization": f"Bearer {world.env[caller.upper()]}", **headers}
    event = function_url_event("POST", "/", sent, json.dumps(payload).encode())
    answer = world.function.handle(event, {"time_limit_in_ms": 30_000})
    return answer["statusCode"], json.loads(answer["body"])


def scope(*services: str) -> dict[str, Any]:
    return {"ServiceInfoList": [{"ServiceName": name} for name in services]}


def request(op_type: str, cluster: str, services: tuple[str, ...]) -> dict[str, Any]:
    """A direct request about whole services."""
    strategy: dict[str, Any] = {"StrategyConfig": {}} if op_type == "RestartService" else {}
    return {"InstanceId": cluster, "OpType": op_type, "OpScope": scope(*services), **strategy}


def may(grant: dict[str, Any], payload: dict[str, Any]) -> bool:
    """The oracle: whether a grant, as written in the file, has this request, as sent."""

    def has(key: str, value: str) -> bool:
        named = grant.get(key, [])
        return named == "all" or value.upper() in [str(one).upper() for one in named]

    services = [one["ServiceName"] for one in payload["OpScope"]["ServiceInfoList"]]
    return (
        "request" in grant["sources"]
        and has("operations", payload["OpType"])
        and has("clusters", payload["InstanceId"])
        and all(has("services", service) for service in services)
    )


MATRIX = [
    request(*one)
    for one in itertools.product(
        OPERATIONS,
        (CLUSTER, OTHER, "emr-unlisted0"),
        (("HDFS",), ("hdfs",), ("HIVE",), ("HDFS", "HIVE"), ("Hive", "YARN"), ("HDFSX",)),
    )
]


@pytest.mark.parametrize("caller", GRANTS)
def test_nothing_is_done_beyond_a_grant(make_world: MakeWorld, caller: str) -> None:
    """Each caller with each source, operation, cluster and set of services, against the oracle: 403, and nothing else."""
    world = make_world(config_with(GRANTS))
    counts = {True: 0, False: 0}
    for name, payload in [*PAYLOADS.items(), *(("request", one) for one in MATRIX)]:
        before = json.dumps(restamp(payload, world.clock.now()))
        known, sent, kept = record(world), len(world.cloud.requests), world.function.ledger.lines()
        status, body = call(world, caller, json.loads(before))
        is_granted = may(GRANTS[caller], payload) if name == "request" else name in GRANTS[caller]["sources"]
        counts[is_granted] += 1
        said = str(body.get("detail")).startswith("not granted to this caller: ")
        assert (status == 403 and said) is not is_granted, (name, payload, body)
        if not is_granted:
            assert set(body) == {"type", "title", "status", "detail"}, body
            assert (record(world), len(world.cloud.requests)) == (known, sent)
            assert world.function.ledger.lines() == kept
    assert counts[False] >= len(PAYLOADS) - 4
    assert counts[True] >= 1
    assert alarms(world).count("guard.grant") == 1, "one alarm, however much is refused"


one_of = st.sampled_from
names = one_of(["HDFS", "hdfs", "HIVE", "YARN", "Yarn"])
grants = st.fixed_dictionaries(
    {
        "sources": st.just(["request"]),
        "operations": st.lists(one_of(OPERATIONS), min_size=1),
        "clusters": st.just("all") | st.lists(one_of([CLUSTER, OTHER]), min_size=1),
        "services": st.just("all") | st.lists(names, min_size=1),
    }
)


@given(grants, one_of(OPERATIONS), one_of([CLUSTER, OTHER]), st.lists(names, min_size=1, max_size=3))
def test_any_grant_agrees_with_the_oracle(grant: dict[str, Any], op: str, cluster: str, services: list[str]) -> None:
    """Whatever a grant names, in whatever spelling."""
    config = config_with({"x": grant}, rules=[])
    payload = request(op, cluster, tuple(services))
    (event,) = read(payload, caller="x")
    assert isinstance(event, Event)
    assert event.caller == "x"
    assert (granted(event, config.webhook.callers[0]) is None) == may(grant, payload)


def test_a_caller_with_no_grant_may_send_nothing_that_is_recognised() -> None:
    """Only what is no sender's is answered with what is wrong with it."""
    from handler.model.policy import Caller

    for payload in (*PAYLOADS.values(), *MATRIX[:3]):
        refused = [granted(event, Caller("x", "X")) for event in read(payload, caller="x")]
        assert all(refused) or (isinstance(payload, dict) and "steward" in payload)


def test_of_several_events_those_within_the_grant_are_served(make_world: MakeWorld) -> None:
    """What is beyond it is refused on its own; the other outcomes are as ever, in the order of the body."""
    world = make_world(config_with({"one": REQUESTS}))
    payload = [
        command("StopService", "172.16.0.5", Id="a"),
        command("RestartService", "172.16.0.5", Id="b", StrategyConfig={}),
        {**command("RestartService", Id="c", StrategyConfig={}), "OpScope": scope("HDFS", "HIVE")},
        sample("timer-nightly-stop"),
        sample("ckafka-alertmanager"),
        {"nobody": "knows"},
    ]
    status, body = call(world, "one", payload)
    assert status in (200, 202)
    assert [one["code"] for one in body["outcomes"]] == [
        "guard.grant", "accepted", "guard.grant", "guard.grant", "guard.grant", "input.invalid"
    ]  # fmt: skip
    assert [one["reason"].rpartition(": ")[2] for one in body["outcomes"] if one["code"] == "guard.grant"] == [
        "StopService", "HIVE", "timer", "queue"
    ]  # fmt: skip
    assert [one.op_type for one in world.cloud.operations] == ["RestartService"]
    (alarm,) = [line for line in lines(world, "steward.alarm") if line["code"] == "guard.grant"]
    assert (alarm["count"], alarm["about"]) == (4, "one")
    assert "not granted to one: operations: StopService" in alarm["reason"]


def test_an_unreadable_event_beyond_the_grant_is_not_explained(make_world: MakeWorld) -> None:
    """Who may not send it learns nothing of its fields; who may, does."""
    world = make_world(config_with({"one": REQUESTS, "tcop": GRANTS["tcop"]}))
    assert call(world, "tcop", sample("bad-request-misspelt"))[0] == 403
    status, body = call(world, "one", sample("bad-request-misspelt"))
    assert (status, bool(body["errors"])) == (400, True)
    status, body = call(world, "tcop", [sample("bad-request-misspelt"), {"nobody": "knows"}])
    assert (status, len(body["errors"])) == (400, 1)


# -- identities


@pytest.mark.parametrize("header", [{}, {"Idempotency-Key": "k"}, {"Webhook-Id": "k"}])
def test_nobody_takes_anothers_name_of_a_request(make_world: MakeWorld, header: dict[str, str]) -> None:
    """The same Id or key of two callers is two requests: neither pre-empts, replays or conflicts with the other."""
    world = make_world(config_with({"a": GRANTS["all"], "b": GRANTS["all"]}))
    named = {} if header else {"Id": "k"}
    first = command("StopService", "172.16.0.5", **named)
    second = command("StopService", "172.16.0.6", **named)
    assert call(world, "b", first, **header)[0] in (200, 202)
    assert call(world, "a", second, **header)[0] in (200, 202), "not the conflict that it would be for b"
    assert call(world, "b", second, **header)[0] == 422
    elsewhere = {**second, "InstanceId": OTHER}
    assert call(world, "b", elsewhere, **header)[0] == 422
    follow_up(world, 4)
    assert [one.op_type for one in world.cloud.operations] == ["StopService"] * 2


def test_nobody_withdraws_anothers_alert(make_world: MakeWorld) -> None:
    """A resolved alert with the same fingerprint takes back only what its own caller stated."""
    world = make_world(config_with({"a": GRANTS["alertmanager"], "b": GRANTS["alertmanager"]}))
    kill(world)
    firing = restamp(sample(DOWN), world.clock.now())
    resolved = json.loads(json.dumps(firing).replace("firing", "resolved"))
    world.cloud.cluster(CLUSTER).status = 12  # at work, so that the alert stays pending
    assert call(world, "a", firing)[0] == 202
    (intent,) = record(world).intents.values()
    for other in ("b", "a"):
        call(world, other, resolved)
        left = [one.statements for one in record(world).intents.values()]
        assert left == ([intent.statements] if other == "b" else [{}] if left else [])


def test_nobody_preempts_anothers_alert(make_world: MakeWorld) -> None:
    """Another's statement with the same fingerprint, stated before, holds nothing back and takes nothing over."""
    world = make_world(config_with({"a": GRANTS["alertmanager"], "b": GRANTS["alertmanager"]}))
    kill(world)
    world.cloud.cluster(CLUSTER).status = 12
    firing = restamp(sample(DOWN), world.clock.now())
    for caller in ("b", "a"):
        assert call(world, caller, firing)[0] == 202
    (intent,) = record(world).intents.values()
    assert sorted(sender.partition("|")[0] for sender in intent.statements) == ["a", "b"]


# -- rules, credentials


def test_a_rule_may_name_the_caller(make_world: MakeWorld) -> None:
    """It matches what that caller sent over HTTP; what the platform delivers has no caller."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["rules"][0]["when"]["caller"] = ["a"]
    world = make_world(config_with({"a": GRANTS["alertmanager"], "b": GRANTS["alertmanager"]}, rules=raw["rules"]))
    kill(world)
    world.deliver(sample(DOWN))
    call(world, "b", restamp(sample(DOWN), world.clock.now()))
    assert outcomes(world) == ["skipped", "skipped"]
    call(world, "a", restamp(sample(DOWN), world.clock.now()))
    assert [one.op_type for one in world.cloud.operations] == ["RestartService"]
    assert [one.action for one in world.cloud.requests].count(ACTION) == 1


def test_a_call_refused_for_its_credentials_reads_no_body(world: World, mocker: MockerFixture) -> None:
    """Nor does it open the ledger."""
    body, check = mocker.spy(envelopes, "_body"), mocker.spy(world.function.ledger, "check")
    event = function_url_event("POST", "/", {"Authorization": "Bearer wrong"}, b"{}")
    assert world.function.handle({**event, "isBase64Encoded": True}, {})["statusCode"] == 401
    assert (body.call_count, check.call_count) == (0, 0)


def test_every_source_is_in_the_matrix() -> None:
    """A new sender has its rows."""
    assert {sender.source for sender in SENDERS} <= {*PAYLOADS, "request"}


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_every_malformed_header_is_401_without_a_reason(make_world: MakeWorld, scheme: str) -> None:
    """Missing, wrong, malformed, truncated, not ASCII, or sent twice: one answer for all of them."""
    world = make_world()
    password = world.env["STEWARD_SECRET_TCOP"]
    right = {
        "bearer": f"Bearer {world.env['STEWARD_SECRET_ALERTMANAGER']}",
        "basic": "Basic " + base64.b64encode(f"tcop:{password}".encode()).decode(),
    }[scheme]
    word, _, secret = right.partition(" ")
    wrong: list[Any] = [
        "",
        word,
        f"{word} ",
        secret,
        right[:-1],
        right[:-4],
        f"{right}x",
        f"{right}\u00fc",
        f"{right}\ud800",
    ]
    wrong += [
        f"{right}, {right}",
        [right, right],
        [right, f"{word} x"],
        f"{word}  {secret} {secret}",
        f"{word}\t{secret}",
        None,
    ]
    wrong += [{"a": right}, 7, right.swapcase(), f"{word}:{secret}", f"{word} {secret[1:]}", f"{word} \x00{secret}"]
    answers = set()
    for header in wrong:
        event = {**function_url_event("POST", "/", {}, b"{}"), "headers": {"Authorization": header}}
        answer = world.function.handle(event, {})
        answers.add((answer["statusCode"], answer["body"], answer["headers"]["WWW-Authenticate"]))
    twice = {**function_url_event("POST", "/", {}, b"{}"), "headers": {"Authorization": right, "authorization": right}}
    assert world.function.handle(twice, {})["statusCode"] == 401
    ((status, body, _),) = answers
    assert (status, json.loads(body)["detail"]) == (401, "no valid credentials")
    fine = function_url_event("POST", "/", {"Authorization": right}, b"{}")
    assert world.function.handle(fine, {})["statusCode"] == 400

"""Direct calls: the API's own field names, validated strictly."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import FieldError, InvalidInput
from handler.model.event import Event, Unreadable
from handler.model.request import Action, OpType, Request, StopParams, StrategyConfig
from handler.model.scope import OpScope, Target
from handler.receive.payload import read
from handler.receive.senders.request import event_of
from tests.handler.model.test_scope import covers

EVENTS = Path(__file__).parents[4] / "events"


def sample(name: str = "request-restart-hive") -> dict[str, Any]:
    """The body of a call."""
    body: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return body


def changed(path: str, value: Any = None) -> dict[str, Any]:
    """The rolling restart with the value at a dotted path replaced; ``...`` removes it."""
    body = copy.deepcopy(sample())
    *parents, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = body
    for step in parents:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return body


def request_of(body: dict[str, Any]) -> Request:
    """The request of a valid call."""
    request = event_of(body, "").request
    assert request is not None
    return request


def errors_of(body: object) -> dict[str, str]:
    """The validation errors of a call, by field."""
    with pytest.raises(InvalidInput) as caught:
        event_of(body, "")
    return {error.field: error.problem for error in caught.value.errors}


HIVE_SERVERS = OpScope.of_component("HIVE", "HiveServer2", ["172.16.0.2", "172.16.0.3"])
ROLLING = StrategyConfig(rolling=True, batch_size=1, time_wait=5)


def test_a_rolling_restart() -> None:
    """The event has the call's Id, its Reason as the message, and its request unchanged."""
    assert read(sample()) == [
        Event(
            id="deploy-2026-11-23-0417",
            source="request",
            name="RestartService",
            cluster="emr-4zvc5mul",
            service="HIVE",
            message="hive-site.xml was pushed",
            request=Request("emr-4zvc5mul", Action(OpType.RESTART_SERVICE, ROLLING), HIVE_SERVERS),
        )
    ]


@pytest.mark.parametrize(
    ("name", "action", "scope"),
    [
        ("request-start", Action(OpType.START_SERVICE), OpScope.of_service("HBASE")),
        ("request-stop", Action(OpType.STOP_SERVICE, None, StopParams("safe", 2, 60)), OpScope.of_service("HBASE")),
        ("request-restart-hive", Action(OpType.RESTART_SERVICE, ROLLING), HIVE_SERVERS),
        (
            "request-stopmonitor",
            Action(OpType.STOP_MONITOR, keep_monitor=True),
            OpScope.of_targets([Target("HDFS", "DataNode", "172.16.0.9")]),
        ),
        (
            "request-startmonitor",
            Action(OpType.START_MONITOR),
            OpScope.of_targets([Target("HDFS", "DataNode", "172.16.0.9")]),
        ),
        (
            "documented-request",
            Action(OpType.START_SERVICE, StrategyConfig(rolling=False, batch_size=1, time_wait=5)),
            OpScope.of_component("abc", "ZKFailoverController", ["172.16.114.126"]),
        ),
    ],
)
def test_every_operation(name: str, action: Action, scope: OpScope) -> None:
    """Each OpType is read with its own parameters."""
    request = request_of(sample(name))
    assert (request.action, request.scope) == (action, scope)


def test_the_request_on_the_wire_equals_the_call() -> None:
    """The request that is sent is the call without Id and Reason."""
    body = {**sample("request-stop"), "OpScope": sample()["OpScope"]}
    body["StrategyConfig"] = {"RollingRestartSwitch": 0, "BatchSize": 99999, "TimeWait": 300, "DealOnFail": 1}
    body["StrategyConfig"]["Args"] = [{"Key": "k", "Values": ["a", "b"]}]
    wire = request_of(body).to_wire()
    assert wire == {key: value for key, value in body.items() if key not in ("Id", "Reason")}


def test_the_defaults_of_a_strategy_are_conservative() -> None:
    """An empty strategy restarts one node at a time, 30 s apart, and stops at a failure."""
    assert request_of(changed("StrategyConfig", {})).action.strategy == StrategyConfig(True, 1, 30, False)


def test_scopes_are_merged_and_never_widened() -> None:
    """A service that is named twice is merged; a missing list means all nodes or all components."""
    info = [
        {"ComponentName": "DataNode", "IpList": ["172.16.0.5"]},
        {"ComponentName": "datanode", "IpList": ["172.16.0.6"]},
    ]
    both = request_of(changed("OpScope", {"ServiceInfoList": [{"ServiceName": "hdfs", "ComponentInfoList": info}]}))
    assert both.scope == OpScope.of_component("HDFS", "DataNode", ["172.16.0.5", "172.16.0.6"])
    all_nodes = {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "NameNode"}]}
    twice = request_of(changed("OpScope", {"ServiceInfoList": [{"ServiceName": "HIVE"}, all_nodes]}))
    assert twice.scope == OpScope.union_of((OpScope.of_service("HIVE"), OpScope.of_component("HDFS", "NameNode")))


@pytest.mark.parametrize(
    ("info", "target"),
    [
        ({"ServiceName": "HDFS"}, ("HDFS", "", "")),
        ({"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode"}]}, ("HDFS", "DataNode", "")),
        (
            {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode", "IpList": ["FD00::5"]}]},
            ("HDFS", "DataNode", "fd00::5"),
        ),
        (
            {
                "ServiceName": "HDFS",
                "ComponentInfoList": [{"ComponentName": "DataNode"}, {"ComponentName": "NameNode"}],
            },
            ("HDFS", "", ""),
        ),
    ],
)
def test_a_single_target_is_that_of_the_event(info: dict[str, Any], target: tuple[str, str, str]) -> None:
    """Logs can name it; whatever the scope names more than once stays empty."""
    event = event_of(changed("OpScope", {"ServiceInfoList": [info]}), "")
    assert (event.service, event.component, event.ip) == target


def test_the_id_of_a_call() -> None:
    """It is the Id, else the caller's key, else a hash of the request that does not depend on its spelling."""
    assert event_of(sample(), "", "the key").id == "deploy-2026-11-23-0417"
    without = changed("Id", ...)
    assert event_of(without, "", "the key").id == "the key"
    digest = event_of(without, "").id
    assert digest == f"digest:{request_of(sample()).digest()}"
    reordered = dict(reversed(changed("Id", ...).items()))
    reordered["OpScope"]["ServiceInfoList"][0]["ComponentInfoList"][0]["IpList"].reverse()
    assert event_of({**reordered, "Reason": "another"}, "").id == digest
    assert event_of({**without, "InstanceId": "emr-8kd2m1qp"}, "").id != digest


def test_several_calls_in_one_body_have_different_ids() -> None:
    """The key of the HTTP call is numbered, because one id must not stand for two requests."""
    one, two = read([changed("Id", ...), changed("Id", ...)], idempotency_key="the key")
    assert (one.id, two.id) == ("the key#0", "the key#1")
    (alone,) = read([changed("Id", ...)], idempotency_key="the key")
    assert alone.id == "the key"


def test_a_long_key_becomes_a_bounded_id() -> None:
    """Long keys that differ only at the end give different ids."""
    one, other = (read(changed("Id", ...), idempotency_key="k" * 5000 + end)[0].id for end in "ab")
    assert one != other
    assert len(one) <= 256


@pytest.mark.parametrize(
    ("path", "value", "field", "problem"),
    [
        (
            "OpType",
            "Restart",
            "OpType",
            "must be one of StartService, StopService, RestartService, StartMonitor, StopMonitor; did you mean RestartService?",
        ),
        ("OpType", ..., "OpType", "is missing"),
        ("OpType", None, "OpType", "must be one of"),
        ("InstanceId", ..., "InstanceId", "is missing"),
        ("InstanceId", "ins-12345678", "InstanceId", "is not a cluster id"),
        ("InstanceId", "emr-4zvc5mul\n", "InstanceId", "is not a cluster id"),
        ("InstanceId", 5, "InstanceId", "must be a text"),
        ("OpScope", ..., "OpScope", "is missing"),
        ("OpScope", None, "OpScope", "must be an object"),
        ("OpScope.ServiceInfoList", [], "OpScope.ServiceInfoList", "is empty"),
        ("OpScope.ServiceInfoList", None, "OpScope.ServiceInfoList", "must be a list"),
        ("OpScope.ServiceInfoList.0.ServiceName", "", "OpScope.ServiceInfoList[0].ServiceName", "is empty"),
        (
            "OpScope.ServiceInfoList.0.ServiceName",
            "HDFS; rm",
            "OpScope.ServiceInfoList[0].ServiceName",
            "is not a name",
        ),
        (
            "OpScope.ServiceInfoList.0.ServiceName",
            "H" * 65,
            "OpScope.ServiceInfoList[0].ServiceName",
            "is longer than 64 characters",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList",
            [],
            "OpScope.ServiceInfoList[0].ComponentInfoList",
            "is empty",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList",
            None,
            "OpScope.ServiceInfoList[0].ComponentInfoList",
            "must be a list",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.ComponentName",
            "Data\nNode",
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].ComponentName",
            "is not a name",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.IpList",
            [],
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].IpList",
            "is empty",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.IpList",
            None,
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].IpList",
            "must be a list",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.IpList",
            "172.16.0.5",
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].IpList",
            "must be a list",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.IpList.1",
            "172.16.0.256",
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].IpList[1]",
            "is not an IP address",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.IpList.1",
            "172.16.0.5:80",
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].IpList[1]",
            "is not an IP address",
        ),
        ("StrategyConfig", ..., "StrategyConfig", "RestartService needs a strategy"),
        ("StrategyConfig", None, "StrategyConfig", "must be an object"),
        ("StrategyConfig.BatchSize", 0, "StrategyConfig.BatchSize", "must be at least 1"),
        ("StrategyConfig.BatchSize", 100_000, "StrategyConfig.BatchSize", "must be at most 99999"),
        ("StrategyConfig.BatchSize", "1", "StrategyConfig.BatchSize", "must be a whole number"),
        ("StrategyConfig.BatchSize", True, "StrategyConfig.BatchSize", "must be a whole number"),
        ("StrategyConfig.BatchSize", 1.0, "StrategyConfig.BatchSize", "must be a whole number"),
        pytest.param(
            "StrategyConfig.BatchSize",
            10**5000,
            "StrategyConfig.BatchSize",
            "must be at most 99999",
            id="huge",
        ),
        ("StrategyConfig.TimeWait", 301, "StrategyConfig.TimeWait", "must be at most 300"),
        ("StrategyConfig.TimeWait", -1, "StrategyConfig.TimeWait", "must be at least 0"),
        ("StrategyConfig.RollingRestartSwitch", 2, "StrategyConfig.RollingRestartSwitch", "must be at most 1"),
        ("StrategyConfig.DealOnFail", "block", "StrategyConfig.DealOnFail", "must be a whole number"),
        ("StrategyConfig.Args", [{"Key": "k"}], "StrategyConfig.Args[0].Values", "is missing"),
        ("StrategyConfig.Args", [{"Key": "", "Values": []}], "StrategyConfig.Args[0].Key", "is empty"),
        ("StopParams", {"StopPolicy": "safe"}, "StopParams", "only StopService takes them"),
        ("StopParams", {"StopPolicy": "quick"}, "StopParams.StopPolicy", "must be one of safe, default"),
        ("StopParams", {"ThreadCount": 0}, "StopParams.ThreadCount", "must be at least 1"),
        ("StopParams", {"GraceDownTime": -1}, "StopParams.GraceDownTime", "must be at least 0"),
        ("KeepMonitorButNotRecoverProcess", True, "KeepMonitorButNotRecoverProcess", "only StopMonitor takes it"),
        ("KeepMonitorButNotRecoverProcess", "yes", "KeepMonitorButNotRecoverProcess", "must be true or false"),
        ("Id", "", "Id", "is empty"),
        ("Id", "x" * 129, "Id", "is longer than 128 characters"),
        ("Id", "a\nb", "Id", "not printable ASCII"),
        ("Id", "é", "Id", "not printable ASCII"),
        ("Id", 5, "Id", "must be a text"),
        ("Reason", "x" * 257, "Reason", "is longer than 256 characters"),
    ],
)
def test_each_field_has_its_bounds(path: str, value: object, field: str, problem: str) -> None:
    """A value out of bounds is refused with its field; nothing is rounded, guessed or dropped."""
    assert problem in errors_of(changed(path, value))[field]


@pytest.mark.parametrize(
    ("path", "field", "problem"),
    [
        ("Optype", "Optype", "unknown; did you mean OpType?"),
        ("opscope", "opscope", "unknown; did you mean OpScope?"),
        ("StrategyConfigs", "StrategyConfigs", "unknown; did you mean StrategyConfig?"),
        ("OpScope.ServiceInfolist", "OpScope.ServiceInfolist", "unknown; did you mean ServiceInfoList?"),
        (
            "OpScope.ServiceInfoList.0.ComponentInfolist",
            "OpScope.ServiceInfoList[0].ComponentInfolist",
            "unknown; did you mean ComponentInfoList?",
        ),
        (
            "OpScope.ServiceInfoList.0.ComponentInfoList.0.Iplist",
            "OpScope.ServiceInfoList[0].ComponentInfoList[0].Iplist",
            "unknown; did you mean IpList?",
        ),
        ("StrategyConfig.batchsize", "StrategyConfig.batchsize", "unknown; did you mean BatchSize?"),
        ("OpScope.zzz", "OpScope.zzz", "unknown; expected one of: ServiceInfoList"),
        ("a.b", "a.b", "unknown; remove it"),
    ],
)
def test_an_unknown_key_gets_the_most_similar_valid_one(path: str, field: str, problem: str) -> None:
    """Without this, a mistyped key would turn a component into a whole service."""
    body = {**sample(), "a.b": 1} if path == "a.b" else changed(path, 1)
    assert errors_of(body)[field] == problem


def test_fields_are_named_with_the_path_of_the_call() -> None:
    """The field of a call in an array begins with its index."""
    good, bad = read([sample(), changed("OpScope.ServiceInfolist", [])])
    assert isinstance(good, Event)
    assert isinstance(bad, Unreadable)
    assert bad.error.errors == (FieldError("[1].OpScope.ServiceInfolist", "unknown; did you mean ServiceInfoList?"),)


def test_at_most_ten_errors_are_reported() -> None:
    """A call with 10,000 invalid addresses has a short error."""
    body = changed("OpScope.ServiceInfoList.0.ComponentInfoList.0.IpList", ["x"] * 10_000)
    assert len(errors_of(body)) == 10


@pytest.mark.parametrize("body", [None, 5, "x", [], True, pytest.param(10**5000, id="huge")])
def test_a_call_must_be_an_object(body: object) -> None:
    """Any other JSON value is refused with that reason."""
    assert "must be an object" in errors_of(body)[""]


ADDRESS = st.ip_addresses(v=4).map(str)
COMPONENT = st.fixed_dictionaries(
    {"ComponentName": st.sampled_from(["DataNode", "NameNode", "HiveServer2"])},
    optional={"IpList": st.lists(ADDRESS, min_size=1, max_size=4)},
)
SERVICE = st.fixed_dictionaries(
    {"ServiceName": st.sampled_from(["HDFS", "YARN", "HIVE"])},
    optional={"ComponentInfoList": st.lists(COMPONENT, min_size=1, max_size=3)},
)


@settings(deadline=None)  # the first payload builds the validator
@given(st.lists(SERVICE, min_size=1, max_size=4))
def test_a_request_survives_a_round_trip(services: list[dict[str, Any]]) -> None:
    """A request that is written and read again is the same request."""
    request = request_of(changed("OpScope", {"ServiceInfoList": services}))
    again = request_of({**sample(), "OpScope": request.to_wire()["OpScope"]})
    assert again == request
    assert again.digest() == request.digest()
    for service in services:
        for component in service.get("ComponentInfoList", ()):
            for ip in component.get("IpList", ()):
                assert covers(request.scope, Target(service["ServiceName"], component["ComponentName"], ip))


@pytest.mark.parametrize(
    ("change", "key", "is_named"), [({}, "", True), ({"Id": ""}, "", False), ({"Id": ""}, "the key", True)]
)
def test_a_call_is_named_where_its_caller_gave_an_id(change: dict[str, Any], key: str, is_named: bool) -> None:
    """``Id`` or Idempotency-Key; a digest of ours is no id of the caller's."""
    call = {name: value for name, value in {**sample(), **change}.items() if value != ""}
    assert event_of(call, "", key).is_named == is_named

"""The callbacks of Cloud Monitor: the documented ones, and those to expect from EMR's names."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from handler.model.event import Event, Unreadable
from handler.receive.payload import read

EVENTS = Path(__file__).parents[4] / "events"


def sample(name: str) -> dict[str, Any]:
    """The body of a callback."""
    body: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return body


def only(body: object) -> Event:
    """The one event of a body."""
    (event,) = read(body)
    assert isinstance(event, Event), event
    return event


def test_an_emr_metric_alarm() -> None:
    """Policy type and dimensions name the process; the time is China Standard Time."""
    assert only(sample("tcop-metric-datanode-down")) == Event(
        id="occurrence:d7fbc8fef134448966e9332d833e9397",
        source="tcop",
        name="DatanodeProcessAlive",
        status="firing",
        severity="Serious",
        cluster="emr-4zvc5mul",
        service="HDFS",
        component="DataNode",
        ip="172.16.0.5",
        labels={
            "sessionId": "Vn2sQ0rCkHyqS1c6pW8dTzLb",
            "alarmType": "metric",
            "region": "ap-guangzhou",
            "region_code": "gz",
            "namespace": "QCE/TXMR_HDFS",
            "policyId": "policy-k3h8s2qa",
            "policyType": "new_hdfs_datanode_dim",
            "policyName": "DataNode does not answer",
            "metricName": "DatanodeProcessAlive",
            "calcType": "<",
            "calcValue": "1",
            "currentValue": "0",
            "alarmNotifyType": "continuousAlarm",
            "duration": "60",
            "dimension_id4hdfsdatanode": "emr-4zvc5mul",
            "dimension_host4hdfsdatanode": "172.16.0.5",
        },
        occurred_at=1795469642.0,
        message="DataNode does not answer: process alive < 1 (now 0)",
        alert="alarm:ef359a72cd5ea6445d715733b5f51178",
        started_at=1795469642.0,
    )


def test_the_documented_metric_alarm() -> None:
    """The alarm of another product has no cluster, and keeps all its labels."""
    event = only(sample("documented-tcop-metric"))
    assert (event.name, event.status, event.cluster, event.service, event.ip) == ("cpu_usage", "firing", "", "", "")
    assert event.occurred_at == 1489014000.0
    assert event.message == "test: CPU utilization > 90% (now 100%)"
    assert event.labels["dimension_unInstanceId"] == "ins-o9p3rg3m"
    assert event.labels["duration"] == "500"


def test_the_documented_event_alarm() -> None:
    """Nested dimensions are searched, and the private address is preferred."""
    event = only(sample("documented-tcop-event"))
    assert (event.name, event.status, event.ip) == ("ping_unreachable", "firing", "172.21.0.17")
    assert event.labels["dimension_objDetail_deviceWanIp"] == "118.89.233.99"
    assert event.message == "teset: ping unreachable"


def test_a_repeat_and_a_recovery_are_the_same_occurrence() -> None:
    """Each delivery has its own session id, but the event keeps its id; a recovery has its own time."""
    first, repeat, recovered = (
        only(sample(name)) for name in ("tcop-metric-datanode-down", "tcop-repeat", "tcop-recovered")
    )
    assert first.id == repeat.id == recovered.id
    assert len({event.labels["sessionId"] for event in (first, repeat, recovered)}) == 3
    assert [event.status for event in (first, repeat, recovered)] == ["firing", "firing", "resolved"]
    assert recovered.occurred_at == 1795469642.0 + 600


def test_a_different_occurrence_has_a_different_id() -> None:
    """Another object, policy, metric or first time means another alarm."""
    body = sample("tcop-metric-datanode-down")
    others = [copy.deepcopy(body) for _ in range(4)]
    others[0]["alarmObjInfo"]["dimensions"]["host4hdfsdatanode"] = "172.16.0.6"
    others[1]["alarmPolicyInfo"]["policyId"] = "policy-other"
    others[2]["alarmPolicyInfo"]["conditions"]["metricName"] = "other"
    others[3]["firstOccurTime"] = "2026-11-24 05:35:02"
    assert len({only(other).id for other in [body, *others]}) == 5


@pytest.mark.parametrize(
    ("change", "identity"),
    [
        ({"alertId": "a-1"}, "alert:a-1"),
        ({"alertId": 17}, "alert:17"),
        ({"firstOccurTime": ""}, "session:Vn2sQ0rCkHyqS1c6pW8dTzLb"),
        ({"firstOccurTime": None}, "session:Vn2sQ0rCkHyqS1c6pW8dTzLb"),
        ({"firstOccurTime": "", "sessionId": ""}, "body:"),
    ],
)
def test_the_id_uses_the_best_field_there_is(change: dict[str, Any], identity: str) -> None:
    """The alertId comes first; the session id, which names one delivery, is the last resort."""
    assert only({**sample("tcop-recovered"), "sessionId": "Vn2sQ0rCkHyqS1c6pW8dTzLb", **change}).id.startswith(identity)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("1", "firing"),
        (1, "firing"),
        (" 1 ", "firing"),
        ("0", "resolved"),
        (0, "resolved"),
        ("2", ""),
        (2, ""),
        (True, ""),
        (False, ""),
        (None, ""),
        ("firing", ""),
        ([], ""),
        ({}, ""),
    ],
)
def test_the_status_is_a_string_or_a_number(status: object, meaning: str) -> None:
    """1 and 0 are accepted in either form; anything else is refused with its field."""
    (event,) = read({**sample("tcop-metric-datanode-down"), "alarmStatus": status})
    if meaning:
        assert isinstance(event, Event)
        assert event.status == meaning
    else:
        assert isinstance(event, Unreadable)
        assert event.error.errors[0].field == "alarmStatus"


def test_a_status_is_required() -> None:
    """A callback without alarmStatus is refused with its field."""
    body = sample("tcop-metric-datanode-down")
    del body["alarmStatus"]
    (event,) = read(body)
    assert isinstance(event, Unreadable)
    assert event.error.errors[0].field == "alarmStatus"


@pytest.mark.parametrize("key", ["firstOccurTime", "recoverTime"])
@pytest.mark.parametrize("written", ["0", "yesterday", "", None, 0, [], "2026-13-01 00:00:00"])
def test_invalid_times_of_a_recovery_are_tolerated(key: str, written: object) -> None:
    """Nothing is done upon a recovery, so it takes the valid one of its times, or none."""
    body = {**sample("tcop-recovered"), key: written}
    event = only(body)
    other = {"firstOccurTime": 1795470242.0, "recoverTime": 1795469642.0}
    assert event.occurred_at == other[key]
    assert only({**body, "firstOccurTime": written, "recoverTime": written}).occurred_at is None


@pytest.mark.parametrize("written", ["0", "yesterday", "", None, 0, [], "2026-13-01 00:00:00", "0001-01-01 00:00:00"])
def test_an_alarm_needs_the_time_of_its_first_occurrence(written: object) -> None:
    """An alarm of unknown age could be an old one, so it is refused with its field."""
    alarm = sample("tcop-metric-datanode-down")
    del alarm["recoverTime"]
    assert only(alarm).occurred_at == 1795469642.0
    for body in ({**alarm, "firstOccurTime": written}, {key: alarm[key] for key in alarm if key != "firstOccurTime"}):
        (event,) = read(body)
        assert isinstance(event, Unreadable)
        assert [error.field for error in event.error.errors] == ["firstOccurTime"]


@pytest.mark.parametrize(
    ("dimensions", "cluster", "ip"),
    [
        ({"id4hdfsdatanode": "emr-4zvc5mul", "host4hdfsdatanode": "172.16.0.5:50010"}, "emr-4zvc5mul", "172.16.0.5"),
        ({"detail": {"id4x": "emr-4zvc5mul", "host4x": "172.16.0.5"}}, "emr-4zvc5mul", "172.16.0.5"),
        ({"x": "emr-4zvc5mul#172.16.0.5#HDFS"}, "emr-4zvc5mul", "172.16.0.5"),
        ({"a": ["emr-4zvc5mul", {"b": "172.16.0.5"}]}, "emr-4zvc5mul", "172.16.0.5"),
        ('{"id4x":"emr-4zvc5mul","host4x":"172.16.0.5"}', "emr-4zvc5mul", "172.16.0.5"),
        ({"id4x": "emr-4zvc5mul", "note": "emr-8kd2m1qp"}, "emr-4zvc5mul", ""),
        ({"id4x": "emr-4zvc5mul", "id4y": "emr-8kd2m1qp"}, "", ""),
        ({"host4x": "172.16.0.5", "host4y": "172.16.0.6"}, "", ""),
        ({"host4x": "172.16.0.5", "other": "172.16.0.6"}, "", "172.16.0.5"),
        ({"host4x": "node-5"}, "", ""),
        ({"unInstanceId": "ins-o9p3rg3m"}, "", ""),
        ({}, "", ""),
        (None, "", ""),
        (5, "", ""),
    ],
)
def test_cluster_and_address_are_found_in_dimensions(dimensions: object, cluster: str, ip: str) -> None:
    """EMR's own dimensions come first, then the only value there is; of two, neither is chosen."""
    body = sample("tcop-metric-datanode-down")
    body["alarmObjInfo"]["dimensions"] = dimensions
    event = only(body)
    assert (event.cluster, event.ip) == (cluster, ip)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"alarmStatus": 1}, ""),
        ({"alarmStatus": 1, "alarmType": "prom"}, "prom"),
        ({"alarmStatus": 1, "alarmObjInfo": None, "alarmPolicyInfo": None}, ""),
        ({"alarmStatus": 1, "alarmPolicyInfo": {"conditions": None}}, ""),
        ({"alarmStatus": 1, "alarmPolicyInfo": {"conditions": {"metricName": 5, "calcValue": 90}}}, "5"),
    ],
)
def test_few_fields_are_required(body: dict[str, Any], name: str) -> None:
    """Unknown types of alarms are read as far as possible."""
    event = only({**body, "firstOccurTime": "2017-03-09 07:00:00"})
    assert (event.source, event.status, event.name, event.occurred_at) == ("tcop", "firing", name, 1489014000.0)


@pytest.mark.parametrize(
    ("code", "region"),
    [("gz", "ap-guangzhou"), ("usw", "na-siliconvalley"), ("ap-guangzhou", "ap-guangzhou"), ("xx", "xx")],
)
def test_regions_get_the_names_of_the_api(code: str, region: str) -> None:
    """Rules use the region names of the API; an unknown code stays unchanged."""
    body = sample("tcop-metric-datanode-down")
    body["alarmObjInfo"]["region"] = code
    assert only(body).labels["region"] == region


@pytest.mark.parametrize("place", ["alarmPolicyInfo", "conditions", "top"])
def test_the_level_is_the_severity(place: str) -> None:
    """The level may stand at three places in a callback."""
    body = sample("tcop-metric-datanode-down")
    del body["alarmLevel"]
    holder = {
        "alarmPolicyInfo": body["alarmPolicyInfo"],
        "conditions": body["alarmPolicyInfo"]["conditions"],
        "top": body,
    }
    holder[place]["alarmLevel"] = "Warn"
    assert only(body).severity == "Warn"


@pytest.mark.parametrize("field", ["alarmObjInfo", "alarmPolicyInfo"])
def test_a_value_of_the_wrong_type_names_its_field(field: str) -> None:
    """A list in place of an object is refused."""
    (event,) = read({**sample("tcop-metric-datanode-down"), field: [1]})
    assert isinstance(event, Unreadable)
    assert (event.source, event.error.errors[0].field) == ("tcop", field)

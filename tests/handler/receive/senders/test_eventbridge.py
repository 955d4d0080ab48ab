"""CloudEvents from EventBridge, in all the spellings of its documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.model.event import Event, Unreadable
from handler.receive.payload import read

EVENTS = Path(__file__).parents[4] / "events"


def sample(name: str = "eventbridge-process-exit") -> dict[str, Any]:
    """A CloudEvent."""
    body: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return body


def only(body: object) -> Event:
    """The one event of a body."""
    (event,) = read(body)
    assert isinstance(event, Event), event
    return event


def test_an_emr_event() -> None:
    """Source and id form the event's id, the type is its name, and the dimensions name the process."""
    assert only(sample()) == Event(
        id="emr.cloud.tencent#13a3f42d-7258-4ada-da6d-023a333b4663",
        source="eventbridge",
        name="emr:ErrorEvent:process_exit",
        status="firing",
        cluster="emr-4zvc5mul",
        service="HDFS",
        component="DataNode",
        ip="172.16.0.5",
        labels={
            "type": "emr:ErrorEvent:process_exit",
            "event_source": "emr.cloud.tencent",
            "subject": "emr-4zvc5mul",
            "region": "ap-guangzhou",
            "tag_team": "data",
            "dimension_ip": "172.16.0.5",
            "dimension_service": "HDFS",
            "dimension_component": "DataNode",
            "data_appId": "1250000000",
            "data_instanceId": "emr-4zvc5mul",
            "data_projectId": "0",
            "data_additionalMsg_nodeType": "core",
        },
        occurred_at=1795469642.069,
    )


def test_the_documented_sample() -> None:
    """The event of another product has no cluster."""
    event = only(sample("documented-eventbridge"))
    assert (event.name, event.status, event.cluster, event.ip) == (
        "cvm:ErrorEvent:ping_unreachable",
        "firing",
        "",
        "127.0.0.1",
    )
    assert event.occurred_at == 1615430559.146
    assert event.labels["data_additionalMsg_IP"] == "something unnormal"
    assert event.labels["tag_key2"] == "value2"


def test_the_spelling_of_older_pages_is_accepted() -> None:
    """specversion 0, a time as a string and subjuect have the same meaning."""
    older, newer = only(sample("eventbridge-older-spelling")), only(sample())
    assert (older.cluster, older.occurred_at, older.labels["subject"]) == (
        newer.cluster,
        newer.occurred_at,
        "emr-4zvc5mul",
    )


def test_a_batch_is_an_array() -> None:
    """Each element is one event."""
    events = [
        event for event in read(json.loads((EVENTS / "eventbridge-batch.json").read_text())) if isinstance(event, Event)
    ]
    assert [(event.cluster, event.component) for event in events] == [
        ("emr-4zvc5mul", "DataNode"),
        ("emr-8kd2m1qp", "HRegionServer"),
    ]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [("1", "firing"), (1, "firing"), ("0", "resolved"), (0, "resolved"), ("2", "none"), (None, "none"), ({}, "none")],
)
def test_status(status: object, meaning: str) -> None:
    """Cloud Monitor adds a status; events without one have the status none."""
    assert only({**sample(), "status": status}).status == meaning


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (1795469642069, 1795469642.069),
        ("1795469642069", 1795469642.069),
        ("2026-11-23T21:34:02Z", 1795469642.0),
        (None, None),
        ("", None),
    ],
)
def test_time(time: object, seconds: float | None) -> None:
    """It is a number, a string of digits, an RFC 3339 time as in CloudEvents, or missing."""
    assert only({**sample(), "time": time}).occurred_at == seconds


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time": "soon"}, "time"),
        ({"time": -5}, "time"),
        ({"time": float("nan")}, "time"),
        ({"time": True}, "time"),
        ({"time": [1]}, "time"),
        ({"time": 10**400}, "time"),
        ({"id": ""}, "id"),
        ({"id": 5}, "id"),
        ({"source": ""}, "source"),
        ({"source": None}, "source"),
        ({"type": {}}, "type"),
    ],
)
def test_a_broken_event_names_its_field(change: dict[str, Any], field: str) -> None:
    """An event without a valid id, source, type or time is refused."""
    (event,) = read({**sample(), **change})
    assert isinstance(event, Unreadable)
    assert (event.source, event.error.errors[0].field) == ("eventbridge", field)


@pytest.mark.parametrize(
    ("change", "cluster", "ip"),
    [
        ({"subject": "emr-8kd2m1qp"}, "emr-8kd2m1qp", "172.16.0.5"),
        ({"subject": "ins-1"}, "emr-4zvc5mul", "172.16.0.5"),
        ({"subject": "x", "data": {"dimensions": {"id4x": "emr-8kd2m1qp#172.16.0.7"}}}, "emr-8kd2m1qp", "172.16.0.7"),
        ({"subject": "qcs::emr:gz:uin/1:emr-instance/emr-8kd2m1qp", "data": {}}, "emr-8kd2m1qp", ""),
        ({"subject": "x", "data": {"dimensions": {"a": "emr-8kd2m1qp", "b": "emr-4zvc5mul"}}}, "", ""),
        ({"subject": None, "data": None}, "", ""),
        ({"subject": [1], "data": "text"}, "", ""),
    ],
)
def test_cluster_and_address(change: dict[str, Any], cluster: str, ip: str) -> None:
    """The subject comes first, then the instance, then the only id among the dimensions."""
    event = only({**sample(), **change})
    assert (event.cluster, event.ip) == (cluster, ip)


@pytest.mark.parametrize(
    ("dimensions", "service", "component"),
    [
        ({"role": "datanode"}, "HDFS", "DataNode"),
        ({"service": "hdfs"}, "HDFS", ""),
        ({"service": "KAFKA", "component": "Broker"}, "KAFKA", "Broker"),
        ({}, "", ""),
    ],
)
def test_processes(dimensions: dict[str, str], service: str, component: str) -> None:
    """Known processes get the names that EMR uses."""
    event = only({**sample(), "data": {"dimensions": dimensions}})
    assert (event.service, event.component) == (service, component)


def test_data_may_be_text() -> None:
    """CloudEvents allows text as data, which becomes the message."""
    assert only({**sample(), "data": "a node is gone"}).message == "a node is gone"


def test_the_severity_comes_from_the_data() -> None:
    """The data of an event may hold a severity or level."""
    assert only({**sample(), "data": {"level": "critical"}}).severity == "critical"

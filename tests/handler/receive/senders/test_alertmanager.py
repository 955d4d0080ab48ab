"""Alertmanager's and Grafana's webhooks: many alerts in one body, each with its own fate."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.model.event import Event, Unreadable
from handler.receive.payload import read
from handler.receive.sanitize import MAX_EVENTS

EVENTS = Path(__file__).parents[4] / "events"


def sample(name: str) -> dict[str, Any]:
    """A webhook's body."""
    body: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return body


def with_alert(**change: Any) -> dict[str, Any]:
    """A body whose one alert is changed; None takes a key away."""
    body = sample("alertmanager-datanode-down")
    alert = {**body["alerts"][0], **change}
    body["alerts"] = [{key: value for key, value in alert.items() if value is not None}]
    return body


def labelled(**labels: str) -> Event:
    """The event of an alert with exactly these labels."""
    (event,) = read(with_alert(labels=labels))
    assert isinstance(event, Event), event
    return event


def test_the_documented_sample() -> None:
    """Fingerprint and start are the id; annotations are labels under their prefix, the summary is the message."""
    assert read(sample("documented-alertmanager")) == [
        Event(
            id="87719609573713f6@2026-11-23T21:34:02.069320828Z",
            source="alertmanager",
            name="DataNodeDown",
            status="firing",
            severity="critical",
            cluster="emr-4zvc5mul",
            service="HDFS",
            component="",
            ip="172.16.0.5",
            labels={
                "alertname": "DataNodeDown",
                "cluster_id": "emr-4zvc5mul",
                "ip": "172.16.0.5",
                "service": "HDFS",
                "severity": "critical",
                "annotation_runbook_url": "https://example/rb",
                "annotation_summary": "DataNode down on 172.16.0.5",
            },
            occurred_at=1795469642.069320828,
            message="DataNode down on 172.16.0.5",
        )
    ]


def test_a_resolution_has_the_id_of_its_alert_and_its_own_time() -> None:
    """So that it ends the incident."""
    (down,) = read(sample("alertmanager-datanode-down"))
    (resolved,) = read(sample("alertmanager-resolved"))
    assert isinstance(down, Event)
    assert isinstance(resolved, Event)
    assert (resolved.id, resolved.status) == (down.id, "resolved")
    assert (down.occurred_at, resolved.occurred_at) == (1795469642.069320828, 1795470242.069320828)


def test_each_alert_has_its_own_status() -> None:
    """The group fires as long as one of them does."""
    events = [event for event in read(sample("alertmanager-one-of-three-resolved")) if isinstance(event, Event)]
    assert [(event.ip, event.status) for event in events] == [
        ("172.16.0.5", "firing"),
        ("172.16.0.6", "resolved"),
        ("172.16.0.7", "firing"),
    ]


def test_one_bad_alert_spoils_only_itself() -> None:
    """It is named by its place and keeps its identity."""
    good, bad = read(sample("alertmanager-one-bad"))
    assert isinstance(good, Event)
    assert isinstance(bad, Unreadable)
    assert (bad.id, bad.source) == ("5bd0e2c9a1473f86@yesterday", "alertmanager")
    assert [fault.field for fault in bad.error.errors] == ["alerts[1].startsAt"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"labels": None}, "alerts[0].labels"),
        ({"labels": []}, "alerts[0].labels"),
        ({"labels": {"ip": 5}}, "alerts[0].labels.ip"),
        ({"annotations": {"summary": ["x"]}}, "alerts[0].annotations.summary"),
        ({"startsAt": None}, "alerts[0].startsAt"),
        ({"startsAt": 5}, "alerts[0].startsAt"),
        ({"startsAt": ""}, "alerts[0].startsAt"),
        ({"status": "broken"}, "alerts[0].status"),
        ({"fingerprint": {}}, "alerts[0].fingerprint"),
    ],
)
def test_a_bad_alert_names_its_field(change: dict[str, Any], field: str) -> None:
    """Where it stood in the body, and what in it was wrong."""
    (event,) = read(with_alert(**change))
    assert isinstance(event, Unreadable)
    assert event.error.errors[0].field == field


@pytest.mark.parametrize("alert", [None, 5, "x", [], {}, True])
def test_an_alert_that_is_none_leaves_the_others(alert: object) -> None:
    """Neighbours of anything at all are read."""
    body = sample("alertmanager-datanode-down")
    body["alerts"] = [alert, body["alerts"][0], alert]
    first, good, last = read(body)
    assert isinstance(first, Unreadable)
    assert isinstance(good, Event)
    assert isinstance(last, Unreadable)
    assert first.id == last.id


@pytest.mark.parametrize("alerts", [[], None, {}, "x", 5])
def test_a_body_without_alerts_is_refused(alerts: object) -> None:
    """Nothing is what nobody sends on purpose."""
    (event,) = read({**sample("alertmanager-datanode-down"), "alerts": alerts})
    assert isinstance(event, Unreadable)
    assert (event.source, event.error.errors[0].field) == ("alertmanager", "alerts")


def test_the_groups_status_serves_alerts_without_one() -> None:
    """An alert's own comes first; where neither has one, nobody can tell."""
    body = with_alert(status=None)
    (event,) = read(body)
    assert isinstance(event, Event)
    assert event.status == "firing"
    for group in (None, "broken", 5):
        (event,) = read({**body, "status": group})
        assert isinstance(event, Unreadable)
        assert event.error.errors[0].field == "alerts[0].status"
        (event,) = read({**with_alert(), "status": group})
        assert isinstance(event, Event)


def test_alerts_that_the_sender_left_out_are_said() -> None:
    """Nobody knows what they asked for: an outcome of their own, with one id over all repeats of the group."""
    event, left_out = read(sample("alertmanager-truncated"))
    assert isinstance(event, Event)
    assert isinstance(left_out, Unreadable)
    assert left_out.error.errors[0].field == "truncatedAlerts"
    assert "3 alerts" in left_out.error.errors[0].problem
    again = copy.deepcopy(sample("alertmanager-truncated"))
    again["truncatedAlerts"] = 4
    assert read(again)[1].id == left_out.id
    assert read({**again, "groupKey": "another"})[1].id != left_out.id


@pytest.mark.parametrize("truncated", ["many", "5", True, [1], pytest.param(10**5000, id="huge")])
def test_an_odd_count_of_left_out_alerts_is_not_passed_over(truncated: object) -> None:
    """Something was left out, however many."""
    assert len(read({**sample("alertmanager-datanode-down"), "truncatedAlerts": truncated})) == 2


def test_too_many_alerts_are_cut_and_said() -> None:
    """The first are served, the rest have one outcome."""
    body = sample("alertmanager-datanode-down")
    body["alerts"] = [
        {"labels": {}, "startsAt": "2026-11-23T21:34:02Z", "fingerprint": str(n)} for n in range(MAX_EVENTS + 5)
    ]
    *events, left_out = read(body)
    assert len(events) == MAX_EVENTS
    assert isinstance(left_out, Unreadable)
    assert str(left_out.error) == f"alerts: 5 alerts more than the {MAX_EVENTS} that one body may hold were not read"
    body["truncatedAlerts"] = 7
    *events, left_out = read([body, sample("alertmanager-datanode-down")])
    assert len(events) == MAX_EVENTS
    assert f"more than {MAX_EVENTS} events" in str(left_out.error)  # type: ignore[union-attr]


def test_without_a_fingerprint_the_labels_are_the_identity() -> None:
    """Equal labels, equal id; others, another."""
    ids = [read(with_alert(fingerprint=None, labels=labels))[0].id for labels in ({"a": "1"}, {"a": "1"}, {"a": "2"})]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("labels:")


def test_gos_zero_time_is_no_time() -> None:
    """An alert that never says when it began is not taken for a very old one."""
    (event,) = read(with_alert(startsAt="0001-01-01T00:00:00Z"))
    assert isinstance(event, Event)
    assert event.occurred_at is None
    (junk,) = read(with_alert(startsAt="0001-01-01 junk"))
    assert isinstance(junk, Unreadable), "what is not Go's zero time is not taken for it"


@pytest.mark.parametrize(
    ("labels", "cluster"),
    [
        ({"cluster_id": "emr-4zvc5mul"}, "emr-4zvc5mul"),
        ({"emr_cluster": "emr-4zvc5mul"}, "emr-4zvc5mul"),
        ({"cluster": "emr-4zvc5mul"}, "emr-4zvc5mul"),
        ({"instance_id": "emr-4zvc5mul"}, "emr-4zvc5mul"),
        ({"cluster": "k8s-prod", "instance_id": "emr-4zvc5mul"}, "emr-4zvc5mul"),
        ({"cluster_id": "emr-8kd2m1qp", "cluster": "emr-4zvc5mul"}, "emr-8kd2m1qp"),
        ({"cluster": "analytics"}, ""),
        ({"cluster_id": "emr-4zvc5mul; rm"}, ""),
        ({}, ""),
    ],
)
def test_the_cluster_is_the_first_label_that_holds_one(labels: dict[str, str], cluster: str) -> None:
    """Other things are called clusters too."""
    assert labelled(**labels).cluster == cluster


@pytest.mark.parametrize(
    ("labels", "ip"),
    [
        ({"ip": "172.16.0.5"}, "172.16.0.5"),
        ({"instance": "172.16.0.5:9100"}, "172.16.0.5"),
        ({"instance": "[fd00::5]:9100"}, "fd00::5"),
        ({"host": "172.16.0.5"}, "172.16.0.5"),
        ({"node": "172.16.0.5"}, "172.16.0.5"),
        ({"address": "172.16.0.5"}, "172.16.0.5"),
        ({"ip": "none", "host": "172.16.0.5"}, "172.16.0.5"),
        ({"instance": "dn-5:9100"}, ""),
        ({"ip": "172.16.0.500"}, ""),
        ({}, ""),
    ],
)
def test_the_address_is_the_first_label_that_holds_one(labels: dict[str, str], ip: str) -> None:
    """Without its port; a host's name is none."""
    assert labelled(**labels).ip == ip


@pytest.mark.parametrize(
    ("labels", "service", "component"),
    [
        ({"service": "HDFS", "component": "DataNode"}, "HDFS", "DataNode"),
        ({"service": "hdfs", "component": "datanode"}, "HDFS", "DataNode"),
        ({"component": "datanode"}, "HDFS", "DataNode"),
        ({"role": "nodemanager"}, "YARN", "NodeManager"),
        ({"process": "HRegionServer"}, "HBASE", "HRegionServer"),
        ({"service": "HDFS"}, "HDFS", ""),
        ({"service": "DataNode"}, "HDFS", "DataNode"),
        ({"service": "hdfs", "job": "datanode"}, "HDFS", "DataNode"),
        ({"service": "hdfs", "job": "nodemanager"}, "HDFS", ""),
        ({"job": "hdfs-datanode"}, "HDFS", "DataNode"),
        ({"job": "hdfs"}, "HDFS", ""),
        ({"job": "node-exporter"}, "", ""),
        ({"service": "ZOOKEEPER", "component": "zookeeper"}, "ZOOKEEPER", "QuorumPeerMain"),
        ({"service": "zookeeper"}, "ZOOKEEPER", ""),
        ({"service": "KAFKA", "component": "Broker"}, "KAFKA", "Broker"),
        ({"service": "YARN", "component": "DataNode"}, "YARN", "DataNode"),
        ({"service": "kafka", "job": "hdfs-datanode"}, "kafka", ""),
        ({"component": "Broker"}, "", "Broker"),
        ({}, "", ""),
    ],
)
def test_known_processes_get_their_own_names(labels: dict[str, str], service: str, component: str) -> None:
    """Whatever case a label has; what is not known stays as it was written."""
    event = labelled(**labels)
    assert (event.service, event.component) == (service, component)


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"summary": "short", "description": "long"}, "short"),
        ({"description": "long"}, "long"),
        ({"message": "m"}, "m"),
        ({"summary": ""}, "DataNodeDown"),
        ({}, "DataNodeDown"),
        (None, "DataNodeDown"),
    ],
)
def test_the_message_is_what_a_person_wrote(annotations: dict[str, str] | None, message: str) -> None:
    """The summary, else the description, else the alert's name."""
    (event,) = read(with_alert(annotations=annotations))
    assert isinstance(event, Event)
    assert event.message == message


def test_annotations_may_be_null() -> None:
    """Go writes an empty map so."""
    body = with_alert()
    body["alerts"][0]["annotations"] = None
    assert isinstance(read(body)[0], Event)


def test_a_label_is_never_mistaken_for_an_annotation() -> None:
    """A label of the annotation's name wins: rules are written over labels."""
    event = labelled(annotation_summary="the label's")
    assert event.labels["annotation_summary"] == "the label's"


def test_a_storm_is_read_whole() -> None:
    """1,000 alerts are 1,000 events, each with its own id, about five nodes."""
    events = [event for event in read(sample("storm-1000")) if isinstance(event, Event)]
    assert len({event.id for event in events}) == 1000
    assert {event.ip for event in events} == {f"172.16.0.{host}" for host in range(5, 10)}
    assert {(event.cluster, event.component) for event in events} == {("emr-4zvc5mul", "DataNode")}


def test_one_bad_alert_in_a_storm_leaves_999() -> None:
    """Validated all at once or one by one, the good ones read the same."""
    body = sample("storm-1000")
    good = read(body)
    body["alerts"][500]["startsAt"] = 5
    received = read(body)
    assert isinstance(received[500], Unreadable)
    assert received[:500] + received[501:] == good[:500] + good[501:]


@settings(deadline=None)  # the first payload pays for the validator
@given(
    st.dictionaries(st.text(max_size=30), st.text(max_size=30)),
    st.dictionaries(st.text(max_size=30), st.text(max_size=30)),
)
def test_any_labels_are_an_event(labels: dict[str, str], annotations: dict[str, str]) -> None:
    """Whatever people call their labels."""
    (event,) = read(with_alert(labels=labels, annotations=annotations))
    assert isinstance(event, Event)
    assert event.cluster == "" or event.cluster in labels.values()


# -- Grafana


def test_a_grafana_alert() -> None:
    """Alertmanager's reading, and what Grafana adds as labels."""
    (event,) = read(sample("grafana-nodemanager-down"))
    assert isinstance(event, Event)
    assert (event.source, event.id) == ("grafana", "d41a7c09be5f8236@2026-11-23T21:34:02.069320828Z")
    assert (event.status, event.severity, event.cluster) == ("firing", "critical", "emr-4zvc5mul")
    assert (event.service, event.component, event.ip) == ("YARN", "NodeManager", "172.16.0.8")
    assert event.labels["value_B"] == "0"
    assert event.labels["valueString"] == "[ var='B' labels={ip=172.16.0.8} value=0 ]"
    assert event.labels["dashboardURL"] == "https://grafana.example/d/hdfs"


def test_a_grafana_resolution() -> None:
    """As Alertmanager's."""
    (event,) = read(sample("grafana-resolved"))
    assert isinstance(event, Event)
    assert (event.source, event.status, event.occurred_at) == ("grafana", "resolved", 1795470600.0)


@pytest.mark.parametrize("values", [None, {}, {"A": None}, {"A": 0.5, "B": "x"}])
def test_grafanas_values_may_be_anything(values: object) -> None:
    """Null where an expression gave none."""
    body = sample("grafana-nodemanager-down")
    body["alerts"][0]["values"] = values
    assert isinstance(read(body)[0], Event)


def test_a_bad_grafana_alert_is_grafanas() -> None:
    """Named by source and field."""
    body = sample("grafana-nodemanager-down")
    body["alerts"][0]["values"] = [1]
    (event,) = read(body)
    assert isinstance(event, Unreadable)
    assert (event.source, event.error.errors[0].field) == ("grafana", "alerts[0].values")


@pytest.mark.parametrize(
    ("change", "source"), [({"orgId": 1}, "grafana"), ({"version": "1"}, "grafana"), ({}, "alertmanager")]
)
def test_grafana_is_told_from_alertmanager(change: dict[str, Any], source: str) -> None:
    """By its organisation, or the version of the body."""
    assert read({**sample("alertmanager-datanode-down"), **change})[0].source == source

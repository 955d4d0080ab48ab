"""The webhooks of Alertmanager and Grafana: many alerts in one body, each with its own result."""

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
    """The body of a webhook."""
    body: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return body


def with_alert(**change: Any) -> dict[str, Any]:
    """A body whose only alert is changed; None removes a key."""
    body = sample("alertmanager-datanode-down")
    alert = {**body["alerts"][0], **change}
    body["alerts"] = [{key: value for key, value in alert.items() if value is not None}]
    return body


def labelled(**labels: str) -> Event:
    """The event of an alert that has exactly these labels."""
    (event,) = read(with_alert(labels=labels))
    assert isinstance(event, Event), event
    return event


def test_the_documented_sample() -> None:
    """Fingerprint and start time form the id; annotations become labels with a prefix; the summary is the message."""
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
            alert="87719609573713f6",
            started_at=1795469642.069320828,
        )
    ]


def test_a_resolution_has_the_id_of_its_alert_and_its_own_time() -> None:
    """The same id lets it end the incident."""
    (down,) = read(sample("alertmanager-datanode-down"))
    (resolved,) = read(sample("alertmanager-resolved"))
    assert isinstance(down, Event)
    assert isinstance(resolved, Event)
    assert (resolved.id, resolved.status) == (down.id, "resolved")
    assert (down.occurred_at, resolved.occurred_at) == (1795469642.069320828, 1795470242.069320828)


def test_each_alert_has_its_own_status() -> None:
    """The status of the group, which fires while any alert does, is not used."""
    events = [event for event in read(sample("alertmanager-one-of-three-resolved")) if isinstance(event, Event)]
    assert [(event.ip, event.status) for event in events] == [
        ("172.16.0.5", "firing"),
        ("172.16.0.6", "resolved"),
        ("172.16.0.7", "firing"),
    ]


def test_one_bad_alert_does_not_affect_the_others() -> None:
    """Its error names its place in the body, and it keeps its own id."""
    good, bad = read(sample("alertmanager-one-bad"))
    assert isinstance(good, Event)
    assert isinstance(bad, Unreadable)
    assert (bad.id, bad.source) == ("5bd0e2c9a1473f86@yesterday", "alertmanager")
    assert [error.field for error in bad.error.errors] == ["alerts[1].startsAt"]


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
    """The field includes the place of the alert in the body."""
    (event,) = read(with_alert(**change))
    assert isinstance(event, Unreadable)
    assert event.error.errors[0].field == field


@pytest.mark.parametrize("alert", [None, 5, "x", [], {}, True])
def test_any_value_in_place_of_an_alert_leaves_the_others(alert: object) -> None:
    """The alerts next to it are read, whatever the value is."""
    body = sample("alertmanager-datanode-down")
    body["alerts"] = [alert, body["alerts"][0], alert]
    first, good, last = read(body)
    assert isinstance(first, Unreadable)
    assert isinstance(good, Event)
    assert isinstance(last, Unreadable)
    assert first.id == last.id


@pytest.mark.parametrize("alerts", [[], None, {}, "x", 5])
def test_a_body_without_alerts_is_refused(alerts: object) -> None:
    """Nobody sends a body without alerts on purpose."""
    (event,) = read({**sample("alertmanager-datanode-down"), "alerts": alerts})
    assert isinstance(event, Unreadable)
    assert (event.source, event.error.errors[0].field) == ("alertmanager", "alerts")


def test_an_alert_without_a_status_takes_that_of_the_group() -> None:
    """The alert's own status takes precedence; where both are missing, the alert is refused."""
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


def test_alerts_that_the_sender_left_out_are_reported() -> None:
    """They become one Unreadable, whose id stays the same for all repeats of the group."""
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
def test_an_invalid_count_of_left_out_alerts_is_reported_too(truncated: object) -> None:
    """Something was left out, even where the number is not readable."""
    assert len(read({**sample("alertmanager-datanode-down"), "truncatedAlerts": truncated})) == 2


def test_too_many_alerts_are_cut_and_reported() -> None:
    """The first MAX_EVENTS alerts are read, and one Unreadable stands for the rest."""
    body = sample("alertmanager-datanode-down")
    body["alerts"] = [
        {"labels": {}, "startsAt": "2026-11-23T21:34:02Z", "fingerprint": str(n)} for n in range(MAX_EVENTS + 5)
    ]
    *events, left_out = read(body)
    assert len(events) == MAX_EVENTS
    assert isinstance(left_out, Unreadable)
    problem = f"holds 5 alerts beyond the limit of {MAX_EVENTS}, which were not read; send fewer at once"
    assert str(left_out.error) == f"alerts: {problem}"
    body["truncatedAlerts"] = 7
    *events, left_out = read([body, sample("alertmanager-datanode-down")])
    assert len(events) == MAX_EVENTS
    assert f"more than {MAX_EVENTS} events" in str(left_out.error)  # type: ignore[union-attr]


def test_without_a_fingerprint_the_labels_form_the_id() -> None:
    """Equal labels give the same id, and different labels another."""
    ids = [read(with_alert(fingerprint=None, labels=labels))[0].id for labels in ({"a": "1"}, {"a": "1"}, {"a": "2"})]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0].startswith("labels:")


def test_the_zero_time_of_go_means_no_time() -> None:
    """An alert without a start time is not taken for a very old one."""
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
def test_the_cluster_comes_from_the_first_label_with_a_cluster_id(labels: dict[str, str], cluster: str) -> None:
    """A label named cluster may hold the name of something else."""
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
def test_the_address_comes_from_the_first_label_with_an_address(labels: dict[str, str], ip: str) -> None:
    """The port is removed, and a host name is not an address."""
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
        ({"service": "cassandra", "job": "hdfs-datanode"}, "cassandra", ""),
        ({"service": "kafka", "job": "hdfs-datanode"}, "KAFKA", ""),
        ({"service": "doris", "component": "fe"}, "DORIS", "FE"),
        ({"component": "FE"}, "", "FE"),
        ({"component": "Broker"}, "", "Broker"),
        ({}, "", ""),
    ],
)
def test_known_processes_get_the_names_that_emr_uses(labels: dict[str, str], service: str, component: str) -> None:
    """The case of a label does not matter; an unknown name stays as it was written."""
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
def test_the_message_comes_from_the_annotations(annotations: dict[str, str] | None, message: str) -> None:
    """It is the summary, else the description, else the name of the alert."""
    (event,) = read(with_alert(annotations=annotations))
    assert isinstance(event, Event)
    assert event.message == message


def test_annotations_may_be_null() -> None:
    """Go writes an empty map as null."""
    body = with_alert()
    body["alerts"][0]["annotations"] = None
    assert isinstance(read(body)[0], Event)


def test_a_label_is_never_mistaken_for_an_annotation() -> None:
    """A label with the name of a prefixed annotation takes precedence."""
    event = labelled(annotation_summary="the label's")
    assert event.labels["annotation_summary"] == "the label's"


def test_a_storm_is_read_completely() -> None:
    """1,000 alerts about five nodes become 1,000 events, each with its own id."""
    events = [event for event in read(sample("storm-1000")) if isinstance(event, Event)]
    assert len({event.id for event in events}) == 1000
    assert {event.ip for event in events} == {f"172.16.0.{host}" for host in range(5, 10)}
    assert {(event.cluster, event.component) for event in events} == {("emr-4zvc5mul", "DataNode")}


def test_one_bad_alert_in_a_storm_leaves_999() -> None:
    """The valid alerts are read the same, whether validated together or one by one."""
    body = sample("storm-1000")
    good = read(body)
    body["alerts"][500]["startsAt"] = 5
    received = read(body)
    assert isinstance(received[500], Unreadable)
    assert received[:500] + received[501:] == good[:500] + good[501:]


@settings(deadline=None)  # the first payload builds the validator
@given(
    st.dictionaries(st.text(max_size=30), st.text(max_size=30)),
    st.dictionaries(st.text(max_size=30), st.text(max_size=30)),
)
def test_an_alert_may_have_any_labels(labels: dict[str, str], annotations: dict[str, str]) -> None:
    """Labels and annotations may have any names and values."""
    (event,) = read(with_alert(labels=labels, annotations=annotations))
    assert isinstance(event, Event)
    assert event.cluster == "" or event.cluster in labels.values()


# -- Grafana


def test_a_grafana_alert() -> None:
    """It is read as an alert of Alertmanager, and the fields that Grafana adds become labels."""
    (event,) = read(sample("grafana-nodemanager-down"))
    assert isinstance(event, Event)
    assert (event.source, event.id) == ("grafana", "d41a7c09be5f8236@2026-11-23T21:34:02.069320828Z")
    assert (event.status, event.severity, event.cluster) == ("firing", "critical", "emr-4zvc5mul")
    assert (event.service, event.component, event.ip) == ("YARN", "NodeManager", "172.16.0.8")
    assert event.labels["value_B"] == "0"
    assert event.labels["valueString"] == "[ var='B' labels={ip=172.16.0.8} value=0 ]"
    assert event.labels["dashboardURL"] == "https://grafana.example/d/hdfs"


def test_a_grafana_resolution() -> None:
    """It is read as a resolution of Alertmanager."""
    (event,) = read(sample("grafana-resolved"))
    assert isinstance(event, Event)
    assert (event.source, event.status, event.occurred_at) == ("grafana", "resolved", 1795470600.0)


@pytest.mark.parametrize("values", [None, {}, {"A": None}, {"A": 0.5, "B": "x"}])
def test_the_values_of_grafana_may_be_anything(values: object) -> None:
    """A value is null where its expression had no result."""
    body = sample("grafana-nodemanager-down")
    body["alerts"][0]["values"] = values
    assert isinstance(read(body)[0], Event)


def test_a_bad_grafana_alert_is_reported_as_grafana() -> None:
    """The Unreadable names the source and the field."""
    body = sample("grafana-nodemanager-down")
    body["alerts"][0]["values"] = [1]
    (event,) = read(body)
    assert isinstance(event, Unreadable)
    assert (event.source, event.error.errors[0].field) == ("grafana", "alerts[0].values")


@pytest.mark.parametrize(
    ("change", "source"), [({"orgId": 1}, "grafana"), ({"version": "1"}, "grafana"), ({}, "alertmanager")]
)
def test_grafana_is_distinguished_from_alertmanager(change: dict[str, Any], source: str) -> None:
    """Grafana sends an organisation id, or version 1 of the body."""
    assert read({**sample("alertmanager-datanode-down"), **change})[0].source == source


def test_occurrences_of_one_alert_differ_in_their_start_only() -> None:
    """Firing and resolved: its identity, and the start by which a resolution takes back what is no younger."""
    payload = sample("alertmanager-datanode-down")
    (down,) = read(payload)
    later = json.loads(json.dumps(payload))
    later["alerts"][0]["startsAt"] = "2026-11-24T00:00:00Z"
    (again,) = read(later)
    assert isinstance(down, Event)
    assert isinstance(again, Event)
    assert (down.alert, down.id) != ("", again.id)
    assert down.alert == again.alert
    assert down.started_at is not None
    assert again.started_at is not None
    assert down.started_at < again.started_at

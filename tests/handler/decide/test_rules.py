"""Rules: what an event's own words become, and which of them are refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from handler.config.config import Config
from handler.errors import InvalidInput
from handler.model.event import Event
from handler.model.intent import Limits
from handler.model.scope import OpScope, Target
from steward.config.compile import config_of


def a_config(scope: Any) -> Config:
    rule = {
        "name": "r",
        "when": {"status": ["firing"]},
        "do": {"operation": "RestartService", "cluster": "{cluster}", "scope": scope, "strategy": {}},
    }
    return config_of({"clusters": {}, "rules": [rule]})


EACH = {"{service}": {"{component}": ["{ip}"]}}
EVENT = Event(
    id="e",
    source="tcop",
    name="down",
    status="firing",
    cluster="emr-4zvc5mul",
    service="hdfs",
    component="DataNode",
    ip="fd00::5",
)


@pytest.mark.parametrize(
    ("scope", "meant"),
    [
        (EACH, OpScope.of_target(Target("HDFS", "DataNode", "fd00::5"))),
        ({"{service}": "all"}, OpScope.of_service("HDFS")),
        ({"{service}": {"{component}": "all"}}, OpScope.of_component("HDFS", "DataNode")),
        ({"{service}": {"{component}": ["{ip}", "10.0.0.1"]}}, OpScope.of_component("HDFS", "DataNode", ["fd00::5", "10.0.0.1"])),
        ({"{service}": "all", "{service|lower}": "all"}, OpScope.of_service("HDFS")),
    ],
)  # fmt: skip
def test_a_scope_is_filled_from_the_event(scope: Any, meant: OpScope) -> None:
    """To the level that the rule says, the service as the API wants it."""
    (rule,) = a_config(scope).rules
    assert rule.state(EVENT, EVENT.view(), "sender", 0.0)[1].scope == meant


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cluster": "emr-short"}, "do.cluster: 'emr-short' is not a cluster id"),
        ({"cluster": "EMR-4ZVC5MUL"}, "do.cluster"),
        ({"service": "HDFS/DataNode"}, "do.scope: 'HDFS/DataNode' is not a service name"),
        ({"component": "Data\nNode"}, "is not a component name"),
        ({"ip": "172.16.0.5:9100"}, "is not an address (a filter such as `|host` strips a port)"),
        ({"ip": "x" * 100}, "x…' is not an address"),
    ],
)
def test_what_is_none_is_refused_by_its_name(change: dict[str, Any], says: str) -> None:
    """The field, what stands there, cut, and the mend."""
    event = EVENT._replace(**change)
    (rule,) = a_config(EACH).rules
    with pytest.raises(InvalidInput) as caught:
        rule.state(event, event.view(), "sender", 0.0)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("source", "occurred_at", "started_at", "is_command", "start", "max_wait"),
    [
        ("tcop", 100.0, 50.0, False, 50.0, 60.0),  # an alert's start tells its occurrences apart
        ("tcop", 100.0, None, False, 100.0, 60.0),
        ("tcop", None, None, False, None, 60.0),
        ("timer", 100.0, 50.0, True, 100.0, 90.0),
        ("timer", None, None, True, None, 90.0),
    ],
)
def test_what_a_rule_states(
    source: str,
    occurred_at: float | None,
    started_at: float | None,
    is_command: bool,
    start: float | None,
    max_wait: float,
) -> None:
    """Alerts state remediations, timers commands; each with the limits of its kind, and who said it when."""
    (rule,) = a_config(EACH).rules
    rule = replace(rule, limits=Limits(max_wait=60), command_limits=Limits(max_wait=90), even_if_healthy=True)
    event = EVENT._replace(source=source, occurred_at=occurred_at, started_at=started_at)
    cluster, stated = rule.state(event, event.view(), "sender", 200.0)
    assert cluster == "emr-4zvc5mul"
    assert (stated.event, stated.sender, stated.rule, stated.told_at) == ("e", "sender", "r", 200.0)
    assert (stated.is_command, stated.start, stated.max_wait) == (is_command, start, max_wait)
    assert (stated.even_if_healthy, stated.is_named) == (True, True)

"""Rules: what an event's own words become, and which of them are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from handler.config.config import Config
from handler.errors import InvalidInput
from handler.model.event import Event
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
    assert rule.intent(EVENT, EVENT.view()).scope == meant


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
        rule.intent(event, event.view())
    assert says in str(caught.value)
    assert len(str(caught.value)) < 200

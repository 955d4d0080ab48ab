"""Rules: what an event's own words become, and which of them are refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from handler.configuration import Config
from handler.configuration_file import read_config
from handler.errors import InvalidInput
from handler.events import Event
from handler.operations import OpScope, Target
from handler.rules import is_address


def a_config(scope: Any) -> Config:
    rule = {
        "name": "r",
        "when": {"status": ["firing"]},
        "do": {"operation": "RestartService", "cluster": "{cluster}", "scope": scope, "strategy": {}},
    }
    return read_config({"clusters": {}, "rules": [rule]})


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
    ("text", "expected"),
    [
        ("172.16.0.5", True),
        ("0.0.0.0", True),  # noqa: S104 - an address, to be told as one
        ("172.16.0.256", False),
        ("172.16.0", False),
        ("172.16.0.5:9100", False),
        ("fd00::5", True),
        ("::1", True),
        ("fd00::5%eth0", False),
        ("fd00::g", False),
        ("host-1", False),
        ("", False),
    ],
)
def test_an_address_is_told_from_what_is_none(text: str, expected: bool) -> None:
    """Of either version; a zone index names an interface of the sender's."""
    assert is_address(text) is expected


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
        ({"cluster": "emr-short"}, "do.cluster: 'emr-short' is no cluster id"),
        ({"cluster": "EMR-4ZVC5MUL"}, "do.cluster"),
        ({"service": "HDFS/DataNode"}, "do.scope: 'HDFS/DataNode' is no service name"),
        ({"component": "Data\nNode"}, "is no component name"),
        ({"ip": "172.16.0.5:9100"}, "is no address (a filter such as `|host` strips a port)"),
        ({"ip": "x" * 100}, "x…' is no address"),
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

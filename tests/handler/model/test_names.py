"""What names a cluster, a process and a node is the same for the file, the schema, an event, a request and the command line."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from handler.errors import InvalidConfiguration, InvalidInput
from handler.model.event import Event
from handler.model.names import address
from handler.receive import locators
from handler.receive.senders.request import event_of
from steward.cli.main import app
from steward.config.compile import config_of
from steward.config.json_schema import json_schema

VALIDATOR = jsonschema.Draft202012Validator(json_schema())
CLUSTER = "emr-4zvc5mul"


def config(cluster: str = CLUSTER, scope: Any = "all", *, in_rule: str | None = None) -> dict[str, Any]:
    do = {
        "operation": "RestartService",
        "cluster": in_rule or cluster,
        "scope": {"HDFS": scope},
        "strategy": {"rolling": True},
    }
    return {
        "clusters": {cluster: {"region": "ap-guangzhou", "allow": ["RestartService"]}},
        "rules": [{"name": "r", "when": {"status": ["firing"]}, "do": do}],
    }


def by_file(raw: dict[str, Any]) -> bool:
    try:
        config_of(raw)
    except InvalidConfiguration:
        return False
    return True


def by_event(raw: dict[str, Any], **fields: str) -> bool:
    """Whether a rule of templates takes what an event names."""
    event = Event(id="e", source="tcop", name="down", status="firing", **{"cluster": CLUSTER, **fields})  # type: ignore[arg-type]
    (rule,) = config_of(raw).rules
    try:
        rule.state(event, event.view(), "sender", 0.0)
    except InvalidInput:
        return False
    return True


def by_request(cluster: str = CLUSTER, component: str = "DataNode", ip: str = "172.16.0.5") -> bool:
    infos = [{"ComponentName": component, "IpList": [ip]}]
    scope = {"ServiceInfoList": [{"ServiceName": "HDFS", "ComponentInfoList": infos}]}
    try:
        event_of({"InstanceId": cluster, "OpType": "StartService", "OpScope": scope}, "")
    except InvalidInput:
        return False
    return True


def by_release(target: str) -> bool:
    """Whether `steward release` takes it for a process, be it in quarantine or not."""
    return CliRunner().invoke(app, ["release", target]).exit_code != 2


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("emr-4zvc5mul", True),
        ("emr-" + "a" * 32, True),
        ("emr-instances", True),
        ("emr-4zvc5mul;rm", False),
        ("EMR-4ZVC5MUL", False),
        ("emr-short", False),
        ("emr-instance", False),
        ("emr-" + "a" * 33, False),
        ("emr-4zvc5mül", False),
        ("ins-4zvc5mul", False),
    ],
)
def test_a_cluster_is_one_for_all(text: str, is_one: bool) -> None:
    """By its form; the word of CAM's resource names is none."""
    templated = config(in_rule="{cluster}")
    answers = {
        "file": by_file(config(text)),
        "schema": VALIDATOR.is_valid(config(text)),
        "event": by_event(templated, cluster=text),
        "request": by_request(cluster=text),
        "source": locators.cluster(text) == text,
    }
    assert answers == dict.fromkeys(answers, is_one)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("DataNode", True),
        ("Impala-Daemon", True),
        ("2ndNode", True),
        ("a_b.c", True),
        ("x" * 64, True),
        ("x" * 65, False),
        ("Data Node", False),
        ("-x", False),
        ("Data\nNode", False),
        ("Dätanode", False),
    ],
)
def test_a_process_name_is_one_for_all(
    text: str, is_one: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the API spells its own."""
    monkeypatch.chdir(tmp_path)
    answers = {
        "file": by_file(config(scope={text: "all"})),
        "event": by_event(config(scope={"{component}": "all"}), component=text),
        "request": by_request(component=text),
        "release": by_release(f"HDFS/{text}/172.16.0.5"),
    }
    assert answers == dict.fromkeys(answers, is_one)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("172.16.0.5", "172.16.0.5"),
        ("0.0.0.0", "0.0.0.0"),  # noqa: S104 - an address, to be told as one
        ("FD00:0:0::5", "fd00::5"),
        ("::1", "::1"),
        ("172.16.0.05", ""),
        ("172.16.0.256", ""),
        ("172.16.0", ""),
        ("172.16.0.5:9100", ""),
        ("172.16.0.5\n", ""),
        ("１72.16.0.5", ""),
        ("[::1]", ""),
        ("fd00::5%eth0", ""),
        ("fd00::g", ""),
        ("host-1", ""),
    ],
)
def test_an_address_is_one_for_all(text: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of either version, written in its one way; a zone index names an interface of the sender's."""
    monkeypatch.chdir(tmp_path)
    assert address(text) == found
    answers = {
        "file": by_file(config(scope={"DataNode": [text]})),
        "event": by_event(config(scope={"DataNode": ["{ip}"]}), ip=text),
        "request": by_request(ip=text),
        "release": by_release(f"HDFS/DataNode/{text}"),
    }
    assert answers == dict.fromkeys(answers, bool(found))


def test_an_address_has_one_spelling_in_what_is_asked() -> None:
    """However an event writes it, it is the process that the cluster shows."""
    (rule,) = config_of(config(scope={"DataNode": ["{ip}", "FD00::6"]})).rules
    event = Event(id="e", source="tcop", name="down", status="firing", ip="FD00:0::5")
    assert [ip for _, _, ip in rule.state(event, event.view(), "sender", 0.0)[1].scope] == ["fd00::5", "fd00::6"]


@given(st.ip_addresses())
def test_every_address_is_known(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Both versions, as the standard library writes them."""
    assert address(str(ip)) == str(ip)


@given(st.text(st.sampled_from("0123456789.:[]%/ -ax"), max_size=24))
def test_only_addresses_are_addresses(text: str) -> None:
    """What is one, the standard library takes for one too."""
    if address(text):
        assert str(ipaddress.ip_address(address(text))) == address(text)

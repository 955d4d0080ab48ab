"""steward.yml: what it means, and what is refused, with line, path and fix."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from handler.config.config import Config
from handler.config.loader import FORMAT
from handler.errors import ConfigurationError, InvalidConfiguration
from handler.model.intent import COMMAND_LIMITS, Limits
from handler.model.policy import AlarmSettings, Quarantine, Safety, Webhook
from handler.model.request import StopParams, StrategyConfig
from steward.config.compile import compiled_content, config_of, load_yaml
from steward.config.durations import duration
from steward.config.json_schema import json_schema
from steward.config.yaml_errors import explained
from steward.config.yaml_file import read_raw

ROOT = Path(__file__).parents[3]
SCHEMA = jsonschema.Draft202012Validator(json_schema())
RAW: dict[str, Any] = {
    "clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["RestartService", "StopService", "StopMonitor"]}},
    "rules": [
        {
            "name": "restart",
            "when": {"status": ["firing"]},
            "do": {
                "operation": "RestartService",
                "cluster": "{cluster}",
                "scope": {"HDFS": {"DataNode": ["{ip}"]}},
                "strategy": {"rolling": True},
            },
        }
    ],
}
STOP: dict[str, Any] = {
    "name": "stop",
    "when": {"source": ["timer"]},
    "do": {"operation": "StopService", "cluster": "emr-4zvc5mul", "scope": {"HBASE": "all"}},
}
WINDOW = {"start": "02:00", "end": "03:00", "time_zone": "Asia/Shanghai", "reason": "r"}


def changed(path: str, value: Any, rules: Any = RAW["rules"], safety: Any = None) -> dict[str, Any]:
    """RAW, with these rules, with the value at a path of slashes replaced; None removes it."""
    raw = copy.deepcopy({**RAW, "rules": rules, **({"safety": safety} if safety else {})})
    *steps, last = path.split("/")
    here: Any = raw
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here.setdefault(step, {})
    if value is None:
        del here[last]
    else:
        here[int(last) if isinstance(here, list) else last] = value
    return raw


def problems(raw: object) -> str:
    with pytest.raises(InvalidConfiguration) as raised:
        config_of(raw)
    return str(raised.value)


def test_the_example_is_valid() -> None:
    """The shipped steward.yml has the meaning that its text shows."""
    raw, lines = read_raw(str(ROOT / "steward.yml"))
    config = load_yaml(str(ROOT / "steward.yml"))
    assert [rule.name for rule in config.rules] == [rule["name"] for rule in raw["rules"]]
    assert lines["rules[0].do.operation"] > lines["rules[0].name"]


def test_no_role_needs_a_quorum_where_the_list_is_empty() -> None:
    """An empty list replaces the default list."""
    assert config_of(changed("safety/quorum_roles", [])).safety.quorum_roles == ()


def test_every_section_becomes_values() -> None:
    """Each key of the file has its effect on the configuration."""
    raw = copy.deepcopy(RAW)
    raw["limits"] = {"cooldown": "1h30m", "max_share": "50%"}
    raw["rules"].append(
        {
            "name": "stop",
            "when": {"source": ["timer"]},
            "do": {
                "operation": "StopService",
                "cluster": "emr-4zvc5mul",
                "scope": {"HBASE": "all", "HIVE": {"HiveServer2": "all"}},
                "stop_params": {"policy": "safe", "thread_count": 2, "grace_seconds": 60},
            },
            "limits": {"max_nodes": 3, "max_wait": 60},
        }
    )
    raw["webhook"] = {
        "patience": "3s",
        "callers": [
            {"name": "a", "sources": ["alertmanager"], "basic": {"user": "u", "password_env": "SECRET_A"}},
            {"name": "b", "sources": ["alertmanager"], "bearer_env": "SECRET_B"},
        ],
    }
    raw["safety"] = {
        "quorum_roles": ["NameNode"],
        "quarantine": {"restarts": 2, "within": "30m"},
        "freezes": [
            {
                "from": "2027-02-05T18:00:00",
                "to": "2027-02-06T09:00:00+08:00",
                "time_zone": "Asia/Shanghai",
                "reason": "x",
                "clusters": ["emr-4zvc5mul"],
            }
        ],
        "maintenance_windows": [
            {"days": ["Sat"], "start": "22:00", "end": "02:00", "time_zone": "Asia/Shanghai", "reason": "x"}
        ],
        "keep_records": "7d",
    }
    raw["alarms"] = {
        "chat": [{"url_env": "CHAT"}],
        "event_bus": {"id": "eb-x", "region": "ap-guangzhou"},
        "group_within": "1m",
    }
    config = config_of(raw)
    restart, stop = config.rules
    assert (restart.limits.cooldown, restart.limits.max_share, restart.limits.max_nodes) == (5400.0, 0.5, 1)
    assert (restart.limits.max_wait, restart.command_limits.max_wait) == (3600.0, 3600.0)
    assert (stop.command_limits.max_nodes, stop.command_limits.max_wait, stop.command_limits.cooldown) == (
        3,
        60.0,
        5400.0,
    )
    assert stop.action.stop_params is not None
    assert stop.action.stop_params.to_wire() == {"StopPolicy": "safe", "ThreadCount": 2, "GraceDownTime": 60}
    assert config.webhook.patience == 3.0
    assert [(caller.user, caller.secret_env) for caller in config.webhook.callers] == [
        ("u", "SECRET_A"),
        ("", "SECRET_B"),
    ]
    (freeze,) = config.safety.freezes
    assert freeze.end - freeze.start == 15 * 3600
    assert freeze.covers(freeze.start, "emr-4zvc5mul")
    assert not freeze.covers(freeze.start, "emr-other000")
    assert config.safety.quarantine == Quarantine(restarts=2, within=1800.0)
    assert config.safety.keep_records == 7 * 86400
    assert config.alarms.event_bus is not None


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "limits",
            {"max_event_age": "10m"},
            ["limits.max_event_age: unknown key (max_wait replaces it: how long an intent may stay pending, 1h unless it is written)"],
        ),
        (
            "rules/0/limits",
            {"max_event_age": "soon"},
            [
                "rules[0].limits.max_event_age: unknown key (max_wait replaces it: how long an intent may stay pending, 1h unless it is written)",
                "rules[0].limits.max_event_age: 'soon' is not a duration (90s, 15m, 2h, 7d, or a number of seconds)",
            ],
        ),
        (
            "limits",
            {"max_event_age": "10m", "max_wait": "1h"},
            ["limits.max_event_age: unknown key (max_wait replaces it: how long an intent may stay pending, 1h unless it is written)"],
        ),
        (
            "safety",
            {"breaker": {"intents": "many"}},
            [
                ("safety.breaker: unknown key (take it out: alerts are no longer counted; a remediation is held while more than half of a "
                "component's processes are not serving)")
            ],
        ),
        (
            "safety",
            {"quarantine": {"release_after": "24h"}},
            [
                ("safety.quarantine.release_after: unknown key (take it out: a process is left alone until its restarts are older than "
                "`within`, or until `steward release`)")
            ],
        ),
    ],
)  # fmt: skip
def test_a_key_of_an_earlier_version_is_refused_with_what_holds_instead(
    path: str, value: Any, expected: list[str]
) -> None:
    """Whoever has an older file learns the new name, or why there is none."""
    with pytest.raises(InvalidConfiguration) as raised:
        config_of(changed(path, value))
    assert [str(problem) for problem in raised.value.problems] == expected


@pytest.mark.parametrize("role", ["roleName/emr-steward", "role/4611686018427397919"])
def test_a_cluster_of_another_account_names_its_role(role: str) -> None:
    """The role is given by name or number, as the console shows it. Other clusters have none."""
    config = config_of(changed("clusters/emr-4zvc5mul/role_arn", f"qcs::cam::uin/200000000002:{role}"))
    assert config.clusters["emr-4zvc5mul"].role_arn == f"qcs::cam::uin/200000000002:{role}"
    assert {one.role_arn for one in config.clusters.values() if one.id != "emr-4zvc5mul"} <= {""}


def test_a_window_past_midnight_belongs_to_the_day_it_began_on() -> None:
    """Saturday 22:00 to 02:00 covers Sunday 01:00, by the zone's clock."""
    window = {"days": ["Sat"], "start": "22:00", "end": "02:00", "time_zone": "Asia/Shanghai", "reason": "x"}
    (one,) = config_of(changed("safety/maintenance_windows", [window])).safety.maintenance_windows
    saturday_2200 = 1_800_108_000.0  # 2027-01-16T14:00:00Z
    assert [one.covers(saturday_2200 + hours * 3600, "emr-4zvc5mul") for hours in (-1, 0, 3, 4, 24, 27)] == [
        False,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("clusters", None, "clusters"),
        ("cluster", {}, "did you mean clusters"),
        ("clusters/emr-X", {"region": "ap-guangzhou", "allow": ["StopService"]}, "is not a cluster id"),
        ("clusters/emr-4zvc5mul/region", "Guangzhou", "is not a region"),
        ("clusters/emr-4zvc5mul/allow", [], "allow"),
        ("clusters/emr-4zvc5mul/allow", ["RestartServices"], "did you mean RestartService?"),
        ("clusters/emr-4zvc5mul/alow", [], "did you mean allow"),
        ("clusters/emr-4zvc5mul/role_arn", "steward", "is not a role (qcs::cam::uin/"),
        ("clusters/emr-4zvc5mul/role_arn", "", "is not a role"),
        ("clusters/emr-4zvc5mul/role_arn", "qcs::cam::uin/1:roleName/steward", "is not a role"),
        ("clusters/emr-4zvc5mul/role_arn", "qcs::cam::uin/200000000002:roleName/a b", "is not a role"),
        ("clusters/emr-4zvc5mul/role_am", "x", "did you mean role_arn"),
        ("rules/0/name", "", "rules[0].name"),
        ("rules/0/whne", {}, "did you mean when"),
        ("rules/0/when", {"statsu": ["firing"]}, "did you mean status"),
        ("rules/0/when", {"ip": [{"prefx": "1"}]}, "did you mean prefix"),
        ("rules/0/when", {"source": ["alertmanger"]}, "rules[0].when.source[0]: no event has this source"),
        ("rules/0/when", {"labels": {"port": [9100]}}, 'write "9100"'),
        ("rules/0/do/operation", "RestratService", "did you mean RestartService?"),
        ("rules/0/do/operation", "Reboot", "must be one of StartService, "),
        ("rules/0/do/strategy", None, "RestartService needs a strategy"),
        ("rules/0/do/strategy/batch_sise", 1, "did you mean batch_size"),
        ("rules/0/do/strategy/batch_size", 0, "batch_size"),
        ("rules/0/do/strategy/wait_seconds", 301, "wait_seconds"),
        ("rules/0/do/stop_params", {}, "only StopService"),
        ("rules/0/do/keep_monitor", True, "only StopMonitor"),
        ("rules/0/do/cluster", "{clster}", "did you mean cluster"),
        ("rules/0/do/cluster", "emr-4zvc5muk", "did you mean emr-4zvc5mul"),
        ("rules/0/do/scope", {}, "is empty"),
        ("rules/0/do/scope", {"HDFS": {}}, "is empty"),
        ("rules/0/do/scope", {"HDFS": {"DataNode": []}}, "is empty"),
        ("rules/0/do/scope", {"HDFS": {"DataNode": ["{ip|hots}"]}}, "hots"),
        ("rules/0/do/scope", {"HDFS": {"DataNode": ["172.16.0"]}}, "DataNode[0]: '172.16.0' is not an address"),
        ("rules/0/do/scope", {"HDFS": {"Data/Node": "all"}}, "do.scope.HDFS: 'Data/Node' is not a component name"),
        ("rules/0/do/scope", {"": "all"}, "do.scope: '' is not a service name"),
        ("rules/0/limits", {"cooldown": "soon"}, "is not a duration"),
        ("rules/0/limits", {"max_share": "250%"}, "is not a share"),
        ("rules/0/limits", {"max_share": "half"}, "is not a share"),
        ("rules/0/limits", {"max_node": 1}, "did you mean max_nodes"),
        ("webhook", {"callers": [{"name": "a"}]}, "exactly one"),
        *(
            ("webhook", {"callers": [{"name": "a", "bearer_env": "A", **grant}]}, f"webhook.callers[0]{problem}")
            for grant, problem in (
                ({}, ".sources: is missing (what it may send, such as sources: [alertmanager]; request for"),
                ({"sources": []}, ".sources: is empty"),
                ({"sources": ["timer"]}, ".sources[0]: must be one of request, tcop, grafana, alertmanager, eventb"),
                ({"sources": ["requests"]}, ".sources[0]: must be one of"),
                ({"sources": ["request"]}, ": may send requests, and has no `operations` (operations: [RestartSer"),
                ({"sources": ["request"]}, ": may send requests, and has no `clusters` (clusters: [emr-4zvc5mul]"),
                ({"sources": ["request"]}, ": may send requests, and has no `services` (services: [HDFS, HIVE], o"),
                ({"sources": ["tcop"], "services": "all"}, ".services: is for callers that may send requests"),
                ({"sources": ["tcop"], "operations": ["StopService"]}, ".operations: is for callers that may"),
                ({"sources": ["request"], "operations": []}, ".operations: is empty"),
                ({"sources": ["request"], "operations": ["Stop"]}, ".operations[0]: must be one of StartService"),
                ({"sources": ["request"], "clusters": []}, ".clusters: is empty (all, or [emr-4zvc5mul])"),
                ({"sources": ["request"], "clusters": ["emr-4zvc5muk"]}, ".clusters[0]: emr-4zvc5muk is not listed"),
                ({"sources": ["request"], "services": "HDFS"}, ".services: must be `all` or a list"),
                ({"sources": ["request"], "services": [1]}, ".services[0]: must be a text"),
                ({"sources": ["request"], "services": ["H/D"]}, ".services[0]: is not the name of a service"),
                ({"sources": ["tcop"], "name": "a|b"}, ".name: is not a caller's name"),
            )
        ),
        ("rules/0/when", {"caller": ["grafana"]}, "when.caller[0]: no caller of webhook.callers is named 'grafana'"),
        ("rules/0/when", {"$or": [{"caller": ["x"]}, {"name": ["y"]}]}, "when.$or[0].caller[0]: no caller"),
        (
            "webhook",
            {"callers": [{"name": "a", "sources": ["alertmanager"], "bearer_env": "hunter2-secret"}]},
            "environment variable",
        ),
        (
            "webhook",
            {"callers": [{"name": "a", "sources": ["alertmanager"], "basic": {"user": "a:b", "password_env": "X"}}]},
            "colon",
        ),
        (
            "webhook",
            {
                "callers": [
                    {"name": "a", "sources": ["alertmanager"], "bearer_env": "X"},
                    {"name": "a", "sources": ["alertmanager"], "bearer_env": "Y"},
                ]
            },
            "appears twice",
        ),
        (
            "webhook",
            {
                "callers": [
                    {"name": "a", "sources": ["alertmanager"], "bearer_env": "X"},
                    {"name": "b", "sources": ["alertmanager"], "bearer_env": "X"},
                ]
            },
            "webhook.callers[1]: has the secret of 'a'",
        ),
        (
            "webhook",
            {
                "callers": [
                    {"name": "a", "sources": ["alertmanager"], "basic": {"user": "a", "password_env": "X"}},
                    {"name": "b", "sources": ["alertmanager"], "basic": {"user": "b", "password_env": "X"}},
                ]
            },
            "webhook.callers[1]: has the secret of 'a'",
        ),
        ("webhook", {"patience": "1h"}, "out of bounds"),
        ("webhook", {"patience": "1s"}, "is out of bounds (from 2s to 25s)"),
        ("safety", {"freezes": [{"from": "x", "to": "2027-01-01", "reason": "r"}]}, "is not a date and time"),
        ("safety", {"freezes": [{"from": "2027-01-01", "to": "2027-01-02", "reason": "r"}]}, "names no time zone"),
        (
            "safety",
            {"freezes": [{"from": "2027-01-02T00:00:00Z", "to": "2027-01-01T00:00:00Z", "reason": "r"}]},
            "before it begins",
        ),
        (
            "safety",
            {"maintenance_windows": [{"start": "2", "end": "03:00", "time_zone": "Asia/Shanghai", "reason": "r"}]},
            "HH:MM",
        ),
        (
            "safety",
            {"maintenance_windows": [{"start": "03:00", "end": "03:00", "time_zone": "Asia/Shanghai", "reason": "r"}]},
            "when it begins",
        ),
        (
            "safety",
            {"maintenance_windows": [{"start": "02:00", "end": "03:00", "time_zone": "Mars/Olympus", "reason": "r"}]},
            "IANA",
        ),
        (
            "safety",
            {
                "freezes": [
                    {"from": "2027-01-01T00:00:00Z", "to": "2028-01-01T00:00:00Z", "reason": "r", "clusters": ["emr-x"]}
                ]
            },
            "not listed",
        ),
        (
            "safety",
            {
                "freezes": [
                    {"from": "2027-01-01T00:00Z", "to": "2028-01-01T00:00Z", "reason": "r", "time_zone": "Mars/Olympus"}
                ]
            },
            "freezes[0].time_zone: 'Mars/Olympus' is not a time zone",
        ),
        ("safety", {"keep_records": "1h"}, "out of bounds"),
        ("safety", {"keep_records": "1d", "quarantine": {"within": "7d"}}, "shorter than safety.quarantine.within"),
        ("limits", {"cooldown": "40d"}, "shorter than the cooldown of rule restart"),
        ("limits", {"max_wait": "40d"}, "shorter than the max_wait of rule restart"),
        ("alarms", {"event_bus": {"id": "bus", "region": "ap-guangzhou"}}, "is not an event bus"),
        ("alarms", {"chat": [{"url_env": "slack://hunter2"}]}, "name the variable here: STEWARD_CHAT_URL"),
        ("rules/0/limits", {"cooldown": -5}, "-5 is out of bounds (from 0s to 3660d)"),
        ("rules/0/limits", {"wait": "5m"}, "did you mean max_wait?"),
        ("rules/0/limits", {"maxwait": "5m"}, "did you mean max_wait?"),
        ("webhook", {"patience": 0}, "0 is out of bounds (from 2s to 25s)"),
        (
            "safety",
            {
                "maintenance_windows": [
                    {
                        "days": ["Saturday"],
                        "start": "02:00",
                        "end": "03:00",
                        "time_zone": "Asia/Shanghai",
                        "reason": "r",
                    }
                ]
            },
            "did you mean Sat?",
        ),
        ("rules/0/when", {"source": ["timer"], "component": ["DataNode"]}, "a timer has no component"),
        ("rules/0/when", {"source": ["timer"]}, "rules[0].do: {ip} is not something that a timer has"),
    ],
)
def test_refusals_name_the_key_and_the_fix(path: str, value: Any, expected: str) -> None:
    """Each error of a file is reported with what to do about it; a secret written there is never repeated."""
    errors = problems(changed(path, value))
    assert expected in errors
    assert "hunter2" not in errors


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("rules/0/do/strategy/rolling", "yes", "strategy.rolling: must be true or false"),
        ("rules/0/do/strategy/rolling", "true", "strategy.rolling: must be true or false (without quotes)"),
        ("rules/0/do/strategy/rolling", 1, "strategy.rolling: must be true or false"),
        ("rules/0/do/strategy/batch_size", "3", "batch_size: must be a whole number (without quotes)"),
        ("rules/0/do/strategy/batch_size", True, "batch_size: must be a whole number"),
        ("rules/0/do/strategy/batch_size", 0, "batch_size: must be at least 1"),
        ("rules/0/do/strategy/wait_seconds", 301, "wait_seconds: 301 is out of bounds (from 0s to 5m)"),
        ("rules/0/do/strategy/on_failure", "Blok", "must be one of block, skip (did you mean block?)"),
        ("rules/0/do/strategy/on_failure", "halt", "must be one of block, skip"),
        ("rules/1/do/stop_params", {"policy": "save"}, "policy: must be one of safe, default (did you mean safe?)"),
        ("rules/0/do/cluster", 7, "do.cluster: must be a text (quote it)"),
        ("rules/0/do/scope", "all", "do.scope: must be a mapping"),
        ("rules/0/do/scope", {"HDFS": "al"}, "do.scope.HDFS: must be `all`, or a mapping"),
        ("rules/0/do/scope", {"HDFS": None}, "do.scope.HDFS: must be `all`, or a mapping"),
        ("rules/0/do/scope", {"HDFS": ["DataNode"]}, "do.scope.HDFS: must be `all`, or a mapping"),
        ("rules/0/do/scope", {"HDFS": {"DataNode": "172.16.0.5"}}, "HDFS.DataNode: must be `all`, or a list"),
        ("rules/0/do/scope", {"HDFS": {"DataNode": [7]}}, "HDFS.DataNode[0]: must be a text"),
        (
            "rules/0/limits",
            {"cooldown": True},
            "limits.cooldown: must be a duration (90s, 15m, 2h, 7d, or a number of seconds)",
        ),
        ("rules/0/limits", {"max_share": [1]}, "limits.max_share: must be a share (a percentage such as 25%"),
        ("rules/0/limits", {"max_nodes": "2"}, "limits.max_nodes: must be a whole number (without quotes)"),
        ("rules", {"a": 1}, "rules: must be a list"),
        ("rules/0/name", "x" * 101, "rules[0].name: is longer than 100 characters"),
        ("webhook/callers", "hunter2-secret", "webhook.callers: must be a list"),
        (
            "safety",
            {"maintenance_windows": [{**WINDOW, "days": ["Monday"]}]},
            "days[0]: must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun (did you mean Mon?)",
        ),
    ],
)
def test_what_the_schema_refuses_the_check_refuses(path: str, value: Any, expected: str) -> None:
    """The check is as strict as the JSON Schema, with one message in its own words."""
    raw = changed(path, value, [*RAW["rules"], STOP])
    lines = problems(raw).splitlines()
    assert len(lines) == 1, lines
    assert expected in lines[0]
    assert not re.search(r"Input|pydantic|literal|dict\[|hunter2", lines[0])
    assert not SCHEMA.is_valid(raw)


@pytest.mark.parametrize("path", ["limits", "rules/0/limits"])
def test_an_error_is_reported_once(path: str) -> None:
    """Limits are read for alerts and for commands, and an error in them is reported once."""
    errors = problems(changed(path, {"cooldown": "soon", "max_share": 25}))
    assert len(errors.splitlines()) == 2, errors


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("webook", {}, "webook: unknown key (did you mean webhook?)"),
        (
            "rules/0/do/cluster",
            {"cluster": None},
            'rules[0].do.cluster: must be a text (quote a template: "{cluster}")',
        ),
        ("rules/0/name", 7, "rules[0].name: must be a text (quote it)"),
        ("rules/0/name", "", "rules[0].name: is empty"),
        (
            "rules/0/do/strategy",
            {"on_failure": "SKIP"},
            "rules[0].do.strategy.on_failure: must be one of block, skip (did you mean skip?)",
        ),
        ("rules/0/do/scope", {"HDFS": "All"}, "rules[0].do.scope.HDFS: must be `all`, or a mapping (key: value)"),
        (
            "rules/0/do/scope",
            {"HDFS": {"DataNode": "172.16.0.5"}},
            "rules[0].do.scope.HDFS.DataNode: must be `all`, or a list (in brackets: [one, two])",
        ),
        ("rules/0/limits", {"max_nodes": 0}, "rules[0].limits.max_nodes: must be at least 1"),
        ("rules/0/limits", {"max_nodes": "one"}, "rules[0].limits.max_nodes: must be a whole number"),
        (
            "limits",
            {"cooldown": "soon"},
            "limits.cooldown: 'soon' is not a duration (90s, 15m, 2h, 7d, or a number of seconds)",
        ),
        ("alarms", {"chat": "hunter2"}, "alarms.chat: must be a list (begin each chat with `- url_env:`)"),
        ("rules", {"restart": {"when": {}}}, "rules: must be a list (begin each rule with `- name:`)"),
        ("safety", {"freezes": {"from": "x"}}, "safety.freezes: must be a list (begin each freeze with `- from:`)"),
        ("safety", {"quorum_roles": "X"}, "safety.quorum_roles: must be a list (in brackets: [one, two])"),
        ("rules/0/do/limits", {"max_nodes": 2}, "rules[0].do.limits: unknown key (it belongs beside `do`)"),
        ("rules/0/even_if_healthy", True, "rules[0].even_if_healthy: unknown key (it belongs under `do`)"),
        ("freezes", [], "freezes: unknown key (it belongs under `safety`)"),
        ("limits", {"max_share": 25}, "limits.max_share: 25 is not a share (did you mean 25%?)"),
        ("limits", {"max_share": "25"}, "limits.max_share: '25' is not a share (did you mean 25%?)"),
        (
            "limits",
            {"max_share": "250%"},
            "limits.max_share: '250%' is not a share (a percentage such as 25%, or a number up to 1)",
        ),
        (
            "rules/0/do/cluster",
            "{cluster",
            "rules[0].do.cluster: has an opening brace at 0 without its pair (close it: {cluster})",
        ),
        (
            "safety",
            {"freezes": [{"from": "2027-01-01T00:00:00Z", "to": "2028-01-01T00:00:00Z"}]},
            "safety.freezes[0].reason: is missing",
        ),
    ],
)
def test_a_type_error_is_reported_once_and_in_the_words_of_the_file(path: str, value: Any, expected: str) -> None:
    """It is not in the validator's words, and there is not one for each form that may be meant."""
    assert problems(changed(path, value)) == expected


def test_an_operation_that_its_cluster_does_not_allow_is_refused_when_the_file_is_read() -> None:
    """The error does not wait until an alert comes in at 3 a.m."""
    raw = changed("rules/0/do/cluster", "emr-4zvc5mul")
    raw["clusters"]["emr-4zvc5mul"]["allow"] = ["StopService"]
    assert "not in `allow`" in problems(raw)
    raw = copy.deepcopy(RAW)
    raw["rules"].append(copy.deepcopy(raw["rules"][0]))
    raw["rules"][1]["do"]["even_if_healthy"] = True
    raw["rules"][1]["do"]["operation"] = "StopService"
    errors = problems(raw)
    assert "appears twice" in errors
    assert "only RestartService" in errors


def test_errors_of_every_kind_are_reported_at_once_by_line(tmp_path: Path) -> None:
    """One run of `steward check` reports errors of keys, types and content. A secret is not repeated."""
    path = tmp_path / "steward.yml"
    path.write_text(
        """
clusters:
  emr-4zvc5mul:
    region: Guangzhou
    allow: [RestartService, RestratService]
  emr-8kd2m1qp: {region: ap-guangzhou, alow: [StopService]}
  analytics: all of it
rules:
  - name: restart
    when: {source: [alertmanger], statsu: [firing], status: {firing: true}}
    do:
      operation: Reboot
      cluster: emr-8kd2m1qp
      scope: {"{service}": {"{componnt}": ["172.16.0", 7]}, HDFS: al, Data/Node: all}
  - name: 7
    when: {source: timer}
    do: {operation: RestartService, strategi: {}, cluster: emr-4zvc5mul, scope: {HBASE: all}}
    limits: {cooldown: 40d, max_nodes: two, max_share: half}
  - nothing
  - name: restart
    do: {operation: StopService, cluster: analytics, scope: {HBASE: all}}
webhook:
  callers:
    - {name: a, sources: [alertmanager], bearer_env: hunter2-secret}
    - {name: b, sources: [alertmanager], basic: {user: u:hunter2, password: hunter2}}
    - {name: c, sources: [timer], bearer_evn: HUNTER2}
    - {name: a, sources: [alertmanager], basic: hunter2}
  patience: 1s
safety:
  quarantine: {restarts: some, within: soon}
  freezes:
    - {from: yesterday, to: 2027-01-01T00:00:00}
    - reason: none
  maintenance_windows:
    - {days: [Mon, Someday], start: 7, end: "25:00", time_zone: Mars/Olympus, reason: r, clusters: [emr-4zvc5mux, 7]}
  keep_records: 30d
alarms: {chat: [{url_env: slack://hunter2}, hunter2], event_bus: {id: bus}}
""",
        encoding="utf-8",
    )
    with pytest.raises(InvalidConfiguration) as raised:
        load_yaml(str(path))
    reported = [
        f"{problem.where.rpartition(':')[2]} {problem.path}: {problem.problem}" for problem in raised.value.problems
    ]
    operations = "StartService, StopService, RestartService, StartMonitor, StopMonitor"
    assert reported == [
        "4 clusters.emr-4zvc5mul.region: is not a region",
        f"5 clusters.emr-4zvc5mul.allow[1]: must be one of {operations}",
        "6 clusters.emr-8kd2m1qp.alow: unknown key",
        "7 clusters.analytics: is not a cluster id",
        "7 clusters.analytics: must be a mapping",
        "10 rules[0].when.statsu: is not a field of an Event",
        "10 rules[0].when.status: is one value in an Event, not an object",
        "10 rules[0].when.source[0]: no event has this source",
        f"12 rules[0].do.operation: must be one of {operations}",
        "14 rules[0].do.scope.{service}: componnt is not a field of an Event",
        "14 rules[0].do.scope.{service}.{componnt}[0]: '172.16.0' is not an address",
        "14 rules[0].do.scope.{service}.{componnt}[1]: must be a text",
        "14 rules[0].do.scope.HDFS: must be `all`, or a mapping",
        "14 rules[0].do.scope: 'Data/Node' is not a service name",
        "15 rules[1].name: must be a text",
        "16 rules[1].when.source: must be a list of values",
        "17 rules[1].do.strategi: unknown key",
        "18 rules[1].limits.max_nodes: must be a whole number",
        "18 rules[1].limits.max_share: 'half' is not a share",
        "19 rules[2]: must be a mapping",
        "20 rules[3].when: is missing",
        "20 rules[3].name: 'restart' appears twice",
        "24 webhook.callers[0].bearer_env: is not the name of an environment variable",
        "25 webhook.callers[1].basic.password: unknown key",
        "25 webhook.callers[1].basic.user: holds a colon",
        "25 webhook.callers[1].basic.password: is not the name of an environment variable",
        "26 webhook.callers[2].bearer_evn: unknown key",
        "26 webhook.callers[2].sources[0]: must be one of request, tcop, grafana, alertmanager, eventbridge",
        "27 webhook.callers[3].basic: must be a mapping",
        "27 webhook.callers[3].name: 'a' appears twice",
        "28 webhook.patience: '1s' is out of bounds",
        "30 safety.quarantine.restarts: must be a whole number",
        "30 safety.quarantine.within: 'soon' is not a duration",
        "32 safety.freezes[0].from: 'yesterday' is not a date and time",
        "32 safety.freezes[0].reason: is missing",
        "32 safety.freezes[0].to: '2027-01-01T00:00:00' names no time zone",
        "33 safety.freezes[1].from: is missing",
        "33 safety.freezes[1].to: is missing",
        "35 safety.maintenance_windows[0].days[1]: must be one of Mon, Tue, Wed, Thu, Fri, Sat, Sun",
        "35 safety.maintenance_windows[0].start: must be a text",
        "35 safety.maintenance_windows[0].end: '25:00' is not a time of day",
        "35 safety.maintenance_windows[0].time_zone: 'Mars/Olympus' is not a time zone",
        "35 safety.maintenance_windows[0].clusters[1]: must be a text",
        "35 safety.maintenance_windows[0].clusters[0]: emr-4zvc5mux is not listed under clusters",
        "36 safety.keep_records: is shorter than the cooldown of rules[1], which would be forgotten",
        "37 alarms.chat[0].url_env: is not the name of an environment variable",
        "37 alarms.chat[1]: must be a mapping",
        "37 alarms.event_bus.id: 'bus' is not an event bus",
        "37 alarms.event_bus.region: is missing",
    ]
    assert "hunter2" not in str(raised.value).lower()


def test_what_a_misspelt_or_misplaced_key_holds_is_read(tmp_path: Path) -> None:
    """Its value is checked as if it were in the right place, and errors have the path as written."""
    path = tmp_path / "steward.yml"
    path.write_text(
        """
cluster:
  emr-4zvc5mul: {regoin: Guangzhou, allow: [StopService], allow: []}
rule:
  - name: restart
    when: {status: fireing}
    do:
      operation: RestartService
      cluster: emr-4zvc5mux
      limits: {cooldwn: soon, max_node: 0}
    scope: {HDFS: {DataNode: [host]}}
    strategy: {batch_size: 0}
""",
        encoding="utf-8",
    )
    with pytest.raises(InvalidConfiguration) as raised:
        load_yaml(str(path))
    assert [str(problem).removeprefix(f"{path}:") for problem in raised.value.problems] == [
        "2: cluster: unknown key (did you mean clusters?)",
        "3: cluster.emr-4zvc5mul.allow: appears twice (first in line 3)",
        "3: cluster.emr-4zvc5mul.regoin: unknown key (did you mean region?)",
        "3: cluster.emr-4zvc5mul.regoin: is not a region (such as ap-guangzhou)",
        "4: rule: unknown key (did you mean rules?)",
        '6: rule[0].when.status: must be a list of values (write ["fireing"])',
        "9: rule[0].do.cluster: emr-4zvc5mux is not listed under clusters (did you mean emr-4zvc5mul?)",
        "10: rule[0].do.limits: unknown key (it belongs beside `do`)",
        "10: rule[0].do.limits.cooldwn: unknown key (did you mean cooldown?)",
        "10: rule[0].do.limits.max_node: unknown key (did you mean max_nodes?)",
        "10: rule[0].do.limits.cooldwn: 'soon' is not a duration (90s, 15m, 2h, 7d, or a number of seconds)",
        "10: rule[0].do.limits.max_node: must be at least 1",
        "11: rule[0].scope: unknown key (it belongs under `do`)",
        "11: rule[0].scope.HDFS.DataNode[0]: 'host' is not an address (such as 172.16.0.5, or a template such as {ip})",
        "12: rule[0].strategy: unknown key (it belongs under `do`)",
        "12: rule[0].strategy.batch_size: must be at least 1",
    ]


@pytest.mark.parametrize(
    ("path", "value", "errors"),
    [
        ("clusters", None, ["clusters: is missing"]),
        ("clusters", [], ["clusters: must be a mapping"]),
        ("clusters/emr-4zvc5mul", "x", ["clusters.emr-4zvc5mul: must be a mapping"]),
        ("clusters/emr-4zvc5mul/allow", ["x"], ["allow[0]: must be one of"]),
        ("clusters/emr-4zvc5mul/allow", [], ["allow: is empty"]),
        ("rules/1/do/operation", "StopServices", ["did you mean StopService?"]),
        ("rules/1/do", None, ["rules[1].do: is missing"]),
        ("rules/1/when", {"source": 7}, ["rules[1].when.source: must be a list of values"]),
        ("rules/1/when", {"component": ["X"], "source": "timer"}, ["rules[1].when.source: must be a list of values"]),
        ("rules/1/do/scope", {"HBASE": 7}, ["scope.HBASE: must be `all`, or a mapping"]),
        ("rules/1/do/scope", {"HBASE": {"HMaster": [7]}}, ["HMaster[0]: must be a text"]),
        ("rules/0/do/strategy", "rolling", ["do.strategy: must be a mapping"]),
        ("safety", "x", ["safety: must be a mapping"]),
        ("safety/keep_records", [1], ["keep_records: must be a duration"]),
        ("safety/keep_records", "a month", ["keep_records: 'a month' is not a duration"]),
        ("safety", {"keep_record": "60d"}, ["did you mean keep_records?"]),
        ("safety/maintenance_windows", [{**WINDOW, "start": 2, "end": 3}], ["start: must be", "end: must be"]),
        ("safety/maintenance_windows", [{**WINDOW, "start": "2", "end": "3"}], ["start: '2' is no", "end: '3' is no"]),
        (
            "webhook/callers",
            [
                {"name": 1, "sources": ["alertmanager"], "bearer_env": "A"},
                {"name": 1, "sources": ["alertmanager"], "bearer_env": "B"},
            ],
            ["[0].name", "[1].name"],
        ),
        (
            "webhook/callers",
            [
                {"name": "a", "sources": ["alertmanager"], "bearer_env": 1},
                {"name": "b", "sources": ["alertmanager"], "bearer_env": 1},
            ],
            ["[0].bea", "[1].bea"],
        ),
    ],
)
def test_nothing_is_reported_that_follows_from_another_error(path: str, value: Any, errors: list[str]) -> None:
    """An unreadable cluster counts as listed, and a misspelt strategy does not count as missing."""
    rules = [{**RAW["rules"][0], "limits": {"cooldown": "40d"}}, STOP]
    freeze = {"from": "2027-01-01T00:00:00Z", "to": "2028-01-01T00:00:00Z", "reason": "r", "clusters": ["emr-4zvc5mul"]}
    reported = problems(changed(path, value, rules, {"keep_records": "50d", "freezes": [freeze]})).splitlines()
    assert len(reported) == len(errors), reported
    assert all(error in line for error, line in zip(errors, reported, strict=True)), reported


def test_all_errors_of_a_large_file_are_reported() -> None:
    """A configuration has no limit of ten errors, as a payload has."""
    rules = [{**STOP, "name": f"stop {number}", "limts": {}} for number in range(300)]
    assert len(problems(changed("limits", {}, rules)).splitlines()) == 300


def test_a_rule_for_any_cluster_is_refused_where_none_allows_its_operation() -> None:
    """Such a rule could never act, since a template gives only listed clusters."""
    raw = changed("clusters/emr-4zvc5mul/allow", ["StopService"])
    error = "rules[0].do.operation: RestartService is not in `allow` of"
    assert problems(raw) == f"{error} emr-4zvc5mul (add it to clusters.emr-4zvc5mul.allow)"
    raw["clusters"]["emr-8kd2m1qp"] = {"region": "ap-guangzhou", "allow": ["StartService"]}
    assert problems(raw) == f"{error} any cluster (add it to the `allow` of those that are meant)"
    raw["clusters"]["emr-8kd2m1qp"]["allow"] = ["RestartService"]
    assert config_of(raw).rules
    assert config_of({**raw, "clusters": {}}).rules


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(raw=json_values)
def test_anything_is_a_configuration_or_refused(raw: Any) -> None:
    """InvalidConfiguration is the only error that is raised."""
    try:
        assert isinstance(config_of(raw), Config)
    except InvalidConfiguration as error:
        assert error.problems


@given(
    path=st.sampled_from(
        [
            "clusters",
            "rules",
            "rules/0",
            "rules/0/do",
            "rules/0/when",
            "rules/0/do/scope",
            "webhook",
            "safety",
            "alarms",
            "limits",
        ]
    ),
    value=json_values.filter(lambda value: value is not None),
)
def test_a_valid_file_spoiled_anywhere_is_refused_in_words(path: str, value: Any) -> None:
    """A mutated file is accepted or refused, and never crashes the check."""
    try:
        config_of(changed(path, value))
    except InvalidConfiguration as error:
        assert str(error)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("2h", 7200),
        ("7d", 604800),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (5, 5),
        ("5", 5),
        (0.5, 0.5),
        ("", None),
        ("m", None),
        ("5x", None),
        (True, None),
        (float("nan"), None),
        ([], None),
        ("1h x", None),
    ],
)
def test_durations(written: Any, seconds: float | None) -> None:
    """A number of seconds, or numbers with units."""
    assert duration(written) == seconds


# -- the file itself


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is empty"),
        (b"clusters: {a: 1, a: 2}", "steward.yml:1: clusters.a: appears twice (first in line 1)"),
        (b"clusters:\n\t- x", "steward.yml:2: is not valid YAML: a tab"),
        (b"clusters: {}\nx: \x01", "steward.yml:2: is not valid YAML: unacceptable character"),
        (b"a: 1\n---\nb: 2", "2 documents"),
        (b"1: x", ""),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: &a\n  <<: *a", ""),
        (b"a: !!python/object:os.system x", "tag"),
        (b"x: " + b"[" * 80 + b"]" * 80, "nested too deeply"),
        (b"#" * 1_000_002, "1 MB"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported(tmp_path: Path, content: bytes, expected: str) -> None:
    """The error has the file's name, and the line if there is one."""
    path = tmp_path / "steward.yml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        load_yaml(str(path))
    assert str(path) in str(raised.value)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a:\n  b: 1\n c: 2", "3: is indented by 1 space, and line 2 by 2"),
        ("a:\n  b: 1\n    c: 2", "3: is indented by 4 spaces, and line 2 by 2"),
        ("a:\n    b: {}\n    # c\n\n      c: 2", "5: is indented by 6 spaces, and line 2 by 4"),
        ("a:\n  - name: x\n    do:\n      e: f\n   limits: {}", "5: is indented by 3 spaces, and line 3 by 4"),
        ("a:\n  - name: x\n - name: y", "3: is indented by 1 space, and line 2 by 2"),
        ("a:\n  - name: x\n    - name: y", "3: is indented by 4 spaces, and line 2 by 2"),
        ("a:\r\n  b: 1\r\n\tc: 2", "3: a tab stands where only spaces may (indent with spaces)"),
        (
            "a: [1, 2\nb: 3",
            "1: `[` is opened here and not closed, or a comma is missing before line 2 (close it with ])",
        ),
        ("a: {b: 1,\n  c: [d}\n", "2: `[` is opened here and closed by `}` (close it with ])"),
        ("a: {b: 1, c: {", "1: `{` is opened here and not closed (close it with })"),
        ("a: [1]]", "1: `]` closes nothing"),
        ("a: {b: hunter2 c: d}", "1: between `{` and `}` a comma is missing, or a value that holds a colon"),
        ('b: 1\na: "hunter2\nb: 2', "2: the quote that is opened here is not closed"),
        ("a: 'hunter2\nb: 2\nc: 'x'", "1: the quote that is opened here is not closed"),
        ("a: 'it's hunter2'", "1: something follows a closing quote (quote the whole value"),
        ('a: "\\d"', "1: a backslash within double quotes begins no escape that there is"),
        ("a: {ip}:9100", '1: something follows a closing bracket (quote a template: "{ip}:9100")'),
        ("a: [*Down]", '1: a value that begins with * must be quoted (such as "*…")'),
        ("a: *", "1: a value that begins with * must be quoted"),
        ("a: & b", "1: a value that begins with & must be quoted"),
        ("a: @hunter2", '1: a value that begins with @ must be quoted (such as "@…")'),
        ("a: `hunter2`", "1: a value that begins with ` must be quoted"),
        ("a: 1\nb: %hunter2", "2: a value that begins with % must be quoted"),
        ("a: >= 3", "1: a value that begins with > must be quoted"),
        ("- a: hunter2: b", '1: an unquoted value holds a colon and a space, as if it were a key (quote it: "a: b")'),
        ("a: 1\nb\nc: 2", "2: neither `key: value` nor an item of a list (such as `name: restart`)"),
        ("b: 2\na:1", "2: neither `key: value` nor an item of a list (a space follows the colon)"),
        ("a:1\nb: 2", "1: neither `key: value` nor an item of a list (a space follows the colon)"),
        ("a:\n  -name: x\n   when: {}", "2: no space follows the dash of a list (such as `- name: restart`)"),
        ("a: ? b", "1: mapping keys are not allowed here"),
        ("a: !x y", "1: the tag !x is not known here"),
    ],
)
def test_a_mistake_in_the_yaml_is_explained_in_plain_words(tmp_path: Path, content: str, expected: str) -> None:
    """The error has the line, the problem and the fix; rare mistakes are in the parser's words. No value is repeated."""
    path = tmp_path / "steward.yml"
    for ending in ("", "\n"):
        path.write_text(content + ending, encoding="utf-8", newline="")
        with pytest.raises(ConfigurationError) as raised:
            load_yaml(str(path))
        errors = str(raised.value).replace("is not valid YAML: ", "").removeprefix(f"{path}:").replace(": : ", ": ")
        assert errors.startswith(expected)
        assert "hunter2" not in errors


@given(st.text(st.sampled_from("ab:-'\"[]{}*&@%#|>? \n\t\\"), max_size=40))
def test_any_text_is_yaml_or_explained(text: str) -> None:
    """Any text is valid YAML or has an error with one of its lines."""
    try:
        list(YAML(typ="safe", pure=True).compose_all(text))
    except YAMLError as error:
        explanation = explained(text, error)
        assert explanation.problem
        assert explanation.line is None or 1 <= explanation.line <= text.count("\n") + 1


def test_missing_files_and_broken_json_are_reported(tmp_path: Path) -> None:
    """The errors explain how to name another file."""
    with pytest.raises(ConfigurationError, match="STEWARD_CONFIG"):
        load_yaml(str(tmp_path / "none.yml"))
    with pytest.raises(ConfigurationError, match=rf"^{tmp_path}: is a folder \(name a file\)$"):
        load_yaml(str(tmp_path))
    packaged = tmp_path / "steward.json"
    packaged.write_text('{"clusters": {}}', encoding="utf-8")  # JSON, and written by a person
    assert load_yaml(str(packaged)).rules == ()
    packaged.write_text('{"clusters": ', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"steward\.json"):
        load_yaml(str(packaged))


def test_scalars_are_read_as_yaml_1_2(tmp_path: Path) -> None:
    """A time is a text, no is a text, and numbers are numbers."""
    path = tmp_path / "x.yml"
    path.write_text("a: 22:00\nb: no\nc: 0x10\nd: 1.5\ne: ~\nf: true\ng: 2027-01-01\nh: 1_000\n", encoding="utf-8")
    raw, lines = read_raw(str(path))
    assert (raw["a"], raw["b"], raw["c"], raw["d"], raw["e"], raw["f"], raw["g"]) == (
        "22:00",
        "no",
        16,
        1.5,
        None,
        True,
        "2027-01-01",
    )
    assert lines["d"] == 4


def test_problems_have_their_line(tmp_path: Path) -> None:
    """The form is file:line, which editors can open."""
    path = tmp_path / "steward.yml"
    path.write_text("clusters:\n  emr-4zvc5mul:\n    region: ap-guangzhou\n    alow: [StopService]\n", encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as raised:
        load_yaml(str(path))
    assert f"{path}:4: clusters.emr-4zvc5mul.alow" in str(raised.value)


@pytest.mark.parametrize(
    ("begin", "end", "hours"),
    [
        ("2027-03-27T12:00:00", "2027-03-28T12:00:00", 23),  # an hour of the night is left out
        ("2027-10-30T12:00:00", "2027-10-31T12:00:00", 25),  # and comes twice
        ("2027-10-31T02:30:00", "2027-10-31T04:00:00", 2.5),  # from the first of the two
        ("2027-10-31T01:00:00", "2027-10-31T02:30:00", 2.5),  # to the second
        ("2027-03-28T01:00:00", "2027-03-28T02:30:00", 1.5),  # which is never: as long as it may be meant
    ],
)
def test_a_freeze_over_a_change_of_clocks_is_as_long_as_it_may_be_meant(begin: str, end: str, hours: float) -> None:
    """When an hour exists twice or never, the freeze is rather too long than too short."""
    freezes = [{"from": begin, "to": end, "time_zone": "Europe/Berlin", "reason": "r"}]
    (freeze,) = config_of(changed("safety", {"freezes": freezes})).safety.freezes
    assert freeze.end - freeze.start == hours * 3600


# -- what it is compiled to


def test_what_is_compiled_needs_no_further_reading() -> None:
    """Durations are seconds, shares fractions, times minutes, dates seconds since the epoch; defaults are filled in."""
    raw = changed("limits", {"cooldown": "1h", "max_share": "50%"})
    raw["safety"] = {
        "freezes": [{"from": "2027-02-05T18:00:00", "to": "2027-02-06T09:00:00Z", "time_zone": "Asia/Shanghai", "reason": "x"}],
        "maintenance_windows": [{**WINDOW, "days": ["Sun", "Mon"]}],
    }  # fmt: skip
    document = compiled_content(raw)
    (rule,) = document["rules"]
    assert document["format"] == FORMAT
    assert document["clusters"]["emr-4zvc5mul"]["name"] == "emr-4zvc5mul"
    assert rule["limits"] == {"cooldown": 3600.0, "max_nodes": 1, "max_share": 0.5, "max_wait": 3600.0}
    assert rule["command_limits"] == {"cooldown": 3600.0, "max_nodes": 99_999, "max_share": 0.5, "max_wait": 3600.0}
    assert rule["do"]["strategy"] == {
        "rolling": True, "batch_size": 1, "wait_seconds": 30, "skip_failed": False, "args": {},
    }  # fmt: skip
    assert document["webhook"] == {"callers": [], "patience": 4.0}
    (freeze,) = document["safety"]["freezes"]
    assert (freeze["start"], freeze["end"]) == (1801821600.0, 1801904400.0)
    (window,) = document["safety"]["maintenance_windows"]
    assert (window["days"], window["start"], window["end"]) == ([0, 6], 120, 180)
    assert json.loads(json.dumps(document)) == document


def test_what_the_function_defaults_to_is_what_the_file_defaults_to() -> None:
    """A section that the file leaves out has the function's own default."""
    config = config_of({"clusters": {}})
    assert (config.webhook, config.safety, config.alarms) == (Webhook(), Safety(), AlarmSettings())
    (rule,) = config_of(RAW).rules
    assert (rule.limits, rule.command_limits) == (Limits(), COMMAND_LIMITS)
    assert rule.action.strategy == StrategyConfig()


@pytest.mark.parametrize("written", ["45s", 45, "45", "0.75m"])
def test_every_duration_takes_a_unit(written: object) -> None:
    """wait_seconds takes units too."""
    (rule,) = config_of(changed("rules/0/do/strategy/wait_seconds", written)).rules
    assert rule.action.strategy is not None
    assert rule.action.strategy.to_wire()["TimeWait"] == 45
    stop = {**STOP, "do": {**STOP["do"], "stop_params": {"grace_seconds": written}}}
    assert config_of(changed("rules/0", stop)).rules[0].action.stop_params == StopParams(grace_down_time=45)


def test_a_wait_is_a_whole_number_of_seconds() -> None:
    """The API takes no fraction."""
    errors = problems(changed("rules/0/do/strategy/wait_seconds", "1.5s"))
    assert errors == "rules[0].do.strategy.wait_seconds: '1.5s' is not a whole number of seconds (such as 2s)"


# -- what is looked for in the wrong place


@pytest.mark.parametrize("key", ["cron", "schedule"])
@pytest.mark.parametrize("place", ["rules/0", "rules/0/do", "rules/0/when"])
def test_a_schedule_belongs_into_serverless_yml(key: str, place: str) -> None:
    """A rule matches the timer's event; the trigger in serverless.yml has the schedule."""
    errors = problems(changed(f"{place}/{key}", "0 0 2 * * * *"))
    assert f"{key}: " in errors
    assert "serverless.yml" in errors
    assert "when: {source: [timer], name: [nightly-stop]}" in errors


def test_a_label_at_the_top_of_a_pattern_is_shown_its_place() -> None:
    """The hint shows the label below `labels`."""
    errors = problems(changed("rules/0/when/team", ["x"]))
    assert errors == "rules[0].when.team: is not a field of an Event (write labels: {team: …})"

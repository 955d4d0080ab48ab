"""Warnings: what is valid in a steward.yml and probably not meant."""

from __future__ import annotations

from typing import Any

import pytest

from steward.config.compile import config_of
from steward.config.lint import warnings

CLUSTERS = {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["StopService"]}}
CALLERS = {"callers": [{"name": "alertmanager", "sources": ["alertmanager"], "bearer_env": "A"}]}


def a_rule(when: dict[str, Any], scope: Any) -> dict[str, Any]:
    do = {"operation": "StopService", "cluster": "emr-4zvc5mul", "scope": scope}
    return {"name": "a", "when": when, "do": do}


def warned(raw: dict[str, Any]) -> list[str]:
    """The warnings, without their lines."""
    return [str(one) for one in warnings(raw, config_of(raw), lambda path: "")]


@pytest.mark.parametrize(
    ("scope", "warning"),
    [
        ({"HBSE": "all"}, "HBSE: EMR has no service HBSE that is known here (did you mean HBASE?)"),
        ({"TXMR_HDFS": "all"}, "TXMR_HDFS: EMR has no service TXMR_HDFS that is known here (did you mean HDFS?)"),
        ({"DataNode": "all"}, "DataNode: EMR has no service DataNode that is known here (DataNode is a component of HDFS)"),
        ({"HDFS": {"DataNod": "all"}}, "HDFS.DataNod: HDFS has no component DataNod that is known here (did you mean DataNode?)"),
        ({"SPARK": {"JobHistoryServer": "all"}}, ("SPARK.JobHistoryServer: SPARK has no component JobHistoryServer that is known here "
         "(did you mean SparkJobHistoryServer? JobHistoryServer is a component of YARN)")),
        ({"hdfs": {"Nothing": "all"}}, "hdfs.Nothing: HDFS has no component Nothing that is known here"),
    ],
)  # fmt: skip
def test_a_scope_with_a_name_that_emr_does_not_have(scope: Any, warning: str) -> None:
    """The nearest right name is suggested. It is only a warning, since EMR may have new names."""
    assert warned({"clusters": CLUSTERS, "rules": [a_rule({"source": ["timer"]}, scope)]}) == [
        f"rules[0].do.scope.{warning}"
    ]


@pytest.mark.parametrize(
    ("when", "warning"),
    [
        ({"component": ["DataNode", "DataNod"]}, "component[1]: EMR has no component DataNod that is known here (did you mean DataNode?)"),
        ({"component": ["datanode"]}, "component[0]: EMR has no component datanode that is known here (did you mean DataNode?)"),
        ({"component": ["zkfc"]}, "component[0]: EMR has no component zkfc that is known here (did you mean ZKFailoverController?)"),
        ({"$or": [{"service": ["HBSE"]}]}, "$or[0].service[0]: EMR has no service HBSE that is known here (did you mean HBASE?)"),
    ],
)  # fmt: skip
def test_a_pattern_for_a_name_that_no_event_has(when: dict[str, Any], warning: str) -> None:
    """Events have EMR's own names, whatever their senders write."""
    raw = {"clusters": CLUSTERS, "rules": [a_rule(when, {"HDFS": "all"})], "webhook": CALLERS}
    assert warned(raw) == [f"rules[0].when.{warning}"]


@pytest.mark.parametrize(
    "scope",
    [
        {"HDFS": {"DataNode": "all", "zkfc": "all"}, "ZOOKEEPER": {"Zookeeper": "all"}},
        {"{service}": {"{component}": ["{ip}"]}},
        {"SUPERSET": {"Superset": "all"}, "hive": {"hiveserver2": "all"}},
    ],
)
def test_names_that_are_known_or_filled_in_later_give_no_warning(scope: Any) -> None:
    """Templates, other spellings, and the components of a service of which none are known."""
    when = {"component": [{"prefix": "Data"}, None], "status": ["firing"]}
    assert warned({"clusters": CLUSTERS, "rules": [a_rule(when, scope)], "webhook": CALLERS}) == []


@pytest.mark.parametrize(
    ("when", "is_warned"),
    [
        ({"status": ["firing"]}, True),
        ({"source": ["tcop", "timer"]}, True),
        ({"source": [{"prefix": "t"}]}, True),
        ({"source": ["timer"]}, False),
        ({"source": ["eventbridge"]}, False),
    ],
)
def test_rules_for_alerts_without_a_caller(when: dict[str, Any], *, is_warned: bool) -> None:
    """All their alerts would be refused. Events that the platform delivers itself need no caller."""
    raw = {"clusters": CLUSTERS, "rules": [a_rule(when, {"HDFS": "all"})]}
    found = [one for one in warned(raw) if one.startswith("webhook.callers: is empty")]
    assert bool(found) is is_warned
    assert warned({**raw, "webhook": CALLERS}) == []


@pytest.mark.parametrize(
    ("limits", "quarantine", "warning"),
    [
        ({"cooldown": "8h"}, {}, ("8h is too long for rule a: 3 of its restarts are never counted together within 1d, so that no process "
         "gets into quarantine (shorten it, or set safety.quarantine.within above 1d)")),
        ({}, {"within": "45m"}, ("15m is too long for rule a: 3 of its restarts are never counted together within 45m, so that no process "
         "gets into quarantine (shorten it, or set safety.quarantine.within above 45m)")),
        ({"cooldown": "7h59m"}, {}, None),
        ({"cooldown": "12h"}, {"restarts": 1}, None),
    ],
)  # fmt: skip
def test_a_cooldown_with_which_no_process_gets_into_quarantine(
    limits: dict[str, Any], quarantine: dict[str, Any], warning: str | None
) -> None:
    """The first restart would be forgotten before the one that is too many."""
    raw: dict[str, Any] = {
        "clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["RestartService"]}},
        "rules": [{**a_rule({"status": ["firing"]}, {"HDFS": "all"}), "limits": limits}],
        "safety": {"quarantine": quarantine},
        "webhook": CALLERS,
    }
    raw["rules"][0]["do"] |= {"operation": "RestartService", "strategy": {"rolling": True}}
    assert warned(raw) == ([] if warning is None else [f"rules[0].limits.cooldown: {warning}"])


@pytest.mark.parametrize("source", [["timer"], ["timer", "request"]])
def test_no_quarantine_is_expected_of_commands(source: list[str]) -> None:
    """What a timer or a person asks for is not held back by a quarantine; nor does a stop lead to one."""
    raw: dict[str, Any] = {
        "clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["RestartService", "StopService"]}},
        "rules": [a_rule({"source": source}, {"HDFS": "all"}), a_rule({"status": ["firing"]}, {"HDFS": "all"})],
        "limits": {"cooldown": "1d"},
        "webhook": CALLERS,
    }
    raw["rules"][0] |= {"name": "b"}
    raw["rules"][0]["do"] |= {"operation": "RestartService", "strategy": {"rolling": True}}
    assert warned(raw) == []

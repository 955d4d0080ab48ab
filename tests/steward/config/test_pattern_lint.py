"""Literals that no Event can match. A rule with one would silently never fire."""

from __future__ import annotations

from typing import Any

import pytest

from handler.decide.patterns import compile_pattern
from steward.config.pattern_lint import unmatchable


@pytest.mark.parametrize(
    ("pattern", "path", "problem", "hint"),
    [
        ({"labels": {"port": [9100]}}, "when.labels.port[0]", "9100 never matches: every label is a text", '"9100"'),
        ({"labels": {"up": ["x", True]}}, "when.labels.up[1]", "true never matches", '"true"'),
        ({"severity": [1]}, "when.severity[0]", "1 never matches: severity is a text", '"1"'),
        ({"labels": {"occurred_at": [1]}}, "when.labels.occurred_at[0]", "every label is a text", '"1"'),
        ({"labels": {"x": [{"anything-but": 9100}]}}, "when.labels.x[0].anything-but[0]", "9100 never matches", ""),
        ({"labels": {"x": [{"anything-but": ["a", 2]}]}}, "when.labels.x[0].anything-but[1]", "2 never matches", ""),
        ({"$or": [{"name": ["a"]}, {"name": [2]}]}, "when.$or[1].name[0]", "name is a text", ""),
        ({"source": ["alertmanger"]}, "when.source[0]", "no event has this source", "did you mean alertmanager?"),
        ({"source": ["unknown"]}, "when.source[0]", "no event has this source", ""),
        ({"source": [{"anything-but": "cloudwatch"}]}, "when.source[0].anything-but[0]", "no event has this", "timer"),
        ({"status": ["fireing"]}, "when.status[0]", "no event has this status", "did you mean firing?"),
        ({"occurred_at": ["2026-01-01"]}, "when.occurred_at[0]", "is a text", "numeric"),
        (
            {"source": ["timer"], "component": ["DataNode"]},
            "when.component",
            "a timer has no component",
            "leave it out",
        ),
        ({"source": ["timer"], "ip": [{"anything-but": "a"}]}, "when.ip", "a timer has no ip", ""),
        ({"source": ["timer"], "labels": {"a": ["b"]}}, "when.labels.a", "a timer has no label a", "is trigger"),
        ({"source": ["timer"], "status": ["firing"]}, "when.status", "a timer's status is none", ""),
        ({"source": ["timer"], "$or": [{"name": ["a"]}, {"service": ["HDFS"]}]}, "when.$or[1].service", "service", ""),
    ],
)
def test_what_never_matches_is_named(pattern: dict[str, Any], path: str, problem: str, hint: str) -> None:
    """The error has the place, the problem and the fix."""
    compile_pattern(pattern)  # EventBridge would take it
    (error,) = unmatchable(pattern, "when")
    assert error.path == path
    assert problem in error.problem
    assert hint in error.hint


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["tcop", "alertmanager", "grafana", "eventbridge", "timer", "request"]},
        {"status": ["firing", "resolved", "none"]},
        {"labels": {"source": ["cloudwatch"], "status": ["up"], "value": [{"numeric": [">", 90]}, None]}},
        {"occurred_at": [1_700_000_000, {"numeric": [">", 0]}]},
        {"source": [{"prefix": "x"}], "labels": {"$or": [{"a": ["1"]}, {"b": [{"exists": False}]}]}},
        {"ip": [None, {"anything-but": {"prefix": "10."}}]},
        {"source": ["timer", "tcop"], "component": ["DataNode"]},
        {"source": ["timer"], "labels": {"trigger": ["hbase"], "a": [None]}},
        {"source": ["timer"], "component": [{"exists": False}], "ip": [None, "x"], "status": ["none"]},
        {"source": [{"anything-but": "tcop"}], "status": ["firing"]},
    ],
)
def test_what_can_match_is_left_alone(pattern: dict[str, Any]) -> None:
    """Operators, null and texts; a label may bear the name of a field, and hold any text."""
    compile_pattern(pattern)
    assert list(unmatchable(pattern, "when")) == []

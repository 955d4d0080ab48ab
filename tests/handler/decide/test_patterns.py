"""Event patterns: what matches, what is refused, and why something does not match."""

from __future__ import annotations

import ipaddress
import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handler.decide.patterns import Mismatch, PatternError, compile_pattern
from handler.errors import StewardError
from handler.model.event import FIELDS, Event

if TYPE_CHECKING:
    from collections.abc import Mapping

EVENT = Event(
    id="a-1",
    source="alertmanager",
    name="DataNodeDown",
    status="firing",
    severity="critical",
    cluster="emr-4zvc5mul",
    service="HDFS",
    component="DataNode",
    ip="172.16.0.5",
    labels={"severity": "critical", "value": "93.5", "path": "C:\\x*y", "empty": "", "app.kubernetes.io/name": "hdfs"},
    occurred_at=1_700_000_000.0,
).view()


def matches(item: object, value: object) -> bool:
    """Whether one item of a list matches one label's value."""
    return compile_pattern({"labels": {"x": [item]}}).matches({"labels": {"x": value}})


@pytest.mark.parametrize(
    ("item", "value", "expected"),
    [
        # literals
        ("a", "a", True),
        ("a", "A", False),
        ("", "", True),
        ("1", 1, False),
        (1, "1", False),
        (1, 1, True),
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (True, True, True),
        (True, 1, False),
        (True, "true", False),
        (False, False, True),
        (False, None, False),
        (2**70, 2**70, True),
        # no value
        (None, None, True),
        (None, [], True),
        (None, "", False),
        (None, "null", False),
        # lists in the event
        ("a", ["b", "a"], True),
        ("a", ["b", ["c", ["a"]]], True),
        ("a", ["b"], False),
        ("a", [], False),
        ("a", {"a": "a"}, False),
        # prefix, suffix
        ({"prefix": "crit"}, "critical", True),
        ({"prefix": "crit"}, "crit", True),
        ({"prefix": "crit"}, "Critical", False),
        ({"prefix": "crit"}, "a crit", False),
        ({"prefix": ""}, "", True),
        ({"prefix": "1"}, 10, False),
        ({"prefix": {"equals-ignore-case": "CRIT"}}, "critical", True),
        ({"prefix": {"equals-ignore-case": "CRIT"}}, "warning", False),
        ({"suffix": "Node"}, "DataNode", True),
        ({"suffix": "Node"}, "Datanode", False),
        ({"suffix": "Node"}, "NodeManager", False),
        ({"suffix": {"equals-ignore-case": "node"}}, "DataNODE", True),
        ({"suffix": {"equals-ignore-case": "node"}}, "NodeManager", False),
        # equals-ignore-case
        ({"equals-ignore-case": "hbase"}, "HBase", True),
        ({"equals-ignore-case": "STRASSE"}, "straße", True),
        ({"equals-ignore-case": "hbase"}, "hbase2", False),
        ({"equals-ignore-case": "true"}, True, False),
        # anything-but
        ({"anything-but": "a"}, "b", True),
        ({"anything-but": "a"}, "a", False),
        ({"anything-but": ["a", "b"]}, "b", False),
        ({"anything-but": ["a", "b"]}, "c", True),
        ({"anything-but": 1}, 1, False),
        ({"anything-but": 1}, "1", True),
        ({"anything-but": 1}, True, True),
        ({"anything-but": "a"}, None, False),
        ({"anything-but": "a"}, [], False),
        ({"anything-but": "a"}, {}, False),
        ({"anything-but": "a"}, ["a", "b"], True),
        ({"anything-but": {"prefix": "crit"}}, "critical", False),
        ({"anything-but": {"prefix": "crit"}}, "warning", True),
        ({"anything-but": {"prefix": ["crit", "warn"]}}, "warning", False),
        ({"anything-but": {"suffix": "Node"}}, "DataNode", False),
        ({"anything-but": {"suffix": ["Node", "Server"]}}, "NodeManager", True),
        ({"anything-but": {"equals-ignore-case": "OK"}}, "ok", False),
        ({"anything-but": {"equals-ignore-case": ["OK", "none"]}}, "None", False),
        ({"anything-but": {"equals-ignore-case": "OK"}}, "okay", True),
        ({"anything-but": {"wildcard": "a*z"}}, "a-z", False),
        ({"anything-but": {"wildcard": ["a*z", "b*"]}}, "c", True),
        ({"anything-but": {"prefix": "1"}}, 10, True),
        # exists
        ({"exists": True}, "", True),
        ({"exists": True}, False, True),
        ({"exists": True}, None, False),
        ({"exists": True}, [None], False),
        ({"exists": True}, {"y": 1}, False),
        ({"exists": False}, None, True),
        ({"exists": False}, {"y": 1}, True),
        ({"exists": False}, 0, False),
        # numeric
        ({"numeric": ["=", 5]}, 5, True),
        ({"numeric": ["=", 5]}, "5.0", True),
        ({"numeric": ["=", 5]}, 5.1, False),
        ({"numeric": ["<", 5]}, 4, True),
        ({"numeric": ["<", 5]}, 5, False),
        ({"numeric": ["<=", 5]}, 5, True),
        ({"numeric": ["<=", 5]}, 6, False),
        ({"numeric": [">", 5]}, "5e1", True),
        ({"numeric": [">", 5]}, 5, False),
        ({"numeric": [">=", 5]}, "5", True),
        ({"numeric": [">=", 5]}, "-5", False),
        ({"numeric": [">=", 3, "<", 10]}, "3", True),
        ({"numeric": [">=", 3, "<", 10]}, "10", False),
        ({"numeric": [">=", 3, "<", 10]}, 2, False),
        ({"numeric": ["<", 10, ">=", 3]}, 3, True),
        ({"numeric": [">=", 3, "<=", 3]}, 3, True),
        ({"numeric": [">", 0]}, True, False),
        ({"numeric": [">", 0]}, "93 %", False),
        ({"numeric": [">", 0]}, " 9", False),
        ({"numeric": [">", 0]}, "+9", False),
        ({"numeric": [">", 0]}, "09", False),
        ({"numeric": [">", 0]}, "9.", False),
        ({"numeric": [">", 0]}, "0x9", False),
        ({"numeric": [">", 0]}, "1_0", False),
        ({"numeric": [">", 0]}, "٣", False),
        ({"numeric": [">", 0]}, "inf", False),
        ({"numeric": [">", 0]}, "", False),
        pytest.param({"numeric": [">", 0]}, 10**400, True, id="huge"),
        ({"numeric": [">", 0]}, float("nan"), False),
        # cidr
        ({"cidr": "172.16.0.0/16"}, "172.16.0.5", True),
        ({"cidr": "172.16.0.0/16"}, "172.17.0.5", False),
        ({"cidr": "172.16.9.9/16"}, "172.16.0.5", True),
        ({"cidr": "10.0.0.1/32"}, "10.0.0.1", True),
        ({"cidr": "10.0.0.1/32"}, "10.0.0.2", False),
        ({"cidr": "0.0.0.0/0"}, "::1", False),
        ({"cidr": "fd00::/8"}, "fd12::1", True),
        ({"cidr": "fd00::/8"}, "fe80::1", False),
        ({"cidr": "fd00::/8"}, "172.16.0.5", False),
        ({"cidr": "172.16.0.0/16"}, "172.16.0.5:9100", False),
        ({"cidr": "172.16.0.0/16"}, "DataNode", False),
        ({"cidr": "0.0.0.0/0"}, 5, False),
        # wildcard
        ({"wildcard": "Data*"}, "DataNode", True),
        ({"wildcard": "Data*"}, "Data", True),
        ({"wildcard": "Data*"}, "MyData", False),
        ({"wildcard": "*Node"}, "DataNode", True),
        ({"wildcard": "*Node"}, "NodeManager", False),
        ({"wildcard": "H*on*er"}, "HRegionServer", True),
        ({"wildcard": "H*on*er"}, "HRegionServers", False),
        ({"wildcard": "a*b*c"}, "acb", False),
        ({"wildcard": "a*a"}, "a", False),
        ({"wildcard": "a*a"}, "aa", True),
        ({"wildcard": "ab*b*ba"}, "abba", False),
        ({"wildcard": "ab*b*ba"}, "abbba", True),
        ({"wildcard": "*ab*"}, "aab", True),
        ({"wildcard": "*"}, "", True),
        ({"wildcard": "*"}, 1, False),
        ({"wildcard": "a*c"}, "a\nc", True),
        ({"wildcard": "a\n*"}, "a\nb", True),
        ({"wildcard": "a\n*"}, "ab", False),
        ({"wildcard": "exact"}, "exact", True),
        ({"wildcard": "exact"}, "exactly", False),
        ({"wildcard": r"C:\\x\*y"}, r"C:\x*y", True),
        ({"wildcard": r"C:\\x\*y"}, r"C:\xzzy", False),
        ({"wildcard": r"*\*"}, "5*", True),
        ({"wildcard": r"*\*"}, "5", False),
        ({"wildcard": r"a\**"}, "a*b", True),
    ],
)
def test_an_item_matches_as_eventbridge_documents(item: object, value: object, expected: bool) -> None:
    """Each literal and each operator matches what it should, and nothing else."""
    assert matches(item, value) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"source": ["tcop", "alertmanager"], "status": ["firing"]}, True),
        ({"source": ["tcop", "alertmanager"], "status": ["resolved"]}, False),
        ({"source": ["tcop"], "status": ["firing"]}, False),
        ({"component": ["DataNode"], "labels": {"severity": [{"prefix": "crit"}]}}, True),
        ({"component": ["DataNode"], "labels": {"severity": [{"prefix": "warn"}]}}, False),
        ({"labels": {"severity": [{"prefix": "warn"}, "critical"]}}, True),
        ({"labels": {"severity": [{"prefix": "warn"}, {"suffix": "x"}, None]}}, False),
        ({"labels": {"app.kubernetes.io/name": ["hdfs"]}}, True),
        ({"labels": {"value": [{"numeric": [">", 90]}]}}, True),
        ({"labels": {"absent": [{"exists": False}]}}, True),
        ({"labels": {"absent": ["x"]}}, False),
        ({"labels": {"empty": [{"exists": True}]}}, True),
        ({"message": [""]}, True),
        ({"occurred_at": [{"numeric": [">=", 1_700_000_000]}]}, True),
        ({"ip": [{"cidr": "172.16.0.0/12"}]}, True),
        ({"$or": [{"status": ["resolved"]}, {"severity": ["critical"]}]}, True),
        ({"$or": [{"status": ["resolved"]}, {"severity": ["warning"]}]}, False),
        ({"status": ["resolved"], "$or": [{"severity": ["critical"]}]}, False),
        ({"$or": [{"status": ["firing"], "severity": ["warning"]}, {"status": ["resolved"]}]}, False),
        ({"$or": [{"$or": [{"status": ["firing"]}]}, {"status": ["resolved"]}]}, True),
        ({"labels": {"$or": [{"severity": ["page"]}, {"value": ["93.5"]}]}}, True),
        ({"labels": {"$or": [{"severity": ["page"]}, {"value": ["93"]}]}}, False),
        ({"labels": {"prefix": [{"exists": False}]}}, True),
    ],
)
def test_a_pattern_is_all_of_its_fields(pattern: object, expected: bool) -> None:
    """Fields are joined by and, the items of a list and the alternatives of $or by or, at every level."""
    assert compile_pattern(pattern).matches(EVENT) is expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"labels": {"a": {"b": "x"}}}, True),
        ({"labels": {"a": {"b": "y"}}}, False),
        ({"labels": {"a": [{"b": "y"}, {"b": "x"}]}}, True),
        ({"labels": {"a": [[{"b": "x"}]]}}, True),
        ({"labels": {"a": [{"b": "y"}, "x"]}}, False),
        ({"labels": {"a": "x"}}, False),
        ({"labels": "x"}, False),
        ({"labels": MappingProxyType({"a": {"b": "x"}})}, True),
        (MappingProxyType({"labels": {"a": {"b": "x"}}}), True),
        ({}, False),
    ],
)
def test_objects_nest(event: Mapping[str, Any], expected: bool) -> None:
    """An object within an object matches an object, or a list with an object that matches."""
    assert compile_pattern({"labels": {"a": {"b": ["x"]}}}).matches(event) is expected


SELF: dict[str, Any] = {}
SELF["$or"] = [SELF, SELF]


@pytest.mark.parametrize(
    ("raw", "path", "problem", "hint"),
    [
        ([], "", "must be an object", "status: [firing]"),
        ("firing", "", "must be an object", ""),
        (None, "", "must be an object", ""),
        ({}, "", "is empty", "exists"),
        ({1: ["a"]}, "", "not a string: 1", "quote it"),
        ({"statsu": ["firing"]}, "statsu", "not a field of an Event", "did you mean status?"),
        ({"Source": ["tcop"]}, "Source", "not a field of an Event", "did you mean source?"),
        ({"zzz": ["firing"]}, "zzz", "not a field of an Event", "one of id, source"),
        ({"labels.severity": ["a"]}, "labels.severity", "not a field of an Event", "labels: {severity: …}"),
        ({"$or": [{"clutser": ["a"]}]}, "$or[0].clutser", "not a field of an Event", "did you mean cluster?"),
        ({"status": "firing"}, "status", "must be a list", 'write ["firing"]'),
        ({"status": None}, "status", "must be a list", "write [null]"),
        ({"status": []}, "status", "empty list", "exists"),
        ({"status": {"x": ["a"]}}, "status", "one value in an Event", "list"),
        ({"status": {"prefix": "f"}}, "status", "operator prefix outside a list", 'write [{"prefix": "f"}]'),
        ({"labels": ["a"]}, "labels", "must be an object", "severity"),
        ({"labels": {}}, "labels", "is empty", ""),
        ({"labels": {"x": {}}}, "labels.x", "is empty", ""),
        ({"labels": {"x": {"numeric": [">", 3]}}}, "labels.x", "operator numeric outside", '[{"numeric": [">", 3]}]'),
        ({"$or": {}}, "$or", "must be a list of patterns", ""),
        ({"$or": []}, "$or", "must be a list of patterns", ""),
        ({"$or": ["a"]}, "$or[0]", "must be an object", ""),
        ({"labels": {"$or": [{}]}}, "labels.$or[0]", "is empty", ""),
        ({"status": [["a"]]}, "status[0]", "list within the list", "side by side"),
        ({"status": [object()]}, "status[0]", "is not a string", "quote it"),
        ({"status": [float("nan")]}, "status[0]", "is not a string, number", ""),
        ({"status": ["a", {}]}, "status[1]", "is an empty object", "prefix"),
        ({"status": [{"prefx": "a"}]}, "status[0].prefx", "is not an operator", "did you mean prefix?"),
        ({"status": [{"anything_but": "a"}]}, "status[0].anything_but", "is not an operator", "anything-but?"),
        ({"status": [{1: "a"}]}, "status[0].1", "is not an operator", "one of prefix"),
        ({"status": [{"prefix": "a", "suffix": "b"}]}, "status[0]", "several operators: prefix, suffix", "each"),
        ({"status": [{"prefix": 1}]}, "status[0].prefix", "takes a string, not 1", ""),
        ({"status": [{"prefix": ["a"]}]}, "status[0].prefix", "takes a string", ""),
        ({"status": [{"suffix": None}]}, "status[0].suffix", "takes a string, not null", ""),
        ({"status": [{"prefix": {"suffix": "a"}}]}, "status[0].prefix", "equals-ignore-case", "such as"),
        (
            {"status": [{"prefix": {"equals-ignore-case": 1}}]},
            "status[0].prefix.equals-ignore-case",
            "takes a string",
            "",
        ),
        ({"status": [{"equals-ignore-case": True}]}, "status[0].equals-ignore-case", "takes a string, not true", ""),
        ({"status": [{"exists": "yes"}]}, "status[0].exists", "takes true or false", ""),
        ({"status": [{"exists": 0}]}, "status[0].exists", "takes true or false, not 0", ""),
        ({"status": [{"wildcard": 1}]}, "status[0].wildcard", "takes a string", ""),
        ({"status": [{"wildcard": "a**"}]}, "status[0].wildcard", "two stars", ""),
        ({"status": [{"wildcard": "a\\b"}]}, "status[0].wildcard", "not an escape", r"\*"),
        ({"status": [{"wildcard": "a\\"}]}, "status[0].wildcard", "not an escape", ""),
        ({"status": [{"anything-but": []}]}, "status[0].anything-but", "empty list", ""),
        ({"status": [{"anything-but": None}]}, "status[0].anything-but", "strings and numbers, not null", ""),
        ({"status": [{"anything-but": ["a", True]}]}, "status[0].anything-but", "not true", ""),
        ({"status": [{"anything-but": {}}]}, "status[0].anything-but", "empty object", ""),
        ({"status": [{"anything-but": {"exists": True}}]}, "status[0].anything-but", "cannot hold exists", "prefix"),
        ({"status": [{"anything-but": {"prefix": ""}}]}, "status[0].anything-but.prefix", "nothing would be left", ""),
        (
            {"status": [{"anything-but": {"suffix": ["a", ""]}}]},
            "status[0].anything-but.suffix",
            "nothing would be left",
            "",
        ),
        ({"status": [{"anything-but": {"prefix": ["a", 1]}}]}, "status[0].anything-but.prefix[1]", "a string", ""),
        ({"status": [{"anything-but": {"wildcard": []}}]}, "status[0].anything-but.wildcard", "empty list", ""),
        ({"status": [{"numeric": 5}]}, "status[0].numeric", "a comparator and a number", '[">=", 3, "<", 10]'),
        ({"status": [{"numeric": []}]}, "status[0].numeric", "a comparator and a number", ""),
        ({"status": [{"numeric": [">", 1, "<"]}]}, "status[0].numeric", "a comparator and a number", ""),
        ({"status": [{"numeric": ["==", 5]}]}, "status[0].numeric[0]", '"==" is not a comparator', "one of = <"),
        ({"status": [{"numeric": ["!=", 5]}]}, "status[0].numeric[0]", "is not a comparator", "anything-but"),
        ({"status": [{"numeric": [5, ">"]}]}, "status[0].numeric[0]", "5 is not a comparator", ""),
        ({"status": [{"numeric": [">", "5"]}]}, "status[0].numeric[1]", '"5" is not a number', "not quoted"),
        ({"status": [{"numeric": [">", True]}]}, "status[0].numeric[1]", "is not a number", ""),
        ({"status": [{"numeric": [">", float("inf")]}]}, "status[0].numeric[1]", "is not a number", "finite"),
        ({"status": [{"numeric": [">", 1, ">=", 2]}]}, "status[0].numeric", "one lower and one upper", ""),
        ({"status": [{"numeric": ["=", 1, "<", 2]}]}, "status[0].numeric", "one lower and one upper", ""),
        ({"status": [{"numeric": [">", 5, "<", 3]}]}, "status[0].numeric", "no number is > 5 and < 3", "swap"),
        ({"status": [{"numeric": ["<", 3, ">", 5]}]}, "status[0].numeric", "no number is < 3 and > 5", "swap"),
        ({"status": [{"numeric": [">", 5, "<=", 5]}]}, "status[0].numeric", "no number is", ""),
        ({"status": [{"numeric": [">", 10**5000, "<", 3]}]}, "status[0].numeric", "no number is", ""),
        ({"ip": [{"cidr": 5}]}, "ip[0].cidr", "takes a string", ""),
        ({"ip": [{"cidr": "172.16.0.0"}]}, "ip[0].cidr", "not a block of addresses", "/32"),
        ({"ip": [{"cidr": "172.16.0.0/33"}]}, "ip[0].cidr", "not a block of addresses", ""),
        ({"ip": [{"cidr": "172.16.0.0/255.255.0.0"}]}, "ip[0].cidr", "not a block of addresses", ""),
        ({"ip": [{"cidr": "172.16.0/16"}]}, "ip[0].cidr", "not a block of addresses", ""),
        ({"ip": [{"cidr": "fd00::/129"}]}, "ip[0].cidr", "not a block of addresses", ""),
        (SELF, "", "is too large", "levels"),
        ({"status": ["a"] * 20_000}, "", "is too large", "10000 values"),
    ],
)
def test_a_pattern_without_meaning_is_refused(raw: object, path: str, problem: str, hint: str) -> None:
    """What cannot be meant is refused, with the key's path, what is wrong, and the nearest right word."""
    with pytest.raises(PatternError) as caught:
        compile_pattern(raw)
    path = f"when.{path}".rstrip(".")
    assert caught.value.path == path
    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert isinstance(caught.value, StewardError)
    assert str(caught.value).startswith(f"{path}: {caught.value.problem}")


def test_a_refusal_can_be_written_whatever_the_keys() -> None:
    """Half a character in a key, as JSON can hold it, does not stop the message from being written."""
    with pytest.raises(PatternError) as caught:
        compile_pattern({"\ud800": ["a"]})
    assert str(caught.value).encode().startswith(rb"when.\ud800: is not a field")


def test_a_path_starts_where_the_pattern_stands() -> None:
    """The path of a refusal starts with the path that the pattern was compiled at."""
    with pytest.raises(PatternError, match=re.escape("rules[2].when.labels.severity[1].prefix: takes a string")):
        compile_pattern({"labels": {"severity": ["a", {"prefix": 1}]}}, "rules[2].when")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ({"status": ["firing"]}, []),
        ({"status": ["resolved", None]}, [("status", '"resolved" or null', '"firing"')]),
        (
            {
                "status": ["resolved"],
                "source": ["alertmanager"],
                "labels": {"severity": [{"prefix": "warn"}], "x": [1]},
            },
            [
                ("status", '"resolved"', '"firing"'),
                ("labels.severity", 'prefix "warn"', '"critical"'),
                ("labels.x", "1", "nothing"),
            ],
        ),
        (
            {"occurred_at": [{"numeric": [">", 1, "<", 5]}]},
            [("occurred_at", 'numeric [">", 1, "<", 5]', "1700000000.0")],
        ),
        (
            {
                "name": ["nightly"],
                "$or": [{"status": ["resolved"]}, {"severity": ["page"], "source": ["alertmanager"]}],
            },
            [
                ("name", '"nightly"', '"DataNodeDown"'),
                ("$or[0].status", '"resolved"', '"firing"'),
                ("$or[1].severity", '"page"', '"critical"'),
            ],
        ),
        ({"$or": [{"status": ["resolved"]}, {"status": ["firing"]}]}, []),
        ({"labels": {"$or": [{"value": ["1"]}]}}, [("labels.$or[0].value", '"1"', '"93.5"')]),
        ({"labels": {"severity": {"x": ["a"]}}}, [("labels.severity.x", '"a"', "nothing")]),
    ],
)
def test_a_mismatch_names_field_wish_and_finding(pattern: object, expected: list[tuple[str, str, str]]) -> None:
    """Each field that does not match is named with what was wanted and what was found, and no other field is."""
    assert compile_pattern(pattern).explain(EVENT) == [Mismatch(*row) for row in expected]


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ("x" * 1000, '"' + "x" * 198 + "…"),
        ("a\ud800", '"a\\ud800"'),
        ("\x1b[31m", '"\\u001b[31m"'),
        pytest.param(10**5000, "some int", id="huge"),
        ("磁盘", '"磁盘"'),
    ],
)
def test_a_finding_is_fit_for_a_line(found: object, shown: str) -> None:
    """A found value is shown short, printable and without control characters, however odd it is."""
    assert compile_pattern({"labels": {"x": ["a"]}}).explain({"labels": {"x": found}})[0].found == shown


def test_a_hostile_wildcard_is_quick() -> None:
    """A wildcard with many stars takes a time that is bounded by the text's length, not exponential in its stars."""
    pattern = compile_pattern({"message": [{"wildcard": "*a" * 200 + "*b"}]})
    assert not pattern.matches({"message": "a" * 100_000})


def test_a_deep_list_in_the_event_is_no_trouble() -> None:
    """Lists within lists, deeper than Python recurses, match or do not match, but never raise."""
    value: object = "a"
    for _ in range(50_000):
        value = [value]
    assert matches("a", value)
    assert compile_pattern({"labels": {"x": ["b"]}}).explain({"labels": {"x": value}})[0].found == "some list"


# Any JSON, and JSON from few enough words that patterns and events often meet.

odd_texts = st.text("aB1.*\\:/-% ß\x00\ud800", max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | odd_texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(odd_texts, inner, max_size=4),
    max_leaves=8,
)
texts = st.sampled_from(
    ["", "a", "A", "ab", "aB", "b*", "\\", "1", "1.0", "10", "-2", "1e1", "10.0.0.1", "10.0.1.9", "::1"]
)
numbers = st.sampled_from([0, 1, 1.0, 1.5, 10, -2, True, False])
stars = st.sampled_from(["*", "a*", "*b", "*a*", "a*b", r"b\*", r"\\", "1*", "10.*.1"])
one_text = texts.filter(bool)


def one_or_many(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return strategy | st.lists(strategy, min_size=1, max_size=3)


def ranges(low: float, high: float) -> st.SearchStrategy[list[Any]]:
    both = st.tuples(st.sampled_from([">", ">="]), st.just(low), st.sampled_from(["<", "<="]), st.just(high)).map(list)
    return both | st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), st.just(low)).map(list)


ignoring = st.fixed_dictionaries({"equals-ignore-case": texts})
items = st.one_of(
    texts,
    numbers,
    st.none(),
    st.fixed_dictionaries({"prefix": texts | ignoring}),
    st.fixed_dictionaries({"suffix": texts | ignoring}),
    ignoring,
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"wildcard": stars | texts.filter(lambda text: "\\" not in text)}),
    st.fixed_dictionaries({"numeric": ranges(1, 10) | ranges(-2, 1.5)}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/24", "10.0.0.0/8", "::/0", "0.0.0.0/0"])}),
    st.fixed_dictionaries({"anything-but": one_or_many(texts) | st.sampled_from([1, 1.5, [1, 10]])}),
    st.fixed_dictionaries(
        {
            "anything-but": st.fixed_dictionaries({"prefix": one_or_many(one_text)})
            | st.fixed_dictionaries({"suffix": one_or_many(one_text)})
            | st.fixed_dictionaries({"equals-ignore-case": one_or_many(texts)})
            | st.fixed_dictionaries({"wildcard": one_or_many(stars)})
        }
    ),
)
lists = st.lists(items, min_size=1, max_size=3)


def with_or(fields: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    either = st.lists(fields, min_size=1, max_size=3)
    return (
        fields
        | st.builds(lambda some, choices: {**some, "$or": choices}, fields, either)
        | either.map(lambda c: {"$or": c})
    )


label_patterns = with_or(
    st.dictionaries(
        st.sampled_from(["x", "y"]), lists | st.dictionaries(st.just("z"), lists, min_size=1), min_size=1, max_size=2
    )
)
patterns = with_or(
    st.fixed_dictionaries({"status": lists})
    | st.fixed_dictionaries({"status": lists, "ip": lists})
    | st.fixed_dictionaries({"labels": label_patterns})
)
leaves = texts | numbers | st.none()
values = leaves | st.lists(leaves | st.lists(leaves, max_size=2), max_size=3)
label_values = st.dictionaries(
    st.sampled_from(["x", "y"]),
    values | st.dictionaries(st.just("z"), values) | st.lists(st.dictionaries(st.just("z"), values), max_size=2),
)
events = st.fixed_dictionaries({}, optional={"status": values, "ip": values, "labels": label_values | leaves})


def naive(pattern: Any, event: Any) -> bool:
    """The same meaning, written plainly: read the pattern afresh for each event, one sentence of the documentation a line."""
    if isinstance(event, list):
        objects = [item for item in spread(event) if isinstance(item, dict)]
        return any(naive(pattern, item) for item in objects) if objects else naive(pattern, {})
    event = event if isinstance(event, dict) else {}
    for key, wanted in pattern.items():
        if key == "$or":
            fits = any(naive(choice, event) for choice in wanted)
        elif isinstance(wanted, dict):
            fits = naive(wanted, event.get(key))
        else:
            found = [item for item in spread([event.get(key)]) if item is not None and not isinstance(item, dict)]
            fits = any(naive_item(item, found) for item in wanted)
        if not fits:
            return False
    return True


def spread(value: list[Any]) -> list[Any]:
    return [leaf for item in value for leaf in (spread(item) if isinstance(item, list) else [item])]


def naive_item(item: Any, found: list[Any]) -> bool:
    if item is None or item == {"exists": False}:
        return not found
    if item == {"exists": True}:
        return bool(found)
    return any(naive_leaf(item, leaf) for leaf in found)


def naive_leaf(item: Any, leaf: Any) -> bool:
    if not isinstance(item, dict):
        return kind(item) == kind(leaf) and bool(item == leaf)
    ((name, operand),) = item.items()
    if name == "anything-but":
        if isinstance(operand, dict):
            ((inner, unwanted),) = operand.items()
            return not any(naive_leaf({inner: one}, leaf) for one in listed(unwanted))
        return not any(naive_leaf(one, leaf) for one in listed(operand))
    if name == "numeric":
        number = as_number(leaf)
        terms = list(zip(operand[::2], operand[1::2], strict=True))
        return number is not None and all(
            {"=": number == n, "<": number < n, "<=": number <= n, ">": number > n, ">=": number >= n}[sign]
            for sign, n in terms
        )
    if not isinstance(leaf, str):
        return False
    if name == "cidr":
        try:
            return ipaddress.ip_address(leaf) in ipaddress.ip_network(operand)
        except ValueError:
            return False
    if name == "wildcard":
        expression = re.sub(r"\\\\(\\\\|\\\*)|\\\*", lambda found: found[1] or ".*", re.escape(operand))
        return re.fullmatch(expression, leaf, re.DOTALL) is not None
    if isinstance(operand, dict):
        operand, leaf = operand["equals-ignore-case"].casefold(), leaf.casefold()
    if name == "prefix":
        return bool(leaf[: len(operand)] == operand)
    if name == "suffix":
        return bool(leaf[max(0, len(leaf) - len(operand)) :] == operand)
    return bool(leaf.casefold() == operand.casefold())


def kind(value: Any) -> str:
    return "number" if isinstance(value, (int, float)) and not isinstance(value, bool) else type(value).__name__


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def as_number(leaf: Any) -> float | None:
    """A number, or a string that JSON reads as one."""
    if isinstance(leaf, str):
        try:
            leaf = json.loads(leaf)
        except ValueError:
            return None
    return leaf if kind(leaf) == "number" else None


@given(patterns, events)
def test_the_compiled_pattern_means_what_the_plain_one_means(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """Compiling changes the speed, not the meaning."""
    assert compile_pattern(pattern).matches(event) is naive(pattern, event)


@given(patterns, events | st.dictionaries(st.sampled_from(FIELDS), anything))
def test_there_is_an_explanation_iff_there_is_no_match(pattern: dict[str, Any], event: dict[str, Any]) -> None:
    """Explanations and matches never contradict each other, and neither raises, whatever the event holds."""
    compiled = compile_pattern(pattern)
    assert (compiled.explain(event) == []) is compiled.matches(event)


almost_items = st.recursive(
    items | anything,
    lambda inner: (
        st.dictionaries(st.sampled_from(["prefix", "numeric", "anything-but", "cidr", "exists", "wildcard"]), inner)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)
almost_patterns = st.recursive(
    st.dictionaries(st.sampled_from([*FIELDS, "$or"]), st.lists(almost_items, max_size=3) | almost_items, max_size=3),
    lambda inner: st.dictionaries(
        st.sampled_from([*FIELDS, "$or", "x"]), inner | st.lists(inner, max_size=3), max_size=3
    ),
    max_leaves=6,
)


@given(anything | almost_patterns, anything)
@example({"status": [{"cidr": "::%/0"}]}, {})
@example({"status": [{"wildcard": "\ud800"}]}, {"status": "\ud800"})
def test_any_json_is_a_pattern_or_refused(raw: Any, event: Any) -> None:
    """Whatever stands there becomes a pattern that can be asked about any JSON, or a PatternError; never another error."""
    try:
        pattern = compile_pattern(raw)
    except PatternError:
        return
    for each in (event, {"status": event, "labels": event}):
        assert (pattern.explain(each) == []) is pattern.matches(each)

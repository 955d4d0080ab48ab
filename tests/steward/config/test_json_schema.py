"""The JSON Schema of steward.yml accepts what the check accepts, and marks errors in an editor."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import InvalidConfiguration
from handler.model.event import FIELDS
from steward.config.compile import config_of
from steward.config.json_schema import json_schema
from steward.config.messages import readable
from steward.config.models import StewardFile
from steward.config.reference import reference
from steward.config.yaml_file import read_raw

ROOT = Path(__file__).parents[3]
SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULE: dict[str, Any] = {
    "name": "restart",
    "when": {"status": ["firing"]},
    "do": {
        "operation": "RestartService",
        "cluster": "{cluster}",
        "scope": {"HDFS": {"DataNode": ["{ip}"]}},
        "strategy": {"rolling": True},
    },
}
STOP: dict[str, Any] = {
    "name": "stop",
    "when": {"source": ["timer"]},
    "do": {"operation": "StopService", "cluster": "emr-4zvc5mul", "scope": {"HBASE": "all"}},
}
WHOLE: dict[str, Any] = {
    "clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": ["RestartService", "StopService", "StopMonitor"]}},
    "rules": [RULE, STOP],
    "limits": {},
    "webhook": {
        "callers": [
            {"name": "a", "sources": ["alertmanager"], "bearer_env": "A"},
            {"name": "b", "sources": ["alertmanager"], "basic": {"user": "u", "password_env": "B"}},
        ]
    },
    "safety": {
        "quarantine": {},
        "freezes": [{"from": "2027-02-05T18:00:00Z", "to": "2027-02-06T09:00:00+08:00", "reason": "x"}],
        "maintenance_windows": [{"start": "22:00", "end": "02:00", "time_zone": "Asia/Shanghai", "reason": "x"}],
    },
    "alarms": {"chat": [{"url_env": "CHAT"}], "event_bus": {"id": "eb-x", "region": "ap-guangzhou"}},
}


def changed(path: str, value: Any, whole: dict[str, Any] = WHOLE) -> dict[str, Any]:
    """The whole with the value at a path of slashes replaced."""
    raw = copy.deepcopy(whole)
    *steps, last = path.split("/")
    here: Any = raw
    for step in steps:
        here = here[int(step)] if isinstance(here, list) else here.setdefault(step, {})
    here[int(last) if isinstance(here, list) else last] = value
    return raw


def is_read(raw: object) -> bool:
    try:
        config_of(raw)
    except InvalidConfiguration:
        return False
    return True


def test_it_is_a_schema_and_takes_what_is_shipped() -> None:
    """It accepts the example, the README's rule, and the full file of these tests."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    VALIDATOR.validate(raw)
    VALIDATOR.validate(WHOLE)
    assert is_read(WHOLE)


def test_it_takes_the_rule_that_the_readme_shows(tmp_path: Path) -> None:
    """Readers copy that rule."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```yaml[^\n]*\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "steward.yml").write_text(shown, encoding="utf-8")
    raw, _ = read_raw(str(tmp_path / "steward.yml"))
    assert is_read(raw)
    VALIDATOR.validate(raw)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("clusters/emr-X", {"region": "ap-guangzhou", "allow": ["StopService"]}),
        ("clusters/emr-4zvc5mul/region", "Guangzhou"),
        ("clusters/emr-4zvc5mul/role_arn", "steward"),
        ("clusters/emr-4zvc5mul/operations_per_hour", "12"),
        ("rules/0/when", {}),
        ("rules/0/when", {"statsu": ["firing"]}),
        ("rules/0/when", {"status": "firing"}),
        ("rules/0/when", {"status": []}),
        ("rules/0/when", {"status": ["fireing"]}),
        ("rules/0/when", {"source": ["alertmanger"]}),
        ("rules/0/when", {"source": [{"anything-but": "alertmanger"}]}),
        ("rules/0/when", {"name": [7]}),
        ("rules/0/when", {"ip": [{"prefx": "1"}]}),
        ("rules/0/when", {"ip": {"prefix": "1"}}),
        ("rules/0/when", {"ip": [{"cidr": "172.16.0.0"}]}),
        ("rules/0/when", {"ip": [{"prefix": "1", "suffix": "2"}]}),
        ("rules/0/when", {"ip": [{"exists": "no"}]}),
        ("rules/0/when", {"labels": ["a"]}),
        ("rules/0/when", {"labels": {"port": [9100]}}),
        ("rules/0/when", {"labels": {"a": {"prefix": ["x"]}}}),
        ("rules/0/when", {"labels": {"a": [{"numeric": [">"]}]}}),
        ("rules/0/when", {"labels": {"a": [{"numeric": ["!=", 3]}]}}),
        ("rules/0/when", {"occurred_at": ["2026-01-01"]}),
        ("rules/0/when", {"$or": []}),
        ("rules/0/when", {"$or": [{"nmae": ["x"]}]}),
        ("rules/0/do/cluster", "analytics"),
        ("rules/0/do/scope", {}),
        ("rules/0/do/scope", {"HDFS": {}}),
        ("rules/0/do/scope", {"HDFS": {"DataNode": []}}),
        ("rules/0/do/stop_params", {}),
        ("rules/0/do/keep_monitor", True),
        ("rules/1/do/even_if_healthy", True),
        ("rules/1/do/keep_monitor", True),
        ("rules/1/do/operation", "RestartService"),
        ("rules/0/limits", {"cooldown": "soon"}),
        ("rules/0/limits", {"cooldown": -5}),
        ("rules/0/limits", {"max_wait": 0}),
        ("rules/0/limits", {"max_share": "half"}),
        ("rules/0/limits", {"max_share": 25}),
        ("webhook/callers/0", {"name": "a"}),
        ("webhook/callers/0/bearer_env", "hunter2"),
        ("webhook/callers/1/basic/user", "a:b"),
        ("webhook/patience", 60),
        ("safety/maintenance_windows/0/start", "2:00"),
        ("safety/maintenance_windows/0/days", ["Saturday"]),
        ("safety/keep_records", 3600),
        ("alarms/chat/0/url_env", "slack://token"),
        ("alarms/event_bus/id", "bus"),
    ],
)
def test_what_is_refused_is_marked_in_an_editor(path: str, value: Any) -> None:
    """As far as a JSON Schema can express the check."""
    assert not is_read(changed(path, value))
    assert not VALIDATOR.is_valid(changed(path, value))


texts = st.sampled_from(["firing", "none", "timer", "tcop", "crit", "", "172.16.0.5", "DataNode", "é"])
literals = st.one_of(
    texts, st.none(), st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False)
)
operands = st.recursive(
    literals | st.sampled_from(["172.16.0.0/16", "fd00::/8", "a*b", "=", ">"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["prefix", "suffix", "equals-ignore-case", "wildcard", "x"]), inner, max_size=2
        )
    ),
    max_leaves=4,
)
operators = st.dictionaries(
    st.sampled_from(
        ["prefix", "suffix", "anything-but", "exists", "numeric", "cidr", "equals-ignore-case", "wildcard", "x"]
    ),
    operands | st.just([">", 1]) | st.just([">=", 1, "<", 5]),
    min_size=1,
    max_size=1,
)
values = st.lists(literals | operators, max_size=3)
label_patterns = st.recursive(
    values, lambda inner: st.dictionaries(st.sampled_from(["a", "prefix", "port"]), inner, max_size=2), max_leaves=3
)
patterns = st.recursive(
    st.dictionaries(st.sampled_from(FIELDS), values | label_patterns, min_size=1, max_size=2),
    lambda inner: st.builds(lambda choices: {"$or": choices}, st.lists(inner, max_size=2)),
    max_leaves=3,
)
durations = st.one_of(
    st.sampled_from(["90s", "15m", "1h30m", "1h 30m", " 2 H ", "1.5h", "5", "0", "soon", "", "10x", "1d2h3m4s", "٣s"]),
    st.integers(-10, 10**10),
    st.floats(),
    st.booleans(),
)
shares = st.one_of(
    st.sampled_from(["25%", "0.25", ".5", "1", " 30 % ", "150%", "0", "1e-1", "half", "٣%", "1_0%"]),
    st.floats(),
    st.integers(0, 2),
)
PLACES: dict[str, st.SearchStrategy[Any]] = {
    "rules/0/when": patterns,
    "rules/1/when": patterns,
    "rules/0/do/scope": st.recursive(
        st.just("all") | st.lists(texts | st.just("{ip|host}"), max_size=2),
        lambda inner: st.dictionaries(st.sampled_from(["HDFS", "{service}", "", "a b"]), inner, max_size=2),
    ),
    "rules/0/do/cluster": st.sampled_from(["emr-4zvc5mul", "{cluster}", "{labels.a}", "emr-{{x}}", "analytics", ""]),
    "rules/0/do/operation": st.sampled_from(["RestartService", "StopService", "StopMonitor", "StartService", "Reboot"]),
    "rules/1/do/operation": st.sampled_from(["RestartService", "StopService", "StopMonitor", "StartMonitor"]),
    "rules/1/do/keep_monitor": st.booleans() | st.none(),
    "rules/1/do/even_if_healthy": st.booleans(),
    "rules/1/do/stop_params": st.fixed_dictionaries({}, optional={"policy": texts, "thread_count": st.integers(-1, 3)}),
    "limits/cooldown": durations,
    "limits/max_wait": durations,
    "limits/max_share": shares,
    "limits/max_nodes": durations,
    "webhook/patience": durations,
    "safety/keep_records": durations,
    "safety/quarantine/within": durations,
    "safety/quorum_roles": st.lists(texts, max_size=2),
    "safety/maintenance_windows/0/start": st.sampled_from(["00:00", "24:00", "23:59", "2:00", "٠١:٠٠"]),
    "alarms/group_within": durations,
    "webhook/callers/0/bearer_env": st.sampled_from(["A", "A_1", "a", "1A", "Ä", ""]),
    "clusters/emr-4zvc5mul/region": st.sampled_from(["ap-guangzhou", "ap", "eu-x-1", "AP-x"]),
    "clusters/emr-4zvc5mul/role_arn": st.sampled_from(
        [
            "qcs::cam::uin/200000000002:role/46",
            "qcs::cam::uin/٢٠٠٠٠٠:role/46",
            "qcs::cam::uin/200000000002:roleName/a=b",
        ]
    ),
}


@given(changes=st.lists(st.sampled_from(sorted(PLACES)), min_size=1, max_size=2, unique=True), data=st.data())
@settings(max_examples=400, deadline=None)
def test_it_takes_whatever_is_read(changes: list[str], data: st.DataObject) -> None:
    """An editor marks nothing that `steward check` takes."""
    raw = WHOLE
    for path in changes:
        raw = changed(path, data.draw(PLACES[path]), raw)
    if is_read(raw):
        VALIDATOR.validate(raw)


def places(value: Any, path: str = "") -> list[str]:
    """The paths of all values within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at for key, item in items for at in (f"{path}/{key}".lstrip("/"), *places(item, f"{path}/{key}"))]


@given(
    where=st.lists(st.sampled_from(places(WHOLE)), min_size=1, max_size=3, unique=True),
    values=st.lists(
        st.sampled_from([None, 7, True, "x", "", [], {}, [None], ["x"], {"x": 1}, {"x": {}}]), min_size=3, max_size=3
    ),
)
@settings(max_examples=400, deadline=None)
def test_a_file_that_is_spoiled_in_several_places_is_refused_for_each(where: list[str], values: list[Any]) -> None:
    """Whatever is written instead, nothing crashes, and no error hides another."""
    raw: dict[str, Any] = WHOLE
    alone: list[str] = []
    for path, value in zip(where, values, strict=False):
        if any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in where):
            return
        raw = changed(path, value, raw)
        alone += [problem.path for problem in readable(StewardFile, changed(path, value)).problems]
    reported = set()
    try:
        config_of(raw)
    except InvalidConfiguration as error:
        reported = {problem.path for problem in error.problems}
    assert set(alone) <= reported


def test_every_key_has_a_meaning_and_a_default_or_an_example() -> None:
    """The reference explains every key. Keys that hold other keys are explained there."""
    for name, schema in {**SCHEMA["$defs"], "StewardFile": SCHEMA}.items():
        if name.startswith("Pattern"):
            continue
        for key, value in schema["properties"].items():
            assert value.get("description"), f"{name}.{key}"
            is_section = "$ref" in str(value) and key != "when"
            assert is_section or "default" in value or "examples" in value, f"{name}.{key}"


DEFAULTS = {
    f"{name}.{key}": value["default"]
    for name, schema in SCHEMA["$defs"].items()
    for key, value in schema.get("properties", {}).items()
    if "default" in value
}


@pytest.mark.parametrize("key", sorted(DEFAULTS))
def test_a_default_is_what_holds_where_the_key_is_left_out(key: str) -> None:
    """Written out, it changes nothing."""
    places = {
        "Cluster": "clusters/emr-4zvc5mul",
        "Strategy": "rules/0/do/strategy",
        "Do": "rules/0/do",
        "Limits": "limits",
        "Webhook": "webhook",
        "Quarantine": "safety/quarantine",
        "MaintenanceWindow": "safety/maintenance_windows/0",
        "Safety": "safety",
        "Alarms": "alarms",
        "Ledger": "ledger",
    }
    schema, _, name = key.partition(".")
    raw = changed(f"{places[schema]}/{name}", DEFAULTS[key])
    VALIDATOR.validate(raw)
    assert _seen(raw) == _seen(WHOLE)


def test_the_reference_is_written_from_it() -> None:
    """docs/configuration.md is what `steward schema --reference` writes: every key of every mapping, each link with its heading."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert text == reference()
    for name, schema in {**SCHEMA["$defs"], "StewardFile": SCHEMA}.items():
        for key in () if name.startswith("PatternOf") else schema["properties"]:
            assert f"| `{key}` |" in text, f"{name}.{key}"
    headings = {re.sub(r"[^a-z0-9_-]", "", line.lower()) for line in text.splitlines() if line.startswith("## ")}
    assert set(re.findall(r"\]\(#(.*?)\)", text)) <= headings


def _seen(raw: dict[str, Any]) -> Any:
    """What is comparable of a configuration: a compiled pattern is its own. What commands are held to has other defaults."""
    config = config_of(raw)
    rules = [(rule.name, rule.action, rule.limits, rule.even_if_healthy) for rule in config.rules]
    return (config.clusters, rules, config.webhook, config.safety, config.alarms)


def test_examples_and_defaults_fit_their_keys() -> None:
    """What the reference shows can be copied."""
    for schema in SCHEMA["$defs"].values():
        for value in schema.get("properties", {}).values():
            shown = [value["default"]] if "default" in value else []
            validator = jsonschema.Draft202012Validator({**value, "$defs": SCHEMA["$defs"]})
            for example in shown + value.get("examples", []):
                validator.validate(example)

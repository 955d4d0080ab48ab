"""steward.json: the compiled configuration as the function reads it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.config.loader import FORMAT, config_from, load
from handler.decide.rules import Rule
from handler.errors import ConfigurationError
from steward.config.compile import compiled, load_yaml

ROOT = Path(__file__).parents[3]
COMPILED = json.loads(json.dumps(compiled(str(ROOT / "steward.yml"))))


def written(folder: Path, document: Any) -> str:
    path = folder / "steward.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return str(path)


def test_a_compiled_file_means_what_its_yaml_means(tmp_path: Path) -> None:
    """The command and the function work with the same values."""
    from_json, from_yaml = load(written(tmp_path, COMPILED)), load_yaml(str(ROOT / "steward.yml"))
    assert COMPILED["format"] == FORMAT
    assert from_json.clusters == from_yaml.clusters
    assert (from_json.webhook, from_json.safety, from_json.alarms) == (
        from_yaml.webhook,
        from_yaml.safety,
        from_yaml.alarms,
    )

    def comparable(rule: Rule) -> tuple[Any, ...]:
        return (rule.name, rule.action, rule.cluster.text, rule.limits, rule.command_limits, rule.even_if_healthy)

    assert list(map(comparable, from_json.rules)) == list(map(comparable, from_yaml.rules))


@pytest.mark.parametrize("name", ["steward.yml", "steward.yaml"])
def test_yaml_is_refused_with_the_command_that_compiles_it(tmp_path: Path, name: str) -> None:
    """The function has no reader for it, whether the file is there or not."""
    with pytest.raises(ConfigurationError) as raised:
        load(str(tmp_path / name))
    assert str(raised.value) == (
        f"{tmp_path / name}: is YAML, and the function reads compiled JSON only "
        f"(steward compile {name} -o steward.json, and name that file)"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not valid JSON"),
        ("clusters: {}", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        ("[]", "is not a compiled configuration"),
        ('{"clusters": {}}', "is not a compiled configuration"),
        ('{"format": 1}', "has format 1, not 3"),
        ('{"format": 3}', "is damaged: KeyError: 'safety'"),
    ],
)
def test_what_the_command_did_not_write_is_refused_with_one_clear_line(tmp_path: Path, content: str, says: str) -> None:
    """With the file's name, and the command that writes such a file."""
    path = tmp_path / "steward.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load(str(path))
    assert str(raised.value).startswith(f"{path}: {says}")
    assert "steward compile steward.yml -o steward.json" in raised.value.hint
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the variable that names another, a folder too."""
    with pytest.raises(ConfigurationError, match=r"no such file \(set STEWARD_CONFIG to its path\)"):
        load(str(tmp_path / "none.json"))
    with pytest.raises(ConfigurationError, match=r"is a folder \(name a file\)"):
        load(str(tmp_path))


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all values within a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at for key, item in items for at in ((*path, key), *places(item, (*path, key)))]


@given(path=st.sampled_from(places(COMPILED)), value=st.sampled_from([None, 7, "x", [], {}, [None], {"x": 1}, True]))
def test_a_damaged_file_is_loaded_or_refused(path: tuple[Any, ...], value: Any) -> None:
    """Whatever stands in it: nothing but a ConfigurationError is raised."""
    document = copy.deepcopy(COMPILED)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    try:
        config_from(document, "steward.json")
    except ConfigurationError as error:
        assert error.where == "steward.json"

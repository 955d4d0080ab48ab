"""The architecture, kept: who may import what, and what an event pays for at start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HANDLER = sorted((ROOT / "handler").rglob("*.py"))

#: Modules that do no I/O and read no clock, file or environment.
PURE = (
    "cases",
    "deployment",
    "doctor",
    "errors",
    "events",
    "findings",
    "guards",
    "history",
    "intents",
    "names",
    "nearest",
    "observation",
    "operations",
    "outcomes",
    "patterns",
    "unmatchable",
    "planning",
    "rules",
    "sources.processes",
    "templates",
    "utc",
    "verification",
)
IMPURE = {
    "asyncio",
    "concurrent",
    "io",
    "os",
    "pathlib",
    "random",
    "shutil",
    "socket",
    "sqlite3",
    "subprocess",
    "threading",
    "time",
    "urllib",
}


def imports_of(path: Path, *, top_level_only: bool = False) -> set[str]:
    """The dotted names that a file imports, those for type checkers left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def roots(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("path", HANDLER, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_function_never_imports_the_harness(path: Path) -> None:
    """Nothing that is deployed needs what is not."""
    assert not roots(imports_of(path)) & {"harness", "tests", "benchmarks"}


def test_one_file_imports_the_sdk_and_only_when_needed() -> None:
    """The vendor's package has a single door, and it opens late."""
    importers = [path.name for path in HANDLER if "tencentcloud" in roots(imports_of(path))]
    assert importers == ["cloud.py"]
    assert "tencentcloud" not in roots(imports_of(ROOT / "handler" / "cloud.py", top_level_only=True))


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_do_no_io(name: str) -> None:
    """The core can be tested, and read, without a world around it."""
    path = ROOT / "handler" / f"{name.replace('.', '/')}.py"
    assert not roots(imports_of(path)) & IMPURE
    ours = {name.removeprefix("handler.") for name in imports_of(path) if name.startswith("handler.")}
    assert all(name in PURE or name.rpartition(".")[0] in PURE for name in ours), "what it imports is pure too"
    calls = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
    assert not calls & {"open", "input", "print"}


@pytest.mark.parametrize("path", [path for path in HANDLER if "sources" in path.parts], ids=lambda path: path.name)
def test_sources_know_nothing_of_what_comes_after_them(path: Path) -> None:
    """Data flows one way: a sender's file ends in an Event."""
    later = {
        "pipeline",
        "serving",
        "run",
        "entry",
        "decision",
        "sending",
        "guards",
        "planning",
        "ledger",
        "emr",
        "cloud",
        "alarms",
        "logs",
        "invocation",
        "function",
        "entrypoint",
    }
    mine = {name.split(".")[1] for name in imports_of(path) if name.startswith("handler.") and name.count(".") >= 1}
    assert not mine & later


def modules_after(code: str) -> set[str]:
    """What is loaded in a fresh interpreter that ran ``code``."""
    out = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(' '.join(sys.modules))"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},  # nothing that measures the suite
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return set(out.splitlines()[-1].split())


def test_loading_the_function_loads_nothing_heavy() -> None:
    """An event that needs no call pays for no SDK, no pydantic, no YAML, no logging."""
    loaded = modules_after("import index")
    heavy = {
        "tencentcloud",
        "requests",
        "urllib3",
        "pydantic",
        "ruamel",
        "yaml",
        "redis",
        "apprise",
        "sqlite3",
        "logging",
        "asyncio",
        "ssl",
        "zoneinfo",
    }
    assert not {name.partition(".")[0] for name in loaded} & heavy


def test_what_only_a_person_asks_for_is_loaded_when_asked() -> None:
    """The doctor is no event's matter, nor are the words for a file's faults: no event pays for them."""
    loaded = modules_after(
        "import index; from handler.configuration.reading import read_config; read_config({'clusters': {}})"
    )
    assert not loaded & {
        "handler.doctor",
        "handler.examination",
        "handler.findings",
        "handler.configuration.faults",
        "handler.configuration.yaml_faults",
    }

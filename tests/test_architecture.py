"""The architecture, kept: who may import what, and what an event pays for at start-up."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HANDLER = sorted((ROOT / "handler").rglob("*.py"))
HARNESS = sorted((ROOT / "harness").rglob("*.py"))

#: Rooms whose modules do no I/O and read no clock, file or environment.
PURE_ROOMS = ("handler/model", "handler/decide")
PURE = (
    *(path for room in PURE_ROOMS for path in sorted((ROOT / room).glob("*.py"))),
    *(ROOT / "handler" / name for name in ("errors.py", "doctor/checks.py", "doctor/findings.py", "execute/case.py")),
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


def imports_of(path: Path, *, top_level_only: bool = False, for_type_checkers: bool = False) -> set[str]:
    """The dotted names that a file imports; those for type checkers only on request."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING" and not for_type_checkers:
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
    assert not roots(imports_of(path, for_type_checkers=True)) & {"harness", "steward", "tests", "benchmarks"}


@pytest.mark.parametrize("path", HARNESS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_harness_imports_nothing_of_ours(path: Path) -> None:
    """A fake that shares code with the function would agree with it where the cloud does not."""
    imported = roots(imports_of(path, for_type_checkers=True))
    assert not imported & {"handler", "steward", "tests", "benchmarks"}


@pytest.mark.parametrize(("room", "above"), [("messages.py", 0), ("clock.py", 0), ("faults", 1), ("fake_cloud", 2)])
def test_the_rooms_of_the_harness_depend_in_one_direction(room: str, above: int) -> None:
    """Messages and clocks know nothing, faults know messages, and the fake cloud knows faults."""
    floors = ({"harness.messages", "harness.clock"}, {"harness.faults"}, {"harness.fake_cloud"})
    allowed = set().union(*floors[: above + 1]) if above else set()
    files = [path for path in HARNESS if room in path.relative_to(ROOT / "harness").parts]
    imported = {name for path in files for name in imports_of(path, for_type_checkers=True)}
    assert files
    assert {".".join(name.split(".")[:2]) for name in imported if name.startswith("harness")} <= allowed


def test_one_file_imports_the_sdk_and_only_when_needed() -> None:
    """The vendor's package has a single door, and it opens late."""
    importers = [path.name for path in HANDLER if "tencentcloud" in roots(imports_of(path))]
    assert importers == ["client.py"]
    assert "tencentcloud" not in roots(imports_of(ROOT / "handler" / "cloud" / "client.py", top_level_only=True))


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(ROOT)))
def test_pure_modules_do_no_io(path: Path) -> None:
    """The core can be tested, and read, without a world around it."""
    assert not roots(imports_of(path)) & IMPURE
    calls = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
    assert not calls & {"open", "input", "print"}


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
    loaded = modules_after("import index; from handler.config.loader import read_config; read_config({'clusters': {}})")
    assert not loaded & {
        "handler.doctor.checks",
        "handler.doctor.probes",
        "handler.doctor.findings",
        "handler.config.shape_errors",
        "handler.config.yaml_errors",
    }

"""The architecture, kept: who may import what, and what an event pays for at start-up."""

from __future__ import annotations

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HANDLER = sorted((ROOT / "handler").rglob("*.py"))
HARNESS = sorted((ROOT / "harness").rglob("*.py"))

#: Rooms whose modules do no I/O and read no clock, file or environment.
PURE_ROOMS = ("handler/model", "handler/decide")
PURE = (
    *(path for room in PURE_ROOMS for path in sorted((ROOT / room).glob("*.py"))),
    *(
        ROOT / "handler" / name
        for name in (
            "errors.py",
            "execute/arming.py",
            "execute/decision.py",
            "execute/policy.py",
            "execute/weighing.py",
            "ledger/admission.py",
            "ledger/alarm_record.py",
            "ledger/cluster_record.py",
            "ledger/conclusion.py",
            "ledger/reasons.py",
            "ledger/request_ids.py",
            "ledger/serialization.py",
            "ledger/waiting.py",
            "doctor/checks.py",
            "doctor/cloud_checks.py",
            "doctor/findings.py",
        )
    ),
)
IMPURE = {
    *("asyncio", "concurrent", "io", "os", "pathlib", "random", "shutil"),
    *("socket", "sqlite3", "subprocess", "threading", "time", "urllib"),
}


@functools.cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path, *, top_level_only: bool = False, with_typing: bool = False) -> set[str]:
    """The dotted names that a file imports; those for type checkers only ``with_typing``."""
    tree = tree_of(path)
    for_typing = {
        id(inner)
        for node in ast.walk(tree)
        if not with_typing and isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for statement in node.body
        for inner in ast.walk(statement)
    }
    nodes = [node for node in (tree.body if top_level_only else ast.walk(tree)) if id(node) not in for_typing]
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


def test_the_function_never_imports_the_harness() -> None:
    """Nothing that is deployed needs what is not."""
    others = {"harness", "steward", "tests", "benchmarks"}
    assert [str(path) for path in HANDLER if roots(imports_of(path)) & others] == []


#: The floors of ``handler``, from the bottom. A room imports from the floors below it and from itself.
FLOORS = (
    ("errors", "lib"),
    ("model",),
    ("receive", "decide", "ledger", "cloud"),
    ("config",),
    ("report",),
    ("execute", "doctor"),
    ("app",),
)


def import_graph() -> dict[str, set[str]]:
    """Each module of ``handler``, and the modules of ``handler`` that it imports, for type checkers too."""
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in HANDLER}
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        imported = imports_of(path, with_typing=True)
        graph[name] = {one for one in imported if one in modules and not one.endswith("__init__")}
    return graph


def test_a_room_imports_only_from_the_floors_below() -> None:
    """Data flows one way. ``lib`` may raise what ``errors`` draws."""
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    upward = []
    for module, imported in import_graph().items():
        room = module.split(".")[1]
        if room == "__init__":
            continue
        for other in imported:
            below = other.split(".")[1]
            is_allowed = below == room or floor[below] < floor[room] or (room, below) == ("lib", "errors")
            upward += [] if is_allowed else [f"{module} imports {other}"]
    assert upward == []


def test_no_module_imports_itself_through_others() -> None:
    """Not even for type checkers."""
    sorter = graphlib.TopologicalSorter(import_graph())
    sorter.prepare()  # raises CycleError, which names the circle


def test_the_harness_imports_nothing_of_ours() -> None:
    """A fake that shares code with the function would agree with it where the cloud does not."""
    ours = {"handler", "steward", "tests", "benchmarks"}
    assert [str(path) for path in HARNESS if roots(imports_of(path, with_typing=True)) & ours] == []


#: The floors of ``harness``, from the bottom.
HARNESS_FLOORS = (("messages", "clock"), ("faults",), ("fake_cloud",), ("pytest_plugin",))


def test_the_rooms_of_the_harness_depend_in_one_direction() -> None:
    """Messages and clocks know nothing, faults know messages, and the fake cloud knows faults."""
    floor = {room: number for number, rooms in enumerate(HARNESS_FLOORS) for room in rooms}
    upward = []
    for path in HARNESS:
        room = path.relative_to(ROOT / "harness").with_suffix("").parts[0]
        for name in imports_of(path, with_typing=True) if room in floor else ():
            other = name.split(".")[1] if name.startswith("harness.") else room
            if other in floor and other != room and floor[other] >= floor[room]:
                upward.append(f"{path.name} imports {name}")
    assert upward == []


def test_one_file_imports_the_sdk_and_only_when_needed() -> None:
    """The vendor's package has a single door, and it opens late."""
    importers = [path.name for path in HANDLER if "tencentcloud" in roots(imports_of(path))]
    assert importers == ["client.py"]
    assert "tencentcloud" not in roots(imports_of(ROOT / "handler" / "cloud" / "client.py", top_level_only=True))


def test_pure_modules_do_no_io() -> None:
    """The core can be tested, and read, without a world around it."""
    assert [str(path) for path in PURE if roots(imports_of(path)) & IMPURE] == []
    called = {
        path: {
            node.func.id
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        for path in PURE
    }
    assert [str(path) for path in PURE if called[path] & {"open", "input", "print"}] == []


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
    """The doctor is no event's matter: no event pays for it."""
    loaded = modules_after("import index, handler.config.loader")
    assert not loaded & {
        "handler.doctor.checks",
        "handler.doctor.cloud_checks",
        "handler.doctor.probes",
        "handler.doctor.findings",
    }


def test_a_call_refused_for_its_credentials_imports_nothing_more() -> None:
    """Beyond what compares the credentials: no sender's module, no ledger's client, no SDK."""
    call = (
        "import index, sys\n"
        "from handler.app import Function\n"
        "from handler.config.config import Config\n"
        "from handler.config.settings import Settings\n"
        "from handler.model.policy import Caller, Webhook\n"
        "config = Config(webhook=Webhook((Caller('a', 'A'), Caller('b', 'B', 'b'))))\n"
        "function = Function(Settings(), config, env={'A': 'x' * 16, 'B': 'y' * 16}, write=lambda text: None)\n"
    )
    refused = (
        "for given in ('Bearer wrong', 'Basic eDp5', 'Basic ?', ''):\n"
        "    event = {'httpMethod': 'POST', 'headers': {'authorization': given}, 'body': '{', 'isBase64Encoded': True}\n"
        "    assert function.handle(event, {})['statusCode'] == 401\n"
    )
    more = modules_after(call + refused) - modules_after(call)
    assert {name.partition(".")[0].lstrip("_") for name in more} <= {
        *("hashlib", "blake2", "sha2", "sha512", "sha256", "sha1", "md5", "sha3", "hmac", "base64", "binascii"),
        *("struct", "operator", "warnings"),
    }


MAX_FIRST_LINE = 89
DEFINITIONS = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def public_docstrings(path: Path) -> list[tuple[int, str]]:
    """The line and text of each docstring of a module, and of its public classes, functions and methods."""
    found: list[tuple[int, str]] = []

    def visit(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if text := ast.get_docstring(node):
            found.append((node.body[0].lineno, text))
        if isinstance(node, (ast.Module, ast.ClassDef)):
            for child in node.body:
                if isinstance(child, DEFINITIONS) and not child.name.startswith("_"):
                    visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def test_public_docstrings_open_with_one_short_sentence() -> None:
    """The first line is a whole sentence of less than 90 characters; more follows after a blank line."""
    wrong = []
    for package in ("handler", "harness", "steward"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            for line, text in public_docstrings(path):
                first, *rest = text.splitlines()
                if len(first) > MAX_FIRST_LINE or not first.endswith(".") or (rest and rest[0]):
                    wrong.append(f"{name}:{line}: {first}")
    assert wrong == []


#: Files over 400 lines, each with its reason.
LONG_FILES: dict[str, str] = {}
#: Functions over 60 lines, each with its reason.
LONG_FUNCTIONS = {
    "steward/cli/run.py:run": "most of it declares options",
    "steward/cli/serve.py:serve": "most of it declares options",
}


def test_files_and_functions_stay_short() -> None:
    """No file over 400 lines and no function over 60, but those that are listed with their reason."""
    long = []
    for path in [path for package in ("handler", "harness", "steward") for path in (ROOT / package).rglob("*.py")]:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        if len(text.splitlines()) > 400 and name not in LONG_FILES:
            long.append(name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
                function = f"{name}:{node.name}"
                if node.end_lineno - node.lineno + 1 > 60 and function not in LONG_FUNCTIONS:
                    long.append(function)
    assert long == []

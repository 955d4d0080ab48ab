"""serverless.yml: what the vendor's own code would ask of the platform, and our stricter reading of the file."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from handler import steward_file
from handler.steward_file import read_raw
from harness import serverless_file
from harness.command import app
from harness.serverless_file import FOLLOW_UP, problems_of

ROOT = Path(__file__).parents[2]
TOOLKIT = ROOT / "deploy" / "toolkit"
RAW: dict[str, Any] = read_raw(str(ROOT / "serverless.yml"))[0]


@pytest.fixture(scope="module")
def calls() -> list[dict[str, Any]]:
    """What ``tencent-component-toolkit`` does with the file, its network replaced."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("node and npm are not installed: the vendor's code cannot be run")
    if not (TOOLKIT / "node_modules" / "tencent-component-toolkit").is_dir():
        installed = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"],
            cwd=TOOLKIT,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        if installed.returncode:
            pytest.skip(f"npm cannot install the vendor's code: {installed.stderr[-200:]}")
    inputs = RAW["inputs"]
    done = subprocess.run(
        [node, "deploy.js"],
        cwd=TOOLKIT,
        input=json.dumps({"region": inputs["region"], "inputs": inputs}),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def of(calls: list[dict[str, Any]], action: str) -> list[dict[str, Any]]:
    return [call["parameters"] for call in calls if call["action"] == action]


def test_the_function_is_created_as_written(calls: list[dict[str, Any]]) -> None:
    """Handler, runtime, memory, time limit, role and environment reach the API."""
    (made,) = of(calls, "CreateFunction")
    inputs = RAW["inputs"]
    assert (made["Handler"], made["Runtime"], made["Type"]) == ("index.main_handler", "Python3.10", "Event")
    assert (made["MemorySize"], made["Timeout"], made["Role"]) == (
        inputs["memorySize"],
        inputs["timeout"],
        inputs["role"],
    )
    variables = {one["Key"]: one["Value"] for one in made["Environment"]["Variables"]}
    assert variables == inputs["environment"]["variables"]


def test_every_timer_is_created_open_with_its_argument(calls: list[dict[str, Any]]) -> None:
    """The follow-up each minute, the night and the morning."""
    timers = {one["TriggerName"]: one for one in of(calls, "CreateTrigger") if one["Type"] == "timer"}
    written = [one["timer"]["parameters"] for one in RAW["inputs"]["events"] if "timer" in one]
    assert set(timers) == {one["name"] for one in written}
    for one in written:
        made = timers[one["name"]]
        assert (made["Enable"], made["CustomArgument"]) == ("OPEN", one["argument"])
        assert made["TriggerDesc"] == one["cronExpression"]
        assert len(made["TriggerDesc"].split()) == 7
    assert timers["follow-up"]["TriggerDesc"] == "0 * * * * * *"


def test_the_url_has_its_authentication_and_its_networks(calls: list[dict[str, Any]]) -> None:
    """Reachable, and open to our own door only."""
    (url,) = [one for one in of(calls, "CreateTrigger") if one["Type"] == "http"]
    assert json.loads(url["TriggerDesc"]) == {
        "AuthType": "NONE",
        "NetConfig": {"EnableIntranet": True, "EnableExtranet": True},
    }
    assert (url["Qualifier"], url["Enable"]) == ("$DEFAULT", "OPEN")


def test_each_timers_argument_is_one_that_is_understood() -> None:
    """The follow-up, or an event that a rule of steward.yml names."""
    config = steward_file.load(str(ROOT / "steward.yml"))
    for one in RAW["inputs"]["events"]:
        if "timer" not in one or (argument := one["timer"]["parameters"]["argument"]) == FOLLOW_UP:
            continue
        view = {"source": "timer", "name": argument, "message": argument, "status": "none"}
        assert any(rule.matches(view) for rule in config.rules), argument


def test_the_file_is_sound() -> None:
    """By our own reading too."""
    assert serverless_file.check(ROOT / "serverless.yml", 4.0) == []


def changed(path: str, value: Any) -> dict[str, Any]:
    """The file with another value at ``path``; None takes the key away."""
    raw = copy.deepcopy(RAW)
    *way, last = path.split(".")
    at: Any = raw
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return raw


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("inputs.memorysize", 128, "did you mean memorySize"),
        ("inputs.enviroment", {}, "did you mean environment"),
        ("inputs.runtime", "Python3.9", "inputs.runtime"),
        ("inputs.timeout", 2, "inputs.timeout"),
        ("inputs.timeout", 901, "inputs.timeout"),
        ("inputs.environment.variables.STEWARD_MODE", "", "is empty"),
        ("inputs.events.1.timer.parameters.enable", None, "enable"),
        ("inputs.events.1.timer.parameters.enable", False, "enable"),
        ("inputs.events.1.timer.parameters.argument", {"a": 1}, "argument"),
        ("inputs.events.1.timer.parameters.argument", "other", "no timer with the argument steward:follow-up"),
        ("inputs.events.1.timer.parameters.cronExpression", "* * * * *", "cronExpression"),
        ("inputs.events.0.http.parameters.netConfig", None, "netConfig"),
        ("inputs.events.0.http.parameters.qualifier", None, "qualifier"),
        ("inputs.events.0.apigw", {}, "apigw"),
        ("inputs.role", None, "inputs.role"),
        ("component", "scf2", "component"),
    ],
)
def test_what_would_be_dropped_or_would_not_work_is_said(path: str, value: Any, says: str) -> None:
    """Where the vendor's code is silent."""
    assert any(says in problem for problem in problems_of(changed(path, value), 4.0))


def test_steward_check_reads_it_too(tmp_path: Path) -> None:
    """Beside steward.yml: its faults with file and line, and exit code 2."""
    shutil.copy(ROOT / "steward.yml", tmp_path)
    text = (ROOT / "serverless.yml").read_text(encoding="utf-8")
    (tmp_path / "serverless.yml").write_text(text, encoding="utf-8")
    run = CliRunner().invoke
    fine = run(app, ["check", str(tmp_path / "steward.yml")])
    assert (fine.exit_code, "serverless.yml: fine" in fine.stdout) == (0, True)
    (tmp_path / "serverless.yml").write_text(text.replace("memorySize", "memorysize"), encoding="utf-8")
    bad = run(app, ["check", str(tmp_path / "steward.yml")])
    assert bad.exit_code == 2
    assert "serverless.yml:" in bad.stderr
    assert "did you mean memorySize" in bad.stderr

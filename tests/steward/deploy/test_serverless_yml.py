"""serverless.yml against the vendor's own deployment code: what it would send, call by call.

``deploy/toolkit/deployment.js`` has ``tencent-component-toolkit`` deploy the file to a region that is played in memory.
This proves what the file means to the vendor's code. Only the platform itself can show whether it accepts that.
"""

from __future__ import annotations

import copy
import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handler.errors import InvalidConfiguration
from handler.execute.follow_up import MESSAGE as FOLLOW_UP
from steward.config.compile import load_yaml
from steward.config.yaml_file import read_raw
from steward.deploy import cron, serverless_file
from steward.simulate.platform import timer_event
from steward.simulate.world import events_of
from tests.packages import made_once

ROOT = Path(__file__).parents[3]
TOOLKIT = ROOT / "deploy" / "toolkit"
FILE = ROOT / "serverless.yml"
RAW = read_raw(str(FILE))[0]
CONFIG = load_yaml(str(ROOT / "steward.yml"))
#: npm's message if the lock file does not fit. Any other failure is that of the connection to the registry.
OUR_FAULT = re.compile(r"code (EUSAGE|EINTEGRITY|ERESOLVE|EJSONPARSE|EBADENGINE|ETARGET)")
CODE = {"CosBucketName": "code-bucket", "CosObjectName": "/function.zip"}
Calls = list[dict[str, Any]]


@dataclass
class Deployed:
    """The calls of a first deployment and of the same once more; ``error`` where the vendor's code gave up."""

    calls: Calls
    again: Calls
    error: str = ""

    def inputs_of(self, action: str) -> list[dict[str, Any]]:
        """What the first deployment sent in each call of ``action``."""
        return [call["input"] for call in self.calls if call["action"] == action]


@pytest.fixture(scope="module")
def toolkit() -> Path:
    """The vendor's code, installed from the lock file; skipped if that is impossible."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are needed to run the vendor's deployment code")
    # Several workers test at once; one installs.
    with open(Path(tempfile.gettempdir()) / f"emr-steward-toolkit-{os.getuid()}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _versions(TOOLKIT / "node_modules" / ".package-lock.json") != _versions(TOOLKIT / "package-lock.json"):
            try:
                done = subprocess.run(
                    [npm, "ci"], cwd=TOOLKIT, capture_output=True, text=True, timeout=240, check=False
                )
            except subprocess.TimeoutExpired:
                pytest.skip("npm ci took more than four minutes: the registry is out of reach")
            if done.returncode:
                assert not OUR_FAULT.search(done.stderr), done.stderr
                code = re.search(r"code \w+", done.stderr)
                pytest.skip(f"npm ci failed, the registry is out of reach: {code[0] if code else done.stderr[-200:]}")
    return Path(node)


def _versions(lock: Path) -> dict[str, str]:
    """What a lock file pins; empty where there is none."""
    try:
        packages = json.loads(lock.read_text(encoding="utf-8"))["packages"]
    except FileNotFoundError:
        return {}
    return {name: one["version"] for name, one in packages.items() if name and not one.get("optional")}


def deployed_by(node: Path, *files: Path) -> list[Deployed]:
    """Each file, deployed by the vendor's code with nothing but one secret set."""
    done = subprocess.run(
        [str(node), "deployment.js", *map(str, files)],
        cwd=TOOLKIT,
        env={"PATH": "/usr/bin:/bin", "STEWARD_SECRET_TCOP": "a-secret-of-the-test"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [
        Deployed(one.get("calls", []), one.get("again", []), one.get("error", "")) for one in json.loads(done.stdout)
    ]


@pytest.fixture(scope="module")
def ours(toolkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    """The file that is shipped, by somebody who set one secret."""
    deployed = deployments(toolkit, tmp_path_factory)["serverless.yml"]
    assert not deployed.error
    return deployed


Deploy = Callable[[dict[str, Any]], Deployed]


@pytest.fixture(scope="module")
def deploy(toolkit: Path, tmp_path_factory: pytest.TempPathFactory) -> Deploy:
    """What the vendor's code makes of a file, which must be one of :func:`deployable`."""
    made = deployments(toolkit, tmp_path_factory)
    return lambda raw: made[json.dumps(raw)]


def deployments(toolkit: Path, factory: pytest.TempPathFactory) -> dict[str, Deployed]:
    """All that is deployed here, by its text; the vendor's code takes long to start, so it does once."""

    def make(folder: Path) -> dict[str, Deployed]:
        files = {"serverless.yml": FILE}
        for number, raw in enumerate(deployable()):
            files[json.dumps(raw)] = written(folder / f"{number}.yml", raw)
        return dict(zip(files, deployed_by(toolkit, *files.values()), strict=True))

    return made_once(factory, "deployments", make)


# -- the function


def test_the_function_is_created_as_the_file_defines(ours: Deployed) -> None:
    """Handler, runtime, memory, time limit and role; the network open, since the API must be called; nothing installed over there."""
    (sent,) = ours.inputs_of("CreateFunction")
    created = {key: value for key, value in sent.items() if key != "Environment"}
    assert created == {
        "FunctionName": "emr-steward",
        "Namespace": "default",
        "Type": "Event",
        "DeployMode": "code",
        "Code": CODE,
        "Handler": "index.main_handler",
        "Runtime": "Python3.10",
        "MemorySize": 128,
        "Timeout": 60,
        "Role": "emr-steward",
        "Description": "Restarts, starts and stops EMR services, once and verified.",
        "PublicNetConfig": {"PublicNetStatus": "ENABLE", "EipConfig": {"EipStatus": "DISABLE"}},
        "InstallDependency": "FALSE",
        "L5Enable": "FALSE",
        "DiskSize": 512,
    }
    assert {one["Key"]: one["Value"] for one in sent["Environment"]["Variables"]} == {
        "STEWARD_MODE": "observe",
        "STEWARD_LEDGER": "sqlite:////tmp/steward-ledger.db",
        "STEWARD_SECRET_TCOP": "a-secret-of-the-test",
    }
    assert {(call["service"], call["region"]) for call in ours.calls} == {("scf", "ap-guangzhou")}


def test_the_handler_is_there() -> None:
    """``index.main_handler``: a file in the root of the package, and a function in it that takes an event and a context."""
    import inspect

    import index

    module, _, function = RAW["inputs"]["handler"].partition(".")
    assert (ROOT / f"{module}.py").is_file()
    assert list(inspect.signature(getattr(index, function)).parameters) == ["event", "context"]


def test_the_role_has_our_policies() -> None:
    """The file's comment sends to the policies that `steward policy` writes."""
    for name in re.findall(r"deploy/[\w-]+\.json", FILE.read_text(encoding="utf-8")):
        assert json.loads((ROOT / name).read_text(encoding="utf-8"))["statement"]


# -- the triggers


def test_the_url_is_open_to_both_networks_without_the_platforms_authentication(ours: Deployed) -> None:
    """Senders cannot sign for the platform: the function authenticates them itself."""
    (url,) = [one for one in ours.inputs_of("CreateTrigger") if one["Type"] == "http"]
    assert url["Qualifier"] == "$DEFAULT"
    assert url["Enable"] == "OPEN"
    assert json.loads(url["TriggerDesc"]) == {
        "AuthType": "NONE",
        "NetConfig": {"EnableIntranet": True, "EnableExtranet": True},
    }


def test_each_timer_is_created_switched_on_with_its_argument(ours: Deployed) -> None:
    """The follow-up each minute, and the examples of a night and a morning; in seven fields."""
    timers = [one for one in ours.inputs_of("CreateTrigger") if one["Type"] == "timer"]
    assert {one["TriggerName"]: (one["TriggerDesc"], one["CustomArgument"]) for one in timers} == {
        "follow-up": ("0 * * * * * *", FOLLOW_UP),
        "hbase-night": ("0 0 22 * * * *", "nightly-stop"),
        "hbase-morning": ("0 0 7 * * * *", "morning-start"),
    }
    for timer in timers:
        assert timer["Enable"] == "OPEN"
        assert timer["Qualifier"] == "$DEFAULT"
        assert not cron.problem_of(timer["TriggerDesc"])
    assert len(ours.inputs_of("CreateTrigger")) == 1 + len(timers)


def test_each_timers_event_has_its_rule(ours: Deployed) -> None:
    """What the platform will deliver for each argument that is sent: the follow-up, or an event for exactly one rule of steward.yml."""
    served = {}
    for timer in ours.inputs_of("CreateTrigger"):
        if timer["Type"] == "timer" and timer["CustomArgument"] != FOLLOW_UP:
            (event,) = events_of(timer_event(timer["TriggerName"], timer["CustomArgument"], 0.0))
            (rule,) = [rule for rule in CONFIG.rules if rule.matches(event.view())]
            served[timer["TriggerName"]] = (rule.name, rule.action.op_type.value)
    assert served == {
        "hbase-night": ("nightly-stop", "StopService"),
        "hbase-morning": ("morning-start", "StartService"),
    }


# -- once more


def test_the_second_deployment_leaves_the_timers_alone(ours: Deployed) -> None:
    """An upgrade changes code and configuration and updates the URL; no trigger is deleted, so no minute is missed."""
    changes = [call for call in ours.again if not call["action"].startswith(("Get", "List"))]
    assert [call["action"] for call in changes] == [
        "UpdateFunctionCode",
        "UpdateFunctionConfiguration",
        "UpdateTrigger",
    ]
    (created,) = ours.inputs_of("CreateFunction")
    configuration = changes[1]["input"]
    assert {key: created[key] for key in configuration} == configuration
    (url,) = [one for one in ours.inputs_of("CreateTrigger") if one["Type"] == "http"]
    assert changes[2]["input"] == url


# -- the keys


def written(path: Path, raw: dict[str, Any]) -> Path:
    """The file; JSON is YAML."""
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def variant(change: dict[str, Any], among: str = "", gone: str = "") -> dict[str, Any]:
    """The shipped file with ``change``, and without ``gone``, in ``inputs`` or in the parameters of its first trigger ``among``."""
    raw: dict[str, Any] = copy.deepcopy(RAW)
    events = raw["inputs"]["events"]
    place = next(one[among]["parameters"] for one in events if among in one) if among else raw["inputs"]
    place.update(change)
    place.pop(gone, None)
    return raw


DROPPED: list[tuple[str, dict[str, Any], str]] = [
    ("timer", {"arguments": "a"}, "parameters.arguments: unknown key (did you mean argument?)"),
    ("timer", {"timeZone": "Asia/Shanghai"}, "parameters.timeZone: unknown key"),
]
DEMANDED = [
    ("", "timeout", '"Timeout": 3,', "inputs.timeout: is missing"),
    ("timer", "enable", '"Enable": "CLOSE"', "parameters.enable: is missing"),
]
EMPTY = variant({"environment": {"variables": {"STEWARD_MODE": "", "TZ": None}}})


def deployable() -> Iterator[dict[str, Any]]:
    """Every file that is deployed here, besides the shipped one."""
    yield EMPTY
    yield from (variant(change, among) for among, change, _ in DROPPED)
    yield from (variant({}, among, gone) for among, gone, _, _ in DEMANDED)


@pytest.mark.parametrize(("among", "change", "expected"), DROPPED)
def test_what_the_vendor_drops_silently_is_refused(
    ours: Deployed, deploy: Deploy, tmp_path: Path, among: str, change: dict[str, Any], expected: str
) -> None:
    """The vendor makes the same calls with the mistake as without it, and reports nothing."""
    raw = variant(change, among)
    assert not deploy(raw).error
    assert deploy(raw).calls == ours.calls
    _refused(tmp_path, raw, expected)


@pytest.mark.parametrize(("among", "gone", "sent", "expected"), DEMANDED)
def test_what_the_vendor_replaces_by_a_harmful_default_is_required(
    ours: Deployed, deploy: Deploy, tmp_path: Path, among: str, gone: str, sent: str, expected: str
) -> None:
    """Three seconds, and a timer that is switched off."""
    raw = variant({}, among, gone)
    assert not deploy(raw).error
    assert json.dumps(deploy(raw).calls).count(sent) > json.dumps(ours.calls).count(sent)
    _refused(tmp_path, raw, expected)


def test_an_empty_value_would_be_sent_as_it_is_and_is_refused(deploy: Deploy, tmp_path: Path) -> None:
    """An empty text as an empty text, nothing at all as the word null."""
    (created,) = deploy(EMPTY).inputs_of("CreateFunction")
    assert created["Environment"]["Variables"] == [{"Key": "STEWARD_MODE", "Value": ""}, {"Key": "TZ", "Value": "null"}]
    _refused(tmp_path, EMPTY, "variables.STEWARD_MODE: is empty")
    _refused(tmp_path, EMPTY, "variables.TZ: is empty")


def _refused(folder: Path, raw: dict[str, Any], expected: str) -> None:
    path = written(folder / "serverless.yml", raw)
    with pytest.raises(InvalidConfiguration) as raised:
        serverless_file.load(path, CONFIG, {})
    assert any(expected in str(problem) for problem in raised.value.problems), str(raised.value)

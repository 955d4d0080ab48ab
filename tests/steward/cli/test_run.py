"""``steward run``: the target, the mode, several events in a row, and what is delivered to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.ledger.ledger import open_ledger
from handler.lib.clock import SystemClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from tests.command import ROOT, steward

EVENTS = ROOT / "events"
DOWN = str(EVENTS / "alertmanager-datanode-down.json")
RESTART_HIVE = str(EVENTS / "request-restart-hive.json")
CREDENTIALS = {"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY}


def outcomes(document: str) -> list[tuple[str, str]]:
    """File and outcome of each row."""
    return [(Path(row["file"]).stem, row["outcome"]) for row in json.loads(document)["outcomes"]]


def test_it_shows_target_and_mode_first(tmp_path: Path) -> None:
    """A private fake cluster is never taken for the real one, nor the other way round."""
    resolved = str(EVENTS / "alertmanager-resolved.json")
    cases: list[tuple[dict[str, str], tuple[str, ...], str, str]] = [
        ({}, (), "the private fake cluster", "act, each event as if it had just happened"),
        ({}, ("--as-it-is",), "the private fake cluster", "act, each event with its own time"),
        (
            {"STEWARD_EMR_ENDPOINT": "global"},
            (),
            "https://emr.tencentcloudapi.com (real)",
            "observe, each event with its own time; --act sends requests",
        ),
        (
            {"STEWARD_EMR_ENDPOINT": "http://127.0.0.1:9", "STEWARD_MODE": "act"},
            (),
            "http://127.0.0.1:9 (not the cloud itself)",
            "observe, each event with its own time; --act sends requests",
        ),
        (
            {"STEWARD_EMR_ENDPOINT": "regional"},
            ("--act",),
            "https://emr.{region}.tencentcloudapi.com (real)",
            "act, each event as if it had just happened",
        ),
    ]
    for env, options, target, mode in cases:
        said = steward("run", resolved, *options, cwd=tmp_path, **env).stdout
        assert said.splitlines()[1:3] == [f"target   {target}", f"mode     {mode}"], said


@pytest.mark.parametrize(
    ("options", "outcome", "sent"),
    [
        ((), "skipped", 0),  # older than max_event_age
        (("--now",), "skipped", 0),
        (("--act", "--as-it-is"), "skipped", 0),
        (("--act",), "done", 1),
    ],
)
def test_another_cluster_is_acted_on_only_with_act(
    tmp_path: Path, options: tuple[str, ...], outcome: str, sent: int
) -> None:
    """And an old alert is no new one there, unless that is wanted."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.1)
    cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    with CloudServer(cloud) as server:
        done = steward("run", DOWN, *options, "--json", cwd=tmp_path, STEWARD_EMR_ENDPOINT=server.url, **CREDENTIALS)
    document = json.loads(done.stdout)
    assert len(cloud.operations) == sent
    assert (document["target"], document["mode"]) == (
        f"{server.url} (not the cloud itself)",
        "act" if "--act" in options else "observe",
    )
    assert [row["outcome"] for row in document["outcomes"]] == [outcome], document["outcomes"]


@pytest.mark.parametrize(
    ("options", "env", "says"),
    [
        (("--mode", "act"), {"STEWARD_EMR_ENDPOINT": "global"}, "acts on the private fake cluster only; use --act"),
        (("--act", "--mode", "observe"), {}, "contradicts --mode observe"),
        ((), {"STEWARD_MDOE": "observe"}, "STEWARD_MDOE: nothing reads it (did you mean STEWARD_MODE?)\n"),
        ((), {"STEWARD_XYZZY_PLUGH": "1"}, "STEWARD_XYZZY_PLUGH: nothing reads it (unset it)\n"),
        (("--fresh",), {"STEWARD_LEDGER": "sqlite:///mine.db"}, "--fresh: empties only the private fake"),
        (("--fresh",), {"STEWARD_EMR_ENDPOINT": "global"}, "--fresh: empties only the private fake"),
    ],
)
def test_what_was_probably_not_meant_stops_it(
    tmp_path: Path, options: tuple[str, ...], env: dict[str, str], says: str
) -> None:
    """Before anything is delivered, with exit code 2."""
    done = steward("run", DOWN, *options, cwd=tmp_path, **env)
    assert done.returncode == 2
    assert says in done.stderr
    assert "  event " not in done.stdout


def test_a_stop_and_then_a_start(tmp_path: Path) -> None:
    """The second event finds what the first one began at its end: it is repeated as the platform would."""
    names = "timer-nightly-stop", "timer-morning-start"
    files = [str(EVENTS / f"{name}.json") for name in names]
    done = steward("run", *files, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    document = json.loads(done.stdout)
    assert [request["OpType"] for request in document["requests"]] == ["StopService", "StartService"]
    assert [operation["state"] for operation in document["operations"]] == ["VERIFIED", "VERIFIED"]
    assert outcomes(done.stdout)[-1] == (names[1], "done")


def test_a_rolling_restart_ends_before_the_next_event(tmp_path: Path) -> None:
    """It takes minutes, and an HTTP caller waits 4 s: the simulated clock runs on in between."""
    body = Path(RESTART_HIVE).read_text(encoding="utf-8")
    call = tmp_path / "call.json"
    call.write_text(json.dumps({"httpMethod": "POST", "path": "/", "headers": {}, "body": body}))
    done = steward("run", str(call), DOWN, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    first, second = done.stdout.split(DOWN)
    assert "  outcome unverified: " in first
    assert "  later   the simulated clock runs on until every operation has ended\n" in first
    assert " is VERIFIED: " in first
    assert "  outcome done: " in second


def test_fresh_begins_with_an_empty_ledger(tmp_path: Path) -> None:
    """So that nothing of earlier deliveries holds an event back."""
    assert outcomes(steward("run", DOWN, "--json", cwd=tmp_path).stdout)[-1][1] == "done"
    assert outcomes(steward("run", DOWN, "--json", cwd=tmp_path).stdout)[-1][1] == "deferred"
    assert outcomes(steward("run", DOWN, "--fresh", "--json", cwd=tmp_path).stdout)[-1][1] == "done"
    ledger = open_ledger(f"sqlite:///{tmp_path}/.steward/fake.db")
    assert len(ledger.records()) == 1
    ledger.close()


def test_an_event_on_standard_input_is_called_stdin(tmp_path: Path) -> None:
    """In the heading and in the rows; ``-`` says nothing to a reader."""
    text = Path(DOWN).read_text(encoding="utf-8")
    assert "\nstdin\n" in steward("run", "-", cwd=tmp_path, stdin=text).stdout
    document: dict[str, Any] = json.loads(steward("run", "-", "--json", cwd=tmp_path, stdin=text).stdout)
    assert {row["file"] for row in document["outcomes"]} == {"stdin"}
    assert steward("run", "-", cwd=tmp_path, stdin="{").stderr.startswith("stdin: is not valid JSON: ")
    assert steward("run", "-", cwd=tmp_path, stdin="\udcff").stderr == "stdin: is not UTF-8 (save it as UTF-8)\n"


def test_the_doctor_s_report_is_printed(tmp_path: Path) -> None:
    """For people as `steward doctor` prints it, for programs as the function returns it; a failure is one."""
    event = json.dumps({"steward": "doctor"})
    said = steward("run", "-", cwd=tmp_path, stdin=event)
    assert "ok         cluster emr-4zvc5mul: " in said.stdout, said.stdout
    document = json.loads(steward("run", "-", "--json", cwd=tmp_path, stdin=event).stdout)
    states = {row["name"]: row["state"] for row in document["doctor"]}
    assert states["cluster emr-4zvc5mul"] == "ok"
    assert said.returncode == int("fail" in states.values()), states
    broken = steward("run", "-", cwd=tmp_path, stdin=event, STEWARD_EMR_ENDPOINT="http://127.0.0.1:9")
    assert broken.returncode == 1
    assert "fail       credentials: " in broken.stdout

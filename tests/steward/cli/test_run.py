"""``steward run``: the target, the mode, several events in a row, and what is delivered to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.ledger.ledger import open_ledger
from handler.lib.clock import SystemClock
from handler.report.history import past_of
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
        ((), "skipped", 0),
        (("--now",), "skipped", 0),
        (("--act", "--as-it-is"), "done", 1),  # the age of an alert is that of its delivery
        (("--act",), "done", 1),
    ],
)
def test_another_cluster_is_acted_on_only_with_act(
    tmp_path: Path, options: tuple[str, ...], outcome: str, sent: int
) -> None:
    """Without it nothing is left that a later command would send."""
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
    assert document["pending"] == []


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
    """Each is carried out before the next comes."""
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
    assert "  outcome accepted: " in first
    assert "  later   the simulated clock runs on until nothing changes any more\n" in first
    assert " is VERIFIED: " in first
    assert "  outcome done: " in second


FREEZE = "safety: {freezes: [{from: '2020-01-01T00:00:00Z', to: '2120-01-01T00:00:00Z', reason: always}]}\n"


def test_what_is_pending_goes_on_only_where_it_may_act(tmp_path: Path) -> None:
    """With --act it is left to the follow-up, which sends it; what was only observed ends with the command."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.1)
    cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    example = (ROOT / "steward.yml").read_text(encoding="utf-8")
    (tmp_path / "steward.yml").write_text(example, encoding="utf-8")
    (tmp_path / "frozen.yml").write_text(example.partition("safety:")[0] + FREEZE, encoding="utf-8")
    (tmp_path / "other.yml").write_text("clusters: {}\n", encoding="utf-8")
    with CloudServer(cloud) as server:
        env = {"STEWARD_EMR_ENDPOINT": server.url, **CREDENTIALS}
        for options, left in (((), 0), (("--act",), 1)):
            done = steward("run", DOWN, "--now", "--config", "frozen.yml", *options, "--json", cwd=tmp_path, **env)
            assert done.returncode == 0, done.stdout + done.stderr
            assert [row["outcome"] for row in json.loads(done.stdout)["outcomes"]] == ["pending"]
            history = json.loads(steward("history", "--json", cwd=tmp_path, **env).stdout)
            assert len(history["open"]) == left
        assert "held by guard.freeze" in steward("explain", history["events"][0]["event"], cwd=tmp_path, **env).stdout
        wrong = steward("follow-up", "--config", "other.yml", cwd=tmp_path, **env)
        assert (wrong.returncode, "emr-4zvc5mul: it is not listed" in wrong.stdout) == (1, True)
        held = steward("follow-up", "--config", "frozen.yml", cwd=tmp_path, **env)
        assert (held.returncode, len(cloud.operations)) == (0, 0)
        assert "held by guard.freeze (a freeze is in force until 2120-01-01T00:00:00Z: always)" in held.stdout
        sent = steward("follow-up", cwd=tmp_path, **env)
        assert (sent.returncode, len(cloud.operations)) == (0, 1), sent.stdout
        event = history["events"][0]["event"]  # an earlier command delivered it, so its line says whose it is
        assert f"  settled {event} → done: RestartService verified on HDFS/DataNode/172.16.0.5" in sent.stdout


def test_fresh_begins_with_an_empty_ledger(tmp_path: Path) -> None:
    """So that nothing of earlier deliveries holds an event back."""
    assert outcomes(steward("run", DOWN, "--json", cwd=tmp_path).stdout)[-1][1] == "done"
    assert outcomes(steward("run", DOWN, "--json", cwd=tmp_path).stdout)[-1][1] == "pending"
    assert outcomes(steward("run", DOWN, "--fresh", "--json", cwd=tmp_path).stdout)[-1][1] == "done"
    ledger = open_ledger(f"sqlite:///{tmp_path}/.steward/fake.db")
    assert len(past_of(ledger).records) == 1
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

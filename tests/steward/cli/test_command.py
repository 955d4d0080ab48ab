"""The steward command, as a person uses it: what it prints, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from handler.ledger.ledger import open_ledger
from handler.lib.clock import SystemClock
from handler.model.alarm import Alarm
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from steward.simulate.clock import AheadClock
from tests.command import ROOT, steward

EVENTS = ROOT / "events"


def sample(name: str) -> str:
    """The path of a file of events/."""
    return str(EVENTS / f"{name}.json")


DOWN = sample("alertmanager-datanode-down")
RESTART_HIVE = sample("request-restart-hive")
PROCESS = "HDFS/datanode/172.16.0.5"


def test_the_demo_verifies_everything(tmp_path: Path) -> None:
    """Exit 0 only if every operation was verified; no colours where there is no terminal."""
    done = steward("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for step in ("event", "rule", "request", "verify", "end", "outcome"):
        assert len(re.findall(rf"^  {step} ", done.stdout, re.MULTILINE)) >= 3
    assert "\x1b[" not in done.stdout


@pytest.mark.parametrize(
    "spelling",
    [
        "HDFS/datanode/172.16.0.5",
        "HDFS/DataNode/172.16.0.5",
        "hdfs/DATANODE/172.16.0.5",
        "HDFS/DataNode@172.16.0.5",
    ],
)
def test_release_takes_any_spelling(tmp_path: Path, spelling: str) -> None:
    """As the outcome, the alert or the console has it; it says in which cluster, and only there where one is named."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    for cluster in ("emr-4zvc5mul", "emr-8kd2m1qp"):
        alarm = Alarm("guard.quarantine", cluster, "HDFS/datanode/172.16.0.5", "it dies", fix="look")
        ledger.change(cluster, lambda record, alarm=alarm: record.tell(alarm, time.time()))  # type: ignore[misc]
    where = {"STEWARD_LEDGER": f"sqlite:///{tmp_path}/ledger.db"}
    listed = steward("release", cwd=tmp_path, **where).stdout.splitlines()
    assert [line.partition("  since ")[0] for line in listed] == [
        "emr-4zvc5mul  HDFS/DataNode/172.16.0.5",
        "emr-8kd2m1qp  HDFS/DataNode/172.16.0.5",
    ]
    done = steward("release", spelling, "--cluster", "emr-8kd2m1qp", cwd=tmp_path, **where)
    assert (done.returncode, done.stdout) == (
        0,
        "HDFS/DataNode/172.16.0.5 is released in emr-8kd2m1qp; the next alert about it is served\n",
    )
    assert steward("release", cwd=tmp_path, **where).stdout.startswith("emr-4zvc5mul  HDFS/DataNode/172.16.0.5  since ")
    assert ledger.load("emr-8kd2m1qp").record.released.keys() == {"HDFS/datanode/172.16.0.5"}
    ledger.close()


def test_run_explain_history(tmp_path: Path) -> None:
    """An event is delivered, told, remembered, and explained afterwards."""
    done = steward("run", DOWN, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    (outcome,) = told["outcomes"]
    assert outcome["outcome"] == "done"
    assert told["requests"][0]["OpType"] == "RestartService"
    assert [operation["state"] for operation in told["operations"]] == ["VERIFIED"]
    again = steward("run", DOWN, cwd=tmp_path)
    assert re.search(r"outcome +pending: .*cooldown", again.stdout), again.stdout
    assert re.search(r"settled +done: ", again.stdout), again.stdout
    history = json.loads(steward("history", "--json", cwd=tmp_path).stdout)
    assert history["operations"][0]["state"] == "VERIFIED"
    assert "VERIFIED" in steward("history", "--since", "1h", cwd=tmp_path).stdout
    past = steward("explain", outcome["event_id"], cwd=tmp_path)
    row = json.loads(steward("explain", outcome["event_id"], "--json", cwd=tmp_path).stdout)
    assert [(one["outcome"], one["settled"]) for one in row["events"]] == [("done", None)]
    assert ([one["state"] for one in row["operations"]], row["open"]) == (["VERIFIED"], [])
    later = json.loads(steward("history", "--json", cwd=tmp_path).stdout)["events"][0]
    assert (later["outcome"], later["code"], later["settled"]["outcome"]) == ("pending", "guard.cooldown", "done")
    assert re.search(
        r"^    settled \S+Z  done: ", steward("explain", later["event"], cwd=tmp_path).stdout, re.MULTILINE
    )
    header, when, *facts, operation = past.stdout.splitlines()
    assert header == f"alertmanager: DataNodeDown {outcome['event_id']}"
    assert re.fullmatch(
        r"  \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  done: RestartService verified on HDFS/DataNode/172.16.0.5", when
    )
    assert facts == [
        "    cluster: emr-4zvc5mul",
        "    rule: restart-dead-process",
        "    invocation: local-1",
    ]
    assert re.fullmatch(r"    op-[0-9a-f]{16}: RestartService VERIFIED, RequestId \S+; 1 of 1 verified", operation)
    assert steward("release", "HDFS/datanode/172.16.0.5", cwd=tmp_path).returncode == 1


def test_several_files_are_told_apart(tmp_path: Path) -> None:
    """Each outcome bears its file; whatever makes the exit code 1 is among the errors."""
    bad = sample("bad-request-misspelt")
    done = steward("run", DOWN, bad, "--json", cwd=tmp_path)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [(line["file"], line["outcome"]) for line in told["outcomes"]] == [(DOWN, "done"), (bad, "refused")]
    assert [error["file"] for error in told["errors"]] == [bad]
    assert told["errors"][0]["error"].startswith("refused: ")


def test_a_storm_is_told_in_a_few_lines(tmp_path: Path) -> None:
    """What holds of a thousand alerts is said a few times, and each time of which; a person has to look at the cluster."""
    held = steward("run", sample("storm-1000"), cwd=tmp_path)
    assert held.returncode == 1
    assert len(held.stdout.splitlines()) <= 30, held.stdout
    whose = r"^  outcome HDFS/DataNode/172.16.0.5 \(\S+@\S+\) → pending: 5 of 5 DataNode do not serve"
    assert re.search(whose, held.stdout, re.MULTILINE), held.stdout
    assert "  outcome and 995 more\n" in held.stdout
    assert re.search(
        r"^  alarm   HDFS DataNode on analytics.* → Find out .* \(guard.storm\)$", held.stdout, re.MULTILINE
    )
    assert re.search(r"^  pending RestartService of .*: held by guard.storm$", held.stdout, re.MULTILINE)
    assert steward("follow-up", cwd=tmp_path).stdout == "Nothing is open in .steward/fake.db.\n"
    ends = [row["settled"] for row in json.loads(steward("history", "--json", cwd=tmp_path).stdout)["events"]]
    assert {end["outcome"] for end in ends if end} == {"withdrawn"}


def test_explain_speaks_json(tmp_path: Path) -> None:
    """What each rule makes of each event: what it asks for, or what does not match."""
    (event,) = json.loads(steward("explain", DOWN, "--json", cwd=tmp_path).stdout)["events"]
    assert (event["source"], event["component"]) == ("alertmanager", "DataNode")
    by_name = {row["rule"]: row for row in event["rules"]}
    asked = by_name["restart-dead-process"]
    assert (asked["matches"], asked["asks"]) == (True, "RestartService HDFS/DataNode/172.16.0.5 on emr-4zvc5mul")
    assert by_name["nightly-stop"]["mismatches"][0]["path"] == "source"
    (direct,) = json.loads(steward("explain", RESTART_HIVE, "--json", cwd=tmp_path).stdout)["events"]
    assert direct["request"]["OpType"] == "RestartService"
    none = steward("explain", sample("bad-number"), "--json", cwd=tmp_path)
    assert none.returncode == 1
    assert json.loads(none.stdout)["events"][0]["problem"]


def test_what_a_private_fake_is_still_at_is_finished_when_it_ends(tmp_path: Path) -> None:
    """A rolling restart takes minutes; by the fake's clock, not by that of whoever waits. Nothing is left open."""
    call = json.loads((EVENTS / "request-restart-hive.json").read_text(encoding="utf-8"))
    body = json.dumps(call)  # an HTTP sender is answered after 4 s
    event = json.dumps({"httpMethod": "POST", "path": "/", "headers": {}, "body": body})
    done = steward("run", "-", cwd=tmp_path, stdin=event)
    assert re.search(r"^  outcome accepted: ", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^  end     op-[0-9a-f]{16} is VERIFIED: ", done.stdout, re.MULTILINE)
    assert re.search(r"^  settled done: ", done.stdout, re.MULTILINE)
    assert done.returncode == 0
    assert steward("follow-up", cwd=tmp_path).stdout == "Nothing is open in .steward/fake.db.\n"


def test_follow_up_says_what_became_of_what_is_open(tmp_path: Path) -> None:
    """As the timer does, once: still under way, then seen to have worked; what cannot be looked at is said, with exit code 1."""
    clock = AheadClock()
    cloud = demo_cloud(clock)
    event = json.dumps(
        {"httpMethod": "POST", "path": "/", "headers": {}, "body": Path(RESTART_HIVE).read_text("utf-8")}
    )
    with CloudServer(cloud) as server:
        env = {
            "STEWARD_EMR_ENDPOINT": server.url,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
        }
        sent = steward("run", "-", "--act", cwd=tmp_path, stdin=event, **env)
        assert re.search(r"^  outcome accepted: ", sent.stdout, re.MULTILINE), sent.stdout
        assert "  next    `steward follow-up` serves and looks at it" in sent.stdout
        waiting = steward("follow-up", cwd=tmp_path, **env)
        assert waiting.returncode == 0, waiting.stderr
        assert re.search(r"^  still ACCEPTED: .* observed until \d{4}-", waiting.stdout, re.MULTILINE), waiting.stdout
        cloud.denied.add((SECRET_ID, "DescribeServiceNodeInfos"))
        blind = steward("follow-up", cwd=tmp_path, **env)
        assert blind.returncode == 1
        assert "emr-4zvc5mul cannot be read: UnauthorizedOperation" in blind.stdout, blind.stdout
        assert re.search(r"^  still ACCEPTED: ", blind.stdout, re.MULTILINE)
        cloud.denied.clear()
        clock.move_on(240)
        done = steward("follow-up", "--json", cwd=tmp_path, **env)
        assert done.returncode == 0, done.stdout
        document = json.loads(done.stdout)
        assert [row["state"] for row in document["operations"]] == ["VERIFIED"]
        assert [row["outcome"] for row in document["settled"]] == ["done"]
    assert len(cloud.operations) == 1


def test_an_interrupted_run_says_what_goes_on(tmp_path: Path) -> None:
    """Ctrl-C ends the looking, not what was sent."""
    cloud = demo_cloud(SystemClock(), transition_seconds=60.0)
    cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    with CloudServer(cloud) as server:
        env = {
            "STEWARD_EMR_ENDPOINT": server.url,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
        }
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "steward", "run", DOWN, "--act"],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            assert any(line.startswith("  verify ") for line in running.stdout)
            running.send_signal(signal.SIGINT)
            assert running.wait(60) == 130
            said = running.stderr.read()
    assert re.fullmatch(r"Interrupted; op-[0-9a-f]{16} was sent and goes on: `steward follow-up` looks at it\n", said)


@pytest.mark.parametrize(
    ("arguments", "mode", "code"),
    [
        (("--mode", "observe"), "act", "mode.observe"),
        ((), "observe", "mode.observe"),
        (("--mode", "act"), "observe", "verified"),
    ],
)
def test_observe_sends_nothing(tmp_path: Path, arguments: tuple[str, ...], mode: str, code: str) -> None:
    """It says what it would send; STEWARD_MODE holds where no option says otherwise."""
    done = steward("run", DOWN, *arguments, "--json", cwd=tmp_path, STEWARD_MODE=mode)
    told = json.loads(done.stdout)
    assert told["outcomes"][0]["code"] == code
    assert len(told["requests"]) == (code == "verified")
    assert done.returncode == 0


MALFORMED = json.dumps(
    {"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "a"}, "startsAt": "yesterday"}]}
)
NO_TIME = "outcome refused: alerts[0].startsAt: is not an RFC 3339 time"


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "says"),
    [
        (("run", "missing.json"), "", 2, ("missing.json: cannot be read",)),
        (("run", "-"), "{", 2, ("stdin: is not valid JSON",)),
        (("run", "-"), '{"a": 1}', 1, ("outcome refused: the event is not recognised as any supported sender",)),
        (("run", "-"), MALFORMED, 1, (NO_TIME,)),
        (("run", "-", "--as-it-is"), MALFORMED, 1, (NO_TIME,)),
        (("run", sample("bad-function-url-duplicate-key")), "", 1, ("has a key twice in one object: 'OpType'",)),
        (("run", sample("bad-function-url-nan")), "", 1, ("holds NaN, which is not valid JSON",)),
        (("run", DOWN, "--mode", "dry"), "", 2, ("act nor observe",)),
        (("run", DOWN, "--config", "none.yml"), "", 2, ("none.yml: no such file",)),
        (("run",), "", 2, ("EVENT",)),
        (("check",), "", 0, ("steward.yml: fine. ", "serverless.yml: fine. 4 triggers.")),
        (("check", str(ROOT / "serverless.yml")), "", 0, ("serverless.yml: fine. 4 triggers.",)),
        (("check", "serverless.yml"), "", 2, ("serverless.yml: no such file",)),
        (("explain", DOWN), "", 0, ("yes  restart-dead-process", "nightly-stop: source is")),
        (("explain", RESTART_HIVE), "", 0, ("direct request",)),
        (("explain", sample("bad-function-url-nan")), "", 1, ("unreadable: body: holds NaN, which is not valid JSON",)),
        (("explain", sample("bad-tcop-status")), "", 1, ("unreadable: alarmStatus: ",)),
        (("explain", sample("alertmanager-one-bad")), "", 0, ("unreadable: alerts[", "yes  restart-dead-process")),
        (("release", "DataNode@172.16.0.5"), "", 2, ("is not SERVICE/COMPONENT/ADDRESS",)),
        (("release", "HDFS/datanode/172.16.0"), "", 2, ("is not SERVICE/COMPONENT/ADDRESS",)),
        (("history", "--since", "soon"), "", 2, ("is not a duration",)),
        (("schema",), "", 0, ("json-schema.org",)),
        (("--version",), "", 0, ("steward",)),
        (("--help",), "", 0, ("explain", "Exit codes:")),
    ],
)
def test_what_it_says_and_how_it_ends(
    tmp_path: Path, arguments: tuple[str, ...], stdin: str, code: int, says: tuple[str, ...]
) -> None:
    """In words, and by its exit code; never a traceback."""
    done = steward(*arguments, cwd=tmp_path, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    for text in says:
        assert text in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        *(
            (arguments, {}, ".steward/fake.db: there is no ledger yet (`steward run` creates it; STEWARD_LEDGER names another)\n")
            for arguments in (("history", "--json"), ("explain", "op"), ("release",), ("release", PROCESS), ("follow-up",))
        ),
        (("history",), {"STEWARD_LEDGER": "sqlite:///typo.db"}, "typo.db: there is no ledger yet (STEWARD_LEDGER)\n"),
        (("history",), {"STEWARD_LEDGER": "sqlite:////no/a.db"}, "/no/a.db: there is no ledger yet (STEWARD_LEDGER)\n"),
    ],
)  # fmt: skip
def test_looking_makes_no_ledger(tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], says: str) -> None:
    """A misspelt one is not read as one in which nothing happened, and nothing is left behind."""
    done = steward(*arguments, cwd=tmp_path, **env)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(says)
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_that_knows_nothing_is_named(tmp_path: Path) -> None:
    """By its file, so that another than the one that was meant is noticed."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/mine.db")
    assert ledger.lines() == []
    ledger.close()
    where = {"STEWARD_LEDGER": "sqlite:///mine.db"}
    for arguments, code, says in (
        (("history",), 0, "mine.db has no entry from the last 24h.\n"),
        (
            ("explain", "no-such-event"),
            1,
            "There is no file no-such-event, and no event or operation of this id in mine.db; ",
        ),
        (("release",), 0, "Nothing is in quarantine in mine.db.\n"),
        (("release", PROCESS), 1, "is not in quarantine; `steward release` lists what is"),
        (("follow-up",), 0, "Nothing is open in mine.db.\n"),
    ):
        done = steward(*arguments, cwd=tmp_path, **where)
        assert done.returncode == code
        assert says in done.stdout + done.stderr


def test_the_exit_codes_are_those_of_the_table(tmp_path: Path) -> None:
    """What the README and ``steward --help`` say of each; a failed follow-up and an interruption have tests of their own."""
    nowhere = {
        "STEWARD_EMR_ENDPOINT": "http://127.0.0.1:9",
        "TENCENTCLOUD_SECRET_ID": "a",
        "TENCENTCLOUD_SECRET_KEY": "b",
    }
    storm, unreadable = sample("storm-1000"), sample("bad-number")
    cases: list[tuple[int, str, tuple[str, ...], dict[str, str]]] = [
        (0, "done: ", ("run", DOWN), {}),
        (0, "skipped: ", ("run", sample("alertmanager-resolved")), {}),
        (1, "alarm   HDFS DataNode on analytics", ("run", storm), {}),
        (1, "refused: ", ("run", unreadable), {}),
        (1, "outcome pending: the cluster cannot be looked at", ("run", DOWN, "--act"), nowhere),
        (0, "", ("history",), {}),
        (0, "", ("explain", DOWN), {}),
        (1, "It contains no readable event.\n", ("explain", unreadable), {}),
        (1, "and no event or operation of this id in .steward/fake.db", ("explain", "none"), {}),
        (0, "Nothing is in quarantine", ("release",), {}),
        (1, "is not in quarantine", ("release", PROCESS), {}),
        (1, "fail ", ("doctor",), nowhere),
        (2, "is set but empty", ("doctor",), {"STEWARD_MODE": ""}),
        (2, "is set but empty", ("run", DOWN), {"STEWARD_MODE": ""}),
        (2, "none.yml: no such file\n", ("check", "none.yml"), {}),
        (2, "No such command", ("restart",), {}),
        (2, "there is no ledger yet", ("history",), {"STEWARD_LEDGER": "sqlite:///none.db"}),
        (2, "redis ledger 127.0.0.1:9", ("history",), {"STEWARD_LEDGER": "redis://127.0.0.1:9/0"}),
    ]
    for code, says, arguments, env in cases:
        done = steward(*arguments, cwd=tmp_path, **env)
        assert done.returncode == code, (arguments, done.stdout + done.stderr)
        assert says in done.stdout + done.stderr


def test_a_resolved_alert_is_explained_as_what_it_is(tmp_path: Path) -> None:
    """A rule for any status matches it, and yet nothing is done."""
    config = """
clusters: {emr-4zvc5mul: {region: ap-guangzhou, allow: [StartService]}}
rules:
  - {name: always, when: {source: [alertmanager]}, do: {operation: StartService, cluster: "{cluster}", scope: {HDFS: all}}}
"""
    (tmp_path / "steward.yml").write_text(config)
    done = steward("explain", sample("alertmanager-resolved"), cwd=tmp_path)
    assert done.returncode == 0
    assert "skip always" in done.stdout
    assert "the alert is resolved, so this is no longer asked for" in done.stdout
    assert "yes" not in done.stdout


def test_what_a_sender_wrote_is_no_markup(tmp_path: Path) -> None:
    """Brackets in an alert's name and id, or in a file's, are printed as they are: by run, by explain, by history."""
    alert = {"labels": {"alertname": "[/red]x"}, "startsAt": "2026-11-23T21:34:02Z", "fingerprint": "[/bold]f"}
    body = json.dumps({"version": "4", "status": "firing", "alerts": [alert]})
    (tmp_path / "[/dim]e.json").parent.mkdir(exist_ok=True)
    (tmp_path / "[/dim]e.json").write_text(json.dumps({"httpMethod": "POST", "headers": {}, "body": body}))
    for arguments in (("run", "[/dim]e.json"), ("explain", "[/dim]e.json"), ("history",)):
        done = steward(*arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "[/bold]f@" in done.stdout
    assert re.search(r"^  HTTP +200 ", steward("run", "[/dim]e.json", cwd=tmp_path).stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"TENCENTCLOUD_SECRET_ID": "a", "TENCENTCLOUD_SECRET_KEY": "b"}, "held by look.failed"),
        ({}, "set TENCENTCLOUD_SECRET_ID"),
    ],
)
def test_an_api_out_of_reach_is_told_at_once(tmp_path: Path, env: dict[str, str], says: str) -> None:
    """Refused connections and missing credentials end in an outcome; the platform's minutes are not waited for."""
    done = steward("run", DOWN, "--act", cwd=tmp_path, STEWARD_EMR_ENDPOINT="http://127.0.0.1:9", **env)
    assert done.returncode == 1
    assert says in done.stdout
    assert "fault of the steward" not in done.stdout


def test_a_ledger_that_cannot_be_used_is_found_out_at_once(tmp_path: Path) -> None:
    """Before anything is delivered, and not after the platform's retries."""
    cases = [("redis://127.0.0.1:9/0", "redis ledger 127.0.0.1:9: NotConnected")]
    if os.geteuid() != 0:  # who may write everything
        (tmp_path / "mine.db").touch(0o400)
        cases.append((f"sqlite:///{tmp_path}/mine.db", "mine.db: is not writable"))
    for url, says in cases:
        done = steward("run", DOWN, cwd=tmp_path, STEWARD_LEDGER=url)
        assert done.returncode == 2
        assert says in done.stderr
        assert "  event " not in done.stdout


@pytest.mark.parametrize("no_color", ["", "1"])
def test_without_colour_there_is_no_style_at_all(tmp_path: Path, no_color: str) -> None:
    """Neither bold nor dim, which NO_COLOR alone would leave."""
    env = {"TTY_COMPATIBLE": "1", "FORCE_COLOR": "1", "TERM": "xterm", **({"NO_COLOR": no_color} if no_color else {})}
    done = steward("explain", DOWN, cwd=tmp_path, **env)
    assert ("\x1b[" in done.stdout) == (not no_color)


def test_what_is_wrong_is_told_once_and_a_long_answer_is_cut(tmp_path: Path) -> None:
    """Not by the event, the outcome and the HTTP answer again; where an answer is not whole, an ellipsis says so."""
    alert = {"status": "firing", "labels": {"alertname": "a"}, "startsAt": "2026-11-23T21:34:02Z"}
    for alerts, says in (
        ([{**alert, "startsAt": "soon"}], r"400 Bad Request: the body contains no event that can be read"),
        ([{**alert, "fingerprint": str(number)} for number in range(9)], r'200 \{"outcomes":.{180,}…'),
    ):
        body = json.dumps({"version": "4", "alerts": alerts})
        done = steward("run", "-", cwd=tmp_path, stdin=json.dumps({"httpMethod": "POST", "headers": {}, "body": body}))
        assert re.search(rf"^  HTTP    {says}$", done.stdout, re.MULTILINE), done.stdout
        assert done.stdout.count("is not an RFC 3339 time") == (len(alerts) == 1)
    for name in ("bad-function-url-nan", "bad-tcop-status", "bad-number"):
        problem = "NaN|expected 1|is a number"
        assert len(re.findall(problem, steward("run", str(EVENTS / f"{name}.json"), cwd=tmp_path).stdout)) == 1


def test_it_says_which_configuration_it_used(tmp_path: Path) -> None:
    """First of all; that of the checkout stands in without being taken for one's own."""
    (tmp_path / "empty").mkdir()
    mine = tmp_path / "steward.yml"
    mine.write_text("clusters: {}\n", encoding="utf-8")
    cases: list[tuple[str, tuple[str, ...], dict[str, str], str, Path]] = [
        ("empty", (), {}, "the example (there is no steward.yml here)", ROOT / "steward.yml"),
        (".", (), {}, "steward.yml", Path("steward.yml")),
        ("empty", ("--config", str(mine)), {}, str(mine), mine),
        ("empty", (), {"STEWARD_CONFIG": str(mine)}, f"{mine} (STEWARD_CONFIG)", mine),
    ]
    for folder, options, env, says, file in cases:
        for command in ("run", "explain"):
            arguments = command, sample("alertmanager-resolved"), *options
            said = steward(*arguments, cwd=tmp_path / folder, **env).stdout
            assert said.startswith(f"config   {says}\n" + ("\n" if command == "explain" else "target   "))
        document = json.loads(steward(*arguments, "--json", cwd=tmp_path / folder, **env).stdout)
        assert document["config"] == str(file)


def test_a_process_has_one_name_wherever_it_is_told(tmp_path: Path) -> None:
    """As the cluster spells it: by run, by explain and by history."""
    said = steward("run", DOWN, cwd=tmp_path).stdout
    said += steward("explain", DOWN, cwd=tmp_path).stdout + steward("history", cwd=tmp_path).stdout
    for step in ("given ", "rule ", "request ", "verify  0 of 1", "yes ", " op-"):
        lines = [line for line in said.splitlines() if re.search(rf"^ .*{step}", line)]
        assert lines
        assert "HDFS/DataNode/172.16.0.5" in lines[0], step
    assert set(re.findall(r"(\S*datanode\S*)172", said, re.IGNORECASE)) == {"HDFS/DataNode/"}


def test_what_is_copied_from_a_narrow_screen_is_whole(tmp_path: Path) -> None:
    """The ids that explain asks for are neither cut nor broken, and no line of a rule is."""
    told = json.loads(steward("run", DOWN, "--json", cwd=tmp_path).stdout)
    (outcome,) = told["outcomes"]
    history = steward("history", cwd=tmp_path, COLUMNS="40").stdout
    assert re.search(rf"^  .* done +{outcome['event_id']}  restart-dead-process: ", history, re.MULTILINE)
    assert re.search(r"^  .* VERIFIED +op-[0-9a-f]{16}  emr-4zvc5mul: RestartService on ", history, re.MULTILINE)
    explained = steward("explain", DOWN, cwd=tmp_path, COLUMNS="40").stdout
    assert "  yes  restart-dead-process: RestartService HDFS/DataNode/172.16.0.5 on emr-4zvc5mul\n" in explained
    nothing = steward("history", "--cluster", "emr-none", cwd=tmp_path)
    assert nothing.stdout == ".steward/fake.db has no entry of emr-none from the last 24h.\n"


def test_history_tells_everything_and_where_it_is_cut(tmp_path: Path) -> None:
    """What the guard weighed and what verification saw in the lines, in words; every field of an operation in the document; and whether there is more."""
    for _ in range(3):
        steward("run", DOWN, cwd=tmp_path)
        time.sleep(1.1)  # in one and the same second it would be one alert that comes again
    text = steward("history", cwd=tmp_path).stdout
    assert re.search(r"^    1 of 1 verified$", text, re.MULTILINE)
    assert re.search(
        r" restart-dead-process: HDFS/DataNode/\S+ had operation .*; its cooldown of 15 min is over in ", text
    )
    assert re.search(r"^    settled \S+Z  done: RestartService verified on ", text, re.MULTILINE)
    assert re.search(r"^    invocation local-1$", text, re.MULTILINE)
    for raw in ("cooldown_s", "guard cooldown", "attempts", "mode act", "processes 1"):
        assert raw not in text
    assert "Only the newest" not in text
    cut = steward("history", "--limit", "2", cwd=tmp_path).stdout
    assert cut.endswith("Only the newest 2 operations and events are shown; --limit N shows more.\n")
    document = json.loads(steward("history", "--limit", "2", "--json", cwd=tmp_path).stdout)
    assert (document["cut"], len(document["events"])) == (["operations", "events"], 2)
    operation = document["operations"][0]
    assert (operation["targets"], operation["processes"]) == ("HDFS/DataNode/172.16.0.5", 1)
    assert operation["ended_at"] > operation["armed_at"]
    assert (operation["is_command"], operation["code"], operation["problem"]) == (False, "", "")


def test_history_tells_what_cannot_be_read_and_shows_the_rest(tmp_path: Path) -> None:
    """Lines and a cluster's record of a damaged ledger; by explain too."""
    named = {"STEWARD_LEDGER": f"sqlite:///{tmp_path}/mine.db"}
    (first,) = json.loads(steward("run", DOWN, "--json", cwd=tmp_path, **named).stdout)["outcomes"]
    with sqlite3.connect(tmp_path / "mine.db") as db:
        db.execute("UPDATE lines SET text = '{' WHERE id LIKE 'op-%'")
        db.execute("UPDATE records SET value = x'7b', version = version + 1, has_open = 1 WHERE key = 'emr-4zvc5mul'")
    db.close()
    broken = r"The record of emr-4zvc5mul cannot be read: .*"
    for arguments in (("explain", first["event_id"]), ("history",)):
        done = steward(*arguments, cwd=tmp_path, **named)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "RestartService verified on HDFS/DataNode/172.16.0.5" in done.stdout
        assert re.search(broken, done.stdout)
    assert done.stdout.endswith("1 line of history cannot be read.\n")
    document = json.loads(steward("history", "--json", cwd=tmp_path, **named).stdout)
    assert (document["unreadable"]["lines"], [*document["unreadable"]["clusters"]]) == (1, ["emr-4zvc5mul"])
    assert [row["event"] for row in document["events"]] == [first["event_id"]]
    released = steward("release", PROCESS, cwd=tmp_path, **named)
    assert (released.returncode, "emr-4zvc5mul cannot be read" in released.stderr) == (1, True)


def test_a_fake_cluster_proves_nothing_of_a_real_one(tmp_path: Path) -> None:
    """What the fake accepted is no right of the real role, and holds nothing back there; in a ledger that was named, it is said."""
    assert steward("run", DOWN, cwd=tmp_path).returncode == 0
    permissions = [
        row for row in json.loads(steward("doctor", "--json", cwd=tmp_path).stdout) if "permission" in row["name"]
    ]
    assert permissions
    assert {row["state"] for row in permissions} == {"unknown"}
    assert "VERIFIED" in steward("history", cwd=tmp_path).stdout
    assert "VERIFIED" not in steward("history", cwd=tmp_path, STEWARD_EMR_ENDPOINT="global").stdout
    named = steward("run", DOWN, cwd=tmp_path, STEWARD_LEDGER="sqlite:///mine.db")
    assert "operations on the private fake cluster are recorded in that ledger" in named.stderr
    assert (tmp_path / "mine.db").exists()


def test_a_fake_behind_an_endpoint_proves_nothing_either(tmp_path: Path) -> None:
    """Its operations are in a ledger of its own; in one that was named, it is said."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.1)
    cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    with CloudServer(cloud) as server:
        env = {
            "STEWARD_EMR_ENDPOINT": server.url,
            "TENCENTCLOUD_SECRET_ID": SECRET_ID,
            "TENCENTCLOUD_SECRET_KEY": SECRET_KEY,
        }
        done = steward("run", DOWN, "--act", cwd=tmp_path, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "VERIFIED" in steward("history", cwd=tmp_path, **env).stdout
        named = steward("run", DOWN, cwd=tmp_path, STEWARD_LEDGER="sqlite:///mine.db", **env)
    place = server.url.removeprefix("http://").replace(":", "-")
    assert f"operations on {place} are recorded in that ledger" in named.stderr
    assert [file.name for file in (tmp_path / ".steward").glob("*.db")] == [f"{place}.db"]
    for endpoint in ("global", "regional", "emr.tencentcloudapi.com"):
        assert "VERIFIED" not in steward("history", cwd=tmp_path, STEWARD_EMR_ENDPOINT=endpoint).stdout


def test_the_doctor_tells_what_is_missing_and_ends_by_it(tmp_path: Path) -> None:
    """0 where nothing fails, 1 where something does, 2 for settings or configuration; lines for people, JSON for programs."""
    steward_yml = tmp_path / "steward.yml"
    steward_yml.write_text(
        "clusters:\n  emr-4zvc5mul: {region: ap-guangzhou, allow: [RestartService]}\n", encoding="utf-8"
    )
    cloud = demo_cloud(SystemClock())
    with CloudServer(cloud) as server:
        env = {"STEWARD_EMR_ENDPOINT": server.url, "TENCENTCLOUD_SECRET_ID": SECRET_ID}
        well = steward("doctor", "--json", cwd=tmp_path, TENCENTCLOUD_SECRET_KEY=SECRET_KEY, **env)
        assert well.returncode == 0, well.stdout + well.stderr
        states = {row["name"]: row["state"] for row in json.loads(well.stdout)}
        assert states["credentials"] == states["cluster emr-4zvc5mul"] == states["clock"] == "ok"
        ill = steward("doctor", cwd=tmp_path, TENCENTCLOUD_SECRET_KEY="planted-secret-key", **env)
    assert ill.returncode == 1, ill.stdout + ill.stderr
    assert re.search(
        r"^fail +credentials: permanent key; AuthFailure.SignatureFailure.*\n +→ the secret key does not belong to the secret id",
        ill.stdout,
        re.MULTILINE,
    )
    told = re.findall(r"^(fail|warn|unknown|ok) +", ill.stdout, re.MULTILINE)
    assert told == sorted(told, key=["fail", "warn", "unknown", "ok"].index)
    assert re.search(r"\n\d+ fail, (\d+ warn, )?\d+ unknown, \d+ ok\n\Z", ill.stdout)
    assert "planted-secret-key" not in ill.stdout + ill.stderr
    assert "\x1b[" not in ill.stdout
    none = steward("doctor", "--config", "none.yml", cwd=tmp_path)
    assert none.returncode == 2
    assert "none.yml: no such file" in none.stdout
    assert not none.stderr
    assert {request.action for request in cloud.requests} == {"DescribeInstances", "DescribeServiceNodeInfos"}


def test_check_names_every_fault_with_its_line(tmp_path: Path) -> None:
    """All at once, not the first only."""
    (tmp_path / "steward.yml").write_text(
        "clusters:\n  emr-4zvc5mul: {region: ap-guangzhou, allow: [RestartService]}\nrules:\n"
        "  - name: a\n    when: {statsu: [firing]}\n    do: {operation: RestartService, cluster: '{clutser}', scope: {HDFS: all}}\n",
        encoding="utf-8",
    )
    done = steward("check", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 3
    assert "steward.yml:5: rules[0].when.statsu" in done.stderr
    assert "did you mean cluster" in done.stderr


def test_check_doubts_what_is_valid_and_probably_not_meant(tmp_path: Path) -> None:
    """With its line, and exit code 0; for programs the same as JSON."""
    file = tmp_path / "steward.yml"
    file.write_text(
        "clusters:\n  emr-4zvc5mul: {region: ap-guangzou, allow: [StopService]}\nrules:\n  - name: a\n"
        "    when: {ip: [{cidr: 172.16.0.5/16}, {cidr: 172.16.0.5/32}, {cidr: 'FD00::/8'}]}\n"
        "    do: {operation: StopService, cluster: emr-4zvc5mul, scope: {HDFS: all}}\n"
        "webhook: {callers: [{name: a, sources: [alertmanager], bearer_env: A}]}\n",
        encoding="utf-8",
    )
    done = steward("check", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == (
        "steward.yml:2: clusters.emr-4zvc5mul.region: warning: ap-guangzou is not a region that is known here "
        "(did you mean ap-guangzhou?)\n"
        "steward.yml:5: rules[0].when.ip[0].cidr: warning: 172.16.0.5/16 is all of 172.16.0.0/16 "
        "(one address is /32 or /128)\n"
    )
    told = json.loads(steward("check", "--json", cwd=tmp_path).stdout)
    assert told["problems"] == []
    assert [(row["file"], row["line"]) for row in told["warnings"]] == [("steward.yml", 2), ("steward.yml", 5)]
    file.write_text("clusters: {}\n", encoding="utf-8")
    assert "warning: is empty: nothing will ever be done" in steward("check", cwd=tmp_path).stderr
    file.write_text("clusters: {}\nrule: []\n", encoding="utf-8")
    bad = steward("check", "--json", cwd=tmp_path)
    assert bad.returncode == 2
    assert json.loads(bad.stdout)["problems"] == [
        {
            "file": "steward.yml",
            "line": 2,
            "path": "rule",
            "problem": "unknown key",
            "hint": "did you mean rules?",
        }
    ]
    none = steward("check", "nosuch.yml", "--json", cwd=tmp_path)
    assert none.returncode == 2
    assert json.loads(none.stdout)["problems"][0]["problem"] == "no such file"


def test_check_holds_the_serverless_yml_beside_it_against_the_rules(tmp_path: Path) -> None:
    """By either file's name, the faults of both at once; a serverless.yml alone is read for itself."""
    (tmp_path / "steward.yml").write_text(
        "clusters:\n  emr-4zvc5mul: {region: ap-guangzhou, allow: [RestartService]}\n", encoding="utf-8"
    )
    serverless = tmp_path / "serverless.yml"
    serverless.write_text((ROOT / "serverless.yml").read_text(encoding="utf-8"), encoding="utf-8")
    for arguments in ((), ("steward.yml",), ("serverless.yml",)):
        done = steward("check", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "events[2].timer.parameters.argument: no rule of steward.yml is for it" in done.stderr
        assert "STEWARD_SECRET_TCOP: nothing reads it" in done.stderr
    with serverless.open("a", encoding="utf-8") as file:
        file.write(
            '    - timer: {parameters: {name: a, cron: "* * * * * * *", enable: true, argument: "steward:follow-up"}}\n'
        )
    (tmp_path / "steward.yml").write_text("clusters: {}\nrule: []\n", encoding="utf-8")
    done = steward("check", cwd=tmp_path)
    assert "steward.yml:2: rule: " in done.stderr
    assert "did you mean cronExpression?" in done.stderr
    (tmp_path / "steward.yml").unlink()
    serverless.write_text((ROOT / "serverless.yml").read_text(encoding="utf-8"), encoding="utf-8")
    alone = steward("check", "serverless.yml", cwd=tmp_path)
    assert alone.returncode == 0
    assert "No steward.yml lies beside it" in alone.stdout


@pytest.mark.parametrize("command", ["serve", "cloud"])
def test_a_port_that_is_taken_is_said_in_words(tmp_path: Path, command: str) -> None:
    """And what to do about it, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = steward(command, "--port", str(port), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == f"port {port}: cannot listen: Address already in use (--port 0 takes a free one)\n"

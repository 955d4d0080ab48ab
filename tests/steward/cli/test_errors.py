"""What goes wrong around the command is one clear line each, and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import ROOT, steward

DOWN = str(ROOT / "events" / "alertmanager-datanode-down.json")


def test_a_file_called_dot_steward(tmp_path: Path) -> None:
    """It stands where the ledger's folder belongs."""
    (tmp_path / ".steward").touch()
    for arguments in (("run", DOWN), ("doctor",), ("serve", "--port", "0")):
        done = steward(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr == (
            ".steward: is a file; the ledger needs a folder of this name (run in another folder, or name a ledger "
            "elsewhere: STEWARD_LEDGER=sqlite:////tmp/steward.db)\n"
        )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder; /proc below stands for one")
def test_a_read_only_folder(tmp_path: Path) -> None:
    """The demo needs none; run says what to do."""
    tmp_path.chmod(0o500)
    assert steward("demo", cwd=tmp_path).returncode == 0
    done = steward("run", DOWN, cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert ".steward: the folder cannot be created: " in done.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc, in which nobody can create a folder, is Linux's")
def test_a_folder_in_which_nobody_can_create_one() -> None:
    """For root as well."""
    done = steward("run", DOWN, cwd=Path("/proc"))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert done.stderr.startswith("/proc/.steward: the folder cannot be created: ")
    assert "STEWARD_LEDGER=" in done.stderr


def test_a_terminal_that_shows_ascii_only(tmp_path: Path) -> None:
    """Other characters are replaced, and JSON stays what it is."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "steward", *arguments],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"},
            input=json.dumps(
                {"Type": "Timer", "TriggerName": "“夜” 😀", "Time": "2026-11-23T21:34:02Z", "Message": "夜 😀"}
            ),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    said = run("run", DOWN)
    assert said.returncode == 0, said.stderr
    assert "restart-dead-process -> RestartService" in said.stdout
    document = json.loads(run("explain", "-", "--json").stdout)
    assert document["events"][0]["name"] == "夜 😀"


@pytest.mark.parametrize("command", ["", "run", "explain", "follow-up", "release", "cloud"])
def test_h_is_help(command: str, tmp_path: Path) -> None:
    """Of the command itself and of each of its own."""
    for option in ("-h", "--help"):
        done = steward(*filter(None, (command, option)), cwd=tmp_path)
        assert done.returncode == 0
        assert "Usage: steward" in done.stdout


def test_a_uin_has_digits_only(tmp_path: Path) -> None:
    """Otherwise the policy would name an account that cannot exist."""
    done = steward("policy", "--uin", "abc", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "'abc' is not an account id: digits such as 100000000001" in done.stderr
    assert ":uin/100000000001:" in steward("policy", "--uin", "100000000001", cwd=tmp_path).stdout


def test_check_reads_standard_input(tmp_path: Path) -> None:
    """As editors and pipelines call it; errors have their lines."""
    text = (ROOT / "steward.yml").read_text(encoding="utf-8")
    fine = steward("check", "-", cwd=tmp_path, stdin=text)
    assert (fine.returncode, fine.stderr) == (0, "")
    wrong = steward("check", "-", cwd=tmp_path, stdin="clusters: {}\nrule: []\n")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("stdin:2: rule: ")


def test_explain_takes_an_operation_s_id_and_a_bare_fingerprint(tmp_path: Path) -> None:
    """Both lead to the event, its outcome and its operation."""
    (outcome,) = json.loads(steward("run", DOWN, "--json", cwd=tmp_path).stdout)["outcomes"]
    fingerprint, _, start = outcome["event_id"].partition("@")
    assert start
    rows = json.loads(steward("explain", fingerprint, "--json", cwd=tmp_path).stdout)
    (operation,) = rows["operations"]
    by_operation = json.loads(steward("explain", operation["id"], "--json", cwd=tmp_path).stdout)
    assert by_operation == rows
    assert [event["event"] for event in rows["events"]] == [outcome["event_id"]]
    text = steward("explain", operation["id"], cwd=tmp_path).stdout
    assert f"alertmanager: DataNodeDown {outcome['event_id']}" in text
    assert f"{operation['id']}: RestartService VERIFIED" in text
    for unknown in ("op-0000000000000000", fingerprint[:-1]):
        done = steward("explain", unknown, cwd=tmp_path)
        assert done.returncode == 1
        assert "no event or operation of this id in .steward/fake.db; `steward history` lists the ids" in done.stdout

"""What a new user does first, in the wrong folder or with the wrong cluster: one clear line, never a wrong answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command import ROOT, steward

EXAMPLE_NOTICE = "There is no steward.yml here, so this is about the example.\n"


@pytest.mark.parametrize("command", ["policy", "compile", "check"])
def test_the_example_is_announced_where_there_is_no_configuration(command: str, tmp_path: Path) -> None:
    """Whoever is in the wrong folder would deploy rights for somebody else's clusters."""
    done = steward(command, cwd=tmp_path)
    assert done.returncode == 0
    assert EXAMPLE_NOTICE in done.stderr
    (tmp_path / "steward.yml").write_text((ROOT / "steward.yml").read_text(encoding="utf-8"), encoding="utf-8")
    assert EXAMPLE_NOTICE not in steward(command, cwd=tmp_path).stderr


def test_explain_says_that_a_cluster_is_not_listed(tmp_path: Path) -> None:
    """The rule matches, and the operation would be refused all the same."""
    event = json.loads((ROOT / "events" / "alertmanager-datanode-down.json").read_text(encoding="utf-8"))
    event["alerts"][0]["labels"]["cluster_id"] = "emr-ffffffff"
    (tmp_path / "other.json").write_text(json.dumps(event), encoding="utf-8")
    done = steward("explain", "other.json", cwd=tmp_path)
    assert "yes  restart-dead-process, but: cluster emr-ffffffff is not listed" in done.stdout


@pytest.mark.parametrize("command", [("history",), ("release",), ("follow-up",), ("explain", "op-1")])
def test_a_ledger_folder_that_is_a_file_is_one_line(command: tuple[str, ...], tmp_path: Path) -> None:
    """Not "there is no ledger yet", which would send the user to a command that fails, too."""
    (tmp_path / ".steward").touch()
    done = steward(*command, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert ".steward: cannot be used" in done.stderr

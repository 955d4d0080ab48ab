"""``steward compile``, and ``steward check`` from standard input."""

from __future__ import annotations

import json
from pathlib import Path

from handler.config.loader import load
from steward.config.compile import compiled
from tests.command import ROOT, steward

OPERATIONS = ("StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor")


def test_what_is_compiled_is_what_the_function_loads(tmp_path: Path) -> None:
    """Into a file, or to standard output; a compiled file is a configuration for the command too."""
    done = steward("compile", str(ROOT / "steward.yml"), "-o", "steward.json", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "steward.json: written.\n")
    assert load(str(tmp_path / "steward.json")).clusters
    shown = steward("compile", str(ROOT / "steward.yml"), cwd=tmp_path)
    assert json.loads(shown.stdout) == compiled(str(ROOT / "steward.yml"))
    checked = steward("check", "steward.json", cwd=tmp_path)
    assert (checked.returncode, checked.stdout.splitlines()) == (
        0,
        [
            "steward.json: fine. 2 clusters, 6 rules, 4 callers.",
            "caller        may send      cluster       services  may request",
            "tcop          tcop",
            "alertmanager  alertmanager",
            "grafana       grafana",
            "deploy        request       emr-4zvc5mul  all       " + ", ".join(sorted(OPERATIONS)),
            "                            emr-8kd2m1qp  all       RestartService, StartService, StopService",
        ],
    )
    grants = json.loads(steward("check", "steward.json", "--json", cwd=tmp_path).stdout)["grants"]
    assert grants[0] == {"caller": "tcop", "sources": ["tcop"], "requests": []}
    assert [one["cluster"] for one in grants[3]["requests"]] == ["emr-4zvc5mul", "emr-8kd2m1qp"]


def test_what_has_an_error_is_not_written(tmp_path: Path) -> None:
    """What was there before stays; nor is anything written where that is impossible."""
    (tmp_path / "bad.yml").write_text("clusters: {}\nrule: []\n", encoding="utf-8")
    (tmp_path / "steward.json").write_text("before", encoding="utf-8")
    done = steward("compile", "bad.yml", "-o", "steward.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "bad.yml:2: rule: unknown key (did you mean rules?)\n")
    assert (tmp_path / "steward.json").read_text(encoding="utf-8") == "before"
    (tmp_path / "bad.yml").write_text("clusters: {}\n", encoding="utf-8")
    nowhere = steward("compile", "bad.yml", "-o", "none/steward.json", cwd=tmp_path)
    assert (nowhere.returncode, nowhere.stderr) == (
        2,
        "none/steward.json: cannot be written: No such file or directory\n",
    )


def test_a_configuration_is_checked_from_standard_input(tmp_path: Path) -> None:
    """Its lines are those of what came in; no serverless.yml is looked for."""
    (tmp_path / "serverless.yml").write_text("inputs: 7\n", encoding="utf-8")
    fine = steward("check", "-", cwd=tmp_path, stdin=(ROOT / "steward.yml").read_text(encoding="utf-8"))
    assert (fine.returncode, fine.stdout.splitlines()[0]) == (0, "stdin: fine. 2 clusters, 6 rules, 4 callers.")
    bad = steward("check", "-", cwd=tmp_path, stdin="clusters: {}\nrule: []\n")
    assert (bad.returncode, bad.stderr) == (2, "stdin:2: rule: unknown key (did you mean rules?)\n")
    empty = steward("check", "-", cwd=tmp_path)
    assert empty.returncode == 2
    assert empty.stderr.startswith("stdin: is empty")

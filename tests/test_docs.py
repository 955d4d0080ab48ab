"""What the documents tell people to type exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from handler.report.responses import TITLES
from steward.cli.exit_codes import EXIT_CODES
from steward.cli.main import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    "README.md",
    "docs/architecture.md",
    "docs/configuration.md",
    "docs/deploy.md",
    "docs/figures.md",
    "docs/promises.md",
    "events/README.md",
)
COMMANDS = set(get_command(app).commands)  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_commands_targets_and_files_are_there(name: str) -> None:
    """`steward …`, `make …`, and the files of events/ that are named."""
    text = (ROOT / name).read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    commands = set(re.findall(r"(?:^|[`/ ])steward ([a-z]+(?:-[a-z]+)*)\b", code, re.MULTILINE))
    assert commands <= COMMANDS
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", code, re.MULTILINE)) <= TARGETS
    for file in re.findall(r"\bevents/[a-z0-9-]+\.json", text):
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """To files that are there."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((ROOT / name).parent / target).exists(), target


def test_each_promise_names_a_test_that_there_is() -> None:
    """And says of no line that nothing keeps it."""
    lines = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and "---" not in line and "shown by" not in line]
    promises = re.findall(r"^\d\. \*\*(.+?)\.?\*\*", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert promises
    assert {row.split(" | ")[0].removeprefix("| ") for row in rows} >= set(promises), "each of the README's has its row"
    for row in rows:
        named = re.findall(r"`(tests/\S+)::(\w+)`", row)
        assert named or row.endswith("| the same |"), row
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test


def test_the_readme_shows_what_the_command_prints(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Line by line; only ids differ from run to run."""
    block = re.search(
        r"```console\n\$ steward (run \S+)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert block
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("STEWARD_LEDGER", f"sqlite:///{tmp_path}/ledger.db")
    shown = CliRunner().invoke(app, block[1].split())
    assert shown.exit_code == 0
    assert _without_ids(shown.stdout).strip() == _without_ids(block[2]).strip()


def _without_ids(text: str) -> str:
    return re.sub(r"op-[0-9a-f]{16}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)


def test_every_command_is_in_the_readme_and_says_how_to_use_it() -> None:
    """With an example in its help."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"`steward {command}" in readme, command
        shown = CliRunner().invoke(app, [command, "--help"])
        assert shown.exit_code == 0
        assert "Example" in shown.stdout, command
        assert "<bool>" not in shown.stdout
        if "--config" in shown.stdout:
            assert "STEWARD_CONFIG" in shown.stdout, command


def test_the_exit_codes_are_told_alike() -> None:
    """In the README's table and in ``steward --help``; tests/steward/cli/test_command.py holds the command to them."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    for code, when in EXIT_CODES.items():
        assert f"\n| {code} | {when} |\n" in readme
        assert f" {code}: {when}." in shown
    named = set(re.findall(r"`([a-z-]+)`", " ".join(EXIT_CODES.values())))
    assert named <= COMMANDS


def test_every_http_status_is_in_the_readme() -> None:
    """Those that the function answers with, and no others."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| HTTP status | when |\n|---|---|\n")[2].partition("\n\n")[0]
    named = [int(status) for row in table.splitlines() for status in row.split("|")[1].split(",")]
    assert sorted(named) == sorted({200, 202, *TITLES})

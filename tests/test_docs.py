"""The documents are true: examples run, links lead somewhere, lists are whole."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML
from typer.main import get_command
from typer.testing import CliRunner

from handler.config.settings import VARIABLES
from handler.model.event import FIELDS, Unreadable
from handler.model.operation import State
from handler.model.outcome import URGENCY, OutcomeStatus
from handler.model.request import OpType
from handler.receive.payload import SENDERS, read
from handler.receive.senders import alertmanager
from handler.report.responses import TITLES
from steward.cli.exit_codes import EXIT_CODES
from steward.cli.main import app
from tests.command import ROOT
from tests.docs_examples import Block, alike, blocks, pages, run_page, text_of

PAGES = pages()
WITH_COMMANDS = [page for page in PAGES if any(block.kind == "console" for block in blocks(text_of(page)))]
#: docs/configuration.md is written by a program, for wide tables.
WRAPPED = [page for page in PAGES if page not in ("docs/configuration.md", "docs/architecture.md")]
COMMANDS = dict(get_command(app).commands)  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
#: The part of a file that a fragment of it is merged into.
RULE: dict[str, Any] = {
    "name": "example",
    "when": {"source": ["alertmanager"]},
    "do": {
        "operation": "RestartService",
        "cluster": "{cluster}",
        "scope": {"{service}": {"{component}": ["{ip}"]}},
        "strategy": {"rolling": True},
    },
}
EVERYTHING = [op_type.value for op_type in OpType]
MINIMAL: dict[str, Any] = {
    "clusters": {
        "emr-4zvc5mul": {"region": "ap-guangzhou", "allow": EVERYTHING},
        "emr-8kd2m1qp": {"region": "ap-shanghai", "allow": EVERYTHING},
    },
    "rules": [RULE],
    "webhook": {"callers": [{"name": "example", "sources": ["alertmanager"], "bearer_env": "STEWARD_SECRET_EXAMPLE"}]},
}


def blocks_of(kind: str, pages: Sequence[str] = PAGES) -> list[Any]:
    """Every block of this kind, named by its page and its line."""
    return [
        pytest.param(block, id=f"{page}:{text.count(chr(10), 0, block.start)}")
        for page, text in zip(pages, map(text_of, pages), strict=True)
        for block in blocks(text)
        if block.kind == kind
    ]


def section(page: str, heading: str) -> str:
    """The text under a heading, up to the next one of its level."""
    level = heading.partition(" ")[0]
    _, found, rest = f"\n{text_of(page)}".partition(f"\n{heading}\n")
    assert found, f"{page} has no {heading}"
    return re.split(rf"^{level} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str, header: str) -> list[list[str]]:
    """The rows of the table whose header line begins so, each as its cells."""
    _, found, rest = text.partition(f"\n| {header}")
    assert found, f"no table | {header}"
    lines = rest.partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def first_words(text: str, header: str) -> list[str]:
    """The code in the first cell of each row."""
    return [word for row in rows(text, header) for word in re.findall(r"`([^`]+)`", row[0])]


# -- examples


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_a_page_shows_what_its_commands_print(page: str, tmp_path: Path) -> None:
    """Line by line, with the exit code; ``python -m tests.docs_examples`` refreshes them."""
    for _, example, result in run_page(page, tmp_path):
        if result is not None:
            assert alike(example.shown, result.output), f"$ {example.command}\n{result.output}"
            assert result.code == example.code, f"$ {example.command}\n{result.output}"


@pytest.mark.parametrize("block", blocks_of("yaml"))
def test_a_configuration_is_sound(block: Block, tmp_path: Path) -> None:
    """A steward.yml, or a part of one in its place, passes `steward check`."""
    value = YAML(typ="safe").load(block.text)
    if block.file and not block.file.endswith("steward.yml"):
        return  # shown as wrong, or another program's
    kind = block.words[1] if len(block.words) > 1 and not block.file else ""
    shutil.copy(ROOT / "steward.yml", tmp_path)
    file = tmp_path / "example.yml"
    if kind == "serverless":
        file = tmp_path / "serverless.yml"
        whole = YAML(typ="safe").load((ROOT / file.name).read_text(encoding="utf-8"))
        the_url, the_follow_up, *_ = whole["inputs"]["events"]
        events = [the_url, the_follow_up, *value["inputs"].pop("events", whole["inputs"]["events"][2:])]
        value = _merged(_merged(whole, value), {"inputs": {"events": events}})
    elif kind == "fragment":
        value = _merged(MINIMAL, {"rules": [_merged(RULE, value)]} if "when" in value or "do" in value else value)
    YAML().dump(value, file)
    done = CliRunner().invoke(app, ["check", str(file)])
    assert done.exit_code == 0, done.output
    assert "warning" not in done.output


def _merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """``part`` in its place in ``whole``: mappings are merged, anything else replaces."""
    result = deepcopy(whole)
    for key, value in part.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = _merged(result[key], value) if both and key not in ("when", "scope") else value
    return result


@pytest.mark.parametrize("block", blocks_of("json"))
def test_json_can_be_read(block: Block) -> None:
    """And what has a file's name is an event."""
    value = json.loads(block.text)
    if block.file:
        assert not any(isinstance(event, Unreadable) for event in read(value))


def test_prometheus_and_alertmanager_take_their_files(tmp_path: Path) -> None:
    """By their own checkers, where installed; and the function reads the alert they make."""
    files = {block.file: block.text for block in blocks(text_of("docs/alerts.md")) if block.kind == "yaml"}
    loaded = {name: YAML(typ="safe").load(text) for name, text in files.items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    checks = (
        ("promtool", "check", "rules", "emr-rules.yml"),
        ("promtool", "check", "config", "--syntax-only", "prometheus.yml"),
        ("amtool", "check-config", "alertmanager.yml"),
    )
    for check in checks:
        if shutil.which(check[0]):
            subprocess.run(check, cwd=tmp_path, check=True, capture_output=True)
    (target,) = loaded["prometheus.yml"]["scrape_configs"][0]["static_configs"]
    rule = loaded["emr-rules.yml"]["groups"][0]["rules"][0]
    labels = {**target["labels"], **rule["labels"], "alertname": rule["alert"], "instance": target["targets"][0]}
    (event,) = read({"alerts": [{"status": "firing", "labels": labels, "startsAt": "2026-11-23T21:34:02Z"}]})
    assert not isinstance(event, Unreadable)
    assert (event.cluster, event.service, event.component, event.ip) == (
        "emr-4zvc5mul",
        "HDFS",
        "DataNode",
        "172.16.0.5",
    )


# -- names, links, lines


@pytest.mark.parametrize("page", PAGES)
def test_commands_targets_and_files_are_there(page: str) -> None:
    """`steward …`, `make …`, and the files of events/ that are named."""
    text = text_of(page)
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL))
    used = re.findall(r"(?:^|[`/ ])steward\s([a-z]+(?:-[a-z]+)*)\b([^`\n]*)", code, re.MULTILINE)
    assert {name for name, _ in used} <= COMMANDS.keys()
    for name, arguments in used:
        assert set(re.findall(r" (--[a-z-]+)", arguments.partition("#")[0])) <= _options(name), (
            f"steward {name}{arguments}"
        )
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", code, re.MULTILINE)) <= TARGETS
    for file in re.findall(r"\bevents/[a-z0-9-]+\.json", text):
        assert (ROOT / file).exists(), file


def _options(command: str) -> set[str]:
    """The long options of a command."""
    options = {option for one in COMMANDS[command].params for option in (*one.opts, *one.secondary_opts)}
    return {option for option in options if option.startswith("--")} | {"--help"}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """To files that are there, and to headings that these have."""
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)]*))?\)", text_of(page)):
        file = ((ROOT / page).parent / target).resolve() if target else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{target}#{anchor}"


def _anchors(text: str) -> set[str]:
    """What the headings of a page are linked by, as GitHub makes them."""
    without_code = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_linked_from_the_readme() -> None:
    """A page that nobody finds answers nobody."""
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", text_of("README.md")))
    assert linked >= {page for page in PAGES if page != "README.md"}


@pytest.mark.parametrize("page", WRAPPED)
def test_lines_fit_a_screen(page: str) -> None:
    """100 columns, but for tables and code."""
    prose = re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    assert [line for line in prose.splitlines() if len(line) > 100 and not line.startswith(("|", "["))] == []


@pytest.mark.parametrize("page", WRAPPED)
def test_the_pages_use_the_fields_words(page: str) -> None:
    """A reader can search the web for every word."""
    prose = re.sub(r"^```.*?^```$|`[^`]+`", "", text_of(page), flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"\b(?:door|mend\w*|put off|crew|manner|shape)\b", prose, re.IGNORECASE) == []


def test_the_readme_is_short() -> None:
    """Everything else is in pages."""
    assert len(text_of("README.md").splitlines()) <= 160


@pytest.mark.parametrize("page", PAGES)
def test_log_events_that_are_named_are_logged(page: str) -> None:
    """What somebody searches a log for is there."""
    known = set(_literals(r"steward\.[a-z_.]+"))
    for name in re.findall(r'`?event:"(steward\.[a-z_.]+)', text_of(page)):
        assert name in known or any(one.startswith(name) for one in known if name.endswith(".")), name


# -- lists that are whole


def test_every_command_is_explained() -> None:
    """With its options and an example, in docs/commands.md and in its help."""
    page = "docs/commands.md"
    named = re.findall(r"^\| \[`steward ([a-z-]+)`\]", text_of(page), re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)
    for name in COMMANDS:
        text = section(page, f"## steward {name}")
        assert re.search(rf"^(\$ )?([A-Z_]+=\S+ )?steward {name}", text, re.MULTILINE), f"an example of {name}"
        assert _options(name) - {"--help"} == set(re.findall(r"`(--[a-z-]+)", text.partition("```")[0])), name
        shown = CliRunner().invoke(app, [name, "--help"])
        assert shown.exit_code == 0
        assert "Example" in shown.stdout, name
        assert "<bool>" not in shown.stdout
        if "--config" in shown.stdout:
            assert "STEWARD_CONFIG" in shown.stdout, name


def test_every_exit_code_is_explained() -> None:
    """Those of ``steward --help``, for the same commands."""
    text = section("docs/commands.md", "## Exit codes")
    assert [int(row[0]) for row in rows(text, "exit code |")] == list(EXIT_CODES)
    assert set(first_words(text, "command |")) == set(re.findall(r"`([a-z-]+)`:", EXIT_CODES[1]))
    shown = " ".join(CliRunner().invoke(app, ["--help"]).stdout.split())
    for code, when in EXIT_CODES.items():
        assert f" {code}: {when}." in shown


def test_every_variable_is_explained() -> None:
    """Those that the function reads, and no others."""
    assert sorted(first_words(text_of("docs/settings.md"), "variable |")) == sorted(VARIABLES)


def test_every_http_status_is_explained() -> None:
    """Those that the function answers with, and no others."""
    named = [int(row[0]) for row in rows(text_of("docs/http.md"), "HTTP status |")]
    assert named == sorted({200, 202, *TITLES})


def test_every_optype_outcome_and_state_is_explained() -> None:
    """In docs/operations.md, each once."""
    text = text_of("docs/operations.md")
    assert sorted(row[0].strip("`") for row in rows(text, "OpType |")) == sorted(EVERYTHING)
    assert sorted(first_words(text, "outcome |")) == sorted(get_args(OutcomeStatus))
    assert first_words(text, "state |") == [state.value for state in State]
    by_urgency = sorted(URGENCY, key=lambda status: URGENCY[status])
    assert f"in the order {', '.join(by_urgency)}." in " ".join(text_of("docs/rules.md").split())


def test_every_code_is_explained() -> None:
    """Of outcomes and of alarms: those in the code, and no others."""
    text = text_of("docs/operations.md")
    outcomes = set(first_words(section("docs/operations.md", "## Every code"), "code |"))
    alarms = {
        code for found in re.split(r"^### ", text, flags=re.MULTILINE)[1:] for code in first_words(found, "code |")
    }
    family = r"(guard|once|look|scope|rules|input|mode|time|ledger|operation|intent|follow_up|doctor|api)\.[a-z_]+"
    # An operation's state ends such a code: once.verified, operation.failed.
    states = {f"{kind}.{state.value.lower()}" for kind in ("once", "operation") for state in State}
    in_code = set(_literals(family)) | set(_codes_given())
    named = (outcomes | alarms) - {"api.CODE"}
    assert in_code - named == set(), "is in the code, and not in docs/operations.md"
    assert named - in_code - states == set(), "is in docs/operations.md, and not in the code"
    table = {
        row[0].strip("`"): row[1].strip("`") for row in rows(section("docs/operations.md", "## Every code"), "code |")
    }
    given = {code: kind for code, kind in _codes_given().items() if kind != "alarm"}
    assert [code for code, kind in given.items() if table.get(code, kind) not in (kind, "—")] == []
    alarming = {
        code
        for code, status in _codes_given().items()
        if status in ("refused", "expired", "failed", "in_doubt", "alarm")
    }
    quiet = {"guard.freeze"}  # held back on purpose
    assert alarming - quiet <= alarms, "raises an alarm, and docs/operations.md does not say what to do"


def _codes_given() -> dict[str, str]:
    """The codes that Outcomes and Alarms are made with, each with the kind of the outcome."""
    found: dict[str, str] = {}
    for node in _nodes():
        if not isinstance(node, ast.Call) or not (code := _text(node.args[0] if node.args else None)):
            continue
        made = ast.unparse(node.func)
        if made == "Alarm":
            found[code] = "alarm"
        elif made.startswith("Outcome.") and made.removeprefix("Outcome.") not in ("done", "unverified"):
            found.setdefault(code, made.removeprefix("Outcome."))
        elif code == "steward.alarm":  # the one of a function that cannot start
            found |= {text: "alarm" for one in node.keywords if one.arg == "code" and (text := _text(one.value))}
    return found


def _text(node: ast.expr | None) -> str:
    """A text that is written out in the code; empty for anything else."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _literals(pattern: str) -> Iterator[str]:
    """The texts in the function's code that are wholly of this pattern."""
    for node in _nodes():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(pattern, node.value):
            yield node.value


@cache
def _nodes() -> list[ast.AST]:
    """The function's code, parsed."""
    files = sorted((ROOT / "handler").rglob("*.py"))
    return [node for path in files for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]


def test_every_sender_and_field_is_explained() -> None:
    """The labels in the order in which they are looked at."""
    text = text_of("docs/alerts.md")
    for labels in (
        alertmanager.CLUSTER_LABELS,
        alertmanager.ADDRESS_LABELS,
        alertmanager.COMPONENT_LABELS,
        alertmanager.MESSAGE_ANNOTATIONS,
    ):
        assert ", ".join(f"`{label}`" for label in labels) in text
    assert set(first_words(text_of("docs/rules.md"), "field |")) == set(FIELDS)
    sources = rows(text_of("docs/rules.md"), "field |")[1][1]
    assert set(re.findall(r"`([a-z]+)`", sources)) == {sender.source for sender in SENDERS}


def test_every_promise_names_a_test_that_there_is() -> None:
    """Those of the README, each with its row, and no row without a test."""
    lines = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8").splitlines()
    table = [line for line in lines if line.startswith("| ") and "---" not in line and "shown by" not in line]
    promises = re.findall(r"^\d\. \*\*(.+?)\.?\*\*", text_of("README.md"), re.MULTILINE)
    assert len(promises) == 9
    assert {row.split(" | ")[0].removeprefix("| ") for row in table} >= set(promises), (
        "each of the README's has its row"
    )
    for row in table:
        named = re.findall(r"`(tests/\S+)::(\w+)`", row)
        assert named or row.endswith("| the same |"), row
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test


def test_the_glossary_can_be_looked_up() -> None:
    """By the alphabet, each term once, the outcomes and the states among them."""
    text = section("docs/glossary.md", "# Glossary")
    terms = [row[0] for row in rows(text, "term |")]
    assert terms == sorted(set(terms), key=str.lower)
    words = (*EVERYTHING, *get_args(OutcomeStatus), *(state.value for state in State))
    assert [word for word in words if f"`{word}`" not in text] == []


def test_every_file_that_the_architecture_names_exists() -> None:
    """A path from the root; or the end of one, such as `alarms.py` or `decide/`."""
    packages = [
        path for package in ("handler", "harness", "steward", "tests", "deploy") for path in (ROOT / package).rglob("*")
    ]
    ends = [f"/{path.relative_to(ROOT)}{'/' if path.is_dir() else ''}" for path in (*packages, *ROOT.iterdir())]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w./-]+(?:\.py|/))`", text) if "NAME" not in name]
    assert len(named) > 50
    assert [name for name in named if not any(end.endswith(f"/{name}") for end in ends)] == []

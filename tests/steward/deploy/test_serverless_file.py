"""Checks of serverless.yml: what the vendor would drop, replace or refuse late."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from handler.errors import ConfigurationError, InvalidConfiguration
from steward.config.compile import load_yaml
from steward.deploy.serverless_file import load

ROOT = Path(__file__).parents[3]
OURS = (ROOT / "serverless.yml").read_text(encoding="utf-8")
CONFIG = load_yaml(str(ROOT / "steward.yml"))
FOLLOW_UP = 'argument: "steward:follow-up"'


def errors(folder: Path, text: str, env: Mapping[str, str]) -> Iterator[str]:
    """The errors of the file, without its name."""
    path = folder / "serverless.yml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path, CONFIG, env)
    except InvalidConfiguration as error:
        for problem in error.problems:
            yield str(problem).removeprefix(f"{path}:")


def test_the_one_that_is_shipped_is_fine() -> None:
    """It has no errors beside steward.yml, with no variable set."""
    assert load(ROOT / "serverless.yml", CONFIG, {}).inputs.timeout == 60


@pytest.mark.parametrize(
    ("wanted", "written", "expected"),
    [
        # keys
        ("  timeout: 60", "  timeOut: 60", "inputs.timeout: is missing (did you mean timeout by timeOut?)"),
        ("  timeout: 60", "  memory: 60", "inputs.timeout: is missing (in seconds; without it the platform gives 3)"),
        ("parameters:\n          {name: hbase-night", "paramters:\n          {name: hbase-night", "timer.parameters: is missing (did you mean parameters by paramters?)"),
        ("cronExpression:", "cron:", "parameters.cron: unknown key (did you mean cronExpression?)"),
        ("    variables:", "    variable:", "inputs.environment.variable: unknown key (did you mean variables?)"),
        # what the vendor replaces by a default that harms
        (", enable: true, argument: nightly-stop", ", argument: nightly-stop", "parameters.enable: is missing (without"),
        ("  role: emr-steward #", "  #", "inputs.role: is missing (without it the function has no credentials)"),
        ("enable: true, argument: nightly", 'enable: "false", argument: nightly', "parameters.enable: must be true or false (without quotes)"),
        ("argument: nightly-stop", "argument: 7", "parameters.argument: must be a text (quote it)"),
        ("    - timer: # cron runs", "      timer: # cron runs", "LINE: inputs.events[1].timer: appears twice (first in line"),
        # values that cannot be
        ("index.main_handler", "index.handler", "inputs.handler: must be index.main_handler (what the package"),
        ("Python3.10 #", "Python3.7 #", "inputs.runtime: must be Python3.10 (for which the package is built"),
        ("timeout: 60", "timeout: 1", "inputs.timeout: 1 s: too little to look at a cluster"),
        ("timeout: 60", "timeout: 4", "inputs.timeout: 4 s: less than HTTP senders are kept waiting (4 s)"),
        ("role: emr-steward", "role: <the role's name>", "inputs.role: is still the placeholder"),
        ("0 0 22 * * * *", "0 22 * * *", "parameters.cronExpression: has 5 fields instead of 7"),
        # the environment
        ("STEWARD_MODE: observe", "STEWARD_MODE:", "LINE: inputs.environment.variables.STEWARD_MODE: is empty"),
        ("STEWARD_MODE: observe", 'STEWARD_MODE: "  "', "variables.STEWARD_MODE: is empty"),
        ("STEWARD_MODE: observe", "STEWARD_MODE: obsrve", "variables.STEWARD_MODE: 'obsrve' is not a mode (act or observe)"),
        ("STEWARD_MODE: observe", "STEWARD_CONFIG: my.yml", "variables.STEWARD_CONFIG: is YAML, and the function reads compiled JSON only"),
        ("STEWARD_MODE: observe", "STEWARD_MODE: [observe]", "variables.STEWARD_MODE: must be one value"),
        ("STEWARD_MODE: observe", "STEWARD_MOD: observe", "STEWARD_MOD: nothing reads it (did you mean STEWARD_MODE?)"),
        ("sqlite:////tmp", "mysql:////tmp", "variables.STEWARD_LEDGER: is no ledger that is known here"),
        # the triggers, held against steward.yml
        ("argument: nightly-stop", "argument: nightly", "argument: no rule of steward.yml is for it (rules for timers want \"nightly-stop\", "),
        ("argument: nightly-stop", """argument: '{"OpType": "Stop"}'""", "argument: is a request that cannot be read"),
        (f"enable: true, {FOLLOW_UP}", f"enable: false, {FOLLOW_UP}", "inputs.events: has no timer for the follow-up"),
        ("name: hbase-night", "name: hbase-morning", "inputs.events[3].timer.parameters.name: appears twice"),
        # the code
        ("src: build/function #", "src: ./ #", "inputs.src: lacks index.py, handler, pydantic_core (`make package` fills"),
    ],
)  # fmt: skip
def test_each_error_is_reported_with_its_line_and_a_fix(
    tmp_path: Path, wanted: str, written: str, expected: str
) -> None:
    """One error in the shipped file is reported with its path and its line (LINE stands for it)."""
    before, found, _ = OURS.partition(wanted)
    assert found
    expected = expected.replace("LINE", str(before.count("\n") + 1))
    try:
        reported = list(errors(tmp_path, OURS.replace(wanted, written, 1), {}))
    except ConfigurationError as error:  # of the YAML itself
        reported = [str(error)]
    assert any(expected in one for one in reported), reported


def test_all_errors_are_reported_at_once_by_line(tmp_path: Path) -> None:
    """One run of `steward check` reports errors of keys, of values, and of what they mean beside steward.yml."""
    text = OURS
    for wanted, written in (
        ("timeout: 60", "timeout: 3"),
        ("handler: index", "handler: main"),
        ("STEWARD_MODE: observe", "STEWARD_MODE: obsrve"),
        ("sqlite:////tmp", "mysql:////tmp"),
        ("STEWARD_SECRET_TCOP: $", "STEWARD_SECRT_TCOP: $"),
        ("STEWARD_SECRET_GRAFANA: ${env:STEWARD_SECRET_GRAFANA}", "STEWARD_SECRET_GRAFANA: <a secret>"),
        ("enable: true, " + FOLLOW_UP, "enable: false, " + FOLLOW_UP),
        ('cronExpression: "0 0 22 * * * *"', 'cron: "0 22 * * *"'),
        ("name: hbase-morning", "name: hbase-night"),
        ("argument: morning-start", "argument: morning"),
        ("    - http:", "    - timer: {}\n    - timer: 7\n    - http:"),
    ):
        assert wanted in text
        text = text.replace(wanted, written, 1)
    found = [one.partition(" (")[0].partition(": ")[2] for one in errors(tmp_path, text, {})]
    assert found == [
        "inputs.handler: must be index.main_handler",
        "inputs.timeout: 3 s: less than HTTP senders are kept waiting",
        "inputs.environment.variables.STEWARD_MODE: 'obsrve' is not a mode",
        "inputs.environment.variables.STEWARD_LEDGER: is no ledger that is known here",
        "inputs.environment.variables.STEWARD_SECRT_TCOP: nothing reads it",
        "inputs.environment.variables.STEWARD_SECRET_GRAFANA: is still the placeholder",
        "inputs.events[0].timer.parameters: is missing",
        "inputs.events[1].timer: must be a mapping",
        "inputs.events[4].timer.parameters.cron: unknown key",
        "inputs.events[4].timer.parameters.cron: has 5 fields instead of 7: second minute hour day month week year",
        "inputs.events[5].timer.parameters.name: appears twice",
        "inputs.events[5].timer.parameters.argument: no rule of steward.yml is for it",
    ]


def test_keys_that_the_vendor_checks_are_ignored(tmp_path: Path) -> None:
    """The vendor's component knows its own keys, and may learn new ones."""
    text = OURS.replace("memorySize: 128", "memory: 100").replace("netConfig:", "netConf:").replace("- http:", "- cos:")
    assert not list(errors(tmp_path, text + "stag: dev\n", {}))


@pytest.mark.parametrize(("value", "expected"), [("", "is empty"), ("  ", "is empty"), ("<a secret>", "placeholder")])
def test_a_variable_from_the_environment_is_checked(tmp_path: Path, value: str, expected: str) -> None:
    """The platform would refuse an ``${env:NAME}`` that is set to an empty text."""
    (reported,) = errors(tmp_path, OURS, {"STEWARD_SECRET_TCOP": value})
    assert "variables.STEWARD_SECRET_TCOP" in reported
    assert expected in reported


def test_no_secret_is_repeated(tmp_path: Path) -> None:
    """Errors of the keys around a secret do not show it."""
    text = OURS.replace("${env:STEWARD_SECRET_TCOP}", "[planted-secret]").replace("SECRET_GRAFANA:", "SECRT_GRAFANA:")
    reported = list(
        errors(tmp_path, text, {"STEWARD_SECRET_GRAFANA": "planted-secret", "STEWARD_SECRET_TCOP": "planted-secret"})
    )
    assert reported
    assert "planted" not in "".join(reported)


@pytest.mark.parametrize(
    ("text", "expected"), [("", "is empty"), ("inputs: [", "is not valid YAML"), ("- a\n", "must be a mapping")]
)
def test_a_file_that_is_not_a_serverless_yml_is_reported(tmp_path: Path, text: str, expected: str) -> None:
    """The file is empty, broken, of another form, or missing."""
    path = tmp_path / "serverless.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=expected):
        load(path)
    with pytest.raises(ConfigurationError, match=r"none\.yml: no such file"):
        load(tmp_path / "none.yml")


def test_a_folder_of_code_must_be_the_package(tmp_path: Path) -> None:
    """The repository itself lacks the packages that the function imports; what `make package` fills has them."""
    folder = tmp_path / "build" / "function"
    (folder / "handler").mkdir(parents=True)
    (folder / "index.py").touch()
    (reported,) = errors(tmp_path, OURS, {})
    assert "inputs.src: lacks pydantic_core" in reported
    (folder / "pydantic_core").mkdir()
    assert not list(errors(tmp_path, OURS, {}))

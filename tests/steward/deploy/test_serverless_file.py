"""The strict reading of serverless.yml: what the vendor would drop, replace or refuse late."""

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
    """What is said of the file, without its name."""
    path = folder / "serverless.yml"
    path.write_text(text, encoding="utf-8")
    try:
        load(path, CONFIG, env)
    except InvalidConfiguration as error:
        for problem in error.problems:
            yield str(problem).removeprefix(f"{path}:")


def test_the_one_that_is_shipped_is_fine() -> None:
    """With steward.yml beside it, and no variable set."""
    assert load(ROOT / "serverless.yml", CONFIG, {}).inputs.timeout == 60


@pytest.mark.parametrize(
    ("wanted", "written", "says"),
    [
        # keys
        ("memorySize:", "memory:", "LINE: inputs.memory: unknown key (did you mean memorySize?)"),
        ("  timeout: 60", "  timeOut: 60", "inputs.timeout: is missing (in seconds; without it the platform gives 3)"),
        ("cronExpression:", "cron:", "parameters.cron: unknown key (did you mean cronExpression?)"),
        ("netConfig:", "netconfig:", "parameters.netconfig: unknown key (did you mean netConfig?)"),
        ("enableExtranet", "enableExternet", "netConfig.enableExternet: unknown key (did you mean enableExtranet?)"),
        ("    variables:", "    variable:", "inputs.environment.variable: unknown key (did you mean variables?)"),
        ("component: scf", "componet: scf", "LINE: componet: unknown key (did you mean component?)"),
        ("- http:", "- apigw:", "inputs.events[0].apigw: unknown key (the platform retired its API gateway"),
        ("- http:", "- cos:", "inputs.events[0].cos: unknown key (one of timer, http, ckafka, cmq)"),
        ("        parameters:\n          qualifier", "        paramters:\n          qualifier", "did you mean parameters?"),
        # what the vendor replaces by a default that harms
        (", enable: true, argument: nightly-stop", ", argument: nightly-stop", "parameters.enable: is missing (without"),
        ("          netConfig: {enableIntranet: true, enableExtranet: true}\n", "", "netConfig: is missing"),
        ("  role: emr-steward #", "  #", "inputs.role: is missing (without it the function has no credentials)"),
        ("enable: true, argument: nightly", 'enable: "false", argument: nightly', "parameters.enable: input should be a"),
        ("argument: nightly-stop", "argument: 7", "parameters.argument: input should be a valid string (a text, which"),
        ("enableIntranet: true, enableExtranet: true", "enableIntranet: false, enableExtranet: false", "both networks"),
        ("  memorySize: 128", "  retryNum: 1", "inputs: retryNum without asyncRunEnable: true (the vendor drops it"),
        ("    - timer: # the zone", "      timer: # the zone", "LINE: inputs.events[1].timer: appears twice (first in line"),
        # values that cannot be
        ("type: event", "type: web", "inputs.type: must be 'event'"),
        ("index.main_handler", "index.handler", "inputs.handler: must be 'index.main_handler'"),
        ("Python3.10 #", "Python3.7 #", "inputs.runtime: must be 'Python3.10' (for which the package is built"),
        ("memorySize: 128", "memorySize: 100", "inputs.memorySize: is not a size that the platform has"),
        ("memorySize: 128", 'memorySize: "128"', "inputs.memorySize: input should be a valid integer"),
        ("timeout: 60", "timeout: 1000", "inputs.timeout: input should be less than or equal to 900"),
        ("timeout: 60", "timeout: 1", "inputs.timeout: 1 s: too little to look at a cluster"),
        ("timeout: 60", "timeout: 4", "inputs.timeout: 4 s: less than HTTP senders are kept waiting (4 s)"),
        ("region: ap-guangzhou", "region: Guangzhou", "inputs.region: is not a region (such as ap-guangzhou)"),
        ("role: emr-steward", "role: <the role's name>", "inputs.role: is still the placeholder"),
        ("role: emr-steward", "role: qcs::cam::uin/1:roleName/a", "inputs.role: is not the name of a role (its name, not its ARN)"),
        ("0 0 22 * * * *", "0 22 * * *", "parameters.cronExpression: has 5 fields instead of 7"),
        # the environment
        ("STEWARD_MODE: observe", "STEWARD_MODE:", "LINE: inputs.environment.variables.STEWARD_MODE: is empty"),
        ("STEWARD_MODE: observe", 'STEWARD_MODE: "  "', "variables.STEWARD_MODE: is empty"),
        ("STEWARD_MODE: observe", "STEWARD_MODE: obsrve", "variables.STEWARD_MODE: 'obsrve' is not a mode (act or observe)"),
        ("STEWARD_MODE: observe", "STEWARD_MODE: [observe]", "variables.STEWARD_MODE: must be one value"),
        ("STEWARD_MODE: observe", "STEWARD_MOD: observe", "STEWARD_MOD: nothing reads it (did you mean STEWARD_MODE?)"),
        ("STEWARD_MODE: observe", "SCF_MODE: observe", "variables.SCF_MODE: is reserved by the platform"),
        ("STEWARD_MODE: observe", "2ND-MODE: observe", "variables.2ND-MODE: is not a name that the platform takes"),
        ("sqlite:////tmp", "mysql:////tmp", "variables.STEWARD_LEDGER: is no ledger that is known here"),
        ("STEWARD_MODE: observe", f"NOTE: {'a' * 4100}", "inputs.environment.variables: has 4"),
        # the triggers, held against steward.yml
        ("argument: nightly-stop", "argument: nightly", "argument: no rule of steward.yml is for it (rules for timers want \"nightly-stop\", "),
        ("argument: nightly-stop", """argument: '{"OpType": "Stop"}'""", "argument: is a request that cannot be read"),
        (f"enable: true, {FOLLOW_UP}", f"enable: false, {FOLLOW_UP}", "inputs.events: has no timer for the follow-up"),
        ("name: hbase-night", "name: hbase-morning", "inputs.events[3].timer.parameters.name: appears twice"),
        # the code
        ("src: build/function #", "src: ./ #", "inputs.src: lacks index.py, handler, pydantic_core (`make package` fills"),
        ("src: build/function #", "src: {src: a, object: b} #", "inputs.src: needs either src or object"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_line_and_a_mend(tmp_path: Path, wanted: str, written: str, says: str) -> None:
    """One thing wrong in the file that is shipped: its path is told, and its line (LINE stands for it)."""
    before, found, _ = OURS.partition(wanted)
    assert found
    says = says.replace("LINE", str(before.count("\n") + 1))
    try:
        told = list(errors(tmp_path, OURS.replace(wanted, written, 1), {}))
    except ConfigurationError as error:  # of the YAML itself
        told = [str(error)]
    assert any(says in one for one in told), told


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Not the first only."""
    text = OURS.replace("memorySize", "memory").replace("netConfig", "netConf").replace("observe #", "#")
    assert {one.split(": ")[1] for one in errors(tmp_path, text, {})} == {
        "inputs.memory",
        "inputs.environment.variables.STEWARD_MODE",
        "inputs.events[0].http.parameters.netConfig",
        "inputs.events[0].http.parameters.netConf",
    }


@pytest.mark.parametrize(("value", "says"), [("", "is empty"), ("  ", "is empty"), ("<a secret>", "placeholder")])
def test_a_variable_of_who_deploys_is_looked_at(tmp_path: Path, value: str, says: str) -> None:
    """``${env:NAME}`` that is set there, but to nothing, would be refused by the platform."""
    (told,) = errors(tmp_path, OURS, {"STEWARD_SECRET_TCOP": value})
    assert "variables.STEWARD_SECRET_TCOP" in told
    assert says in told


def test_no_secret_is_repeated(tmp_path: Path) -> None:
    """Whatever is wrong around it."""
    text = OURS.replace("${env:STEWARD_SECRET_TCOP}", "[planted-secret]").replace("SECRET_GRAFANA:", "SECRT_GRAFANA:")
    told = list(
        errors(tmp_path, text, {"STEWARD_SECRET_GRAFANA": "planted-secret", "STEWARD_SECRET_TCOP": "planted-secret"})
    )
    assert told
    assert "planted" not in "".join(told)


def test_many_timers_and_two_urls(tmp_path: Path) -> None:
    """A function has at most ten timers, and one URL."""
    timer = OURS[OURS.rindex("    - timer:") :]
    more = "".join(timer.replace("hbase-morning", f"more-{number}") for number in range(8))
    url = OURS[OURS.index("    - http:") : OURS.index("    # Cron has")]
    told = list(errors(tmp_path, OURS + more + url, {}))
    assert any("inputs.events: has 11 timers (a function has at most 10)" in one for one in told)
    assert any("inputs.events: has two URLs" in one for one in told)


@pytest.mark.parametrize(
    ("text", "says"), [("", "is empty"), ("inputs: [", "is not valid YAML"), ("- a\n", "must be a mapping")]
)
def test_what_is_no_serverless_yml_is_said(tmp_path: Path, text: str, says: str) -> None:
    """Empty, broken, or something else; and none at all."""
    path = tmp_path / "serverless.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=says):
        load(path)
    with pytest.raises(ConfigurationError, match=r"none\.yml: no such file"):
        load(tmp_path / "none.yml")


def test_a_folder_of_code_must_be_the_package(tmp_path: Path) -> None:
    """The repository itself lacks the packages that the function imports; what `make package` fills has them."""
    folder = tmp_path / "build" / "function"
    (folder / "handler").mkdir(parents=True)
    (folder / "index.py").touch()
    (told,) = errors(tmp_path, OURS, {})
    assert "inputs.src: lacks pydantic_core" in told
    (folder / "pydantic_core").mkdir()
    assert not list(errors(tmp_path, OURS, {}))

"""The package, as the platform would run it: unpacked, read-only, on Python 3.10, with nothing else within reach."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.errors import ConfigurationError
from handler.lib.clock import SystemClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from harness.fake_cloud.server import CloudServer
from steward.deploy import serverless_file
from steward.package import build as packaging
from steward.package.build import Package, requirement_files
from steward.package.bytecode import find_python
from steward.package.wheels import download
from steward.simulate.fixtures import sample
from steward.simulate.platform import context, restamp
from tests.packages import built, example_package, made_once

ROOT = Path(__file__).parents[3]
PYTHON = find_python()
needs_python = pytest.mark.skipif(not PYTHON, reason="no Python 3.10 on PATH or among pyenv's versions")

CHAT = """
clusters: {emr-4zvc5mul: {region: ap-guangzhou, allow: [RestartService]}}
rules: []
alarms: {chat: [{url_env: STEWARD_CHAT_URL}]}
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    """The example configuration, packaged; every worker reads the same."""
    return example_package(tmp_path_factory)


@pytest.fixture(scope="module")
def code(package: Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, unpacked and made read-only."""

    def unpack(folder: Path) -> Path:
        code = folder / "var" / "user"
        shutil.unpack_archive(package.path, code)
        for path in [code, *code.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        return code

    return made_once(tmp_path_factory, "code", unpack)


#: Isolated (-I), without site-packages (-S), writing no bytecode (-B); every file that is opened is noted.
DELIVER = """
import sys
opened = []
sys.addaudithook(lambda name, facts: opened.append(str(facts[0])) if name == "open" else None)
folder, event, context = sys.argv[1:]
sys.path.insert(0, folder)
import index, json
answer = index.main_handler(json.loads(event), json.loads(context))
tops = {name.partition(".")[0] for name in sys.modules} - {"__main__"}
found = {"standard": sorted(tops & sys.stdlib_module_names), "others": sorted(tops - sys.stdlib_module_names)}
found |= {"answer": answer, "opened": opened, "modules": sorted(sys.modules), "stdlib": json.__file__}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Delivered:
    """What one cold start came to: the handler's answer, the modules it loaded (``standard``, ``others``: the packages), the files it opened, its log."""

    answer: Any
    modules: set[str]
    standard: set[str]
    others: set[str]
    opened: list[Path]
    stdlib: Path
    log: list[dict[str, Any]]


def deliver(code: Path, event: Any, tmp_path: Path, **env: str) -> Delivered:
    given = [json.dumps(restamp(event, time.time())), json.dumps(context(time_limit_ms=20_000, request_id="cold"))]
    done = subprocess.run(
        [PYTHON, "-I", "-S", "-B", "-c", DELIVER, str(code), *given],
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path), "STEWARD_LEDGER": f"sqlite:///{tmp_path}/ledger.db", **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    found = json.loads(last)
    return Delivered(
        found["answer"],
        set(found["modules"]),
        set(found["standard"]),
        set(found["others"]),
        [Path(name) for name in found["opened"] if name.startswith("/")],
        Path(found["stdlib"]).parents[1],
        [json.loads(line) for line in lines],
    )


@needs_python
def test_a_dead_process_is_restarted_by_the_package_alone(code: Path, tmp_path: Path) -> None:
    """Over real sockets against the fake cloud: one request, verified; nothing but package and standard library is read."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.2)
    cloud.process(ANALYTICS, "DataNode", "172.16.0.5").kill()
    with CloudServer(cloud) as server:
        delivered = deliver(
            code,
            sample("alertmanager-datanode-down"),
            tmp_path,
            STEWARD_EMR_ENDPOINT=server.url,
            TENCENTCLOUD_SECRETID=SECRET_ID,
            TENCENTCLOUD_SECRETKEY=SECRET_KEY,
        )
    assert delivered.answer["counts"] == {"done": 1}, delivered.log
    assert len(cloud.operations) == 1
    inside = (code, delivered.stdlib, tmp_path, Path("/etc"), Path("/usr/share/zoneinfo"), Path("/dev"), Path("/proc"))
    outside = [path for path in delivered.opened if not any(path.is_relative_to(place) for place in inside)]
    assert not outside
    assert not [path for path in delivered.opened if "site-packages" in path.parts]

    sdk = {"tencentcloud", "requests", "urllib3", "idna", "certifi"}
    assert delivered.others == {"handler", "index", "pydantic_core", "typing_extensions"} | sdk


#: What a start may load of the standard library before it knows that a call is needed: each is a part of every cold
#: start.
STDLIB = set(
    re.findall(
        r"\w+",
        """
        __future__ abc ast builtins codecs collections contextlib copy copyreg dataclasses datetime dis encodings enum functools genericpath
        importlib inspect io itertools json keyword linecache marshal math opcode operator os posix posixpath re reprlib sqlite3 sre_compile
        sre_constants sre_parse stat sys threading time token tokenize types typing warnings weakref zipimport
        """,
    )
)
NO_CALL = [
    pytest.param(sample("alertmanager-resolved"), {"alertmanager"}, set(), id="resolved alert"),
    pytest.param(sample("timer-nightly-stop") | {"Message": "steward:follow-up"}, {"timer"}, set(), id="follow-up"),
    pytest.param(
        sample("function-url-request") | {"headers": {}}, set(), {"hmac", "hashlib"}, id="call without credentials"
    ),
]


@needs_python
@pytest.mark.parametrize(("event", "sources", "besides"), NO_CALL)
def test_an_event_that_needs_no_call_loads_no_sdk(
    event: Any, sources: set[str], besides: set[str], code: Path, tmp_path: Path
) -> None:
    """The modules of each path are pinned: none of the SDK, of pydantic its core without the types, one sender's file."""
    delivered = deliver(code, event, tmp_path)
    assert not [line for line in delivered.log if line["level"] == "ERROR"]
    assert {name for name in delivered.standard - STDLIB if not name.startswith("_")} <= besides
    # The configuration needs no validation: pydantic's core is for what a sender wrote.
    core = {"pydantic_core"} if sources else set()
    assert delivered.others == {"handler", "index", "typing_extensions"} | core
    assert "pydantic_core.core_schema" not in delivered.modules
    mine = {
        name.removeprefix("handler.receive.senders.")
        for name in delivered.modules
        if name.startswith("handler.receive.senders.")
    }
    assert mine == sources


@needs_python
def test_nothing_of_the_package_is_compiled_at_a_cold_start(code: Path, tmp_path: Path) -> None:
    """Each module comes from shipped bytecode, whatever the times of the unpacked files are, and nothing is written."""
    before = sorted(code.rglob("*"))
    for source in code.rglob("*.py"):
        os.utime(source, (1, 1))
    delivered = deliver(code, sample("alertmanager-resolved"), tmp_path)
    read = {path.suffix for path in delivered.opened if path.is_relative_to(code)}
    bytecode = next((code / "handler" / "__pycache__").glob("app.*"))
    assert bytecode.name == "app.cpython-310.pyc"
    assert bytecode.read_bytes()[4:8] == b"\x01\0\0\0"  # by hash, and not checked
    assert ".pyc" in read
    assert ".py" not in read
    assert sorted(code.rglob("*")) == before


@needs_python
def test_the_same_input_gives_the_same_bytes(package: Package, tmp_path: Path) -> None:
    """Built again elsewhere, over an older one: zip, bytecode and bill of materials are the same, and nothing is left over."""
    shutil.copytree(package.folder, tmp_path / "function")
    (tmp_path / "function" / "left-over").touch()
    again = built(tmp_path, ROOT / "steward.yml")
    assert not (again.folder / "left-over").exists()
    assert again.path.read_bytes() == package.path.read_bytes()
    assert again.sbom.read_bytes() == package.sbom.read_bytes()


def test_the_zip_holds_what_the_function_needs_and_no_more(package: Package) -> None:
    """Sorted, with fixed times and modes; the configuration and the schemas as data; no pydantic, no chat library, nothing of the harness."""
    with zipfile.ZipFile(package.path) as archive:
        entries = archive.infolist()
        assert json.loads(archive.read("steward.json"))["clusters"]["emr-4zvc5mul"]["name"] == "analytics"
        assert archive.read("index.py") == (ROOT / "index.py").read_bytes()
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {oct(entry.external_attr >> 16) for entry in entries} == {"0o100644", "0o100755"}
    tops = {name.partition("/")[0] for name in names}
    packages = {"certifi", "idna", "pydantic_core", "requests", "tencentcloud", "urllib3"}
    packages |= {"typing_extensions.py"}
    ours = {"LICENSE", "index.py", "handler", "steward.json"}
    bytecode = {"__pycache__"} if PYTHON else set()
    assert {top for top in tops if not top.endswith(".dist-info")} == packages | ours | bytecode
    assert not [name for name in names if name.endswith((".pyi", "/RECORD"))]
    licensed = {name.partition("-")[0] for name in names if re.search(r"dist-info/.*(LICENSE|NOTICE)", name)}
    assert {"certifi", "requests", "pydantic_core"} <= licensed


def test_it_is_there_as_a_folder_too(package: Package) -> None:
    """The same files: serverless.yml names a folder."""
    with zipfile.ZipFile(package.path) as archive:
        zipped = {name: archive.read(name) for name in archive.namelist()}
    folder = package.folder
    assert {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    } == zipped


def test_serverless_yml_uploads_that_folder(package: Package, tmp_path: Path) -> None:
    """Its `src` is where `make package` unpacks, and what lies there is taken for the package."""
    path = tmp_path / "serverless.yml"
    path.write_text((ROOT / "serverless.yml").read_text(encoding="utf-8"), encoding="utf-8")
    shutil.copytree(package.folder, tmp_path / "build" / "function")
    uploaded = tmp_path / str(serverless_file.load(path, None, {}).inputs.src.src)
    assert uploaded == tmp_path / "build" / "function"


def test_the_native_code_is_the_platforms(package: Package) -> None:
    """Every shared object is for CPython 3.10 on x86_64 Linux, whatever built it."""
    with zipfile.ZipFile(package.path) as archive:
        natives = [name for name in archive.namelist() if ".so" in name]
        heads = {name: archive.read(name)[:20] for name in natives}
    assert natives
    assert all("cpython-310-x86_64-linux-gnu" in name for name in natives)
    assert {head[:5] + head[18:20] for head in heads.values()} == {b"\x7fELF\x02\x3e\x00"}


def test_sizes(package: Package, tmp_path: Path) -> None:
    """At most 7 MB, with the chat library 12 MB, which is packed only where the configuration names a chat."""
    assert package.size <= 7_000_000
    config = tmp_path / "steward.yml"
    config.write_text(CHAT, encoding="utf-8")
    with_chat = built(tmp_path, config)
    assert {"apprise", "charset-normalizer"} <= {wheel.name for wheel in with_chat.wheels}
    assert with_chat.size <= 12_000_000


@pytest.mark.parametrize("ledger", ["redis://:secret@10.0.0.1:6379/0", "rediss://10.0.0.1/0"])
def test_a_redis_ledger_brings_its_client(ledger: str, mocker: MockerFixture, tmp_path: Path) -> None:
    """The setting of the function decides, as the option would; with what the client needs on the platform's Python, whatever Python builds."""
    build = mocker.patch("steward.package.build.build", side_effect=ConfigurationError("enough"))
    assert packaging.main([], {"STEWARD_LEDGER": ledger}) == 2
    assert build.call_args.kwargs["ledger"] == "redis"
    mocker.patch("steward.package.wheels.subprocess.run", return_value=subprocess.CompletedProcess([], 0, "", ""))
    download(requirement_files(ROOT / "steward.yml", "redis"), tmp_path / "wheels")
    asked = (tmp_path / "wheels" / "requirements.txt").read_text(encoding="utf-8")
    assert {"redis", "async-timeout", "requests"} <= set(re.findall(r"^(\S+)==", asked, re.MULTILINE))


def test_the_bill_of_materials_names_every_dependency(package: Package) -> None:
    """CycloneDX: each wheel with version, licence, package URL and hash, and the zip's own hash."""
    bom = json.loads(package.sbom.read_text(encoding="utf-8"))
    assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
    about = bom["metadata"]["component"]
    assert about["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(package.path.read_bytes()).hexdigest()}]
    pinned = dict(re.findall(r"^(\S+)==(\S+)", (ROOT / "requirements/function.txt").read_text(), re.MULTILINE))
    del pinned["charset-normalizer"]  # left out: no encoding is guessed
    assert {part["name"]: part["version"] for part in bom["components"]} == pinned
    for part in bom["components"]:
        assert part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}"
        assert part["hashes"][0]["content"] in (ROOT / "requirements/function.txt").read_text()
        assert part["licenses"]
    assert bom["dependencies"][0]["dependsOn"] == [part["bom-ref"] for part in bom["components"]]


#: In a process of its own, where jsonschema knows every format.
VALIDATE = """
import pathlib, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
valid = JsonStrictValidator(SchemaVersion.V1_6)
text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
print(*(valid.validate_str(each) is None for each in (text, text.replace('"purl"', '"pearl"'))))
"""


def test_the_bill_of_materials_is_sound(package: Package) -> None:
    """By CycloneDX's own schema, strictly, its formats and SPDX's licence names included."""
    done = subprocess.run(
        [sys.executable, "-c", VALIDATE, str(package.sbom)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "False"]


def test_without_a_python_310_it_is_built_and_the_summary_warns(
    package: Package, mocker: MockerFixture, tmp_path: Path
) -> None:
    """Slower starts are better than no package, and the summary explains them."""
    mocker.patch("steward.package.build.find_python", return_value="")
    mocker.patch("steward.package.build.download", return_value=list(package.wheels))
    package = built(tmp_path, ROOT / "steward.yml")
    with zipfile.ZipFile(package.path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".pyc")]
    assert "NO BYTECODE: no Python 3.10" in packaging.summary(package)


# -- what can be wrong


def fails(capsys: pytest.CaptureFixture[str], *arguments: str, **env: str) -> str:
    """The error that the command prints; it must end with 2."""
    assert packaging.main(arguments, env) == 2
    return capsys.readouterr().err


def test_a_package_needs_its_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without a steward.yml nothing is built."""
    missing = tmp_path / "steward.yml"
    output = fails(capsys, "--config", str(missing), "--output", str(tmp_path / "function.zip"))
    assert f"{missing}: no such file" in output
    assert not (tmp_path / "function.zip").exists()


def test_a_configuration_is_checked_before_it_is_packed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The error has the line that is wrong."""
    config = tmp_path / "steward.yml"
    config.write_text("clusters: {emr-4zvc5mul: {region: ap-guangzhou}}\nruels: []\n", encoding="utf-8")
    output = fails(capsys, "--config", str(config), "--output", str(tmp_path / "function.zip"))
    assert "steward.yml:2" in output
    assert "rules" in output
    assert not (tmp_path / "function.zip").exists()


@pytest.mark.parametrize(
    ("script", "expected"),
    [("#!/bin/sh\necho 3.11\n", "is Python 3.11"), ("#!/bin/sh\nexit 1\n", "is not a Python that runs")],
)
def test_another_python_makes_no_bytecode(
    script: str, expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The platform would not load it, and every start would be slow without a word."""
    python = tmp_path / "python"
    python.write_text(script, encoding="utf-8")
    python.chmod(0o755)
    assert expected in fails(capsys, "--python", str(python), "--output", str(tmp_path / "function.zip"))


def test_only_a_package_is_overwritten(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The folder beside the zip may be somebody's work."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years", encoding="utf-8")
    assert "is in the way" in fails(capsys, "--output", str(tmp_path / "work.zip"))
    assert (tmp_path / "work" / "thesis.txt").exists()
    # `--output handler.zip` in a project's root, where a configuration happens to lie as well.
    (tmp_path / "handler" / "lib").mkdir(parents=True)
    (tmp_path / "handler" / "steward.json").write_text("{}", encoding="utf-8")
    assert "is in the way" in fails(capsys, "--output", str(tmp_path / "handler.zip"))
    assert (tmp_path / "handler" / "steward.json").exists()
    assert "is not the name of a zip" in fails(capsys, "--output", str(tmp_path / "work"))


def test_an_empty_setting_is_reported_when_building(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The build reports it before the function fails on it."""
    output = fails(capsys, "--output", str(tmp_path / "function.zip"), STEWARD_LEDGER="")
    assert "STEWARD_LEDGER: is set but empty" in output


PIN = "tencentcloud-sdk-python-common==3.1.195 --hash=sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        (
            {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1"},
            "the package index cannot be reached",
        ),
        ({"PIP_NO_INDEX": "1"}, "not every dependency has a wheel for CPython 3.10 on manylinux2014"),
    ],
)
def test_missing_wheels_and_an_unreachable_network_are_different_errors(
    env: dict[str, str], expected: str, mocker: MockerFixture, tmp_path: Path
) -> None:
    """Each with the file that asks for them and what to do."""
    mocker.patch.dict("os.environ", {"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull, **env}, clear=True)
    requirements = tmp_path / "function.txt"
    requirements.write_text(PIN + "\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=expected) as raised:
        download([requirements], tmp_path / "wheels")
    assert raised.value.where == str(requirements)
    assert raised.value.hint


def test_a_missing_configuration_is_reported(tmp_path: Path) -> None:
    """It was named as an option, so the error does not suggest STEWARD_CONFIG."""
    with pytest.raises(ConfigurationError, match=r"none\.yml: no such file$"):
        requirement_files(tmp_path / "none.yml", "sqlite")


def test_a_missing_requirements_file_is_reported(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(ConfigurationError, match=r"redis\.txt: cannot be read"):
        download([tmp_path / "redis.txt"], tmp_path / "wheels")


def test_schemas_are_compiled_with_the_pydantic_that_is_packed(
    package: Package, mocker: MockerFixture, tmp_path: Path
) -> None:
    """Another version's core schema may mean something else."""
    mocker.patch("steward.package.build.download", return_value=list(package.wheels))
    mocker.patch("pydantic_core.__version__", "2.0.0")
    with pytest.raises(ConfigurationError, match=r"pydantic-core 2\.0\.0 is installed here, but .* is pinned"):
        built(tmp_path, ROOT / "steward.yml")


def test_markers_are_evaluated_for_the_platform_and_not_for_the_builder(mocker: MockerFixture, tmp_path: Path) -> None:
    """Whatever Python builds, the pins for 3.10 on Linux are downloaded."""
    requirements = tmp_path / "chat.txt"
    requirements.write_text(
        "markdown==3.10.3 ; python_full_version < '3.11' \\\n    --hash=sha256:aa\n"
        "markdown==3.11.3 ; python_full_version >= '3.11' \\\n    --hash=sha256:bb\n"
        "tzdata==2026.6 ; sys_platform == 'win32' \\\n    --hash=sha256:cc\n",
        encoding="utf-8",
    )
    done = subprocess.CompletedProcess([], 0, "", "")
    mocker.patch("steward.package.wheels.subprocess.run", return_value=done)
    download([requirements], tmp_path / "wheels")
    asked = (tmp_path / "wheels" / "requirements.txt").read_text(encoding="utf-8")
    assert asked == "markdown==3.10.3 --hash=sha256:aa\n"

"""The package: what is in the zip, and that it runs alone, as the platform would run it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.clock import SystemClock
from handler.errors import ConfigurationError
from harness import packaging, serverless_file
from harness.cloud.demo_clusters import demo_cloud
from harness.cloud.server import CloudServer
from harness.cloud.state import SECRET_ID, SECRET_KEY
from harness.emulator import restamp
from harness.fixtures import sample
from harness.packaging import IndexUnreachable, PackagingError, build, python310, unpack

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "steward.yml"
#: What the platform does: no site-packages, no environment, no bytecode written; the code's folder first.
ALONE = """
import json, sys
sys.path[:0] = [sys.argv[1]]
import index
answer = index.main_handler(json.loads(sys.argv[2]), {"time_limit_in_ms": 30000, "request_id": "r"})
loaded = {name.partition(".")[0] for name in sys.modules}
where = {getattr(sys.modules.get(name), "__file__", "") for name in ("index", "pydantic_core", "requests")} - {""}
print(json.dumps({"answer": answer, "loaded": sorted(loaded), "where": sorted(where)}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> packaging.Package:
    """The example's package."""
    try:
        return build(CONFIG, tmp_path_factory.mktemp("package") / "function.zip")
    except IndexUnreachable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def unpacked(built: packaging.Package, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it was unpacked; nothing may be written there."""
    folder = tmp_path_factory.mktemp("code")
    with zipfile.ZipFile(built.path) as archive:
        archive.extractall(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def deliver(unpacked: Path, event: Any, **env: str) -> dict[str, Any]:
    """One event at a fresh instance: its answer, and what was loaded."""
    python = python310()
    if python is None:
        pytest.skip("no Python 3.10 was found: the package is for it")
    before = {path: path.stat().st_mtime_ns for path in unpacked.rglob("*")}
    done = subprocess.run(
        [python, "-S", "-I", "-B", "-c", ALONE, str(unpacked), json.dumps(event)],
        cwd="/",
        env={"STEWARD_LEDGER": "sqlite:///:memory:", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in unpacked.rglob("*")} == before
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_it_acts_alone(unpacked: Path) -> None:
    """A dead DataNode is restarted, over a socket, with nothing but the zip and Python 3.10's own library."""
    clock = SystemClock()
    cloud = demo_cloud(clock, transition_seconds=0.2)
    cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    with CloudServer(cloud) as server:
        told = deliver(
            unpacked,
            restamp(sample("alertmanager-datanode-down"), clock.now()),
            STEWARD_EMR_ENDPOINT=server.url,
            TENCENTCLOUD_SECRETID=SECRET_ID,
            TENCENTCLOUD_SECRETKEY=SECRET_KEY,
            TENCENTCLOUD_SESSIONTOKEN="",
        )
    assert told["answer"]["counts"] == {"done": 1}
    assert len(cloud.operations) == 1
    assert {str(unpacked) in place for place in told["where"]} == {True}
    assert not {"pydantic", "ruamel", "typer"} & set(told["loaded"])


def test_an_event_that_needs_no_call_loads_no_sdk(unpacked: Path) -> None:
    """A resolved alert: answered without the SDK, and without what it brings."""
    told = deliver(unpacked, sample("alertmanager-resolved"))
    assert told["answer"]["counts"] == {"skipped": 1}
    assert not {"tencentcloud", "requests", "urllib3", "pydantic", "logging", "ssl"} & set(told["loaded"])


def test_the_same_input_gives_the_same_bytes(built: packaging.Package, tmp_path: Path) -> None:
    """The zip and its SBOM, built twice."""
    again = build(CONFIG, tmp_path / "function.zip")
    assert again.path.read_bytes() == built.path.read_bytes()
    assert again.path.with_suffix(".cdx.json").read_bytes() == built.path.with_suffix(".cdx.json").read_bytes()


def test_it_is_small_and_holds_what_it_should(built: packaging.Package) -> None:
    """At most 7 MB; the code, the configuration, licences and bytecode for the platform's Python; no tests, no chat library, no pydantic."""
    assert built.size <= 7_000_000
    with zipfile.ZipFile(built.path) as archive:
        names = archive.namelist()
    assert names == sorted(names)
    assert {"index.py", "steward.json", "handler/compiled_shapes.json", "handler/entrypoint.py", "LICENSE"} <= set(
        names
    )
    roots = {name.partition("/")[0] for name in names}
    assert not roots & {"harness", "tests", "pydantic", "apprise", "redis", "pip"}
    extensions = [name for name in names if name.endswith(".so")]
    assert extensions
    assert all("cpython-310-x86_64-linux" in name for name in extensions)
    if built.has_bytecode:
        assert "handler/__pycache__/entrypoint.cpython-310.pyc" in names
        with zipfile.ZipFile(built.path) as archive:
            flags = int.from_bytes(archive.read("handler/__pycache__/entrypoint.cpython-310.pyc")[4:8], "little")
        assert flags == 0b01  # by hash, and not checked


def test_the_sbom_names_every_package(built: packaging.Package) -> None:
    """CycloneDX: each with version, purl and the wheel's hash."""
    bom = json.loads(built.path.with_suffix(".cdx.json").read_text(encoding="utf-8"))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    pinned = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements/function.txt").read_text(), re.MULTILINE)
    named = {(one["name"].lower().replace("_", "-"), one["version"]) for one in bom["components"]}
    assert named == set(pinned)
    assert all(one["hashes"][0]["content"] and one["purl"].startswith("pkg:pypi/") for one in bom["components"])


def test_a_redis_ledger_brings_its_client() -> None:
    """And what that needs on the platform's Python, whatever Python builds."""
    files = packaging.requirement_files(CONFIG, "redis")
    lines = [line for file in files for line in packaging._for_platform(file.read_text(encoding="utf-8"))]
    names = {line.partition("==")[0] for line in lines}
    assert {"redis", "async-timeout", "tencentcloud-sdk-python-common"} <= names
    assert all(" --hash=sha256:" in line for line in lines)


def test_the_chat_library_is_packed_where_chats_are_configured(tmp_path: Path) -> None:
    """It is large, and most do without."""
    chatty = tmp_path / "steward.yml"
    chatty.write_text(CONFIG.read_text(encoding="utf-8") + "\nalarms: {chat: [{url_env: STEWARD_CHAT}]}\n")
    assert [path.stem for path in packaging.requirement_files(chatty, "sqlite")] == ["function", "chat"]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "no such file"), ("", "is empty"), ("clusters: {}\nrulez: []\n", "rulez")],
    ids=["missing", "empty", "wrong"],
)
def test_a_package_without_a_sound_configuration_is_not_built(tmp_path: Path, content: str | None, says: str) -> None:
    """Nothing is written that would fail at the first event."""
    config, target = tmp_path / "steward.yml", tmp_path / "function.zip"
    if content is not None:
        config.write_text(content)
    with pytest.raises(ConfigurationError, match=says):
        build(config, target)
    assert not target.exists()


def test_a_wrong_python_and_missing_wheels_are_said(tmp_path: Path, mocker: MockerFixture) -> None:
    """Each with what to do."""
    wrong = tmp_path / "python"
    wrong.write_text("#!/bin/sh\necho 3.7\n")
    wrong.chmod(0o755)
    with pytest.raises(PackagingError, match=r"is Python 3\.7"):
        build(CONFIG, tmp_path / "function.zip", python=str(wrong))
    lock = tmp_path / "function.txt"
    lock.write_text("no-such-package-of-ours==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    mocker.patch.object(packaging, "requirement_files", return_value=[lock])
    with pytest.raises(PackagingError, match="cannot be had") as missing:
        build(CONFIG, tmp_path / "function.zip")
    if isinstance(missing.value, IndexUnreachable):
        pytest.skip(str(missing.value))
    assert not (tmp_path / "function.zip").exists()


def test_without_a_python_310_it_is_built_and_said(
    tmp_path: Path, mocker: MockerFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slower to start, but sound."""
    mocker.patch.object(packaging, "python310", return_value=None)
    mocker.patch.object(packaging, "_download", side_effect=lambda files, wheels: wheels.mkdir())
    mocker.patch.object(sys, "argv", ["package", "--config", str(CONFIG), "--output", str(tmp_path / "function.zip")])
    packaging.main()
    assert "no Python 3.10 was found" in capsys.readouterr().err


def test_the_folder_that_is_uploaded_is_the_zip_unpacked(built: packaging.Package) -> None:
    """Beside the zip, made anew each time; what is no package of ours is left alone."""
    folder = unpack(built)
    (folder / "left-over").touch()
    assert unpack(built) == folder
    with zipfile.ZipFile(built.path) as archive:
        assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == set(
            archive.namelist()
        )
    (folder / "steward.json").unlink()
    with pytest.raises(PackagingError, match="in the way"):
        unpack(built)
    assert (folder / "index.py").exists()


def test_serverless_yml_uploads_that_folder(built: packaging.Package, tmp_path: Path) -> None:
    """Its `src` is where `make package` unpacks, and what lies there is taken for the package."""
    path = tmp_path / "serverless.yml"
    path.write_text((ROOT / "serverless.yml").read_text(encoding="utf-8"), encoding="utf-8")
    zipped = tmp_path / "build" / "function.zip"
    zipped.parent.mkdir()
    zipped.write_bytes(built.path.read_bytes())
    folder = unpack(packaging.Package(zipped, built.wheels, built.has_bytecode))
    assert tmp_path / str(serverless_file.load(path, None, {}).inputs.src.src) == folder


def test_a_folder_of_somebody_else_is_never_removed(built: packaging.Package, tmp_path: Path) -> None:
    """`--output handler.zip` in a project's root: its handler/ stays, whatever lies in it; an older package is replaced."""
    mine = tmp_path / "handler"
    mine.mkdir()
    for name in ("precious.py", "steward.json"):
        (mine / name).write_text("mine")
    zipped = tmp_path / "handler.zip"
    zipped.write_bytes(built.path.read_bytes())
    with pytest.raises(PackagingError, match="in the way"):
        unpack(packaging.Package(zipped, built.wheels, built.has_bytecode))
    assert {path.name for path in mine.iterdir()} == {"precious.py", "steward.json"}
    older = tmp_path / "function"
    package = packaging.Package(zipped.rename(tmp_path / "function.zip"), built.wheels, built.has_bytecode)
    assert unpack(package) == older
    (older / "left-over.py").write_text("old")
    unpack(package)
    assert not (older / "left-over.py").exists()


def test_an_index_out_of_reach_is_told_from_a_wheel_that_is_not_there(
    tmp_path: Path, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one is the network's matter, the other the lock file's; only the first excuses a test."""
    lock = tmp_path / "function.txt"
    lock.write_text("no-such-package-of-ours==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n")
    mocker.patch.object(packaging, "requirement_files", return_value=[lock])
    with socket.create_server(("127.0.0.1", 0)) as once:
        closed = once.getsockname()[1]
    for name, value in {"INDEX_URL": f"http://127.0.0.1:{closed}/simple", "RETRIES": "1", "TIMEOUT": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    with pytest.raises(IndexUnreachable, match="out of reach"):
        build(CONFIG, tmp_path / "function.zip")

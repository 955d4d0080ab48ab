"""The command as it is installed: from a wheel, outside the checkout, with and without its extra."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.command import ROOT

#: What a wheel is built from.
SOURCES = (
    "handler",
    "harness",
    "steward",
    "events",
    "steward.yml",
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)


def run(*arguments: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a program with nothing of this environment but what is given."""
    return subprocess.run(arguments, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=180)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of a virtual environment that has the wheel, and nothing that it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        path = ROOT / name
        shutil.copytree(path, source / name, ignore=ignored) if path.is_dir() else shutil.copy(path, source)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
    built = run(*pip, "wheel", "--no-deps", "--wheel-dir", folder, source, cwd=folder, **os.environ)
    if "No matching distribution found for setuptools" in built.stderr:
        pytest.skip("the package index is out of reach: setuptools, which builds the wheel, comes from it")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv")
    programs = folder / "venv" / "bin"
    put = run(*pip, "--python", programs / "python", "install", "--no-deps", wheel, cwd=folder, **os.environ)
    assert put.returncode == 0, put.stderr
    return programs


def test_without_its_extra_it_names_it(installed: Path, tmp_path: Path) -> None:
    """One line, and no traceback."""
    done = run(installed / "steward", "demo", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        'steward: the package typer is missing; install the command\'s extra: pip install "emr-steward[cli]"\n'
    )


def test_the_demo_runs_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    """The example configuration and the samples come with the package."""
    # The packages that it depends on are those of this environment: the index is not asked for them again.
    libraries = next(installed.parent.glob("lib/python*/site-packages"))
    (libraries / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    where = run(installed / "python", "-c", "import steward.cli.main as it; print(it.__file__)", cwd=tmp_path)
    assert where.stdout.startswith(str(libraries)), where.stderr
    done = run(installed / "steward", "demo", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for arguments in (("check",), ("explain", libraries / "steward/examples/events/alertmanager-datanode-down.json")):
        assert run(installed / "steward", *arguments, cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["handler", "steward"])
def test_type_checkers_may_use_it(package: str) -> None:
    """It says that it has type annotations (PEP 561)."""
    assert (ROOT / package / "py.typed").exists()

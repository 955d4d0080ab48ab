"""index.py says which Python it needs, on whatever Python it is loaded."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def loaded(folder: Path, version: tuple[int, int]) -> subprocess.CompletedProcess[str]:
    """Import index in ``folder`` with an interpreter that takes itself for this version."""
    code = f"import sys; sys.version_info = (*{version}, 1, 'final', 0); import index"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def test_any_python_3_can_read_it() -> None:
    """Nothing newer than Python 3.0 stands in it: no f-string, no annotation of a variable."""
    tree = ast.parse((ROOT / "index.py").read_text(encoding="utf-8"), feature_version=(3, 4))
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr))]


@pytest.mark.parametrize("version", [(3, 6), (3, 9), (3, 12)])
def test_the_package_names_the_runtime_to_choose(version: tuple[int, int], tmp_path: Path) -> None:
    """In one line, before anything is imported that this version cannot read or load."""
    shutil.copy(ROOT / "index.py", tmp_path)
    (tmp_path / "pydantic_core").mkdir()
    done = loaded(tmp_path, version)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"RuntimeError: EMR Steward needs Python 3.10, and this is Python {version[0]}.{version[1]}: "
        "choose the runtime Python 3.10 (`runtime: Python3.10` in serverless.yml)"
    )


def test_a_checkout_runs_on_newer_versions_only(tmp_path: Path) -> None:
    """Its libraries are those that are installed."""
    shutil.copy(ROOT / "index.py", tmp_path)
    (tmp_path / "handler").mkdir()
    (tmp_path / "handler" / "app.py").write_text("main_handler = print", encoding="utf-8")
    assert loaded(tmp_path, (3, 12)).returncode == 0
    assert "needs Python 3.10" in loaded(tmp_path, (3, 9)).stderr

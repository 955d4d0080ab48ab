"""The cold-start benchmark runs, and what it finds that does not depend on the machine's speed keeps its promise."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from benchmarks import cold_start
from benchmarks.cold_start import ACTING, FLOOR, NO_CALL, OURS, USUAL_HANDLER, Bench, goals
from handler.errors import ConfigurationError
from steward.package.bytecode import find_python
from tests.packages import example_package, locked

PYTHON = find_python()


@pytest.mark.skipif(not PYTHON, reason="no Python 3.10 on PATH or among pyenv's versions")
def test_one_run_of_each(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, mocker: MockerFixture) -> None:
    """Each handler acts once, where it is to act; ours loads the SDK only then, and fits the platform's smallest memory size (64 MB)."""
    package = example_package(tmp_path_factory)
    shutil.copytree(package.folder, tmp_path / "function")
    mocker.patch.object(cold_start, "build", return_value=replace(package, path=tmp_path / "function.zip"))
    with locked(cold_start.WHEELS / ".lock"):
        try:
            bench = Bench(tmp_path, PYTHON)
        except ConfigurationError as error:
            if "cannot be reached" in str(error):
                pytest.skip(str(error))
            raise
    series = bench.run(1, warm_up=False)
    assert {case: one.loads_sdk for case, one in series.items() if case[0] in (OURS, FLOOR, USUAL_HANDLER)} == {
        (OURS, ACTING): True,
        (OURS, NO_CALL): False,
        (USUAL_HANDLER, ACTING): True,
        (USUAL_HANDLER, NO_CALL): True,
        (FLOOR, ACTING): True,
        (FLOOR, NO_CALL): True,
    }
    assert series[OURS, ACTING].peak <= 48
    assert series[OURS, NO_CALL].peak <= series[OURS, ACTING].peak
    by_name = {goal.name: goal for goal in goals(series, bench.package.size)}
    assert by_name["zip"].is_met
    assert len(by_name) == 6

"""The list of `make mutations` fits the code: one that fits nowhere would take nothing away."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.mutations import LISTED, ON_REDIS, ROOT, Mutation, guards


@pytest.mark.parametrize("mutation", [*guards(), *LISTED, *ON_REDIS], ids=lambda mutation: mutation.name)
def test_each_mutation_fits_once(mutation: Mutation, tmp_path: Path) -> None:
    """And changes the file."""
    copy = tmp_path / mutation.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / mutation.file, copy)
    mutation.apply(tmp_path)
    assert copy.read_bytes() != (ROOT / mutation.file).read_bytes()

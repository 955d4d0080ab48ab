"""The list of `make mutations` fits the code: one that fits nowhere would take nothing away."""

from __future__ import annotations

from tests.mutations import LISTED, ON_REDIS, guards


def test_each_mutation_fits_once() -> None:
    """And changes its file: :meth:`Mutation.applied` raises where it would not."""
    texts = [mutation.applied() for mutation in (*guards(), *LISTED, *ON_REDIS)]
    assert len(texts) > 60

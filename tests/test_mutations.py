"""The list of `make mutations` fits the code: one that fits nowhere would take nothing away."""

from __future__ import annotations

from tests.engine.mutations import RULES
from tests.engine.scenarios import SCENARIOS
from tests.mutations import LISTED, ON_REDIS, ROOT, guards

ALL = (*guards(), *LISTED, *ON_REDIS)


def test_each_mutation_fits_once() -> None:
    """And changes its file: :meth:`Mutation.applied` raises where it would not."""
    texts = [mutation.applied() for mutation in ALL]
    assert len(texts) > 60


def test_each_mutation_names_tests_that_exist() -> None:
    """Files for all, scenarios for the rules of the engine."""
    files = {test.partition("::")[0] for mutation in ALL for test in mutation.tests}
    assert sorted(name for name in files if not (ROOT / name).is_file()) == []
    named = {rule.noticed_by for rule in RULES if not rule.noticed_by.startswith("test_")}
    assert named <= SCENARIOS.keys()

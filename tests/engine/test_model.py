"""The engine's decisions, in every order in which things can happen: the properties hold in all that is explored.

In the suite each scenario is explored for a moment, in an order of its own; ``make exhaustive`` explores it as far as
memory allows, the nearest states first, so that a counterexample is a short one. What a test prints is its story.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from handler.execute.decision import decide
from handler.ledger.admission import admit
from handler.ledger.cluster_record import ClusterRecord
from handler.model.timing import TIMING
from tests.engine.exploring import Explored, explore
from tests.engine.scenarios import SCENARIOS, SIGNED, fires
from tests.engine.steps import Steps
from tests.engine.world import CLUSTER, START, start
from tests.share import SHARE

#: States that are explored in the suite, and by `make exhaustive`.
BRIEFLY, LONG, CONTROL = 1200, 300_000, 20_000
#: The seeds of the orders in the suite.
SEEDS = (1, 2)
#: Seconds for which the API takes a signature, and by which a clock may differ from the API's.
SIGNATURE, SKEW = 300.0, 60.0


def explored(name: str, *, limit: int, at_random: int | None = None) -> Explored:
    bounds, steps = SCENARIOS[name]
    return explore(bounds, steps, limit=limit, at_random=at_random)


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_holds_in_many_orders(name: str) -> None:
    """Some orders of each scenario, to their ends."""
    for seed in SEEDS:
        found = explored(name, limit=BRIEFLY // len(SEEDS), at_random=seed)
        assert not found.story, f"{name}:\n{found}"
        assert found.ends


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
def test_it_holds_in_every_order(name: str) -> None:
    """All orders of each scenario within its bounds, the nearest states first."""
    found = explored(name, limit=round(LONG * SHARE))
    assert not found.story, f"{name}:\n{found}"


def test_a_request_in_doubt_is_ruled_out_late_enough() -> None:
    """A signature holds, by the API's clock, for 300 s after the latest sending; ours may be ahead of it."""
    assert TIMING.ruled_out > TIMING.latest_send + SIGNATURE + SKEW


def test_a_request_that_is_ruled_out_too_early_is_found() -> None:
    """The control: a tick less, and a late request restarts what another one has just restarted."""
    early = explore(replace(SIGNED, ruled_out=3), (fires(0),), limit=CONTROL, at_random=1)
    assert "restarted twice within its cooldown" in early.story[-1]


def test_no_second_operation_is_armed_on_a_process() -> None:
    """Whatever the guards let pass, the record refuses it."""
    bounds, (step,) = SCENARIOS["it never comes up"]
    steps, world = Steps(bounds, (step,)), start(bounds, (step,))
    record = world.record.copy()
    admit(record, steps.stated(step, "event", START), START)
    operation = decide(record, world.look(bounds), None, steps.policy("worker 1", START, "op-1")).operation
    assert operation is not None
    with pytest.raises(ValueError, match="under an open operation"):
        record.arm(operation, operation.intents)


def test_a_hint_is_no_lock() -> None:
    """It spares others the work for a while; who died, who left, or whose clock was wrong holds nobody up."""
    record, now = ClusterRecord(CLUSTER), START
    assert record.claim("first", now)
    assert not record.claim("second", now + 1)
    assert record.claim("second", now + TIMING.hint)
    record.leave("first")
    assert not record.claim("third", now + TIMING.hint + 1)
    record.leave("second")
    assert record.claim("third", now + TIMING.hint + 1)
    record.stay("third", now + 100_000)
    assert record.claim("fourth", now)

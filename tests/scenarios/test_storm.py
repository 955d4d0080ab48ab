"""A small storm in every run of the suite: kill -9, faults, real sockets; and the proof that it would notice."""

from __future__ import annotations

import pytest

from harness.redis_server import MISSING
from harness.storm import run


@pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("redis", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING))]
)
def test_a_storm_restarts_nothing_twice_and_loses_nothing_from_sight(store: str) -> None:
    """Eight workers, some killed; requests reset, cut and hung: at most one request a need, and every promise kept."""
    figures = run(store, needs=20, count=300, faults=20, kills=0.5)
    assert figures["broken"] == []
    assert figures["most requests a need"] == 1
    assert figures["killed"] >= 1


def test_without_kills_each_event_has_its_outcome() -> None:
    """As many outcomes as deliveries that were served."""
    figures = run("sqlite", needs=20, count=200, faults=0, kills=0)
    assert figures["broken"] == []
    assert figures["states"] == {"VERIFIED": 20}


def test_without_arming_the_storm_is_seen_to_break_promises() -> None:
    """The negative control: the check finds what it is there for."""
    assert run("sqlite", needs=10, count=200, faults=0, kills=0, is_armed=False)["broken"]

"""A small storm in every run of the suite: kill -9, faults, real sockets; and the proof that it would notice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from handler.model.operation import State
from steward.chaos.processes import Plan
from steward.chaos.storm import Storm, run
from steward.simulate.redis_server import MISSING
from tests.operations import an_operation


@pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("redis", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING))]
)
def test_a_storm_restarts_nothing_twice_and_loses_nothing_from_sight(store: str) -> None:
    """Eight workers, some killed; requests reset, cut and hung: at most one request a need, and every promise kept."""
    figures = run(store, needs=20, count=300, errors=20, kills=0.5)
    assert figures["broken"] == []
    assert figures["most requests a need"] == 1
    assert figures["killed"] >= 1


def test_without_kills_each_event_has_its_outcome() -> None:
    """As many outcomes as deliveries that were served."""
    figures = run("sqlite", needs=20, count=200, errors=0, kills=0)
    assert figures["broken"] == []
    assert figures["states"] == {"VERIFIED": 20}


@pytest.mark.parametrize(
    ("state", "requests", "is_found"),
    [
        (State.VERIFIED, {"request-1": {"emr-00000000/10.0.0.1"}}, False),
        (State.VERIFIED, {}, True),
        (State.VERIFIED, {"request-1": {"emr-00000000/10.0.0.2"}}, True),
        (State.ACCEPTED, {}, True),
        (State.FAILED, {}, False),
    ],
)
def test_a_request_id_that_is_another_requests_is_found(
    tmp_path: Path, state: State, requests: dict[str, set[str]], is_found: bool
) -> None:
    """What the ledger says of a request is held against what the cloud did by that RequestId."""
    plan = Plan(f"sqlite:///{tmp_path}/ledger.db", "http://127.0.0.1:1", 1, 0.0)
    storm = Storm(plan, [], 0, lambda text: None)
    operation = an_operation("op-1", cluster="emr-00000000", targets=("HDFS/datanode/10.0.0.1",))
    done = Counter(f"emr-00000000/10.0.0.{node}" for node in range(1, 6))
    operations = [operation.moved(state, 1.0, request_id="request-1")]
    others = [
        an_operation(f"op-{node}", cluster="emr-00000000", targets=(f"HDFS/datanode/10.0.0.{node}",))
        for node in range(2, 6)
    ]
    storm.check([*operations, *others], done, requests)
    assert storm.broken == ["op-1 is " + state + ", and its RequestId is not that of its request"] * is_found


def test_without_arming_the_storm_is_seen_to_break_promises() -> None:
    """The negative control: the check finds what it is there for."""
    assert run("sqlite", needs=10, count=200, errors=0, kills=0, is_armed=False)["broken"]

"""A small storm in every run of the suite: kill -9, faults, real sockets; and the proof that it would notice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from handler.model.operation import State
from handler.report.history import OperationRow, Past, fields_of
from steward.chaos import storm as storm_command
from steward.chaos.processes import Plan
from steward.chaos.storm import Storm, run
from steward.simulate.redis_server import MISSING
from tests.operations import an_operation


@pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("redis", marks=pytest.mark.skipif(bool(MISSING), reason=MISSING))]
)
def test_a_storm_restarts_nothing_twice_and_loses_nothing_from_sight(store: str) -> None:
    """Eight workers, some killed; requests reset, cut and hung: at most one request a process, and every promise kept."""
    figures = run(store, dead=20, count=300, faults=20, kill_every=0.5)
    assert figures["broken"] == []
    assert figures["max requests a process"] == 1
    assert figures["killed"] >= 1


def test_without_kills_each_event_has_its_outcome() -> None:
    """As many outcomes as deliveries that were served."""
    figures = run("sqlite", dead=20, count=200, faults=0, kill_every=0)
    assert figures["broken"] == []
    assert figures["looks a process"] <= 6
    assert (figures["restarted"], figures["states"].keys() <= {"VERIFIED", "NOT_SENT"}) == (20, True)


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
    """The ledger's RequestId is compared with what the cloud carried out under it."""
    plan = Plan(f"sqlite:///{tmp_path}/ledger.db", "http://127.0.0.1:1", 1, 0.0)
    storm = Storm(plan, [], 0, lambda text: None)
    operations = [
        OperationRow.of(
            fields_of(an_operation(f"op-{node}", cluster="emr-00000000", targets=(f"HDFS/datanode/10.0.0.{node}",)))
        )
        for node in (1, 2)
    ]
    operations[0] = operations[0]._replace(state=state.value, request_id="request-1")
    storm.check(Past(operations, [], {}, 0), Counter(["emr-00000000/10.0.0.1"]), requests)
    assert storm.broken == ["op-1 is " + state + ", and its RequestId is not that of its request"] * is_found


@pytest.mark.parametrize(
    ("statuses", "settled", "is_found"),
    [
        ({"pending"}, {}, True),
        ({"accepted", "pending"}, {}, True),
        ({"pending"}, {"a": {}}, False),
        ({"pending", "done"}, {}, False),
    ],
)
def test_what_never_learns_its_end_is_found(
    tmp_path: Path, statuses: set[str], settled: dict[str, dict[str, object]], is_found: bool
) -> None:
    """An event that was told that it is open, without a line that says what became of it."""
    storm = Storm(Plan(f"sqlite:///{tmp_path}/ledger.db", "http://127.0.0.1:1", 1, 0.0), [], 0, lambda text: None)
    storm.told["a"] = statuses
    storm.check_settled(Past([], [], settled, 0))
    assert bool(storm.broken) == is_found


def test_without_arming_the_storm_breaks_promises() -> None:
    """The negative control: the check finds restarts that the ledger did not arm."""
    assert run("sqlite", dead=10, count=200, faults=0, kill_every=0, is_armed=False)["broken"]


@pytest.mark.parametrize(("broken", "code"), [([], 0), (["a promise"], 1)])
def test_the_options_of_the_command_reach_the_storm(
    monkeypatch: pytest.MonkeyPatch, broken: list[str], code: int
) -> None:
    """Each option of ``make storm`` sets what it names, and the exit code reports a broken promise."""
    given: dict[str, object] = {}

    def run_nothing(kind: str, **options: object) -> dict[str, object]:
        given.update(options, kind=kind)
        return {"broken": broken}

    monkeypatch.setattr(storm_command, "run", run_nothing)
    options = ["--ledger", "sqlite", "--processes", "5", "--deliveries", "20", "--faults", "3", "--kills", "0.25"]
    with pytest.raises(SystemExit) as ended:
        storm_command.main([*options, "--without-arm", "--json"])
    assert ended.value.code == code
    del given["write"]
    assert given == {"kind": "sqlite", "dead": 5, "count": 20, "faults": 3, "kill_every": 0.25, "is_armed": False}

"""The history: operations, outcomes and settlements as lines, and read from them again."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from handler.errors import LedgerUnavailable
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.ledger import Ledger, open_ledger
from handler.ledger.store import Line
from handler.model.operation import Part, State, Verdict
from handler.model.outcome import Outcome, Record
from handler.report.history import log_operation, log_settled, parsed, past_of, record_of
from handler.report.log import Log
from harness.clock import VirtualClock
from tests.intents import CLUSTER, KEY, NOW, an_intent
from tests.operations import an_operation, put, written


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = open_ledger("sqlite:///:memory:")
    yield opened
    opened.close()


def a_log() -> Log:
    return Log(lambda text: None, VirtualClock(NOW))


def a_record(event: str = "e-1", outcome: Outcome | None = None) -> Record:
    done = outcome or Outcome.done("worked", attempts=2)
    return Record(NOW, event, "tcop", "n", CLUSTER, done, ("r", "s"), ("op-1",))


ENDED = an_operation(
    "op-1",
    now=NOW,
    state=State.FAILED,
    ended_at=NOW + 60,
    parts={KEY: Part("", Verdict.FAILED)},
    code="X",
    request_id="r-1",
    problem="why",
)


def test_an_outcome_is_read_as_it_was_said(ledger: Ledger) -> None:
    """Rules, operations and facts too."""
    written(ledger, [a_record()])
    (line,) = ledger.lines(id="e-1")
    again = record_of(line)
    assert again == a_record()._replace(outcome=again.outcome)
    assert (again.outcome.status, again.outcome.reason, again.outcome.facts) == ("done", "worked", {"attempts": 2})


def test_an_operation_that_has_ended_is_read_from_its_line(ledger: Ledger) -> None:
    """One that is open from its cluster's record; the newest first, each once."""
    ledger.append([log_operation(a_log(), ENDED)])
    put(ledger, an_operation("op-2", now=NOW + 90, targets=("HDFS/datanode/10.0.0.1",), state=State.IN_DOUBT))
    second, first = past_of(ledger).operations
    assert (second.id, second.state, second.is_open, second.ended_at) == ("op-2", "IN_DOUBT", True, 0)
    assert (first.id, first.state, first.is_open, first.ended_at) == ("op-1", "FAILED", False, NOW + 60)
    assert (first.targets, first.processes, first.rules) == ("HDFS/DataNode/172.16.0.5", 1, ("rule",))
    assert (first.problem, first.request_id, first.code) == ("why", "r-1", "X")
    assert [one.id for one in past_of(ledger, id="op-1").operations] == ["op-1"]
    assert past_of(ledger, cluster="emr-other000").operations == []
    assert [one.id for one in past_of(ledger, since=NOW + 61).operations] == ["op-2"]


def test_what_became_of_pending_events_is_found_by_each_of_them(ledger: Ledger) -> None:
    """One line in the log, and one for each event in the history."""
    record = ClusterRecord(CLUSTER)
    intent = an_intent(events=("e-1", "e-2"), more_events=3)
    record.end(intent, Outcome.expired("intent.expired", "too late", fix="Do it."), NOW)
    (saying,) = [one for one in record.outbox.values() if one.kind == "settled"]
    ledger.append(log_settled(a_log(), CLUSTER, saying))
    settled = past_of(ledger).settled
    assert settled.keys() == {"e-1", "e-2"}
    assert (settled["e-1"]["outcome"], settled["e-1"]["code"]) == ("expired", "intent.expired")
    assert settled["e-1"]["more_events"] == 3


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"event":"steward.alarm"}', '{"event":7}', "null"])
def test_a_line_that_is_none_of_ours_is_counted(ledger: Ledger, text: str) -> None:
    """It hides no other, and is never taken for an outcome."""
    line = Line(NOW, CLUSTER, "e-1", text)
    with pytest.raises(LedgerUnavailable):
        parsed(line)
    written(ledger, [a_record()])
    ledger.append([line])
    past = past_of(ledger)
    assert (len(past.records), past.unreadable) == (1, 1)


@pytest.mark.parametrize("field", ["rules", "outcome"])
def test_an_outcome_of_another_kind_is_refused(field: str) -> None:
    """By LedgerUnavailable, whatever stands in its fields."""
    row = {"time": "t", "level": "INFO", "event": "steward.outcome", "event_id": "e", "rules": "r", "outcome": "done"}
    line = Line(NOW, CLUSTER, "e", json.dumps({**row, "rules": 7, field: 7}))
    with pytest.raises(LedgerUnavailable):
        record_of(line)

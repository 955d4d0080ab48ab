"""The ledger's promises: every sentence of its protocol, on a real file and on a real redis-server."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from handler.ledger.protocol import Ledger, open_ledger
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from handler.model.alarm import OutboxEntry
from handler.model.operation import State
from handler.model.outcome import Outcome, Record
from handler.model.policy import Breaker
from handler.model.request import OpType
from steward.simulate.forkserver import PROCESSES
from tests.operations import an_operation, written

CLUSTER = "emr-4zvc5mul"
NOW = 1_000_000.0
TARGET = "HDFS/datanode/172.16.0.5"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    ledger = open_ledger(url)
    yield ledger
    ledger.close()


def version(ledger: Ledger, now: float = NOW) -> int:
    return ledger.history(CLUSTER, now, quarantine_within=3600).version


def enter(ledger: Ledger, *incidents: str, now: float = NOW, limit: int = 100) -> Any:
    return ledger.enter(CLUSTER, {key: f"origin-{key}" for key in incidents}, now, Breaker(limit, 300, 600))


def armed(ledger: Ledger, name: str = "op-1", **fields: Any) -> Any:
    operation = an_operation(name, **fields)
    assert ledger.arm(operation, version(ledger))
    return operation


def settled(ledger: Ledger, name: str, state: State, now: float, **fields: Any) -> None:
    operation = armed(ledger, name, now=now, **fields)
    assert ledger.settle(operation.moved(state, now), State.SENDING)


def test_what_was_armed_is_there(ledger: Ledger) -> None:
    """An armed operation is SENDING, and its incidents and targets point to it."""
    operation = armed(ledger)
    assert ledger.get("op-1") == operation
    (incident,) = operation.incidents
    past = enter(ledger, incident).incidents[incident]
    assert (past.operation, past.state, past.digest) == ("op-1", State.SENDING, "d" * 64)
    history = ledger.history(CLUSTER, NOW, quarantine_within=3600)
    assert history.targets[TARGET].operation == "op-1"
    assert history.under_operation == {TARGET}
    assert ledger.open_operations() == [operation]


def test_arming_compares_the_version(ledger: Ledger) -> None:
    """Of two that decided on the same past, one arms."""
    seen = version(ledger)
    assert ledger.arm(an_operation("op-1", targets=("a/b/1",)), seen)
    assert not ledger.arm(an_operation("op-2", targets=("a/b/2",)), seen)
    assert ledger.get("op-2") is None


def test_an_open_target_and_a_known_incident_are_refused_whatever_the_version(ledger: Ledger) -> None:
    """The store does not rely on its callers."""
    operation = armed(ledger)
    assert not ledger.arm(an_operation("op-2", incidents={"other": "d"}), version(ledger))
    again = an_operation("op-3", targets=("x/y/z",), incidents=dict(operation.incidents))
    assert not ledger.arm(again, version(ledger))


@pytest.mark.parametrize("state", [state for state in State if state is not State.SENDING])
def test_only_what_was_not_sent_may_be_armed_again(ledger: Ledger, state: State) -> None:
    """REJECTED and everything that may have been carried out stands."""
    operation = armed(ledger)
    assert ledger.settle(operation.moved(state, NOW), State.SENDING)
    again = an_operation("op-2", incidents=dict(operation.incidents))
    assert ledger.arm(again, version(ledger)) is (state is State.NOT_SENT)


@pytest.mark.parametrize("state", [state for state in State if state is not State.SENDING])
def test_what_is_served_in_parts_may_be_armed_again_when_its_part_is_over(ledger: Ledger, state: State) -> None:
    """While it is open another waits; a refusal stands; and when the first part was armed is remembered."""
    operation = replace(an_operation("op-1"), parts={"rule|alertmanager:op-1": NOW})
    assert ledger.arm(operation, version(ledger))
    assert ledger.get("op-1") == operation
    assert ledger.settle(operation.moved(state, NOW), State.SENDING)
    entry = enter(ledger, *operation.incidents)
    past = entry.incidents["rule|alertmanager:op-1"]
    goes_on = state in (State.NOT_SENT, State.VERIFIED, State.UNVERIFIED, State.FAILED, State.TIMED_OUT)
    assert (past.parts_since, past.leaves_its_incident_open, entry.intents_in_window) == (NOW, goes_on, goes_on)
    rest = replace(an_operation("op-2", incidents=dict(operation.incidents), targets=("a/b/c",)), parts=operation.parts)
    assert ledger.arm(rest, version(ledger)) is goes_on


@pytest.mark.parametrize(
    ("owner", "expected", "works"),
    [("worker-1", State.SENDING, True), ("worker-2", State.SENDING, False), ("worker-1", State.ACCEPTED, False)],
)
def test_settling_is_for_the_owner_and_the_state_it_knows(
    ledger: Ledger, owner: str, expected: State, works: bool
) -> None:
    """A late owner cannot overwrite a newer record."""
    mine = replace(armed(ledger), owner=owner)
    assert ledger.settle(mine.moved(State.ACCEPTED, NOW + 1, request_id="r-1"), expected) is works
    operation = ledger.get("op-1")
    assert operation is not None
    assert operation.state is (State.ACCEPTED if works else State.SENDING)
    assert operation.request_id == ("r-1" if works else "")


def test_settling_twice_works_once(ledger: Ledger) -> None:
    """Two follow-ups at once do no harm."""
    doubtful = armed(ledger).moved(State.IN_DOUBT, NOW)
    assert ledger.settle(doubtful, State.SENDING)
    assert ledger.settle(doubtful.moved(State.VERIFIED, NOW), State.IN_DOUBT)
    assert not ledger.settle(doubtful.moved(State.TIMED_OUT, NOW), State.IN_DOUBT)


def test_a_settled_operation_is_no_longer_open(ledger: Ledger) -> None:
    """Its targets may be operated on again, and its past is told."""
    settled(ledger, "op-1", State.VERIFIED, NOW)
    assert ledger.open_operations() == []
    history = ledger.history(CLUSTER, NOW, quarantine_within=3600)
    assert history.under_operation == frozenset()
    assert history.targets[TARGET].state is State.VERIFIED


def test_the_hour_counts_what_was_or_may_have_been_sent(ledger: Ledger) -> None:
    """NOT_SENT and REJECTED cost no budget; what is older than an hour neither."""
    settled(ledger, "op-0", State.VERIFIED, NOW - 3601)
    for number, state in enumerate((State.VERIFIED, State.IN_DOUBT, State.NOT_SENT, State.REJECTED)):
        settled(ledger, f"op-{number + 1}", state, NOW, targets=(f"a/b/{number}",))
    assert ledger.history(CLUSTER, NOW, quarantine_within=3600).operations_last_hour == 2


@pytest.mark.parametrize("state", [State.NOT_SENT, State.REJECTED])
def test_what_touched_nothing_hides_nothing(ledger: Ledger, state: State) -> None:
    """The past of a process is what was last done to it, whatever was refused since."""

    def past(now: float) -> tuple[str, State]:
        found = ledger.history(CLUSTER, now, quarantine_within=3600).targets[TARGET]
        return found.operation, found.state

    settled(ledger, "op-1", state, NOW)
    assert past(NOW) == ("op-1", state)
    settled(ledger, "op-2", State.VERIFIED, NOW + 1)
    settled(ledger, "op-3", state, NOW + 2)
    settled(ledger, "op-4", state, NOW + 3)
    assert past(NOW + 3) == ("op-2", State.VERIFIED)
    fifth = armed(ledger, "op-5", now=NOW + 4)
    assert past(NOW + 4) == ("op-5", State.SENDING)
    assert ledger.settle(fifth.moved(State.IN_DOUBT, NOW + 5), State.SENDING)
    assert past(NOW + 5) == ("op-5", State.IN_DOUBT)
    assert ledger.settle(fifth.moved(state, NOW + 6), State.IN_DOUBT)
    assert past(NOW + 6) == ("op-2", State.VERIFIED)
    ledger.expire(NOW + 3602, keep=3600)  # op-2 with it
    assert past(NOW + 3602) == ("op-5", state)


def test_no_step_reads_all_that_ever_was(tmp_path: Path) -> None:
    """Entering, weighing, arming, settling and following up must not grow slower with the years: each table is asked by an index."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    enter(ledger, "other")
    db = ledger._file.connection  # type: ignore[attr-defined]
    said: list[str] = []
    db.set_trace_callback(said.append)
    operation = armed(ledger)
    enter(ledger, *operation.incidents)
    assert ledger.settle(operation.moved(State.ACCEPTED, NOW), State.SENDING)
    assert len(ledger.open_operations()) == 1
    ledger.records(event="event")
    db.set_trace_callback(None)
    asked = [text for text in said if text.startswith(("SELECT", "UPDATE"))]
    plans = {text: [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {text}")] for text in asked}
    assert len(plans) >= 10
    scanned = {text: step for text, steps in plans.items() for step in steps if step.startswith("SCAN")}
    assert all("USING INDEX operations_open" in step for step in scanned.values()), scanned
    ledger.close()


def test_quarantine_counts_needs_that_did_not_help(ledger: Ledger) -> None:
    """Verified and failed restarts that an alert asked for; orders, other operations and old ones do not count."""
    settled(ledger, "old", State.VERIFIED, NOW - 7200)
    cases: list[tuple[State, dict[str, Any]]] = [
        (State.VERIFIED, {}),
        (State.FAILED, {}),
        (State.NOT_SENT, {}),
        (State.VERIFIED, {"is_command": True}),
        (State.VERIFIED, {"op_type": OpType.START_SERVICE}),
    ]
    for number, (state, more) in enumerate(cases):
        settled(ledger, f"op-{number}", state, NOW + number, **more)
    assert ledger.history(CLUSTER, NOW + 10, quarantine_within=3600).restarts == {TARGET: 2}


def test_quarantine_begins_once_and_ends_by_release(ledger: Ledger) -> None:
    """Whoever asks is told until when; what was before a release counts no more."""
    settled(ledger, "op-1", State.VERIFIED, NOW)
    assert ledger.quarantine(CLUSTER, TARGET, NOW, NOW + 100) == NOW + 100
    assert ledger.quarantine(CLUSTER, TARGET, NOW + 1, NOW + 101) == NOW + 100
    assert ledger.quarantined(NOW + 1) == [(CLUSTER, TARGET, NOW + 100)]
    assert ledger.release(TARGET, NOW + 2) == [CLUSTER]
    assert ledger.release(TARGET, NOW + 3) == []
    history = ledger.history(CLUSTER, NOW + 3, quarantine_within=3600)
    assert (history.quarantined, history.restarts) == ({}, {})
    assert ledger.quarantine(CLUSTER, TARGET, NOW + 4, NOW + 5) == NOW + 5
    assert ledger.history(CLUSTER, NOW + 4, quarantine_within=3600).restarts == {}  # nor in the next one
    assert ledger.quarantined(NOW + 6) == []


def test_a_quarantine_that_is_over_lets_its_process_out(ledger: Ledger) -> None:
    """Even where the restarts that led there are still in the window: they would put it back at once, and escalate again."""
    settled(ledger, "op-1", State.VERIFIED, NOW)
    assert ledger.quarantine(CLUSTER, TARGET, NOW + 1, NOW + 100) == NOW + 100
    assert ledger.history(CLUSTER, NOW + 99, quarantine_within=3600).restarts == {TARGET: 1}
    history = ledger.history(CLUSTER, NOW + 100, quarantine_within=3600)
    assert (history.quarantined, history.restarts) == ({}, {})
    settled(ledger, "op-2", State.VERIFIED, NOW + 101)
    assert ledger.history(CLUSTER, NOW + 102, quarantine_within=3600).restarts == {TARGET: 1}


def test_an_ended_occurrence_is_known(ledger: Ledger) -> None:
    """A resolved alert ends the incident, for every rule."""
    ledger.end(CLUSTER, ["origin-a"], NOW)
    assert enter(ledger, "a", "b").ended == {"a"}


def test_the_breaker_opens_and_closes_with_hysteresis(ledger: Ledger) -> None:
    """More than so many open it, once; it closes after its time, when half as many are in the window."""
    assert enter(ledger, *"abc", limit=3).breaker_opened_at is None
    opened = enter(ledger, "d", limit=3)
    assert (opened.breaker_opened_at, opened.intents_in_window) == (NOW, 4)
    assert enter(ledger, "e", now=NOW + 1, limit=3).breaker_opened_at == NOW
    assert enter(ledger, "f", now=NOW + 400, limit=3).breaker_opened_at is not None  # quiet, but too early
    assert enter(ledger, *"ghi", now=NOW + 900, limit=3).breaker_opened_at is not None  # late enough, but not quiet
    assert enter(ledger, "j", now=NOW + 1300, limit=3).breaker_opened_at is None


def test_a_breaker_of_one_intent_closes(ledger: Ledger) -> None:
    """Whoever asks is in the window: half of one would never be reached."""
    assert enter(ledger, "a", "b", limit=1).breaker_opened_at is not None
    assert enter(ledger, "c", now=NOW + 1000, limit=1).breaker_opened_at is None


def test_known_incidents_are_no_new_intents(ledger: Ledger) -> None:
    """A sender's repeats make no storm."""
    operation = armed(ledger)
    (incident,) = operation.incidents
    assert enter(ledger, incident).intents_in_window == 0


def test_an_intent_is_counted_once_in_the_window(ledger: Ledger) -> None:
    """One that is held and comes again and again is no storm; two are two, to the second; and they leave the window one by one."""
    for second in range(101):
        entry = enter(ledger, "a", now=NOW + second)
        assert (entry.intents_in_window, entry.breaker_opened_at) == (1, None)
    assert enter(ledger, "b", "c", now=NOW + 299).intents_in_window == 3
    assert enter(ledger, "b", now=NOW + 300).intents_in_window == 2
    assert enter(ledger, "a", now=NOW + 301).intents_in_window == 3
    assert enter(ledger, "d", now=NOW + 599).intents_in_window == 2
    ledger.expire(NOW + 10_000, 5000)
    assert enter(ledger, "e", now=NOW + 500).intents_in_window == 1


def test_an_open_breaker_is_closed_by_the_repeats_that_it_held(ledger: Ledger) -> None:
    """When its time is over and few are left, whoever comes."""
    assert enter(ledger, *"abcd", limit=3).breaker_opened_at is not None
    assert enter(ledger, "a", now=NOW + 400, limit=3).breaker_opened_at is not None
    assert enter(ledger, "a", now=NOW + 601, limit=3).breaker_opened_at is None


def test_reading_again_counts_nothing(ledger: Ledger) -> None:
    """What is known is answered, and the breaker stays as it is."""
    operation = armed(ledger)
    ledger.end(CLUSTER, ["origin-ended"], NOW)
    keys = {key: f"origin-{key}" for key in ("fresh", "ended", *operation.incidents)}
    entry = ledger.enter(CLUSTER, keys, NOW, Breaker(1, 300, 600), is_counted=True)
    assert (set(entry.incidents), entry.ended, entry.intents_in_window) == (
        set(operation.incidents),
        frozenset({"ended"}),
        0,
    )
    assert enter(ledger, "a", "b", limit=1).breaker_opened_at is not None
    late = ledger.enter(CLUSTER, {"c": "c"}, NOW + 1000, Breaker(1, 300, 600), is_counted=True)
    assert late.breaker_opened_at == NOW


def test_a_claim_is_had_once(ledger: Ledger) -> None:
    """Many would raise the same alarm; one does."""
    assert ledger.claim("k", NOW, 60)
    assert not ledger.claim("k", NOW + 59, 60)
    assert ledger.claim("k", NOW + 60, 60)
    assert ledger.claim("other", NOW, 60)


def unsent(*numbers: int) -> list[OutboxEntry]:
    return [OutboxEntry(f"id-{n}", NOW + n, f'{{"n": "{n} é"}}') for n in numbers]


def test_an_alarm_is_kept_until_it_is_sent(ledger: Ledger) -> None:
    """The oldest first, so many at a time; what is one's to send is nobody else's, until its time is over or it is sent."""
    ledger.keep_unsent(unsent(2, 0, 1), NOW + 10, 100)
    assert ledger.take_unsent(NOW + 9, NOW + 39, since=NOW, limit=5) == []  # whoever kept them is at it
    assert ledger.take_unsent(NOW + 10, NOW + 40, since=NOW, limit=2) == unsent(0, 1)
    assert ledger.take_unsent(NOW + 11, NOW + 40, since=NOW, limit=5) == unsent(2)
    assert ledger.take_unsent(NOW + 12, NOW + 40, since=NOW, limit=5) == []
    ledger.forget_unsent(["id-1", "id-unknown"])
    assert ledger.take_unsent(NOW + 40, NOW + 70, since=NOW, limit=5) == unsent(0, 2)


def test_an_alarm_that_a_wrong_clock_took_is_not_waited_for(ledger: Ledger) -> None:
    """A day ahead, and put right."""
    ledger.keep_unsent(unsent(0), NOW + 86_400, 100)
    assert ledger.take_unsent(NOW + 1, NOW + 31, since=NOW, limit=5) == unsent(0)


def test_alarms_that_are_old_or_too_many_go(ledger: Ledger) -> None:
    """A chat that is gone for good fills no store: the newest stay, for so long."""
    ledger.keep_unsent(unsent(*range(6)), NOW, 4)
    assert ledger.take_unsent(NOW + 10, NOW + 10, since=NOW + 3, limit=9) == unsent(3, 4, 5)
    assert ledger.take_unsent(NOW + 11, NOW + 11, since=NOW, limit=9) == unsent(3, 4, 5)


def test_alarms_that_cannot_be_sent_do_not_stand_before_the_others(ledger: Ledger) -> None:
    """One way may be down for good: whose last try is longer ago has its turn before them; in a message the oldest comes first."""
    ledger.keep_unsent(unsent(1, 2, 3, 4), NOW, 100)
    times = [NOW, NOW + 60, NOW + 120, NOW + 180]
    taken = [ledger.take_unsent(now, now + 30, since=0, limit=3) for now in times]
    assert taken == [unsent(1, 2, 3), unsent(1, 2, 4)] * 2


def test_of_many_that_take_alarms_each_is_given_its_own(ledger: Ledger) -> None:
    """Follow-ups at the same time: none sends what another sends."""
    ledger.keep_unsent(unsent(*range(20)), NOW, 100)
    taken: list[str] = []

    def take() -> None:
        taken.extend(one.id for one in ledger.take_unsent(NOW + 30, NOW + 60, since=NOW, limit=3))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"id-{n}" for n in range(20))


def test_a_clock_that_was_wrong_is_not_waited_for(ledger: Ledger) -> None:
    """A day ahead, and put right: alarms are said, requests are sent and the breaker closes without that day having to pass."""
    wrong = NOW + 86_400
    assert ledger.claim("k", wrong, 60)
    assert ledger.claim("k", NOW, 60)
    while ledger.take("b", wrong, rate=20, burst=20, most_wait=3.0) is not None:
        pass
    assert ledger.take("b", NOW, rate=20, burst=20, most_wait=3.0) is None
    taken = [ledger.take("b", NOW + second, rate=20, burst=20, most_wait=3.0) for second in range(1, 60)]
    assert None not in taken[4:]  # what was taken in advance is given back first
    assert enter(ledger, *"abcd", now=wrong, limit=3).breaker_opened_at is not None
    assert enter(ledger, "e", limit=3).breaker_opened_at is None


def test_a_clock_that_is_a_little_behind_gives_no_more_tokens(ledger: Ledger) -> None:
    """Two instances whose clocks differ share one bucket, at its rate."""
    taken = 0
    for tenth in range(100):
        for behind in (0.0, 30.0):
            taken += ledger.take("b", NOW + tenth / 10 - behind, rate=2, burst=2, most_wait=0.0) is not None
    assert taken <= 2 + 2 * 10


@given(steps=st.lists(st.floats(0, 2), max_size=40), rate=st.floats(0.5, 20), burst=st.floats(1, 20))
def test_the_bucket_never_gives_more_than_it_holds(steps: list[float], rate: float, burst: float) -> None:
    """Over any time from the start: at most the burst and what flowed in since."""
    ledger = open_ledger("sqlite:///:memory:")
    now, used = NOW, []
    for step in steps:
        now += step
        wait = ledger.take("b", now, rate=rate, burst=burst, most_wait=1.0)
        if wait is not None:
            assert 0 <= wait <= 1.0
            used.append(now + wait)
    for count, at in enumerate(sorted(used), 1):
        assert count <= burst + rate * (at - NOW) + 1e-6


def test_records_and_operations_are_listed_newest_first(ledger: Ledger) -> None:
    """By cluster, time and event."""
    for number in range(3):
        settled(ledger, f"op-{number}", State.VERIFIED, NOW + number)
    records = [
        Record(NOW + n, f"event-{n}", "timer", "t", CLUSTER, Outcome.done("fine", seen=1), ("r",), (f"op-{n}",))
        for n in range(3)
    ]
    written(ledger, records)
    assert ledger.records() == records[::-1]
    assert ledger.records(event="event-1") == [records[1]]
    assert ledger.records(since=NOW + 2) == [records[2]]
    assert ledger.records(cluster="emr-other000") == []
    assert [one.id for one in ledger.operations(cluster=CLUSTER)] == ["op-2", "op-1", "op-0"]
    assert [one.id for one in ledger.operations(since=NOW + 1, limit=1)] == ["op-2"]


def test_what_the_log_hides_the_ledger_does_not_hold(ledger: Ledger) -> None:
    """It keeps the line that was written: a sender's secret in an alert's name is not kept, and what else the line said is."""
    outcome = Outcome.refused("input.invalid", "hunter22 is no time", fix="Do it.", guard="x")
    written(ledger, [Record(NOW, "e", "tcop", "hunter22", "", outcome)], "hunter22")
    (kept,) = ledger.records(event="e")
    assert (kept.name, kept.cluster, kept.rules, kept.operations) == ("[redacted]", "", (), ())
    assert (kept.outcome.status, kept.outcome.code) == ("refused", "input.invalid")
    assert (kept.outcome.reason, kept.outcome.facts) == ("[redacted] is no time", {"guard": "x"})


def test_a_page_that_others_write_to_meanwhile_tells_no_record_twice(ledger: Ledger, mocker: MockerFixture) -> None:
    """Nor leaves one out: pages of Redis, whose rows move with each that is written; many of them of one moment."""
    mocker.patch("handler.ledger.redis.PAGE", 3)

    def write(name: str, at: float) -> None:
        written(ledger, [Record(at, name, "timer", "t", CLUSTER, Outcome.done("fine"))])

    for number in range(12):
        write(f"event-{number}", NOW + number // 5)
    ask = getattr(ledger, "_rows", None)

    def rows(*arguments: Any) -> Any:
        write("meanwhile", NOW + 100)
        return ask(*arguments)  # type: ignore[misc]

    if ask is not None:
        mocker.patch.object(ledger, "_rows", rows)
    told = [one.event for one in ledger.records() if one.event != "meanwhile"]
    assert told == [f"event-{number}" for number in reversed(range(12))]


def test_an_event_is_found_without_going_through_all(ledger: Ledger, mocker: MockerFixture) -> None:
    """By an index, from which it goes with its record."""
    records = [Record(NOW + n, f"e-{n % 40}", "timer", "t", CLUSTER, Outcome.done(f"{n}")) for n in range(80)]
    written(ledger, records)
    pages = mocker.patch("handler.ledger.redis.RedisLedger._all_rows")
    assert [one.outcome.reason for one in ledger.records(event="e-7")] == ["47", "7"]
    assert [one.outcome.reason for one in ledger.records(event="e-7", limit=1)] == ["47"]
    assert [one.outcome.reason for one in ledger.records(event="e-7", since=NOW + 8)] == ["47"]
    assert ledger.records(event="e-7", cluster="emr-other000") == ledger.records(event="e-") == []
    assert not pages.called
    assert ledger.expire(NOW + 1000, 1000 - 40) == 40
    assert [one.outcome.reason for one in ledger.records(event="e-7")] == ["47"]


def test_expiry_keeps_what_is_open(ledger: Ledger) -> None:
    """Records expire by age alone, and never one that is not settled."""
    settled(ledger, "old", State.VERIFIED, NOW)
    armed(ledger, "open", targets=("a/b/c",))
    written(ledger, [Record(NOW, "e", "timer", "t", CLUSTER, Outcome.done("fine"))])
    assert ledger.expire(NOW + 10, 5) == 2
    assert ledger.get("old") is None
    assert ledger.get("open") is not None
    assert TARGET not in ledger.history(CLUSTER, NOW, quarantine_within=1).targets


def test_threads_share_a_ledger_and_one_arms(ledger: Ledger) -> None:
    """Eight threads on one past, fifty times: one each time."""
    for round_ in range(50):
        seen = version(ledger)
        results: list[bool] = []

        def arm(number: int, round_: int = round_, seen: int = seen, results: list[bool] = results) -> None:
            results.append(ledger.arm(an_operation(f"op-{round_}-{number}", targets=(f"a/{round_}/{number}",)), seen))

        threads = [threading.Thread(target=arm, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == [False] * 7 + [True]


def _arm_in_a_process(url: str, number: int, rounds: int, barrier: Any, results: Any) -> None:
    ledger = open_ledger(url)
    for round_ in range(rounds):
        seen = version(ledger)
        barrier.wait()
        if ledger.arm(an_operation(f"op-{round_}-{number}", targets=(f"a/{round_}/{number}",)), seen):
            results.put(round_)
        barrier.wait()


def test_processes_share_a_ledger_and_one_arms(url: str) -> None:
    """Four processes on one past, thirty times: one each time."""
    open_ledger(url).history(CLUSTER, NOW, quarantine_within=1)
    barrier, results = PROCESSES.Barrier(4), PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_arm_in_a_process, args=(url, n, 30, barrier, results)) for n in range(4)]
    for worker in workers:
        worker.start()
    rounds = [results.get(timeout=60) for _ in range(30)]
    for worker in workers:
        worker.join()
    assert sorted(rounds) == list(range(30))
    assert results.empty()


def _take_in_a_process(url: str, barrier: Any, results: Any) -> None:
    ledger = open_ledger(url)
    ledger.get("none")
    barrier.wait()
    used, end = [], time.time() + 1.5
    while (now := time.time()) < end:
        if ledger.take("b", now, rate=10, burst=5, most_wait=0.0) is not None:
            used.append(now)
    results.put(used)


def test_two_processes_share_a_bucket(url: str) -> None:
    """Both take as fast as they can: together they are not given more than it holds, nor kept from it."""
    barrier, results = PROCESSES.Barrier(2), PROCESSES.Queue()
    workers = [PROCESSES.Process(target=_take_in_a_process, args=(url, barrier, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    used = sorted(at for _ in workers for at in results.get(timeout=60))
    for worker in workers:
        worker.join()
    for count, at in enumerate(used, 1):
        assert count <= 5 + 10 * (at - used[0]) + 1  # whoever read the clock first may come second
    assert len(used) >= 15


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_takes_no_connection_along(url: str) -> None:
    """Neither is the child's use of the ledger the parent's, nor its end; and what another thread was at is over before."""
    ledger = open_ledger(url)
    armed(ledger, "before", targets=("a/b/0",))
    busy, done = threading.Event(), threading.Event()

    def keep_busy() -> None:
        busy.set()
        while not done.wait(0.001):
            ledger.end(CLUSTER, ["x"], NOW)

    thread = threading.Thread(target=keep_busy)
    thread.start()
    busy.wait()
    child = os.fork()
    if not child:  # nothing of the test's may run here
        try:
            names = [os.readlink(f"/dev/fd/{fd}") for fd in os.listdir("/dev/fd") if _is_there(fd)]
            is_free = not any("ledger.db" in name for name in names)
            armed(ledger, "in the child", targets=("a/b/1",))
            ledger.close()
            os._exit(0 if is_free else 3)
        except BaseException:
            os._exit(4)
    status = os.waitpid(child, 0)[1]
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0
    armed(ledger, "after", targets=("a/b/2",))
    assert {one.id for one in ledger.open_operations()} == {"before", "in the child", "after"}
    ledger.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_threads_that_fork_at_once_leave_the_ledger_free(tmp_path: Path) -> None:
    """One after the other, and afterwards whoever wants it has it."""
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")

    def forks() -> None:
        for _ in range(20):
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)

    def use() -> None:
        ledger.quarantined(NOW)

    threads = [threading.Thread(target=work, daemon=True) for work in (forks, forks, forks, use)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    ledger.close()


def _is_there(fd: str) -> bool:
    return os.path.islink(f"/dev/fd/{fd}")


def _arm_and_wait(url: str, ready: Any) -> None:
    ledger = open_ledger(url)
    ready.put(ledger.arm(an_operation("op-1"), version(ledger)))
    signal.pause()


def test_what_was_armed_survives_kill_9(url: str) -> None:
    """A worker that dies right after arming leaves SENDING behind."""
    ready = PROCESSES.Queue()
    worker = PROCESSES.Process(target=_arm_and_wait, args=(url, ready))
    worker.start()
    assert ready.get(timeout=60)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    operation = open_ledger(url).get("op-1")
    assert operation is not None
    assert operation.state is State.SENDING

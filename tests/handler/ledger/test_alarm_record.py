"""The alarms' record: what was told, and what waits for its channel; what is dropped first, and that it is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import LedgerUnavailable
from handler.ledger.alarm_record import (
    MAX_ALIKE,
    MAX_TOLD,
    MAX_UNSENT,
    UNSENT_SECONDS,
    AlarmRecord,
    Unsent,
    from_bytes,
    to_bytes,
)
from handler.model.alarm import Alarm
from tests.intents import NOW


def entry(
    name: str, code: str = "guard.refused", *, at: float = NOW, channel: str = "chat:C", count: int = 1
) -> Unsent:
    return Unsent(name, at, channel, Alarm(code, "emr-4zvc5mul", name, "why", fix="Do it.", count=count))


def add(record: AlarmRecord, *entries: Unsent, now: float = NOW) -> None:
    record.add([one.id for one in entries], entries, now)


def codes(record: AlarmRecord) -> set[str]:
    return {one.alarm.code for one in record.unsent.values()}


# -- told


def test_what_was_told_is_told_for_a_while() -> None:
    """By its name, to the second; a clock that was set back makes nothing told for ever."""
    record = AlarmRecord()
    record.add(["a"], [], NOW)
    assert [record.is_told("a", NOW + after, 600) for after in (0, 599, 600)] == [True, True, False]
    assert not record.is_told("a", NOW - 601, 600)
    assert not record.is_told("b", NOW, 600)


def test_the_newest_are_remembered() -> None:
    """A flood of alarms neither fills the record nor makes it forget what it has just told."""
    record = AlarmRecord()
    for n in range(MAX_TOLD + 10):
        record.add([f"a-{n}"], [], NOW + n)
    assert len(record.told) <= MAX_TOLD
    assert record.is_told(f"a-{MAX_TOLD + 9}", NOW + MAX_TOLD + 9, 1)


# -- dropping


def test_many_of_a_kind_become_one_that_counts_them() -> None:
    """The oldest speaks for all, in each channel for itself."""
    record = AlarmRecord()
    alike = [entry(f"{channel}-{n}", at=NOW + n, channel=channel) for channel in "ab" for n in range(MAX_UNSENT)]
    add(record, *alike, entry("other", "guard.other"), now=NOW + MAX_UNSENT)
    assert {(one.id, one.alarm.count) for one in record.unsent.values()} == {
        ("a-0", MAX_UNSENT),
        ("b-0", MAX_UNSENT),
        ("other", 1),
    }
    assert record.dropped == 0


def test_few_of_a_kind_stay_as_they_are() -> None:
    """Twenty that are alike are still read one by one."""
    record = AlarmRecord()
    for kind in range(MAX_UNSENT // MAX_ALIKE):
        add(record, *(entry(f"{kind}-{n}", f"guard.{kind}") for n in range(MAX_ALIKE)))
    assert (len(record.unsent), record.dropped) == (MAX_UNSENT, 0)


#: From what is dropped first to what is dropped last.
BY_RANK = ("guard.refused", "intent.expired", "operation.failed", "operation.in_doubt")


@pytest.mark.parametrize("kept", BY_RANK[1:])
def test_what_matters_less_is_dropped_first(kept: str) -> None:
    """In doubt last, then failed, then expired; whichever came first."""
    record = AlarmRecord()
    add(record, entry("kept", kept, at=NOW - 100))
    less = BY_RANK[BY_RANK.index(kept) - 1]
    for n in range(MAX_UNSENT * 2):
        add(record, entry(str(n), f"{less}.{n}", at=NOW + n), now=NOW + n)
    assert "kept" in record.unsent
    assert len(record.unsent) == MAX_UNSENT
    assert record.dropped == MAX_UNSENT + 1


def test_of_equal_weight_the_oldest_is_dropped_first() -> None:
    """The newest is what a person can still act upon."""
    record = AlarmRecord()
    add(record, *(entry(str(n), f"guard.{n}", at=NOW + n) for n in range(MAX_UNSENT + 5)))
    assert [str(n) in record.unsent for n in (0, 4, 5, MAX_UNSENT + 4)] == [False, False, True, True]
    assert record.dropped == 5


def test_a_thousand_refused_alerts_evict_no_operation_in_doubt() -> None:
    """Each with a code of its own, all after it; and it is sent before them."""
    record = AlarmRecord()
    add(record, entry("in doubt", "operation.in_doubt"))
    for n in range(1000):
        add(record, entry(str(n), f"api.Refused{n}", at=NOW + n), now=NOW + n)
    assert "operation.in_doubt" in codes(record)
    assert record.take(NOW + 2000, NOW + 2030, 5)[0].id == "in doubt"


def test_what_could_not_be_sent_for_a_day_is_dropped() -> None:
    """And counted, with all that it stood for."""
    record = AlarmRecord()
    add(record, entry("old", count=3), entry("young", at=NOW + 1))
    add(record, now=NOW + UNSENT_SECONDS)
    assert (len(record.unsent), record.dropped) == (2, 0)
    add(record, now=NOW + UNSENT_SECONDS + 1)
    assert ([*record.unsent], record.dropped) == (["young"], 3)


@given(
    st.lists(
        st.tuples(st.sampled_from([*BY_RANK, "api.X", "look.failed"]), st.integers(0, 30), st.integers(1, 4)),
        max_size=80,
    )
)
def test_every_alarm_is_there_or_counted(kinds: list[tuple[str, int, int]]) -> None:
    """As itself, in one that counts, or among the dropped."""
    record = AlarmRecord()
    total = 0
    for n, (code, kind, count) in enumerate(kinds):
        many = [entry(f"{n}-{m}", f"{code}.{kind}", at=NOW + n, count=count) for m in range(20)]
        add(record, *many, now=NOW + n)
        total += count * len(many)
        assert len(record.unsent) <= MAX_UNSENT
    assert sum(one.alarm.count for one in record.unsent.values()) + record.dropped == total


# -- taking


def test_what_is_taken_is_its_takers_until_its_time_is_over() -> None:
    """Two workers do not send one alarm; one that died leaves it to the next."""
    record = AlarmRecord()
    add(record, *(entry(str(n), at=NOW + n) for n in range(3)))
    assert [one.id for one in record.take(NOW, NOW + 30, 2)] == ["0", "1"]
    assert [one.id for one in record.take(NOW, NOW + 30, 2)] == ["2"]
    assert record.take(NOW + 29, NOW + 59, 2) == []
    assert [one.id for one in record.take(NOW + 30, NOW + 60, 9)] == ["0", "1", "2"]
    record.sent(["0", "2", "unknown"])
    assert [*record.unsent] == ["1"]


def test_what_a_wrong_clock_took_is_not_waited_for() -> None:
    """A day ahead is nobody's."""
    record = AlarmRecord()
    add(record, entry("a")._replace(taken_until=NOW + 9e6))
    assert [one.id for one in record.take(NOW, NOW + 30, 1)] == ["a"]


def test_one_that_fails_does_not_stand_before_the_others() -> None:
    """Of equal weight, what was tried last goes last."""
    record = AlarmRecord()
    add(record, *(entry(str(n), at=NOW + n) for n in range(3)))
    assert record.take(NOW, NOW + 30, 1)[0].id == "0"
    assert record.take(NOW + 60, NOW + 90, 1)[0].id == "1"
    assert record.take(NOW + 120, NOW + 150, 3)[0].id == "2"


@pytest.mark.parametrize(
    ("after", "may_tidy", "is_due"), [(0, True, False), (3599, True, False), (3600, True, True), (9e5, False, False)]
)
def test_old_records_are_forgotten_once_an_hour(after: float, may_tidy: bool, is_due: bool) -> None:
    """By a clock that the API has confirmed; that the follow-up came is noted anyway."""
    record = AlarmRecord(tidied_at=NOW)
    assert record.followed(NOW + after, 3600, may_tidy) == is_due
    assert (record.followed_at, record.tidied_at) == (NOW + after, NOW + after if is_due else NOW)


@pytest.mark.parametrize("is_read_anew", [True, False])
@pytest.mark.parametrize(
    ("followed_at", "after", "is_missed"),
    [(0.0, 300.0, False), (0.0, 301.0, True), (NOW + 100, 400.0, False), (NOW + 100, 401.0, True)],
)
def test_a_follow_up_that_does_not_come_is_missed(
    followed_at: float, after: float, is_missed: bool, is_read_anew: bool
) -> None:
    """Five minutes after the last one, or after somebody first waited for one; across invocations."""
    record = AlarmRecord()
    assert record.misses_follow_up(NOW) is None
    if followed_at:
        record.followed(followed_at, 3600, False)
    record = from_bytes(to_bytes(record)) if is_read_anew else record
    assert (record.misses_follow_up(NOW + after) is not None) == is_missed


# -- as bytes

texts = st.text(st.characters(), max_size=6)
times = st.floats(0, 4e9)
alarms = st.builds(
    Alarm,
    texts,
    texts,
    texts,
    texts,
    fix=texts,
    where=texts,
    count=st.integers(1, 9),
    facts=st.dictionaries(texts, st.none() | texts | st.integers(), max_size=2),
    occasion=texts,
)
entries = st.builds(Unsent, texts, times, texts, alarms, st.booleans(), times)
records = st.builds(
    AlarmRecord,
    st.dictionaries(texts, times, max_size=3),
    st.lists(entries, max_size=3).map(lambda many: {one.id: one for one in many}),
    st.integers(0, 9),
    times,
    times,
    times,
)


@given(records)
def test_what_is_written_is_read(record: AlarmRecord) -> None:
    """Lone surrogates too."""
    assert from_bytes(to_bytes(record)) == record


SMALL = to_bytes(AlarmRecord({"a": NOW}, {"x": entry("x")}))


@given(st.one_of(st.binary(max_size=100), st.integers(0, len(SMALL) - 1).map(lambda cut: SMALL[:cut])))
def test_what_is_no_record_is_refused(data: bytes) -> None:
    """By LedgerUnavailable: alarms are then told by each worker for itself."""
    with pytest.raises(LedgerUnavailable, match="alarms"):
        from_bytes(data)


@pytest.mark.parametrize("value", [None, 7, "x", [7], [[]], [[1, 2, 3, 4]], [["a", 1, "c", {}]], {"a": 1}, {"a": None}])
@pytest.mark.parametrize("field", sorted(json.loads(SMALL)))
def test_a_field_of_another_kind_is_refused_or_leaves_a_record(field: str, value: object) -> None:
    """No other error comes of it, now or when it is worked with."""
    row = json.loads(SMALL)
    row[field] = value
    try:
        record = from_bytes(json.dumps(row).encode())
    except LedgerUnavailable:
        return
    record.is_told("a", NOW, 1)
    record.take(NOW, NOW + 1, 1)
    record.followed(NOW, 1, True)
    add(record, entry("b"))
    assert from_bytes(to_bytes(record)) == record


@pytest.mark.parametrize("field", sorted(json.loads(SMALL)))
def test_a_field_that_is_missing_is_refused(field: str) -> None:
    """Each of them."""
    row = json.loads(SMALL)
    del row[field]
    with pytest.raises(LedgerUnavailable):
        from_bytes(json.dumps(row).encode())

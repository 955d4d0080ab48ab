"""A record as bytes: what is written is read, and nothing that is damaged is acted upon."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import LedgerUnavailable
from handler.ledger.cluster_record import ClusterRecord, Pause, Saying
from handler.ledger.serialization import COMPRESS_ABOVE, FORMAT, from_bytes, to_bytes
from handler.model.intent import Ended, Intent, Statement
from handler.model.operation import Operation, Part, State, Verdict
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.model.scope import OpScope, Target
from tests.intents import CLUSTER, NOW, a_record, an_intent
from tests.operations import an_operation

# Characters of every kind, lone surrogates too: names come from senders.
texts = st.text(st.characters(), max_size=8)
names = st.text("abc/|é\ud800", max_size=4)
times = st.floats(0, 4e9)
ips = st.sampled_from(["10.0.0.1", "10.0.0.2", "fd00::1"])
targets = st.builds(
    Target, st.sampled_from(["HDFS", "HIVE"]), st.sampled_from(["DataNode", "datanode", "HiveServer2"]), ips
)
scopes = st.one_of(
    targets.map(OpScope.of_target),
    st.lists(targets, min_size=1, max_size=4).map(OpScope.of_targets),
    st.lists(
        st.one_of(
            st.just(OpScope.of_service("HDFS")),
            st.just(OpScope.of_component("HIVE", "HiveServer2")),
            st.lists(targets, max_size=3).map(OpScope.of_targets),
        ),
        max_size=3,
    ).map(OpScope.union_of),
)
strategies = st.builds(
    StrategyConfig,
    st.booleans(),
    st.integers(1, 99),
    st.integers(0, 300),
    st.booleans(),
    st.lists(st.tuples(texts, st.lists(texts, max_size=2).map(tuple)), max_size=2).map(tuple),
)
actions = st.builds(
    Action,
    st.sampled_from(OpType),
    st.none() | strategies,
    st.none()
    | st.builds(
        StopParams,
        st.sampled_from([None, "safe", "default"]),
        st.none() | st.integers(0, 9),
        st.none() | st.integers(0, 9),
    ),
    st.none() | st.booleans(),
)
events = st.lists(texts, max_size=3).map(tuple)
intents = st.builds(
    Intent,
    names,
    st.integers(0, 2**40),
    st.booleans(),
    texts,
    actions,
    scopes,
    st.booleans(),
    texts,
    times,
    st.booleans(),
    times,
    st.dictionaries(texts, st.builds(Statement, times, times), max_size=3),
    events,
    st.integers(0, 9),
    st.sampled_from(["pending", "serving", "proving"]),
    texts,
    times,
    st.integers(0, 16),
    st.booleans(),
    events,
    texts,
)
operations = st.builds(
    Operation,
    names,
    st.integers(0, 2**40),
    st.just(CLUSTER),
    actions,
    st.sampled_from(State),
    texts,
    times,
    times,
    st.booleans(),
    events,
    events,
    st.dictionaries(texts, st.builds(Part, texts, st.sampled_from(Verdict), times), max_size=3),
    events,
    st.frozensets(texts, max_size=3),
    times,
    texts,
    texts,
    texts,
)
endings = st.builds(Ended, texts, texts, scopes, st.integers(0, 9), texts, texts, texts, st.integers(200, 599), times)
sayings = st.builds(Saying, names, st.sampled_from(["alarm", "well", "settled"]), st.dictionaries(texts, texts), times)
clocks = st.dictionaries(texts, times, max_size=3)
records = st.builds(
    ClusterRecord,
    st.just(CLUSTER),
    times,
    st.integers(0, 2**40),
    st.lists(intents, max_size=4).map(lambda many: {one.key: one for one in many}),
    st.lists(operations, max_size=4).map(lambda many: {one.id: one for one in many}),
    st.dictionaries(names, endings, max_size=3),
    clocks,
    st.none() | st.builds(Pause, texts, texts, times),
    st.none() | st.tuples(texts, times),
    st.lists(sayings, max_size=3).map(lambda many: {one.id: one for one in many}),
    clocks,
    clocks,
)


def kept(operation: Operation) -> Operation:
    """What is kept of an operation: of one that has ended, what its processes were before is no longer asked for."""
    if operation.is_open:
        return operation
    parts = {key: Part("", part.verdict, operation.ended_at) for key, part in operation.parts.items()}
    return replace(operation, parts=parts)


@given(records)
def test_what_is_written_is_read(record: ClusterRecord) -> None:
    """All of it: "all" stays "all", and one process one process; and the same bytes come of what was read."""
    data = to_bytes(record)
    again = from_bytes(data, CLUSTER)
    assert again == replace(record, operations={name: kept(one) for name, one in record.operations.items()})
    assert to_bytes(again) == data
    for key, intent in record.intents.items():
        assert again.intents[key].scope.says_all == intent.scope.says_all
        assert again.intents[key].action.stable == intent.action.stable


@pytest.mark.parametrize("ended_at", [0.0, NOW])
def test_operations_of_one_name_are_not_mistaken_for_each_other(ended_at: float) -> None:
    """What has ended is encoded once, and is still its own record's."""
    for state in (State.VERIFIED, State.FAILED, State.TIMED_OUT):
        for verdict in (Verdict.VERIFIED, Verdict.FAILED):
            part = Part("", verdict, ended_at)
            operation = an_operation("op-1", state=state, ended_at=ended_at, parts={"p": part})
            record = a_record(operations={"op-1": operation})
            assert from_bytes(to_bytes(record), CLUSTER) == record


@given(records)
def test_reading_leaves_nothing_to_be_changed_from_outside(record: ClusterRecord) -> None:
    """What was read is as immutable as what was written: it can be compared, copied and hashed."""
    again = from_bytes(to_bytes(record), CLUSTER)
    for intent in again.intents.values():
        hash((intent.action, intent.scope, intent.events, intent.served))
    for operation in again.operations.values():
        hash((operation.action, operation.rules, operation.intents, operation.components, operation.occurrences))


def large() -> ClusterRecord:
    return a_record(*(an_intent(key=f"r|HDFS/datanode/10.0.0.{n}") for n in range(200)))


def test_a_large_record_is_compressed() -> None:
    """And read all the same; each action is written once."""
    data = to_bytes(large())
    assert len(data) < len(zlib.decompress(data)) / 5
    assert from_bytes(data, CLUSTER) == large()
    assert zlib.decompress(data).count(b"RestartService") == 1
    assert len(to_bytes(a_record())) < COMPRESS_ABOVE
    assert to_bytes(a_record()).startswith(b"{")


@pytest.mark.parametrize("other", [FORMAT + 1, FORMAT - 1, None, "1"])
def test_another_format_is_refused_by_name(other: object) -> None:
    """What it says was sent must not be overlooked: a person is told which is read, and what to do."""
    row = json.loads(to_bytes(a_record()))
    row["format"] = other
    with pytest.raises(
        LedgerUnavailable, match=rf"{CLUSTER} has format {other}, .* reads {FORMAT}; use another ledger"
    ):
        from_bytes(json.dumps(row).encode(), CLUSTER)


def test_the_record_of_another_cluster_is_refused() -> None:
    """A key that was mixed up would act on the wrong machines."""
    with pytest.raises(LedgerUnavailable, match="another cluster"):
        from_bytes(to_bytes(a_record()), "emr-other000")


SMALL = to_bytes(
    a_record(
        an_intent(),
        operations={"op-1": an_operation("op-1")},
        pause=Pause("ann", "patch day", NOW),
        hint=("w", NOW),
        told={"guard.storm|c|x": NOW},
    )
)
LARGE = to_bytes(large())


@given(st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(data: bytes) -> None:
    """By LedgerUnavailable, which nobody acts upon."""
    with pytest.raises(LedgerUnavailable):
        from_bytes(data, CLUSTER)


@pytest.mark.parametrize("data", [SMALL, LARGE])
@given(cut=st.integers(0, 10**6))
def test_a_record_that_was_cut_is_refused(data: bytes, cut: int) -> None:
    """Wherever it was cut: half of the truth is none."""
    with pytest.raises(LedgerUnavailable):
        from_bytes(data[: cut % len(data)], CLUSTER)


@pytest.mark.parametrize("data", [SMALL, LARGE])
@given(place=st.integers(0, 10**6), value=st.integers(0, 255))
def test_a_damaged_byte_is_refused_or_leaves_a_record(data: bytes, place: int, value: int) -> None:
    """Another letter in a name cannot be seen; nothing but a record, or LedgerUnavailable, comes of it."""
    place %= len(data)
    damaged = data[:place] + bytes([value]) + data[place + 1 :]
    try:
        record = from_bytes(damaged, CLUSTER)
    except LedgerUnavailable:
        return
    assert isinstance(record, ClusterRecord)
    assert to_bytes(record)


@pytest.mark.parametrize("value", [None, 7, "x", [], [[]], {}, {"a": 1}, [[1, 2]]])
@pytest.mark.parametrize("field", sorted(json.loads(SMALL)))
def test_a_field_of_another_kind_is_refused_or_leaves_a_record(field: str, value: object) -> None:
    """JSON that is valid, and no record."""
    row = json.loads(SMALL)
    row[field] = value
    try:
        assert to_bytes(from_bytes(json.dumps(row).encode(), CLUSTER))
    except LedgerUnavailable:
        return


@pytest.mark.parametrize("field", sorted(json.loads(SMALL)))
def test_a_field_that_is_missing_is_refused(field: str) -> None:
    """Each of them."""
    row = json.loads(SMALL)
    del row[field]
    with pytest.raises(LedgerUnavailable):
        from_bytes(json.dumps(row).encode(), CLUSTER)

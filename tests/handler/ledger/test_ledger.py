"""The ledger over a store: changes of the newest record, swaps that are lost, replies that are, and what it keeps decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.errors import LedgerUnavailable, ReplyLost
from handler.ledger import ledger as module
from handler.ledger import serialization
from handler.ledger.alarm_record import AlarmRecord
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.ledger import ALARMS, Ledger, open_ledger
from handler.ledger.store import Line, Stored
from handler.lib.threads import side_by_side
from tests.handler.ledger.memory_store import MemoryStore
from tests.intents import CLUSTER, KEY, NOW, an_intent


class Scripted(MemoryStore):
    """A store whose swaps go as they are told to, then by themselves."""

    def __init__(self) -> None:
        super().__init__()
        #: For each coming swap: what happens instead of it, or around it.
        self.script: list[Callable[[Callable[[], int]], int]] = []
        self.loads: list[tuple[str, int]] = []
        self.swaps = 0
        self.patient: list[bool] = []

    def load(self, key: str, known: int = 0) -> Stored:
        self.loads.append((key, known))
        return super().load(key, known)

    def swap(self, key: str, version: int, value: bytes, *, has_open: bool, patient: bool = False) -> int:
        self.swaps += 1
        self.patient.append(patient)

        def swap() -> int:
            return MemoryStore.swap(self, key, version, value, has_open=has_open)

        return self.script.pop(0)(swap) if self.script else swap()


@pytest.fixture
def store() -> Scripted:
    return Scripted()


@pytest.fixture
def ledger(store: Scripted, mocker: MockerFixture) -> Ledger:
    mocker.patch.object(module, "wait_a_little")
    return Ledger(store)


def add(key: str) -> Callable[[ClusterRecord], int]:
    """Add an intent; answers how many there are."""

    def change(record: ClusterRecord) -> int:
        record.intents[key] = an_intent(key=key)
        return len(record.intents)

    return change


def keys(ledger: Ledger) -> list[str]:
    return [*ledger.load(CLUSTER).record.intents]


# -- changing


def test_a_change_is_applied_and_kept(ledger: Ledger) -> None:
    """Its result and the record with it are answered."""
    result, record = ledger.change(CLUSTER, add("a"))
    assert (result, [*record.intents]) == (1, ["a"])
    assert ledger.change(CLUSTER, add("b"))[0] == 2
    assert keys(ledger) == ["a", "b"]


def test_a_cluster_that_nobody_wrote_of_has_a_new_record(ledger: Ledger, store: Scripted) -> None:
    """With version 0; reading writes nothing."""
    assert ledger.load(CLUSTER) == (ClusterRecord(CLUSTER), 0)
    assert store.swaps == 0


def test_a_change_that_changes_nothing_writes_nothing(ledger: Ledger, store: Scripted) -> None:
    """Duplicates are the most of all deliveries."""
    ledger.change(CLUSTER, add("a"))
    for change in (add("a"), lambda record: None):
        ledger.change(CLUSTER, change)
    assert store.swaps == 1


def test_a_change_is_made_on_the_newest_record(ledger: Ledger, store: Scripted) -> None:
    """Others come between, three times: it is made anew each time, and theirs is kept."""
    other = Ledger(store)
    seen = []

    def between(name: str) -> Callable[[Callable[[], int]], int]:
        def swap(own: Callable[[], int]) -> int:
            other.change(CLUSTER, add(name))
            return own()

        return swap

    store.script = [item for name in "xyz" for item in (between(name), lambda own: own())]

    def change(record: ClusterRecord) -> None:
        seen.append([*record.intents])
        record.intents["a"] = an_intent(key="a")

    ledger.change(CLUSTER, change)
    assert seen == [[], ["x"], ["x", "y"], ["x", "y", "z"]]
    assert keys(ledger) == ["x", "y", "z", "a"]


def test_a_change_that_is_lost_for_ever_is_given_up(ledger: Ledger, store: Scripted) -> None:
    """Nothing is written, and nobody is told that it was."""
    store.script = [lambda own: 0] * module.MAX_TRIES
    with pytest.raises(LedgerUnavailable, match="changes too often"):
        ledger.change(CLUSTER, add("a"))
    assert keys(ledger) == []


def test_what_is_done_to_a_loaded_record_is_done_to_it_alone(ledger: Ledger) -> None:
    """The one that is kept decoded is nobody's to change; nor is one that was swapped."""
    ledger.change(CLUSTER, add("a"))
    for _ in range(2):
        loaded = ledger.load(CLUSTER)
        loaded.record.intents.clear()
        assert keys(ledger) == ["a"]
    loaded = ledger.load(CLUSTER)
    mine = loaded.record.copy()
    mine.intents["b"] = an_intent(key="b")
    assert ledger.swap(loaded, mine)
    mine.intents.clear()
    assert keys(ledger) == ["a", "b"]


def test_a_swap_is_lost_where_another_came_between(ledger: Ledger, store: Scripted) -> None:
    """It changes nothing, and the next load shows theirs."""
    loaded = ledger.load(CLUSTER)
    Ledger(store).change(CLUSTER, add("theirs"))
    mine = loaded.record.copy()
    add("mine")(mine)
    assert not ledger.swap(loaded, mine)
    assert keys(ledger) == ["theirs"]


def test_what_tells_of_a_request_that_was_sent_is_patient(ledger: Ledger, store: Scripted) -> None:
    """The store tries, though others have just waited in vain."""
    ledger.change(CLUSTER, add("a"))
    ledger.change(CLUSTER, add("b"), patient=True)
    ledger.swap(ledger.load(CLUSTER), ClusterRecord(CLUSTER), patient=True)
    assert store.patient == [False, True, True]


# -- replies that are lost


def lost(is_stored: bool) -> Callable[[Callable[[], int]], int]:
    def swap(own: Callable[[], int]) -> int:
        if is_stored:
            own()
        raise ReplyLost("the connection was lost")

    return swap


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_swap_whose_reply_is_lost_is_read_back(ledger: Ledger, store: Scripted, is_stored: bool) -> None:
    """It is ours, or it is not; before that nothing is decided."""
    store.script = [lost(is_stored)]
    loaded = ledger.load(CLUSTER)
    mine = loaded.record.copy()
    add("a")(mine)
    assert ledger.swap(loaded, mine) == is_stored
    assert keys(ledger) == (["a"] if is_stored else [])


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_change_whose_reply_is_lost_is_made_once(ledger: Ledger, store: Scripted, is_stored: bool) -> None:
    """A second time only where it is not there."""
    store.script = [lost(is_stored)]

    def count(record: ClusterRecord) -> int:
        return record.next_seq()

    assert ledger.change(CLUSTER, count)[0] == 1
    assert ledger.load(CLUSTER).record.seq == 1


def test_a_swap_that_another_followed_before_it_was_read_back_is_not_ours(ledger: Ledger, store: Scripted) -> None:
    """What is there now is not what was written: it is decided anew, upon it."""

    def swap(own: Callable[[], int]) -> int:
        own()
        Ledger(store).change(CLUSTER, add("b"))
        raise ReplyLost("the connection was lost")

    store.script = [swap]
    _, record = ledger.change(CLUSTER, add("a"))
    assert {*record.intents} == {"a", "b"} == {*keys(ledger)}


def test_a_reply_that_cannot_be_read_back_is_said(ledger: Ledger, store: Scripted, mocker: MockerFixture) -> None:
    """Whether it is stored, nobody knows: nothing is sent."""
    loaded = ledger.load(CLUSTER)
    store.script = [lost(True)]
    mocker.patch.object(store, "load", side_effect=LedgerUnavailable("gone"))
    mine = loaded.record.copy()
    add("a")(mine)
    with pytest.raises(LedgerUnavailable):
        ledger.swap(loaded, mine)


# -- what is kept decoded


def test_a_record_is_decoded_once_for_each_version(ledger: Ledger, store: Scripted, mocker: MockerFixture) -> None:
    """What an instance wrote itself it does not decode; what another wrote, once."""
    decode = mocker.spy(serialization, "from_bytes")
    ledger.change(CLUSTER, add("a"))
    for _ in range(3):
        ledger.load(CLUSTER)
    assert decode.call_count == 0
    assert store.loads[-1] == (CLUSTER, store.load(CLUSTER).version)
    Ledger(store).change(CLUSTER, add("b"))
    decode.reset_mock()
    assert [keys(ledger) for _ in range(3)] == [["a", "b"]] * 3
    assert decode.call_count == 1


def test_a_lost_swap_is_not_kept(ledger: Ledger, store: Scripted) -> None:
    """Nor one whose reply was lost."""
    ledger.change(CLUSTER, add("a"))
    for script in (lambda own: 0, lost(False)):
        store.script = [script]
        loaded = ledger.load(CLUSTER)
        mine = loaded.record.copy()
        add("b")(mine)
        assert not ledger.swap(loaded, mine)
        assert keys(ledger) == ["a"]


def test_a_store_that_was_emptied_is_empty(ledger: Ledger, store: Scripted) -> None:
    """What was kept is of another life; a record that is written then begins anew."""
    ledger.change(CLUSTER, add("a"))
    store._records.clear()
    assert ledger.load(CLUSTER) == (ClusterRecord(CLUSTER), 0)
    ledger.change(CLUSTER, add("b"))
    assert keys(ledger) == ["b"]


@pytest.mark.parametrize("value", [b"", b"{}", b"nonsense", b"x\x9c"])
def test_a_record_that_cannot_be_read_is_not_overwritten(ledger: Ledger, store: Scripted, value: bytes) -> None:
    """It may tell of requests that were sent: a person has to look."""
    version = MemoryStore.swap(store, CLUSTER, 0, value, has_open=True)
    for attempt in (lambda: ledger.load(CLUSTER), lambda: ledger.change(CLUSTER, add("a"))):
        with pytest.raises(LedgerUnavailable):
            attempt()
    assert store.load(CLUSTER) == (version, value)


# -- alarms


def test_alarms_are_changed_as_records_are(ledger: Ledger, store: Scripted) -> None:
    """On the newest ones, once where the reply is lost, and not written where nothing changes."""
    assert ledger.alarms() == AlarmRecord()
    for n, script in enumerate((lost(True), lost(False), lambda own: 0, lambda own: own())):
        store.script = [script]

        def drop(record: AlarmRecord) -> int:
            record.dropped += 1
            return record.dropped

        assert ledger.change_alarms(drop) == n + 1
    before = store.swaps
    ledger.change_alarms(lambda record: None)
    assert (store.swaps, ledger.alarms().dropped) == (before, 4)


def test_alarms_that_change_too_often_are_given_up(ledger: Ledger, store: Scripted) -> None:
    """As records are."""
    store.script = [lambda own: 0] * module.MAX_TRIES
    with pytest.raises(LedgerUnavailable, match="changes too often"):
        ledger.change_alarms(lambda record: record.add(["a"], [], NOW))


def test_the_alarms_are_no_cluster(ledger: Ledger) -> None:
    """The follow-up comes to clusters only, and to those with something open."""
    ledger.change_alarms(lambda record: record.add(["a"], [], NOW))
    ledger.change(CLUSTER, add("a"))
    ledger.change("emr-other000", lambda record: record.next_seq())
    assert ledger.clusters_with_work() == [CLUSTER]
    ledger.change(CLUSTER, lambda record: record.intents.clear())
    assert ledger.clusters_with_work() == []
    assert ledger.alarms().is_told("a", NOW, 1)
    assert not ALARMS.startswith("emr-")


# -- a store that does not answer


class Gone:
    """Every call raises."""

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **more: Any) -> Any:
            raise LedgerUnavailable(f"{name}: the store is away")

        return call


CALLS: Sequence[Callable[[Ledger], Any]] = (
    lambda ledger: ledger.load(CLUSTER),
    lambda ledger: ledger.swap(module.Loaded(ClusterRecord(CLUSTER), 0), ClusterRecord(CLUSTER)),
    lambda ledger: ledger.change(CLUSTER, add("a")),
    lambda ledger: ledger.alarms(),
    lambda ledger: ledger.change_alarms(lambda record: None),
    lambda ledger: ledger.clusters_with_work(),
    lambda ledger: ledger.append([Line(NOW, CLUSTER, "e", "{}")]),
    lambda ledger: ledger.lines(),
    lambda ledger: ledger.forget(NOW),
    lambda ledger: ledger.check(),
)


@pytest.mark.parametrize("call", CALLS)
def test_a_store_that_is_gone_is_said_by_each_call(call: Callable[[Ledger], Any]) -> None:
    """Nothing is answered from memory, and nothing is taken as done."""
    gone: Any = Gone()
    with pytest.raises(LedgerUnavailable, match="the store is away"):
        call(Ledger(gone))


def test_what_is_kept_decoded_is_no_answer_while_the_store_is_gone(
    ledger: Ledger, store: Scripted, mocker: MockerFixture
) -> None:
    """The version is asked for each time."""
    ledger.change(CLUSTER, add("a"))
    mocker.patch.object(store, "load", side_effect=LedgerUnavailable("gone"))
    with pytest.raises(LedgerUnavailable):
        ledger.load(CLUSTER)


def test_no_lines_are_no_call(ledger: Ledger, store: Scripted, mocker: MockerFixture) -> None:
    """Most invocations of a quiet day have none."""
    append = mocker.patch.object(store, "append")
    ledger.append([])
    assert not append.called


# -- real stores


@pytest.fixture
def opened(url: str) -> Iterator[Ledger]:
    made = open_ledger(url)
    yield made
    made.close()


def test_workers_that_change_one_record_at_once_lose_nothing(opened: Ledger, url: str) -> None:
    """Each through a ledger of its own and one that they share; every change is in the record, once."""
    own = [open_ledger(url) for _ in range(3)]
    begin = threading.Barrier(6)

    def work(number: int) -> None:
        ledger = own[number] if number < 3 else opened
        begin.wait(10)
        for n in range(10):
            ledger.change(CLUSTER, add(f"{number}-{n}"))

    side_by_side(work, range(6))
    assert {*keys(opened)} == {f"{number}-{n}" for number in range(6) for n in range(10)}
    for ledger in own:
        assert ledger.load(CLUSTER) == opened.load(CLUSTER)
        ledger.close()


def test_of_many_that_swap_one_version_one_succeeds(opened: Ledger) -> None:
    """The fence: who loses has sent nothing."""
    loaded = opened.load(CLUSTER)

    def swap(number: int) -> bool:
        mine = loaded.record.copy()
        mine.released[KEY] = float(number)
        return opened.swap(loaded, mine)

    assert side_by_side(swap, range(6)).count(True) == 1


def test_a_store_is_opened_when_it_is_first_used() -> None:
    """A ledger of a URL that nothing answers to is no error until it is asked."""
    ledger = open_ledger("redis://127.0.0.1:1/0")
    with pytest.raises(LedgerUnavailable):
        ledger.load(CLUSTER)

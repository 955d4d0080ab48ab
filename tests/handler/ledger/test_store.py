"""What a store promises: one suite for each kind, on a real file and on a real redis-server."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from pytest_mock import MockerFixture

from handler.ledger import redis_store, sqlite_store
from handler.ledger.sqlite_store import SqliteStore, lines_query
from handler.ledger.store import Line, Store, Stored, open_store
from handler.ledger.stored import new_version
from steward.simulate.forkserver import PROCESSES
from tests.handler.ledger.memory_store import MemoryStore

KEY = "emr-4zvc5mul"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    if request.param == "redis":
        made: Store = open_store(request.getfixturevalue("redis_server").url())
    else:
        made = MemoryStore() if request.param == "memory" else open_store(f"sqlite:///{tmp_path}/ledger.db")
    yield made
    made.close()


def put(store: Store, value: bytes = b"value", *, key: str = KEY, has_open: bool = True) -> int:
    """Store the value, whatever is stored; returns its version."""
    version = store.swap(key, store.load(key).version, value, has_open=has_open)
    assert version
    return version


# -- records


def test_nothing_is_stored_at_first(store: Store) -> None:
    """Version 0 without a value, and no swap on another version succeeds."""
    assert store.load(KEY) == Stored(0, None) == store.load(KEY, 5)
    assert store.swap(KEY, 5, b"x", has_open=True) == 0
    assert (store.load(KEY), store.open_keys(), store.lines()) == (Stored(0, None), [], [])


@pytest.mark.parametrize("value", [b"", b"\0\xff\r\n$-1", os.urandom(1_000_000)], ids=["empty", "bytes", "large"])
def test_a_value_comes_back_as_it_was_stored(store: Store, value: bytes) -> None:
    """Any bytes, up to a megabyte; without them for whoever knows the version."""
    version = put(store, value)
    assert store.load(KEY) == store.load(KEY, 1) == Stored(version, value)
    assert store.load(KEY, version) == Stored(version, None)
    assert store.load("other") == Stored(0, None)


def test_of_two_swaps_on_one_version_one_succeeds(store: Store) -> None:
    """On nothing, and on a version; the loser has changed nothing."""
    first = store.swap(KEY, 0, b"a", has_open=True)
    assert first
    assert store.swap(KEY, 0, b"b", has_open=False) == 0
    second = store.swap(KEY, first, b"c", has_open=True)
    assert second not in (0, first)
    assert store.swap(KEY, first, b"d", has_open=False) == 0
    assert (store.load(KEY), store.open_keys()) == (Stored(second, b"c"), [KEY])


def test_versions_never_come_back() -> None:
    """They are positive, exact in a Lua number and in JSON, and random: an emptied store does not begin at a known one."""
    versions = [new_version() for _ in range(10_000)]
    assert len(set(versions)) == len(versions)
    assert all(0 < version < 2**53 for version in versions)


def test_open_keys_are_those_that_were_last_stored_so(store: Store) -> None:
    """Sorted, each once."""
    for key in ("c", "a", "b", "a"):
        put(store, key=key)
    put(store, key="b", has_open=False)
    assert store.open_keys() == ["a", "c"]


def _increment(store: Store, times: int) -> None:
    for _ in range(times):
        while True:
            version, value = store.load(KEY)
            if store.swap(KEY, version, b"%d" % (int(value or b"0") + 1), has_open=True):
                break
            time.sleep(0.0005)


def test_threads_lose_no_increment(store: Store) -> None:
    """Eight threads, 25 increments each: all are counted once."""
    threads = [threading.Thread(target=_increment, args=(store, 25)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.load(KEY).value == b"200"


def _increment_in_a_process(url: str, barrier: Any) -> None:
    store = open_store(url)
    barrier.wait()
    _increment(store, 50)
    store.append([Line(1.0, KEY, str(os.getpid()), "done")])


def test_processes_lose_no_increment(url: str) -> None:
    """Four processes that open a new store at once, 50 increments each."""
    barrier = PROCESSES.Barrier(4)
    workers = [PROCESSES.Process(target=_increment_in_a_process, args=(url, barrier)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    store = open_store(url)
    assert store.load(KEY).value == b"200"
    assert len(store.lines()) == 4
    store.close()


def _swap_and_wait(url: str, ready: Any) -> None:
    assert open_store(url).swap(KEY, 0, b"kept", has_open=True)
    ready.put(True)
    time.sleep(60)


def test_what_was_swapped_survives_kill_9(url: str) -> None:
    """A worker that dies right after it leaves its value behind."""
    ready = PROCESSES.Queue()
    worker = PROCESSES.Process(target=_swap_and_wait, args=(url, ready))
    worker.start()
    assert ready.get(timeout=60)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    store = open_store(url)
    assert (store.load(KEY).value, store.open_keys()) == (b"kept", [KEY])
    store.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_takes_no_connection_along(url: str) -> None:
    """A child that uses and closes the store disturbs neither its parent nor what another thread was at."""
    store = open_store(url)
    put(store, b"before")
    busy, done = threading.Event(), threading.Event()

    def keep_busy() -> None:
        while not done.is_set():
            put(store, key="busy")
            busy.set()

    thread = threading.Thread(target=keep_busy)
    thread.start()
    busy.wait()
    child = os.fork()
    if not child:  # nothing of the test's may run here
        try:
            signal.alarm(20)
            assert store.load(KEY).value == b"before"
            put(store, b"child")
            store.close()
            os._exit(0)
        except BaseException:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    thread.join()
    assert store.load(KEY).value == b"child"
    put(store, b"after")
    store.close()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_threads_that_fork_at_once_leave_the_store_free(tmp_path: Path) -> None:
    """Forks take their turns, while another thread uses the file."""
    store = open_store(f"sqlite:///{tmp_path}/ledger.db")

    def forks() -> None:
        for _ in range(10):
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)

    def use() -> None:
        for _ in range(100):
            put(store)

    threads = [threading.Thread(target=work, daemon=True) for work in (forks, forks, forks, use)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    store.close()


# -- history

#: Whatever a sender calls its event.
ODD = 't*[w-o]?^\\\n\0é"]'
A, B, C = (
    Line(10.0, "emr-a", "one", '{"text": "Ünï\\u0000\\n"}'),
    Line(20.5, "emr-b", "two", "b\nb"),
    Line(20.5, "emr-a", ODD, ""),
)


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, [C, B, A]),
        ({"limit": 2}, [C, B]),
        ({"limit": 0}, []),
        ({"since": 20.5}, [C, B]),
        ({"since": 20.6}, []),
        ({"cluster": "emr-a"}, [C, A]),
        ({"cluster": "emr-a", "limit": 1}, [C]),
        ({"id": "two"}, [B]),
        ({"id": ODD, "cluster": "emr-a"}, [C]),
        ({"id": "two", "cluster": "emr-a"}, []),
        ({"id": "one", "since": 10.1}, []),
        ({"cluster": ""}, []),
    ],
)
def test_lines_are_found_by_every_condition(store: Store, conditions: dict[str, Any], found: list[Line]) -> None:
    """The newest first, and of one time the last that was written."""
    store.append([B, A])
    store.append([])
    store.append([C])
    assert store.lines(**conditions) == found


def test_equal_lines_are_kept_each(store: Store) -> None:
    """A history shows what was appended, twice where it was appended twice."""
    store.append([A, A])
    store.append([A])
    assert store.lines() == [A, A, A]


def test_lines_of_before_are_forgotten(store: Store) -> None:
    """What is as old as that stays; records stay."""
    version = put(store)
    store.append([A, B, C])
    assert store.forget(20.5) == 1
    assert store.forget(20.5) == 0
    assert store.lines() == [C, B]
    assert store.forget(21) == 2
    assert store.load(KEY) == Stored(version, b"value")


def test_a_search_goes_through_all_pages(store: Store, mocker: MockerFixture) -> None:
    """More lines than a page, many of one time: each is found once."""
    mocker.patch.object(redis_store, "PAGE", 7)
    mocker.patch.object(redis_store, "STEPS", 5)
    mocker.patch.object(sqlite_store, "LINES_PER_STEP", 7)
    mocker.patch.object(sqlite_store, "STEPS", 5)
    lines = [Line(float(number // 20), f"emr-{number % 2}", str(number), "") for number in range(100)]
    store.append(lines)
    newest = lines[::-1]
    assert store.lines(limit=1000) == newest
    assert store.lines(cluster="emr-1", limit=30) == newest[::2][:30]
    gone = [store.forget(3) for _ in range(5)]
    assert sum(gone) == 60
    assert store.lines() == newest[:40]


# -- growth


def test_every_search_in_sqlite_uses_an_index(tmp_path: Path) -> None:
    """The narrowest one, without sorting: a million lines are as quick as a thousand."""
    path = tmp_path / "ledger.db"
    store = SqliteStore(str(path))
    store.check()
    plans = {
        (None, None): "USING INDEX lines_by_time (at>?)",
        ("emr", None): "USING INDEX lines_by_cluster (cluster=? AND at>?)",
        (None, "id"): "USING INDEX lines_by_id (id=? AND at>?)",
        ("emr", "id"): "USING INDEX lines_by_id (id=? AND at>?)",
    }
    with closing(sqlite3.connect(path)) as db:
        for (cluster, name), expected in plans.items():
            statement, *parameters = lines_query(cluster, name, 5.0, 10)
            plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert len(plan) == 1
            assert plan[0].endswith(expected)
        (plan,) = db.execute("EXPLAIN QUERY PLAN SELECT key FROM records WHERE has_open ORDER BY key").fetchall()
        assert "USING INDEX records_open" in plan[3]
    store.close()


def test_forgetting_in_sqlite_goes_by_short_steps_and_shrinks_the_file(tmp_path: Path, mocker: MockerFixture) -> None:
    """100,000 lines: no transaction removes more than a step, and in the end the file is small."""
    path = tmp_path / "ledger.db"
    store = SqliteStore(str(path))
    text = "x" * 300
    for start in range(0, 100_000, 10_000):
        store.append(
            [Line(float(number), f"emr-{number % 9}", str(number), text) for number in range(start, start + 10_000)]
        )
    steps: list[int] = []

    class Counting(sqlite3.Connection):
        before = 0

        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql == "BEGIN IMMEDIATE":
                self.before = self.total_changes
            elif sql == "COMMIT":
                steps.append(self.total_changes - self.before)
            return super().execute(sql, *arguments)

    store.close()
    mocker.patch("sqlite3.connect", partial(sqlite3.connect, factory=Counting))
    mocker.patch.object(sqlite_store, "PAUSE", 0)
    before = path.stat().st_size
    calls = 0
    while store.forget(99_000.0):
        calls += 1
    assert max(steps) == sqlite_store.LINES_PER_STEP
    assert calls >= 99_000 / (sqlite_store.STEPS * sqlite_store.LINES_PER_STEP)
    assert len(store.lines(limit=5000)) == 1000
    store.close()
    assert path.stat().st_size < before / 10


def test_the_history_in_redis_is_bounded(request: pytest.FixtureRequest, mocker: MockerFixture) -> None:
    """Of too many lines the oldest are dropped."""
    mocker.patch.object(redis_store, "MAX_LINES", 3)
    store = open_store(request.getfixturevalue("redis_server").url())
    for at in (5.0, 1.0, 3.0, 2.0, 4.0):
        store.append([Line(at, "emr", "id", "")])
    assert [line.at for line in store.lines()] == [5.0, 4.0, 3.0]
    store.close()


def test_the_file_is_the_owners_only(tmp_path: Path) -> None:
    """What the ledger holds is nobody else's to read."""
    put(store := open_store(f"sqlite:///{tmp_path}/ledger.db"))
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    store.close()


# -- against a model

KEYS = st.sampled_from(["emr-a", "emr-b", "fleet"])
PLACES = st.integers(0, 20)
TIMES = st.sampled_from([0.0, 1.0, 1.5, 2.0, 1e9 + 0.123456])
LINES = st.lists(
    st.builds(Line, TIMES, KEYS, st.sampled_from(["", "x", "y"]), st.text(st.characters(codec="utf-8"))), max_size=4
)


class Model(RuleBasedStateMachine):
    """Any calls in any order answer what two containers would."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.records: dict[str, tuple[int, bytes, bool]] = {}
        self.known: dict[str, list[int]] = {}
        self.history: list[Line] = []
        self.began = {key: store.load(key).version for key in ("emr-a", "emr-b", "fleet")}
        for key, version in self.began.items():  # the store is of an earlier example
            if version:
                self._stored(key, version, b"", has_open=False)
        while store.forget(2e9):
            pass

    def _stored(self, key: str, version: int, value: bytes, *, has_open: bool) -> None:
        new = self.store.swap(key, version, value, has_open=has_open)
        assert new not in (0, version, *self.known.get(key, ()))
        self.known.setdefault(key, []).append(new)
        self.records[key] = new, value, has_open

    @rule(key=KEYS, value=st.binary(), has_open=st.booleans(), patient=st.booleans())
    def swap(self, key: str, value: bytes, has_open: bool, patient: bool) -> None:
        self._stored(key, self.records.get(key, (0,))[0], value, has_open=has_open)

    # By its place, since the versions, and how many there are, differ from one try of an example to the next.
    @rule(key=KEYS, place=PLACES)
    def lose(self, key: str, place: int) -> None:
        others = [one for one in (0, 7, *self.known.get(key, [])) if one != self.records.get(key, (0,))[0]]
        assert self.store.swap(key, others[place % len(others)], b"lost", has_open=True) == 0

    @rule(key=KEYS, place=PLACES)
    def load(self, key: str, place: int) -> None:
        version, value, _ = self.records.get(key, (0, None, False))
        versions = [0, 7, *self.known.get(key, [])]
        known = versions[place % len(versions)]
        assert self.store.load(key, known) == (version, None if known == version else value)

    @rule(lines=LINES)
    def append(self, lines: list[Line]) -> None:
        self.store.append(lines)
        self.history = sorted([*self.history, *lines], key=lambda line: line.at)

    @rule(cluster=st.none() | KEYS, name=st.none() | st.sampled_from(["", "x"]), since=TIMES, limit=st.integers(0, 9))
    def lines(self, cluster: str | None, name: str | None, since: float, limit: int) -> None:
        found = [
            line
            for line in reversed(self.history)
            if line.at >= since and cluster in (None, line.cluster) and name in (None, line.id)
        ]
        assert self.store.lines(cluster=cluster, id=name, since=since, limit=limit) == found[:limit]

    @rule(before=TIMES)
    def forget(self, before: float) -> None:
        kept = [line for line in self.history if line.at >= before]
        assert self.store.forget(before) == len(self.history) - len(kept)
        self.history = kept

    @rule()
    def close(self) -> None:
        self.store.close()

    @invariant()
    def open_keys(self) -> None:
        assert self.store.open_keys() == sorted(key for key, (_, _, has_open) in self.records.items() if has_open)


@pytest.mark.examples
def test_any_calls_answer_what_the_model_does(store: Store) -> None:
    """Hypothesis chooses them; the store goes on from one example to the next."""
    run: Any = run_state_machine_as_test  # some of its versions are typed, some are not
    run(partial(Model, store), settings=settings(deadline=None, stateful_step_count=20))

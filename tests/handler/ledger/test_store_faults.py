"""Stores that cannot be used: a clear error without secrets, nothing written by halves, nothing overwritten."""

from __future__ import annotations

import os
import random
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import redis
from pytest_mock import MockerFixture

from handler.errors import ConfigurationError, LedgerUnavailable, ReplyLost
from handler.ledger.fail_fast import LONG, SECONDS
from handler.ledger.store import Line, Store, Stored, open_store
from handler.ledger.stored import FORMAT
from handler.lib.idle_connection import KEPT_SECONDS
from steward.simulate.redis_server import MISSING, RedisServer
from tests.relay import Relay, relayed

KEY = "emr-4zvc5mul"
LINE = Line(1.0, KEY, "event", "{}")
SECRET = "hunter2-and-more"

#: Every method that reads or writes.
CALLS: dict[str, Callable[[Store], Any]] = {
    "load": lambda store: store.load(KEY),
    "swap": lambda store: store.swap(KEY, 0, b"value", has_open=True),
    "open_keys": lambda store: store.open_keys(),
    "append": lambda store: store.append([LINE]),
    "lines": lambda store: store.lines(cluster=KEY),
    "forget": lambda store: store.forget(2.0),
    "check": lambda store: store.check(),
}


def put(store: Store, value: bytes = b"value") -> int:
    """Store the value on what is stored."""
    version = store.swap(KEY, store.load(KEY).version, value, has_open=True)
    assert version
    return version


def is_unavailable(call: Callable[[], Any]) -> bool:
    """Whether the store says that it cannot be used; for certain, in the case of a swap."""
    try:
        call()
    except LedgerUnavailable as error:
        assert not isinstance(error, ReplyLost)
        return True
    return False


@contextmanager
def at(url: str) -> Iterator[Store]:
    """The store there."""
    store = open_store(url)
    try:
        yield store
    finally:
        store.close()


@pytest.mark.parametrize("url", ["", "sqlite://x", "sqlite:///", "mysql://x", "redis:/x", "redis://", "redis://h:port"])
def test_an_unknown_url_is_refused(url: str) -> None:
    """Naming the variable."""
    with pytest.raises(ConfigurationError, match="STEWARD_LEDGER"):
        open_store(url)


# -- either kind


@contextmanager
def nobody_can_write(url: str) -> Iterator[Callable[[], Any]]:
    """Whoever wants to, waits; until what is given here is called, from whatever thread."""
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            client.client_pause(100_000, all=False)
            try:
                yield client.client_unpause
            finally:
                client.client_unpause()
        return
    path = url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield partial(other.execute, "COMMIT")


def test_what_one_waited_for_in_vain_the_next_need_not(url: str, mocker: MockerFixture) -> None:
    """They get the same error at once; when the store is well again, it is used again."""
    mocker.patch("handler.ledger.sqlite_store.BUSY_SECONDS", 2 * LONG)
    with at(url) as store:
        put(store)
        with nobody_can_write(url) as let_go:
            with pytest.raises(LedgerUnavailable) as first:
                store.append([LINE])
            began = time.monotonic()
            for _ in range(5):
                with pytest.raises(LedgerUnavailable) as second:
                    store.append([LINE])
                assert str(second.value) == str(first.value)
            assert time.monotonic() - began < 5 * LONG
            let_go()
            began = time.monotonic()
            while is_unavailable(lambda: store.append([LINE])):
                assert time.monotonic() - began < 10 * SECONDS
                time.sleep(0.05)


def test_who_is_patient_waits_though_others_waited_in_vain(url: str, mocker: MockerFixture) -> None:
    """What was sent is written down by a store that hung for a moment; by that it is known to be well."""
    mocker.patch("handler.ledger.sqlite_store.BUSY_SECONDS", 1.5)
    mocker.patch("handler.ledger.redis_store.TIMEOUT", 1.5)
    with at(url) as store:
        version = put(store)
        with nobody_can_write(url) as let_go:
            with pytest.raises(LedgerUnavailable):
                store.append([LINE])
            release = threading.Timer(0.1, let_go)
            release.start()
            assert store.swap(KEY, version, b"sent", has_open=True, patient=True)
            release.join()
            store.append([LINE])


def _empty(url: str) -> None:
    if url.startswith("redis"):
        with redis.Redis.from_url(url) as client:
            client.flushdb()
    else:
        for file in Path(url.removeprefix("sqlite:///")).parent.glob("ledger.db*"):
            file.unlink()


def test_a_store_that_was_emptied_is_begun_anew(url: str) -> None:
    """A warm instance never takes a new store's record for the one that it knows; old and new ones go on side by side."""
    with at(url) as warm, at(url) as other:
        version = put(warm, b"lost")
        _empty(url)
        assert (warm.load(KEY, version), warm.open_keys(), warm.lines()) == (Stored(0, None), [], [])
        assert warm.swap(KEY, version, b"late", has_open=True) == 0
        put(other, b"new")
        assert warm.swap(KEY, version, b"late", has_open=True) == 0
        assert warm.load(KEY, version).value == b"new"
        with at(url) as fresh:  # it knows the store for one of its format
            assert fresh.open_keys() == [KEY]


# -- SQLite


def _with_version(version: int, path: Path) -> None:
    with at(f"sqlite:///{path}") as store:
        store.check()
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {version}")


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (x)")


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b"SQLite format 3\0" + os.urandom(8192)), "sqlite ledger"),
        (lambda path: path.write_text("a text, long enough to be read as a header" * 30), "not a database"),
        (_foreign, "another program's"),
        (partial(_with_version, 4), f"has format 4, this program reads format {FORMAT}; name another file"),
        (partial(_with_version, 99), "has format 99"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
    ids=["corrupt", "text", "foreign", "older", "newer", "folder"],
)
def test_a_bad_file_is_reported_and_left_alone(tmp_path: Path, spoil: Any, says: str) -> None:
    """By every method, and nothing is overwritten."""
    path = tmp_path / "ledger.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    with at(f"sqlite:///{path}") as store:
        for call in CALLS.values():
            with pytest.raises(LedgerUnavailable, match=says):
                call(store)
    assert before is None or path.read_bytes() == before


def test_a_missing_folder_and_a_full_disk_are_reported(tmp_path: Path) -> None:
    """In words; what does not fit leaves what was stored."""
    with pytest.raises(LedgerUnavailable, match="no folder"):
        open_store(f"sqlite:///{tmp_path}/missing/ledger.db").check()
    with at(f"sqlite:///{tmp_path}/ledger.db") as store:
        version = put(store)
        connection = store._file._connection  # type: ignore[attr-defined]
        connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}")
        with pytest.raises(LedgerUnavailable, match="full"):
            store.swap(KEY, version, bytes(100_000), has_open=False)
        assert (store.load(KEY, version), store.open_keys()) == (Stored(version, None), [KEY])


def test_a_file_that_cannot_be_made_or_written_is_reported(tmp_path: Path, mocker: MockerFixture) -> None:
    """Its mode cannot be set, or it is read-only: in words, and not as an internal error."""
    (tmp_path / "empty.db").touch()
    mocker.patch("os.chmod", side_effect=PermissionError(1, "Operation not permitted"))
    with pytest.raises(LedgerUnavailable, match="not permitted"):
        open_store(f"sqlite:///{tmp_path}/empty.db").check()
    mocker.stopall()
    with at(f"sqlite:///{tmp_path}/ledger.db") as store:
        version = put(store)
        store._file._connection.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined] # root may write to any file
        with pytest.raises(LedgerUnavailable, match="readonly"):
            store.swap(KEY, version, b"x", has_open=True)
        assert store.load(KEY, version) == Stored(version, None)


def test_a_file_that_is_replaced_during_a_swap_may_not_have_it(tmp_path: Path) -> None:
    """Who waited for the lock of a file that nobody finds any more is asked to read back."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    with at(url) as store:
        version = put(store)
        with nobody_can_write(url) as let_go:
            release = threading.Timer(0.2, let_go)
            gone = threading.Timer(0.1, _empty, [url])
            release.start()
            gone.start()
            with pytest.raises(ReplyLost, match="deleted or replaced"):
                store.swap(KEY, version, b"x", has_open=True)
            release.join()
            gone.join()
        assert store.load(KEY, version) == Stored(0, None)


@pytest.mark.parametrize("is_written", [True, False])
def test_a_commit_that_fails_may_have_been_written(tmp_path: Path, mocker: MockerFixture, is_written: bool) -> None:
    """ReplyLost either way, and reading back shows which."""
    failing = [False]

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if sql == "COMMIT" and failing[0]:
                super().execute("COMMIT" if is_written else "ROLLBACK")
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *arguments)

    mocker.patch("sqlite3.connect", partial(sqlite3.connect, factory=Failing))
    with at(f"sqlite:///{tmp_path}/ledger.db") as store:
        version = put(store, b"before")
        failing[0] = True
        with pytest.raises(ReplyLost, match="disk I/O error"):
            store.swap(KEY, version, b"after", has_open=True)
        failing[0] = False
        assert store.load(KEY).value == (b"after" if is_written else b"before")
        put(store)


@pytest.mark.parametrize(("seconds", "is_stored"), [(0.2, True), (60.0, False)])
def test_who_writes_waits_for_the_lock_for_a_while(
    tmp_path: Path, mocker: MockerFixture, seconds: float, is_stored: bool
) -> None:
    """Whoever lets go in time is waited for. A reader waits for nobody who writes."""
    mocker.patch("handler.ledger.sqlite_store.BUSY_SECONDS", 10.0 if is_stored else 0.1)
    url = f"sqlite:///{tmp_path}/ledger.db"
    with at(url) as store:
        version = put(store)
        with nobody_can_write(url) as let_go:
            release = threading.Timer(seconds, let_go)
            release.start()
            assert store.load(KEY, version).version == version
            assert is_unavailable(lambda: store.swap(KEY, version, b"x", has_open=True)) is not is_stored
            assert (store.load(KEY).value == b"x") is is_stored
            release.cancel()
            release.join()


def test_a_file_that_another_makes_meanwhile_is_not_foreign(tmp_path: Path, mocker: MockerFixture) -> None:
    """Two processes begin with a new file at once: what the one reads while the other makes it is not another program's."""
    with at(f"sqlite:///{tmp_path}/ledger.db") as first, at(f"sqlite:///{tmp_path}/ledger.db") as other:
        read: list[str] = []

        class Slow(sqlite3.Connection):
            def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
                read.append(sql)
                if len(read) == 2:  # between its first look at the file and its second
                    other.check()
                return super().execute(sql, *arguments)

        mocker.patch("sqlite3.connect", partial(sqlite3.connect, factory=Slow))
        assert first.open_keys() == []


@pytest.mark.parametrize(("refusals", "is_made"), [(3, True), (10_000, False)])
def test_who_makes_a_file_beside_another_waits_for_it(
    tmp_path: Path, mocker: MockerFixture, refusals: int, is_made: bool
) -> None:
    """SQLite does not, of two that turn to the write-ahead log at once: it refuses one of them on the spot."""
    mocker.patch("handler.ledger.sqlite_store.BUSY_SECONDS", 0.1)
    left = [refusals]

    class Refused(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if "journal_mode = WAL" in sql and left[0]:
                left[0] -= 1
                raise sqlite3.OperationalError("database is locked")
            return super().execute(sql, *arguments)

    mocker.patch("sqlite3.connect", partial(sqlite3.connect, factory=Refused))
    with at(f"sqlite:///{tmp_path}/ledger.db") as store:
        assert is_unavailable(store.open_keys) is not is_made


def test_a_store_for_one_host_is_warned_of(tmp_path: Path, mocker: MockerFixture) -> None:
    """In the temporary folder it is one warm instance's; in a folder whose name only begins like it, it is not."""
    assert any("one host" in warning for warning in open_store("sqlite:///:memory:").check())
    beside = tmp_path / "tmp-data"
    beside.mkdir()
    for folder, warnings in ((tmp_path / "tmp", 0), (beside, 1)):
        mocker.patch("handler.ledger.sqlite_store.temporary_folder", return_value=str(folder))
        with at(f"sqlite:///{beside}/ledger.db") as store:
            assert len(store.check()) == warnings


def damaged(content: bytes, seed: int) -> bytes:
    """A few bytes overwritten, a page zeroed, or the end cut off."""
    rng = random.Random(seed)  # noqa: S311 - the same damage each time
    spoiled = bytearray(content)
    for _ in range(rng.choice([1, 4, 64])):
        spoiled[rng.randrange(100, len(spoiled))] = rng.randrange(256)
    if seed % 3 == 1:
        page = rng.randrange(1, max(2, len(spoiled) // 4096)) * 4096
        spoiled[page : page + 4096] = bytes(4096)
    if seed % 5 == 2:
        del spoiled[rng.randrange(4096, len(spoiled)) :]
    return bytes(spoiled)


@pytest.mark.parametrize(
    "seeds", [range(60), pytest.param(range(60, 1000), marks=pytest.mark.long)], ids=["some", "many"]
)
def test_a_corrupt_file_answers_or_is_unavailable(seeds: range, tmp_path: Path) -> None:
    """Whatever its bytes are: nothing but LedgerUnavailable is raised, and what is answered has its types."""
    good = tmp_path / "good.db"
    with at(f"sqlite:///{good}") as store:
        store.append([Line(float(at), f"emr-{at % 3}", str(at), "x" * 200) for at in range(200)])
        for key in ("emr-0", "emr-1", KEY):
            store.swap(key, 0, os.urandom(7000), has_open=True)
    content = good.read_bytes()
    failed = 0
    for seed in seeds:
        path = tmp_path / f"{seed}.db"
        path.write_bytes(damaged(content, seed))
        with at(f"sqlite:///{path}") as store:
            for call in CALLS.values():
                try:
                    call(store)
                except LedgerUnavailable:
                    failed += 1
            with suppress(LedgerUnavailable):
                version, value = store.load(KEY)
                assert (type(version), type(value)) in ((int, bytes), (int, type(None)))
            with suppress(LedgerUnavailable):
                assert all([type(part) for part in line] == [float, str, str, str] for line in store.lines())
        path.unlink()
    assert failed


@pytest.mark.parametrize(
    ("spoil", "method"),
    [
        ("UPDATE records SET value = 'text'", "load"),
        ("UPDATE records SET version = 'text'", "load"),
        ("UPDATE records SET version = -1", "load"),
        ("UPDATE records SET key = X'ff'", "open_keys"),
        ("UPDATE lines SET at = 'text'", "lines"),
        ("UPDATE lines SET text = X'ff'", "lines"),
        ("UPDATE lines SET id = CAST(X'ff' AS TEXT)", "lines"),
        ("DROP TABLE lines", "append"),
    ],
)
def test_a_row_of_other_types_is_unavailable(tmp_path: Path, spoil: str, method: str) -> None:
    """SQLite lets any type stand in any column."""
    path = tmp_path / "ledger.db"
    with at(f"sqlite:///{path}") as store:
        put(store)
        store.append([LINE])
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute(spoil)
        with pytest.raises(LedgerUnavailable):
            CALLS[method](store)


# -- Redis


@contextmanager
def answering(answer: bytes | None, *, to: bytes = b"") -> Iterator[int]:
    """A server that is no Redis: it answers ``answer``, or nothing at all, ``to`` a command or to all; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while data := connection.recv(65536):
                    if to not in data:
                        connection.sendall(b"$-1\r\n" * (data.count(b"\r\n*") + 1))
                    elif answer is not None:
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "redis ledger"),
        (b"\x00\xff\xfe garbage \r\n", "redis ledger"),
        (b"$12\r\nabc\r\n", "redis ledger"),
        (b":7\r\n", "redis ledger"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", "loading"),
        (b"-READONLY You can't write against a read only replica.\r\n", "(?i)read.?only"),
        (b"-NOAUTH Authentication required.\r\n", "(?i)auth"),
        (None, "(?i)time"),
    ],
    ids=["http", "garbage", "cut", "number", "loading", "readonly", "noauth", "hangs"],
)
def test_what_is_no_usable_redis_is_reported(answer: bytes | None, says: str, mocker: MockerFixture) -> None:
    """Whatever it answers: LedgerUnavailable by every method, and certainly nothing is written."""
    mocker.patch("handler.ledger.redis_store.TIMEOUT", 0.1)
    with answering(answer) as port, at(f"redis://127.0.0.1:{port}/0") as store:
        for call in CALLS.values():
            with pytest.raises(LedgerUnavailable, match=says) as error:
                call(store)
            assert not isinstance(error.value, ReplyLost)


@contextmanager
def behind_relay(server: RedisServer) -> Iterator[tuple[Relay, Store, Store]]:
    """A relay, a store whose connection through it is used already, and the same store without it."""
    url = server.url()
    with relayed(server.port) as relay, at(url) as direct, at(url.replace(str(server.port), str(relay.port))) as store:
        store.load(KEY)
        yield relay, store, direct


def test_a_swap_whose_reply_is_lost_may_have_been_written(redis_server: RedisServer) -> None:
    """The request went through: ReplyLost, and reading back shows the value."""
    with behind_relay(redis_server) as (relay, store, direct):
        relay.loses_replies = True
        with pytest.raises(ReplyLost):
            store.swap(KEY, 0, b"value", has_open=True)
        relay.loses_replies = False
        assert store.load(KEY) == direct.load(KEY)
        assert store.load(KEY).value == b"value"


@pytest.mark.parametrize("silently", [False, True], ids=["reset", "in silence"])
def test_a_swap_whose_request_is_lost_may_have_been_written(redis_server: RedisServer, silently: bool) -> None:
    """Nobody can tell it from a lost reply: ReplyLost; only a load that fails so has certainly changed nothing."""
    with behind_relay(redis_server) as (relay, store, direct):
        relay.forget(silently=silently)
        with pytest.raises(ReplyLost):
            store.swap(KEY, 0, b"value", has_open=True)
        assert direct.load(KEY) == Stored(0, None)
        while is_unavailable(lambda: put(store)):
            time.sleep(0.1)
        relay.forget(silently=silently)
        assert is_unavailable(lambda: store.load(KEY))


@pytest.mark.parametrize(
    ("answer", "is_certain"),
    [
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", True),
        (b"-MISCONF Redis is configured to save RDB snapshots\r\n", True),
        (b"-LOADING Redis is loading the dataset in memory\r\n", True),
        (b"-BUSY Redis is busy running a script.\r\n", True),
        (b"-NOPERM this user has no permissions\r\n", True),
        (b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n", True),
        (b"-ERR proxy: server closed connection\r\n", False),
        (b"-upstream failure\r\n", False),
        (b":7\r\n", False),
        (b"+OK\r\n", False),
    ],
)
def test_only_a_known_refusal_is_certain(answer: bytes, is_certain: bool) -> None:
    """Redis names by a code why it ran nothing; any other error may be of a proxy that lost its server."""
    with answering(answer, to=b"EVAL") as port, pytest.raises(LedgerUnavailable) as error:
        CALLS["swap"](open_store(f"redis://127.0.0.1:{port}/0"))
    assert isinstance(error.value, ReplyLost) is not is_certain


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_connects_waits_for_nobody() -> None:
    """The child has not the thread that would let go of the store; it connects by itself, and is answered."""
    with answering(None) as port:
        store = open_store(f"redis://127.0.0.1:{port}/0")
        connecting = threading.Thread(target=is_unavailable, args=(store.open_keys,))
        connecting.start()
        while not store._lock.locked():  # type: ignore[attr-defined]
            time.sleep(0.001)
        child = os.fork()
        if not child:  # nothing of the test's may run here
            try:
                signal.alarm(20)
                os._exit(0 if is_unavailable(store.open_keys) else 3)
            except BaseException:
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        connecting.join()
        store.close()


def test_nobody_listening_and_a_wrong_password_are_reported_without_it(redis_server: RedisServer) -> None:
    """The place is named, the password never is, and nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        closed = once.getsockname()[1]
    for port in (closed, redis_server.port):
        with pytest.raises(LedgerUnavailable, match=f"redis ledger 127.0.0.1:{port}") as error:
            CALLS["swap"](open_store(f"redis://:{SECRET}@127.0.0.1:{port}/0"))
        assert SECRET not in str(error.value)
        assert not isinstance(error.value, ReplyLost)


def test_a_full_redis_takes_nothing(redis_server: RedisServer) -> None:
    """noeviction: what does not fit is refused before anything of it is written."""
    with at(redis_server.url()) as store:
        version = put(store)
        with redis_server.configured(maxmemory="1mb"):
            assert is_unavailable(lambda: store.swap(KEY, version, b"x", has_open=False))
        assert (store.load(KEY, version), store.open_keys()) == (Stored(version, None), [KEY])
        put(store)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"appendonly": "no"}, "append-only"),
        ({"appendfsync": "no"}, "appendfsync"),
        ({"maxmemory_policy": "allkeys-lru"}, "evict"),
    ],
)
def test_a_redis_that_would_forget_is_warned_of(redis_server: RedisServer, setting: dict[str, str], says: str) -> None:
    """What would make a restart happen twice."""
    with at(redis_server.url()) as store:
        assert store.check() == []
        with redis_server.configured(**setting):
            (warning,) = store.check()
    assert says in warning


def test_a_redis_that_hides_its_configuration_is_warned_of(redis_server: RedisServer) -> None:
    """As managed ones do: what has to be set is listed."""
    url = redis_server.url()
    with redis.Redis.from_url(url) as client:
        client.acl_setuser("plain", enabled=True, nopass=True, keys="*", commands=["+@all", "-config"])
        with at(url.replace("redis://", "redis://plain:any@")) as store:
            (warning,) = store.check()
            put(store)
        client.acl_deluser("plain")
    assert "appendonly yes" in warning


@pytest.mark.parametrize("known", ["4", "99", "\u00ff"])
def test_a_redis_of_another_format_is_reported_and_left_alone(redis_server: RedisServer, known: str) -> None:
    """When it is opened, by every method; and by a warm store that would write to what another program took over."""
    url = redis_server.url()
    with redis.Redis.from_url(url) as client, at(url) as warm:
        version = put(warm)
        client.set("{steward}:schema", known)
        assert is_unavailable(lambda: warm.swap(KEY, version, b"x", has_open=True))
        for call in CALLS.values():
            with pytest.raises(LedgerUnavailable, match=f"has format {known}, this program reads format {FORMAT}"):
                call(warm)
        client.set("{steward}:schema", FORMAT)
        assert warm.load(KEY, version) == Stored(version, None)


@pytest.mark.parametrize(
    ("spoil", "method"),
    [
        (lambda client: client.hdel(f"{{steward}}:record:{KEY}", "value"), "load"),
        (lambda client: client.hset(f"{{steward}}:record:{KEY}", "version", "x"), "load"),
        (lambda client: client.set(f"{{steward}}:record:{KEY}", "x"), "swap"),
        (lambda client: client.sadd("{steward}:open", b"\xff"), "open_keys"),
        (lambda client: client.zadd("{steward}:lines", {b"x" * 16 + b"\xff": 1}), "lines"),
        (lambda client: client.zadd("{steward}:lines", {"short": 1}), "lines"),
    ],
)
def test_what_somebody_spoiled_in_redis_is_unavailable(redis_server: RedisServer, spoil: Any, method: str) -> None:
    """Nothing that may be open is passed over in silence."""
    url = redis_server.url()
    with redis.Redis.from_url(url) as client, at(url) as store:
        put(store)
        spoil(client)
        assert is_unavailable(lambda: CALLS[method](store))


def test_a_redis_that_was_restarted_is_used_again(redis_server: RedisServer) -> None:
    """kill -9 of Redis: what was stored is still there, and the same object goes on."""
    with at(redis_server.url()) as store:
        version = put(store)
        redis_server.kill()
        try:
            assert is_unavailable(lambda: store.swap(KEY, version, b"x", has_open=True))
        finally:
            redis_server.start()
        assert store.load(KEY, version) == Stored(version, None)
        put(store)


def test_after_a_fail_over_the_new_master_is_asked(tmp_path: Path) -> None:
    """An old master becomes a replica and keeps its connections: a warm store is refused once, and connects anew."""
    if MISSING:
        pytest.skip(MISSING)
    servers = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        servers.append(RedisServer(tmp_path / name))
        servers[-1].start()
    old, new = servers
    try:
        with relayed(old.port) as relay, at(f"redis://127.0.0.1:{relay.port}/1") as store:
            put(store, b"old")
            with redis.Redis(port=old.port) as client:
                client.replicaof("127.0.0.1", new.port)
            relay.target = new.port
            with pytest.raises(LedgerUnavailable, match=r"(?i)read.?only"):
                store.append([LINE])
            assert store.load(KEY) == Stored(0, None)
            put(store, b"new")
            with at(f"redis://127.0.0.1:{new.port}/1") as direct:
                assert direct.load(KEY).value == b"new"
    finally:
        old.kill()
        new.kill()


@pytest.mark.parametrize("clock", ["monotonic", "time"])
@pytest.mark.parametrize("silently", [False, True], ids=["reset", "in silence"])
def test_a_connection_that_was_long_unused_is_not_used_again(
    redis_server: RedisServer, mocker: MockerFixture, clock: str, silently: bool
) -> None:
    """An instance that was frozen wakes up with connections that everybody else has forgotten: no event is lost by that.

    Of the two clocks the one stands still while a machine is suspended.
    """
    with behind_relay(redis_server) as (relay, store, _):
        asked = list(relay.received)
        assert len(asked) == 1
        now = getattr(time, clock)
        mocker.patch(f"time.{clock}", side_effect=lambda: float(now()) + KEPT_SECONDS + 1)
        relay.forget(silently=silently)
        put(store)
        put(store)
        assert len(relay.received) == 2
        assert relay.received[:1] == asked


def test_a_connection_that_comes_too_late_is_let_go(mocker: MockerFixture) -> None:
    """Nobody waits for the look-up of a name any longer, and nobody uses what comes of it."""
    mocker.patch("handler.ledger.redis_connection.CONNECT_SECONDS", 0.1)
    look_up, given_up = socket.getaddrinfo, threading.Event()

    def late(*args: Any, **kwargs: Any) -> Any:
        given_up.wait(20)
        return look_up(*args, **kwargs)

    mocker.patch("socket.getaddrinfo", late)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with pytest.raises(LedgerUnavailable, match="Timeout connecting"):
            CALLS["swap"](open_store(f"redis://127.0.0.1:{listener.getsockname()[1]}/0"))
        given_up.set()
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            assert connection.recv(100) == b""


def test_without_a_thread_to_connect_in_the_store_is_unavailable(mocker: MockerFixture) -> None:
    """A machine that gives no more of them is not an internal error."""
    mocker.patch("handler.lib.in_flight.begin", side_effect=RuntimeError("can't start new thread"))
    with pytest.raises(LedgerUnavailable, match="no thread"):
        CALLS["swap"](open_store("redis://127.0.0.1:9/0"))


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("socket_timeout=30", "socket_timeout"),
        ("db=1&socket_connect_timeout=30&ssl_cert_reqs=none", "socket_connect_timeout"),
        ("retry_on_timeout=yes&retry_on_error=1", "retry_on_error, retry_on_timeout"),
        ("protocol=3", "protocol"),
        ("decode_responses=", "decode_responses"),
        ("max_connections=1", "max_connections"),
        (f"password={SECRET}", "password"),
        ("timout=3", "timout"),
    ],
)
def test_an_option_that_would_undo_ours_is_refused(query: str, named: str) -> None:
    """Whatever the client takes from the URL wins: nothing there may make it wait longer, send again or answer otherwise."""
    with pytest.raises(ConfigurationError, match=f"STEWARD_LEDGER: .*not for its URL: {named} ") as refused:
        open_store(f"redis://127.0.0.1:6379/0?{query}")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("mark", "?#")
def test_a_password_that_is_no_part_of_a_url_is_not_quoted(mark: str) -> None:
    """With a question mark or a hash in it the rest is read as something else, and must not be shown."""
    with pytest.raises(ConfigurationError, match="percent") as refused:
        open_store(f"redis://user:1{mark}{SECRET}=x@127.0.0.1:6379/0")
    assert SECRET not in str(refused.value)


def test_options_of_the_connection_are_taken(redis_server: RedisServer) -> None:
    """Those of TLS, the connection's name, and the database."""
    place, _, database = (url := redis_server.url()).rpartition("/")
    with at(f"{place}?db={database}&client_name=steward&socket_keepalive=no") as store, at(url) as other:
        version = put(store)
        assert other.load(KEY) == Stored(version, b"value")
    open_store("rediss://127.0.0.1:6379/0?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=no")

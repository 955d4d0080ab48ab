"""Stores that cannot be used: a clear error without secrets, nothing armed, nothing overwritten."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.errors import ConfigurationError, LedgerUnavailable
from handler.ledger.fail_fast import LONG, SECONDS
from handler.ledger.protocol import Ledger, open_ledger
from handler.ledger.redis import RedisLedger
from handler.ledger.serialization import SCHEMA_VERSION
from handler.lib.idle_connection import KEPT_SECONDS
from handler.model.alarm import OutboxEntry
from handler.model.operation import State
from handler.model.outcome import Outcome, Record
from handler.model.policy import Breaker
from steward.simulate.redis_server import MISSING, RedisServer
from tests.operations import an_operation, written
from tests.relay import relayed

CLUSTER = "emr-4zvc5mul"
NOW = 1_000_000.0
SECRET = "hunter2-and-more"


def _corrupt(path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{path}")
    ledger.history(CLUSTER, NOW, quarantine_within=1)
    ledger.close()  # with its write-ahead log, from which it could be mended
    path.write_bytes(b"SQLite format 3\0" + os.urandom(8192))


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()


def _newer(path: Path) -> None:
    ledger = open_ledger(f"sqlite:///{path}")
    ledger.history(CLUSTER, NOW, quarantine_within=1)
    ledger.close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()


def _older(path: Path) -> None:
    _newer(path)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 3")
    db.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_corrupt, "sqlite ledger"),
        (
            lambda path: path.write_text("just a text, and long enough to be read as a header of something" * 20),
            "sqlite ledger",
        ),
        (_foreign, "another program's"),
        (_newer, "version 99"),
        (_older, "version 3"),
        (lambda path: path.mkdir(), "is a folder"),
    ],
)
def test_a_bad_file_is_said_and_left_alone(tmp_path: Path, spoil: Any, says: str) -> None:
    """Corrupted, foreign, newer, older, a folder: LedgerUnavailable, nothing overwritten."""
    path = tmp_path / "ledger.db"
    spoil(path)
    before = path.read_bytes() if path.is_file() else None
    ledger = open_ledger(f"sqlite:///{path}")
    with pytest.raises(LedgerUnavailable, match=says):
        ledger.arm(an_operation("op-1"), 0)
    assert before is None or path.read_bytes() == before


def test_a_missing_folder_and_a_full_disk_are_said(tmp_path: Path) -> None:
    """Each in words, and nothing is armed."""
    with pytest.raises(LedgerUnavailable, match="no folder"):
        open_ledger(f"sqlite:///{tmp_path}/missing/ledger.db").check()
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    pages = ledger.history(CLUSTER, NOW, quarantine_within=1).version  # opens it
    connection = ledger._file.connection  # type: ignore[attr-defined]
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0] + pages}")
    full = an_operation("op-1", targets=tuple(f"a/b/{number}" for number in range(5000)))
    with pytest.raises(LedgerUnavailable, match="full"):
        ledger.arm(full, pages)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.rename(path.with_suffix(".old"))])
def test_a_file_that_was_taken_away_is_nobodys_ledger(tmp_path: Path, spoil: Any) -> None:
    """Whoever has it open would arm what others, in the file that is there now, arm too."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    first = open_ledger(url)
    seen = first.history(CLUSTER, NOW, quarantine_within=1).version
    spoil(tmp_path / "ledger.db")
    for log in tmp_path.glob("ledger.db-*"):
        log.unlink()
    second = open_ledger(url)
    assert second.arm(an_operation("op-1"), seen)
    assert not first.arm(an_operation("op-2"), seen)
    assert first.get("op-1") == an_operation("op-1")
    first.close()
    second.close()


@pytest.mark.parametrize(("seconds", "is_armed"), [(0.2, True), (60.0, False)])
def test_who_writes_waits_for_the_lock_for_a_while(
    tmp_path: Path, mocker: MockerFixture, seconds: float, is_armed: bool
) -> None:
    """One that lets go in time is waited for; one that does not makes the ledger one that cannot be used, and nothing is armed."""
    mocker.patch("handler.ledger.sqlite_file.BUSY_SECONDS", 10.0 if is_armed else 0.1)
    path = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}")
    assert ledger.history(CLUSTER, NOW, quarantine_within=1).version == 0
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(seconds, other.execute, ["COMMIT"])
    release.start()
    try:
        if is_armed:
            assert ledger.arm(an_operation("op-1"), 0)
        else:
            with pytest.raises(LedgerUnavailable, match="locked"):
                ledger.arm(an_operation("op-1"), 0)
        # A reader waits for nobody who writes.
        assert ledger.history(CLUSTER, NOW, quarantine_within=1).version == int(is_armed)
    finally:
        release.cancel()
        release.join()
        other.close()
        ledger.close()


def test_somebody_elses_empty_file_and_a_read_only_one_are_said(tmp_path: Path, mocker: MockerFixture) -> None:
    """Its mode cannot be set, or nothing written: in words, and not a fault of ours."""
    (tmp_path / "empty.db").touch()
    mocker.patch("os.chmod", side_effect=PermissionError(1, "Operation not permitted"))
    with pytest.raises(LedgerUnavailable, match="not permitted"):
        open_ledger(f"sqlite:///{tmp_path}/empty.db").check()
    mocker.stopall()
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    seen = ledger.history(CLUSTER, NOW, quarantine_within=1).version
    ledger._file.connection.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined] # root may write to any file
    with pytest.raises(LedgerUnavailable, match="readonly"):
        ledger.arm(an_operation("op-1"), seen)
    assert ledger.get("op-1") is None


@pytest.mark.parametrize("url", ["", "sqlite://x", "sqlite:///", "mysql://x", "redis:/x", "redis://", "redis://h:port"])
def test_an_unknown_url_is_refused(url: str) -> None:
    """Naming the variable and the forms."""
    with pytest.raises(ConfigurationError, match="STEWARD_LEDGER"):
        open_ledger(url)


def test_a_ledger_for_one_host_says_so(tmp_path: Path, mocker: MockerFixture) -> None:
    """In the temporary folder it is one warm instance's; in a folder whose name only begins like it, it is not."""
    assert any("one host" in warning for warning in open_ledger("sqlite:///:memory:").check())
    beside = tmp_path / "tmp-data"
    beside.mkdir()
    mocker.patch("handler.ledger.sqlite.temporary_folder", return_value=str(tmp_path / "tmp"))
    assert open_ledger(f"sqlite:///{beside}/ledger.db").check() == []
    mocker.patch("handler.ledger.sqlite.temporary_folder", return_value=str(beside))
    assert any("one host" in warning for warning in open_ledger(f"sqlite:///{beside}/ledger.db").check())


@contextmanager
def answering(answer: bytes | None) -> Iterator[int]:
    """A server that is no Redis: it says ``answer`` to whatever comes, or nothing at all; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

        def talk(connection: socket.socket) -> None:
            with connection:
                try:
                    while connection.recv(65536):
                        if answer is not None:
                            connection.sendall(answer)
                except OSError:
                    return

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
        (b"-OOM command not allowed when used memory > 'maxmemory'.\r\n", "(?i)memory"),
        (b"-NOAUTH Authentication required.\r\n", "(?i)auth"),
        (b"-MISCONF Redis is configured to save RDB snapshots\r\n", "MISCONF"),
        (None, "(?i)time"),
    ],
    ids=["http", "garbage", "cut", "number", "loading", "readonly", "oom", "noauth", "misconf", "hangs"],
)
def test_a_redis_that_is_none_is_said(answer: bytes | None, says: str) -> None:
    """Whatever it answers: LedgerUnavailable, and neither armed nor read."""
    with answering(answer) as port:
        ledger = open_ledger(f"redis://127.0.0.1:{port}/0")
        with pytest.raises(LedgerUnavailable, match=says):
            ledger.history(CLUSTER, NOW, quarantine_within=1)
        with pytest.raises(LedgerUnavailable, match="redis ledger"):
            ledger.enter(CLUSTER, {"a": "b"}, NOW, Breaker(1, 10, 10))
        ledger.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_fork_while_another_thread_connects_waits_for_nobody() -> None:
    """The child has not the thread that would let go of the ledger; it asks for itself, and is answered."""
    with answering(None) as port:
        ledger = open_ledger(f"redis://127.0.0.1:{port}/0")
        connecting = threading.Thread(target=_ask, args=(ledger,))
        connecting.start()
        while not ledger._lock.locked():  # type: ignore[attr-defined]
            time.sleep(0.001)
        child = os.fork()
        if not child:  # nothing of the test's may run here
            try:
                signal.alarm(20)
                os._exit(0 if _ask(ledger) else 3)
            except BaseException:
                os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        connecting.join()
        ledger.close()


def _ask(ledger: Ledger) -> bool:
    """Whether the ledger says that it cannot be used."""
    try:
        ledger.quarantined(NOW)
    except LedgerUnavailable:
        return True
    return False


def test_nobody_listening_and_a_wrong_password_are_said_without_it(redis_server: RedisServer) -> None:
    """The place is named, the password never is."""
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    with pytest.raises(LedgerUnavailable, match=f"127.0.0.1:{port}") as closed:
        open_ledger(f"redis://:{SECRET}@127.0.0.1:{port}/0").arm(an_operation("op-1"), 0)
    with pytest.raises(LedgerUnavailable, match="redis ledger") as refused:
        open_ledger(f"redis://:{SECRET}@127.0.0.1:{redis_server.port}/0").arm(an_operation("op-1"), 0)
    assert SECRET not in f"{closed.value}{refused.value}"


def test_a_full_redis_takes_nothing(redis_server: RedisServer) -> None:
    """noeviction: what does not fit is refused before anything of it is written."""
    ledger = open_ledger(redis_server.url())
    seen = ledger.history(CLUSTER, NOW, quarantine_within=1).version
    with redis_server.configured(maxmemory="1mb"), pytest.raises(LedgerUnavailable, match=r"(?i)memory"):
        ledger.arm(an_operation("op-1"), seen)
    assert ledger.get("op-1") is None
    assert ledger.arm(an_operation("op-1"), seen)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ({"appendonly": "no"}, "append-only"),
        ({"appendfsync": "no"}, "appendfsync"),
        ({"maxmemory_policy": "allkeys-lru"}, "evict"),
    ],
)
def test_a_redis_that_would_forget_is_warned_of(redis_server: RedisServer, setting: dict[str, str], says: str) -> None:
    """At start-up: what would make a restart happen twice."""
    ledger = open_ledger(redis_server.url())
    assert ledger.check() == []
    with redis_server.configured(**setting):
        (warning,) = ledger.check()
    assert says in warning


@pytest.mark.parametrize("version", ["3", None])
def test_a_redis_ledger_of_another_version_is_said_and_left_alone(
    redis_server: RedisServer, version: str | None
) -> None:
    """What it says was sent would be overlooked: refused, as an SQLite file is, until another database is named."""
    import redis

    url = redis_server.url()
    ledger = open_ledger(url)
    assert ledger.arm(an_operation("op-1"), 0)
    client = redis.Redis.from_url(url)
    client.set("{steward}:schema", version) if version else client.delete("{steward}:schema")
    assert ledger.get("op-1") == an_operation("op-1")  # it is asked once, when it is opened
    with pytest.raises(LedgerUnavailable, match=f"has version {version or 'none'}, this program reads"):
        open_ledger(url).arm(an_operation("op-2", targets=("a/b/c",)), 1)
    assert client.hlen("{steward}:bodies") == 1
    client.close()
    ledger.close()


@pytest.mark.parametrize("half", ["bodies", "pasts"])
def test_half_an_operation_is_no_operation(redis_server: RedisServer, half: str) -> None:
    """Somebody deleted from the store: what may be open is not passed over in silence."""
    import redis

    url = redis_server.url()  # of a database of its own
    ledger = open_ledger(url)
    operation = an_operation("op-1")
    assert ledger.arm(operation, ledger.history(operation.cluster, 0, quarantine_within=1).version)
    redis.Redis.from_url(url).hdel("{steward}:" + half, "op-1")
    with pytest.raises(LedgerUnavailable, match="cannot be read"):
        ledger.open_operations()
    ledger.close()


def test_a_file_that_another_makes_meanwhile_is_no_strangers(tmp_path: Path, mocker: MockerFixture) -> None:
    """Two processes begin with a new file at once: what the one reads while the other makes it is not another program's."""
    first, other = (open_ledger(f"sqlite:///{tmp_path}/ledger.db") for _ in range(2))
    read: list[str] = []

    class Slow(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            read.append(sql)
            if len(read) == 2:  # between its first look at the file and its second
                other.quarantined(NOW)
            return super().execute(sql, *arguments)

    mocker.patch("sqlite3.connect", partial(sqlite3.connect, factory=Slow))
    assert first.quarantined(NOW) == []
    first.close()
    other.close()


@pytest.mark.parametrize(("refusals", "is_made"), [(3, True), (10_000, False)])
def test_who_makes_a_file_beside_another_waits_for_it(
    tmp_path: Path, mocker: MockerFixture, refusals: int, is_made: bool
) -> None:
    """SQLite does not, of two that go over to the write-ahead log at once: it refuses one of them on the spot."""
    mocker.patch("handler.ledger.sqlite_file.BUSY_SECONDS", 0.1)
    left = [refusals]

    class Refused(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if "journal_mode = WAL" in sql and left[0]:
                left[0] -= 1
                raise sqlite3.OperationalError("database is locked")
            return super().execute(sql, *arguments)

    mocker.patch("sqlite3.connect", partial(sqlite3.connect, factory=Refused))
    ledger = open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    if is_made:
        assert ledger.quarantined(NOW) == []
    else:
        with pytest.raises(LedgerUnavailable, match="locked"):
            ledger.quarantined(NOW)
    ledger.close()


def test_what_ends_while_it_is_listed_is_not_open(redis_server: RedisServer, mocker: MockerFixture) -> None:
    """Redis gives the names first, and then what they are: who follows up must not move on what another has just settled."""
    ledger = RedisLedger(redis_server.url())
    operation = an_operation("op-1")
    assert ledger.arm(operation, 0)
    read = ledger._operations

    def late(*names: Any) -> Any:
        assert ledger.settle(operation.moved(State.NOT_SENT, NOW + 1), State.SENDING)
        return read(*names)

    mocker.patch.object(ledger, "_operations", late)
    assert ledger.open_operations() == []
    ledger.close()


def _spoil(url: str, *names: str) -> None:
    if url.startswith("redis"):
        import redis

        with redis.Redis.from_url(url) as client:
            for name in names:
                client.hset("{steward}:bodies", name, "{half")
        return
    with sqlite3.connect(url.removeprefix("sqlite:///")) as db:
        db.executemany("UPDATE operations SET body = '{half' WHERE id = ?", [(name,) for name in names])
    db.close()


def _spoil_records(url: str) -> None:
    """The line of every record that is there."""
    if url.startswith("redis"):
        import redis

        with redis.Redis.from_url(url) as client:
            for number in client.hkeys("{steward}:lines"):
                client.hset("{steward}:lines", number, "[1]")
        return
    with sqlite3.connect(url.removeprefix("sqlite:///")) as db:
        db.execute("UPDATE records SET body = '[1]'")
    db.close()


def test_a_record_that_cannot_be_read_hides_no_other(url: str) -> None:
    """Its number is told to whoever asks; whoever does not is told that the ledger is damaged."""
    ledger = open_ledger(url)
    records = [Record(NOW + n, f"event-{n}", "timer", "t", CLUSTER, Outcome.done("fine")) for n in range(3)]
    written(ledger, records[:1])
    _spoil_records(url)
    written(ledger, records[1:])
    unreadable: list[str] = []
    assert ledger.records(unreadable=unreadable) == records[:0:-1]
    assert ledger.records(event="event-0", unreadable=unreadable) == []
    assert unreadable == ["1", "1"]
    with pytest.raises(LedgerUnavailable, match="a record that cannot be read"):
        ledger.records()
    ledger.close()


def test_a_state_that_is_none_is_no_past(tmp_path: Path) -> None:
    """Nothing is decided upon it: the ledger cannot be used for that cluster, which is no fault of the function's."""
    path = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}")
    assert ledger.arm(an_operation("op-1"), 0)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE operations SET state = 'WHAT'")
    db.close()
    with pytest.raises(LedgerUnavailable, match="cannot be read"):
        ledger.history(CLUSTER, NOW, quarantine_within=1)
    ledger.close()


def test_what_cannot_be_read_does_not_stand_in_the_way(url: str) -> None:
    """The others are listed, and forgotten when their time has come, it with them; its name is told to whoever asks."""
    ledger = open_ledger(url)
    for number in range(3):
        operation = an_operation(f"op-{number}", now=NOW + number, targets=(f"a/b/{number}",))
        assert ledger.arm(operation, number)
    _spoil(url, "op-1")
    for listed in (ledger.open_operations, ledger.operations):
        unreadable: list[str] = []
        assert {one.id for one in listed(unreadable=unreadable)} == {"op-0", "op-2"}
        assert unreadable == ["op-1"]
    _spoil(url, "op-0")  # settled, when it still could be
    for one in ("op-0", "op-2"):
        number = int(one[-1])
        settled = an_operation(one, now=NOW + number, targets=(f"a/b/{number}",)).moved(State.VERIFIED, NOW + number)
        assert ledger.settle(settled, State.SENDING)
    assert ledger.expire(NOW + 1000, 10) == 2
    assert ledger.operations(unreadable=unreadable) == []
    assert unreadable == ["op-1", "op-1"]
    assert set(ledger.history(CLUSTER, NOW + 1000, quarantine_within=1).targets) == {"a/b/1"}
    ledger.close()


def test_an_operation_that_a_person_took_out_is_as_if_it_had_not_been(url: str) -> None:
    """As the alarm about one that cannot be read proposes: its processes and its incident are free, and nothing stumbles over its traces."""
    ledger = open_ledger(url)
    assert ledger.arm(an_operation("op-1"), 0)
    if url.startswith("redis"):
        import redis

        with redis.Redis.from_url(url) as client:
            for half in ("bodies", "pasts"):
                client.hdel("{steward}:" + half, "op-1")
    else:
        with sqlite3.connect(url.removeprefix("sqlite:///")) as db:
            db.execute("DELETE FROM operations WHERE id = 'op-1'")
        db.close()
    history = ledger.history(CLUSTER, NOW, quarantine_within=1)
    assert dict(history.targets) == {}
    assert ledger.open_operations() == []
    assert ledger.arm(an_operation("op-2"), history.version)
    ledger.close()


def test_a_redis_that_was_restarted_is_used_again(redis_server: RedisServer) -> None:
    """kill -9 of Redis: what was armed is still there, and the same ledger object goes on."""
    ledger = open_ledger(redis_server.url())
    seen = ledger.history(CLUSTER, NOW, quarantine_within=1).version
    assert ledger.arm(an_operation("op-1"), seen)
    redis_server.kill()
    with pytest.raises(LedgerUnavailable):
        ledger.arm(an_operation("op-2", targets=("a/b/c",)), seen + 1)
    redis_server.start()
    assert ledger.get("op-1") == an_operation("op-1")
    assert ledger.arm(an_operation("op-2", targets=("a/b/c",)), seen + 1)


def test_after_a_fail_over_the_new_master_is_asked(tmp_path: Path) -> None:
    """An old master becomes a replica and keeps its connections: a warm ledger is refused once, and connects anew."""
    import redis

    if MISSING:
        pytest.skip(MISSING)
    folders = tmp_path / "old", tmp_path / "new"
    for folder in folders:
        folder.mkdir()
    old, new = (RedisServer(folder) for folder in folders)
    old.start()
    new.start()
    database = old.url().rpartition("/")[2]
    try:
        with relayed(old.port) as relay:
            ledger = open_ledger(f"redis://127.0.0.1:{relay.port}/{database}")
            assert ledger.claim("before", NOW, 1)
            with redis.Redis(port=old.port) as client:
                client.replicaof("127.0.0.1", new.port)
            relay.target = new.port
            with pytest.raises(LedgerUnavailable, match=r"(?i)read.?only"):
                ledger.arm(an_operation("op-1"), 0)
            assert ledger.get("op-1") is None  # what was refused is not asked again by itself
            assert ledger.arm(an_operation("op-1"), 0)
            with redis.Redis(port=new.port, db=int(database), decode_responses=True) as client:
                assert client.hkeys("{steward}:bodies") == ["op-1"]
                assert client.exists("{steward}:schema")
            ledger.close()
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
    url = redis_server.url()
    with relayed(redis_server.port) as relay:
        ledger = open_ledger(url.replace(str(redis_server.port), str(relay.port)))
        ledger.quarantined(NOW)
        assert ledger.claim("warm", NOW, 1)
        assert len(relay.received) == 1
        asked = relay.received[0]
        now = getattr(time, clock)

        def later() -> float:
            return float(now()) + KEPT_SECONDS + 1

        mocker.patch(f"time.{clock}", later)
        relay.forget(silently=silently)
        assert ledger.arm(an_operation("op-1"), 0)
        assert ledger.arm(an_operation("op-2", targets=("a/b/c",)), 1)
        assert len(relay.received) == 2
        assert relay.received[0] == asked
        ledger.close()


@contextmanager
def nobody_can_write(url: str) -> Iterator[Callable[[], Any]]:
    """Whoever wants to, waits; until what is given here is called, from whatever thread."""
    if url.startswith("redis"):
        import redis

        with redis.Redis.from_url(url) as client:
            client.client_pause(100_000, all=False)
            try:
                yield client.client_unpause
            finally:
                client.client_unpause()
        return
    with closing(
        sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    ) as other:
        other.execute("BEGIN IMMEDIATE")
        yield partial(other.execute, "COMMIT")


def test_what_one_waited_for_in_vain_the_next_need_not(url: str, mocker: MockerFixture) -> None:
    """They are told the same at once; when the store is well again, it is used again."""
    mocker.patch("handler.ledger.sqlite_file.BUSY_SECONDS", 2 * LONG)
    ledger = open_ledger(url)
    assert ledger.claim("before", NOW, 1)
    with nobody_can_write(url) as let_go:
        with pytest.raises(LedgerUnavailable) as first:
            ledger.claim("meanwhile", NOW, 1)
        began = time.monotonic()
        for _ in range(5):
            with pytest.raises(LedgerUnavailable) as second:
                ledger.claim("meanwhile", NOW, 1)
            assert str(second.value) == str(first.value)
        assert time.monotonic() - began < 5 * LONG
        let_go()
        began = time.monotonic()
        while not _claims(ledger):
            assert time.monotonic() - began < 10 * SECONDS
            time.sleep(0.05)
    ledger.close()


def _claims(ledger: Ledger) -> bool:
    try:
        return ledger.claim("after", NOW, 1)
    except LedgerUnavailable:
        return False


def test_what_was_sent_is_written_down_though_others_waited_in_vain(url: str, mocker: MockerFixture) -> None:
    """Settling waits for itself: a store that hung for a moment leaves nothing in doubt that could be written down."""
    mocker.patch("handler.ledger.sqlite_file.BUSY_SECONDS", 1.5)
    mocker.patch("handler.ledger.redis.TIMEOUT", 1.5)
    ledger = open_ledger(url)
    operation = an_operation("op-1")
    assert ledger.arm(operation, 0)
    with nobody_can_write(url) as let_go:
        with pytest.raises(LedgerUnavailable):
            ledger.claim("meanwhile", NOW, 1)
        release = threading.Timer(0.1, let_go)
        release.start()
        assert ledger.settle(operation.moved(State.ACCEPTED, NOW), State.SENDING)
        release.join()
        assert ledger.claim("after", NOW, 1)  # by which it is known to be well
    ledger.close()


def test_a_connection_that_comes_too_late_is_let_go(mocker: MockerFixture) -> None:
    """Nobody waits for the look-up of a name any longer, and nobody uses what comes of it."""
    mocker.patch("handler.ledger.redis_connection.CONNECT_SECONDS", 0.1)
    look_up, given_up = socket.getaddrinfo, threading.Event()

    def late(*args: Any, **kwargs: Any) -> Any:
        given_up.wait(20)
        return look_up(*args, **kwargs)

    mocker.patch("socket.getaddrinfo", late)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ledger = open_ledger(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
        with pytest.raises(LedgerUnavailable, match="Timeout connecting"):
            ledger.claim("x", NOW, 1)
        given_up.set()
        listener.settimeout(20)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(20)
            assert connection.recv(100) == b""
        ledger.close()


def test_without_a_thread_to_connect_in_the_ledger_cannot_be_used(mocker: MockerFixture) -> None:
    """A machine that gives no more of them is no fault of the function's."""
    mocker.patch("handler.lib.in_flight.begin", side_effect=RuntimeError("can't start new thread"))
    with pytest.raises(LedgerUnavailable, match="no thread"):
        open_ledger("redis://127.0.0.1:9/0").claim("x", NOW, 1)


@pytest.mark.parametrize(
    "ask",
    [
        lambda ledger: ledger.arm(an_operation("op-2", targets=("a/b/c",)), 0),
        lambda ledger: ledger.enter(CLUSTER, {"a": "b"}, NOW, Breaker(1, 10, 10)),
        lambda ledger: ledger.history(CLUSTER, NOW, quarantine_within=1),
        lambda ledger: ledger.end(CLUSTER, ["origin"], NOW),
        lambda ledger: ledger.claim("x", NOW, 1),
        lambda ledger: ledger.take("bucket", NOW, rate=1, burst=1, most_wait=1),
        lambda ledger: ledger.keep_unsent([OutboxEntry("a", NOW, "text")], NOW, 9),
        lambda ledger: ledger.quarantine(CLUSTER, "a/b/c", NOW, NOW + 9),
        lambda ledger: written(ledger, [Record(NOW, "event", "timer", "t", CLUSTER, Outcome.done("fine"))]),
    ],
    ids=["arm", "enter", "history", "end", "claim", "take", "keep_unsent", "quarantine", "record"],
)
def test_a_redis_that_was_emptied_is_begun_anew(redis_server: RedisServer, ask: Callable[[Ledger], Any]) -> None:
    """Nothing is written without the mark by which those who come later know the ledger: warm ones and new ones go on side by side."""
    import redis

    url = redis_server.url()
    warm = open_ledger(url)
    assert warm.arm(an_operation("op-1"), 0)
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        with pytest.raises(LedgerUnavailable, match="was it emptied"):
            ask(warm)
        assert client.keys() == []
        new = open_ledger(url)
        ask(warm)
        ask(new)
        assert new.arm(an_operation("op-3"), new.history(CLUSTER, NOW, quarantine_within=1).version)
        assert warm.open_operations() == new.open_operations() != []
        assert client.get("{steward}:schema") == str(SCHEMA_VERSION).encode()
    warm.close()
    new.close()


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
        open_ledger(f"redis://127.0.0.1:6379/0?{query}")
    assert SECRET not in str(refused.value)


def test_a_password_that_is_no_part_of_a_url_is_not_said() -> None:
    """With a question mark or a hash in it the rest is read as something else, and must not be quoted."""
    for mark in "?#":
        with pytest.raises(ConfigurationError, match="percent") as refused:
            open_ledger(f"redis://user:1{mark}{SECRET}=x@127.0.0.1:6379/0")
        assert SECRET not in str(refused.value)


def test_options_of_the_way_there_are_the_persons(redis_server: RedisServer) -> None:
    """Of TLS, of what the connection is called, and the database."""
    url = redis_server.url()
    place, _, database = url.rpartition("/")
    ledger = open_ledger(f"{place}?db={database}&client_name=steward&socket_keepalive=no")
    assert ledger.arm(an_operation("op-1"), 0)
    other = open_ledger(url)
    assert other.get("op-1") == an_operation("op-1")
    other.close()
    ledger.close()
    open_ledger("rediss://127.0.0.1:6379/0?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=no")

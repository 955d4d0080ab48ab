"""The store in one SQLite file, right for one host.

Write-ahead log. A swap is on the disk when it returns (``synchronous=FULL``); lines of history are written with NORMAL.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakSet

from handler.errors import LedgerUnavailable, ReplyLost
from handler.ledger.fail_fast import Outage
from handler.ledger.stored import FORMAT, Line, Stored, new_version
from handler.lib.temporary_folder import temporary_folder

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

APPLICATION_ID: Final = 0x454D5253  # "EMRS": identifies our files
#: Seconds to wait for who has the lock; and for those who come while the file is known to be held: so little that even
#: a hundred clusters, one after the other, are through before it has to be found out again.
BUSY_SECONDS: Final = 2.0
MIN_SECONDS: Final = 0.002
#: Lines that :meth:`SqliteStore.forget` removes in one transaction, pages that it gives back in one, and transactions of
#: each kind in one call: a transaction takes some milliseconds, a call a second or two.
LINES_PER_STEP: Final = 500
PAGES_PER_STEP: Final = 250
STEPS: Final = 50
#: Seconds between two steps, longer than anybody who waits for the lock sleeps before trying again.
PAUSE: Final = 0.005
#: Bytes that the write-ahead log keeps when it is empty.
LOG_BYTES: Final = 8_000_000
#: Memory for pages: a thousand lines of one cluster among many lie on as many pages.
CACHE_KILOBYTES: Final = 8000

_SCHEMA: Final = """
CREATE TABLE records (key TEXT PRIMARY KEY, version INTEGER NOT NULL, has_open INTEGER NOT NULL, value BLOB NOT NULL);
CREATE INDEX records_open ON records (key) WHERE has_open;
CREATE TABLE lines (number INTEGER PRIMARY KEY, at REAL NOT NULL, cluster TEXT NOT NULL, id TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX lines_by_time ON lines (at);
CREATE INDEX lines_by_cluster ON lines (cluster, at);
CREATE INDEX lines_by_id ON lines (id, at)
"""


class SqliteStore:
    """The store in ``path``: a file, or ``:memory:``."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = SqliteFile(path)

    def load(self, key: str, known: int = 0) -> Stored:
        found = self._file.read(
            partial(_stored, known),
            "SELECT version, CASE WHEN version = ? THEN NULL ELSE value END FROM records WHERE key = ?",
            known,
            key,
        )
        return found[0] if found else Stored(0, None)

    def swap(self, key: str, version: int, value: bytes, *, has_open: bool, patient: bool = False) -> int:
        new = new_version()
        with self._file.writing(durable=True, patient=patient) as db:
            if version:
                update = "UPDATE records SET version = ?, has_open = ?, value = ? WHERE key = ? AND version = ?"
                count = db.execute(update, (new, has_open, value, key, version)).rowcount
            else:
                insert = "INSERT OR IGNORE INTO records (version, has_open, value, key) VALUES (?, ?, ?, ?)"
                count = db.execute(insert, (new, has_open, value, key)).rowcount
        return new if count else 0

    def open_keys(self) -> list[str]:
        return self._file.read(_text, "SELECT key FROM records WHERE has_open ORDER BY key")

    def append(self, lines: Sequence[Line]) -> None:
        if lines:
            with self._file.writing(durable=False) as db:
                db.executemany("INSERT INTO lines (at, cluster, id, text) VALUES (?, ?, ?, ?)", lines)

    def lines(
        self, *, cluster: str | None = None, id: str | None = None, since: float = 0.0, limit: int = 1000
    ) -> list[Line]:
        return self._file.read(_line, *lines_query(cluster, id, since, limit))

    def forget(self, before: float) -> int:
        total = 0
        for _ in range(STEPS):
            with self._file.writing(durable=False) as db:
                count = db.execute(
                    "DELETE FROM lines WHERE number IN (SELECT number FROM lines WHERE at < ? ORDER BY at LIMIT ?)",
                    (before, LINES_PER_STEP),
                ).rowcount
            total += count
            if count < LINES_PER_STEP:
                break
            time.sleep(PAUSE)
        for _ in range(STEPS):
            with self._file.writing(durable=False) as db:
                # A few free pages are kept: they are filled again soon.
                if db.execute("PRAGMA freelist_count").fetchone()[0] <= PAGES_PER_STEP:
                    break
                for _ in range(
                    PAGES_PER_STEP
                ):  # one at a time: Python's module runs only the first step of this PRAGMA
                    db.execute("PRAGMA incremental_vacuum(1)")
            time.sleep(PAUSE)
        return total

    def check(self) -> list[str]:
        (mode,) = self._file.read(_text, "PRAGMA journal_mode")
        warnings = []
        if self._path != ":memory:" and mode != "wal":
            warnings.append(f"{self._path} is not in write-ahead mode but in {mode}: slower, and safe")
        if self._path == ":memory:" or os.path.abspath(self._path).startswith(os.path.join(temporary_folder(), "")):
            warnings.append(
                f"the ledger is {self._path}: it serves one host, on the function platform one warm instance only; "
                "limit the function to one instance"
            )
        return warnings

    def close(self) -> None:
        self._file.close()


def lines_query(cluster: str | None, id: str | None, since: float, limit: int) -> tuple[str, Any, Any, Any, Any]:
    """The statement for :meth:`SqliteStore.lines`, and its parameters."""
    # A plus keeps SQLite from the index of a condition: that of the id is the better one, and each is good where alone.
    by_id = "? IS NULL" if id is None else "id = ?"
    by_cluster = "? IS NULL" if cluster is None else "cluster = ?" if id is None else "+cluster = ?"
    where = f"{by_id} AND {by_cluster} AND at >= ?"
    statement = f"SELECT at, cluster, id, text FROM lines WHERE {where} ORDER BY at DESC, number DESC LIMIT ?"  # noqa: S608 - constants
    return statement, id, cluster, since, limit


# A corrupt file may hold rows of any type.
def _stored(known: int, version: Any, value: Any) -> Stored:
    if type(version) is not int or version < 1 or not isinstance(value, type(None) if version == known else bytes):
        raise TypeError("it holds a record that cannot be read")
    return Stored(version, value)


def _line(at: Any, cluster: Any, id: Any, text: Any) -> Line:
    if type(at) is not float or not (type(cluster) is type(id) is type(text) is str):
        raise TypeError("it holds a line that cannot be read")
    return Line(at, cluster, id, text)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("it holds a text that cannot be read")
    return value


class SqliteFile:
    """A file at ``path``, or ``:memory:``, safe to use from several threads.

    It is opened when first used, and again after a fork. Every error is raised as LedgerUnavailable.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_memory = path == ":memory:"
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        #: Which file the connection is to; None in memory.
        self._opened: tuple[int, int] | None = None
        #: What ``synchronous`` is set to; None where it is not known.
        self._is_durable: bool | None = None
        #: Until when (monotonic) whoever has our lock waits for the file's.
        self._until = 0.0
        self._is_committing = False
        self._outage, self._patient_outage = Outage(), Outage()
        _files.add(self)

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        self.close()

    def before_fork(self) -> None:
        """Wait for what is under way, and let go of the file.

        SQLite notes in memory which locks the process has. A fork copies the notes and not the locks: both connections
        would be wrong about what the other may do, and closing the one would take the other's locks.
        """
        self._lock.acquire()
        if not self._is_memory:
            self.close()

    def after_fork(self, *, is_child: bool) -> None:
        if is_child and self._is_memory:  # the child has a store of its own, and an empty one
            self._connection = None
        self._lock.release()

    def read(self, convert: Callable[..., T], statement: str, *parameters: Any) -> list[T]:
        """The rows of one statement, converted."""
        with self._guarded(self._outage) as db:
            return [convert(*row) for row in self._patiently(db, statement, parameters)]

    @contextmanager
    def writing(self, *, durable: bool, patient: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction under the write lock; on the disk when it is left, if it is ``durable``.

        ``patient``: it waits for the lock although others waited in vain; unless they were patient too. Raises ReplyLost
        where it may have been committed.
        """
        with self._guarded(self._patient_outage if patient else self._outage) as db:
            if durable is not self._is_durable:  # it cannot be changed within a transaction
                db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._is_durable = durable
            self._patiently(db, "BEGIN IMMEDIATE")
            try:
                yield db
                self._is_committing = True
                db.execute("COMMIT")
                if not self._is_memory and _identity(self._path) != self._opened:
                    raise OSError("it was deleted or replaced while it was written")
                self._outage.over()
                self._patient_outage.over()
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")

    def _patiently(self, db: sqlite3.Connection, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run what takes a lock, while others have it, as long as there is patience.

        SQLite's own patience sleeps longer and longer, up to a tenth of a second, whoever lets go meanwhile: with eight
        workers a third of their time was slept away.
        """
        import sqlite3

        while True:
            try:
                return db.execute(statement, parameters)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > self._until:
                    raise
                import random

                time.sleep(random.uniform(0.0002, 0.001))  # noqa: S311 - so that those who wait do not ask in step

    @contextmanager
    def _guarded(self, outage: Outage) -> Iterator[sqlite3.Connection]:
        import sqlite3

        with self._lock:
            # Looked at here: threads wait for our lock one after the other, and what the first waited for is not to be
            # waited for by each.
            patience = MIN_SECONDS if outage.why else BUSY_SECONDS
            began = time.monotonic()
            self._until, self._is_committing = began + patience, False
            try:
                yield self._open(partial(sqlite3.connect, timeout=patience))
            except LedgerUnavailable:
                raise
            except Exception as error:  # a corrupt file makes SQLite, and what reads its rows, raise anything
                self.close()
                why = f"sqlite ledger {self._path}: {error}"
                outage.failed(began, why)
                raise (ReplyLost if self._is_committing else LedgerUnavailable)(why) from None

    def _open(self, connect: Callable[..., sqlite3.Connection]) -> sqlite3.Connection:
        known = self._connection
        if known is not None:
            if self._is_memory or (self._opened is not None and _identity(self._path) == self._opened):
                return known
            self.close()  # it was deleted or replaced: whoever opens it now does not see what is written there
        if not self._is_memory:
            folder = os.path.dirname(os.path.abspath(self._path))
            if not os.path.isdir(folder):
                raise LedgerUnavailable(f"sqlite ledger {self._path}: there is no folder {folder}")
            if os.path.isdir(self._path):
                raise LedgerUnavailable(f"sqlite ledger {self._path}: is a folder; name a file")
        db = connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
            db.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
            db.execute(f"PRAGMA wal_autocheckpoint = {PAGES_PER_STEP}")  # more would keep whoever writes for longer
            db.execute(f"PRAGMA cache_size = -{CACHE_KILOBYTES}")
            db.execute("PRAGMA busy_timeout = 0")  # from here on the patience is ours
        except BaseException:
            db.close()
            raise
        self._connection, self._is_durable = db, None
        self._opened = None if self._is_memory else _identity(self._path)
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        # In this order: another may make the file between the two, its tables and its id in one transaction.
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (application,) = db.execute("PRAGMA application_id").fetchone()
        if application != APPLICATION_ID:
            if tables or application:
                raise LedgerUnavailable(f"sqlite ledger {self._path}: is another program's database; name another file")
            self._create(db)
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise LedgerUnavailable(
                f"sqlite ledger {self._path}: has format {version}, this program reads format {FORMAT}; name another file"
            )

    def _create(self, db: sqlite3.Connection) -> None:
        if not self._is_memory:
            os.chmod(self._path, 0o600)
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # it cannot be changed once anything is written
            # Of two that do so at once SQLite refuses one on the spot, whatever its time-out.
            self._patiently(db, "PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have made it while we waited for the lock.
            if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {FORMAT}")
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


_files: WeakSet[SqliteFile] = WeakSet()
#: Those that wait for the fork that is under way; one fork has its turn after the other.
_forking: list[SqliteFile] = []
_turn = threading.Lock()


def _before_fork() -> None:
    _turn.acquire()
    for file in list(_files):
        file.before_fork()
        _forking.append(file)


def _after_fork(*, is_child: bool) -> None:
    while _forking:
        _forking.pop().after_fork(is_child=is_child)
    _turn.release()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=partial(_after_fork, is_child=False),
    after_in_child=partial(_after_fork, is_child=True),
)


def _identity(path: str) -> tuple[int, int] | None:
    """The identity of a file, whatever its name; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""The file of the embedded ledger: opening it, waiting for it, and guarding it.

It is guarded from other programs and other processes.

Write-ahead log; what fences a cluster is written with ``synchronous=FULL``, what only counts or informs with NORMAL.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

from handler.errors import LedgerUnavailable
from handler.ledger.fail_fast import Outage
from handler.ledger.serialization import SCHEMA_VERSION
from handler.model.operation import OPEN

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

APPLICATION_ID: Final = 0x454D5253  # "EMRS": identifies our files
#: Seconds to wait for who has the lock; and for those who come while the file is known to be held: so little that even
#: a hundred clusters, one after the other, are through before it has to be found out again.
BUSY_SECONDS: Final = 2.0
MIN_SECONDS: Final = 0.002

#: The states of open operations, as a condition must spell them for the index of these to be used.
OPEN_STATES: Final = ", ".join(f"'{state.value}'" for state in sorted(OPEN))
_SCHEMA: Final = f"""
CREATE TABLE clusters (cluster TEXT PRIMARY KEY, version INTEGER NOT NULL DEFAULT 0, opened_at REAL) WITHOUT ROWID;
CREATE TABLE operations (
    id TEXT PRIMARY KEY, cluster TEXT NOT NULL, op_type TEXT NOT NULL, state TEXT NOT NULL, owner TEXT NOT NULL,
    armed_at REAL NOT NULL, settled_at REAL NOT NULL, code TEXT NOT NULL, request_id TEXT NOT NULL, observed TEXT NOT NULL,
    attempts INTEGER NOT NULL, reason TEXT NOT NULL, body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX operations_by_cluster ON operations (cluster, armed_at);
CREATE INDEX operations_open ON operations (cluster, armed_at) WHERE state IN ({OPEN_STATES});
CREATE TABLE incidents (
    cluster TEXT, incident TEXT, operation TEXT NOT NULL, digest TEXT NOT NULL, parts_since REAL NOT NULL, PRIMARY KEY (cluster, incident)
) WITHOUT ROWID;
CREATE TABLE targets (cluster TEXT, target TEXT, operation TEXT NOT NULL, touched_by TEXT NOT NULL, PRIMARY KEY (cluster, target)) WITHOUT ROWID;
CREATE TABLE ended (cluster TEXT, origin TEXT, at REAL NOT NULL, PRIMARY KEY (cluster, origin)) WITHOUT ROWID;
CREATE TABLE intents (cluster TEXT, incident TEXT, at REAL NOT NULL, PRIMARY KEY (cluster, incident)) WITHOUT ROWID;
CREATE INDEX intents_by_time ON intents (cluster, at);
CREATE TABLE restarts (cluster TEXT, target TEXT, at REAL, PRIMARY KEY (cluster, target, at)) WITHOUT ROWID;
CREATE TABLE quarantine (cluster TEXT, target TEXT, until REAL NOT NULL, released_at REAL NOT NULL DEFAULT 0, PRIMARY KEY (cluster, target)) WITHOUT ROWID;
CREATE TABLE claims (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE buckets (key TEXT PRIMARY KEY, tokens REAL NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE records (number INTEGER PRIMARY KEY, at REAL NOT NULL, cluster TEXT NOT NULL, event TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX records_by_time ON records (at);
CREATE INDEX records_by_event ON records (event);
CREATE TABLE unsent (id TEXT PRIMARY KEY, at REAL NOT NULL, until REAL NOT NULL, text TEXT NOT NULL) WITHOUT ROWID;
"""
#: Finds nothing, and has what is read after it be of one moment.
_SNAPSHOT: Final = "SELECT version FROM clusters WHERE cluster = ''"


class SqliteFile:
    """A file at ``path``, or ``:memory:``, safe to use from several threads.

    It is opened when first used, and again after a fork.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.RLock()
        self.connection: sqlite3.Connection | None = None
        #: Which file the connection is to; None in memory.
        self._opened: tuple[int, int] | None = None
        #: What ``synchronous`` is set to; None where it is not known.
        self._is_durable: bool | None = None
        #: Until when (monotonic) whoever has our lock waits for the file's.
        self._until = 0.0
        self._outage, self._of_settling = Outage(), Outage()
        _files.add(self)

    def close(self) -> None:
        with self._lock:
            if self.connection is not None:
                self.connection.close()
            self.connection = None

    def __del__(self) -> None:
        self.close()

    def before_fork(self) -> None:
        """Wait for what is under way, and let go of the file.

        SQLite notes in memory which locks the process has. A fork copies the notes and not the locks: both connections
        would be wrong about what the other may do, and closing the one would take the other's locks.
        """
        self._lock.acquire()
        if self._opened is not None:
            self.close()

    def after_fork(self, *, is_child: bool) -> None:
        if is_child and self._opened is None:  # in memory: the child has a ledger of its own, and an empty one
            self.connection = None
        self._lock.release()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A snapshot."""
        with self._guarded(self._outage) as db:
            db.execute("BEGIN")
            self._patiently(db, _SNAPSHOT)
            try:
                yield db
            finally:
                if db.in_transaction:
                    db.execute("COMMIT")

    @contextmanager
    def writing(self, *, durable: bool = True, is_settling: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction under the write lock; on the disk when it is left, if it is durable.

        ``is_settling``: it writes down what was sent, and waits though others waited in vain; unless they were settling
        too.
        """
        outage = self._of_settling if is_settling else self._outage
        with self._guarded(outage) as db:
            if durable is not self._is_durable:  # it cannot be changed within a transaction
                db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._is_durable = durable
            self._patiently(db, "BEGIN IMMEDIATE")
            try:
                yield db
                db.execute("COMMIT")
                self._outage.over()
                self._of_settling.over()
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    def _patiently(self, db: sqlite3.Connection, statement: str) -> None:
        """Run what takes a lock, while others have it, as long as there is patience.

        SQLite's own patience sleeps longer and longer, up to a tenth of a second, whoever lets go meanwhile: with eight
        workers a third of their time was slept away.
        """
        import sqlite3

        while True:
            try:
                db.execute(statement)
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > self._until:
                    raise
                import random

                time.sleep(random.uniform(0.0002, 0.001))  # noqa: S311 - so that those who wait do not ask in step
            else:
                return

    @contextmanager
    def _guarded(self, outage: Outage) -> Iterator[sqlite3.Connection]:
        import sqlite3

        with self._lock:
            # Looked at here: threads wait for our lock one after the other, and what the first waited for is not to be
            # waited for by each.
            patience = MIN_SECONDS if outage.why else BUSY_SECONDS
            began = time.monotonic()
            self._until = began + patience
            try:
                yield self._open(partial(sqlite3.connect, timeout=patience))
            except LedgerUnavailable:
                raise
            except Exception as error:  # a corrupt file may hold rows of any type
                self.close()
                why = f"sqlite ledger {self._path}: {error}"
                outage.failed(began, why)
                raise LedgerUnavailable(why) from None

    def _open(self, connect: Callable[..., sqlite3.Connection]) -> sqlite3.Connection:
        known = self.connection
        is_memory = self._path == ":memory:"
        if known is not None:
            if is_memory or (self._opened is not None and _identity(self._path) == self._opened):
                return known
            self.close()  # it was deleted or replaced: whoever opens it now does not see what is written there
        if not is_memory:
            folder = os.path.dirname(os.path.abspath(self._path))
            if not os.path.isdir(folder):
                raise LedgerUnavailable(f"sqlite ledger {self._path}: there is no folder {folder}")
            if os.path.isdir(self._path):
                raise LedgerUnavailable(f"sqlite ledger {self._path}: is a folder; name a file")
        db = connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
            db.execute("PRAGMA busy_timeout = 0")  # from here on the patience is ours
        except BaseException:
            db.close()
            raise
        self.connection, self._is_durable = db, None
        self._opened = None if is_memory else _identity(self._path)
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
        if version != SCHEMA_VERSION:
            raise LedgerUnavailable(
                f"sqlite ledger {self._path}: has version {version}, this program reads {SCHEMA_VERSION}; name another file"
            )

    def _create(self, db: sqlite3.Connection) -> None:
        if self._path != ":memory:":
            os.chmod(self._path, 0o600)
            # Of two that do so at once SQLite refuses one on the spot, whatever its time-out.
            self._patiently(db, "PRAGMA journal_mode = WAL")
        db.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have made it while we waited for the lock.
            if not db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
                for statement in _SCHEMA.split(";"):
                    if statement.strip():
                        db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise


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

"""The embedded ledger: one SQLite file, right for one host.

Every change is one transaction that begins by taking the write lock, so that reading and comparing within it is
comparing and setting. How the file is opened, waited for and kept is ``handler/ledger/sqlite_file.py``'s.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from handler.errors import LedgerUnavailable
from handler.ledger.serialization import (
    CHANGING,
    CLOCK_SKEW_TOLERANCE,
    all_readable,
    changing,
    operation_from,
    operation_to_text,
    record_from,
)
from handler.ledger.sqlite_file import OPEN_STATES, SqliteFile
from handler.lib.temporary_folder import temporary_folder
from handler.model.alarm import OutboxEntry
from handler.model.history import Entry, History, Past
from handler.model.operation import OPEN, UNTOUCHED, Operation, State
from handler.model.request import OpType

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from handler.model.outcome import Record
    from handler.model.policy import Breaker

_UNTOUCHED: Final = ", ".join(f"'{state.value}'" for state in sorted(UNTOUCHED))
_PAST: Final = "o.id, o.op_type, o.state, o.armed_at, o.settled_at, o.code, o.request_id"
_OPERATION: Final = ", ".join(("body", *CHANGING))
_SETTLE: Final = f"UPDATE operations SET {' = ?, '.join(CHANGING)} = ? WHERE id = ? AND owner = ? AND state = ?"  # noqa: S608 - constants


class SqliteLedger:
    """The ledger in ``path``: a file, or ``:memory:``.

    It is opened when first used, and again in a forked process.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = SqliteFile(path)

    # -- incidents

    def enter(
        self, cluster: str, incidents: Mapping[str, str], now: float, breaker: Breaker, *, is_counted: bool = False
    ) -> Entry:
        with self._file.reading() as db:
            known = self._known(db, cluster, incidents)
            ended = self._ended(db, cluster, incidents)
            asking = [
                key
                for key in incidents
                if key not in ended and (key not in known or known[key].leaves_its_incident_open)
            ]
            if is_counted or not asking:
                count = self._count(db, cluster, now, breaker.window)
                opened_at = self._opened_at(db, cluster)
                return Entry(known, ended, count, opened_at)
        with self._file.writing(durable=False) as db:
            db.execute("DELETE FROM intents WHERE cluster = ? AND at <= ?", (cluster, now - breaker.window))
            db.execute("DELETE FROM intents WHERE cluster = ? AND at > ?", (cluster, now + CLOCK_SKEW_TOLERANCE))
            db.executemany("INSERT OR IGNORE INTO intents VALUES (?, ?, ?)", [(cluster, key, now) for key in asking])
            count = self._count(db, cluster, now, breaker.window)
            opened_at = before = self._opened_at(db, cluster)
            if before is None and count > breaker.intents:
                opened_at = now
            elif before is not None and abs(now - before) >= breaker.close_after and count <= breaker.quiet_intents:
                opened_at = None
            if opened_at != before:
                db.execute(
                    "INSERT INTO clusters (cluster, opened_at) VALUES (?, ?) ON CONFLICT DO UPDATE SET opened_at = excluded.opened_at",
                    (cluster, opened_at),
                )
            return Entry(known, ended, count, opened_at)

    def _known(self, db: sqlite3.Connection, cluster: str, incidents: Iterable[str]) -> dict[str, Past]:
        known: dict[str, Past] = {}
        for some in _portions(list(incidents)):
            rows = db.execute(
                f"SELECT i.incident, i.digest, i.parts_since, {_PAST} FROM incidents i JOIN operations o ON o.id = i.operation "  # noqa: S608 - constants
                f"WHERE i.cluster = ? AND i.incident IN ({_marks(some)})",
                (cluster, *some),
            )
            for incident, digest, parts_since, *past in rows:
                known[incident] = _past(past, digest, parts_since)
        return known

    def _ended(self, db: sqlite3.Connection, cluster: str, incidents: Mapping[str, str]) -> frozenset[str]:
        over: set[str] = set()
        for some in _portions(list(dict.fromkeys(incidents.values()))):
            rows = db.execute(
                f"SELECT origin FROM ended WHERE cluster = ? AND origin IN ({_marks(some)})",  # noqa: S608 - marks only
                (cluster, *some),
            )
            over |= {origin for (origin,) in rows}
        return frozenset(key for key, origin in incidents.items() if origin in over)

    def _count(self, db: sqlite3.Connection, cluster: str, now: float, window: float) -> int:
        row = db.execute(
            "SELECT COUNT(*) FROM intents WHERE cluster = ? AND at > ? AND at <= ?",
            (cluster, now - window, now + CLOCK_SKEW_TOLERANCE),
        ).fetchone()
        return int(row[0])

    def _opened_at(self, db: sqlite3.Connection, cluster: str) -> float | None:
        row = db.execute("SELECT opened_at FROM clusters WHERE cluster = ?", (cluster,)).fetchone()
        return row[0] if row else None

    def end(self, cluster: str, origins: Iterable[str], now: float) -> None:
        with self._file.writing(durable=False) as db:
            db.executemany(
                "INSERT INTO ended VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET at = excluded.at",
                [(cluster, origin, now) for origin in origins],
            )

    # -- history, arm, settle

    def history(self, cluster: str, now: float, *, quarantine_within: float) -> History:
        with self._file.reading() as db:
            version = self._version(db, cluster)
            (recent,) = db.execute(
                "SELECT COUNT(*) FROM operations WHERE cluster = ? AND armed_at > ? AND state NOT IN "  # noqa: S608 - constants
                f"({_UNTOUCHED})",
                (cluster, now - 3600),
            ).fetchone()
            # One operation may have many targets: its past is read once, and shared by them.
            newest = db.execute(
                "SELECT target, operation, touched_by FROM targets WHERE cluster = ?", (cluster,)
            ).fetchall()
            pasts: dict[str, Past] = {}
            for some in _portions(list({name for row in newest for name in row[1:]})):
                rows = db.execute(f"SELECT {_PAST} FROM operations o WHERE o.id IN ({_marks(some)})", some)  # noqa: S608 - marks and constants
                pasts.update((row[0], _past(row)) for row in rows)
            targets = {
                target: pasts[touched_by]
                if pasts[operation].state in UNTOUCHED and touched_by in pasts
                else pasts[operation]
                for target, operation, touched_by in newest
                if operation in pasts  # else a person took it out
            }
            restarts = dict(
                db.execute(
                    "SELECT r.target, COUNT(*) FROM restarts r LEFT JOIN quarantine q ON q.cluster = r.cluster AND q.target = r.target "
                    "WHERE r.cluster = ? AND r.at > ? AND r.at > COALESCE(q.released_at, 0) "
                    "AND r.at > CASE WHEN q.until <= ? THEN q.until ELSE 0 END GROUP BY r.target",
                    (cluster, now - quarantine_within, now),
                )
            )
            quarantined = dict(
                db.execute("SELECT target, until FROM quarantine WHERE cluster = ? AND until > ?", (cluster, now))
            )
        return History(version, recent, targets, restarts, quarantined)

    def _version(self, db: sqlite3.Connection, cluster: str) -> int:
        row = db.execute("SELECT version FROM clusters WHERE cluster = ?", (cluster,)).fetchone()
        return row[0] if row else 0

    def _changed(self, db: sqlite3.Connection, cluster: str) -> None:
        db.execute(
            "INSERT INTO clusters (cluster, version) VALUES (?, 1) ON CONFLICT DO UPDATE SET version = version + 1",
            (cluster,),
        )

    def arm(self, operation: Operation, version: int) -> bool:
        cluster = operation.cluster
        with self._file.writing() as db:
            if self._version(db, cluster) != version:
                return False
            known = self._known(db, cluster, operation.incidents)
            if not all(past.leaves_its_incident_open for past in known.values()):
                return False
            newest = self._newest(db, cluster, operation.before)
            states = self._states(db, {name for name, _ in newest.values()})
            if not OPEN.isdisjoint(states.values()):
                return False
            db.execute(
                f"INSERT INTO operations (id, cluster, op_type, armed_at, {_OPERATION}) VALUES (?, ?, ?, ?, ?, {_marks(CHANGING)})",  # noqa: S608
                (
                    operation.id,
                    cluster,
                    operation.op_type.value,
                    operation.armed_at,
                    operation_to_text(operation),
                    *changing(operation),
                ),
            )
            db.executemany(
                "INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?, ?)",
                [
                    (cluster, key, operation.id, digest, operation.parts.get(key, 0.0))
                    for key, digest in operation.incidents.items()
                ],
            )
            # What last touched a process is kept beside an operation that may turn out to have touched nothing.
            touched = {
                target: before if states.get(name, State.NOT_SENT) in UNTOUCHED else name
                for target, (name, before) in newest.items()
            }
            db.executemany(
                "INSERT OR REPLACE INTO targets VALUES (?, ?, ?, ?)",
                [(cluster, key, operation.id, touched.get(key, "")) for key in operation.before],
            )
            self._changed(db, cluster)
        return True

    def _newest(self, db: sqlite3.Connection, cluster: str, targets: Iterable[str]) -> dict[str, tuple[str, str]]:
        """Of each target that has a past: its newest operation, and what had touched it before that."""
        return {
            target: (operation, touched_by)
            for some in _portions(list(targets))
            for target, operation, touched_by in db.execute(
                f"SELECT target, operation, touched_by FROM targets WHERE cluster = ? AND target IN ({_marks(some)})",  # noqa: S608 - marks only
                (cluster, *some),
            )
        }

    def _states(self, db: sqlite3.Connection, operations: Iterable[str]) -> dict[str, State]:
        return {
            name: State(state)
            for some in _portions(list(operations))
            for name, state in db.execute(f"SELECT id, state FROM operations WHERE id IN ({_marks(some)})", some)  # noqa: S608 - marks only
        }

    def settle(self, operation: Operation, expected: State) -> bool:
        with self._file.writing(is_settling=True) as db:
            if not db.execute(_SETTLE, (*changing(operation), operation.id, operation.owner, expected.value)).rowcount:
                return False
            if operation.state is not expected:
                if operation.is_remediation_restart:
                    db.executemany(
                        "INSERT OR IGNORE INTO restarts VALUES (?, ?, ?)",
                        [(operation.cluster, key, operation.settled_at) for key in operation.before],
                    )
                self._changed(db, operation.cluster)
        return True

    def _get(self, db: sqlite3.Connection, operation: str) -> Operation | None:
        row = db.execute(f"SELECT {_OPERATION} FROM operations WHERE id = ?", (operation,)).fetchone()  # noqa: S608 - constants
        return _operation(row) if row else None

    def get(self, operation: str) -> Operation | None:
        with self._file.reading() as db:
            return self._get(db, operation)

    def open_operations(self, unreadable: list[str] | None = None) -> list[Operation]:
        with self._file.reading() as db:
            rows = db.execute(
                f"SELECT id, {_OPERATION} FROM operations WHERE state IN ({OPEN_STATES}) ORDER BY armed_at, id"  # noqa: S608 - constants
            )
            return all_readable(((row[0], partial(_operation, row[1:])) for row in rows), unreadable)

    # -- quarantine

    def quarantine(self, cluster: str, target: str, now: float, until: float) -> float:
        with self._file.writing() as db:
            row = db.execute(
                "SELECT until FROM quarantine WHERE cluster = ? AND target = ?", (cluster, target)
            ).fetchone()
            if row and row[0] > now:
                return float(row[0])
            db.execute(
                "INSERT INTO quarantine (cluster, target, until) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until",
                (cluster, target, until),
            )
            return until

    def release(self, target: str, now: float, cluster: str | None = None) -> list[str]:
        with self._file.writing() as db:
            rows = db.execute(
                "SELECT cluster FROM quarantine WHERE target = ? AND until > ? AND (? IS NULL OR cluster = ?) ORDER BY cluster",
                (target, now, cluster, cluster),
            ).fetchall()
            for (name,) in rows:
                db.execute(
                    "UPDATE quarantine SET until = ?, released_at = ? WHERE cluster = ? AND target = ?",
                    (now, now, name, target),
                )
                self._changed(db, name)
            return [name for (name,) in rows]

    def quarantined(self, now: float) -> list[tuple[str, str, float]]:
        with self._file.reading() as db:
            rows = db.execute(
                "SELECT cluster, target, until FROM quarantine WHERE until > ? ORDER BY cluster, target", (now,)
            )
            return [(cluster, target, until) for cluster, target, until in rows]

    # -- claims, alarms and buckets

    def claim(self, key: str, now: float, seconds: float) -> bool:
        with self._file.writing(durable=False) as db:
            row = db.execute("SELECT at FROM claims WHERE key = ?", (key,)).fetchone()
            if row and abs(now - row[0]) < seconds:
                return False
            db.execute("INSERT OR REPLACE INTO claims VALUES (?, ?)", (key, now))
            return True

    def keep_unsent(self, unsent: Sequence[OutboxEntry], until: float, limit: int) -> None:
        with self._file.writing() as db:
            db.executemany(
                "INSERT OR REPLACE INTO unsent (id, at, text, until) VALUES (?, ?, ?, ?)",
                [(*one, until) for one in unsent],
            )
            db.execute(
                "DELETE FROM unsent WHERE id IN (SELECT id FROM unsent ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?)",
                (limit,),
            )

    def take_unsent(self, now: float, until: float, *, since: float, limit: int) -> list[OutboxEntry]:
        with self._file.writing(durable=False) as db:
            db.execute("DELETE FROM unsent WHERE at < ?", (since,))
            taken = db.execute(
                "SELECT id, at, text FROM unsent WHERE until <= ? OR until > ? ORDER BY until, at, id LIMIT ?",
                (now, until + CLOCK_SKEW_TOLERANCE, limit),
            ).fetchall()
            db.executemany("UPDATE unsent SET until = ? WHERE id = ?", [(until, row[0]) for row in taken])
            return [OutboxEntry(*row) for row in sorted(taken, key=lambda row: (row[1], row[0]))]

    def forget_unsent(self, ids: Iterable[str]) -> None:
        with self._file.writing(durable=False) as db:
            db.executemany("DELETE FROM unsent WHERE id = ?", [(one,) for one in ids])

    def take(self, bucket: str, now: float, *, rate: float, burst: float, most_wait: float) -> float | None:
        with self._file.writing(durable=False) as db:
            row = db.execute("SELECT tokens, at FROM buckets WHERE key = ?", (bucket,)).fetchone()
            tokens, at = row or (burst, now)
            if at > now + CLOCK_SKEW_TOLERANCE:
                at = now
                db.execute("UPDATE buckets SET at = ? WHERE key = ?", (at, bucket))
            # A clock that is behind another's fills nothing, and takes nothing away.
            tokens = min(burst, tokens + max(0.0, now - at) * rate)
            wait = max(0.0, (1 - tokens) / rate)
            if wait > most_wait:
                return None
            db.execute("INSERT OR REPLACE INTO buckets VALUES (?, ?, ?)", (bucket, tokens - 1, max(now, at)))
            return wait

    # -- records

    def record(self, records: Sequence[Record], lines: Sequence[str]) -> None:
        if not records:
            return
        with self._file.writing(durable=False) as db:
            db.executemany(
                "INSERT INTO records (at, cluster, event, body) VALUES (?, ?, ?, ?)",
                [(one.at, one.cluster, one.event, line) for one, line in zip(records, lines, strict=True)],
            )

    def records(
        self,
        *,
        cluster: str | None = None,
        since: float = 0.0,
        event: str | None = None,
        limit: int = 1000,
        unreadable: list[str] | None = None,
    ) -> list[Record]:
        with self._file.reading() as db:
            # By its own condition each, since SQLite takes no index for one that may not be meant.
            asked = [(name, value) for name, value in (("event", event), ("cluster", cluster)) if value is not None]
            rows = db.execute(
                f"SELECT number, at, body FROM records WHERE at >= ?{''.join(f' AND {name} = ?' for name, _ in asked)} "  # noqa: S608 - names of columns
                "ORDER BY number DESC LIMIT ?",
                (since, *(value for _, value in asked), limit),
            )
            return all_readable(
                ((str(number), partial(record_from, at, body)) for number, at, body in rows), unreadable
            )

    def operations(
        self,
        *,
        cluster: str | None = None,
        since: float = 0.0,
        limit: int = 1000,
        unreadable: list[str] | None = None,
    ) -> list[Operation]:
        with self._file.reading() as db:
            rows = db.execute(
                f"SELECT id, {_OPERATION} FROM operations WHERE armed_at >= ? AND (? IS NULL OR cluster = ?) "  # noqa: S608 - constants
                "ORDER BY armed_at DESC, id LIMIT ?",
                (since, cluster, cluster, limit),
            )
            return all_readable(((row[0], partial(_operation, row[1:])) for row in rows), unreadable)

    def expire(self, now: float, keep: float) -> int:
        before = now - keep
        with self._file.writing(durable=False) as db:
            count = db.execute(
                f"DELETE FROM operations WHERE settled_at < ? AND state NOT IN ({OPEN_STATES})",  # noqa: S608 - constants
                (before,),
            ).rowcount
            if count:
                db.execute("DELETE FROM incidents WHERE operation NOT IN (SELECT id FROM operations)")
                db.execute("DELETE FROM targets WHERE operation NOT IN (SELECT id FROM operations)")
            count += db.execute("DELETE FROM records WHERE at < ?", (before,)).rowcount
            db.execute("DELETE FROM intents WHERE at < ?", (before,))
            db.execute("DELETE FROM restarts WHERE at < ?", (before,))
            db.execute("DELETE FROM ended WHERE at < ?", (before,))
            db.execute("DELETE FROM claims WHERE at < ?", (before,))
            db.execute("DELETE FROM quarantine WHERE until < ? AND released_at < ?", (before, before))
            return count

    # -- the file

    def check(self) -> list[str]:
        with self._file.reading() as db:
            (mode,) = db.execute("PRAGMA journal_mode").fetchone()
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


def _past(row: Sequence[Any], digest: str = "", parts_since: float = 0.0) -> Past:
    operation, op_type, state, at, settled_at, code, request_id = row
    try:
        return Past(operation, OpType(op_type), State(state), at, settled_at, digest, code, request_id, parts_since)
    except ValueError:
        raise LedgerUnavailable("the sqlite ledger holds an operation that cannot be read") from None


def _operation(row: Sequence[Any]) -> Operation:
    try:
        return operation_from(row[0], row[1:])
    except (KeyError, TypeError, ValueError):
        raise LedgerUnavailable("the sqlite ledger holds an operation that cannot be read") from None


def _portions(items: list[str], size: int = 500) -> Iterator[list[str]]:
    """SQLite takes a bounded number of parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _marks(items: Sequence[str]) -> str:
    return ",".join("?" * len(items))

"""The shared ledger: one Redis for many instances of the function.

Each step that must not be parted is one script (``handler/ledger/redis_scripts.py``). The client's own retries are off: a
reply that is lost looks like a request that is lost, and what that means for an operation is decided above, not by a
client library. Redis must keep what was written: with an append-only file, and without evicting keys;
:meth:`RedisLedger.check` says where it does not.
"""

from __future__ import annotations

import json
import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakSet

from handler.errors import ConfigurationError, LedgerUnavailable
from handler.ledger import redis_scripts
from handler.ledger.fail_fast import Outage
from handler.ledger.serialization import (
    CHANGING,
    CLOCK_SKEW_TOLERANCE,
    SCHEMA_VERSION,
    all_readable,
    changing,
    operation_from,
    operation_to_text,
    record_from,
)
from handler.model.alarm import OutboxEntry
from handler.model.history import Entry, History, Past
from handler.model.operation import Operation, State
from handler.model.request import OpType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from handler.model.outcome import Record
    from handler.model.policy import Breaker

T = TypeVar("T")

#: Seconds to connect, and to wait for a reply. A store that is slower than this is no store to act upon.
TIMEOUT: Final = 0.5
#: How many records are read, and operations forgotten, at a time.
PAGE: Final = 500
_KEY: Final = "{steward}:"
#: Options that a person may set in the URL's query, besides all about TLS. They override what is set here, so
#: that anything else could make the client wait for longer, send again, or answer in another form; and a password there
#: would not be known for one.
_OPTIONS: Final = frozenset({"client_name", "db", "health_check_interval", "socket_keepalive", "username"})


class RedisLedger:
    """The ledger at ``url`` (``redis://`` or ``rediss://``).

    It is connected when first used, and again in a forked process.
    """

    def __init__(self, url: str) -> None:
        from urllib.parse import parse_qs, urlsplit

        try:
            parts = urlsplit(url)
            self._where = f"{parts.hostname or ''}:{parts.port or 6379}"
            self._secret = parts.password or ""
        except ValueError:
            raise ConfigurationError("has a port that is none", where="STEWARD_LEDGER") from None
        if not parts.hostname:
            raise ConfigurationError("names no host", where="STEWARD_LEDGER", hint="redis://HOST:PORT/0")
        if "@" in parts.query + parts.fragment:  # and the message below would show half a password
            raise ConfigurationError(
                "has an @ after a ? or a #",
                where="STEWARD_LEDGER",
                hint="in a password, percent-encode them: %40, %3F, %23",
            )
        options = parse_qs(parts.query, keep_blank_values=True)
        if refused := sorted(name for name in options if name not in _OPTIONS and not name.startswith("ssl_")):
            raise ConfigurationError(
                f"has options that are not for its URL: {', '.join(refused)}",
                where="STEWARD_LEDGER",
                hint=f"only ssl_… and {', '.join(sorted(_OPTIONS))} are; the password stands before the host",
            )
        self._url = url
        self._scripts: dict[str, Any] = {}
        self._outage, self._of_settling = Outage(), Outage()
        self.after_fork()
        _ledgers.add(self)

    def after_fork(self) -> None:
        """A forked process connects anew, and waits for no thread that it does not have."""
        self._lock = threading.Lock()
        self._client: Any = None

    # -- incidents

    def enter(
        self, cluster: str, incidents: Mapping[str, str], now: float, breaker: Breaker, *, is_counted: bool = False
    ) -> Entry:
        pairs = [text for pair in incidents.items() for text in pair]
        count, opened_at, known, ended = self._row(
            redis_scripts.ENTER,
            4,
            cluster,
            now,
            breaker.intents,
            breaker.close_after,
            now - breaker.window,
            now + CLOCK_SKEW_TOLERANCE,
            int(is_counted),
            *pairs,
        )
        pasts = {known[at]: _past(known[at + 3], known[at + 1], float(known[at + 2])) for at in range(0, len(known), 4)}
        return Entry(pasts, frozenset(ended), count, float(opened_at) if opened_at else None)

    def end(self, cluster: str, origins: Iterable[str], now: float) -> None:
        if over := list(origins):
            self._run(redis_scripts.END, cluster, now, *over)

    # -- history, arm, settle

    def history(self, cluster: str, now: float, *, quarantine_within: float) -> History:
        version, recent, newest, pasts, restarts, held, released = self._row(
            redis_scripts.HISTORY, 7, cluster, now - 3600, now - quarantine_within
        )
        by_operation = {past.operation: past for past in map(_past, pasts)}
        until = {target: float(at) for target, at in _pairs(held)}
        ended_at = {target: at for target, at in until.items() if at <= now}
        for target, at in _pairs(released):
            ended_at[target] = max(float(at), ended_at.get(target, 0.0))
        counts: dict[str, int] = {}
        for member, at in _pairs(restarts):
            target = member.partition("|")[2]
            if float(at) > ended_at.get(target, 0.0):
                counts[target] = counts.get(target, 0) + 1
        return History(
            version,
            recent,
            {target: by_operation[name] for target, name in _pairs(newest) if name in by_operation},
            counts,
            {target: at for target, at in until.items() if at > now},
        )

    def arm(self, operation: Operation, version: int) -> bool:
        incidents = [
            text
            for key, digest in operation.incidents.items()
            for text in (key, f"{operation.parts.get(key, 0.0)!r}|{digest}")
        ]
        return bool(
            self._run(
                redis_scripts.ARM,
                operation.cluster,
                version,
                operation.id,
                operation_to_text(operation),
                _past_text(operation),
                operation.armed_at,
                len(operation.incidents),
                *incidents,
                *operation.before,
            )
        )

    def settle(self, operation: Operation, expected: State) -> bool:
        is_counted = operation.state is not expected and operation.is_remediation_restart
        return bool(
            self._run(
                redis_scripts.SETTLE,
                operation.id,
                _past_begin(expected, operation.owner),
                _past_text(operation),
                operation.settled_at,
                operation.cluster,
                int(operation.state is not expected),
                *(operation.before if is_counted else ()),
            )
        )

    def get(self, operation: str) -> Operation | None:
        return next(iter(self._operations([operation])), None)

    def open_operations(self, unreadable: list[str] | None = None) -> list[Operation]:
        listed = self._operations(self._ask(lambda client: client.zrange(_KEY + "open", 0, -1)), unreadable)
        return [one for one in listed if one.is_open]  # another may have settled it since it was listed

    # -- quarantine

    def quarantine(self, cluster: str, target: str, now: float, until: float) -> float:
        return float(self._run(redis_scripts.QUARANTINE, cluster, target, now, until))

    def release(self, target: str, now: float, cluster: str | None = None) -> list[str]:
        return list(self._run(redis_scripts.RELEASE, target, now, cluster or ""))

    def quarantined(self, now: float) -> list[tuple[str, str, float]]:
        def read(client: Any) -> list[tuple[str, str, float]]:
            return [
                (cluster, target, float(until))
                for cluster in client.smembers(_KEY + "clusters")
                for target, until in client.hgetall(f"{_KEY}quarantine:{cluster}").items()
                if float(until) > now
            ]

        return sorted(self._ask(read))

    # -- claims, alarms and buckets

    def claim(self, key: str, now: float, seconds: float) -> bool:
        return bool(self._run(redis_scripts.CLAIM, key, now, seconds))

    def keep_unsent(self, unsent: Sequence[OutboxEntry], until: float, limit: int) -> None:
        self._run(redis_scripts.KEEP_UNSENT, until, limit, *(part for one in unsent for part in one))

    def take_unsent(self, now: float, until: float, *, since: float, limit: int) -> list[OutboxEntry]:
        row = self._run(redis_scripts.TAKE_UNSENT, now, until, since, limit, CLOCK_SKEW_TOLERANCE)
        return [OutboxEntry(id_, float(at), text) for id_, at, text in zip(row[::3], row[1::3], row[2::3], strict=True)]

    def forget_unsent(self, ids: Iterable[str]) -> None:
        self._run(redis_scripts.FORGET_UNSENT, *ids)

    def take(self, bucket: str, now: float, *, rate: float, burst: float, most_wait: float) -> float | None:
        wait = self._run(redis_scripts.TAKE, bucket, now, rate, burst, most_wait, CLOCK_SKEW_TOLERANCE)
        return None if wait is None else float(wait)

    # -- records

    def record(self, records: Sequence[Record], lines: Sequence[str]) -> None:
        rows = [(repr(one.at), one.event, line) for one, line in zip(records, lines, strict=True)]
        for start in range(0, len(rows), PAGE):
            self._run(redis_scripts.RECORD, *(part for row in rows[start : start + PAGE] for part in row))

    def records(
        self,
        *,
        cluster: str | None = None,
        since: float = 0.0,
        event: str | None = None,
        limit: int = 1000,
        unreadable: list[str] | None = None,
    ) -> list[Record]:
        found: list[Record] = []
        for name, at, line in self._all_rows(since) if event is None else self._rows(redis_scripts.RECORDS_OF, event):
            number = str(int(name[:16]))
            found += (
                record
                for record in all_readable([(number, partial(record_from, float(at), line))], unreadable)
                if cluster in (None, record.cluster) and event in (None, record.event) and record.at >= since
            )
            if len(found) >= limit:
                break
        return found

    def _all_rows(self, since: float) -> Iterator[tuple[str, str, str]]:
        """The records' rows, the newest first. A page begins with the time at which the last one ended: others write meanwhile, and rows move."""
        newest, seen = "+inf", frozenset[str]()
        while True:
            rows = self._rows(redis_scripts.RECORDS, newest, since, PAGE + len(seen))
            yield from (row for row in rows if row[0] not in seen)
            if len(rows) < PAGE + len(seen):
                return
            newest = rows[-1][1]
            seen = frozenset(name for name, at, _ in rows if at == newest)

    def _rows(self, script: str, *arguments: Any) -> list[tuple[str, str, str]]:
        """Rows of records: name, when that was, line."""
        flat = self._run(script, *arguments)
        return list(zip(flat[::3], flat[1::3], flat[2::3], strict=True))

    def operations(
        self,
        *,
        cluster: str | None = None,
        since: float = 0.0,
        limit: int = 1000,
        unreadable: list[str] | None = None,
    ) -> list[Operation]:
        key = _KEY + "operations" + (f":{cluster}" if cluster else "")
        names = self._ask(lambda client: client.zrevrangebyscore(key, "+inf", since, 0, limit))
        return self._operations(names, unreadable)

    def _operations(self, names: list[str], unreadable: list[str] | None = None) -> list[Operation]:
        if not names:
            return []
        bodies, pasts = self._ask(
            lambda client: client.pipeline().hmget(_KEY + "bodies", names).hmget(_KEY + "pasts", names).execute()
        )
        # Of one that is in no hash, another forgot what was listed a moment ago.
        rows = [row for row in zip(names, bodies, pasts, strict=True) if row[1] or row[2]]
        return all_readable(
            ((name, partial(_operation, body or "", past or "")) for name, body, past in rows), unreadable
        )

    def expire(self, now: float, keep: float) -> int:
        before = now - keep
        names = self._ask(lambda client: client.zrangebyscore(_KEY + "settled", "-inf", f"({before!r}", 0, PAGE))
        gone = 0
        unreadable: list[str] = []
        for operation in self._operations(names, unreadable):
            gone += self._run(
                redis_scripts.FORGET,
                operation.id,
                operation.cluster,
                len(operation.incidents),
                *operation.incidents,
                *operation.before,
            )
        for name in unreadable:  # what pointed to it points to nothing then, which is as good
            gone += self._run(redis_scripts.FORGET, name, "", 0)
        while True:
            went = int(self._run(redis_scripts.TIDY, before, PAGE))
            gone += went
            if went < PAGE:
                return gone

    # -- the server

    def check(self) -> list[str]:
        import redis

        def setting(client: Any, name: str) -> str | None:
            try:
                return cast("str | None", client.config_get(name).get(name))
            except redis.exceptions.ResponseError:  # managed Redis often keeps CONFIG to itself
                return None

        def look(client: Any) -> list[str]:
            client.ping()
            append, policy = setting(client, "appendonly"), setting(client, "maxmemory-policy")
            sync = setting(client, "appendfsync")
            warnings = []
            if append is None or policy is None:
                warnings.append(
                    f"redis {self._where} does not show its configuration: make sure that it keeps an append-only file "
                    "(appendonly yes) and evicts nothing (maxmemory-policy noeviction)"
                )
            if append == "no":
                warnings.append(
                    f"redis {self._where} keeps no append-only file: after its crash, what was sent would be forgotten "
                    "and could be sent again; set appendonly yes"
                )
            if append == "yes" and sync == "no":
                warnings.append(
                    f"redis {self._where} leaves it to its system when the append-only file reaches the disk (appendfsync no): after a "
                    "crash of its machine, half a minute of what was sent could be sent again; set appendfsync everysec, or always"
                )
            if policy not in (None, "noeviction"):
                warnings.append(
                    f"redis {self._where} may evict what was sent (maxmemory-policy {policy}): set noeviction"
                )
            return warnings

        return cast("list[str]", self._ask(look))

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _run(self, script: str, *arguments: Any) -> Any:
        """One script: the texts as they are, numbers with all their digits."""
        texts = [one if isinstance(one, str) else repr(one) for one in arguments]
        # One key, so that a Redis that is cut into slots knows whom to ask.
        return self._ask(
            lambda client: self._prepared(client, script)(keys=[_KEY], args=texts, client=client),
            is_settling=script is redis_scripts.SETTLE,
        )

    def _row(self, script: str, length: int, *arguments: Any) -> list[Any]:
        """A script that answers so many things."""
        row = self._run(script, *arguments)
        if not isinstance(row, list) or len(row) != length:
            raise LedgerUnavailable(f"redis ledger {self._where}: answers what is no answer")
        return row

    def _prepared(self, client: Any, script: str) -> Any:
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = client.register_script(script)
        return known

    def _ask(self, question: Callable[[Any], Any], *, is_settling: bool = False) -> Any:
        """What Redis answers. ``is_settling``: it is asked though others waited in vain; unless they were settling too."""
        import redis

        outage = self._of_settling if is_settling else self._outage
        if why := outage.why:
            raise LedgerUnavailable(why)
        client, began = None, time.monotonic()
        try:
            client = self._connected(redis, outage)
            answer = question(client)
        except (redis.exceptions.RedisError, OSError, UnicodeError) as error:
            if client is not None and isinstance(error, redis.exceptions.ResponseError):
                self._leave(client)
            text = f"{type(error).__name__}: {error}"
            if self._secret:
                text = text.replace(self._secret, "[redacted]")
            text = text[:300]
        except (ValueError, IndexError, KeyError, AttributeError, TypeError) as error:
            # What is no Redis may answer anything, and the client's reader breaks on it in its own ways.
            text = f"answers what is no answer ({type(error).__name__})"
        else:
            self._outage.over()
            self._of_settling.over()
            return answer
        why = f"redis ledger {self._where}: {text}"
        outage.failed(began, why)
        raise LedgerUnavailable(why)

    def _connected(self, redis: Any, outage: Outage) -> Any:
        with self._lock:
            if self._client is None and (why := outage.why):  # whoever had the lock before waited for all
                raise LedgerUnavailable(why)
            if self._client is None:
                from redis.backoff import NoBackoff
                from redis.retry import Retry

                from handler.ledger.redis_connection import KeptConnection, KeptSSLConnection

                client = redis.Redis.from_url(
                    self._url,
                    connection_class=KeptSSLConnection if self._url.startswith("rediss:") else KeptConnection,
                    decode_responses=True,
                    protocol=2,  # what every Redis, and every proxy before one, speaks
                    socket_timeout=TIMEOUT,
                    socket_connect_timeout=TIMEOUT,
                    retry=Retry(NoBackoff(), 0),
                )
                try:
                    self._check_version(client)
                except BaseException:
                    client.close()
                    raise
                self._client, self._scripts = client, {}  # a registered script holds on to its client
            return self._client

    def _leave(self, client: Any) -> None:
        """Connect anew for the next question: whoever refuses one may not be the server that is to be asked by now.

        After a fail-over the old master is a replica that keeps its connections, and refuses to write for ever. And a
        ledger without its mark is looked at when it is connected to. What others ask at this moment is left to be
        answered.
        """
        with self._lock:
            if self._client is client:
                self._client = None
        client.connection_pool.disconnect(inuse_connections=False)

    def _check_version(self, client: Any) -> None:
        version = client.eval(redis_scripts.OPEN, 1, _KEY, SCHEMA_VERSION)
        if version != str(SCHEMA_VERSION):
            raise LedgerUnavailable(
                f"redis ledger {self._where}: has version {version or 'none'}, this program reads {SCHEMA_VERSION}; "
                "name another database"
            )


_ledgers: WeakSet[RedisLedger] = WeakSet()


def _after_fork() -> None:
    for ledger in list(_ledgers):
        ledger.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _pairs(flat: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(flat[::2], flat[1::2], strict=True)


def _past_text(operation: Operation) -> str:
    """What changes of an operation, and what guards and arming ask of it: a JSON array, its state and its owner first, since the scripts read those."""
    return json.dumps([*changing(operation), operation.id, operation.op_type.value, operation.armed_at])


def _past_begin(state: State, owner: str) -> str:
    """How the past of an operation in this state, of this owner, begins."""
    return json.dumps([state.value, owner])[:-1] + ","


def _past(text: str, digest: str = "", parts_since: float = 0.0) -> Past:
    def read(text: str) -> Past:
        state, _, settled_at, code, request_id, _, _, _, operation, op_type, at = json.loads(text)
        return Past(operation, OpType(op_type), State(state), at, settled_at, digest, code, request_id, parts_since)

    return _readable(read, text)


def _operation(body: str, past: str) -> Operation:
    return _readable(lambda text: operation_from(text, json.loads(past)[: len(CHANGING)]), body)


def _readable(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except (KeyError, TypeError, ValueError):
        raise LedgerUnavailable("the redis ledger holds what cannot be read") from None

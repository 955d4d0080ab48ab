"""The store in one Redis, shared by many instances of the function.

The client's own retries are off: a reply that is lost looks like a request that is lost, and what that means is decided
by the caller, not by a client library. Redis must keep what was written: with an append-only file, and without evicting
keys; :meth:`RedisStore.check` reports where it does not.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from weakref import WeakSet

from handler.errors import ConfigurationError, LedgerUnavailable, ReplyLost
from handler.ledger.fail_fast import Outage
from handler.ledger.stored import FORMAT, Line, Stored, new_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

#: Seconds to connect, and to wait for a reply. A store that is slower than this is no store to act upon.
TIMEOUT: Final = 0.5
#: Lines of history that are read, written or removed at a time; steps of one :meth:`RedisStore.forget`.
PAGE: Final = 1000
STEPS: Final = 50
#: Lines of history that are kept; of more, the oldest are dropped: they take memory, and a search reads all of them.
MAX_LINES: Final = 100_000
#: All keys have one hash tag: a Redis Cluster keeps them together.
_FORMAT: Final = "{steward}:schema"
_OPEN: Final = "{steward}:open"
_LINES: Final = "{steward}:lines"
#: Options that a person may set in the URL's query, besides all about TLS. They override what is set here, so
#: that anything else could make the client wait for longer, send again, or answer in another form; and a password there
#: would not be known for one.
_OPTIONS: Final = frozenset({"client_name", "db", "health_check_interval", "socket_keepalive", "username"})

# They are sent whole (EVAL), being hardly longer than their digests; Redis compiles each once.
#: The record; the known version → [version, the value unless that version is known].
_LOAD: Final = """
local version = redis.call('HGET', KEYS[1], 'version')
if not version or version == ARGV[1] then return {version} end
return {version, redis.call('HGET', KEYS[1], 'value')}
"""
#: The record, the open keys, the format; the expected version, the new one, the value, SADD or SREM, the key, the format
#: → whether it is stored. The format is looked at again, since another program may have taken over the database; it is
#: written again, since the database may have been emptied. All that can fail comes before the record is written.
_SWAP: Final = """
local format = redis.call('GET', KEYS[3])
if format and format ~= ARGV[6] then return redis.error_reply('FORMAT it has format ' .. format .. ' by now') end
if (redis.call('HGET', KEYS[1], 'version') or '0') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[3], ARGV[6])
redis.call(ARGV[4], KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'value', ARGV[3])
return 1
"""


class RedisStore:
    """The store at ``url`` (``redis://`` or ``rediss://``)."""

    def __init__(self, url: str) -> None:
        from urllib.parse import parse_qs, urlsplit

        try:
            parts = urlsplit(url)
            self._where = f"{parts.hostname or ''}:{parts.port or 6379}"
            self._secret = parts.password or ""
        except ValueError:
            raise _unusable("has a port that is none") from None
        if not parts.hostname:
            raise _unusable("names no host", "redis://HOST:PORT/0")
        if "@" in parts.query + parts.fragment:  # and the message below would show half a password
            raise _unusable("has an @ after a ? or a #", "in a password, percent-encode them: %40, %3F, %23")
        options = parse_qs(parts.query, keep_blank_values=True)
        if refused := sorted(name for name in options if name not in _OPTIONS and not name.startswith("ssl_")):
            allowed = f"only ssl_… and {', '.join(sorted(_OPTIONS))} are; the password stands before the host"
            raise _unusable(f"has options that are not for its URL: {', '.join(refused)}", allowed)
        self._url = url
        self._outage, self._patient_outage = Outage(), Outage()
        self.after_fork()
        _stores.add(self)

    def after_fork(self) -> None:
        """A forked process connects anew, and waits for no thread that it does not have."""
        self._lock = threading.Lock()
        self._client: Any = None

    def load(self, key: str, known: int = 0) -> Stored:
        def read(client: Any) -> Stored:
            version, *value = client.eval(_LOAD, 1, _record(key), known)
            if version is None:
                return Stored(0, None)
            if value == [None]:
                raise ValueError("a record without a value")
            return Stored(int(version), *value) if value else Stored(int(version), None)

        return self._ask(read)

    def swap(self, key: str, version: int, value: bytes, *, has_open: bool, patient: bool = False) -> int:
        new, change = new_version(), "SADD" if has_open else "SREM"
        arguments = (_record(key), _OPEN, _FORMAT, version, new, value, change, key, FORMAT)

        def write(client: Any) -> int:
            return {0: 0, 1: new}[client.eval(_SWAP, 3, *arguments)]

        return self._ask(write, is_swap=True, patient=patient)

    def open_keys(self) -> list[str]:
        return self._ask(lambda client: sorted(key.decode() for key in client.smembers(_OPEN)))

    def append(self, lines: Sequence[Line]) -> None:
        now = time.time_ns()
        scores = {_member(now + number, line): line.at for number, line in enumerate(lines)}
        if scores:
            self._ask(
                lambda client: (
                    client.pipeline(transaction=False)
                    .zadd(_LINES, scores)
                    .zremrangebyrank(_LINES, 0, -MAX_LINES - 1)
                    .execute()
                )
            )

    def lines(
        self, *, cluster: str | None = None, id: str | None = None, since: float = 0.0, limit: int = 1000
    ) -> list[Line]:
        if id is not None:
            rows = self._ask(lambda client: _search(client, id))
            return [line for line in rows if cluster in (None, line.cluster) and id == line.id and line.at >= since][
                :limit
            ]
        # A page begins with the time at which the last one ended: others write meanwhile, and ranks move.
        found: list[Line] = []
        newest, size, seen = float("inf"), PAGE if cluster else min(limit, PAGE), frozenset[bytes]()
        while len(found) < limit:
            page = self._newest_lines(newest, since, size + len(seen))
            found += [line for member, line in page if member not in seen and cluster in (None, line.cluster)]
            if len(page) < size + len(seen):
                break
            newest = page[-1][1].at
            seen = frozenset(member for member, line in page if line.at == newest)
        return found[:limit]

    def _newest_lines(self, newest: float, since: float, count: int) -> list[tuple[bytes, Line]]:
        def read(client: Any) -> list[tuple[bytes, Line]]:
            rows = client.zrevrangebyscore(_LINES, newest, since, 0, count, withscores=True)
            return [(member, _line(member, at)) for member, at in rows]

        return self._ask(read)

    def forget(self, before: float) -> int:
        total = 0
        for _ in range(STEPS):
            count = self._ask(lambda client: _forget_some(client, before))
            total += count
            if count < PAGE:
                break
        return total

    def check(self) -> list[str]:
        import redis

        def setting(client: Any, name: str) -> str | None:
            try:
                return cast("str | None", client.config_get(name).get(name))
            except redis.exceptions.ResponseError:  # managed Redis often keeps CONFIG to itself
                return None

        def look(client: Any) -> list[str]:
            append, policy, sync = (setting(client, name) for name in ("appendonly", "maxmemory-policy", "appendfsync"))
            found = {
                "does not show its configuration: make sure that it keeps an append-only file (appendonly yes) and evicts "
                "nothing (maxmemory-policy noeviction)": None in (append, policy),
                "keeps no append-only file: after its crash, what was sent would be forgotten and could be sent again; "
                "set appendonly yes": append == "no",
                "leaves it to its system when the append-only file reaches the disk (appendfsync no): after a crash of its "
                "machine, half a minute of what was sent could be sent again; set appendfsync everysec, or always": (
                    append == "yes" and sync == "no"
                ),
                f"may evict what was sent (maxmemory-policy {policy}): set noeviction": policy
                not in (None, "noeviction"),
            }
            return [f"redis {self._where} {text}" for text, holds in found.items() if holds]

        return self._ask(look)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
            self._client = None

    def _ask(self, question: Callable[[Any], T], *, is_swap: bool = False, patient: bool = False) -> T:
        """What Redis answers. Every error is raised as LedgerUnavailable; of a swap that may have been run, as ReplyLost."""
        from handler.ledger.redis_connection import was_not_run

        outage = self._patient_outage if patient else self._outage
        if why := outage.why:
            raise LedgerUnavailable(why)
        client, began = None, time.monotonic()
        try:
            client = self._connected(outage)
            answer = question(client)
        except LedgerUnavailable:
            raise
        except Exception as error:  # what is no Redis may answer anything, and its readers break in their own ways
            text = f"{type(error).__name__}: {error}"
            is_lost = is_swap and client is not None and not was_not_run(error)
            if client is not None:
                self._leave(client)
        else:
            self._outage.over()
            self._patient_outage.over()
            return answer
        if self._secret:
            text = text.replace(self._secret, "[redacted]")
        why = f"redis ledger {self._where}: {text[:300]}"
        outage.failed(began, why)
        raise (ReplyLost if is_lost else LedgerUnavailable)(why)

    def _connected(self, outage: Outage) -> Any:
        with self._lock:
            if self._client is None and (why := outage.why):  # whoever had the lock before waited for all
                raise LedgerUnavailable(why)
            if self._client is None:
                import redis
                from redis.backoff import NoBackoff
                from redis.retry import Retry

                from handler.ledger.redis_connection import KeptConnection, KeptSSLConnection

                client = redis.Redis.from_url(
                    self._url,
                    connection_class=KeptSSLConnection if self._url.startswith("rediss:") else KeptConnection,
                    protocol=2,  # what every Redis, and every proxy before one, speaks
                    socket_timeout=TIMEOUT,
                    socket_connect_timeout=TIMEOUT,
                    retry=Retry(NoBackoff(), 0),
                )
                try:
                    self._check_format(cast("bytes | None", client.get(_FORMAT)))
                except BaseException:
                    client.close()
                    raise
                self._client = client
            return self._client

    def _check_format(self, found: bytes | None) -> None:
        known = str(FORMAT) if found is None else found.decode(errors="replace")
        if known != str(FORMAT):
            raise LedgerUnavailable(
                f"redis ledger {self._where}: has format {known}, this program reads format {FORMAT}; name another database"
            )

    def _leave(self, client: Any) -> None:
        """Connect anew for the next question: whoever failed at one may not be the server that is to be asked by now.

        After a fail-over the old master is a replica that keeps its connections, and refuses to write for ever. What
        others ask at this moment is left to be answered.
        """
        with self._lock:
            if self._client is client:
                self._client = None
        client.connection_pool.disconnect(inuse_connections=False)


_stores: WeakSet[RedisStore] = WeakSet()


def _after_fork() -> None:
    for store in list(_stores):
        store.after_fork()


os.register_at_fork(after_in_child=_after_fork)


def _unusable(problem: str, hint: str = "") -> ConfigurationError:
    return ConfigurationError(problem, where="STEWARD_LEDGER", hint=hint)


def _record(key: str) -> str:
    return "{steward}:record:" + key


def _member(number: int, line: Line) -> bytes:
    """A line in the sorted set; ``number`` tells it from others of the same text, and sorts it among those of its time."""
    return f"{number:016x}{json.dumps([line.id, line.cluster])}\n{line.text}".encode()


def _line(member: bytes, at: float) -> Line:
    head, _, text = member[16:].decode().partition("\n")
    id, cluster = json.loads(head)
    return Line(at, cluster, id, text)


def _search(client: Any, id: str) -> list[Line]:
    """The lines that may be about ``id``, the newest first: Redis looks through all, so that few are transferred."""
    begin = re.sub(r"([*?\\[\]^\\-])", r"\\\1", f"[{json.dumps(id)}, ")
    members = dict(client.zscan_iter(_LINES, match="?" * 16 + begin + "*", count=PAGE))
    newest = sorted(members.items(), key=lambda row: (row[1], row[0]), reverse=True)
    return [_line(member, at) for member, at in newest]


def _forget_some(client: Any, before: float) -> int:
    """Remove the oldest lines, a page of them, and more only where they are of one time."""
    last = client.zrangebyscore(_LINES, "-inf", f"({before!r}", PAGE - 1, 1, withscores=True)
    return int(client.zremrangebyscore(_LINES, "-inf", last[0][1] if last else f"({before!r}"))

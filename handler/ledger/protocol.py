"""The ledger: what was claimed, sent and seen, kept outside the function.

One protocol, so that stores can differ. The one thing that a store must get right is :meth:`Ledger.arm`: it writes an
operation's record before the first byte leaves, in one step with comparing the cluster's version, so that of any number
of workers that decided on the same past exactly one sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from handler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handler.model.alarm import OutboxEntry
    from handler.model.history import Entry, History
    from handler.model.operation import Operation, State
    from handler.model.outcome import Record
    from handler.model.policy import Breaker


class Ledger(Protocol):
    """The history of all clusters.

    Every method may raise LedgerUnavailable; then nothing may be sent.

    That is found out within a few seconds by one of those who ask, and the others fail at once
    (``handler/ledger/fail_fast.py``).

    Times are seconds since the epoch and passed in: a store has no clock. All methods are safe to call from several
    threads and processes at once. A *version* counts the changes of one cluster's operations.
    """

    def enter(
        self, cluster: str, incidents: Mapping[str, str], now: float, breaker: Breaker, *, is_counted: bool = False
    ) -> Entry:
        """Note that these incidents (key → origin) came in, and answer what is known of them.

        An *origin* is the sender's identity of the occurrence (source and event id); :meth:`end` marks origins, and an
        incident whose origin is marked is in ``Entry.ended``. Incidents that no operation has served yet are intents;
        each is counted once within the last ``window`` seconds towards the storm ``breaker``, however often it comes:
        closed, it opens at more than ``intents``; open, it closes when ``close_after`` seconds have passed since it
        opened and no more than half of ``intents``, or one alone, are in the window. ``is_counted``: they are only
        read, since they came in before.
        """

    def history(self, cluster: str, now: float, *, quarantine_within: float) -> History:
        """The cluster's past: the newest operation on every target, and what the budgets count.

        ``restarts`` counts, for each target, RestartService operations that were no commands and were settled as VERIFIED
        or FAILED in the last ``quarantine_within`` seconds and after the target's last quarantine, released or over.
        ``operations_last_hour`` counts all but NOT_SENT and REJECTED ones.
        """

    def arm(self, operation: Operation, version: int) -> bool:
        """Write ``operation`` (state SENDING) durably, if the cluster has still this ``version``.

        Answers whether it is written.

        Also False, with nothing written, where one of its incidents already has an operation that does not leave it
        open (:attr:`Past.leaves_its_incident_open`), or one of its targets an open one: the version makes that
        impossible for callers that read before they armed, and the store does not rely on it. On True each target's and
        incident's newest operation is this one.
        """

    def settle(self, operation: Operation, expected: State) -> bool:
        """Record durably where ``operation`` is now; answers whether it is recorded.

        It is False, with nothing changed, unless the record is still its owner's and in state ``expected``.

        What is written is what :meth:`Operation.moved` changes. A settled restart that an alert asked for is counted
        for quarantine. The state may still be ``expected``: then only what was observed is new.
        """

    def get(self, operation: str) -> Operation | None:
        """One operation by its id."""

    def open_operations(self, unreadable: list[str] | None = None) -> list[Operation]:
        """Every operation that is SENDING, ACCEPTED or IN_DOUBT, the oldest first.

        One that cannot be read is left out, and its id noted in ``unreadable``, so that it does not block the others;
        without ``unreadable``, LedgerUnavailable is raised.
        """

    def end(self, cluster: str, origins: Iterable[str], now: float) -> None:
        """Record that the sender has reported these occurrences as resolved."""

    def quarantine(self, cluster: str, target: str, now: float, until: float) -> float:
        """Quarantine a target until ``until``, unless it is in quarantine already.

        Returns the end of the quarantine that holds.
        """

    def release(self, target: str, now: float, cluster: str | None = None) -> list[str]:
        """Let targets with this key out of quarantine, in one cluster or in all.

        Returns the clusters in which there were any.
        """

    def quarantined(self, now: float) -> list[tuple[str, str, float]]:
        """Who is in quarantine: (cluster, target key, until)."""

    def claim(self, key: str, now: float, seconds: float) -> bool:
        """Whether nobody claimed ``key`` in the last ``seconds``; it is claimed then.

        It is for alarms that many would raise at once.
        """

    def keep_unsent(self, unsent: Sequence[OutboxEntry], until: float, limit: int) -> None:
        """Keep alarms that are not sent yet; until ``until`` they are the caller's to send.

        Of more than ``limit`` in all, the oldest are dropped.
        """

    def take_unsent(self, now: float, until: float, *, since: float, limit: int) -> list[OutboxEntry]:
        """Take up to ``limit`` alarms that are nobody's to send now, the oldest first.

        They are the caller's until ``until``, so that two do not send the same.

        Of more, those that were nobody's for the longest time: what cannot be sent does not stand before the others.
        What was raised before ``since`` is forgotten.
        """

    def forget_unsent(self, ids: Iterable[str]) -> None:
        """These alarms were sent, or never will be."""

    def take(self, bucket: str, now: float, *, rate: float, burst: float, most_wait: float) -> float | None:
        """Take a token of a bucket; returns the seconds to wait before using it.

        The bucket fills by ``rate`` a second up to ``burst``.

        Tokens are taken in advance (the bucket may go below zero), as far as ``most_wait`` seconds; None, with nothing
        taken, beyond.
        """

    def record(self, records: Sequence[Record], lines: Sequence[str]) -> None:
        """Keep the outcomes of events for ``steward history``: the canonical line of each.

        They need not survive a power cut.

        What the log hides is kept nowhere else.
        """

    def records(
        self,
        *,
        cluster: str | None = None,
        since: float = 0.0,
        event: str | None = None,
        limit: int = 1000,
        unreadable: list[str] | None = None,
    ) -> list[Record]:
        """Outcomes, the newest first, with all that their log lines hold as ``facts``.

        ``unreadable`` is as in :meth:`open_operations`, with their numbers.
        """

    def operations(
        self,
        *,
        cluster: str | None = None,
        since: float = 0.0,
        limit: int = 1000,
        unreadable: list[str] | None = None,
    ) -> list[Operation]:
        """Operations, the newest first; ``unreadable`` as in :meth:`open_operations`."""

    def expire(self, now: float, keep: float) -> int:
        """Forget what is older than ``keep`` seconds and not open.

        Returns how many operations and records that were.
        """

    def check(self) -> list[str]:
        """Warnings about this store in plain words; none where all is well."""

    def close(self) -> None:
        """Let go of files and connections. Using it again opens it again."""


def open_ledger(url: str) -> Ledger:
    """The ledger at ``url``: ``sqlite:///FILE``, ``redis://…`` or ``rediss://…``.

    An absolute path takes four slashes; ``:memory:`` keeps it in memory.

    Raises ConfigurationError for another URL. The store is first touched when it is first used.
    """
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        from handler.ledger.sqlite import SqliteLedger

        return SqliteLedger(url[len("sqlite:///") :])
    if url.startswith(("redis://", "rediss://")):
        from handler.ledger.redis import RedisLedger

        return RedisLedger(url)
    raise ConfigurationError(
        "is no ledger that is known here",
        where="STEWARD_LEDGER",
        hint="sqlite:///FILE (four slashes for an absolute path) or redis://HOST:PORT/0",
    )

"""The store behind the ledger: one value for each cluster, and lines of history.

A value is swapped whole. A store keeps bytes and compares versions. It knows no rule and has no clock; what the bytes mean is the caller's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from handler.errors import ConfigurationError
from handler.ledger.stored import Line, Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Line", "Store", "Stored", "open_store"]


class Store(Protocol):
    """Safe to use from several threads and processes, and after a fork.

    Every method may raise LedgerUnavailable. That takes a few seconds at most, and those who ask within the next second
    fail at once (``handler/ledger/fail_fast.py``). A store is opened when first used.
    """

    def load(self, key: str, known: int = 0) -> Stored:
        """What is stored under ``key``; without its value where the version is ``known``."""

    def swap(self, key: str, version: int, value: bytes, *, has_open: bool, patient: bool = False) -> int:
        """Store ``value`` durably if the stored version is ``version``.

        Returns the new version, which is a random number (:func:`handler.ledger.stored.new_version`); 0 where another
        version is stored, and nothing was changed. ``version`` 0 means that nothing is stored. ``has_open``: whether :meth:`open_keys` lists the key. ``patient``:
        try even though others have just waited in vain; it is for writing down what was already sent.

        Raises ReplyLost where the value may or may not be stored, LedgerUnavailable where it is certainly not.
        """

    def open_keys(self) -> list[str]:
        """The keys that were last stored with ``has_open``, sorted."""

    def append(self, lines: Sequence[Line]) -> None:
        """Add lines to the history. They need not survive a power cut."""

    def lines(
        self, *, cluster: str | None = None, id: str | None = None, since: float = 0.0, limit: int = 1000
    ) -> list[Line]:
        """Lines of history, the newest first."""

    def forget(self, before: float) -> int:
        """Remove lines older than ``before``, some ten thousand at most, and return how many.

        It works in short steps and lets others write between them. What is left is for the next call.
        """

    def check(self) -> list[str]:
        """Warnings about this store in plain words; none where all is well."""

    def close(self) -> None:
        """Close files and connections. Using the store again opens it again."""


def open_store(url: str) -> Store:
    """The store at ``url``: ``sqlite:///FILE``, ``redis://…`` or ``rediss://…``.

    An absolute path takes four slashes; ``:memory:`` keeps it in memory. Raises ConfigurationError for another URL.
    """
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        from handler.ledger.sqlite_store import SqliteStore

        return SqliteStore(url[len("sqlite:///") :])
    if url.startswith(("redis://", "rediss://")):
        from handler.ledger.redis_store import RedisStore

        return RedisStore(url)
    raise ConfigurationError(
        "is no ledger that is known here",
        where="STEWARD_LEDGER",
        hint="sqlite:///FILE (four slashes for an absolute path) or redis://HOST:PORT/0",
    )

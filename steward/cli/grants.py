"""The table of ``steward check``: who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from handler.model.scope import All
from handler.receive.payload import OVER_HTTP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handler.config.config import Config
    from handler.model.policy import Caller, Grant

_HEADINGS: Final = ("caller", "may send", "cluster", "services", "may request")


def grant_rows(config: Config) -> list[dict[str, Any]]:
    """For programs: each caller, what it may send, and what it may request of each cluster.

    An operation is listed where both the grant and the cluster's ``allow`` have it.
    """
    return [
        {
            "caller": caller.name,
            "sources": _sources(caller),
            "requests": [
                {"cluster": cluster, "operations": operations, "services": _services(caller.grant)}
                for cluster, operations in _operations(caller.grant, config)
            ],
        }
        for caller in config.webhook.callers
    ]


def grant_table(config: Config) -> list[str]:
    """The lines of the table; none without callers."""
    rows: list[tuple[str, ...]] = []
    for row in grant_rows(config):
        first = (row["caller"], ", ".join(row["sources"]))
        for one in row["requests"] or [None]:
            about: tuple[str, ...] = ()
            if one is not None:
                services = one["services"] if isinstance(one["services"], str) else ", ".join(one["services"])
                about = (one["cluster"], services, ", ".join(one["operations"]) or "nothing")
            rows.append((*first, *about))
            first = ("", "")
    if not rows:
        return []
    is_wide = any(len(row) > 2 for row in rows)
    table = [_HEADINGS if is_wide else _HEADINGS[:2], *rows]
    widths = [max(len(row[place]) for row in table if len(row) > place) for place in range(len(table[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)).rstrip() for row in table]


def _sources(caller: Caller) -> list[str]:
    return [source for source in OVER_HTTP if source in caller.grant.sources]


def _services(grant: Grant) -> Any:
    return "all" if isinstance(grant.services, All) else sorted(grant.services)


def _operations(grant: Grant, config: Config) -> Iterator[tuple[str, list[str]]]:
    """Of each cluster that a caller may request something of: the operations that would not be refused."""
    for cluster in config.clusters.values() if "request" in grant.sources else ():
        if isinstance(grant.clusters, All) or cluster.id in grant.clusters:
            yield cluster.id, sorted(one.value for one in grant.operations & cluster.allow)

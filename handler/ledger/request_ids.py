"""The ids of direct requests: one id is one request, for one cluster. Pure.

Within a cluster its record knows them (``admission.py``). That no other cluster got the same one is known here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from handler.errors import LedgerUnavailable

#: Seconds for which ids are remembered, and how many: as long as the records remember commands.
KEEP_SECONDS: Final = 24 * 3600.0
MAX_IDS: Final = 5000


@dataclass
class RequestIds:
    """By caller and id: the cluster that was asked, and when (seconds since the epoch)."""

    ids: dict[str, tuple[str, float]] = field(default_factory=dict)

    def claim(self, name: str, cluster: str, now: float) -> str:
        """The cluster that an id stands for: the one that first came with it."""
        known = self.ids.get(name)
        if known is not None and abs(now - known[1]) <= KEEP_SECONDS:
            return known[0]
        if len(self.ids) >= MAX_IDS:
            young = {one: found for one, found in self.ids.items() if now - found[1] <= KEEP_SECONDS}
            self.ids = dict(sorted(young.items(), key=lambda one: one[1][1])[-MAX_IDS // 2 :])
        self.ids[name] = (cluster, now)
        return cluster


def to_bytes(record: RequestIds) -> bytes:
    """The ids, to be stored."""
    return json.dumps(record.ids, separators=(",", ":")).encode()


def from_bytes(data: bytes) -> RequestIds:
    """What :func:`to_bytes` wrote. Raises LedgerUnavailable for anything else."""
    try:
        return RequestIds({name: (str(cluster), float(at)) for name, (cluster, at) in json.loads(data).items()})
    except (ValueError, TypeError, AttributeError) as error:
        raise LedgerUnavailable(f"the ids of requests cannot be read ({type(error).__name__})") from None

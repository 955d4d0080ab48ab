"""What stores give back, and what their kinds have in common."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

#: How the stores lay out what they keep. A store of another format is refused: what it says was sent must not be
#: overlooked.
FORMAT: Final = 5


class Stored(NamedTuple):
    """What is stored under a key."""

    #: 0: nothing is stored.
    version: int
    #: None: nothing is stored, or it is still the version that the caller knows.
    value: bytes | None


class Line(NamedTuple):
    """One line of history."""

    #: Seconds since the epoch.
    at: float
    cluster: str
    #: Of the event or the operation that the line is about.
    id: str
    #: The line as JSON.
    text: str


def new_version() -> int:
    """A random version, from 1 to 2**48, for a value that is about to be stored.

    Versions are compared, never counted: a number that somebody remembers does not come back for other content, neither
    when a store was emptied or restored from a backup nor when a fail-over lost its last writes.
    """
    return 1 + int.from_bytes(os.urandom(6), "big")

"""The engine's time limits, in seconds, as one value.

A model can run the engine with other ones.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Timing(NamedTuple):
    """How long the engine waits for what. Each follows from another or from the platform."""

    #: After arming, nothing is sent later than that.
    latest_send: float = 30.0
    #: A worker that has not settled by then counts as lost: no call takes as long.
    lost: float = 60.0
    #: Later, a request in doubt can no longer act: latest_send, 300 s of the signature, clocks that differ by 60 s
    #: (360 s was shown to be too short).
    ruled_out: float = 420.0
    #: Seconds past its deadline for which an operation is waited for while the cluster is at work, or cannot be seen.
    busy: float = 3600.0
    unseen: float = 900.0
    #: A look that is older shows nothing of now.
    look_age: float = 10.0
    #: A remediation that was not stated for so long expires.
    expiry: float = 6 * 3600.0
    #: An equal command without an id is the client's retry for so long.
    unnamed: float = 120.0
    #: A statement is written down again after that.
    refresh: float = 60.0
    #: The pause after a request that was certainly not carried out, at first and at most.
    first_pause: float = 1.0
    longest_pause: float = 300.0
    #: For how long others leave the reconciling to whoever is at it.
    hint: float = 10.0
    #: For how long the ids of ended commands are remembered.
    commands: float = 24 * 3600.0


TIMING: Final = Timing()

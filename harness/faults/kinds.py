"""The kinds of injected faults, and whether the request was carried out nevertheless.

The client cannot know that. A test compares what the client concluded with :attr:`Fault.carried_out`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """One way to fail. ``carried_out`` tells whether the request had its effect."""

    # The connection
    MUTE_FROM_ACCEPT = ("the connection is accepted, and not a byte read or written (a TLS handshake hangs so)", False)
    RESET_BEFORE_READING = ("reset before the API reads the request", False)
    RESET_AFTER_READING = ("reset after the request was read", True)
    CLOSE_SILENTLY = ("closed after the request was read, without a byte", True)
    HANG_BEFORE = ("the request is read and not carried out; no answer", False)
    HANG_AFTER = ("the request is carried out; no answer", True)
    DRIPPED_BODY = ("the answer comes a byte at a time", True)
    CUT_BODY = ("the connection ends within the answer's body", True)
    # A gateway on the way
    BAD_GATEWAY = ("502, the request went no further", False)
    BAD_GATEWAY_AFTER = ("502, the answer was lost behind it", True)
    GATEWAY_TIMEOUT = ("504, the gateway waited too long for the answer", True)
    HTML = ("200 with a page", True)
    REDIRECT = ("307 to the same place: a client that follows it sends the request again", False)
    # The answer's form
    BROKEN_JSON = ("200 with half a JSON text, its length true", True)
    NOT_AN_OBJECT = ("200 with a JSON list", True)
    NO_RESPONSE_KEY = ("200 with a JSON object that is not an envelope", True)
    NO_REQUEST_ID = ("an envelope without RequestId", True)
    HUGE_BODY = ("an envelope of many megabytes", True)
    # An error of the API
    API_ERROR = ("an error envelope", False)
    ERROR_WITH_CHARSET = ("an error envelope with a charset in its Content-Type: the SDK treats it as a success", False)
    ERROR_WITHOUT_REQUEST_ID = ("an error envelope without RequestId", False)

    def __init__(self, meaning: str, carried_out: bool) -> None:
        self.meaning = meaning
        self.carried_out = carried_out

    @property
    def is_api_error(self) -> bool:
        """Whether the answer is an error of the API, in whatever form."""
        return self in (Kind.API_ERROR, Kind.ERROR_WITH_CHARSET, Kind.ERROR_WITHOUT_REQUEST_ID)


@dataclass(frozen=True)
class Fault:
    """A fault to inject: its kind, and the details that can be chosen."""

    kind: Kind
    #: Only a request for this action meets it. Not for MUTE_FROM_ACCEPT, which reads no request.
    action: str | None = None
    #: The error's, for an error of the API.
    code: str = "InternalError"
    message: str = ""
    #: For an error of the API: the request is carried out, and then the error is answered.
    although_carried_out: bool = False
    #: How long a hang lasts at most; for a dripped body, the time between two bytes.
    seconds: float | None = None
    #: For HUGE_BODY, in bytes.
    size: int = 8 * 1024 * 1024

    @classmethod
    def api_error(cls, code: str, action: str | None = None, *, although_carried_out: bool = False) -> Fault:
        """Any error of the API."""
        return cls(Kind.API_ERROR, action, code=code, although_carried_out=although_carried_out)

    @classmethod
    def throttle(cls, times: int, action: str | None = None) -> list[Fault]:
        """RequestLimitExceeded for the next ``times`` requests."""
        return [cls.api_error("RequestLimitExceeded", action)] * times

    @property
    def carried_out(self) -> bool:
        """Whether the request has its effect."""
        return self.kind.carried_out or self.although_carried_out

    def meets(self, action: str) -> bool:
        """Whether a request for ``action`` runs into it."""
        return self.kind is not Kind.MUTE_FROM_ACCEPT and self.action in (None, action)

"""What became of an Event, and why. Every event ends in exactly one Outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

OutcomeStatus = Literal["done", "unverified", "skipped", "deferred", "refused", "failed", "in_doubt"]

#: Least to most urgent: of several decisions about one event, the most urgent is its outcome.
URGENCY: Final[Mapping[OutcomeStatus, int]] = {
    "skipped": 0,
    "done": 1,
    "deferred": 2,
    "unverified": 3,
    "refused": 4,
    "failed": 5,
    "in_doubt": 6,
}
#: The outcomes that a person must be notified of.
ALARMING: Final[frozenset[OutcomeStatus]] = frozenset({"refused", "failed", "in_doubt"})


class ApiRefusal(NamedTuple):
    """What follows from a refusal by the API.

    It is a direct caller's HTTP status, and what a person should do.
    """

    http_status: int
    fix: str


#: By the first label of the API's error code. A wrong key or role of our own is no error of the caller's: 500.
API_REFUSALS: Final[Mapping[str, ApiRefusal]] = {
    "ResourceNotFound": ApiRefusal(404, "Check the cluster's id and region in steward.yml."),
    "AuthFailure": ApiRefusal(500, "Check the function's credentials and its clock (`steward doctor`)."),
    "UnauthorizedOperation": ApiRefusal(
        500, "Grant the function's role the missing permission; `steward policy` prints all that it needs."
    ),
    "AssumeRole": ApiRefusal(500, "Check `role_arn` in steward.yml, and that this role trusts the function's account."),
    "LimitExceeded": ApiRefusal(422, "Raise the quota, or wait until others release theirs."),
    "ResourceInsufficient": ApiRefusal(422, "Wait until the cloud has capacity again, then repeat the request."),
}
OTHER_API_REFUSAL: Final = ApiRefusal(
    422, "Look the code up in the EMR API's error codes and remove the cause; a new event tries again."
)


@dataclass(frozen=True)
class Outcome:
    """The fate of one event.

    ``code`` is a dotted word for machines (``guard.healthy``, ``api.ResourceNotFound.InstanceNotFound``), ``reason``
    the same for people. ``facts`` are first-level values for the log line: what the deciding guard saw, the API's
    RequestId, what verification read. The other fields say what follows from it, and are set where it is made.
    """

    status: OutcomeStatus
    code: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    #: Whether the same event, delivered again, may do better: nothing was sent, and what kept it back passes by itself.
    #: The platform is then asked to deliver it again by an exception, an HTTP sender by 503.
    retryable: bool = False
    #: The HTTP status of a direct call with this outcome.
    http_status: int = 200
    #: Of a process that is left out of an operation: whether the outcome of its event does not mention it, since it is
    #: as was asked for, or was served already.
    is_quiet: bool = False
    #: Whether its alarm is raised where it is decided (once a process, an operation, the ledger), not for each event.
    has_own_alarm: bool = False
    #: What a person should do about it, in whole sentences. Every outcome that raises an alarm has one.
    fix: str = ""

    @classmethod
    def done(cls, reason: str, **facts: Any) -> Outcome:
        """Carried out, and seen to have worked."""
        return cls("done", "verified", reason, facts)

    @classmethod
    def unverified(cls, reason: str, **facts: Any) -> Outcome:
        """The API took it; that it worked has not been seen yet."""
        return cls("unverified", "accepted", reason, facts, http_status=202)

    @classmethod
    def skipped(
        cls, code: str, reason: str, *, http_status: int = 200, is_quiet: bool = False, **facts: Any
    ) -> Outcome:
        """Nothing to do, for a good reason."""
        return cls("skipped", code, reason, facts, http_status=http_status, is_quiet=is_quiet)

    @classmethod
    def deferred(cls, code: str, reason: str, *, retryable: bool = False, fix: str = "", **facts: Any) -> Outcome:
        """Not now: a later event, or the sender's repeat, may do it."""
        return cls("deferred", code, reason, facts, retryable=retryable, http_status=409, fix=fix)

    @classmethod
    def refused(
        cls, code: str, reason: str, *, fix: str, http_status: int = 422, has_own_alarm: bool = False, **facts: Any
    ) -> Outcome:
        """Not at all: the event, the rules or the API do not allow it."""
        return cls("refused", code, reason, facts, http_status=http_status, has_own_alarm=has_own_alarm, fix=fix)

    @classmethod
    def refused_by_api(cls, code: str, reason: str, **facts: Any) -> Outcome:
        """The API refused, by this error code of its own or of ours for it."""
        refusal = API_REFUSALS.get(code.partition(".")[0], OTHER_API_REFUSAL)
        return cls.refused(f"api.{code}", reason, fix=refusal.fix, http_status=refusal.http_status, **facts)

    @classmethod
    def failed(
        cls, code: str, reason: str, *, fix: str, retryable: bool = False, has_own_alarm: bool = False, **facts: Any
    ) -> Outcome:
        """Tried, and seen not to have worked."""
        return cls(
            "failed", code, reason, facts, retryable=retryable, http_status=500, has_own_alarm=has_own_alarm, fix=fix
        )

    @classmethod
    def in_doubt(cls, code: str, reason: str, *, fix: str, has_own_alarm: bool = False, **facts: Any) -> Outcome:
        """Sent, and nobody knows what became of it. It is looked at, never sent again."""
        return cls("in_doubt", code, reason, facts, http_status=202, has_own_alarm=has_own_alarm, fix=fix)

    @property
    def is_alarming(self) -> bool:
        """Whether a person must be notified of it."""
        return self.status in ALARMING


class Record(NamedTuple):
    """One event and its outcome, as the log line and the ledger keep it.

    ``at`` is seconds since the epoch; ``rules`` and ``operations`` are those that had a part in it.
    """

    at: float
    event: str
    source: str
    name: str
    cluster: str
    outcome: Outcome
    rules: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()

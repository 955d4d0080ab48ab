"""What became of an Event, and why. Every event ends in exactly one Outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

OutcomeStatus = Literal[
    "done", "unverified", "accepted", "pending", "skipped", "withdrawn", "refused", "expired", "failed", "in_doubt"
]

#: Least to most urgent: of several decisions about one event, the most urgent is its outcome.
URGENCY: Final[Mapping[OutcomeStatus, int]] = {
    "skipped": 0,
    "withdrawn": 1,
    "done": 2,
    "unverified": 3,
    "pending": 4,
    "accepted": 5,
    "refused": 6,
    "expired": 7,
    "failed": 8,
    "in_doubt": 9,
}
#: The outcomes that a person must be notified of.
ALARMING: Final[frozenset[OutcomeStatus]] = frozenset({"refused", "expired", "failed", "in_doubt"})
#: The outcomes that are not the last word: exactly one ``steward.settled`` follows.
OPEN_OUTCOMES: Final[frozenset[OutcomeStatus]] = frozenset({"pending", "accepted", "in_doubt"})


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
    #: Whether nothing could be written down, so that the sender has to deliver it again: the platform is asked to by an
    #: exception, an HTTP sender by 503.
    retryable: bool = False
    #: The HTTP status of a direct call with this outcome.
    http_status: int = 200
    #: Whether nobody is to be notified of it: it was held on purpose, or its caller has the answer.
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
        """Carried out as far as is shown; no health check proves that it worked."""
        return cls("unverified", "unverified", reason, facts)

    @classmethod
    def accepted(cls, reason: str, **facts: Any) -> Outcome:
        """The API took it; that it worked has not been seen yet."""
        return cls("accepted", "accepted", reason, facts, http_status=202)

    @classmethod
    def pending(cls, code: str, reason: str, *, fix: str = "", **facts: Any) -> Outcome:
        """Written down, and not served yet: it will be as soon as it can."""
        return cls("pending", code, reason, facts, http_status=202, fix=fix)

    @classmethod
    def skipped(cls, code: str, reason: str, *, http_status: int = 200, **facts: Any) -> Outcome:
        """Nothing to do, for a good reason."""
        return cls("skipped", code, reason, facts, http_status=http_status)

    @classmethod
    def withdrawn(cls, code: str, reason: str, *, fix: str = "", **facts: Any) -> Outcome:
        """Nobody asks for it any more."""
        return cls("withdrawn", code, reason, facts, fix=fix)

    @classmethod
    def expired(
        cls, code: str, reason: str, *, fix: str, is_quiet: bool = False, has_own_alarm: bool = False, **facts: Any
    ) -> Outcome:
        """It waited longer than it may, and was not carried out."""
        return cls(
            "expired",
            code,
            reason,
            facts,
            http_status=409,
            is_quiet=is_quiet,
            has_own_alarm=has_own_alarm,
            fix=fix,
        )

    @classmethod
    def refused(
        cls,
        code: str,
        reason: str,
        *,
        fix: str,
        http_status: int = 422,
        is_quiet: bool = False,
        has_own_alarm: bool = False,
        **facts: Any,
    ) -> Outcome:
        """Not at all: the event, the rules or the API do not allow it."""
        return cls(
            "refused",
            code,
            reason,
            facts,
            http_status=http_status,
            is_quiet=is_quiet,
            has_own_alarm=has_own_alarm,
            fix=fix,
        )

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
        return self.status in ALARMING and not self.is_quiet

    @property
    def is_open(self) -> bool:
        """Whether it is not the last word about its event."""
        return self.status in OPEN_OUTCOMES


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
    #: Whether it was answered a moment ago, and came again: it is logged, and not kept once more.
    is_repeat: bool = False

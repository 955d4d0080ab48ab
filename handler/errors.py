"""Everything that can go wrong, as one tree.

    StewardError
    ├── ConfigurationError          steward.yml or the environment is wrong: nothing starts
    │   └── InvalidConfiguration    all that is wrong with one file
    ├── InvalidInput                what came in cannot be read as what it claims to be
    ├── Unauthenticated             the door does not know the caller
    ├── ApiError                    the cloud's API, or the way to it
    │   ├── NotCarriedOut           certainly: it may be sent again, or the refusal stands
    │   │   ├── NeverSent             no byte of the request left
    │   │   ├── Throttled             RequestLimitExceeded and its kin
    │   │   ├── ClusterBusy           ResourceInUse.InstanceInProcess
    │   │   └── Rejected              any other definite refusal
    │   │       ├── OutOfResources      LimitExceeded, ResourceInsufficient and their kin
    │   │       ├── NotAuthenticated    AuthFailure.*: the credentials or the clock
    │   │       ├── NotAuthorized       UnauthorizedOperation.*: the role lacks a right
    │   │       ├── NotFound            ResourceNotFound.*
    │   │       └── InvalidRequest      InvalidParameter.*, UnsupportedOperation.*, …
    │   └── MaybeCarriedOut         sent, and what became of it is unknown: never sent again
    │       ├── AnswerLost            time-out, reset, cut, 5xx, or an answer that is none
    │       └── ServerFailed          InternalError.*, FailedOperation.*
    ├── ObservationIncomplete       the cluster could not be seen whole: nothing is sent
    └── LedgerUnavailable           the history cannot be read or written: nothing is sent

Errors carry their evidence as attributes; their text is fit for a log and never holds a secret.
"""

from __future__ import annotations

from typing import NamedTuple


class StewardError(Exception):
    """The root of all that this project raises on purpose."""


class ConfigurationError(StewardError):
    """steward.yml or the environment is wrong.

    ``where`` is ``file:line`` or the variable's name, ``path`` the key (``rules[0].do.operation``), ``problem`` what is
    wrong with it, ``hint`` how to mend it; any of them but ``problem`` may be empty.
    """

    def __init__(self, problem: str, *, path: str = "", where: str = "", hint: str = "") -> None:
        self.problem, self.path, self.where, self.hint = problem, path, where, hint
        super().__init__(": ".join(part for part in (where, path, problem) if part) + (f" ({hint})" if hint else ""))


class InvalidConfiguration(ConfigurationError):
    """Everything that is wrong with a file: ``problems``, each a ConfigurationError with its line."""

    def __init__(self, problems: tuple[ConfigurationError, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class FieldError(NamedTuple):
    """One thing wrong with an input: the field by its dotted path, and what is wrong with it."""

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


class InvalidInput(StewardError):
    """A payload, or one event of it, cannot be read. ``faults`` names each field; never its value."""

    def __init__(self, *errors: FieldError) -> None:
        self.errors = errors
        super().__init__("; ".join(str(fault) for fault in errors))


class Unauthenticated(StewardError):
    """The caller gave no credentials that the door knows. The text says nothing about which part was wrong."""


class ApiError(StewardError):
    """The API, or the way to it, failed.

    ``code`` is the API's (``ResourceInUse.InstanceInProcess``) or, where no answer was read, the innermost exception's
    class name; ``request_id`` is the API's, or empty.
    """

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        self.code, self.message, self.request_id = code, message, request_id
        super().__init__(f"{code}: {message}" + (f" (RequestId {request_id})" if request_id else ""))


class NotCarriedOut(ApiError):
    """Certainly not carried out."""


class NeverSent(NotCarriedOut):
    """No byte of the request was handed to a connection: refused, no such host, no route, bad certificate, no time."""


class Throttled(NotCarriedOut):
    """Too many requests; the API says that it did nothing."""


class ClusterBusy(NotCarriedOut):
    """A workflow is running on the cluster: wait for its end."""


class Rejected(NotCarriedOut):
    """A definite refusal that sending again does not change."""


class NotAuthenticated(Rejected):
    """The API does not accept the signature: key, token or clock."""


class NotAuthorized(Rejected):
    """The credentials are good, but the right is missing."""


class OutOfResources(Rejected):
    """A quota is used up, or the cloud has no capacity: the same request may be taken later."""


class NotFound(Rejected):
    """No such cluster, service or node."""


class InvalidRequest(Rejected):
    """The API does not accept the request as such."""


class MaybeCarriedOut(ApiError):
    """Sent, and nobody can tell from here whether it was carried out. It must never be sent again."""


class AnswerLost(MaybeCarriedOut):
    """The request left; no answer that can be trusted came back."""


class ServerFailed(MaybeCarriedOut):
    """The API answered that it failed, which says nothing about how far it got."""


class ObservationIncomplete(StewardError):
    """What the API shows of a cluster is not the whole: pages that do not add up, or a field that is missing."""


class LedgerUnavailable(StewardError):
    """The ledger cannot be read or written, or holds what is not ours. ``problem`` says which, without secrets."""

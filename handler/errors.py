"""Every error that this project raises on purpose, as one tree.

    StewardError
    ├── ConfigurationError              steward.yml or the environment is wrong: nothing starts
    │   └── InvalidConfiguration        every problem of one file
    ├── InvalidInput                    a payload, or one event of it, cannot be read
    ├── Unauthenticated                 the HTTP caller's credentials are missing or wrong
    ├── ApiError                        the cloud's API failed, or could not be reached
    │   ├── NotCarriedOut               certainly not carried out
    │   │   ├── NeverSent               no byte of the request left this machine
    │   │   ├── Throttled               RequestLimitExceeded.*
    │   │   ├── ClusterBusy             ResourceInUse.InstanceInProcess
    │   │   └── Rejected                any other definite refusal
    │   │       ├── NotAuthenticated    AuthFailure.*: wrong credentials, or a wrong clock
    │   │       ├── NotAuthorized       UnauthorizedOperation.*: a permission is missing
    │   │       ├── OutOfResources      LimitExceeded.*, ResourceInsufficient.*, …: it may be taken later
    │   │       ├── NotFound            ResourceNotFound.*
    │   │       └── InvalidRequest      InvalidParameter.*, UnsupportedOperation.*, …
    │   └── MaybeCarriedOut             sent, result unknown: it must never be sent again
    │       ├── AnswerLost              timeout, reset, HTTP 5xx, or an unreadable answer
    │       └── ServerFailed            InternalError.*, FailedOperation.*
    ├── ObservationIncomplete           the API shows only a part of the cluster: nothing is sent
    └── LedgerUnavailable               the ledger cannot be read or written: nothing is sent
        └── ReplyLost                   a value may or may not have been written: it must be read back

Errors carry their evidence as attributes. Their text may be logged: it never holds a secret.
"""

from __future__ import annotations

from typing import NamedTuple


class StewardError(Exception):
    """The base class of every error that this project raises on purpose."""


class ConfigurationError(StewardError):
    """steward.yml or the environment is wrong.

    ``where`` is ``file:line`` or the name of a variable, ``path`` is the key (``rules[0].do.operation``), ``problem``
    says what is wrong with it, and ``hint`` how to fix it. All of them except ``problem`` may be empty.
    """

    def __init__(self, problem: str, *, path: str = "", where: str = "", hint: str = "") -> None:
        self.problem, self.path, self.where, self.hint = problem, path, where, hint
        super().__init__(": ".join(part for part in (where, path, problem) if part) + (f" ({hint})" if hint else ""))


class InvalidConfiguration(ConfigurationError):
    """A configuration file is wrong.

    ``problems`` holds a ConfigurationError, with its line, for everything that is wrong with the file.
    """

    def __init__(self, problems: tuple[ConfigurationError, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class FieldError(NamedTuple):
    """One validation error: the field by its dotted path, and what is wrong with it.

    ``field`` is empty where the payload as a whole is wrong.
    """

    field: str
    problem: str

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}" if self.field else self.problem


class InvalidInput(StewardError):
    """A payload, or one event of it, cannot be read.

    ``errors`` names each invalid field and the problem, but never repeats the field's value, which may be a secret.
    """

    def __init__(self, *errors: FieldError) -> None:
        self.errors = errors
        super().__init__("; ".join(str(error) for error in errors))


class Unauthenticated(StewardError):
    """The HTTP caller's credentials are missing or wrong.

    The text does not say which part was wrong, so that nobody can try out names.
    """


class ApiError(StewardError):
    """The cloud's API failed, or could not be reached.

    ``code`` is the API's error code (``ResourceInUse.InstanceInProcess``). Where no answer was read, it is the class
    name of the innermost exception. ``request_id`` is the API's, or empty.
    """

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        self.code, self.message, self.request_id = code, message, request_id
        super().__init__(f"{code}: {message}" + (f" (RequestId {request_id})" if request_id else ""))


class NotCarriedOut(ApiError):
    """The request was certainly not carried out."""


class NeverSent(NotCarriedOut):
    """No byte of the request was sent.

    The connection was refused, the host is unknown or has no route, the certificate is invalid, or no time was left.
    """


class Throttled(NotCarriedOut):
    """The API refused the request because there were too many; it did nothing."""


class ClusterBusy(NotCarriedOut):
    """The cluster runs another workflow, which has to end first."""


class Rejected(NotCarriedOut):
    """The API refused the request, and would refuse it again."""


class NotAuthenticated(Rejected):
    """The API does not accept the signature: the key, the token or the clock is wrong."""


class NotAuthorized(Rejected):
    """The credentials are valid, but they lack a permission."""


class OutOfResources(Rejected):
    """A quota is used up, or the cloud has no capacity. The same request may be accepted later."""


class NotFound(Rejected):
    """The cluster, service or node does not exist."""


class InvalidRequest(Rejected):
    """The API does not accept the parameters of the request."""


class MaybeCarriedOut(ApiError):
    """The request was sent, and may or may not have been carried out.

    It must never be sent again.
    """


class AnswerLost(MaybeCarriedOut):
    """The request was sent, and no trustworthy answer came back."""


class ServerFailed(MaybeCarriedOut):
    """The API answered that it failed; how far it got is unknown."""


class ObservationIncomplete(StewardError):
    """The API shows only a part of the cluster.

    Its pages do not add up, or a field is missing.
    """


class LedgerUnavailable(StewardError):
    """The ledger cannot be read or written, or holds data that is not this project's.

    The text says which, without secrets.
    """


class ReplyLost(LedgerUnavailable):
    """The value may or may not have been written.

    Whoever gets this error reads back what is stored. A lost write may still arrive after that; a swap of one's own on
    the version that was read rules it out.
    """

"""The client of Tencent Cloud's API: the only file that imports the official SDK.

It imports the SDK when it is first needed.

One call is one request: it is never sent a second time from here (the SDK's own retryer sends again after a success,
and after a lost answer, so it is never given one), it ends within its deadline, and every failure says whether the
request was certainly not carried out or maybe was.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from handler.cloud import transport
from handler.errors import (
    AnswerLost,
    ApiError,
    ClusterBusy,
    InvalidRequest,
    NeverSent,
    NotAuthenticated,
    NotAuthorized,
    NotFound,
    OutOfResources,
    ServerFailed,
    Throttled,
)
from handler.lib import in_flight
from handler.lib.idle_connection import TrustedUntil
from handler.lib.wording import cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from handler.cloud.account import Credentials
    from handler.lib.clock import Deadline

#: Seconds that one call may take, however much time the invocation has left.
CALL_SECONDS: Final = 10.0
#: Characters of an error's message that are kept.
MAX_MESSAGE: Final = 500


class Product(NamedTuple):
    """One product's API, at one place: ``scheme`` and ``host`` as in STEWARD_EMR_ENDPOINT."""

    service: str
    version: str
    scheme: str
    host: str
    region: str


class CloudApi:
    """Calls, through the SDK's CommonClient.

    Connections outlast an invocation, so that a warm one saves the handshake; credentials do not: each call is given
    its own. ``transport`` makes a ``requests`` adapter that replaces the network, for a cloud in the same process. Safe
    to use from several threads: a client serves one call at a time.
    """

    def __init__(self, transport: Callable[[], Any] | None = None) -> None:
        self._transport = transport
        #: Clients that wait for their next call, the last used last, each with until when its connection is trusted.
        self._idle: dict[Product, list[tuple[TrustedUntil, Any]]] = {}
        self._process = os.getpid()
        self._lock = threading.Lock()
        #: The newest answer's Date header, and when it was read.
        self._date: tuple[str, float] | None = None

    @property
    def clock_skew(self) -> float | None:
        """Seconds by which this machine's clock, which signs, is ahead of the API's.

        It is None while no answer bore a date.

        To a second, and less the time that the answer took: the header has no fractions.
        """
        if self._date is None:
            return None
        from email.utils import parsedate_to_datetime

        text, at = self._date
        try:
            return at - parsedate_to_datetime(text).timestamp()
        except (TypeError, ValueError, OverflowError):
            return None

    def call(
        self, product: Product, credentials: Credentials, action: str, params: dict[str, Any], deadline: Deadline
    ) -> dict[str, Any]:
        """Send one request, and return the ``Response`` object of its answer.

        Raises NotCarriedOut or MaybeCarriedOut.
        """
        seconds = min(CALL_SECONDS, deadline.remaining())
        if seconds <= 0:
            raise NeverSent("DeadlineExceeded", f"no time left to call {action}")
        try:
            client = self._kept(product) or self._client(product)
            client.credential = _credential(credentials)
        except ImportError as missing:
            raise NeverSent("ImportError", f"the SDK cannot be loaded: {missing}") from None
        except Exception as refused:  # the SDK looks at a key before there is anything to send
            raise api_error(refused, was_sent=False) from None
        # call_json changes the headers that it is given and leaves the signature in them: it is given its own.
        sent, answer, error = in_flight.run(lambda: client.call_json(action, params, headers={}), seconds, deadline)
        if isinstance(error, TimeoutError):
            what = "sent, but not answered" if sent.was_sent else "not sent"
            raise (AnswerLost if sent.was_sent else NeverSent)("DeadlineExceeded", f"{action}: {what}: {error}")
        with self._lock:
            self._idle.setdefault(product, []).append((TrustedUntil(), client))
        try:
            if error is not None:
                raise api_error(error, sent.was_sent)
            return _response(answer)
        except NotAuthorized as denied:
            # The API says that something is missing, and rarely what.
            advice = f"{denied.message}; the role's policy must allow {product.service}:{action} (`steward policy` writes it)"
            raise NotAuthorized(denied.code, advice, denied.request_id) from None

    def _kept(self, product: Product) -> Any:
        """The client that was used last, if its connection can be trusted; None where there is none."""
        with self._lock:
            if self._process != os.getpid():  # a connection must not cross a fork: two would read each other's answers
                self._process, self._idle = os.getpid(), {}
            idle = self._idle.get(product)
            if not idle:
                return None
            trusted, client = idle.pop()
            if not trusted.is_over:
                return client
            old, idle[:] = [client, *(other for _, other in idle)], []
        for client in old:
            client.request.conn._session.close()
        return None

    def _client(self, product: Product) -> Any:
        import warnings

        # The package leaves that library out, and requests does without it, but says so at each start.
        warnings.filterwarnings("ignore", "Unable to find acceptable character detection dependency")
        from tencentcloud.common.common_client import CommonClient
        from tencentcloud.common.profile.client_profile import ClientProfile
        from tencentcloud.common.profile.http_profile import HttpProfile

        # protocol has an effect in the constructor only. reqTimeout bounds one read; in_flight.run bounds the call.
        http = HttpProfile(protocol=product.scheme, endpoint=product.host, reqTimeout=CALL_SECONDS)
        profile = ClientProfile(httpProfile=http, language="en-US", disable_region_breaker=True, retryer=None)
        client = CommonClient(product.service, product.version, None, product.region, profile)
        session = client.request.conn._session
        session.max_redirects = 0  # a 307 would send the request a second time
        session.hooks["response"].append(self._note_date)
        adapter = self._transport() if self._transport else transport.tracked_adapter()
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return client

    def _note_date(self, response: Any, *_: Any, **__: Any) -> None:
        if date := response.headers.get("Date"):
            self._date = (str(date), time.time())  # the machine's own clock, as the SDK signs by it


def _credential(credentials: Credentials) -> Any:
    from tencentcloud.common.credential import Credential

    return Credential(credentials.secret_id, credentials.secret_key, credentials.token or None)


def _response(answer: object) -> dict[str, Any]:
    """The envelope, checked here: the SDK looks for an error only under some content types."""
    response = answer.get("Response") if isinstance(answer, dict) else None
    if not isinstance(response, dict):
        raise AnswerLost("NoResponse", "the answer is not the API's: it has no Response")
    if "Error" in response:
        error = response["Error"] if isinstance(response["Error"], dict) else {}
        raise classified(
            str(error.get("Code") or "UnknownError"),
            str(error.get("Message") or ""),
            str(response.get("RequestId") or ""),
        )
    return cast("dict[str, Any]", response)


# -- the vendor's errors, translated in one place

#: The API's own codes, by their first label. What is not here is in doubt.
CODES: Final[dict[str, type[ApiError]]] = {
    "AuthFailure": NotAuthenticated,
    "UnauthorizedOperation": NotAuthorized,
    "OperationDenied": NotAuthorized,
    "RequestLimitExceeded": Throttled,
    "ResourceInUse": ClusterBusy,
    "ResourceNotFound": NotFound,
    "InvalidParameter": InvalidRequest,
    "InvalidParameterValue": InvalidRequest,
    "MissingParameter": InvalidRequest,
    "UnknownParameter": InvalidRequest,
    "UnsupportedOperation": InvalidRequest,
    "UnsupportedProtocol": InvalidRequest,
    "UnsupportedRegion": InvalidRequest,
    "UnsupportedVersion": InvalidRequest,
    "NoSuchProduct": InvalidRequest,
    "NoSuchVersion": InvalidRequest,
    "InvalidAction": InvalidRequest,
    "InvalidRequest": InvalidRequest,
    "ActionOffline": InvalidRequest,
    "RequestSizeLimitExceeded": InvalidRequest,
    "LimitExceeded": OutOfResources,
    "ResourceUnavailable": OutOfResources,
    "ResourceInsufficient": OutOfResources,
    "ResourcesSoldOut": OutOfResources,
    # Returned by a server that may have begun.
    "InternalError": ServerFailed,
    "FailedOperation": ServerFailed,
    "ServiceUnavailable": ServerFailed,
    "ResponseSizeLimitExceeded": ServerFailed,
}


def classified(code: str, message: str, request_id: str) -> ApiError:
    """The error for one of the API's codes."""
    kind = CODES.get(code.partition(".")[0], ServerFailed)
    return kind(_plain(code, 120), _plain(message, MAX_MESSAGE), _plain(request_id, 80))


def api_error(error: BaseException, was_sent: bool) -> ApiError:
    """The error for whatever came out of the SDK: one of its own, or what it let through."""
    code, message = getattr(error, "code", None), getattr(error, "message", None)
    if code == "ServerNetworkError":
        # Any status but 200: a gateway's word, whose content is not the API's and may be anything.
        return AnswerLost("ServerNetworkError", "the answer's HTTP status is not 200")
    request_id = str(getattr(error, "requestId", "") or "")
    if code == "InvalidCredential":
        return NotAuthenticated(code, cut(str(message), MAX_MESSAGE))
    # Without a RequestId, and with nothing sent, a code is the SDK's own word and not the API's.
    is_the_apis = was_sent or request_id
    if isinstance(code, str) and is_the_apis and code not in ("ClientNetworkError", "ClientError", "ClientParamsError"):
        return classified(code, str(message), request_id)
    inner = _innermost(error)
    kind = AnswerLost if was_sent else NeverSent
    return kind(type(inner).__name__, _harmless(inner))


def _innermost(error: BaseException) -> BaseException:
    """The exception that began it; the SDK keeps it in ``__context__`` only."""
    for _ in range(20):
        deeper = error.__context__
        if deeper is None:
            reason = getattr(error, "reason", None)  # urllib3's MaxRetryError holds it there
            return reason if isinstance(reason, BaseException) else error
        error = deeper
    return error


def _harmless(error: BaseException) -> str:
    """The exception's text, cut; addresses of objects and bodies say nothing to a reader."""
    import re

    text = re.sub(r"<[^>]* object at 0x[0-9a-f]+>[:,]? ?", "", str(error))
    return cut(text, 200)


def _plain(text: str, limit: int) -> str:
    """The text, shortened. JSON may hold half of a surrogate pair, which no file and no socket takes."""
    return cut(text.encode("utf-8", "backslashreplace").decode(), limit)

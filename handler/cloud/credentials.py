"""Keys for clusters: the function's own, or that of an assumed role.

A role of the cluster's account is assumed through STS (AssumeRole, API 2018-08-13).

A role's key is kept until shortly before it expires, over the invocations of one instance: the platform rewrites only
our own.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Final

from typing_extensions import TypedDict

from handler.cloud.account import Credentials
from handler.cloud.client import Product
from handler.errors import (
    ApiError,
    ClusterBusy,
    InvalidInput,
    NeverSent,
    NotAuthenticated,
    NotAuthorized,
    Rejected,
    Throttled,
)
from handler.lib.validation import Bound, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from handler.cloud.account import Endpoint
    from handler.cloud.client import CloudApi
    from handler.lib.clock import Clock, Deadline
    from handler.model.policy import Cluster

VERSION: Final = "2018-08-13"
#: For how long a role's key is asked for. A role may be set to allow less, but not less than an hour (assumed).
SECONDS: Final = 3600
#: It is used no more in its last seconds: a call may take some, and the API bears clocks that are 300 s apart.
MARGIN: Final = 360
#: The name under which the audit log (CloudAudit) shows what was done with it.
SESSION: Final = "emr-steward"


class TemporaryKeyWire(TypedDict):
    """``Credentials``."""

    TmpSecretId: Annotated[str, Bound(min_length=1)]
    TmpSecretKey: Annotated[str, Bound(min_length=1)]
    Token: Annotated[str, Bound(min_length=1)]


class AssumedWire(TypedDict):
    """The answer of AssumeRole; ``ExpiredTime`` in seconds since the epoch."""

    Credentials: TemporaryKeyWire
    ExpiredTime: int


ASSUMED: Final = Schema(AssumedWire)


class _Role:
    """What is known of one role. One thread at a time asks for its key."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.credentials: Credentials | None = None
        self.until = 0.0
        self.failure: tuple[float, ApiError] | None = None


class AssumedRoles:
    """The roles' keys of one instance. Safe to use from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._roles: dict[str, _Role] = {}
        self._lock = threading.Lock()

    def credentials(self, arn: str, assume: Callable[[], AssumedWire]) -> Credentials:
        """The role's key, from ``assume`` where no valid one is kept.

        Raises what ``assume`` raises.
        """
        with self._lock:
            role = self._roles.setdefault(arn, _Role())
        asked_at = self._clock.monotonic()
        with role.lock:
            if role.credentials is not None and self._clock.now() < role.until:
                return role.credentials
            # Those that waited for this answer have it too, and do not ask one after the other.
            if role.failure is not None and role.failure[0] > asked_at:
                raise role.failure[1]
            try:
                answer = assume()
            except ApiError as error:
                role.failure = (self._clock.monotonic(), error)
                raise
            key = answer["Credentials"]
            role.credentials = Credentials(key["TmpSecretId"], key["TmpSecretKey"], key["Token"])
            role.until = answer["ExpiredTime"] - MARGIN
            role.failure = None
            return role.credentials

    def forget(self, arn: str) -> None:
        """The API did not accept the role's key: the next call asks for another."""
        with self._lock:
            self._roles.pop(arn, None)

    def secrets(self) -> list[str]:
        """What the log hides of the keys that are kept."""
        with self._lock:
            kept = [role.credentials for role in self._roles.values()]
        return [secret for key in kept if key is not None for secret in (key.secret_key, key.token)]


class Keys:
    """The key for each cluster, for one invocation."""

    def __init__(
        self,
        own: Callable[[], Credentials],
        roles: AssumedRoles,
        api: CloudApi,
        endpoint: Endpoint,
        hide: Callable[[Iterable[str]], None] | None = None,
    ) -> None:
        """``own`` gives our own key and may raise NotCarriedOut; ``hide`` is called with the secrets of each new key."""
        self._own = own
        self._roles = roles
        self._api = api
        self._endpoint = endpoint
        self._hide = hide

    def for_cluster(self, cluster: Cluster, deadline: Deadline) -> Credentials:
        """The key with which ``cluster`` is called.

        Raises NotCarriedOut, naming the role, where there is none: nothing was sent to the cluster then, whatever
        became of the role.
        """
        if not cluster.role_arn:
            return self._own()
        return self._roles.credentials(cluster.role_arn, lambda: self._assume(cluster, deadline))

    def refused(self, cluster: Cluster) -> None:
        """The API did not accept the key for ``cluster``."""
        if cluster.role_arn:
            self._roles.forget(cluster.role_arn)

    def _assume(self, cluster: Cluster, deadline: Deadline) -> AssumedWire:
        host = self._endpoint.of_service("sts", cluster.region)
        product = Product("sts", VERSION, self._endpoint.scheme, host, cluster.region)
        params = {"RoleArn": cluster.role_arn, "RoleSessionName": SESSION, "DurationSeconds": SECONDS}
        try:
            answer = ASSUMED.validate(
                self._api.call(product, self._own(), "AssumeRole", params, deadline), "AssumeRole"
            )
        except ApiError as error:
            raise not_assumed(cluster.role_arn, error) from None
        except InvalidInput as error:
            raise NeverSent("AssumeRole.Unreadable", f"the role {cluster.role_arn} is not assumed: {error}") from None
        if self._hide is not None:
            key = answer["Credentials"]
            self._hide((key["TmpSecretKey"], key["Token"]))
        return answer


def not_assumed(arn: str, error: ApiError) -> ApiError:
    """Translate a failed AssumeRole for the request that needed it.

    That request was never sent, or it is refused for good.
    """
    code = f"AssumeRole.{error.code}"
    text = f"the role {arn} is not assumed: {error.message}"
    if isinstance(error, NotAuthenticated):
        return NotAuthenticated(code, text, error.request_id)
    if isinstance(error, NotAuthorized):
        hint = "our own role needs sts:AssumeRole on it, and its trust policy has to name our account"
        return NotAuthorized(code, f"{text}; {hint}", error.request_id)
    may_pass = error.code == "InvalidParameter.OverLimit" or isinstance(error, (NeverSent, Throttled, ClusterBusy))
    if isinstance(error, Rejected) and not may_pass:
        return Rejected(code, text, error.request_id)
    # A lost answer too: an AssumeRole that was carried out has acted on nothing.
    return NeverSent(code, text, error.request_id)

"""The API's errors, each bearing the cloud's own code.

    ApiError ├── AuthFailure         InvalidAuthorization, InvalidSecretId, SecretIdNotFound, SignatureExpire,
    SignatureFailure, TokenFailure ├── FailedOperation ├── InternalError       CamCgwError, WoodServerError ├──
    InvalidAction, NoSuchProduct, NoSuchVersion, UnsupportedProtocol, UnsupportedRegion ├── InvalidParameter
    InvalidInstanceName, InvalidIpList, InvalidJobFlow, InvalidServiceName, OverTimeError, RestartServiceUnsupported ├──
    MissingParameter, UnknownParameter ├── RequestLimitExceeded  GlobalRegionUinLimitExceeded, IPLimitExceeded,
    UinLimitExceeded ├── RequestSizeLimitExceeded, ServiceUnavailable ├── ResourceInUse       InstanceInProcess ├──
    ResourceNotFound    InstanceNotFound, RoleNotFound, ServiceNodeNotFound ├── UnauthorizedOperation  CheckCamAuth ├──
    UnsupportedOperation   ServiceNotSupport └── OtherError          a code that is not in this list

Sources: StartStopServiceOrMonitor (its list of error codes), the common error codes of API 3.0, and the SDK's
``errorcodes``.
"""

from __future__ import annotations

from typing import ClassVar, Final

#: Every class by its code.
BY_CODE: Final[dict[str, type[ApiError]]] = {}


class ApiError(Exception):
    """A refusal or failure as the API words it: ``code``, and ``message`` for a person."""

    code: ClassVar[str] = ""
    usual: ClassVar[str] = "The request failed."

    def __init_subclass__(cls, code: str = "", usual: str = "") -> None:
        super().__init_subclass__()
        cls.usual = usual or cls.usual
        if code:
            cls.code = code
            BY_CODE[code] = cls

    def __init__(self, message: str = "") -> None:
        self.message = message or self.usual
        super().__init__(f"{self.code}: {self.message}")


class OtherError(ApiError):
    """A code that is not drawn above: the API may grow new ones."""

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code  # type: ignore[misc]  # the one class whose code is its instance's
        super().__init__(message)


def of_code(code: str, message: str = "") -> ApiError:
    """The error that bears ``code``, known or not."""
    known = BY_CODE.get(code)
    return known(message) if known else OtherError(code, message)


# -- who asks


class AuthFailure(ApiError, code="AuthFailure", usual="The caller could not be authenticated."):
    """Of a signature, a key or a token."""


class InvalidAuthorization(
    AuthFailure, code="AuthFailure.InvalidAuthorization", usual="The Authorization header is not in the standard form."
):
    """The header cannot be taken apart."""


class InvalidSecretId(
    AuthFailure, code="AuthFailure.InvalidSecretId", usual="The SecretId is not a TencentCloud API key."
):
    """A key of another kind."""


class SecretIdNotFound(AuthFailure, code="AuthFailure.SecretIdNotFound", usual="The SecretId is not found."):
    """No such key, or deleted."""


class SignatureExpire(
    AuthFailure,
    code="AuthFailure.SignatureExpire",
    usual="The signature has expired: the timestamp is more than five minutes off.",
):
    """The caller's clock is off, or the request is old."""


class SignatureFailure(
    AuthFailure,
    code="AuthFailure.SignatureFailure",
    usual="The provided credentials could not be validated. Please check your signature is correct.",
):
    """The signature is not that of this request with this key."""


class TokenFailure(AuthFailure, code="AuthFailure.TokenFailure", usual="The token is missing, wrong or expired."):
    """Of temporary keys."""


class UnauthorizedOperation(ApiError, code="UnauthorizedOperation", usual="The operation is not authorised."):
    """Known, but without the right."""


class CheckCamAuth(
    UnauthorizedOperation,
    code="UnauthorizedOperation.CheckCamAuth",
    usual="The CAM policy does not allow the operation.",
):
    """A statement is missing in the caller's policy."""


# -- what is asked


class InvalidAction(ApiError, code="InvalidAction", usual="The action does not exist."):
    """No such action in this product and version."""


class NoSuchProduct(ApiError, code="NoSuchProduct", usual="The product does not exist."):
    """No such service."""


class NoSuchVersion(ApiError, code="NoSuchVersion", usual="The version does not exist."):
    """No such version of the service."""


class UnsupportedProtocol(ApiError, code="UnsupportedProtocol", usual="Only POST with a JSON body is supported."):
    """Method or content type."""


class UnsupportedRegion(ApiError, code="UnsupportedRegion", usual="The service does not support this region."):
    """No such region."""


class MissingParameter(ApiError, code="MissingParameter", usual="The request is missing a required parameter."):
    """A required key is absent."""


class UnknownParameter(ApiError, code="UnknownParameter", usual="The request has a parameter that is not recognized."):
    """A key that the action does not have."""


class InvalidParameter(ApiError, code="InvalidParameter", usual="A parameter is not valid."):
    """Wrong type or value."""


class InvalidInstanceName(
    InvalidParameter, code="InvalidParameter.InvalidInstanceName", usual="The cluster's name is not valid."
):
    """Not ``emr-`` with lower-case letters and digits."""


class InvalidIpList(
    InvalidParameter, code="InvalidParameter.InvalidIpList", usual="The list of addresses is not valid."
):
    """An address that is none, or where the component does not run."""


class InvalidJobFlow(InvalidParameter, code="InvalidParameter.InvalidJobFlow", usual="The workflow is not valid."):
    """Of the action's own list; no cause is documented."""


class InvalidServiceName(
    InvalidParameter, code="InvalidParameter.InvalidServiceName", usual="The service's name is not valid."
):
    """The cluster does not have it."""


class OverTimeError(
    InvalidParameter, code="InvalidParameter.OverTimeError", usual="The role may not be assumed for so long."
):
    """DurationSeconds is above what the role allows."""


class RestartServiceUnsupported(
    InvalidParameter,
    code="InvalidParameter.RestartServiceUnsupported",
    usual="The service cannot be restarted in this way.",
):
    """ResourceManager and PrestoCoordinator are restarted by rolling only."""


# -- what it is asked of


class ResourceInUse(ApiError, code="ResourceInUse", usual="The resource is in use."):
    """Occupied."""


class InstanceInProcess(
    ResourceInUse, code="ResourceInUse.InstanceInProcess", usual="A workflow of the cluster is running."
):
    """Wait for it to end."""


class ResourceNotFound(ApiError, code="ResourceNotFound", usual="The resource does not exist."):
    """No such thing."""


class InstanceNotFound(ResourceNotFound, code="ResourceNotFound.InstanceNotFound", usual="The cluster is not found."):
    """No such cluster in this region."""


class ServiceNodeNotFound(
    ResourceNotFound, code="ResourceNotFound.ServiceNodeNotFound", usual="The service's node is not found."
):
    """The service has no such component."""


class RoleNotFound(ResourceNotFound, code="ResourceNotFound.RoleNotFound", usual="The role does not exist."):
    """The account has no such role."""


class UnsupportedOperation(ApiError, code="UnsupportedOperation", usual="The operation is not supported."):
    """Cannot be done here."""


class ServiceNotSupport(
    UnsupportedOperation,
    code="UnsupportedOperation.ServiceNotSupport",
    usual="The service does not support this operation.",
):
    """A service that cannot be started or stopped by the API."""


# -- not the caller's fault, or only by too much


class RequestLimitExceeded(
    ApiError, code="RequestLimitExceeded", usual="Your current request times equals to the limit in a second."
):
    """Throttled: certainly not carried out."""


class GlobalRegionUinLimitExceeded(RequestLimitExceeded, code="RequestLimitExceeded.GlobalRegionUinLimitExceeded"):
    """By account, over all regions."""


class IPLimitExceeded(RequestLimitExceeded, code="RequestLimitExceeded.IPLimitExceeded"):
    """By the caller's address."""


class UinLimitExceeded(RequestLimitExceeded, code="RequestLimitExceeded.UinLimitExceeded"):
    """By account."""


class RequestSizeLimitExceeded(ApiError, code="RequestSizeLimitExceeded", usual="The request is larger than 10 MB."):
    """A body beyond what TC3 allows."""


class FailedOperation(ApiError, code="FailedOperation", usual="The operation failed."):
    """In doubt: parts of it may have been done."""


class InternalError(ApiError, code="InternalError", usual="An internal error has occurred. Retry your request."):
    """In doubt: it may have been carried out."""


class CamCgwError(InternalError, code="InternalError.CamCgwError", usual="The CAM gateway failed."):
    """While the rights were looked up."""


class WoodServerError(InternalError, code="InternalError.WoodServerError", usual="The cluster's manager failed."):
    """While the workflow was handed to the cluster."""


class ServiceUnavailable(ApiError, code="ServiceUnavailable", usual="The service is temporarily unavailable."):
    """The API as a whole."""

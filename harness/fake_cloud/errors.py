"""The API's errors: one table of documented codes, and the exception that carries one.

An error arrives as HTTP 200 with an envelope, whatever its code. Sources: StartStopServiceOrMonitor (its list of error
codes), AssumeRole, the common error codes of API 3.0, and the SDK's ``errorcodes``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Code → the message, unless the place that raises it knows better.
MESSAGES: Final[Mapping[str, str]] = {
    # The caller
    "AuthFailure": "The caller could not be authenticated.",
    "AuthFailure.InvalidAuthorization": "The Authorization header is not in the standard form.",
    "AuthFailure.InvalidSecretId": "The SecretId is not a TencentCloud API key.",
    "AuthFailure.SecretIdNotFound": "The SecretId is not found.",
    "AuthFailure.SignatureExpire": "The signature has expired: the timestamp is more than five minutes off.",
    "AuthFailure.SignatureFailure": "The provided credentials could not be validated. Please check your signature is correct.",
    "AuthFailure.TokenFailure": "The token is missing, wrong or expired.",
    "UnauthorizedOperation": "The operation is not authorized.",
    "UnauthorizedOperation.CheckCamAuth": "The CAM policy does not allow the operation.",
    # The action
    "InvalidAction": "The action does not exist.",
    "NoSuchProduct": "The product does not exist.",
    "NoSuchVersion": "The version does not exist.",
    "UnsupportedProtocol": "Only POST with a JSON body is supported.",
    "UnsupportedRegion": "The service does not support this region.",
    # Its parameters
    "MissingParameter": "The request is missing a required parameter.",
    "UnknownParameter": "The request has a parameter that is not recognized.",
    "InvalidParameter": "A parameter is not valid.",
    "InvalidParameter.InvalidInstanceName": "The cluster's name is not valid.",
    "InvalidParameter.InvalidIpList": "The list of addresses is not valid.",
    "InvalidParameter.InvalidJobFlow": "The workflow is not valid.",  # no cause is documented
    "InvalidParameter.InvalidServiceName": "The service's name is not valid.",
    "InvalidParameter.OverTimeError": "The role may not be assumed for so long.",
    "InvalidParameter.RestartServiceUnsupported": "The service cannot be restarted in this way.",
    # The resource
    "ResourceInUse": "The resource is in use.",
    "ResourceInUse.InstanceInProcess": "A workflow of the cluster is running.",
    "ResourceNotFound": "The resource does not exist.",
    "ResourceNotFound.InstanceNotFound": "The cluster is not found.",
    "ResourceNotFound.RoleNotFound": "The role does not exist.",
    "ResourceNotFound.ServiceNodeNotFound": "The service's node is not found.",
    "UnsupportedOperation": "The operation is not supported.",
    "UnsupportedOperation.ServiceNotSupport": "The service does not support this operation.",
    # Throttled, or too large: certainly not carried out
    "RequestLimitExceeded": "Your current request times equals to the limit in a second.",
    "RequestLimitExceeded.GlobalRegionUinLimitExceeded": "The account's limit over all regions is reached.",
    "RequestLimitExceeded.IPLimitExceeded": "The limit of the caller's address is reached.",
    "RequestLimitExceeded.UinLimitExceeded": "The account's limit is reached.",
    "RequestSizeLimitExceeded": "The request is larger than 10 MB.",
    # The cloud's own errors: the request may have been carried out, or a part of it
    "FailedOperation": "The operation failed.",
    "InternalError": "An internal error has occurred. Retry your request.",
    "InternalError.CamCgwError": "The CAM gateway failed.",
    "InternalError.WoodServerError": "The cluster's manager failed.",
    "ServiceUnavailable": "The service is temporarily unavailable.",
}


class ApiError(Exception):
    """A refusal or failure as the API words it.

    ``code`` is one of :data:`MESSAGES`, or one that an injected fault makes up: the API may grow new ones.
    """

    def __init__(self, code: str, message: str = "") -> None:
        self.code = code
        self.message = message or MESSAGES.get(code, "The request failed.")
        super().__init__(f"{code}: {self.message}")


def missing_parameter(name: str) -> ApiError:
    """The error of a request without the required parameter ``name``."""
    return ApiError("MissingParameter", f"The request is missing a required parameter `{name}`.")

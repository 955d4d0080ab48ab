"""The API over HTTP: caller, action, parameters, and the answer in its envelope.

Errors arrive as HTTP 200 with ``{"Response": {"Error": {"Code", "Message"}, "RequestId"}}`` (API 3.0, Responses).
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Final

from harness.clock import SystemClock
from harness.fake_cloud.cloud import REGIONS, Request
from harness.fake_cloud.errors import ApiError, missing_parameter
from harness.fake_cloud.wire import parameters, signature
from harness.fake_cloud.wire.actions import ACTIONS, Answer, ValidRequest
from harness.faults import distorted
from harness.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.clock import Clock
    from harness.fake_cloud.cloud import Cloud
    from harness.faults import Fault
    from harness.messages import Call

#: What TC3 allows in a body.
MAX_BODY: Final = 10 * 1024 * 1024

VERSIONS: Final[Mapping[str, str]] = {"emr": "2019-01-03", "eb": "2021-04-16", "sts": "2018-08-13"}


class Api:
    """The API of a :class:`Cloud`. Each call is checked, carried out and recorded."""

    def __init__(self, cloud: Cloud, signed_by: Clock | None = None) -> None:
        """``signed_by`` is the clock that checks signatures and that the Date header shows.

        The default is the machine's own, even if the cloud's time is virtual: the SDK signs with the machine's.
        """
        self.cloud = cloud
        self.signed_by = signed_by or SystemClock()

    def answer(self, call: Call, instead: ApiError | None = None, *, although_carried_out: bool = False) -> Reply:
        """Serve ``call`` and record it.

        ``instead`` is answered to a well-signed request in place of its own answer; with ``although_carried_out`` the
        request has its effect first.
        """
        request_id = str(uuid.uuid4())
        params: dict[str, Any] = {}
        error: ApiError | None = None
        answer: Answer = {}
        with self.cloud.current() as now:
            try:
                service = self._admit(call)
                params = parameters.read_object(call.body)
                if instead is None or although_carried_out:
                    answer = self._carry_out(service, call, params, request_id)
                if instead is not None:
                    raise instead
            except ApiError as refusal:
                error = refusal
            self.cloud.record(
                Request(
                    action=call.action,
                    params=params,
                    secret_id=signature.claimed_secret_id(call),
                    region=call.header("x-tc-region"),
                    at=now,
                    request_id=request_id,
                    error=error.code if error else None,
                )
            )
        return _enveloped(_error_answer(error) if error else answer, request_id)

    def answer_with(self, call: Call, fault: Fault) -> Reply:
        """The answer that ``fault`` leaves. The fault decides whether ``call`` is carried out."""
        if fault.kind.is_api_error:
            error = ApiError(fault.code, fault.message)
            reply = self.answer(call, error, although_carried_out=fault.although_carried_out)
        else:
            reply = self.answer(call) if fault.carried_out else Reply(b"")
        return distorted(reply, fault)

    def _admit(self, call: Call) -> str:
        """The service that is called. Raises what is wrong with ``call`` apart from its parameters."""
        if call.method != "POST" or call.header("content-type").partition(";")[0].strip() != "application/json":
            raise ApiError("UnsupportedProtocol")
        if len(call.body) > MAX_BODY:
            raise ApiError("RequestSizeLimitExceeded")
        for name in ("X-TC-Action", "X-TC-Version"):
            if not call.header(name):
                raise missing_parameter(name)
        caller = signature.verify(call, self.cloud.credentials, self.signed_by.now())
        service = _service(call, caller.service)
        if call.header("x-tc-version") != VERSIONS[service]:
            raise ApiError("NoSuchVersion", f"{service} has no version {call.header('x-tc-version')}.")
        if (service, call.action) not in ACTIONS:
            raise ApiError("InvalidAction", f"{service} has no action {call.action}.")
        region = call.header("x-tc-region")
        if not region:
            raise missing_parameter("X-TC-Region")
        if region not in REGIONS:
            raise ApiError("UnsupportedRegion", f"{service} does not support region {region}.")
        self.cloud.authorize(caller.secret_id, call.action)
        self.cloud.throttle(call.action)
        return service

    def _carry_out(self, service: str, call: Call, params: dict[str, Any], request_id: str) -> Answer:
        request = ValidRequest(
            cloud=self.cloud,
            params=params,
            values=parameters.check(service, call.action, params),
            secret_id=signature.claimed_secret_id(call),
            region=call.header("x-tc-region"),
            request_id=request_id,
            english=call.header("x-tc-language") == "en-US",
        )
        return ACTIONS[service, call.action](request)


def _enveloped(answer: Answer, request_id: str) -> Reply:
    body = {"Response": {**answer, "RequestId": request_id}}
    # A lone surrogate that a request brought along goes back as it came, as an escape.
    return Reply(json.dumps(body, ensure_ascii=False).encode(errors="backslashreplace"))


def _error_answer(error: ApiError) -> Answer:
    return {"Error": {"Code": error.code, "Message": error.message}}


def _service(call: Call, signed: str) -> str:
    """The service that is called.

    The cloud's own host names contain it, and the signature must be for it. With a local endpoint the signature's scope
    names it, unless the client took that scope from the endpoint's first label, as the Node SDK does. Then the version
    decides.
    """
    host = call.header("host").rpartition("//")[2].partition(":")[0]
    if host.endswith(".tencentcloudapi.com"):
        service = host.partition(".")[0]
        if service in VERSIONS and signed != service:
            raise ApiError("AuthFailure.SignatureFailure", f"The signature is for {signed}.")
    else:
        service = signed
        if service == host.partition(".")[0]:
            service = next((name for name, its in VERSIONS.items() if its == call.header("x-tc-version")), "emr")
    if service not in VERSIONS:
        raise ApiError("NoSuchProduct", f"There is no product {service}.")
    return service

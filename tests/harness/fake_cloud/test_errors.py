"""Every documented error code can be produced, by the cloud's state or by an injected fault."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tencentcloud.emr.v20190103 import errorcodes

import harness
from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS
from harness.fake_cloud.errors import MESSAGES, ApiError
from harness.faults import Fault
from tests.harness.calls import (
    START_STOP,
    refusal,
    request,
    scope,
)

#: StartStopServiceOrMonitor's own list, what the SDK adds to it, and the common errors.
DOCUMENTED = [
    "FailedOperation",
    "InternalError.CamCgwError",
    "InternalError.WoodServerError",
    "InvalidParameter.InvalidInstanceName",
    "InvalidParameter.InvalidJobFlow",
    "ResourceInUse.InstanceInProcess",
    "ResourceNotFound.InstanceNotFound",
    "UnauthorizedOperation.CheckCamAuth",
    "UnsupportedOperation.ServiceNotSupport",
    "InvalidParameter.InvalidServiceName",
    "InvalidParameter.InvalidIpList",
    "InvalidParameter.RestartServiceUnsupported",
    "ResourceNotFound.ServiceNodeNotFound",
]
COMMON = [
    "AuthFailure.SignatureExpire",
    "AuthFailure.SignatureFailure",
    "AuthFailure.SecretIdNotFound",
    "AuthFailure.TokenFailure",
    "AuthFailure.InvalidSecretId",
    "RequestLimitExceeded",
    "RequestLimitExceeded.UinLimitExceeded",
    "RequestLimitExceeded.IPLimitExceeded",
    "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
    "RequestSizeLimitExceeded",
    "ServiceUnavailable",
    "InternalError",
]


def _busy(cloud: Cloud) -> None:
    cloud.cluster(ANALYTICS).status = 4


def _failed(cloud: Cloud) -> None:
    cloud.cluster(ANALYTICS).status = 302


def _denied(cloud: Cloud) -> None:
    cloud.denied.add((SECRET_ID, START_STOP))


def _unsupported(cloud: Cloud) -> None:
    cloud.cluster(ANALYTICS).unsupported.add("HDFS")


def _throttled(cloud: Cloud) -> None:
    cloud.requests_per_second = 0


def _token_wanted(cloud: Cloud) -> None:
    cloud.credentials[SECRET_ID] = (SECRET_KEY, "token")


def _other_key(cloud: Cloud) -> None:
    cloud.credentials[SECRET_ID] = ("another", None)


def _key_deleted(cloud: Cloud) -> None:
    del cloud.credentials[SECRET_ID]


def _nothing(_: Cloud) -> None:
    pass


_RESTART: dict[str, Any] = {"OpType": "RestartService", "StrategyConfig": {"RollingRestartSwitch": 0}}
#: The code, what is wrong with the cloud, what is wrong with the request.
BY_STATE: list[tuple[str, Callable[[Cloud], None], dict[str, Any]]] = [
    ("FailedOperation", _failed, request()),
    ("InvalidParameter.InvalidInstanceName", _nothing, request(InstanceId="emr_4zvc5mul")),
    ("ResourceInUse.InstanceInProcess", _busy, request()),
    ("ResourceNotFound.InstanceNotFound", _nothing, request(InstanceId="emr-00000000")),
    ("UnauthorizedOperation.CheckCamAuth", _denied, request()),
    ("UnsupportedOperation.ServiceNotSupport", _unsupported, request()),
    ("InvalidParameter.InvalidServiceName", _nothing, request(OpScope=scope("KUDU"))),
    ("InvalidParameter.InvalidIpList", _nothing, request(OpScope=scope("HDFS", "DataNode", ["10.9.9.9"]))),
    ("InvalidParameter.RestartServiceUnsupported", _nothing, request(**_RESTART, OpScope=scope("YARN"))),
    ("ResourceNotFound.ServiceNodeNotFound", _nothing, request(OpScope=scope("HDFS", "Router"))),
    ("AuthFailure.SignatureFailure", _other_key, request()),
    ("AuthFailure.SecretIdNotFound", _key_deleted, request()),
    ("AuthFailure.TokenFailure", _token_wanted, request()),
    ("RequestLimitExceeded", _throttled, request()),
    ("RequestSizeLimitExceeded", _nothing, request(ClientToken="x" * (10 * 1024 * 1024))),
]


@pytest.mark.parametrize(("code", "break_it", "params"), BY_STATE, ids=[row[0] for row in BY_STATE])
def test_each_state_has_its_error_code(
    cloud: Cloud, client: Any, code: str, break_it: Callable[[Cloud], None], params: dict[str, Any]
) -> None:
    """A wrong cluster, caller or request has its documented code, and nothing is done."""
    break_it(cloud)
    assert refusal(client, START_STOP, params)[0] == code
    assert not cloud.operations


@pytest.mark.parametrize("code", [*DOCUMENTED, *COMMON, "LimitExceeded.NewToday"])
def test_every_code_can_be_provoked(cloud: Cloud, adapter: CloudAdapter, client: Any, code: str) -> None:
    """Codes that no state causes can be injected, unknown ones too; the next request is served."""
    adapter.faults.add(Fault.api_error(code, START_STOP))
    client.call_json("DescribeInstances", {"DisplayStrategy": "clusterList"})
    assert refusal(client, START_STOP, request())[0] == code
    assert [record.error for record in cloud.requests] == [None, code]
    assert not cloud.operations
    client.call_json(START_STOP, request())
    assert len(cloud.operations) == 1


def test_every_documented_code_has_a_message() -> None:
    """No documented code is missing in the table, and the SDK knows each of the action's too."""
    assert set(DOCUMENTED) | set(COMMON) <= set(MESSAGES)
    in_sdk = {value for name, value in vars(errorcodes).items() if name.isupper()}
    assert set(DOCUMENTED) <= in_sdk
    assert all(ApiError(code).message for code in MESSAGES)


@pytest.mark.parametrize("code", ["InternalError.WoodServerError", "FailedOperation"])
def test_an_error_may_be_answered_after_the_effect(cloud: Cloud, adapter: CloudAdapter, client: Any, code: str) -> None:
    """An internal error does not prove that nothing was done: the fake can act and answer so."""
    adapter.faults.add(Fault.api_error(code, although_carried_out=True))
    assert refusal(client, START_STOP, request())[0] == code
    assert (len(cloud.operations), cloud.requests[0].error) == (1, code)


def test_throttling_ends_after_so_many_times(cloud: Cloud, adapter: CloudAdapter, client: Any) -> None:
    """The throttled tries leave no trace in the cluster, the next one does."""
    adapter.faults.add(Fault.throttle(3))
    for _ in range(3):
        assert refusal(client, START_STOP, request())[0] == "RequestLimitExceeded"
    client.call_json(START_STOP, request())
    assert (len(cloud.operations), len(cloud.requests_for(START_STOP)), len(adapter.faults)) == (1, 4, 0)


def test_every_code_that_is_raised_is_in_the_table() -> None:
    """A misspelt code would be an error that the real API does not have."""
    raised = {
        node.args[0].value
        for path in Path(harness.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ApiError"
        if isinstance(node.args[0], ast.Constant)
    }
    assert len(raised) > 20
    assert raised <= set(MESSAGES)

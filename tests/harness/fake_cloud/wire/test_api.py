"""Which callers may call which action in which region, and how any body is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tencentcloud.common.exception import TencentCloudSDKException

from harness.clock import VirtualClock
from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from harness.fake_cloud.sdk_clients import KEY, common_client
from tests.harness.calls import (
    START_STOP,
    refusal,
    request,
    response,
)


@pytest.mark.parametrize(
    ("options", "action", "code"),
    [
        ({"key": ("AKIDunknown", SECRET_KEY, None)}, "DescribeInstances", "AuthFailure.SecretIdNotFound"),
        ({"key": (SECRET_ID, "wrong", None)}, "DescribeInstances", "AuthFailure.SignatureFailure"),
        ({"key": (SECRET_ID, SECRET_KEY, "token")}, "DescribeInstances", "AuthFailure.TokenFailure"),
        ({"version": "2018-01-01"}, "DescribeInstances", "NoSuchVersion"),
        ({}, "DescribeEverything", "InvalidAction"),
        ({}, "PutEvents", "InvalidAction"),
        ({"region": "mars-1"}, "DescribeInstances", "UnsupportedRegion"),
        ({"region": ""}, "DescribeInstances", "MissingParameter"),
    ],
)
def test_a_wrong_caller_or_address_is_refused(cloud: Cloud, options: dict[str, Any], action: str, code: str) -> None:
    """Key, token, version, action and region each have their error, which is on record."""
    with common_client(cloud, **options) as client:
        assert refusal(client, action, {"DisplayStrategy": "clusterList"})[0] == code
    assert [record.error for record in cloud.requests] == [code]


def test_a_temporary_key_needs_its_token(cloud: Cloud) -> None:
    """With the token it was registered with it is let in."""
    cloud.credentials["AKIDtemporary"] = ("key", "session-token")
    with common_client(cloud, key=("AKIDtemporary", "key", "session-token")) as client:
        assert response(client, "DescribeInstances", {"DisplayStrategy": "clusterList"})["TotalCnt"] == 1


def test_the_default_key_is_the_only_one() -> None:
    """A new cloud accepts the exported key pair and no other."""
    assert Cloud(VirtualClock()).credentials == {KEY[0]: (KEY[1], None)}


def test_a_signature_expires(cloud: Cloud) -> None:
    """A caller whose clock is more than five minutes off is refused."""
    with common_client(CloudAdapter(cloud, signed_by=VirtualClock())) as client:
        assert refusal(client, START_STOP, request())[0] == "AuthFailure.SignatureExpire"


def test_an_unknown_product_is_refused(adapter: CloudAdapter) -> None:
    """A request for an unknown service is not taken for one of another service."""
    with common_client(adapter, service="cvm") as client:
        assert refusal(client, "DescribeInstances", {})[0] == "NoSuchProduct"


def test_a_signature_is_for_one_service(cloud: Cloud) -> None:
    """A signature for eb is refused by emr."""
    with common_client(cloud, service="eb") as client:
        client.profile.httpProfile.endpoint = "emr.tencentcloudapi.com"
        assert (
            refusal(client, "DescribeInstances", {"DisplayStrategy": "clusterList"})[0]
            == "AuthFailure.SignatureFailure"
        )


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'{"InstanceId": NaN}',
        b'{"InstanceId": "a", "InstanceId": "b"}',
        b"\xff",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=["cut", "list", "null", "NaN", "key twice", "not UTF-8", "deep", "huge number"],
)
def test_a_body_that_is_not_a_json_object_is_refused(cloud: Cloud, client: Any, body: bytes) -> None:
    """Whatever the body is, the answer is an error in the envelope and nothing is done."""
    with pytest.raises(TencentCloudSDKException) as caught:
        send_raw(client, body)
    assert caught.value.get_code() == "InvalidParameter"
    assert not cloud.operations


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # the first call loads the SDK
@given(
    action=st.sampled_from([START_STOP, "DescribeInstances", "DescribeInstancesList", "DescribeServiceNodeInfos"]),
    key=st.sampled_from(
        ["InstanceId", "OpType", "OpScope", "StrategyConfig", "ServiceName", "Limit", "Offset", "Filters"]
    ),
    value=_json,
)
def test_whatever_is_sent_is_answered(action: str, key: str, value: Any) -> None:
    """Any JSON for any parameter is answered or refused, and never ends in a crash."""
    params = request() if action == START_STOP else {"DisplayStrategy": "clusterList"}
    if action == "DescribeServiceNodeInfos":
        params = {"InstanceId": ANALYTICS, "ServiceName": "HDFS"}
    cloud = demo_cloud(VirtualClock())
    with common_client(cloud) as client:
        try:
            client.call_json(action, {**params, key: value})
        except TencentCloudSDKException as error:
            earned = error.get_code()
        else:
            earned = None
    assert [record.error for record in cloud.requests] == [earned]
    refusals = ("InvalidParameter", "UnknownParameter", "MissingParameter", "ResourceNotFound")
    assert earned is None or earned.startswith(refusals)


def send_raw(client: Any, body: bytes) -> None:
    """``body`` as it is, signed by the SDK."""
    from tencentcloud.common import abstract_client

    class Verbatim:
        @staticmethod
        def dumps(_: Any) -> bytes:
            return body

        loads = staticmethod(json.loads)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(abstract_client, "json", Verbatim)
        client.call_json(START_STOP, {})


def test_a_lone_surrogate_comes_back_as_it_was_sent(client: Any) -> None:
    """A name that is not valid Unicode does not break the answer that repeats it."""
    code, message = refusal(client, START_STOP, {"\ud800": None})
    assert (code, "\ud800" in message) == ("InvalidParameter", True)


def test_a_second_has_room_for_so_many_requests(cloud: Cloud, client: Any, clock: VirtualClock) -> None:
    """Beyond the limit an action is throttled, others are not; the next second has room again."""
    cloud.requests_per_second = 2
    look = {"DisplayStrategy": "clusterList"}
    for _ in range(2):
        client.call_json("DescribeInstances", look)
    assert refusal(client, "DescribeInstances", look)[0] == "RequestLimitExceeded"
    client.call_json("DescribeInstancesList", look)
    clock.advance(1)
    client.call_json("DescribeInstances", look)

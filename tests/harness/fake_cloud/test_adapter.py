"""The fake cloud as a transport in the same process."""

from __future__ import annotations

import pytest
import requests
from tencentcloud.common.exception import TencentCloudSDKException

from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.sdk_clients import common_client
from harness.faults import Kind
from tests.harness.calls import LOOK, RESTART, START_STOP


def test_on_send_is_called_before_each_request(cloud: Cloud) -> None:
    """The API has not seen the request yet at that moment, whatever fault the request meets."""
    seen: list[int] = []
    adapter = CloudAdapter(cloud, on_send=lambda: seen.append(len(cloud.requests)))
    with common_client(adapter) as client:
        client.call_json("DescribeInstances", LOOK)
        adapter.faults.add(Kind.RESET_BEFORE_READING)
        with pytest.raises(TencentCloudSDKException):
            client.call_json(START_STOP, RESTART)
        client.call_json(START_STOP, RESTART)
    assert seen == [0, 1, 1]


def test_what_on_send_forbids_is_not_sent(cloud: Cloud) -> None:
    """If it raises, the request never leaves: no fault is met, and nothing is recorded."""

    def forbid() -> None:
        raise ConnectionError("not any more")

    adapter = CloudAdapter(cloud, on_send=forbid)
    adapter.faults.add(Kind.HTML)
    with common_client(adapter) as client, pytest.raises(TencentCloudSDKException, match="not any more"):
        client.call_json(START_STOP, RESTART)
    assert (cloud.requests, len(adapter.faults)) == ([], 1)


def test_a_streamed_body_is_not_served(cloud: Cloud) -> None:
    """The SDK sends whole bodies; anything else is a mistake in a test."""
    with requests.Session() as session:
        session.mount("https://", CloudAdapter(cloud))
        with pytest.raises(TypeError, match="whole bodies"):
            session.post("https://emr.tencentcloudapi.com/", data=iter([b"{}"]))

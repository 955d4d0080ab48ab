"""A demonstration cloud on a virtual clock, and a client of it in process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.clock import VirtualClock
from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.sdk_clients import common_client
from harness.fake_cloud.server import CloudServer


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def cloud(clock: VirtualClock) -> Cloud:
    return demo_cloud(clock)


@pytest.fixture
def adapter(cloud: Cloud) -> CloudAdapter:
    return CloudAdapter(cloud)


@pytest.fixture
def client(adapter: CloudAdapter) -> Iterator[Any]:
    with common_client(adapter) as client:
        yield client


@pytest.fixture
def server() -> Iterator[CloudServer]:
    with CloudServer(demo_cloud(VirtualClock())) as server:
        yield server

"""pytest fixtures for anybody's code that calls EMR through the official SDK.

In a conftest.py::

    pytest_plugins = ["harness.pytest_plugin"]

In a test::

    def test_a_dead_datanode_is_restarted(emr_cloud, emr_clock):
        process = emr_cloud.process(ANALYTICS, "DataNode", "172.16.0.5")
        process.kill()
        code_under_test()  # with the SDK's real client, and no endpoint of its own
        emr_clock.advance(3)
        assert process.is_running
        assert len(emr_cloud.requests_for("StartStopServiceOrMonitor")) == 1

The clusters are those of ``harness.fake_cloud.demo_clusters``; :meth:`Cloud.add_cluster` adds others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
import requests

from harness.clock import VirtualClock
from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.faults import FaultQueue

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emr_clock() -> VirtualClock:
    """The clock of the fake cloud. It stands still until the test moves it."""
    return VirtualClock()


@pytest.fixture
def emr_credentials(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The secret id and key that the fake cloud knows.

    They are also in the environment, where the SDK looks for them.
    """
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", SECRET_ID)
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)
    return SECRET_ID, SECRET_KEY


@pytest.fixture
def emr_adapter(
    emr_clock: VirtualClock, emr_credentials: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> CloudAdapter:
    """The transport that answers each request of this process to ``*.tencentcloudapi.com``.

    It answers clients that were made before the test too. Other hosts are not touched. The SDK's asynchronous clients
    do not use ``requests``, and are not answered.
    """
    adapter, real = CloudAdapter(demo_cloud(emr_clock)), requests.Session.get_adapter

    def get_adapter(session: requests.Session, url: str) -> requests.adapters.BaseAdapter:
        host = urlsplit(url).hostname or ""
        return adapter if host.endswith(".tencentcloudapi.com") else real(session, url)

    monkeypatch.setattr(requests.Session, "get_adapter", get_adapter)
    return adapter


@pytest.fixture
def emr_cloud(emr_adapter: CloudAdapter) -> Cloud:
    """A fake cloud in this process, which every SDK client of this process talks to.

    It has the clusters, which a test harms and looks at, and a record of every request.
    """
    return emr_adapter.cloud


@pytest.fixture
def emr_faults(emr_adapter: CloudAdapter) -> FaultQueue:
    """The injected faults that the next requests to ``emr_cloud`` meet."""
    return emr_adapter.faults


@pytest.fixture
def emr_server(emr_clock: VirtualClock, emr_credentials: tuple[str, str]) -> Iterator[CloudServer]:
    """Another fake cloud, behind ``http://127.0.0.1:PORT``: for other processes and languages.

    Give its ``endpoint`` to ``HttpProfile(protocol="http", endpoint=…)``; ``cloud`` and ``faults`` are as above.
    """
    with CloudServer(demo_cloud(emr_clock)) as server:
        yield server

"""Each kind of injected fault: what the SDK shows, and whether the request was carried out."""

from __future__ import annotations

import time

import pytest
from tencentcloud.common.exception import TencentCloudSDKException

from harness.clock import VirtualClock
from harness.fake_cloud.adapter import CloudAdapter
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.sdk_clients import common_client
from harness.fake_cloud.server import CloudServer
from harness.faults import Fault, Kind
from tests.harness.calls import (
    LOOK,
    RESTART,
    START_STOP,
    outcome,
)

#: What the SDK shows of each fault, on sockets and in process alike.
FAULTS = [
    (Kind.MUTE_FROM_ACCEPT, "ClientNetworkError"),
    (Kind.RESET_BEFORE_READING, "ClientNetworkError"),
    (Kind.RESET_AFTER_READING, "ClientNetworkError"),
    (Kind.CLOSE_SILENTLY, "ClientNetworkError"),
    (Kind.HANG_BEFORE, "ClientNetworkError"),
    (Kind.HANG_AFTER, "ClientNetworkError"),
    (Kind.CUT_BODY, "ChunkedEncodingError"),
    (Kind.DRIPPED_BODY, "accepted"),
    (Kind.BAD_GATEWAY, "ServerNetworkError"),
    (Kind.BAD_GATEWAY_AFTER, "ServerNetworkError"),
    (Kind.GATEWAY_TIMEOUT, "ServerNetworkError"),
    (Kind.HTML, "JSONDecodeError"),
    (Kind.BROKEN_JSON, "JSONDecodeError"),
    (Kind.NOT_AN_OBJECT, "TypeError"),
    (Kind.NO_RESPONSE_KEY, "KeyError"),
    (Kind.NO_REQUEST_ID, "no RequestId"),
    (Kind.HUGE_BODY, "accepted"),
    (Kind.API_ERROR, "InternalError"),
    (Kind.ERROR_WITH_CHARSET, "error taken for a success"),
    (Kind.ERROR_WITHOUT_REQUEST_ID, "KeyError"),
]


@pytest.mark.parametrize("over_sockets", [True, False], ids=["sockets", "in process"])
@pytest.mark.parametrize(("kind", "seen"), FAULTS, ids=[kind.name for kind, _ in FAULTS])
def test_each_fault_is_seen_as_documented_and_carried_out_or_not(over_sockets: bool, kind: Kind, seen: str) -> None:
    """The SDK shows what the table lists, the cloud acted or not, and the next request works."""
    cloud = demo_cloud(VirtualClock())
    fault = Fault(kind, seconds=0.002 if kind is Kind.DRIPPED_BODY else None)
    with CloudServer(cloud) as server:
        where = server if over_sockets else CloudAdapter(cloud)
        where.faults.add(fault)
        hangs = kind in (Kind.MUTE_FROM_ACCEPT, Kind.HANG_BEFORE, Kind.HANG_AFTER)
        with common_client(where, timeout=0.3 if hangs else 10) as client:
            assert outcome(client) == seen
            assert len(cloud.operations) == int(kind.carried_out)
            assert [met.kind for met, _ in where.faults.met] == [kind]
            assert outcome(client, "DescribeInstances", LOOK) == "accepted"


def test_no_kind_of_fault_is_left_out() -> None:
    """Every kind is in the table above, except the redirect, which has its own test."""
    assert {kind for kind, _ in FAULTS} == set(Kind) - {Kind.REDIRECT}


@pytest.mark.parametrize("over_sockets", [True, False], ids=["sockets", "in process"])
def test_a_followed_redirect_sends_the_request_again(over_sockets: bool) -> None:
    """The session follows a 307 by default: then one intent makes two requests."""
    cloud = demo_cloud(VirtualClock())
    with CloudServer(cloud) as server:
        where = server if over_sockets else CloudAdapter(cloud)
        where.faults.add(Kind.REDIRECT, Kind.REDIRECT)
        with common_client(where) as client:
            session = client.request.conn._session
            session.max_redirects = 0
            assert outcome(client) == "ClientNetworkError"
            assert not cloud.operations
            session.max_redirects = 1
            assert outcome(client) == "accepted"
    assert len(cloud.operations) == 1


def test_a_dripped_body_outlasts_the_socket_timeout(server: CloudServer) -> None:
    """Each byte comes in time, the whole does not: a socket's timeout does not bound a call."""
    server.faults.add(Fault(Kind.DRIPPED_BODY, seconds=0.01))
    with common_client(server, timeout=0.2) as client:
        started = time.monotonic()
        assert outcome(client) == "accepted"
    assert time.monotonic() - started > 0.4


def test_a_huge_body_is_as_large_as_asked(server: CloudServer) -> None:
    """Its size can be chosen."""
    server.faults.add(Fault(Kind.HUGE_BODY, size=100_000))
    with common_client(server) as client:
        assert len(client.call("DescribeInstances", LOOK)) > 100_000


def test_a_reset_is_a_reset(server: CloudServer) -> None:
    """Before and after reading, the client's innermost exception is ConnectionResetError."""
    for kind in (Kind.RESET_BEFORE_READING, Kind.RESET_AFTER_READING):
        server.faults.add(kind)
        with common_client(server) as client, pytest.raises(TencentCloudSDKException) as caught:
            client.call_json(START_STOP, RESTART)
        chain = []
        error: BaseException | None = caught.value
        while error:
            chain.append(type(error))
            error = error.__context__
        assert ConnectionResetError in chain

"""The fake cloud over real sockets, asked by the official SDK and by other clients."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import pytest
from tencentcloud.emr.v20190103 import models

from harness.clock import SystemClock, VirtualClock
from harness.fake_cloud.cloud import SECRET_ID
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from harness.fake_cloud.sdk_clients import common_client, typed_client
from harness.fake_cloud.server import HANG_SECONDS, CloudServer
from harness.faults import Fault, Kind
from tests.harness.calls import (
    LOOK,
    RESTART,
    START_STOP,
    outcome,
)


def test_the_common_client_restarts_a_process(server: CloudServer) -> None:
    """A request that the SDK signs and sends is carried out, and the SDK sees the result."""
    process = server.cloud.process(ANALYTICS, "DataNode", "172.16.0.5")
    process.kill()
    with common_client(server) as client:
        assert set(client.call_json(START_STOP, RESTART)["Response"]) == {"RequestId"}
        server.cloud.clock.sleep(3)
        params = {"InstanceId": ANALYTICS, "ServiceName": "HDFS", "SearchText": "172.16.0.5"}
        (node,) = client.call_json("DescribeServiceNodeInfos", params)["Response"]["ServiceNodeList"]
    assert (node["NodeName"], node["HealthStatus"]["Code"], node["LastRestartTime"]) == (
        "DataNode",
        1,
        process.last_restart,
    )
    assert process.restarts == 1


def test_the_typed_client_is_served_over_sockets(server: CloudServer) -> None:
    """The generated client acts and looks, its models filled from the answers."""
    with typed_client(server) as client:
        act = models.StartStopServiceOrMonitorRequest()
        act.from_json_string(json.dumps(RESTART))
        assert client.StartStopServiceOrMonitor(act).RequestId == server.cloud.operations[0].request_id
        look = models.DescribeServiceNodeInfosRequest()
        look.from_json_string(json.dumps({"InstanceId": ANALYTICS, "ServiceName": "HDFS", "Limit": 50}))
        answer = client.DescribeServiceNodeInfos(look)
    assert (answer.TotalCnt, {node.NodeName for node in answer.ServiceNodeList}) == (
        12,
        {"NameNode", "JournalNode", "ZKFailoverController", "DataNode"},
    )


def test_a_wrong_key_is_refused_over_sockets(server: CloudServer) -> None:
    """The signature is checked, and nothing is done for a caller without the key."""
    with common_client(server, key=(SECRET_ID, "wrong", None)) as client:
        assert outcome(client) == "AuthFailure.SignatureFailure"
    assert not server.cloud.operations


def test_many_callers_are_served_while_one_hangs() -> None:
    """Twenty clients are answered while the request of another hangs until the server ends."""
    done: list[str] = []

    def look(at: CloudServer, action: str) -> None:
        with common_client(at, timeout=30) as client:
            done.append(outcome(client, action, LOOK))

    with CloudServer(demo_cloud(VirtualClock())) as server:
        server.faults.add(Fault(Kind.HANG_AFTER, "DescribeInstancesList"))
        hanging = threading.Thread(target=look, args=(server, "DescribeInstancesList"))
        hanging.start()
        until = time.monotonic() + 5
        while len(server.faults) and time.monotonic() < until:
            time.sleep(0.005)
        assert len(server.faults) == 0
        threads = [threading.Thread(target=look, args=(server, "DescribeInstances")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == ["accepted"] * 20
    hanging.join()
    assert done[20:] == ["ClientNetworkError"]


def test_a_connection_is_kept_alive(server: CloudServer) -> None:
    """Several requests go over one connection, as HTTP/1.1 has it."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    used = set()
    for _ in range(3):
        connection.request("POST", "/", b"{}", {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read())["Response"]["Error"]["Code"] == "MissingParameter"
        assert connection.sock is not None
        used.add(connection.sock.getsockname())
    connection.close()
    assert len(used) == 1


def test_the_state_takes_its_time_on_the_real_clock_too() -> None:
    """With the machine's clock the restart ends by itself, when its time is up."""
    cloud = demo_cloud(SystemClock(), transition_seconds=0.1)
    with CloudServer(cloud) as server, common_client(server) as client:
        assert outcome(client) == "accepted"
    process = cloud.process(ANALYTICS, "DataNode", "172.16.0.5")
    until = time.monotonic() + 5
    while not process.is_running and time.monotonic() < until:
        time.sleep(0.01)
    (operation,) = cloud.operations
    assert process.is_running
    assert operation.finished_at == pytest.approx(operation.at + 0.1, abs=0.001)
    assert time.time() >= operation.at + 0.1


def test_a_port_that_is_taken_is_refused(server: CloudServer) -> None:
    """Two servers do not share a port, so that no test asks another one's cloud."""
    with pytest.raises(OSError, match="in use"):
        CloudServer(server.cloud, server.port)


def test_a_closed_server_refuses_connections() -> None:
    """After ``with`` the port is closed, so a client's request was certainly not sent."""
    with CloudServer(demo_cloud(VirtualClock())) as server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_serving_in_this_thread_ends_with_its_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """KeyboardInterrupt is raised on, and the port is free again."""
    server = CloudServer(demo_cloud(VirtualClock()))
    port = server.port
    monkeypatch.setattr(server._http, "service_actions", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        server.serve_forever()
    CloudServer(server.cloud, port).close()


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_whole_url_signed_as_host_is_understood(server: CloudServer) -> None:
    """The command line signs its endpoint with the scheme, and sends that string as Host."""
    with common_client(server) as client:
        client.profile.httpProfile.endpoint = server.url
        assert outcome(client) == "accepted"


def test_a_scope_taken_from_a_local_endpoint_is_understood(server: CloudServer) -> None:
    """The Node SDK signs for the endpoint's first label (``127``): the version names the product."""
    with common_client(server, service="127") as client:
        assert outcome(client) == "accepted"
    with common_client(server, service="127", version="2021-04-16") as client:
        assert outcome(client) == "InvalidAction"
    with common_client(server, service="128") as client:
        assert outcome(client) == "NoSuchProduct"


@pytest.mark.parametrize(
    ("method", "headers", "body", "status"),
    [
        ("GET", {}, b"", 200),
        ("POST", {"Content-Type": "text/plain"}, b"{}", 200),
        ("POST", {"Content-Length": "many"}, b"", 411),
        ("POST", {"Transfer-Encoding": "chunked"}, b"", 411),
        ("POST", {"Content-Length": str(10**9)}, b"", 413),
        ("PUT", {}, b"", 501),
    ],
)
def test_other_http_is_answered_too(
    server: CloudServer, method: str, headers: dict[str, str], body: bytes, status: int
) -> None:
    """Every request has an answer: the API's own error, if HTTP lets it through to the API."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=2)
    connection.putrequest(method, "/")
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == status
    if status == 200:
        assert json.loads(text)["Response"]["Error"]["Code"] == "UnsupportedProtocol"


@pytest.mark.parametrize("sent", [b"", b"POST / HT", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"])
def test_a_client_that_goes_away_does_no_harm(
    server: CloudServer, sent: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """An incomplete request is not carried out, prints nothing, and the next one is served."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=2) as connection:
        connection.sendall(sent)
    with common_client(server) as client:
        assert outcome(client) == "accepted"
    assert len(server.cloud.operations) == 1
    assert capfd.readouterr().err == ""


def test_the_end_of_a_server_ends_its_hangs() -> None:
    """Leaving ``with`` does not wait for a request that hangs."""
    started = time.monotonic()
    with CloudServer(demo_cloud(VirtualClock())) as server:
        server.faults.add(Kind.HANG_AFTER, Kind.MUTE_FROM_ACCEPT)
        with common_client(server, timeout=0.05) as client:
            assert outcome(client) == outcome(client) == "ClientNetworkError"
    assert time.monotonic() - started < HANG_SECONDS / 2

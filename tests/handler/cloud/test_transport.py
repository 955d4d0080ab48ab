"""Every way for a call to fail, on real sockets: which error it is, how often the request arrived, and when the call ended."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler import errors
from handler.cloud.account import Credentials, Endpoint
from handler.cloud.client import CODES, CloudApi, Product, api_error, classified
from handler.cloud.emr import EmrGateway
from handler.lib import in_flight
from handler.lib.clock import Deadline, SystemClock
from handler.lib.idle_connection import KEPT_SECONDS
from handler.model.policy import Cluster
from handler.model.request import Action, OpType, Request, StrategyConfig
from handler.model.scope import OpScope
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.faults import Fault, Kind

ACTION = "StartStopServiceOrMonitor"
CLUSTER = Cluster("emr-4zvc5mul", "analytics", "ap-guangzhou", frozenset(OpType))
REQUEST = Request(
    CLUSTER.id,
    Action(OpType.RESTART_SERVICE, StrategyConfig()),
    OpScope.of_component("HDFS", "DataNode", ["172.16.0.5"]),
)
KEY = Credentials(SECRET_ID, SECRET_KEY)
#: What a call may take beyond its deadline.
GRACE = 0.5


@pytest.fixture(autouse=True)
def no_proxy(mocker: MockerFixture) -> None:
    """Nothing of this machine's environment reaches a test."""
    mocker.patch.dict("os.environ", {"PATH": "/usr/bin:/bin"}, clear=True)


def within(seconds: float) -> Deadline:
    return Deadline(SystemClock(), seconds)


def gateway(url: str, credentials: Credentials = KEY) -> EmrGateway:
    return EmrGateway(CloudApi(), Endpoint.parse(url), lambda cluster, deadline: credentials)


def send(url: str, seconds: float = 3.0, credentials: Credentials = KEY) -> str:
    """Send within the deadline, which is kept whatever comes of it."""
    began = time.monotonic()
    try:
        return gateway(url, credentials).start_stop(CLUSTER, REQUEST, within(seconds))
    finally:
        assert time.monotonic() - began < seconds + GRACE


@pytest.fixture(scope="module", autouse=True)
def sdk_is_loaded() -> None:
    """The SDK's first import is not part of a call's time here."""
    with contextlib.suppress(errors.ApiError):
        gateway("http://127.0.0.1:1").start_stop(CLUSTER, REQUEST, within(10))


# -- a small server, to say exactly what a test wants said


class Server:
    """Serves each connection by ``serve``, in a thread; keeps the requests that arrived whole."""

    def __init__(self, serve: Callable[[Server, socket.socket], None]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._serve = serve
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.accepted = 0
        self.ended = threading.Event()
        self._connections: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.accepted += 1
            self._connections.append(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            self._serve(self, connection)

    def read(self, connection: socket.socket) -> bool:
        """One whole request; False where the connection ends first."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return False
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        headers[":line"] = lines[0]
        while len(body) < int(headers.get("content-length", "0")):
            body += connection.recv(65536)
        self.requests.append((headers, body))
        return True

    def close(self) -> None:
        self._listening.close()
        for connection in self._connections:
            connection.close()


@pytest.fixture
def serving() -> Iterator[Callable[[Callable[[Server, socket.socket], None]], Server]]:
    """Makes servers, and closes them."""
    servers: list[Server] = []

    def make(serve: Callable[[Server, socket.socket], None]) -> Server:
        servers.append(Server(serve))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


Serving = Callable[[Callable[[Server, socket.socket], None]], Server]


def reply(body: Any, status: str = "200 OK", kind: str = "application/json", headers: str = "") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
    return head.encode() + content


def answering(*replies: bytes) -> Callable[[Server, socket.socket], None]:
    """Answers the requests of all connections with ``replies``, the last one for ever."""

    def serve(server: Server, connection: socket.socket) -> None:
        while server.read(connection):
            connection.sendall(replies[min(len(server.requests), len(replies)) - 1])

    return serve


ACCEPTED = reply({"Response": {"RequestId": "request-1"}})


# -- each fault, and what is concluded


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.name)
def test_each_fault_is_exactly_what_can_be_known_of_it(kind: Kind) -> None:
    """Once a byte of the request has left, only the API's own refusal says that nothing was done; and one request arrives at most."""
    expected: type[errors.ApiError] | None = errors.AnswerLost
    if kind in (Kind.API_ERROR, Kind.ERROR_WITH_CHARSET):
        expected = errors.NotFound
    elif kind is Kind.HUGE_BODY:
        expected = None  # large, but whole
    cloud = demo_cloud(SystemClock(), transition_seconds=0.01)
    action = None if kind is Kind.MUTE_FROM_ACCEPT else ACTION
    with CloudServer(cloud) as server:
        server.faults.add(
            Fault(
                kind,
                action,
                code="ResourceNotFound.InstanceNotFound",
                seconds=0.05 if kind is Kind.DRIPPED_BODY else None,
            )
        )
        if expected is None:
            assert send(server.url)
        else:
            with pytest.raises(errors.ApiError) as raised:
                send(server.url, 0.6)
            assert type(raised.value) is expected
            assert raised.value.code
            assert SECRET_KEY not in str(raised.value)
        assert len(server.faults) == 0
    carried_out = len(cloud.operations)
    assert carried_out == int(kind.carried_out)
    # Certainty is never claimed of what was done.
    assert not (carried_out and expected is not None and issubclass(expected, errors.NotCarriedOut))


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        (reply(b'["Response"]'), errors.AnswerLost, ""),
        (reply(b"null"), errors.AnswerLost, ""),
        (reply(b"{}"), errors.AnswerLost, ""),
        (reply(b'{"Response": []}'), errors.AnswerLost, ""),
        (reply(b'{"Response": {}}'), errors.AnswerLost, ""),
        (reply(b'{"Response": {"RequestId": ""}}'), errors.AnswerLost, "NoRequestId"),
        (reply(b'{"Response": {"RequestId": 7}}'), errors.AnswerLost, "NoRequestId"),
        (reply(b"[" * 200_000), errors.AnswerLost, ""),
        (reply(b"\xff\xfe"), errors.AnswerLost, ""),
        (reply(b""), errors.AnswerLost, ""),
        (reply(b"<html>", kind="text/html"), errors.AnswerLost, ""),
        (reply(b"busy", "502 Bad Gateway"), errors.AnswerLost, "ServerNetworkError"),
        (reply(b"busy", "504 Gateway Timeout"), errors.AnswerLost, "ServerNetworkError"),
        (reply(b"busy", "429 Too Many Requests"), errors.AnswerLost, "ServerNetworkError"),
        (
            reply({"Response": {"Error": {"Code": "AuthFailure.TokenFailure", "Message": "m"}, "RequestId": "r"}}),
            errors.NotAuthenticated,
            "AuthFailure.TokenFailure",
        ),
        (
            reply(
                {"Response": {"Error": {"Code": "RequestLimitExceeded", "Message": "m"}, "RequestId": "r"}},
                kind="application/json; charset=utf-8",
            ),
            errors.Throttled,
            "RequestLimitExceeded",
        ),
        (reply({"Response": {"Error": None, "RequestId": "r"}}, kind="text/json"), errors.ServerFailed, "UnknownError"),
        (reply({"Response": {"Error": "x", "RequestId": "r"}}, kind="text/json"), errors.ServerFailed, "UnknownError"),
        (reply({"Response": {"Error": {"Code": "X", "Message": "m"}}}), errors.AnswerLost, "KeyError"),
    ],
    ids=range(19),
)
def test_each_answer_is_checked_by_us(
    serving: Serving, answer: bytes, expected: type[errors.ApiError], code: str
) -> None:
    """What is no answer of the API's is a lost one; an error under any content type is an error."""
    server = serving(answering(answer))
    with pytest.raises(errors.ApiError) as raised:
        send(server.url)
    assert type(raised.value) is expected
    assert not code or raised.value.code == code
    assert len(server.requests) == 1


def test_a_redirect_is_never_followed(serving: Serving) -> None:
    """A 307 asks for the POST again, elsewhere or here: it is sent neither here nor there."""
    there = serving(answering(ACCEPTED))
    here = serving(answering(reply(b"", "307 Temporary Redirect", headers=f"Location: {there.url}/\r\n")))
    with pytest.raises(errors.AnswerLost):
        send(here.url)
    assert (len(here.requests), len(there.requests)) == (1, 0)


def test_a_bad_certificate_is_never_sent(serving: Serving, tmp_path: Path) -> None:
    """Who cannot prove to be the API is sent nothing."""
    subprocess.run(
        [
            "/usr/bin/openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")

    def serve(server: Server, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as wrapped:
            server.read(wrapped)

    server = serving(serve)
    with pytest.raises(errors.NeverSent, match="SSL"):
        send(f"https://127.0.0.1:{server.port}")
    assert (server.accepted, server.requests) == (1, [])


def test_a_connection_that_is_not_made_in_time_is_never_sent() -> None:
    """A connect that hangs ends with the deadline, and certainly sent nothing."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the backlog is full, and further ones hang
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        with pytest.raises(errors.NeverSent, match="not sent"):
            send(f"http://127.0.0.1:{full.getsockname()[1]}", 0.4)
        for one in waiting:
            one.close()


def test_nothing_is_sent_after_giving_up(serving: Serving, mocker: MockerFixture) -> None:
    """A connection that comes about after the deadline carries no request: NeverSent stays true."""
    server = serving(answering(ACCEPTED))
    connect = socket.socket.connect
    late = threading.Event()

    def slow(self: socket.socket, address: Any) -> None:
        time.sleep(0.6)
        connect(self, address)
        late.set()

    mocker.patch.object(socket.socket, "connect", slow)
    with pytest.raises(errors.NeverSent):
        send(server.url, 0.2)
    assert late.wait(3)
    time.sleep(0.2)
    assert server.requests == []


def test_what_was_given_up_is_not_sent_however_much_time_is_left() -> None:
    """A call takes no longer than its own seconds, which may end long before its deadline."""
    refused = threading.Event()

    def call() -> None:
        time.sleep(0.3)
        try:
            in_flight.note_sent()
        except in_flight.Abandoned:
            refused.set()

    flown, _, error = in_flight.run(call, 0.1, Deadline(SystemClock(), 60))
    assert isinstance(error, TimeoutError)
    assert refused.wait(3)
    assert not flown.was_sent


def test_giving_up_ends_a_connection_that_was_kept(serving: Serving) -> None:
    """A second call over a kept connection that hangs is ended with its deadline, and leaves no reader behind."""
    ended = threading.Event()

    def serve(server: Server, connection: socket.socket) -> None:
        server.read(connection)
        connection.sendall(ACCEPTED)
        server.read(connection)
        if connection.recv(1) == b"":
            ended.set()

    server = serving(serve)
    one = gateway(server.url)
    assert one.start_stop(CLUSTER, REQUEST, within(3)) == "request-1"
    with pytest.raises(errors.AnswerLost):
        one.start_stop(CLUSTER, REQUEST, within(0.3))
    assert ended.wait(1.5)
    assert (server.accepted, len(server.requests)) == (1, 2)


@pytest.mark.parametrize("proxy", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_of_the_environment_is_used(serving: Serving, mocker: MockerFixture, proxy: str) -> None:
    """Where a network has one, the request goes through it, once."""
    server = serving(answering(ACCEPTED))
    mocker.patch.dict("os.environ", {proxy: server.url})
    assert send("http://emr.example.invalid") == "request-1"
    assert [headers[":line"] for headers, _ in server.requests] == ["POST http://emr.example.invalid/ HTTP/1.1"]


def test_what_a_proxy_refuses_is_never_sent(serving: Serving, mocker: MockerFixture) -> None:
    """CONNECT is no part of the request: where the tunnel is not made, nothing left."""
    server = serving(answering(reply(b"", "403 Forbidden")))
    mocker.patch.dict("os.environ", {"HTTPS_PROXY": server.url})
    with pytest.raises(errors.NeverSent):
        send("https://emr.example.invalid")
    assert [headers[":line"].split()[0] for headers, _ in server.requests] == ["CONNECT"]


# -- what is sent


def test_the_request_bears_who_where_and_in_which_language(serving: Serving) -> None:
    """The role's token, the region, the version, en-US for messages; signed for its host; and the exact request."""
    server = serving(answering(ACCEPTED))
    send(server.url, credentials=Credentials("AKIDROLE", "key", "token-of-the-role"))
    ((headers, body),) = server.requests
    assert headers["x-tc-token"] == "token-of-the-role"
    assert headers["x-tc-region"] == "ap-guangzhou"
    assert headers["x-tc-action"] == ACTION
    assert headers["x-tc-version"] == "2019-01-03"
    assert headers["x-tc-language"] == "en-US"
    assert "Credential=AKIDROLE/" in headers["authorization"]
    assert json.loads(body) == REQUEST.to_wire()


def test_a_lasting_key_sends_no_token(serving: Serving) -> None:
    """An empty token is none."""
    server = serving(answering(ACCEPTED))
    send(server.url)
    assert not server.requests[0][0].get("x-tc-token")


def test_credentials_are_asked_for_at_every_call(serving: Serving) -> None:
    """A role's key changes between invocations: the new one is used, over the connection that is there."""
    server = serving(answering(ACCEPTED))
    keys = iter([Credentials("AKIDFIRST", "k", "t1"), Credentials("AKIDSECOND", "k", "t2")])
    one = EmrGateway(CloudApi(), Endpoint.parse(server.url), lambda cluster, deadline: next(keys))
    one.start_stop(CLUSTER, REQUEST, within(3))
    one.start_stop(CLUSTER, REQUEST, within(3))
    assert [headers["x-tc-token"] for headers, _ in server.requests] == ["t1", "t2"]
    assert server.accepted == 1


@pytest.mark.parametrize("clock", ["monotonic", "time"])
@pytest.mark.parametrize(("seconds", "connections"), [(0.9, 1), (1.1, 2)])
def test_a_connection_is_trusted_only_so_long(
    serving: Serving, mocker: MockerFixture, seconds: float, connections: int, clock: str
) -> None:
    """An instance that was frozen, or suspended, does not act, nor look, over a connection that others have forgotten."""
    server = serving(answering(ACCEPTED))
    one = gateway(server.url)
    one.start_stop(CLUSTER, REQUEST, within(3))
    later = getattr(time, clock)() + seconds * KEPT_SECONDS
    mocker.patch(f"handler.cloud.client.time.{clock}", return_value=later)
    one.start_stop(CLUSTER, REQUEST, within(3))
    assert (server.accepted, len(server.requests)) == (connections, 2)


def test_a_connection_does_not_cross_a_fork(serving: Serving, mocker: MockerFixture) -> None:
    """Parent and child would read each other's answers."""
    server = serving(answering(ACCEPTED))
    one = gateway(server.url)
    one.start_stop(CLUSTER, REQUEST, within(3))
    mocker.patch("handler.cloud.client.os.getpid", return_value=-1)
    one.start_stop(CLUSTER, REQUEST, within(3))
    assert (server.accepted, len(server.requests)) == (2, 2)


@pytest.mark.parametrize(
    "credentials", [Credentials("id ", "key"), Credentials("id", " key"), Credentials("", "key"), Credentials("id", "")]
)
def test_a_key_that_the_sdk_does_not_take_is_a_refusal(serving: Serving, credentials: Credentials) -> None:
    """A stray blank in a secret ends as one of our errors, with nothing sent, and does not show the secret."""
    server = serving(answering(ACCEPTED))
    with pytest.raises(errors.NotAuthenticated) as raised:
        send(server.url, credentials=credentials)
    assert raised.value.code == "InvalidCredential"
    assert server.accepted == 0


# -- looking


def processes(total: Any, *names: str) -> bytes:
    nodes = [
        {"Ip": "10.0.0.1", "NodeName": name, "ServiceStatus": 1, "HealthStatus": {"Code": 1}, "LastRestartTime": None}
        for name in names
    ]
    return reply({"Response": {"TotalCnt": total, "ServiceNodeList": nodes or None, "RequestId": "r"}})


@pytest.mark.parametrize(
    "answers",
    [
        [processes(2, "A")],  # never shows the second, whichever way it is asked
        [processes(1)],
        [processes(1, "A", "B")],  # more than there are said to be: what else is not counted?
        [processes(3, "A"), processes(3, "B"), processes(1, "C")],
        [processes(-1)],
        [processes("many")],
        [processes(None)],
        [reply({"Response": {"RequestId": "r"}})],
        [reply({"Response": {"TotalCnt": 1, "ServiceNodeList": [{"NodeName": "A"}], "RequestId": "r"}})],
        [reply({"Response": {"TotalCnt": 1, "ServiceNodeList": ["A"], "RequestId": "r"}})],
    ],
    ids=range(10),
)
def test_what_is_not_seen_whole_is_not_seen(serving: Serving, answers: list[bytes]) -> None:
    """Guards count processes: pages that do not add up to TotalCnt, above or below, are no observation."""
    server = serving(answering(*answers))
    with pytest.raises(errors.ObservationIncomplete):
        gateway(server.url).processes(CLUSTER, "HDFS", within(3))
    assert len(server.requests) <= 4


def test_a_cluster_is_looked_for_in_every_project(serving: Serving) -> None:
    """Without ProjectId -1 only the default project is seen; and a cluster of another id is not taken for it."""
    found = {"ClusterList": [{"ClusterId": "emr-other000", "Status": 2}, {"ClusterId": CLUSTER.id, "Status": 8}]}
    server = serving(answering(reply({"Response": {**found, "RequestId": "r"}})))
    assert gateway(server.url).cluster_status(CLUSTER, within(3)) == 8
    asked = json.loads(server.requests[0][1])
    assert (asked["ProjectId"], asked["InstanceIds"]) == (-1, [CLUSTER.id])


def test_what_a_reading_leaves_out_is_read_with_care(serving: Serving) -> None:
    """No health is unknown health, no LastRestartTime is empty, no MonitorStatus is watched."""
    node = {"Ip": "10.0.0.1", "NodeName": "DataNode", "ServiceStatus": 1}
    server = serving(answering(reply({"Response": {"TotalCnt": 1, "ServiceNodeList": [node], "RequestId": "r"}})))
    (one,) = gateway(server.url).processes(CLUSTER, "HDFS", within(3))
    assert (one.health, one.last_restart, one.is_watched, one.is_up, one.may_serve) == (-2, "", False, False, True)


# -- the vendor's codes


def codes_of_the_sdk() -> list[str]:
    from tencentcloud.emr.v20190103 import errorcodes

    return sorted({value for name, value in vars(errorcodes).items() if name.isupper() and isinstance(value, str)})


def test_every_code_that_the_sdk_lists_has_its_class() -> None:
    """A family that the vendor adds fails here first; what may have begun is in doubt, everything else is not."""
    codes = codes_of_the_sdk()
    assert len(codes) > 200
    assert {code.partition(".")[0] for code in codes} <= set(CODES)
    for code in codes:
        in_doubt = code.startswith(("InternalError", "FailedOperation"))
        assert isinstance(classified(code, "m", "r"), errors.MaybeCarriedOut) == in_doubt


def test_an_error_of_the_sdks_own_is_never_taken_for_the_apis() -> None:
    """A code without a RequestId, from a call that never left, was not said by the API."""

    from tencentcloud.common.exception import TencentCloudSDKException

    for code in ("ClientSideError", "ClientError", "ClientNetworkError", "signMethod invalid"):
        of_the_sdk = TencentCloudSDKException(code, "said by itself")
        assert type(api_error(of_the_sdk, was_sent=False)) is errors.NeverSent
        assert isinstance(api_error(of_the_sdk, was_sent=True), errors.MaybeCarriedOut)
    of_the_api = TencentCloudSDKException("ResourceNotFound.X", "said by the API", "request-1")
    assert type(api_error(of_the_api, was_sent=True)) is errors.NotFound
    # In process, where no transport notes the first byte, the RequestId tells as much.
    assert type(api_error(of_the_api, was_sent=False)) is errors.NotFound


def test_an_sdk_that_cannot_be_loaded_is_never_sent(mocker: MockerFixture) -> None:
    """A package that lacks it is said, and nothing else happens."""
    mocker.patch.dict("sys.modules", {"tencentcloud.common.common_client": None})
    with pytest.raises(errors.NeverSent, match="cannot be loaded"):
        CloudApi().call(Product("emr", "v", "http", "127.0.0.1:1", "r"), KEY, ACTION, {}, within(1))

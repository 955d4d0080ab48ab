"""The gateway over real sockets: what was sent, what was not, and the vendor's errors in our words."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from pytest_mock import MockerFixture
from tencentcloud.emr.v20190103 import models

from handler import errors
from handler.cloud.account import Credentials, Endpoint
from handler.cloud.client import CloudApi, Product, classified
from handler.cloud.emr import EmrGateway
from handler.lib import in_flight
from handler.lib.clock import Deadline, SystemClock
from handler.model.policy import Cluster
from handler.model.request import Action, OpType, Request, StopParams, StrategyConfig
from handler.model.scope import OpScope
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.faults import Fault, Kind

ACTION = "StartStopServiceOrMonitor"
CLUSTER = Cluster("emr-4zvc5mul", "analytics", "ap-guangzhou", frozenset(OpType))
RESTART = Action(OpType.RESTART_SERVICE, StrategyConfig())
REQUEST = Request(CLUSTER.id, RESTART, OpScope.of_component("HDFS", "DataNode", ["172.16.0.5"]))


@pytest.fixture
def cloud() -> Cloud:
    return demo_cloud(SystemClock(), transition_seconds=0.2)


@pytest.fixture
def server(cloud: Cloud) -> Iterator[CloudServer]:
    with CloudServer(cloud) as server:
        yield server


def gateway(url: str, credentials: Credentials = Credentials(SECRET_ID, SECRET_KEY)) -> EmrGateway:  # noqa: B008 - frozen
    return EmrGateway(CloudApi(), Endpoint.parse(url), lambda cluster, deadline: credentials)


def within(seconds: float = 5.0) -> Deadline:
    return Deadline(SystemClock(), seconds)


def send(url: str, seconds: float = 5.0) -> str:
    return gateway(url).start_stop(CLUSTER, REQUEST, within(seconds))


def test_it_looks_and_acts(server: CloudServer, cloud: Cloud) -> None:
    """The status, every process once, and a RequestId for a restart that is carried out."""
    one = gateway(server.url)
    assert one.cluster_status(CLUSTER, within()) == 2
    assert len(one.processes(CLUSTER, "HDFS", within())) == 12
    assert one.processes(CLUSTER, "KUDU", within()) == ()
    assert one.start_stop(CLUSTER, REQUEST, within())
    assert len(cloud.operations) == 1


@pytest.mark.parametrize("offset_is", ["item", "page"])
def test_pages_are_read_whichever_way_they_are_counted(cloud: Cloud, server: CloudServer, offset_is: str) -> None:
    """Offset is a page in one language and an item in the other: all 250 processes are seen."""
    cloud.offset_is = offset_is  # type: ignore[assignment]
    cloud.add_cluster("emr-large000", {"HDFS": {"DataNode": [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(250)]}})
    large = Cluster("emr-large000", "large", "ap-guangzhou", frozenset(OpType))
    readings = gateway(server.url).processes(large, "HDFS", within(10))
    assert len({reading.target.ip for reading in readings}) == 250


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.MUTE_FROM_ACCEPT], ids=lambda kind: kind.name)
def test_every_fault_is_told_and_nothing_is_sent_twice(server: CloudServer, cloud: Cloud, kind: Kind) -> None:
    """Whatever happens to a request that left: at most one reaches the API, and only what is known to be harmless is NotCarriedOut."""
    server.faults.add(Fault(kind, action=ACTION, seconds=0.05 if kind is not Kind.HUGE_BODY else None))
    began = time.monotonic()
    try:
        send(server.url, 1.0)
    except errors.NotCarriedOut:
        assert not cloud.operations
    except errors.MaybeCarriedOut as error:
        assert error.code
    assert time.monotonic() - began < 3.0
    assert len(cloud.operations) <= 1
    assert sum(request.action == ACTION for request in cloud.requests) <= 1


def test_a_redirect_is_not_followed(server: CloudServer, cloud: Cloud) -> None:
    """A 307 would send the request a second time."""
    server.faults.add(Fault(next(kind for kind in Kind if "REDIRECT" in kind.name), action=ACTION))
    with pytest.raises(errors.MaybeCarriedOut):
        send(server.url)
    assert len(cloud.operations) <= 1


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}", "https://127.0.0.1:{port}", "http://no-such-host.invalid"])
def test_what_never_left_is_never_sent(url: str) -> None:
    """Refused, no such host: certainly not carried out."""
    with pytest.raises(errors.NeverSent):
        send(url.format(port=free_port()), 3.0)


def test_a_handshake_that_hangs_is_never_sent_within_the_deadline() -> None:
    """TLS that is never answered carried no request."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        began = time.monotonic()
        with pytest.raises(errors.NeverSent):
            send(f"https://127.0.0.1:{mute.getsockname()[1]}", 0.5)
        assert time.monotonic() - began < 2.0


def test_a_server_that_reads_and_is_silent_leaves_a_doubt_within_the_deadline() -> None:
    """A read time-out after sending may have been carried out."""
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(errors.AnswerLost):
        send(f"http://127.0.0.1:{mute.getsockname()[1]}", 0.5)


def test_a_dripping_answer_does_not_outlast_the_deadline() -> None:
    """A time-out of sockets bounds a read; the call is bounded all the same."""

    def drip(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.recv(65536)
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b" " * 90:
            try:
                connection.send(bytes([byte]))
            except OSError:
                break
            time.sleep(0.05)
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(errors.AnswerLost):
            send(f"http://127.0.0.1:{listening.getsockname()[1]}", 0.6)
        assert time.monotonic() - began < 2.0


def test_without_a_thread_nothing_is_sent(server: CloudServer, cloud: Cloud, mocker: MockerFixture) -> None:
    """A call that cannot be begun was never sent: it may be tried again."""
    mocker.patch.object(in_flight, "begin", side_effect=RuntimeError("can't start new thread"))
    with pytest.raises(errors.NeverSent, match="can't start new thread"):
        send(server.url)
    assert cloud.requests == []


def test_without_time_nothing_is_sent(server: CloudServer, cloud: Cloud) -> None:
    """A deadline that has passed is no time to begin."""
    with pytest.raises(errors.NeverSent):
        send(server.url, 0.0)
    assert not cloud.requests


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("FailedOperation", errors.ServerFailed),
        ("InternalError", errors.ServerFailed),
        ("InternalError.CamCgwError", errors.ServerFailed),
        ("InternalError.WoodServerError", errors.ServerFailed),
        ("InvalidParameter.InvalidInstanceName", errors.InvalidRequest),
        ("InvalidParameter.InvalidJobFlow", errors.InvalidRequest),
        ("InvalidParameter.InvalidServiceName", errors.InvalidRequest),
        ("InvalidParameter.InvalidIpList", errors.InvalidRequest),
        ("InvalidParameter.RestartServiceUnsupported", errors.InvalidRequest),
        ("ResourceInUse.InstanceInProcess", errors.ClusterBusy),
        ("ResourceNotFound.InstanceNotFound", errors.NotFound),
        ("ResourceNotFound.ServiceNodeNotFound", errors.NotFound),
        ("UnauthorizedOperation.CheckCamAuth", errors.NotAuthorized),
        ("UnsupportedOperation.ServiceNotSupport", errors.InvalidRequest),
        ("AuthFailure.SignatureExpire", errors.NotAuthenticated),
        ("AuthFailure.SignatureFailure", errors.NotAuthenticated),
        ("AuthFailure.SecretIdNotFound", errors.NotAuthenticated),
        ("AuthFailure.TokenFailure", errors.NotAuthenticated),
        ("AuthFailure.InvalidSecretId", errors.NotAuthenticated),
        ("RequestLimitExceeded", errors.Throttled),
        ("RequestLimitExceeded.UinLimitExceeded", errors.Throttled),
        ("RequestLimitExceeded.IPLimitExceeded", errors.Throttled),
        ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", errors.Throttled),
        ("RequestSizeLimitExceeded", errors.InvalidRequest),
        ("ServiceUnavailable", errors.ServerFailed),
        ("SomethingNew.NobodyKnows", errors.ServerFailed),
    ],
)
def test_every_documented_code_over_the_wire(server: CloudServer, code: str, kind: type[errors.ApiError]) -> None:
    """The code decides whether it may be sent again, stands, or is in doubt; what is unknown is in doubt."""
    assert type(classified(code, "m", "r")) is kind
    fault = next(one for one in Kind if one.name in ("ERROR", "API_ERROR", "ERROR_ENVELOPE"))
    server.faults.add(Fault(fault, action=ACTION, code=code, message="said by the API"))
    with pytest.raises(kind) as raised:
        send(server.url)
    assert type(raised.value) is kind
    assert raised.value.code == code


def test_wrong_keys_and_missing_rights_are_refusals(server: CloudServer, cloud: Cloud) -> None:
    """The signature is verified, the token belongs to it, and rights are checked."""
    with pytest.raises(errors.NotAuthenticated):
        gateway(server.url, Credentials(SECRET_ID, "wrong")).cluster_status(CLUSTER, within())
    cloud.credentials["AKIDROLE"] = ("key", "the-token")
    assert gateway(server.url, Credentials("AKIDROLE", "key", "the-token")).cluster_status(CLUSTER, within()) == 2
    with pytest.raises(errors.NotAuthenticated):
        gateway(server.url, Credentials("AKIDROLE", "key", "another")).cluster_status(CLUSTER, within())
    cloud.denied.add((SECRET_ID, ACTION))
    with pytest.raises(errors.NotAuthorized):
        send(server.url)


def test_a_cluster_that_is_not_there_is_not_found(server: CloudServer) -> None:
    """An empty list is no cluster."""
    with pytest.raises(errors.NotFound):
        gateway(server.url).cluster_status(Cluster("emr-nosuch00", "x", "ap-guangzhou", frozenset()), within())


def test_another_product_goes_the_same_way(server: CloudServer, cloud: Cloud) -> None:
    """Alarms reach an event bus through the same door."""
    host = server.url.partition("://")[2]
    product = Product("eb", "2021-04-16", "http", host, "ap-guangzhou")
    events = [{"Source": "emr-steward", "Type": "steward:alarm", "Subject": "emr-4zvc5mul", "Data": "{}"}]
    params = {"EventList": events, "EventBusId": "eb-example0"}
    CloudApi().call(product, Credentials(SECRET_ID, SECRET_KEY), "PutEvents", params, within())
    assert len(cloud.put_events) == 1


@pytest.mark.parametrize("ahead", [-240, 0, 240])
def test_the_clocks_difference_is_read_off_the_answer(cloud: Cloud, ahead: int) -> None:
    """By the Date header, of refusals too; unknown before there is an answer."""

    class Shifted(SystemClock):
        def now(self) -> float:
            return super().now() + ahead

    with CloudServer(cloud, signed_by=Shifted()) as server:
        api = CloudApi()
        assert api.clock_skew is None
        product = Product("emr", "2019-01-03", "http", server.endpoint, "ap-guangzhou")
        with pytest.raises(errors.ApiError):
            api.call(product, Credentials(SECRET_ID, "wrong"), "DescribeInstances", {}, within())
    assert api.clock_skew == pytest.approx(-ahead, abs=5)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Foo 2025 00:00:00 GMT"])
def test_a_date_that_is_none_tells_nothing(date: str) -> None:
    """A proxy may write anything."""
    api = CloudApi()
    api._note_date(SimpleNamespace(headers={"Date": date}))
    assert api.clock_skew is None


# -- what we send, against the vendor's typed models


FULL = Request(
    "emr-4zvc5mul",
    Action(
        OpType.STOP_MONITOR,
        StrategyConfig(True, 2, 7, True, (("k", ("a", "b")),)),
        StopParams("safe", 3, 60),
        True,
    ),
    OpScope.union_of(
        (OpScope.of_component("HDFS", "DataNode", ["172.16.0.5", "172.16.0.6"]), OpScope.of_service("HIVE"))
    ),
)


def serialised(wire: dict[str, object]) -> object:
    request = models.StartStopServiceOrMonitorRequest()
    request._deserialize(wire)
    return request._serialize(allow_none=True)


def without_none(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_none(item) for key, item in value.items() if item is not None}
    return [without_none(item) for item in value] if isinstance(value, list) else value


def test_what_we_send_is_what_the_typed_models_serialise() -> None:
    """Every field goes through the SDK's own model unchanged."""
    assert without_none(serialised(FULL.to_wire())) == FULL.to_wire()


def known_fields(model: object) -> set[str]:
    return {name[1:] for name in vars(model) if name.startswith("_")}


@pytest.mark.parametrize(
    ("model", "ours"),
    [
        (models.StartStopServiceOrMonitorRequest(), set(FULL.to_wire())),
        (models.OpScope(), {"ServiceInfoList"}),
        (models.ServiceBasicRestartInfo(), {"ServiceName", "ComponentInfoList"}),
        (models.ComponentBasicRestartInfo(), {"ComponentName", "IpList"}),
        (models.StrategyConfig(), set(FULL.to_wire()["StrategyConfig"])),
        (models.Arg(), {"Key", "Values"}),
        (models.StopParams(), set(FULL.to_wire()["StopParams"])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_field_of_the_sdk_is_unknown_to_us(model: object, ours: set[str]) -> None:
    """A field that the vendor adds fails here first."""
    assert known_fields(model) == ours

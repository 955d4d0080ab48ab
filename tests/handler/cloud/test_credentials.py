"""Clusters of another account, over real sockets: the role is assumed, its key signs, and a failure sends nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from pytest_mock import MockerFixture

from handler import errors
from handler.cloud.account import Credentials, Endpoint
from handler.cloud.client import CloudApi
from handler.cloud.credentials import MARGIN, SECONDS, AssumedRoles, AssumedWire, Keys
from handler.cloud.emr import EmrGateway
from handler.lib.clock import Deadline, SystemClock
from handler.model.policy import Cluster
from handler.model.request import Action, OpType, Request, StrategyConfig
from handler.model.scope import OpScope
from harness.clock import VirtualClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import demo_cloud
from harness.fake_cloud.server import CloudServer
from harness.fake_cloud.sts import Role
from harness.faults import Fault, Kind

OTHER = "200000000002"
ARN = f"qcs::cam::uin/{OTHER}:roleName/emr-steward"
THEIRS = Cluster("emr-theirs00", "theirs", "ap-guangzhou", frozenset(OpType), role_arn=ARN)
OURS = Cluster("emr-4zvc5mul", "analytics", "ap-guangzhou", frozenset(OpType))
OWN = Credentials(SECRET_ID, SECRET_KEY)
RESTART = Request(
    THEIRS.id, Action(OpType.RESTART_SERVICE, StrategyConfig()), OpScope.of_component("HDFS", "DataNode", ["10.1.0.5"])
)


@pytest.fixture
def clock() -> VirtualClock:
    """The clock by which keys end, the cloud's and ours; signatures are made by the machine's."""
    return VirtualClock()


@pytest.fixture
def cloud(clock: VirtualClock) -> Cloud:
    cloud = demo_cloud(clock)
    cloud.add_cluster(THEIRS.id, {"HDFS": {"DataNode": ["10.1.0.5", "10.1.0.6"]}}, uin=OTHER)
    cloud.roles[ARN] = Role(ARN)
    return cloud


@pytest.fixture
def server(cloud: Cloud) -> Iterator[CloudServer]:
    with CloudServer(cloud) as server:
        yield server


def within(seconds: float = 5.0) -> Deadline:
    return Deadline(SystemClock(), seconds)


class Gateways:
    """One instance: its roles are kept over its invocations, each of which has a gateway of its own."""

    def __init__(self, server: CloudServer, clock: VirtualClock) -> None:
        self.endpoint = Endpoint.parse(server.url)
        self.roles = AssumedRoles(clock)
        self.own = OWN
        self.hidden: list[str] = []

    def gateway(self) -> EmrGateway:
        api = CloudApi()
        keys = Keys(lambda: self.own, self.roles, api, self.endpoint, self.hidden.extend)
        return EmrGateway(api, self.endpoint, keys.for_cluster, keys.refused)


@pytest.fixture
def instance(server: CloudServer, clock: VirtualClock) -> Gateways:
    return Gateways(server, clock)


def test_the_role_is_assumed_and_its_key_signs(instance: Gateways, cloud: Cloud) -> None:
    """Looking and acting go with the temporary key and its token, which the fake verifies; our own clusters with our own key."""
    gateway = instance.gateway()
    assert gateway.cluster_status(THEIRS, within()) == 2
    assert len(gateway.processes(THEIRS, "HDFS", within())) == 2
    assert gateway.start_stop(THEIRS, RESTART, within())
    assert gateway.cluster_status(OURS, within()) == 2
    (session,) = cloud.sessions.values()
    assert [(request.action, request.secret_id) for request in cloud.requests] == [
        ("AssumeRole", SECRET_ID),
        ("DescribeInstances", session.secret_id),
        ("DescribeServiceNodeInfos", session.secret_id),
        ("StartStopServiceOrMonitor", session.secret_id),
        ("DescribeInstances", SECRET_ID),
    ]
    assert cloud.requests[0].params == {
        "RoleArn": ARN,
        "RoleSessionName": "emr-steward",
        "DurationSeconds": SECONDS,
    }
    assert all(request.error is None for request in cloud.requests)


def test_our_own_key_does_not_see_their_cluster(instance: Gateways) -> None:
    """Without the role the fake has no such cluster for us: the role is really what opens it."""
    alone = Cluster(THEIRS.id, "theirs", THEIRS.region, THEIRS.allow)
    with pytest.raises(errors.NotFound):
        instance.gateway().cluster_status(alone, within())


def test_the_key_is_kept_over_invocations_until_shortly_before_its_end(
    instance: Gateways, cloud: Cloud, clock: VirtualClock
) -> None:
    """One AssumeRole for each role while its key is good, and another before it ends."""
    for pause in (0, 60, SECONDS - MARGIN - 61):
        clock.advance(pause)
        assert instance.gateway().cluster_status(THEIRS, within()) == 2
    assert len(cloud.requests_for("AssumeRole")) == 1
    clock.advance(2)
    assert instance.gateway().cluster_status(THEIRS, within()) == 2
    assert len(cloud.requests_for("AssumeRole")) == 2
    assert cloud.requests[-1].secret_id == list(cloud.sessions)[-1]


def test_an_ended_key_is_refused_by_the_fake(server: CloudServer, cloud: Cloud, clock: VirtualClock) -> None:
    """What keeps the test before this one from passing by chance."""
    session = cloud.assume(ARN, SECRET_ID, SECONDS)
    key = Credentials(session.secret_id, session.secret_key, session.token)
    gateway = EmrGateway(CloudApi(), Endpoint.parse(server.url), lambda cluster, deadline: key)
    assert gateway.cluster_status(THEIRS, within()) == 2
    clock.advance(SECONDS)
    with pytest.raises(errors.NotAuthenticated, match="TokenFailure"):
        gateway.cluster_status(THEIRS, within())


def test_each_role_has_its_own_key(instance: Gateways, cloud: Cloud) -> None:
    """Two accounts, two keys; two clusters of one role, one."""
    third = "qcs::cam::uin/300000000003:roleName/emr-steward"
    cloud.roles[third] = Role(third)
    cloud.add_cluster("emr-third000", {"HDFS": {"DataNode": ["10.2.0.5"]}}, uin="300000000003")
    cloud.add_cluster("emr-theirs01", {"HDFS": {"DataNode": ["10.1.1.5"]}}, uin=OTHER)
    for name, arn in (("emr-theirs00", ARN), ("emr-third000", third), ("emr-theirs01", ARN)):
        cluster = Cluster(name, name, "ap-guangzhou", frozenset(OpType), role_arn=arn)
        assert instance.gateway().cluster_status(cluster, within()) == 2
    assert [request.params["RoleArn"] for request in cloud.requests_for("AssumeRole")] == [ARN, third]


def test_many_looks_at_once_assume_once(instance: Gateways, cloud: Cloud) -> None:
    """A cluster's services are looked at side by side."""
    gateway = instance.gateway()
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.append(gateway.cluster_status(THEIRS, within()))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [2] * 8
    assert len(cloud.requests_for("AssumeRole")) == 1


def test_those_that_wait_for_a_refusal_share_it() -> None:
    """Eight looks at a role that is not to be had do not ask eight times, one after the other, while the deadline runs."""
    roles, asked, refused = AssumedRoles(SystemClock()), [], []
    together = threading.Barrier(8)

    def assume() -> AssumedWire:
        asked.append(1)
        time.sleep(0.3)  # the others are waiting by then
        raise errors.NotAuthorized("AssumeRole.UnauthorizedOperation", "no")

    def look() -> None:
        together.wait()
        with pytest.raises(errors.NotAuthorized):
            roles.credentials(ARN, assume)
        refused.append(1)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(asked), len(refused)) == (1, 8)
    with pytest.raises(errors.NotAuthorized):
        roles.credentials(ARN, assume)
    assert len(asked) == 2


def test_a_key_that_is_revoked_is_asked_for_anew(instance: Gateways, cloud: Cloud) -> None:
    """The call that meets it is refused; the next one does not wait an hour."""
    assert instance.gateway().cluster_status(THEIRS, within()) == 2
    cloud.credentials.pop(next(iter(cloud.sessions)))
    with pytest.raises(errors.NotAuthenticated):
        instance.gateway().cluster_status(THEIRS, within())
    assert instance.gateway().cluster_status(THEIRS, within()) == 2


REFUSALS = [
    ("ResourceNotFound.RoleNotFound", errors.Rejected),
    ("InvalidParameter.OverTimeError", errors.Rejected),
    ("InvalidParameter.AccountNotAvaliable", errors.Rejected),
    ("UnauthorizedOperation", errors.NotAuthorized),
    ("AuthFailure.SecretIdNotFound", errors.NotAuthenticated),
    ("InvalidParameter.OverLimit", errors.NeverSent),
    ("RequestLimitExceeded", errors.NeverSent),
    ("InternalError.SystemError", errors.NeverSent),
    ("FailedOperation", errors.NeverSent),
]


@pytest.mark.parametrize(("code", "kind"), REFUSALS)
def test_a_role_that_is_refused_sends_nothing_and_is_named(
    instance: Gateways, server: CloudServer, cloud: Cloud, code: str, kind: type[errors.ApiError]
) -> None:
    """Whatever STS answers, the cluster's request is certainly not carried out: it stands refused, or may be tried again."""
    server.faults.add(Fault(Kind.API_ERROR, action="AssumeRole", code=code, message="said by STS"))
    with pytest.raises(errors.NotCarriedOut) as raised:
        instance.gateway().start_stop(THEIRS, RESTART, within())
    assert type(raised.value) is kind
    assert raised.value.code == f"AssumeRole.{code}"
    assert ARN in str(raised.value)
    assert [request.action for request in cloud.requests] == ["AssumeRole"]


@pytest.mark.parametrize(
    "kind",
    [Kind.CLOSE_SILENTLY, Kind.RESET_AFTER_READING, Kind.CUT_BODY, Kind.BAD_GATEWAY_AFTER, Kind.HTML, Kind.HANG_AFTER],
    ids=lambda kind: kind.name,
)
def test_a_lost_answer_of_sts_puts_nothing_in_doubt(
    instance: Gateways, server: CloudServer, cloud: Cloud, kind: Kind
) -> None:
    """An AssumeRole that may have been carried out acts on no cluster: NeverSent, and the next try assumes anew."""
    server.faults.add(Fault(kind, action="AssumeRole", seconds=0.05))
    with pytest.raises(errors.NeverSent, match="roleName/emr-steward"):
        instance.gateway().start_stop(THEIRS, RESTART, within(2))
    assert not cloud.operations
    assert instance.gateway().cluster_status(THEIRS, within()) == 2


def test_an_answer_without_its_key_is_no_key(instance: Gateways, server: CloudServer, cloud: Cloud) -> None:
    """NeverSent, naming the role and not what was read."""
    server.faults.add(Fault(Kind.NO_RESPONSE_KEY, action="AssumeRole"))
    with pytest.raises(errors.NeverSent, match="roleName/emr-steward"):
        instance.gateway().cluster_status(THEIRS, within())
    assert not cloud.requests_for("DescribeInstances")


@pytest.mark.parametrize("answer", [{}, {"Credentials": {"TmpSecretId": "a", "TmpSecretKey": "the-key", "Token": ""}}])
def test_a_key_that_is_not_whole_is_none(
    instance: Gateways, server: CloudServer, answer: dict[str, object], mocker: MockerFixture
) -> None:
    """What STS says is validated; the error names the field and never its value."""
    mocker.patch.object(CloudApi, "call", return_value={**answer, "ExpiredTime": 1})
    with pytest.raises(errors.NeverSent, match=r"AssumeRole\.Credentials") as raised:
        instance.gateway().cluster_status(THEIRS, within())
    assert "the-key" not in str(raised.value)


def test_a_role_that_does_not_trust_us_is_refused(instance: Gateways, cloud: Cloud) -> None:
    """The error says which statement is missing, on which side."""
    cloud.roles[ARN].trusts = frozenset()
    with pytest.raises(errors.NotAuthorized, match=r"needs sts:AssumeRole on it, and its trust policy"):
        instance.gateway().cluster_status(THEIRS, within())


def test_a_right_that_the_role_lacks_is_the_roles(instance: Gateways, cloud: Cloud) -> None:
    """The role is assumed, and its own policy refuses."""
    cloud.roles[ARN].denied.add("StartStopServiceOrMonitor")
    gateway = instance.gateway()
    assert gateway.cluster_status(THEIRS, within()) == 2
    with pytest.raises(errors.NotAuthorized, match="CheckCamAuth"):
        gateway.start_stop(THEIRS, RESTART, within())
    assert not cloud.operations


def test_the_new_secrets_are_told_to_the_log_before_they_are_used(instance: Gateways, cloud: Cloud) -> None:
    """Key and token; the id is no secret. An error of the role's holds neither."""
    instance.gateway().cluster_status(THEIRS, within())
    (session,) = cloud.sessions.values()
    assert instance.hidden == [session.secret_key, session.token]
    assert instance.roles.secrets() == [session.secret_key, session.token]


def test_without_time_no_role_is_assumed(instance: Gateways, cloud: Cloud) -> None:
    """A deadline that has passed is no time to begin."""
    with pytest.raises(errors.NeverSent):
        instance.gateway().cluster_status(THEIRS, within(0))
    assert not cloud.requests


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("global", "sts.tencentcloudapi.com"),
        ("regional", "sts.ap-guangzhou.tencentcloudapi.com"),
        ("international", "sts.intl.tencentcloudapi.com"),
        ("internal", "sts.internal.tencentcloudapi.com"),
        ("emr.example.com", "emr.example.com"),
        ("gateway.tencentcloudapi.com", "gateway.tencentcloudapi.com"),
        ("http://127.0.0.1:18080", "127.0.0.1:18080"),
    ],
)
def test_sts_is_in_the_same_network_as_the_api(endpoint: str, host: str) -> None:
    """In a VPC as over the internet; a host that is not the cloud's own serves every product."""
    assert Endpoint.parse(endpoint).of_service("sts", "ap-guangzhou") == host

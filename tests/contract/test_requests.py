"""The fake cloud takes every request that the function can make, with the same meaning.

The two packages do not know each other. The function's requests come from its own models; the fake checks them against
the SDK's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.cloud.account import ENDPOINTS, Credentials, Endpoint
from handler.cloud.client import CloudApi, Product
from handler.cloud.credentials import AssumedRoles, Keys
from handler.cloud.emr import EmrGateway
from handler.errors import ApiError
from handler.ledger.ledger import open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.model.alarm import Alarm
from handler.model.policy import AlarmSettings, Cluster, EventBus
from handler.model.request import Action, OpType, Request, StopParams, StrategyConfig
from handler.model.scope import ALL, OpScope, Target
from handler.report.alarms import Alarms
from handler.report.log import Log
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from harness.fake_cloud.sts import Role
from steward.simulate.world import in_process

KEY = Credentials(SECRET_ID, SECRET_KEY)
CLUSTER = Cluster(ANALYTICS, "analytics", "ap-guangzhou", frozenset(OpType))
ARN = "qcs::cam::uin/200000000002:roleName/emr-steward"
START_STOP = "StartStopServiceOrMonitor"
TARGETS = [
    Target(process.service, process.component, process.ip)
    for process in demo_cloud(SystemClock()).cluster(ANALYTICS).processes()
]


def within() -> Deadline:
    return Deadline(SystemClock(), 10)


def gateway(cloud: Cloud, endpoint: str = "global") -> EmrGateway:
    return EmrGateway(CloudApi(lambda: in_process(cloud)), Endpoint.parse(endpoint), lambda *_: KEY)


# -- what the function can ask

strategies = st.builds(
    StrategyConfig,
    rolling=st.booleans(),
    batch_size=st.integers(1, 99_999),
    time_wait=st.integers(0, 300),
    skip_failed=st.booleans(),
    args=st.lists(st.tuples(st.text(), st.lists(st.text(), max_size=3).map(tuple)), max_size=3).map(tuple),
)
stop_params = st.builds(
    StopParams,
    policy=st.sampled_from([None, "safe", "default"]),
    thread_count=st.none() | st.integers(1),
    grace_down_time=st.none() | st.integers(0),
)


@st.composite
def actions(draw: st.DrawFn) -> Action:
    """Any operation that the function considers valid."""
    op_type = draw(st.sampled_from(OpType))
    action = Action(
        op_type,
        draw(strategies if op_type is OpType.RESTART_SERVICE else st.none() | strategies),
        draw(st.none() | stop_params) if op_type is OpType.STOP_SERVICE else None,
        draw(st.none() | st.booleans()) if op_type is OpType.STOP_MONITOR else None,
    )
    assert not list(action.problems())
    return action


def scopes(targets: list[Target]) -> st.SearchStrategy[OpScope]:
    """Every shape of a scope: services, components, nodes, processes, and unions of these."""
    one = st.sampled_from(targets)
    return st.lists(
        one.map(lambda target: OpScope.of_service(target.service))
        | one.map(lambda target: OpScope.of_component(target.service, target.component, ALL))
        | one.map(lambda target: OpScope.of_component(target.service, target.component, [target.ip]))
        | one.map(OpScope.of_target)
        | st.lists(one, min_size=1, max_size=6).map(OpScope.of_targets),
        min_size=1,
        max_size=4,
    ).map(OpScope.union_of)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    action = draw(actions())
    targets = TARGETS
    if action.op_type is OpType.RESTART_SERVICE and action.strategy and not action.strategy.rolling:
        # Documented: ResourceManager is restarted by rolling only.
        targets = [target for target in TARGETS if target.service != "YARN"]
    return Request(ANALYTICS, action, draw(scopes(targets)))


# -- what the fake makes of it


@settings(deadline=None)  # the first call loads the SDK
@given(request=requests(), endpoint=st.sampled_from([*ENDPOINTS, "http://127.0.0.1:1"]))
def test_an_operation_is_carried_out_as_it_was_meant(request: Request, endpoint: str) -> None:
    """Whatever its type, scope, strategy and endpoint: the same processes, in the same way."""
    cloud = demo_cloud(SystemClock())
    gateway(cloud, endpoint).start_stop(CLUSTER, request, within())
    (operation,) = cloud.operations
    meant = {
        f"{target.service}/{target.component}@{target.ip}"
        for target in TARGETS
        for service, component, ip in request.scope
        if (service, component or target.component, ip or target.ip) == target
    }
    assert (operation.op_type, set(operation.names)) == (request.op_type.value, meant)
    if (strategy := request.action.strategy) is not None:
        carried_out = operation.strategy
        assert (carried_out.rolling, carried_out.batch_size) == (strategy.rolling, strategy.batch_size)
        assert (carried_out.wait_seconds, carried_out.skip_failures) == (strategy.time_wait, strategy.skip_failed)
    assert cloud.requests[-1].params == request.to_wire()


@pytest.mark.parametrize("offset_is", ["page", "item"])
def test_what_it_sees_is_what_is_there(offset_is: Any) -> None:
    """A cluster's status and each of its processes, however pages are counted."""
    cloud = demo_cloud(SystemClock())
    cloud.offset_is = offset_is
    cloud.add_cluster("emr-large000", {"HDFS": {"DataNode": [f"10.0.0.{number}" for number in range(1, 251)]}})
    cloud.process(ANALYTICS, "DataNode", "172.16.0.5").kill()
    cloud.process(ANALYTICS, "DataNode", "172.16.0.6").stop_by_operator()
    cloud.process(ANALYTICS, "DataNode", "172.16.0.7").put_in_maintenance()
    looks = gateway(cloud)
    for cluster in (CLUSTER, Cluster("emr-large000", "large", "ap-guangzhou", frozenset())):
        there = cloud.cluster(cluster.id)
        assert looks.cluster_status(cluster, within()) == there.status
        for service in there.services:
            seen = [
                (one.target, one.health, one.service_status, one.monitor_status, one.last_restart)
                for one in looks.processes(cluster, service, within())
            ]
            assert seen == [
                (
                    (one.service, one.component, one.ip),
                    one.health,
                    one.service_status,
                    one.monitor_status,
                    one.last_restart,
                )
                for one in there.processes(service)
            ]
    assert {request.error for request in cloud.requests} == {None}


def assume(cloud: Cloud) -> Credentials:
    """A role's key, as the function gets it."""
    cloud.roles[ARN] = Role(ARN)
    api = CloudApi(lambda: in_process(cloud))
    keys = Keys(lambda: KEY, AssumedRoles(SystemClock()), api, Endpoint.parse("global"))
    theirs = Cluster("emr-8kd2m1qp", "nightly", "ap-shanghai", frozenset(OpType), role_arn=ARN)
    return keys.for_cluster(theirs, within())


def put_alarm(cloud: Cloud, alarm: Alarm) -> None:
    """An alarm on an event bus, as the function sends it."""
    ledger = open_ledger("sqlite:///:memory:")
    alarms = Alarms(
        AlarmSettings(event_bus=EventBus("eb-example0", "ap-guangzhou")),
        {},
        ledger=ledger,
        api=CloudApi(lambda: in_process(cloud)),
        credentials=KEY,
        clock=SystemClock(),
    )
    alarms.notify(alarms.of([alarm]), Log(lambda _: None, SystemClock()), within())
    ledger.close()


def test_it_assumes_a_role() -> None:
    """The key is the one that the cloud made."""
    cloud = demo_cloud(SystemClock())
    key = assume(cloud)
    (session,) = cloud.sessions.values()
    assert (key.secret_id, key.secret_key, key.token) == (session.secret_id, session.secret_key, session.token)


@settings(deadline=None)  # the first call loads the SDK
@given(code=st.text(min_size=1), cluster=st.text(), text=st.text(), count=st.integers(1))
def test_any_alarm_is_put_on_the_bus(code: str, cluster: str, text: str, count: int) -> None:
    """Whatever it says, and whether or not it is about a cluster."""
    cloud = demo_cloud(SystemClock())
    put_alarm(cloud, Alarm(code, cluster, "about", text, count, fix=text, where=code))
    assert [request.error for request in cloud.requests] == [None]
    assert len(cloud.put_events) == 1


# -- what it cannot ask


def misspellings(value: Any) -> Iterator[Any]:
    """``value`` again and again, each time with another key of it misspelt, at every depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for other in (key[:-1], key + "s", key[:-1] + key[-1].swapcase(), key.lower()):
                yield {other if name == key else name: one for name, one in value.items()}
            for one in misspellings(inner):
                yield {**value, key: one}
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            for one in misspellings(inner):
                yield [*value[:position], one, *value[position + 1 :]]


def refused(cloud: Cloud, product: Product, action: str, params: dict[str, Any]) -> str:
    """The error with which a request is refused."""
    with pytest.raises(ApiError) as caught:
        CloudApi(lambda: in_process(cloud)).call(product, KEY, action, params, within())
    return str(caught.value.code)


EMR = Product("emr", "2019-01-03", "https", "emr.tencentcloudapi.com", "ap-guangzhou")
STS = Product("sts", "2018-08-13", "https", "sts.tencentcloudapi.com", "ap-guangzhou")
EB = Product("eb", "2021-04-16", "https", "eb.tencentcloudapi.com", "ap-guangzhou")


@settings(deadline=None)  # the first call loads the SDK
@given(request=requests(), data=st.data())
def test_an_operation_with_a_misspelt_key_is_refused(request: Request, data: st.DataObject) -> None:
    """A key that is dropped in silence can widen a scope: here nothing is done."""
    cloud = demo_cloud(SystemClock())
    params = data.draw(st.sampled_from(list(misspellings(request.to_wire()))))
    assert refused(cloud, EMR, START_STOP, params) == "UnknownParameter"
    assert not cloud.operations


def test_any_other_request_with_a_misspelt_key_is_refused() -> None:
    """Looks, AssumeRole and PutEvents: each key that the function sends, in four misspellings."""
    cloud = demo_cloud(SystemClock())
    gateway(cloud).cluster_status(CLUSTER, within())
    gateway(cloud).processes(CLUSTER, "HDFS", within())
    assume(cloud)
    put_alarm(cloud, Alarm("doctor.test", "", "about", "text", fix="fix"))
    made = {request.action: dict(request.params) for request in cloud.requests}
    products = {"DescribeInstances": EMR, "DescribeServiceNodeInfos": EMR, "AssumeRole": STS, "PutEvents": EB}
    assert made.keys() == products.keys()
    for action, product in products.items():
        for params in misspellings(made[action]):
            assert refused(cloud, product, action, params) == "UnknownParameter", params

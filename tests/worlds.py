"""What scenarios do to a world, and read from it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from handler.cloud.client import CloudApi
from handler.execute.follow_up import MESSAGE
from harness.fake_cloud.adapter import CloudAdapter
from harness.faults import Fault
from steward.simulate.platform import function_url_event, timer_event
from steward.simulate.world import Wired, World, in_process

if TYPE_CHECKING:
    from handler.ledger.cluster_record import ClusterRecord
    from harness.fake_cloud.state.process import Process

#: The sample of an alert about the DataNode on 172.16.0.5, and its cluster.
DOWN = "alertmanager-datanode-down"
CLUSTER = "emr-4zvc5mul"
#: The API's action that acts.
ACTION = "StartStopServiceOrMonitor"


def process(world: World, ip: str = "172.16.0.5", component: str = "DataNode") -> Process:
    """A process of the first demo cluster."""
    return world.cloud.process(CLUSTER, component, ip)


def kill(world: World, ip: str = "172.16.0.5") -> None:
    """The DataNode there dies."""
    process(world, ip).kill()


def faulty(world: World, *faults: Fault) -> CloudAdapter:
    """The API meets the next calls with these faults."""
    adapter = in_process(world.cloud)
    adapter.faults.add(*faults)
    world.function._api = CloudApi(lambda: adapter)
    return adapter


def lines(world: Wired, event: str) -> list[dict[str, Any]]:
    """The log's lines of one kind."""
    return [line for line in world.lines if line["event"] == event]


def alarms(world: Wired) -> list[str]:
    """The codes of the alarms that were raised; each says what happened and what a person should do."""
    raised = lines(world, "steward.alarm")
    assert all(line["reason"] and line["fix"] for line in raised)
    return [line["code"] for line in raised]


def over(world: Wired) -> list[str]:
    """The codes of the alarms that were said to be over."""
    return [line["code"] for line in lines(world, "steward.alarm.over")]


def outcomes(world: Wired) -> list[str]:
    """What the events were answered, in order."""
    return [line["outcome"] for line in world.outcomes()]


def codes(world: Wired) -> list[str]:
    """The codes of what the events were answered, in order."""
    return [line["code"] for line in world.outcomes()]


def settled(world: Wired) -> list[str]:
    """What became of the events that were open, in order."""
    return [line["outcome"] for line in lines(world, "steward.settled")]


def record(world: Wired, cluster: str = CLUSTER) -> ClusterRecord:
    """The cluster's record."""
    return world.function.ledger.load(cluster).record


def states(world: Wired, cluster: str = CLUSTER) -> list[str]:
    """The states of the operations that the record holds, the oldest first."""
    return [one.state.value for one in record(world, cluster).operations.values()]


def follow_up(world: World, minutes: float = 1, every: float = 60) -> Any:
    """The follow-up comes each minute, for so long; its last answer."""
    answer = None
    for _ in range(round(minutes * 60 / every)):
        world.clock.sleep(every)
        event = timer_event("follow-up", MESSAGE, world.clock.now())
        answer = world.function.handle(event, {"time_limit_in_ms": 60_000})
    return answer


def requested(world: World) -> list[tuple[str, list[str]]]:
    """What the cloud was asked to do: each operation's type, and the addresses of its processes."""
    return [(one.op_type, sorted({target.ip for target in one.targets})) for one in world.cloud.operations]


def bearer_for(world: World, payload: Any) -> str:
    """The credentials of the example's caller that may send it: an Alertmanager's alerts, or else requests."""
    who = "ALERTMANAGER" if isinstance(payload, dict) and "alerts" in payload else "DEPLOY"
    return f"Bearer {world.env[f'STEWARD_SECRET_{who}']}"


def post(world: World, payload: Any, **headers: str) -> dict[str, Any]:
    """The answer to a call over HTTP."""
    bearer = {"Authorization": bearer_for(world, payload), **headers}
    event = function_url_event("POST", "/", bearer, json.dumps(payload).encode())
    answer: dict[str, Any] = world.function.handle(event, {"time_limit_in_ms": 30_000})
    return answer


def command(
    op_type: str, *nodes: str, service: str = "HDFS", component: str = "DataNode", **more: Any
) -> dict[str, Any]:
    """A direct call about DataNodes, or other processes; without nodes, about the whole service."""
    scope: dict[str, Any] = {"ServiceName": service}
    if nodes:
        scope["ComponentInfoList"] = [{"ComponentName": component, "IpList": list(nodes)}]
    return {"InstanceId": CLUSTER, "OpType": op_type, "OpScope": {"ServiceInfoList": [scope]}, **more}

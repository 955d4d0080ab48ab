"""The workload of a storm: dead DataNodes, one rule, and events about them."""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any, Final

from steward.config.compile import config_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from handler.config.config import Config

#: DataNodes in each cluster, and those of them that are dead: fewer than half, since restarts are no remedy for more.
NODES: Final = 5
DEAD: Final = 2


def clusters(dead: int) -> dict[str, list[str]]:
    """Clusters of which ``dead`` DataNodes can be dead: the addresses by cluster id."""
    return {
        f"emr-{number:08d}": [f"10.{number >> 8}.{number & 255}.{node + 1}" for node in range(NODES)]
        for number in range((dead + DEAD - 1) // DEAD)
    }


def dead_processes(dead: int) -> list[tuple[str, str]]:
    """The cluster and the address of each dead DataNode."""
    return [(name, ip) for name, addresses in clusters(dead).items() for ip in addresses[:DEAD]][:dead]


def restarting(
    names: Iterable[str],
    *,
    limits: Mapping[str, Any],
    safety: Mapping[str, Any] | None = None,
    operations_per_hour: int = 12,
    rolling: bool = False,
) -> Config:
    """A configuration of these clusters whose one rule, ``restart``, restarts what fires."""
    cluster = {"region": "ap-guangzhou", "allow": ["RestartService"], "operations_per_hour": operations_per_hour}
    rule = {
        "name": "restart",
        "when": {"status": ["firing"]},
        "do": {
            "operation": "RestartService",
            "cluster": "{cluster}",
            "scope": {"{service}": {"{component}": ["{ip}"]}},
            "strategy": {"rolling": rolling},
        },
        "limits": limits,
    }
    return config_of({"clusters": dict.fromkeys(names, cluster), "rules": [rule], "safety": safety or {}})


def deliveries(processes: list[tuple[str, str]], count: int, began: float) -> list[Any]:
    """``count`` events about the processes (cluster, address), shuffled, in four forms."""
    # Of twenty events, 11 are the sender's repeats, 6 come through a queue, 2 are Cloud Monitor's own alarm, and one has
    # another fingerprint.
    forms = [alertmanager] * 11 + [in_ckafka] * 6 + [cloud_monitor] * 2 + [renamed]
    events = [
        forms[number // len(processes) % len(forms)](*processes[number % len(processes)], began)
        for number in range(count)
    ]
    random.Random(count).shuffle(events)  # noqa: S311 - the same storm each time
    return events


def alertmanager(cluster: str, ip: str, began: float) -> dict[str, Any]:
    """Alertmanager's body, with one alert, firing since ``began`` (seconds since the epoch)."""
    labels = {
        "alertname": "DataNodeDown",
        "cluster_id": cluster,
        "service": "HDFS",
        "component": "DataNode",
        "ip": ip,
    }
    alert = {"status": "firing", "labels": labels, "annotations": {}, "startsAt": _iso(began), "fingerprint": ip}
    return {"version": "4", "status": "firing", "groupKey": "{}", "truncatedAlerts": 0, "alerts": [alert]}


def in_ckafka(cluster: str, ip: str, began: float) -> dict[str, Any]:
    """The body of :func:`alertmanager` as the message of a CKafka event."""
    body = json.dumps(alertmanager(cluster, ip, began))
    return {"Records": [{"Ckafka": {"topic": "alerts", "partition": 1, "offset": 36, "msgKey": "", "msgBody": body}}]}


def cloud_monitor(cluster: str, ip: str, began: float) -> dict[str, Any]:
    """The callback of Cloud Monitor's own alarm about the process."""
    return {
        "sessionId": f"session-{cluster}-{ip}",
        "alarmStatus": "1",
        "alarmType": "metric",
        "alarmObjInfo": {
            "region": "gz",
            "namespace": "QCE/TXMR_HDFS",
            "dimensions": {"id4hdfsdatanode": cluster, "host4hdfsdatanode": ip},
        },
        "alarmPolicyInfo": {
            "policyId": "policy-1",
            "policyType": "new_hdfs_datanode_dim",
            "policyName": "DataNode does not answer",
            "conditions": {
                "metricName": "DatanodeProcessAlive",
                "calcType": "<",
                "calcValue": "1",
                "currentValue": "0",
            },
        },
        "firstOccurTime": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(began + 8 * 3600)),
        "durationTime": 60,
        "recoverTime": "0",
    }


def renamed(cluster: str, ip: str, began: float) -> dict[str, Any]:
    """The same alert under another fingerprint, as a second Alertmanager sends it."""
    event = alertmanager(cluster, ip, began)
    event["alerts"][0]["fingerprint"] = f"again-{ip}"
    return event


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

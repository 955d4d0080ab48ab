"""What events state, and what processes are seen to be, for tests; everything that does not matter is filled in."""

from __future__ import annotations

from typing import Any

from handler.ledger.cluster_record import ClusterRecord
from handler.model.intent import Intent, Stated, Statement
from handler.model.observation import Observation, Reading
from handler.model.request import Action, OpType, StrategyConfig
from handler.model.scope import OpScope, Target

CLUSTER = "emr-4zvc5mul"
NOW = 1_000_000.0
IP = "172.16.0.5"
#: The key of the DataNode there.
KEY = f"HDFS/datanode/{IP}"
BEFORE, AFTER = "2024-08-16 14:13:32", "2024-08-16 15:00:00"

RESTART = Action(OpType.RESTART_SERVICE, StrategyConfig())
START, STOP = Action(OpType.START_SERVICE), Action(OpType.STOP_SERVICE)
ENTER, LEAVE = Action(OpType.STOP_MONITOR), Action(OpType.START_MONITOR)


def one(ip: str = IP, component: str = "DataNode", service: str = "HDFS") -> OpScope:
    """One process."""
    return OpScope.of_target(Target(service, component, ip))


def a_reading(
    ip: str = IP,
    component: str = "DataNode",
    *,
    status: int = 1,
    monitor: int = 1,
    health: int = 0,
    last: str = BEFORE,
) -> Reading:
    """A DataNode that is down, unless it is told otherwise."""
    return Reading(Target("HDFS", component, ip), status, monitor, health, last)


def a_look(*readings: Reading, at: float = NOW, status: int = 2) -> Observation:
    """A cluster at rest with these processes of HDFS."""
    return Observation(CLUSTER, status, {"HDFS": readings}, at)


def an_intent(**fields: Any) -> Intent:
    """A pending remediation of one DataNode, or a command where ``is_command``."""
    is_command = fields.get("is_command", False)
    values: dict[str, Any] = {
        "key": f"r|{KEY}",
        "seq": 1,
        "is_command": False,
        "rule": "r",
        "action": RESTART,
        "scope": one(),
        "even_if_healthy": False,
        "digest": "d" if is_command else "",
        "asked_at": NOW - 10,
        "is_dated": True,
        "waits_since": NOW - 10,
        "statements": {} if is_command else {"s": Statement(NOW - 10, NOW - 10)},
        "events": ("e",),
    }
    return Intent(**{**values, **fields})


def an_alert(event: str = "e-1", **fields: Any) -> Stated:
    """What a firing alert states: that the DataNode be restarted."""
    values: dict[str, Any] = {
        "sender": "|alertmanager:a",
        "rule": "r",
        "action": RESTART,
        "scope": one(),
        "is_command": False,
        "told_at": NOW,
        "start": NOW - 10,
    }
    return Stated(event, **{**values, **fields})


def a_command(event: str = "c-1", action: Action = STOP, **fields: Any) -> Stated:
    """What a direct call asks for, by an id of its own and at no time of its own."""
    values: dict[str, Any] = {
        "sender": f"ci|request:{event}",
        "rule": "request",
        "scope": one(),
        "is_command": True,
        "told_at": NOW,
    }
    return Stated(event, action=action, **{**values, **fields})


def a_record(*intents: Intent, **fields: Any) -> ClusterRecord:
    """A record that began long ago."""
    values: dict[str, Any] = {"began": NOW - 90 * 86_400, "seq": 100}
    record = ClusterRecord(CLUSTER, **{**values, **fields})
    record.intents.update((intent.key, intent) for intent in intents)
    return record


def told(record: ClusterRecord) -> list[str]:
    """The codes of the alarms that the record decided to tell, in their order."""
    return [saying.body["code"] for saying in record.outbox.values() if saying.kind == "alarm"]


def settled(record: ClusterRecord) -> list[tuple[str, str]]:
    """Outcome and code of each intent that the record says has settled, in their order."""
    return [(one.body["outcome"], one.body["code"]) for one in record.outbox.values() if one.kind == "settled"]

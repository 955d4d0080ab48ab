"""Operations and records for tests, with everything that does not matter filled in."""

from __future__ import annotations

from handler.ledger.protocol import Ledger
from handler.model.operation import Operation, State
from handler.model.outcome import Record
from handler.model.request import OpType
from handler.report.log import Log
from harness.clock import VirtualClock


def an_operation(
    name: str,
    *,
    cluster: str = "emr-4zvc5mul",
    now: float = 1_000_000.0,
    targets: tuple[str, ...] = ("HDFS/datanode/172.16.0.5",),
    incidents: dict[str, str] | None = None,
    owner: str = "worker-1",
    state: State = State.SENDING,
    op_type: OpType = OpType.RESTART_SERVICE,
    is_command: bool = False,
) -> Operation:
    """An operation as it is armed: SENDING, for a need, on one DataNode."""
    return Operation(
        id=name,
        cluster=cluster,
        op_type=op_type,
        state=state,
        owner=owner,
        armed_at=now,
        settled_at=now,
        deadline=now + 600,
        request={"InstanceId": cluster, "OpType": op_type.value},
        digest="d" * 64,
        before=dict.fromkeys(targets, "2024-08-16 14:13:32"),
        incidents={f"rule|alertmanager:{name}": "d" * 64} if incidents is None else incidents,
        events=(f"event-of-{name}",),
        rules=("rule",),
        is_command=is_command,
    )


def written(ledger: Ledger, records: list[Record], *secrets: str) -> None:
    """What became of events, as the log wrote it."""
    log = Log(lambda text: None, VirtualClock(0), secrets=secrets)
    ledger.record(records, log.outcomes(records))

"""Operations and records for tests, with everything that does not matter filled in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from handler.ledger.ledger import Ledger
from handler.model.operation import Operation, Part, State
from handler.model.outcome import Record
from handler.model.request import Action, OpType, StrategyConfig
from handler.report import history
from handler.report.log import Log
from harness.clock import VirtualClock


def an_operation(
    name: str,
    *,
    cluster: str = "emr-4zvc5mul",
    now: float = 1_000_000.0,
    targets: tuple[str, ...] = ("HDFS/datanode/172.16.0.5",),
    intents: tuple[str, ...] = ("rule|HDFS/datanode/172.16.0.5",),
    owner: str = "worker-1",
    state: State = State.SENDING,
    op_type: OpType = OpType.RESTART_SERVICE,
    is_command: bool = False,
    before: str = "2024-08-16 14:13:32",
    **more: Any,
) -> Operation:
    """An operation as it is armed: SENDING, for a remediation, on one DataNode; with ``more`` of its fields."""
    operation = Operation(
        id=name,
        seq=1,
        cluster=cluster,
        action=Action(op_type, StrategyConfig() if op_type is OpType.RESTART_SERVICE else None),
        state=state,
        owner=owner,
        armed_at=now,
        deadline=now + 600,
        is_command=is_command,
        rules=("rule",),
        intents=intents,
        parts={key: Part(before) for key in targets},
    )
    return replace(operation, **more)


def written(ledger: Ledger, records: list[Record], *secrets: str) -> None:
    """What became of events, as the log wrote it."""
    log = Log(lambda text: None, VirtualClock(0), secrets=secrets)
    ledger.append(history.lines_of(records, log.outcomes(records)))


def put(ledger: Ledger, *operations: Operation) -> None:
    """The ledger has these operations."""
    for one in operations:
        ledger.change(one.cluster, lambda record, one=one: record.operations.update({one.id: one}))  # type: ignore[misc]

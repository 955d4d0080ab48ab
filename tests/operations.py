"""Operations and records for tests, with everything that does not matter filled in."""

from __future__ import annotations

from handler.ledger.ledger import Ledger
from handler.model.operation import OPEN, Operation, Part, State, Verdict
from handler.model.outcome import Record
from handler.model.request import Action, OpType
from handler.report.history import lines_of
from handler.report.log import Log
from harness.clock import VirtualClock


def an_operation(
    name: str,
    *,
    cluster: str = "emr-4zvc5mul",
    now: float = 1_000_000.0,
    targets: tuple[str, ...] = ("HDFS/datanode/172.16.0.5",),
    intents: tuple[str, ...] | None = None,
    owner: str = "worker-1",
    state: State = State.SENDING,
    op_type: OpType = OpType.RESTART_SERVICE,
    is_command: bool = False,
    verdict: Verdict = Verdict.NONE,
) -> Operation:
    """An operation as it is armed: SENDING, for a remediation, on one DataNode. What is not open ended at ``now``."""
    return Operation(
        id=name,
        seq=1,
        cluster=cluster,
        action=Action(op_type),
        state=state,
        owner=owner,
        armed_at=now,
        deadline=now + 600,
        is_command=is_command,
        rules=("rule",),
        intents=tuple(f"rule|{key}" for key in targets) if intents is None else intents,
        parts=dict.fromkeys(targets, Part("2024-08-16 14:13:32", verdict)),
        ended_at=0.0 if state in OPEN else now,
    )


def written(ledger: Ledger, records: list[Record], *secrets: str) -> None:
    """What became of events, as the log wrote it."""
    log = Log(lambda text: None, VirtualClock(0), secrets=secrets)
    ledger.append(lines_of(records, log.outcomes(records)))

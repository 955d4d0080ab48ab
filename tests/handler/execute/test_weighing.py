"""Weighing: how a command ends of which no process is left to serve."""

from __future__ import annotations

import pytest

from handler.execute.policy import Policy, Step
from handler.execute.weighing import weigh
from handler.model.intent import COMMAND_LIMITS
from handler.model.operation import Operation, Part, State, Verdict
from handler.model.policy import Cluster, Safety
from handler.model.request import OpType
from handler.model.scope import OpScope
from tests.intents import CLUSTER, NOW, STOP, a_look, a_reading, a_record, an_intent, settled
from tests.operations import an_operation

MINE = ("HDFS/datanode/10.0.0.1", "HDFS/datanode/10.0.0.2")
OTHERS = "HDFS/datanode/10.0.0.3"
VERIFIED, UNVERIFIED, FAILED = Verdict.VERIFIED, Verdict.UNVERIFIED, Verdict.FAILED


def portion(name: str, state: State, **verdicts: Verdict) -> Operation:
    keys = {"first": MINE[0], "second": MINE[1], "others": OTHERS}
    parts = {keys[place]: Part("", verdict) for place, verdict in verdicts.items()}
    return an_operation(name, state=state, ended_at=NOW - 1, intents=("c", "d"), parts=parts, is_command=True)


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([portion("op-1", State.VERIFIED, first=VERIFIED, second=VERIFIED)], "done"),
        ([portion("op-1", State.UNVERIFIED, first=VERIFIED, second=UNVERIFIED)], "unverified"),
        # Another command of the same request failed: not ours.
        ([portion("op-1", State.FAILED, first=VERIFIED, second=VERIFIED, others=FAILED)], "done"),
        ([portion("op-1", State.UNVERIFIED, first=VERIFIED, second=VERIFIED, others=UNVERIFIED)], "done"),
        # In portions: an earlier one counts as the last one does.
        ([portion("op-0", State.UNVERIFIED, first=UNVERIFIED), portion("op-1", State.VERIFIED, second=VERIFIED)], "unverified"),
        ([portion("op-0", State.VERIFIED, first=VERIFIED), portion("op-1", State.VERIFIED, second=VERIFIED)], "done"),
        # It was not reached at first.
        ([portion("op-0", State.NOT_SENT, first=Verdict.NOT_REACHED), portion("op-1", State.VERIFIED, first=VERIFIED, second=VERIFIED)], "done"),
        ([], "done"),  # forgotten
    ],
)  # fmt: skip
def test_a_command_is_done_where_each_of_its_processes_was_seen_to_be(operations: list[Operation], status: str) -> None:
    """Whatever became of what was joined with it."""
    scope = OpScope.of_component("HDFS", "DataNode", ["10.0.0.1", "10.0.0.2"])
    command = an_intent(key="c", is_command=True, action=STOP, scope=scope, served=MINE, operation="op-1")
    record = a_record(command, operations={one.id: one for one in operations})
    cluster = Cluster(CLUSTER, "analytics", "ap-guangzhou", frozenset(OpType))
    seen = a_look(*(a_reading(key.rpartition("/")[2], status=2, health=-4) for key in MINE))
    policy = Policy(cluster, Safety(), lambda _: COMMAND_LIMITS, NOW, "w", "op-9")
    assert weigh(Step(record, seen, None, policy)) == []
    assert [outcome for outcome, _ in settled(record)] == [status]

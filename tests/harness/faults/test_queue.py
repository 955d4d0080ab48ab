"""Injected faults wait for the request that they are for."""

from __future__ import annotations

from harness.faults import Fault, FaultQueue, Kind
from tests.harness.calls import (
    START_STOP,
)


def test_a_fault_can_wait_for_its_action() -> None:
    """A fault for an action lets other requests pass. The queue lists waiting and met faults."""
    queue = FaultQueue()
    queue.add(Fault(Kind.HTML, START_STOP), Kind.CUT_BODY, Fault.throttle(2, "DescribeInstances"))
    assert len(queue) == 4
    met = [queue.for_request(action) for action in ("DescribeInstances", "PutEvents", START_STOP, "DescribeInstances")]
    assert [fault and (fault.kind, fault.action) for fault in met] == [
        (Kind.CUT_BODY, None),
        None,
        (Kind.HTML, START_STOP),
        (Kind.API_ERROR, "DescribeInstances"),
    ]
    assert [(fault.kind, action) for fault, action in queue.met] == [
        (Kind.CUT_BODY, "DescribeInstances"),
        (Kind.HTML, START_STOP),
        (Kind.API_ERROR, "DescribeInstances"),
    ]
    assert [fault.code for fault in queue] == ["RequestLimitExceeded"]
    queue.clear()
    assert queue.for_request("DescribeInstances") is None

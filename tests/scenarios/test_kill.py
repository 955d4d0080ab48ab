"""The failure matrix: a real worker process dies by kill -9 at each named step, on both ledgers; then the event comes again.

For each step: how often the cloud carried the request out after the redelivery, and what the ledger says in the end.
"""

from __future__ import annotations

import contextlib
import http.client
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from handler.app import Function
from handler.errors import LedgerUnavailable
from handler.lib import in_flight
from handler.lib.clock import SystemClock
from handler.model.operation import State
from handler.model.timing import TIMING
from handler.report.log import Log
from harness.fake_cloud.cloud import Cloud
from harness.fake_cloud.server import CloudServer
from steward.chaos import processes, workload
from steward.simulate.forkserver import PROCESSES
from steward.simulate.platform import timer_event

CONTEXT = {"time_limit_in_ms": 60_000, "request_id": "matrix"}
CLUSTER, IP = "emr-00000000", "10.0.0.1"


class Stepping:
    """Passes everything on to ``inner``; ``before`` and ``after`` say what happens around one method."""

    def __init__(self, inner: Any, method: str, before: Any = None, after: Any = None) -> None:
        self._inner, self._method, self._before, self._after = inner, method, before, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name != self._method:
            return method

        def stepped(*arguments: Any, **named: Any) -> Any:
            if self._before:
                self._before()
            result = method(*arguments, **named)
            if self._after:
                self._after()
            return result

        return stepped


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop() -> None:
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # this thread at once, and all others with it


def stop_when_signed() -> None:
    """Of the request that comes now: connected and signed, its first byte not yet sent."""
    send = in_flight.note_sent

    def stopped() -> None:
        in_flight.note_sent = send
        stop()
        send()

    in_flight.note_sent = stopped


def die_when_sent() -> None:
    """With the request's last byte handed over, and nothing read of its answer."""
    http.client.HTTPConnection.getresponse = lambda *_: die()  # type: ignore[method-assign, assignment]


def lose() -> None:
    raise LedgerUnavailable("its reply was lost")


#: Step → (ledger or gateway, method, before, after).
STEPS: dict[str, tuple[str, str, Any, Any]] = {
    "before arm": ("ledger", "swap", die, None),
    "after arm": ("ledger", "swap", None, die),
    "before the first byte": ("gateway", "start_stop", die, None),
    "stopped before signing": ("gateway", "start_stop", stop, None),
    "stopped before the first byte": ("gateway", "start_stop", stop_when_signed, None),
    "before the answer": ("gateway", "start_stop", die_when_sent, None),
    "after the answer": ("gateway", "start_stop", None, die),
    "before settle": ("ledger", "change", die, None),
    "after settle": ("ledger", "change", None, die),
    "before the outcome is written": ("ledger", "append", die, None),
    "arm's reply is lost": ("ledger", "swap", None, lose),
    "settle fails": ("ledger", "change", lose, None),
}


def _deliver(plan: processes.Plan, step: str) -> None:
    """A worker's life, up to its step."""
    function = plan.function(processes.LeapingClock(plan.began))
    where, method, before, after = STEPS[step]
    if where == "ledger":
        function.ledger = Stepping(function.ledger, method, before, after)  # type: ignore[assignment]
    else:
        log = Log(lambda text: None, function.clock)
        function._gateway = Stepping(function.gateway(log), method, before, after)
    with contextlib.suppress(LedgerUnavailable):
        function.handle(workload.alertmanager(CLUSTER, IP, plan.began), CONTEXT)


@pytest.fixture
def server() -> Iterator[CloudServer]:
    clock = processes.LeapingClock(time.time())
    cloud = Cloud(clock, transition_seconds=0.0)
    cloud.add_cluster(CLUSTER, {"HDFS": {"DataNode": workload.clusters(5)[CLUSTER]}})
    cloud.process(CLUSTER, "DataNode", IP).kill()
    with CloudServer(cloud, signed_by=SystemClock()) as running:
        yield running


def again(function: Function, plan: processes.Plan) -> None:
    with contextlib.suppress(LedgerUnavailable):
        function.handle(workload.alertmanager(CLUSTER, IP, plan.began), CONTEXT)


def follow_up(function: Function, plan: processes.Plan, seconds: float) -> None:
    """What the timer does, ``seconds`` later."""
    function.clock.sleep(seconds)
    function.handle(timer_event("follow-up", "steward:follow-up", function.clock.now()), CONTEXT)


def states(function: Function) -> list[State]:
    """Of the operations that the record holds."""
    return [one.state for one in function.ledger.load(CLUSTER).record.operations.values()]


@pytest.mark.parametrize(
    ("step", "dies", "on_redelivery"),
    [
        ("before arm", True, 1),
        ("after arm", True, 0),
        ("before the first byte", True, 0),
        ("before the answer", True, 1),
        ("after the answer", True, 1),
        ("before settle", True, 1),
        ("after settle", True, 1),
        ("before the outcome is written", True, 1),
        ("arm's reply is lost", False, 0),
        ("settle fails", False, 1),
    ],
)
def test_a_worker_that_dies_restarts_nothing_twice(
    url: str, server: CloudServer, step: str, dies: bool, on_redelivery: int
) -> None:
    """At most one request, whatever the step; in sight until it is settled; and what was not carried out is in the end."""
    plan = processes.Plan(url, server.url, 5, time.time())
    worker = PROCESSES.Process(target=_deliver, args=(plan, step))
    worker.start()
    worker.join(60)
    assert worker.exitcode == (-signal.SIGKILL if dies else 0)
    function = plan.function(processes.LeapingClock(plan.began))
    again(function, plan)
    for _ in range(100 * on_redelivery):  # what was sent is read, whoever died
        if server.cloud.operations:
            break
        time.sleep(0.02)
    assert len(server.cloud.operations) == on_redelivery
    if not on_redelivery:
        assert states(function) == [State.SENDING]
    for seconds in (70, 400, 70):  # its worker is lost by then; its signature no longer valid; then it is armed again
        follow_up(function, plan, seconds)
    assert (len(server.cloud.operations), states(function)) == (1, [State.VERIFIED])


@pytest.mark.parametrize("step", ["stopped before signing", "stopped before the first byte"])
def test_a_worker_that_was_stopped_sends_nothing_when_it_goes_on(
    url: str, server: CloudServer, step: str, request: pytest.FixtureRequest
) -> None:
    """Frozen after arming until it was given up, and its process served by another: a signature of now would let it act again."""
    plan = processes.Plan(url, server.url, 5, time.time())
    # A child, which can be waited for.
    worker = multiprocessing.get_context("spawn").Process(target=_deliver, args=(plan, step))
    worker.start()
    request.addfinalizer(worker.kill)  # who is stopped does not end by itself
    assert worker.pid is not None
    os.waitid(os.P_PID, worker.pid, os.WSTOPPED)
    function = plan.function(processes.LeapingClock(plan.began))
    for seconds in (70, 400, 70):
        follow_up(function, plan, seconds)
    assert (len(server.cloud.operations), states(function)) == (1, [State.VERIFIED])
    time.sleep(TIMING.latest_send / processes.SPEED_UP)
    os.kill(worker.pid, signal.SIGCONT)
    worker.join(60)
    assert worker.exitcode == 0
    assert (len(server.cloud.operations), states(function)) == (1, [State.VERIFIED])

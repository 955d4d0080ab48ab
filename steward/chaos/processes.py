"""The processes of a storm: the workers, each a whole function, and the fake cloud."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from handler.app import Function, RetryLater
from handler.cloud.account import Endpoint
from handler.config.settings import Settings
from handler.errors import ApiError
from handler.ledger.protocol import Ledger, open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.receive.payload import read
from handler.report.log import Log
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.server import CloudServer
from harness.faults import Fault, Kind
from steward.chaos.workload import NODES, clusters, restarting

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from handler.lib.clock import Clock

#: How much faster than the machine's the storm's time runs: minutes of waiting in seconds.
HASTE: Final = 20.0
WORKERS: Final = 8
#: The faults that a request may meet, each as likely as the others.
FAULTS: Final = (
    Fault(Kind.RESET_BEFORE_READING),
    Fault(Kind.RESET_AFTER_READING),
    Fault(Kind.HANG_BEFORE, seconds=0.3),
    Fault(Kind.HANG_AFTER, seconds=0.3),
    Fault(Kind.CUT_BODY),
    Fault(Kind.BAD_GATEWAY),
    Fault(Kind.BAD_GATEWAY_AFTER),
    Fault(Kind.HTML),
    Fault.api_error("RequestLimitExceeded"),
    Fault.api_error("InternalError", although_carried_out=True),
)
ACTION: Final = "StartStopServiceOrMonitor"


class HastyClock(SystemClock):
    """The machine's time, ``HASTE`` times as fast from ``began`` (seconds since the epoch) on."""

    def __init__(self, began: float) -> None:
        self._began = began

    def now(self) -> float:
        return self._began + (super().now() - self._began) * HASTE

    def monotonic(self) -> float:
        return super().monotonic() * HASTE

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / HASTE)


class LeapingClock(HastyClock):
    """After the storm nobody waits: sleeping is a leap."""

    _leapt = 0.0

    def now(self) -> float:
        return super().now() + self._leapt

    def monotonic(self) -> float:
        return super().monotonic() + self._leapt

    def sleep(self, seconds: float) -> None:
        self._leapt += max(0.0, seconds)


class Forgetful:
    """The negative control: a ledger whose ``arm`` always succeeds and records nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def arm(self, operation: object, version: int) -> bool:
        return True


@dataclass(frozen=True)
class Plan:
    """What all processes agree on."""

    ledger: str
    endpoint: str
    needs: int
    began: float
    is_armed: bool = True

    def function(self, clock: Clock | None = None, write: Callable[[str], Any] = lambda text: None) -> Function:
        ledger: Any = open_ledger(self.ledger)
        return Function(
            Settings(endpoint=Endpoint.parse(self.endpoint), log_level="ERROR"),
            # Nothing is held back but a second restart.
            restarting(
                clusters(self.needs),
                limits={"max_nodes": 99_999, "max_share": 1, "max_event_age": "24h", "cooldown": "24h"},
                safety={"breaker": {"intents": 1_000_000_000}},
                operations_per_hour=1_000_000,
            ),
            env={"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},
            clock=clock or HastyClock(self.began),
            ledger=ledger if self.is_armed else Forgetful(ledger),
            write=write,
        )


#: What a worker says of a delivery: its number; whether it is served (True), wants to be delivered again (False), or
#: raised what it should not; and the events for which there was a line that tells the outcome, one for each such line.
Said = tuple[int, bool | str, "list[str]"]


def work(plan: Plan, hands: Connection, events: list[Any]) -> None:
    """A worker: told numbers of deliveries, says what became of each (:data:`Said`)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: list[str] = []
    function = plan.function(write=lines.append)
    context = {"time_limit_in_ms": 30_000, "request_id": f"storm-{os.getpid()}"}
    _warm(function, events)
    hands.send(None)
    while (numbers := hands.recv()) is not None:
        for number in numbers:
            lines.clear()
            fate: bool | str = True
            try:
                function.handle(events[number], context)
            except RetryLater:
                fate = False
            except Exception as error:
                fate = f"{type(error).__name__}: {error}"
            rows = [json.loads(line) for line in "".join(lines).splitlines() if '"steward.outcome"' in line]
            hands.send((number, fate, [row["event_id"] for row in rows]))


def _warm(function: Function, events: list[Any]) -> None:
    """Warm the instance: import what its first event would. It changes nothing."""
    for event in events[: 4 * NODES]:
        read(event)
    function.ledger.get("none")
    cluster = next(iter(function.config.clusters.values()))
    log = Log(lambda text: None, function.clock)
    with contextlib.suppress(ApiError):
        function.gateway(log).cluster_status(cluster, Deadline(function.clock, 10 * HASTE))


def run_cloud(plan_needs: int, began: float, errors: float, pipe: Connection) -> None:
    """Run the fake cloud until a message arrives, with ``errors`` injected faults a second."""
    clock = HastyClock(began)
    cloud = Cloud(clock, transition_seconds=0.0)
    for name, addresses in clusters(plan_needs).items():
        cloud.add_cluster(name, {"HDFS": {"DataNode": addresses}})
        for process in cloud.cluster(name).processes():
            process.kill()
    with CloudServer(cloud, signed_by=SystemClock()) as server:
        pipe.send(server.url)
        pick = random.Random(plan_needs)  # noqa: S311 - the same storm each time
        while not pipe.poll(1 / errors if errors else 0.2):
            if errors and len(server.faults) < WORKERS:
                fault = pick.choice(FAULTS)
                server.faults.add(Fault(fault.kind, ACTION, fault.code, "", fault.although_carried_out, fault.seconds))
        pipe.recv()
        server.faults.clear()
        pipe.send(len(server.faults.met))
        pipe.recv()
        pipe.send(
            (
                Counter(f"{one.cluster}/{target.ip}" for one in cloud.operations for target in one.targets),
                {one.request_id: {f"{one.cluster}/{target.ip}" for target in one.targets} for one in cloud.operations},
            )
        )

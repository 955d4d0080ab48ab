"""The processes of a storm: workers, and the fake cloud that they share.

Each worker is a whole function with the real SDK over sockets. All workers share one ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from handler.app import Function
from handler.cloud.account import Endpoint
from handler.config.settings import Settings
from handler.errors import ApiError, LedgerUnavailable
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.ledger import Ledger, Loaded, open_ledger
from handler.ledger.store import open_store
from handler.lib.clock import Deadline, SystemClock
from handler.receive.payload import read
from handler.report.log import Log
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.server import CloudServer
from harness.faults import Fault, Kind
from steward.chaos.workload import NODES, clusters, dead_processes, restarting
from steward.simulate.forkserver import PROCESSES

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

    from handler.lib.clock import Clock

#: How much faster than the machine's clock the storm's clock runs: minutes of waiting pass in seconds.
SPEED_UP: Final = 20.0
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
#: So many faults wait for a request at most.
MAX_WAITING_FAULTS: Final = 8
ACTION: Final = "StartStopServiceOrMonitor"


class FastClock(SystemClock):
    """The machine's clock, ``SPEED_UP`` times as fast from ``began`` (epoch seconds) on."""

    def __init__(self, began: float) -> None:
        self._began = began

    def now(self) -> float:
        return self._began + (super().now() - self._began) * SPEED_UP

    def monotonic(self) -> float:
        return super().monotonic() * SPEED_UP

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / SPEED_UP)


class LeapingClock(FastClock):
    """A clock for the time after the storm: a sleep moves it on at once."""

    _leapt = 0.0

    def now(self) -> float:
        return super().now() + self._leapt

    def monotonic(self) -> float:
        return super().monotonic() + self._leapt

    def sleep(self, seconds: float) -> None:
        self._leapt += max(0.0, seconds)


class UnarmedLedger(Ledger):
    """The negative control: a ledger that grants every arming and records none."""

    def swap(self, loaded: Loaded, record: ClusterRecord, *, patient: bool = False) -> bool:
        """Whether it was stored; said of what arms an operation too."""
        is_arming = bool(record.operations.keys() - loaded.record.operations.keys())
        return is_arming or super().swap(loaded, record, patient=patient)


@dataclass(frozen=True)
class Plan:
    """What all processes of a storm agree on."""

    ledger: str
    endpoint: str
    #: How many processes of the fake cloud are dead.
    dead: int
    began: float
    is_armed: bool = True

    def function(self, clock: Clock | None = None, write: Callable[[str], Any] = lambda text: None) -> Function:
        """A function on the shared ledger and cloud.

        Its limits hold back nothing but a second restart.
        """
        ledger = open_ledger(self.ledger) if self.is_armed else UnarmedLedger(open_store(self.ledger))
        return Function(
            Settings(endpoint=Endpoint.parse(self.endpoint), log_level="ERROR"),
            restarting(
                clusters(self.dead),
                limits={"max_nodes": 99_999, "max_share": 1, "max_wait": "24h", "cooldown": "24h"},
                operations_per_hour=1_000_000,
            ),
            env={"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},
            clock=clock or FastClock(self.began),
            ledger=ledger,
            write=write,
        )


class Result(NamedTuple):
    """What a worker reports of one delivery."""

    number: int
    #: True if it was served, False if the platform is to deliver it again, or the text of an unexpected exception.
    served: bool | str
    #: The event and the status of each outcome line that was logged.
    outcomes: list[tuple[str, str]]


@dataclass
class Worker:
    """A worker process, and the deliveries that it was given and has not reported."""

    process: ForkServerProcess
    pipe: Connection
    in_flight: set[int] = field(default_factory=set)
    #: Whether it has reported that it is ready for its first event.
    is_up: bool = False


def start_worker(plan: Plan, events: list[Any]) -> Worker:
    """Start a worker process.

    It sends None when it is ready, and then a Result for each delivery.
    """
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_work, args=(plan, theirs, events), daemon=True)
    process.start()
    theirs.close()
    return Worker(process, ours)


def start_cloud(dead: int, began: float, faults_per_second: float) -> tuple[ForkServerProcess, Connection]:
    """Start the process of the fake cloud.

    Its pipe gives the URL first; :func:`_serve_cloud` documents the rest.
    """
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=_serve_cloud, args=(dead, began, faults_per_second, theirs), daemon=True)
    process.start()
    return process, ours


def _work(plan: Plan, pipe: Connection, events: list[Any]) -> None:
    """Handle the events whose numbers come through the pipe, and send back a Result for each."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lines: list[str] = []
    function = plan.function(write=lines.append)
    context = {"time_limit_in_ms": 30_000, "request_id": f"storm-{os.getpid()}"}
    _warm(function, events)
    pipe.send(None)
    while (numbers := pipe.recv()) is not None:
        for number in numbers:
            lines.clear()
            served: bool | str = True
            try:
                function.handle(events[number], context)
            except LedgerUnavailable as error:
                # Others that are at the same cluster are no reason to give up.
                served = str(error) if "too often" in str(error) else False
            except Exception as error:
                served = f"{type(error).__name__}: {error}"
            rows = [json.loads(line) for line in "".join(lines).splitlines() if '"steward.outcome"' in line]
            pipe.send(Result(number, served, [(row["event_id"], row["outcome"]) for row in rows]))


def _warm(function: Function, events: list[Any]) -> None:
    """Load what the first event would load. Neither the cluster nor the ledger is changed."""
    for event in events[: 4 * NODES]:
        read(event)
    function.ledger.load("none")
    cluster = next(iter(function.config.clusters.values()))
    log = Log(lambda text: None, function.clock)
    with contextlib.suppress(ApiError):
        function.gateway(log).cluster_status(cluster, Deadline(function.clock, 10 * SPEED_UP))


def _serve_cloud(dead: int, began: float, faults_per_second: float, pipe: Connection) -> None:
    """The fake cloud, and the faults that its requests meet.

    It sends its URL. At the first message it stops injecting faults, and sends how many requests met one. At the
    second it sends what it carried out, how often for each process, and the processes by RequestId; and how often it
    was looked at.
    """
    clock = FastClock(began)
    cloud = Cloud(clock, transition_seconds=0.0)
    for name, addresses in clusters(dead).items():
        cloud.add_cluster(name, {"HDFS": {"DataNode": addresses}})
    for name, ip in dead_processes(dead):
        cloud.process(name, "DataNode", ip).kill()
    with CloudServer(cloud, signed_by=SystemClock()) as server:
        pipe.send(server.url)
        pick = random.Random(dead)  # noqa: S311 - the same storm each time
        while not pipe.poll(1 / faults_per_second if faults_per_second else 0.2):
            if faults_per_second and len(server.faults) < MAX_WAITING_FAULTS:
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
                len(cloud.requests_for("DescribeServiceNodeInfos")),
            )
        )

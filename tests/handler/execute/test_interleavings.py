"""Three workers, one need: every order of their steps, and every moment at which one may die.

The workers are the pipeline as it is, on a real ledger of either kind; a step is a call of the ledger or of the API.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from handler.ledger.protocol import Ledger, open_ledger
from pytest_mock import MockerFixture

from handler.config.config import Config
from handler.errors import AnswerLost, ClusterBusy, Throttled
from handler.execute.pipeline import Pipeline
from handler.lib.clock import Deadline
from handler.model.event import Event
from handler.model.observation import Reading
from handler.model.operation import OPEN, State
from handler.model.policy import Cluster
from handler.model.request import Request
from handler.model.scope import Target
from handler.report.log import Log
from harness.clock import START
from steward.chaos.workload import restarting
from tests.interleavings import Explored, Stepping, Worker, explore

CLUSTER = "emr-4zvc5mul"
CONFIG = restarting([CLUSTER], limits={}, rolling=True)


class StillClock:
    """The time of day stands still; each thread's own patience does not, or a worker would look forever."""

    def __init__(self) -> None:
        self._own = threading.local()

    def now(self) -> float:
        return START

    def monotonic(self) -> float:
        return float(getattr(self._own, "slept", 0.0))

    def sleep(self, seconds: float) -> None:
        self._own.slept = self.monotonic() + max(0.0, seconds)


@dataclass
class DeadNodes:
    """DataNodes that are down until they are restarted; ``faults``: what the first requests meet."""

    faults: list[str]
    restarts: dict[str, int] = field(default_factory=dict)
    requests: int = 0

    @property
    def clock_skew(self) -> float | None:
        return 0.0

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        return 2

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        return tuple(
            Reading(Target("HDFS", "DataNode", ip), 1, 1, int(ip in self.restarts), f"after {self.restarts.get(ip, 0)}")
            for ip in (f"10.0.0.{node}" for node in range(1, 9))
        )

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        fault = self.faults[self.requests] if self.requests < len(self.faults) else ""
        self.requests += 1
        if fault == "throttled":
            raise Throttled("RequestLimitExceeded", "slower")
        if fault == "busy":
            raise ClusterBusy("ResourceInUse.InstanceInProcess", "busy")
        if fault == "lost before":
            raise AnswerLost("ReadTimeout", "no answer")
        for _, _, ip in request.scope:
            assert ip is not None
            self.restarts[ip] = self.restarts.get(ip, 0) + 1
        if fault == "lost after":
            raise AnswerLost("ReadTimeout", "no answer")
        return f"request-{self.requests}"


def _all(result: object) -> object:
    return result


#: The limits here are far from what is counted: how many intents there were, and how many tokens are left, decides
#: nothing.
LEDGER_STEPS = {
    "enter": lambda entry: replace(entry, intents_in_window=0),  # at the door, and again after each arm that failed
    **dict.fromkeys(("history", "arm", "settle", "quarantine", "end"), _all),
}


def an_alert(occurrence: str, node: int = 1) -> Event:
    return Event(
        occurrence,
        "alertmanager",
        "DataNodeDown",
        "firing",
        cluster=CLUSTER,
        service="HDFS",
        component="DataNode",
        ip=f"10.0.0.{node}",
        occurred_at=START,
    )


class Deliveries:
    """One worker for each event; all on one ledger and one cluster."""

    def __init__(self, ledger: Ledger, events: list[Event], faults: list[str], config: Config = CONFIG) -> None:
        self.ledger = ledger
        self.gateway = DeadNodes(faults)
        self.config = config
        self.clock = StillClock()
        self.workers = [Worker(f"worker-{number}", self._serving(event)) for number, event in enumerate(events)]
        self.needs = {event.ip for event in events}
        self.alike = tuple(number for number, event in enumerate(events) if event == events[0])
        self.is_safe = not faults

    def _serving(self, event: Event) -> Callable[[Worker], Any]:
        def work(worker: Worker) -> Any:
            pipeline = Pipeline(
                config=self.config,
                gateway=Stepping(self.gateway, worker, dict.fromkeys(("processes", "start_stop"), _all)),
                ledger=Stepping(self.ledger, worker, LEDGER_STEPS),
                clock=self.clock,
                log=Log(lambda text: None, self.clock),
                mode="act",
                owner=worker.name,
            )
            return pipeline.serve([event], Deadline(self.clock, 4.0)).records

        return work

    def stored(self) -> object:
        history = self.ledger.history(CLUSTER, START, quarantine_within=3600)
        return self.ledger.operations(), history, self.gateway

    def check(self) -> None:
        for ip, times in self.gateway.restarts.items():
            assert times <= 1, f"{ip} was restarted {times} times"
        targets = [key for one in self.ledger.open_operations() for key in one.before]
        assert len(targets) == len(set(targets)), "two open operations on one process"
        in_sight = {key.rpartition("/")[2] for one in self.ledger.operations() for key in one.before}
        assert set(self.gateway.restarts) <= in_sight, "a restart that the ledger knows nothing of"
        for one in self.ledger.operations():
            if one.state in (State.ACCEPTED, State.VERIFIED):
                assert {key.rpartition("/")[2] for key in one.before} <= set(self.gateway.restarts), (
                    f"{one.state} is false"
                )

    def check_end(self) -> None:
        told: list[str] = []
        for worker in self.workers:
            if not worker.is_dead:
                (record,) = worker.result
                told.append(record.outcome.status)
        if self.is_safe and len(told) == len(self.workers):
            assert told.count("done") == len(self.gateway.restarts), f"{told} of {len(self.gateway.restarts)} restarts"
            assert set(told) <= {"done", "skipped", "deferred"}, told
        is_free = not any(one.state in OPEN for one in self.ledger.operations())
        self.deliver_once_more()
        self.check()
        if self.is_safe and is_free:  # what a dead worker left open is the follow-up's
            assert self.needs <= set(self.gateway.restarts), (
                f"of {self.needs} only {set(self.gateway.restarts)} were served"
            )

    def deliver_once_more(self) -> None:
        """Under a new id each: what was done is not done again."""
        for ip in sorted(self.needs):
            again = an_alert(f"once-more-{ip}", int(ip.rpartition(".")[2]))
            worker = Worker(f"again-{ip}", self._serving(again))
            worker.start()
            while not worker.is_over:
                worker.go()
            assert worker.error is None, worker.error


class OneAtATime(Deliveries):
    """Where max_nodes is 1, two processes wait for each other."""

    def check(self) -> None:
        super().check()
        assert len(self.ledger.open_operations()) <= 1, "more than max_nodes"


@pytest.fixture
def exploring(fresh_ledger: Callable[[], Ledger], mocker: MockerFixture) -> Callable[..., Explored]:
    """Explore deliveries of these events; ids are the worker's, so that equal states look equal."""
    mocker.patch("os.urandom", side_effect=lambda size: SimpleNamespace(hex=lambda: threading.current_thread().name))
    mocker.patch("random.uniform", return_value=0.1)

    def run(
        *events: Event, faults: tuple[str, ...] = (), crashes: int = 0, kind: type[Deliveries] = Deliveries
    ) -> Explored:
        return explore(lambda: kind(fresh_ledger(), list(events), list(faults)), crashes=crashes)

    return run


LONG = pytest.mark.long
SAME = [an_alert("fingerprint@1")] * 3
OTHERS = [an_alert("fingerprint@1"), an_alert("fingerprint@1"), an_alert("somebody-else's@1")]


@pytest.mark.parametrize(
    "events", [pytest.param(SAME, id="the same id"), pytest.param(OTHERS, id="another sender's id too", marks=LONG)]
)
def test_three_deliveries_of_one_need(events: list[Event], exploring: Callable[..., Explored]) -> None:
    """Whatever the order, one request, and one outcome each."""
    explored = exploring(*events)
    assert explored.states > 300
    assert explored.ends > 50


@pytest.mark.parametrize(
    ("events", "crashes"),
    [pytest.param(SAME, 1, id="one of three dies", marks=LONG), pytest.param(OTHERS[1:], 2, id="two of two die")],
)
def test_whoever_dies_wherever(events: list[Event], crashes: int, exploring: Callable[..., Explored]) -> None:
    """Never two requests; what a dead worker left open is in sight, and everything else is served."""
    explored = exploring(*events, crashes=crashes)
    assert explored.with_dead > 50


@pytest.mark.parametrize(
    "fault", ["throttled", "lost after", pytest.param("busy", marks=LONG), pytest.param("lost before", marks=LONG)]
)
def test_a_request_that_fails(fault: str, exploring: Callable[..., Explored]) -> None:
    """What certainly was not carried out may be sent again, by whoever comes; what may have been, by nobody."""
    assert exploring(*OTHERS[1:], faults=(fault,), crashes=1).with_dead > 20


TWO = [an_alert("b@1", 2), an_alert("a@1", 1)]


@pytest.mark.parametrize(
    "events", [pytest.param(TWO, id="one each"), pytest.param([TWO[0], *TWO], id="one twice", marks=LONG)]
)
def test_two_processes_where_one_may_go_at_a_time(events: list[Event], exploring: Callable[..., Explored]) -> None:
    """They are decided upon side by side, and armed one after the other."""
    assert exploring(*events, kind=OneAtATime).ends > 20


def test_without_arming_the_exploration_finds_the_second_request(
    exploring: Callable[..., Explored], mocker: MockerFixture, url: str
) -> None:
    """The control: it would see what the ledger prevents."""
    mocker.patch.object(type(open_ledger(url)), "arm", return_value=True)
    with pytest.raises(AssertionError, match=r"was restarted 2 times|knows nothing of"):
        exploring(*SAME[:2])

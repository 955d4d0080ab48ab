"""Random histories: ledger × cluster × crashes × clock.

Processes die, alerts come (again, late, under other ids, resolved), requests and answers are lost, workers die at any
step, time passes, the follow-up runs or does not. Whatever the history, the promises hold after every step, and once
all is quiet everything is settled and served.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from pytest_mock import MockerFixture

from handler.app import Function
from handler.cloud.account import Endpoint
from handler.config.settings import Settings
from handler.execute.follow_up import MESSAGE
from handler.ledger.ledger import Ledger, open_ledger
from handler.model.operation import State
from harness.clock import VirtualClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.faults import Fault, Kind
from steward.chaos.workload import restarting
from steward.simulate.platform import context, timer_event
from steward.simulate.world import in_process

CLUSTER = "emr-4zvc5mul"
ADDRESSES = [f"10.0.0.{node}" for node in range(1, 6)]
ACTION = "StartStopServiceOrMonitor"
COOLDOWN, MAX_NODES, MAX_AN_HOUR, RESTARTS, WITHIN = 300.0, 2, 5, 3, 7200.0
#: By how much a worker's clock is wrong, either way.
LEAP = 50.0
#: Between arming and the last moment of sending, by two clocks.
SLACK = 31.0 + 2 * LEAP
DAY = 86_400.0
FAULTS = [
    Fault(Kind.RESET_BEFORE_READING, ACTION),
    Fault(Kind.RESET_AFTER_READING, ACTION),
    Fault(Kind.CLOSE_SILENTLY, ACTION),
    Fault(Kind.CUT_BODY, ACTION),
    Fault(Kind.BAD_GATEWAY, ACTION),
    Fault(Kind.BAD_GATEWAY_AFTER, ACTION),
    Fault(Kind.HTML, ACTION),
    Fault.api_error("RequestLimitExceeded", ACTION),
    Fault.api_error("ResourceInUse.InstanceInProcess", ACTION),
    Fault.api_error("InternalError", ACTION, although_carried_out=True),
    Fault.api_error("InternalError", ACTION),
    Fault.api_error("FailedOperation.CheckCamAuth", ACTION),
]
HAPPENINGS = ["new alerts"] * 6 + ["again"] * 3 + ["follow-up"] * 3 + ["resolved", "release"]
#: Most workers live, and most requests go well.
LIVES = st.sampled_from([None] * 14 + list(range(14)))
MISHAPS = st.sampled_from([None] * 12 + FAULTS)
CONFIG = restarting(
    [CLUSTER],
    limits={"cooldown": COOLDOWN, "max_nodes": MAX_NODES, "max_share": 0.5, "max_event_age": 600},
    safety={"quarantine": {"restarts": RESTARTS, "within": WITHIN, "release_after": "24h"}},
    operations_per_hour=MAX_AN_HOUR,
)


class WorkerDied(BaseException):
    """Its process is gone, between two steps."""


class Mortal:
    """A collaborator of a worker that dies after so many calls, before the next: whatever the last one answered was in vain."""

    def __init__(self, wrapped: Any, life: list[int]) -> None:
        self._wrapped = wrapped
        #: How many calls are left, shared by all that the worker works with; nothing where it does not die.
        self._life = life

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._wrapped, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._life:
                self._life[0] -= 1
                if self._life[0] < 0:
                    raise WorkerDied
            return method(*args, **kwargs)

        return call


class Histories(RuleBasedStateMachine):
    """The machine; :attr:`fresh_ledger` is set by the test."""

    fresh_ledger: Callable[[], Ledger]

    @initialize()
    def begin(self) -> None:
        self.clock = VirtualClock()
        self.cloud = Cloud(self.clock, transition_seconds=10.0)
        self.cloud.add_cluster(CLUSTER, {"HDFS": {"DataNode": ADDRESSES}})
        self.ledger = type(self).fresh_ledger()
        self.occurrences = 0
        self.sent_alerts: list[dict[str, Any]] = []
        self.released: set[str] = set()
        self.leapt = 0.0
        #: How often which alarm was said: by code, and what it is about.
        self.said: Counter[tuple[str, str]] = Counter()
        #: What became of the events of the newest delivery.
        self.outcomes: list[str] = []

    # -- what happens

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        """One rule, so that none of what can happen is left out of a history: Hypothesis would switch off some of several."""
        self.clock.advance(data.draw(st.sampled_from([0, 1, 30, 120, 310, 310, 1000]), "seconds pass"))
        self.leap(data.draw(st.sampled_from([0.0, 0.0, 0.0, LEAP, -LEAP]), "the worker's clock is wrong by"))
        happens = data.draw(st.sampled_from(HAPPENINGS))
        life = data.draw(LIVES, "steps until the worker dies")
        fault = data.draw(MISHAPS, "what the request meets")
        if happens == "follow-up":
            self.follow_up(life)
        elif happens == "new alerts" or not self.sent_alerts:
            ips = data.draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True))
            if data.draw(st.sampled_from([True, True, True, False]), "they are true"):
                self.die(*ips)
            self.alert(ips, life, fault, data.draw(st.sampled_from([3, 15, 60]), "time limit"))
        elif happens == "release":
            self.release(data.draw(st.sampled_from(ADDRESSES)))
        else:
            body = data.draw(st.sampled_from(self.sent_alerts[-3:]))
            self.deliver(body if happens == "again" else _resolved(body, self.clock.now()), life, fault, 15)

    def leap(self, seconds: float) -> None:
        self.clock.leap(seconds - self.leapt)
        self.leapt = seconds

    def die(self, *ips: str) -> None:
        for ip in ips:
            self.cloud.process(CLUSTER, "DataNode", ip).kill()

    def alert(self, ips: list[str], life: int | None, fault: Fault | None, seconds: int) -> None:
        self.occurrences += 1
        body = {
            "version": "4",
            "status": "firing",
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": "DataNodeDown", "cluster_id": CLUSTER, "component": "DataNode", "ip": ip},
                    "startsAt": _iso(self.clock.now()),
                    "fingerprint": f"{self.occurrences}-{ip}",
                }
                for ip in ips
            ],
        }
        self.sent_alerts.append(body)
        self.deliver(body, life, fault, seconds)

    def follow_up(self, life: int | None = None) -> None:
        self.deliver(timer_event("follow-up", MESSAGE, self.clock.now()), life, None, 30)

    def release(self, ip: str) -> None:
        self.released.add(ip)
        self.ledger.release(f"HDFS/datanode/{ip}", self.clock.now())

    def deliver(self, event: Any, life: int | None, fault: Fault | None, seconds: int) -> None:
        """One invocation by a worker of its own."""
        calls = [] if life is None else [life]
        adapter = in_process(self.cloud)
        if fault is not None:
            adapter.faults.add(fault)
        lines: list[str] = []
        function = Function(
            Settings(endpoint=Endpoint.parse("global")),
            CONFIG,
            env={"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},
            clock=self.clock,
            ledger=Mortal(self.ledger, calls),
            transport=lambda: Mortal(adapter, calls),
            write=lines.append,
        )
        has_died = False
        try:
            function.handle(event, context(time_limit_ms=seconds * 1000, request_id="history"))
        except WorkerDied:
            has_died = True
        except Exception as error:
            assert type(error).__name__ == "LedgerUnavailable", error
        written = [json.loads(line) for line in "".join(lines).splitlines()]
        alarms = [row for row in written if row["event"] == "steward.alarm"]
        assert all(row["fix"] and row["reason"] for row in alarms)
        self.said.update((row["code"], row["about"]) for row in alarms)
        if has_died:
            return
        rows = [row for row in written if row["event"] == "steward.outcome"]
        self.outcomes = [row["outcome"] for row in rows]
        told = Counter(row["event_id"] for row in rows)
        wanted = Counter(f"{alert['fingerprint']}@{alert['startsAt']}" for alert in event.get("alerts", ()))
        assert told == wanted, "each event has exactly one outcome"

    # -- what holds after every step

    @invariant()
    def a_process_is_restarted_once_in_its_cooldown(self) -> None:
        last: dict[str, float] = {}
        for one in self.cloud.operations:
            for target in one.targets:
                assert one.at - last.get(target.ip, 0.0) >= COOLDOWN - SLACK, (
                    f"{target.ip} twice within {one.at - last[target.ip]} s"
                )
                last[target.ip] = one.at

    @invariant()
    def what_does_not_help_ends_in_quarantine(self) -> None:
        for ip in set(ADDRESSES) - self.released:
            times = [one.at for one in self.cloud.operations for target in one.targets if target.ip == ip]
            for first, later in zip(times, times[RESTARTS:], strict=False):
                assert later - first >= WITHIN - SLACK, f"{ip} was restarted more than {RESTARTS} times"

    @invariant()
    def no_more_than_may_be_at_once(self) -> None:
        open_targets = [key for one in self.ledger.open_operations() for key in one.before]
        assert len(open_targets) == len(set(open_targets))
        assert len(open_targets) <= MAX_NODES

    @invariant()
    def no_more_than_may_be_in_an_hour(self) -> None:
        times = [one.at for one in self.cloud.operations]
        for first, later in zip(times, times[MAX_AN_HOUR:], strict=False):
            assert later - first >= 3600 - SLACK

    @invariant()
    def every_request_is_in_sight(self) -> None:
        operations = self.ledger.operations(limit=1_000_000)
        known = Counter(key.rpartition("/")[2] for one in operations for key in one.before)
        done = Counter(target.ip for one in self.cloud.operations for target in one.targets)
        assert not done - known
        for one in operations:
            if one.state in (State.ACCEPTED, State.VERIFIED):
                assert {key.rpartition("/")[2] for key in one.before} <= set(done), f"{one.state} is false"

    def settle(self) -> None:
        """When all is quiet, nothing is open, and what a person must hear of was said; and a day later whoever is dead is helped."""
        self.leap(0)
        for _ in range(20):
            self.clock.advance(120)
            self.follow_up()
        assert not self.ledger.open_operations()
        for one in self.ledger.operations(limit=1_000_000):
            was_in_doubt = one.state is State.NOT_SENT and bool(one.reason)
            if one.state in (State.FAILED, State.TIMED_OUT) or was_in_doubt:
                assert self.said[f"operation.{one.state.lower()}", one.id] == 1, f"{one.id}: {one.state}"
        self.clock.advance(DAY + 3600)
        for ip in ADDRESSES:
            if self.cloud.process(CLUSTER, "DataNode", ip).health == 0:
                self.alert([ip], None, None, 60)
                assert self.outcomes == ["done"], f"{ip} is dead, and nobody helps"
            self.clock.advance(1800)
        self.no_more_than_may_be_in_an_hour()


def _run(
    fresh_ledger: Callable[[], Ledger], examples: int, steps: int, phases: tuple[Phase, ...] = tuple(Phase)
) -> None:
    class Machine(Histories):
        def teardown(self) -> None:
            if hasattr(self, "ledger"):
                self.settle()

    Machine.fresh_ledger = staticmethod(fresh_ledger)
    many = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=phases,
    )
    run: Any = run_state_machine_as_test  # some of its versions are typed, some are not
    run(Machine, settings=many)


def test_promises_hold_in_any_history(fresh_ledger: Callable[[], Ledger]) -> None:
    """A few histories, each time others."""
    _run(fresh_ledger, examples=15, steps=25)


@pytest.mark.long
def test_promises_hold_in_many_histories(fresh_ledger: Callable[[], Ledger]) -> None:
    """Hundreds, and longer ones."""
    _run(fresh_ledger, examples=150, steps=50)


def test_a_ledger_that_forgets_is_found_out(mocker: MockerFixture) -> None:
    """The control: with an arm that writes nothing down, some history breaks a promise."""
    mocker.patch("handler.ledger.sqlite.SqliteLedger.arm", return_value=True)
    with pytest.raises(AssertionError):
        _run(lambda: open_ledger("sqlite:///:memory:"), examples=50, steps=25, phases=(Phase.generate,))


def _resolved(body: dict[str, Any], now: float) -> dict[str, Any]:
    ended = [{**alert, "status": "resolved", "endsAt": _iso(now)} for alert in body["alerts"]]
    return {**body, "status": "resolved", "alerts": ended}


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))

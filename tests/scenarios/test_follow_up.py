"""The follow-up: what becomes of operations that an invocation could not see to their end."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.decide.verification import BUSY_SECONDS, Verdict, conclude
from handler.execute.follow_up import MESSAGE, SECONDS_TO_LOOK, FollowUp
from handler.execute.polling import observe
from handler.ledger.ledger import open_ledger
from handler.lib.clock import Deadline
from handler.lib.threads import SIDE_BY_SIDE, side_by_side
from handler.lib.wording import utc_text
from handler.model.event import Event
from handler.model.observation import Observation, Reading
from handler.model.operation import Operation, State
from handler.model.policy import Cluster
from handler.model.request import OpType, Request
from handler.receive.payload import read
from handler.report.log import Log
from harness.clock import VirtualClock
from harness.faults import Fault, Kind
from steward.chaos.workload import restarting
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import restamp, timer_event
from steward.simulate.world import World, events_of
from tests.operations import an_operation
from tests.worlds import ACTION, DOWN, alarms, faulty, kill


def test_a_follow_up_among_others_loses_nothing(world: World) -> None:
    """Events that come beside it are served."""
    kill(world)
    world.deliver([timer_event("follow-up", MESSAGE, world.clock.now()), sample(DOWN)])
    assert "done" in {line["outcome"] for line in world.outcomes()}


def verdict(kept: int, carried_out: int, untouched: int) -> Verdict:
    names = iter("abcdefghi")
    return Verdict(*(tuple(next(names) for _ in range(count)) for count in (kept, carried_out, untouched)))


@pytest.mark.parametrize(
    ("state", "seen", "status", "age", "expected"),
    [
        (State.ACCEPTED, verdict(2, 0, 0), 2, 10, State.VERIFIED),
        (State.ACCEPTED, verdict(1, 1, 0), 8, 10, State.ACCEPTED),
        (State.ACCEPTED, verdict(1, 1, 0), 2, 601, State.FAILED),
        (State.ACCEPTED, verdict(1, 1, 0), 10, 601, State.ACCEPTED),
        (State.ACCEPTED, verdict(0, 0, 2), 10, 601, State.ACCEPTED),
        (State.ACCEPTED, verdict(0, 0, 2), 10, 600 + BUSY_SECONDS, State.TIMED_OUT),
        (State.ACCEPTED, verdict(0, 0, 2), 2, 601, State.TIMED_OUT),
        (State.ACCEPTED, None, 2, 10, State.ACCEPTED),
        (State.ACCEPTED, None, 2, 601, State.TIMED_OUT),
        (State.IN_DOUBT, verdict(2, 0, 0), 2, 10, State.VERIFIED),
        (State.IN_DOUBT, verdict(0, 2, 0), 8, 10, State.ACCEPTED),
        (State.IN_DOUBT, verdict(0, 1, 1), 8, 10, State.IN_DOUBT),
        (State.IN_DOUBT, verdict(0, 1, 1), 8, 601, State.FAILED),
        (State.IN_DOUBT, verdict(0, 0, 2), 2, 300, State.IN_DOUBT),
        (State.IN_DOUBT, verdict(0, 0, 2), 2, 421, State.NOT_SENT),
        (State.IN_DOUBT, verdict(0, 0, 2), 8, 421, State.IN_DOUBT),
        (State.IN_DOUBT, verdict(0, 0, 2), 8, 601, State.TIMED_OUT),
    ],
)
def test_what_the_follow_up_concludes(
    state: State, seen: Verdict | None, status: int, age: float, expected: State
) -> None:
    """By what is seen and how much time has passed; never by guessing."""
    now = 1_000_000.0
    operation = an_operation("op-1", now=now - age, state=state)
    observed = Observation("emr-4zvc5mul", status, {}, now) if seen is not None else None
    assert conclude(operation, seen, observed, now)[0] is expected


def test_a_start_in_doubt_that_ended_in_a_crash_is_not_taken_for_unsent(world: World) -> None:
    """Started and down is what a start that was carried out may leave: nothing frees it to be sent again, and a person is told."""
    processes = [one for one in world.cloud.cluster("emr-8kd2m1qp").processes() if one.service == "HBASE"]
    for process in processes:
        process.stop_by_operator()
        process.refuse_to_recover()
    faulty(world, Fault(Kind.RESET_AFTER_READING, ACTION))
    world.deliver(sample("timer-morning-start"))
    assert world.outcomes()[0]["outcome"] == "in_doubt"
    for _ in range(11):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    (operation,) = world.function.ledger.operations()
    assert (operation.state, operation.code) == (State.TIMED_OUT, "ConnectionError")
    first, last = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (first["code"], last["code"]) == ("operation.in_doubt", "operation.timed_out")
    begun = f"It was StartService of HBASE (all), begun at {utc_text(operation.armed_at)}"
    before = "before: HBASE/HMaster/172.17.0.2 last restarted 2"
    assert first["where"] == last["where"] == "HBASE (5 processes) on nightly"
    assert first["reason"].startswith("it is not known whether the start was carried out: its answer is not known (")
    assert begun in first["reason"]
    assert "never sends it again" in first["fix"]
    assert "0 of 5 verified; not yet: HBASE/HMaster/172.17.0.2, HBASE/HMaster/172.17.0.3, " in first["reason"]
    assert before in first["reason"]
    opening = "the start is in doubt, and it could not be settled whether it was carried out. Its deadline passed"
    assert last["reason"].startswith(opening)
    assert begun in last["reason"]
    assert before in last["reason"]
    assert "Now, after 10 min: HBASE/HMaster/172.17.0.2 started, health unavailable, last restart 2" in last["reason"]


def test_a_redelivery_puts_in_doubt_what_no_worker_is_at_any_more(make_world: MakeWorld, url: str) -> None:
    """By itself, not only by the follow-up: in progress as long as a worker may live, then in doubt, with one alarm."""
    world = make_world(ledger=open_ledger(url))
    kill(world)
    event = restamp(sample(DOWN), world.clock.now())
    (alert,) = [one for one in read(event) if isinstance(one, Event)]
    (rule, *_) = [rule for rule in world.function.config.rules if rule.matches(alert.view())]
    intent = rule.intent(alert, alert.view())
    asked = Request(intent.cluster, intent.action, intent.scope).digest()
    incident = {f"{rule.name}|alertmanager:{alert.id}": asked}
    assert world.function.ledger.arm(an_operation("op-lost", now=world.clock.now(), incidents=incident), 0)
    for wait in (0.0, 59.0, 1.0, 60.0):
        world.clock.sleep(wait)
        world.deliver(event, fresh=False)
    assert [line["code"] for line in world.outcomes()] == ["once.sending"] * 2 + ["once.in_doubt"] * 2
    assert alarms(world) == ["operation.in_doubt"]
    (operation,) = world.function.ledger.operations()
    assert (operation.state, operation.code) == (State.IN_DOUBT, "worker_lost")
    assert world.requests() == 0


def test_a_lost_operation_that_cannot_be_read_is_still_in_progress(world: World) -> None:
    """Nothing can be said of it but that; the alert beside it in the payload is served."""
    event = restamp(sample(DOWN), world.clock.now())
    (alert,) = events_of(event)
    (rule, *_) = [rule for rule in world.function.config.rules if rule.matches(alert.view())]
    intent = rule.intent(alert, alert.view())
    asked = Request(intent.cluster, intent.action, intent.scope).digest()
    incidents = {f"{rule.name}|alertmanager:{alert.id}": asked}
    ledger = world.function.ledger
    assert ledger.arm(an_operation("op-lost", now=world.clock.now(), incidents=incidents, targets=("a/b/c",)), 0)
    ledger._file.connection.execute("UPDATE operations SET body = '{'")  # type: ignore[attr-defined]
    kill(world, "172.16.0.6")
    beside = json.loads(json.dumps(event["alerts"][0]).replace("172.16.0.5", "172.16.0.6"))
    world.clock.sleep(61)
    world.deliver({**event, "alerts": [*event["alerts"], {**beside, "fingerprint": "another"}]}, fresh=False)
    assert [line["code"] for line in world.outcomes()] == ["once.sending", "verified"]
    assert alarms(world) == []


def test_a_worker_that_was_lost_is_told_of_once(world: World) -> None:
    """As soon as it is known, by one of two follow-ups at the same time; and what is then found to have worked is no matter for a person."""
    now, ledger = world.clock.now(), world.function.ledger
    kill(world)
    restarted = world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").last_restart
    for name, ip, before in (("op-lost", "172.16.0.5", restarted), ("op-fine", "172.16.0.6", "2020-01-01 00:00:00")):
        operation = replace(an_operation(name, now=now), before={f"HDFS/datanode/{ip}": before})
        assert ledger.arm(operation, ledger.history(operation.cluster, now, quarantine_within=1).version)
    for _ in range(3):
        world.clock.sleep(40)
        side_by_side(
            lambda _: world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), {}), ["a", "b"]
        )
    (alarm,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (alarm["code"], alarm["about"], alarm["api_code"]) == ("operation.in_doubt", "op-lost", "worker_lost")
    assert (
        "its worker stopped before it recorded the result. Now: HDFS/DataNode/172.16.0.5 started, health "
        in alarm["reason"]
    )


@pytest.mark.parametrize(("looks_fail", "state"), [(1, State.VERIFIED), (30, State.TIMED_OUT)])
def test_a_look_that_fails_at_the_deadline_is_not_the_last(world: World, looks_fail: int, state: State) -> None:
    """One lost answer does not end an operation that worked; what can never be looked at ends all the same, with one alarm."""
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    world.clock.sleep(700)
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeInstances") for _ in range(looks_fail)))
    for _ in range(20):
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
        world.clock.sleep(60)
    (operation,) = world.function.ledger.operations()
    assert operation.state is state
    assert alarms(world) == ["operation.timed_out"] * (state is State.TIMED_OUT)


class Slow:
    """Clusters that all take ten seconds to look at; who was looked at."""

    def __init__(self, clock: VirtualClock, at_once: int) -> None:
        self.looked: list[str] = []
        self._clock = clock
        self._begun = threading.Barrier(at_once, action=lambda: clock.advance(10))

    @property
    def clock_skew(self) -> float | None:
        return 0.0

    def cluster_status(self, cluster: Cluster, deadline: Deadline) -> int:
        self.looked.append(cluster.id)
        self._begun.wait(20)
        return 2

    def processes(self, cluster: Cluster, service: str, deadline: Deadline) -> tuple[Reading, ...]:
        return ()

    def start_stop(self, cluster: Cluster, request: Request, deadline: Deadline) -> str:
        raise AssertionError("the follow-up sends nothing")


def test_the_follow_up_begins_with_the_oldest_and_nothing_for_which_no_time_is_left() -> None:
    """Of forty clusters with an open operation, the thirty-two whose are the oldest; the next round begins with the others."""
    clock = VirtualClock()
    ledger = open_ledger("sqlite:///:memory:")
    names = [f"emr-{number:08d}" for number in range(40)]
    for number in (number * 7 % 40 for number in range(40)):
        operation = an_operation(f"op-{40 - number:02}", cluster=names[number], now=clock.now() - 100 + number)
        assert ledger.arm(operation, 0)
        assert ledger.settle(operation.moved(State.ACCEPTED, clock.now()), State.SENDING)
    gateway = Slow(clock, SIDE_BY_SIDE)
    follow_up = FollowUp(
        restarting(names, limits={}),
        gateway,
        ledger,
        clock,
        Log(lambda text: None, clock),
        notify=lambda alarm: None,
    )
    counts = follow_up.run(Deadline(clock, 10 + SECONDS_TO_LOOK / 2))
    assert sorted(gateway.looked) == names[:SIDE_BY_SIDE]
    assert counts == {"ACCEPTED": 40}


def loosened(limits: dict[str, Any]) -> Any:
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["limits"] = limits
    return config_of(raw)


def test_what_another_round_saw_to_work_meanwhile_is_not_said_to_have_failed(
    world: World, mocker: MockerFixture
) -> None:
    """A look takes its time: what the record says by then counts."""
    kill(world)
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").refuse_to_recover()
    world.deliver(sample(DOWN), time_limit_ms=3000)
    world.clock.sleep(700)
    ledger = world.function.ledger
    (operation,) = ledger.open_operations()

    def see(*arguments: Any) -> Observation:
        seen = observe(*arguments)
        assert ledger.settle(operation.moved(State.VERIFIED, world.clock.now()), State.ACCEPTED)
        return seen

    mocker.patch("handler.execute.follow_up.observe", see)
    world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    assert alarms(world) == []
    assert [one.state for one in ledger.operations()] == [State.VERIFIED]


def test_a_rolling_restart_tells_its_progress_and_ends_once(make_world: MakeWorld) -> None:
    """n of m in the log, the oldest first; two follow-ups at the same time end it once, with one line."""
    world = make_world(loosened({"max_nodes": 3, "max_share": "100%"}))
    event = sample(DOWN)
    (alert,) = event["alerts"]
    ips = [f"172.16.0.{node}" for node in (5, 6, 7)]
    event["alerts"] = [{**alert, "labels": {**alert["labels"], "ip": ip}, "fingerprint": ip} for ip in ips]
    for ip in ips:
        kill(world, ip)
    world.deliver(event, time_limit_ms=2100)
    for _ in range(20):
        side_by_side(
            lambda _: world.function.handle(timer_event("follow-up", MESSAGE, world.clock.now()), {}),
            ["one", "another"],
        )
        world.clock.sleep(10)
    told = [(line["verified"], line["of"]) for line in world.lines if line["event"] == "steward.progress"]
    assert [of for _, of in told] == [3] * len(told)
    assert {1, 2, 3} <= {verified for verified, _ in told}
    assert [line["state"] for line in world.lines if line["event"] == "steward.operation"] == ["VERIFIED"]


def test_an_operation_that_cannot_be_read_stops_no_other(world: World) -> None:
    """The follow-up passes it over, and one alarm names it, however many rounds there are."""
    now, ledger = world.clock.now(), world.function.ledger
    assert ledger.arm(an_operation("op-broken", cluster="emr-gone0000", now=now), 0)
    ledger._file.connection.execute("UPDATE operations SET body = '{'")  # type: ignore[attr-defined]
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    for _ in range(30):
        world.clock.sleep(60)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    assert [line["state"] for line in world.lines if line["event"] == "steward.operation"] == ["VERIFIED"]
    (alarm,) = [line for line in world.lines if line["event"] == "steward.alarm"]
    assert (alarm["code"], alarm["about"]) == ("operation.unreadable", "op-broken")
    assert alarm["where"] == "Operation op-broken"


def test_a_fault_in_one_operation_stops_no_other(world: World, mocker: MockerFixture) -> None:
    """The follow-up says it, by one alarm however many rounds there are, and goes on with the others, and with what comes after them."""
    now, ledger = world.clock.now(), world.function.ledger
    assert ledger.arm(an_operation("op-odd", now=now, targets=("YARN/nodemanager/172.16.0.5",)), 0)
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)

    def breaks(operation: Operation, *others: Any) -> Any:
        if operation.id == "op-odd":
            raise RuntimeError("this cannot be")
        return conclude(operation, *others)

    mocker.patch("handler.execute.follow_up.conclude", breaks)
    for _ in range(5):
        world.clock.sleep(61)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    assert [line["state"] for line in world.lines if line["event"] == "steward.operation"] == ["VERIFIED"]
    raised = [line for line in world.lines if line["event"] == "steward.alarm" and line["code"] == "internal_error"]
    assert [line["about"] for line in raised] == ["op-odd"]


def test_a_cluster_that_is_no_longer_listed_times_out(world: World) -> None:
    """What cannot be looked at does not stay open for ever."""
    now = world.clock.now()
    ledger = world.function.ledger
    operation = an_operation("op-1", cluster="emr-gone0000", now=now, op_type=OpType.STOP_SERVICE)
    assert ledger.arm(operation, 0)
    for _ in range(12):
        world.clock.sleep(61)
        world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))
    found = ledger.get("op-1")
    assert found is not None
    assert found.state is State.TIMED_OUT
    assert alarms(world) == ["operation.in_doubt", "operation.timed_out"]

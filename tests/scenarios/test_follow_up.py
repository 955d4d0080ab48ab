"""The follow-up: what becomes of operations that an invocation could not see to their end."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.execute.follow_up import MESSAGE
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.ledger import Loaded
from handler.lib.threads import side_by_side
from handler.model.operation import State
from handler.model.request import OpType
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World
from tests.operations import an_operation, put
from tests.worlds import ACTION, DOWN, alarms, faulty, follow_up, kill, lines, outcomes, over, settled, states


def test_a_follow_up_among_others_loses_nothing(world: World) -> None:
    """Events that come beside it are served."""
    kill(world)
    world.deliver([timer_event("follow-up", MESSAGE, world.clock.now()), sample(DOWN)])
    assert "done" in {line["outcome"] for line in world.outcomes()}


def test_a_start_in_doubt_that_ended_in_a_crash_is_not_taken_for_unsent(world: World) -> None:
    """Started and down is what a start that was carried out may leave: nothing frees it to be sent again, and a person is told."""
    for process in world.cloud.cluster("emr-8kd2m1qp").processes():
        if process.service == "HBASE":
            process.stop_by_operator()
            process.refuse_to_recover()
    faulty(world, Fault(Kind.RESET_AFTER_READING, ACTION))
    world.deliver(sample("timer-morning-start"))
    assert outcomes(world) == ["in_doubt"]
    follow_up(world, 12)
    assert states(world, "emr-8kd2m1qp") == ["FAILED"]
    assert (alarms(world), settled(world)) == (["operation.in_doubt", "operation.failed"], ["failed"])
    first, last = lines(world, "steward.alarm")
    assert first["where"] == last["where"] == "HBASE (5 processes) on nightly"
    assert first["reason"].startswith("it is not known whether the start was carried out: no clear answer came (")
    assert "never sends this request again" in first["fix"]
    (over,) = lines(world, "steward.alarm.over")
    assert over["where"] == first["where"]  # a chat that has several open has to tell which one is over
    assert world.requests() == 1


@pytest.mark.parametrize(("looks_fail", "state"), [(1, "VERIFIED"), (60, "TIMED_OUT")])
def test_a_look_that_fails_at_the_deadline_is_not_the_last(world: World, looks_fail: int, state: str) -> None:
    """One lost answer does not end an operation that worked; what can never be looked at ends all the same, and is told."""
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    world.clock.sleep(700)
    faulty(world, *(Fault(Kind.CUT_BODY, action="DescribeServiceNodeInfos") for _ in range(looks_fail)))
    follow_up(world, 40)
    assert states(world)[0] == state
    assert ("operation.failed" in alarms(world)) == (state == "TIMED_OUT")


def test_a_rolling_restart_tells_its_progress_and_ends_once(make_world: MakeWorld) -> None:
    """n of m in the log; two follow-ups at the same time end it once, with one line."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["limits"] = {"max_nodes": 3, "max_share": "100%"}
    world = make_world(config_of(raw))
    event = sample(DOWN)
    (alert,) = event["alerts"]
    ips = [f"172.16.0.{node}" for node in (5, 6, 7)]
    event["alerts"] = [{**alert, "labels": {**alert["labels"], "ip": ip}, "fingerprint": ip} for ip in ips]
    for ip in ips:
        kill(world, ip)
    world.deliver(event, time_limit_ms=2100)
    for _ in range(20):
        both = timer_event("follow-up", MESSAGE, world.clock.now())
        side_by_side(lambda _, event=both: world.function.handle(event, {}), ["one", "another"])  # type: ignore[misc]
        world.clock.sleep(10)
    told = [line["seen"] for line in lines(world, "steward.verification")]
    assert any(text.startswith("1 of 3 verified") for text in told)
    assert any(text.startswith("2 of 3 verified") for text in told)
    assert [line["state"] for line in lines(world, "steward.operation")] == ["VERIFIED"]
    assert sorted(settled(world)) == ["done"] * 3


def test_a_record_that_cannot_be_read_stops_no_other(world: World) -> None:
    """The follow-up passes it over, and one alarm names it, however many rounds there are."""
    store = world.function.ledger._store
    put(world.function.ledger, an_operation("op-1", cluster="emr-gone0000", now=world.clock.now()))
    version = store.load("emr-gone0000").version
    assert store.swap("emr-gone0000", version, b"{", has_open=True)
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    follow_up(world, 9)
    assert [line["state"] for line in lines(world, "steward.operation")] == ["VERIFIED"]
    (alarm,) = lines(world, "steward.alarm")
    assert (alarm["code"], alarm["cluster"]) == ("ledger.unavailable", "emr-gone0000")


def test_a_fault_in_one_cluster_stops_no_other(world: World, mocker: MockerFixture) -> None:
    """The follow-up says it, by one alarm however many rounds there are, and goes on with the others."""
    put(world.function.ledger, an_operation("op-odd", cluster="emr-8kd2m1qp", now=world.clock.now()))
    kill(world)
    world.deliver(sample(DOWN), time_limit_ms=2100)
    swap = world.function.ledger.swap

    def breaks(loaded: Loaded, record: ClusterRecord, **more: Any) -> bool:
        if record.cluster == "emr-8kd2m1qp":
            raise RuntimeError("this cannot be")
        return swap(loaded, record, **more)

    mocker.patch.object(world.function.ledger, "swap", breaks)
    follow_up(world, 8)
    assert [line["state"] for line in lines(world, "steward.operation")] == ["VERIFIED"]
    raised = [line["cluster"] for line in lines(world, "steward.alarm") if line["code"] == "internal_error"]
    assert raised == ["emr-8kd2m1qp"]


def test_a_cluster_that_is_no_longer_listed_ends(world: World) -> None:
    """What cannot be looked at does not stay open for ever."""
    gone = an_operation(
        "op-1", cluster="emr-gone0000", now=world.clock.now(), op_type=OpType.STOP_SERVICE, state=State.SENDING
    )
    put(world.function.ledger, gone)
    follow_up(world, 15)
    assert states(world, "emr-gone0000") == ["TIMED_OUT"]
    assert (alarms(world), over(world)) == (["operation.in_doubt"], ["operation.in_doubt"])

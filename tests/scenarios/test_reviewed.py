"""What a review of the engine found: each kind of it, so that it does not come back."""

from __future__ import annotations

import cProfile
from typing import Any, Final

import pytest
from pytest_mock import MockerFixture

from handler.execute.decision import decide
from handler.execute.policy import Policy
from handler.ledger.admission import MAX_INTENTS, admit
from handler.ledger.cluster_record import MAX_TOLD
from handler.model.alarm import Alarm
from handler.model.intent import Limits
from handler.model.operation import State
from handler.model.policy import Cluster, Safety
from handler.model.request import OpType
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.world import World
from tests.intents import AFTER, BEFORE, NOW, a_command, a_look, a_reading, a_record, an_alert, one
from tests.worlds import (
    ACTION,
    CLUSTER,
    DOWN,
    alarms,
    command,
    faulty,
    follow_up,
    kill,
    outcomes,
    over,
    post,
    process,
    record,
    requested,
    settled,
)

ROLLING: Final[dict[str, Any]] = {
    "StrategyConfig": {"RollingRestartSwitch": 1, "BatchSize": 1, "TimeWait": 1, "DealOnFail": 0}
}
HS2: Final = "172.16.0.2"
LOOK: Final = "DescribeServiceNodeInfos"


@pytest.mark.parametrize("spelling", ["HiveServer2", "hs2", "HIVESERVER2"])
def test_a_command_in_another_spelling_is_carried_out_once(world: World, spelling: str) -> None:
    """What a name means decides, not how it is written: neither sent again and again, nor open for ever."""
    post(world, command("RestartService", HS2, service="HIVE", component=spelling, Id="x-1", **ROLLING))
    follow_up(world, 30)
    assert (requested(world), settled(world)) == ([("RestartService", [HS2])], ["done"])
    assert not record(world).intents


def test_a_rule_in_another_spelling_ends(make_world: MakeWorld) -> None:
    """Its intent is the process that the cluster shows."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["do"]["scope"] = {"HIVE": {"hs2": [HS2]}}
    world = make_world(config_of(raw))
    process(world, HS2, "HiveServer2").kill()
    world.deliver(sample(DOWN))
    follow_up(world, 30)
    assert (world.requests(), outcomes(world), alarms(world)) == (1, ["done"], [])
    assert not record(world).intents


def test_a_rule_may_be_named_request(make_world: MakeWorld) -> None:
    """It keeps its limits: direct calls, which have none, are not taken for it."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["name"] = "request"
    world = make_world(config_of(raw))
    for _ in range(3):
        process(world).kill()
        world.deliver(sample(DOWN))
        follow_up(world, 3)
    assert world.requests() == 1


def test_a_sender_that_repeats_itself_does_not_silence_what_waits(world: World) -> None:
    """Stated each five minutes and held all the while: a person hears of it after ``max_wait`` all the same."""
    kill(world)
    world.cloud.cluster(CLUSTER).status = 8
    for _ in range(14):
        world.deliver(sample(DOWN))
        follow_up(world, 5)
    assert (world.requests(), alarms(world)) == (0, ["intent.waits"])


def test_a_machine_that_is_down_is_told_of_though_its_alert_repeats(world: World) -> None:
    """Each minute the same alert, and nobody knows the health of its process."""
    world.cloud.cluster(CLUSTER).nodes_down.add("172.16.0.5")
    for _ in range(8):
        world.deliver(sample(DOWN))
        follow_up(world, 1)
    assert (world.requests(), alarms(world)) == (0, ["guard.health_unknown"])


def test_a_rolling_command_of_which_nothing_came_is_not_sent_again(world: World, mocker: MockerFixture) -> None:
    """The API took it: it failed, and a person is told."""
    sent = mocker.patch.object(type(world.cloud), "start_stop")
    post(world, command("RestartService", "172.16.0.5", "172.16.0.6", Id="x-2", **ROLLING))
    follow_up(world, 120)
    assert (sent.call_count, settled(world), alarms(world)) == (1, ["failed"], ["operation.failed"])


def test_a_command_whose_requests_get_lost_expires(world: World) -> None:
    """Each is in doubt and found not to have been carried out: after six hours it is over, and told."""
    faulty(world, *([Fault(Kind.RESET_BEFORE_READING, ACTION)] * 90))
    post(world, command("StopService", "172.16.0.5", Id="x-3"))
    follow_up(world, 420)
    assert (world.requests(), settled(world)) == (0, ["expired"])
    assert {*alarms(world)} - {*over(world)} == {"intent.expired"}


def looks(world: World) -> int:
    """How often anything was asked of the API."""
    return len(world.cloud.requests)


def test_nothing_is_looked_at_for_a_command_that_failed(world: World) -> None:
    """That it failed is no condition that could end: an id with slashes in it is no process, either."""
    for process_ in (process(world), process(world, "172.16.0.6")):
        process_.refuse_to_recover()
        post(world, command("RestartService", process_.ip, Id=f"a/b/{process_.ip}", **ROLLING))
    follow_up(world, 60)
    assert alarms(world) == ["operation.failed"] * 2
    before = looks(world)
    follow_up(world, 10)
    assert (looks(world), record(world).has_work) == (before, False)


def test_what_is_told_of_a_process_that_is_removed_is_over(world: World) -> None:
    """Its node was scaled in: nobody looks for it for a week."""
    kill(world)
    process(world).refuse_to_recover()
    world.deliver(sample(DOWN))
    follow_up(world, 12)
    assert alarms(world) == ["operation.failed"]
    processes = world.cloud.cluster(CLUSTER)._processes
    processes.remove(process(world))
    follow_up(world, 60)
    assert (over(world), record(world).has_work) == (["operation.failed"], False)


def test_a_look_that_failed_is_said_to_be_over_though_nothing_waits_any_more(world: World) -> None:
    """The alert is resolved and its intent gone before the API answers again."""
    kill(world)
    faults = [Fault(Kind.API_ERROR, "DescribeInstances", code="InternalError")] * 3
    faulty(world, *faults)
    world.deliver(sample(DOWN))
    (key,) = record(world).intents
    world.function.ledger.change(CLUSTER, lambda one: one.cancel(key, "a person", world.clock.now()))
    follow_up(world, 5)
    assert alarms(world) == ["look.failed", "intent.cancelled"]
    assert (over(world), record(world).has_work) == (["look.failed"], False)


def test_a_cluster_that_is_no_longer_listed_leaves_nothing_open(make_world: MakeWorld) -> None:
    """What proved itself ends, what a person was told is over, and what is pending is refused."""
    raw, _ = read_raw("steward.yml")
    world = make_world(config_of(raw))
    kill(world)
    world.deliver(sample(DOWN))
    kill(world, "172.16.0.6")
    process(world, "172.16.0.6").refuse_to_recover()
    post(world, command("RestartService", "172.16.0.6", Id="x-4", **ROLLING))
    assert {one.stage for one in record(world).intents.values()} == {"proving", "serving"}
    del raw["clusters"][CLUSTER]
    raw["rules"] = [rule for rule in raw["rules"] if rule["do"]["cluster"] != CLUSTER]
    world.function.config = config_of(raw)
    follow_up(world, 3)
    assert (settled(world), record(world).has_work) == (["failed"], False)


def test_what_another_decides_while_this_one_sends_is_that_ones_to_say(world: World, mocker: MockerFixture) -> None:
    """The swap that settles an answer reads what others wrote meanwhile; who says it, too, says it twice."""
    kill(world)
    real = type(world.cloud).start_stop
    alarm = Alarm("intent.too_late", CLUSTER, "of another worker", "It came too late.", fix="Do it by hand.")

    def meanwhile(cloud: Any, *args: Any, **more: Any) -> Any:
        world.function.ledger.change(CLUSTER, lambda one: one.tell(alarm, world.clock.now()))
        return real(cloud, *args, **more)

    mocker.patch.object(type(world.cloud), "start_stop", meanwhile)
    world.deliver(sample(DOWN))
    assert alarms(world) == []
    follow_up(world, 3)  # that one has died
    assert alarms(world) == ["intent.too_late"]


def test_a_flood_of_commands_fills_no_record() -> None:
    """Each is remembered for a day, so that it is not done twice; more than so many are refused."""
    record_ = a_record()
    for n in range(MAX_INTENTS):
        admit(record_, a_command(f"c-{n}", told_at=0.0), NOW)
    assert admit(record_, a_command("one-more"), NOW)[0].outcome.code == "intent.too_many"  # type: ignore[union-attr]
    for n in range(MAX_TOLD):
        record_.tell(Alarm("intent.too_late", CLUSTER, f"{n}", "x", fix="x"), NOW)
    assert len(record_.told) <= MAX_TOLD
    assert admit(record_, an_alert(), NOW)[0].outcome is None


def test_what_the_api_says_of_a_look_is_kept_without_secrets(world: World) -> None:
    """In the record, too: an alarm that is not said yet, and the reason why a command expired."""
    secret = world.env["TENCENTCLOUD_SECRET_KEY"]
    for action in ("DescribeInstances", "DescribeServiceNodeInfos"):
        faulty(world, *[Fault(Kind.API_ERROR, action, code="FailedOperation", message=f"key {secret} is odd")] * 300)
        post(world, command("StopService", "172.16.0.5", Id=f"for {action}"))
        follow_up(world, 70)
        stored = repr(record(world))
        assert "is odd" in stored
        assert secret not in stored


@pytest.mark.parametrize("even_if_healthy", [False, True])
@pytest.mark.parametrize("health", [0, -2, 1])
def test_what_is_decided_about_many_processes_grows_with_their_number(health: int, even_if_healthy: bool) -> None:
    """Not with its square: within a caller's patience, on a small machine. Counted are calls."""

    def calls(count: int) -> int:
        """How many two decisions about so many alerts take, the first of which may send one request for all."""
        record_, limits = a_record(), Limits(max_nodes=9999, max_share=1.0)
        ips = [f"10.0.{n // 250}.{n % 250}" for n in range(count)]
        for ip in ips:
            admit(record_, an_alert(sender=ip, scope=one(ip), even_if_healthy=even_if_healthy), NOW - 400)
        cluster = Cluster(CLUSTER, name="x", region="ap-guangzhou", allow=frozenset(OpType))
        profile = cProfile.Profile()
        for at, last in ((NOW, BEFORE), (NOW + 90_000, AFTER)):
            look = a_look(*[a_reading(ip, health=health if last == BEFORE else 0, last=last) for ip in ips], at=at)
            policy = Policy(cluster, Safety(), lambda _: limits, at, "me", f"op-{at}", clock_skew=0.0)
            profile.runcall(decide, record_, look, None, policy)
            for name, operation in record_.operations.items():
                record_.operations[name] = operation.moved(State.ACCEPTED)
        return sum(entry.callcount for entry in profile.getstats())

    assert calls(200) < 2.5 * calls(100)


@pytest.mark.parametrize("kind", [None, Kind.RESET_BEFORE_READING])
def test_what_nobody_could_see_is_not_said_to_have_failed(world: World, kind: Kind | None) -> None:
    """Neither that a request had no effect, nor that it was carried out."""
    kill(world)
    process(world).refuse_to_recover()
    faults = [Fault(kind, ACTION)] if kind else []
    adapter = faulty(world, *faults)
    world.deliver(sample(DOWN), time_limit_ms=3000)
    adapter.faults.add(*[Fault(Kind.API_ERROR, action) for action in ("DescribeInstances", LOOK) for _ in range(99)])
    post(world, command("StopService", "172.16.0.6", Id="x-7"))
    follow_up(world, 30)
    said = [row["reason"] for row in world.lines if "in_doubt" not in row.get("code", "") and "reason" in row]
    assert any("nobody could see by its deadline what became of it" in one for one in said)
    assert not [one for one in said if "did not help" in one or "was carried out" in one]


def test_that_the_hour_is_used_up_is_over_with_the_next_operation(make_world: MakeWorld) -> None:
    """And is told again where it comes to that again."""
    raw, _ = read_raw("steward.yml")
    raw["clusters"][CLUSTER]["operations_per_hour"] = 1
    world = make_world(config_of(raw))
    for n, ip in enumerate(("172.16.0.5", "172.16.0.6", "172.16.0.7")):
        post(world, command("RestartService", ip, Id=f"x-{n}", **ROLLING))
        follow_up(world, 50)
    assert alarms(world) == ["guard.operations_per_hour"] * 2
    assert over(world)[:1] == ["guard.operations_per_hour"]


def test_an_alert_s_start_that_never_helps_is_left_to_a_person(make_world: MakeWorld) -> None:
    """As a restart is: three times, told, and not every half hour for ever."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["do"] |= {"operation": "StartService"}
    del raw["rules"][0]["do"]["strategy"]
    world = make_world(config_of(raw))
    kill(world)
    process(world).refuse_to_recover()
    world.deliver(sample(DOWN))
    follow_up(world, 240)
    assert (world.requests(), alarms(world)) == (3, ["operation.failed", "guard.quarantine"])
    assert not record(world).intents

"""An alert asks that a process be healthy: it is served until it is, without the sender's repeat, or a person is told."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from handler.config.config import Config
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World
from tests.worlds import (
    CLUSTER,
    DOWN,
    alarms,
    codes,
    command,
    follow_up,
    kill,
    lines,
    outcomes,
    over,
    post,
    process,
    record,
    requested,
    settled,
)

RESTART_5 = ("RestartService", ["172.16.0.5"])


def alerts(*nodes: int, status: str = "firing", component: str = "DataNode", **more: Any) -> dict[str, Any]:
    """Alertmanager's body about DataNodes, by the ends of their addresses; each is an alert of its own."""
    body = sample(DOWN)
    (alert,) = body["alerts"]
    labels = {**alert["labels"], "component": component}
    found = [
        {
            **alert,
            "status": status,
            "labels": {**labels, "ip": f"172.16.0.{node}", "instance": f"172.16.0.{node}"},
            "fingerprint": f"{component}-{node}",
            **more,
        }
        for node in nodes
    ]
    return {**body, "status": status, "alerts": found}


def in_yarn(body: dict[str, Any]) -> dict[str, Any]:
    """The alerts, about processes of YARN."""
    return {**body, "alerts": [{**one, "labels": {**one["labels"], "service": "YARN"}} for one in body["alerts"]]}


def limited(limits: dict[str, Any], **safety: Any) -> Config:
    """The example, whose first rule has these limits."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["limits"] = limits
    raw["safety"] |= safety
    return config_of(raw)


def test_a_process_that_dies_again_is_served_again_without_a_repeat(world: World) -> None:
    """One unbroken alert, said once: a restart after each cooldown, three in all, then a person, once; well again is said."""
    process(world).die_after_start(120)
    kill(world)
    world.deliver(sample(DOWN))
    follow_up(world, 180)
    assert requested(world) == [RESTART_5] * 3
    times = [one.at for one in world.cloud.operations]
    assert all(later - first >= 900 for first, later in itertools.pairwise(times))
    assert outcomes(world) == ["done"]
    assert alarms(world) == ["guard.quarantine"]
    process(world).recover()
    follow_up(world, 5)
    assert over(world) == ["guard.quarantine"]


def test_a_process_that_dies_half_an_hour_after_each_restart_ends_in_quarantine(world: World) -> None:
    """A new start each time, a day long: three restarts and one alarm, not 46 restarts in silence."""
    process(world).die_after_start(31 * 60)
    kill(world)
    for _ in range(24):
        if process(world).health == 0:
            world.deliver(alerts(5))
        follow_up(world, 32)
        world.clock.sleep(28 * 60)
    assert requested(world) == [RESTART_5] * 3
    assert alarms(world) == ["guard.quarantine"]


def test_what_limits_put_off_is_served_without_a_repeat(make_world: MakeWorld) -> None:
    """Three DataNodes die, one may be restarted at a time, the sender repeats after four hours: all run within minutes."""
    world = make_world(limited({"max_nodes": 1}))
    for node in (5, 6, 7):
        kill(world, f"172.16.0.{node}")
    world.deliver(alerts(5, 6, 7), time_limit_ms=4000)
    follow_up(world, 10)
    assert [process(world, f"172.16.0.{node}").health for node in (5, 6, 7)] == [1, 1, 1]
    assert sorted(ip for _, ips in requested(world) for ip in ips) == ["172.16.0.5", "172.16.0.6", "172.16.0.7"]
    assert all(len(ips) == 1 for _, ips in requested(world))
    assert (len(settled(world)), set(settled(world))) == (
        outcomes(world).count("pending") + outcomes(world).count("accepted"),
        {"done"},
    )
    assert alarms(world) == []


@pytest.mark.parametrize("has_new_start", [False, True])
def test_a_false_all_clear_silences_nobody(world: World, has_new_start: bool) -> None:
    """Resolved while the process is down, then firing again with the same or another start: it is restarted."""
    kill(world)
    at = world.clock.now()
    start = {"startsAt": "2025-06-02T02:59:00Z"}
    world.deliver(alerts(5, status="resolved", **start), fresh=False)
    world.clock.sleep(60)
    later = {"startsAt": "2025-06-02T03:01:00Z"} if has_new_start else start
    world.deliver(alerts(5, **later), fresh=False)
    assert world.clock.now() - at < 120
    assert outcomes(world) == ["skipped", "done"]
    assert requested(world) == [RESTART_5]


def test_an_all_clear_about_what_is_down_is_told(make_world: MakeWorld) -> None:
    """Held until then, so that it was not served: said once, not acted on; and served when it is stated again."""
    world = make_world(limited({"max_nodes": 1}))
    process(world, "172.16.0.6").refuse_to_recover()
    for node in (5, 6):
        kill(world, f"172.16.0.{node}")
    world.deliver(alerts(6), time_limit_ms=4000)
    world.deliver(alerts(5), time_limit_ms=4000)
    world.deliver(alerts(5, status="resolved"), time_limit_ms=4000)
    follow_up(world, 15)
    assert alarms(world) == ["intent.still_down", "operation.failed"]
    assert requested(world) == [("RestartService", ["172.16.0.6"])]
    world.deliver(alerts(5))
    follow_up(world, 3)
    assert requested(world)[1:] == [RESTART_5]
    assert over(world) == ["intent.still_down"]


def test_an_all_clear_of_one_sender_is_not_anothers(make_world: MakeWorld) -> None:
    """Two senders ask for it; one takes back what it said."""
    world = make_world(limited({"max_nodes": 1}))
    process(world, "172.16.0.6").refuse_to_recover()
    for node in (5, 6):
        kill(world, f"172.16.0.{node}")
    world.deliver(alerts(6), time_limit_ms=4000)
    world.deliver(alerts(5), time_limit_ms=4000)
    world.deliver(sample("tcop-metric-datanode-down"), time_limit_ms=4000)
    world.deliver(alerts(5, status="resolved"), time_limit_ms=4000)
    follow_up(world, 15)
    assert requested(world)[1:] == [RESTART_5]


def test_a_recovery_that_comes_before_its_alarm_restarts_no_healthy_process(world: World) -> None:
    """Cloud Monitor, a session new in each delivery, out of order: one need at most, and nothing acts once it is over."""
    body = sample("tcop-metric-datanode-down")
    ended = {**body, "sessionId": "c", "alertId": "c", "alarmStatus": "0", "recoverTime": "2025-06-02 11:10:00"}
    for one in (ended, {**body, "sessionId": "a", "alertId": "a"}, {**body, "sessionId": "b", "alertId": "b"}):
        world.deliver(one)
    assert requested(world) == []
    assert outcomes(world) == ["skipped"] * 3


def test_a_full_heap_is_one_occurrence_under_every_session(world: World) -> None:
    """`even_if_healthy`: Cloud Monitor repeats each five minutes with an id of its own; after the cooldown it is told, once."""
    body = sample("tcop-metric-hiveserver2-heap")
    first = world.clock.now()
    for number in range(20):
        again = {**body, "sessionId": f"s-{number}", "alertId": f"s-{number}", "durationTime": 60 + 300 * number}
        again["firstOccurTime"] = "2025-06-02 10:59:00"
        world.deliver(again, fresh=False)
        follow_up(world, 5)
    assert world.clock.now() - first > 3600
    assert requested(world) == [("RestartService", ["172.16.0.2"])]
    assert alarms(world) == ["intent.still_stated"]


def test_a_late_recovery_then_the_old_alarm_of_a_full_heap_acts_on_nothing_twice(world: World) -> None:
    """The sample of the field: two alarms under two sessions and a recovery; whatever their order, one restart at most."""
    body = {**sample("tcop-metric-hiveserver2-heap"), "firstOccurTime": "2025-06-02 10:59:00"}
    fires = [{**body, "sessionId": name, "alertId": name} for name in "ab"]
    ends = {**body, "sessionId": "c", "alertId": "c", "alarmStatus": "0", "recoverTime": "2025-06-02 11:01:00"}
    for one in (fires[0], ends, fires[1]):
        world.deliver(one, fresh=False)
        world.clock.sleep(30)
    follow_up(world, 90)
    assert requested(world) == [("RestartService", ["172.16.0.2"])]


def test_a_full_heap_whose_recovery_comes_before_its_alarms_restarts_nothing(world: World) -> None:
    """A look cannot tell that it is over, so its end is remembered; a new occurrence is served."""
    body = {**sample("tcop-metric-hiveserver2-heap"), "firstOccurTime": "2025-06-02 10:59:00"}
    ends = {**body, "sessionId": "c", "alertId": "c", "alarmStatus": "0", "recoverTime": "2025-06-02 11:01:00"}
    for one in (ends, *({**body, "sessionId": name, "alertId": name} for name in "ab")):
        world.deliver(one, fresh=False)
        follow_up(world, 1)
    assert requested(world) == []
    assert codes(world) == ["guard.resolved"] * 3
    world.deliver({**body, "sessionId": "d", "alertId": "d", "firstOccurTime": "2025-06-02 11:03:00"}, fresh=False)
    assert requested(world) == [("RestartService", ["172.16.0.2"])]
    assert alarms(world) == []


def test_a_sick_process_does_not_keep_an_innocent_one_down(world: World) -> None:
    """Two rolling requests join only where they are of one component: what blocks is nobody else's."""
    process(world).refuse_to_recover()
    kill(world)
    process(world, "172.16.0.5", "NodeManager").kill()
    both = alerts(5)
    both["alerts"] += in_yarn(alerts(5, component="NodeManager"))["alerts"]
    world.deliver(both, time_limit_ms=5000)
    follow_up(world, 20)
    assert process(world, "172.16.0.5", "NodeManager").health == 1
    assert alarms(world) == ["operation.failed"]


def test_a_sick_process_does_not_keep_its_own_kind_down(world: World) -> None:
    """One rolling request over both blocks at the sick one: the other is tried alone, and no alarm is about it."""
    process(world).refuse_to_recover()
    for node in (5, 6):
        kill(world, f"172.16.0.{node}")
    world.deliver(alerts(5, 6), time_limit_ms=5000)
    follow_up(world, 30)
    assert process(world, "172.16.0.6").health == 1
    assert [line["where"] for line in lines(world, "steward.alarm")] == ["HDFS DataNode 172.16.0.5 on analytics"]


@pytest.mark.parametrize("status", [0, 3, 5, -1, 99])
def test_the_only_other_namenode_is_not_restarted(make_world: MakeWorld, status: int) -> None:
    """A ServiceStatus that nobody documented is no promise to serve: a quorum is not spent on it."""
    raw, _ = read_raw("steward.yml")
    raw["rules"] = [
        {
            "name": "heap",
            "when": {"component": ["NameNode"]},
            "do": {
                "operation": "RestartService",
                "cluster": "{cluster}",
                "scope": {"HDFS": {"NameNode": ["{ip}"]}},
                "strategy": {"rolling": False},
                "even_if_healthy": True,
            },
            "limits": {"max_nodes": 2, "max_share": "100%"},
        }
    ]
    world = make_world(config_of(raw))
    process(world, "172.16.0.3", "NameNode")._service_status = status
    world.deliver(alerts(2, 3, component="NameNode"))
    follow_up(world, 5)
    assert all(len(ips) < 2 for _, ips in requested(world))
    assert RESTART_5 not in requested(world)
    assert ("RestartService", ["172.16.0.2"]) not in requested(world)


@pytest.mark.parametrize("status", [None, 0, 3])
def test_a_monitor_status_that_nobody_knows_is_left_to_people(world: World, status: Any) -> None:
    """Neither restarted by an alert, nor taken for watched where a command asks to leave maintenance."""
    process(world)._monitor_status = status
    kill(world)
    world.deliver(sample(DOWN))
    assert (requested(world), codes(world)) == ([], ["guard.maintenance"])
    answer = post(world, command("StartMonitor", "172.16.0.5"))
    assert answer["statusCode"] in (200, 202)
    assert requested(world) == [("StartMonitor", ["172.16.0.5"])]


def test_another_rules_command_does_not_make_a_restart_stale(make_world: MakeWorld) -> None:
    """One alert, two rules: it leaves maintenance and is restarted."""
    raw, _ = read_raw("steward.yml")
    leave = {"operation": "StartMonitor", "cluster": "{cluster}", "scope": {"HDFS": {"DataNode": ["{ip}"]}}}
    raw["rules"].insert(0, {"name": "leave", "when": {"component": ["DataNode"]}, "do": leave})
    raw["rules"][1]["limits"] = {"cooldown": "1m", "max_nodes": 2, "max_share": "40%"}
    world = make_world(config_of(raw))
    process(world).put_in_maintenance()
    kill(world)
    world.deliver(sample(DOWN))
    follow_up(world, 3)
    assert [op_type for op_type, _ in requested(world)] == ["StartMonitor"]
    world.deliver(sample(DOWN))
    follow_up(world, 20)
    assert RESTART_5 in requested(world)


def test_a_freeze_pages_nobody_and_what_it_held_is_served_after_it(make_world: MakeWorld) -> None:
    """An alert waits as long as the freeze is in force; a timer's event is refused quietly."""
    until = "2025-06-02T20:00:00Z"
    freezes = [{"from": "2025-06-01T00:00:00Z", "to": until, "reason": "the year's end"}]
    world = make_world(limited({"cooldown": "15m", "max_nodes": 2, "max_share": "40%"}, freezes=freezes))
    kill(world)
    world.deliver(sample(DOWN))
    world.deliver(timer_event("t", "maintenance-on", world.clock.now()))
    assert codes(world) == ["guard.freeze"] * 2
    follow_up(world, 19 * 60, every=600)
    assert alarms(world) == []
    assert requested(world) == [RESTART_5]
    assert settled(world) == ["done"]


def test_what_waits_for_too_long_is_told_and_still_served(world: World) -> None:
    """The cluster is at work for two hours: one alarm after an hour; then it is restarted, and that it is well is said."""
    kill(world)
    world.cloud.cluster(CLUSTER).status = 4
    world.deliver(sample(DOWN))
    follow_up(world, 120, every=300)
    assert alarms(world) == ["intent.waits"]
    world.cloud.cluster(CLUSTER).status = 2
    follow_up(world, 3)
    assert requested(world) == [RESTART_5]
    assert (over(world), settled(world)) == (["intent.waits"], ["done"])


def test_a_machine_that_is_down_is_told_of_and_served_when_it_is_back(world: World) -> None:
    """Unknown is no evidence: nothing is sent; after five minutes one alarm an address says that the machine looks down."""
    world.cloud.cluster(CLUSTER).nodes_down.add("172.16.0.5")
    kill(world)
    world.deliver(alerts(5))
    world.deliver(in_yarn(alerts(5, component="NodeManager")))
    follow_up(world, 8)
    assert (requested(world), alarms(world)) == ([], ["guard.health_unknown"])
    assert "the machine" in lines(world, "steward.alarm")[0]["fix"]
    world.cloud.cluster(CLUSTER).nodes_down.clear()
    follow_up(world, 3)
    assert requested(world) == [RESTART_5]
    assert sorted(settled(world)) == ["done", "skipped"]
    assert over(world) == ["guard.health_unknown"]


def test_most_of_a_component_down_is_no_case_for_restarts(world: World) -> None:
    """A storm is a person's matter: one alarm, nothing sent; when most serve again, the rest is served."""
    for node in range(5, 10):
        kill(world, f"172.16.0.{node}")
    world.deliver(alerts(5, 6, 7, 8, 9))
    follow_up(world, 10)
    assert (requested(world), alarms(world)) == ([], ["guard.storm"])
    for node in range(6, 10):
        process(world, f"172.16.0.{node}").recover()
    follow_up(world, 5)
    assert requested(world) == [RESTART_5]
    assert over(world) == ["guard.storm"]
    assert record(world).intents.keys() == {"restart-dead-process|HDFS/datanode/172.16.0.5"}


def test_nobody_is_asked_twice_of_what_recovered_by_itself(world: World) -> None:
    """EMR's own daemon was faster: skipped, quiet."""
    kill(world)
    world.cloud.cluster(CLUSTER).status = 4
    world.deliver(sample(DOWN))
    process(world).recover()
    world.cloud.cluster(CLUSTER).status = 2
    follow_up(world, 2)
    assert (requested(world), settled(world), alarms(world)) == ([], ["skipped"], [])


def test_an_alert_about_all_of_a_component_restarts_what_is_down(make_world: MakeWorld) -> None:
    """It is an intent for each process that is down; its one event hears what became of each."""
    raw, _ = read_raw("steward.yml")
    raw["rules"][0]["do"]["scope"] = {"HDFS": {"DataNode": "all"}}
    raw["rules"][0]["limits"] = {"max_nodes": 5, "max_share": 1}
    world = make_world(config_of(raw))
    world.deliver(alerts(5))
    assert codes(world) == ["guard.healthy"], "none is down"
    for node in (5, 6):
        kill(world, f"172.16.0.{node}")
    world.deliver(alerts(7))
    assert requested(world) == [("RestartService", ["172.16.0.5", "172.16.0.6"])]
    assert outcomes(world)[-1] == "accepted", "of the second one nothing is seen yet"
    follow_up(world, 20)
    assert settled(world) == ["done"], "and now it is; the first one was, when the event was answered"
    assert record(world).intents == {}
    assert alarms(world) == []

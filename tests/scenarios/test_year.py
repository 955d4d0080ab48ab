"""A year of random incidents on a virtual clock: whatever happens, nothing is down in silence, and nothing is done in vain.

Processes die, die again, stay broken; machines go down; alerts fire, repeat, resolve falsely, and are lost; timers stop and
start; people operate behind our back; the API and the ledger fail, workers die, freezes come. The follow-up comes each
minute while something is open. A failure prints the seed.
"""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.app import Function
from handler.cloud.account import Endpoint
from handler.config.settings import Settings
from handler.errors import LedgerUnavailable
from handler.execute.follow_up import MESSAGE
from handler.ledger.ledger import Ledger, open_ledger
from handler.receive.timestamps import parse_time
from harness.clock import VirtualClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY, Cloud
from harness.fake_cloud.state.process import Process
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.simulate.platform import context, timer_event
from steward.simulate.world import _Lines, in_process
from tests.share import SHARE

CLUSTER = "emr-4zvc5mul"
NODES = [f"10.0.0.{node}" for node in range(1, 7)]
ACTION = "StartStopServiceOrMonitor"
DAY = 86_400.0
FAULTS = [
    Fault(Kind.RESET_BEFORE_READING, ACTION),
    Fault(Kind.RESET_AFTER_READING, ACTION),
    Fault(Kind.CUT_BODY, ACTION),
    Fault(Kind.BAD_GATEWAY, ACTION),
    Fault.api_error("RequestLimitExceeded", ACTION),
    Fault.api_error("ResourceInUse.InstanceInProcess", ACTION),
    Fault.api_error("UnauthorizedOperation.CheckCamAuth", ACTION),
    Fault.api_error("InternalError", ACTION, although_carried_out=True),
    Fault(Kind.CUT_BODY, "DescribeServiceNodeInfos"),
    Fault(Kind.CUT_BODY, "DescribeInstances"),
]


def config(freezes: list[dict[str, str]]) -> Any:
    """DataNodes are restarted by alerts; timers stop and start HBase."""
    do = {"operation": "RestartService", "cluster": CLUSTER, "scope": {"{service}": {"{component}": ["{ip}"]}}}
    rules: list[dict[str, Any]] = [
        {
            "name": "restart",
            "when": {"status": ["firing"]},
            "do": {**do, "strategy": {"rolling": True, "batch_size": 1, "wait_seconds": 5}},
            "limits": {"cooldown": "15m", "max_nodes": 2, "max_share": "50%"},
        }
    ]
    for name, operation in (("stop", "StopService"), ("start", "StartService")):
        order = {"operation": operation, "cluster": CLUSTER, "scope": {"HBASE": "all"}}
        rules.append({"name": name, "when": {"source": ["timer"], "message": [name]}, "do": order})
    allow = ["RestartService", "StartService", "StopService"]
    return config_of(
        {
            "clusters": {CLUSTER: {"region": "ap-guangzhou", "allow": allow, "operations_per_hour": 60}},
            "rules": rules,
            "safety": {"freezes": freezes},
        }
    )


class Died(BaseException):
    """The worker's process is no more."""


class Frail:
    """The ledger or the transport of a worker that dies after so many calls, or of a ledger that is out."""

    def __init__(self, wrapped: Any, life: list[int], *, is_out: bool = False) -> None:
        self._wrapped, self._life, self._is_out = wrapped, life, is_out

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._wrapped, name)

        def call(*args: Any, **more: Any) -> Any:
            if self._is_out:
                raise LedgerUnavailable("it is out")
            if self._life:
                self._life[0] -= 1
                if not self._life[0]:
                    raise Died
            return method(*args, **more)

        return call


class Year:
    """One year; :meth:`run` lives it, and checks what holds at its end."""

    def __init__(self, seed: int, incidents: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - the same year each time
        self.incidents = incidents
        self.clock = VirtualClock()
        self.cloud = Cloud(self.clock, transition_seconds=8.0)
        self.cloud.add_cluster(CLUSTER, {"HDFS": {"DataNode": NODES}, "HBASE": {"HMaster": NODES[:2]}})
        self.ledger: Ledger = open_ledger("sqlite:///:memory:")
        self.lines: list[dict[str, Any]] = []
        self.reported: set[str] = set()
        self.numbers = iter(range(10**9))
        self.start = self.clock.now()
        at = self.start + self.random.uniform(5, 300) * DAY
        stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(one)) for one in (at, at + 0.4 * DAY)]
        self.config = config([{"from": stamps[0], "to": stamps[1], "reason": "a freeze"}])
        #: Of each request of a remediation: whether its processes were down when it came.
        self.needless: list[str] = []
        self.watch()

    def watch(self) -> None:
        """Note which restarts by alerts came to a process that was up."""
        start_stop = self.cloud.start_stop

        def noted(identifier: str, op_type: str, scope: Any, *args: Any, **more: Any) -> Any:
            scope = list(scope)
            if op_type == "RestartService":
                for target in self.cloud.cluster(CLUSTER).resolve(scope):
                    if target.health != 0:
                        self.needless.append(f"{target} at {self.clock.now() - self.start:.0f}: {target.describe()}")
            return start_stop(identifier, op_type, scope, *args, **more)

        self.cloud.start_stop = noted  # type: ignore[method-assign]

    # -- deliveries

    def deliver(self, event: Any, *, seconds: int = 60, is_hostile: bool = True) -> None:
        """One invocation, by a worker of its own; again, as the platform does, where it raised or died."""
        chance = self.random.random
        for attempt in range(3):
            is_hostile = is_hostile and attempt < 2
            life = [self.random.randint(1, 25)] if is_hostile and chance() < 0.07 else []
            adapter = in_process(self.cloud)
            if is_hostile and chance() < 0.15:
                adapter.faults.add(self.random.choice(FAULTS))
            lines = _Lines(None)
            function = Function(
                Settings(endpoint=Endpoint.parse("global")),
                self.config,
                env={"TENCENTCLOUD_SECRET_ID": SECRET_ID, "TENCENTCLOUD_SECRET_KEY": SECRET_KEY},
                clock=self.clock,
                ledger=Frail(self.ledger, life, is_out=is_hostile and chance() < 0.03),  # type: ignore[arg-type]
                transport=lambda a=adapter, b=life: Frail(a, b),  # type: ignore[misc]
                write=lines.write,
            )
            try:
                function.handle(event, context(time_limit_ms=seconds * 1000, request_id="year"))
            except (Died, LedgerUnavailable):
                self.clock.sleep(60)
                self.lines += [row for row in lines.rows if row["event"] != "steward.outcome"]
                continue
            self.lines += lines.rows
            return

    def follow_up(self, minutes: int) -> None:
        """Each minute at first, then each tenth, while something is open."""
        until = self.clock.now() + 60 * minutes
        for number in range(minutes):
            self.clock.sleep(60 if number < 4 else 600)
            if not self.ledger.clusters_with_work() or self.clock.now() > until:
                return
            self.deliver(timer_event("follow-up", MESSAGE, self.clock.now()))

    def alert(self, ip: str, *, status: str = "firing", sender: str = "a") -> None:
        labels = {"alertname": "Down", "cluster_id": CLUSTER, "service": "HDFS", "component": "DataNode", "ip": ip}
        one = {
            "status": status,
            "labels": labels,
            "startsAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.clock.now())),
            "fingerprint": f"{sender}-{ip}",
        }
        if status == "firing":
            self.reported.add(ip)
        self.deliver({"version": "4", "status": status, "alerts": [one]}, seconds=self.random.choice([4, 15, 60]))

    # -- incidents

    def incident(self) -> None:
        pick, chance = self.random.choice, self.random.random
        ip = pick(NODES)
        process = self.cloud.process(CLUSTER, "DataNode", ip)
        what = pick(
            ["death"] * 6 + ["sick", "mortal", "machine", "operator", "timers", "nothing", "lost alert", "many"]
        )
        if what in ("timers", "operator", "lost alert"):
            {"timers": self.timers, "operator": self.operator, "lost alert": self.lost_alert}[what](process)
            return
        victims = self.random.sample(NODES, 3) if what == "many" else [ip]
        for victim in victims:
            one = self.cloud.process(CLUSTER, "DataNode", victim)
            if what != "nothing":
                one.kill()
            one.refuse_to_recover(what == "sick")
            one.die_after_start(self.random.uniform(30, 800) if what == "mortal" else None)
        if what == "machine":
            self.cloud.cluster(CLUSTER).nodes_down.add(ip)
        for victim in victims:
            self.alert(victim, sender=pick("ab"))
        for _ in range(self.random.randint(0, 4)):
            self.follow_up(pick([1, 10, 60]))
            if chance() < 0.3:
                self.alert(ip, status=pick(["firing", "firing", "resolved"]), sender=pick("ab"))
        if what == "machine" and chance() < 0.8:
            self.follow_up(10)
            self.cloud.cluster(CLUSTER).nodes_down.discard(ip)
        self.follow_up(pick([30, 120]))
        if chance() < 0.6:  # a person came, or it heals
            for node in NODES:
                one = self.cloud.process(CLUSTER, "DataNode", node)
                one.refuse_to_recover(False)
                one.die_after_start(None)
                if one.health != 1:
                    one.recover()
            self.cloud.cluster(CLUSTER).nodes_down.clear()
            self.follow_up(30)

    def timers(self, _: Process) -> None:
        for message in ("stop", "start"):
            self.deliver(timer_event(f"{message}-{next(self.numbers)}", message, self.clock.now()))
            self.follow_up(self.random.randint(0, 90))

    def operator(self, process: Process) -> None:
        """Works on it behind our back."""
        self.random.choice([process.stop_by_operator, process.put_in_maintenance])()
        self.alert(process.ip)
        self.follow_up(30)
        process.take_out_of_maintenance()
        with self.cloud.current():
            process.ask_to_start()
        process.recover()

    def lost_alert(self, process: Process) -> None:
        process.kill()
        self.clock.sleep(3600)
        process.recover()

    def run(self) -> None:
        for _ in range(self.incidents):
            self.clock.sleep(self.random.expovariate(self.incidents / (330 * DAY)))
            self.incident()
        # Calm: nothing is hostile any more, and what is open comes to its end.
        for number in range(60):
            self.clock.sleep(60 if number < 15 else 1200)
            self.deliver(timer_event("follow-up", MESSAGE, self.clock.now()), is_hostile=False)
            if not self.record().intents and number > 2:
                break
        self.check()

    def record(self) -> Any:
        return self.ledger.load(CLUSTER).record

    # -- what holds

    def check(self) -> None:
        record = self.record()
        assert not record.open_operations()
        assert not record.outbox
        open_intents = [one.key for one in record.intents.values() if one.key not in self.explained()]
        assert not open_intents, open_intents
        for node in sorted(self.reported):
            one = self.cloud.process(CLUSTER, "DataNode", node)
            if one.health in (0, -2) and not one.is_stopped:
                assert self.is_told(node), f"{one} is down in silence: {one.describe()}"
        assert not self.needless, self.needless
        self.everything_said_once()

    def explained(self) -> set[str]:
        """The intents of which a person was told, and that are not over."""
        told = {key.split("|", 2)[2].rpartition("/")[2] for key in self.record().told if key.count("|") >= 2}
        return {key for key in self.record().intents if key.rpartition("/")[2] in told or "guard.storm" in str(told)}

    def is_told(self, ip: str) -> bool:
        """Whether the last that a person heard of the process, or of its component, is that something is wrong."""
        rows = [row for row in self.lines if row["event"] in ("steward.alarm", "steward.alarm.over")]
        last = {row["about"]: row for row in rows if row["about"].endswith((f"/{ip}", "/DataNode"))}
        return any(row["event"] == "steward.alarm" for row in last.values())

    def everything_said_once(self) -> None:
        """Alarms once until they are over; each event one outcome, and one settlement where that was open."""
        again: dict[tuple[str, str], str] = {}
        for row in self.lines:
            key = (row.get("code", ""), row.get("about", ""))
            if row["event"] == "steward.alarm.over":
                again.pop(key, None)
            elif row["event"] == "steward.alarm" and row["code"].startswith(("operation.in_doubt", "guard.quarantine")):
                # What is open for a week is told again.
                assert row["time"][:10] > again.get(key, ""), f"{key} was told twice"
                again[key] = time.strftime("%Y-%m-%d", time.gmtime(parse_time(row["time"]) + 6 * DAY))  # type: ignore[operator]
        settled: dict[str, set[str]] = {}
        for row in self.lines:
            for event in row["events"].split(",") if row["event"] == "steward.settled" else ():
                settled.setdefault(event, set()).add(row["id"])
        said = {row["event_id"]: row["outcome"] for row in self.lines if row["event"] == "steward.outcome"}
        is_open = {event for event, outcome in said.items() if outcome in ("pending", "accepted", "in_doubt")}
        pending = {event for one in self.record().intents.values() for event in one.events}
        assert is_open - pending <= settled.keys(), f"open for ever: {is_open - pending - settled.keys()}"
        twice = {event for event, ids in settled.items() if len(ids) > 1}
        assert not twice, f"settled twice: {twice}"


def live(seed: int, incidents: int) -> None:
    try:
        Year(seed, incidents).run()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}, {incidents} incidents: {error}") from error


@pytest.mark.parametrize("seed", range(30))
def test_a_year(seed: int) -> None:
    """Few incidents each."""
    live(seed, 4)


def test_a_ledger_that_forgets_is_found_out(mocker: MockerFixture) -> None:
    """The control: with swaps that write nothing down, some year breaks a promise."""
    mocker.patch.object(Ledger, "swap", return_value=True)
    broken = 0
    for seed in range(5):
        try:
            live(seed, 3)
        except AssertionError:
            broken += 1
    assert broken


@pytest.mark.long
@pytest.mark.parametrize("first", range(0, 1000, 50))
def test_a_thousand_years(first: int) -> None:
    """More incidents each; `make exhaustive`."""
    for seed in range(first, first + round(50 * SHARE)):
        live(seed, 12)

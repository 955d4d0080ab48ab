"""The world in which the model runs the engine: what it is made of, and what one state of it is.

Everything here is a value. The cluster record in it is a real one, and so are operations, observations and requests; a
record that stands in a state is never changed, only replaced by a changed copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from handler.ledger.cluster_record import ClusterRecord
from handler.model.intent import Limits
from handler.model.observation import GOOD, NOT_PROBED, STARTED, STOPPED, UNAVAILABLE, WATCHED, Observation, Reading
from handler.model.operation import Operation, State
from handler.model.policy import Cluster, Quarantine, Safety
from handler.model.request import Action, OpType, StrategyConfig
from handler.model.scope import OpScope, Target
from handler.model.timing import Timing

CLUSTER: Final = "emr-model"
SERVICE: Final = "HDFS"
COMPONENT: Final = "JournalNode"
#: Seconds since the epoch at which every history begins.
START: Final = 1_000_000.0
#: DescribeInstances' Status: at rest, and at work.
RUNNING: Final = 2
RESTARTING: Final = 8
#: Long before the beginning, in ticks.
NEVER: Final = -99

ACTIONS: Final = {
    "restart": Action(OpType.RESTART_SERVICE, StrategyConfig(time_wait=0)),
    "start": Action(OpType.START_SERVICE),
    "stop": Action(OpType.STOP_SERVICE),
}
#: What can become of a request: carried out; carried out, or not, and the answer is lost; carried out later, while its
#: signature holds; certainly not carried out; refused (only what names the first process).
Fault = Literal["ok", "done, answer lost", "lost", "late", "not sent", "rejected"]


def target(process: int) -> Target:
    return Target(SERVICE, COMPONENT, f"10.0.0.{process + 1}")


KEYS: Final = tuple(target(process).key for process in range(4))


class Step(NamedTuple):
    """Something that somebody does: an alert, a command, a pause, or the end of either."""

    kind: Literal["fire", "resolve", "command", "pause", "resume"]
    processes: tuple[int, ...] = ()
    action: str = "restart"
    #: Who states an alert, or the id of a command; a command without one is unnamed.
    sender: str = "alertmanager"
    #: What a person wanted, however often it is delivered.
    wish: str = ""
    even_if_healthy: bool = False
    #: How often it is delivered.
    times: int = 1
    #: Steps (by their place) that are under way before this one.
    after: tuple[int, ...] = ()
    earliest: int = 0

    def in_words(self) -> str:
        names = " and ".join(str(process) for process in self.processes)
        if self.kind == "command":
            return f"the command {self.sender or 'without an id'} to {self.action} process {names}"
        if self.kind in ("fire", "resolve"):
            return f"{self.sender}'s alert about process {names}{' is resolved' if self.kind == 'resolve' else ''}"
        return f"the {self.kind}"


@dataclass(frozen=True)
class Bounds:
    """What may happen in a scenario, and its times in ticks."""

    processes: int = 1
    last_tick: int = 6
    workers: int = 2
    deaths: int = 1
    faults: int = 1
    kinds: tuple[Fault, ...] = ("ok", "done, answer lost", "lost", "late", "not sent")
    #: Processes that may die again after a restart, once each.
    dies_again: tuple[int, ...] = ()
    down: tuple[int, ...] = (0,)
    #: Processes that no restart brings up; that only the second one brings up; before which a rolling restart hangs;
    #: that show no LastRestartTime at first.
    broken: tuple[int, ...] = ()
    stubborn: tuple[int, ...] = ()
    hangs: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    cooldown: int = 3
    max_wait: int = 8
    #: How much later than that a remediation expires.
    expiry: int = 6
    signature: int = 2
    ruled_out: int = 3
    deadline: int = 4
    lost: int = 2
    latest_send: int = 1
    #: By how many ticks a worker's clock is ahead.
    skews: tuple[int, ...] = (0,)
    has_quorum: bool = False
    followups: int = 2
    #: Whether what the API accepts takes a tick to act.
    is_slow: bool = False
    uses_hint: bool = True
    lost_swaps: int = 0
    restarts: int = 3
    #: Whether an occurrence of an alert may restart its process, which answers, only once.
    once_an_occurrence: bool = False
    #: Whether nothing goes wrong here that a person should hear of.
    is_quiet: bool = False
    #: Processes that a restart helps: up in the end.
    helped: tuple[int, ...] = ()
    #: Processes about which an alarm is open in the end.
    told: tuple[int, ...] = ()
    horizon: int = 40

    @property
    def tick(self) -> float:
        """Seconds of a tick: so long that the deadline of an operation is the one that is asked for."""
        return 600.0 / self.deadline

    def timing(self) -> Timing:
        tick = self.tick
        return Timing(
            latest_send=self.latest_send * tick,
            lost=self.lost * tick,
            ruled_out=self.ruled_out * tick,
            busy=6 * tick,
            unseen=4 * tick,
            look_age=self.latest_send * tick,
            expiry=(self.max_wait + self.expiry) * tick,
            unnamed=self.cooldown * tick,
            refresh=tick / 2,
            first_pause=tick,
            longest_pause=2 * tick,
            hint=tick,
            commands=1e9,
        )

    def limits(self, *, is_command: bool) -> Limits:
        cooldown = 0.0 if is_command else self.cooldown * self.tick
        return Limits(cooldown, max_nodes=99, max_share=1.0, max_wait=self.max_wait * self.tick)

    def safety(self) -> Safety:
        roles = (COMPONENT,) if self.has_quorum else ()
        return Safety(quorum_roles=roles, quarantine=Quarantine(self.restarts, within=1e6))

    def cluster(self) -> Cluster:
        return Cluster(CLUSTER, "model", "nowhere", frozenset(OpType), operations_per_hour=999)


class Process(NamedTuple):
    """One process of the cluster."""

    is_started: bool
    is_up: bool
    restarts: int
    #: How many restarts bring it up.
    needs: int
    hangs: bool
    #: Whether no LastRestartTime is shown before its first restart.
    is_missing: bool

    def reading(self, number: int) -> Reading:
        health = (GOOD if self.is_up else UNAVAILABLE) if self.is_started else NOT_PROBED
        shown = "" if self.is_missing and not self.restarts else f"restart {self.restarts:02}"
        return Reading(target(number), STARTED if self.is_started else STOPPED, WATCHED, health, shown)


class Flight(NamedTuple):
    """A request that the cluster is at, or that may still reach the API."""

    kind: Literal["at work", "late"]
    operation: Operation
    #: Its signature, by the clock of whoever signed it, in ticks.
    signed: int


class Worker(NamedTuple):
    """One invocation: where it is, and all that it knows."""

    number: int
    at: Literal["look", "swap", "send", "settle"]
    skew: int
    #: The step that it was delivered (by its place), and the event's id; none for a follow-up.
    step: int | None = None
    event: str = ""
    is_written: bool = True
    #: Version of the record that it loaded, and when, in seconds.
    version: int = -1
    loaded_at: float = 0.0
    seen: Observation | None = None
    moves: frozenset[tuple[str, State]] = frozenset()
    operation: str = ""
    answer: State | None = None
    laps: int = 0

    @property
    def name(self) -> str:
        return f"worker {self.number}"


class Ghost(NamedTuple):
    """What only we know, for the properties."""

    #: By process: the tick at which a restart of ours last took effect.
    restarted: tuple[int, ...]
    #: What was carried out: a wish, its action, and the process.
    done: frozenset[tuple[str, str, int]] = frozenset()
    #: The alarms that are open with a person: their keys, and the processes that they are about.
    alarms: frozenset[tuple[str, tuple[int, ...]]] = frozenset()
    #: Events that were said how their intent ended.
    settled: frozenset[str] = frozenset()
    #: What people wanted with a command, by the key of its intent.
    wishes: frozenset[tuple[str, str]] = frozenset()
    #: By process: the start or stop that was written down last.
    last_command: tuple[tuple[str, str] | None, ...] = ()
    paused_at: int | None = None
    #: Processes whose remediation expired.
    expired: frozenset[int] = frozenset()


class World(NamedTuple):
    """One state."""

    tick: int
    version: int
    record: ClusterRecord
    processes: tuple[Process, ...]
    flights: tuple[Flight, ...]
    workers: tuple[Worker, ...]
    #: By step: how often it is still to be delivered.
    left: tuple[int, ...]
    faults: int
    deaths: int
    may_die: frozenset[int]
    followups: int
    lost_swaps: int
    #: Counts workers and operations, for their names.
    named: int
    ghost: Ghost

    def now(self, bounds: Bounds, skew: int = 0) -> float:
        return START + (self.tick + skew) * bounds.tick

    def look(self, bounds: Bounds, skew: int = 0, *, with_status: bool = True) -> Observation:
        readings = tuple(one.reading(number) for number, one in enumerate(self.processes))
        status = RESTARTING if any(one.kind == "at work" for one in self.flights) else RUNNING
        return Observation(CLUSTER, status if with_status else 0, {SERVICE: readings}, self.now(bounds, skew))


def start(bounds: Bounds, steps: tuple[Step, ...]) -> World:
    """The first state of a scenario."""
    processes = tuple(
        Process(
            True,
            one not in bounds.down,
            0,
            99 if one in bounds.broken else 2 if one in bounds.stubborn else 1,
            one in bounds.hangs,
            one in bounds.missing,
        )
        for one in range(bounds.processes)
    )
    ghost = Ghost((NEVER,) * bounds.processes, last_command=(None,) * bounds.processes)
    return World(
        tick=0,
        version=0,
        record=ClusterRecord(CLUSTER, timing=bounds.timing()),
        processes=processes,
        flights=(),
        workers=(),
        left=tuple(step.times for step in steps),
        faults=bounds.faults,
        deaths=bounds.deaths,
        may_die=frozenset(bounds.dies_again),
        followups=bounds.followups,
        lost_swaps=bounds.lost_swaps,
        named=0,
        ghost=ghost,
    )


def scope_of(processes: tuple[int, ...]) -> OpScope:
    return OpScope.of_targets(target(one) for one in processes)

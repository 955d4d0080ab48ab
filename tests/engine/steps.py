"""All that can happen next in the model's world: the steps of workers, of the cluster, of the API, and of time.

What a worker decides is decided by the real functions. Around them stands what ``handler/execute/reconcile.py`` does:
load, look, decide and swap, send, settle. Settling is made anew on the newest record until it succeeds, so it is one
step; deciding is not, since its look is older than its swap. Loading changes nothing that others see, so it is a part of
the step before it, and so is all that a worker does which leaves after it; for the same reason a worker dies only where
it has swapped something: one that dies before is as if it had come later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from handler.errors import ReplyLost
from handler.execute.decision import decide, needs_status, services_to_see
from handler.execute.looking import is_old, moves_of, shows
from handler.execute.policy import Policy
from handler.ledger import admission, conclusion
from handler.ledger.cluster_record import ClusterRecord, Pause
from handler.ledger.ledger import Ledger, Loaded
from handler.ledger.store import Stored
from handler.model.intent import Intent, Limits, Stated
from handler.model.operation import Operation, State
from tests.engine.properties import Books
from tests.engine.world import ACTIONS, KEYS, Bounds, Fault, Flight, Step, Worker, World, scope_of

Move = tuple[str, Callable[[], World]]
#: What the owner writes down after each fate of its request.
ANSWERS: dict[Fault, State] = {
    "ok": State.ACCEPTED,
    "done, answer lost": State.IN_DOUBT,
    "lost": State.IN_DOUBT,
    "late": State.IN_DOUBT,
    "not sent": State.NOT_SENT,
    "rejected": State.REJECTED,
}
OPEN_ENDED = 1e12


class LostReply:
    """A store of one value, whose answer to a swap is lost after the value was written."""

    def __init__(self) -> None:
        self.value: bytes | None = None

    def load(self, key: str, known: int = 0) -> Stored:
        return Stored(1 if self.value is not None else 0, self.value)

    def swap(self, key: str, version: int, value: bytes, *, has_open: bool, patient: bool = False) -> int:
        self.value = value
        raise ReplyLost("the reply was lost")


class Steps:
    """What can happen in one scenario."""

    def __init__(self, bounds: Bounds, steps: tuple[Step, ...]) -> None:
        self.bounds, self.steps = bounds, steps
        self.books = Books(bounds)
        self._safety, self._cluster = bounds.safety(), bounds.cluster()
        self._limits = {True: bounds.limits(is_command=True), False: bounds.limits(is_command=False)}

    def following(self, world: World) -> Iterator[Move]:
        """Each step that can follow, in words, and what it makes of the world. Making it may raise Broken."""
        bounds = self.bounds
        has_room = len(world.workers) < bounds.workers
        for place, step in enumerate(self.steps):
            is_due = world.left[place] and world.tick >= step.earliest
            if is_due and has_room and all(world.left[one] < self.steps[one].times for one in step.after):
                for skew in bounds.skews:
                    yield from self._arrive(world, place, skew)
        if world.followups and has_room and world.record.has_work:
            for skew in bounds.skews:
                yield self._said("the follow-up", world, skew), partial(self._follow_up, world, skew)
        for worker in world.workers:
            yield from getattr(self, f"_{worker.at}")(world, worker)
            if world.deaths and worker.at in ("send", "settle"):
                yield f"{worker.name} dies", partial(self._die, world, worker)
        for flight in world.flights:
            if flight.kind == "late":
                yield "the late request reaches the API", partial(self._arrive_late, world, flight)
        for process in world.may_die:
            # Again, soon after it was restarted.
            if world.processes[process].is_up and world.tick - world.ghost.restarted[process] < bounds.cooldown:
                yield f"process {process} dies", partial(self._kill, world, process)
        if world.tick < bounds.last_tick:
            yield f"it is tick {world.tick + 1}", partial(self.pass_time, world)

    def _said(self, what: str, world: World, skew: int) -> str:
        clock = f", whose clock is {abs(skew)} {'ahead' if skew > 0 else 'behind'}" if skew else ""
        return f"{what} comes to worker {world.named + 1}{clock}"

    # -- beginnings and ends

    def _arrive(self, world: World, place: int, skew: int) -> Iterator[Move]:
        left = _with(world.left, place, world.left[place] - 1)
        worker = Worker(world.named + 1, "look", skew, place, f"event {place}.{left[place]}", is_written=False)
        arrived = world._replace(left=left, workers=(*world.workers, worker), named=world.named + 1)
        is_ours, _ = self._admit(world.record.copy(), worker, world.now(self.bounds, skew))
        said = self._said(self.steps[place].in_words(), world, skew)
        if is_ours:
            yield f"{said}, who loads the record", partial(self._load, arrived, worker)
        if not is_ours or not self.bounds.uses_hint:
            yield f"{said}, who only writes it down", partial(self._only_written, arrived, worker)

    def _follow_up(self, world: World, skew: int) -> World:
        worker = Worker(world.named + 1, "look", skew)
        followups = world.followups - 1
        world = world._replace(workers=(*world.workers, worker), named=world.named + 1, followups=followups)
        return self._load(world, worker)

    def _die(self, world: World, worker: Worker) -> World:
        return _put(world, worker, None)._replace(deaths=world.deaths - 1)

    def _leave(self, world: World, worker: Worker) -> World:
        record = world.record.copy()
        record.leave(worker.name)
        self.books.check_leaving(record, worker.name)
        return _put(self.books.written(world, record), worker, None)

    def _kill(self, world: World, process: int) -> World:
        dead = world.processes[process]._replace(is_up=False)
        may_die = world.may_die - {process}
        return world._replace(processes=_with(world.processes, process, dead), may_die=may_die)

    def pass_time(self, world: World) -> World:
        flights, done = [], []
        for one in world.flights:
            if one.kind == "at work":
                done.append(one.operation)
            elif world.tick + 1 - one.signed <= self.bounds.signature:
                flights.append(one)
        world = world._replace(tick=world.tick + 1, flights=tuple(flights))
        for operation in done:
            world = self.books.carry_out(world, operation)
        return world

    def _arrive_late(self, world: World, flight: Flight) -> World:
        flights = tuple(one for one in world.flights if one is not flight)
        return self.books.carry_out(world._replace(flights=flights), flight.operation)

    # -- a worker's steps

    def _only_written(self, world: World, worker: Worker) -> World:
        """There is nothing to serve, or another worker is at it."""
        record = world.record.copy()
        _, key = self._admit(record, worker, world.now(self.bounds, worker.skew))
        return _put(self._written(world, record, worker, key), worker, None)

    def _load(self, world: World, worker: Worker) -> World:
        """The worker loads the record, and goes on to look, unless its last look still shows the cluster."""
        now = world.now(self.bounds, worker.skew)
        record = world.record.copy()
        if not worker.is_written:
            is_ours, key = self._admit(record, worker, now)
            if not is_ours:
                return _put(self._written(world, record, worker, key), worker, None)
        elif not record.has_work:
            return self._leave(world, worker)
        services, with_status = self._to_see(record, worker, now)
        seen, moves = worker.seen, moves_of(record)
        is_same = seen is not None and moves == worker.moves and not is_old(seen, record.timing, now)
        if is_same and seen is not None and shows(seen, services, with_status=with_status):
            at = worker._replace(at="swap", version=world.version, loaded_at=now)
        elif not services:
            at = worker._replace(at="swap", version=world.version, loaded_at=now, seen=None, moves=moves)
        else:
            at = worker._replace(at="look", version=world.version, loaded_at=now, seen=None, moves=moves)
        return _put(world, worker, at)

    def _to_see(self, record: ClusterRecord, worker: Worker, now: float) -> tuple[set[str], bool]:
        policy = self.policy(worker.name, now, "")
        return services_to_see(record, policy), needs_status(record, policy)

    def _look(self, world: World, worker: Worker) -> Iterator[Move]:
        # Where no status is needed, none is asked for; to see more of it than that changes nothing here.
        seen = world.look(self.bounds, worker.skew)
        yield (
            f"{worker.name} looks at the cluster",
            lambda: _put(world, worker, worker._replace(at="swap", seen=seen)),
        )

    def _swap(self, world: World, worker: Worker) -> Iterator[Move]:
        yield f"{worker.name} decides and swaps", partial(self._decided, world, worker, is_lost=False)
        if world.lost_swaps and world.version == worker.version:
            what = f"{worker.name} decides and swaps, and the store's reply is lost"
            yield what, partial(self._decided, world, worker, is_lost=True)

    def _decided(self, world: World, worker: Worker, *, is_lost: bool) -> World:
        if world.version != worker.version:  # somebody was quicker: nothing was sent
            return self._load(world, worker)
        now = world.now(self.bounds, worker.skew)
        record, key = world.record.copy(), ""
        if not worker.is_written:
            _, key = self._admit(record, worker, worker.loaded_at)
        decision = decide(record, worker.seen, None, self.policy(worker.name, now, f"op-{world.named + 1}"))
        operation = decision.operation
        if operation is None:
            record.leave(worker.name)
            self.books.check_leaving(record, worker.name)
        else:
            if self.bounds.uses_hint:
                record.stay(worker.name, now + record.timing.lost)
            if worker.seen is not None and is_old(worker.seen, record.timing, now):  # held up since the look
                return self._load(world, worker._replace(seen=None))
            self.books.check_look(worker.seen, now)
        before = world
        if is_lost:
            world = world._replace(lost_swaps=world.lost_swaps - 1)
            if not self._is_swapped(record):
                world = self._written(world, record, worker, key)
                return self._load(world._replace(named=world.named + 1), worker._replace(is_written=True))
        world = self._written(world, record, worker, key)
        if operation is None:
            return _put(world, worker, None)
        sending = worker._replace(
            at="send", operation=operation.id, seen=None, moves=frozenset(), version=-1, is_written=True
        )
        return _put(world._replace(named=before.named + 1), worker, sending)

    def _is_swapped(self, record: ClusterRecord) -> bool:
        """Whether the ledger finds that a swap happened whose reply was lost."""
        return Ledger(LostReply()).swap(Loaded(record, 0), record)  # type: ignore[arg-type]

    def _send(self, world: World, worker: Worker) -> Iterator[Move]:
        bounds, operation = self.bounds, world.record.operations.get(worker.operation)
        now = world.now(bounds, worker.skew)
        if operation is None or now > operation.armed_at + world.record.timing.latest_send:
            late = worker._replace(at="settle", answer=State.NOT_SENT)
            yield f"{worker.name} is too late to send anything", lambda: _put(world, worker, late)
            return
        for kind in bounds.kinds:
            if kind != "ok" and (not world.faults or (kind == "rejected" and KEYS[0] not in operation.parts)):
                continue
            names = " and ".join(str(KEYS.index(key)) for key in operation.parts)
            what = f"{worker.name} sends {operation.op_type} of process {names}: {kind}"
            yield what, partial(self._sent, world, worker, operation, kind)

    def _sent(self, world: World, worker: Worker, operation: Operation, kind: Fault) -> World:
        self.books.check_sending(world)
        if kind != "ok":
            world = world._replace(faults=world.faults - 1)
        world = _put(world, worker, worker._replace(at="settle", answer=ANSWERS[kind]))
        if kind == "late" or (kind in ("ok", "done, answer lost") and self.bounds.is_slow):
            how = "late" if kind == "late" else "at work"
            return world._replace(flights=(*world.flights, Flight(how, operation, world.tick + worker.skew)))  # type: ignore[arg-type]
        return self.books.carry_out(world, operation) if kind in ("ok", "done, answer lost") else world

    def _settle(self, world: World, worker: Worker) -> Iterator[Move]:
        yield f"{worker.name} writes down that it is {worker.answer}", partial(self._settled, world, worker)

    def _settled(self, world: World, worker: Worker) -> World:
        assert worker.answer is not None
        record = world.record.copy()
        now = world.now(self.bounds, worker.skew)
        conclusion.settle(record, worker.operation, worker.name, worker.answer, now, code="Code", problem="it said so")
        self.books.check_settled(record, worker)
        world = self.books.written(world, record)
        if worker.laps:  # no time is left for another lap
            return self._leave(world, worker)
        return self._load(world, worker._replace(operation="", answer=None, laps=worker.laps + 1))

    # -- the record

    def policy(self, owner: str, now: float, operation: str) -> Policy:
        return Policy(self._cluster, self._safety, self._limits_of, now, owner, operation, clock_skew=0.0, keep=1e6)

    def _limits_of(self, intent: Intent) -> Limits:
        return self._limits[intent.is_command]

    def _admit(self, record: ClusterRecord, worker: Worker, now: float) -> tuple[bool, str]:
        """Write down what the worker was delivered: whether it is its to serve what is pending; the intent's key."""
        assert worker.step is not None
        step, before, key = self.steps[worker.step], record.copy(), ""
        if step.kind == "pause":
            record.pause = Pause("somebody", "work", OPEN_ENDED)
        elif step.kind == "resume":
            record.pause = None
        elif step.kind == "resolve":
            admission.withdraw(record, step.sender, None, now)
        else:
            key = admission.admit(record, self.stated(step, worker.event, now), now)[0].key
        before.began = record.began
        is_changed = record != before and step.kind not in ("pause", "resume")
        return is_changed and (not self.bounds.uses_hint or record.claim(worker.name, now)), key

    def stated(self, step: Step, event: str, now: float) -> Stated:
        is_command = step.kind == "command"
        return Stated(
            event,
            step.sender or event,
            "request" if is_command else f"{step.action} rule",
            ACTIONS[step.action],
            scope_of(step.processes),
            is_command,
            now,
            even_if_healthy=step.even_if_healthy,
            max_wait=self.bounds.max_wait * self.bounds.tick,
            is_named=bool(step.sender),
        )

    def _written(self, world: World, record: ClusterRecord, worker: Worker, key: str) -> World:
        """The world with a record that was swapped, by a worker that may have brought an event."""
        world = self.books.written(world, record)
        if worker.step is None or worker.is_written:
            return world
        return self.books.heard(world, self.steps[worker.step], key)


def _with(values: tuple, place: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:place], value, *values[place + 1 :])


def _put(world: World, worker: Worker, changed: Worker | None) -> World:
    """The world with a worker that took a step, or is gone."""
    workers = [one if one.number != worker.number else changed for one in world.workers]
    return world._replace(workers=tuple([one for one in workers if one is not None]))

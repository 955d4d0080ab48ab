"""Exploring a scenario: every order of steps within its bounds, or many orders at random."""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, replace

from handler.execute.decision import decide
from handler.ledger import conclusion
from handler.model.operation import State
from tests.engine.keys import Keys
from tests.engine.properties import Broken
from tests.engine.steps import Steps
from tests.engine.world import KEYS, RESTARTING, Bounds, Flight, Step, World, start

#: Decisions that a follow-up takes in one tick when all is calm.
LAPS = 4
#: The alarms about what waits for too long.
WAITED = ("intent.waits", "intent.expired")


@dataclass
class Explored:
    """What was explored: how many states and ends, and the story of a counterexample where there is one."""

    states: int = 0
    ends: int = 0
    story: tuple[str, ...] = ()
    #: Whether every order was tried.
    is_whole: bool = False

    def __str__(self) -> str:
        return "\n".join(f"{number:3} {line}" for number, line in enumerate(self.story, 1))


def explore(bounds: Bounds, steps: tuple[Step, ...], *, limit: int, at_random: int | None = None) -> Explored:
    """Explore at most ``limit`` states: the nearest first, or with the seed ``at_random`` in any order.

    The nearest first gives the shortest story; any order comes to ends sooner.
    """
    return _Explorer(bounds, steps, limit, at_random).run()


class _Explorer:
    def __init__(self, bounds: Bounds, steps: tuple[Step, ...], limit: int, seed: int | None) -> None:
        self._steps, self._limit, self._bounds = Steps(bounds, steps), limit, bounds
        self._random = random.Random(seed) if seed is not None else None  # noqa: S311 - an order, not a secret
        self._keys = Keys()
        self._first = start(bounds, steps)
        #: How each state was reached: the number of the state before it, and the step.
        self._parents: list[tuple[int, str]] = [(-1, "")]
        self._calmed: set[int] = set()
        self._found = Explored()

    def run(self) -> Explored:
        seen = {self._keys.of(self._first)}
        waiting = deque([(0, self._first)])
        while waiting and len(seen) < self._limit:
            number, world = waiting.pop() if self._random else waiting.popleft()
            if self._ends_badly(number, world):
                return self._done(seen)
            following = list(self._steps.following(world))
            if self._random:
                self._random.shuffle(following)
            for sentence, make in following:
                try:
                    made = make()
                except Broken as error:
                    self._tell(number, sentence, f"But {error}.")
                    return self._done(seen)
                key = self._keys.of(made)
                if key not in seen:
                    seen.add(key)
                    self._parents.append((number, sentence))
                    waiting.append((len(self._parents) - 1, made))
        self._found.is_whole = not waiting
        return self._done(seen)

    def _done(self, seen: set[int]) -> Explored:
        self._found.states = len(seen)
        return self._found

    def _ends_badly(self, number: int, world: World) -> bool:
        if world.workers or any(world.left):
            return False
        core = self._keys.of(world._replace(faults=0, deaths=0, followups=0, lost_swaps=0, may_die=frozenset()))
        if core in self._calmed:
            return False
        self._calmed.add(core)
        self._found.ends += 1
        try:
            calm(self._steps, self._bounds, world)
        except Broken as error:
            self._tell(number, "From here on all is calm, and the follow-up runs each tick.", f"But {error}.")
            return True
        return False

    def _tell(self, number: int, *last: str) -> None:
        lines = list(reversed(last))
        while number > 0:
            number, sentence = self._parents[number]
            lines.append(sentence[0].upper() + sentence[1:] + ".")
        self._found.story = tuple(reversed(lines))


def calm(steps: Steps, bounds: Bounds, world: World) -> None:
    """Let the follow-up run each tick while nothing goes wrong. Raises Broken where a property does not hold then."""
    world = world._replace(flights=tuple(one for one in world.flights if one.kind == "at work"))
    if world.record.pause is not None:
        world = _end_pause(steps, bounds, world)
    for _ in range(bounds.horizon):
        world = steps.pass_time(world)
        for _ in range(LAPS):
            world, is_over = _follow_up(steps, bounds, world)
            if is_over:
                break
        if not world.record.intents and not world.record.open_operations() and not world.flights:
            break
    steps.books.check_end(world)


def _end_pause(steps: Steps, bounds: Bounds, world: World) -> World:
    """Let a pause last, and end it while the cluster is at work. What it holds pages nobody."""
    alarms = {key for key, _ in world.ghost.alarms}
    for _ in range(bounds.max_wait + bounds.expiry + 2):
        world, _ = _follow_up(steps, bounds, steps.pass_time(world))
    record = world.record
    paged = [key for key, _ in world.ghost.alarms if key not in alarms and key.startswith(WAITED)]
    if any(KEYS[process] in key for key in paged for process in range(bounds.processes)):
        raise Broken(f"a person is told of what the pause holds: {paged}")
    if any(one.is_command and one.stage == "pending" for one in record.intents.values()):
        raise Broken("a command waits for longer than it may")
    record = record.copy()
    record.pause = None
    decide(
        record,
        replace(world.look(bounds), status=RESTARTING),
        None,
        steps.policy("follow-up", world.now(bounds), "op-0"),
    )
    return steps.books.written(world, record)._replace(ghost=world.ghost._replace(paused_at=None))


def _follow_up(steps: Steps, bounds: Bounds, world: World) -> tuple[World, bool]:
    """One lap of the follow-up, and whether it finds nothing more to do."""
    now, record = world.now(bounds), world.record.copy()
    policy = steps.policy("follow-up", now, f"op-{world.named + 1}")
    operation = decide(record, world.look(bounds), None, policy).operation
    world = steps.books.written(world, record)._replace(named=world.named + 1)
    if operation is None:
        return world, True
    steps.books.check_sending(world)
    is_refused = "rejected" in bounds.kinds and KEYS[0] in operation.parts
    if not is_refused and bounds.is_slow:
        world = world._replace(flights=(*world.flights, Flight("at work", operation, world.tick)))
    elif not is_refused:
        world = steps.books.carry_out(world, operation)
    record = world.record.copy()
    answer = State.REJECTED if is_refused else State.ACCEPTED
    conclusion.settle(record, operation.id, "follow-up", answer, now, code="Code", problem="it said so")
    return steps.books.written(world, record), False

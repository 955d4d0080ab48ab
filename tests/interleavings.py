"""Every order in which the steps of several workers can follow one another, tried.

A step is one call of the ledger or of the API: between two of them a worker touches nothing that others see, so an
order of steps is all that matters. The workers are real code in threads that wait before each step until they are told
to go on, or that they are dead. Orders that lead to the same state (what is stored, and what each worker has been told
so far) are followed once.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Protocol

#: Which worker goes on, and whether it lives to do so.
Choice = tuple[int, bool]


class Crashed(BaseException):
    """The process of this worker is gone."""


class Worker:
    """``work``, in a thread of its own; it is given the worker, whose steps it takes."""

    def __init__(self, name: str, work: Callable[[Worker], Any]) -> None:
        self.name = name
        #: What it was told, step by step: all that it can decide upon.
        self.told: list[str] = []
        self.is_over = self.is_dead = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._work = work
        self._may_go, self._has_stopped = threading.Lock(), threading.Lock()
        self._may_go.acquire()
        self._has_stopped.acquire()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Go to the first step, and wait there."""
        self._thread.start()
        self._has_stopped.acquire()

    def go(self, lives: bool = True) -> None:
        """Take the step that it waits before, and go to the next; or die before it. Raises RuntimeError where it has none any more."""
        if self.is_over:
            raise RuntimeError(f"{self.name} has ended: the same order of steps does not lead to the same place")
        self.is_dead = not lives
        self._may_go.release()
        self._has_stopped.acquire()

    def step(self, name: str, call: Callable[[], Any], told: Callable[[Any], object]) -> Any:
        """Called by the work: one step, when its turn has come; ``told`` is what matters of its result."""
        if threading.current_thread() is not self._thread:
            return call()  # what is done beside it is part of the step that waits for it
        if self.is_dead:
            raise Crashed
        self._has_stopped.release()
        self._may_go.acquire()
        if self.is_dead:
            raise Crashed
        try:
            result = call()
        except Exception as error:
            self.told.append(f"{name}: {error!r}")
            raise
        self.told.append(f"{name}: {told(result)!r}")
        return result

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except Crashed:
            pass
        except BaseException as error:
            self.error = error
        self.is_over = True
        self._has_stopped.release()


class Stepping:
    """A collaborator, each of whose calls is a step of the worker.

    ``steps``: what of each call's result the worker can decide upon. A call that is not among them does nothing that
    another worker could see.
    """

    def __init__(self, wrapped: Any, worker: Worker, steps: Mapping[str, Callable[[Any], object]]) -> None:
        self._wrapped = wrapped
        self._worker = worker
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._wrapped, name)
        if name not in self._steps:
            return method
        return lambda *args, **kwargs: self._worker.step(name, lambda: method(*args, **kwargs), self._steps[name])


class Scene(Protocol):
    """Workers, not yet started, and what they share."""

    workers: list[Worker]
    #: The workers that do the same: orders that differ only in which of them is which are one. Names are theirs,
    #: ``worker-0`` and so on.
    alike: tuple[int, ...]

    def stored(self) -> object:
        """All that is stored outside the workers; equal where it is the same."""

    def check(self) -> None:
        """What must hold after every step. Raises AssertionError."""

    def check_end(self) -> None:
        """What must hold when every worker is done or dead. Raises AssertionError."""


@dataclass
class Explored:
    """What was gone through."""

    states: int = 0
    ends: int = 0
    #: Those of the ends at which a worker had died.
    with_dead: int = 0


def explore(make: Callable[[], Scene], *, crashes: int = 0) -> Explored:
    """Every order of the workers' steps in the scene that ``make`` makes anew each time, with up to ``crashes`` of them dying.

    Raises what a check raises, with the order that led there.
    """
    explored = Explored()
    known: set[int] = set()
    waiting: list[tuple[Choice, ...]] = [()]
    while waiting:
        order = waiting.pop()
        scene = make()
        for worker in scene.workers:
            worker.start()
        try:
            for number, lives in order:
                scene.workers[number].go(lives)
            while True:
                scene.check()
                state = _state(scene)
                if state in known:
                    break
                known.add(state)
                choices = _choices(scene.workers, crashes)
                if not choices:
                    _end(scene, explored)
                    break
                waiting.extend((*order, choice) for choice in choices[1:])
                order = (*order, choices[0])
                scene.workers[choices[0][0]].go(choices[0][1])
        except AssertionError as error:
            steps = [f"{scene.workers[number].name} {'goes on' if lives else 'dies'}" for number, lives in order]
            raise AssertionError(f"{error}\nafter: {', '.join(steps)}") from error
        finally:
            _abandon(scene.workers)
    explored.states = len(known)
    return explored


def _choices(workers: Iterable[Worker], crashes: int) -> list[Choice]:
    workers = list(workers)
    alive = [number for number, worker in enumerate(workers) if not worker.is_over]
    may_die = sum(worker.is_dead for worker in workers) < crashes
    return [(number, True) for number in alive] + [(number, False) for number in alive if may_die]


def _state(scene: Scene) -> int:
    told = [repr((worker.is_over, worker.is_dead, worker.told)) for worker in scene.workers]
    stored = repr(scene.stored())
    seen = []
    for places in permutations(scene.alike):
        name = dict(zip(scene.alike, places, strict=True))

        def renamed(text: str, name: dict[int, int] = name) -> str:
            return re.sub(r"worker-(\d)", lambda found: f"worker-{name.get(int(found[1]), found[1])}", text)

        inverse = {new: old for old, new in name.items()}
        seen.append((*(renamed(told[inverse.get(number, number)]) for number in range(len(told))), renamed(stored)))
    return hash(min(seen))


def _end(scene: Scene, explored: Explored) -> None:
    for worker in scene.workers:
        if worker.error is not None:
            raise AssertionError(f"{worker.name} raised {worker.error!r}") from worker.error
    scene.check_end()
    explored.ends += 1
    explored.with_dead += any(worker.is_dead for worker in scene.workers)


def _abandon(workers: Iterable[Worker]) -> None:
    """Let the threads end, without any further step."""
    for worker in workers:
        while not worker.is_over:
            worker.go(lives=False)

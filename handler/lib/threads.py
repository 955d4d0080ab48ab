"""Threads that wait for the next piece of work.

Starting a thread costs more than most of what is done in one here, so one that is done is kept. One that hangs is left
behind until it comes back by itself; there are never more than were once needed at the same time.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

#: Threads for one payload. Clusters are independent, and a call mostly waits.
SIDE_BY_SIDE = 32

_idle: list[_Member] = []
# Threads do not cross a fork.
os.register_at_fork(after_in_child=_idle.clear)


class _Member(threading.Thread):
    def __init__(self) -> None:
        super().__init__(name="steward", daemon=True)
        self._given = threading.Lock()
        self._given.acquire()
        self._job: tuple[Callable[[], None], threading.Lock] | None = None
        self.start()

    def give(self, job: Callable[[], None], done: threading.Lock) -> None:
        self._job = job, done
        self._given.release()

    def run(self) -> None:
        while self._given.acquire() and self._job is not None:
            (job, done), self._job = self._job, None
            job()
            del job  # it may hold a payload
            _idle.append(self)
            done.release()


def begin(job: Callable[[], None]) -> threading.Lock:
    """Begin ``job``, which raises nothing, in another thread: the lock that is free once it has ended.

    Raises RuntimeError where the machine gives no more threads.
    """
    done = threading.Lock()
    done.acquire()
    try:
        member = _idle.pop()
    except IndexError:
        member = _Member()
    member.give(job, done)
    return done


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """``work`` on every item at once, at most SIDE_BY_SIDE; the results in the items' order. The first exception is raised.

    They are begun in their order. Here the last of the first SIDE_BY_SIDE is worked on, and others only where there are
    more than threads: what this thread does with a few is always the same.
    """
    if len(items) <= 1:
        return [work(item) for item in items]
    results: list[R | None] = [None] * len(items)
    errors: list[BaseException | None] = [None] * len(items)
    here = min(SIDE_BY_SIDE, len(items)) - 1
    places = iter([*range(here), *range(here + 1, len(items))])

    def one(place: int) -> None:
        try:
            results[place] = work(items[place])
        except BaseException as error:
            errors[place] = error

    def some() -> None:
        for place in places:  # taking one is one step, whoever takes it
            one(place)

    others: list[threading.Lock] = []
    with suppress(RuntimeError):  # fewer threads take longer
        while len(others) < here:
            others.append(begin(some))
    one(here)
    if len(others) < len(items) - 1:
        some()
    for done in others:
        done.acquire()
    for error in errors:
        if error is not None:
            raise error
    return cast("list[R]", results)

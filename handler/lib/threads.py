"""Worker threads: one for each piece of work.

A thread that hangs is left behind, and ends by itself.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

#: Threads for one payload. Clusters are independent, and a call mostly waits.
SIDE_BY_SIDE = 32


def begin(job: Callable[[], None]) -> threading.Lock:
    """Begin ``job`` in a thread of its own; returns a lock that is free once it has ended.

    The job must raise nothing.

    Raises RuntimeError where the machine gives no more threads.
    """
    done = threading.Lock()
    done.acquire()

    def work() -> None:
        job()
        done.release()

    threading.Thread(target=work, name="steward", daemon=True).start()
    return done


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Call ``work`` on all items in parallel; returns the results in the items' order.

    At most SIDE_BY_SIDE run at once. The first exception is raised.

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

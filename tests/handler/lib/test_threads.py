"""Worker threads: work goes on at once, and its results are in order."""

from __future__ import annotations

import multiprocessing
import threading

import pytest
from pytest_mock import MockerFixture

from handler.lib.threads import SIDE_BY_SIDE, begin, side_by_side


@pytest.mark.parametrize("count", [0, 1, 2, 7, 3 * SIDE_BY_SIDE])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    """However many there are, and more than there are threads."""
    assert side_by_side(lambda item: item * item, range(count)) == [item * item for item in range(count)]


def test_items_are_worked_on_at_the_same_time() -> None:
    """Each waits for all the others, and this thread is one of the workers."""
    meeting = threading.Barrier(SIDE_BY_SIDE, timeout=10)
    threads = side_by_side(lambda _: (meeting.wait(), threading.current_thread())[1], range(SIDE_BY_SIDE))
    assert len(set(threads)) == SIDE_BY_SIDE
    assert threading.current_thread() in threads


@pytest.mark.parametrize("count", [2, SIDE_BY_SIDE])
def test_this_thread_works_on_the_last_item_alone(count: int) -> None:
    """Whichever thread is faster: an exploration of orders relies on what a thread does being the same each time."""
    for _ in range(20):
        threads = side_by_side(lambda _: threading.current_thread(), range(count))
        assert [place for place, thread in enumerate(threads) if thread is threading.current_thread()] == [count - 1]


def test_a_failure_is_raised_once_all_have_ended() -> None:
    """The first in the items' order; the others are done all the same."""
    done: list[int] = []

    def work(item: int) -> None:
        if item in (2, 5):
            raise ValueError(str(item))
        done.append(item)

    with pytest.raises(ValueError, match="2"):
        side_by_side(work, range(8))
    assert sorted(done) == [0, 1, 3, 4, 6, 7]


def test_a_thread_that_hangs_is_left_behind() -> None:
    """Whoever waits for a thread that hangs holds up nobody else."""
    used: list[threading.Thread] = []
    end = threading.Event()

    def hang() -> None:
        used.append(threading.current_thread())
        end.wait(10)

    hangs = begin(hang)
    begin(lambda: used.append(threading.current_thread())).acquire()
    assert used[-1] is not used[-2]
    assert not hangs.acquire(timeout=0)
    end.set()
    assert hangs.acquire(timeout=10)


def test_without_another_thread_this_one_does_it_all(mocker: MockerFixture) -> None:
    """The machine may give no more of them: what began goes on, and nobody is told that it failed."""
    starts = iter([threading.Thread.start])

    def start(thread: threading.Thread) -> None:
        allowed = next(starts, None)
        if allowed is None:
            raise RuntimeError("can't start new thread")
        allowed(thread)

    mocker.patch.object(threading.Thread, "start", start)
    assert side_by_side(lambda item: -item, range(5)) == [0, -1, -2, -3, -4]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_begins_its_own_threads() -> None:
    """It has none of its parent's."""
    begin(lambda: None).acquire()
    child = multiprocessing.get_context("fork").Process(target=side_by_side, args=(str, range(3)))
    child.start()
    child.join(10)
    assert child.exitcode == 0

"""The clocks of the fake cloud."""

from __future__ import annotations

import threading
import time

import pytest

import handler.lib.clock
import harness.clock
from harness.clock import START, SystemClock, VirtualClock


def test_a_virtual_clock_moves_only_when_it_is_moved() -> None:
    """It stands still until somebody sleeps on it."""
    clock = VirtualClock(100.0)
    assert (clock.now(), clock.now(), clock.monotonic()) == (100.0, 100.0, 0.0)
    clock.sleep(2.5)
    clock.sleep(-1)
    assert (clock.now(), clock.monotonic()) == (102.5, 2.5)


@pytest.mark.parametrize("seconds", [-0.1, float("nan")])
def test_a_virtual_clock_never_goes_back(seconds: float) -> None:
    """Moving it back, or by no number, is refused."""
    with pytest.raises(ValueError, match="forward only"):
        VirtualClock().advance(seconds)


def test_a_leap_shows_in_the_time_of_day_only() -> None:
    """What is measured with the monotonic clock does not notice that the time of day was set."""
    clock = VirtualClock(100.0)
    clock.leap(-30)
    assert (clock.now(), clock.monotonic()) == (70.0, 0.0)


def test_threads_share_a_virtual_clock() -> None:
    """The sleep of each thread counts."""
    clock = VirtualClock()

    def sleep_often() -> None:
        for _ in range(500):
            clock.sleep(1)

    threads = [threading.Thread(target=sleep_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now() == START + 2000


def test_the_system_clock_is_the_machines() -> None:
    """It shows the time of day, and a sleep takes its time."""
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 1
    began = clock.monotonic()
    clock.sleep(0.01)
    clock.sleep(-1)
    assert 0.01 <= clock.monotonic() - began < 1


def test_the_clocks_serve_the_function_too() -> None:
    """Both packages have a protocol of their own, and the harness's clocks satisfy either."""
    ours: list[handler.lib.clock.Clock] = [SystemClock(), VirtualClock()]
    theirs: list[harness.clock.Clock] = [handler.lib.clock.SystemClock(), *ours]
    assert all(clock.now() > 0 for clock in theirs)

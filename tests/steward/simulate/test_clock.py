"""The simulated clock: waiting takes no time, and the time never goes back."""

from __future__ import annotations

import time

from steward.simulate.clock import SimulatedClock


def test_waiting_moves_both_times_on_at_once() -> None:
    """The clock shows that an hour has passed, and the wait takes no time."""
    clock, began = SimulatedClock(), time.monotonic()
    now, monotonic = clock.now(), clock.monotonic()
    clock.sleep(3600)
    clock.sleep(-5)
    assert clock.now() == now + 3600
    assert clock.monotonic() == monotonic + 3600
    assert time.monotonic() - began < 10


def test_it_starts_where_an_earlier_one_ended() -> None:
    """And at the machine's time where that is later."""
    now = time.time()
    assert SimulatedClock(not_before=now + 500).now() >= now + 500
    assert SimulatedClock(not_before=now - 500).now() < now + 100

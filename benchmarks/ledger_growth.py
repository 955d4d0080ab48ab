"""How the stores bear a long history: reading it, and forgetting it while others write.

``python -m benchmarks.ledger_growth [LINES]``; a million lines in SQLite take half a minute to write. Redis keeps no
more than its bound. Readings are medians of eleven, after a first one.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handler.ledger.redis_store import MAX_LINES
from handler.ledger.store import Line, Store, open_store
from steward.simulate.redis_server import MISSING, RedisServer

#: Seconds between two lines, so that a million are some months.
APART = 10.0


def line(number: int) -> Line:
    """A line of the usual length, of one of 100 clusters; each event has three."""
    text = json.dumps({"event": "steward.outcome", "outcome": "done", "reason": "x" * 200, "number": number})
    return Line(number * APART, f"emr-{number % 100:08d}", f"event-{number // 3}", text)


def milliseconds(call: Callable[[], Any]) -> float:
    """The time that one call takes."""
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000


def report(what: str, figure: float, unit: str = "ms") -> None:
    """One row of the table."""
    sys.stdout.write(f"  {what:28}{figure:10,.1f} {unit}\n")


def measure(store: Store, count: int) -> None:
    """Write ``count`` lines, read them in every way, and forget a half of them while another thread writes."""

    def write_all() -> None:
        for start in range(0, count, 1000):
            store.append([line(start + number) for number in range(1000)])

    report("append 1,000 lines", milliseconds(write_all) * 1000 / count)
    some = line(count // 2)
    ways: dict[str, dict[str, Any]] = {
        "newest 1,000": {},
        "1,000 of a cluster": {"cluster": some.cluster},
        "of an event": {"id": some.id},
        "of an event, in a cluster": {"id": some.id, "cluster": some.cluster},
        "500, since a time": {"since": (count - 500) * APART},
        "of nobody": {"id": "nobody"},
    }
    for name, conditions in ways.items():
        times = [milliseconds(lambda given=conditions: store.lines(**given)) for _ in range(12)]  # type: ignore[misc]
        report(name, statistics.median(times[1:]))
    waits: list[float] = []
    ended = threading.Event()

    def write() -> None:
        while not ended.wait(0.001):
            waits.append(milliseconds(lambda: store.append([line(count)])))

    thread = threading.Thread(target=write)
    thread.start()
    calls: list[tuple[float, int]] = []
    while sum(forgotten for _, forgotten in calls) < count // 2:
        began = time.perf_counter()
        forgotten = store.forget(count // 2 * APART)
        calls.append((time.perf_counter() - began, forgotten))
    ended.set()
    thread.join()
    report("slowest call of forget()", max(took for took, _ in calls) * 1000)
    report("lines in a call of forget()", max(forgotten for _, forgotten in calls), "")
    report("slowest write meanwhile", max(waits))


def main() -> None:
    """Both stores; Redis where it is installed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "ledger.db")
        sys.stdout.write(f"SQLite, {count:,} lines\n")
        store = open_store(f"sqlite:///{path}")
        measure(store, count)
        store.close()
        report("the file after that", path.stat().st_size / 1e6, "MB")
        if not MISSING:
            server = RedisServer(Path(folder))
            server.start()
            kept = min(count, MAX_LINES)
            sys.stdout.write(f"Redis, {kept:,} lines\n")
            try:
                measure(open_store(server.url()), kept)
            finally:
                server.kill()


if __name__ == "__main__":
    main()

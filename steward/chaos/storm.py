"""A storm of deliveries about few dead processes, and a check of what was done.

``python -m steward.chaos.storm`` starts a fake cloud and worker processes (``processes.py``). Every dead process is
reported many times, by several senders and under several ids. Deliveries are at-least-once: what a killed worker had
not finished is delivered again. At the end the follow-up runs until nothing is pending, each alert is delivered once
more, and the ledger is compared with what the cloud really carried out. The exit code is 0 if every promise held, 1 otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import Any, Final

from handler.errors import LedgerUnavailable
from handler.ledger.ledger import open_ledger
from handler.model.operation import State
from handler.model.outcome import OPEN_OUTCOMES
from handler.receive.payload import read
from handler.report.history import OperationRow, Past, past_of
from steward.chaos.processes import LeapingClock, Plan, Result, Worker, start_cloud, start_worker
from steward.chaos.workload import alertmanager, dead_processes, deliveries
from steward.simulate.platform import RETRIES, timer_event

WORKERS: Final = 8
#: Deliveries that a worker is given at a time.
BATCH: Final = 16
#: Seconds between two lines of progress.
PROGRESS_SECONDS: Final = 2


@dataclass
class Storm:
    """One run of the deliveries. ``broken`` collects the promises that did not hold."""

    plan: Plan
    events: list[Any]
    #: Seconds between two kills of a worker; 0 for none.
    kill_every: float
    write: Callable[[str], Any]
    served: int = 0
    retried: int = 0
    killed: int = 0
    broken: list[str] = field(default_factory=list)
    #: By event id: how often its outcome was logged, and how often a worker was killed before it had reported it.
    outcomes: Counter[str] = field(default_factory=Counter)
    cut_short: Counter[str] = field(default_factory=Counter)
    #: By event id: the outcomes that were logged.
    told: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ids = [read(event)[0].id for event in self.events]

    def deliver_all(self) -> float:
        """Deliver everything, and retry what was not served.

        Returns the seconds that it took from when all workers were up.
        """
        waiting = list(range(len(self.events)))
        workers = [start_worker(self.plan, self.events) for _ in range(WORKERS)]
        for worker in workers:
            worker.is_up = worker.pipe.recv() is None
        began = time.monotonic()
        kill_at = began + self.kill_every if self.kill_every else float("inf")
        reported_at = began
        tries: Counter[int] = Counter()
        while waiting or any(worker.in_flight for worker in workers):
            for worker in workers:
                if worker.is_up and not worker.in_flight and waiting:
                    batch, waiting = waiting[:BATCH], waiting[BATCH:]
                    worker.in_flight = set(batch)
                    worker.pipe.send(batch)
            ready = wait([worker.pipe for worker in workers], timeout=0.05)
            for worker in workers:
                if worker.pipe in ready:
                    waiting.extend(self._collect(worker, tries))
            if time.monotonic() >= kill_at:
                place = next((place for place, worker in enumerate(workers) if worker.in_flight), None)
                if place is not None:
                    workers.append(self._replace(workers.pop(place), waiting))
                    kill_at = time.monotonic() + self.kill_every
            if time.monotonic() - reported_at > PROGRESS_SECONDS:
                reported_at = time.monotonic()
                self.write(f"  {self.served} served, {len(waiting)} waiting, {self.killed} workers killed")
        taken = time.monotonic() - began
        for worker in workers:
            worker.pipe.send(None)
            worker.process.join()
        return taken

    def _collect(self, worker: Worker, tries: Counter[int]) -> list[int]:
        """Take in a worker's results. Returns the deliveries that are to be tried again."""
        again = []
        while worker.pipe.poll():
            result: Result | None = worker.pipe.recv()
            if result is None:
                worker.is_up = True
                continue
            number, served, outcomes = result
            worker.in_flight.discard(number)
            self.outcomes.update(event for event, _ in outcomes)
            for event, status in outcomes:
                self.told.setdefault(event, set()).add(status)
            if [event for event, _ in outcomes] != [self._ids[number]]:
                self.broken.append(f"delivery {number} of {self._ids[number]} has these outcomes, not one: {outcomes}")
            if isinstance(served, str):
                self.broken.append(f"delivery {number} raised {served}")
            elif served:
                self.served += 1
            elif tries[number] < RETRIES:
                tries[number] += 1
                self.retried += 1
                again.append(number)
        return again

    def _replace(self, worker: Worker, waiting: list[int]) -> Worker:
        """Kill a worker with kill -9, whatever it is doing, and start another.

        Its unreported deliveries wait again, since nobody learnt that they were served.
        """
        process_id = worker.process.pid
        if process_id is None:
            return worker
        os.kill(process_id, signal.SIGKILL)
        worker.process.join()
        with contextlib.suppress(EOFError, OSError):
            waiting.extend(self._collect(worker, Counter()))
        waiting.extend(sorted(worker.in_flight))
        self.cut_short.update(self._ids[number] for number in worker.in_flight)
        self.killed += 1
        return start_worker(self.plan, self.events)

    def settle(self) -> Past:
        """Run the follow-up until nothing is open, and deliver each alert once more.

        Returns what the ledger knows.
        """
        clock = LeapingClock(self.plan.began)
        function = self.plan.function(clock)
        ledger, context = function.ledger, {"time_limit_in_ms": 600_000, "request_id": "storm-follow-up"}
        for _ in range(100):
            function.handle(timer_event("follow-up", "steward:follow-up", clock.now()), context)
            records = [ledger.load(name).record for name in ledger.clusters_with_work()]
            left = [one for record in records for one in record.intents.values() if one.stage != "proving"]
            if not left and not any(record.open_operations() or record.outbox for record in records):
                break
            clock.sleep(30.0)
        self.broken += [f"{one.key} is still {one.stage}, held by {one.held_by or 'nothing'}" for one in left]
        self.check_settled(past_of(ledger, limit=1_000_000))
        for name, ip in dead_processes(self.plan.dead):
            with contextlib.suppress(LedgerUnavailable):
                function.handle(alertmanager(name, ip, self.plan.began), context)
        return past_of(ledger, limit=1_000_000)

    def check_settled(self, past: Past) -> None:
        """Each event that was told that it is open has learnt later what became of it."""
        for event, statuses in self.told.items():
            if statuses <= OPEN_OUTCOMES and event not in past.settled:
                self.broken.append(f"{event} was told {', '.join(sorted(statuses))}, and never what became of it")

    def check(self, past: Past, carried_out: Counter[str], requests: dict[str, set[str]]) -> None:
        """Compare the ledger with the cloud, and add each broken promise to ``broken``.

        ``carried_out`` counts the restarts of each process. ``requests`` has the processes of each request that the
        cloud carried out, by RequestId.
        """
        dead = {f"{name}/{ip}" for name, ip in dead_processes(self.plan.dead)}
        for process, times in carried_out.items():
            if times > 1:
                self.broken.append(f"{process} was restarted {times} times")
        recorded = {name for one in past.operations for name in _processes(one)}
        for process in sorted(set(carried_out) - recorded):
            self.broken.append(f"{process} was restarted, and the ledger has no operation on it")
        for one in past.operations:
            names = _processes(one)
            if one.state in (State.ACCEPTED, State.VERIFIED) and not names <= set(carried_out):
                self.broken.append(f"{one.id} is {one.state}, and was not carried out")
            is_taken = one.state in (State.ACCEPTED, State.VERIFIED) and one.request_id
            if is_taken and requests.get(one.request_id) != names:
                self.broken.append(f"{one.id} is {one.state}, and its RequestId is not that of its request")
        written = Counter(record.event for record in past.records)
        if past.unreadable:
            self.broken.append(f"{past.unreadable} lines of the ledger cannot be read")
        for event, times in self.outcomes.items():
            # What comes again a moment later is not kept once more. Each alert is delivered once more at the end, and a
            # killed worker may have kept what it did not report, or not have come to keeping it.
            if not (not self.cut_short[event]) <= written[event] <= times + self.cut_short[event] + 1:
                self.broken.append(f"{event}: {times} outcomes were logged, and {written[event]} are in the ledger")
        lost = dead - recorded - set(carried_out)
        if lost and self.plan.is_armed:
            self.broken.append(f"{len(lost)} processes were not restarted, and have no operation: {sorted(lost)[:3]}")


def _processes(operation: OperationRow) -> set[str]:
    """The cluster and address of each process of an operation: its targets, of which these clusters have two at most."""
    return {f"{operation.cluster}/{name.rpartition('/')[2]}" for name in operation.targets.split(", ")}


@contextlib.contextmanager
def _ledger_of(kind: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="steward-storm-") as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/ledger.db"
            return
        if "://" in kind:
            yield kind
            return
        from pathlib import Path

        from steward.simulate.redis_server import MISSING, RedisServer

        if MISSING:
            sys.exit(f"storm: {MISSING}")
        server = RedisServer(Path(folder))
        server.start()
        try:
            yield server.url()
        finally:
            server.kill()


def run(
    kind: str,
    *,
    dead: int,
    count: int,
    faults: float,
    kill_every: float,
    is_armed: bool = True,
    write: Callable[[str], Any] = lambda text: None,
) -> dict[str, Any]:
    """Run one storm, and return its figures.

    ``broken`` in them has the promises that did not hold. ``faults`` is their number a second; ``kill_every`` is in seconds.
    """
    began = time.time()
    processes = dead_processes(dead)
    with _ledger_of(kind) as url:
        cloud, pipe = start_cloud(dead, began, faults)
        try:
            plan = Plan(url, pipe.recv(), dead, began, is_armed)
            events = deliveries(processes, count, began)
            open_ledger(url).check()
            storm = Storm(plan, events, kill_every, write)
            taken = storm.deliver_all()
            pipe.send("no more faults")
            met = pipe.recv()
            write(f"  {count} deliveries in {taken:.1f} s; following up")
            past = storm.settle()
            pipe.send("end")
            carried_out, requests, looks = pipe.recv()
            storm.check(past, carried_out, requests)
        finally:
            cloud.kill()
            cloud.join()
    return {
        "ledger": kind.partition(":")[0],
        "deliveries": count,
        "dead processes": len(processes),
        "workers": WORKERS,
        "killed": storm.killed,
        "faults": met,
        "restarted": len(carried_out),
        "max requests a process": max(carried_out.values(), default=0),
        "looks a process": round(looks / len(processes), 1),
        "states": dict(Counter(one.state for one in past.operations)),
        "deliveries a second": round(count / taken),
        "broken": storm.broken,
    }


def _write_line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exit with 0 if every promise held, and with 1 otherwise."""
    parser = argparse.ArgumentParser(prog="storm", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--ledger", action="append", help="sqlite, redis (a server of its own), or a URL; default: both"
    )
    parser.add_argument("--processes", type=int, default=500, metavar="N", help="processes that are dead")
    parser.add_argument("--deliveries", type=int, default=10_000, metavar="N", help="events that report them")
    parser.add_argument("--faults", type=float, default=20.0, metavar="N", help="faults a second (0: none)")
    parser.add_argument("--kills", type=float, default=0.5, metavar="S", help="seconds between kill -9 (0: none)")
    parser.add_argument("--without-arm", action="store_true", help="the negative control: must find broken promises")
    parser.add_argument("--json", action="store_true", help="one JSON object a storm")
    chosen = parser.parse_args(arguments)
    is_bad = False
    for kind in chosen.ledger or ["sqlite", "redis"]:
        if not chosen.json:
            _write_line(f"storm on {kind}: {chosen.deliveries} deliveries about {chosen.processes} dead processes")
        figures = run(
            kind,
            dead=chosen.processes,
            count=chosen.deliveries,
            faults=chosen.faults,
            kill_every=chosen.kills,
            is_armed=not chosen.without_arm,
            write=(lambda text: None) if chosen.json else _write_line,
        )
        is_bad |= bool(figures["broken"])
        if chosen.json:
            _write_line(json.dumps(figures))
            continue
        broken = figures.pop("broken")
        for name, value in figures.items():
            sys.stdout.write(f"  {name:<24}{value}\n")
        for promise in broken[:10]:
            sys.stdout.write(f"  BROKEN: {promise}\n")
        sys.stdout.write(f"  {'every promise held' if not broken else f'{len(broken)} promises broken'}\n")
    sys.exit(is_bad)


if __name__ == "__main__":
    main()

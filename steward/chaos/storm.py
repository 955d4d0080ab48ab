"""A storm: many deliveries of few needs to many workers, with faults and SIGKILL.

``python -m steward.chaos.storm`` starts a fake cloud and worker processes, each a whole function with the real SDK over
sockets, on one ledger. Every need (a dead process) is reported many times, by several senders and under several ids.
Deliveries are at-least-once: what a killed worker had in its hands is delivered again. At the end the follow-up runs,
everything is delivered once more, and the ledger is held against what the cloud really carried out. Exit code 0 where
every promise held, 1 otherwise.
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
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Final, cast

from handler.app import RetryLater
from handler.ledger.protocol import open_ledger
from handler.model.operation import State
from handler.receive.payload import read
from steward.chaos.processes import WORKERS, LeapingClock, Plan, Said, run_cloud, work
from steward.chaos.workload import alertmanager, clusters, deliveries
from steward.simulate.forkserver import PROCESSES
from steward.simulate.platform import timer_event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess


#: Deliveries that a worker is handed at a time.
HAND: Final = 16


@dataclass
class Worker:
    """One worker process, and what it has in its hands."""

    process: ForkServerProcess
    pipe: Connection
    holds: set[int] = field(default_factory=set)
    #: It says so when it is ready for its first event.
    is_up: bool = False


@dataclass
class Storm:
    """One run; ``broken`` collects the promises that did not hold."""

    plan: Plan
    events: list[Any]
    kills: float
    say: Any
    served: int = 0
    again: int = 0
    killed: int = 0
    broken: list[str] = field(default_factory=list)
    #: By event id: how often its outcome was said, and how often a worker was killed with it in its hands.
    outcomes: Counter[str] = field(default_factory=Counter)
    cut_short: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._ids = [read(event)[0].id for event in self.events]

    def blow(self) -> float:
        """Deliver everything, and repeat what was not served: the seconds that it took."""
        waiting = list(range(len(self.events)))
        workers = [self._started() for _ in range(WORKERS)]
        for worker in workers:
            worker.is_up = worker.pipe.recv() is None
        began = time.monotonic()
        kill_at = began + self.kills if self.kills else float("inf")
        told = began
        tries: Counter[int] = Counter()
        while waiting or any(worker.holds for worker in workers):
            for worker in workers:
                if worker.is_up and not worker.holds and waiting:
                    hand, waiting = waiting[:HAND], waiting[HAND:]
                    worker.holds = set(hand)
                    worker.pipe.send(hand)
            ready = wait([worker.pipe for worker in workers], timeout=0.05)
            for worker in workers:
                if worker.pipe in ready:
                    waiting.extend(self._heard(worker, tries))
            if time.monotonic() >= kill_at:
                place = next((place for place, worker in enumerate(workers) if worker.holds), None)
                if place is not None:
                    workers.append(self._killed(workers.pop(place), waiting))
                    kill_at = time.monotonic() + self.kills
            if time.monotonic() - told > 2:
                told = time.monotonic()
                self.say(f"  {self.served} served, {len(waiting)} waiting, {self.killed} workers killed")
        taken = time.monotonic() - began
        for worker in workers:
            worker.pipe.send(None)
            worker.process.join()
        return taken

    def _heard(self, worker: Worker, tries: Counter[int]) -> list[int]:
        """What a worker has to say; the deliveries that are to be tried again."""
        again = []
        while worker.pipe.poll():
            said = worker.pipe.recv()
            if said is None:
                worker.is_up = True
                continue
            number, fate, told = cast("Said", said)
            worker.holds.discard(number)
            self.outcomes.update(told)
            if told != [self._ids[number]]:
                self.broken.append(f"delivery {number} of {self._ids[number]} has these outcomes, not one: {told}")
            if isinstance(fate, str):
                self.broken.append(f"delivery {number} raised {fate}")
            elif fate:
                self.served += 1
            elif tries[number] < 2:  # the platform tries twice more
                tries[number] += 1
                self.again += 1
                again.append(number)
        return again

    def _started(self) -> Worker:
        ours, theirs = PROCESSES.Pipe()
        process = PROCESSES.Process(target=work, args=(self.plan, theirs, self.events), daemon=True)
        process.start()
        theirs.close()
        return Worker(process, ours)

    def _killed(self, worker: Worker, waiting: list[int]) -> Worker:
        """Kill a worker at any moment; what it held is delivered again: a new worker."""
        process_id = worker.process.pid
        if process_id is None:
            return worker
        os.kill(process_id, signal.SIGKILL)
        worker.process.join()
        with contextlib.suppress(EOFError, OSError):
            waiting.extend(self._heard(worker, Counter()))
        waiting.extend(sorted(worker.holds))
        self.cut_short.update(self._ids[number] for number in worker.holds)
        self.killed += 1
        return self._started()

    def settle(self) -> list[Any]:
        """Run the follow-up until nothing is open, and deliver each need again: all operations."""
        clock = LeapingClock(self.plan.began)
        function = self.plan.function(clock)
        context = {"time_limit_in_ms": 600_000, "request_id": "storm-follow-up"}
        for _ in range(100):
            function.handle(timer_event("follow-up", "steward:follow-up", clock.now()), context)
            if not function.ledger.open_operations():
                break
            clock.sleep(30.0)
        for name, addresses in clusters(self.plan.needs).items():
            for ip in addresses:
                with contextlib.suppress(RetryLater):
                    function.handle(alertmanager(name, ip, self.plan.began), context)
        return list(function.ledger.operations(limit=1_000_000))

    def check(self, operations: list[Any], carried_out: Counter[str], requests: dict[str, set[str]]) -> None:
        """Compare the ledger with the cloud.

        ``requests``: the processes of each request that the cloud performed, by RequestId.
        """
        needs = {f"{name}/{ip}" for name, addresses in clusters(self.plan.needs).items() for ip in addresses}
        for need, times in carried_out.items():
            if times > 1:
                self.broken.append(f"{need} was restarted {times} times")
        in_sight = {f"{one.cluster}/{key.rpartition('/')[2]}" for one in operations for key in one.before}
        for need in sorted(set(carried_out) - in_sight):
            self.broken.append(f"{need} was restarted, and the ledger knows nothing of it")
        for one in operations:
            names = {f"{one.cluster}/{key.rpartition('/')[2]}" for key in one.before}
            if one.state in (State.ACCEPTED, State.VERIFIED) and not names <= set(carried_out):
                self.broken.append(f"{one.id} is {one.state}, and was not carried out")
            is_taken = one.state in (State.ACCEPTED, State.VERIFIED) and one.request_id
            if is_taken and requests.get(one.request_id) != names:
                self.broken.append(f"{one.id} is {one.state}, and its RequestId is not that of its request")
        written = Counter(record.event for record in open_ledger(self.plan.ledger).records(limit=1_000_000))
        for event, times in self.outcomes.items():
            # Each need is delivered once more at the end; and what a killed worker had written down, it could not say.
            if not times <= written[event] <= times + self.cut_short[event] + 1:
                self.broken.append(f"{event}: {times} outcomes were said, {written[event]} are written down")
        lost = needs - in_sight - set(carried_out)
        if lost and self.plan.is_armed:
            self.broken.append(f"{len(lost)} needs were neither served nor have an operation: {sorted(lost)[:3]}")


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
    needs: int,
    count: int,
    errors: float,
    kills: float,
    is_armed: bool = True,
    say: Any = lambda text: None,
) -> dict[str, Any]:
    """One storm: its figures, and under ``broken`` the promises that did not hold."""
    began = time.time()
    pairs = [(name, ip) for name, addresses in clusters(needs).items() for ip in addresses][:needs]
    with _ledger_of(kind) as url:
        pipe, theirs = PROCESSES.Pipe()
        cloud = PROCESSES.Process(target=run_cloud, args=(needs, began, errors, theirs), daemon=True)
        cloud.start()
        try:
            plan = Plan(url, pipe.recv(), needs, began, is_armed)
            events = deliveries(pairs, count, began)
            open_ledger(url).check()
            storm = Storm(plan, events, kills, say)
            taken = storm.blow()
            pipe.send("calm")
            met = pipe.recv()
            say(f"  {count} deliveries in {taken:.1f} s; following up")
            operations = storm.settle()
            pipe.send("end")
            carried_out, requests = pipe.recv()
            storm.check(operations, carried_out, requests)
        finally:
            cloud.kill()
            cloud.join()
    return {
        "ledger": kind.partition(":")[0],
        "deliveries": count,
        "needs": len(pairs),
        "workers": WORKERS,
        "killed": storm.killed,
        "faults": met,
        "restarted": len(carried_out),
        "most requests a need": max(carried_out.values(), default=0),
        "states": dict(Counter(one.state.value for one in operations)),
        "deliveries a second": round(count / taken),
        "broken": storm.broken,
    }


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(prog="storm", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--ledger", action="append", help="sqlite, redis (a server of its own), or a URL; default: both"
    )
    parser.add_argument("--needs", type=int, default=500)
    parser.add_argument("--deliveries", type=int, default=10_000)
    parser.add_argument("--faults", type=float, default=20.0, metavar="N", help="faults a second (0: none)")
    parser.add_argument("--kills", type=float, default=0.5, metavar="S", help="seconds between kill -9 (0: none)")
    parser.add_argument("--without-arm", action="store_true", help="the negative control: must find broken promises")
    parser.add_argument("--json", action="store_true", help="one JSON object a storm")
    chosen = parser.parse_args()
    is_bad = False
    for kind in chosen.ledger or ["sqlite", "redis"]:
        if not chosen.json:
            sys.stdout.write(f"storm on {kind}: {chosen.deliveries} deliveries of {chosen.needs} needs\n")
        figures = run(
            kind,
            needs=chosen.needs,
            count=chosen.deliveries,
            errors=chosen.faults,
            kills=chosen.kills,
            is_armed=not chosen.without_arm,
            say=(lambda text: None) if chosen.json else _tell,
        )
        is_bad |= bool(figures["broken"])
        if chosen.json:
            sys.stdout.write(json.dumps(figures) + "\n")
            continue
        broken = figures.pop("broken")
        for name, value in figures.items():
            sys.stdout.write(f"  {name:<22}{value}\n")
        for promise in broken[:10]:
            sys.stdout.write(f"  BROKEN: {promise}\n")
        sys.stdout.write(f"  {'every promise held' if not broken else f'{len(broken)} promises broken'}\n")
    sys.exit(is_bad)


if __name__ == "__main__":
    main()

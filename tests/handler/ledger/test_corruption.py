"""A corrupt SQLite file: whatever its bytes are, the function says that it has no ledger, and sends nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from handler.app import RetryLater
from handler.ledger.protocol import open_ledger
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import restamp, timer_event
from tests.worlds import DOWN, kill

CONTEXT = {"time_limit_in_ms": 5000, "request_id": "r"}


def filled(path: Path, make_world: MakeWorld) -> bytes:
    """The bytes of a ledger in which alerts were served."""
    world = make_world(ledger=open_ledger(f"sqlite:///{path}"))
    for ip in ("172.16.0.5", "172.16.0.6"):
        kill(world, ip)
        event = sample(DOWN)
        event["alerts"][0]["fingerprint"] = ip
        event["alerts"][0]["labels"]["instance"] = f"{ip}:9100"
        world.deliver(event)
        world.clock.sleep(60)
    world.function.ledger.close()
    return path.read_bytes()


def corrupted(content: bytes, seed: int) -> bytes:
    """A few bytes overwritten, a page zeroed, or the end cut off."""
    rng = random.Random(seed)  # noqa: S311 - the same damage each time
    damaged = bytearray(content)
    for _ in range(rng.choice([1, 4, 64])):
        damaged[rng.randrange(100, len(damaged))] = rng.randrange(256)
    if seed % 3 == 1:
        page = rng.randrange(1, max(2, len(damaged) // 4096)) * 4096
        damaged[page : page + 4096] = bytes(4096)
    if seed % 5 == 2:
        del damaged[rng.randrange(4096, len(damaged)) :]
    return bytes(damaged)


@pytest.mark.parametrize(
    "seeds", [range(40), pytest.param(range(40, 600), marks=pytest.mark.long)], ids=["some", "many"]
)
def test_a_corrupt_file_never_raises_out_of_the_function(seeds: range, tmp_path: Path, make_world: MakeWorld) -> None:
    """An alert ends in an outcome, or asks for a repeat; the follow-up ends; nothing else is raised."""
    content = filled(tmp_path / "good.db", make_world)
    event: Any = sample(DOWN)
    for seed in seeds:
        path = tmp_path / f"{seed}.db"
        path.write_bytes(corrupted(content, seed))
        world = make_world(ledger=open_ledger(f"sqlite:///{path}"))
        kill(world)
        try:
            world.function.handle(restamp(event, world.clock.now()), CONTEXT)
        except RetryLater:
            assert world.requests() == 0, seed
        world.function.handle(timer_event("follow-up", "steward:follow-up", world.clock.now()), CONTEXT)
        assert not [line for line in world.lines if line["event"] == "steward.internal_error"], seed
        world.function.ledger.close()
        path.unlink()

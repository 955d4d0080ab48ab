"""pytest fixtures on the fake cloud.

``pytest_plugins = ["steward.simulate.fixtures"]``. All runs in one process on a virtual clock, with the real SDK.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.config.config import Config
from handler.config.settings import Settings
from handler.ledger.ledger import Ledger
from harness.clock import VirtualClock
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.config.compile import load_yaml
from steward.simulate.world import World, private_world

ROOT = Path(__file__).resolve().parents[2]


def sample(name: str) -> Any:
    """Load a file of events/."""
    return json.loads((ROOT / "events" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def example() -> Config:
    """The example steward.yml."""
    return load_yaml(str(ROOT / "steward.yml"))


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(example: Config, mocker: MockerFixture) -> MakeWorld:
    """Make a world: the demo clusters on a virtual clock, and the function.

    Without a ``config`` it has the example. This machine's environment variables are hidden from it.
    """
    mocker.patch.dict("os.environ", {"PATH": "/usr/bin:/bin"}, clear=True)

    def make(config: Config | None = None, *, settings: Settings | None = None, ledger: Ledger | None = None) -> World:
        clock = VirtualClock()
        return private_world(
            config or example,
            clock=clock,
            cloud=demo_cloud(clock, transition_seconds=3.0),
            settings=settings,
            ledger=ledger,
        )

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    """A world as :func:`make_world` makes it, with the example configuration."""
    return make_world()

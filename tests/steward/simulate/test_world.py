"""The function connected to a cloud: a fake one of its own, or a named endpoint."""

from __future__ import annotations

import dataclasses

from handler.cloud.account import Endpoint
from handler.config.config import Config
from handler.config.settings import Settings
from handler.ledger.ledger import open_ledger
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from steward.simulate.world import World, private_world, real_world


def test_the_real_world_has_nothing_of_the_fake(example: Config) -> None:
    """Neither its credentials nor its endpoint nor its cloud; a caller's key is made where the environment has none, so that samples come in."""
    settings = Settings(endpoint=Endpoint.parse("https://emr.example.com"))
    mine = {"TENCENTCLOUD_SECRET_ID": "mine", "STEWARD_SECRET_DEPLOY": "my-own-secret"}
    ledger = open_ledger("sqlite:///:memory:")
    real = real_world(example, settings=settings, ledger=ledger, env=mine)
    assert not isinstance(real, World)
    assert (real.function.settings, real.function.ledger) == (settings, ledger)
    assert {"STEWARD_SECRET_ALERTMANAGER", *mine} < set(real.env)
    assert mine.items() <= real.env.items()
    assert "TENCENTCLOUD_SECRET_KEY" not in real.env
    assert not {SECRET_ID, SECRET_KEY} & set(real.env.values())


def test_a_private_world_has_nothing_of_the_real_one(example: Config) -> None:
    """Whatever credentials and endpoint the environment has."""
    settings = Settings(endpoint=Endpoint.parse("global"))
    mine = {"TENCENTCLOUD_SECRET_ID": "mine", "TENCENTCLOUD_SECRET_KEY": "my-key"}
    private = private_world(example, settings=settings, endpoint="http://127.0.0.1:9", env=mine)
    assert (private.env["TENCENTCLOUD_SECRET_ID"], private.env["TENCENTCLOUD_SECRET_KEY"]) == (SECRET_ID, SECRET_KEY)
    assert private.function.settings == dataclasses.replace(settings, endpoint=Endpoint.parse("http://127.0.0.1:9"))

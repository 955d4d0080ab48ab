"""An alert about a cluster of another account, end to end."""

from __future__ import annotations

import json

import pytest

from handler.cloud.client import CloudApi
from handler.config.config import Config
from harness.fake_cloud.sts import Role
from harness.faults import Fault, Kind
from steward.config.compile import config_of
from steward.config.yaml_file import read_raw
from steward.simulate.fixtures import ROOT, MakeWorld, sample
from steward.simulate.world import World, in_process

DOWN = "alertmanager-datanode-down"
ARN = "qcs::cam::uin/200000000002:roleName/emr-steward"


@pytest.fixture
def config() -> Config:
    """The example, whose cluster belongs to another account."""
    raw, _ = read_raw(str(ROOT / "steward.yml"))
    raw["clusters"]["emr-4zvc5mul"]["role_arn"] = ARN
    return config_of(raw)


@pytest.fixture
def world(make_world: MakeWorld, config: Config) -> World:
    world = make_world(config)
    world.cloud.cluster("emr-4zvc5mul").uin = "200000000002"
    world.cloud.roles[ARN] = Role(ARN)
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    return world


def test_a_dead_process_of_another_account_runs_again(world: World) -> None:
    """The role is assumed once for all that the event needs; every request to the cluster bears its key."""
    world.deliver(sample(DOWN))
    assert world.outcomes()[0]["outcome"] == "done"
    assert world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").health == 1
    (session,) = world.cloud.sessions.values()
    by = {request.action: request.secret_id for request in world.cloud.requests}
    assert by.pop("AssumeRole") == "AKIDEXAMPLE"
    assert set(by.values()) == {session.secret_id}
    assert len(world.cloud.requests_for("AssumeRole")) == 1


def test_no_secret_of_the_role_is_logged(world: World) -> None:
    """Not even where the API repeats it in an error."""
    world.deliver(sample(DOWN))
    (session,) = world.cloud.sessions.values()
    world.clock.sleep(1000)
    world.cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
    adapter = in_process(world.cloud)
    message = f"no right for {session.token} {session.secret_key}"
    adapter.faults.add(Fault(Kind.API_ERROR, action="DescribeInstances", code="UnauthorizedOperation", message=message))
    world.function._api = CloudApi(lambda: adapter)
    world.deliver({**sample(DOWN), "groupKey": "again"})
    log = json.dumps(world.lines)
    assert "no right for [redacted] [redacted]" in log
    assert session.secret_key not in log
    assert session.token not in log


def test_a_role_that_is_refused_ends_in_an_outcome_that_names_it(world: World) -> None:
    """Nothing is sent to the cluster; a person hears which role, and what is missing."""
    world.cloud.roles[ARN].trusts = frozenset()
    world.deliver(sample(DOWN))
    (outcome,) = world.outcomes()
    assert outcome["outcome"] == "pending"
    assert ARN in outcome["reason"]
    assert "sts:AssumeRole" in outcome["reason"]
    assert {request.action for request in world.cloud.requests} == {"AssumeRole"}
    assert any(line["event"] == "steward.alarm" and ARN in line["reason"] for line in world.lines)

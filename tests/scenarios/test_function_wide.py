"""What concerns the function as a whole, and not one cluster: ids of requests, and the follow-up's timer."""

from __future__ import annotations

import pytest

from handler.errors import LedgerUnavailable
from handler.ledger.request_ids import MAX_IDS, RequestIds, from_bytes, to_bytes
from steward.simulate.world import World
from tests.worlds import CLUSTER, alarms, codes, command, follow_up, outcomes, post

OTHER = "emr-8kd2m1qp"


def test_one_id_for_two_clusters_sends_to_the_first_alone(world: World) -> None:
    first = command("StopService", "172.16.0.5", Id="deploy-7")
    answer = post(world, first)
    assert answer["statusCode"] in (200, 202)
    second = post(world, {**first, "InstanceId": OTHER})
    assert second["statusCode"] == 422
    assert codes(world)[-1] == "once.conflict"
    assert alarms(world) == ["once.conflict"]
    assert [one.cluster for one in world.cloud.operations] == [first["InstanceId"]]
    assert post(world, first)["statusCode"] in (200, 202), "the first one's retry is still its retry"
    assert world.requests() == 1


def test_ids_are_each_callers_own() -> None:
    ids = RequestIds()
    assert ids.claim("ci|request:7", "emr-a", 0.0) == "emr-a"
    assert ids.claim("deploy|request:7", "emr-b", 0.0) == "emr-b"
    assert ids.claim("ci|request:7", "emr-b", 1.0) == "emr-a"


def test_ids_are_forgotten_after_a_day_and_bounded() -> None:
    ids = RequestIds()
    for n in range(3 * MAX_IDS):
        ids.claim(f"id-{n}", "emr-a", float(n))
    assert len(ids.ids) <= MAX_IDS
    newest = 3.0 * MAX_IDS - 1
    assert ids.claim(f"id-{newest:.0f}", "emr-b", newest) == "emr-a"
    assert ids.claim(f"id-{newest:.0f}", "emr-b", newest + 86_401) == "emr-b"
    assert from_bytes(to_bytes(ids)) == ids


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"a": 1}', b'{"a": ["x"]}', b"\xff", b"null"])
def test_ids_that_cannot_be_read_are_no_ids(data: bytes) -> None:
    with pytest.raises(LedgerUnavailable):
        from_bytes(data)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_follow_up_that_does_not_come_is_told_once(world: World, is_there: bool) -> None:
    """On the platform alone: a laptop has no timer."""
    if is_there:
        world.env["TENCENTCLOUD_RUNENV"] = "SCF"
    world.cloud.cluster(CLUSTER).transition_seconds = 3600.0
    for n in range(5):
        post(world, command("StopService", f"172.16.0.{5 + n}", Id=f"call-{n}"))
        world.clock.sleep(100)
    assert set(outcomes(world)) <= {"accepted", "pending"}, "something is open all the time"
    assert alarms(world).count("follow_up.missing") == is_there
    follow_up(world)
    world.clock.sleep(100)
    post(world, command("StopService", "172.16.0.5", Id="after"))
    assert alarms(world).count("follow_up.missing") == is_there, "it came"

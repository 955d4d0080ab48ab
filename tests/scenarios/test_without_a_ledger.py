"""A ledger that cannot be used: nothing is sent, nothing is lost, and it is said."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from handler.errors import LedgerUnavailable
from handler.execute.follow_up import MESSAGE
from handler.ledger.ledger import open_ledger
from handler.ledger.sqlite_store import SqliteFile
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World
from tests.worlds import ACTION, DOWN, alarms, codes, follow_up, kill, outcomes, post, settled, states


@pytest.fixture
def broken(make_world: MakeWorld, tmp_path: Path) -> World:
    """A world whose ledger is a folder."""
    return make_world(ledger=open_ledger(f"sqlite:///{tmp_path}"))


def test_without_its_ledger_nothing_is_sent(broken: World) -> None:
    """An exception to the platform's retry, one alarm, no request."""
    kill(broken)
    invocation = broken.deliver(sample(DOWN), retries=0)
    assert "LedgerUnavailable" in invocation.error
    assert broken.requests() == 0
    assert not any(request.action == ACTION for request in broken.cloud.requests)
    assert alarms(broken) == ["ledger.unavailable"]


def test_without_its_ledger_one_alarm_is_raised(broken: World) -> None:
    """However many events of however many clusters there are, and again only when the alarms' time is over."""
    for _ in range(5):
        broken.deliver(sample("alertmanager-two-clusters"), retries=0)
    assert alarms(broken) == ["ledger.unavailable"]
    broken.clock.sleep(601)
    broken.deliver(sample("alertmanager-two-clusters"), retries=0)
    assert {line["code"] for line in broken.outcomes()} == {"ledger.unavailable"}
    assert alarms(broken) == ["ledger.unavailable"] * 2


def test_without_its_ledger_http_senders_are_asked_to_repeat(broken: World) -> None:
    """503: the one thing that Alertmanager repeats."""
    answer = post(broken, sample("request-restart-hive"))
    assert answer["statusCode"] == 503
    assert answer["headers"]["Retry-After"]
    assert broken.requests() == 0


def test_without_its_ledger_an_alert_is_not_taken_for_resolved(broken: World) -> None:
    """Its sender is to say so again: a late repeat of the alert would act otherwise."""
    invocation = broken.deliver(sample("alertmanager-resolved"))
    assert "LedgerUnavailable" in invocation.error
    assert set(alarms(broken)) == {"ledger.unavailable"}
    assert {line["code"] for line in broken.outcomes()} == {"ledger.unavailable"}


def test_the_follow_up_without_its_ledger_says_so(broken: World) -> None:
    """It raises nothing: the next minute tries again."""
    answer = broken.deliver(timer_event("follow-up", MESSAGE, broken.clock.now())).answer
    assert "cannot be used" in answer["follow_up"]


def test_a_lost_settle_leaves_the_request_as_it_is(world: World, mocker: MockerFixture) -> None:
    """The record says SENDING, the sender gets its answer, the follow-up observes."""
    kill(world)
    mocker.patch.object(type(world.function.ledger), "change", side_effect=LedgerUnavailable("gone"))
    world.deliver(sample(DOWN))
    assert outcomes(world) == ["accepted"]
    assert "ledger.settle_failed" in alarms(world)
    mocker.stopall()
    follow_up(world, 3)
    assert states(world) == ["VERIFIED"]
    assert (world.requests(), settled(world)) == (1, ["done"])


@pytest.mark.parametrize("statement", ["SELECT", "BEGIN"])
@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("disk I/O error"), OSError(28, "No space left"), MemoryError(), KeyError("x")]
)
@pytest.mark.parametrize("event", [DOWN, "timer-nightly-stop", "request-restart-hive"])
def test_whatever_error_a_store_meets_nothing_is_sent(
    world: World, mocker: MockerFixture, statement: str, error: Exception, event: str
) -> None:
    """The platform is asked to deliver it again, a caller over HTTP by 503; it is served when the store is well."""
    kill(world)
    run = SqliteFile._patiently

    def broken(self: SqliteFile, db: sqlite3.Connection, text: str, *more: Any) -> sqlite3.Cursor:
        if text.startswith(statement):
            raise error
        return run(self, db, text, *more)

    mocker.patch.object(SqliteFile, "_patiently", broken)
    assert "LedgerUnavailable" in world.deliver(sample(event), retries=0).error
    assert (world.requests(), set(codes(world))) == (0, {"ledger.unavailable"})
    assert post(world, sample("request-restart-hive"))["statusCode"] == 503
    assert alarms(world) == ["ledger.unavailable"]
    mocker.stopall()
    world.function.ledger = open_ledger("sqlite:///:memory:")  # that of before fails at once for a second
    world.deliver(sample(event))
    assert world.requests() == 1

"""Alarms that could not be sent when they were raised: the follow-up sends them, once, on both ledgers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from handler.app import Function
from handler.cloud.client import CloudApi
from handler.config.config import Config
from handler.execute.follow_up import MESSAGE
from handler.ledger.alarm_record import Unsent
from handler.ledger.ledger import Ledger, open_ledger
from handler.lib import in_flight
from handler.model import alarm
from handler.model.policy import AlarmSettings, Chat
from handler.report import alarms as module
from harness.fake_cloud.adapter import CloudAdapter
from harness.faults import Fault, Kind
from steward.simulate.fixtures import MakeWorld, sample
from steward.simulate.platform import timer_event
from steward.simulate.world import World, in_process
from tests.chat import PATH, ChatRoom, chat_room

ACTION = "StartStopServiceOrMonitor"
IN_DOUBT = "function-url-alertmanager"


@pytest.fixture
def room() -> Iterator[ChatRoom]:
    with chat_room() as room:
        yield room


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    opened = open_ledger(url)
    yield opened
    opened.close()


@pytest.fixture
def world(make_world: MakeWorld, example: Config, ledger: Ledger, room: ChatRoom) -> World:
    """The example, with a chat."""
    world = make_world(replace(example, alarms=AlarmSettings((Chat("CHAT_URL"),))), ledger=ledger)
    world.env["CHAT_URL"] = room.url
    return world


class Hanging(CloudAdapter):
    """The action takes all the time that there is, and its answer never comes."""

    def __init__(self, world: World) -> None:
        super().__init__(world.cloud, on_send=in_flight.note_sent)
        self._clock = world.clock
        self.faults.add(Fault(Kind.HANG_BEFORE, action=ACTION))

    def send(self, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        if request.headers.get("X-TC-Action") == ACTION:
            in_flight.note_sent()
            self._clock.sleep(10)
        return super().send(request, *args, **more)


def get_in_doubt(world: World) -> None:
    """An alert over HTTP, whose request is not answered within the sender's patience."""
    hanging = Hanging(world)
    world.function._api = CloudApi(lambda: hanging)
    world.kill_what_fires(sample(IN_DOUBT))
    answer = world.deliver(sample(IN_DOUBT)).answer
    assert answer["statusCode"] == 202
    assert [line["outcome"] for line in world.outcomes()] == ["in_doubt"]


def follow_up(world: World, minutes: float = 1) -> None:
    world.clock.sleep(60 * minutes)
    world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()))


def said(world: World, event: str) -> list[dict[str, Any]]:
    return [line for line in world.lines if line["event"] == event]


def test_a_request_in_doubt_over_http_reaches_the_chat(world: World, room: ChatRoom) -> None:
    """No time is left when it is known: the ERROR line is written at once, the chat is told a minute later; both once."""
    get_in_doubt(world)
    (line,) = said(world, "steward.alarm")
    assert (line["level"], line["outcome"]) == ("ERROR", "in_doubt")
    assert room.texts == []
    (unsent,) = said(world, "steward.alarm.unsent")
    assert (unsent["channel"], unsent["level"], unsent["is_kept"]) == ("chat:CHAT_URL", "WARNING", True)
    for _ in range(3):
        follow_up(world)
    (text,) = room.texts
    assert line["reason"] in text
    assert "2025-06-02T03:00:10Z" in text  # since when
    assert len(said(world, "steward.alarm")) == 1
    assert [line["count"] for line in said(world, "steward.alarm.sent_late")] == [1]


def test_a_chat_that_fails_is_told_when_it_is_well_again(world: World, room: ChatRoom) -> None:
    """Tried each minute until it takes the alarm, and not once more."""
    room.status = 500
    world.deliver(sample("documented-request"))
    follow_up(world)
    assert len(room.texts) == 2
    room.status = 200
    for _ in range(3):
        follow_up(world)
    assert len(room.texts) == 3
    assert room.titles[2].startswith("EMR Steward: ABC ZKFailoverController 172.16.114.126 on analytics")
    assert len(said(world, "steward.alarm")) == 1


def test_a_worker_that_dies_while_sending_leaves_its_alarm_behind(
    world: World, room: ChatRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept before it is sent."""

    def die(*_: object, **__: object) -> None:
        raise SystemExit(9)

    with monkeypatch.context() as patched:
        patched.setattr("handler.report.alarms.Alarms._send", die)
        with pytest.raises(SystemExit):
            world.deliver(sample("documented-request"))
    follow_up(world)
    assert len(room.texts) == 1


def test_two_follow_ups_at_once_send_once(world: World, room: ChatRoom, ledger: Ledger) -> None:
    """What one has taken is not another's to send."""
    get_in_doubt(world)
    world.clock.sleep(60)
    functions = [
        Function(
            world.function.settings,
            world.function.config,
            env=world.env,
            clock=world.clock,
            ledger=ledger,
            transport=lambda: in_process(world.cloud),
            write=world.function._write,
        )
        for _ in range(4)
    ]
    event = timer_event("follow-up", MESSAGE, world.clock.now())
    threads = [threading.Thread(target=one.handle, args=(event, {"time_limit_in_ms": 60_000})) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(room.texts) == 1


def test_what_is_old_is_not_sent_any_more(world: World, room: ChatRoom, ledger: Ledger) -> None:
    """A day later nobody is helped by it, but by what is known since."""
    get_in_doubt(world)
    follow_up(world, minutes=24 * 60 + 1)
    follow_up(world)
    assert room.texts
    assert not any("it is not known whether" in text for text in room.texts)
    assert ledger.alarms().unsent == {}


def test_one_follow_up_sends_so_many_and_leaves_the_rest_to_the_next(
    world: World, room: ChatRoom, ledger: Ledger
) -> None:
    """The oldest first, in one message that a chat can take; what has no channel any more is dropped."""
    now = world.clock.now()
    alarms = [alarm.Alarm("a.b", "", str(n), f"<{n}> " + "x" * 300, fix="Look.") for n in range(module.MAX_TAKEN + 2)]
    kept = [Unsent(f"id-{n}", now + n, "chat:CHAT_URL", one) for n, one in enumerate(alarms)]
    ledger.change_alarms(lambda record: record.add([], [Unsent("gone", now, "chat:OLD", alarms[0]), *kept], now))
    follow_up(world)
    assert (room.titles[0], len(room.texts)) == (f"EMR Steward: {module.MAX_TAKEN} alarms", 1)
    assert len(room.texts[0]) < module.MAX_TEXT + 50
    assert "<0>" in room.texts[0]
    assert [line["count"] for line in said(world, "steward.alarm.dropped")] == [1]
    follow_up(world)
    assert f"<{module.MAX_TAKEN + 1}>" in room.texts[1]
    assert len(room.texts) == 2


def test_what_is_kept_bears_no_secret(world: World, room: ChatRoom, ledger: Ledger) -> None:
    """A ledger has other readers than a log."""
    room.status = 500
    event = sample("documented-request")
    event["Id"] = f"for {world.env['STEWARD_SECRET_DEPLOY']} and {room.url}"
    world.deliver(event)
    kept = str(ledger.alarms().unsent)
    assert "[redacted]" in kept
    assert world.env["STEWARD_SECRET_DEPLOY"] not in kept
    assert PATH not in kept

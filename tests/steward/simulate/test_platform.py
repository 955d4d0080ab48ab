"""The platform on a laptop: the times of a sample are renewed, and nothing else is changed."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest

from handler.model.event import Event, Unreadable
from steward.simulate.platform import restamp
from steward.simulate.world import received_of

EVENTS = Path(__file__).parents[3] / "events"
NOW = 1_790_000_000.0
#: A sample of each sender, the way to each of its times that is stamped, and what may stand there beside what the
#: sample has.
STAMPED = [
    ("alertmanager-datanode-down", ("alerts", 0, "startsAt"), ["2026-11-23t21:34:02+08:00"]),
    ("grafana-nodemanager-down", ("alerts", 0, "startsAt"), ["2026-11-23 21:34:02.069320828Z"]),
    ("tcop-metric-datanode-down", ("firstOccurTime",), ["2026-11-23T21:34:02Z"]),
    ("timer-morning-start", ("Time",), ["2026-11-23T21:34:02.5+08:00"]),
    (
        "eventbridge-process-exit",
        ("time",),
        ["1763904842000", 1763904842000, 1763904842, 1763904842000.5, "2026-11-23T21:34:02Z"],
    ),
]
#: No time for any reader.
NO_TIMES = ["yesterday", "nonsense", "2026-13-01T00:00:00Z", " 2026-11-23T21:34:02Z", "9" * 17, -1, True, [1], {"a": 1}]


def sample(name: str) -> Any:
    """A file of events/, bare."""
    return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))


def with_time(name: str, way: tuple[Any, ...], time: object) -> Any:
    """The sample with another time."""
    payload = sample(name)
    inner = payload
    for key in way[:-1]:
        inner = inner[key]
    assert way[-1] in inner
    inner[way[-1]] = time
    return payload


def wrapped(payload: Any) -> list[Any]:
    """The payload as it is, over HTTP, over HTTP in base64, and in both queues."""
    text = json.dumps(payload)
    return [
        payload,
        {"httpMethod": "POST", "headers": {}, "body": text},
        {
            "httpMethod": "POST",
            "headers": {},
            "body": base64.b64encode(text.encode()).decode(),
            "isBase64Encoded": True,
        },
        {"Records": [{"Ckafka": {"topic": "t", "partition": 1, "offset": 1, "msgBody": text}}]},
        {"Records": [{"CMQ": {"topicName": "t", "msgId": "1", "msgBody": text}}]},
    ]


@pytest.mark.parametrize(("name", "way", "others"), STAMPED)
def test_a_time_becomes_now_however_it_is_written(name: str, way: tuple[Any, ...], others: list[Any]) -> None:
    """Whatever its sender's reader takes, in every envelope; the event given is left as it was."""
    for payload in (sample(name), *(with_time(name, way, time) for time in others)):
        for event in wrapped(payload):
            before = copy.deepcopy(event)
            (received, *_) = received_of(restamp(event, NOW))
            assert isinstance(received, Event)
            assert received.occurred_at == NOW
            assert event == before


@pytest.mark.parametrize("time", NO_TIMES, ids=str)
@pytest.mark.parametrize(("name", "way", "others"), STAMPED)
def test_a_malformed_time_is_not_fixed(name: str, way: tuple[Any, ...], others: list[Any], time: object) -> None:
    """What production refuses is refused here, with the same message."""
    assert time not in others
    for event in wrapped(with_time(name, way, time)):
        stamped = restamp(event, NOW)
        assert stamped == event
        (received, *_) = received_of(stamped)
        assert isinstance(received, Unreadable)
        assert way[-1] in str(received.error)


def test_the_time_that_means_none_stays_none() -> None:
    """Production accepts Go's zero time, which means that the start is not known."""
    payload = with_time("alertmanager-datanode-down", ("alerts", 0, "startsAt"), "0001-01-01T00:00:00Z")
    (received, *_) = received_of(restamp(payload, NOW))
    assert isinstance(received, Event)
    assert received.occurred_at is None


@pytest.mark.parametrize(
    "event",
    [
        {"httpMethod": "POST", "headers": {}, "body": "{}*{}", "isBase64Encoded": True},
        {"httpMethod": "POST", "headers": {}, "body": base64.b64encode(b'{"Time": NaN}').decode(), "isBase64Encoded": True},
        {"httpMethod": "POST", "headers": {}, "body": '{"startsAt": "2026-11-23T21:34:02Z", "startsAt": ""}'},
        {"httpMethod": "POST", "headers": {}, "body": '{"a": "\\ud800"}'},
        {"httpMethod": "POST", "headers": {}, "body": base64.b64encode(b'{"a": "\\ud800"}').decode(), "isBase64Encoded": True},
        {"httpMethod": "POST", "headers": {}, "body": 5},
    ],
)  # fmt: skip
def test_a_body_that_holds_no_time_is_delivered_as_it_came(event: dict[str, Any]) -> None:
    """It is the same byte for byte, since what cannot be read is not written again."""
    assert restamp(event, NOW) == event

"""The platform's timer: its message is a name for the rules, or whole requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.decide.patterns import compile_pattern
from handler.model.event import Event, Unreadable
from handler.model.request import Action, OpType
from handler.model.scope import OpScope
from handler.receive.payload import read

TIMER = {"Type": "Timer", "TriggerName": "hbase-night", "Time": "2026-11-23T14:00:00Z", "Message": "nightly-stop"}
REQUEST: dict[str, Any] = {
    "InstanceId": "emr-8kd2m1qp",
    "OpType": "StartService",
    "OpScope": {"ServiceInfoList": [{"ServiceName": "HBASE"}]},
    "Reason": "the working day begins",
}


def test_a_message_is_text_for_rules() -> None:
    """It is the name of the event; trigger and due time form the id, the same when the platform retries."""
    assert read(TIMER) == [
        Event(
            id="hbase-night@2026-11-23T14:00:00Z",
            source="timer",
            name="nightly-stop",
            labels={"trigger": "hbase-night"},
            message="nightly-stop",
            occurred_at=1795442400.0,
        )
    ]
    assert read(TIMER) == read(dict(TIMER))


@pytest.mark.parametrize(
    "message",
    [
        "",
        None,
        "nightly-stop",
        "[on-call] stop",
        "{not JSON}",
        '{"note": "text"}',
        "[1, 2]",
        "{}",
        " ",
        '"InstanceId"',
        "5",
    ],
)
def test_a_brace_alone_does_not_make_a_request(message: str | None) -> None:
    """Any text, and any JSON without the keys of a request, is for the rules."""
    (event,) = read({**TIMER, "Message": message})
    assert isinstance(event, Event)
    assert event.message == (message or "")
    assert event.name == ((message or "").strip() or "hbase-night")
    assert event.labels == {"trigger": "hbase-night"}
    assert event.request is None


def test_the_message_may_be_absent() -> None:
    """A timer without a message has the name of its trigger."""
    (event,) = read({key: value for key, value in TIMER.items() if key != "Message"})
    assert isinstance(event, Event)
    assert (event.name, event.message) == ("hbase-night", "")


@pytest.mark.parametrize(
    "when", [{"name": ["nightly-stop"]}, {"message": ["nightly-stop"]}, {"labels": {"trigger": ["hbase-night"]}}]
)
def test_a_rule_may_match_the_name_the_message_or_the_trigger(when: dict[str, Any]) -> None:
    """All three are natural choices, so all three work."""
    (event,) = read(TIMER)
    assert isinstance(event, Event)
    assert compile_pattern({"source": ["timer"], **when}, "when").matches(event.view())


def test_a_long_message_is_cut_in_the_name_alone() -> None:
    """The platform allows messages of 4 KB; the name is shorter, because it is in every log line."""
    (event,) = read({**TIMER, "Message": "x" * 4000})
    assert isinstance(event, Event)
    assert (len(event.name), len(event.message)) == (256, 4000)


def test_a_message_can_be_a_whole_request() -> None:
    """The event has the id and time of the timer; the Id of the request is ignored."""
    (event,) = read({**TIMER, "Message": json.dumps({**REQUEST, "Id": "the same every day"})})
    assert isinstance(event, Event)
    assert (event.id, event.source, event.name) == ("hbase-night@2026-11-23T14:00:00Z", "timer", "hbase-night")
    assert (event.cluster, event.service, event.occurred_at) == ("emr-8kd2m1qp", "HBASE", 1795442400.0)
    assert event.message == "the working day begins"
    assert event.labels["trigger"] == "hbase-night"
    assert event.request is not None
    assert event.request.action == Action(OpType.START_SERVICE)
    assert event.request.scope == OpScope.of_service("HBASE")


def test_a_message_can_be_several_requests() -> None:
    """Each request has its own id and result."""
    wrong = {**REQUEST, "OpType": "Start"}
    first, second, third = read({**TIMER, "Message": json.dumps([REQUEST, wrong, 5])})
    assert isinstance(first, Event)
    assert first.id == "hbase-night@2026-11-23T14:00:00Z#0"
    assert isinstance(second, Unreadable)
    assert (second.id, second.source) == ("hbase-night@2026-11-23T14:00:00Z#1", "timer")
    assert second.error.errors[0].field == "Message[1].OpType"
    assert isinstance(third, Unreadable)
    assert third.error.errors[0].field == "Message[2]"


@pytest.mark.parametrize(
    ("change", "field", "problem"),
    [
        ({"TriggerName": ""}, "TriggerName", "is empty"),
        ({"TriggerName": 5}, "TriggerName", "must be a text"),
        ({"Time": "now"}, "Time", "RFC 3339"),
        ({"Time": None}, "Time", "must be a text"),
        ({"Message": {"InstanceId": "emr-8kd2m1qp"}}, "Message", "must be a text"),
        ({"Message": '{"InstanceId": "emr-8kd2m1qp"'}, "Message", "is not valid JSON"),
        ({"Message": '{"OpType": NaN}'}, "Message", "holds NaN"),
        ({"Message": json.dumps({**REQUEST, "OpScope": {}})}, "Message.OpScope.ServiceInfoList", "is missing"),
        ({"Message": json.dumps({"OpType": "StartService"})}, "Message.InstanceId", "is missing"),
        ({"Message": json.dumps({**REQUEST, "Opscope": {}})}, "Message.Opscope", "did you mean OpScope?"),
    ],
)
def test_a_broken_timer_names_its_field(change: dict[str, Any], field: str, problem: str) -> None:
    """A mistyped request is refused, and does not pass for text."""
    (event,) = read({**TIMER, **change})
    assert isinstance(event, Unreadable)
    assert event.source == "timer"
    assert event.error.errors[0].field == field
    assert problem in event.error.errors[0].problem


@pytest.mark.parametrize("missing", ["TriggerName", "Time"])
def test_a_timer_needs_its_name_and_time(missing: str) -> None:
    """Without either, its id would be the same every day."""
    (event,) = read({key: value for key, value in TIMER.items() if key != missing})
    assert isinstance(event, Unreadable)
    assert event.error.errors[0].field == missing

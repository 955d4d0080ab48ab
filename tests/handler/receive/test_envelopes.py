"""The envelopes in which the platform delivers a payload: HTTP calls and queues."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import InvalidInput
from handler.lib.strict_json import MAX_BYTES
from handler.model.event import Event, Unreadable
from handler.receive.envelopes import HttpCall, open_envelope
from handler.receive.payload import read

EVENTS = Path(__file__).parents[3] / "events"


def sample(name: str) -> dict[str, Any]:
    """A sample event as the platform delivers it."""
    raw: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return raw


def http(**change: Any) -> HttpCall:
    """The documented function URL event with some keys changed."""
    call = open_envelope({**sample("documented-function-url"), **change})
    assert isinstance(call, HttpCall)
    return call


def test_the_documented_function_url() -> None:
    """Method, path, headers, body and remote address are read."""
    call = http()
    assert call == HttpCall(
        method="POST",
        path="/",
        headers=call.headers,
        sent=sample("documented-function-url")["body"],
        is_base64=call.is_base64,
        remote="111.206.96.145",
    )
    assert call.body == b'{"test":"hello world"}'
    assert call.headers["accept-encoding"] == "gzip, deflate, br"
    assert call.payload() == {"test": "hello world"}
    assert (call.size, call.is_too_large, call.idempotency_key) == (22, False, "")


def test_an_api_gateway_call() -> None:
    """The body is decoded from base64, header names are lower case, and the gateway gives the address."""
    call = open_envelope(sample("apigateway-base64-tcop"))
    assert isinstance(call, HttpCall)
    assert (call.method, call.path, call.remote) == ("POST", "/steward", "10.0.2.14")
    assert call.headers["authorization"].startswith("Basic ")
    assert read(call.payload()) == read(sample("tcop-metric-datanode-down"))


@pytest.mark.parametrize(
    "raw",
    [
        {"httpMethod": "POST"},
        {"headers": {}, "body": "{}"},
        {"requestContext": {}},
        {"headerParameters": {}},
        {"isBase64Encoded": False, "body": "{}"},
        {"httpMethod": None, "headers": None, "body": None, "path": None, "queryString": None, "requestContext": None},
        {"httpMethod": 5, "headers": [1], "path": {}, "queryString": "a=1", "requestContext": "x"},
        {"httpMethod": "POST", "Type": "Timer", "TriggerName": "x", "Time": "2026-11-23T14:00:00Z"},
        {"httpMethod": "POST", "Records": []},
    ],
)
def test_whatever_looks_like_http_has_to_authenticate(raw: dict[str, Any]) -> None:
    """An HTTP call never passes for a bare event or a queue, which the platform has authorised already."""
    assert isinstance(open_envelope(raw), HttpCall)


@pytest.mark.parametrize("raw", [None, 5, "x", "{}", [], [{"httpMethod": "POST"}], {}, True, b"x", 0.5])
def test_anything_else_is_bare(raw: object) -> None:
    """Any other value is not an HTTP call, whatever its type."""
    assert open_envelope(raw) is None


@pytest.mark.parametrize(
    "name",
    [
        "documented-timer",
        "documented-tcop-metric",
        "documented-alertmanager",
        "documented-eventbridge",
        "documented-request",
        "grafana-resolved",
    ],
)
def test_payloads_of_senders_are_bare(name: str) -> None:
    """No payload of a sender is mistaken for an HTTP call."""
    assert open_envelope(sample(name)) is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Authorization": "a", "X-Y": "b"}, {"authorization": "a", "x-y": "b"}),
        ({"A": ["1", "2"]}, {"a": "1, 2"}),
        ({"A": 1, "B": None, "C": True}, {"a": "1", "b": "", "c": "true"}),
        ({"A": "1", "a": "2"}, {"a": "1, 2"}),
        ({5: "x"}, {"5": "x"}),
        (None, {}),
        ([["a", "b"]], {}),
        ("a: b", {}),
    ],
)
def test_header_names_are_lower_case(headers: object, expected: dict[str, str]) -> None:
    """Where two spellings of one header are sent, both values are kept."""
    assert http(headers=headers).headers == expected


def test_a_long_header_is_cut() -> None:
    """A header value is cut to 8,192 characters, enough for any credentials."""
    assert len(http(headers={"a": "x" * 100_000}).headers["a"]) == 8192


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"Idempotency-Key": "k"}, "k"),
        ({"webhook-id": "msg_1"}, "msg_1"),
        ({"webhook-id": "msg_1", "Idempotency-Key": " k "}, "k"),
        ({"Idempotency-Key": " ", "webhook-id": "msg_1"}, "msg_1"),
        ({}, ""),
    ],
)
def test_the_idempotency_key(headers: dict[str, str], key: str) -> None:
    """It is the Idempotency-Key header, else the webhook-id of Standard Webhooks."""
    assert http(headers=headers).idempotency_key == key


def test_the_idempotency_key_is_the_id_of_a_direct_call() -> None:
    """A retry of the call is therefore the same event."""
    call = open_envelope(sample("function-url-request"))
    assert isinstance(call, HttpCall)
    (event,) = read(call.payload(), idempotency_key=call.idempotency_key)
    assert event.id == "deploy-2026-11-23-0417"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"body": None}, "body: is empty"),
        ({"body": ""}, "body: is empty"),
        ({"body": {"a": 1}}, "body: is not a string"),
        ({"body": 5}, "body: is not a string"),
        ({"body": "\ud800"}, "body: is not valid UTF-8"),
        ({"body": "%%%", "isBase64Encoded": True}, "body: is not valid base64, but isBase64Encoded is true"),
        ({"body": "e30", "isBase64Encoded": True}, "body: is not valid base64, but isBase64Encoded is true"),
        ({"body": "é", "isBase64Encoded": "true"}, "body: is not valid base64, but isBase64Encoded is true"),
        ({"body": "\ud800", "isBase64Encoded": True}, "body: is not valid base64, but isBase64Encoded is true"),
        ({"body": base64.b64encode(b'{"a": "\xff"}').decode(), "isBase64Encoded": True}, "body: is not UTF-8 (byte 7)"),
        ({"body": "a=1&b=2"}, "body: is not valid JSON"),
        ({"body": '{"a": 1, "a": 2}'}, "body: has a key twice"),
        ({"body": "[" * 100_000}, "body: is nested more than 64 deep"),
        ({"body": " " * (MAX_BYTES + 1)}, "body: is longer than"),
        ({"headers": {"content-encoding": "gzip"}}, "content-encoding: is not supported"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_body_that_cannot_be_read_is_refused_when_it_is_asked_for(change: dict[str, Any], problem: str) -> None:
    """Reading the envelope never raises, so that the caller is authenticated before the error is reported."""
    call = http(**change)
    with pytest.raises(InvalidInput) as caught:
        call.payload()
    assert problem in str(caught.value)


@pytest.mark.parametrize("body", ["eyJhIjogMX0=", "eyJh\nIjog\r\nMX0=\n"])
def test_base64_may_have_line_breaks(body: str) -> None:
    """Some encoders break base64 into lines, as in mail."""
    assert http(body=body, isBase64Encoded=True).payload() == {"a": 1}


def test_a_body_that_is_too_large_is_recognised() -> None:
    """It is answered with a status code of its own."""
    assert http(body=" " * (MAX_BYTES + 1)).is_too_large
    assert not http(body=" " * MAX_BYTES).is_too_large


def test_logged_fields_are_bounded() -> None:
    """Path, method and address come from outside, so they are cut and sanitised."""
    call = http(path="/" + "x" * 100_000, httpMethod="post\x1b", headers={"x-scf-remote-addr": "y" * 1000})
    assert (len(call.path), call.method, len(call.remote)) == (1024, "POST\ufffd", 64)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "httpMethod",
                "headers",
                "body",
                "path",
                "queryString",
                "queryStringParameters",
                "isBase64Encoded",
                "requestContext",
            ]
        ),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.lists(st.text(), max_size=2)
        | st.dictionaries(st.text(), st.text() | st.none(), max_size=3),
        min_size=1,
    )
)
def test_any_http_envelope_is_read(raw: dict[str, Any]) -> None:
    """Keys may hold values of any type; the payload is then a value or InvalidInput."""
    call = open_envelope({"httpMethod": "POST", **raw})
    assert isinstance(call, HttpCall)
    assert all(isinstance(value, str) for value in (*call.headers, *call.headers.values()))
    assert call.size >= 0
    with suppress(InvalidInput):
        assert isinstance(call.body, bytes)
        call.payload()


# -- queues


def ckafka(*bodies: Any) -> dict[str, Any]:
    """A delivery of the CKafka trigger with these message bodies."""
    return {
        "Records": [
            {"Ckafka": {"topic": "alerts", "partition": 1, "offset": 36 + n, "msgKey": "None", "msgBody": body}}
            for n, body in enumerate(bodies)
        ]
    }


def test_queues_hold_any_senders_payload() -> None:
    """The payload in a message is read just as a bare one."""
    assert open_envelope(sample("ckafka-alertmanager")) is None
    assert read(sample("ckafka-alertmanager")) == read(sample("alertmanager-datanode-down"))
    assert read(sample("cmq-tcop")) == read(sample("tcop-metric-datanode-down"))


def test_a_bad_message_does_not_affect_the_others() -> None:
    """Its id is the queue's own, which stays the same on redelivery."""
    good, bad, other = read(sample("ckafka-mixed"))
    assert isinstance(good, Event)
    assert isinstance(bad, Unreadable)
    assert isinstance(other, Event)
    assert (bad.id, bad.source) == ("ckafka:alerts/1/38", "unknown")
    assert bad.error.errors[0].field == "Records[1].Ckafka.msgBody"


def test_messages_hold_arrays_objects_and_queues() -> None:
    """A body may be a JSON value, an array of payloads, or another envelope."""
    timer = sample("documented-timer")
    assert read(ckafka(timer)) == read(timer)
    assert read(ckafka(json.dumps([timer, timer]))) == read([timer, timer])
    assert read(ckafka(json.dumps(ckafka(json.dumps(timer))))) == read(timer)
    assert read([ckafka(json.dumps(timer)), timer]) == read([timer, timer])


def test_layers_are_bounded() -> None:
    """Envelopes in envelopes are read only up to a limit."""
    raw: Any = sample("documented-timer")
    for _ in range(20):
        raw = ckafka(raw)
    (event,) = read(raw)
    assert isinstance(event, Unreadable)
    assert "layers" in event.error.errors[0].problem


def test_the_message_id_is_the_id_of_a_direct_call() -> None:
    """A redelivery is the same call; the same request in a new message is another call."""
    call = {key: value for key, value in sample("request-start").items() if key != "Id"}
    first, second = read(ckafka(call, call))
    assert (first.id, second.id) == ("ckafka:alerts/1/36", "ckafka:alerts/1/37")
    one, two = read(ckafka([call, call]))
    assert (one.id, two.id) == ("ckafka:alerts/1/36#0", "ckafka:alerts/1/36#1")
    (cmq,) = read({"Records": [{"CMQ": {"topicName": "t", "msgId": "7", "msgBody": json.dumps(call)}}]})
    assert cmq.id == "cmq:t/7"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({"Records": []}, "Records"),
        ({"Records": None}, "Records"),
        ({"Records": {"Ckafka": {}}}, "Records"),
        ({"Records": "x"}, "Records"),
        ({"Records": [5]}, "Records[0]"),
        ({"Records": [{}]}, "Records[0]"),
        ({"Records": [{"Sqs": {"msgBody": "{}"}}]}, "Records[0]"),
        ({"Records": [{"Ckafka": []}]}, "Records[0]"),
        ({"Records": [{"Ckafka": {}}]}, "Records[0].Ckafka.msgBody"),
        ({"Records": [{"CMQ": {"msgBody": None}}]}, "Records[0].CMQ.msgBody"),
        ({"Records": [{"CMQ": {"msgBody": ""}}]}, "Records[0].CMQ.msgBody"),
        ({"Records": [{"CMQ": {"msgBody": "x"}}]}, "Records[0].CMQ.msgBody"),
        ({"Records": [{"CMQ": {"msgBody": 5}}]}, "Records[0].CMQ.msgBody"),
        ({"Records": [{"CMQ": {"msgBody": "[]"}}]}, "Records[0].CMQ.msgBody"),
        ({"Records": [{"CMQ": {"msgBody": '[{"Records": [0]}]'}}]}, "Records[0].CMQ.msgBody[0].Records[0]"),
    ],
)
def test_a_broken_queue_names_its_field(raw: dict[str, Any], field: str) -> None:
    """The error names the path through all envelopes."""
    (event,) = read(raw)
    assert isinstance(event, Unreadable)
    assert event.error.errors[0].field == field


@pytest.mark.parametrize(
    ("published", "told_at"),
    [
        ("1970-01-01T00:16:40.000Z", 1000.0),
        (None, None),
        ("", None),
        ("yesterday", None),
        (7, None),
        ("1970-01-01T00:00:00.000Z", None),  # the console's sample: a clock that was never set
    ],
)
def test_a_queues_message_was_told_when_it_was_published(published: object, told_at: float | None) -> None:
    """It may wait for hours: what it states is as old as that. A time that is none is left out."""
    message = {"topicName": "t", "msgId": "7", "msgBody": json.dumps(sample("alertmanager-datanode-down"))}
    (event,) = read({"Records": [{"CMQ": {**message, "publishTime": published}}]})
    assert isinstance(event, Event)
    assert event.told_at == told_at

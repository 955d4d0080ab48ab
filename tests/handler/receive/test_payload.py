"""Any payload from any sender: the sender is recognised, and nothing raises."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handler.errors import InvalidInput
from handler.model.event import Event, Unreadable
from handler.model.names import address
from handler.receive.envelopes import HttpCall, open_envelope
from handler.receive.locators import cluster
from handler.receive.payload import SENDERS, read
from handler.receive.sanitize import MAX_EVENTS

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "events"
SAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(EVENTS.glob("*.json"))}
SMALL = {name: raw for name, raw in SAMPLES.items() if name != "storm-1000"}


def received(raw: object) -> list[Event | Unreadable]:
    """The events in anything that the platform can deliver, as the function reads them."""
    envelope = open_envelope(raw)
    if not isinstance(envelope, HttpCall):
        return read(raw)
    try:
        payload = envelope.payload()
    except InvalidInput as error:
        return [Unreadable("", "unknown", error)]
    return read(payload, envelope.idempotency_key)


def check(outcomes: list[Event | Unreadable]) -> None:
    """Check the guarantees on which the rest of the function relies."""
    assert outcomes
    for one in outcomes:
        assert len(one.id) <= 256
        if isinstance(one, Unreadable):
            assert one.error.errors
            assert len(json.dumps(one.error.errors, ensure_ascii=False).encode()) <= 8192
            continue
        assert one.id
        assert all(isinstance(value, str) for value in one.labels.values())
        assert len(one.labels) <= 128
        assert all(len(key) <= 256 and len(value) <= 1024 for key, value in one.labels.items())
        assert max(map(len, (one.name, one.severity, one.service, one.component))) <= 256
        assert len(one.message) <= 4096
        assert one.cluster == cluster(one.cluster)
        assert one.ip == address(one.ip)
        assert one.occurred_at is None or 0 <= one.occurred_at < 253_402_300_800
        assert one.status in ("firing", "resolved", "none")
        json.dumps(one.view(), ensure_ascii=False, allow_nan=False).encode()


# -- the samples


@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_is_read(name: str) -> None:
    """A valid sample becomes Events of the sender in its name; a bad one becomes no Event."""
    outcomes = received(SAMPLES[name])
    check(outcomes)
    events = [one for one in outcomes if isinstance(one, Event)]
    if name.startswith("bad-"):
        assert not events
    elif name == "documented-function-url":
        assert "not recognised as any supported sender" in str(
            outcomes[0].error if isinstance(outcomes[0], Unreadable) else ""
        )
    else:
        assert events
        named = name.removeprefix("documented-")
        sources = {sender.source for sender in SENDERS if named.startswith(sender.source)}
        assert not sources or {one.source for one in outcomes} == sources


def test_every_source_has_a_sample() -> None:
    """The command and the documentation can show each of them."""
    outcomes = [one for raw in SAMPLES.values() for one in received(raw)]
    assert {one.source for one in outcomes if isinstance(one, Event)} == {sender.source for sender in SENDERS}


def test_every_operation_has_a_sample() -> None:
    """There is a direct call for each OpType."""
    calls = [one for name, raw in SAMPLES.items() if name.startswith("request-") for one in received(raw)]
    assert {call.name for call in calls if isinstance(call, Event)} == {
        "StartService",
        "StopService",
        "RestartService",
        "StartMonitor",
        "StopMonitor",
    }


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("bad-unknown-sender", "is not recognised as any supported sender; expected one of: timer ("),
        ("bad-empty-alerts", "alerts: is empty"),
        ("bad-request-misspelt", "ComponentInfolist: unknown; did you mean ComponentInfoList?"),
        ("bad-request-restart-without-strategy", "StrategyConfig: RestartService needs a strategy"),
        ("bad-request-address", "OpScope.ServiceInfoList[0].ComponentInfoList[0].IpList[1]: is not an IP address"),
        ("bad-request-cluster-id", "InstanceId: is not a cluster id"),
        ("bad-timer-request", "Message.OpType: must be one of"),
        ("bad-tcop-status", "alarmStatus: is not valid; expected 1 (alarm) or 0 (recovered)"),
        ("bad-eventbridge-time", "time: is not a time; expected milliseconds since 1970, or RFC 3339"),
        ("bad-function-url-not-json", "body: is not valid JSON"),
        ("bad-function-url-duplicate-key", "body: has a key twice in one object: 'OpType'"),
        ("bad-function-url-nan", "body: holds NaN"),
        ("bad-apigateway-base64", "body: is not valid base64"),
        ("bad-number", "is a number; expected an object or an array"),
    ],
)
def test_bad_samples_say_what_is_wrong(name: str, problem: str) -> None:
    """The error names the field and the problem."""
    (outcome,) = received(SAMPLES[name])
    assert isinstance(outcome, Unreadable)
    assert problem in str(outcome.error)


def test_every_bad_sample_is_in_the_table() -> None:
    """The table of the test above is complete."""
    expected = test_bad_samples_say_what_is_wrong.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {name for name, _ in expected} == {name for name in SAMPLES if name.startswith("bad-")}


def test_the_storm_is_what_the_readme_makes() -> None:
    """The code in events/README.md generates the sample."""
    code = (EVENTS / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    made = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert made == (EVENTS / "storm-1000.json").read_text(encoding="utf-8")


# -- arrays and bare values


def test_an_array_may_mix_senders() -> None:
    """The sender of each element is recognised on its own; a bad element does not affect the others."""
    mixed = [SAMPLES["documented-timer"], SAMPLES["documented-tcop-metric"], 5, SAMPLES["documented-alertmanager"], {}]
    assert [one.source for one in read(mixed)] == ["timer", "tcop", "unknown", "alertmanager", "unknown"]
    assert [isinstance(one, Event) for one in read(mixed)] == [True, True, False, True, False]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (None, "is null"),
        (True, "is a boolean"),
        (5, "is a number"),
        (0.5, "is a number"),
        (float("nan"), "is a number"),
        ("x", "is text"),
        ("", "is text"),
        (b"{}", "is not a JSON value"),
        ({1}, "is not a JSON value"),
        ([], "is an empty array"),
        ([[]], "[0]: is an empty array"),
        ({}, "is not recognised as any supported sender"),
        ({5: 6}, "is not recognised as any supported sender"),
        ("{", "is not valid JSON"),
        ("[5]", "[0]: is a number"),
        ([[[[[[[[1]]]]]]]], "layers"),
    ],
    ids=ascii,
)
def test_bare_values_of_any_type_are_refused(raw: object, problem: str) -> None:
    """A manual invocation can deliver any value; the same value has the same id each time."""
    (outcome,) = read(raw)
    assert isinstance(outcome, Unreadable)
    assert outcome.source == "unknown"
    assert problem in str(outcome.error)
    assert outcome.id == read(copy.deepcopy(raw))[0].id


def test_a_payload_may_be_its_own_text() -> None:
    """An asynchronous invocation can deliver the JSON as a string."""
    timer = SAMPLES["documented-timer"]
    assert read(json.dumps(timer)) == read(timer)
    assert read([json.dumps(timer)]) == read(timer)


def test_deep_values_are_refused() -> None:
    """A deeply nested value is refused wherever it stands, and nothing raises."""
    raw: Any = []
    for _ in range(900):
        raw = [raw]
    check(read(raw))
    deep: Any = {}
    for _ in range(900):
        deep = {"a": deep}
    for name in ("documented-timer", "documented-tcop-metric", "documented-alertmanager", "documented-eventbridge"):
        for key in SAMPLES[name]:
            check(read({**SAMPLES[name], key: deep}))


def test_events_are_bounded_in_number() -> None:
    """Of two million empty objects only MAX_EVENTS are read, and one Unreadable reports the rest."""
    outcomes = read([{}] * 2_000_000)
    assert len(outcomes) == MAX_EVENTS + 1
    assert "holds more than 2000 events" in str(outcomes[-1].error if isinstance(outcomes[-1], Unreadable) else "")
    assert len(read([{}] * MAX_EVENTS)) == MAX_EVENTS


def test_a_field_name_from_outside_is_safe_to_log() -> None:
    """An unknown key in an error is cut and sanitised."""
    (outcome,) = read({**SAMPLES["request-start"], "\x1b[31m" + "x" * 10_000: 1})
    assert isinstance(outcome, Unreadable)
    assert "\x1b" not in str(outcome.error)
    assert len(str(outcome.error)) < 1000


def test_errors_never_repeat_values() -> None:
    """A secret in the wrong field is therefore not logged."""
    secret = "hunter2-hunter2"
    for name in (
        "documented-timer",
        "documented-tcop-metric",
        "documented-alertmanager",
        "documented-eventbridge",
        "request-restart-hive",
    ):
        for key in SAMPLES[name]:
            for value in (secret, {"a": secret}, [secret]):
                for outcome in read({**SAMPLES[name], key: value}):
                    if isinstance(outcome, Unreadable):
                        assert secret not in str(outcome.error)


# -- anything at all

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        [
            10**400,
            float("nan"),
            float("inf"),
            "\ud800",
            "\x00",
            "x" * 5000,
            "emr-4zvc5mul",
            "emr-4zvc5mul\n",
            "172.16.0.5",
            "999.1.1.1",
            "{",
            "[[",
            '{"OpType":',
            b"\xff",
            {1, 2},
            object,
        ]
    )
    | st.sampled_from([1, -1]).map(lambda sign: sign * 10**5000)  # too long to be written, by Hypothesis too
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=5) | st.sampled_from([1, None, "\ud800", "Records", "alerts", "Message"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """A sample in which some values are replaced, removed, renamed or doubled."""
    raw: Any = copy.deepcopy(SMALL[draw(st.sampled_from(sorted(SMALL)))])
    for _ in range(draw(st.integers(1, 3))):
        place: Any = raw
        while isinstance(place, (dict, list)) and place:
            key: Any = (
                draw(st.sampled_from(sorted(place, key=repr)))
                if isinstance(place, dict)
                else draw(st.integers(0, len(place) - 1))
            )
            if isinstance(place[key], (dict, list)) and place[key] and draw(st.integers(0, 3)):
                place = place[key]
                continue
            change = draw(st.sampled_from(["replace", "take", "rename", "double", "write"]))
            if change == "replace":
                place[key] = draw(ANYTHING)
            elif change == "double":
                place[key] = [place[key], place[key]]
            elif change == "write":
                try:
                    place[key] = json.dumps(place[key])
                except (TypeError, ValueError):
                    place[key] = None
            elif isinstance(place, dict):
                value = place.pop(key)
                if change == "rename":
                    place[draw(st.text(max_size=5)) or key] = value
            else:
                del place[key]
            break
    return raw


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(mutated())
def test_mutated_samples_never_raise(raw: object) -> None:
    """Any change to a payload results in Events and Unreadables within their bounds."""
    check(received(raw))


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_arbitrary_values_never_raise(raw: object) -> None:
    """Values that no sender sends do not raise either."""
    check(received(raw))


KEYS = ("Type", "TriggerName", "Time", "Message", "InstanceId", "OpType", "OpScope", "alarmStatus", "alarmObjInfo", "alarmPolicyInfo", "firstOccurTime", "alerts", "orgId", "groupKey", "truncatedAlerts", "specversion", "id", "source", "type", "time", "data", "Records", "httpMethod", "body")  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(KEYS), ANYTHING | st.sampled_from(["Timer", "1", "2026-11-23T14:00:00Z"]), max_size=6
    )
)
def test_any_mixture_of_keys_never_raises(raw: dict[str, Any]) -> None:
    """A payload may have the keys of several senders at once."""
    check(received(raw))


@settings(deadline=None)  # the first payload builds the validators
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_any_body_never_raises(body: bytes | str) -> None:
    """An HTTP body may hold any text or bytes, as text or as base64."""
    import base64

    text = body if isinstance(body, str) else base64.b64encode(body).decode()
    check(received({"httpMethod": "POST", "body": text, "isBase64Encoded": isinstance(body, bytes)}))


# -- what it costs


def test_a_timer_loads_no_other_sender() -> None:
    """The module of a sender is imported only for its own payloads."""
    code = (
        "import json, sys; from handler.receive.payload import read; "
        f"read(json.loads({json.dumps(json.dumps(SAMPLES['documented-timer']))})); "
        "print(' '.join(sorted(name for name in sys.modules if name.startswith('handler.receive.senders.'))))"
    )
    run = [sys.executable, "-c", code]
    loaded = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    others = {f"handler.receive.senders.{sender.source}" for sender in SENDERS if sender.source != "timer"}
    assert "handler.receive.senders.timer" in loaded.split()
    assert not others & set(loaded.split())

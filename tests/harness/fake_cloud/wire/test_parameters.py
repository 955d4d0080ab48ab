"""Parameters are read strictly, by the SDK's models and the documented rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.fake_cloud.errors import ApiError
from harness.fake_cloud.wire.actions import ACTIONS
from harness.fake_cloud.wire.parameters import RULES, check, read_object
from harness.fake_cloud.wire.request_models import Model, request_model

if TYPE_CHECKING:
    from collections.abc import Iterator


def models_in(model: Model) -> Iterator[Model]:
    yield model
    for parameter in model.parameters.values():
        if isinstance(parameter.type, Model):
            yield from models_in(parameter.type)


SERVED = {model.name: model for key in ACTIONS for model in models_in(request_model(*key))}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_about_a_parameter_that_there_is(name: str) -> None:
    """A rule for a misspelt parameter, or for a model of no action, would never be applied."""
    assert set(RULES[name]) <= set(SERVED[name].parameters)


@pytest.mark.parametrize("name", RULES)
def test_every_default_obeys_its_own_rule(name: str) -> None:
    """What is filled in would have been taken if it had been sent."""
    for parameter, rule in RULES[name].items():
        assert not (rule.required and rule.default is not None), parameter
        assert not rule.one_of or rule.default is None or rule.default in rule.one_of, parameter


def test_defaults_are_filled_in_at_every_depth() -> None:
    """What was sent stays, what was left out has its default, and what has none stays absent."""
    params = {
        "InstanceId": "emr-4zvc5mul",
        "OpType": "RestartService",
        "OpScope": {"ServiceInfoList": [{"ServiceName": "HDFS"}]},
        "StrategyConfig": {"BatchSize": 5},
    }
    values = check("emr", "StartStopServiceOrMonitor", params)
    assert values["OpScope"] == {"ServiceInfoList": [{"ServiceName": "HDFS", "ComponentInfoList": ()}]}
    assert values["StrategyConfig"] == {"RollingRestartSwitch": 0, "BatchSize": 5, "TimeWait": 0, "DealOnFail": 0}
    assert "StopParams" not in values
    assert params["StrategyConfig"] == {"BatchSize": 5}


EVENT = {"Source": "s", "Data": "{}", "Type": "t", "Subject": "u"}


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        ({}, "MissingParameter", "`EventList`"),
        ({"Bus": "b"}, "UnknownParameter", "`Bus`"),
        ({"EventBusId": 1}, "MissingParameter", "`EventList`"),
        (
            {"EventBusId": 1, "EventList": [EVENT]},
            "InvalidParameter",
            "`EventBusId` is not valid: its type must be str",
        ),
        ({"EventBusId": "", "EventList": [EVENT]}, "InvalidParameter", "its length must be at least 1"),
        ({"EventBusId": "b", "EventList": []}, "InvalidParameter", "`EventList` is not valid: its length must be at"),
        ({"EventBusId": "b", "EventList": {}}, "InvalidParameter", "`EventList` is not valid: it must be a list"),
        ({"EventBusId": "b", "EventList": [1]}, "InvalidParameter", "`EventList.0` is not valid: it must be an object"),
        ({"EventBusId": "b", "EventList": [EVENT, {}]}, "MissingParameter", "`EventList.1.Source`"),
        ({"EventBusId": "b", "EventList": [{**EVENT, "Time": True}]}, "InvalidParameter", "`EventList.0.Time`"),
        ({"EventBusId": "b", "EventList": [{**EVENT, "data": ""}]}, "UnknownParameter", "`EventList.0.data`"),
    ],
)
def test_the_error_names_the_parameter_and_what_is_wrong(params: dict[str, Any], code: str, message: str) -> None:
    """Of several errors the unknown key is reported first, then the missing one."""
    with pytest.raises(ApiError) as caught:
        check("eb", "PutEvents", params)
    assert (caught.value.code, message in caught.value.message) == (code, True), caught.value.message


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"RoleArn": "qcs::cam::uin/1:user/a"}, "it must match"),
        ({"RoleSessionName": "a"}, "its length must be at least 2"),
        ({"RoleSessionName": "a" * 129}, "its length must be at most 128"),
        ({"RoleSessionName": "a b"}, "it must match"),
        ({"DurationSeconds": 0}, "it must be at least 1"),
        ({"DurationSeconds": 43_201}, "it must be at most 43200"),
    ],
)
def test_bounds_and_patterns_are_kept(changes: dict[str, Any], problem: str) -> None:
    """Each error names the bound or the pattern."""
    params = {"RoleArn": "qcs::cam::uin/1:roleName/a", "RoleSessionName": "session", **changes}
    with pytest.raises(ApiError, match=problem):
        check("sts", "AssumeRole", params)


@pytest.mark.parametrize("body", [b'{"a": null}', b'{"OpScope": {"a": null}}', b'[{"a": null}]'])
def test_null_is_not_absent(body: bytes) -> None:
    """A client that sends null has lost a value on the way: it is refused wherever it stands."""
    with pytest.raises(ApiError, match="`a` is null"):
        read_object(body)


def test_no_body_is_an_empty_object() -> None:
    """An action without required parameters can be called without a body."""
    assert read_object(b"") == {}

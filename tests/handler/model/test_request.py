"""Which operation takes what is the same for a rule, for the schema and for a direct request."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from handler.errors import InvalidConfiguration, InvalidInput
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.receive.senders.request import event_of
from steward.config.compile import config_of
from steward.config.json_schema import json_schema

SCHEMA = json_schema()


@pytest.mark.parametrize("op_type", list(OpType))
@pytest.mark.parametrize("strategy", [None, StrategyConfig()])
@pytest.mark.parametrize("params", [None, StopParams()])
@pytest.mark.parametrize("keep_monitor", [None, False, True])
def test_a_manner_is_taken_by_all_or_by_none(
    op_type: OpType, strategy: StrategyConfig | None, params: StopParams | None, keep_monitor: bool | None
) -> None:
    """By what the API takes; each says it in its own words."""
    is_fine = not list(Action(op_type, strategy, params, keep_monitor).problems())
    assert by_request(op_type, strategy, params, keep_monitor) == is_fine
    assert by_file(op_type, strategy, params, keep_monitor) == is_fine


def by_request(op_type: OpType, strategy: object, params: object, keep_monitor: bool | None) -> bool:
    """Whether a direct request of this action is taken."""
    call: dict[str, Any] = {
        "InstanceId": "emr-4zvc5mul",
        "OpType": op_type.value,
        "OpScope": {"ServiceInfoList": [{"ServiceName": "HDFS"}]},
    }
    call |= {"StrategyConfig": {}} if strategy else {}
    call |= {"StopParams": {}} if params else {}
    call |= {} if keep_monitor is None else {"KeepMonitorButNotRecoverProcess": keep_monitor}
    try:
        event_of(call, "")
    except InvalidInput:
        return False
    return True


def by_file(op_type: OpType, strategy: object, params: object, keep_monitor: bool | None) -> bool:
    """Whether a rule of this action is taken, by `steward check` and by the schema alike."""
    do: dict[str, Any] = {"operation": op_type.value, "cluster": "emr-4zvc5mul", "scope": {"HDFS": "all"}}
    do |= {"strategy": {}} if strategy else {}
    do |= {"stop_params": {}} if params else {}
    do |= {} if keep_monitor is None else {"keep_monitor": keep_monitor}
    allow = [op.value for op in OpType]
    raw = {
        "clusters": {"emr-4zvc5mul": {"region": "ap-guangzhou", "allow": allow}},
        "rules": [{"name": "r", "when": {"status": ["firing"]}, "do": do}],
    }
    try:
        config_of(raw)
        is_read = True
    except InvalidConfiguration:
        is_read = False
    assert Draft202012Validator(SCHEMA).is_valid(raw) == is_read
    return is_read

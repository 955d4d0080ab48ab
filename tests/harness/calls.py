"""Calls of the fake cloud, by the official SDK, for its tests."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from tencentcloud.common.exception import TencentCloudSDKException

from harness.fake_cloud.demo_clusters import ANALYTICS
from harness.fake_cloud.errors import ApiError

START_STOP = "StartStopServiceOrMonitor"
LOOK = {"DisplayStrategy": "clusterList"}
#: One DataNode of HDFS, as a scope names it.
DATANODE = {"ServiceName": "HDFS", "ComponentInfoList": [{"ComponentName": "DataNode", "IpList": ["172.16.0.5"]}]}
#: A restart of one DataNode.
RESTART = {
    "InstanceId": ANALYTICS,
    "OpType": "RestartService",
    "OpScope": {"ServiceInfoList": [DATANODE]},
    "StrategyConfig": {"RollingRestartSwitch": 1, "BatchSize": 1, "TimeWait": 0, "DealOnFail": 0},
}


def request(**changes: Any) -> dict[str, Any]:
    """A valid StartService for one DataNode, with ``changes``; ``...`` leaves a key out."""
    params = {
        "InstanceId": ANALYTICS,
        "OpType": "StartService",
        "OpScope": {"ServiceInfoList": [DATANODE]},
        **changes,
    }
    return {key: value for key, value in params.items() if value is not ...}


def scope(service: str, component: str | None = None, ips: list[str] | None = None) -> dict[str, Any]:
    info: dict[str, Any] = {"ServiceName": service}
    if component:
        info["ComponentInfoList"] = [{"ComponentName": component, **({} if ips is None else {"IpList": ips})}]
    return {"ServiceInfoList": [info]}


def refusal(client: Any, action: str, params: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(TencentCloudSDKException) as caught:
        client.call_json(action, params)
    return caught.value.get_code(), caught.value.get_message()


def response(client: Any, action: str, params: dict[str, Any]) -> dict[str, Any]:
    return dict(client.call_json(action, params)["Response"])


def fields(model: type) -> set[str]:
    return {name for name, value in vars(model).items() if isinstance(value, property)}


def outcome(client: Any, action: str = START_STOP, params: dict[str, Any] | None = None) -> str:
    """What the SDK makes of a call: an error's code, an exception's name, or ``accepted``."""
    try:
        answer = client.call_json(action, params or RESTART)
    except TencentCloudSDKException as error:
        return str(error.get_code())
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        return type(error).__name__
    if not isinstance(answer.get("Response"), dict):
        return "no envelope"
    if "Error" in answer["Response"]:
        return "error taken for a success"
    return "accepted" if "RequestId" in answer["Response"] else "no RequestId"


def refused(code: str) -> pytest.RaisesExc[ApiError]:
    """Expects an error of the API with exactly this code."""
    return pytest.raises(ApiError, check=lambda error: error.code == code)

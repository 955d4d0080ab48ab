"""The floor: the payload is not validated, and CommonClient makes one request for each alert."""

import os
from typing import Any

from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    answers = [restart(alert["labels"]) for alert in event["alerts"] if alert["status"] == "firing"]
    return {"answers": answers}


def restart(labels: dict[str, str]) -> str:
    scheme, _, host = os.environ["STEWARD_EMR_ENDPOINT"].partition("://")
    profile = ClientProfile(httpProfile=HttpProfile(protocol=scheme, endpoint=host))
    key = Credential(os.environ["TENCENTCLOUD_SECRETID"], os.environ["TENCENTCLOUD_SECRETKEY"])
    client = CommonClient("emr", "2019-01-03", key, "ap-guangzhou", profile)
    component = {"ComponentName": labels["component"], "IpList": [labels["ip"]]}
    params = {
        "InstanceId": labels["cluster_id"],
        "OpType": "RestartService",
        "OpScope": {"ServiceInfoList": [{"ServiceName": labels["service"], "ComponentInfoList": [component]}]},
        "StrategyConfig": {"RollingRestartSwitch": 1, "BatchSize": 1, "TimeWait": 30, "DealOnFail": 0},
    }
    return str(client.call_json("StartStopServiceOrMonitor", params)["Response"]["RequestId"])

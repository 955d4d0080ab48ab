"""The usual handler: pydantic models for the payload, and the SDK's typed client.

It makes one request for each alert.
"""

import os
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.emr.v20190103 import emr_client, models


class Labels(BaseModel):
    alertname: str
    cluster_id: str = Field(pattern=r"^emr-[a-z0-9]{8}$")
    service: str
    component: str
    ip: str


class Alert(BaseModel):
    status: Literal["firing", "resolved"]
    labels: Labels
    annotations: dict[str, str] = {}
    startsAt: datetime  # noqa: N815 - the sender's name
    fingerprint: str


class Webhook(BaseModel):
    version: Literal["4"]
    status: Literal["firing", "resolved"]
    alerts: list[Alert]


def main_handler(event: Any, context: Any) -> dict[str, Any]:
    webhook = Webhook.model_validate(event)
    answers = [restart(alert.labels) for alert in webhook.alerts if alert.status == "firing"]
    return {"answers": answers}


def restart(labels: Labels) -> str:
    scheme, _, host = os.environ["STEWARD_EMR_ENDPOINT"].partition("://")
    http = HttpProfile(protocol=scheme, endpoint=host)
    key = credential.Credential(os.environ["TENCENTCLOUD_SECRETID"], os.environ["TENCENTCLOUD_SECRETKEY"])
    client = emr_client.EmrClient(key, "ap-guangzhou", ClientProfile(httpProfile=http))
    component = models.ComponentBasicRestartInfo()
    component.ComponentName = labels.component
    component.IpList = [labels.ip]
    service = models.ServiceBasicRestartInfo()
    service.ServiceName = labels.service
    service.ComponentInfoList = [component]
    scope = models.OpScope()
    scope.ServiceInfoList = [service]
    strategy = models.StrategyConfig()
    strategy.RollingRestartSwitch = 1
    strategy.BatchSize = 1
    strategy.TimeWait = 30
    strategy.DealOnFail = 0
    request = models.StartStopServiceOrMonitorRequest()
    request.InstanceId = labels.cluster_id
    request.OpType = "RestartService"
    request.OpScope = scope
    request.StrategyConfig = strategy
    return str(client.StartStopServiceOrMonitor(request).RequestId)

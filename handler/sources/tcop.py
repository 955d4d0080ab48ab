"""Cloud Monitor's alarm callback (TCOP, "Alarm Callback Description"): metric alarms, event alarms, and types yet unknown.

What EMR sends there has never been published as it is. Known are the policy types (``hdfs_datanode``), the namespaces
(``QCE/TXMR_HDFS``) and the names of the dimensions (``id4hdfsdatanode``, ``host4hdfsdatanode``); whatever else comes is looked
through for a cluster's id and an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from handler.errors import Fault, InvalidInput
from handler.events import Event, Unreadable
from handler.sources import places, text
from handler.sources.moments import CHINA, moment
from handler.sources.processes import process_of_policy
from handler.validation import Shape

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.events import Status


class ObjectInfo(TypedDict):
    """What the alarm is about. Dimensions differ from product to product."""

    region: NotRequired[Any]
    namespace: NotRequired[Any]
    dimensions: NotRequired[Any]


class PolicyInfo(TypedDict):
    """The alarm's policy. Thresholds and values are strings or numbers, and may be missing."""

    policyId: NotRequired[Any]
    policyType: NotRequired[Any]
    policyName: NotRequired[Any]
    conditions: NotRequired["dict[str, Any] | None"]


class Alarm(TypedDict):
    """The callback's body. ``alarmStatus`` and ``durationTime`` are strings or numbers."""

    alarmStatus: Any
    sessionId: NotRequired[Any]
    alertId: NotRequired[Any]
    alarmType: NotRequired[Any]
    alarmLevel: NotRequired[Any]
    alarmObjInfo: NotRequired["ObjectInfo | None"]
    alarmPolicyInfo: NotRequired["PolicyInfo | None"]
    firstOccurTime: NotRequired[Any]
    durationTime: NotRequired[Any]
    recoverTime: NotRequired[Any]


ALARM = Shape(Alarm)

#: The short codes of regions in callbacks.
REGIONS = {
    "gz": "ap-guangzhou",
    "sh": "ap-shanghai",
    "bj": "ap-beijing",
    "cd": "ap-chengdu",
    "cq": "ap-chongqing",
    "nj": "ap-nanjing",
    "hk": "ap-hongkong",
    "sg": "ap-singapore",
    "th": "ap-bangkok",
    "kr": "ap-seoul",
    "jp": "ap-tokyo",
    "in": "ap-mumbai",
    "de": "eu-frankfurt",
    "ca": "na-toronto",
    "usw": "na-siliconvalley",
    "use": "na-ashburn",
}
DIMENSION = "dimension"


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The callback's one event. Raises InvalidInput."""
    alarm = ALARM.read(payload, at)
    prefix = f"{at}." if at else ""
    status = _status(alarm["alarmStatus"], f"{prefix}alarmStatus")
    about: ObjectInfo = alarm.get("alarmObjInfo") or {}
    policy: PolicyInfo = alarm.get("alarmPolicyInfo") or {}
    conditions = policy.get("conditions") or {}
    dimensions = text.flattened(about.get("dimensions"), DIMENSION)
    name = text.as_text(conditions.get("metricName")) or text.as_text(conditions.get("eventName"))
    namespace, policy_type = text.as_text(about.get("namespace")), text.as_text(policy.get("policyType"))
    process = process_of_policy(policy_type, namespace)
    first = text.as_text(alarm.get("firstOccurTime"))
    recovered = moment(text.as_text(alarm.get("recoverTime")), CHINA) if status == "resolved" else None
    level = next((found for part in (alarm, policy, conditions) if (found := text.as_text(part.get("alarmLevel")))), "")
    return [
        Event(
            id=_identity(payload, alarm, name, first),
            source="tcop",
            name=text.plain(name or text.as_text(alarm.get("alarmType")), text.MOST_IN_NAME),
            status=status,
            severity=text.plain(level, text.MOST_IN_NAME),
            cluster=_by_view(dimensions, "id4", places.cluster) or places.only_cluster(dimensions.values()),
            service=process.service,
            component=process.component,
            ip=_by_view(dimensions, "host4", places.address) or places.only_address(dimensions.values()),
            labels=text.labels({**_labels(alarm, about, policy, conditions), **dimensions}),
            occurred_at=moment(first, CHINA) if recovered is None else recovered,
            message=text.plain(_message(conditions, policy), text.MOST_IN_MESSAGE),
        )
    ]

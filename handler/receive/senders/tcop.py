"""Cloud Monitor's alarm callback (TCOP, "Alarm Callback Description"): metric alarms, event alarms, and types yet unknown.

What EMR sends there has never been published as it is. Known are the policy types (``hdfs_datanode``), the namespaces
(``QCE/TXMR_HDFS``) and the names of the dimensions (``id4hdfsdatanode``, ``host4hdfsdatanode``); whatever else comes is
looked through for a cluster's id and an address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import NotRequired, TypedDict

from handler.errors import FieldError, InvalidInput
from handler.lib import wording
from handler.lib.validation import Schema
from handler.model.components import process_of_policy
from handler.model.event import Event, Unreadable
from handler.receive import locators, sanitize
from handler.receive.timestamps import CHINA, moment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handler.model.event import Status


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
    alarmLevel: NotRequired[Any]
    conditions: NotRequired[dict[str, Any] | None]


class Alarm(TypedDict):
    """The callback's body. ``alarmStatus`` and ``durationTime`` are strings or numbers."""

    alarmStatus: Any
    sessionId: NotRequired[Any]
    alertId: NotRequired[Any]
    alarmType: NotRequired[Any]
    alarmLevel: NotRequired[Any]
    alarmObjInfo: NotRequired[ObjectInfo | None]
    alarmPolicyInfo: NotRequired[PolicyInfo | None]
    firstOccurTime: NotRequired[Any]
    durationTime: NotRequired[Any]
    recoverTime: NotRequired[Any]


ALARM = Schema(Alarm)

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
    dimensions = sanitize.flattened(about.get("dimensions"), DIMENSION)
    name = sanitize.as_text(conditions.get("metricName")) or sanitize.as_text(conditions.get("eventName"))
    namespace, policy_type = sanitize.as_text(about.get("namespace")), sanitize.as_text(policy.get("policyType"))
    process = process_of_policy(policy_type, namespace)
    first = sanitize.as_text(alarm.get("firstOccurTime"))
    occurred_at = moment(first, CHINA)
    if (
        status == "resolved"
    ):  # "0", and whatever else is no time, leaves the first one, or none: nothing is done upon a recovery
        recovered = moment(sanitize.as_text(alarm.get("recoverTime")), CHINA)
        occurred_at = occurred_at if recovered is None else recovered
    elif occurred_at is None:
        # Without its age an old alarm would count as fresh.
        problem = (
            "is no time; YYYY-MM-DD hh:mm:ss is wanted"
            if first
            else "is missing or empty; YYYY-MM-DD hh:mm:ss is wanted"
        )
        raise InvalidInput(FieldError(f"{prefix}firstOccurTime", problem))
    level = next(
        (found for part in (alarm, policy, conditions) if (found := sanitize.as_text(part.get("alarmLevel")))), ""
    )
    return [
        Event(
            id=_identity(payload, alarm, name, first),
            source="tcop",
            name=sanitize.plain(name or sanitize.as_text(alarm.get("alarmType")), sanitize.MAX_IN_NAME),
            status=status,
            severity=sanitize.plain(level, sanitize.MAX_IN_NAME),
            cluster=_by_view(dimensions, "id4", locators.cluster) or locators.only_cluster(dimensions.values()),
            service=process.service,
            component=process.component,
            ip=_by_view(dimensions, "host4", locators.address) or locators.only_address(dimensions.values()),
            labels=sanitize.labels({**_labels(alarm, about, policy, conditions), **dimensions}),
            occurred_at=occurred_at,
            message=sanitize.plain(_message(conditions, policy), sanitize.MAX_IN_MESSAGE),
        )
    ]


def _status(written: object, field: str) -> Status:
    sign = written.strip() if isinstance(written, str) else written
    if isinstance(sign, bool) or sign not in ("1", "0", 1, 0):
        raise InvalidInput(FieldError(field, "is neither 1 (alarm) nor 0 (recovered)"))
    return "firing" if sign in ("1", 1) else "resolved"


def _identity(payload: Mapping[str, Any], alarm: Alarm, name: str, first: str) -> str:
    """What stays the same over the repeats of an alarm, the retries of their delivery, and the recovery.

    ``alertId`` where there is one (newer callbacks). Otherwise the policy, the object, the metric or event, and when it
    first occurred. ``sessionId`` names a delivery (it is what an answer gives back), so a repeat would look new by it:
    it serves only where nothing better is there.
    """
    if alert := sanitize.as_text(alarm.get("alertId")):
        return sanitize.identity(f"alert:{alert}")
    about, policy = alarm.get("alarmObjInfo") or {}, alarm.get("alarmPolicyInfo") or {}
    if first:
        return f"occurrence:{sanitize.digest([policy.get('policyId'), about.get('dimensions'), name, first])}"
    if session := sanitize.as_text(alarm.get("sessionId")):
        return sanitize.identity(f"session:{session}")
    return f"body:{sanitize.digest(payload)}"


def _by_view(dimensions: Mapping[str, str], view: str, reading: Callable[[str], str]) -> str:
    """What the dimensions of one kind (``id4…``, ``host4…``) agree in."""
    found = {reading(value) for key, value in dimensions.items() if f"_{view}" in key}
    return found.pop() if len(found) == 1 else ""


def _labels(alarm: Alarm, about: ObjectInfo, policy: PolicyInfo, conditions: Mapping[str, Any]) -> dict[str, str]:
    code = sanitize.as_text(about.get("region"))
    values = {
        "sessionId": alarm.get("sessionId"),
        "alertId": alarm.get("alertId"),
        "alarmType": alarm.get("alarmType"),
        "region": REGIONS.get(code, code),
        "region_code": code,
        "namespace": about.get("namespace"),
        "policyId": policy.get("policyId"),
        "policyType": policy.get("policyType"),
        "policyName": policy.get("policyName"),
        **{key: conditions.get(key) for key in _CONDITIONS},
        "duration": alarm.get("durationTime"),
    }
    return {key: written for key, value in values.items() if (written := sanitize.as_text(value))}


_CONDITIONS = (
    "metricName",
    "calcType",
    "calcValue",
    "calcUnit",
    "currentValue",
    "unit",
    "productName",
    "eventName",
    "alarmNotifyType",
)


def _message(conditions: Mapping[str, Any], policy: PolicyInfo) -> str:
    """``test: CPU utilization > 90% (now 100%)``."""

    def of(key: str) -> str:
        return sanitize.as_text(conditions.get(key))

    what = of("metricShowName") or of("eventShowName") or of("metricName") or of("eventName")
    if of("calcType") and of("calcValue"):
        what += f" {of('calcType')} {of('calcValue')}{of('calcUnit')}"
    if of("currentValue"):
        what += f" (now {of('currentValue')}{of('unit')})"
    return ": ".join(filter(None, (sanitize.as_text(policy.get("policyName")), what)))


def response_fields(payload: dict[str, Any]) -> dict[str, Any]:
    """The fields that older pages of Cloud Monitor demand in the response: its ``sessionId``, and ``retCode`` 0."""
    session = payload.get("sessionId")
    return {"sessionId": wording.cut(session, 256), "retCode": 0} if isinstance(session, str) else {}

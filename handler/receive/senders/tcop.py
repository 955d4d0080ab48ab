"""Cloud Monitor: the alarm callback for metric alarms, event alarms and any other type.

Source: TCOP, "Alarm Callback Description". Tencent has not published an example of EMR's own callbacks. Documented are
the policy types (``hdfs_datanode``), the namespaces (``QCE/TXMR_HDFS``) and the names of the dimensions
(``id4hdfsdatanode``, ``host4hdfsdatanode``). All other dimensions are searched for a cluster id and an address.
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
from handler.receive.timestamps import CHINA, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handler.model.event import Status


class ObjectInfo(TypedDict):
    """The object of the alarm. Its dimensions differ from product to product."""

    region: NotRequired[Any]
    namespace: NotRequired[Any]
    dimensions: NotRequired[Any]


class PolicyInfo(TypedDict):
    """The policy of the alarm. Its values are strings or numbers, and may be missing."""

    policyId: NotRequired[Any]
    policyType: NotRequired[Any]
    policyName: NotRequired[Any]
    alarmLevel: NotRequired[Any]
    conditions: NotRequired[dict[str, Any] | None]


class Alarm(TypedDict):
    """The body of the callback. ``alarmStatus`` and ``durationTime`` are strings or numbers."""

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

#: The API's region for each short code that callbacks use.
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
#: The prefix of the labels that hold the dimensions.
DIMENSION = "dimension"


def read(payload: dict[str, Any], at: str) -> list[Event | Unreadable]:
    """The one event of the callback. Raises InvalidInput."""
    alarm = ALARM.validate(payload, at)
    prefix = f"{at}." if at else ""
    status = _status(alarm["alarmStatus"], f"{prefix}alarmStatus")
    alarm_object: ObjectInfo = alarm.get("alarmObjInfo") or {}
    policy: PolicyInfo = alarm.get("alarmPolicyInfo") or {}
    conditions = policy.get("conditions") or {}
    dimensions = sanitize.flattened(alarm_object.get("dimensions"), DIMENSION)
    name = sanitize.as_text(conditions.get("metricName")) or sanitize.as_text(conditions.get("eventName"))
    namespace, policy_type = sanitize.as_text(alarm_object.get("namespace")), sanitize.as_text(policy.get("policyType"))
    process = process_of_policy(policy_type, namespace)
    first_time = sanitize.as_text(alarm.get("firstOccurTime"))
    occurred_at = parse_time(first_time, CHINA)
    if status == "resolved":
        # Invalid times ("0") are tolerated here, because nothing is done upon a recovery.
        recovered_at = parse_time(sanitize.as_text(alarm.get("recoverTime")), CHINA)
        occurred_at = occurred_at if recovered_at is None else recovered_at
    elif occurred_at is None:
        # An alarm of unknown age could be an old one that is delivered late.
        problem = "is not a time" if first_time else "is missing or empty"
        raise InvalidInput(FieldError(f"{prefix}firstOccurTime", f"{problem}; expected YYYY-MM-DD hh:mm:ss"))
    level = next(
        (found for part in (alarm, policy, conditions) if (found := sanitize.as_text(part.get("alarmLevel")))), ""
    )
    return [
        Event(
            id=_identity(payload, alarm, name, first_time),
            source="tcop",
            name=sanitize.plain(name or sanitize.as_text(alarm.get("alarmType")), sanitize.MAX_IN_NAME),
            status=status,
            severity=sanitize.plain(level, sanitize.MAX_IN_NAME),
            cluster=_from_dimensions(dimensions, "id4", locators.cluster) or locators.only_cluster(dimensions.values()),
            service=process.service,
            component=process.component,
            ip=_from_dimensions(dimensions, "host4", locators.address) or locators.only_address(dimensions.values()),
            labels=sanitize.labels({**_labels(alarm, alarm_object, policy, conditions), **dimensions}),
            occurred_at=occurred_at,
            message=sanitize.plain(_message(conditions, policy), sanitize.MAX_IN_MESSAGE),
            alert=f"alarm:{sanitize.digest([policy.get('policyId'), alarm_object.get('dimensions'), name])}",
            started_at=parse_time(first_time, CHINA),
        )
    ]


def _status(raw: object, field: str) -> Status:
    value = raw.strip() if isinstance(raw, str) else raw
    if isinstance(value, bool) or value not in ("1", "0", 1, 0):
        raise InvalidInput(FieldError(field, "is not valid; expected 1 (alarm) or 0 (recovered)"))
    return "firing" if value in ("1", 1) else "resolved"


def _identity(payload: Mapping[str, Any], alarm: Alarm, name: str, first_time: str) -> str:
    """The id of the occurrence, the same for an alarm, its repeats, their redeliveries and its recovery.

    Newer callbacks have an ``alertId``. Without it, the id is a hash of the policy, the object, the metric or event, and
    the time of the first occurrence. The ``sessionId`` is the last resort: it names one delivery, so that a repeat of
    the alarm would look new.
    """
    if alert_id := sanitize.as_text(alarm.get("alertId")):
        return sanitize.identity(f"alert:{alert_id}")
    alarm_object, policy = alarm.get("alarmObjInfo") or {}, alarm.get("alarmPolicyInfo") or {}
    if first_time:
        parts = [policy.get("policyId"), alarm_object.get("dimensions"), name, first_time]
        return f"occurrence:{sanitize.digest(parts)}"
    if session := sanitize.as_text(alarm.get("sessionId")):
        return sanitize.identity(f"session:{session}")
    return f"body:{sanitize.digest(payload)}"


def _from_dimensions(dimensions: Mapping[str, str], prefix: str, parse: Callable[[str], str]) -> str:
    """The value on which all dimensions with the prefix (``id4``, ``host4``) agree, or an empty string."""
    found = {parse(value) for key, value in dimensions.items() if f"_{prefix}" in key}
    return found.pop() if len(found) == 1 else ""


def _labels(
    alarm: Alarm, alarm_object: ObjectInfo, policy: PolicyInfo, conditions: Mapping[str, Any]
) -> dict[str, str]:
    code = sanitize.as_text(alarm_object.get("region"))
    values = {
        "sessionId": alarm.get("sessionId"),
        "alertId": alarm.get("alertId"),
        "alarmType": alarm.get("alarmType"),
        "region": REGIONS.get(code, code),
        "region_code": code,
        "namespace": alarm_object.get("namespace"),
        "policyId": policy.get("policyId"),
        "policyType": policy.get("policyType"),
        "policyName": policy.get("policyName"),
        **{key: conditions.get(key) for key in _CONDITION_KEYS},
        "duration": alarm.get("durationTime"),
    }
    return {key: written for key, value in values.items() if (written := sanitize.as_text(value))}


#: The fields of the policy's conditions that become labels.
_CONDITION_KEYS = (
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
    """The alarm in one line, such as ``test: CPU utilization > 90% (now 100%)``."""

    def text_of(key: str) -> str:
        return sanitize.as_text(conditions.get(key))

    subject = text_of("metricShowName") or text_of("eventShowName") or text_of("metricName") or text_of("eventName")
    if text_of("calcType") and text_of("calcValue"):
        subject += f" {text_of('calcType')} {text_of('calcValue')}{text_of('calcUnit')}"
    if text_of("currentValue"):
        subject += f" (now {text_of('currentValue')}{text_of('unit')})"
    return ": ".join(filter(None, (sanitize.as_text(policy.get("policyName")), subject)))


def response_fields(payload: dict[str, Any]) -> dict[str, Any]:
    """The fields that Cloud Monitor requires in the response, according to its older pages."""
    session = payload.get("sessionId")
    return {"sessionId": wording.cut(session, 256), "retCode": 0} if isinstance(session, str) else {}

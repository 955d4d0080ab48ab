"""Each action's parameters, checked strictly: an unknown one is refused, not dropped.

The SDK's typed client drops unknown keys in silence, which can widen a scope; here such a request fails. Which keys
there are, and their types, comes from the SDK's models (``request_models.py``); what the pages document beyond that is
:data:`RULES`. Sources: StartStopServiceOrMonitor, DescribeInstances, DescribeInstancesList, DescribeServiceNodeInfos
(EMR API 2019-01-03), AssumeRole (STS API 2018-08-13) and PutEvents (EventBridge API 2021-04-16).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from harness.fake_cloud.errors import ApiError, missing_parameter
from harness.fake_cloud.wire.request_models import SCALARS, request_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.fake_cloud.wire.request_models import Model


class Rule(NamedTuple):
    """What the documentation requires of a parameter beyond its type.

    ``minimum`` and ``maximum`` bound a number, or the length of a list or a text.
    """

    required: bool = False
    default: Any = None
    one_of: tuple[Any, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    pattern: str = ""


_REQUIRED: Final = Rule(required=True)
_DISPLAY: Final = Rule(required=True, one_of=("clusterList", "monitorManage", "cloudHardwareManage", "componentManage"))
_SWITCH: Final = Rule(default=0, one_of=(0, 1))
_OFFSET: Final = Rule(default=0, minimum=0)
_PAGE_SIZE: Final = Rule(default=100, minimum=1, maximum=100)

#: By model, then parameter. A parameter that is not listed may be left out, and any value of its type is valid.
RULES: Final[Mapping[str, Mapping[str, Rule]]] = {
    "StartStopServiceOrMonitorRequest": {
        "InstanceId": _REQUIRED,
        "OpType": Rule(
            required=True, one_of=("StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor")
        ),
        "OpScope": _REQUIRED,
    },
    "OpScope": {"ServiceInfoList": Rule(required=True, minimum=1)},
    "ServiceBasicRestartInfo": {"ServiceName": _REQUIRED, "ComponentInfoList": Rule(default=())},
    "ComponentBasicRestartInfo": {"ComponentName": _REQUIRED, "IpList": Rule(default=())},
    "StrategyConfig": {
        "RollingRestartSwitch": _SWITCH,
        "BatchSize": Rule(default=1, minimum=1, maximum=99_999),
        "TimeWait": Rule(default=0, minimum=0, maximum=300),
        "DealOnFail": _SWITCH,
    },
    "Arg": {"Key": _REQUIRED, "Values": _REQUIRED},
    "StopParams": {
        "StopPolicy": Rule(one_of=("safe", "default")),
        "ThreadCount": Rule(minimum=1),
        "GraceDownTime": Rule(minimum=0),
    },
    "DescribeInstancesRequest": {
        "DisplayStrategy": _DISPLAY,
        "InstanceIds": Rule(default=()),
        "Offset": _OFFSET,
        "Limit": _PAGE_SIZE,
        "ProjectId": Rule(default=0),  # the default project; -1 is all
        "OrderField": Rule(default=""),
        "Asc": _SWITCH,
    },
    "DescribeInstancesListRequest": {
        "DisplayStrategy": _DISPLAY,
        "Offset": _OFFSET,
        "Limit": _PAGE_SIZE,
        "OrderField": Rule(default=""),
        "Asc": _SWITCH,
        "Filters": Rule(default=()),
        "ClusterType": Rule(default=0, one_of=(0, 2)),
    },
    "Filters": {"Name": Rule(required=True, one_of=("ClusterId", "ClusterName", "ClusterStatus")), "Values": _REQUIRED},
    "DescribeServiceNodeInfosRequest": {
        "InstanceId": _REQUIRED,
        # The page asks for it or for a ServiceGroupType that no model has: in effect it is required.
        "ServiceName": _REQUIRED,
        "Offset": _OFFSET,
        # No default is documented. The page's own sample asks for 999: more than a page holds is answered with a page.
        "Limit": Rule(default=10, minimum=1),
        "SearchText": Rule(default=""),
        "ConfStatus": Rule(default=-99, one_of=(-99, -2, -1, 1)),
        "MaintainStateId": Rule(default=0, one_of=(0, 1, 2)),
        "OperatorStateId": Rule(default=0, one_of=(0, 1, 2)),
        "HealthStateId": Rule(default="-99", one_of=("-99", "0", "1", "-2", "-3", "-4")),
        "NodeTypeName": Rule(default="", one_of=("", "master", "core", "task", "common", "router")),
        "DataNodeMaintenanceId": _SWITCH,
        "SearchFields": Rule(default=()),
    },
    "SearchItem": {"SearchType": Rule(required=True, one_of=("ipv4",)), "SearchValue": _REQUIRED},
    "AssumeRoleRequest": {
        "RoleArn": Rule(required=True, pattern=r"qcs::cam::uin/[0-9]+:role(Name)?/.+"),
        "RoleSessionName": Rule(required=True, minimum=2, maximum=128, pattern=r"[A-Za-z0-9_+=,.@-]*"),
        "DurationSeconds": Rule(default=7200, minimum=1, maximum=43_200),
    },
    "PutEventsRequest": {"EventList": Rule(required=True, minimum=1), "EventBusId": Rule(required=True, minimum=1)},
    "Event": {"Source": _REQUIRED, "Data": _REQUIRED, "Type": _REQUIRED, "Subject": _REQUIRED},
}

#: Which of several errors is reported.
_PRECEDENCE: Final = ("UnknownParameter", "MissingParameter", "InvalidParameter")

_NO_RULE: Final = Rule()
_NO_RULES: Final[Mapping[str, Rule]] = {}


def read_object(body: bytes) -> dict[str, Any]:
    """A request's body.

    Raises InvalidParameter if it is not a JSON object, or if an object in it has a key twice or a null.
    """
    try:
        params = json.loads(body or b"{}", object_pairs_hook=_object, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("InvalidParameter", f"The body is not valid JSON: {error}") from None
    if not isinstance(params, dict):
        raise ApiError("InvalidParameter", "The body is not a JSON object.")
    return params


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a key appears twice")
    for name, value in pairs:
        if value is None:  # not the same as absent: a client that sends it has lost a value on the way
            raise ApiError("InvalidParameter", f"The value of parameter `{name}` is null.")
    return read


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def check(service: str, action: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """``params`` with the documented defaults filled in.

    Raises UnknownParameter, MissingParameter or InvalidParameter, naming the parameter.
    """
    model = request_model(service, action)
    errors = sorted(_errors_in(model, params, ""), key=lambda error: _PRECEDENCE.index(error.code))
    if errors:
        raise errors[0]
    return _with_defaults(model, params)


def _errors_in(model: Model, value: Mapping[str, Any], at: str) -> Iterator[ApiError]:
    """Each error in an object. ``at`` is the prefix of its parameters, such as ``OpScope.``."""
    rules = RULES.get(model.name, _NO_RULES)
    for name, inner in value.items():
        parameter = model.parameters.get(name)
        if parameter is None:
            yield ApiError("UnknownParameter", f"The parameter `{at}{name}` is not recognized.")
        elif parameter.is_list and isinstance(inner, list):
            yield from _errors_by_rule(rules.get(name, _NO_RULE), inner, f"{at}{name}")
            for position, item in enumerate(inner):
                yield from _errors_in_value(parameter.type, _NO_RULE, item, f"{at}{name}.{position}")
        elif parameter.is_list:
            yield _invalid(f"{at}{name}", "it must be a list")
        else:
            yield from _errors_in_value(parameter.type, rules.get(name, _NO_RULE), inner, f"{at}{name}")
    for name, rule in rules.items():
        if rule.required and name not in value:
            yield missing_parameter(f"{at}{name}")


def _errors_in_value(kind: str | Model, rule: Rule, value: Any, at: str) -> Iterator[ApiError]:
    if not isinstance(kind, str):
        if isinstance(value, dict):
            yield from _errors_in(kind, value, f"{at}.")
        else:
            yield _invalid(at, "it must be an object")
    # A boolean is an int in Python, and not in JSON.
    elif not isinstance(value, SCALARS[kind]) or isinstance(value, bool) != (kind == "bool"):
        yield _invalid(at, f"its type must be {kind}")
    else:
        yield from _errors_by_rule(rule, value, at)


def _errors_by_rule(rule: Rule, value: Any, at: str) -> Iterator[ApiError]:
    if rule.one_of and value not in rule.one_of:
        yield _invalid(at, f"it must be one of {', '.join(map(repr, rule.one_of))}")
    size, what = (len(value), "its length") if isinstance(value, (str, list)) else (value, "it")
    if rule.minimum is not None and size < rule.minimum:
        yield _invalid(at, f"{what} must be at least {rule.minimum}")
    if rule.maximum is not None and size > rule.maximum:
        yield _invalid(at, f"{what} must be at most {rule.maximum}")
    if rule.pattern and not re.fullmatch(rule.pattern, value):
        yield _invalid(at, f"it must match {rule.pattern}")


def _invalid(at: str, problem: str) -> ApiError:
    return ApiError("InvalidParameter", f"The parameter `{at}` is not valid: {problem}.")


def _with_defaults(model: Model, value: Mapping[str, Any]) -> dict[str, Any]:
    filled = {name: rule.default for name, rule in RULES.get(model.name, _NO_RULES).items() if rule.default is not None}
    for name, inner in value.items():
        parameter = model.parameters[name]
        if isinstance(parameter.type, str):
            filled[name] = inner
        elif parameter.is_list:
            filled[name] = [_with_defaults(parameter.type, item) for item in inner]
        else:
            filled[name] = _with_defaults(parameter.type, inner)
    return filled

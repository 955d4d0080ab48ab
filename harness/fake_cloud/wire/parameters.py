"""Each action's parameters, read strictly: what the action does not have is refused, not dropped.

The typed models of the SDK drop unknown keys in silence, which can widen a scope; here such a request fails. Sources:
StartStopServiceOrMonitor, DescribeInstances, DescribeInstancesList, DescribeServiceNodeInfos (EMR API 2019-01-03),
AssumeRole (STS API 2018-08-13) and PutEvents (EventBridge API 2021-04-16).
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.fake_cloud.errors import ApiError, missing_parameter
from harness.fake_cloud.state.workflow import ScopePart, Strategy

Display = Literal["clusterList", "monitorManage", "cloudHardwareManage", "componentManage"]
PageSize = Annotated[int, Field(ge=1, le=100)]
PageOffset = Annotated[int, Field(ge=0)]


class Parameters(BaseModel):
    """No unknown keys; a number is a number, a string a string."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


# -- StartStopServiceOrMonitor


class ComponentBasicRestartInfo(Parameters):
    ComponentName: str
    IpList: list[str] = []


class ServiceBasicRestartInfo(Parameters):
    ServiceName: str
    ComponentInfoList: list[ComponentBasicRestartInfo] = []

    def parts(self) -> list[ScopePart]:
        """As the state understands it. An empty list is an absent one: everything."""
        if not self.ComponentInfoList:
            return [ScopePart(self.ServiceName)]
        return [
            ScopePart(self.ServiceName, component.ComponentName, tuple(component.IpList))
            for component in self.ComponentInfoList
        ]


class Scope(Parameters):
    ServiceInfoList: Annotated[list[ServiceBasicRestartInfo], Field(min_length=1)]


class Arg(Parameters):
    Key: str
    Values: list[str]


class RestartStrategy(Parameters):
    RollingRestartSwitch: Annotated[int, Field(ge=0, le=1)] = 0
    BatchSize: Annotated[int, Field(ge=1, le=99_999)] = 1
    TimeWait: Annotated[int, Field(ge=0, le=300)] = 0
    DealOnFail: Annotated[int, Field(ge=0, le=1)] = 0
    Args: list[Arg] = []

    def strategy(self) -> Strategy:
        """As the state understands it."""
        return Strategy(
            rolling=self.RollingRestartSwitch == 1,
            batch_size=self.BatchSize,
            wait_seconds=self.TimeWait,
            skip_failures=self.DealOnFail == 1,
        )


class StopStrategy(Parameters):
    StopPolicy: Literal["safe", "default"] = "default"
    ThreadCount: Annotated[int, Field(ge=1)] = 1
    GraceDownTime: Annotated[int, Field(ge=0)] = 0


class StartStopServiceOrMonitor(Parameters):
    InstanceId: str
    OpType: Literal["StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor"]
    OpScope: Scope
    StrategyConfig: RestartStrategy | None = None
    # These two are taken and change nothing here: the one matters while processes stop, the other to the daemon, which
    # maintenance switches off in either case.
    StopParams: StopStrategy | None = None
    KeepMonitorButNotRecoverProcess: bool = False

    def scope(self) -> list[ScopePart]:
        """As the state understands it."""
        return [part for service in self.OpScope.ServiceInfoList for part in service.parts()]

    def strategy(self) -> Strategy:
        """As the state understands it. Raises MissingParameter where RestartService comes without one."""
        if self.StrategyConfig is not None:
            return self.StrategyConfig.strategy()
        if self.OpType == "RestartService":
            raise missing_parameter("StrategyConfig")
        return Strategy()


# -- looking


class DescribeInstances(Parameters):
    DisplayStrategy: Display
    InstanceIds: list[str] = []
    Offset: PageOffset = 0
    Limit: PageSize = 10
    # Without -1 only the default project's clusters are seen.
    ProjectId: int = 0
    OrderField: str = ""
    Asc: Annotated[int, Field(ge=0, le=1)] = 0


class Filter(Parameters):
    Name: Literal["ClusterId", "ClusterName", "ClusterStatus"]
    Values: list[str]


class DescribeInstancesList(Parameters):
    DisplayStrategy: Display
    Offset: PageOffset = 0
    Limit: PageSize = 10
    OrderField: str = ""
    Asc: Annotated[int, Field(ge=0, le=1)] = 0
    Filters: list[Filter] = []
    ClusterType: Literal[0, 2] = 0


class SearchItem(Parameters):
    SearchType: Literal["ipv4"]
    SearchValue: str


class DescribeServiceNodeInfos(Parameters):
    InstanceId: str
    # The page asks for it or for a ServiceGroupType that no model has: in effect it is required.
    ServiceName: str
    Offset: PageOffset = 0
    # The page's own sample asks for 999, so more than a page holds is no error: it is answered with a page.
    Limit: Annotated[int, Field(ge=1)] = 10
    SearchText: str = ""
    ConfStatus: Literal[-99, -2, -1, 1] = -99
    MaintainStateId: Literal[0, 1, 2] = 0
    OperatorStateId: Literal[0, 1, 2] = 0
    HealthStateId: Literal["-99", "0", "1", "-2", "-3", "-4"] = "-99"
    NodeTypeName: Literal["", "master", "core", "task", "common", "router"] = ""
    DataNodeMaintenanceId: Literal[0, 1] = 0
    SearchFields: list[SearchItem] = []


# -- STS


class AssumeRole(Parameters):
    RoleArn: Annotated[str, Field(pattern=r"^qcs::cam::uin/[0-9]+:role(Name)?/.+$")]
    RoleSessionName: Annotated[str, Field(min_length=2, max_length=128, pattern=r"^[A-Za-z0-9_+=,.@-]*$")]
    DurationSeconds: Annotated[int, Field(ge=1, le=43_200)] = 7200


# -- EventBridge


class Event(Parameters):
    Source: str
    Data: str
    Type: str
    Subject: str
    Time: int | None = None


class PutEvents(Parameters):
    EventList: Annotated[list[Event], Field(min_length=1)]
    EventBusId: Annotated[str, Field(min_length=1)]


P = TypeVar("P", bound=Parameters)


def read(kind: type[P], params: dict[str, Any]) -> P:
    """``params`` as ``kind``. Raises UnknownParameter, MissingParameter or InvalidParameter, naming the key."""
    _refuse_null(params, "")
    try:
        return kind.model_validate(params)
    except ValidationError as error:
        raise _refusal(error) from None


def read_object(body: bytes) -> dict[str, Any]:
    """A request's body. Raises InvalidParameter where it is no JSON object, or names a key twice."""
    try:
        params = json.loads(body or b"{}", object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("InvalidParameter", f"The body is not valid JSON: {error}") from None
    if not isinstance(params, dict):
        raise ApiError("InvalidParameter", "The body is not a JSON object.")
    return params


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a key appears twice")
    return read


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_null(value: object, at: str) -> None:
    """``null`` is not "absent": a client that sends it has lost a value on the way."""
    if value is None:
        raise ApiError("InvalidParameter", f"The value of parameter `{at}` is null.")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_null(inner, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _refuse_null(inner, f"{at}.{position}")


def _refusal(error: ValidationError) -> ApiError:
    faults = {fault["type"]: fault for fault in reversed(error.errors(include_url=False))}
    if unknown := faults.get("extra_forbidden"):
        return ApiError("UnknownParameter", f"The parameter `{_name(unknown['loc'])}` is not recognized.")
    if missing := faults.get("missing"):
        return missing_parameter(_name(missing["loc"]))
    first = error.errors(include_url=False)[0]
    return ApiError("InvalidParameter", f"The parameter `{_name(first['loc'])}` is not valid: {first['msg']}.")


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location))

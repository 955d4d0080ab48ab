"""A direct call: a StartStopServiceOrMonitor request with the API's own field names.

Source: EMR API 2019-01-03. Validation is strict because the official SDK silently drops unknown keys: with a mistyped
``ComponentInfoList``, the scope of a request would grow to the whole service.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from typing_extensions import NotRequired, TypedDict

from handler.errors import FieldError, InvalidInput
from handler.lib.validation import UNKNOWN, Bound, Schema
from handler.model import names
from handler.model.event import Event, Unreadable
from handler.model.request import Action, OpType, Request, StopParams, StrategyConfig
from handler.model.scope import OpScope
from handler.receive import sanitize

_STRICT: Any = {"extra": "forbid", "strict": True}

Switch = Annotated[int, Bound(ge=0, le=1)]
Name = Annotated[str, Bound(min_length=1, max_length=64)]


class ComponentInfo(TypedDict):
    """A component on the nodes of ``IpList``, or on all its nodes without one."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    ComponentName: Name
    IpList: NotRequired[Annotated[list[str], Bound(min_length=1, max_length=10_000)]]


class ServiceInfo(TypedDict):
    """The components of a service in ``ComponentInfoList``, or all of them without one."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    ServiceName: Name
    ComponentInfoList: NotRequired[Annotated[list[ComponentInfo], Bound(min_length=1, max_length=1000)]]


class Scope(TypedDict):
    """The ``OpScope`` of a call: services, components and nodes."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    ServiceInfoList: Annotated[list[ServiceInfo], Bound(min_length=1, max_length=1000)]


class Arg(TypedDict):
    """One additional argument of a strategy."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    Key: Annotated[str, Bound(min_length=1, max_length=256)]
    Values: Annotated[list[Annotated[str, Bound(max_length=1024)]], Bound(max_length=100)]


class Strategy(TypedDict):
    """The ``StrategyConfig`` of a call.

    The defaults are conservative: a rolling restart, one node at a time, 30 s apart, which stops at the first failure.
    """

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    RollingRestartSwitch: NotRequired[Switch]
    BatchSize: NotRequired[Annotated[int, Bound(ge=1, le=99_999)]]
    TimeWait: NotRequired[Annotated[int, Bound(ge=0, le=300)]]
    DealOnFail: NotRequired[Switch]
    Args: NotRequired[Annotated[list[Arg], Bound(max_length=100)]]


class Stop(TypedDict):
    """The ``StopParams`` of a call.

    The API's pages give no bounds for the numbers; these are the bounds of a 32-bit integer.
    """

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    StopPolicy: NotRequired[Literal["safe", "default"]]
    ThreadCount: NotRequired[Annotated[int, Bound(ge=1, le=2_147_483_647)]]
    GraceDownTime: NotRequired[Annotated[int, Bound(ge=0, le=2_147_483_647)]]


class Call(TypedDict):
    """The API's request with two more fields: the idempotency key ``Id``, and ``Reason``."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    InstanceId: str
    OpType: Literal["StartService", "StopService", "RestartService", "StartMonitor", "StopMonitor"]
    OpScope: Scope
    StrategyConfig: NotRequired[Strategy]
    StopParams: NotRequired[Stop]
    KeepMonitorButNotRecoverProcess: NotRequired[bool]
    Id: NotRequired[Annotated[str, Bound(min_length=1, max_length=128)]]
    Reason: NotRequired[Annotated[str, Bound(max_length=256)]]


CALL = Schema(Call)

#: The valid keys of each object, by the key that holds the object.
_VALID_KEYS: dict[str, tuple[str, ...]] = {
    parent: tuple(schema.__annotations__)
    for parent, schema in {
        "": Call,
        "OpScope": Scope,
        "ServiceInfoList": ServiceInfo,
        "ComponentInfoList": ComponentInfo,
        "StrategyConfig": Strategy,
        "Args": Arg,
        "StopParams": Stop,
    }.items()
}


def read(payload: dict[str, Any], at: str, key: str = "") -> list[Event | Unreadable]:
    """The event of the call.

    ``key`` is the caller's idempotency key, for a call without an ``Id``. Raises InvalidInput.
    """
    return [event_of(payload, at, key)]


def event_of(raw: object, at: str, key: str = "") -> Event:
    """The event of one call.

    Its id is the call's ``Id``, else ``key``, else a hash of the request. Raises InvalidInput, which names each invalid
    field, and for an unknown key the most similar valid one.
    """
    try:
        call = CALL.validate(raw, at)
    except InvalidInput as error:
        raise InvalidInput(*(_with_hint(field_error, at) for field_error in error.errors)) from None
    if errors := [FieldError(f"{at}.{field}" if at else field, problem) for field, problem in _problems(call)]:
        raise InvalidInput(*errors[:10])
    request = Request(call["InstanceId"], _action(call), _scope(call["OpScope"]))
    service, component, ip = _single_target(request.scope)
    return Event(
        id=sanitize.identity(call.get("Id") or key or fallback_id(request)),
        source="request",
        name=request.op_type.value,
        cluster=request.instance_id,
        service=service,
        component=component,
        ip=ip,
        message=sanitize.plain(call.get("Reason", ""), sanitize.MAX_IN_MESSAGE),
        request=request,
        is_named=bool(call.get("Id") or key),
    )


def fallback_id(request: Request) -> str:
    """The id of a call that has none: a hash of its request."""
    return f"digest:{request.digest()}"


def _problems(call: Call) -> list[tuple[str, str]]:
    """The errors that the schema does not find, as fields and problems."""
    found: list[tuple[str, str]] = []
    if not names.is_cluster_id(call["InstanceId"]):
        found.append(("InstanceId", f"is not a cluster id; expected {names.CLUSTER_ID_FORMAT}"))
    for place, service in enumerate(call["OpScope"]["ServiceInfoList"]):
        at = f"OpScope.ServiceInfoList[{place}]"
        if not names.is_process_name(service["ServiceName"]):
            found.append((f"{at}.ServiceName", _INVALID_NAME))
        for number, component in enumerate(service.get("ComponentInfoList", ())):
            below = f"{at}.ComponentInfoList[{number}]"
            if not names.is_process_name(component["ComponentName"]):
                found.append((f"{below}.ComponentName", _INVALID_NAME))
            found.extend(
                (f"{below}.IpList[{index}]", "is not an IP address; expected the private address of a node")
                for index, ip in enumerate(component.get("IpList", ()))
                if not names.address(ip)
            )
    if not call.get("Id", "-").isascii() or not call.get("Id", "-").isprintable():
        found.append(("Id", "holds characters that are not printable ASCII; use letters, digits and punctuation"))
    found += [(_WIRE_NAMES[field], problem) for field, problem in _action(call).problems()]
    return found


#: The API's names for the fields of an Action.
_WIRE_NAMES = {
    "strategy": "StrategyConfig",
    "stop_params": "StopParams",
    "keep_monitor": "KeepMonitorButNotRecoverProcess",
}
_INVALID_NAME = "is not a name; use letters, digits, dots, dashes and underscores, and begin with a letter or digit"


def _action(call: Call) -> Action:
    strategy, stop = call.get("StrategyConfig"), call.get("StopParams")
    return Action(
        OpType(call["OpType"]),
        None if strategy is None else _strategy(strategy),
        None
        if stop is None
        else StopParams(stop.get("StopPolicy"), stop.get("ThreadCount"), stop.get("GraceDownTime")),
        call.get("KeepMonitorButNotRecoverProcess"),
    )


def _strategy(wire: Strategy) -> StrategyConfig:
    defaults = StrategyConfig()
    return StrategyConfig(
        rolling=bool(wire.get("RollingRestartSwitch", defaults.rolling)),
        batch_size=wire.get("BatchSize", defaults.batch_size),
        time_wait=wire.get("TimeWait", defaults.time_wait),
        skip_failed=bool(wire.get("DealOnFail", defaults.skip_failed)),
        args=tuple((arg["Key"], tuple(arg["Values"])) for arg in wire.get("Args", ())),
    )


def _scope(wire: Scope) -> OpScope:
    return OpScope.union_of(part for service in wire["ServiceInfoList"] for part in _parts(service))


def _parts(service: ServiceInfo) -> list[OpScope]:
    name = service["ServiceName"]
    if "ComponentInfoList" not in service:
        return [OpScope.of_service(name)]
    return [
        OpScope.of_component(name, component["ComponentName"], map(names.address, component["IpList"]))
        if "IpList" in component
        else OpScope.of_component(name, component["ComponentName"])
        for component in service["ComponentInfoList"]
    ]


def _single_target(scope: OpScope) -> tuple[str, str, str]:
    """The service, component and address of the scope; whatever it names more than once stays empty."""
    targets = list(scope)
    if len(targets) == 1:
        service, component, ip = targets[0]
        return service, component or "", ip or ""
    services = {service for service, _, _ in targets}
    return (services.pop() if len(services) == 1 else "", "", "")


def _with_hint(error: FieldError, at: str) -> FieldError:
    """``error``; where it is about an unknown key, with the most similar valid key."""
    if error.problem != UNKNOWN:
        return error
    from handler.lib.wording import question

    inside = error.field.removeprefix(at).lstrip(".")
    holder, _, key = inside.rpartition(".")
    valid_keys = _VALID_KEYS.get(holder.rpartition(".")[2].partition("[")[0], ())
    return FieldError(error.field, f"{UNKNOWN}; {question(key, valid_keys) or _choice(valid_keys)}")


def _choice(valid_keys: tuple[str, ...]) -> str:
    return f"expected one of: {', '.join(valid_keys)}" if valid_keys else "remove it"

"""A direct call: a whole request of StartStopServiceOrMonitor, in the API's own words (EMR API 2019-01-03).

Strict, as the way to the API is not: the official SDK drops a key that it does not know, and a scope that lost its
``ComponentInfoList`` by a typing error is a whole service.
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
    """A component; without ``IpList`` on all its nodes."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    ComponentName: Name
    IpList: NotRequired[Annotated[list[str], Bound(min_length=1, max_length=10_000)]]


class ServiceInfo(TypedDict):
    """A service; without ``ComponentInfoList`` all its processes."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    ServiceName: Name
    ComponentInfoList: NotRequired[Annotated[list[ComponentInfo], Bound(min_length=1, max_length=1000)]]


class Scope(TypedDict):
    """``OpScope``."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    ServiceInfoList: Annotated[list[ServiceInfo], Bound(min_length=1, max_length=1000)]


class Arg(TypedDict):
    """A further argument of the command."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    Key: Annotated[str, Bound(min_length=1, max_length=256)]
    Values: Annotated[list[Annotated[str, Bound(max_length=1024)]], Bound(max_length=100)]


class Strategy(TypedDict):
    """``StrategyConfig``; what is not said is the careful choice: rolling, one at a time, 30 s between, block on failure."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    RollingRestartSwitch: NotRequired[Switch]
    BatchSize: NotRequired[Annotated[int, Bound(ge=1, le=99_999)]]
    TimeWait: NotRequired[Annotated[int, Bound(ge=0, le=300)]]
    DealOnFail: NotRequired[Switch]
    Args: NotRequired[Annotated[list[Arg], Bound(max_length=100)]]


class Stop(TypedDict):
    """``StopParams``. The API's pages give no bounds; these are a 32-bit integer's."""

    __pydantic_config__ = _STRICT  # type: ignore[misc]

    StopPolicy: NotRequired[Literal["safe", "default"]]
    ThreadCount: NotRequired[Annotated[int, Bound(ge=1, le=2_147_483_647)]]
    GraceDownTime: NotRequired[Annotated[int, Bound(ge=0, le=2_147_483_647)]]


class Call(TypedDict):
    """The API's request, and two words of ours: the caller's key of idempotency, and why."""

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

#: The words that may stand in an object, by the key that holds it.
_WORDS: dict[str, tuple[str, ...]] = {
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
    """The call's event. ``key`` is the caller's key of idempotency where the body has no ``Id``."""
    return [event_of(payload, at, key)]


def event_of(raw: object, at: str, key: str = "") -> Event:
    """The event of one call: its id is ``Id``, else ``key``, else that of a call without a name.

    Raises InvalidInput, naming each field that is wrong, and for an unknown key the nearest right word.
    """
    try:
        call = CALL.read(raw, at)
    except InvalidInput as error:
        raise InvalidInput(*(_with_hint(fault, at) for fault in error.errors)) from None
    if errors := [FieldError(f"{at}.{field}" if at else field, problem) for field, problem in _problems(call)]:
        raise InvalidInput(*errors[:10])
    request = Request(call["InstanceId"], _manner(call), _scope(call["OpScope"]))
    service, component, ip = _only_place(request.scope)
    return Event(
        id=sanitize.identity(call.get("Id") or key or unnamed(request)),
        source="request",
        name=request.op_type.value,
        cluster=request.instance_id,
        service=service,
        component=component,
        ip=ip,
        message=sanitize.plain(call.get("Reason", ""), sanitize.MAX_IN_MESSAGE),
        request=request,
    )


def unnamed(request: Request) -> str:
    """The id of a call without a name, which is known by what it asks."""
    return f"digest:{request.digest()}"


def _problems(call: Call) -> list[tuple[str, str]]:
    """What the shape does not tell, as fields and problems."""
    found: list[tuple[str, str]] = []
    if not names.is_cluster_id(call["InstanceId"]):
        found.append(("InstanceId", f"is not a cluster id ({names.CLUSTER_ID_IS})"))
    for place, service in enumerate(call["OpScope"]["ServiceInfoList"]):
        at = f"OpScope.ServiceInfoList[{place}]"
        if not names.is_process_name(service["ServiceName"]):
            found.append((f"{at}.ServiceName", _NO_NAME))
        for number, component in enumerate(service.get("ComponentInfoList", ())):
            below = f"{at}.ComponentInfoList[{number}]"
            if not names.is_process_name(component["ComponentName"]):
                found.append((f"{below}.ComponentName", _NO_NAME))
            found.extend(
                (f"{below}.IpList[{index}]", "is not an IP address")
                for index, ip in enumerate(component.get("IpList", ()))
                if not names.address(ip)
            )
    if not call.get("Id", "-").isascii() or not call.get("Id", "-").isprintable():
        found.append(("Id", "holds characters that are not printable ASCII"))
    found += [(_MANNER[field], problem) for field, problem in _manner(call).problems()]
    return found


#: The API's names of a action's fields.
_MANNER = {
    "strategy": "StrategyConfig",
    "stop_params": "StopParams",
    "keep_monitor": "KeepMonitorButNotRecoverProcess",
}
_NO_NAME = "is not a name (letters, digits, dots, dashes and underscores)"


def _manner(call: Call) -> Action:
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
    careful = StrategyConfig()
    return StrategyConfig(
        rolling=bool(wire.get("RollingRestartSwitch", careful.rolling)),
        batch_size=wire.get("BatchSize", careful.batch_size),
        time_wait=wire.get("TimeWait", careful.time_wait),
        skip_failed=bool(wire.get("DealOnFail", careful.skip_failed)),
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


def _only_place(scope: OpScope) -> tuple[str, str, str]:
    """Service, component and address where the scope names a single one; what is several stays empty."""
    found = list(scope)
    if len(found) == 1:
        service, component, ip = found[0]
        return service, component or "", ip or ""
    services = {service for service, _, _ in found}
    return (services.pop() if len(services) == 1 else "", "", "")


def _with_hint(fault: FieldError, at: str) -> FieldError:
    """The fault of an unknown key with the nearest word that may stand there."""
    if fault.problem != UNKNOWN:
        return fault
    from handler.lib.wording import question

    inside = fault.field.removeprefix(at).lstrip(".")
    holder, _, key = inside.rpartition(".")
    words = _WORDS.get(holder.rpartition(".")[2].partition("[")[0], ())
    return FieldError(fault.field, f"{UNKNOWN}; {question(key, words) or _choice(words)}")


def _choice(words: tuple[str, ...]) -> str:
    return f"may be {', '.join(words)}" if words else "nothing of the kind may stand here"

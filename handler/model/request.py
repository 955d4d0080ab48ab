"""What can be asked of a cluster: the request of ``StartStopServiceOrMonitor`` and the algebra of its scope.

The words are the API's own (EMR API 2019-01-03, StartStopServiceOrMonitor). Values are immutable and compare by
meaning; :meth:`Request.to_wire` is the only way from here to the API's JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Union

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class OpType(str, Enum):
    """What to do. The values are the wire's strings."""

    START_SERVICE = "StartService"
    STOP_SERVICE = "StopService"
    RESTART_SERVICE = "RestartService"
    # The Chinese page is followed here (进入维护 / 退出维护); the English one reads the other way round.
    START_MONITOR = "StartMonitor"  # *leaves* maintenance: the processes are watched and pulled up again
    STOP_MONITOR = "StopMonitor"  # *enters* maintenance: dead processes stay dead

    def __str__(self) -> str:
        return self.value


class Target(NamedTuple):
    """One process of one cluster, as ``DescribeServiceNodeInfos`` names it."""

    service: str
    component: str
    ip: str

    @property
    def key(self) -> str:
        """The process's identity, whatever case a sender wrote it in."""
        return _key_begin(self.service, self.component) + self.ip

    def __str__(self) -> str:
        return f"{self.service}/{self.component}/{self.ip}"


@lru_cache(maxsize=512)
def _key_begin(service: str, component: str) -> str:
    return f"{service.upper()}/{component.lower()}/"


class All(Enum):
    """Every component of a service, or every node of a component: wider than any list."""

    ALL = "all"

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = All.ALL

Addresses = Union[Literal[All.ALL], "frozenset[str]"]
#: A component's name as it was first written, and its nodes.
Component = tuple[str, Addresses]
#: By the component's name in lower case.
Components = Union[Literal[All.ALL], "dict[str, Component]"]


class UnresolvedScope(ValueError):
    """Taking a part out of "all" needs to know what all is: resolve the scope against the cluster first."""


class OpScope:
    """Services → components → node addresses.

    Service names are upper case, as the API wants them; component names keep their spelling and compare without case,
    since Tencent's own pages differ in it. A scope is never wider than what was put in: an empty list stays empty,
    "all" has to be said.
    """

    __slots__ = ("_targets", "_tree")

    def __init__(self, services: dict[str, Components] | None = None) -> None:
        """Of what the ways in make of their parts: in order, and without a part that has no nodes. Whatever names nothing is one value."""
        self._tree: dict[str, Components] | None = services or {}
        #: Kept once they were asked for.
        self._targets: tuple[Target, ...] | None = None

    # -- ways in

    @classmethod
    def of_service(cls, service: str) -> OpScope:
        """All processes of a service."""
        return cls({service.upper(): ALL})

    @classmethod
    def of_component(cls, service: str, component: str, ips: Iterable[str] | All = ALL) -> OpScope:
        """One component, on the nodes ``ips`` or on all of them."""
        addresses: Addresses = ALL if isinstance(ips, All) else frozenset(ips)
        return cls({service.upper(): {component.lower(): (component, addresses)}} if addresses else None)

    @classmethod
    def of_target(cls, target: Target) -> OpScope:
        """Exactly this process, its service in upper case: what nearly every alert asks for. Its tree is made when it is asked for."""
        scope = cls.__new__(cls)
        scope._tree = None
        scope._targets = (target,)
        return scope

    @classmethod
    def of_targets(cls, targets: Iterable[Target]) -> OpScope:
        """Exactly these processes."""
        tree: dict[str, dict[str, tuple[str, set[str]]]] = {}
        for service, component, ip in targets:
            components = tree.setdefault(service.upper(), {})
            components.setdefault(component.lower(), (component, set()))[1].add(ip)
        return cls(
            {
                service: {key: (name, frozenset(ips)) for key, (name, ips) in sorted(components.items())}
                for service, components in sorted(tree.items())
            }
        )

    @classmethod
    def union_of(cls, scopes: Iterable[OpScope]) -> OpScope:
        """All that any of ``scopes`` covers, and nothing else."""
        tree: dict[str, Literal[All.ALL] | dict[str, tuple[str, Literal[All.ALL] | set[str]]]] = {}
        for scope in scopes:
            if scope._tree is None and scope._targets:
                ((service, name, ip),) = scope._targets
                if (known := tree.setdefault(service, {})) is not ALL:
                    key = name.lower()
                    _, before = known.get(key) or known.setdefault(key, (name, set()))
                    if before is not ALL:
                        before.add(ip)
                continue
            for service, components in scope._services.items():
                known = tree.setdefault(service, {})
                if known is ALL:
                    continue
                if components is ALL:
                    tree[service] = ALL
                    continue
                for key, (name, ips) in components.items():
                    first, before = known.setdefault(key, (name, set()))
                    if ips is ALL:
                        known[key] = (first, ALL)
                    elif before is not ALL:
                        before.update(ips)
        return cls(
            {
                service: ALL
                if components is ALL
                else {
                    key: (name, ALL if ips is ALL else frozenset(ips))
                    for key, (name, ips) in sorted(components.items())
                }
                for service, components in sorted(tree.items())
            }
        )

    # -- algebra

    def __or__(self, other: OpScope) -> OpScope:
        return OpScope.union_of((self, other))

    def __sub__(self, other: OpScope) -> OpScope:
        """What is left of this scope without ``other``. Raises UnresolvedScope where that is "all but some"."""
        left: dict[str, Components] = {}
        for service, components in self._services.items():
            taken = other._services.get(service)
            if taken is ALL:
                continue
            if taken is None:
                left[service] = components
            elif components is ALL:
                raise UnresolvedScope(f"{service}: all components but some")
            elif rest := _components_without(service, components, taken):
                left[service] = rest
        return OpScope(left)

    def covers(self, target: Target) -> bool:
        """Whether ``target`` is one of this scope's processes."""
        components = self._services.get(target.service.upper())
        if components is None:
            return False
        if components is ALL:
            return True
        found = components.get(target.component.lower())
        return found is not None and (found[1] is ALL or target.ip in found[1])

    def __bool__(self) -> bool:
        return self._tree is None or bool(self._tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpScope) and self.stable() == other.stable()

    def __hash__(self) -> int:
        return hash(self.stable())

    # -- ways out

    @property
    def services(self) -> list[str]:
        """The names of the services, sorted."""
        return list(self._services)

    @property
    def targets(self) -> tuple[Target, ...] | None:
        """Its processes, sorted, where it names each of them; None where a part of it says "all"."""
        if self._targets is None and not self.says_all:
            self._targets = tuple([Target(*part) for part in self])  # type: ignore[arg-type] # no part of it is None
        return self._targets

    @property
    def says_all(self) -> bool:
        """Whether any part of it is not named process by process."""
        return any(
            components is ALL or any(ips is ALL for _, ips in components.values())
            for components in self._services.values()
        )

    @property
    def _services(self) -> dict[str, Components]:
        if self._tree is None:
            self._tree = {
                service: {name.lower(): (name, frozenset((ip,)))} for service, name, ip in self._targets or ()
            }
        return self._tree

    def __iter__(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Each ``(service, component, ip)``, None standing for all; sorted."""
        for service, components in self._services.items():
            if components is ALL:
                yield service, None, None
                continue
            for name, ips in components.values():
                if ips is ALL:
                    yield service, name, None
                else:
                    for ip in sorted(ips):
                        yield service, name, ip

    def to_wire(self) -> dict[str, Any]:
        """The API's ``OpScope``. A missing list there means "all"; a part without nodes, which would read so, is never held."""
        services: list[dict[str, Any]] = []
        for service, components in self._services.items():
            if components is ALL:
                services.append({"ServiceName": service})
                continue
            infos: list[dict[str, Any]] = [
                {"ComponentName": name} if ips is ALL else {"ComponentName": name, "IpList": sorted(ips)}
                for name, ips in components.values()
            ]
            services.append({"ServiceName": service, "ComponentInfoList": infos})
        return {"ServiceInfoList": services}

    def stable(self) -> str:
        """One string for one meaning, for hashing and comparing. (No name has the signs that part names here.)"""
        if self._tree is None and self._targets:
            ((service, name, ip),) = self._targets
            return f"{service}/{name.lower()}@{ip}"
        parts: list[str] = []
        for service, components in self._services.items():
            if components is ALL:
                parts.append(service)
                continue
            for key, (_, ips) in components.items():
                parts.append(f"{service}/{key}" if ips is ALL else f"{service}/{key}@{','.join(sorted(ips))}")
        return ";".join(parts)

    def __str__(self) -> str:
        parts = []
        for service, components in self._services.items():
            if components is ALL:
                parts.append(f"{service} (all)")
                continue
            for name, ips in components.values():
                if ips is not ALL and len(ips) == 1:
                    parts += [str(Target(service, name, ip)) for ip in ips]
                else:
                    parts.append(f"{service}/{name} on {'all nodes' if ips is ALL else _few(sorted(ips))}")
        return "; ".join(parts) or "nothing"

    def __repr__(self) -> str:
        return f"OpScope({self.stable()})"


def _components_without(
    service: str, components: dict[str, Component], taken: dict[str, Component]
) -> dict[str, Component]:
    rest: dict[str, Component] = {}
    for key, (name, ips) in components.items():
        if key not in taken:
            rest[key] = (name, ips)
            continue
        away = taken[key][1]
        if away is ALL:
            continue
        if ips is ALL:
            raise UnresolvedScope(f"{service}/{name}: all nodes but some")
        if ips - away:
            rest[key] = (name, ips - away)
    return rest


def _few(names: list[str], most: int = 4) -> str:
    """``a, b, c, d and 3 more``."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


@dataclass(frozen=True)
class StrategyConfig:
    """How a restart goes through the processes.

    ``batch_size`` processes a time (1–99999), ``time_wait`` seconds between batches (0–300); ``skip_failed`` goes on
    where a batch fails, otherwise it blocks. ``args`` are further ``Key``/``Values`` of the command.
    """

    rolling: bool = True
    batch_size: int = 1
    time_wait: int = 30
    skip_failed: bool = False
    args: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def to_wire(self) -> dict[str, Any]:
        """The API's ``StrategyConfig``."""
        wire: dict[str, Any] = {
            "RollingRestartSwitch": int(self.rolling),
            "BatchSize": self.batch_size,
            "TimeWait": self.time_wait,
            "DealOnFail": int(self.skip_failed),
        }
        if self.args:
            wire["Args"] = [{"Key": key, "Values": list(values)} for key, values in self.args]
        return wire

    def batches(self, processes: int) -> int:
        """How many batches ``processes`` take."""
        return -(-processes // self.batch_size) if self.rolling else min(processes, 1)


@dataclass(frozen=True)
class StopParams:
    """How a stop is carried out: the policy (``safe`` moves work away first), threads, and seconds of grace."""

    policy: Literal["safe", "default"] | None = None
    thread_count: int | None = None
    grace_down_time: int | None = None

    def to_wire(self) -> dict[str, Any]:
        """The API's ``StopParams``; what is not set is not sent."""
        values = {
            "StopPolicy": self.policy,
            "ThreadCount": self.thread_count,
            "GraceDownTime": self.grace_down_time,
        }
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class Manner:
    """What is done, without where: requests that agree in this can be one request."""

    op_type: OpType
    strategy: StrategyConfig | None = None
    stop_params: StopParams | None = None
    keep_monitor: bool | None = None

    @cached_property
    def stable(self) -> str:
        """A text that is equal for equal manners: of frozen values only. Kept, since all requests of a rule share its manner."""
        return repr(self)

    def problems(self) -> Iterator[tuple[str, str]]:
        """Why the API would not take it: the name of the field here that is wrong, and what is wrong with it.

        A restart needs a strategy, and any operation takes one: in the SDK it is the configuration of "重启/停止/启动服务/监控"
        (restarting, stopping, starting services, monitoring).
        """
        if self.op_type is OpType.RESTART_SERVICE and self.strategy is None:
            yield "strategy", "RestartService needs a strategy"
        if self.op_type is not OpType.STOP_SERVICE and self.stop_params is not None:
            yield "stop_params", f"only StopService takes them, not {self.op_type}"
        if self.op_type is not OpType.STOP_MONITOR and self.keep_monitor is not None:
            yield "keep_monitor", f"only StopMonitor takes it, not {self.op_type}"


class Request(NamedTuple):
    """One request of StartStopServiceOrMonitor."""

    instance_id: str
    manner: Manner
    scope: OpScope

    @property
    def op_type(self) -> OpType:
        return self.manner.op_type

    def to_wire(self) -> dict[str, Any]:
        """Exactly what is sent."""
        wire: dict[str, Any] = {
            "InstanceId": self.instance_id,
            "OpType": self.op_type.value,
            "OpScope": self.scope.to_wire(),
        }
        if self.manner.strategy is not None:
            wire["StrategyConfig"] = self.manner.strategy.to_wire()
        if self.manner.stop_params is not None:
            wire["StopParams"] = self.manner.stop_params.to_wire()
        if self.manner.keep_monitor is not None:
            wire["KeepMonitorButNotRecoverProcess"] = self.manner.keep_monitor
        return wire

    def digest(self) -> str:
        """SHA-256 (hex) of the request's meaning: equal for requests that ask the same, however they were written."""
        return digest_of(*self)


def digest_of(instance_id: str, manner: Manner, scope: OpScope) -> str:
    """:meth:`Request.digest`, of a request's parts."""
    import hashlib

    return hashlib.sha256(f"{instance_id}|{manner.stable}|{scope.stable()}".encode()).hexdigest()

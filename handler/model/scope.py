"""Services, components and node addresses: the scope of an operation.

The words are the API's own (EMR API 2019-01-03, StartStopServiceOrMonitor).
"""

from __future__ import annotations

from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Union

from handler.lib.wording import listed
from handler.model.components import component_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Target(NamedTuple):
    """One process of one cluster, as ``DescribeServiceNodeInfos`` names it."""

    service: str
    component: str
    ip: str

    @property
    def key(self) -> str:
        """The process's identity, however a sender or the cluster spells it (``zkfc``)."""
        return _key_begin(self.service, self.component) + self.ip

    def __str__(self) -> str:
        return f"{self.service}/{self.component}/{self.ip}"


@lru_cache(maxsize=512)
def _key_begin(service: str, component: str) -> str:
    return f"{service.upper()}/{component_key(component)}/"


class All(Enum):
    """Every component of a service, or every node of a component: wider than any list."""

    ALL = "all"

    def __repr__(self) -> str:
        return "ALL"


ALL: Final = All.ALL


Addresses = Union[Literal[All.ALL], "frozenset[str]"]


#: A component's name as it was first written, and its nodes.
Component = tuple[str, Addresses]


#: By the component's one name (:func:`component_key`).
Components = Union[Literal[All.ALL], "dict[str, Component]"]


class OpScope:
    """Services → components → node addresses.

    Service names are upper case, as the API wants them; component names keep their spelling and compare by what they
    mean, since Tencent's own pages differ in them. A scope is never wider than what was put in: an empty list stays empty,
    "all" has to be explicit.
    """

    __slots__ = ("_targets", "_tree")

    def __init__(self, services: dict[str, Components] | None = None) -> None:
        """Of parts that the constructors below made: in order, without a part that has no nodes.

        Every scope that names nothing is the same value.
        """
        self._tree: dict[str, Components] | None = services or {}
        #: Kept once they were asked for.
        self._targets: tuple[Target, ...] | None = None

    # -- constructors

    @classmethod
    def of_service(cls, service: str) -> OpScope:
        """All processes of a service."""
        return cls({service.upper(): ALL})

    @classmethod
    def of_component(cls, service: str, component: str, ips: Iterable[str] | All = ALL) -> OpScope:
        """One component, on the nodes ``ips`` or on all of them."""
        addresses: Addresses = ALL if isinstance(ips, All) else frozenset(ips)
        return cls({service.upper(): {component_key(component): (component, addresses)}} if addresses else None)

    @classmethod
    def of_target(cls, target: Target) -> OpScope:
        """Exactly this process, its service in upper case: what nearly every alert asks for.

        Its tree is made when it is asked for: made at once, a thousand alerts' scopes take 2.6 times as long.
        """
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
            components.setdefault(component_key(component), (component, set()))[1].add(ip)
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
                    key = component_key(name)
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

    def __bool__(self) -> bool:
        return self._tree is None or bool(self._tree)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpScope) and self.stable() == other.stable()

    def __hash__(self) -> int:
        return hash(self.stable())

    # -- conversions

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
                service: {component_key(name): (name, frozenset((ip,)))} for service, name, ip in self._targets or ()
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

    def covers(self, key: str) -> bool:
        """Whether the process with this :attr:`Target.key` is in it."""
        service, _, rest = key.partition("/")
        component, _, ip = rest.partition("/")
        components = self._services.get(service)
        if components is None or components is ALL:
            return components is ALL
        known = components.get(component)
        return known is not None and (known[1] is ALL or ip in known[1])

    def overlaps(self, other: OpScope) -> bool:
        """Whether any process may be in both."""
        for service, component, ip in self:
            for its_service, its_component, its_ip in other:
                if service != its_service:
                    continue
                if component is None or its_component is None:
                    return True
                its_key = component_key(its_component)
                if component_key(component) == its_key and (ip is None or its_ip is None or ip == its_ip):
                    return True
        return False

    def to_wire(self) -> dict[str, Any]:
        """The API's ``OpScope``.

        A missing list there means "all"; a part without nodes, which would be read so, is never held.
        """
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
        """One string for one meaning, for hashing and comparing.

        No name contains the characters that separate names here.
        """
        if self._tree is None and self._targets:
            ((service, name, ip),) = self._targets
            return f"{service}/{component_key(name)}@{ip}"
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
                    parts.append(f"{service}/{name} on {'all nodes' if ips is ALL else listed(sorted(ips), 4)}")
        return "; ".join(parts) or "nothing"

    def __repr__(self) -> str:
        return f"OpScope({self.stable()})"

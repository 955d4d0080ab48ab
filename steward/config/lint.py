"""The warnings of ``steward check``: what is valid in a steward.yml and probably not meant."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from handler.lib.wording import question
from handler.model.components import COMPONENTS, process_named, same_spelling, service_named
from handler.model.request import OpType
from steward.config.durations import span
from steward.config.report import Report

if TYPE_CHECKING:
    from handler.config.config import Config
    from handler.errors import ConfigurationError

#: A path, what is suspicious there, and what was probably meant.
Suspicion = tuple[str, str, str]
_ALL: Final = tuple(dict.fromkeys(name for names in COMPONENTS.values() for name in names))
#: Senders that the platform delivers itself.
NOT_OVER_HTTP: Final = ("timer", "eventbridge", "request")
#: Senders of commands; all others send alerts.
COMMANDERS: Final = ("timer", "request")

#: The cloud's regions (CVM, "Regions and AZs"). New ones will come, so an unknown one is only a warning.
# fmt: off
REGIONS: Final = (
    "ap-guangzhou", "ap-shenzhen", "ap-shenzhen-fsi", "ap-shanghai", "ap-shanghai-fsi", "ap-nanjing",
    "ap-hangzhou-ec", "ap-beijing", "ap-beijing-fsi", "ap-tianjin", "ap-chengdu", "ap-chongqing", "ap-hongkong",
    "ap-taipei", "ap-singapore", "ap-jakarta", "ap-bangkok", "ap-mumbai", "ap-seoul", "ap-tokyo", "ap-osaka",
    "eu-frankfurt", "eu-moscow", "na-ashburn", "na-siliconvalley", "na-toronto", "sa-saopaulo", "me-saudi-arabia",
)
# fmt: on


def warnings(raw: Any, config: Config | None, locate: Callable[[str], str]) -> list[ConfigurationError]:
    """A warning for whatever is suspicious in a file, in the order of the lines.

    ``raw`` is its content, ``config`` is the configuration that it means, and ``locate`` gives ``file:line`` for a path.
    Without ``config`` the file has errors, and those of its parts are examined that can be.
    """
    report = Report(locate)
    for path, problem, hint in _suspicions(raw, config) if config else _suspicions_of_parts(raw):
        report.problem(path, problem, hint)
    return list(report.problems)


def _suspicions_of_parts(raw: Any) -> Iterator[Suspicion]:
    """What can be said of a file with errors: of each part that is as it should be."""
    rules = raw.get("rules") if isinstance(raw, Mapping) else None
    count = len(rules) if isinstance(rules, list) else 0
    parts: list[Callable[[], Iterator[Suspicion]]] = [partial(_of_regions, raw)]
    parts += [partial(_of_rule, raw, index) for index in range(count)]
    for part in parts:
        try:
            yield from list(part())
        except (AttributeError, KeyError, TypeError, ValueError):  # the errors are in it
            continue


def _of_regions(raw: Any) -> Iterator[Suspicion]:
    regions = {f"clusters.{name}.region": cluster["region"] for name, cluster in (raw.get("clusters") or {}).items()}
    if event_bus := (raw.get("alarms") or {}).get("event_bus"):
        regions["alarms.event_bus.region"] = event_bus["region"]
    for path, region in regions.items():
        if region not in REGIONS:
            yield path, f"{region} is not a region that is known here", question(region, REGIONS)


def _of_rule(raw: Any, index: int) -> Iterator[Suspicion]:
    rule = raw["rules"][index]
    yield from _blocks(rule["when"], f"rules[{index}].when")
    yield from _of_pattern(rule["when"], f"rules[{index}].when")
    yield from _of_scope(rule["do"]["scope"], f"rules[{index}].do.scope")


def _suspicions(raw: Any, config: Config) -> Iterator[Suspicion]:
    yield from _of_regions(raw)
    for index in range(len(config.rules)):
        yield from _of_rule(raw, index)
    yield from _of_quarantine(raw, config)
    yield from _of_grants(config)
    if not config.clusters:
        yield "clusters", "is empty: nothing will ever be done", "a cluster that is not listed is never touched"
    elif config.webhook.callers:
        return
    elif not config.rules:
        yield "", "has neither rules nor webhook.callers: only a timer whose message is a request does anything", ""
    elif of_alerts := [rule["name"] for rule in raw["rules"] if not _is_only_from(NOT_OVER_HTTP, rule["when"])]:
        more = f" and {len(of_alerts) - 1} more" if len(of_alerts) > 1 else ""
        yield (
            "webhook.callers",
            f"is empty, so no alert can come in over HTTP for the rule {of_alerts[0]}{more}",
            "webhook: {callers: [{name: alertmanager, sources: [alertmanager], bearer_env: STEWARD_SECRET_ALERTMANAGER}]}",
        )


def _of_quarantine(raw: Any, config: Config) -> Iterator[Suspicion]:
    """Rules that restart too seldom for their restarts ever to be counted together.

    Only remediations lead to quarantine, so that rules for commands alone are skipped.
    """
    restarts, within = config.safety.quarantine.restarts, config.safety.quarantine.within
    for index, rule in enumerate(config.rules):
        cooldown = rule.limits.cooldown
        is_remediation = not _is_only_from(COMMANDERS, raw["rules"][index]["when"])
        if rule.action.op_type is OpType.RESTART_SERVICE and is_remediation and cooldown * restarts >= within:
            problem = (
                f"{span(cooldown)} is too long for rule {rule.name}: {restarts} of its restarts are never counted "
                f"together within {span(within)}, so that no process gets into quarantine"
            )
            fix = f"shorten it, or set safety.quarantine.within above {span(cooldown * restarts)}"
            yield f"rules[{index}].limits.cooldown", problem, fix


def _of_grants(config: Config) -> Iterator[Suspicion]:
    """Services in a caller's grant that EMR does not have."""
    for index, caller in enumerate(config.webhook.callers):
        for service in sorted(caller.grant.services) if isinstance(caller.grant.services, frozenset) else ():
            if service not in COMPONENTS:
                problem = f"EMR has no service {service} that is known here"
                yield f"webhook.callers[{index}].services", problem, _service_meant(service)


def _is_only_from(senders: tuple[str, ...], when: Mapping[str, Any]) -> bool:
    """Whether no other senders can match a pattern."""
    return "source" in when and all(isinstance(source, str) and source in senders for source in when["source"])


# -- services and components


def _of_scope(scope: Mapping[str, Any], path: str) -> Iterator[Suspicion]:
    """Names in a scope that EMR does not have. Templates are skipped."""
    for service, components in scope.items():
        if "{" in service:
            continue
        name = service.upper()
        if name not in COMPONENTS:
            yield f"{path}.{service}", f"EMR has no service {service} that is known here", _service_meant(service)
        for component in components if isinstance(components, Mapping) and COMPONENTS.get(name) else ():
            if "{" not in component and not any(same_spelling(component, own) for own in COMPONENTS[name]):
                problem = f"{name} has no component {component} that is known here"
                yield f"{path}.{service}.{component}", problem, _component_meant(component, name)


def _of_pattern(when: Mapping[str, Any], path: str) -> Iterator[Suspicion]:
    """Names in a pattern that no event has: events have EMR's own names, whatever the sender writes."""
    for index, choice in enumerate(when.get("$or", ())):
        yield from _of_pattern(choice, f"{path}.$or[{index}]")
    for index, service in enumerate(when.get("service", ())):
        if isinstance(service, str) and service not in COMPONENTS:
            problem = f"EMR has no service {service} that is known here"
            yield f"{path}.service[{index}]", problem, _service_meant(service)
    for index, component in enumerate(when.get("component", ())):
        if isinstance(component, str) and component not in _ALL:
            problem = f"EMR has no component {component} that is known here"
            yield f"{path}.component[{index}]", problem, _component_meant(component)


def _service_meant(name: str) -> str:
    if process := process_named(name):
        return f"{process.component} is a component of {process.service}"
    return question(service_named(name) or name, COMPONENTS)


def _component_meant(name: str, service: str = "") -> str:
    near = question(name, COMPONENTS[service] if service else _ALL)
    process = process_named(name)
    if process is None:
        return near
    if not service:
        return f"did you mean {process.component}?"
    theirs = f"{process.component} is a component of {process.service}"
    return f"{near} {theirs}" if near else theirs


# -- blocks of addresses


def _blocks(when: Any, path: str) -> Iterator[Suspicion]:
    """Blocks of addresses whose written address is not their first one."""
    if isinstance(when, Mapping):
        for key, value in when.items():
            if key == "cidr" and isinstance(value, str):
                network = ipaddress.ip_network(value, strict=False)
                if str(network.network_address) != str(ipaddress.ip_address(value.partition("/")[0])):
                    yield f"{path}.{key}", f"{value} is all of {network}", "one address is /32 or /128"
            else:
                yield from _blocks(value, f"{path}.{key}")
    elif isinstance(when, list):
        for index, item in enumerate(when):
            yield from _blocks(item, f"{path}[{index}]")

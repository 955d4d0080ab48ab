"""What may be meant in a steward.yml and probably is not: said by ``steward check``, and no fault."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from handler.errors import ConfigurationError
from handler.lib.wording import question

if TYPE_CHECKING:
    from handler.config.config import Config

#: The cloud's regions (CVM, "Regions and AZs"). There will be others, hence a warning.
REGIONS: Final = (
    *(
        "ap-guangzhou",
        "ap-shenzhen",
        "ap-shenzhen-fsi",
        "ap-shanghai",
        "ap-shanghai-fsi",
        "ap-nanjing",
        "ap-hangzhou-ec",
    ),
    *("ap-beijing", "ap-beijing-fsi", "ap-tianjin", "ap-chengdu", "ap-chongqing", "ap-hongkong", "ap-taipei"),
    *("ap-singapore", "ap-jakarta", "ap-bangkok", "ap-mumbai", "ap-seoul", "ap-tokyo", "ap-osaka"),
    *("eu-frankfurt", "eu-moscow", "na-ashburn", "na-siliconvalley", "na-toronto", "sa-saopaulo", "me-saudi-arabia"),
)


def warnings(raw: Any, config: Config, locate: Callable[[str], str]) -> Iterator[ConfigurationError]:
    """Each doubt about a file that is valid; ``raw`` is its content, ``config`` what it means, ``locate`` gives a path's place."""
    for path, problem, hint in _doubts(raw, config):
        yield ConfigurationError(problem, path=path, where=locate(path), hint=hint)


def _doubts(raw: Any, config: Config) -> Iterator[tuple[str, str, str]]:
    regions = {f"clusters.{name}.region": cluster.region for name, cluster in config.clusters.items()}
    if config.alarms.event_bus is not None:
        regions["alarms.event_bus.region"] = config.alarms.event_bus.region
    for path, region in regions.items():
        if region not in REGIONS:
            yield path, f"{region} is not a region that is known here", question(region, REGIONS)
    for index, rule in enumerate(raw.get("rules") or []):
        yield from _blocks(rule["when"], f"rules[{index}].when")
    if not config.clusters:
        yield "clusters", "is empty: nothing will ever be done", "a cluster that is not listed is never touched"
    elif not config.rules and not config.webhook.callers:
        yield "", "has neither rules nor webhook.callers: only a timer whose message is a request does anything", ""


def _blocks(when: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Blocks of addresses that do not begin where they seem to."""
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

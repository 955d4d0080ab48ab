"""The packaged configuration, steward.json, becomes frozen values.

The function works with these values.

``steward compile`` writes it from steward.yml, with every error found before and every default written out. So nothing
is checked here but the format's version, and that the file can be read at all.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from handler.config.config import Config
from handler.decide.patterns import compile_pattern
from handler.decide.rules import Rule
from handler.decide.templates import compile_template
from handler.errors import ConfigurationError, StewardError
from handler.model.intent import Limits
from handler.model.policy import (
    AlarmSettings,
    Caller,
    Chat,
    Cluster,
    EventBus,
    Freeze,
    Grant,
    MaintenanceWindow,
    Quarantine,
    Safety,
    Webhook,
)
from handler.model.request import Action, OpType, StopParams, StrategyConfig
from handler.model.scope import ALL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handler.decide.rules import ComponentScope, ServiceScope

#: The version of the format that this function reads.
FORMAT: Final = 3
_COMPILE: Final = "steward compile steward.yml -o steward.json"


def load(path: str) -> Config:
    """The configuration in ``path``. Raises ConfigurationError."""
    if path.endswith((".yml", ".yaml")):
        written = os.path.basename(path)
        hint = f"steward compile {written} -o {written.rpartition('.')[0]}.json, and name that file"
        raise ConfigurationError("is YAML, and the function reads compiled JSON only", where=path, hint=hint)
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        raise ConfigurationError("no such file", where=path, hint="set STEWARD_CONFIG to its path") from None
    except IsADirectoryError:
        raise ConfigurationError("is a folder", where=path, hint="name a file") from None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", where=path) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"is not valid JSON: {error}", where=path, hint=_COMPILE) from None
    return config_from(document, path)


def config_from(document: Any, where: str = "") -> Config:
    """The values of a compiled configuration; ``where`` is its file. Raises ConfigurationError."""
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        problem = "is not a compiled configuration" if version is None else f"has format {version!r}, not {FORMAT}"
        raise ConfigurationError(problem, where=where, hint=_COMPILE)
    try:
        return _config(document)
    except (LookupError, TypeError, ValueError, AttributeError, StewardError) as error:
        problem = f"is damaged: {type(error).__name__}: {error}"
        raise ConfigurationError(problem, where=where, hint=_COMPILE) from None


def _config(document: Mapping[str, Any]) -> Config:
    safety, alarms, webhook = document["safety"], document["alarms"], document["webhook"]
    bus = alarms["event_bus"]
    return Config(
        clusters={key: _cluster(key, cluster) for key, cluster in document["clusters"].items()},
        rules=tuple([_rule(rule) for rule in document["rules"]]),
        webhook=Webhook(tuple([_caller(caller) for caller in webhook["callers"]]), webhook["patience"]),
        safety=Safety(
            quorum_roles=tuple(safety["quorum_roles"]),
            quarantine=Quarantine(**safety["quarantine"]),
            freezes=tuple([Freeze(**_for_clusters(freeze)) for freeze in safety["freezes"]]),
            maintenance_windows=tuple([_window(window) for window in safety["maintenance_windows"]]),
            keep_records=safety["keep_records"],
        ),
        alarms=AlarmSettings(
            tuple([Chat(**chat) for chat in alarms["chat"]]),
            None if bus is None else EventBus(**bus),
            alarms["group_within"],
        ),
        is_single_instance=document["ledger"]["single_instance"],
    )


def _cluster(key: str, cluster: Mapping[str, Any]) -> Cluster:
    return Cluster(id=key, **{**cluster, "allow": frozenset([OpType(name) for name in cluster["allow"]])})


def _caller(caller: Mapping[str, Any]) -> Caller:
    grant = caller["grant"]
    clusters, services = grant["clusters"], grant["services"]
    return Caller(
        caller["name"],
        caller["secret_env"],
        caller["user"],
        Grant(
            frozenset(grant["sources"]),
            frozenset([OpType(name) for name in grant["operations"]]),
            ALL if clusters == "all" else frozenset(clusters),
            ALL if services == "all" else frozenset(services),
        ),
    )


def _for_clusters(holder: Mapping[str, Any]) -> dict[str, Any]:
    return {**holder, "clusters": frozenset(holder["clusters"])}


def _window(window: Mapping[str, Any]) -> MaintenanceWindow:
    return MaintenanceWindow(**{**_for_clusters(window), "days": frozenset(window["days"])})


def _rule(rule: Mapping[str, Any]) -> Rule:
    do = rule["do"]
    return Rule(
        rule["name"],
        compile_pattern(rule["when"]),
        _action(do),
        compile_template(do["cluster"], "do.cluster"),
        _scope(do["scope"]),
        Limits(**rule["limits"]),
        Limits(**rule["command_limits"]),
        do["even_if_healthy"],
    )


def _action(do: Mapping[str, Any]) -> Action:
    strategy, stop = do["strategy"], do["stop_params"]
    return Action(
        OpType(do["operation"]),
        None if strategy is None else _strategy(strategy),
        None if stop is None else StopParams(stop["policy"], stop["thread_count"], stop["grace_seconds"]),
        do["keep_monitor"],
    )


def _strategy(strategy: Mapping[str, Any]) -> StrategyConfig:
    return StrategyConfig(
        strategy["rolling"],
        strategy["batch_size"],
        strategy["wait_seconds"],
        strategy["skip_failed"],
        tuple([(key, tuple(values)) for key, values in strategy["args"].items()]),
    )


def _scope(scope: Mapping[str, Any]) -> tuple[ServiceScope, ...]:
    return tuple(
        [
            (compile_template(service, "do.scope"), ALL if components == "all" else _components(components))
            for service, components in scope.items()
        ]
    )


def _components(components: Mapping[str, Any]) -> tuple[ComponentScope, ...]:
    return tuple(
        [
            (
                compile_template(component, "do.scope"),
                ALL if ips == "all" else tuple([compile_template(ip, "do.scope") for ip in ips]),
            )
            for component, ips in components.items()
        ]
    )

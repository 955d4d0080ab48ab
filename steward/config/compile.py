"""steward.yml → the normalised JSON that the function loads.

Everything in it is checked, and every default is written out. Durations are seconds, shares are fractions, times of day are minutes, dates are seconds since the epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from handler.config.config import Config
from handler.config.loader import FORMAT, config_from
from handler.errors import ConfigurationError, InvalidConfiguration
from handler.model.intent import COMMAND_LIMITS
from handler.model.policy import DAYS
from steward.config import values, yaml_file
from steward.config.checks import check
from steward.config.messages import readable
from steward.config.models import Do, Freeze, Limits, MaintenanceWindow, Rule, StewardFile
from steward.config.report import Report

if TYPE_CHECKING:
    from steward.config.yaml_file import Document


def load_yaml(path: str) -> Config:
    """The configuration in ``path``, as the function would load it.

    Raises ConfigurationError; its subclass InvalidConfiguration has every error of the file.
    """
    return config_from(compiled(path), path)


def compiled(path: str) -> dict[str, Any]:
    """The normalised JSON of ``path``: a steward.yml, or a file that is already compiled.

    Raises as :func:`load_yaml`.
    """
    return compiled_document(yaml_file.parsed(path))


def config_of(raw: object) -> Config:
    """The configuration that the content of a steward.yml means.

    Raises InvalidConfiguration with every error.
    """
    return config_from(compiled_content(raw))


def compiled_document(document: Document) -> dict[str, Any]:
    """The normalised JSON of a file that was read. Raises as :func:`load_yaml`."""
    if isinstance(document.raw, dict) and "format" in document.raw:
        config_from(document.raw, document.path)
        return document.raw
    return compiled_content(document.raw, document.locate, document.errors)


def compiled_content(
    raw: object,
    locate: Callable[[str], str] = lambda path: "",
    known: Iterable[ConfigurationError] = (),
) -> dict[str, Any]:
    """The normalised JSON of a file's content.

    ``locate`` gives ``file:line`` for a key's path. ``known`` are errors that were found before. Raises
    InvalidConfiguration with every error, in the order of their lines.
    """
    found = readable(StewardFile, raw)
    report = Report(locate, known, found.problems, found.moved)
    if found.copy is not None:
        check(report, found.copy)
    if report.problems:
        raise InvalidConfiguration(report.problems)
    return normalised(found.file)


def normalised(file: StewardFile) -> dict[str, Any]:
    """The normalised JSON of a file without errors."""
    safety, alarms = file.safety, file.alarms
    return {
        "format": FORMAT,
        "clusters": {
            key: {
                "name": cluster.name or key,
                "region": cluster.region,
                "allow": list(cluster.allow),
                "operations_per_hour": cluster.operations_per_hour,
                "role_arn": cluster.role_arn or "",
            }
            for key, cluster in file.clusters.items()
        },
        "rules": [_rule(rule, file.limits) for rule in file.rules],
        "webhook": {
            "callers": [
                {
                    "name": caller.name,
                    "secret_env": caller.basic.password_env if caller.basic else caller.bearer_env,
                    "user": caller.basic.user if caller.basic else "",
                    "grant": {
                        "sources": list(caller.sources),
                        "operations": caller.operations or [],
                        "clusters": caller.clusters or [],
                        "services": caller.services or [],
                    },
                }
                for caller in file.webhook.callers
            ],
            "patience": file.webhook.patience,
        },
        "safety": {
            "quorum_roles": list(safety.quorum_roles),
            "quarantine": safety.quarantine.model_dump(),
            "freezes": [_freeze(freeze) for freeze in safety.freezes],
            "maintenance_windows": [_window(window) for window in safety.maintenance_windows],
            "keep_records": safety.keep_records,
        },
        "ledger": file.ledger.model_dump(),
        "alarms": {
            "chat": [chat.model_dump() for chat in alarms.chat],
            "event_bus": alarms.event_bus.model_dump() if alarms.event_bus else None,
            "group_within": alarms.group_within,
        },
    }


def _rule(rule: Rule, defaults: Limits) -> dict[str, Any]:
    return {
        "name": rule.name,
        "when": rule.when,
        "do": _do(rule.do),
        "limits": _limits(Limits().model_dump(), defaults, rule.limits),
        "command_limits": _limits(dataclasses.asdict(COMMAND_LIMITS), defaults, rule.limits),
    }


def _limits(base: dict[str, Any], *written: Limits) -> dict[str, Any]:
    """``base``, with the limits that are written in the file over it; a default is not written."""
    for limits in written:
        base |= limits.model_dump(include=limits.model_fields_set)
    return base


def _do(do: Do) -> dict[str, Any]:
    strategy = do.strategy.model_dump() if do.strategy else None
    if strategy is not None:
        strategy["skip_failed"] = strategy.pop("on_failure") == "skip"
    return {
        "operation": do.operation,
        "cluster": do.cluster,
        "scope": do.scope,
        "strategy": strategy,
        "stop_params": do.stop_params.model_dump() if do.stop_params else None,
        "keep_monitor": do.keep_monitor,
        "even_if_healthy": do.even_if_healthy,
    }


def _freeze(freeze: Freeze) -> dict[str, Any]:
    return {
        "start": values.epoch(freeze.from_, freeze.time_zone, min),
        "end": values.epoch(freeze.to, freeze.time_zone, max),
        "reason": freeze.reason,
        "clusters": list(freeze.clusters),
    }


def _window(window: MaintenanceWindow) -> dict[str, Any]:
    return {
        "days": sorted({DAYS.index(day) for day in window.days or DAYS}),
        "start": values.minute_of_day(window.start),
        "end": values.minute_of_day(window.end),
        "time_zone": window.time_zone,
        "reason": window.reason,
        "clusters": list(window.clusters),
    }

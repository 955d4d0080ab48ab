"""The JSON Schema of steward.yml, for editors: the shape, and what is refused besides as far as a schema can say it.

It takes whatever ``steward check`` takes, and refuses nothing else that the shape's types do not already refuse.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from handler.config.schema import CONFIG
from handler.model.event import FIELDS, SourceKind, Status
from handler.model.names import CLUSTER_ID
from handler.model.policy import DAYS, QUORUM_ROLES
from handler.model.request import Action, OpType, StopParams, StrategyConfig

_DURATION: Final = r"^\s*([0-9]{1,9}(\.[0-9]{1,6})?|([0-9]{1,9}(\.[0-9]{1,6})?\s*[smhdSMHD]\s*)+)\s*$"
_SHARE: Final = r"^\s*[0-9]*\.?[0-9]+\s*%?\s*$"
_CLUSTER_ID: Final = f"^{CLUSTER_ID}$"
_REGION: Final = "^[a-z]{2,}-[a-z0-9-]+$"
_VARIABLE: Final = "^[A-Z_][A-Z0-9_]{0,127}$"
_ROLE_ARN: Final = r"^qcs::cam::uin/[0-9]{5,20}:role(Name)?/[A-Za-z0-9_+=,.@-]{1,128}$"
_TIME_OF_DAY: Final = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
_BLOCK: Final = "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"

#: By shape and key: what the shape's docstrings cannot say, since it is no class.
_DESCRIPTIONS: Final = {
    "FreezeShape": "A time in which nothing is done, whoever asks.",
    "ConfigShape.rules": "What is done when which event arrives; in this order, and all that match.",
    "ConfigShape.webhook": "The door for HTTP calls.",
    "ConfigShape.safety": "What holds for all rules.",
    "ConfigShape.alarms": "Where alarms go besides the log.",
    "SafetyShape.breaker": "When a storm of alerts is left to people.",
    "SafetyShape.quarantine": "When restarts do not help.",
    "SafetyShape.freezes": "Times in which nothing is done at all.",
    "SafetyShape.maintenance_windows": "Times of the week in which alerts are left to the people at work; orders are carried out.",
    "FreezeShape.from": "When it begins, in ISO 8601.",
    "FreezeShape.to": "When it ends, in ISO 8601.",
    "FreezeShape.time_zone": "Of moments that name none, such as Asia/Shanghai.",
    "FreezeShape.reason": "Said in every outcome that it holds back.",
    "FreezeShape.clusters": "Which clusters (all).",
    "AlarmsShape.chat": "Chats and pagers.",
    "AlarmsShape.event_bus": "An EventBridge bus.",
}
#: By key: what holds where it is left out, as it would be written; and, below, an example where there is no such value.
DEFAULTS: Final[dict[str, Any]] = {
    "ClusterShape.operations_per_hour": 12,
    "StrategyShape.rolling": True,
    "StrategyShape.batch_size": 1,
    "StrategyShape.wait_seconds": 30,
    "StrategyShape.on_failure": "block",
    "DoShape.even_if_healthy": False,
    "LimitsShape.cooldown": "15m",
    "LimitsShape.max_nodes": 1,
    "LimitsShape.max_share": "25%",
    "LimitsShape.max_event_age": "10m",
    "WebhookShape.patience": "4s",
    "BreakerShape.intents": 100,
    "BreakerShape.window": "5m",
    "BreakerShape.close_after": "10m",
    "QuarantineShape.restarts": 3,
    "QuarantineShape.within": "1h",
    "QuarantineShape.release_after": "24h",
    "MaintenanceWindowShape.days": list(DAYS),
    "SafetyShape.quorum_roles": list(QUORUM_ROLES),
    "SafetyShape.keep_records": "30d",
    "AlarmsShape.group_within": "10m",
}
EXAMPLES: Final[dict[str, Any]] = {
    "ClusterShape.name": "analytics",
    "ClusterShape.region": "ap-guangzhou",
    "ClusterShape.allow": ["RestartService", "StartService"],
    "ClusterShape.role_arn": "qcs::cam::uin/200000000002:roleName/emr-steward",
    "StrategyShape.args": {"key": ["value"]},
    "StopParamsShape.policy": "safe",
    "StopParamsShape.thread_count": 4,
    "StopParamsShape.grace_seconds": 600,
    "DoShape.operation": "RestartService",
    "DoShape.cluster": "{cluster}",
    "DoShape.scope": {"{service}": {"{component}": ["{ip}"]}},
    "DoShape.keep_monitor": True,
    "RuleShape.name": "restart-dead-process",
    "RuleShape.when": {"status": ["firing"], "component": ["DataNode"]},
    "BasicShape.user": "tcop",
    "BasicShape.password_env": "STEWARD_SECRET_TCOP",
    "CallerShape.name": "alertmanager",
    "CallerShape.bearer_env": "STEWARD_SECRET_ALERTMANAGER",
    "FreezeShape.from": "2027-02-05T18:00:00",
    "FreezeShape.to": "2027-02-12T09:00:00+08:00",
    "FreezeShape.time_zone": "Asia/Shanghai",
    "FreezeShape.reason": "Spring Festival",
    "FreezeShape.clusters": ["emr-4zvc5mul"],
    "MaintenanceWindowShape.start": "22:00",
    "MaintenanceWindowShape.end": "02:00",
    "MaintenanceWindowShape.time_zone": "Asia/Shanghai",
    "MaintenanceWindowShape.reason": "patch day",
    "MaintenanceWindowShape.clusters": ["emr-4zvc5mul"],
    "ChatShape.url_env": "STEWARD_CHAT_URL",
    "EventBusShape.id": "eb-xxxxxxxx",
    "EventBusShape.region": "ap-guangzhou",
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file."""
    from pydantic import TypeAdapter

    schema = TypeAdapter(CONFIG.kind).json_schema()
    schemas = {**schema["$defs"], "ConfigShape": schema}
    for name, schema in schemas.items():
        schema.pop("title", None)
        if name in _DESCRIPTIONS:
            schema["description"] = _DESCRIPTIONS[name]
        for key, value in schema["properties"].items():
            value.pop("title", None)
            facts = {
                "description": _DESCRIPTIONS.get(f"{name}.{key}"),
                "default": DEFAULTS.get(f"{name}.{key}"),
                "examples": [EXAMPLES[f"{name}.{key}"]] if f"{name}.{key}" in EXAMPLES else None,
            }
            value.update({word: fact for word, fact in facts.items() if fact is not None})
    for place, limits in _restrictions().items():
        name, _, key = place.partition(".")
        target = schemas[name]["properties"][key] if key else schemas[name]
        if "type" in limits or "$ref" in limits or "anyOf" in limits:  # said anew, not added to
            for word in ("type", "anyOf", "additionalProperties"):
                target.pop(word, None)
        target.update(limits)
    schema["$defs"].update(_pattern_definitions())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "steward.yml"}


def _duration(least: float = 0, limit: float = 3660 * 86400) -> dict[str, Any]:
    return {
        "anyOf": [
            {"type": "string", "pattern": _DURATION},
            {"type": "number", "minimum": least, "maximum": limit},
        ]
    }


def _restrictions() -> dict[str, dict[str, Any]]:
    """By shape, or shape and key: what holds besides."""
    variable = {"pattern": _VARIABLE}
    return {
        "ConfigShape.clusters": {"propertyNames": {"pattern": _CLUSTER_ID}},
        "ClusterShape.region": {"pattern": _REGION},
        "ClusterShape.role_arn": {"pattern": _ROLE_ARN},
        "RuleShape.when": {"$ref": "#/$defs/Pattern"},
        "DoShape": {"allOf": _of_operations()},
        "DoShape.cluster": {"pattern": rf"{_CLUSTER_ID}|\{{"},
        "DoShape.scope": _scope(),
        "LimitsShape.cooldown": _duration(),
        "LimitsShape.max_share": {
            "anyOf": [
                {"type": "string", "pattern": _SHARE},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            ]
        },
        "LimitsShape.max_event_age": _duration(1),
        "BasicShape.user": {"pattern": "^[^:]*$"},
        "BasicShape.password_env": variable,
        "CallerShape": {"oneOf": [{"required": ["basic"]}, {"required": ["bearer_env"]}]},
        "CallerShape.bearer_env": variable,
        "WebhookShape.patience": _duration(2, 25),
        "BreakerShape.window": _duration(1),
        "BreakerShape.close_after": _duration(),
        "QuarantineShape.within": _duration(1),
        "QuarantineShape.release_after": _duration(1),
        "FreezeShape.clusters": {"items": {"type": "string", "pattern": _CLUSTER_ID}},
        "MaintenanceWindowShape.start": {"pattern": _TIME_OF_DAY},
        "MaintenanceWindowShape.end": {"pattern": _TIME_OF_DAY},
        "MaintenanceWindowShape.clusters": {"items": {"type": "string", "pattern": _CLUSTER_ID}},
        "SafetyShape.keep_records": _duration(86400),
        "ChatShape.url_env": variable,
        "EventBusShape.id": {"pattern": "^eb-"},
        "AlarmsShape.group_within": _duration(),
    }


def _scope() -> dict[str, Any]:
    addresses = {"anyOf": [{"const": "all"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}
    components = {
        "anyOf": [{"const": "all"}, {"type": "object", "minProperties": 1, "additionalProperties": addresses}]
    }
    return {"type": "object", "minProperties": 1, "additionalProperties": components}


def _of_operations() -> list[dict[str, Any]]:
    """Which operation needs, and which takes, which of ``do``'s keys."""
    rules = []
    for operation in OpType:
        needed = [field for field, _ in Action(operation).problems()]
        whole = Action(operation, StrategyConfig(), StopParams(), keep_monitor=False)
        refused: dict[str, Any] = {field: False for field, _ in whole.problems()}
        if operation is not OpType.RESTART_SERVICE:
            refused["even_if_healthy"] = {"const": False}
        is_it = {"required": ["operation"], "properties": {"operation": {"const": operation.value}}}
        then: dict[str, Any] = {"properties": refused, **({"required": needed} if needed else {})}
        rules.append({"if": is_it, "then": then})
    return rules


# -- event patterns


def _pattern_definitions() -> dict[str, Any]:
    """A pattern over the fields of an Event: as handler/decide/patterns.py reads it, and handler/decide/pattern_lint.py doubts it."""
    text = {"type": "string"}
    fields: dict[str, Any] = {name: _values(text) for name in FIELDS if name not in ("labels", "occurred_at")}
    fields["source"] = _values({"enum": [word for word in get_args(SourceKind) if word != "unknown"]})
    fields["status"] = _values({"enum": list(get_args(Status))})
    fields["occurred_at"] = _values({"type": ["number", "boolean"]}, {"type": "number"})
    described = {name: {**value, "description": _FIELDS[name]} for name, value in fields.items()}
    alternatives = {"type": "array", "minItems": 1, "description": "Any of these patterns."}
    labels = {"anyOf": [_values(text), {"$ref": "#/$defs/PatternOfLabel"}]}
    of_labels = {
        "type": "object",
        "minProperties": 1,
        "properties": {"$or": {**alternatives, "items": {"$ref": "#/$defs/PatternOfLabels"}}},
        "additionalProperties": labels,
    }
    return {
        "Pattern": {
            "type": "object",
            "description": "Every field must match; of a field's list, any. Operators are those of EventBridge.",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                **{name: described[name] for name in FIELDS if name != "labels"},
                "labels": {"$ref": "#/$defs/PatternOfLabels", "description": _FIELDS["labels"]},
                "$or": {**alternatives, "items": {"$ref": "#/$defs/Pattern"}},
            },
        },
        "PatternOfLabels": of_labels,
        "PatternOfLabel": {**of_labels, "propertyNames": {"not": {"enum": list(_operators(text))}}},
    }


_FIELDS: Final = {
    "id": "The sender's identity of the occurrence.",
    "source": "Who sent it.",
    "name": "The alert's or the trigger's name.",
    "status": "Of an alert; none for what is no alert.",
    "severity": "As the sender says it.",
    "cluster": "The cluster's id, emr-….",
    "service": "Such as HDFS.",
    "component": "Such as DataNode.",
    "ip": "The address of the process.",
    "labels": "Whatever else the sender says, by its name; always texts.",
    "occurred_at": "Seconds since the epoch.",
    "message": "The alert's text, or a timer's message.",
}


def _values(literal: dict[str, Any], unwanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """A field's list: literals, null for what is not there, and operators. ``unwanted``: what anything-but may name."""
    operator = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": _operators(unwanted or literal),
    }
    return {"type": "array", "minItems": 1, "items": {"anyOf": [literal, {"type": "null"}, operator]}}


def _operators(literal: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    folded = {
        "type": "object",
        "required": ["equals-ignore-case"],
        "additionalProperties": False,
        "properties": {"equals-ignore-case": text},
    }
    affix = {"anyOf": [text, folded]}

    def one_or_several(item: dict[str, Any]) -> dict[str, Any]:
        return {"anyOf": [item, {"type": "array", "minItems": 1, "items": item}]}

    unwanted: dict[str, dict[str, Any]] = {
        "prefix": affix,
        "suffix": affix,
        "equals-ignore-case": text,
        "wildcard": text,
    }
    other = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": {name: one_or_several(item) for name, item in unwanted.items()},
    }
    comparator = {"enum": ["=", "<", "<=", ">", ">="]}
    terms = [comparator, {"type": "number"}]
    numeric = {
        "anyOf": [
            {"type": "array", "prefixItems": terms * times, "minItems": 2 * times, "maxItems": 2 * times}
            for times in (1, 2)
        ]
    }
    told: dict[str, dict[str, Any]] = {
        "prefix": {**affix, "description": "Begins with."},
        "suffix": {**affix, "description": "Ends with."},
        "anything-but": {
            "anyOf": [*one_or_several(literal)["anyOf"], other],
            "description": "There, and none of these.",
        },
        "exists": {"type": "boolean", "description": "Whether it is there."},
        "numeric": {**numeric, "description": "A number within bounds; a label that is written as one, too."},
        "cidr": {"type": "string", "pattern": _BLOCK, "description": "An address of this block."},
        "equals-ignore-case": {**text, "description": "The same but for case."},
        "wildcard": {**text, "description": "* stands for any characters."},
    }
    return {name: {**value, "examples": [_OPERANDS[name]]} for name, value in told.items()}


_OPERANDS: Final[dict[str, Any]] = {
    "prefix": "HiveServer2",
    "suffix": "Down",
    "anything-but": ["info", "none"],
    "exists": True,
    "numeric": [">=", 3, "<", 10],
    "cidr": "172.16.0.0/16",
    "equals-ignore-case": "critical",
    "wildcard": "*DataNode*",
}

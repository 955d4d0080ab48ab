"""The JSON Schema of an event pattern.

It describes what ``handler/decide/patterns.py`` reads and ``steward/config/pattern_lint.py`` warns about.
"""

from __future__ import annotations

from typing import Any, Final, get_args

from handler.model.event import FIELDS, Status
from handler.receive.payload import SENDERS

_BLOCK: Final = "^[0-9A-Fa-f.:]+/[0-9]{1,3}$"


def pattern_definitions() -> dict[str, Any]:
    """The definitions of a pattern over the fields of an Event, and over its labels."""
    text = {"type": "string"}
    fields: dict[str, Any] = {name: _values(text) for name in FIELDS if name not in ("labels", "occurred_at")}
    fields["source"] = _values({"enum": [sender.source for sender in SENDERS]})
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
    "status": "Of an alert; none for what is not an alert.",
    "severity": "As the sender writes it.",
    "cluster": "The cluster's id, emr-….",
    "service": "Such as HDFS.",
    "component": "Such as DataNode.",
    "ip": "The address of the process.",
    "labels": "Whatever else the sender sends, by its name; always texts.",
    "occurred_at": "Seconds since the epoch.",
    "message": "The alert's text, or a timer's message.",
    "caller": "Who sent it over HTTP, by its name in webhook.callers.",
}


def _values(literal: dict[str, Any], unwanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """A field's list: literals, null for an absent field, and operators.

    ``unwanted`` is the schema of what ``anything-but`` may name.
    """
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
    described: dict[str, dict[str, Any]] = {
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
    return {name: {**value, "examples": [_OPERANDS[name]]} for name, value in described.items()}


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

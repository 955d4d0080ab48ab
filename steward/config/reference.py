"""The reference of steward.yml, docs/configuration.md, generated from the JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from steward.config.durations import span
from steward.config.json_schema import json_schema

_HEAD: Final = """\
# Reference of steward.yml

Written by `steward schema --reference` from what the file is checked against. [rules.md](rules.md) explains rules; [steward.yml](../steward.yml)
is an example that works. `steward check` names each error with its line, and `steward schema` gives the JSON Schema for editors.

A *duration* is a number of seconds, or a text such as `90s`, `15m`, `2h`, `7d`, `1h30m`. A *share* is a percentage such as `25%`, or a number above 0 and up
to 1. A *command* is what a timer or a person asks for; an alert asks for a *remediation*. Texts in `do` may be templates: `{ip}`, `{labels.instance|host}`.
"""


def reference() -> str:
    """The whole document, in Markdown."""
    schema = json_schema()
    return "\n".join([_HEAD, *_section("", schema, schema["$defs"], set())])


def _section(path: str, schema: dict[str, Any], schemas: dict[str, Any], done: set[str]) -> Iterator[str]:
    """A mapping's keys as a table, then the sections of the mappings in it.

    A mapping in ``done`` is already described, and gets a link only.
    """
    if path:
        yield f"## `{path}`\n"
        if schema.get("description"):
            yield f"{schema['description']}\n"
    yield "| key | is | default | what it means | such as |"
    yield "|---|---|---|---|---|"
    below = []
    for key, value in schema["properties"].items():
        name, inside = _inside(path, key, value)
        default = (
            "required" if key in schema.get("required", ()) else _code(value["default"]) if "default" in value else ""
        )
        example = _code(value["examples"][0]) if "examples" in value else ""
        link = f"[below](#{_anchor(name if inside not in done else inside)})" if inside else ""
        is_what = " ".join(part for part in (_kind(value), link) if part)
        yield f"| `{key}` | {is_what} | {default} | {value['description']} | {example} |"
        if inside and inside not in done:
            done.add(inside)
            below.append((name, schemas[inside]))
    yield ""
    for name, inner in below:
        if inner is schemas["Pattern"]:
            yield from _pattern(name, inner)
        else:
            yield from _section(name, inner, schemas, done)


def _inside(path: str, key: str, value: dict[str, Any]) -> tuple[str, str]:
    """The path of the mapping that a key holds, and its model's name; empty if it holds none."""
    at = f"{path}.{key}" if path else key
    for place, holder in (
        ("", value),
        ("[]", value.get("items", {})),
        (".<id>", value.get("additionalProperties", {})),
    ):
        if isinstance(holder, dict) and "$ref" in holder:
            return at + place, holder["$ref"].rpartition("/")[2]
    return at, ""


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    named = {"Limits": "limits"}.get(heading, heading)  # described once, for all rules and for one
    return "".join(character for character in named.lower() if character.isalnum() or character in "_-")


def _kind(value: dict[str, Any]) -> str:
    """What a key holds, in a few words."""
    if "$ref" in value:
        return "mapping"
    if "enum" in value:
        return "one of " + ", ".join(map(_code, value["enum"]))
    if "anyOf" in value:
        if "const" in value["anyOf"][0]:
            return f"{_code(value['anyOf'][0]['const'])} or list of texts"
        return (
            "share" if "exclusiveMinimum" in value["anyOf"][1] else "duration" + _bounds_of_duration(value["anyOf"][1])
        )
    kind = value["type"]
    if kind == "array":
        items = value["items"]
        if "enum" in items:
            return "list of " + ", ".join(map(_code, items["enum"]))
        return "list of mappings" if "$ref" in items else "list of texts"
    if kind == "integer":
        low, high = value.get("minimum"), value.get("maximum")
        return "whole number" + (f" from {low}" if low is not None else "") + (f" to {high:,}" if high else "")
    return {"string": "text", "boolean": "true or false", "object": "mapping"}[kind]


def _bounds_of_duration(bounds: dict[str, Any]) -> str:
    low, high = bounds["minimum"], bounds["maximum"]
    return (f" from {span(low)}" if low else "") + (f" to {span(high)}" if high < 86400 else "")


def _pattern(path: str, schema: dict[str, Any]) -> Iterator[str]:
    fields = schema["properties"]
    yield f"## `{path}`\n"
    yield f"{schema['description']} `null` and `{{exists: false}}` match what is not there.\n"
    yield "| field | what it is |"
    yield "|---|---|"
    for name, value in fields.items():
        words = value.get("items", {}).get("anyOf", [{}])[0].get("enum")
        yield (
            f"| `{name}` | {value['description']}"
            + (f" One of {', '.join(map(_code, words))}." if words else "")
            + " |"
        )
    yield ""
    yield "| operator | matches | such as |"
    yield "|---|---|---|"
    operators = fields["name"]["items"]["anyOf"][2]["properties"]
    for name, value in operators.items():
        yield f"| `{name}` | {value['description']} | {_code({name: value['examples'][0]})} |"
    yield ""


def _code(value: Any) -> str:
    """A value as it is written in the file, within one line."""
    return f"`{_flow(value)}`"


def _flow(value: Any, *, inside: bool = False) -> str:
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_flow(key, inside=True)}: {_flow(item, inside=True)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item, inside=True) for item in value) + "]"
    if isinstance(value, str):
        quoted = (
            value[:1] in "{[*&!|>'\"%@`=<"
            or ": " in value
            or (inside and "," in value)
            or (value[:2].isdigit() and ":" in value)
        )
        return json.dumps(value, ensure_ascii=False) if quoted else value
    return json.dumps(value)

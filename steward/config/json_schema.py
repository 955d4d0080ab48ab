"""The JSON Schema of steward.yml, for editors.

pydantic derives it from the models. The definition of a pattern is added here, since no model has it. Whatever
``steward check`` accepts, the schema accepts too.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from steward.config.models import StewardFile
from steward.config.pattern_schema import pattern_definitions


class _AsWritten(GenerateJsonSchema):
    """Keys stay in the order of the models."""

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the file."""
    schema = StewardFile.model_json_schema(schema_generator=_AsWritten)
    for one in (schema, *schema["$defs"].values()):
        one.pop("title", None)
        for value in one["properties"].values():
            value.pop("title", None)
            value.pop("why", None)  # it is for messages
            if value.get("default", "") is None:  # the key may be left out, and null is refused
                del value["default"]
    when = schema["$defs"]["Rule"]["properties"]["when"]
    del when["type"]
    when["$ref"] = "#/$defs/Pattern"
    schema["$defs"].update(pattern_definitions())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "steward.yml"}

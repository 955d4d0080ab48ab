"""``python -m steward.package.compiled_schemas FILE``: each schema as pydantic compiles it.

The function loads these with pydantic's Rust core, without pydantic itself.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import handler
from handler.lib.validation import schemas

FOLDER = Path(handler.__path__[0])


def modules() -> list[str]:
    """The modules of ``handler`` that define a schema.

    They are found by their source text, since the function imports them one at a time when it needs them.
    """
    paths = (path for path in FOLDER.rglob("*.py") if "Schema(" in path.read_text(encoding="utf-8"))
    return sorted(".".join(path.relative_to(FOLDER.parent).with_suffix("").parts) for path in paths)


def compiled() -> dict[str, Any]:
    """The core schema of every schema of the function, by its name."""
    for name in modules():
        importlib.import_module(name)
    return {name: schema.core_schema() for name, schema in sorted(schemas.items())}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(compiled(), separators=(",", ":")), encoding="utf-8")

"""``python -m steward.package.compiled_schemas FILE``: what pydantic makes of every schema.

With that the function loads pydantic's Rust core only.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from handler.lib.validation import schemas

#: The modules that define schemas; sources are loaded by the function one at a time.
MODULES = (
    "handler.cloud.emr",
    "handler.cloud.credentials",
    *(
        f"handler.receive.senders.{name}"
        for name in ("alertmanager", "eventbridge", "grafana", "request", "tcop", "timer")
    ),
)


def compiled() -> dict[str, Any]:
    """The core schema of every schema that the function validates, by its name."""
    for name in MODULES:
        importlib.import_module(name)
    return {name: schema.core_schema() for name, schema in sorted(schemas.items())}


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(compiled(), separators=(",", ":")), encoding="utf-8")

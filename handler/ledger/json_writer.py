"""Writing JSON, a few objects or many, each as fast as can be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: From so many objects on pydantic's core, twice as fast, is worth what its first use imports: uuid, ipaddress,
#: subprocess and more, 8 ms of a start.
MANY: Final = 200

_write: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def writer(objects: int) -> Callable[[Mapping[str, Any]], str]:
    """What writes each of so many objects, without spaces; a value that JSON does not know as its ``str``. The objects hold no NaN."""
    if objects < MANY:
        return _write
    from pydantic_core import to_json

    return lambda value: to_json(value, fallback=str).decode()

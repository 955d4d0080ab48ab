"""The bounds of a shape's values, told to pydantic when it derives the shape's schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Bound:
    """In ``Annotated[int, Bound(ge=0, le=300)]``: what the core schema of the value says besides.

    Numbers know ``ge`` and ``le``, texts and lists ``min_length`` and ``max_length``. A class of our own, since the
    packaged function never derives a schema, and ``annotated_types``, which says the same, takes 9 ms to import.
    """

    __slots__ = ("_bounds",)

    def __init__(self, **bounds: int) -> None:
        self._bounds = bounds

    def __get_pydantic_core_schema__(self, kind: Any, derive: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """pydantic's protocol for annotations."""
        return {**derive(kind), **self._bounds}

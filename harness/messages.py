"""One HTTP request and its reply as plain values, the same over a socket and in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = "application/json"


@dataclass(frozen=True)
class Call:
    """A request as it arrived. ``headers`` have lower-case names."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def received(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Call:
        """Make one from a request line's target (``/?a=b``) and headers in any case."""
        path, _, query = target.partition("?")
        return cls(method, path or "/", query, {name.lower(): value for name, value in headers.items()}, body)

    def header(self, name: str) -> str:
        """A header's value, stripped; empty if it was not sent."""
        return self.headers.get(name.lower(), "").strip()

    @property
    def action(self) -> str:
        """``X-TC-Action``."""
        return self.header("x-tc-action")


@dataclass(frozen=True)
class Reply:
    """An HTTP response."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

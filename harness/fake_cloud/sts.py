"""Roles of accounts, and temporary keys for them (STS, AssumeRole)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

#: The account of the permanent key, and of every cluster that names no other.
HOME_UIN: Final = "100000000001"


@dataclass
class Role:
    """A role: who may assume it, for how long, and what its policy does not allow."""

    arn: str
    trusts: frozenset[str] = frozenset({HOME_UIN})
    max_seconds: int = 43_200
    denied: set[str] = field(default_factory=set)

    @property
    def uin(self) -> str:
        """The account that it belongs to."""
        return self.arn.partition("uin/")[2].partition(":")[0]


@dataclass(frozen=True)
class Session:
    """A temporary key for a role, which expires at ``until`` (seconds since the epoch)."""

    role: Role
    secret_id: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    until: float

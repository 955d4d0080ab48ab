"""What the readers of all parts of steward.yml share: the faults that are noted, and values that stand in several parts.

A part that could not be read is None, and is read as if it were not there: its fault is noted already, and nothing that
follows from it is.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from handler.errors import ConfigurationError
from handler.lib.wording import duration, meant, span

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,127}", re.ASCII)


class Notes:
    """What is found while one file is read.

    ``clusters`` are the ids that are listed; None where that could not be read. ``moved`` has paths at which something
    is read, and where it is written instead.
    """

    def __init__(
        self, locate: Callable[[str], str], clusters: Collection[str] | None, moved: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._locate = locate
        self._clusters = clusters
        self._moved = sorted(moved, key=lambda paths: -len(paths[0]))
        #: By their texts: what is wrong with limits, which are read for alerts and for orders, is wrong once.
        self._problems: dict[str, ConfigurationError] = {}
        self._unread: set[str] = set()
        self._counted: list[tuple[float, str]] = []

    @property
    def problems(self) -> tuple[ConfigurationError, ...]:
        """In the order of their lines, each once."""
        return tuple(sorted(self._problems.values(), key=_line))

    def problem(self, path: str, problem: str, hint: str = "") -> None:
        """Something is wrong with what stands at ``path``; ``hint``: how to mend it."""
        path = self._written(path)
        self.add(ConfigurationError(problem, path=path, where=self._locate(path), hint=hint))

    def add(self, problem: ConfigurationError) -> None:
        """A problem that bears its place."""
        self._problems.setdefault(str(problem), problem)

    def _written(self, path: str) -> str:
        for read, written in self._moved:
            if path == read or path.startswith((f"{read}.", f"{read}[")):
                path = written + path[len(read) :]
        return path

    def duration(
        self,
        path: str,
        raw: Mapping[str, Any],
        key: str,
        default: float,
        *,
        least: float = 0,
        limit: float = 3660 * 86400,
    ) -> float:
        """The key's seconds, from ``least`` to ``most``; the default where there are none, or none that can be read."""
        if key not in raw:
            return default
        seconds = None if raw[key] is None else duration(raw[key])
        if seconds is not None and least <= seconds <= limit:
            return seconds
        at = f"{path}.{key}"
        self._unread.add(at)
        if seconds is not None:
            self.problem(at, f"{raw[key]!r} is out of bounds", f"from {span(least)} to {span(limit)}")
        elif raw[key] is not None:
            self.problem(at, f"{raw[key]!r} is not a duration", "90s, 15m, 2h, 7d, or a number of seconds")
        return default

    def counted(self, seconds: float, what: str) -> None:
        """``what`` is counted for so long, and has to be remembered."""
        self._counted.append((seconds, what))

    def remembered(self, path: str, seconds: float) -> None:
        """What is forgotten protects nothing: the ledger, which keeps records for ``seconds``, must not forget what is counted."""
        longest, what = max(self._counted)
        if longest > seconds and path not in self._unread:
            hint = f"at least {span(longest)}, or a shorter span there"
            self.problem(path, f"is shorter than {what}, which would be forgotten", hint)

    def listed(self, path: str, cluster: str) -> bool:
        """Whether a cluster is one of the file's, as far as these could be read."""
        if self._clusters is None or cluster in self._clusters:
            return True
        self.problem(path, f"{cluster} is not listed under clusters", meant(cluster, self._clusters))
        return False

    def named(self, path: str, ids: list[str | None] | None) -> frozenset[str]:
        """The clusters that a list names."""
        ids_by_path = dict(each(path, ids))
        for at, cluster in ids_by_path.items():
            self.listed(at, cluster)
        return frozenset(ids_by_path.values())

    def variable(self, path: str, name: str | None, hint: str) -> str:
        """An environment variable's name. What stands there instead is not repeated: it may be the secret itself."""
        if name is not None and not _VARIABLE.fullmatch(name):
            self.problem(path, "is not the name of an environment variable", hint)
        return name or ""


def each(path: str, schemas: list[Any] | None) -> Iterator[tuple[str, Any]]:
    """What could be read of a list, each with its path."""
    return ((f"{path}[{index}]", schema) for index, schema in enumerate(schemas or ()) if schema is not None)


def _line(problem: ConfigurationError) -> int:
    """Of its place in the file; 0 where that has no lines."""
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0

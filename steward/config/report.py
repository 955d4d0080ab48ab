"""The errors of one file, collected while it is read: each with its line, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handler.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from steward.config.messages import Problem


class Report:
    """The errors that are found while one file is read.

    ``locate`` gives ``file:line`` for a key's path. ``moved`` pairs the path at which something was read with the path
    at which it is written in the file.
    """

    def __init__(
        self,
        locate: Callable[[str], str],
        known: Iterable[ConfigurationError] = (),
        problems: Iterable[Problem] = (),
        moved: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._locate = locate
        self._moved = sorted(moved, key=lambda paths: -len(paths[0]))
        self._problems: dict[str, ConfigurationError] = {str(problem): problem for problem in known}
        for problem in problems:
            self.problem(problem.path, problem.problem, problem.hint)

    @property
    def problems(self) -> tuple[ConfigurationError, ...]:
        """The errors in the order of their lines, each once."""
        return tuple(sorted(self._problems.values(), key=_line))

    def problem(self, path: str, problem: str, hint: str = "") -> None:
        """Report that something is wrong at ``path``. ``hint`` is how to fix it."""
        path = self._written(path)
        error = ConfigurationError(problem, path=path, where=self._locate(path), hint=hint)
        self._problems.setdefault(str(error), error)

    def _written(self, path: str) -> str:
        for read, written in self._moved:
            if path == read or path.startswith((f"{read}.", f"{read}[")):
                path = written + path[len(read) :]
        return path


def _line(problem: ConfigurationError) -> int:
    """The line of an error in the file; 0 if the file has no lines."""
    line = problem.where.rpartition(":")[2]
    return int(line) if line.isdigit() else 0

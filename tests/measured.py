"""A pytest plugin: branch coverage of each worker of the suite, and of no process that a test starts (`make coverage`)."""

from __future__ import annotations

import coverage

MEASURING = coverage.Coverage()
MEASURING.start()  # before anything of ``handler`` is imported


def pytest_unconfigure() -> None:
    """Write down what ran."""
    MEASURING.stop()
    MEASURING.save()

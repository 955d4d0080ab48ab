"""A fault of the steward itself: said in the log, and an outcome like any other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from handler.model.outcome import Outcome

if TYPE_CHECKING:
    from handler.report.log import Log


def outcome_of(error: Exception, log: Log) -> Outcome:
    """The outcome of events that our own ``error`` interrupted; the line ``steward.fault`` says where it was raised."""
    import traceback

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"
    problem = log.hide(f"{type(error).__name__}: {error}")  # before the cut, which could leave half a secret
    log.error("steward.fault", problem=problem[:500], at=place)
    return Outcome.failed("fault", f"a fault of the steward itself at {place} ({type(error).__name__})")

"""What the platform calls."""

from __future__ import annotations

import os
from typing import Any

from handler.errors import ConfigurationError
from handler.function import Context, Function, to_stdout
from handler.invocation import asks_for_doctor
from handler.sources.envelopes import HttpCall, open_envelope
from handler.webhook import answers


def main_handler(event: Any, context: Any) -> Any:
    """What the platform calls (``index.main_handler``): ``event`` and ``context`` are dicts there, whatever they are here.

    Raises ConfigurationError where the function cannot start, and RetryLater where a repeat can help, for events that
    are not HTTP.
    """
    try:
        function = Function.of_this_instance()
    except ConfigurationError:
        if isinstance(open_envelope(event), HttpCall):
            # The caller cannot be known without the configuration, so it is told nothing of it.
            return answers.problem(500, "the function cannot start; its log says why")
        if not asks_for_doctor(event):
            raise
        from handler.examination import of_broken_function

        return of_broken_function(event, Context.of(context).seconds, os.environ, to_stdout)
    return function.handle(event, context)

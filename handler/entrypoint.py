"""What the platform calls."""

from __future__ import annotations

import os
from typing import Any

from handler.app import Context, Function, to_stdout
from handler.errors import ConfigurationError
from handler.invocation import asks_for_doctor
from handler.receive.envelopes import HttpCall, open_envelope
from handler.report import responses


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
            return responses.problem(500, "the function cannot start; its log says why")
        if not asks_for_doctor(event):
            raise
        from handler.doctor.probes import of_broken_function

        return of_broken_function(event, Context.of(context).seconds, os.environ, to_stdout)
    return function.handle(event, context)

"""Events come true on arrival: alerts kill what they name, old events become new."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from handler.decide.grants import granted
from handler.errors import InvalidInput, Unauthenticated
from handler.receive.envelopes import HttpCall, open_envelope
from steward.simulate.platform import restamp
from steward.simulate.world import World, events_of, received_of

#: Seconds after which an event is a sample rather than news.
OLD: Final = 600.0


class Arrivals:
    """Makes the HTTP calls to a private fake cluster come true. Call it from one thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: When each old body first arrived, so that its repetition is the same occurrence.
        self._first: dict[bytes, float] = {}
        self._known: set[str] = set()

    def make_true(self, event: Any) -> tuple[Any, list[str]]:
        """The event to deliver, and the processes that were killed for it.

        A call that the function refuses changes nothing.
        """
        if not self._is_accepted(event):
            return event, []
        moment = self._world.clock.now()
        if any((alert.occurred_at or moment) < moment - OLD for alert in events_of(event)):
            body = hashlib.sha256(str(event.get("body")).encode()).digest()
            if moment - self._first.get(body, 0.0) > OLD:
                self._first[body] = moment
            event = restamp(event, self._first[body])
        return event, self._world.kill_what_fires(event, self._known)

    def _is_accepted(self, event: Any) -> bool:
        """Whether the function will serve this call, and not answer with 400, 401, 403, 405 or 413."""
        call = open_envelope(event)
        if not isinstance(call, HttpCall) or call.method != "POST":
            return False
        try:
            caller = self._world.function.authenticate(call)
            call.payload()
        except (Unauthenticated, InvalidInput):
            return False
        return not any(granted(one, caller) for one in received_of(event))

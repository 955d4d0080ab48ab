"""One event of the platform, and the exit contract: what is answered, returned, or raised.

HTTP calls are always answered. Timers and asynchronous events return what became of them, and raise only where the
platform's retry (two more, a minute apart) can help.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from handler.errors import InvalidInput, LedgerUnavailable, StewardError, Unauthenticated
from handler.execute.follow_up import MESSAGE as FOLLOW_UP
from handler.execute.pipeline import Served
from handler.model.event import Unreadable
from handler.model.outcome import Record
from handler.receive import sanitize
from handler.receive.payload import read
from handler.report import own_faults, responses
from handler.report.alarms import Alarm, alarms_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handler.app import Function
    from handler.lib.clock import Deadline
    from handler.model.event import Event
    from handler.receive.envelopes import HttpCall
    from handler.report.log import Log


class RetryLater(StewardError):
    """Nothing was lost, but nothing could be done now either: the platform should deliver the event again."""


class Invocation:
    """One event of the platform: its time, its log, its answer."""

    def __init__(self, function: Function, log: Log, deadline: Deadline) -> None:
        self._function = function
        self._log = log
        self._deadline = deadline

    # -- HTTP

    def answer_call(self, call: HttpCall) -> dict[str, Any]:
        """Authenticate, read, serve, answer; without a secret, whatever the sender wrote. Raises nothing."""
        response = self._response(call)
        return {**response, "body": self._log.hide(response["body"])}

    def _response(self, call: HttpCall) -> dict[str, Any]:
        self._deadline = self._deadline.sooner(self._function.config.webhook.patience)
        try:
            caller = self._function.authenticate(call)
        except Unauthenticated as error:
            self._log.warning("steward.door.refused", remote=call.remote, path=self._log.hide(call.path)[:200])
            return responses.problem(
                401, str(error), headers={"WWW-Authenticate": 'Basic realm="steward", Bearer realm="steward"'}
            )
        self._log = self._log.with_fields(caller=caller)
        if call.method != "POST":
            return responses.problem(405, "only POST is served here", headers={"Allow": "POST"})
        try:
            payload = call.payload()
        except InvalidInput as error:
            self._log.warning("steward.input.refused", problem=str(error), bytes=call.size)
            return responses.problem(413 if call.is_too_large else 400, "the body cannot be read", faults=error.faults)
        if asks_for_doctor(payload):
            # Whoever may ring here need not learn what the role may do.
            return responses.problem(403, "the doctor answers to an invocation of the function only, not over HTTP")
        events = read(payload, idempotency_key=call.idempotency_key)
        served = self._serve(events)
        unreadable = [event.error for event in events if isinstance(event, Unreadable)]
        if unreadable and len(unreadable) == len(events):
            found = [fault for error in unreadable for fault in error.faults][:20]
            return responses.problem(400, "nothing in the body can be served", faults=found)
        return responses.answer(served.records, is_direct=events[0].source == "request", extra=_for_sender(payload))

    # -- the doctor

    def examine(self, raw: Mapping[str, Any], time_limit: float) -> dict[str, Any]:
        """What is well with this function and what is not. ``time_limit`` in seconds."""
        from handler.doctor.probes import report

        examination = self._function.examination(self._deadline, time_limit)
        return report(examination.findings(send_test_alarm=bool(raw.get("send_test_alarm"))), self._log)

    # -- everything else

    def serve_events(self, events: Sequence[Event | Unreadable]) -> dict[str, Any]:
        """Serve what came without HTTP; what became of it. Raises RetryLater where a repeat can help."""
        if all(_is_follow_up(event) for event in events):
            return self._follow_up()
        served = self._serve(events)
        if again := [record.outcome for record in served.records if record.outcome.wants_repeat]:
            reason = self._log.hide(again[0].reason)
            raise RetryLater(f"{len(again)} of {len(served.records)} events: {reason}")
        return _summary(served.records, self._log.hide)

    def _follow_up(self) -> dict[str, Any]:
        function, alarms = self._function, self._function.alarms()
        try:
            counts = function.follow_up(self._log, lambda alarm: alarms.say_soon([alarm], self._log)).run(
                self._deadline
            )
        except LedgerUnavailable as error:
            self._log.error("steward.ledger.unavailable", problem=str(error))
            alarms.say([Alarm("ledger.unavailable", "", "ledger", str(error))], self._log, self._deadline)
            return {"follow_up": "the ledger cannot be used"}
        alarms.say_unsent(self._log, self._deadline)
        return {"follow_up": counts}

    # -- both

    def _serve(self, events: Sequence[Event | Unreadable]) -> Served:
        """Outcomes, their log lines, their alarms and their place in the ledger."""
        function = self._function
        for event in events if self._log.is_debug else ():
            self._log.debug("steward.event", **_event_fields(event))
        try:
            served = function.pipeline(self._log, self._owner()).serve(events, self._deadline)
        except Exception as error:
            served = self._fault(events, error)
        lines = self._log.outcomes(served.records, mode=function.settings.mode)
        alarms = [*served.alarms, *alarms_of(served.decided)]
        if alarms:
            function.alarms().say(alarms, self._log, self._deadline)
        try:
            function.ledger.record(served.records, lines)
        except LedgerUnavailable as error:
            self._log.error("steward.ledger.record_failed", problem=str(error))
        return served

    def _fault(self, events: Sequence[Event | Unreadable], error: Exception) -> Served:
        outcome = own_faults.outcome_of(error, self._log)
        now = self._function.clock.now()
        records = [Record(now, event.id, event.source, event.name, event.cluster, outcome) for event in events]
        return Served(records, records)

    @staticmethod
    def _owner() -> str:
        return os.urandom(8).hex()


def _is_follow_up(event: Event | Unreadable) -> bool:
    return not isinstance(event, Unreadable) and event.source == "timer" and event.message == FOLLOW_UP


def asks_for_doctor(event: Any) -> bool:
    """``{"steward": "doctor"}``, with or without ``"send_test_alarm": true``."""
    return isinstance(event, dict) and event.get("steward") == "doctor" and set(event) <= {"steward", "send_test_alarm"}


def _event_fields(event: Event | Unreadable) -> dict[str, Any]:
    if isinstance(event, Unreadable):
        return {"event_id": event.id, "source": event.source, "problem": str(event.error)}
    fields = event.view()
    fields["event_id"] = fields.pop("id")
    return fields


def _summary(records: Sequence[Record], hide: Callable[[str], str]) -> dict[str, Any]:
    """What an asynchronous invocation returns. The platform logs it, so it is short and bears no secret."""
    counts: dict[str, int] = {}
    for record in records:
        counts[record.outcome.status] = counts.get(record.outcome.status, 0) + 1
    first = [
        {
            "event": hide(r.event),
            "outcome": r.outcome.status,
            "code": r.outcome.code,
            "reason": hide(r.outcome.reason),
        }
        for r in records[:20]
    ]
    return {"outcomes": first, "counts": counts}


def _for_sender(payload: Any) -> dict[str, Any]:
    """What a sender wants to read besides: Cloud Monitor its sessionId and a retCode."""
    if isinstance(payload, dict) and isinstance(payload.get("sessionId"), str) and "alarmStatus" in payload:
        return {"sessionId": sanitize.cut(payload["sessionId"], 256), "retCode": 0}
    return {}

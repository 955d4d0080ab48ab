"""Alarms: what a person must be notified of, once.

Each alarm is always an ERROR line ``steward.alarm``, which a CLS alarm policy can match. Where steward.yml says so it
also goes to channels: chats and pagers (through ``apprise``) and an EventBridge bus. What was told is in the ledger
(``handler/ledger/alarm_record.py``), so that identical alarms are one across instances; what a channel has not taken,
since no time was left or it failed, stays there, and the follow-up sends it. A failure to send never changes an outcome.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from handler.cloud.client import Product
from handler.errors import ApiError, LedgerUnavailable
from handler.ledger.alarm_record import UNSENT_SECONDS, AlarmRecord, Unsent
from handler.lib import in_flight
from handler.lib.threads import side_by_side
from handler.lib.wording import utc_text
from handler.model.alarm import Alarm
from handler.report.outcome_alarms import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from handler.cloud.account import Credentials
    from handler.cloud.client import CloudApi
    from handler.ledger.cluster_record import Saying
    from handler.ledger.ledger import Ledger
    from handler.lib.clock import Clock, Deadline
    from handler.model.policy import AlarmSettings
    from handler.report.log import Log

T = TypeVar("T")

#: Seconds that sending alarms may take of an invocation; the first one loads a large library.
SEND_SECONDS: Final = 10.0
#: Seconds without which no chat is begun with: that library takes as long to load on a small function.
MIN_SECONDS: Final = 2.0
#: Seconds for which an alarm is one invocation's to send: longer than SEND_SECONDS, shorter than the follow-up's
#: minute.
TAKEN_SECONDS: Final = 30.0
#: Entries that one follow-up takes; an alarm has one for each channel.
MAX_TAKEN: Final = 40
#: How many raised alarms one instance remembers.
MAX_REMEMBERED: Final = 10_000
#: Characters of a chat's message.
MAX_TEXT: Final = 4000
#: The channel of an event bus; that of a chat is ``chat:VARIABLE``.
EVENT_BUS: Final = "event_bus"


class Raised(NamedTuple):
    """An alarm, or that one is over, before it is told.

    It is not told where its ``name`` was told less than ``within`` seconds ago.
    """

    name: str
    alarm: Alarm
    within: float
    is_over: bool = False

    @classmethod
    def of_saying(cls, saying: Saying) -> Raised:
        """What a cluster's record decided to tell."""
        return cls(saying.id, Alarm.from_json(saying.body), UNSENT_SECONDS, saying.kind == "well")


def line(one: Unsent, name: str, now: float) -> str:
    """The chat's line: what and where, then what happened, then what to do.

    ``name`` is the cluster's name, or empty.
    """
    alarm = one.alarm
    cluster = f"{name} ({alarm.cluster})" if name not in ("", alarm.cluster) else alarm.cluster
    count = f" (×{alarm.count})" if alarm.count > 1 else ""
    since = f" (Raised at {utc_text(one.at)}.)" if now - one.at > TAKEN_SECONDS else ""
    over = "over: " if one.is_over else ""
    return f"{alarm.subject(cluster)}: {over}{alarm.text.removesuffix('.')}{count}. {alarm.fix}{since}".rstrip()


class Alarms:
    """Raises alarms: the log line always, the rest as configured. Made for one invocation."""

    def __init__(
        self,
        settings: AlarmSettings,
        env: Mapping[str, str],
        *,
        ledger: Ledger,
        api: CloudApi,
        credentials: Credentials | None,
        clock: Clock,
        names: Mapping[str, str] | None = None,
        raised: dict[str, float] | None = None,
    ) -> None:
        """``names`` are the clusters' names by id.

        ``raised`` is where this instance notes what it raised (key → seconds since the epoch), for when the ledger
        cannot.
        """
        self._names = names or {}
        self._raised = {} if raised is None else raised
        self._settings = settings
        self._env = env
        self._ledger = ledger
        self._api = api
        self._credentials = credentials
        self._clock = clock
        #: Whether the ledger has answered so far: one that does not is not asked again, each time up to its time-out.
        self._has_ledger = True
        #: By each channel's name, what sends: it answers why it did not go, and nothing where it did.
        self._channels: dict[str, Callable[[Sequence[Unsent], Log, Deadline], str]] = {
            f"chat:{chat.url_env}": partial(self._to_chat, chat.url_env) for chat in settings.chat
        }
        if settings.event_bus:
            self._channels[EVENT_BUS] = self._to_event_bus

    def notify(self, raised: Iterable[Raised], log: Log, deadline: Deadline) -> None:
        """Tell alarms, identical ones once, in at most SEND_SECONDS.

        Those that cannot be sent by then are kept for the follow-up.
        """
        entries, is_kept = self._written(list(raised), log)
        if entries:
            self._send(entries, log, deadline, is_kept=is_kept)

    def of(self, alarms: Iterable[Alarm]) -> list[Raised]:
        """Alarms that no cluster's record holds: told again after ``group_within``."""
        return [Raised(alarm.key, alarm, self._settings.group_within) for alarm in grouped(alarms)]

    def _written(self, raised: Sequence[Raised], log: Log) -> tuple[list[Unsent], bool]:
        """Log what nobody has told yet, as ERROR lines, and keep it until it is sent.

        Returns the entries to send, and whether they are kept: so a worker that dies or has no time leaves them behind.
        """
        if not raised:
            return [], False
        self._hide_urls(log)
        now = self._clock.now()
        known = self._ask(self._ledger.alarms)
        fresh = [one for one in raised if not self._is_told(known, one, now)]
        for one in fresh:
            alarm = one.alarm
            write = partial(log.info, "steward.alarm.over") if one.is_over else partial(log.error, "steward.alarm")
            write(
                code=alarm.code,
                cluster=alarm.cluster,
                about=alarm.about,
                where=alarm.subject(self._name(alarm)),
                reason=alarm.text,
                fix=alarm.fix,
                count=alarm.count,
                **alarm.facts,
            )
        for one in raised:
            if one not in fresh:
                log.info(
                    "steward.alarm.repeated", code=one.alarm.code, cluster=one.alarm.cluster, about=one.alarm.about
                )
        if not fresh:
            return [], False
        if len(self._raised) >= MAX_REMEMBERED:
            self._raised.clear()
        self._raised.update((one.name, now) for one in fresh)
        entries = [
            Unsent(
                f"{one.name}|{channel}" if one.within == UNSENT_SECONDS else os.urandom(8).hex(),
                now,
                channel,
                hidden(one.alarm, log.hide),
                one.is_over,
                now + TAKEN_SECONDS,
            )
            for channel in self._channels
            for one in fresh
        ]
        names = [one.name for one in fresh]

        def add(record: AlarmRecord) -> bool:
            record.add(names, entries, now)
            return True

        return entries, bool(self._ask(lambda: self._ledger.change_alarms(add)))

    def _is_told(self, known: AlarmRecord | None, one: Raised, now: float) -> bool:
        if known is not None and known.is_told(one.name, now, one.within):
            return True
        # Of a ledger that cannot be read or written: rather twice than never, but not with each of a storm's deliveries.
        return 0 <= now - self._raised.get(one.name, float("-inf")) < one.within

    def send_unsent(self, log: Log, deadline: Deadline) -> None:
        """Send alarms that could not be sent before, at most MAX_TAKEN, in SEND_SECONDS.

        Their ERROR lines were written when they were told. Raises nothing: what is not sent now is so a minute later.
        """
        if not self._channels or deadline.remaining() < MIN_SECONDS:
            return
        now = self._clock.now()
        known = self._ask(self._ledger.alarms)
        if known is None or not (known.unsent or known.dropped):
            return
        self._hide_urls(log)

        def take(record: AlarmRecord) -> tuple[list[Unsent], int, int]:
            gone = [one.id for one in record.unsent.values() if one.channel not in self._channels]
            record.sent(gone)
            dropped, record.dropped = record.dropped, 0
            return record.take(now, now + TAKEN_SECONDS, MAX_TAKEN), dropped, len(gone)

        taken = self._ask(lambda: self._ledger.change_alarms(take))
        if taken is None:
            return
        entries, dropped, gone = taken
        if dropped:
            problem = "too many waited to be sent, or for too long; those of least weight were dropped"
            log.error("steward.alarm.dropped", count=dropped, problem=problem)
        if gone:
            log.warning("steward.alarm.dropped", count=gone, problem="their channel is no longer configured")
        if entries:
            self._send(entries, log, deadline, is_kept=True)

    def _send(self, entries: Sequence[Unsent], log: Log, deadline: Deadline, *, is_kept: bool) -> None:
        """By all their channels, and forget what was taken."""
        now = self._clock.now()
        by_channel: dict[str, list[Unsent]] = {}
        for entry in entries:
            by_channel.setdefault(entry.channel, []).append(entry)
        seconds = max(0.0, min(SEND_SECONDS, deadline.remaining()))
        its_deadline = deadline.sooner(seconds)

        def send(channel: str) -> str:
            if seconds < MIN_SECONDS and channel != EVENT_BUS:
                return f"too little time is left to send it: {seconds:.1f} s"
            _, problem, error = in_flight.run(
                lambda: self._channels[channel](by_channel[channel], log, its_deadline), seconds
            )
            return str(problem) if error is None else f"{type(error).__name__}: {error}"

        # At once: one that hangs takes nothing of another's time, and all end together.
        sent: list[Unsent] = []
        for channel, problem in zip(by_channel, side_by_side(send, list(by_channel)), strict=True):
            if not problem:
                sent += by_channel[channel]
                continue
            write = log.warning if is_kept else log.error
            hidden_problem = log.hide(problem)[:300]  # in this order: a cut could leave half a secret
            write(
                "steward.alarm.unsent",
                channel=channel,
                problem=hidden_problem,
                count=len(by_channel[channel]),
                is_kept=is_kept,
            )
        if late := [one.id for one in sent if now - one.at > TAKEN_SECONDS]:
            log.info("steward.alarm.sent_late", count=len(late))
        if is_kept and sent:
            self._ask(lambda: self._ledger.change_alarms(lambda record: record.sent(one.id for one in sent)))

    def _name(self, alarm: Alarm) -> str:
        """What people call the alarm's cluster; its id where it has no name, and nothing where it has no cluster."""
        return self._names.get(alarm.cluster) or alarm.cluster

    def _hide_urls(self, log: Log) -> None:
        log.also_hide(url for chat in self._settings.chat if (url := self._env.get(chat.url_env, "")))

    def _ask(self, question: Callable[[], T]) -> T | None:
        """The ledger's answer; None where it cannot be used. Those who act on the cluster log and alarm that."""
        if self._has_ledger:
            try:
                return question()
            except LedgerUnavailable:
                self._has_ledger = False
        return None

    def _to_chat(self, variable: str, sendings: Sequence[Unsent], log: Log, deadline: Deadline) -> str:
        import apprise

        chat, url = apprise.Apprise(), self._env.get(variable, "")
        if not url or not chat.add(url):
            return f"{variable} is not a URL that apprise supports"
        if deadline.remaining() <= 0:  # loading took all of it, and whoever waited has given up: the follow-up sends it
            return "no time was left before it could begin"
        first = sendings[0].alarm
        title = first.subject(self._name(first)) if len(sendings) == 1 else f"{len(sendings)} alarms"
        title = title if title == "EMR Steward" else f"EMR Steward: {title}"
        body = log.hide("\n".join(line(one, self._name(one.alarm), self._clock.now()) for one in sendings))
        if len(body) > MAX_TEXT:
            body = body[:MAX_TEXT] + "…\nThe rest is in the log."
        is_taken = chat.notify(
            title=log.hide(title),
            body=body,
            notify_type="success" if all(one.is_over for one in sendings) else "failure",
        )
        return "" if is_taken else "the chat did not accept it"

    def _to_event_bus(self, sendings: Sequence[Unsent], log: Log, deadline: Deadline) -> str:
        bus = self._settings.event_bus
        if bus is None or self._credentials is None:
            return "no credentials"
        scheme, _, host = (self._env.get("STEWARD_EB_ENDPOINT") or "https://eb.tencentcloudapi.com").rpartition("://")
        product = Product("eb", "2021-04-16", scheme or "https", host, bus.region)
        events = [
            {
                "Source": "emr-steward",
                "Type": "steward:alarm.over" if one.is_over else "steward:alarm",
                "Subject": one.alarm.cluster or "steward",
                "Data": log.hide(
                    json.dumps(
                        {
                            "code": one.alarm.code,
                            "where": one.alarm.subject(self._name(one.alarm)),
                            "reason": one.alarm.text,
                            "fix": one.alarm.fix,
                            "count": one.alarm.count,
                            **one.alarm.facts,
                        },
                        ensure_ascii=False,
                    )
                ),
            }
            for one in sendings
        ]
        try:
            self._api.call(
                product, self._credentials, "PutEvents", {"EventList": events, "EventBusId": bus.id}, deadline
            )
        except ApiError as error:
            return str(error)
        return ""


def hidden(alarm: Alarm, hide: Callable[[str], str]) -> Alarm:
    """The alarm without the secrets that ``hide`` knows."""

    def each(row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: hide(value) if isinstance(value, str) else value for name, value in row.items()}

    return Alarm(**{**each(vars(alarm)), "facts": each(alarm.facts)})

"""Alarms: what a person must be notified of, once.

Each alarm is always an ERROR line ``steward.alarm``, which a CLS alarm policy can match. Where steward.yml says so it
also goes to channels: chats and pagers (through ``apprise``) and an EventBridge bus. Identical alarms are one: within
an invocation here, across instances by a claim in the ledger. What a channel has not taken, since no time was left or
it failed, stays in the ledger's outbox, and the follow-up sends it. A failure to send never changes an outcome.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from handler.cloud.client import Product
from handler.errors import ApiError, LedgerUnavailable
from handler.lib import in_flight
from handler.lib.threads import side_by_side
from handler.lib.wording import utc_text
from handler.model.alarm import Alarm, OutboxEntry
from handler.report.outcome_alarms import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from handler.cloud.account import Credentials
    from handler.cloud.client import CloudApi
    from handler.ledger.protocol import Ledger
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
#: Seconds for which an alarm that could not be sent is tried again.
UNSENT_SECONDS: Final = 24 * 3600.0
#: Entries that the outbox holds in all, and that one follow-up takes; an alarm has one for each channel.
MAX_UNSENT: Final = 1000
MAX_TAKEN: Final = 40
#: Seconds for which an alarm with an occasion is not raised again; the ledger forgets it after ``keep_records``.
ONCE_SECONDS: Final = 10 * 366 * 86_400.0
#: How many raised alarms one instance remembers.
MAX_REMEMBERED: Final = 10_000
#: Characters of a chat's message.
MAX_TEXT: Final = 4000
#: The channel of an event bus; that of a chat is ``chat:VARIABLE``.
EVENT_BUS: Final = "event_bus"


class Sending(NamedTuple):
    """An outbox entry, opened.

    ``late_since`` is when it was raised, where that was before this invocation.
    """

    id: str
    alarm: Alarm
    late_since: float | None

    def line(self, name: str) -> str:
        """The chat's line: what and where, then what happened, then what to do.

        ``name`` is the cluster's name, or empty.
        """
        alarm = self.alarm
        cluster = f"{name} ({alarm.cluster})" if name not in ("", alarm.cluster) else alarm.cluster
        count = f" (×{alarm.count})" if alarm.count > 1 else ""
        since = f" (Raised at {utc_text(self.late_since)}.)" if self.late_since is not None else ""
        return f"{alarm.subject(cluster)}: {alarm.text.removesuffix('.')}{count}. {alarm.fix}{since}".rstrip()


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
        #: What was to be kept, and is in this memory only.
        self._unkept: list[OutboxEntry] = []
        #: Whether the ledger has answered so far: one that does not is not asked again, each time up to its time-out.
        self._has_ledger = True
        #: By each channel's name, what sends: it answers why it did not go, and nothing where it did.
        self._channels: dict[str, Callable[[Sequence[Sending], Log, Deadline], str]] = {
            f"chat:{chat.url_env}": partial(self._to_chat, chat.url_env) for chat in settings.chat
        }
        if settings.event_bus:
            self._channels[EVENT_BUS] = self._to_event_bus

    def notify(self, alarms: Iterable[Alarm], log: Log, deadline: Deadline) -> None:
        """Raise alarms, identical ones once, in at most SEND_SECONDS.

        Those that cannot be sent by then are kept for the follow-up.
        """
        entries = self._written(alarms, log)
        if entries:
            self._send(entries, log, deadline, is_kept=self._keep(entries, TAKEN_SECONDS))

    def notify_later(self, alarms: Iterable[Alarm], log: Log) -> None:
        """Log alarms, identical ones once, and keep them for :meth:`send_unsent`.

        That sends them, in this invocation or in another one.

        Quick, so that it can be done before what they are about is settled. Raises nothing.
        """
        entries = self._written(alarms, log)
        if entries and not self._keep(entries, 0):
            self._unkept += entries

    def _written(self, alarms: Iterable[Alarm], log: Log) -> list[OutboxEntry]:
        """Log the alarms that nobody has raised yet, as ERROR lines; returns the entries to send."""
        self._hide_urls(log)
        fresh = []
        for alarm in grouped(alarms):
            if not self._is_first(alarm):
                write = log.debug if alarm.occasion else log.info
                write("steward.alarm.repeated", code=alarm.code, cluster=alarm.cluster, about=alarm.about)
                continue
            log.error(
                "steward.alarm",
                code=alarm.code,
                cluster=alarm.cluster,
                about=alarm.about,
                where=alarm.subject(self._name(alarm)),
                reason=alarm.text,
                fix=alarm.fix,
                count=alarm.count,
                **alarm.facts,
            )
            fresh.append(alarm)
        now = self._clock.now()
        return [
            OutboxEntry.of(os.urandom(8).hex(), now, channel, alarm, log.hide)
            for channel in self._channels
            for alarm in fresh
        ]

    def _keep(self, entries: Sequence[OutboxEntry], seconds: float) -> bool:
        """Keep entries before the first one is sent, so that a worker that dies or has no time leaves them behind.

        For ``seconds`` they are ours to send.
        """
        is_kept, _ = self._ask(self._ledger.keep_unsent, entries, self._clock.now() + seconds, MAX_UNSENT)
        return is_kept

    def send_unsent(self, log: Log, deadline: Deadline) -> None:
        """Send alarms that could not be sent before, in at most SEND_SECONDS.

        It takes MAX_TAKEN of the last UNSENT_SECONDS, in turn.

        Their ERROR lines were written when they were raised. Raises nothing: what is not sent now is so a minute later.
        """
        if not self._channels or deadline.remaining() < MIN_SECONDS:
            return
        self._hide_urls(log)
        now, since = self._clock.now(), self._clock.now() - UNSENT_SECONDS
        take = partial(self._ledger.take_unsent, since=since, limit=MAX_TAKEN)
        _, kept = self._ask(take, now, now + TAKEN_SECONDS)
        entries = [entry for entry in kept or () if self._has_channel(entry)]
        if dropped := {entry.id for entry in kept or ()} - {entry.id for entry in entries}:
            log.warning("steward.alarm.dropped", count=len(dropped), problem="their channel is no longer configured")
            self._ask(self._ledger.forget_unsent, sorted(dropped))
        if entries:
            self._send(entries, log, deadline, is_kept=True)
        if self._unkept:
            self._send(self._unkept, log, deadline, is_kept=False)

    def _has_channel(self, entry: OutboxEntry) -> bool:
        """Whether an entry can be read, and its channel is still configured."""
        try:
            channel, _ = entry.opened()
        except (ValueError, TypeError):
            return False
        return channel in self._channels

    def _send(self, entries: Sequence[OutboxEntry], log: Log, deadline: Deadline, *, is_kept: bool) -> None:
        """By all their channels, and forget what was taken."""
        now = self._clock.now()
        by_channel: dict[str, list[Sending]] = {}
        for entry in entries:
            channel, alarm = entry.opened()
            late_since = entry.at if now - entry.at > TAKEN_SECONDS else None
            by_channel.setdefault(channel, []).append(Sending(entry.id, alarm, late_since))
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
        sent: list[Sending] = []
        for channel, problem in zip(by_channel, side_by_side(send, list(by_channel)), strict=True):
            if not problem:
                sent += by_channel[channel]
                continue
            write = log.warning if is_kept else log.error
            hidden = log.hide(problem)[:300]  # in this order: a cut could leave half a secret
            write(
                "steward.alarm.unsent",
                channel=channel,
                problem=hidden,
                count=len(by_channel[channel]),
                is_kept=is_kept,
            )
        if late := [one.id for one in sent if one.late_since is not None]:
            log.info("steward.alarm.sent_late", count=len(late))
        if is_kept and sent:
            self._ask(self._ledger.forget_unsent, [one.id for one in sent])

    def _name(self, alarm: Alarm) -> str:
        """What people call the alarm's cluster; its id where it has no name, and nothing where it has no cluster."""
        return self._names.get(alarm.cluster) or alarm.cluster

    def _hide_urls(self, log: Log) -> None:
        log.also_hide(url for chat in self._settings.chat if (url := self._env.get(chat.url_env, "")))

    def _is_first(self, alarm: Alarm) -> bool:
        now, within = self._clock.now(), ONCE_SECONDS if alarm.occasion else self._settings.group_within
        if alarm.occasion and alarm.key in self._raised:
            return False
        has_answered, is_first = self._ask(self._ledger.claim, f"alarm|{alarm.key}", now, within)
        if not has_answered:
            # Rather twice than never, but not with each of a storm's deliveries.
            is_first = not 0 <= now - self._raised.get(alarm.key, float("-inf")) < within
        if len(self._raised) >= MAX_REMEMBERED:
            self._raised.clear()
        if is_first or alarm.occasion:
            self._raised[alarm.key] = now
        return bool(is_first)

    def _ask(self, question: Callable[..., T], *arguments: Any) -> tuple[bool, T | None]:
        """Whether the ledger answered, and what. Where it did not, those who act on the cluster log and alarm it."""
        if self._has_ledger:
            try:
                return True, question(*arguments)
            except LedgerUnavailable:
                self._has_ledger = False
        return False, None

    def _to_chat(self, variable: str, sendings: Sequence[Sending], log: Log, deadline: Deadline) -> str:
        import apprise

        chat, url = apprise.Apprise(), self._env.get(variable, "")
        if not url or not chat.add(url):
            return f"{variable} is not a URL that apprise supports"
        if deadline.remaining() <= 0:  # loading took all of it, and whoever waited has given up: the follow-up sends it
            return "no time was left before it could begin"
        first = sendings[0].alarm
        title = first.subject(self._name(first)) if len(sendings) == 1 else f"{len(sendings)} alarms"
        title = title if title == "EMR Steward" else f"EMR Steward: {title}"
        body = log.hide("\n".join(one.line(self._name(one.alarm)) for one in sendings))
        if len(body) > MAX_TEXT:
            body = body[:MAX_TEXT] + "…\nThe rest is in the log."
        is_taken = chat.notify(title=log.hide(title), body=body, notify_type="failure")
        return "" if is_taken else "the chat did not accept it"

    def _to_event_bus(self, sendings: Sequence[Sending], log: Log, deadline: Deadline) -> str:
        bus = self._settings.event_bus
        if bus is None or self._credentials is None:
            return "no credentials"
        scheme, _, host = (self._env.get("STEWARD_EB_ENDPOINT") or "https://eb.tencentcloudapi.com").rpartition("://")
        product = Product("eb", "2021-04-16", scheme or "https", host, bus.region)
        events = [
            {
                "Source": "emr-steward",
                "Type": "steward:alarm",
                "Subject": alarm.cluster or "steward",
                "Data": log.hide(
                    json.dumps(
                        {
                            "code": alarm.code,
                            "where": alarm.subject(self._name(alarm)),
                            "reason": alarm.text,
                            "fix": alarm.fix,
                            "count": alarm.count,
                            **alarm.facts,
                        },
                        ensure_ascii=False,
                    )
                ),
            }
            for alarm in (one.alarm for one in sendings)
        ]
        try:
            self._api.call(
                product, self._credentials, "PutEvents", {"EventList": events, "EventBusId": bus.id}, deadline
            )
        except ApiError as error:
            return str(error)
        return ""

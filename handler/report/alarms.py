"""Alarms: what a person must hear of, said once.

Each alarm is always an ERROR line ``steward.alarm``, which a CLS alarm policy can match. Where steward.yml says so it
also goes to chats and pagers (through ``apprise``) and to an EventBridge bus. Identical alarms are one: within an
invocation here, across instances by a claim in the ledger. What a way has not taken, since no time was left or it
failed, is kept in the ledger, and the follow-up sends it. That sending fails never changes an outcome.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from handler.cloud.client import Product
from handler.errors import ApiError, LedgerUnavailable
from handler.lib import in_flight
from handler.lib.threads import side_by_side
from handler.lib.wording import utc_text
from handler.model.alarm import Alarm, Unsent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from handler.cloud.account import Credentials
    from handler.cloud.client import CloudApi
    from handler.ledger.protocol import Ledger
    from handler.lib.clock import Clock, Deadline
    from handler.model.outcome import Record
    from handler.model.policy import AlarmSettings
    from handler.report.log import Log

T = TypeVar("T")

#: How many alarms the faults of one sender's events can be.
FAULTS: Final = 64
#: Seconds that sending alarms may take of an invocation; the first one loads a large library.
SEND_SECONDS: Final = 10.0
#: Seconds without which no chat is begun with: that library takes as long to load on a small function.
MIN_SECONDS: Final = 2.0
#: Seconds for which an alarm is one invocation's to send: longer than SEND_SECONDS, shorter than the follow-up's
#: minute.
TAKEN_SECONDS: Final = 30.0
#: Seconds for which an alarm that could not be sent is tried again.
UNSENT_SECONDS: Final = 24 * 3600.0
#: Unsent alarms that are kept in all, and that one follow-up takes; each counts once for each way.
MAX_UNSENT: Final = 1000
MAX_TAKEN: Final = 40
#: Seconds for which what has an occasion is not said again; the ledger forgets it after ``keep_records``.
ONCE_SECONDS: Final = 10 * 366 * 86_400.0
#: How many alarms one instance remembers to have been said.
MAX_SAID: Final = 10_000
#: Characters of a chat's message.
MAX_TEXT: Final = 4000
#: The way of an event bus; that of a chat is ``chat:VARIABLE``.
EVENT_BUS: Final = "event_bus"


def alarms_of(records: Iterable[Record]) -> list[Alarm]:
    """An alarm for each outcome that a person should hear of: failed, refused, in doubt."""
    return [
        Alarm(
            code=record.outcome.code,
            cluster=record.cluster,
            about=",".join(record.operations) or record.name or _fault_of(record),
            text=record.outcome.reason,
            facts={"outcome": record.outcome.status, "event_id": record.event, "rules": ",".join(record.rules)},
            # What the API refused is said of its operation: a repeat is told the same, and says it where nobody has.
            occasion=",".join(record.operations) if record.outcome.code.startswith("api.") else "",
        )
        for record in records
        if record.outcome.is_alarming and not record.outcome.has_own_alarm
    ]


def _fault_of(record: Record) -> str:
    """What an event without a name is about: its sender, and its fault by one of FAULTS numbers.

    So another fault is another alarm; and whoever sends a thousand sorts of nonsense raises no thousand alarms. Where
    in a payload a fault stood makes no other of it.
    """
    import re
    import zlib

    if record.outcome.code != "input.invalid":
        return record.source
    fault = re.sub(r"\d+", "#", record.outcome.reason)
    return f"{record.source} fault {zlib.crc32(fault.encode('utf-8', 'backslashreplace')) % FAULTS}"


def grouped(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Identical alarms as one, with their count; in the order in which they first came."""
    groups: dict[str, Alarm] = {}
    for alarm in alarms:
        first = groups.get(alarm.key)
        groups[alarm.key] = alarm if first is None else replace(first, count=first.count + alarm.count)
    return list(groups.values())


@dataclass(frozen=True)
class Letter:
    """One alarm that goes one way; ``at`` is when it was raised (seconds since the epoch)."""

    way: str
    alarm: Alarm
    at: float
    id: str = field(default_factory=lambda: os.urandom(8).hex())
    is_late: bool = False

    def to_unsent(self, hide: Callable[[str], str]) -> Unsent:
        """As the ledger keeps it: without the secrets that ``hide`` knows."""
        alarm = self.alarm
        texts = [hide(text) for text in (alarm.code, alarm.cluster, alarm.about, alarm.text)]
        facts = {name: hide(fact) if isinstance(fact, str) else fact for name, fact in alarm.facts.items()}
        row = [self.way, *texts, alarm.count, facts]
        return Unsent(self.id, self.at, json.dumps(row, ensure_ascii=False, default=lambda other: hide(str(other))))

    @classmethod
    def from_unsent(cls, kept: Unsent) -> Letter:
        """What ``to_unsent`` gave. Raises ValueError, TypeError for anything else."""
        way, code, cluster, about, text, count, facts = json.loads(kept.text)
        return cls(way, Alarm(code, cluster, about, text, int(count), dict(facts)), kept.at, kept.id)

    @property
    def line(self) -> str:
        """For a chat."""
        alarm = self.alarm
        count = f" (×{alarm.count})" if alarm.count > 1 else ""
        since = f" ({utc_text(self.at)})" if self.is_late else ""
        return f"{alarm.code} {alarm.cluster}: {alarm.text}{count}{since}"


class Alarms:
    """Says alarms: the log line always, the rest as configured. Made for one invocation."""

    def __init__(
        self,
        settings: AlarmSettings,
        env: Mapping[str, str],
        *,
        ledger: Ledger,
        api: CloudApi,
        credentials: Credentials | None,
        clock: Clock,
        said: dict[str, float] | None = None,
    ) -> None:
        """``said``: where this instance notes what is said (key → seconds since the epoch), for when the ledger cannot."""
        self._said = {} if said is None else said
        self._settings = settings
        self._env = env
        self._ledger = ledger
        self._api = api
        self._credentials = credentials
        self._clock = clock
        #: What was to be kept, and is in this memory only.
        self._unkept: list[Letter] = []
        #: Whether the ledger has answered so far: one that does not is not asked again, each time up to its time-out.
        self._has_ledger = True
        #: By each way's name, what sends: it answers why it did not go, and nothing where it did.
        self._ways: dict[str, Callable[[Sequence[Letter], Log, Deadline], str]] = {
            f"chat:{chat.url_env}": partial(self._to_chat, chat.url_env) for chat in settings.chat
        }
        if settings.event_bus:
            self._ways[EVENT_BUS] = self._to_event_bus

    def say(self, alarms: Iterable[Alarm], log: Log, deadline: Deadline) -> None:
        """Say them, the same ones once, in at most SEND_SECONDS. What cannot be sent by then is kept for the follow-up."""
        letters = self._written(alarms, log)
        if letters:
            self._send(letters, log, deadline, is_kept=self._keep(letters, log, TAKEN_SECONDS))

    def say_soon(self, alarms: Iterable[Alarm], log: Log) -> None:
        """Say them in the log, the same ones once, and keep them: :meth:`say_unsent`, here or elsewhere, sends them.

        Quick, so that it can be done before what they are about is settled. Raises nothing.
        """
        letters = self._written(alarms, log)
        if letters and not self._keep(letters, log, 0):
            self._unkept += letters

    def _written(self, alarms: Iterable[Alarm], log: Log) -> list[Letter]:
        """Those that nobody has said, as ERROR lines; what is to be sent of them."""
        self._hide_urls(log)
        fresh = []
        for alarm in grouped(alarms):
            if not self._is_first(alarm):
                say = log.debug if alarm.occasion else log.info
                say("steward.alarm.repeated", code=alarm.code, cluster=alarm.cluster, about=alarm.about)
                continue
            log.error(
                "steward.alarm",
                code=alarm.code,
                cluster=alarm.cluster,
                about=alarm.about,
                reason=alarm.text,
                count=alarm.count,
                **alarm.facts,
            )
            fresh.append(alarm)
        now = self._clock.now()
        return [Letter(way, alarm, now) for way in self._ways for alarm in fresh]

    def _keep(self, letters: Sequence[Letter], log: Log, seconds: float) -> bool:
        """Before the first one is sent: who dies at it, or has no time for it, leaves it behind. For ``seconds`` they are ours to send."""
        kept = [letter.to_unsent(log.hide) for letter in letters]
        is_kept, _ = self._ask(self._ledger.keep_unsent, kept, self._clock.now() + seconds, MAX_UNSENT)
        return is_kept

    def say_unsent(self, log: Log, deadline: Deadline) -> None:
        """Send what could not be sent before, in at most SEND_SECONDS: MAX_TAKEN of the last UNSENT_SECONDS, by turns.

        Their ERROR lines were written when they were raised. Raises nothing: what is not sent now is so a minute later.
        """
        if not self._ways or deadline.remaining() < MIN_SECONDS:
            return
        self._hide_urls(log)
        now, since = self._clock.now(), self._clock.now() - UNSENT_SECONDS
        take = partial(self._ledger.take_unsent, since=since, limit=MAX_TAKEN)
        _, kept = self._ask(take, now, now + TAKEN_SECONDS)
        letters, no_way = [], []
        for one in kept or ():
            try:
                letter = Letter.from_unsent(one)
            except (ValueError, TypeError):
                no_way.append(one.id)
                continue
            if letter.way in self._ways:
                letters.append(replace(letter, is_late=now - letter.at > TAKEN_SECONDS))
            else:  # it is configured no longer
                no_way.append(letter.id)
        if no_way:
            log.warning("steward.alarm.dropped", count=len(no_way), problem="no way is configured that they could go")
            self._ask(self._ledger.forget_unsent, no_way)
        if letters:
            self._send(letters, log, deadline, is_kept=True)
        if self._unkept:
            self._send(self._unkept, log, deadline, is_kept=False)

    def _send(self, letters: Sequence[Letter], log: Log, deadline: Deadline, *, is_kept: bool) -> None:
        """By all their ways, and forget what was taken."""
        by_way: dict[str, list[Letter]] = {}
        for letter in letters:
            by_way.setdefault(letter.way, []).append(letter)
        seconds = max(0.0, min(SEND_SECONDS, deadline.remaining()))
        its_deadline = deadline.sooner(seconds)

        def send(way: str) -> str:
            if seconds < MIN_SECONDS and way != EVENT_BUS:
                return f"too little time is left to begin with it: {seconds:.1f} s"
            _, problem, error = in_flight.run(lambda: self._ways[way](by_way[way], log, its_deadline), seconds)
            return str(problem) if error is None else f"{type(error).__name__}: {error}"

        # At once: one that hangs takes nothing of another's time, and all end together.
        sent: list[Letter] = []
        for way, problem in zip(by_way, side_by_side(send, list(by_way)), strict=True):
            if not problem:
                sent += by_way[way]
                continue
            say = log.warning if is_kept else log.error
            hidden = log.hide(problem)[:300]  # in this order: a cut could leave half a secret
            say("steward.alarm.unsent", way=way, problem=hidden, count=len(by_way[way]), is_kept=is_kept)
        if late := [letter.id for letter in sent if letter.is_late]:
            log.info("steward.alarm.sent_late", count=len(late))
        if is_kept and sent:
            self._ask(self._ledger.forget_unsent, [letter.id for letter in sent])

    def _hide_urls(self, log: Log) -> None:
        log.also_hide(url for chat in self._settings.chat if (url := self._env.get(chat.url_env, "")))

    def _is_first(self, alarm: Alarm) -> bool:
        now, within = self._clock.now(), ONCE_SECONDS if alarm.occasion else self._settings.group_within
        if alarm.occasion and alarm.key in self._said:
            return False
        has_answered, is_first = self._ask(self._ledger.claim, f"alarm|{alarm.key}", now, within)
        if not has_answered:
            # Rather twice than never, but not with each of a storm's deliveries.
            is_first = not 0 <= now - self._said.get(alarm.key, float("-inf")) < within
        if len(self._said) >= MAX_SAID:
            self._said.clear()
        if is_first or alarm.occasion:
            self._said[alarm.key] = now
        return bool(is_first)

    def _ask(self, question: Callable[..., T], *arguments: Any) -> tuple[bool, T | None]:
        """Whether the ledger answered, and what. That it did not is said, and alarmed, by those who act upon it."""
        if self._has_ledger:
            try:
                return True, question(*arguments)
            except LedgerUnavailable:
                self._has_ledger = False
        return False, None

    def _to_chat(self, variable: str, letters: Sequence[Letter], log: Log, deadline: Deadline) -> str:
        import apprise

        chat, url = apprise.Apprise(), self._env.get(variable, "")
        if not url or not chat.add(url):
            return f"{variable} is no URL that apprise knows"
        if deadline.remaining() <= 0:  # loading took all of it, and whoever waited has given up: the follow-up sends it
            return "the time was over before it could begin"
        first = letters[0].alarm
        title = first.title if len(letters) == 1 else f"EMR Steward: {len(letters)} alarms"
        body = log.hide("\n".join(letter.line for letter in letters))
        if len(body) > MAX_TEXT:
            body = body[:MAX_TEXT] + "…\nThe rest is in the log."
        is_taken = chat.notify(title=log.hide(title), body=body, notify_type="failure")
        return "" if is_taken else "the chat did not take it"

    def _to_event_bus(self, letters: Sequence[Letter], log: Log, deadline: Deadline) -> str:
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
                        {"code": alarm.code, "reason": alarm.text, "count": alarm.count, **alarm.facts},
                        ensure_ascii=False,
                    )
                ),
            }
            for alarm in (letter.alarm for letter in letters)
        ]
        try:
            self._api.call(
                product, self._credentials, "PutEvents", {"EventList": events, "EventBusId": bus.id}, deadline
            )
        except ApiError as error:
            return str(error)
        return ""

"""Alarms: what a person must hear of, said once.

Each alarm is always an ERROR line ``steward.alarm``, which a CLS alarm policy can match. Where steward.yml says so it also goes to chats
and pagers (through ``apprise``) and to an EventBridge bus. Identical alarms are one: within an invocation here, across instances by
a claim in the ledger. That sending fails never changes an outcome.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from handler import flight
from handler.cloud import Product
from handler.crew import side_by_side
from handler.errors import ApiError, LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from handler.clock import Clock, Deadline
    from handler.cloud import CloudApi
    from handler.configuration import AlarmSettings
    from handler.ledger import Ledger
    from handler.logs import Log
    from handler.outcomes import Record
    from handler.settings import Credentials

#: Outcomes whose alarm is not said for each event, but where they are decided: once for each process, and once for the ledger.
ESCALATED: Final = frozenset({"guard.quarantine", "ledger.unavailable"})
#: Seconds that sending alarms may take of an invocation; the first one loads a large library.
SEND_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Alarm:
    """One thing to tell a person. Alarms with the same ``code``, ``cluster`` and ``about`` are the same alarm."""

    code: str
    cluster: str
    about: str
    text: str
    count: int = 1
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.code}|{self.cluster}|{self.about}"

    @property
    def title(self) -> str:
        return f"EMR Steward: {self.code} {self.cluster}".rstrip()


def alarms_of(records: Iterable[Record]) -> list[Alarm]:
    """An alarm for each outcome that a person should hear of: failed, refused, in doubt."""
    return [
        Alarm(
            code=record.outcome.code,
            cluster=record.cluster,
            about=",".join(record.operations) or record.name or record.source,
            text=record.outcome.reason,
            facts={"outcome": record.outcome.status, "event_id": record.event, "rules": ",".join(record.rules)},
        )
        for record in records
        # What was decided before and is only said again was alarmed before.
        if record.outcome.is_alarming
        and not record.outcome.facts.get("replayed")
        and record.outcome.code not in ESCALATED
    ]


def grouped(alarms: Iterable[Alarm]) -> list[Alarm]:
    """Identical alarms as one, with their count; in the order in which they first came."""
    groups: dict[str, Alarm] = {}
    for alarm in alarms:
        first = groups.get(alarm.key)
        groups[alarm.key] = alarm if first is None else replace(first, count=first.count + alarm.count)
    return list(groups.values())


class Alarms:
    """Says alarms: the log line always, the rest as configured."""

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
        """``said``: where this instance notes what it said while the ledger could not (key → seconds since the epoch)."""
        self._said = {} if said is None else said
        self._settings = settings
        self._env = env
        self._ledger = ledger
        self._api = api
        self._credentials = credentials
        self._clock = clock

    def say(self, alarms: Iterable[Alarm], log: Log, deadline: Deadline) -> None:
        """Say them, the same ones once, in at most SEND_SECONDS."""
        unsaid = []
        for alarm in grouped(alarms):
            if not self._is_first(alarm):
                log.info("steward.alarm.repeated", code=alarm.code, cluster=alarm.cluster, about=alarm.about)
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
            unsaid.append(alarm)
        if not unsaid:
            return
        seconds = max(0.0, min(SEND_SECONDS, deadline.remaining()))
        ways: list[tuple[str, Callable[[Sequence[Alarm], Log, Deadline], None]]] = []
        if self._settings.chat:
            ways.append(("chat", self._to_chat))
        if self._settings.event_bus:
            ways.append(("event_bus", self._to_event_bus))

        def send(way: tuple[str, Callable[[Sequence[Alarm], Log, Deadline], None]]) -> BaseException | None:
            return flight.run(lambda: way[1](unsaid, log, deadline.sooner(seconds)), seconds)[2]

        # At once: one that hangs takes nothing of another's time, and all end together.
        for (name, _), error in zip(ways, side_by_side(send, ways), strict=True):
            if error is not None:
                problem = log.hide(
                    f"{type(error).__name__}: {error}"
                )  # before the cut, which could leave half a secret
                log.error("steward.alarm.unsent", way=name, problem=problem[:300])

    def _is_first(self, alarm: Alarm) -> bool:
        now, within = self._clock.now(), self._settings.group_within
        try:
            return self._ledger.claim(f"alarm|{alarm.key}", now, within)
        except LedgerUnavailable:
            # Rather twice than never, but not with each of a storm's deliveries.
            is_first = not 0 <= now - self._said.get(alarm.key, float("-inf")) < within
            if is_first:
                self._said[alarm.key] = now
            return is_first

    def _to_chat(self, alarms: Sequence[Alarm], log: Log, deadline: Deadline) -> None:
        import apprise

        urls = [self._env.get(chat.url_env, "") for chat in self._settings.chat]
        log.also_hide(url for url in urls if url)
        chats = apprise.Apprise()
        for chat, url in zip(self._settings.chat, urls, strict=True):
            if not url or not chats.add(url):
                log.error("steward.alarm.unsent", way="chat", problem=f"{chat.url_env} is no URL that apprise knows")
        title = alarms[0].title if len(alarms) == 1 else f"EMR Steward: {len(alarms)} alarms"
        body = "\n".join(f"{a.code} {a.cluster}: {a.text}" + (f" (×{a.count})" if a.count > 1 else "") for a in alarms)
        if len(chats) and not chats.notify(title=log.hide(title), body=log.hide(body)[:4000], notify_type="failure"):
            log.error("steward.alarm.unsent", way="chat", problem="a chat did not take it")

    def _to_event_bus(self, alarms: Sequence[Alarm], log: Log, deadline: Deadline) -> None:
        import json

        bus = self._settings.event_bus
        if bus is None:
            return
        if self._credentials is None:
            log.error("steward.alarm.unsent", way="event_bus", problem="no credentials")
            return
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
            for alarm in alarms
        ]
        try:
            self._api.call(
                product, self._credentials, "PutEvents", {"EventList": events, "EventBusId": bus.id}, deadline
            )
        except ApiError as error:
            log.error("steward.alarm.unsent", way="event_bus", problem=str(error))

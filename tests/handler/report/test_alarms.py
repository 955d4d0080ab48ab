"""Alarms: said once, in the log always, elsewhere within their time; and nothing that sending does changes anything."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import apprise
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from handler.cloud.account import Credentials
from handler.cloud.client import CloudApi
from handler.errors import LedgerUnavailable, NeverSent
from handler.ledger.alarm_record import UNSENT_SECONDS, Unsent
from handler.ledger.cluster_record import ClusterRecord
from handler.ledger.ledger import Ledger, open_ledger
from handler.lib.clock import Deadline, SystemClock
from handler.model.alarm import Alarm
from handler.model.outcome import Outcome, Record
from handler.model.policy import AlarmSettings, Chat, EventBus
from handler.report import alarms as module
from handler.report.alarms import Alarms, Raised, line
from handler.report.log import Log
from handler.report.outcome_alarms import MAX_ERRORS, alarms_of, grouped

URL = "json://127.0.0.1:9/token-that-nobody-may-see"
CHAT = AlarmSettings(chat=(Chat("CHAT_URL"),))
BUS = AlarmSettings(event_bus=EventBus("eb-example0", "ap-guangzhou"))
BOTH = AlarmSettings(CHAT.chat, BUS.event_bus)
KEY = Credentials("AKIDEXAMPLE", "secret-key-example")


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = open_ledger("sqlite:///:memory:")
    yield opened
    opened.close()


class Scene:
    """Alarms with their log, and a stand-in for the API that keeps what it is given."""

    def __init__(
        self, settings: AlarmSettings, ledger: Ledger, mocker: MockerFixture, *, credentials: Credentials | None = KEY
    ) -> None:
        self.written: list[str] = []
        self.log = Log(self.written.append, SystemClock())
        self.api = mocker.create_autospec(CloudApi, instance=True)
        self.alarms = Alarms(
            settings,
            {"CHAT_URL": URL},
            ledger=ledger,
            api=self.api,
            credentials=credentials,
            clock=SystemClock(),
            names={"emr-4zvc5mul": "analytics"},
        )

    def say(self, *alarms: Alarm, seconds: float = 5.0) -> None:
        self.raise_(*self.alarms.of(alarms or [an_alarm()]), seconds=seconds)

    def raise_(self, *raised: Raised, seconds: float = 5.0) -> None:
        self.alarms.notify(raised, self.log, Deadline(SystemClock(), seconds))

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.written]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines]

    def problems(self) -> list[str]:
        return [line["problem"] for line in self.lines if line["event"] == "steward.alarm.unsent"]


def an_alarm(about: str = "op-1", **more: Any) -> Alarm:
    return Alarm("operation.failed", "emr-4zvc5mul", about, "it did not help", **{"fix": "Look at it.", **more})


# -- which, and how many


@pytest.mark.parametrize(
    ("outcome", "is_said"),
    [
        (Outcome.done("x"), False),
        (Outcome.skipped("a.b", "x"), False),
        (Outcome.pending("a.b", "x"), False),
        (Outcome.accepted("x"), False),
        (Outcome.withdrawn("a.b", "x"), False),
        (Outcome.expired("a.b", "x", fix="Do it."), True),
        (Outcome.expired("a.b", "x", fix="Do it.", is_quiet=True), False),
        (Outcome.unverified("x"), False),
        (Outcome.refused("a.b", "x", fix="Do it."), True),
        (Outcome.failed("a.b", "x", fix="Do it."), True),
        (Outcome.in_doubt("a.b", "x", fix="Do it."), True),
        # Alarmed where they are decided: once a process, once for the ledger, once an operation.
        (Outcome.refused("guard.quarantine", "x", fix="Do it.", has_own_alarm=True), False),
        (Outcome.failed("ledger.unavailable", "x", fix="Do it.", has_own_alarm=True), False),
        (Outcome.in_doubt("operation.in_doubt", "x", fix="Do it.", has_own_alarm=True), False),
    ],
)
def test_a_person_hears_of_what_went_wrong(outcome: Outcome, is_said: bool) -> None:
    """Refused, failed, in doubt; not what was only put off."""
    found = alarms_of([Record(0, "e", "tcop", "n", "emr-4zvc5mul", outcome, ("r",), ("op-1",))])
    assert bool(found) == is_said
    assert all((one.code, one.about, one.text, one.fix) == (outcome.code, "op-1", "x", "Do it.") for one in found)


def about(source: str, fault: str) -> str:
    outcome = Outcome.refused("input.invalid", fault, fix="Do it.")
    return alarms_of([Record(0, "e", source, "", "", outcome)])[0].about


def test_another_fault_of_a_sender_is_another_alarm() -> None:
    """Not one for all that cannot be read, nor one for each place in a payload."""
    first = about("alertmanager", "alerts[0].startsAt: is no RFC 3339 time")
    assert first == about("alertmanager", "alerts[17].startsAt: is no RFC 3339 time")
    assert first != about("alertmanager", "alerts[0].labels.ip: Input should be a valid string")
    assert first != about("grafana", "alerts[0].startsAt: is no RFC 3339 time")


@given(st.lists(st.text(max_size=20), min_size=200, max_size=300))
def test_a_thousand_sorts_of_nonsense_are_no_thousand_alarms(errors: list[str]) -> None:
    """The names of faulty fields are the sender's: it could raise an alarm a second."""
    assert len({about("alertmanager", fault) for fault in errors}) <= MAX_ERRORS


alarms = st.builds(
    Alarm,
    st.sampled_from("ab"),
    st.sampled_from("cd"),
    st.sampled_from("ef"),
    st.text(),
    st.integers(1, 5),
    fix=st.text(),
)


@given(st.lists(alarms))
def test_identical_alarms_are_one(many: list[Alarm]) -> None:
    """One of each, in the order in which they first came; their count is kept."""
    groups = grouped(many)
    assert [one.key for one in groups] == list(dict.fromkeys(one.key for one in many))
    for one in groups:
        same = [other for other in many if other.key == one.key]
        assert one.count == sum(other.count for other in same)
        assert one.text == same[0].text


def test_an_alarm_is_said_once_until_its_time_is_over(ledger: Ledger, mocker: MockerFixture) -> None:
    """By a claim in the ledger: another instance does not say it again; another alarm is another."""
    first, second = (Scene(AlarmSettings(), ledger, mocker) for _ in range(2))
    first.say(an_alarm(), an_alarm())
    second.say(an_alarm(), an_alarm("op-2"))
    assert first.events() == ["steward.alarm"]
    assert first.lines[0]["count"] == 2
    assert sorted(second.events()) == ["steward.alarm", "steward.alarm.repeated"]


def test_without_its_ledger_an_alarm_is_rather_said_twice_than_never(ledger: Ledger, mocker: MockerFixture) -> None:
    """The ledger's own failure is alarmed so: by each instance, which remembers that it did."""
    mocker.patch.object(ledger, "alarms", side_effect=LedgerUnavailable("gone"))
    for _ in range(2):
        scene = Scene(AlarmSettings(), ledger, mocker)
        scene.say()
        scene.say()
        assert scene.events() == ["steward.alarm", "steward.alarm.repeated"]


# -- chats


def test_a_chat_is_told_without_secrets(ledger: Ledger, mocker: MockerFixture) -> None:
    """One message for all; title and text bear what happened, and no secret that is known."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=True)
    scene = Scene(CHAT, ledger, mocker)
    scene.say(an_alarm(), an_alarm(), Alarm("ledger", "", "x", f"reported by {URL}", fix="Look at it."))
    (call,) = notify.call_args_list
    assert call.kwargs["title"] == "EMR Steward: 2 alarms"
    assert "it did not help (×2)" in call.kwargs["body"]
    assert "token-that-nobody-may-see" not in str(call)
    assert scene.problems() == []


def test_a_chat_whose_url_is_not_set_is_said(ledger: Ledger, mocker: MockerFixture) -> None:
    """By the variable's name; the others are told all the same."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=True)
    scene = Scene(AlarmSettings((Chat("UNSET"), Chat("CHAT_URL"))), ledger, mocker)
    scene.say()
    assert scene.problems() == ["UNSET is not a URL that apprise supports"]
    assert notify.call_args.kwargs["title"] == "EMR Steward: analytics"


def refuses(*_: Any, **__: Any) -> bool:
    return False


def raises(*_: Any, **__: Any) -> bool:
    raise RuntimeError("x" * (300 - len("RuntimeError: ") - 12) + URL)


def leaves(*_: Any, **__: Any) -> bool:
    raise SystemExit(3)


@pytest.mark.parametrize("notify", [refuses, raises, leaves])
def test_a_chat_that_fails_changes_nothing(ledger: Ledger, mocker: MockerFixture, notify: Any) -> None:
    """It refuses, raises or wants to leave: said in the log, without the secret or its beginning, and nothing raised."""
    mocker.patch.object(apprise.Apprise, "notify", notify)
    scene = Scene(BOTH, ledger, mocker)
    scene.say()
    assert len(scene.problems()) == 1
    assert "json://" not in "".join(scene.written)
    assert scene.api.call.call_count == 1


@pytest.mark.parametrize("seconds", [0.4, 0.0, -1.0])
def test_alarms_end_in_time_whatever_hangs(
    ledger: Ledger, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Both ways hang: what is left of the invocation is not outlasted, and each is said to be unsent."""
    monkeypatch.setattr(module, "MIN_SECONDS", 0.1)
    over = threading.Event()
    mocker.patch.object(apprise.Apprise, "notify", side_effect=lambda **_: over.wait(5))
    scene = Scene(BOTH, ledger, mocker)
    scene.api.call.side_effect = lambda *_: over.wait(5)
    began = time.monotonic()
    scene.say(seconds=seconds)
    assert time.monotonic() - began < max(0.0, seconds) + 0.3
    assert [line["channel"] for line in scene.lines if line["event"] == "steward.alarm.unsent"] == [
        "chat:CHAT_URL",
        "event_bus",
    ]
    over.set()


def test_a_chat_that_hangs_leaves_the_event_bus_its_time(
    ledger: Ledger, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SEND_SECONDS is for all ways together, and the first does not take it all."""
    monkeypatch.setattr(module, "SEND_SECONDS", 0.6)
    monkeypatch.setattr(module, "MIN_SECONDS", 0.1)
    over = threading.Event()
    mocker.patch.object(apprise.Apprise, "notify", side_effect=lambda **_: over.wait(5))
    scene = Scene(BOTH, ledger, mocker)
    began = time.monotonic()
    scene.say(seconds=30)
    assert time.monotonic() - began < 0.9
    assert [line["channel"] for line in scene.lines if line["event"] == "steward.alarm.unsent"] == ["chat:CHAT_URL"]
    assert scene.api.call.call_count == 1
    over.set()


def test_a_chat_is_not_begun_with_when_there_is_no_time_for_it(ledger: Ledger, mocker: MockerFixture) -> None:
    """Half of a sending is worse than one that the follow-up makes: it may arrive, and is made again."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=True)
    scene = Scene(BOTH, ledger, mocker)
    scene.say(seconds=module.MIN_SECONDS - 0.1)
    assert not notify.called
    assert scene.api.call.call_count == 1
    (problem,) = scene.problems()
    assert "too little time" in problem


def test_a_chat_whose_library_took_all_the_time_is_not_sent_to(ledger: Ledger, mocker: MockerFixture) -> None:
    """The thread that loads it may go on after its invocation gave up: what was given up is not sent beside the follow-up."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=True)
    late = threading.Event()
    mocker.patch.object(apprise.Apprise, "add", side_effect=lambda _: late.wait(5))
    scene = Scene(CHAT, ledger, mocker)
    scene.say(seconds=module.MIN_SECONDS + 0.1)
    late.set()
    time.sleep(0.1)
    assert len(scene.problems()) == 1
    assert not notify.called


def test_without_its_ledger_nothing_is_kept_and_everything_tried(ledger: Ledger, mocker: MockerFixture) -> None:
    """As well as can be: at once, and one that fails is an error, since nobody sends it later. A store that is gone is asked once."""
    asked = mocker.patch.object(ledger, "alarms", side_effect=LedgerUnavailable("gone"))
    keep = mocker.patch.object(ledger, "change_alarms", side_effect=LedgerUnavailable("gone"))
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=False)
    scene = Scene(CHAT, ledger, mocker)
    scene.say(an_alarm("a"), an_alarm("b"))
    assert (asked.call_count, keep.call_count, notify.call_count) == (1, 0, 1)
    (line,) = [line for line in scene.lines if line["event"] == "steward.alarm.unsent"]
    assert (line["level"], line["is_kept"], line["count"]) == ("ERROR", False, 2)


@pytest.mark.parametrize(
    ("alarm", "title", "text"),
    [
        (
            an_alarm(where="HDFS DataNode 172.16.0.5"),
            "EMR Steward: HDFS DataNode 172.16.0.5 on analytics",
            "HDFS DataNode 172.16.0.5 on analytics (emr-4zvc5mul): it did not help. Look at it.",
        ),
        (an_alarm(), "EMR Steward: analytics", "analytics (emr-4zvc5mul): it did not help. Look at it."),
        (
            Alarm("ledger.unavailable", "", "ledger", "it is away.", fix="Look at it.", where="The ledger"),
            "EMR Steward: The ledger",
            "The ledger: it is away. Look at it.",
        ),
        (Alarm("a.b", "emr-unnamed", "x", "y", fix="Z."), "EMR Steward: emr-unnamed", "emr-unnamed: y. Z."),
        (Alarm("doctor.test", "", "x", "y", fix="Z."), "EMR Steward", "EMR Steward: y. Z."),
    ],
)
def test_a_chat_reads_what_and_where_then_why_then_what_to_do(
    alarm: Alarm, title: str, text: str, ledger: Ledger, mocker: MockerFixture
) -> None:
    """It is read on a phone at 3 a.m.: the cluster has its name, and no code for machines stands in it."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=True)
    Scene(CHAT, ledger, mocker).say(alarm)
    (call,) = notify.call_args_list
    assert (call.kwargs["title"], call.kwargs["body"]) == (title, text)
    assert alarm.code not in title + text


# -- what a cluster's record decided to tell


def sayings(*, is_over: bool = False) -> list[Raised]:
    record = ClusterRecord("emr-4zvc5mul")
    record.tell(an_alarm(), 1.0)
    if is_over:
        record.well("operation.failed", "op-1", "it is up again", 2.0)
    return [Raised.of_saying(saying) for saying in record.outbox.values()]


def test_what_a_record_decided_is_told_once_by_its_id(ledger: Ledger, mocker: MockerFixture) -> None:
    """Whoever says it, and however often a crash has it said anew; what comes again later has another id."""
    first, second = (Scene(AlarmSettings(), ledger, mocker) for _ in range(2))
    told = sayings()
    first.raise_(*told)
    second.raise_(*told)
    assert (first.events(), second.events()) == (["steward.alarm"], ["steward.alarm.repeated"])
    assert [one.within for one in told] == [UNSENT_SECONDS]
    record = ClusterRecord("emr-4zvc5mul")
    record.tell(an_alarm(), 99.0)
    second.raise_(*map(Raised.of_saying, record.outbox.values()))
    assert second.events()[1:] == ["steward.alarm"]


def test_what_is_well_again_is_told_under_the_same_key(ledger: Ledger, mocker: MockerFixture) -> None:
    """An INFO line, and a message that says so."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=True)
    scene = Scene(CHAT, ledger, mocker)
    _, over = sayings(is_over=True)
    scene.raise_(over)
    (row,) = scene.lines
    assert (row["event"], row["level"], row["code"]) == ("steward.alarm.over", "INFO", "operation.failed")
    assert (notify.call_args.kwargs["notify_type"], "over: it is up again" in notify.call_args.kwargs["body"]) == (
        "success",
        True,
    )


def test_what_no_channel_took_is_kept_and_sent_later(ledger: Ledger, mocker: MockerFixture) -> None:
    """By the follow-up, once, when whoever took it has had its time; without a second ERROR line."""
    notify = mocker.patch.object(apprise.Apprise, "notify", return_value=False)
    scene = Scene(CHAT, ledger, mocker)
    scene.raise_(*sayings())
    (unsent,) = ledger.alarms().unsent.values()
    assert (unsent.channel, unsent.alarm, unsent.is_over) == ("chat:CHAT_URL", an_alarm(), False)
    later = Scene(CHAT, ledger, mocker)
    later.alarms.send_unsent(later.log, Deadline(SystemClock(), 5))
    assert notify.call_count == 1  # it is the first one's to send
    ledger.change_alarms(lambda record: record.unsent.update({unsent.id: unsent._replace(taken_until=0)}))
    notify.return_value = True
    for _ in range(2):
        later.alarms.send_unsent(later.log, Deadline(SystemClock(), 5))
    assert (notify.call_count, later.events(), ledger.alarms().unsent) == (2, [], {})


def test_what_was_dropped_is_said(ledger: Ledger, mocker: MockerFixture) -> None:
    """How many, once, as an error; those of a channel that is no longer configured as a warning."""
    gone = Unsent("a", time.time(), "chat:GONE", an_alarm())
    ledger.change_alarms(lambda record: record.unsent.update({gone.id: gone}))
    ledger.change_alarms(lambda record: vars(record).update(dropped=7))
    scene = Scene(CHAT, ledger, mocker)
    for _ in range(2):
        scene.alarms.send_unsent(scene.log, Deadline(SystemClock(), 5))
    assert [(row["event"], row["level"], row["count"]) for row in scene.lines] == [
        ("steward.alarm.dropped", "ERROR", 7),
        ("steward.alarm.dropped", "WARNING", 1),
    ]
    assert ledger.alarms().unsent == {}


@pytest.mark.parametrize(
    ("age", "count", "is_over", "text"),
    [
        (0, 1, False, "analytics (emr-4zvc5mul): it did not help. Look at it."),
        (0, 3, False, "analytics (emr-4zvc5mul): it did not help (×3). Look at it."),
        (31, 1, False, "analytics (emr-4zvc5mul): it did not help. Look at it. (Raised at 1970-01-01T00:16:40Z.)"),
        (0, 1, True, "analytics (emr-4zvc5mul): over: it did not help. Look at it."),
    ],
)
def test_a_line_says_when_it_is_late(age: float, count: int, is_over: bool, text: str) -> None:
    """And how many it stands for."""
    assert line(Unsent("id", 1000.0, "c", an_alarm(count=count), is_over), "analytics", 1000.0 + age) == text


# -- the event bus


def test_the_event_bus_is_given_each_alarm(ledger: Ledger, mocker: MockerFixture) -> None:
    """One PutEvents with an event an alarm, to the bus and region of the settings."""
    scene = Scene(BUS, ledger, mocker)
    scene.say(an_alarm(facts={"operation": "op-1"}), Alarm("ledger", "", "x", "y", fix="Look at it."))
    ((product, credentials, action, params, _),) = (call.args for call in scene.api.call.call_args_list)
    assert (product.service, product.region, product.scheme, product.host) == (
        "eb",
        "ap-guangzhou",
        "https",
        "eb.tencentcloudapi.com",
    )
    assert (credentials, action, params["EventBusId"]) == (KEY, "PutEvents", "eb-example0")
    assert [event["Subject"] for event in params["EventList"]] == ["emr-4zvc5mul", "steward"]
    assert json.loads(params["EventList"][0]["Data"])["operation"] == "op-1"


def test_an_event_bus_that_cannot_be_reached_is_said(ledger: Ledger, mocker: MockerFixture) -> None:
    """In the log, and nothing raised."""
    scene = Scene(BUS, ledger, mocker)
    scene.api.call.side_effect = NeverSent("ConnectionRefusedError", "no way")
    scene.say()
    assert scene.problems() == ["ConnectionRefusedError: no way"]


def test_an_event_bus_without_credentials_is_said(ledger: Ledger, mocker: MockerFixture) -> None:
    """What is configured and cannot be done is not left out in silence."""
    scene = Scene(BUS, ledger, mocker, credentials=None)
    scene.say()
    assert scene.problems() == ["no credentials"]
    assert not scene.api.call.called


# -- what is paid for


def test_the_library_is_loaded_only_to_send() -> None:
    """An invocation that alarms nobody over a chat does not pay for apprise, nor for the SDK."""
    program = """
import sys
from handler.report.alarms import Alarm, Alarms
from handler.lib.clock import Deadline, SystemClock
from handler.cloud.client import CloudApi
from handler.model.policy import AlarmSettings, Chat
from handler.ledger.ledger import open_ledger
from handler.report.log import Log
clock, ledger, written = SystemClock(), open_ledger("sqlite:///:memory:"), []
for chat in ((), (Chat("U"),)):
    alarms = Alarms(AlarmSettings(chat), {}, ledger=ledger, api=CloudApi(), credentials=None, clock=clock)
    alarms.notify(alarms.of([Alarm("a", "b", "c", "d", fix="e")] if not chat else []), Log(written.append, clock), Deadline(clock, 5))
assert len(written) == 1, written
print(sorted({"apprise", "requests", "tencentcloud"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")

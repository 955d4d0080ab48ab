"""The function's log lines as text for people."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from steward.cli.narration import Narrator


def shown(capsys: pytest.CaptureFixture[str], *rows: dict[str, Any]) -> list[str]:
    """The printed lines of these log lines."""
    narrator = Narrator(Console(highlight=False, color_system=None))
    for row in rows:
        narrator.show(row)
    narrator.flush()
    return capsys.readouterr().out.splitlines()


def outcome(status: str, reason: str, **facts: Any) -> dict[str, Any]:
    """A canonical line."""
    return {"event": "steward.outcome", "outcome": status, "reason": reason, **facts}


def test_of_many_similar_steps_a_few_are_shown_and_every_failure(capsys: pytest.CaptureFixture[str]) -> None:
    """In any order, the one failure among a thousand is shown."""
    rows = [outcome("skipped", f"no {number}") for number in range(1000)]
    rows.insert(600, outcome("failed", "this one"))
    lines = shown(capsys, *rows)
    assert lines[:5] == [f"  outcome skipped: no {number}" for number in range(5)]
    assert lines[5:] == ["  outcome failed: this one", "  outcome and 995 more"]


def test_a_few_similar_steps_are_all_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Even if they are equal; but not a look that shows nothing new."""
    assert len(shown(capsys, *[outcome("done", "well")] * 3)) == 3
    looks = [{"event": "steward.verification", "seen": seen} for seen in ("0 of 1", "0 of 1", "1 of 1")]
    assert shown(capsys, *looks) == ["  verify  0 of 1", "  verify  1 of 1"]


def event(name: str, ip: str) -> dict[str, Any]:
    """An alert about a process."""
    return {"event": "steward.event", "source": "tcop", "event_id": name, "component": "DataNode", "ip": ip}


def test_of_several_events_each_line_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """By what the event is about; by its id, too, where two are about the same; of one event alone it goes without saying."""
    assert shown(capsys, event("a", "1"), outcome("done", "well", event_id="a"))[1] == "  outcome done: well"
    rows = [event("a", "1"), event("b", "2"), event("c", "2")]
    rows += [outcome("done", "well", event_id=name) for name in "ab"]
    settled = {"event": "steward.settled", "outcome": "done", "reason": "well", "events": "a,b"}
    assert shown(capsys, *rows, settled)[3:] == [
        "  outcome DataNode/1 → done: well",
        "  outcome DataNode/2 (b) → done: well",
        "  settled DataNode/1 and 1 more → done: well",
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (outcome("failed", "no ledger", retryable=True), "  outcome failed: no ledger (the sender should repeat it)"),
        (outcome("pending", "busy"), "  outcome pending: busy"),
        (
            {"event": "steward.settled", "outcome": "expired", "reason": "too late", "events": "a"},
            "  settled a → expired: too late",
        ),
        (
            {"event": "steward.operation", "operation": "op-1", "state": "FAILED", "seen": "0 of 1", "problem": "why"},
            "  end     op-1 is FAILED: why; 0 of 1",
        ),
        (
            {"event": "steward.alarm", "code": "x.y", "where": "HDFS DataNode 1 on a", "reason": "why", "fix": "Look."},
            "  alarm   HDFS DataNode 1 on a: why → Look. (x.y)",
        ),
        (
            {"event": "steward.alarm.over", "code": "x.y", "where": "HDFS DataNode 1 on a", "reason": "is well again"},
            "  alarm   over: HDFS DataNode 1 on a: is well again (x.y)",
        ),
    ],
)
def test_what_a_line_says(capsys: pytest.CaptureFixture[str], row: dict[str, Any], says: str) -> None:
    """How it settled, how an operation ended, and what a person has to do where."""
    assert shown(capsys, row) == [says]


def test_what_holds_an_intent_is_said_when_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """Within a delivery the outcome says it; afterwards another reason is news, and the time that is left is none."""
    held = {"event": "steward.held", "intent": "a", "op_type": "RestartService", "scope": "x", "code": "guard.cooldown"}
    rows = [event("a", "1"), {**held, "reason": "15 min"}, outcome("pending", "15 min", event_id="a")]
    rows += [{**held, "reason": "14 min"}, {**held, "code": "guard.storm", "reason": "most are down"}]
    assert shown(capsys, *rows)[2:] == ["  held    RestartService x: most are down"]


def test_an_alarm_for_the_outcome_above_refers_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    """And an alarm that was raised before is shown as such."""
    alarm = {"event": "steward.alarm", "code": "x.y", "reason": "why"}
    assert shown(capsys, outcome("failed", "why"), alarm)[1] == "  alarm   x.y, for the reason above (x.y)"
    repeated = {"event": "steward.alarm.repeated", "code": "x.y", "cluster": "", "about": ""}
    assert shown(capsys, repeated) == ["  alarm   already raised recently (x.y)"]


def test_an_unreadable_event_is_explained_once(capsys: pytest.CaptureFixture[str]) -> None:
    """By its outcome."""
    rows = [
        {"event": "steward.event", "event_id": "a", "source": "tcop", "problem": "alarmStatus: is neither 1 nor 0"},
        outcome("refused", "alarmStatus: is neither 1 nor 0"),
    ]
    assert shown(capsys, *rows) == ["  event   tcop: unreadable", "  outcome refused: alarmStatus: is neither 1 nor 0"]

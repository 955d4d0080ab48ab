"""The function's log lines, told to a person."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from steward.cli.narration import Narrator


def told(capsys: pytest.CaptureFixture[str], *rows: dict[str, Any]) -> list[str]:
    """What is printed of these lines."""
    narrator = Narrator(Console(highlight=False, color_system=None))
    for row in rows:
        narrator.tell(row)
    narrator.flush()
    return capsys.readouterr().out.splitlines()


def outcome(status: str, reason: str, **facts: Any) -> dict[str, Any]:
    """A canonical line."""
    return {"event": "steward.outcome", "outcome": status, "reason": reason, **facts}


def test_of_many_alike_a_few_stand_for_all_but_never_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the order, one that failed among a thousand is told."""
    rows = [outcome("skipped", f"no {number}") for number in range(1000)]
    rows.insert(600, outcome("failed", "this one"))
    lines = told(capsys, *rows)
    assert lines[:5] == [f"  outcome skipped: no {number}" for number in range(5)]
    assert lines[5:] == ["  outcome failed: this one", "  outcome and 995 more"]


def test_a_few_are_all_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Also where they say the same; but not a look that shows nothing new."""
    assert len(told(capsys, *[outcome("done", "well")] * 3)) == 3
    looks = [{"event": "steward.verification", "seen": seen} for seen in ("0 of 1", "0 of 1", "1 of 1")]
    assert told(capsys, *looks) == ["  verify  0 of 1", "  verify  1 of 1"]


@pytest.mark.parametrize(
    ("facts", "says"),
    [({"retryable": True}, "(the sender is asked to repeat it)"), ({}, "(nobody tries again: a later event may)")],
)
def test_deferred_says_whether_anybody_tries_again(
    capsys: pytest.CaptureFixture[str], facts: dict[str, Any], says: str
) -> None:
    """The word alone promises more than is so."""
    assert told(capsys, outcome("deferred", "busy", **facts)) == [f"  outcome deferred: busy {says}"]


def test_an_alarm_for_what_was_just_said_refers_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    """And one that was raised before is not taken for one that is missing."""
    alarm = {"event": "steward.alarm", "code": "x.y", "reason": "why"}
    assert told(capsys, outcome("failed", "why"), alarm)[1] == "  alarm   raised for this outcome (x.y)"
    assert told(capsys, alarm) == ["  alarm   x.y: why"]
    repeated = {"event": "steward.alarm.repeated", "code": "x.y", "cluster": "", "about": ""}
    assert told(capsys, repeated) == ["  alarm   already raised, not long ago (x.y)"]


def test_what_is_wrong_with_an_event_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """By its outcome."""
    rows = [
        {"event": "steward.event", "source": "tcop", "problem": "alarmStatus: is neither 1 nor 0"},
        outcome("refused", "alarmStatus: is neither 1 nor 0"),
    ]
    assert told(capsys, *rows) == ["  event   tcop: unreadable", "  outcome refused: alarmStatus: is neither 1 nor 0"]


def test_guards_that_weighed_nothing_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    """They say something of processes, and there was none."""
    guards = {"event": "steward.guards", "proceed": 0, "held": 0}
    assert told(capsys, guards) == []
    assert told(capsys, {**guards, "proceed": 1}) == ["  guards  1 of 1 processes may proceed"]

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


@pytest.mark.parametrize(
    ("facts", "says"),
    [({"retryable": True}, "(the sender should repeat it)"), ({}, "(not retried; a later event may be served)")],
)
def test_deferred_says_whether_it_is_retried(
    capsys: pytest.CaptureFixture[str], facts: dict[str, Any], says: str
) -> None:
    """The word alone promises more than the function does."""
    assert shown(capsys, outcome("deferred", "busy", **facts)) == [f"  outcome deferred: busy {says}"]


def test_an_alarm_for_the_outcome_above_refers_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    """And an alarm that was raised before is shown as such."""
    alarm = {"event": "steward.alarm", "code": "x.y", "reason": "why"}
    assert shown(capsys, outcome("failed", "why"), alarm)[1] == "  alarm   raised for this outcome (x.y)"
    assert shown(capsys, alarm) == ["  alarm   x.y: why"]
    repeated = {"event": "steward.alarm.repeated", "code": "x.y", "cluster": "", "about": ""}
    assert shown(capsys, repeated) == ["  alarm   already raised recently (x.y)"]


def test_an_unreadable_event_is_explained_once(capsys: pytest.CaptureFixture[str]) -> None:
    """By its outcome."""
    rows = [
        {"event": "steward.event", "source": "tcop", "problem": "alarmStatus: is neither 1 nor 0"},
        outcome("refused", "alarmStatus: is neither 1 nor 0"),
    ]
    assert shown(capsys, *rows) == ["  event   tcop: unreadable", "  outcome refused: alarmStatus: is neither 1 nor 0"]


def test_guards_without_processes_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """They are about processes, and there is none."""
    guards = {"event": "steward.guards", "proceed": 0, "held": 0}
    assert shown(capsys, guards) == []
    assert shown(capsys, {**guards, "proceed": 1}) == ["  guards  1 process cleared by guards"]

"""The function's own log lines, told to a person: one line for each step of the pipeline."""

from __future__ import annotations

import os
from typing import Any, Final

from rich.console import Console
from rich.text import Text

#: Steps of one name and colour in a row that are told; the others are counted.
MAX_ALIKE: Final = 5
COLOURS: Final = {
    "done": "green",
    "skipped": "cyan",
    "unverified": "yellow",
    "deferred": "yellow",
    "refused": "red",
    "failed": "bold red",
    "in_doubt": "bold magenta",
}


def step(row: dict[str, Any]) -> tuple[str, str, str] | None:
    """``(step, text, colour)`` of a log line; None for those that are no step."""
    event = row["event"]
    if event == "steward.event":
        about = (
            "unreadable"
            if row.get("problem")
            else " ".join(
                str(row[key])
                for key in ("name", "status", "cluster", "service", "component", "ip")
                if row.get(key) and (key, row[key]) != ("status", "none")
            )
        )
        is_told = row["source"] == "timer" and row.get("message", "") not in ("", row.get("name"))
        message = f" “{row['message']}”" if is_told else ""
        return "event", f"{row['source']}: {about}{message}", "bold"
    if event == "steward.rule":
        held = f" — {row['held']}" if row.get("held") else ""
        return "rule", f"{row['rule']} → {row['op_type']} {row['scope']}{held}", ""
    if event == "steward.plan":
        return "plan", f"{row['cluster']}: {row['op_type']} of {row['scope']} ({row['intents']} asking)", ""
    if event == "steward.guards":
        if not row["proceed"] + row["held"]:
            return None
        reason = f", {row['held']} held: {row['reason']}" if row.get("held") else ""
        return "guards", f"{row['proceed']} of {row['proceed'] + row['held']} processes may proceed{reason}", ""
    if event == "steward.request":
        return "request", f"StartStopServiceOrMonitor {row['op_type']} {row['scope']} as {row['operation']}", "blue"
    if event == "steward.answer":
        code = f" {row['api_code']}" if row.get("api_code") else ""
        return "answer", f"{row['state']}{code}, RequestId {row.get('api_request_id', 'none')}", ""
    if event == "steward.verification":
        return "verify", row["seen"], ""
    if event == "steward.operation":
        end = f"{row['operation']} is {row['state']}: {row['reason']}; {row.get('seen') or 'not seen'}"
        return "later", end, "green" if row["state"] == "VERIFIED" else "red"
    if event == "steward.outcome":
        again = ""
        if row["outcome"] == "deferred":
            again = (
                " (the sender is asked to repeat it)"
                if row.get("retryable")
                else " (nobody tries again: a later event may)"
            )
        return "outcome", f"{row['outcome']}: {row['reason']}{again}", COLOURS[row["outcome"]]
    return _trouble(event, row)


def _trouble(event: str, row: dict[str, Any]) -> tuple[str, str, str] | None:
    """What goes wrong beside the steps."""
    if event == "steward.alarm":
        reason = row["reason"]
        return "alarm", f"{row['code']}: {reason}" if reason else f"raised for this outcome ({row['code']})", "red"
    if event == "steward.alarm.repeated":
        return "alarm", f"already raised, not long ago ({row['code']})", "dim"
    if event == "steward.settings.unknown":
        return "warning", f"{row['variable']}: {row['reason']}", "yellow"
    if event in ("steward.input.refused", "steward.auth.refused", "steward.internal_error"):
        return "refused", str(row.get("problem", "the caller is not known")), "red"
    return None


def screen() -> Console:
    """Standard output for people: in colours on a terminal, and without any style where NO_COLOR is set."""
    return Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


def say(console: Console, text: str, style: str = "") -> None:
    """Print one line as it is, unbroken: what is copied or searched for stays in one piece."""
    console.print(Text(text, style), soft_wrap=True)


class Narrator:
    """Tells log lines as they come. What was just said is not said again, and of a storm's thousand lines a few stand for all.

    Without a console it tells nothing: a document at the end does.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._reason = ""
        #: Of the steps of one name that follow each other: the name, what was said last, and how many there were of
        #: each colour.
        self._name = self._last = ""
        self._counts: dict[str, int] = {}

    def tell(self, row: dict[str, Any]) -> None:
        """Print one log line as a step."""
        if row["event"] == "steward.alarm" and row["reason"] == self._reason:
            row = {**row, "reason": ""}
        elif row["event"] == "steward.outcome":
            self._reason = row["reason"]
        told = step(row)
        if told is None or self._console is None:
            return
        name, text, colour = told
        if name != self._name:
            self.flush()
            self._name = name
        if (name, text) == ("verify", self._last):
            return  # another look that shows nothing new
        self._last = text
        # By colour, so that of a thousand outcomes the one that failed is told.
        count = self._counts[colour] = self._counts.get(colour, 0) + 1
        if count <= MAX_ALIKE:
            tell_step(self._console, name, text, colour)

    def also(self, name: str, text: str, colour: str = "") -> None:
        """Print a step that no log line tells."""
        self.flush()
        if self._console is not None:
            tell_step(self._console, name, text, colour)

    def heading(self, text: str) -> None:
        """Print what the following steps are about."""
        self.flush()
        if self._console is not None:
            say(self._console, f"\n{text}", "bold")

    def flush(self) -> None:
        """Say how many there were besides. Whoever knows that nothing more comes calls it."""
        for colour, count in self._counts.items():
            if count > MAX_ALIKE and self._console is not None:
                tell_step(self._console, self._name, f"and {count - MAX_ALIKE:,} more", colour)
        self._name, self._last, self._counts = "", "", {}


def tell_step(console: Console, name: str, text: str, colour: str = "") -> None:
    """Print one step."""
    # Text, not markup: what an alert says must not colour anything.
    console.print(Text.assemble((f"  {name:<7} ", "dim"), (text, colour)), soft_wrap=True)

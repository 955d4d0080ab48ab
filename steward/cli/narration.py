"""The function's log lines as text for people: one line for each step of the pipeline."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

#: Consecutive steps of one name and colour that are printed; the others are counted.
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

#: A step's name, text and colour.
Step = tuple[str, str, str]


def step(row: dict[str, Any]) -> Step | None:
    """The step that a log line stands for; None if it stands for none."""
    describe = _STEPS.get(row["event"])
    return describe(row) if describe else None


def _event(row: dict[str, Any]) -> Step:
    if row.get("problem"):
        return "event", f"{row['source']}: unreadable", "bold"
    keys = ("name", "status", "cluster", "service", "component", "ip")
    shown = [str(row[key]) for key in keys if row.get(key) and (key, row[key]) != ("status", "none")]
    has_message = row["source"] == "timer" and row.get("message", "") not in ("", row.get("name"))
    message = f" “{row['message']}”" if has_message else ""
    return "event", f"{row['source']}: {' '.join(shown)}{message}", "bold"


def _rule(row: dict[str, Any]) -> Step:
    held = f" — {row['held']}" if row.get("held") else ""
    return "rule", f"{row['rule']} → {row['op_type']} {row['scope']}{held}", ""


def _plan(row: dict[str, Any]) -> Step:
    intents = f"{row['intents']} intent{'' if row['intents'] == 1 else 's'}"
    return "plan", f"{row['cluster']}: {row['op_type']} of {row['scope']} ({intents})", ""


def _guards(row: dict[str, Any]) -> Step | None:
    cleared, held = row["proceed"], row["held"]
    if not cleared + held:
        return None
    parts = [f"{cleared} process{'' if cleared == 1 else 'es'} cleared by guards"] if cleared else []
    if held:
        parts.append(f"{held} held: {row['reason']}")
    return "guards", ", ".join(parts), ""


def _request(row: dict[str, Any]) -> Step:
    return "request", f"StartStopServiceOrMonitor {row['op_type']} {row['scope']} as {row['operation']}", "blue"


def _answer(row: dict[str, Any]) -> Step:
    code = f" {row['api_code']}" if row.get("api_code") else ""
    return "answer", f"{row['state']}{code}, RequestId {row.get('api_request_id', 'none')}", ""


def _verification(row: dict[str, Any]) -> Step:
    return "verify", row["seen"], ""


def _operation(row: dict[str, Any]) -> Step:
    end = f"{row['operation']} is {row['state']}: {row['reason']}; {row.get('seen') or 'not observed'}"
    return "later", end, "green" if row["state"] == "VERIFIED" else "red"


def _outcome(row: dict[str, Any]) -> Step:
    again = ""
    if row["outcome"] == "deferred":
        again = (
            " (the sender should repeat it)" if row.get("retryable") else " (not retried; a later event may be served)"
        )
    return "outcome", f"{row['outcome']}: {row['reason']}{again}", COLOURS[row["outcome"]]


def _alarm(row: dict[str, Any]) -> Step:
    reason = row["reason"]
    return "alarm", f"{row['code']}: {reason}" if reason else f"raised for this outcome ({row['code']})", "red"


def _repeated_alarm(row: dict[str, Any]) -> Step:
    return "alarm", f"already raised recently ({row['code']})", "dim"


def _unknown_setting(row: dict[str, Any]) -> Step:
    return "warning", f"{row['variable']}: {row['reason']}", "yellow"


def _refusal(row: dict[str, Any]) -> Step:
    return "refused", str(row.get("problem", "the caller is unknown")), "red"


_STEPS: Final[Mapping[str, Callable[[dict[str, Any]], Step | None]]] = {
    "steward.event": _event,
    "steward.rule": _rule,
    "steward.plan": _plan,
    "steward.guards": _guards,
    "steward.request": _request,
    "steward.answer": _answer,
    "steward.verification": _verification,
    "steward.operation": _operation,
    "steward.outcome": _outcome,
    "steward.alarm": _alarm,
    "steward.alarm.repeated": _repeated_alarm,
    "steward.settings.unknown": _unknown_setting,
    "steward.input.refused": _refusal,
    "steward.auth.refused": _refusal,
    "steward.internal_error": _refusal,
}


def screen() -> Console:
    """Standard output for people: styled on a terminal, unless NO_COLOR is set."""
    return Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


def say(console: Console, text: str, style: str = "") -> None:
    """Print one line without breaking it, so that it can be copied in one piece."""
    console.print(Text(text, style), soft_wrap=True)


class Narrator:
    """Prints log lines as steps, without repetitions, and a few of many similar ones.

    Without a console it prints nothing; that is for ``--json``.
    """

    def __init__(self, console: Console | None) -> None:
        self._console = console
        self._reason = ""
        #: Of consecutive steps with one name: the name, the last text, and their number by colour.
        self._name = self._last = ""
        self._counts: dict[str, int] = {}

    def show(self, row: dict[str, Any]) -> None:
        """Print one log line as a step."""
        if row["event"] == "steward.alarm" and row["reason"] == self._reason:
            row = {**row, "reason": ""}
        elif row["event"] == "steward.outcome":
            self._reason = row["reason"]
        found = step(row)
        if found is None or self._console is None:
            return
        name, text, colour = found
        if name != self._name:
            self.flush()
            self._name = name
        if (name, text) == ("verify", self._last):
            return  # another look that shows nothing new
        self._last = text
        # Counted by colour, so that one failure among a thousand outcomes is printed.
        count = self._counts[colour] = self._counts.get(colour, 0) + 1
        if count <= MAX_ALIKE:
            show_step(self._console, name, text, colour)

    def add(self, name: str, text: str, colour: str = "") -> None:
        """Print a step that is not in the log."""
        self.flush()
        if self._console is not None:
            show_step(self._console, name, text, colour)

    def heading(self, text: str) -> None:
        """Print what the next steps are about."""
        self.flush()
        if self._console is not None:
            say(self._console, f"\n{text}", "bold")

    def flush(self) -> None:
        """Print how many similar steps were left out. Call it when nothing more follows."""
        for colour, count in self._counts.items():
            if count > MAX_ALIKE and self._console is not None:
                show_step(self._console, self._name, f"and {count - MAX_ALIKE:,} more", colour)
        self._name, self._last, self._counts = "", "", {}


def show_step(console: Console, name: str, text: str, colour: str = "") -> None:
    """Print one step."""
    # Text, not markup: an alert's content must not change the style.
    console.print(Text.assemble((f"  {name:<7} ", "dim"), (text, colour)), soft_wrap=True)

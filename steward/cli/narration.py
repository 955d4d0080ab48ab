"""The function's log lines as text for people: one line for each step of the pipeline."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

#: Consecutive steps of one name and colour that are printed; the others are counted.
MAX_ALIKE: Final = 5
COLOURS: Final = {
    "done": "green",
    "skipped": "cyan",
    "withdrawn": "cyan",
    "unverified": "yellow",
    "accepted": "yellow",
    "pending": "yellow",
    "refused": "red",
    "expired": "red",
    "failed": "bold red",
    "in_doubt": "bold magenta",
}
STATE_COLOURS: Final = {
    "VERIFIED": "green",
    "UNVERIFIED": "yellow",
    "ACCEPTED": "yellow",
    "NOT_SENT": "yellow",
    "REJECTED": "red",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "IN_DOUBT": "magenta",
}
#: Events whose names a narrator remembers.
MAX_NAMED: Final = 10_000

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


def _held(row: dict[str, Any]) -> Step:
    return "held", f"{row['op_type']} {row['scope']}: {row['reason']}", "yellow"


def _request(row: dict[str, Any]) -> Step:
    return "request", f"StartStopServiceOrMonitor {row['op_type']} {row['scope']} as {row['operation']}", "blue"


def _answer(row: dict[str, Any]) -> Step:
    code = f" {row['api_code']}" if row.get("api_code") else ""
    return "answer", f"{row['state']}{code}, RequestId {row.get('api_request_id', 'none')}", ""


def _verification(row: dict[str, Any]) -> Step:
    return "verify", row["seen"], ""


def _operation(row: dict[str, Any]) -> Step:
    end = "; ".join(text for text in (row.get("api_code"), row.get("problem"), row["seen"]) if text)
    return "end", f"{row['operation']} is {row['state']}: {end}", STATE_COLOURS.get(row["state"], "")


def _outcome(row: dict[str, Any]) -> Step:
    again = " (the sender should repeat it)" if row.get("retryable") else ""
    return "outcome", f"{row.get('who', '')}{row['outcome']}: {row['reason']}{again}", COLOURS[row["outcome"]]


def _settled(row: dict[str, Any]) -> Step:
    return "settled", f"{row.get('who', '')}{row['outcome']}: {row['reason']}", COLOURS[row["outcome"]]


def _alarm(row: dict[str, Any]) -> Step:
    fix = f" → {row['fix']}" if row.get("fix") else ""
    what = f": {row['reason']}" if row["reason"] else ", for the reason above"
    return "alarm", f"{row.get('where') or row['code']}{what}{fix} ({row['code']})", "red"


def _alarm_over(row: dict[str, Any]) -> Step:
    return "alarm", f"over: {row.get('where') or row['code']}: {row['reason']} ({row['code']})", "green"


def _repeated_alarm(row: dict[str, Any]) -> Step:
    return "alarm", f"already raised recently ({row['code']})", "dim"


def _unknown_setting(row: dict[str, Any]) -> Step:
    return "warning", f"{row['variable']}: {row['reason']}", "yellow"


def _refusal(row: dict[str, Any]) -> Step:
    return "refused", str(row.get("problem", "the caller is unknown")), "red"


_STEPS: Final[Mapping[str, Callable[[dict[str, Any]], Step | None]]] = {
    "steward.event": _event,
    "steward.rule": _rule,
    "steward.held": _held,
    "steward.request": _request,
    "steward.answer": _answer,
    "steward.verification": _verification,
    "steward.operation": _operation,
    "steward.outcome": _outcome,
    "steward.settled": _settled,
    "steward.alarm": _alarm,
    "steward.alarm.over": _alarm_over,
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
        #: Reasons that were printed: an alarm refers to them.
        self._reasons: set[str] = set()
        #: What people call an event, by its id; how many have that name; and those that came since the last heading.
        self._names: dict[str, str] = {}
        self._alike: Counter[str] = Counter()
        self._events: set[str] = set()
        #: From an event to its outcome, which says what holds it.
        self._is_delivery = False
        #: By intent: the code of what holds it, as it was last printed.
        self._held: dict[str, str] = {}
        #: Of consecutive steps with one name: the name, the last text, and their number by colour.
        self._name = self._last = ""
        self._counts: dict[str, int] = {}

    def show(self, row: dict[str, Any]) -> None:
        """Print one log line as a step."""
        kind = row["event"]
        if kind == "steward.event":
            self._is_delivery = True
            self._name_event(row)
        elif kind == "steward.held":
            is_known = self._held.get(row["intent"]) == row["code"]  # only the time that is left has changed
            self._held[row["intent"]] = row["code"]
            if is_known or self._is_delivery:
                return
        elif kind == "steward.alarm" and row["reason"] in self._reasons:
            row = {**row, "reason": ""}
        elif kind in ("steward.outcome", "steward.settled"):
            self._is_delivery = False
            self._reasons.add(row["reason"])
            # A follow-up settles events of earlier deliveries: without a name nobody could tell whose line it is.
            is_earlier = kind == "steward.settled" and not self._events
            if len(self._events) > 1 or is_earlier:
                row = {**row, "who": f"{self._who(row)} → "}
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

    def _name_event(self, row: dict[str, Any]) -> None:
        self._events.add(row["event_id"])
        if row["event_id"] not in self._names and len(self._names) < MAX_NAMED:
            name = self._names[row["event_id"]] = _name_of(row)
            self._alike[name] += 1

    def _who(self, row: dict[str, Any]) -> str:
        """Whose outcome a line is, where several events came at once."""
        first, *others = [row["event_id"]] if "event_id" in row else row["events"].split(",")
        name = self._names.get(first, first)
        # Two alerts about one process are told apart by their ids.
        name = name if self._alike[name] < 2 else f"{name} ({first})"
        return f"{name} and {len(others)} more" if others else name

    def add(self, name: str, text: str, colour: str = "") -> None:
        """Print a step that is not in the log."""
        self.flush()
        if self._console is not None:
            show_step(self._console, name, text, colour)

    def add_all(self, name: str, texts: Sequence[str], colour: str = "") -> None:
        """Print steps that are not in the log, the first of them where they are many."""
        for text in texts[:MAX_ALIKE]:
            self.add(name, text, colour)
        if len(texts) > MAX_ALIKE:
            self.add(name, f"and {len(texts) - MAX_ALIKE:,} more", colour)

    def heading(self, text: str) -> None:
        """Print what the next steps are about."""
        self.flush()
        self._events.clear()
        self._reasons.clear()
        self._held.clear()
        if self._console is not None:
            say(self._console, f"\n{text}", "bold")

    def flush(self) -> None:
        """Print how many similar steps were left out. Call it when nothing more follows."""
        for colour, count in self._counts.items():
            if count > MAX_ALIKE and self._console is not None:
                show_step(self._console, self._name, f"and {count - MAX_ALIKE:,} more", colour)
        self._name, self._last, self._counts = "", "", {}


def _name_of(row: dict[str, Any]) -> str:
    """What people call an event: what it is about, else its name, else its id."""
    process = "/".join(str(row[key]) for key in ("service", "component", "ip") if row.get(key))
    return process or str(row.get("name") or row["event_id"])


def show_step(console: Console, name: str, text: str, colour: str = "") -> None:
    """Print one step."""
    # Text, not markup: an alert's content must not change the style.
    console.print(Text.assemble((f"  {name:<7} ", "dim"), (text, colour)), soft_wrap=True)

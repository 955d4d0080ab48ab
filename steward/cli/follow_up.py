"""``steward follow-up``: one round of the function's follow-up."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

import typer
from rich.console import Console

from handler.app import Function
from handler.config.settings import Settings
from handler.execute.follow_up import MESSAGE
from handler.lib.clock import SystemClock
from handler.lib.wording import utc_text
from handler.report.history import OperationRow, fields_of
from steward.cli.context import ConfigOption, JsonOption, is_private, known_ledger, load_config
from steward.cli.exit_codes import FAILED
from steward.cli.history import show_pending
from steward.cli.narration import STATE_COLOURS, Narrator, say, screen
from steward.cli.rows import Work, intent_row, operation_row
from steward.simulate.platform import context, timer_event

if TYPE_CHECKING:
    from handler.config.config import Config
    from handler.ledger.ledger import Ledger

#: Seconds that one round may take.
SECONDS: Final = 60.0
BAD_STATES: Final = frozenset({"FAILED", "TIMED_OUT", "IN_DOUBT", "REJECTED"})
BAD_OUTCOMES: Final = frozenset({"failed", "expired", "in_doubt", "refused"})
#: Lines of the log that the summary below says better.
_SUMMARIZED: Final = frozenset({"steward.held", "steward.operation", "steward.verification"})


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command("follow-up", short_help="Serve what is pending, look at every open operation, and show both.")(
        follow_up
    )


def follow_up(
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve what is pending, look at every open operation, once, and show what is still open.

    The function's timer does the same each minute. It sends requests for what is pending and no longer held back,
    unless STEWARD_MODE is observe. Clusters that the configuration does not list are left alone. A private fake cluster
    ends with its command, so what it was asked is only listed. The exit code is 1 if something failed, was refused,
    expired or is in doubt, or if a cluster cannot be read or is not in the configuration.

    Example: steward follow-up --json
    """
    ledger, name = known_ledger()
    before = Work.of(ledger)
    done = Round(dict(before.problems))
    is_open = bool(before.records or before.problems)
    if is_open and not is_private():
        loaded = load_config(config)
        done.run(loaded, ledger, narrator=Narrator(None if as_json else screen()))
    work = Work.of(ledger)
    operations = _operations(before, work, done)
    if as_json:
        document = {
            "operations": [{**operation_row(one), "deadline": until or None} for one, until in operations],
            "open": [{**intent_row(one), "reason": done.reason(one.intent.key)} for one in work.intents()],
            "settled": done.settled,
            "problems": done.problems,
        }
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    else:
        _show(screen(), work, operations, done, name)
    is_bad = any(one.state in BAD_STATES for one, _ in operations)
    is_bad |= any(row["outcome"] in BAD_OUTCOMES for row in done.settled)
    if not is_private() and (is_bad or done.problems):
        raise typer.Exit(FAILED)


@dataclass
class Round:
    """One round, and what its log lines say.

    ``problems`` are those of clusters that cannot be read, by id.
    """

    problems: dict[str, str]
    reasons: dict[str, str] = field(default_factory=dict)
    settled: list[dict[str, Any]] = field(default_factory=list)
    ended: list[OperationRow] = field(default_factory=list)

    def run(self, config: Config, ledger: Ledger, narrator: Narrator) -> None:
        """Run it on the clusters of the configuration. It also sends pending alarms."""
        listed = _Listed(ledger, config)
        for cluster in listed.others():
            self.problems[cluster] = "it is not listed in the configuration, so nothing is done about it"

        def write(text: str) -> None:
            for row in map(json.loads, text.splitlines()):
                self._note(row)
                if row["event"] not in _SUMMARIZED:
                    narrator.show(row)

        clock, settings = SystemClock(), replace(Settings.from_env(os.environ), log_level="DEBUG")
        function = Function(settings, config, env=os.environ, clock=clock, ledger=cast("Ledger", listed), write=write)
        limit = context(time_limit_ms=int(SECONDS * 1000), request_id="follow-up")
        function.handle(timer_event("follow-up", MESSAGE, clock.now()), limit)
        narrator.flush()

    def reason(self, key: str) -> str:
        """Why an intent is pending; empty where this round did not look at it."""
        return self.reasons.get(key, "")

    def _note(self, row: dict[str, Any]) -> None:
        kind = row["event"]
        if kind in ("steward.look_failed", "steward.ledger.unavailable") and row.get("cluster"):
            self.problems[row["cluster"]] = row["problem"]
        elif kind == "steward.held":
            self.reasons[row["intent"]] = row["reason"]
        elif kind == "steward.settled":
            self.settled.append(row)
        elif kind == "steward.operation":
            self.ended.append(OperationRow.of(row))


class _Listed:
    """The ledger without the clusters that a configuration does not list.

    The function ends what is asked of those; here, it may be the wrong configuration.
    """

    def __init__(self, ledger: Ledger, config: Config) -> None:
        self._ledger = ledger
        self._config = config

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def clusters_with_work(self) -> list[str]:
        return [name for name in self._ledger.clusters_with_work() if name in self._config.clusters]

    def others(self) -> list[str]:
        return [name for name in self._ledger.clusters_with_work() if name not in self._config.clusters]


def _operations(before: Work, after: Work, done: Round) -> list[tuple[OperationRow, float]]:
    """The operations that were open before, or were sent since, as they are now; and their deadlines while they are open."""
    ended = {one.id: (one, 0.0) for one in done.ended}
    still = {
        one.id: (OperationRow.of(fields_of(one)), one.deadline)
        for record in after.records
        for one in record.open_operations()
    }
    was = [one.id for record in before.records for one in record.open_operations()]
    found = {**still, **ended}
    return [found[name] for name in dict.fromkeys((*was, *found)) if name in found]


def _show(console: Console, work: Work, operations: list[tuple[OperationRow, float]], done: Round, name: str) -> None:
    pending = work.intents("pending")
    for cluster, problem in done.problems.items():
        say(
            console,
            f"{cluster} cannot be read: {problem}" if "listed" not in problem else f"{cluster}: {problem}",
            "red",
        )
    for one, deadline in operations:
        request = f", RequestId {one.request_id}" if one.request_id else ""
        title = f"{one.op_type} on {one.targets}, sent {utc_text(one.armed_at)}{request}"
        say(console, f"{one.id}  {one.cluster}: {title}", "bold")
        end = f"; observed until {utc_text(deadline)}" if deadline else ""
        still = "still " if deadline else ""
        problem = f"; {one.problem}" if one.problem else ""
        say(console, f"  {still}{one.state}: {one.seen}{problem}{end}", STATE_COLOURS.get(one.state, ""))
    if pending:
        show_pending(console, pending, done.reasons)
    if is_private() and (operations or pending):
        say(console, "On a private fake cluster, which ends with its command; `steward serve` follows up its own.")
    if not operations and not pending and not done.problems:
        say(console, f"Nothing is open in {name}.")

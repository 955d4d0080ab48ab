"""``steward follow-up``, and how a command waits for its own operations."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console

from handler.app import Function
from handler.config.config import Config
from handler.config.settings import Settings
from handler.execute.follow_up import MESSAGE
from handler.lib.clock import SystemClock
from handler.lib.wording import utc_text
from handler.model.operation import State
from steward.cli.context import ConfigOption, JsonOption, is_private, known_ledger, load_config
from steward.cli.exit_codes import FAILED
from steward.cli.narration import Narrator, say, screen
from steward.cli.rows import targets_of
from steward.simulate.platform import context, timer_event

if TYPE_CHECKING:
    from handler.ledger.ledger import Ledger
    from handler.model.operation import Operation
    from steward.simulate.clock import SimulatedClock
    from steward.simulate.world import Wired

#: Seconds that one round may take.
SECONDS: Final = 60.0
#: Simulated seconds between two rounds, as the function's timer has it.
INTERVAL: Final = 60.0
#: Rounds after which an operation on the private fake cluster is dropped: four hours.
MAX_ROUNDS: Final = 240
COLOURS: Final = {
    State.VERIFIED: "green",
    State.UNVERIFIED: "yellow",
    State.FAILED: "red",
    State.TIMED_OUT: "red",
    State.IN_DOUBT: "magenta",
}
BAD: Final = frozenset({State.FAILED, State.TIMED_OUT, State.IN_DOUBT})
DROPPED: Final = "dropped: its fake cluster ended with the command"


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command("follow-up", short_help="Look at every open operation once, and show its state.")(follow_up)


def follow_up(
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at every open operation once, and show its state.

    The function's timer does the same each minute. It reads clusters and updates the ledger; it sends no operation. An operation on a private fake cluster cannot be
    observed after its command has ended, and is dropped at its deadline. The exit code is 1 if an operation failed,
    timed out, is in doubt, or its cluster cannot be read.

    Example: steward follow-up --json
    """
    fake = is_private()
    ledger, name = known_ledger()
    before = ledger.open_operations()
    # No clusters for a fake: it has ended, and a real cluster with the same id is another one.
    loaded = Config() if fake else load_config(config)
    problems = (
        _round(loaded, ledger, narrator=Narrator(None if as_json or fake else screen())) if before or not fake else {}
    )
    for operation in before:
        if not fake and operation.cluster not in loaded.clusters:
            problems[operation.cluster] = "it is not listed in the configuration"
    pairs = [(was, ledger.get(was.id) or was) for was in before]
    if as_json:
        document = {"operations": [_row(was, now) for was, now in pairs], "problems": problems}
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    elif not before:
        say(screen(), f"No operation is open in {name}.")
    else:
        for _, now in pairs:
            _show(screen(), now, problems.get(now.cluster, ""), fake=fake)
    if not fake and (problems or any(now.state in BAD for _, now in pairs)):
        raise typer.Exit(FAILED)


def _round(config: Config, ledger: Ledger, narrator: Narrator) -> dict[str, str]:
    """One round of the function's follow-up: the problems, by cluster.

    It also sends pending alarms.
    """
    problems: dict[str, str] = {}

    def write(text: str) -> None:
        for row in map(json.loads, text.splitlines()):
            if row["event"] == "steward.follow_up.look_failed":
                problems[row["cluster"]] = row["problem"]
            elif row["event"] != "steward.operation":
                narrator.show(row)

    clock = SystemClock()
    function = Function(Settings.from_env(os.environ), config, env=os.environ, clock=clock, ledger=ledger, write=write)
    limit = context(time_limit_ms=int(SECONDS * 1000), request_id="follow-up")
    function.handle(timer_event("follow-up", MESSAGE, clock.now()), limit)
    narrator.flush()
    return problems


def _show(console: Console, now: Operation, problem: str, *, fake: bool) -> None:
    sent = f"sent {utc_text(now.armed_at)}"
    say(console, f"{now.id}  {now.cluster}: {now.op_type} on {targets_of(now)}, {sent}", "bold")
    if not now.is_open:
        result = DROPPED if fake else f"{now.state}: {now.observed or now.code}"
        say(console, f"  {result}", "" if fake else COLOURS.get(now.state, ""))
    elif fake:
        end = f"`steward serve` observes its own; otherwise dropped at {utc_text(now.deadline)}"
        say(console, f"  {now.state}, on a fake cluster: {end}")
    else:
        seen = f"its cluster cannot be read: {problem}" if problem else now.observed or "not yet observed"
        until = f"observed until {utc_text(now.deadline)}"
        say(console, f"  still {now.state}: {seen}; {until}", COLOURS.get(now.state, ""))


def _row(was: Operation, now: Operation) -> dict[str, Any]:
    return {
        **row_of(now),
        "was": was.state.value,
        "code": now.code,
        "request_id": now.request_id,
        "sent_at": now.armed_at,
        "until": now.deadline,
        "targets": list(now.before),
    }


# -- the end of a command


def armed_by(world: Wired) -> list[Operation]:
    """The operations that this command sent, in their present state."""
    sent = [line["operation"] for line in world.lines if line["event"] == "steward.request"]
    found = [world.function.ledger.get(name) for name in dict.fromkeys(sent)]
    return [operation for operation in found if operation is not None]


def still_open(world: Wired) -> list[Operation]:
    """The operations of this command that have not ended."""
    return [operation for operation in armed_by(world) if operation.is_open]


def row_of(operation: Operation) -> dict[str, str]:
    """An operation for programs: what it is, and its state."""
    return {
        "id": operation.id,
        "cluster": operation.cluster,
        "op_type": operation.op_type.value,
        "state": operation.state.value,
        "observed": operation.observed,
    }


def run_to_the_end(world: Wired, clock: SimulatedClock) -> None:
    """Advance the simulated clock until no operation of this command is open.

    The follow-up runs each simulated minute.
    """
    for _ in range(MAX_ROUNDS):
        if not still_open(world):
            return
        clock.sleep(INTERVAL)
        world.deliver(timer_event("follow-up", MESSAGE, clock.now()), retries=0)
    drop(world)


def drop(world: Wired) -> None:
    """Settle what is open as timed out: its private fake cluster ends with the command."""
    for operation in still_open(world):
        now = world.clock.now()
        world.function.ledger.settle(operation.moved(State.TIMED_OUT, now, code=DROPPED), operation.state)

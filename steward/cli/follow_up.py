"""``steward follow-up``: what was sent and not yet seen to its end; and the end of what a command's own fake cluster was at."""

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
from steward.cli.context import ConfigOption, JsonOption, known_ledger, load_config, on_a_fake
from steward.cli.narration import Narrator, say, screen
from steward.simulate.platform import context, timer_event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handler.ledger.protocol import Ledger
    from handler.model.operation import Operation
    from steward.simulate.clock import AheadClock
    from steward.simulate.world import Wired

#: Seconds that one round may take.
SECONDS: Final = 60.0
#: Seconds by which a private fake's clock is moved on at its end: a signature is good for 300 s, and the function's
#: clock stays.
AHEAD: Final = 240.0
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
    """The command of this file."""
    app.command("follow-up", short_help="Look once at what is still open, and say what became of it.")(follow_up)


def follow_up(
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look once at every operation that is still open, as the function's timer does each minute: what became of each.

    It only looks and writes down; it sends nothing to a cluster. An operation on a fake cluster cannot be looked at any
    more, and is dropped once its time is over. Exits with 1 where one failed, is in doubt, or cannot be looked at.

    Example: steward follow-up --json
    """
    fake = on_a_fake()
    ledger, name = known_ledger()
    before = ledger.open_operations()
    # Without clusters nothing is looked at: that of a fake is gone, and a real one of the same id is another.
    loaded = Config() if fake else load_config(config)
    console = screen()
    narrator = Narrator(console)
    problems: dict[str, str] = {}

    def write(text: str) -> None:
        for row in map(json.loads, text.splitlines()):
            if row["event"] == "steward.follow_up.look_failed":
                problems[row["cluster"]] = row["problem"]
            elif row["event"] != "steward.operation" and not (as_json or fake):
                narrator.tell(row)

    clock = SystemClock()
    function = Function(Settings.from_env(os.environ), loaded, env=os.environ, clock=clock, ledger=ledger, write=write)
    if before or not fake:  # a round also sends the alarms that nobody took
        limit = context(time_limit_ms=int(SECONDS * 1000), request_id="follow-up")
        function.handle(timer_event("follow-up", MESSAGE, clock.now()), limit)
        narrator.flush()
    for operation in before:
        if not fake and operation.cluster not in loaded.clusters:
            problems[operation.cluster] = "it is not listed in the configuration"
    pairs = [(was, ledger.get(was.id) or was) for was in before]
    if as_json:
        document = {"operations": [_row(was, now) for was, now in pairs], "problems": problems}
        json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    elif not before:
        say(console, f"No operation is open in {name}.")
    else:
        for was, now in pairs:
            _tell(console, was, now, problems.get(now.cluster, ""), fake=fake)
    if not fake and (problems or any(now.state in BAD for _, now in pairs)):
        raise typer.Exit(1)


def _tell(console: Console, was: Operation, now: Operation, problem: str, *, fake: bool) -> None:
    first, *others = map(was.name_of, was.before)
    more = f" and {len(others)} more" if others else ""
    say(console, f"{now.id}  {now.cluster}: {now.op_type} on {first}{more}, sent {utc_text(now.armed_at)}", "bold")
    if not now.is_open:
        said = DROPPED if fake else f"{now.state}: {now.observed or now.code}"
        say(console, f"  {said}", "" if fake else COLOURS.get(now.state, ""))
    elif fake:
        say(
            console,
            f"  {now.state}, on a fake cluster: `steward serve` looks at its own; dropped {utc_text(now.deadline)}",
        )
    else:
        seen = f"cannot be looked at: {problem}" if problem else now.observed or "nothing is seen of it yet"
        say(
            console,
            f"  still {now.state}: {seen}; looked at until {utc_text(now.deadline)}",
            COLOURS.get(now.state, ""),
        )


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


def armed_by(world: Wired, ledger: Ledger) -> list[Operation]:
    """The operations that this command armed, as they are now."""
    sent = [line["operation"] for line in world.lines if line["event"] == "steward.request"]
    found = [ledger.get(name) for name in dict.fromkeys(sent)]
    return [operation for operation in found if operation is not None]


def still_open(world: Wired, ledger: Ledger) -> list[Operation]:
    """Those of them that are not finished."""
    return [operation for operation in armed_by(world, ledger) if operation.is_open]


def row_of(operation: Operation) -> dict[str, str]:
    """For programs: what it was, and where it is."""
    return {
        "id": operation.id,
        "cluster": operation.cluster,
        "op_type": operation.op_type.value,
        "state": operation.state.value,
        "observed": operation.observed,
    }


def see_to_the_end(world: Wired, ledger: Ledger, clock: AheadClock) -> None:
    """Finish what a private fake cluster is still at, by its clock; what even that does not finish is dropped, since nobody can look later."""
    if not still_open(world, ledger):
        return
    clock.move_on(AHEAD)
    world.deliver(timer_event("follow-up", MESSAGE, world.clock.now()), retries=0)
    drop(still_open(world, ledger), ledger, world.clock.now())


def drop(operations: Iterable[Operation], ledger: Ledger, now: float) -> None:
    """Write down that nobody looks at them any more."""
    for operation in operations:
        ledger.settle(operation.moved(State.TIMED_OUT, now, code=DROPPED), operation.state)

"""``steward run``: deliver events to the function, as the platform would."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from handler.config.settings import Settings
from handler.doctor.findings import Finding
from handler.errors import ConfigurationError, LedgerUnavailable
from handler.ledger.ledger import Ledger
from handler.lib import wording
from handler.lib.clock import SystemClock
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.cli.begun import ENDED, OBSERVED, Begun
from steward.cli.context import (
    ConfigOption,
    JsonOption,
    event_name,
    example_or,
    fresh_ledger_url,
    is_private,
    load_config,
    read_event,
    read_settings,
    show_config,
    target_name,
    user_ledger,
    warn_of_named_ledger,
)
from steward.cli.exit_codes import FAILED, INTERRUPTED
from steward.cli.findings import show_findings
from steward.cli.mode import ActOption, chosen_mode
from steward.cli.narration import Narrator, say, screen
from steward.cli.rows import intent_row, operation_row
from steward.simulate.clock import SimulatedClock
from steward.simulate.platform import RETRIES, RETRY_SECONDS, Invocation, restamp
from steward.simulate.world import Wired, World, private_world, real_world

if TYPE_CHECKING:
    from handler.config.config import Config
    from handler.report.history import OperationRow

BAD: Final = {"failed", "refused", "expired", "in_doubt"}


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Deliver events to the function, on a private fake cluster by default.")(run)


def run(  # noqa: PLR0917 - the command line's options
    event: Annotated[list[Path], typer.Argument(metavar="EVENT.json", help="Event files; - reads standard input.")],
    config: ConfigOption = None,
    act: ActOption = False,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="act|observe", help="observe decides everything and sends nothing (default: STEWARD_MODE)."
        ),
    ] = None,
    as_json: JsonOption = False,
    now: Annotated[
        bool | None,
        typer.Option(
            "--now/--as-it-is",
            help="Deliver each event as if it had just happened, or with its own time (default: --now where it acts "
            "and on the private fake cluster, else --as-it-is).",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Empty the private fake cluster's ledger before the first event.")
    ] = False,
) -> None:
    """Deliver events to the function, as the platform would.

    By default they go to a private fake cluster. The processes that an alert names are killed there first, unless a
    rule restarts them even if they are healthy. Its clock is simulated: it runs on after each event until every
    operation has ended and what only had to wait is served. With STEWARD_EMR_ENDPOINT they go to the API there, with
    the environment's credentials; without --act nothing is sent to it, now or later, and each event keeps its own time.
    With --act, what is pending when the command ends is served by `steward follow-up`. Operations are recorded in
    .steward, in one file for each target, so that a second delivery finds the first.

    Example: steward run events/alertmanager-datanode-down.json --mode observe
    """
    events = [(event_name(path), read_event(path)) for path in event]
    loaded = load_config(config)
    console = None if as_json else screen()
    if console is not None:
        show_config(console, config)
    settings = read_settings(loaded)
    settings = replace(settings, mode=chosen_mode(settings, act=act, mode=mode), log_level="DEBUG")
    is_restamped = (act or is_private()) if now is None else now
    if console is not None:
        _show_target(console, settings, act=act, is_restamped=is_restamped)
    with ExitStack() as stack:
        delivery = _delivery(stack, loaded, settings, console, fresh=fresh, is_restamped=is_restamped)
        try:
            for name, content in events:
                delivery.deliver(name, content)
            document = delivery.document() if as_json else {}
        except KeyboardInterrupt:
            _show_interruption(delivery)
            raise typer.Exit(INTERRUPTED) from None
        finally:
            delivery.end()
    if as_json:
        about = {"config": str(example_or(config)), "target": target_name(settings), "mode": settings.mode}
        json.dump({**about, **document}, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    if delivery.errors:
        raise typer.Exit(FAILED)


def _show_target(console: Console, settings: Settings, *, act: bool, is_restamped: bool) -> None:
    """Print where the events go, and what they may do there, before anything is delivered."""
    say(console, f"target   {target_name(settings)}", "dim" if is_private() else "bold")
    time = "each event as if it had just happened" if is_restamped else "each event with its own time"
    hint = "" if is_private() or act else "; --act sends requests"
    say(console, f"mode     {settings.mode}, {time}{hint}", "bold" if settings.mode == "act" and act else "dim")


def _delivery(
    stack: ExitStack, config: Config, settings: Settings, console: Console | None, *, fresh: bool, is_restamped: bool
) -> Delivery:
    """The function wired to its target. Raises ConfigurationError."""
    narrator, env = Narrator(console), dict(os.environ)
    if fresh:
        if not is_private() or os.environ.get("STEWARD_LEDGER"):
            hint = "unset STEWARD_EMR_ENDPOINT and STEWARD_LEDGER, or leave the option out"
            raise ConfigurationError("empties only the private fake cluster's own ledger", where="--fresh", hint=hint)
        fresh_ledger_url("fake")
    warn_of_named_ledger()
    ledger = user_ledger()
    if not is_private():
        world = real_world(config, settings=settings, ledger=ledger, env=env, on_line=narrator.show)
        return Delivery(world, None, narrator, console, is_restamped)
    from harness.fake_cloud.server import CloudServer  # imports pydantic, which the real cloud does without

    clock = SimulatedClock(not_before=_newest(ledger) + 1.0)  # in another second: another occurrence of an alert
    # The SDK signs by the machine's clock.
    cloud = demo_cloud(clock, transition_seconds=1.0)
    server = stack.enter_context(CloudServer(cloud, signed_by=SystemClock()))
    private = private_world(
        config,
        settings=settings,
        clock=clock,
        cloud=cloud,
        endpoint=server.url,
        ledger=ledger,
        env=env,
        on_line=narrator.show,
    )
    return Delivery(private, clock, narrator, console, is_restamped)


def _newest(ledger: Ledger) -> float:
    """The time of the ledger's newest entry.

    The simulated clock of an earlier run may be ahead of the machine's.
    """
    return max((line.at for line in ledger.lines(limit=1)), default=0.0)


@dataclass
class Delivery:
    """Events that are delivered one after the other, and their results.

    ``clock`` is that of a private fake cluster; None for any other target.
    """

    world: Wired
    clock: SimulatedClock | None
    narrator: Narrator
    console: Console | None
    is_restamped: bool
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._begun = Begun(self.world)

    def deliver(self, name: str, content: Any) -> None:
        """Deliver an event until it is served or the platform gives up.

        On a private fake cluster it also waits for the event's operations.
        """
        self.narrator.heading(name)
        if isinstance(self.world, World) and (killed := self.world.kill_what_fires(content)):
            self.narrator.add("given", f"{', '.join(killed)} died on the fake cluster")
        if self.is_restamped:  # once: a repetition is the same occurrence
            content = restamp(content, self.world.clock.now())
        seen, lines = len(self.world.outcomes()), len(self.world.lines)
        for attempt in range(1 + RETRIES):
            last = len(self.world.outcomes())
            invocation = self.world.deliver(content, fresh=False, retries=0)
            error = _shown_answer(self.narrator, invocation)
            if not invocation.error:
                break
            if self.clock is None:
                self.narrator.add("retry", "the platform would deliver it again in a minute, twice at most")
                break
            if attempt < RETRIES:
                self.narrator.add("retry", f"the platform delivers it again {RETRY_SECONDS:g} s later")
                self.clock.sleep(RETRY_SECONDS)
        self._wait()
        self.outcomes += [{"file": name, **row} for row in self.world.outcomes()[seen:]]
        rows = [
            *self.world.outcomes()[last:],
            *self._lines("steward.settled", lines),
            *self._lines("steward.alarm", lines),
        ]
        problems = [
            f"{row.get('outcome', 'alarm')}: {row['reason']}" for row in rows if row.get("outcome") in {*BAD, None}
        ]
        problems += self._examined(lines)
        problems = list(dict.fromkeys(problems or ([error] if error else [])))
        self.errors += [{"file": name, "error": text} for text in problems]

    def end(self) -> None:
        """End what cannot outlive the command.

        That is all of a private fake cluster, and what was only observed.
        """
        if self.clock is not None:
            self._begun.drop(ENDED)
        elif self.world.function.settings.mode == "observe":
            self._begun.drop(OBSERVED)

    def open_operations(self) -> list[OperationRow]:
        """The operations that have not ended."""
        return self._begun.open_operations()

    def _lines(self, kind: str, start: int) -> list[dict[str, Any]]:
        return [row for row in self.world.lines[start:] if row["event"] == kind]

    def document(self) -> dict[str, Any]:
        """Everything for programs."""
        sent = [dict(one.params) for one in self.world.cloud.operations] if isinstance(self.world, World) else None
        doctor = {"doctor": [finding.to_wire() for finding in self.findings]} if self.findings else {}
        return {
            "outcomes": self.outcomes,
            "settled": self._lines("steward.settled", 0),
            "operations": [operation_row(operation) for operation in self._begun.operations()],
            "pending": [intent_row(one) for one in self._begun.pending()],
            "requests": sent,
            "errors": self.errors,
            **doctor,
        }

    def _wait(self) -> None:
        if self.clock is not None and self._begun.goes_on():
            self.narrator.add("later", "the simulated clock runs on until nothing changes any more")
            self._begun.run_to_the_end(self.clock)
        pending = self._begun.pending()
        self.narrator.add_all("pending", [f"{one.title()}: {one.held()}" for one in pending], "yellow")
        may_send = self.clock is None and self.world.function.settings.mode == "act"
        if may_send and (pending or self.open_operations()):
            self.narrator.add(
                "next", "`steward follow-up` serves and looks at it, as the function's timer does each minute"
            )
        self.narrator.flush()

    def _examined(self, start: int) -> list[str]:
        """Print the doctor's report if the event requested one: the checks that fail."""
        rows = self._lines("steward.doctor", start)
        found = [Finding(row["check"], row["state"], row["detail"], row.get("fix") or "") for row in rows]
        if found and self.console is not None:
            show_findings(self.console, found)
        self.findings += found
        return [f"doctor: {finding.name}: {finding.detail}" for finding in found if finding.state == "fail"]


def _show_interruption(delivery: Delivery) -> None:
    """Print which operations an interruption left open.

    A request that was sent goes on, but a private fake cluster does not.
    """
    operations = delivery.open_operations()
    for operation in operations:
        if delivery.clock is not None:
            what = "ends with its fake cluster"
        elif operation.state == "SENDING":
            what = "may have been sent: `steward follow-up` finds out"
        else:
            what = "was sent and goes on: `steward follow-up` looks at it"
        sys.stderr.write(f"Interrupted; {operation.id} {what}\n")
    if not operations:
        sys.stderr.write("Interrupted; no operation is open.\n")


def _shown_answer(narrator: Narrator, invocation: Invocation) -> str:
    """Print the part of the answer that is in no log line. The error, if it is one."""
    answer = invocation.answer
    if invocation.error:
        name, _, problem = invocation.error.partition(": ")
        if name != LedgerUnavailable.__name__:  # otherwise the outcome shows the reason
            narrator.add("error", f"{name}: {problem}", "red")
        return invocation.error
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return ""
    narrator.add("HTTP", _in_short(answer["statusCode"], answer["body"]))
    return f"HTTP {answer['statusCode']}: {answer['body']}" if answer["statusCode"] >= 400 else ""


def _in_short(status: int, body: str) -> str:
    """An HTTP answer; of a problem the part that no outcome shows."""
    if status < 400:
        return f"{status} {wording.cut(body, 200)}"
    problem = json.loads(body)
    is_shown = problem["detail"] in [outcome["reason"] for outcome in problem.get("outcomes", ())]
    return f"{status} {problem['title']}" + ("" if is_shown else f": {wording.cut(problem['detail'], 200)}")

"""``steward demo`` and ``steward run``: events delivered to the function."""

from __future__ import annotations

import json
import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from handler.app import RetryLater
from handler.config.settings import Settings
from handler.lib import wording
from handler.lib.clock import SystemClock
from handler.model.operation import State
from handler.model.policy import Mode
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.cli import follow_up
from steward.cli.context import (
    ROOT,
    ConfigOption,
    JsonOption,
    example_or,
    load_config,
    on_a_fake,
    read_event,
    tell_config,
    user_ledger,
    warn_of_a_named_ledger,
)
from steward.cli.follow_up import AHEAD
from steward.cli.narration import Narrator, screen
from steward.config.compile import load_yaml
from steward.simulate.clock import AheadClock
from steward.simulate.platform import Invocation, function_url_event, timer_event
from steward.simulate.world import Wired, World, private_world, real_world

if TYPE_CHECKING:
    from handler.config.config import Config

BAD = {"failed", "refused", "in_doubt"}


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(short_help="An alert, a timer and a webhook call, end to end.")(demo)
    app.command(short_help="Deliver events, to a private fake cluster unless STEWARD_EMR_ENDPOINT is set.")(run)


def demo() -> None:
    """An alert, a timer and a webhook call, end to end against a fake cluster: the real SDK over HTTP.

    Example: steward demo
    """
    console = screen()
    clock = SystemClock()
    from harness.fake_cloud.server import CloudServer

    cloud = demo_cloud(clock, transition_seconds=1.0)
    config = load_yaml(str(ROOT / "steward.yml"))
    with CloudServer(cloud) as server:
        narrator = Narrator(console)
        world = private_world(config, cloud=cloud, endpoint=server.url, on_line=narrator.tell)
        cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").kill()
        for process in cloud.cluster("emr-8kd2m1qp").processes():
            if process.service == "HBASE":
                process.stop_by_operator()
        alert = json.loads((ROOT / "events" / "alertmanager-datanode-down.json").read_text(encoding="utf-8"))
        call = json.loads((ROOT / "events" / "request-restart-hive.json").read_text(encoding="utf-8"))
        call["StrategyConfig"]["TimeWait"] = 1
        cases = (
            ("An alert: a DataNode is down (Alertmanager, over the function's URL)", _post(alert)),
            ("A timer: start HBase in the morning", timer_event("morning", "morning-start", clock.now())),
            ("A webhook call: restart Hive, rolling (a direct request)", _post(call)),
        )
        shown = []
        for title, event in cases:
            narrator.heading(title)
            before = len(world.outcomes())
            world.deliver(event)
            narrator.flush()
            shown.append((title, world.outcomes()[before:]))
        up = {
            "DataNode 172.16.0.5 runs again": cloud.process("emr-4zvc5mul", "DataNode", "172.16.0.5").health == 1,
            "HBase of emr-8kd2m1qp runs": all(
                process.health == 1
                for process in cloud.cluster("emr-8kd2m1qp").processes()
                if process.service == "HBASE"
            ),
            "Hive runs": all(
                process.health == 1
                for process in cloud.cluster("emr-4zvc5mul").processes()
                if process.service == "HIVE"
            ),
            "one request for each": world.requests() == len(cases),
        }
    table = Table(title="\nOn the fake cluster", title_justify="left", show_header=False)
    for what, is_so in up.items():
        table.add_row(what, "[green]yes[/green]" if is_so else "[red]no[/red]")
    console.print(table)
    verified = all(len(lines) == 1 and lines[0]["outcome"] == "done" for _, lines in shown)
    if not (verified and all(up.values())):
        console.print("[red]Not every operation was verified.[/red]")
        raise typer.Exit(1)


def _post(payload: Any) -> dict[str, Any]:
    return function_url_event("POST", "/", {"Content-Type": "application/json"}, json.dumps(payload).encode())


def run(
    event: Annotated[list[Path], typer.Argument(metavar="EVENT.json", help="Event files; - reads standard input.")],
    config: ConfigOption = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="act|observe", help="observe decides everything and sends nothing (STEWARD_MODE, else act)."
        ),
    ] = None,
    as_json: JsonOption = False,
    now: Annotated[bool, typer.Option("--now/--as-it-is", help="Deliver the event as if it had just happened.")] = True,
) -> None:
    """Deliver events to the function, as the platform would.

    Against a private fake cluster, on which the processes that an alert names are killed first, unless a rule restarts
    them even if they are healthy; against the API at STEWARD_EMR_ENDPOINT, with the environment's credentials, where
    that is set. What was done is remembered in .steward, in a file for the private fake, one for the cloud, and one for
    each other endpoint, so that a second delivery finds the first; remove the file to begin anew.

    Example: steward run events/alertmanager-datanode-down.json --mode observe
    """
    if mode not in (None, "act", "observe"):
        raise typer.BadParameter(f"{mode!r} is neither act nor observe", param_hint="--mode")
    events = [(str(path), read_event(path)) for path in event]
    loaded = load_config(config)
    console = None if as_json else screen()
    narrator = Narrator(console)
    if console is not None:
        tell_config(console, config)
    settings = Settings.from_env(os.environ)
    chosen: Mode = settings.mode if mode is None else "observe" if mode == "observe" else "act"
    settings = replace(settings, mode=chosen, log_level="DEBUG")
    with ExitStack() as stack:
        world, fake_clock = _world(stack, loaded, settings, narrator)
        told: list[dict[str, Any]] = []
        try:
            for name, content in events:
                told.append(_delivered(world, name, content, narrator, fake_clock, now=now))
            if fake_clock is not None and follow_up.still_open(world, world.function.ledger):
                narrator.also("later", f"the fake cluster's clock is moved on by {AHEAD / 60:g} minutes")
                follow_up.see_to_the_end(world, world.function.ledger, fake_clock)
            narrator.flush()
            operations = follow_up.armed_by(world, world.function.ledger)
        except KeyboardInterrupt:
            _interrupted(world, is_private=fake_clock is not None)
            raise typer.Exit(130) from None
    outcomes = [line for one in told for line in one["outcomes"]]
    errors = [error for one in told for error in one["errors"]]
    if as_json:
        sent = [dict(one.params) for one in world.cloud.operations] if isinstance(world, World) else None
        fates = list(map(follow_up.row_of, operations))
        document = {
            "config": str(example_or(config)),
            "outcomes": outcomes,
            "operations": fates,
            "requests": sent,
            "errors": errors,
        }
        json.dump(document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    if errors or any(operation.state is State.FAILED for operation in operations):
        raise typer.Exit(1)


def _delivered(
    world: Wired, name: str, content: Any, narrator: Narrator, fake_clock: AheadClock | None, *, now: bool
) -> dict[str, Any]:
    """Deliver one file's event, and tell it: its ``outcomes``, and its ``errors``, each with the file."""
    before = len(world.outcomes())
    narrator.heading(name)
    killed = world.kill_what_fires(content) if isinstance(world, World) else []
    if killed:
        narrator.also("given", f"{', '.join(killed)} died on the fake cluster")
    invocation = world.deliver(content, fresh=now, retries=0)
    error = _told(narrator, invocation)
    outcomes = [{"file": name, **line} for line in world.outcomes()[before:]]
    if fake_clock is None and follow_up.still_open(world, world.function.ledger):
        narrator.also("next", "`steward follow-up` looks at it again, as the function's timer does each minute")
    problems = [f"{line['outcome']}: {line['reason']}" for line in outcomes if line["outcome"] in BAD]
    errors = [{"file": name, "error": text} for text in (problems or ([error] if error else []))]
    return {"outcomes": outcomes, "errors": errors}


def _interrupted(world: Wired, *, is_private: bool) -> None:
    """Say what an interruption left open. What was sent goes on, but on a fake cluster that ends with the command."""
    ledger = world.function.ledger
    operations = follow_up.still_open(world, ledger)
    if is_private:
        follow_up.drop(operations, ledger, world.clock.now())
    for operation in operations:
        if is_private:
            what = "ends with its fake cluster"
        elif operation.state is State.SENDING:
            what = "may have been sent: `steward follow-up` finds out"
        else:
            what = "was sent and goes on: `steward follow-up` looks at it"
        sys.stderr.write(f"Interrupted; {operation.id} {what}\n")
    if not operations:
        sys.stderr.write("Interrupted; nothing is under way.\n")


def _world(
    stack: ExitStack, config: Config, settings: Settings, narrator: Narrator
) -> tuple[Wired, None] | tuple[World, AheadClock]:
    """What to deliver to, and the clock of its cluster where that is a private one."""
    warn_of_a_named_ledger(fake=on_a_fake())
    ledger, env = user_ledger(), dict(os.environ)
    if not on_a_fake():
        return real_world(config, settings=settings, ledger=ledger, env=env, on_line=narrator.tell), None
    from harness.fake_cloud.server import CloudServer

    clock = AheadClock()
    server = stack.enter_context(CloudServer(demo_cloud(clock, transition_seconds=1.0)))
    world = private_world(
        config,
        settings=settings,
        cloud=server.cloud,
        endpoint=server.url,
        ledger=ledger,
        env=env,
        on_line=narrator.tell,
    )
    return world, clock


def _in_short(status: int, body: str) -> str:
    """An HTTP answer; of a problem what no outcome's line has told."""
    if status < 400:
        return f"{status} {wording.cut(body, 200)}"
    problem = json.loads(body)
    is_told = problem["detail"] in [outcome["reason"] for outcome in problem.get("outcomes", ())]
    return f"{status} {problem['title']}" + ("" if is_told else f": {wording.cut(problem['detail'], 200)}")


def _told(narrator: Narrator, invocation: Invocation) -> str:
    """What the platform or the HTTP caller got that no line has told; the error where it is one."""
    answer = invocation.answer
    if invocation.error:
        name, _, problem = invocation.error.partition(": ")
        if name != RetryLater.__name__:  # the outcome has said why
            narrator.also("error", f"{name}: {problem}", "red")
        narrator.also("retry", "the platform would deliver it again in a minute, twice at most")
        return invocation.error
    if isinstance(answer, dict) and "statusCode" in answer:
        narrator.also("HTTP", _in_short(answer["statusCode"], answer["body"]))
    if isinstance(answer, dict) and answer.get("statusCode", 200) >= 400:
        return f"HTTP {answer['statusCode']}: {answer['body']}"
    return ""

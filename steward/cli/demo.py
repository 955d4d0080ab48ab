"""``steward demo``: an alert, a timer and a webhook call, end to end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from handler.execute.follow_up import MESSAGE
from handler.lib.clock import SystemClock
from harness.fake_cloud.demo_clusters import ANALYTICS, NIGHTLY, demo_cloud
from steward import examples
from steward.cli.begun import INTERVAL, Begun
from steward.cli.exit_codes import FAILED
from steward.cli.narration import Narrator, screen
from steward.config.compile import load_yaml
from steward.simulate.clock import SimulatedClock
from steward.simulate.platform import function_url_event, timer_event
from steward.simulate.world import private_world

if TYPE_CHECKING:
    from harness.fake_cloud.cloud import Cloud

DATANODE: Final = ("DataNode", "172.16.0.5")


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Show an alert, a timer and a webhook call, end to end.")(demo)


def demo() -> None:
    """Show an alert, a timer and a webhook call, end to end.

    The real SDK calls a fake cluster over HTTP.

    Example: steward demo
    """
    from harness.fake_cloud.server import CloudServer  # imports pydantic, which most commands do without

    console, clock = screen(), SimulatedClock()
    narrator = Narrator(console)
    cloud = demo_cloud(clock, transition_seconds=1.0)
    # The SDK signs by the machine's clock.
    with CloudServer(cloud, signed_by=SystemClock()) as server:
        world = private_world(
            load_yaml(str(examples.CONFIG)), clock=clock, cloud=cloud, endpoint=server.url, on_line=narrator.show
        )
        cloud.process(ANALYTICS, *DATANODE).kill()
        for process in cloud.cluster(NIGHTLY).processes():
            if process.service == "HBASE":
                process.stop_by_operator()
        cases = _cases(clock.now())
        for title, event in cases:
            narrator.heading(title)
            world.deliver(event)
            narrator.flush()
        begun = Begun(world)
        if begun.open_operations():  # an HTTP caller is answered before a rolling restart has ended
            narrator.heading("A minute later, the function's own timer: the follow-up")
            clock.sleep(INTERVAL)
            world.deliver(timer_event("follow-up", MESSAGE, clock.now()))
            narrator.flush()
        results = {**_results(cloud), "one request for each": world.requests() == len(cases)}
        is_verified = [operation.state for operation in begun.operations()] == ["VERIFIED"] * len(cases)
    _show(console, results)
    if not (is_verified and all(results.values())):
        console.print("[red]Not every operation was verified.[/red]")
        raise typer.Exit(FAILED)


def _cases(now: float) -> list[tuple[str, dict[str, Any]]]:
    """The three events, each with its title; ``now`` in seconds since the epoch."""
    alert = json.loads(examples.sample_event("alertmanager-datanode-down.json").read_text(encoding="utf-8"))
    call = json.loads(examples.sample_event("request-restart-hive.json").read_text(encoding="utf-8"))
    call["StrategyConfig"]["TimeWait"] = 1
    return [
        ("An alert: a DataNode is down (Alertmanager, over the function's URL)", _post(alert)),
        ("A timer: start HBase in the morning", timer_event("morning", "morning-start", now)),
        ("A webhook call: restart Hive, rolling (a direct request)", _post(call)),
    ]


def _post(payload: Any) -> dict[str, Any]:
    return function_url_event("POST", "/", {"Content-Type": "application/json"}, json.dumps(payload).encode())


def _results(cloud: Cloud) -> dict[str, bool]:
    """What is the case on the fake cluster afterwards."""

    def runs(cluster: str, service: str) -> bool:
        return all(process.health == 1 for process in cloud.cluster(cluster).processes() if process.service == service)

    component, ip = DATANODE
    return {
        f"{component} {ip} runs again": cloud.process(ANALYTICS, component, ip).health == 1,
        f"HBase of {NIGHTLY} runs": runs(NIGHTLY, "HBASE"),
        "Hive runs": runs(ANALYTICS, "HIVE"),
    }


def _show(console: Console, results: dict[str, bool]) -> None:
    table = Table(title="\nOn the fake cluster", title_justify="left", show_header=False)
    for what, is_so in results.items():
        table.add_row(what, "[green]yes[/green]" if is_so else "[red]no[/red]")
    console.print(table)

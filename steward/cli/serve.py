"""``steward serve``: the function behind a local URL until it is interrupted."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console

from handler.config.settings import Settings
from handler.errors import Unauthenticated
from handler.execute.follow_up import MESSAGE
from handler.lib.clock import SystemClock
from handler.lib.wording import utc_text
from handler.receive.envelopes import HttpCall, open_envelope
from harness.fake_cloud.demo_clusters import ANALYTICS, demo_cloud
from steward import examples
from steward.cli.begun import OBSERVED, Begun
from steward.cli.context import (
    FOLDER,
    ConfigOption,
    example_or,
    fresh_ledger_url,
    is_private,
    ledger_name,
    load_config,
    open_named_ledger,
    read_settings,
    show_config,
    target_name,
    user_ledger,
    warn_of_named_ledger,
)
from steward.cli.mode import ActOption, chosen_mode
from steward.cli.narration import Narrator, say, screen, step
from steward.cli.port import PortOption, bind
from steward.simulate.arrivals import Arrivals
from steward.simulate.platform import context, timer_event
from steward.simulate.world import Wired, World, private_world, real_world

if TYPE_CHECKING:
    from handler.config.config import Config
    from steward.simulate.function_url import FunctionUrl

#: What a caller of the example configuration would send. A request acts on a healthy cluster too.
SAMPLES: Final = {
    "alertmanager": "alertmanager-datanode-down.json",
    "grafana": "grafana-nodemanager-down.json",
    "tcop": "tcop-event-regionserver-exit.json",
}
REQUEST: Final = "request-restart-hive.json"
UNKNOWN: Final = "an unknown caller"
#: Seconds between two rounds of the follow-up.
INTERVAL: Final = 60.0


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Run the function behind a local URL, with a fake cluster beside it.")(serve)


def serve(
    port: PortOption = 8080,
    config: ConfigOption = None,
    act: ActOption = False,
    now: Annotated[
        bool,
        typer.Option(
            "--now/--as-it-is",
            help="On the private fake cluster: kill the processes that an alert names, and deliver old events as new.",
        ),
    ] = True,
) -> None:
    """Run the function behind a local URL, with a private fake cluster beside it.

    The follow-up runs each minute, and serves what is pending. When an alert first arrives, the processes that it names
    are killed on the private fake cluster. An event that is older than ten minutes, such as a sample, is delivered as
    if it had happened when it first arrived. The fake cluster and its ledger, in .steward, are reset on every start; a
    ledger that STEWARD_LEDGER names is kept. With STEWARD_EMR_ENDPOINT the function works on the API there, which it
    only observes without --act; events are delivered as they are, and the ledger is kept.

    Example: steward serve --port 8080
    """
    console = screen()
    loaded = load_config(config)
    show_config(console, config)
    settings = read_settings(loaded)
    settings = replace(settings, mode=chosen_mode(settings, act=act), log_level="DEBUG")
    warn_of_named_ledger()
    log = _CallLog(Narrator(console))
    with ExitStack() as stack:
        function = _Function(log)
        world: Wired
        arrivals, cluster = None, ""
        from steward.simulate.function_url import FunctionUrl, listen  # imports the server

        url = FunctionUrl(function.handle, bind(listen, port), log.show_refused)
        if is_private():
            private, place = _private(stack, loaded, settings, log, url.port)
            cluster = next((name for name in (ANALYTICS, *loaded.clusters) if name in loaded.clusters), ANALYTICS)
            world, arrivals = private, Arrivals(private) if now else None
            _show_private(console, url.url, place, is_now=now)
        else:
            world = real_world(loaded, settings=settings, ledger=user_ledger(), env=os.environ, on_line=log.note)
            _show_endpoint(console, url.url, settings, act=act)
        function.wire(world, arrivals)
        _show_callers(console, world, url.url, example_or(config), cluster)
        begun = Begun(world)
        try:
            _serve(url, console)
        finally:
            if not is_private() and settings.mode == "observe":
                begun.drop(OBSERVED)


def _private(stack: ExitStack, config: Config, settings: Settings, log: _CallLog, port: int) -> tuple[World, _Place]:
    """The function wired to a new fake cluster and a new ledger, and where these are."""
    from harness.fake_cloud.server import CloudServer  # imports pydantic, which the other commands do without

    server = stack.enter_context(CloudServer(demo_cloud(SystemClock())))
    ledger_url = fresh_ledger_url(f"serve-{port}")
    world = private_world(
        config,
        settings=settings,
        cloud=server.cloud,
        endpoint=server.url,
        ledger=open_named_ledger(ledger_url),
        env=dict(os.environ),
        on_line=log.note,
    )
    return world, (server.url, ledger_url)


#: The URLs of a fake cluster and of its ledger.
_Place = tuple[str, str]


def _serve(url: FunctionUrl, console: Console) -> None:
    stop = threading.Event()

    def follow_up() -> None:
        while not stop.wait(INTERVAL):
            url.invoke(timer_event("follow-up", MESSAGE, time.time()))

    threading.Thread(target=follow_up, name="follow-up", daemon=True).start()
    try:
        url.serve_forever()
    except KeyboardInterrupt:
        console.print("Stopped.")
    finally:
        stop.set()


# -- what is printed before the first call


def _show_private(console: Console, url: str, place: _Place, *, is_now: bool) -> None:
    cluster, ledger_url = place
    say(console, f"The function listens on {url}, a fake cluster on {cluster}. Ctrl-C stops both.")
    if is_now:
        how = "the processes that it names are killed there, and an old alert is delivered as if it had just fired"
        say(console, f"When an alert first arrives, {how}.")
    if "STEWARD_LEDGER" not in os.environ:
        say(
            console,
            f"Operations are recorded in {ledger_name(ledger_url)}, which is reset with the cluster. To read it:",
        )
        say(console, f"  STEWARD_LEDGER={ledger_url} steward history")


def _show_endpoint(console: Console, url: str, settings: Settings, *, act: bool) -> None:
    hint = "" if act else "; --act sends requests"
    say(console, f"target   {target_name(settings)}", "bold")
    say(console, f"mode     {settings.mode}, each event with its own time{hint}", "bold" if act else "dim")
    say(console, f"The function listens on {url}. Ctrl-C stops it.")


def _show_callers(console: Console, world: Wired, url: str, path: Path, cluster: str) -> None:
    """Print for each caller of the configuration at ``path`` a command to copy.

    The event is a sample about ``cluster``; without one, which an event could harm, it is left to the user.
    """
    callers = world.function.config.webhook.callers
    for caller in callers:
        # A secret that was made for this run is shown; one of the user's own is only named.
        is_made = not os.environ.get(caller.secret_env)
        secret = world.env[caller.secret_env] if is_made else f"${caller.secret_env}"
        made = "  # made for this run" if is_made else ""
        how = f'-u "{caller.user}:{secret}"' if caller.user else f'-H "Authorization: Bearer {secret}"'
        sample = _sample(SAMPLES.get(caller.name, REQUEST), cluster) if cluster else "EVENT.json"
        say(console, f"  {caller.name}: curl {how} -d @{sample} {url}/{made}")
    if not callers:
        say(console, f"Every call is refused: {path} has no webhook.callers. For example:", "yellow")
        say(
            console,
            "  webhook: {callers: [{name: alertmanager, sources: [alertmanager], bearer_env: STEWARD_SECRET_ALERTMANAGER}]}",
        )


def _sample(name: str, cluster: str) -> str:
    """The path of a sample event about ``cluster``; a copy in ``.steward`` where the sample itself is about another."""
    path = examples.sample_event(name)
    if cluster != ANALYTICS:
        text = path.read_text(encoding="utf-8").replace(ANALYTICS, cluster)
        FOLDER.mkdir(exist_ok=True)
        path = FOLDER / name
        path.write_text(text, encoding="utf-8")
    return os.path.relpath(path)


# -- calls


class _Function:
    """The function as the local URL calls it. It is wired once the URL's port is known."""

    def __init__(self, log: _CallLog) -> None:
        self._log = log
        self._world: Wired
        self._arrivals: Arrivals | None = None

    def wire(self, world: Wired, arrivals: Arrivals | None) -> None:
        """Deliver to this world; ``arrivals`` makes events come true on its fake cluster."""
        self._world, self._arrivals = world, arrivals

    def handle(self, event: Any) -> Any:
        """Deliver one event and print what happened: the answer."""
        self._world.lines.clear()
        request_id = os.urandom(8).hex()
        killed: list[str] = []
        if self._arrivals is not None:
            event, killed = self._arrivals.make_true(event)
        answer = self._world.function.handle(event, context(time_limit_ms=30_000, request_id=request_id))
        self._log.show(request_id, self._heading(event, answer), killed)
        return answer

    def _heading(self, event: Any, answer: Any) -> str:
        """The call, its caller and its status; of another event its trigger."""
        call = open_envelope(event)
        if not isinstance(call, HttpCall):
            return str(event["TriggerName"])
        try:
            caller = self._world.function.authenticate(call).name
        except Unauthenticated:
            caller = UNKNOWN
        return f"{call.method} {call.path} by {caller} → {answer['statusCode']}"


class _CallLog:
    """Prints each call in one piece when it is answered."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        # Calls that do not reach the function are printed by another thread than the others.
        self._lock = threading.Lock()
        #: Log lines by the invocation's request id.
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def note(self, row: dict[str, Any]) -> None:
        """Keep a log line until its call is printed."""
        with self._lock:
            self._rows.setdefault(row.get("request_id", ""), []).append(row)

    def show(self, request_id: str, heading: str, killed: list[str]) -> None:
        """Print a call; an event of the timer only if something happened."""
        with self._lock:
            rows = self._rows.pop(request_id, [])
            if " → " not in heading and not any(map(step, rows)):
                return
            self._narrator.heading(f"{utc_text(time.time())}  {heading}")
            if killed:
                self._narrator.add("given", f"{', '.join(killed)} died on the fake cluster")
            for row in rows:
                self._narrator.show(row)
            self._narrator.flush()

    def show_refused(self, method: str, path: str, status: int) -> None:
        """Print a call that did not reach the function."""
        self.show("", f"{method} {path} by {UNKNOWN} → {status}", [])

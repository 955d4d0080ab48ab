"""``steward serve`` and ``steward cloud``: what stays up until it is interrupted."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from handler.config.settings import Settings
from handler.errors import ConfigurationError, Unauthenticated
from handler.execute.follow_up import MESSAGE
from handler.ledger.protocol import open_ledger
from handler.lib.clock import SystemClock
from handler.lib.wording import utc_text
from handler.receive.envelopes import HttpCall, open_envelope
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.cli.context import (
    ROOT,
    ConfigOption,
    example_or,
    fresh_ledger_url,
    ledger_name,
    load_config,
    on_a_fake,
    tell_config,
    warn_of_a_named_ledger,
)
from steward.cli.narration import Narrator, say, screen, step
from steward.simulate.local_url import LocalUrl
from steward.simulate.platform import context, restamp, timer_event
from steward.simulate.world import World, events_of, private_world

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

Server = TypeVar("Server")
#: Seconds after which an event is a sample rather than news: the default max_event_age.
OLD: Final = 600.0
#: What a caller of the example configuration would send; a request acts on a healthy cluster too.
SAMPLES: Final = {
    "alertmanager": "alertmanager-datanode-down.json",
    "grafana": "grafana-nodemanager-down.json",
    "tcop": "tcop-event-regionserver-exit.json",
}
REQUEST: Final = "request-restart-hive.json"
NOBODY: Final = "an unknown caller"
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one.")]


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command(short_help="The function behind a local URL, a fake cluster beside it.")(serve)
    app.command(short_help="The fake EMR API alone.")(cloud)


def _listening(bind: Callable[[], Server], port: int) -> Server:
    try:
        return bind()
    except OSError as error:
        raise ConfigurationError(
            f"cannot be listened on: {error.strerror}", where=f"port {port}", hint="--port 0 takes a free one"
        ) from None


def serve(
    port: PortOption = 8080,
    config: ConfigOption = None,
    now: Annotated[
        bool,
        typer.Option("--now/--as-it-is", help="Make what fires true on the fake cluster, and what is old happen now."),
    ] = True,
) -> None:
    """The function behind a local URL, a fake cluster beside it; the follow-up timer fires each minute.

    Nobody can kill a process of that cluster from outside. So a process that an alert names dies when the alert first
    comes in, and an event that is older than ten minutes, such as a sample, is delivered as if it had happened when it
    first came in.

    The cluster is new at each start, and so is what is remembered of it, in .steward, unless STEWARD_LEDGER names a
    ledger.

    Example: steward serve --port 8080
    """
    console = screen()
    narrator = Narrator(console)
    loaded = load_config(config)
    tell_config(console, config)
    clock = SystemClock()
    from harness.fake_cloud.server import CloudServer

    fake = demo_cloud(clock)
    settings = Settings.from_env(os.environ)
    warn_of_a_named_ledger(fake=True)
    if not on_a_fake():
        sys.stderr.write("STEWARD_EMR_ENDPOINT is set, and not used here: `serve` has a fake cluster of its own\n")
    deliveries = _Deliveries(narrator)
    stop = threading.Event()

    def handle(event: Any) -> Any:
        world.lines.clear()
        request_id = os.urandom(8).hex()
        event, killed = as_it_happens.make_true(event) if now else (event, [])
        answer = world.function.handle(event, context(time_limit_ms=30_000, request_id=request_id))
        deliveries.tell(request_id, _heading(world, event, answer), killed)
        return answer

    with CloudServer(fake) as server, _listening(lambda: LocalUrl(handle, port, deliveries.tell_refused), port) as url:
        ledger_url = fresh_ledger_url(f"serve-{url.server_address[1]}")
        world = private_world(
            loaded,
            settings=replace(settings, log_level="DEBUG"),
            cloud=fake,
            endpoint=server.url,
            ledger=open_ledger(ledger_url),
            env=dict(os.environ),
            on_line=deliveries.note,
        )
        as_it_happens = _AsItHappens(world)

        def follow_up() -> None:
            while not stop.wait(60):
                handle(timer_event("follow-up", MESSAGE, clock.now()))

        threading.Thread(target=follow_up, daemon=True).start()
        say(console, f"The function listens on {url.url}, a fake cluster on {server.url}. Ctrl-C ends both.")
        if now:
            say(console, "What an alert names dies there when the alert first comes in; what is old happens now.")
        if "STEWARD_LEDGER" not in os.environ:
            name = ledger_name(ledger_url)
            say(console, f"What is done is remembered in {name}, which begins anew with the cluster. To look into it:")
            say(console, f"  STEWARD_LEDGER={ledger_url} steward history")
        _tell_callers(console, world, url.url, example_or(config))
        try:
            url.serve_forever()
        except KeyboardInterrupt:
            console.print("Stopped.")
        finally:
            stop.set()


def _tell_callers(console: Console, world: World, url: str, path: Path) -> None:
    """How each caller of the configuration at ``path`` comes in, to be copied."""
    callers = world.function.config.webhook.callers
    for caller in callers:
        # What was made for this run is shown; a secret of the user's own is named.
        is_made = not os.environ.get(caller.secret_env)
        secret = world.env[caller.secret_env] if is_made else f"${caller.secret_env}"
        made = "  # made for this run" if is_made else ""
        how = f'-u "{caller.user}:{secret}"' if caller.user else f'-H "Authorization: Bearer {secret}"'
        sample = os.path.relpath(ROOT / "events" / SAMPLES.get(caller.name, REQUEST))
        say(console, f"  {caller.name}: curl {how} -d @{sample} {url}/{made}")
    if not callers:
        say(console, f"Every call is refused: {path} names no webhook.callers. Such as:", "yellow")
        say(console, "  webhook: {callers: [{name: alertmanager, bearer_env: STEWARD_SECRET_ALERTMANAGER}]}")


def _heading(world: World, event: Any, answer: Any) -> str:
    """Who asked what, and how it was answered; of what is no HTTP call, its event."""
    call = open_envelope(event)
    if not isinstance(call, HttpCall):
        return str(event["TriggerName"])
    try:
        sender = world.function.authenticate(call)
    except Unauthenticated:
        sender = NOBODY
    return f"{call.method} {call.path} by {sender} → {answer['statusCode']}"


class _Deliveries:
    """Tells each delivery when it is answered, so that several at once are told one after the other."""

    def __init__(self, narrator: Narrator) -> None:
        self._narrator = narrator
        self._lock = threading.Lock()
        #: What is to be told, by the invocation's request id.
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def note(self, row: dict[str, Any]) -> None:
        """Keep a log line until its delivery is told."""
        with self._lock:
            self._rows.setdefault(row.get("request_id", ""), []).append(row)

    def tell(self, request_id: str, heading: str, killed: list[str]) -> None:
        """Tell a delivery, whatever its answer; of a timer's only one that has something to tell."""
        with self._lock:
            rows = self._rows.pop(request_id, [])
            if " → " not in heading and not any(map(step, rows)):
                return
            self._narrator.heading(f"{utc_text(time.time())}  {heading}")
            if killed:
                self._narrator.also("given", f"{', '.join(killed)} died on the fake cluster")
            for row in rows:
                self._narrator.tell(row)
            self._narrator.flush()

    def tell_refused(self, method: str, path: str, status: int) -> None:
        """Tell a call that does not reach the function."""
        self.tell("", f"{method} {path} by {NOBODY} → {status}", [])


class _AsItHappens:
    """Makes what comes in true: what an alert names dies when its occurrence first comes in, and what is old has happened then."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        #: When each body that is old first came in, so that its repeat is the same occurrence.
        self._first: dict[bytes, float] = {}
        self._known: set[str] = set()

    def make_true(self, event: Any) -> tuple[Any, list[str]]:
        """The event to deliver, and the processes that it named and that died. What the door will refuse is left alone."""
        call = open_envelope(event)
        if not isinstance(call, HttpCall):
            return event, []
        try:
            self._world.function.authenticate(call)
        except Unauthenticated:
            return event, []
        with self._lock:
            moment = self._world.clock.now()
            if any((alert.occurred_at or moment) < moment - OLD for alert in events_of(event)):
                body = hashlib.sha256(str(event.get("body")).encode()).digest()
                if moment - self._first.get(body, 0.0) > OLD:
                    self._first[body] = moment
                event = restamp(event, self._first[body])
            return event, self._world.kill_what_fires(event, self._known)


def cloud(port: PortOption = 18080) -> None:
    """The fake EMR API alone: it verifies signatures, takes its time, and acts twice on what is sent twice.

    Example: steward cloud --port 18080
    """
    console = screen()
    from harness.fake_cloud.server import CloudServer

    server = _listening(lambda: CloudServer(demo_cloud(SystemClock()), port), port)
    console.print(f"The fake EMR API listens on {server.url}. Ctrl-C ends it.")
    say(
        console,
        f"  STEWARD_EMR_ENDPOINT={server.url} TENCENTCLOUD_SECRET_ID={SECRET_ID} TENCENTCLOUD_SECRET_KEY={SECRET_KEY} steward run …",
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        console.print("Stopped.")

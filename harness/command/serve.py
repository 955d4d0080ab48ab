"""``steward serve`` and ``steward cloud``: what stays up until it is interrupted."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console

from handler.clock import SystemClock
from handler.errors import ConfigurationError
from handler.follow_up import MESSAGE
from handler.settings import Settings
from handler.steward_file import load
from harness.cloud.demo_clusters import demo_cloud
from harness.cloud.server import CloudServer
from harness.cloud.state import SECRET_ID, SECRET_KEY
from harness.command.surroundings import ROOT, example_or, user_ledger, warn_of_a_named_ledger
from harness.emulator import context, timer_event
from harness.local_url import LocalUrl
from harness.narration import say, tell
from harness.world import private_world

if TYPE_CHECKING:
    from collections.abc import Callable

Server = TypeVar("Server")
PortOption = Annotated[int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one.")]


def add_to(app: typer.Typer) -> None:
    """The commands of this file."""
    app.command()(serve)
    app.command()(cloud)


def _listening(bind: Callable[[], Server], port: int) -> Server:
    try:
        return bind()
    except OSError as error:
        raise ConfigurationError(
            f"cannot be listened on: {error.strerror}", where=f"port {port}", hint="--port 0 takes a free one"
        ) from None


def serve(
    port: PortOption = 8080,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration (steward.yml here).")
    ] = None,
) -> None:
    """The function behind a local URL, a fake cluster beside it; the follow-up timer fires each minute.

    Example: steward serve --port 8080
    """
    console = Console(highlight=False)
    loaded = load(str(example_or(config)))
    clock = SystemClock()
    fake = demo_cloud(clock)
    settings = Settings.from_env(os.environ)
    warn_of_a_named_ledger(fake=True)
    with CloudServer(fake) as server:
        world = private_world(
            loaded,
            settings=Settings(settings.config, settings.endpoint, settings.mode, "DEBUG", settings.ledger),
            cloud=fake,
            endpoint=server.url,
            ledger=user_ledger(fake=True),
            env=dict(os.environ),
            on_line=lambda row: tell(console, row),
        )

        def handle(event: Any) -> Any:
            world.lines.clear()
            return world.function.handle(event, context(time_limit_ms=30_000, request_id=os.urandom(8).hex()))

        stop = threading.Event()

        def follow_up() -> None:
            while not stop.wait(60):
                handle(timer_event("follow-up", MESSAGE, clock.now()))

        threading.Thread(target=follow_up, daemon=True).start()
        url = _listening(lambda: LocalUrl(handle, port), port)
        say(console, f"The function listens on {url.url}, a fake cluster on {server.url}. Ctrl-C ends both.")
        # A request is an order: it acts on a healthy cluster too, and however old the file is.
        sample = os.path.relpath(ROOT / "events" / "request-restart-hive.json")
        for caller in loaded.webhook.callers:
            # What was made for this run is shown; a secret of the user's own is named.
            is_made = not os.environ.get(caller.secret_env)
            secret = world.env[caller.secret_env] if is_made else f"${caller.secret_env}"
            made = "  # made for this run" if is_made else ""
            how = f'-u "{caller.user}:{secret}"' if caller.user else f'-H "Authorization: Bearer {secret}"'
            say(
                console,
                f"  {caller.name}: curl {how} -d @{sample} {url.url}/{made}",
            )
        try:
            url.serve_forever()
        except KeyboardInterrupt:
            console.print("Stopped.")
        finally:
            stop.set()
            url.server_close()


def cloud(port: PortOption = 18080) -> None:
    """The fake EMR API alone: it verifies signatures, takes its time, and acts twice on what is sent twice.

    Example: steward cloud --port 18080
    """
    console = Console(highlight=False)
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

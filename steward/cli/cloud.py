"""``steward cloud``: the fake EMR API alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from handler.lib.clock import SystemClock
from harness.fake_cloud.cloud import SECRET_ID, SECRET_KEY
from harness.fake_cloud.demo_clusters import demo_cloud
from steward.cli.narration import say, screen
from steward.cli.port import PortOption, bind

if TYPE_CHECKING:
    from harness.fake_cloud.server import CloudServer


def add_to(app: typer.Typer) -> None:
    """Register the command of this file."""
    app.command(short_help="Run the fake EMR API alone.")(cloud)


def cloud(port: PortOption = 18080) -> None:
    """Run the fake EMR API alone.

    It verifies signatures, its operations take time, and a request that is sent twice acts twice.

    Example: steward cloud --port 18080
    """
    from harness.fake_cloud.server import CloudServer  # imports pydantic, which most commands do without

    def listen(number: int) -> CloudServer:
        return CloudServer(demo_cloud(SystemClock()), number)

    server = bind(listen, port)
    console = screen()
    console.print(f"The fake EMR API listens on {server.url}. Ctrl-C stops it.")
    credentials = f"TENCENTCLOUD_SECRET_ID={SECRET_ID} TENCENTCLOUD_SECRET_KEY={SECRET_KEY}"
    say(console, f"  STEWARD_EMR_ENDPOINT={server.url} {credentials} steward run …")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        console.print("Stopped.")

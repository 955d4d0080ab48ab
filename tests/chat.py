"""A chat for tests: what apprise's ``json://`` posts to it over HTTP is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = "/token-that-nobody-may-see"


@dataclass
class ChatRoom:
    """What was posted, the oldest first. ``status`` is what the next posts are answered with."""

    url: str = ""
    status: int = 200
    texts: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)


@contextmanager
def chat_room() -> Iterator[ChatRoom]:
    """One that listens on this machine."""
    room = ChatRoom()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            room.texts.append(said["message"])
            room.titles.append(said["title"])
            self.send_response(room.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Tests speak for themselves."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        room.url = f"json://127.0.0.1:{server.server_address[1]}{PATH}"
        yield room
        server.shutdown()
        thread.join()

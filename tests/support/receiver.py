"""A loopback receiver of notifications that answers, refuses, or never does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Receiver:
    """What arrived, and the address that Apprise is given."""

    url: str
    status: int = 200
    got: list[dict[str, str]] = field(default_factory=list)

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.got]


@contextmanager
def receive(status: int = 200) -> Iterator[Receiver]:
    """Take JSON notifications until the block ends."""
    receiver = Receiver("", status)
    lock = threading.Lock()

    class Http(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                receiver.got.append(json.loads(body))
                code = receiver.status
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Http)
    receiver.url = f"json://user:canary-secret@127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def hang() -> Iterator[str]:
    """Accept connections and never say a word; yields the address."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        yield f"json://user:canary-secret@127.0.0.1:{listener.getsockname()[1]}/hook"


def nobody() -> str:
    """Return an address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return f"json://user:canary-secret@127.0.0.1:{port}/hook"

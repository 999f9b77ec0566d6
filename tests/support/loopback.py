"""A small HTTP server on loopback that answers from functions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Answer:
    """What the server sends."""

    body: bytes | str = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    #: Send fewer bytes than announced and hang up.
    cut_at: int | None = None


@dataclass
class Seen:
    """A request the server received."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


Handler = Callable[[Seen], Answer]


@dataclass
class Site:
    """The running server: its address, what it was asked, what it answers."""

    url: str
    handler: Handler
    seen: list[Seen] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [request.path for request in self.seen]


@contextmanager
def serve(handler: Handler) -> Iterator[Site]:
    """Serve until the block ends."""
    site = Site("", handler)
    lock = threading.Lock()

    class Http(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            request = Seen(
                unquote(parts.path),
                dict(parse_qsl(parts.query)),
                {k.lower(): v for k, v in self.headers.items()},
                self.rfile.read(int(self.headers.get("content-length") or 0)),
            )
            with lock:
                site.seen.append(request)
                answer = site.handler(request)
            body = answer.body.encode() if isinstance(answer.body, str) else answer.body
            head = [
                f"HTTP/1.1 {answer.status} X",
                f"Content-Type: {answer.content_type}",
                f"Content-Length: {len(body)}",
            ]
            head += [f"{name}: {value}" for name, value in answer.headers.items()]
            sent = body if answer.cut_at is None else body[: answer.cut_at]
            self.wfile.write(("\r\n".join(head) + "\r\n\r\n").encode() + sent)
            if answer.cut_at is not None:
                self.close_connection = True

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Http)
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

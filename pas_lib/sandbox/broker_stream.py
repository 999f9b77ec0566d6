"""The paper broker's websocket ``/stream``: what happens to orders, as it happens, to whoever listens.

The conversation is the real one's: authenticate, listen, then frames of ``trade_updates``, binary with JSON inside.
What happened before a listener came is not repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

if TYPE_CHECKING:
    from pas_lib.sandbox.broker_book import Book

API_KEY = "SANDBOX"
API_SECRET = "sandbox-secret"  # noqa: S105 - opens nothing but a loopback toy
STREAM = "trade_updates"


class UpdateStream:
    """Tells listeners what the book does to orders.

    Attributes
    ----------
    is_silent : bool
        Take listeners and tell them nothing, as a connection that died unnoticed.
    """

    def __init__(self, book: Book) -> None:
        self.is_silent = False
        self._queues: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[dict[str, Any] | None]]] = []
        book.listeners.append(self._publish)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._queues)

    def _publish(self, event: str, order: dict[str, Any], more: dict[str, Any]) -> None:
        if self.is_silent:
            return
        body = {name: value for name, value in order.items() if not name.startswith("_")}
        message = {"stream": STREAM, "data": {"event": event, **more, "order": body}}
        for loop, queue in list(self._queues):
            # The book may be moved by another thread than the one that serves.
            loop.call_soon_threadsafe(queue.put_nowait, message)

    def drop(self) -> None:
        """Break every connection."""
        for loop, queue in list(self._queues):
            loop.call_soon_threadsafe(queue.put_nowait, None)

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one listener until it leaves."""
        await socket.accept()
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        entry = (asyncio.get_running_loop(), queue)
        reader: asyncio.Task[None] | None = None
        try:
            if not await self._authenticate(socket):
                await socket.close(1008)
                return
            reader = asyncio.create_task(self._read(socket, entry))
            while (message := await queue.get()) is not None:
                await _send(socket, message)
            await socket.close(1011)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            if reader is not None:
                reader.cancel()
            with contextlib.suppress(ValueError):
                self._queues.remove(entry)

    async def _authenticate(self, socket: WebSocket) -> bool:
        asked = json.loads(await _receive(socket))
        data = asked.get("data") or {"key_id": asked.get("key"), "secret_key": asked.get("secret")}
        key, secret = str(data.get("key_id") or ""), str(data.get("secret_key") or "")
        is_known = (
            asked.get("action") in ("authenticate", "auth")
            and hmac.compare_digest(key, API_KEY)
            and hmac.compare_digest(secret, API_SECRET)
        )
        status = "authorized" if is_known else "unauthorized"
        await _send(socket, {"stream": "authorization", "data": {"action": "authenticate", "status": status}})
        return is_known

    async def _read(
        self, socket: WebSocket, entry: tuple[asyncio.AbstractEventLoop, asyncio.Queue[dict[str, Any] | None]]
    ) -> None:
        try:
            while True:
                asked = json.loads(await _receive(socket))
                if asked.get("action") == "listen":
                    streams = [s for s in asked.get("data", {}).get("streams", []) if s == STREAM]
                    await _send(socket, {"stream": "listening", "data": {"streams": streams}})
                    if streams and entry not in self._queues:
                        self._queues.append(entry)
        except (WebSocketDisconnect, RuntimeError, ValueError):
            entry[1].put_nowait(None)


async def _receive(socket: WebSocket) -> str | bytes:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1000)
    found: str | bytes | None = message.get("text") or message.get("bytes")
    return found or "{}"


async def _send(socket: WebSocket, message: dict[str, Any]) -> None:
    await socket.send_bytes(json.dumps(message).encode())

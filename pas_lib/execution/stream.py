"""The broker's ``trade_updates``: wakes up whoever waits for orders. What happened is read over REST, always.

The stream has no replay and may die unnoticed, so nothing is believed from it but that something happened. Silent, dead
or never connected, it changes how long one waits and nothing else.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
#: Updates come in bursts: after the first one, this long a quiet (seconds) ends the waiting.
_QUIET = 0.05


class TradeUpdates:
    """A listener in a thread of its own; use it as a context manager.

    Parameters
    ----------
    url : str
        ``ws://`` or ``wss://`` address of the stream.
    key, secret : str
        Credentials.
    open_timeout : float
        Seconds for connecting.
    """

    def __init__(self, url: str, key: str, secret: str, *, open_timeout: float = 5.0) -> None:
        self._url = url
        self._credentials = {"key_id": key, "secret_key": secret}
        self._open_timeout = open_timeout
        self._happened = threading.Event()
        self._closed = threading.Event()
        self._is_listening = threading.Event()
        self._socket: Any = None
        self._thread = threading.Thread(target=self._run, name="trade-updates", daemon=True)
        self.seen = 0

    def __enter__(self) -> TradeUpdates:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with contextlib.suppress(Exception):
            if self._socket is not None:
                self._socket.close()
        self._thread.join(timeout=2.0)

    @property
    def is_listening(self) -> bool:
        """Whether the broker said that it will tell us."""
        return self._is_listening.is_set()

    def wait_until_listening(self, seconds: float) -> bool:
        """Wait for the stream to be up; return whether it is."""
        return self._is_listening.wait(seconds)

    def wait(self, seconds: float, otherwise: Callable[[float], None]) -> bool:
        """Wait for something to happen, at most so many seconds; return whether it did.

        Parameters
        ----------
        otherwise : callable
            Waits the same time when nobody tells us anything.
        """
        if not self.is_listening:
            otherwise(seconds)
            return False
        if not self._happened.wait(seconds):
            return False
        while self._happened.is_set():
            self._happened.clear()
            self._happened.wait(_QUIET)
        return True

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._closed.is_set():
            # Whatever goes wrong here, REST goes on without it.
            with contextlib.suppress(Exception):
                if self._listen():
                    pause = _FIRST_PAUSE
            self._is_listening.clear()
            # A reconnect without a pause is a storm of its own.
            self._closed.wait(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)

    def _listen(self) -> bool:
        """Talk until the connection ends; return whether it ever got as far as listening."""
        from websockets.sync.client import connect

        with connect(self._url, open_timeout=self._open_timeout, proxy=None) as socket:
            self._socket = socket
            socket.send(json.dumps({"action": "authenticate", "data": self._credentials}))
            if _read(socket.recv(self._open_timeout)).get("data", {}).get("status") != "authorized":
                self._closed.set()  # the key will not become right by trying
                return False
            socket.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
            for frame in socket:
                message = _read(frame)
                if message.get("stream") == "listening":
                    self._is_listening.set()
                elif message.get("stream") == "trade_updates" and message.get("data"):
                    self.seen += 1
                    self._happened.set()
        return self.is_listening


def _read(frame: str | bytes) -> dict[str, Any]:
    """Return what a frame says; frames are binary or text, both JSON. Anything else says nothing."""
    try:
        body = json.loads(frame)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

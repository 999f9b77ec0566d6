"""Who may ask: two tokens and a browser session.

The admin token (``API_TOKEN``) may do everything, the read token (``API_READ_TOKEN``) may read. Both travel in the
header ``Authorization``, bare or as ``Bearer``; the read token also as ``?token=`` of a GET, for tools without headers.
The dashboard's log-in exchanges a token for a signed cookie, which may only read.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from fastapi import Request

from api.errors import Forbidden, Unauthorised
from pas_lib.clock import Clock
from pas_lib.errors import SettingsError
from pas_lib.settings import Settings

Level = Literal["read", "admin"]

#: A token of this length or more may be served beyond the machine itself.
STRONG_TOKEN = 32
COOKIE = "pas_session"
SESSION_HOURS = 12


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


class Guard:
    """Checks tokens and browser sessions.

    Parameters
    ----------
    settings : Settings
        Holds the two tokens.
    clock : Clock
        Tells when a browser session ends (the machine's time, not the sandbox's).

    Raises
    ------
    SettingsError
        If a token is missing, or both are equal.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        missing = [
            name
            for name, value in (("API_TOKEN", settings.api_token), ("API_READ_TOKEN", settings.api_read_token))
            if value is None
        ]
        if missing or settings.api_token is None or settings.api_read_token is None:
            raise SettingsError(
                f"{' and '.join(missing)} not set: the API does not start without tokens",
                hint="`make run` writes random ones into .env",
            )
        admin = settings.api_token.get_secret_value()
        read = settings.api_read_token.get_secret_value()
        if secrets.compare_digest(_digest(admin), _digest(read)):
            raise SettingsError("API_TOKEN and API_READ_TOKEN are equal", hint="give the read token a value of its own")
        self._admin = _digest(admin)
        self._read = _digest(read)
        self.is_strong = min(len(admin), len(read)) >= STRONG_TOKEN
        self._clock = clock
        # Sessions are signed with a key derived from both tokens: changing a token ends them all.
        self._key = hashlib.sha256(b"pas dashboard session" + self._admin + self._read).digest()
        self._ended: dict[str, datetime] = {}
        self._lock = threading.Lock()

    def level(self, token: str) -> Level | None:
        """Return what a token may do, or None. Takes the same time for every wrong token."""
        given = _digest(token)
        admin = secrets.compare_digest(given, self._admin)
        read = secrets.compare_digest(given, self._read)
        return "admin" if admin else "read" if read else None

    # -- browser sessions

    def open_session(self) -> str:
        """Return the cookie value of a new browser session."""
        ends = self._clock.now() + timedelta(hours=SESSION_HOURS)
        body = f"{int(ends.timestamp())}.{secrets.token_urlsafe(16)}"
        return f"{body}.{self._sign(body)}"

    def session_is_valid(self, cookie: str) -> bool:
        """Return whether a cookie was issued here, has not expired and was not logged out."""
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(body).encode()):
            return False
        ends, _, session_id = body.partition(".")
        with self._lock:
            return session_id not in self._ended and int(ends) > self._clock.now().timestamp()

    def close_session(self, cookie: str) -> None:
        """End a browser session; its cookie is refused from now on."""
        if not self.session_is_valid(cookie):
            return
        session_id = cookie.split(".")[1]
        now = self._clock.now()
        with self._lock:
            self._ended = {k: v for k, v in self._ended.items() if v > now}
            self._ended[session_id] = now + timedelta(hours=SESSION_HOURS)

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    # -- requests

    def level_of(self, request: Request) -> Level | None:
        """Return what a request may do, or None.

        A header, if there is one, decides alone; the query and the cookie count for reading only.
        """
        header = request.headers.get("authorization")
        if header is not None:
            scheme, _, rest = header.strip().partition(" ")
            return self.level(rest.strip() if scheme.lower() == "bearer" and rest else header.strip())
        if request.method not in {"GET", "HEAD"}:
            return None
        tokens = request.query_params.getlist("token")
        if tokens:
            return "read" if len(tokens) == 1 and self.level(tokens[0]) == "read" else None
        cookie = request.cookies.get(COOKIE)
        return "read" if cookie is not None and self.session_is_valid(cookie) else None

    def may_serve(self, scope: Mapping[str, object]) -> bool:
        """Return whether the address a request came in on may be served with tokens of this strength."""
        server = scope.get("server")
        host = str(server[0]) if isinstance(server, tuple | list) and server else ""
        return self.is_strong or is_loopback(host)


def _guard(request: Request) -> Guard:
    guard = request.app.state.guard
    if not isinstance(guard, Guard):  # pragma: no cover - the factory always sets it
        raise Unauthorised
    return guard


def require_read(request: Request) -> Level:
    """Let a request pass that may read; a dependency of every router that is not open.

    Raises
    ------
    Unauthorised
        For a missing and for a wrong token alike.
    """
    level = _guard(request).level_of(request)
    if level is None:
        raise Unauthorised
    return level


def require_admin(request: Request) -> Level:
    """Let a request pass that carries the admin token.

    Raises
    ------
    Unauthorised
        Without a valid token.
    Forbidden
        With the read token.
    """
    level = require_read(request)
    if level != "admin":
        raise Forbidden("this needs the admin token")
    return level


def check_address(host: str, settings: Settings) -> None:
    """Refuse to bind a public address with a weak token.

    Raises
    ------
    SettingsError
        If ``host`` is not loopback and a token is shorter than 32 characters.
    """
    tokens = [t.get_secret_value() for t in (settings.api_token, settings.api_read_token) if t is not None]
    if not is_loopback(host) and min((len(t) for t in tokens), default=0) < STRONG_TOKEN:
        raise SettingsError(
            f"PAS_API_HOST={host} is reachable from outside, and a token has fewer than {STRONG_TOKEN} characters",
            hint="use longer tokens or PAS_API_HOST=127.0.0.1",
        )

"""Who may ask: the two tokens of the settings, named tokens, and browser sessions.

The admin token (``API_TOKEN``) may do everything, the read token (``API_READ_TOKEN``) may read; named tokens
(:mod:`pas_lib.access`) have a scope, an end, and can be revoked. All travel in the header ``Authorization``, bare or as
``Bearer``; a token that may only read also as ``?token=`` of a GET, for tools without headers.

The dashboard's log-in exchanges a token for a signed cookie that no script can read. The session may do what its token
may at the time of each request; a write also needs the session's own CSRF token in the header ``X-CSRF-Token``, which
another site's page can neither read nor send.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Literal
from urllib.parse import urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.errors import Forbidden, Unauthorised
from api.sessions import EndedSessions
from pas_lib.access import NamedToken, digest, id_in
from pas_lib.clock import Clock
from pas_lib.errors import SettingsError
from pas_lib.settings import Settings

Level = Literal["read", "trade", "admin"]
_RANK: dict[Level, int] = {"read": 0, "trade": 1, "admin": 2}

#: A token of this length or more may be served beyond the machine itself.
STRONG_TOKEN = 32
COOKIE = "pas_session"
CSRF_HEADER = "x-csrf-token"
SESSION_HOURS = 12
#: Seconds a named token that was looked up is taken to be what it was.
REMEMBERED = 2.0
_READING = frozenset({"GET", "HEAD"})

#: Finds a named token and its digest by its id, in PostgreSQL itself.
Lookup = Callable[[str], tuple[NamedToken, bytes] | None]


@dataclass(frozen=True)
class Identity:
    """Who asks.

    Attributes
    ----------
    name : str
        ``admin`` or ``read`` for the tokens of the settings, else the name of the token.
    level : {"read", "trade", "admin"}
        What it may do.
    token_id : str
        Of a named token; empty for those of the settings.
    session : str
        The browser session; empty for a token in a header or a query.
    """

    name: str
    level: Level
    token_id: str = ""
    session: str = ""

    def may(self, level: Level) -> bool:
        """Return whether this is enough for a level."""
        return _RANK[self.level] >= _RANK[level]


def is_loopback(host: str) -> bool:
    """Return whether an address can only be reached from this machine."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _nobody(token_id: str) -> None:
    del token_id


class Guard:
    """Checks tokens and browser sessions.

    Parameters
    ----------
    settings : Settings
        Holds the two tokens.
    clock : Clock
        Tells when a token or a browser session ends (the machine's time, not the sandbox's).
    lookup : Lookup, optional
        Finds named tokens; without it there are none.
    ended : EndedSessions, optional
        The browser sessions that were logged out.

    Raises
    ------
    SettingsError
        If a token is missing, or both are equal.
    """

    def __init__(
        self, settings: Settings, clock: Clock, lookup: Lookup = _nobody, ended: EndedSessions | None = None
    ) -> None:
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
        if secrets.compare_digest(digest(admin), digest(read)):
            raise SettingsError("API_TOKEN and API_READ_TOKEN are equal", hint="give the read token a value of its own")
        self._admin = digest(admin)
        self._read = digest(read)
        self.is_strong = min(len(admin), len(read)) >= STRONG_TOKEN
        self._clock = clock
        self._lookup = lookup
        # Sessions are signed with a key derived from both tokens: changing a token ends them all.
        self._key = hashlib.sha256(b"pas dashboard session" + self._admin + self._read).digest()
        self._ended = ended or EndedSessions()
        self._seen: dict[str, tuple[float, tuple[NamedToken, bytes] | None]] = {}
        self._lock = threading.Lock()

    # -- tokens

    def identify(self, token: str) -> Identity | None:
        """Return who a token stands for, or None. Takes the same time for every wrong secret.

        Raises
        ------
        NotReady
            If it has the form of a named token and PostgreSQL cannot be asked: what may be revoked opens nothing.
        """
        who = self.of_settings(token)
        if who is not None:
            return who
        token_id = id_in(token)
        found = self._named(token_id) if token_id else None
        if found is None or not secrets.compare_digest(digest(token), found[1]):
            return None
        return self._holder(found[0])

    def of_settings(self, token: str) -> Identity | None:
        """Return which of the two tokens of the settings it is, or None; asks nobody."""
        given = digest(token)
        admin = secrets.compare_digest(given, self._admin)
        read = secrets.compare_digest(given, self._read)
        if admin or read:
            return Identity("admin", "admin") if admin else Identity("read", "read")
        return None

    def _named(self, token_id: str) -> tuple[NamedToken, bytes] | None:
        with self._lock:
            seen = self._seen.get(token_id)
        if seen is not None and monotonic() - seen[0] < REMEMBERED:
            return seen[1]
        found = self._lookup(token_id)
        with self._lock:
            if len(self._seen) > 1000:
                self._seen.clear()
            self._seen[token_id] = (monotonic(), found)
        return found

    def _holder(self, token: NamedToken) -> Identity | None:
        if not token.holds(self._clock.now()):
            return None
        return Identity(token.name, token.scope, token_id=token.token_id)

    def forget(self) -> None:
        """Look every named token up again: one was made or revoked here."""
        with self._lock:
            self._seen.clear()

    # -- browser sessions

    def open_session(self, holder: Identity) -> str:
        """Return the cookie value of a new browser session of a token's holder."""
        ends = self._clock.now() + timedelta(hours=SESSION_HOURS)
        session_id = secrets.token_urlsafe(16)
        body = f"{int(ends.timestamp())}.{session_id}.{holder.token_id or '-' + holder.name}"
        self._ended.opened(session_id)
        return f"{body}.{self._sign(body)}"

    def session_of(self, cookie: str) -> Identity | None:
        """Return whose browser session a cookie is; None unless it was issued here, holds, and its token does too.

        Raises
        ------
        NotReady
            If its token is a named one and PostgreSQL cannot be asked.
        """
        body, _, signature = cookie.rpartition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(body).encode()):
            return None
        ends, session_id, holder = body.split(".")
        if int(ends) <= self._clock.now().timestamp() or self._ended.has(session_id):
            return None
        if holder in {"-admin", "-read"}:
            name: Level = "admin" if holder == "-admin" else "read"
            return Identity(name, name, session=session_id)
        found = self._named(holder)
        who = self._holder(found[0]) if found else None
        return Identity(who.name, who.level, who.token_id, session_id) if who else None

    def close_session(self, session_id: str) -> None:
        """End a browser session; its cookie is refused from now on."""
        now = self._clock.now()
        self._ended.end(session_id, now, now + timedelta(hours=SESSION_HOURS))

    def csrf(self, session_id: str) -> str:
        """Return the token that a session's pages send with each write."""
        return self._sign(f"csrf.{session_id}")

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    # -- requests

    def who_asks(self, request: Request) -> Identity | None:
        """Return who a request comes from, or None.

        A header, if there is one, decides alone; the query counts for reading only; the cookie for reading, and for
        writing together with the session's CSRF token.

        Raises
        ------
        Forbidden
            If a write comes with a cookie that holds but without its CSRF token, or from another site's page.
        """
        given = token_in(request)
        if given is not None:
            return self.identify(given)
        is_reading = request.method in _READING
        tokens = request.query_params.getlist("token")
        if tokens and is_reading:
            who = self.identify(tokens[0]) if len(tokens) == 1 else None
            return who if who is not None and who.level == "read" else None
        cookie = request.cookies.get(COOKIE)
        who = self.session_of(cookie) if cookie is not None else None
        if who is not None and not is_reading:
            same_origin(request)
            self.check_csrf(who, request.headers.get(CSRF_HEADER, ""))
        return who

    def check_csrf(self, who: Identity, given: str) -> None:
        """Refuse a write whose CSRF token is not the session's.

        Raises
        ------
        Forbidden
        """
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self.csrf(who.session).encode()):
            raise Forbidden("a browser session writes with its CSRF token only", hint="load the page again")

    def may_serve(self, scope: Mapping[str, object]) -> bool:
        """Return whether the address a request came in on may be served with tokens of this strength."""
        server = scope.get("server")
        host = str(server[0]) if isinstance(server, tuple | list) and server else ""
        return self.is_strong or is_loopback(host)


def token_in(request: Request) -> str | None:
    """Return the token of a request's header, or None without such a header."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" and rest else header.strip()


def same_origin(request: Request) -> None:
    """Refuse what another site's page sent.

    Raises
    ------
    Forbidden
        If the browser names another origin.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and urlsplit(origin).netloc != request.headers.get("host")) or site in {
        "cross-site",
        "same-site",
    }:
        raise Forbidden("this was sent by another site's page")


def _guard(request: Request) -> Guard:
    guard = request.app.state.guard
    if not isinstance(guard, Guard):  # pragma: no cover - the factory always sets it
        raise Unauthorised
    return guard


async def require_read(request: Request) -> Identity:
    """Let a request pass that may read; a dependency of every router that is not open.

    Raises
    ------
    Unauthorised
        For a missing and for a wrong token alike.
    """
    guard = _guard(request)
    given = token_in(request)
    who = guard.of_settings(given) if given is not None else None
    if who is None:
        # Named tokens and browser sessions are looked up in the warehouse: not while everybody waits.
        who = await run_in_threadpool(guard.who_asks, request)
    if who is None:
        raise Unauthorised
    request.state.actor = who.name
    return who


async def require_trade(request: Request) -> Identity:
    """Let a request pass that may approve, acknowledge and start jobs.

    Raises
    ------
    Unauthorised
        Without a valid token.
    Forbidden
        With a token that may only read.
    """
    return await _require(request, "trade")


async def require_admin(request: Request) -> Identity:
    """Let a request pass that may do everything.

    Raises
    ------
    Unauthorised
        Without a valid token.
    Forbidden
        With a token of a smaller scope.
    """
    return await _require(request, "admin")


async def _require(request: Request, level: Level) -> Identity:
    who = await require_read(request)
    if not who.may(level):
        needed = "the admin token" if level == "admin" else "a token with the scope trade or admin"
        raise Forbidden(f"this needs {needed}")
    return who


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

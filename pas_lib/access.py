"""Named tokens of the API: made, listed, ended. What is stored is a digest; the token itself is shown once.

A token reads ``pas_<id>_<secret>``: the id finds its row, the secret proves it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast

import psycopg

from pas_lib.clock import Clock
from pas_lib.errors import PasError, UnknownName
from pas_lib.warehouse import Warehouse

Scope = Literal["read", "trade", "admin"]

#: read: look at everything · trade: also approve plans, acknowledge alerts, start jobs · admin: everything.
SCOPES: tuple[Scope, ...] = ("read", "trade", "admin")
#: Names that stand for the tokens of the settings, and for the system.
RESERVED = frozenset({"read", "admin", "system", "api_token", "api_read_token"})
LONGEST_DAYS = 3650

_NAME = re.compile(r"[a-z][a-z0-9_.-]{1,39}")
_TOKEN = re.compile(r"pas_([a-z0-9]{12})_[A-Za-z0-9_-]{43}")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class AccessError(PasError):
    """A token that cannot be made or ended as asked."""


@dataclass(frozen=True)
class NamedToken:
    """One named token, without its secret.

    Attributes
    ----------
    token_id : str
        Twelve letters and digits, part of the token itself.
    name : str
        What the audit writes.
    scope : {"read", "trade", "admin"}
        What it may do.
    created_at, expires_at, revoked_at : datetime or None
        ``expires_at`` is None for a token without an end, ``revoked_at`` for one that still holds.
    """

    token_id: str
    name: str
    scope: Scope
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    note: str

    def holds(self, now: datetime) -> bool:
        """Return whether it opens anything at a time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def digest(token: str) -> bytes:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def id_in(token: str) -> str | None:
    """Return the id a named token carries; None for a text that is none."""
    found = _TOKEN.fullmatch(token)
    return found[1] if found else None


_COLUMNS = "token_id, name, scope, created_at, created_by, expires_at, revoked_at, revoked_by, note"
#: Whether a browser session was logged out, by its digest; and that it is.
IS_ENDED = "select count(*) from ops.ended_sessions where digest = %(digest)s"
END = "insert into ops.ended_sessions (digest, ended_at, cookie_ends) values (%s, %s, %s) on conflict do nothing"
# A day later than needed: the clocks of two machines may differ.
_FORGET = "delete from ops.ended_sessions where cookie_ends < %s"
#: Every token.
ALL = f"select {_COLUMNS} from ops.tokens order by revoked_at is not null, name, created_at"  # noqa: S608
#: One token by its id, with its digest in the last column.
FIND = f"select {_COLUMNS}, digest from ops.tokens where token_id = %(id)s"  # noqa: S608 - columns of this module


def forget_ended_sessions(warehouse: Warehouse, clock: Clock) -> int:
    """Delete the log-outs whose cookies ended more than a day ago, and return how many there were."""
    return warehouse.execute(_FORGET, (clock.now() - timedelta(days=1),))


def create(
    warehouse: Warehouse,
    name: str,
    scope: str,
    *,
    who: str,
    now: datetime,
    days: int | None = 365,
    note: str = "",
) -> tuple[NamedToken, str]:
    """Make a token.

    Parameters
    ----------
    name : str
        2 to 40 small letters, digits, ``_``, ``.`` and ``-``, beginning with a letter.
    scope : {"read", "trade", "admin"}
    who : str
        The person who makes it.
    days : int, optional
        How long it holds; None for ever.

    Returns
    -------
    NamedToken, str
        The row, and the token itself: it is not kept anywhere.

    Raises
    ------
    AccessError
        If the name is taken or no name, the scope is unknown, nobody is named, or the days are out of range.
    """
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise AccessError(f"{name[:60]!r} cannot name a token", hint="2 to 40 of a-z 0-9 _ . -, such as grafana")
    if scope not in SCOPES:
        raise AccessError(str(UnknownName("scope", scope[:40], SCOPES)))
    if not who.strip():
        raise AccessError("a token needs the name of who makes it")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise AccessError(f"a token holds 1 to {LONGEST_DAYS} days, not {days}")
    token_id = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    token = f"pas_{token_id}_{secrets.token_urlsafe(32)}"
    made = NamedToken(
        token_id=token_id,
        name=name,
        scope=cast("Scope", scope),
        created_at=now,
        created_by=who.strip(),
        expires_at=None if days is None else now + timedelta(days=days),
        revoked_at=None,
        revoked_by=None,
        note=note,
    )
    try:
        warehouse.execute(
            "insert into ops.tokens (token_id, name, scope, digest, created_at, created_by, expires_at, note)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            (token_id, name, scope, digest(token), now, made.created_by, made.expires_at, note),
        )
    except psycopg.errors.UniqueViolation:
        raise AccessError(f"there is a token {name} already", hint=f"`pas tokens revoke {name}` ends it") from None
    return made, token


def tokens(warehouse: Warehouse) -> list[NamedToken]:
    """Return every token, those that hold first, then by name and age."""
    return [NamedToken(**row) for row in warehouse.rows(ALL)]


def revoke(warehouse: Warehouse, name: str, *, who: str, now: datetime) -> NamedToken:
    """End a token; browser sessions opened with it end too.

    Raises
    ------
    AccessError
        If no token of that name holds, or nobody is named.
    """
    if not who.strip():
        raise AccessError("the end of a token needs the name of who ends it")
    with warehouse.connect() as conn:
        changed = conn.execute(
            "update ops.tokens set revoked_at = %s, revoked_by = %s where name = %s and revoked_at is null",
            (now, who.strip(), name),
        ).rowcount
    found = tokens(warehouse)
    if not changed:
        known = [one.name for one in found if one.revoked_at is None]
        raise AccessError(str(UnknownName("token in force", name[:60], known)))
    return max((one for one in found if one.name == name and one.revoked_at), key=lambda one: one.revoked_at or now)

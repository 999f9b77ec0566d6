"""The page of the named tokens; the admin's alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from api.store import Reader
from api.views.frame import Frame, frame
from pas_lib.access import ALL, SCOPES, NamedToken


@dataclass(frozen=True)
class Keys:
    """Everything on the page."""

    frame: Frame
    #: Those that hold first; each with what it is now: valid, expired, revoked.
    tokens: list[tuple[NamedToken, str]]
    scopes: tuple[str, ...]


def build(reader: Reader, now: datetime) -> Keys:
    """Return the page's content.

    Parameters
    ----------
    now : datetime
        The machine's time: what has ended by then is over.

    Raises
    ------
    NotReady
        If the warehouse has not been created.
    """
    found = [NamedToken(**row) for row in reader.records(ALL)]
    return Keys(frame(reader), [(one, _state(one, now)) for one in found], SCOPES)


def _state(token: NamedToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.holds(now) else "expired"

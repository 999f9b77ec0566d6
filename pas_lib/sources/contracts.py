"""Shared by the sources of contracts: when an obligation is published."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache

#: Civil agencies report within three business days, and the site shows it after about two more.
CIVIL_LAG = timedelta(days=5)
#: Records of the Department of Defense are withheld so long.
DEFENCE_LAG = timedelta(days=90)

_DEFENCE = re.compile(
    r"\bDEPARTMENT OF (?:DEFENSE|WAR|THE (?:ARMY|NAVY|AIR FORCE))\b|\bDEPT OF DEFENSE\b|\(DOD\)", re.I
)


@lru_cache(maxsize=10_000)
def is_defence(*agencies: str | None) -> bool:
    """Return whether one of the names is of the Department of Defense or a part of it."""
    return any(agency and _DEFENCE.search(agency) for agency in agencies)


def available(action: date, defence: bool, *stated: date | None) -> date:
    """Return the day a contract is published by: the lag rule, or a later date the site states."""
    return max(action + (DEFENCE_LAG if defence else CIVIL_LAG), *(day for day in stated if day), action)

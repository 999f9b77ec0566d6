"""Shared by the sources of analyst ratings: words for actions, numbers, texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from pas_lib.clock import NY

_ACTIONS = {
    "upgrades": "upgrade",
    "up": "upgrade",
    "downgrades": "downgrade",
    "down": "downgrade",
    "maintains": "maintain",
    "main": "maintain",
    "reiterates": "reiterate",
    "reit": "reiterate",
    "initiates coverage on": "initiate",
    "init": "initiate",
    "reinstates": "reinstate",
    "assumes": "assume",
    "terminates coverage on": "terminate",
    "suspends": "suspend",
    "removes": "remove",
}
_TARGETS = {"announces": "announce", "raises": "raise", "lowers": "lower", "maintains": "maintain"}


@lru_cache(maxsize=256)
def read_action(value: Any) -> str:
    """Return an action in this system's words; ``other`` for one that is not known.

    Raises
    ------
    ValueError
        If none is stated.
    """
    text = " ".join(str(value or "").split()).lower()
    if not text:
        raise ValueError("no action is stated")
    return _ACTIONS.get(text, "other")


@lru_cache(maxsize=256)
def read_target_action(value: Any) -> str | None:
    """Return what became of the price target, or None without one."""
    text = " ".join(str(value or "").split()).lower()
    return _TARGETS.get(text, "other") if text else None


@lru_cache(maxsize=16_384)
def read_target(value: Any) -> float | None:
    """Return a price target; None where there is none.

    Raises
    ------
    ValueError
        If it is no number.
    """
    text = str(value).strip().replace(",", "").lstrip("$") if value is not None else ""
    return float(text) if text else None


@lru_cache(maxsize=4096)
def read_local_hour(text: str) -> int:
    """Return seconds since 1970 of an hour of New York, ``2024-01-10T06``; remembered, since rows share their hours.

    Raises
    ------
    ValueError
        If it is none.
    """
    return int(datetime.fromisoformat(f"{text}:00").replace(tzinfo=NY).timestamp())


def read_local(day: str, clock_time: str) -> datetime:
    """Return a time from a date and a ``HH:MM:SS`` of New York, in UTC.

    Raises
    ------
    ValueError
        If they are none.
    """
    hour, minute, second = clock_time.split(":")
    if not (0 <= int(minute) < 60 and 0 <= int(second) < 60):
        raise ValueError(f"{clock_time!r} is not a time")
    seconds = read_local_hour(f"{day}T{hour.zfill(2)}") + 60 * int(minute) + int(second)
    return datetime.fromtimestamp(seconds, UTC)


def read_epoch(value: Any) -> datetime:
    """Return a time from seconds since 1970.

    Raises
    ------
    ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 4e9:
        raise ValueError(f"{value!r} is not a time")
    return datetime.fromtimestamp(int(value), UTC)


@lru_cache(maxsize=16_384)
def text_or_none(value: Any) -> str | None:
    """Return trimmed text, or None for nothing."""
    text = " ".join(str(value).split()) if value is not None else ""
    return text or None


def slug(text: str) -> str:
    """Return a name as lower-case words joined by dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

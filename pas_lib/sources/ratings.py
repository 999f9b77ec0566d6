"""Shared by the sources of analyst ratings: words for actions, numbers, texts."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

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


def read_target_action(value: Any) -> str | None:
    """Return what became of the price target, or None without one."""
    text = " ".join(str(value or "").split()).lower()
    return _TARGETS.get(text, "other") if text else None


def read_target(value: Any) -> float | None:
    """Return a price target; None where there is none.

    Raises
    ------
    ValueError
        If it is no number.
    """
    text = str(value).strip().replace(",", "").lstrip("$") if value is not None else ""
    return float(text) if text else None


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


def text_or_none(value: Any) -> str | None:
    """Return trimmed text, or None for nothing."""
    text = " ".join(str(value).split()) if value is not None else ""
    return text or None


def slug(text: str) -> str:
    """Return a name as lower-case words joined by dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

"""Shared by the sources of lobbying and of contracts: amounts, texts, digests, ordinals."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter
from datetime import date
from functools import lru_cache
from typing import Any

from pas_lib.sources import congress


def read_amount(value: Any) -> float | None:
    """Return an amount in USD from a number or a text (``"50000.0"``, ``"$1,234"``); None for nothing.

    Raises
    ------
    ValueError
        If there is something that is no amount.
    """
    if value is None or value != value or value == "":
        return None
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is no amount")
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value).strip().replace("$", "").replace(",", "")
    if text.startswith("(") and text.endswith(")"):
        text = f"-{text[1:-1]}"
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{value!r} is no amount") from None


def read_text(value: Any) -> str | None:
    """Return plain text: entities undone (also doubled ones), white space folded; None for nothing."""
    if value is None or value != value:
        return None
    return _plain(str(value))


@lru_cache(maxsize=20_000)
def _plain(text: str) -> str | None:
    """Remembered: names, agencies and issues come again and again."""
    if "&" in text:
        text = html.unescape(html.unescape(text))
    return congress.text_or_none(text)


def read_list(value: Any) -> str | None:
    """Return values that were joined by lines, joined by ``; `` instead."""
    if value is None or value != value:
        return None
    parts = [read_text(part) for part in str(value).split("\n")]
    return "; ".join(part for part in parts if part) or None


def read_day(value: Any) -> date:
    """Return a date from any of the site's spellings, with or without a time.

    Raises
    ------
    ValueError
        If it is none.
    """
    return _day(str(value or "").strip())


@lru_cache(maxsize=20_000)
def _day(text: str) -> date:
    # "Feb. 13, 2025, 12:19 p.m."
    timed = re.match(r"([A-Za-z]+\.? \d{1,2}, \d{4}),", text)
    return congress.read_day(timed[1] if timed else text)


def digest(*parts: Any) -> str:
    """Return an id made of what is stated, for rows that have none."""
    joined = "\x1f".join("" if part is None else str(part) for part in parts)
    return "stated-" + hashlib.blake2b(joined.encode(), digest_size=10).hexdigest()


def number_equal(records: list[dict[str, Any]], *names: str) -> None:
    """Set ``ordinal`` so that otherwise equal records are told apart."""
    seen: Counter[tuple[Any, ...]] = Counter()
    for record in records:
        slot = tuple(record[name] for name in names)
        record["ordinal"] = seen[slot]
        seen[slot] += 1

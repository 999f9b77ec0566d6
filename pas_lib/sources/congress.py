"""Shared by the sources of congress trades: transactions, brackets, chambers."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime
from functools import lru_cache
from typing import Any

_TRANSACTIONS = {
    "purchase": "purchase",
    "buy": "purchase",
    "sale": "sale",
    "sell": "sale",
    "sale (partial)": "sale_partial",
    "sale (full)": "sale_full",
    "exchange": "exchange",
}
_CHAMBERS = {"representatives": "House", "house": "House", "senate": "Senate"}
_NUMBER = re.compile(r"[\d,]+(?:\.\d+)?")
_NO_SYMBOL = frozenset({"", "-", "--", "N/A", "NONE", "NAN"})

#: Upper bound of each bracket of the law by its lower bound.
_BRACKETS = {
    1: 1_000,
    1_001: 15_000,
    15_001: 50_000,
    50_001: 100_000,
    100_001: 250_000,
    250_001: 500_000,
    500_001: 1_000_000,
    1_000_001: 5_000_000,
    5_000_001: 25_000_000,
    25_000_001: 50_000_000,
}


@lru_cache(maxsize=16_384)
def read_symbol(value: Any) -> str | None:
    """Return a canonical symbol, or None for an asset without one."""
    text = str(value or "").strip().upper()
    return None if text in _NO_SYMBOL else text.replace("-", ".").replace("/", ".")


@lru_cache(maxsize=16_384)
def read_transaction(value: Any) -> str:
    """Return a transaction in this system's words.

    Raises
    ------
    ValueError
        For any other word.
    """
    text = " ".join(str(value or "").split()).lower()
    if text not in _TRANSACTIONS:
        raise ValueError(f"unknown transaction {value!r}")
    return _TRANSACTIONS[text]


@lru_cache(maxsize=16_384)
def read_amount(text: Any, low: Any = None) -> tuple[str, float | None, float | None]:
    """Return a bracket in one spelling with its bounds; the upper one is None when open-ended.

    Parameters
    ----------
    text : str or None
        ``$1,001 - $15,000``, ``$15,001-$50,000``, ``Over $50,000,000``, ``$50,000,001 +``.
    low : str, number or None
        Lower bound, where the bracket itself is not given.

    Raises
    ------
    ValueError
        If neither says an amount.
    """
    numbers = [float(found.replace(",", "")) for found in _NUMBER.findall(str(text or "")) if found.strip(",")]
    if len(numbers) >= 2:
        bounds: tuple[float, float | None] = (numbers[0], numbers[1])
    elif len(numbers) == 1 and str(text).rstrip().endswith("-"):
        # The upper bound was lost: the bracket that begins there.
        found = _BRACKETS.get(int(numbers[0]))
        if found is None:
            raise ValueError(f"no bracket begins at {text!r}")
        bounds = (numbers[0], float(found))
    elif len(numbers) == 1:
        opened = "+" in str(text) or "over" in str(text).lower()
        bounds = (numbers[0], None if opened else numbers[0])
    else:
        amount = float(low)
        high = _BRACKETS.get(int(amount))
        bounds = (amount, float(high) if high else None)
    if bounds[1] is None:
        return f"Over ${bounds[0]:,.0f}", bounds[0], None
    return f"${bounds[0]:,.0f} - ${bounds[1]:,.0f}", bounds[0], bounds[1]


@lru_cache(maxsize=16_384)
def read_chamber(value: Any) -> str | None:
    """Return ``House`` or ``Senate``."""
    return _CHAMBERS.get(str(value or "").strip().lower())


@lru_cache(maxsize=16_384)
def read_day(value: Any) -> date:
    """Return a date from ``2026-01-16``, ``2026-01-16T00:00:00`` or ``Mar. 15, 2024``.

    Raises
    ------
    ValueError
        If it is none.
    """
    text = str(value or "").strip()
    if re.match(r"\d{4}-\d{2}-\d{2}", text):
        return date.fromisoformat(text[:10])
    plain = text.replace(".", "").replace("Sept ", "Sep ")
    for style in ("%b %d, %Y", "%B %d, %Y"):
        try:
            return datetime.strptime(plain, style).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    raise ValueError(f"{value!r} is not a date")


@lru_cache(maxsize=16_384)
def read_us_day(value: Any) -> date:
    """Return a date from ``3/21/2026`` or ``03/21/2026``.

    Raises
    ------
    ValueError
        If it is none.
    """
    found = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", str(value or "").strip())
    if found is None:
        raise ValueError(f"{value!r} is not a date")
    try:
        return date(int(found[3]), int(found[1]), int(found[2]))
    except ValueError:
        raise ValueError(f"{value!r} is not a date") from None


_TITLES = re.compile(r"^(?:(?:the )?hon(?:orable)?|mr|mrs|ms|dr|rep|sen|senator|representative)\b\.?\s+", re.I)
_DEGREES = re.compile(r"(?:,\s*|\s+)(?:M\.?D\.?|D\.?D\.?S\.?|F\.?A\.?C\.?S\.?|Ph\.?D\.?|Esq\.?)(?=,|\s|$)", re.I)
_SUFFIX = re.compile(r",?\s+(jr|sr|ii|iii|iv)\.?$", re.I)
_SUFFIXES = {"jr": "Jr.", "sr": "Sr.", "ii": "II", "iii": "III", "iv": "IV"}


@lru_cache(maxsize=16_384)
def read_name(value: Any) -> str:
    """Return a person's name in one spelling: given names first, no titles or degrees, one style of suffix.

    Names in capitals get capitals at the beginning of words only. Middle names stay as the source has them: whether
    ``Jim`` and ``James E.`` are one person no spelling tells.

    Raises
    ------
    ValueError
        If there is none.
    """
    text = " ".join(str(value or "").split()).strip(" ,")
    while (shorter := _DEGREES.sub("", _TITLES.sub("", text)).strip(" ,")) != text:
        text = shorter
    suffix = _SUFFIX.search(text)
    ending = _SUFFIXES[suffix[1].lower()] if suffix else ""
    text = text[: suffix.start()].strip(" ,") if suffix else text
    if text.isupper() and len(text) > 3:
        text = re.sub(r"[A-Za-z]+", lambda word: word[0].capitalize(), text)
    if not text:
        raise ValueError("no name")
    return " ".join(f"{text.replace(' ,', ',')} {ending}".split())


def text_or_none(value: Any) -> str | None:
    """Return trimmed text, or None for nothing."""
    text = " ".join(str(value).split()) if value is not None and value == value else ""
    return text if text and text.lower() not in ("none", "nan", "-") else None


def number_equal(records: list[dict[str, Any]]) -> None:
    """Set ``ordinal`` so that otherwise equal records are told apart."""
    seen: Counter[tuple[Any, ...]] = Counter()
    for record in records:
        slot = tuple(
            record[name]
            for name in (
                "politician",
                "symbol",
                "transaction_date",
                "report_date",
                "transaction",
                "amount_range",
                "owner",
            )
        )
        record["ordinal"] = seen[slot]
        seen[slot] += 1

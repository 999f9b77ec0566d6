"""Shared by the sources of insider transactions: symbols, times, records."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from pas_lib.clock import NY, next_session_midnight

#: Start of the first load, where a source gives that much.
HISTORY_START = date(2023, 1, 1)

_SYMBOL = re.compile(r"^[A-Z0-9]{1,6}(\.[A-Z0-9]{1,3})?$")
_NO_SYMBOL = frozenset({"", "NONE", "N/A", "N.A.", "NOT APPLICABLE", "-", "--", "NAN"})
_KEY = ("symbol", "insider", "transaction_date", "code", "ownership", "security_title", "filed_at")
_CODES = {"purchase": "P", "sale": "S"}


@lru_cache(maxsize=16_384)
def read_symbol(value: Any) -> str | None:
    """Return a canonical symbol from what filers write, or None where there is none.

    The field is free text: lower case, a class after ``-``, ``/`` or ``.``, several symbols (the first is taken), an
    exchange before it.
    """
    text = str(value or "").strip().upper()
    if text in _NO_SYMBOL:
        return None
    text = text.rpartition(":")[2].strip("()[]\"'$ ")
    first = re.split(r"[,;]", text)[0].strip().replace("-", ".").replace("/", ".")
    return first if first not in _NO_SYMBOL and _SYMBOL.match(first) else None


@lru_cache(maxsize=16_384)
def read_time(value: Any, filing_date: date | None = None) -> datetime:
    """Return when a filing was accepted, in UTC.

    Parameters
    ----------
    value : str
        ``20240607181030`` and times without a zone are New York's. A ``Z`` cannot be trusted: for part of the companies
        it marks New York's time too. The later of both readings holds, unless it falls after the filing date. A day
        without an hour, or with midnight in its place (nothing is accepted then), counts from the next session on.
    filing_date : date, optional
        The official filing date, where it is stated.

    Raises
    ------
    ValueError
        If it is no time.
    """
    text = str(value or "").strip()
    if re.fullmatch(r"\d{14}", text):
        local = datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=NY)
        return local.astimezone(UTC)
    found = re.fullmatch(r"([A-Z][a-z]{2,8})\.? (\d{1,2}), (\d{4})(?: \((\d{1,2}:\d{2} [AP]M)\))?", text)
    if found and not found[4]:
        day = datetime.strptime(f"{found[1][:3]} {found[2]}, {found[3]}", "%b %d, %Y").date()  # noqa: DTZ007
        return next_session_midnight(day).astimezone(UTC)
    if found:
        plain = f"{found[1][:3]} {found[2]}, {found[3]} {found[4]}"
        return datetime.strptime(plain, "%b %d, %Y %I:%M %p").replace(tzinfo=NY).astimezone(UTC)
    try:
        stated = datetime.fromisoformat(text.removesuffix("Z"))
    except ValueError:
        raise ValueError(f"{value!r} is not a time") from None
    if stated.tzinfo is not None:
        return stated.astimezone(UTC)
    if stated.time() == time() and not text.endswith("Z"):
        return next_session_midnight(stated.date()).astimezone(UTC)
    eastern = stated.replace(tzinfo=NY).astimezone(UTC)
    if text.endswith("Z") and filing_date is not None and stated.date() > filing_date:
        return stated.replace(tzinfo=UTC)
    return eastern


@lru_cache(maxsize=256)
def read_code(value: Any) -> str:
    """Return the code of Form 4 from itself or from ``Purchase`` and ``Sale``.

    Raises
    ------
    ValueError
        If it is none.
    """
    text = str(value or "").strip()
    code = _CODES.get(text.lower(), text.upper())
    if not re.fullmatch(r"[A-Z]", code):
        raise ValueError(f"{value!r} is not a transaction code")
    return code


@lru_cache(maxsize=16_384)
def read_number(value: Any) -> float | None:
    """Return a number, or None for nothing.

    Raises
    ------
    ValueError
        If it is neither.
    """
    text = str(value).strip().replace(",", "").replace("$", "") if value is not None else ""
    return None if text in ("", "-", "nan", "None") else float(text)


@lru_cache(maxsize=16_384)
def text_or_none(value: Any) -> str | None:
    """Return trimmed text, or None for nothing."""
    text = " ".join(str(value).split()) if value is not None and value == value else ""
    return text if text and text.lower() not in ("none", "nan", "-") else None


def make(
    *,
    symbol: str,
    insider: str,
    code: str,
    traded: date,
    filed_at: datetime | None,
    shares: float | None,
    price: float | None,
    **more: Any,
) -> dict[str, Any]:
    """Return a record; the value is shares times price, where both are stated."""
    return {
        "event_date": traded,
        "symbol": symbol,
        "insider": " ".join(insider.split()),
        "code": code,
        "transaction_date": traded,
        "filed_at": filed_at,
        "shares": shares,
        "price": price,
        "value": shares * price if shares is not None and price is not None else None,
        "ownership": "",
        "security_title": "",
        **more,
    }


def number_equal(records: list[dict[str, Any]]) -> None:
    """Set ``ordinal`` so that otherwise equal lines of a filing are told apart."""
    seen: Counter[tuple[Any, ...]] = Counter()
    for record in records:
        slot = tuple(record[name] for name in _KEY)
        record["ordinal"] = seen[slot]
        seen[slot] += 1

"""Shared by the sources of index membership: identities, dates, records."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pas_lib.clock import NY
from pas_lib.sources.base import UNKNOWN_TIME, Batch, Reject

_CLASS_NAME = re.compile(r"\b(?:class|series)\s+([A-Z])\b", re.I)
_SYMBOL = re.compile(r"^[A-Z0-9]{1,6}(\.[A-Z0-9]{1,3})?$")
_DATE_FORMATS = ("%Y-%m-%d", "%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%B %d %Y")


@dataclass(frozen=True)
class Member:
    """One line of a list of constituents."""

    symbol: str
    name: str
    sector: str | None = None
    industry: str | None = None
    cik: str | None = None
    wiki_title: str | None = None
    exchange: str | None = None
    listed: date | None = None
    weight: float | None = None
    asset_class: str = "stock"
    leverage: float = 1.0


@dataclass(frozen=True)
class Change:
    """One dated addition or removal."""

    day: date
    event: str
    symbol: str
    name: str | None = None
    wiki_title: str | None = None
    is_assumed: bool = False


def read_date(text: str) -> date | None:
    """Return a date from any of the spellings lists use; None for an empty cell.

    Raises
    ------
    ValueError
        If there is a text but no date.
    """
    text = re.sub(r"\[[^\]]*\]", "", text).strip()
    if not text or text == "-":
        return None
    for style in _DATE_FORMATS:
        try:
            return datetime.strptime(text, style).date()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    found = re.match(r"\d{4}-\d{2}-\d{2}", text)
    if found:
        return date.fromisoformat(found[0])
    raise ValueError(f"{text!r} is not a date")


def canonical(text: str) -> str:
    """Return a symbol in canonical spelling: upper case, class after a dot.

    Raises
    ------
    ValueError
        If it is none.
    """
    symbol = text.strip().upper().replace("-", ".").replace("/", ".")
    if not _SYMBOL.match(symbol):
        raise ValueError(f"{text!r} is not a symbol")
    return symbol


def slug(name: str) -> str:
    """Return a name as lower-case ASCII words joined by dashes."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


def identities(members: list[Member]) -> list[str]:
    """Return a security id per member.

    ``cik`` and ten digits, with the class where one company lists several; ``etf:SYMBOL``; ``sym:SYMBOL:name`` where no
    CIK is stated.
    """
    classes = Counter(member.cik for member in members if member.cik)
    found = []
    for member in members:
        if member.asset_class == "etf":
            found.append(f"etf:{member.symbol}")
        elif member.cik is None:
            found.append(f"sym:{member.symbol}:{slug(member.name)}")
        elif classes[member.cik] == 1:
            found.append(f"cik{member.cik}")
        else:
            named = _CLASS_NAME.search(member.name)
            part = member.symbol.partition(".")[2] or (named[1].upper() if named else member.symbol)
            found.append(f"cik{member.cik}.{part}")
    return found


def batches(
    index_name: str,
    members: list[Member],
    changes: list[Change],
    seen_at: datetime,
    rejects: list[Reject],
    *,
    complete: bool = True,
    as_of: date | None = None,
) -> list[Batch]:
    """Turn a list and its changes into membership rows and securities.

    Parameters
    ----------
    index_name : str
        Which index.
    members, changes : list
        What the page states.
    seen_at : datetime
        Time of fetching; its New York date stands in where the list states none.
    rejects : list of Reject
        What could not be read.
    complete : bool
        The payload states the whole list: members that are missing have left.
    as_of : date, optional
        Date of the list where it states one.
    """
    today = as_of or (None if seen_at == UNKNOWN_TIME else seen_at.astimezone(NY).date())
    universe: dict[tuple[str, str, date | None], dict[str, Any]] = {}

    def put(symbol: str, event: str, day: date | None, assumed: bool, name: str | None, weight: float | None) -> None:
        universe.setdefault(
            (symbol, event, day),
            {
                "event_date": day,
                "index_name": index_name,
                "symbol": symbol,
                "event": event,
                "effective_date": day,
                "is_assumed": assumed,
                "weight": weight,
                "security_name": name,
            },
        )

    securities: dict[tuple[str, str], dict[str, Any]] = {}
    for member, security_id in zip(members, identities(members), strict=True):
        put(
            member.symbol,
            "listed",
            member.listed or today,
            member.listed is None,
            member.name,
            member.weight,
        )
        securities.setdefault(
            (security_id, member.symbol),
            {
                "event_date": member.listed or today,
                "security_id": security_id,
                "symbol": member.symbol,
                "name": member.name,
                "sector": member.sector,
                "industry": member.industry,
                "cik": member.cik,
                "wiki_title": member.wiki_title,
                "exchange": member.exchange,
                "asset_class": member.asset_class,
                "leverage": member.leverage,
                "first_listed": member.listed,
            },
        )
    for change in sorted(changes, key=lambda item: (item.day, item.event != "added")):
        put(change.symbol, change.event, change.day, change.is_assumed, change.name, None)
        if not change.name:
            continue
        security_id = f"sym:{change.symbol}:{slug(change.name)}"
        # By the day of a removal, too, the company was known under the symbol, whoever took it over since.
        stated = None if change.is_assumed else change.day
        row = securities.setdefault(
            (security_id, change.symbol),
            {
                "event_date": change.day,
                "security_id": security_id,
                "symbol": change.symbol,
                "name": change.name,
                "wiki_title": change.wiki_title,
                "asset_class": "stock",
                "leverage": 1.0,
                "first_listed": stated,
            },
        )
        if row["first_listed"] is None and stated is not None:
            # The list states no date of its own, but that of its addition is told beside it.
            row["first_listed"] = row["event_date"] = stated
    scopes = [{"index_name": index_name}] if complete else []
    return [
        Batch("universe", records=list(universe.values()), scopes=scopes, rejects=rejects),
        Batch("securities", records=list(securities.values())),
    ]

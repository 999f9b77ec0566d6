"""What the books hold at the close of a session, in shares of the equity that is sized on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import pandas as pd

from pas_lib.pipeline import marts
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse


@dataclass(frozen=True)
class Book:
    """What the books hold at the decision closes.

    `current` is each portfolio's share of sizing equity (cash included), `held` the same by symbol inside it;
    `closes` are the unadjusted closes used, `managed_equity` is in USD (None: no books yet).
    """

    managed_equity: float | None
    current: pd.Series
    held: Mapping[str, pd.Series]
    closes: Mapping[str, float]


def read_book(warehouse: Warehouse, session: date, settings: Settings) -> Book:
    """Return what the books held after a session, valued at its unadjusted closes (at the last ones before, if none).

    Shares are of sizing equity: managed equity (all books but EXTERNAL) less the cash buffer. Entries of later
    sessions do not count, so that a replay sees the books of its time.
    """
    entries = warehouse.rows(
        "select l.book, l.asset, sum(l.amount) as amount, sum(l.cost) as cost from ops.ledger_entries l"
        " join ops.ledger_bindings b on b.broker = l.broker and b.account_number = l.account_number and b.is_active"
        " where l.book <> 'OUTSIDE' and l.session <= %s group by l.book, l.asset having sum(l.amount) <> 0",
        (session,),
    )
    positions = [row for row in entries if row["asset"] != "USD"]
    cash = [row for row in entries if row["asset"] == "USD"]
    if not positions and not cash:
        return Book(None, pd.Series(dtype=float), {}, {})
    symbols = {str(row["asset"]) for row in positions}
    rows = marts.read(
        warehouse,
        "select distinct on (symbol) symbol, close from marts.daily_returns"
        " where symbol in ({symbols}) and session <= {session} and close is not null order by symbol, session desc",
        symbols=symbols,
        session=session,
    )
    closes = dict(zip(rows["symbol"].astype(str), rows["close"].astype(float), strict=True)) if len(rows) else {}
    value: dict[str, dict[str, float]] = {}
    total: dict[str, float] = {str(row["book"]): float(row["amount"]) for row in cash}
    for row in positions:
        book, symbol = str(row["book"]), str(row["asset"])
        # What never had a price counts at its cost, as in the ledger.
        worth = float(row["amount"]) * closes[symbol] if symbol in closes else float(row["cost"])
        value.setdefault(book, {})[symbol] = worth
        total[book] = total.get(book, 0.0) + worth
    managed = sum(amount for book, amount in total.items() if book != "EXTERNAL")
    sizing = managed * (1.0 - settings.cash_buffer)
    if sizing <= 0.0:
        return Book(managed, pd.Series(dtype=float), {}, closes)
    own = {book: amount for book, amount in total.items() if book not in {"EXTERNAL", "CASH"}}
    current = pd.Series({book: max(amount, 0.0) / sizing for book, amount in own.items()}, dtype=float)
    # A book with neither a position nor more than pocket money is not held.
    current = current[[book in value or share > 1e-6 for book, share in current.items()]]
    held = {
        book: pd.Series({symbol: worth / sizing for symbol, worth in items.items()}, dtype=float)
        for book, items in value.items()
        if book in own
    }
    return Book(managed, current, held, closes)

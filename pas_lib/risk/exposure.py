"""What the book is exposed to, looked through over all portfolios.

A book is a frame portfolios x symbols of shares of managed equity (a negative share is a short). A leveraged fund
counts its daily multiple: a 3x ETF of 10 % is 30 % leverage-weighted exposure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pas_lib.errors import PasError
from pas_lib.risk.measures import historical_var

UNKNOWN_SECTOR = "Unknown"


class RiskInputError(PasError, ValueError):
    """Holdings or market data are malformed (not finite, duplicated)."""


@dataclass(frozen=True)
class Exposures:
    """Exposure of a book, all as shares of equity.

    Attributes
    ----------
    gross, net, leveraged : float
        Sum of absolute shares, sum of shares, sum of absolute shares x leverage. Names are netted over portfolios
        first.
    by_name, by_sector : Series
        Net share by symbol; gross share by sector, each largest first.
    by_portfolio : Series
        Net share of each portfolio.
    """

    gross: float
    net: float
    leveraged: float
    by_name: pd.Series
    by_sector: pd.Series
    by_portfolio: pd.Series


def look_through(allocation: pd.Series, sleeves: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return the book of an allocation: portfolio share x weights inside the portfolio.

    Parameters
    ----------
    allocation : Series
        Share of equity by portfolio.
    sleeves : mapping of str to Series
        Weights by symbol of each portfolio; a portfolio without one holds cash.

    Returns
    -------
    DataFrame
        Portfolios x symbols (sorted), 0 where nothing is held.
    """
    symbols = sorted({str(s) for weights in sleeves.values() for s in weights.index})
    rows = {
        str(name): sleeves[str(name)].rename(index=str).reindex(symbols).fillna(0.0) * float(share)
        if str(name) in sleeves
        else pd.Series(0.0, index=symbols)
        for name, share in allocation.items()
    }
    return pd.DataFrame(rows, index=symbols, dtype=float).T


def checked_book(book: pd.DataFrame) -> pd.DataFrame:
    """Return the book as floats, NaN as 0, or refuse it."""
    if not book.index.is_unique or not book.columns.is_unique:
        raise RiskInputError("book: portfolios and symbols must be unique")
    values = book.astype(float).fillna(0.0)
    if not np.isfinite(values.to_numpy()).all():
        raise RiskInputError("book: shares must be finite")
    return values


def sector_of(symbols: pd.Index, sectors: Mapping[str, str] | None) -> pd.Series:
    """Return the sector of each symbol; symbols without one share the sector ``Unknown``."""
    known = dict(sectors or {})
    names = [known.get(s) for s in symbols]
    return pd.Series([n if isinstance(n, str) and n else UNKNOWN_SECTOR for n in names], index=symbols, dtype=object)


def leverage_of(symbols: pd.Index, leverage: Mapping[str, float] | None) -> pd.Series:
    """Return the absolute daily multiple of each symbol, 1 where none is known."""
    known = dict(leverage or {})
    values = [abs(float(known.get(s, 1.0))) for s in symbols]
    return pd.Series([v if np.isfinite(v) else 1.0 for v in values], index=symbols, dtype=float)


def exposures(
    book: pd.DataFrame,
    *,
    sectors: Mapping[str, str] | None = None,
    leverage: Mapping[str, float] | None = None,
) -> Exposures:
    """Return the exposures of a book.

    Parameters
    ----------
    book : DataFrame
        Portfolios x symbols, shares of equity.
    sectors : mapping of str to str, optional
        Sector by symbol.
    leverage : mapping of str to float, optional
        Daily multiple by symbol, 1 by default.

    Returns
    -------
    Exposures
        Looked through over all portfolios.

    Notes
    -----
    NaN policy: a NaN share is no holding.
    """
    values = checked_book(book)
    by_name = values.sum(axis=0)
    size = by_name.abs()
    by_sector = size.groupby(sector_of(values.columns, sectors)).sum()
    return Exposures(
        gross=float(size.sum()),
        net=float(by_name.sum()),
        leveraged=float((size * leverage_of(values.columns, leverage)).sum()),
        by_name=by_name[by_name != 0.0].sort_values(ascending=False, kind="stable"),
        by_sector=by_sector[by_sector != 0.0].sort_values(ascending=False, kind="stable"),
        by_portfolio=values.sum(axis=1),
    )


def holdings_returns(book: pd.DataFrame, symbol_returns: pd.DataFrame) -> pd.Series:
    """Return what today's holdings would have returned each past session.

    Parameters
    ----------
    book : DataFrame
        Portfolios x symbols, shares of equity.
    symbol_returns : DataFrame
        Sessions x symbols, simple returns.

    Returns
    -------
    Series
        Return of equity per session; cash returns 0.

    Raises
    ------
    RiskInputError
        A held symbol has no column: its risk would be counted as none.

    Notes
    -----
    NaN policy: a session in which a held symbol has no return is NaN (dropped by the measures), never 0.
    """
    shares = checked_book(book).sum(axis=0)
    held = shares[shares != 0.0]
    absent = [str(s) for s in held.index if s not in symbol_returns.columns]
    if absent:
        raise RiskInputError(f"no return history for {', '.join(absent[:5])}{' ...' if len(absent) > 5 else ''}")
    past = symbol_returns[list(held.index)]
    return pd.Series(past.to_numpy(dtype=float) @ held.to_numpy(), index=past.index, name="return")


def holdings_var(book: pd.DataFrame, symbol_returns: pd.DataFrame, level: float = 0.95) -> float:
    """Return the historical value at risk of today's holdings, a positive daily loss as a fraction of equity."""
    return historical_var(holdings_returns(book, symbol_returns), level)

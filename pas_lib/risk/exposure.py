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
from pas_lib.risk.measures import cvar, historical_var

UNKNOWN_SECTOR = "Unknown"
#: Beta of a name whose history is too short to tell: it moves with the market until it is known not to.
UNKNOWN_BETA = 1.0
SESSIONS_PER_YEAR = 252


class RiskInputError(PasError, ValueError):
    """Holdings or market data are malformed (not finite, duplicated)."""


@dataclass(frozen=True)
class Exposures:
    """Exposure of a book, all as shares of equity.

    Attributes
    ----------
    gross, net, leveraged, beta : float
        Sum of absolute shares, sum of shares, sum of absolute shares x leverage, sum of shares x beta. Names are
        netted over portfolios first.
    by_name, by_sector : Series
        Net share by symbol; gross share by sector, each largest first.
    by_portfolio : Series
        Net share of each portfolio.
    """

    gross: float
    net: float
    leveraged: float
    beta: float
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


def _beta_of(symbols: pd.Index, betas: Mapping[str, float] | None) -> pd.Series:
    known = dict(betas or {})
    values = [float(known.get(s, UNKNOWN_BETA)) for s in symbols]
    return pd.Series([v if np.isfinite(v) else UNKNOWN_BETA for v in values], index=symbols, dtype=float)


def exposures(
    book: pd.DataFrame,
    *,
    sectors: Mapping[str, str] | None = None,
    leverage: Mapping[str, float] | None = None,
    betas: Mapping[str, float] | None = None,
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
    betas : mapping of str to float, optional
        Beta to the benchmark by symbol; 1 where none is known.

    Returns
    -------
    Exposures
        Looked through over all portfolios.

    Notes
    -----
    NaN policy: a NaN share is no holding; a NaN beta counts as 1.
    """
    values = checked_book(book)
    by_name = values.sum(axis=0)
    size = by_name.abs()
    by_sector = size.groupby(sector_of(values.columns, sectors)).sum()
    return Exposures(
        gross=float(size.sum()),
        net=float(by_name.sum()),
        leveraged=float((size * leverage_of(values.columns, leverage)).sum()),
        beta=float((by_name * _beta_of(values.columns, betas)).sum()),
        by_name=by_name[by_name != 0.0].sort_values(ascending=False, kind="stable"),
        by_sector=by_sector[by_sector != 0.0].sort_values(ascending=False, kind="stable"),
        by_portfolio=values.sum(axis=1),
    )


def holdings_returns(book: pd.DataFrame, symbol_returns: pd.DataFrame, *, min_coverage: float = 1.0) -> pd.Series:
    """Return what today's holdings would have returned each past session.

    Parameters
    ----------
    book : DataFrame
        Portfolios x symbols, shares of equity.
    symbol_returns : DataFrame
        Sessions x symbols, simple returns.
    min_coverage : float
        Smallest part of the gross exposure that must have a return in a session for it to count. What has none is
        taken to have moved like the rest of the book: the return of what is covered, scaled up to the whole.

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
    NaN policy: a session with less than `min_coverage` is NaN (dropped by the measures); a missing return is never 0.
    """
    shares = checked_book(book).sum(axis=0)
    held = shares[shares != 0.0]
    absent = [str(s) for s in held.index if s not in symbol_returns.columns]
    if absent:
        raise RiskInputError(f"no return history for {', '.join(absent[:5])}{' ...' if len(absent) > 5 else ''}")
    past = symbol_returns[list(held.index)].to_numpy(dtype=float)
    known = ~np.isnan(past)
    size = np.abs(held.to_numpy())
    moved = np.where(known, past, 0.0) @ held.to_numpy()
    whole = returns_of_the_whole(moved, known @ size, float(size.sum()), min_coverage=min_coverage)
    return pd.Series(whole, index=symbol_returns.index, name="return")


def returns_of_the_whole(
    moved: np.ndarray, covered: np.ndarray, gross: float, *, min_coverage: float = 1.0
) -> np.ndarray:
    """Return what a book returned each session, from the part of it that has a return.

    Parameters
    ----------
    moved : ndarray, shape (n_sessions,)
        Sum of share x return over what has a return.
    covered : ndarray, shape (n_sessions,)
        Gross exposure of what has a return.
    gross : float
        Gross exposure of the whole book, in the same unit.
    min_coverage : float
        Smallest part of `gross` that must be covered for a session to count.

    Returns
    -------
    ndarray, shape (n_sessions,)
        The return of what is covered, scaled up to the whole.

    Notes
    -----
    NaN policy: a session with less than `min_coverage`, or with nothing covered, is NaN.
    """
    complete = covered >= gross * (1.0 - 1e-12)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = moved * np.where(complete, 1.0, gross / covered)
    enough = complete | ((covered > 0.0) & (covered >= min_coverage * gross * (1.0 - 1e-12)))
    return np.where(enough, scaled, np.nan)


def holdings_var(
    book: pd.DataFrame, symbol_returns: pd.DataFrame, level: float = 0.95, *, min_coverage: float = 1.0
) -> float:
    """Return the historical value at risk of today's holdings, a positive daily loss as a fraction of equity.

    NaN where fewer than two sessions count; 0 for a book that holds nothing.
    """
    if not checked_book(book).sum(axis=0).any():
        return 0.0
    return historical_var(holdings_returns(book, symbol_returns, min_coverage=min_coverage), level)


def book_figures(
    book: pd.DataFrame,
    symbol_returns: pd.DataFrame,
    *,
    sectors: Mapping[str, str] | None = None,
    leverage: Mapping[str, float] | None = None,
    betas: Mapping[str, float] | None = None,
    min_coverage: float = 0.5,
    min_sessions: int = 60,
) -> dict[str, float]:
    """Return the figures that limits, rules and reports speak of.

    Parameters
    ----------
    book, symbol_returns, sectors, leverage, betas
        As in :func:`exposures` and :func:`holdings_returns`.
    min_coverage, min_sessions
        How much of the book, in how many sessions, must have a history for the historical figures.

    Returns
    -------
    dict
        gross, net, leveraged, beta, largest_name, largest_sector (shares of equity); var_95, var_99, cvar_95, cvar_99
        (positive daily losses of today's holdings, fractions of equity); volatility (annual).

    Notes
    -----
    NaN policy: without enough history the historical figures are NaN; a book that holds nothing has 0 everywhere.
    """
    seen = exposures(book, sectors=sectors, leverage=leverage, betas=betas)
    figures = {
        "gross": seen.gross,
        "net": seen.net,
        "leveraged": seen.leveraged,
        "beta": seen.beta,
        "largest_name": float(seen.by_name.abs().max()) if len(seen.by_name) else 0.0,
        "largest_sector": float(seen.by_sector.max()) if len(seen.by_sector) else 0.0,
    }
    names = ("var_95", "var_99", "cvar_95", "cvar_99", "volatility")
    if not seen.gross:
        return figures | dict.fromkeys(names, 0.0)
    past = holdings_returns(book, symbol_returns, min_coverage=min_coverage).dropna()
    if len(past) < max(min_sessions, 2):
        return figures | dict.fromkeys(names, float("nan"))
    values = (
        historical_var(past, 0.95),
        historical_var(past, 0.99),
        cvar(past, 0.95),
        cvar(past, 0.99),
        float(past.std(ddof=1)) * float(np.sqrt(SESSIONS_PER_YEAR)),
    )
    return figures | dict(zip(names, values, strict=True))

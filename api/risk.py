"""Risk of what is held, from the history of returns of the securities held."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import numpy as np

from api import models, queries
from api.store import Reader

#: Sessions of history.
WINDOW = 504
#: A holding with fewer returns than this share of the window is left out and named.
COVERAGE = 0.5

_RETURNS = """
select session, symbol, ret
from marts.daily_returns
where symbol in (select symbol from ops.positions)
  and session >= (
    select min(session) from (
        select distinct session from marts.daily_returns order by session desc limit %(window)s) w)
order by session, symbol
"""


def holdings_risk(reader: Reader, portfolio_id: str) -> models.RiskAnswer:
    """Return value at risk, expected shortfall and volatility of the holdings as they are.

    Losses are positive fractions of the market value of the holdings that have a price. A missing return of a session
    counts as zero (no trade, no change of price); a holding with too little history is left out and named.

    Raises
    ------
    NotFound
        If there is no such portfolio.
    NotReady
        If there are no returns yet.
    """
    from pas_lib.risk import cvar, historical_var

    held = queries.positions(reader, portfolio_id)
    values: dict[str, float] = defaultdict(float)
    uncovered: set[str] = set()
    for position in held.records:
        if position.market_value is None:
            uncovered.add(position.symbol)
        else:
            values[position.symbol] += position.market_value
    empty = models.RiskAnswer(
        portfolio_id=portfolio_id,
        session=None,
        market_value=held.market_value,
        n_obs=0,
        n_symbols=0,
        uncovered=sorted(uncovered),
        var_95=None,
        var_99=None,
        cvar_95=None,
        cvar_99=None,
        annual_volatility=None,
        largest=None,
        largest_weight=None,
    )
    if not values:
        return empty
    rows = reader.fetch(_RETURNS, {"window": WINDOW}).rows
    sessions: list[date] = sorted({row[0] for row in rows})
    place = {session: i for i, session in enumerate(sessions)}
    paths: dict[str, np.ndarray] = {symbol: np.full(len(sessions), np.nan) for symbol in values}
    for session, symbol, ret in rows:
        if symbol in paths and ret is not None:
            paths[symbol][place[session]] = ret
    covered = [s for s, path in paths.items() if np.isfinite(path).sum() >= COVERAGE * len(sessions) > 0]
    uncovered |= set(values) - set(covered)
    if not covered:
        return empty.model_copy(update={"uncovered": sorted(uncovered)})
    whole = sum(values[symbol] for symbol in covered)
    weights = np.array([values[symbol] / whole for symbol in covered])
    returns = np.nan_to_num(np.column_stack([paths[symbol] for symbol in covered])) @ weights
    largest = max(covered, key=lambda symbol: (values[symbol], symbol))
    return empty.model_copy(
        update={
            "session": sessions[-1],
            "n_obs": len(returns),
            "n_symbols": len(covered),
            "uncovered": sorted(uncovered),
            "var_95": float(historical_var(returns, 0.95)),
            "var_99": float(historical_var(returns, 0.99)),
            "cvar_95": float(cvar(returns, 0.95)),
            "cvar_99": float(cvar(returns, 0.99)),
            "annual_volatility": float(np.std(returns, ddof=1) * np.sqrt(252)) if len(returns) > 1 else None,
            "largest": largest,
            "largest_weight": values[largest] / whole,
        }
    )

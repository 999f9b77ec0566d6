"""From shares of equity and weights inside portfolios to what each portfolio wants to hold. Pure functions.

All shares are fractions of sizing equity. A portfolio's *share* includes the cash its strategy holds; its names get
share x weight. What a cap takes from a name stays in the portfolio as cash; nothing is ever scaled up again.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
import pandas as pd

from pas_lib.risk import RiskLimits, apply_caps

#: Below this a difference of shares is rounding.
TINY = 1e-9
#: Value at risk is judged on sessions in which at least this part of the book has a return, if there are enough.
VAR_COVERAGE = 0.5
VAR_SESSIONS = 60


@dataclass(frozen=True)
class Sleeve:
    """One portfolio at a decision.

    Attributes
    ----------
    portfolio_id
        Its id.
    due
        Rebalance session whose weights have not been traded yet: this one, or one that was missed; None when the
        strategy is not due.
    target
        Share of equity it should have (allocation x S, after the band); 0 is an exit.
    current
        Share of equity its book has now, cash included.
    model
        Weights inside the portfolio by symbol: the strategy's new target weights when due, the drifted model
        weights otherwise.
    held
        Shares of equity by symbol that its book holds now.
    reason
        Why it is due, in words, where no strategy's session says it.
    """

    portfolio_id: str
    due: date | None
    target: float
    current: float
    model: pd.Series
    held: pd.Series
    reason: str = ""


@dataclass(frozen=True)
class Wish:
    """What one portfolio wants after all rules.

    Attributes
    ----------
    portfolio_id
        Its id.
    trades
        False when it drifts: it sends no order.
    why
        One line: what makes it trade, or that it drifts.
    share
        Share of equity, cash included.
    holdings
        Shares of equity by symbol; empty when it goes to cash.
    """

    portfolio_id: str
    trades: bool
    why: str
    share: float
    holdings: pd.Series


@dataclass(frozen=True)
class CapBreach:
    """One cap that was reached: reason code, what it caps, before and after (shares of equity)."""

    code: str
    name: str
    before: float
    after: float


@dataclass(frozen=True)
class Caps:
    """Limits looked through over all portfolios, as shares of equity.

    Attributes
    ----------
    name, etf, sector, gross
        Largest share of one stock, of one ETF, of one sector, and of everything.
    slack
        By how much drifting may exceed `gross`.
    leveraged
        Largest leverage-weighted sum; None is no limit.
    var_99
        Largest loss of the holdings in one day, by history at 99 %; None is no limit.
    adv_share
        Largest position as a share of the average daily dollar volume; None is no limit.
    """

    name: float = 1.0
    etf: float = 1.0
    sector: float = 1.0
    gross: float = 1.0
    slack: float = 0.0
    leveraged: float | None = None
    var_99: float | None = None
    adv_share: float | None = None


@dataclass(frozen=True)
class SecurityInfo:
    """What caps need to know about symbols.

    Attributes
    ----------
    sector
        By symbol.
    etfs
        Which symbols are ETFs.
    leverage
        Daily multiple by symbol; 1 where none is stated.
    adv
        Average daily dollar volume by symbol, USD.
    beta
        To the benchmark, by symbol.
    returns
        Sessions x symbols, daily returns; every symbol asked for has a column, NaN where there is no return.
    """

    sector: Mapping[str, str] = field(default_factory=dict)
    etfs: frozenset[str] = frozenset()
    leverage: Mapping[str, float] = field(default_factory=dict)
    adv: Mapping[str, float] = field(default_factory=dict)
    beta: Mapping[str, float] = field(default_factory=dict)
    returns: pd.DataFrame = field(default_factory=pd.DataFrame)


def wish(sleeve: Sleeve) -> Wish:
    """Say what one portfolio wants, before caps over the book.

    It trades when its strategy is due, when it is to be left, or when its share moves away from the current one;
    otherwise it drifts. When only the share changes its holdings scale in proportion; a book without
    holdings buys the model's weights as they have drifted.
    """
    moved = abs(sleeve.target - sleeve.current) > TINY
    invested = float(sleeve.held.sum())
    if sleeve.target <= TINY:
        if sleeve.current <= TINY and sleeve.held.empty:
            return Wish(sleeve.portfolio_id, False, "no share", 0.0, sleeve.held)
        return Wish(sleeve.portfolio_id, True, f"exit from {sleeve.current:.2%}", 0.0, pd.Series(dtype=float))
    if sleeve.due is not None:
        why = sleeve.reason or f"strategy due at {sleeve.due}"
        return Wish(sleeve.portfolio_id, True, why, sleeve.target, _held_part(sleeve.model * sleeve.target))
    if sleeve.current <= TINY:
        why = f"first purchase, {sleeve.target:.2%}"
        return Wish(sleeve.portfolio_id, True, why, sleeve.target, _held_part(sleeve.model * sleeve.target))
    if moved:
        why = f"share leaves the band: {sleeve.current:.2%} to {sleeve.target:.2%}"
        holdings = sleeve.held * (sleeve.target / sleeve.current) if invested > TINY else sleeve.held
        return Wish(sleeve.portfolio_id, True, why, sleeve.target, _held_part(holdings))
    return Wish(sleeve.portfolio_id, False, "drifts", sleeve.current, sleeve.held)


def _held_part(shares: pd.Series) -> pd.Series:
    return shares[shares > 0.0].astype(float)


def book_of(wishes: Sequence[Wish]) -> pd.DataFrame:
    """Return the wishes as a book: portfolios x symbols (sorted), shares of equity."""
    names = sorted({name for one in wishes for name in one.holdings.index})
    place = {name: i for i, name in enumerate(names)}
    book = np.zeros((len(wishes), len(names)))
    for row, one in enumerate(wishes):
        book[row, [place[name] for name in one.holdings.index]] = one.holdings.to_numpy(dtype=float)
    index = pd.Index([one.portfolio_id for one in wishes], dtype=object)
    return pd.DataFrame(np.where(np.isnan(book), 0.0, book), index=index, columns=pd.Index(names, dtype=object))


def cap_wishes(
    wishes: list[Wish], caps: Caps, info: SecurityInfo, *, equity: float | None = None
) -> tuple[list[Wish], tuple[CapBreach, ...]]:
    """Cut what the caps forbid, looked through over all portfolios; a drifting one that is cut trades.

    Every portfolio that holds a capped name gives up the same fraction of it (`pas_lib.risk.apply_caps`); single
    stocks and ETFs have caps of their own. Order: volume, name, sector, leverage, gross, value at risk.

    Parameters
    ----------
    wishes
        One per portfolio; the holdings of drifting ones count as they are.
    caps
        The limits.
    info
        What is known of the symbols.
    equity
        Sizing equity in USD, for the limit on daily volume; None (no books yet: nothing can be bought) leaves that
        limit out.

    Returns
    -------
    tuple
        The wishes after caps, in the same order, and what was capped.

    Raises
    ------
    RiskInputError
        When a holding is not a finite number.
    """
    book = book_of(wishes)
    if book.empty:
        return wishes, ()
    is_etf = [str(symbol) in info.etfs for symbol in book.columns]
    liquid = apply_caps(book, RiskLimits(adv_share=caps.adv_share if equity else None), adv=info.adv, equity=equity)
    stocks = apply_caps(liquid.book.loc[:, [not flag for flag in is_etf]], RiskLimits(name=caps.name))
    etfs = apply_caps(liquid.book.loc[:, is_etf], RiskLimits(name=caps.etf))
    joined = pd.concat([stocks.book, etfs.book], axis=1)
    limits = RiskLimits(
        sector=caps.sector,
        leveraged=caps.leveraged,
        gross=caps.gross + caps.slack,
        var=caps.var_99,
        var_coverage=VAR_COVERAGE,
        var_sessions=VAR_SESSIONS,
    )
    past = info.returns.reindex(columns=joined.columns)
    whole = apply_caps(joined, limits, sectors=info.sector, leverage=info.leverage, symbol_returns=past)
    refusals = [*liquid.refusals, *stocks.refusals, *etfs.refusals, *whole.refusals]
    breaches = tuple(CapBreach(str(one.reason), one.subject, one.wanted, one.allowed) for one in refusals)
    if not breaches:
        return _fit(wishes, caps.gross), ()
    allowed = whole.book.to_dict("index")
    return _fit([_cut(one, allowed[one.portfolio_id]) for one in wishes], caps.gross), breaches


def _fit(wishes: list[Wish], gross: float) -> list[Wish]:
    """Keep what is wanted anew within the gross cap, also where shares that the band kept add up to a hair more."""
    total = sum(float(one.holdings.sum()) for one in wishes if one.trades)
    if total <= gross:
        return wishes
    return [replace(one, holdings=one.holdings * (gross / total)) if one.trades else one for one in wishes]


def _cut(one: Wish, allowed: Mapping[Hashable, float]) -> Wish:
    left = pd.Series({symbol: float(allowed[symbol]) for symbol in one.holdings.index}, dtype=float)
    hit = [str(symbol) for symbol in left.index[(left < one.holdings - TINY).to_numpy()]]
    if not hit:
        return one
    why = one.why if one.trades else f"cap breached: {', '.join(hit[:3])}"
    return Wish(one.portfolio_id, True, why, one.share, left)

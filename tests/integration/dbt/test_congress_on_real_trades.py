"""Congress aggregate on real Senate trades and the Dow's real prices, against a recomputation that shares no code."""

from __future__ import annotations

import bisect
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pas_lib.warehouse import Warehouse
from tests.support.paths import needs
from tests.support.real_congress import COST_BPS, NAME, PRICES, TRADES, simulated

pytestmark = [pytest.mark.slow, pytest.mark.needs_material]

#: Sessions whose opens the file lacks end the day-by-day comparison.
OPENS_UNTIL = pd.Timestamp("2017-07-28")
#: Return of each calendar year after 10 basis points of costs. Before 2014 all was filed on paper, without tickers.
GOLDEN = {2014: 0.015967, 2015: -0.01183, 2016: 0.029267, 2017: 0.051868}
#: Decisions, names in all of their weights.
DECISIONS, HELD = 204, 701


def _amount(text: str) -> float:
    low, *high = (float(part.replace(",", "")) for part in re.findall(r"\$([\d,]+)", text))
    return (low + (high[0] if high else low)) / 2


class ByHand:
    """The rule in plain pandas: from the files to the equity."""

    def __init__(self) -> None:
        prices = pd.read_csv(PRICES, parse_dates=["date"])
        self.close = prices.pivot(index="date", columns="symbol", values="close")
        self.open = prices.pivot(index="date", columns="symbol", values="open")
        self.days = list(self.close.index)
        trades = pd.read_csv(TRADES, keep_default_na=False)
        trades = trades[trades["type"] != "N/A"]
        trades["traded"] = pd.to_datetime(trades["transaction_date"])
        trades["told"] = pd.to_datetime(trades["disclosure_date"])
        trades = trades[trades["told"] >= trades["traded"]]
        # known before the open of the first session after the disclosure
        trades["known"] = [self._next(day) for day in trades["told"]]
        self.any_known = sorted(day for day in trades["known"] if day is not None)
        kinds = trades["asset_type"].str.lower().isin(["stock", "etf", "exchange traded fund", ""])
        trades = trades[kinds & trades["known"].notna() & trades["ticker"].isin(self.close.columns)]
        trades = trades[trades["type"].str.contains("Purchase|Sale")]
        sign = np.where(trades["type"] == "Purchase", 1.0, -1.0)
        self.trades = trades.assign(bought=sign * trades["amount"].map(_amount))

    def _next(self, day: pd.Timestamp) -> pd.Timestamp | None:
        at = bisect.bisect_right(self.days, day)
        return self.days[at] if at < len(self.days) else None

    def signal(self, session: pd.Timestamp) -> pd.Series:
        """Net purchases of the month, the largest first."""
        known = self.trades["known"]
        month = self.trades[(known > session - pd.DateOffset(months=1)) & (known <= session)]
        net = month.groupby("ticker")["bought"].sum()
        return net.sort_index().sort_values(ascending=False, kind="stable")

    def run(self, first: pd.Timestamp) -> tuple[pd.Series, dict[pd.Timestamp, list[str]]]:
        """Equity from 1 at each close, and the names of each decision."""
        week_ends = set({day.isocalendar()[:2]: day for day in self.days}.values())
        decided: dict[pd.Timestamp, list[str]] = {}
        shares, cash, names = pd.Series(dtype=float), 1.0, list[str]()
        equity = {}
        due: list[str] | None = None
        for day in self.days:
            if due is not None:
                fill = self.open.loc[day]
                held = (shares * fill.reindex(shares.index)).astype(float)
                value = cash + held.sum()
                want = pd.Series(0.05, index=due)
                after = value
                for _ in range(60):
                    traded = (want * after).sub(held, fill_value=0.0).abs().sum()
                    after = value - COST_BPS / 1e4 * traded
                shares = want * after / fill.reindex(due)
                cash = after - (want * after).sum()
                due = None
            equity[day] = cash + float((shares * self.close.loc[day].reindex(shares.index)).sum())
            if day in week_ends and day >= first:
                newest = self.any_known[bisect.bisect_right(self.any_known, day) - 1]
                # from 00:00 of the day it was known to 22:30 of the decision
                if (day - newest + timedelta(hours=22.5)) <= timedelta(days=21):
                    net = self.signal(day)
                    names = list(net[net > 0].index[:20])
                decided[day] = due = names
        return pd.Series(equity), decided


def test_the_road_and_the_recomputation_agree(warehouse: Warehouse, tmp_path: Path) -> None:
    needs(TRADES)
    needs(PRICES)
    found = simulated(warehouse, tmp_path)
    model, ranked = found.model, found.ranked
    by_hand = ByHand()
    for session, rows in ranked.items():
        net = by_hand.signal(pd.Timestamp(session))
        assert [symbol for symbol, _ in rows] == list(net.index), session
        assert np.allclose([score for _, score in rows], net.to_numpy(), rtol=1e-9), session
    equity, decided = by_hand.run(pd.Timestamp(min(ranked)))
    weights = {pd.Timestamp(item.session): item for item in model.weights[NAME]}
    assert list(weights) == list(decided)
    for session, item in weights.items():
        assert sorted(item.by_symbol().index) == sorted(decided[session]), session
    returns = model.returns[NAME].loc[:OPENS_UNTIL]
    theirs = equity.pct_change().reindex(returns.index)
    theirs.iloc[0] = equity[returns.index[0]] - 1.0
    assert np.allclose(returns, theirs, rtol=0, atol=1e-12)
    assert np.allclose(found.result.returns.reindex(returns.index), returns, rtol=0, atol=1e-12)
    assert len(found.result.ledger) > HELD / 2
    assert found.yearly() == pytest.approx(GOLDEN, abs=5e-7)
    assert (len(weights), sum(len(item.weights) for item in weights.values())) == (DECISIONS, HELD)
    assert min(weights) >= pd.Timestamp("2014-02-03")

"""The allocation every week of a real history of funds: promises hold, nothing raises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pas_lib.allocation import METHODS, allocate
from tests.support.paths import REAL, needs

pytestmark = [pytest.mark.slow, pytest.mark.needs_material]


@pytest.fixture(scope="module")
def closes() -> pd.DataFrame:
    files = ("etf_equity", "etf_us_sectors", "etf_bonds_commodities")
    parts = [pd.read_csv(needs(REAL / "prices" / f"{name}_daily_adjusted.csv.gz")) for name in files]
    table = pd.concat(parts).pivot(index="date", columns="symbol", values="close")
    table.index = pd.DatetimeIndex(table.index)
    return table.loc["2006-06-01":"2021-12-31"]


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_week(closes: pd.DataFrame, method: str) -> None:
    returns = closes.pct_change(fill_method=None)
    weeks = closes.index.isocalendar().week.to_numpy()
    week_ends = closes.index[np.r_[np.diff(weeks) != 0, False]]
    current = previous = None
    used = set()
    for day in week_ends[40::3]:
        known = returns.loc[:day].tail(200)
        known = known.loc[:, known.notna().any()]
        result = allocate(
            known,
            method=method,
            current=current,
            previous=previous,
            week_ends=week_ends,
            min_weight=0.01,
            max_weight=0.4,
        )
        d = result.diagnostics
        used.add(d["method_used"])
        target = pd.Series(d["target"])
        assert target.max() <= 0.4 + 1e-12
        assert ((target == 0) | (target >= 0.01 - 1e-12)).all()
        assert result.weights.sum() <= 1 + 1e-9
        assert d["expected_vol"] <= 0.12 + 1e-9
        current, previous = result.weights, target
    assert method in used
    assert used <= {method, "min_variance"}

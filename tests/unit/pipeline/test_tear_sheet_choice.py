"""Which lines a tear sheet shows at first."""

from __future__ import annotations

from datetime import date

import pandas as pd

from pas_lib.pipeline.backtest import BOOK, Backtest, BacktestReport, Coverage
from pas_lib.pipeline.tearsheet import _Page


def report(name: str, sessions: int, sharpe: float) -> BacktestReport:
    day, none = date(2026, 1, 30), pd.DataFrame()
    return BacktestReport(
        name, day, day, sessions, 0.0, 0.0, {"sharpe": sharpe}, pd.Series(dtype=float), none, none, 1.0
    )


def test_a_sharpe_ratio_of_a_few_sessions_comes_last() -> None:
    long = [report(f"s{n}", 500, n / 10) for n in range(7)]
    reports = (*long, report("captured", 2, 17.6), report("flat", 500, float("nan")))
    coverage = Coverage(0, (), 0, 0, 0)
    run = Backtest(reports, pd.Series(dtype=float), "SPY", coverage, None, {}, {}, "")
    assert _Page(run).shown == {BOOK, "s1", "s2", "s3", "s4", "s5", "s6"}

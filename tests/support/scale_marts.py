"""Marts of full size, drawn straight into a DuckDB file: what strategies read, without the models that make it.

Bars of thousands of stocks (some stop trading on the way) and of the funds; signals of every strategy at each of its
sessions, those on prices by their own rules, the others drawn; how fresh each dataset is; the register of securities.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.datasets import catalogue
from pas_lib.strategies import all_strategies, due_sessions
from tests.support.raw_world import LEVERAGED_ETFS, SECTOR_ETFS

#: How many names have a signal at a session, for the signals that are drawn.
NAMES = {
    "app_reviews_hype": 300,
    "capito": 12,
    "composite_leaders": 800,
    "congress_aggregate": 120,
    "dc_insider_tilt": 200,
    "gov_contracts_momentum": 60,
    "insider_buying_pulse": 80,
    "lobbying_growth": 250,
    "meuser": 15,
    "micro_small_leaders": 400,
    "pelosi": 20,
    "sector_neutral": 33,
    "small_cap_momentum": 300,
    "trends_news_sentiment": 200,
    "upgrade_momentum": 400,
    "wiki_attention": 900,
    "wsb_buzz": 150,
}
SECTORS = ("Energy", "Financials", "Utilities", "Materials", "Industrials", "Health Care")


@dataclass(frozen=True)
class ScaleMarts:
    """How much is drawn.

    Attributes
    ----------
    stocks : int
        Number of stocks; every twentieth stops trading at some time, and one bar of five thousand is missing.
    start, first_signal, end : date
        First session with bars, first one with signals, last one.
    seed : int
        Of everything that is drawn.
    """

    stocks: int = 1500
    start: date = date(2014, 12, 1)
    first_signal: date = date(2016, 1, 4)
    end: date = date(2025, 12, 31)
    seed: int = 11

    @cached_property
    def sessions(self) -> list[date]:
        """Every session with bars."""
        return list(clock.sessions(self.start, self.end))

    @cached_property
    def symbols(self) -> list[str]:
        """Stocks first, then the funds."""
        return [*(f"S{i:04d}" for i in range(self.stocks)), "SPY", *SECTOR_ETFS, "UPRO", *LEVERAGED_ETFS]

    @cached_property
    def ids(self) -> list[str]:
        """Security ids in the order of the symbols."""
        return [f"cik{i:010d}" if i < self.stocks else f"etf:{name}" for i, name in enumerate(self.symbols)]

    @cached_property
    def bars(self) -> tuple[np.ndarray, np.ndarray]:
        """Adjusted opens and closes, sessions x symbols; NaN without a bar."""
        rng = np.random.default_rng(self.seed)
        shape = (len(self.sessions), len(self.symbols))
        moves = 0.0003 + rng.standard_normal((shape[0], 1)) * 0.008
        moves = moves + rng.standard_normal(shape) * np.linspace(0.008, 0.03, shape[1])
        close = 20.0 * np.exp(np.cumsum(moves, axis=0))
        opened = np.vstack([np.full(shape[1], 20.0), close[:-1]]) * np.exp(rng.standard_normal(shape) * 0.004)
        gone = rng.random(shape) < 0.0002
        last = rng.integers(300, shape[0] - 30, size=shape[1])
        gone |= (np.arange(shape[0])[:, None] > last) & (np.arange(shape[1]) % 20 == 7)
        gone[:, self.stocks :] = False
        return np.where(gone, np.nan, opened), np.where(gone, np.nan, close)

    def write(self, path: Path) -> Path:
        """Write the file anew and return its path."""
        path.unlink(missing_ok=True)
        with duckdb.connect(str(path)) as con:
            con.execute("set timezone = 'UTC'")
            con.execute("create schema marts; create schema raw; create schema ops")
            self._bars(con)
            self._signals(con)
            self._macro(con)
            self._raw(con)
        return path

    def _bars(self, con: duckdb.DuckDBPyConnection) -> None:
        opened, close = self.bars
        filled = pd.DataFrame(close).ffill().to_numpy()
        returns = np.vstack([np.full(close.shape[1], np.nan), close[1:] / filled[:-1] - 1.0])
        row, column = np.nonzero(~np.isnan(close))
        flat = {name: values[row, column] for name, values in (("o", opened), ("c", close), ("r", returns))}
        frame = pd.DataFrame({"row": row, "column": column, **flat})
        days = pd.DataFrame({"row": range(len(self.sessions)), "session": self.sessions})
        names = pd.DataFrame({"column": range(len(self.symbols)), "security_id": self.ids, "symbol": self.symbols})
        for name, table in (("frame", frame), ("days", days), ("names", names)):
            con.register(name, table)
        con.execute(
            "create table marts.daily_returns as select names.security_id, names.symbol,"
            " cast(days.session as date) as session, o as open, c as close, o as adj_open, c as adj_close,"
            " case when isnan(r) then null else r end as ret,"
            ' 1e8 as dollar_volume from frame join days on frame."row" = days."row"'
            ' join names on frame."column" = names."column" order by days.session, names.security_id'
        )

    def _signals(self, con: duckdb.DuckDBPyConnection) -> None:
        rng = np.random.default_rng(self.seed + 1)
        close = self.bars[1]
        at = {day: i for i, day in enumerate(self.sessions)}
        traded = ~np.isnan(close)
        stocks = np.arange(self.stocks)
        funds = {name: i for i, name in enumerate(self.symbols) if i >= self.stocks}
        every = [day for day in self.sessions if day >= self.first_signal]
        weeks = [day for day in self.sessions if clock.is_week_end(day)]
        parts = []
        for one in all_strategies():
            for day in due_sessions(one.cadence, every):
                i = at[day]
                if one.id == "volatility_momentum":
                    column = stocks[traded[i - 252 : i + 1, : self.stocks].all(axis=0)]
                    window = close[i - 60 : i + 1, column]
                    moving = (window[1:] / window[:-1] - 1.0).std(axis=0, ddof=1)
                    score = (close[i, column] / close[i - 252, column] - 1.0) / (moving * np.sqrt(252.0))
                elif one.id in ("sector_risk_parity", "leveraged_sector"):
                    names, back = (
                        (SECTOR_ETFS, 26) if one.id == "sector_risk_parity" else (("UPRO", *LEVERAGED_ETFS), 13)
                    )
                    column = np.array([funds[name] for name in names])
                    score = close[i, column] / close[at[weeks[weeks.index(day) - back]], column] - 1.0
                else:
                    there = stocks[traded[i, : self.stocks]]
                    column = rng.choice(there, size=min(NAMES[one.id], len(there)), replace=False)
                    score = rng.normal(20.0, 30.0, size=len(column))
                    if one.id == "gov_contracts_momentum":
                        score = np.abs(score) * 3e6
                    elif one.id == "upgrade_momentum":
                        score = np.round(score / 100.0, 1)
                order = np.lexsort((column, -score))
                parts.append(
                    pd.DataFrame(
                        {
                            "strategy": one.id,
                            "session": day,
                            "column": column[order],
                            "score": score[order],
                            "rank": np.arange(1, len(order) + 1, dtype=np.int32),
                            "until": [day + timedelta(days=int(n)) for n in rng.integers(2, 92, size=len(order))]
                            if one.id == "small_cap_momentum"
                            else None,
                        }
                    )
                )
        con.register("drawn", pd.concat(parts, ignore_index=True))
        con.execute(
            "create table marts.signals as select drawn.strategy, cast(drawn.session as date) as session,"
            ' names.security_id, names.symbol, drawn.score, drawn."rank", cast(drawn.until as date) as until from drawn'
            ' join names on drawn."column" = names."column"'
        )

    def _macro(self, con: duckdb.DuckDBPyConnection) -> None:
        values = 15.0 + np.random.default_rng(self.seed + 2).standard_normal(len(self.sessions))
        con.register("macro", pd.DataFrame({"session": self.sessions, "value": values}))
        con.execute(
            "create table marts.regime_inputs as select cast(session as date) as session, series_id, case series_id"
            " when 'VIXCLS' then value else 4.0 end as value, case series_id when 'VIXCLS' then value else 4.0 end as"
            " value_year_before, cast(session as timestamp) at time zone 'UTC' as value_known_at from macro,"
            " (select unnest(['VIXCLS', 'DGS1MO', 'DGS10', 'FEDFUNDS', 'CPIAUCSL', 'UNRATE']) as series_id) s"
        )

    def _raw(self, con: duckdb.DuckDBPyConnection) -> None:
        """Of each dataset one row a session; the securities twice, their sectors once."""
        known = [clock.session_close(day) for day in self.sessions]
        con.register("fresh", pd.DataFrame({"row_id": range(1, len(known) + 1), "known_at": known}))
        for name in sorted(catalogue()):
            con.execute(
                f"create table raw.{name} as select row_id, cast(known_at as timestamptz) as known_at from fresh"
            )
        old = datetime(2014, 1, 2, tzinfo=UTC)
        securities = pd.DataFrame(
            {
                "row_id": range(1, len(self.ids) + 1),
                "known_at": old,
                "security_id": self.ids,
                "sector": [SECTORS[i % len(SECTORS)] if i < self.stocks else None for i in range(len(self.ids))],
                "asset_class": ["stock" if i < self.stocks else "etf" for i in range(len(self.ids))],
                "leverage": [3.0 if name in ("UPRO", *LEVERAGED_ETFS) else None for name in self.symbols],
            }
        )
        con.register("register", securities)
        con.execute("create or replace table raw.securities as select * from register")

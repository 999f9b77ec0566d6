"""A small world written straight into the marts: known numbers to decide on, no dbt and no network.

30 stocks and 11 sector ETFs with a bar on every session; each strategy ranks them by a rule that can be worked out
by hand; macro values that do not move, so that S is 1 unless a test says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa

from pas_lib import clock as calendar
from pas_lib.strategies import Cadence
from pas_lib.warehouse import Warehouse, copy_arrow

START = date(2025, 1, 2)
FIRST_SIGNAL = date(2025, 11, 7)
DECISION = date(2026, 1, 30)
STOCKS = [f"S{i:02d}" for i in range(30)]
SECTORS = ["XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY"]
MACRO = ("VIXCLS", "DEXUSEU", "DGS1MO", "DGS5", "DGS10", "DGS30", "FEDFUNDS", "CPIAUCSL", "UNRATE", "GDPC1")


def security_id(symbol: str) -> str:
    return f"etf:{symbol}" if symbol in SECTORS else f"cik{int(symbol[1:]):010d}"


@dataclass
class MartsWorld:
    """The world, and what a test may change before it is written."""

    end: date = DECISION
    seed: int = 7
    vix_shock: float = 0.0
    fresh_until: date | None = None

    @property
    def sessions(self) -> Sequence[date]:
        return calendar.sessions(START, self.end)

    def prices(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Opens and closes; a prefix of a longer world is the same."""
        symbols = [*STOCKS, *SECTORS]
        days = calendar.sessions(START, date(2026, 6, 30))
        rng = np.random.default_rng(self.seed)
        market = rng.standard_normal((len(days), 1)) * 0.006
        own = rng.standard_normal((len(days), len(symbols))) * np.linspace(0.006, 0.016, len(symbols))
        night = rng.standard_normal((len(days), len(symbols))) * 0.002
        close = 100.0 * np.exp(np.cumsum(market + own + 0.0006, axis=0))
        opened = np.vstack([np.full(len(symbols), 100.0), close[:-1]]) * np.exp(night)
        index = pd.DatetimeIndex(list(days))
        keep = slice(None, pd.Timestamp(self.end))
        return (
            pd.DataFrame(opened, index=index, columns=symbols).loc[keep],
            pd.DataFrame(close, index=index, columns=symbols).loc[keep],
        )

    def signals(self) -> pd.DataFrame:
        rows = []
        for number, day in enumerate(self.sessions):
            if day < FIRST_SIGNAL:
                continue
            if Cadence.WEEKLY.is_due(day):
                rows += self._ranked("congress_aggregate", day, STOCKS, number)
                rows += self._ranked("volatility_momentum", day, STOCKS[::-1], number // 5)
                rows += self._ranked("sector_risk_parity", day, SECTORS, number // 15)
            if Cadence.MONTHLY.is_due(day):
                rows += self._ranked("wiki_attention", day, STOCKS, number // 3)
        columns = ["strategy", "session", "security_id", "symbol", "score", "rank"]
        return pd.DataFrame(rows, columns=columns)

    @staticmethod
    def _ranked(strategy: str, day: date, symbols: list[str], shift: int) -> list[tuple[object, ...]]:
        turned = symbols[shift % len(symbols) :] + symbols[: shift % len(symbols)]
        return [(strategy, day, security_id(s), s, float(100 - i), i + 1) for i, s in enumerate(turned)]

    def expected_names(self, strategy: str, day: date, take: int) -> list[str]:
        rows = self.signals()
        rows = rows[(rows["strategy"] == strategy) & (rows["session"] == day) & (rows["rank"] <= take)]
        return sorted(rows["symbol"])

    def write(self, warehouse: Warehouse) -> MartsWorld:
        """Create the marts anew and the raw rows that tell how fresh the datasets are."""
        opened, close = self.prices()
        returns = close.pct_change()
        stacked = []
        for symbol in close.columns:
            stacked.append(
                pd.DataFrame(
                    {
                        "security_id": security_id(symbol),
                        "symbol": symbol,
                        "session": close.index.date,
                        "open": opened[symbol].to_numpy(),
                        "close": close[symbol].to_numpy(),
                        "adj_open": opened[symbol].to_numpy(),
                        "adj_close": close[symbol].to_numpy(),
                        "ret": returns[symbol].to_numpy(),
                        "dollar_volume": 1e8,
                    }
                )
            )
        macro = []
        for number, day in enumerate(self.sessions):
            at = calendar.session_open(day)
            for series in MACRO:
                value = 4.0
                if series == "VIXCLS":
                    value = 15.0 + (number % 7) * 0.1 + (self.vix_shock if day >= date(2026, 1, 28) else 0.0)
                macro.append((day, series, value, value, at))
        with warehouse.connect() as conn:
            for table in ("signals", "daily_returns", "regime_inputs"):
                conn.execute(f"drop table if exists marts.{table}")
            conn.execute(
                "create table marts.signals (strategy text, session date, security_id text, symbol text,"
                " score double precision, rank integer, until date)"
            )
            conn.execute(
                "create table marts.daily_returns (security_id text, symbol text, session date, open double precision,"
                " close double precision, adj_open double precision, adj_close double precision, ret double precision,"
                " dollar_volume double precision)"
            )
            conn.execute(
                "create table marts.regime_inputs (session date, series_id text, value double precision,"
                " value_year_before double precision, value_known_at timestamptz)"
            )
            _copy(conn, self.signals(), "marts.signals")
            _copy(conn, pd.concat(stacked, ignore_index=True), "marts.daily_returns")
            columns = ["session", "series_id", "value", "value_year_before", "value_known_at"]
            _copy(conn, pd.DataFrame(macro, columns=columns), "marts.regime_inputs")
            self._write_raw(conn)
        return self

    def _write_raw(self, conn: object) -> None:
        until = self.fresh_until or self.end
        common = (
            "source, event_date, known_at, ingested_at, source_url, run_id, content_hash, is_deleted",
            "'test', s.session, s.close_at, s.close_at, 'https://data.example.org/x', 'r1', md5(s.session::text),"
            " false",
        )
        own = {
            "prices": ("symbol, open, high, low, close, volume", "'S00', 1, 1, 1, 1, 1"),
            "wiki_views": ("project, article, access, agent, views", "'en', 'S00', 'all-access', 'user', 1"),
            "politician_trades": (
                "politician, symbol, transaction_date, report_date, transaction, amount_range, owner, ordinal",
                "'P', 'S00', s.session, s.session, 'purchase', '$1,001 - $15,000', '', 1",
            ),
        }
        for table, (columns, values) in own.items():
            conn.execute(f"delete from raw.{table}")  # type: ignore[attr-defined]
            conn.execute(  # type: ignore[attr-defined]
                f"insert into raw.{table} ({common[0]}, {columns}) select {common[1]}, {values}"
                " from ops.sessions s where s.session between %s and %s",
                (START, until),
            )
        conn.execute("delete from raw.securities")  # type: ignore[attr-defined]
        for number, symbol in enumerate([*STOCKS, *SECTORS]):
            kind = "etf" if symbol in SECTORS else "stock"
            conn.execute(  # type: ignore[attr-defined]
                "insert into raw.securities (source, event_date, known_at, ingested_at, source_url, run_id,"
                " content_hash, is_deleted, security_id, symbol, name, sector, asset_class)"
                " values ('test', '2020-01-02',"
                " '2020-01-02', '2020-01-02', 'https://data.example.org/s', 'r1', %s, false, %s, %s, %s, %s, %s)",
                (symbol, security_id(symbol), symbol, f"Name {symbol}", f"Sector {number % 10}", kind),
            )


def _copy(conn: object, frame: pd.DataFrame, target: str) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    copy_arrow(conn, table, target)  # type: ignore[arg-type]

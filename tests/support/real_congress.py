"""Real Senate trades of 2012 to 2017 and real prices of the Dow, by the real road: parser, raw, models, simulation."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.backtest import SimulationResult, simulate
from pas_lib.clock import FixedClock
from pas_lib.dbt import Dbt
from pas_lib.ingest import load_landed
from pas_lib.landing import LandedFile, Landing, Manifest
from pas_lib.pipeline import marts
from pas_lib.pipeline.lookahead import copy_raw
from pas_lib.pipeline.model import ModelRun, run_model
from pas_lib.settings import load_settings
from pas_lib.sources import Payload
from pas_lib.strategies import strategy
from pas_lib.warehouse import DuckWarehouse, Warehouse
from tests.support.paths import REAL
from tests.support.raw_world import RawWorld

TRADES = REAL / "congress" / "senate_stock_watcher_2012_2021.csv.gz"
PRICES = REAL / "prices" / "djia31_daily_2006_2017.csv.gz"
END = date(2017, 12, 29)
COST_BPS = 10.0
NAME = "congress_aggregate"
#: After everything in the files.
NOW = datetime(2026, 1, 31, 1, tzinfo=UTC)


@dataclass(frozen=True)
class RealCongress:
    """What came of it.

    Attributes
    ----------
    model
        Weights and returns of `congress_aggregate`.
    ranked
        Session -> symbols and scores by rank.
    result
        The simulation of those weights, fills at the next open, with its ledger.
    """

    model: ModelRun
    ranked: dict[date, list[tuple[str, float]]]
    result: SimulationResult

    def yearly(self) -> dict[int, float]:
        """Return of each calendar year after costs."""
        returns = self.model.returns[NAME]
        return {int(year): float(np.prod(1 + part) - 1) for year, part in returns.groupby(returns.index.year)}


def simulated(warehouse: Warehouse, folder: Path) -> RealCongress:
    """Take the files down the whole road.

    Parameters
    ----------
    warehouse
        Migrated and empty.
    folder
        For the landing and the DuckDB file.
    """
    settings = load_settings({"PAS_HOME": str(folder / "home"), "PAS_DATABASE_URL": warehouse.url}, root=folder)
    landing = Landing(settings.landing_url)
    place = landing.new_folder("politician_trades", None, NOW)
    body = gzip.decompress(TRADES.read_bytes())
    payload = Payload("congress_mirrors", "politician_trades", TRADES.name, "https://x/", 200, "", NOW, {}, body)
    files: tuple[LandedFile, ...] = (landing.write(place, 0, payload),)
    landing.enqueue(Manifest(place.rpartition("/")[2], "politician_trades", None, NOW, None, files))
    load_landed("politician_trades", settings=settings, clock=FixedClock(NOW), warehouse=warehouse)
    _market().load(warehouse)
    copy_raw(warehouse, folder / "history.duckdb")
    Dbt(str(folder / "history.duckdb"), folder / "dbt", target="duckdb", threads=2).build(
        END, data_tests=False, select=["+signals", "+daily_returns"]
    )
    built = DuckWarehouse(folder / "history.duckdb")
    with built.kept_open():
        model = run_model(built, END, cost_bps=COST_BPS, recompute=True, strategies=[strategy(NAME)])
        signal = built.rows(
            "select session, symbol, score from marts.signals where strategy = %s order by session, rank", (NAME,)
        )
        result = _simulation(built, model)
    ranked: dict[date, list[tuple[str, float]]] = {}
    for row in signal:
        ranked.setdefault(row["session"], []).append((row["symbol"], row["score"]))
    return RealCongress(model, ranked, result)


def _simulation(built: DuckWarehouse, model: ModelRun) -> SimulationResult:
    items = {clock.next_session(item.session): item.weights for item in model.weights[NAME]}
    targets = pd.DataFrame({day: one for day, one in items.items() if day <= END}).T.fillna(0.0)
    targets.index = marts.session_index(targets.index)
    found = marts.wide(built, ("adj_close", "adj_open"), targets.columns, targets.index[0].date(), END)
    close, opened = (frame.reindex(columns=targets.columns) for frame in found)
    return simulate(close, targets, cost_bps=COST_BPS, capital=1.0, fill_prices=opened)


def _market() -> RawWorld:
    """The Dow's bars as traded (its file undoes splits, knows no dividends), and a register of its stocks."""
    world = RawWorld.__new__(RawWorld)
    world.tables, world.fetched = {}, NOW
    symbols = set()
    for row in csv.DictReader(io.StringIO(gzip.decompress(PRICES.read_bytes()).decode())):
        day = date.fromisoformat(row["date"])
        values = {key: float(row[key]) if row[key] else None for key in ("open", "high", "low", "close", "volume")}
        world.add(
            "prices", day, clock.session_close(day), symbol=row["symbol"], currency="USD", split_factor=1.0, **values
        )
        symbols.add(row["symbol"])
    listed = clock.ny_midnight(date(2005, 1, 3))
    for symbol in sorted(symbols):
        about = {"security_id": f"sym:{symbol}", "name": symbol, "asset_class": "stock", "leverage": 1.0}
        world.add("securities", date(2005, 1, 3), listed, symbol=symbol, ingested_at=listed, **about)
    return world

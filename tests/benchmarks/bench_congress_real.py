"""Congress aggregate on the real Senate trades of 2012 to 2017 and the Dow's real prices: what each year brought."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pas_lib.clock import FixedClock
from pas_lib.warehouse import Warehouse, create_database, migrate
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.benchmarks.report import Result
from tests.support.real_congress import NAME, NOW, PRICES, TRADES, simulated


def run() -> Iterator[Result]:
    """Yield a row per year."""
    if not (TRADES.exists() and PRICES.exists()):
        yield Result("congress aggregate on real trades", 0.0, skipped="the real histories are not here")
        return
    with tempfile.TemporaryDirectory(prefix="pas-bench-") as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", durable=False)
        server.start()
        try:
            create_database(Warehouse(server.url()), "bench")
            warehouse = Warehouse(server.url("bench"))
            migrate(warehouse, "sandbox", clock=FixedClock(NOW))
            began = time.perf_counter()
            found = simulated(warehouse, Path(folder))
            taken = (time.perf_counter() - began) * 1e3
        finally:
            server.stop()
    ledger = found.result.ledger
    years = found.yearly()
    decided = {year: 0 for year in years}
    for item in found.model.weights[NAME]:
        decided[item.session.year] = decided.get(item.session.year, 0) + 1
    for year, value in years.items():
        trades = int((ledger["session"].dt.year == year).sum())
        yield Result(f"{year}: {value:+.2%} after costs, {decided[year]} decisions, {trades} trades", taken)
    total = float(found.result.equity.iloc[-1]) - 1.0
    yield Result(
        f"all: {total:+.2%}, {len(ledger)} trades; parser, raw, dbt, strategy, simulation",
        taken,
        parity="recomputed in plain pandas by tests/integration/dbt/test_congress_on_real_trades.py",
        passed=len(ledger) > 0,
    )

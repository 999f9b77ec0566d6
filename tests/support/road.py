"""A collection against loopback sites: one object that holds what the road needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pas_lib.clock import FixedClock
from pas_lib.ingest import IngestResult, ingest, load_landed
from pas_lib.settings import Settings, load_settings
from pas_lib.warehouse import Warehouse
from tests.support.charts import NOT_FOUND, chart
from tests.support.loopback import Answer, Seen, Site
from tests.support.pages import Company, holdings, list_page, universe_site

FRIDAY = date(2026, 1, 30)
EVENING = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
ETFS = 18

Bars = list[tuple[date, float | None]]


@dataclass
class World:
    """What the sites show; tests change it between collections."""

    companies: list[Company] = field(
        default_factory=lambda: [
            ("AAA", "Alpha Works", "2020-01-02", "0000000001"),
            ("BB.A", "Beta Mills (Class A)", "2021-03-01", "0000000002"),
        ]
    )
    changes: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    midcaps: list[Company] = field(default_factory=lambda: [("MID", "Mid Mining", "", "")])
    small: list[tuple[str, str]] = field(default_factory=lambda: [("SML", "SMALL STORES INC")])
    bars: dict[str, Bars] = field(default_factory=dict)
    usual: Bars = field(default_factory=lambda: [(date(2026, 1, 28), 50.0), (date(2026, 1, 29), 51.0), (FRIDAY, 52.0)])
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    trades: list[dict[str, Any]] = field(default_factory=list)
    instead: Callable[[Seen], Answer | None] = lambda request: None

    def __call__(self, request: Seen) -> Answer:
        forced = self.instead(request)
        if forced is not None:
            return forced
        return universe_site(
            list_page(self.companies, self.changes), list_page(self.midcaps), holdings(self.small), self._rest
        )(request)

    def _rest(self, request: Seen) -> Answer:
        last = request.path.rpartition("/")[2]
        if "/finance/chart/" in request.path:
            symbol = last.replace("-", ".")
            bars = self.bars.get(symbol, self.usual)
            if not bars:
                return Answer(NOT_FOUND, 404)
            start = datetime.fromtimestamp(int(request.query["period1"]), UTC).date()
            shown = [bar for bar in bars if bar[0] >= start]
            return Answer(chart(symbol, shown, **self.events.get(symbol, {})))
        if request.path.endswith("/congresstrading"):
            return Answer(json.dumps(self.trades if request.query.get("page", "1") == "1" else []))
        if "/politician/" in request.path:
            return Answer(
                '<script>let tradeData = [["AAA","ST","2026-01-20","2026-01-05",null,NaN,1,"Alpha","Purchase",'
                '"$1,001 - $15,000",0,"House"]];</script>',
                content_type="text/html",
            )
        return Answer("{}", 404)


@dataclass
class Road:
    """Settings, clock, warehouse and sites of one test."""

    world: World
    site: Site
    settings: Settings
    clock: FixedClock
    warehouse: Warehouse

    def collect(self, name: str, session: date = FRIDAY, **more: Any) -> IngestResult:
        return ingest(name, session, settings=self.settings, clock=self.clock, warehouse=self.warehouse, **more)

    def load(self, name: str | None = None) -> list[IngestResult]:
        return load_landed(name, settings=self.settings, clock=self.clock, warehouse=self.warehouse)

    def rows(self, query: str) -> list[dict[str, Any]]:
        return self.warehouse.rows(query)

    def versions(self, symbol: str, day: date) -> list[tuple[float, bool, datetime]]:
        found = self.warehouse.rows(
            "select close, is_deleted, known_at from raw.prices where symbol = %s and event_date = %s order by row_id",
            (symbol, day),
        )
        return [(row["close"], row["is_deleted"], row["known_at"]) for row in found]

    def at(self, *parts: int) -> None:
        self.clock.at = datetime(*parts, tzinfo=UTC)

    def landed(self) -> list[Path]:
        return [path for path in Path(self.settings.landing_url).rglob("*") if path.is_file()]


def settings_at(url: str, warehouse_url: str, home: Path) -> Settings:
    return load_settings({"PAS_HOME": str(home), "PAS_SANDBOX_URL": url, "PAS_DATABASE_URL": warehouse_url}, root=home)

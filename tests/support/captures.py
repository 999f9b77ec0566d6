"""A small sandbox of a test's own, its warehouse, and collecting from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pas_lib.clock import Clock
from pas_lib.ingest import IngestResult, ingest
from pas_lib.sandbox.testing import RunningSandbox
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

FRIDAY, MONDAY = date(2026, 1, 30), date(2026, 2, 2)


@dataclass
class Collector:
    """A sandbox of its own, and a warehouse."""

    sandbox: RunningSandbox
    settings: Settings
    warehouse: Warehouse
    clock: Clock

    def collect(self, name: str, session: date = FRIDAY, **more: Any) -> IngestResult:
        return ingest(name, session, settings=self.settings, clock=self.clock, warehouse=self.warehouse, **more)

    def rows(self, query: str) -> list[dict[str, Any]]:
        return self.warehouse.rows(query)

    @property
    def now(self) -> datetime:
        return self.clock.now()

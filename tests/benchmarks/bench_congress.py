"""Parsing official filings of Congress: PDFs of the House (recorded ones where at hand), pages of the Senate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from pas_lib.sandbox.reports import HOUSE, SENATE, Row, build_reports
from pas_lib.sandbox.sites.house import report_pdf
from pas_lib.sandbox.sites.senate import report_page
from pas_lib.sandbox.testing import world_for_tests
from pas_lib.sources import Payload, ptr, source
from tests.benchmarks.report import Result, best_ms
from tests.support.paths import WIRE

NOW = datetime(2026, 1, 31, 1, tzinfo=UTC)
PAGES_A_SECOND, ROWS_A_SECOND = 20, 5_000
SENATE_ROWS = 500
_RECORDED = WIRE / "congress_disclosures" / "payloads" / "house"


def payload(name: str, body: bytes, **context: str) -> Payload:
    """Wrap a body as the sources get it."""
    return Payload(name, "politician_trades", "x", "https://site/x", 200, "", NOW, context, body)


def _reports() -> tuple[str, list[bytes]]:
    recorded = sorted(_RECORDED.glob("ptr_*.pdf"))
    if recorded:
        return "recorded", [path.read_bytes() for path in recorded]
    made = [report for report in build_reports(world_for_tests()) if report.chamber == HOUSE and not report.paper]
    return "sandbox", [report_pdf(report) for report in made[:10]]


def run() -> Iterator[Result]:
    """Yield the rows."""
    yield _house()
    yield _senate()


def _senate() -> Result:
    world = world_for_tests()
    rows = tuple(Row(trade, "JT") for trade in world.trades[:SENATE_ROWS])
    report = next(r for r in build_reports(world) if r.chamber == SENATE and not r.paper)
    page = payload("senate_efd", report_page(replace(report, rows=rows)).encode())
    site = source("senate_efd")

    def parse() -> int:
        return sum(batch.num_rows for batch in site.parse(page))

    ours = best_ms(parse, cpu=True)
    rate = SENATE_ROWS / (ours / 1000)
    return Result(
        work=f"{SENATE_ROWS} rows of a Senate report, {rate:,.0f} rows/s",
        ours_ms=ours,
        parity=f"{parse()} transactions",
        gate=f"at least {ROWS_A_SECOND:,} rows/s on one core",
        passed=rate >= ROWS_A_SECOND and parse() == SENATE_ROWS,
    )


def _house() -> Result:
    origin, bodies = _reports()
    site = source("house_clerk")
    pages = sum(len(ptr.read_pages(body)) for body in bodies)

    def parse() -> int:
        return sum(batch.num_rows for body in bodies for batch in site.parse(payload("house_clerk", body)))

    ours = best_ms(parse, cpu=True)
    rate = pages / (ours / 1000)
    return Result(
        work=f"{pages} pages of {len(bodies)} {origin} House reports, {rate:,.0f} pages/s",
        ours_ms=ours,
        parity=f"{parse()} transactions",
        gate=f"at least {PAGES_A_SECOND} pages/s on one core",
        passed=rate >= PAGES_A_SECOND and parse() > 0,
    )

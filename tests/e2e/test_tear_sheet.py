"""The tear sheet in a real browser: every chart is drawn, nothing is fetched, nothing is complained about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pas_lib.pipeline.backtest import Options, run_backtest
from pas_lib.pipeline.backtest_store import count_trials
from pas_lib.pipeline.book_backtest import Layers
from pas_lib.pipeline.tearsheet import write_tear_sheet
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, FIRST_SIGNAL, MartsWorld

pytestmark = pytest.mark.browser

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
CHARTS = {"equity", "rolling", "turnover", "gross", "sectors", "book", "decay"}


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: the package chromium)")
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield one
        one.close()


@pytest.fixture
def sheet(warehouse: Warehouse, settings: Settings, tmp_path: Path) -> Path:
    """The tear sheet of a book of four strategies, with invented research."""
    MartsWorld().write(warehouse)
    done = run_backtest(warehouse, settings, [], FIRST_SIGNAL, DECISION, Options(layers=Layers(True, True, True)))
    windows = [(0, 1), (0, 5), (0, 21), (0, 63), (5, 10), (10, 21), (21, 42), (42, 63)]
    research = pd.DataFrame(
        [
            (one.strategy, first, last, 12, 30.0, 0.02 * last**0.5, 0.1, 1.5, 0.6, 0.01, 0.9, 0.1)
            for one in done.reports[:-1]
            for first, last in windows
        ],
        columns=[
            "strategy", "from_day", "to_day", "sessions", "names", "mean_ic", "ic_deviation", "ic_t", "hit_rate",
            "mean_spread", "rank_autocorrelation", "new_share",
        ],
    )  # fmt: skip
    run_id = f"{datetime(2026, 1, 31, tzinfo=UTC):%Y%m%d}-<b>"
    return write_tear_sheet(tmp_path / "sheet.html", done, count_trials(warehouse, done), run_id, research)


def test_tear_sheet(sheet: Path, browser: Any) -> None:
    for width in (1280, 390):
        page = browser.new_page(viewport={"width": width, "height": 900})
        failures: list[str] = []
        requests: list[str] = []
        page.on("pageerror", lambda error, into=failures: into.append(str(error)))
        page.on("console", lambda m, into=failures: into.append(m.text) if m.type in ("error", "warning") else None)
        page.on("request", lambda request, into=requests: into.append(request.url))
        page.goto(sheet.as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        for name in CHARTS:
            page.wait_for_selector(f"#{name} .scatterlayer path.js-line, #{name} .barlayer path", state="attached")
        assert {one.get_attribute("id") for one in page.query_selector_all(".js-plotly-plot")} == CHARTS
        # Four strategies and the book, each with its drawdown, and the benchmark is no name of this world.
        lines = page.evaluate("document.getElementById('equity').data.map((one) => [one.name, one.y.length])")
        assert [name for name, _ in lines[::2]] == [
            "Book", "congress_aggregate", "sector_risk_parity", "volatility_momentum", "wiki_attention",
        ]  # fmt: skip
        assert all(length > 15 for _, length in lines)
        # Nothing sticks out of the page; wide tables scroll inside.
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        head = [cell.strip() for cell in page.locator("#comparison thead th").all_inner_texts()]
        assert head.index("± error") == head.index("Sharpe") + 1
        rows = [row.split("\t") for row in page.locator("#comparison tbody tr").all_inner_texts()]
        assert [row[0] for row in rows][:2] == ["Book", "congress_aggregate"]
        assert all(row[head.index("± error")].startswith("±") for row in rows)
        page.locator("#equity .updatemenu-button").nth(1).click()
        page.wait_for_function("document.getElementById('equity').layout.yaxis.type === 'log'")
        page.select_option("#whose", "3")
        page.wait_for_function("document.getElementById('sectors').data.length === figures.sectors[3].data.length")
        text = page.inner_text("main")
        assert "20260131-<b>" in text
        assert "never had a price" in text
        assert failures == []
        assert requests == [sheet.as_uri()]
        page.close()

"""What the real sites would be asked, and when a source is used at all."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from requests import Request as Prepared

from pas_lib.datasets import dataset
from pas_lib.settings import load_settings
from pas_lib.sources import Ask, source, usable_sources

NOW = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)
KEYS = {"FRED_API_KEY": "f" * 32, "QUIVER_API_KEY": "q"}


def settings_for(tmp_path, sources: str, **more: str):
    return load_settings({"PAS_HOME": str(tmp_path), "PAS_SOURCES": sources, **more}, root=tmp_path)


def urls(name: str, settings, **more) -> list[str]:
    ask = Ask("prices", settings, NOW, date(2023, 1, 1), **more)
    prepared = [Prepared("GET", r.url, params=dict(r.params)).prepare().url for r in source(name).requests(ask)]
    return [url for url in prepared if url]


def test_addresses_of_the_real_sites(tmp_path):
    here = settings_for(tmp_path, "subscribed", **KEYS)
    assert urls("yahoo_chart", here, items=("BRK.B",)) == [
        "https://query1.finance.yahoo.com/v8/finance/chart/BRK-B?interval=1d&period1=1672531200&period2=1769821200"
        "&includePrePost=false&events=div%2Csplits%2CcapitalGains"
    ]
    assert urls("wikimedia", here, items=("AT&T", "A/B_(C)"), starts={"AT&T": date(2026, 1, 5)}) == [
        "https://wikimedia.org/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/AT%26T/daily/"
        "20260105/20260129",
        "https://wikimedia.org/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user/A%2FB_%28C%29/daily/"
        "20230101/20260129",
    ]
    assert urls("wikipedia", here)[0] == "https://en.wikipedia.org/wiki/List_of_S%26P_500_companies"
    assert urls("ishares", here) == [
        "https://www.ishares.com/us/products/239710/ishares-russell-2000-etf/latest-holdings.csv"
    ]
    assert urls("quiver_page", here)[2] == (
        "https://www.quiverquant.com/congresstrading/politician/Shelley%20Moore%20Capito-C001047"
    )
    assert urls("quiver_api", here, full=False) == ["https://api.quiverquant.com/beta/live/congresstrading"]
    assert urls("fredgraph", here, items=("DGS10",), starts={"DGS10": date(2026, 1, 15)}) == [
        "https://fred.stlouisfed.org/graph/fredgraph.csv?id=DGS10&cosd=2025-12-16"
    ]
    revised, plain = urls("fred", here, items=("GDPC1", "DGS10"))
    assert revised.startswith("https://api.stlouisfed.org/fred/series/observations?series_id=GDPC1&file_type=json")
    assert revised.endswith(f"api_key={'f' * 32}&realtime_start=1776-07-04&realtime_end=9999-12-31")
    assert "realtime" not in plain


def test_the_sandbox_stands_for_every_host(tmp_path):
    here = load_settings({"PAS_HOME": str(tmp_path), "PAS_SANDBOX_URL": "http://127.0.0.1:8765"}, root=tmp_path)
    for name, prefix in {"yahoo_chart": "yahoo/v8", "fred": "fred/series", "quiver_api": "quiver-api/beta"}.items():
        assert urls(name, here, items=("X",))[0].startswith(f"http://127.0.0.1:8765/{prefix}")


@pytest.mark.parametrize(
    ("name", "sources", "keys", "expected"),
    [
        ("macro_series", "sandbox", {}, ["fred"]),
        ("macro_series", "public", KEYS, ["fredgraph"]),
        ("macro_series", "subscribed", {}, ["fredgraph"]),
        ("macro_series", "subscribed", KEYS, ["fred"]),
        ("politician_trades", "sandbox", {}, ["quiver_api", "quiver_page"]),
        ("politician_trades", "public", KEYS, ["house_clerk", "senate_efd"]),
        ("politician_trades", "subscribed", {}, ["quiver_page"]),
        ("universe", "public", {}, ["wikipedia", "ishares", "package"]),
        ("prices", "public", {}, ["yahoo_chart"]),
    ],
)
def test_which_sources_are_used(name, sources, keys, expected, tmp_path):
    here = settings_for(tmp_path, sources, **keys)
    assert [entry.name for entry in usable_sources(dataset(name), here)] == expected

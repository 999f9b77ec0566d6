"""Companies' figures as known: the golden numbers of two real companies, before and after restatements and splits."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pas_lib.datasets import dataset
from pas_lib.dbt import Dbt
from pas_lib.ingest.validate import conform
from pas_lib.sources import Payload, source
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.bitemporal import VersionedLoad
from tests.support.paths import REAL, needs

FETCHED = datetime(2026, 7, 10, tzinfo=UTC)
FILES = {
    "AAPL": "companyfacts_AAPL_CIK0000320193_2026-03-25.json.gz",
    "NVDA": "companyfacts_NVDA_CIK0001045810_2026-07-09.json.gz",
}
ENTITY = {"AAPL": "cik0000320193", "NVDA": "cik0001045810"}
MODELS = ["+int_fundamentals_ttm"]


def load_facts(warehouse: Warehouse, symbol: str, body: bytes, run: str, **context: str) -> None:
    """Load a file of company facts as a collection does."""
    site, data = source("sec_facts"), dataset("fundamentals")
    about = {"symbol": symbol, **context}
    payload = Payload("sec_facts", "fundamentals", symbol, "u", 200, "", FETCHED, about, body)
    table = conform(data, site.parse(payload)[0])
    with warehouse.connect() as conn:
        load = VersionedLoad(conn, data, run, FETCHED)
        import pyarrow as pa

        load.add(table, pa.repeat("made-up://", table.num_rows), "sec_facts", FETCHED)
        load.merge()


@pytest.fixture(scope="module")
def real(dbt_world: Warehouse, dbt_work: Path) -> Warehouse:
    """A warehouse with the whole files of two companies, and the model built of them."""
    bodies = {symbol: gzip.decompress(needs(REAL / "sec" / name).read_bytes()) for symbol, name in FILES.items()}
    for symbol, body in bodies.items():
        load_facts(dbt_world, symbol, body, f"first-{symbol}")
    Dbt(dbt_world.url, dbt_work, threads=2).build(date(2026, 3, 31), select=MODELS, data_tests=False)
    return dbt_world


def as_known(warehouse: Warehouse, symbol: str, day: date) -> dict[str, Any]:
    """Return the row that is the newest one in a session."""
    rows = warehouse.rows(
        "select * from intermediate.int_fundamentals_ttm where entity = %s and session <= %s"
        " order by session desc limit 1",
        (ENTITY[symbol], day),
    )
    return rows[0]


#: In millions of USD; shares as they are.
GOLDEN: dict[tuple[str, date], dict[str, Any]] = {
    ("AAPL", date(2026, 2, 27)): {
        "period_end": date(2025, 12, 27),
        "filed": date(2026, 1, 30),
        "revenue": 435_617,
        "net_income": 117_777,
        "operating_income": 141_070,
        "gross_profit": 206_157,
        "depreciation": 11_832,
        "operating_cash_flow": 135_472,
        "capital_expenditure": 12_148,
        "equity": 88_190,
        "long_debt": 11_827 + 76_685,
        "short_debt": 1_997,
        "cash": 45_317,
        "securities": 21_590,
        "current_assets": 158_104,
        "current_liabilities": 162_367,
        "shares": 14_681_140_000,
        "shares_on": date(2026, 1, 16),
    },
    ("AAPL", date(2025, 12, 31)): {
        "period_end": date(2025, 9, 27),
        "filed": date(2025, 10, 31),
        "revenue": 416_161,
        "net_income": 112_010,
        "operating_income": 133_050,
        "gross_profit": 195_201,
        "depreciation": 11_698,
        "operating_cash_flow": 111_482,
        "capital_expenditure": 12_715,
        "equity": 73_733,
        "long_debt": 12_350 + 78_328,
        "short_debt": 7_979,
        "cash": 35_934,
        "securities": 18_763,
        "shares": 14_776_353_000,
        "shares_on": date(2025, 10, 17),
    },
    ("NVDA", date(2026, 2, 27)): {
        "period_end": date(2026, 1, 25),
        "filed": date(2026, 2, 25),
        "revenue": 215_938,
        "net_income": 120_067,
        "operating_income": 130_387,
        "gross_profit": 153_463,
        "depreciation": 2_843,
        "operating_cash_flow": 102_718,
        "capital_expenditure": 6_042,
        "equity": 157_293,
        "long_debt": 999 + 7_469,
        "cash": 10_605,
        "securities": None,
        "shares": 24_300_000_000,
        "shares_on": date(2026, 2, 20),
    },
    ("NVDA", date(2025, 12, 31)): {
        "period_end": date(2025, 10, 26),
        "filed": date(2025, 11, 19),
        "revenue": 187_142,
        "net_income": 99_198,
        "operating_income": 110_122,
        "gross_profit": 131_093,
        "depreciation": 2_574,
        "operating_cash_flow": 83_159,
        "capital_expenditure": 5_835,
        "equity": 118_897,
        "long_debt": 999 + 7_468,
        "cash": 11_486,
        "securities": 49_122,
        "shares": 24_300_000_000,
        "shares_on": date(2025, 11, 14),
    },
}


@pytest.mark.parametrize(("symbol", "day"), list(GOLDEN))
def test_golden_figures_of_the_trailing_year(real: Warehouse, symbol: str, day: date) -> None:
    found = as_known(real, symbol, day)
    for name, expected in GOLDEN[symbol, day].items():
        value = found[name]
        if isinstance(value, float) and not name.startswith("shares"):
            value /= 1e6
        assert value == expected, name


def test_a_filing_counts_from_the_session_after_its_date(real: Warehouse) -> None:
    # Filed on Friday, 30 January 2026.
    assert as_known(real, "AAPL", date(2026, 1, 30))["period_end"] == date(2025, 9, 27)
    assert as_known(real, "AAPL", date(2026, 2, 2))["period_end"] == date(2025, 12, 27)


def test_a_restated_figure_counts_from_the_filing_that_restates_it(real: Warehouse) -> None:
    # The 10-K/A of 25 January 2010 changed how sales were counted: fiscal 2009 has other assets and revenue since.
    first, later = as_known(real, "AAPL", date(2009, 10, 30)), as_known(real, "AAPL", date(2010, 10, 29))
    assert (first["period_end"], later["period_end_before"]) == (date(2009, 9, 26), date(2009, 9, 26))
    assert (first["assets"], later["assets_before"]) == (53_851e6, 47_501e6)
    assert (first["revenue"], later["revenue_before"]) == (36_537e6, 42_905e6)
    # Assets of September 2008 were 39,572 M until then.
    known = [
        real.rows(
            "select value from intermediate.int_fundamental_figures where entity = %s and item = 'assets'"
            " and period_end = date '2008-09-27' and known_at <= %s order by known_at desc limit 1",
            (ENTITY["AAPL"], at),
        )[0]["value"]
        for at in (datetime(2010, 1, 25, 23, tzinfo=UTC), datetime(2010, 1, 26, 6, tzinfo=UTC))
    ]
    assert known == [39_572e6, 36_171e6]


def test_figures_do_not_mix_the_bases_of_a_split(real: Warehouse) -> None:
    # Ten for one in June 2024: counts of shares carry the day whose basis they are on, profit has none.
    before, after = as_known(real, "NVDA", date(2024, 5, 31)), as_known(real, "NVDA", date(2024, 8, 30))
    assert (before["shares"], before["shares_on"]) == (2_460_000_000, date(2024, 5, 24))
    assert (after["shares"], after["shares_on"]) == (24_530_000_000, date(2024, 8, 23))
    assert before["net_income"] == 42_598e6
    assert after["net_income"] == 53_008e6
    assert after["shares_before"] == 2_470_000_000


def test_a_name_that_stopped_is_not_read(real: Warehouse) -> None:
    # Apple's `Revenues` end in 2018. Nvidia's capital expenditure had a name of its own from 2019 to 2024, which no
    # taxonomy has: it is unknown then, not that of 2019.
    rows = real.rows(
        "select entity, session, revenue, capital_expenditure from intermediate.int_fundamentals_ttm"
        " where session >= date '2019-06-01'"
    )
    assert all(row["revenue"] is not None for row in rows)
    unknown = [row for row in rows if row["capital_expenditure"] is None]
    assert {row["entity"] for row in unknown} == {ENTITY["NVDA"]}
    assert date(2019, 8, 1) < min(row["session"] for row in unknown)
    assert max(row["session"] for row in unknown) < date(2024, 2, 22)
    assert min(row["revenue"] for row in rows if row["entity"] == ENTITY["AAPL"]) > 255_000e6
    assert max(row["revenue"] for row in rows if row["entity"] == ENTITY["NVDA"]) == 215_938e6

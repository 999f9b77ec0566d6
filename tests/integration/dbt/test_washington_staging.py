"""Staging of lobbying and contracts over hand-made rows: amendments end what they replace, repetitions stay."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from pas_lib.dbt import Dbt
from pas_lib.pipeline.explain import raw_rows
from pas_lib.strategies import strategy
from pas_lib.warehouse import Warehouse
from tests.support.marts import mirrored
from tests.support.raw_world import RawWorld

DAY = date(2025, 4, 17)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def rows() -> RawWorld:
    world = RawWorld(
        start=date(2025, 12, 1), stocks=9, trades=1, wiki_start=date(2025, 12, 30), macro_start=date(2025, 12, 1)
    )
    world.tables.clear()

    def filing(filing_id: str, kind: str, posted: datetime, amount: float | None, **more: object) -> None:
        values = {
            "filing_id": filing_id,
            "symbol": "AAA",
            "matched_by": "name",
            "client": "ALPHA",
            "registrant": "FIRM",
            "amount": amount,
            "amount_kind": "income" if amount is not None else None,
            "filing_type": kind,
            "filing_year": 2025,
            "filing_period": "first_quarter",
            "registrant_id": 1,
            "client_id": 2,
            "report_date": posted.date(),
            "posted_at": posted,
            "ordinal": 0,
            "source": "senate_lda",
        }
        world.add("lobbying", posted.date(), posted, **(values | more))

    filing("registration", "RR", at(2025, 1, 5), None)
    filing("report", "Q1", at(2025, 4, 17, 20), 10.0)
    filing("amended", "1A", at(2025, 5, 2, 15), 20.0)
    filing("again", "1A", at(2025, 6, 2, 15), 30.0)
    filing("changed", "RA", at(2025, 7, 1), None)  # a changed registration replaces no report
    filing("other", "Q1", at(2025, 5, 9), 40.0, client_id=3)
    for ordinal in (0, 1):
        world.add(
            "lobbying",
            DAY,
            at(2025, 4, 18, 4),
            filing_id="stated-1",
            symbol="BBB",
            matched_by="source",
            client="",
            registrant="",
            amount=5.0,
            report_date=DAY,
            ordinal=ordinal,
            source="quiver_api",
        )

    def contract(ordinal: int, known: datetime, amount: float, **more: object) -> None:
        values = {
            "contract_id": "A1",
            "modification": "0",
            "recipient": "ALPHA",
            "amount": amount,
            "amount_kind": "transaction",
            "is_defence": False,
            "action_date": DAY,
            "ordinal": ordinal,
            "source": "usaspending",
        }
        world.add("gov_contracts", DAY, known, **(values | more))

    for document, status, filed, low in (
        ("s1", "new", date(2025, 4, 9), 1001.0),
        ("s2", "amended", date(2025, 4, 16), 15001.0),
    ):
        world.add(
            "politician_trades",
            DAY,
            at(filed.year, filed.month, filed.day + 1, 4),
            politician="Ann Example",
            symbol="AAA",
            transaction="purchase",
            amount_range=f"${low:,.0f}",
            amount_low=low,
            amount_high=low * 2,
            transaction_date=date(2025, 4, 2),
            report_date=filed,
            owner="",
            filing_status=status,
            document=document,
            ordinal=0,
            source="senate_efd",
        )
    # Without ids a correction has another key: A, then B in its place, then C in that of B.
    for name, begun, ended, low in (("A", 9, 11, 1001.0), ("B", 11, 15, 15001.0), ("C", 15, None, 50001.0)):
        about = {
            "politician": "Bob Example",
            "symbol": "CCC",
            "transaction": "purchase",
            "amount_range": name,
            "amount_low": low,
            "amount_high": low * 2,
            "transaction_date": date(2025, 4, 2),
            "report_date": date(2025, 4, 8),
            "owner": "",
            "document": "",
            "ordinal": 0,
            "source": "quiver_api",
        }
        world.add("politician_trades", DAY, at(2025, 4, begun, 4), **about)
        if ended:
            world.add("politician_trades", DAY, at(2025, 4, ended, 4), is_deleted=True, **about)
    contract(0, at(2025, 4, 23), 100.0)
    contract(1, at(2025, 4, 23), 100.0)
    contract(0, at(2025, 5, 1), 110.0)
    contract(1, at(2025, 5, 3), 100.0, is_deleted=True)
    return world


def test_amendments_corrections_and_repetitions_on_both_engines(
    warehouse: Warehouse, dbt_work: Path, slot: Path
) -> None:
    rows().load(warehouse)
    select = ["stg_raw__lobbying", "stg_raw__gov_contracts", "stg_raw__politician_trades", "int_unmatched_names"]
    result = Dbt(warehouse.url, dbt_work, threads=2).build(date(2025, 12, 31), select=select)
    assert result.count("pass") == len(select)  # the rules of each
    lobbying = (
        "select filing_id, ordinal, amount, known_at, superseded_at from staging.stg_raw__lobbying"
        " order by known_at, filing_id, ordinal"
    )
    expected = [
        ("registration", 0, None, at(2025, 1, 5), None),
        ("report", 0, 10.0, at(2025, 4, 17, 20), at(2025, 5, 2, 15)),
        ("stated-1", 0, 5.0, at(2025, 4, 18, 4), None),
        ("stated-1", 1, 5.0, at(2025, 4, 18, 4), None),
        ("amended", 0, 20.0, at(2025, 5, 2, 15), at(2025, 6, 2, 15)),
        ("other", 0, 40.0, at(2025, 5, 9), None),
        ("again", 0, 30.0, at(2025, 6, 2, 15), None),
        ("changed", 0, None, at(2025, 7, 1), None),
    ]
    assert [tuple(row.values()) for row in warehouse.rows(lobbying)] == expected
    contracts = (
        "select ordinal, amount, known_at, superseded_at from staging.stg_raw__gov_contracts order by ordinal, known_at"
    )
    versions = [
        (0, 100.0, at(2025, 4, 23), at(2025, 5, 1)),
        (0, 110.0, at(2025, 5, 1), None),
        (1, 100.0, at(2025, 4, 23), at(2025, 5, 3)),
    ]
    assert [tuple(row.values()) for row in warehouse.rows(contracts)] == versions
    unmatched = "select dataset, company, n_rows, amount from intermediate.int_unmatched_names order by 1, 2"
    listed = [("gov_contracts", "ALPHA", 1, 110.0)]
    assert [tuple(row.values()) for row in warehouse.rows(unmatched)] == listed
    chain = (
        "select amount_range, known_at, first_known_at, superseded_at from staging.stg_raw__politician_trades"
        " where symbol = 'CCC' order by known_at"
    )
    disclosed = at(2025, 4, 9, 4)
    corrections = [
        ("A", disclosed, disclosed, at(2025, 4, 11, 4)),
        ("B", at(2025, 4, 11, 4), disclosed, at(2025, 4, 15, 4)),
        ("C", at(2025, 4, 15, 4), disclosed, None),
    ]
    assert [tuple(row.values()) for row in warehouse.rows(chain)] == corrections
    mirrored(slot, warehouse, at(2026, 1, 2))
    Dbt(str(slot), dbt_work, target="duckdb", threads=1).build(date(2025, 12, 31), select=select)
    with duckdb.connect(str(slot), read_only=True) as conn:
        conn.execute("set timezone = 'UTC'")
        assert conn.execute(lobbying).fetchall() == expected
        assert conn.execute(contracts).fetchall() == versions
        assert conn.execute(chain).fetchall() == corrections
        assert conn.execute(unmatched).fetchall() == listed
    # What explains a weight is what counted then: the report until it was amended, each amendment until the next.
    for session, expected_ids in (
        (date(2025, 4, 30), ["report"]),
        (date(2025, 5, 30), ["amended", "other"]),
        (date(2025, 6, 30), ["other", "again"]),
    ):
        told = raw_rows(warehouse, strategy("lobbying_growth"), "cik1", "AAA", session)
        assert [row.values["filing_id"] for row in told] == expected_ids
    for session, low in ((date(2025, 4, 11), [1001.0]), (date(2025, 4, 25), [15001.0]), (date(2025, 5, 16), [])):
        told = raw_rows(warehouse, strategy("congress_aggregate"), "cik1", "AAA", session)
        assert [row.values["amount_low"] for row in told] == low

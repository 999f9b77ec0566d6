"""Hand-made transaction reports of one invented member of Congress."""

from __future__ import annotations

from datetime import date

from pas_lib.sandbox.congress import Trade
from pas_lib.sandbox.reports import FiledReport, Row


def trade(number: int, **more: object) -> Trade:
    values = {
        "id": number,
        "politician": "Ann Example",
        "bioguide_id": "E000001",
        "chamber": "Representatives",
        "party": "D",
        "district": "OH01",
        "state": "Ohio",
        "symbol": "AAA",
        "company": "Alpha Works Incorporated Common Stock",
        "sector": "",
        "row": 1,
        "asset_type": "ST",
        "transaction": "Purchase",
        "amount_range": "$100,001 - $250,000",
        "amount": 100001.0,
        "traded": date(2026, 1, 5),
        "filed": date(2026, 1, 20),
        "visible": date(2026, 1, 20),
        "hidden": None,
        "description": None,
        "subholding": None,
    }
    return Trade(**{**values, **more})  # type: ignore[arg-type]


def report(*rows: Row) -> FiledReport:
    filed = date(2026, 1, 20)
    return FiledReport("20040001", "Representatives", "Ann Example", "OH01", "Ohio", filed, filed, 0, rows)

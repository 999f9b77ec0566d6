"""A disclosure that is amended later: the old statement holds until then, the new one from then on."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from pas_lib.clock import NY
from tests.integration.ingest.test_versioned_road import trade
from tests.support.loopback import Answer, Seen
from tests.support.road import Road


def test_an_amended_amount_is_known_from_the_amendment_on(road: Road) -> None:
    road.world.trades = [trade(), trade(Ticker="BBB")]
    road.collect("politician_trades")
    road.at(2026, 2, 14, 1)
    road.world.trades = [
        trade(Range="$50,001 - $100,000", Amount="50001.0"),
        trade(Ticker="BBB"),
        trade(Ticker="CCC"),  # late, but about something else: usable from its report on
    ]
    road.collect("politician_trades", date(2026, 2, 13))
    rows = road.rows(
        "select symbol, amount_low, is_deleted, known_at from raw.politician_trades where source = 'quiver_api'"
        " order by symbol, known_at, is_deleted desc"
    )
    reported, amended = datetime(2026, 1, 21, tzinfo=NY), datetime(2026, 2, 14, 1, tzinfo=UTC)
    assert [tuple(row.values()) for row in rows] == [
        ("AAA", 1001.0, False, reported),
        ("AAA", 1001.0, True, amended),
        ("AAA", 50001.0, False, amended),
        ("BBB", 1001.0, False, reported),
        ("CCC", 1001.0, False, reported),
    ]
    assert road.collect("politician_trades", date(2026, 2, 13)).status == "unchanged"


def test_a_corrected_report_of_lobbying_counts_once_and_from_its_correction_on(road: Road) -> None:
    def report(symbol: str, amount: str, day: str = "2026-01-20") -> dict[str, Any]:
        about = {"Client": f"{symbol} INC", "Registrant": "A FIRM", "Issue": "Taxes", "Specific_Issue": None}
        return {"Date": day, "Ticker": symbol, "Amount": amount, **about}

    shown = [report("AAA", "50000.0"), report("BBB", "10000.0"), report("CCC", "10000.0", "2026-01-06")]

    def lobbying(request: Seen) -> Answer | None:
        if not request.path.endswith("/live/lobbying"):
            return None
        since = request.query["date_from"]
        return Answer(json.dumps([row for row in shown if row["Date"].replace("-", "") >= since]))

    road.world.instead = lobbying
    road.collect("lobbying")
    road.at(2026, 2, 3, 1)
    # Late, but about something else; what lies before the window says nothing.
    shown[0], shown[1:2] = report("AAA", "70000.0"), [report("BBB", "10000.0"), report("DDD", "1.0")]
    road.collect("lobbying", date(2026, 2, 2))
    rows = road.rows(
        "select symbol, amount, is_deleted, known_at from raw.lobbying order by symbol, known_at, is_deleted desc"
    )
    reported, corrected = datetime(2026, 1, 21, tzinfo=NY), datetime(2026, 2, 3, 1, tzinfo=UTC)
    assert [tuple(row.values()) for row in rows] == [
        ("AAA", 50000.0, False, reported),
        ("AAA", 50000.0, True, corrected),
        ("AAA", 70000.0, False, corrected),
        ("BBB", 10000.0, False, reported),
        ("CCC", 10000.0, False, datetime(2026, 1, 7, tzinfo=NY)),
        ("DDD", 1.0, False, reported),
    ]
    assert road.collect("lobbying", date(2026, 2, 2)).status == "unchanged"

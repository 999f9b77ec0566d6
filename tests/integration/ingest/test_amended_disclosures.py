"""A disclosure that is amended later: the old statement holds until then, the new one from then on."""

from __future__ import annotations

from datetime import UTC, date, datetime

from pas_lib.clock import NY
from tests.integration.ingest.test_versioned_road import trade
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

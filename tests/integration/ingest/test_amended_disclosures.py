"""A disclosure that is amended later: the old statement holds until then, the new one from then on."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from pas_lib.clock import NY
from pas_lib.errors import PayloadError
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


def test_a_corrected_contract_counts_once_and_from_its_correction_on(road: Road) -> None:
    def contract(symbol: str, amount: float, day: str = "2026-01-20", acted: str = "2026-01-12") -> dict[str, Any]:
        about = {"Description": f"WORK OF {symbol}", "Agency": "DEPARTMENT OF ENERGY"}
        return {"Ticker": symbol, "Date": day, "action_date": acted, "Amount": amount, **about}

    old = contract("OLD", 9e6, "2025-12-02", "2025-12-01")
    twice = contract("BBB", 2e6)
    shown = [contract("AAA", 6e7), twice, twice, contract("CUT", 1e6, "2025-12-02", "2025-12-01"), old]

    def contracts(request: Seen) -> Answer | None:
        return Answer(json.dumps(shown)) if request.path.endswith("/live/govcontractsall") else None

    road.world.instead = contracts
    road.collect("gov_contracts")
    road.at(2026, 2, 7, 1)
    # The list goes back less far than before: what is older than its last day, or of it, says nothing.
    shown[:] = [contract("AAA", 4e7, "2026-02-03"), contract("NEW", 5e6, "2026-02-03", "2026-02-02"), twice, old]
    road.collect("gov_contracts", date(2026, 2, 6))
    corrected = datetime(2026, 2, 7, 1, tzinfo=UTC)
    rows = road.rows(
        "select symbol, amount, is_deleted, known_at from raw.gov_contracts where ingested_at > '2026-02-01'"
        " order by symbol, is_deleted desc"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("AAA", 6e7, True, corrected),
        ("AAA", 4e7, False, corrected),
        ("BBB", 2e6, True, corrected),
        ("NEW", 5e6, False, corrected),
    ]
    assert road.collect("gov_contracts", date(2026, 2, 6)).status == "unchanged"
    # A past that is asked for again tells of a correction, too, but not since when: it is known from now on.
    road.at(2026, 2, 8, 1)
    shown[0] = contract("AAA", 3e7, "2026-02-03")
    again = road.collect("gov_contracts", date(2026, 2, 6), start=date(2026, 1, 1))
    assert (again.new, again.deleted) == (1, 1)
    rows = road.rows("select known_at from raw.gov_contracts where amount = 3e7")
    assert rows == [{"known_at": datetime(2026, 2, 8, 1, tzinfo=UTC)}]


def test_a_page_of_contracts_in_another_order_withdraws_nothing(road: Road) -> None:
    road.settings = road.settings.model_copy(update={"dataset_sources": {"gov_contracts": ("quiver_page",)}})
    line = "<tr><td><a>{}</a></td><td>{}</td><td>${}</td><td>DEPARTMENT OF ENERGY</td><td>WORK</td></tr>"
    shown = [("AAA", "Jan. 29, 2026", "5"), ("BBB", "Jan. 28, 2026", "6"), ("CCC", "Jan. 27, 2026", "7")]

    def page(request: Seen) -> Answer | None:
        lines = "".join(line.format(*row) for row in shown)
        text = f'<html><table id="myTable">{lines}</table></html>'
        found = request.path.endswith("/sources/govcontracts")
        return Answer(text, content_type="text/html") if found else None

    road.world.instead = page
    assert road.collect("gov_contracts").new == 3
    road.at(2026, 2, 1, 1)
    shown[:] = [("CCC", "Jan. 27, 2026", "7"), ("AAA", "Jan. 29, 2026", "5")]
    assert road.collect("gov_contracts").deleted == 0
    road.at(2026, 2, 2, 1)
    shown[:] = [("AAA", "Jan. 29, 2026", "4"), ("CCC", "Jan. 27, 2026", "7")]
    result = road.collect("gov_contracts")
    assert (result.new, result.deleted) == (1, 2)


def test_contracts_on_overlapping_pages_count_once_and_none_is_missed(road: Road) -> None:
    """The site breaks ties as it likes: a row stands on two pages and another one on none."""
    road.collect("universe")
    road.settings = road.settings.model_copy(update={"dataset_sources": {"gov_contracts": ("usaspending",)}})

    def row(mod: str, amount: float) -> dict[str, Any]:
        about = {"Recipient Name": "ALPHA WORKS", "Awarding Agency": "Department of Energy", "Award ID": "P1"}
        award = {"generated_internal_id": "CONT_AWD_P1", "Mod": mod, "Action Date": "2026-01-12"}
        return {**award, **about, "Transaction Amount": amount}

    one, twice, three, four = row("0", 5e6), row("1", 2e6), row("3", 3e6), row("4", 4e6)
    pages = {"asc": [[one, twice, twice], [four, one]], "desc": [[four, three], [twice, twice, one]]}
    counted = 5
    asked: list[tuple[str, str, int]] = []

    def search(request: Seen) -> Answer | None:
        if "/search/spending_by_transaction" not in request.path:
            return None
        body = json.loads(request.body)
        window = body["filters"]["time_period"][0]
        inside = window["start_date"] <= "2026-01-12" <= window["end_date"]
        if request.path.endswith("_count/"):
            asked.append(("count", "", 0))
            return Answer(json.dumps({"results": {"contracts": counted}}))
        if not inside:
            rows, more = [{**row("9", 1.0), "Action Date": window["start_date"]}], False
        else:
            asked.append(("page", body["order"], body["page"]))
            rows, more = pages[body["order"]][body["page"] - 1], body["page"] == 1
        return Answer(json.dumps({"results": rows, "page_metadata": {"page": body["page"], "hasNext": more}}))

    road.world.instead = search
    road.collect("gov_contracts", start=date(2026, 1, 5))
    assert asked == [
        ("page", "asc", 1),
        ("page", "asc", 2),
        ("count", "", 0),
        ("page", "desc", 1),
        ("page", "desc", 2),
        ("count", "", 0),
    ]
    rows = road.rows("select modification, ordinal, amount, symbol from raw.gov_contracts order by 1, 2")
    assert [tuple(r.values()) for r in rows] == [
        ("0", 0, 5e6, "AAA"),
        ("1", 0, 2e6, "AAA"),
        ("1", 1, 2e6, "AAA"),
        ("3", 0, 3e6, "AAA"),
        ("4", 0, 4e6, "AAA"),
    ]
    counted = 6
    road.at(2026, 1, 31, 2)
    with pytest.raises(PayloadError, match="5 different records from .* where 6 are counted"):
        road.collect("gov_contracts", start=date(2026, 1, 5))
    assert road.rows("select count(*) as n from raw.gov_contracts") == [{"n": 5}]

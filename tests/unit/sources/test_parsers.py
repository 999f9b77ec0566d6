"""Awkward payloads, built here."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from pas_lib.clock import NY
from pas_lib.errors import PayloadError
from pas_lib.sources import Payload, source
from pas_lib.sources.congress import read_amount, read_day, read_symbol, read_transaction
from pas_lib.sources.members import Member, canonical, identities
from pas_lib.sources.yahoo_chart import from_yahoo, to_yahoo
from tests.support.charts import chart, stamp
from tests.support.pages import holdings, list_page

EVENING = datetime(2026, 1, 30, 20, 0, tzinfo=NY).astimezone(UTC)


def payload(name: str, body: bytes | str, dataset: str = "prices", at: datetime = EVENING, **context: str) -> Payload:
    raw = body.encode() if isinstance(body, str) else body
    return Payload(name, dataset, "x", "http://site/x", 200, "", at, context, raw)


def test_symbols_translate_both_ways():
    assert to_yahoo("BRK.B") == "BRK-B"
    assert from_yahoo("BRK-B") == "BRK.B"
    assert from_yahoo("BTC-USD") == "BTC-USD"
    assert from_yahoo("^GSPC") == "^GSPC"


def test_open_bars_null_bars_and_second_bars_are_dropped():
    thursday, friday = date(2026, 1, 29), date(2026, 1, 30)
    body = chart("X", [(date(2026, 1, 27), 10.0), (date(2026, 1, 28), None), (thursday, 11.0), (friday, 12.0)])
    noon = datetime(2026, 1, 30, 12, 0, tzinfo=NY)
    bars = source("yahoo_chart").parse(payload("yahoo_chart", body, at=noon))[0]
    assert bars.table.column("event_date").to_pylist() == [date(2026, 1, 27), thursday]
    assert bars.scopes == [{"symbol": "X", "scope_start": date(2026, 1, 27), "scope_end": thursday}]
    assert bars.mentioned == [{"symbol": "X", "event_date": date(2026, 1, 28)}]
    after = source("yahoo_chart").parse(payload("yahoo_chart", body))[0]
    assert after.table.column("event_date").to_pylist()[-1] == friday
    live = body.replace(str(stamp(friday)).encode(), str(stamp(thursday) + 23_000).encode())
    doubled = source("yahoo_chart").parse(payload("yahoo_chart", live))[0]
    assert doubled.table.column("close").to_pylist() == [10.0, 11.0]


def test_two_splits_and_a_dividend_between_them_are_undone():
    days = [date(2026, 1, 26), date(2026, 1, 27), date(2026, 1, 28), date(2026, 1, 29)]
    body = chart(
        "X",
        [(day, 10.0) for day in days],
        splits={days[1]: (2, 1), days[3]: (1, 10)},
        dividends={days[0]: 0.5, days[2]: 0.5, days[3]: 0.5},
        volume=100.0,
    )
    bars, actions = source("yahoo_chart").parse(payload("yahoo_chart", body))
    assert bars.table.column("split_factor").to_pylist() == pytest.approx([0.2, 0.1, 0.1, 1.0])
    assert bars.table.column("close").to_pylist() == pytest.approx([2.0, 1.0, 1.0, 10.0])
    assert bars.table.column("volume").to_pylist() == pytest.approx([500.0, 1000.0, 1000.0, 100.0])
    cash = {row["event_date"]: row["amount"] for row in actions.records if row["action"] == "dividend"}
    # In shares of its day; a split of the same day is not undone.
    assert cash == pytest.approx({days[0]: 0.1, days[2]: 0.05, days[3]: 0.5})
    assert [row["ratio"] for row in actions.records if row["action"] == "split"] == [2.0, 0.1]


def test_columns_of_different_length_are_refused():
    body = chart("X", [(date(2026, 1, 29), 1.0), (date(2026, 1, 30), 2.0)]).replace(
        b'"close": [1.0, 2.0]', b'"close": [1.0]'
    )
    with pytest.raises(PayloadError, match=r"field 'indicators.quote.close': 1 values for 2 time stamps"):
        source("yahoo_chart").parse(payload("yahoo_chart", body))
    renamed = chart("X", [(date(2026, 1, 30), 2.0)]).replace(b'"close"', b'"last"')
    with pytest.raises(PayloadError, match="close"):
        source("yahoo_chart").parse(payload("yahoo_chart", renamed))


def test_a_changed_header_names_the_column():
    page = list_page([("AAA", "Aaa", "2020-01-02", "0000000001")])
    with pytest.raises(PayloadError, match="column 'Symbol' not found among kürzel, security"):
        source("wikipedia").parse(payload("wikipedia", page.replace("<th>Symbol", "<th>Kürzel")))
    fund = holdings([("AAA", "Aaa")])
    with pytest.raises(PayloadError, match="column 'sector' not found"):
        source("ishares").parse(payload("ishares", fund.replace("Sector", "Branch")))
    with pytest.raises(PayloadError, match="HTML page"):
        source("ishares").parse(payload("ishares", "<!DOCTYPE html><html>"))
    with pytest.raises(PayloadError, match="no holdings for this date"):
        source("ishares").parse(payload("ishares", 'X\nFund Holdings as of,"-"\n\n'))


def test_a_list_without_dates_is_assumed_from_the_day_it_is_seen():
    page = list_page([("AAA", "Äcme Söhne", "", "")])
    universe, securities = source("wikipedia").parse(payload("wikipedia", page, index_name="sp400"))
    assert universe.records[0]["effective_date"] == date(2026, 1, 30)
    assert universe.records[0]["is_assumed"] is True
    assert securities.records[0]["security_id"] == "sym:AAA:acme-sohne"


def test_a_member_of_a_list_without_dates_is_known_from_its_addition_on():
    """Else it would be in the index for years before anybody knew the company behind the symbol."""
    companies = [("AAA", "Alpha", "", ""), ("BBB", "Beta", "", ""), ("CCC", "Gamma", "2019-03-01", "")]
    changes = [("April 9, 2025", "BBB", "Beta", "ZZZ", "Zeta"), ("April 10, 2025", "CCC", "Gamma", "", "")]
    page = list_page(companies, changes)
    universe, securities = source("wikipedia").parse(payload("wikipedia", page, index_name="sp400"))
    known = {row["symbol"]: (row["first_listed"], row["event_date"], row["sector"]) for row in securities.records[:3]}
    seen, added, stated = date(2026, 1, 30), date(2025, 4, 9), date(2019, 3, 1)
    sector = "Industrials"
    assert known == {"AAA": (None, seen, sector), "BBB": (added, added, sector), "CCC": (stated, stated, sector)}
    events = [(row["event"], row["effective_date"]) for row in universe.records if row["symbol"] == "BBB"]
    assert events == [("listed", seen), ("added", added)]


def test_share_classes_get_ids_of_their_own_only_where_there_are_several():
    assert identities(
        [
            Member("BRK.A", "Berk", cik="0000000001"),
            Member("BRK.B", "Berk", cik="0000000001"),
            Member("FOXA", "Fox (Class A)", cik="0000000002"),
            Member("FOX", "Fox (Class B)", cik="0000000002"),
            Member("NXT", "Next Class A", cik="0000000003"),
            Member("SPY", "Trust", asset_class="etf"),
        ]
    ) == ["cik0000000001.A", "cik0000000001.B", "cik0000000002.A", "cik0000000002.B", "cik0000000003", "etf:SPY"]
    assert canonical("brk-b") == "BRK.B"
    with pytest.raises(ValueError, match="not a symbol"):
        canonical("see note")


@pytest.mark.parametrize(
    ("text", "low", "expected"),
    [
        ("$1,001 - $15,000", None, ("$1,001 - $15,000", 1001.0, 15000.0)),
        ("$15,001-$50,000", None, ("$15,001 - $50,000", 15001.0, 50000.0)),
        ("Over $50,000,000", None, ("Over $50,000,000", 50_000_000.0, None)),
        ("$50,000,001 +", None, ("Over $50,000,001", 50_000_001.0, None)),
        (None, "1001.0", ("$1,001 - $15,000", 1001.0, 15000.0)),
    ],
)
def test_brackets(text, low, expected):
    assert read_amount(text, low) == expected


def test_words_of_congress():
    assert read_transaction("Sale (Partial)") == "sale_partial"
    with pytest.raises(ValueError, match="unknown transaction 'Gift'"):
        read_transaction("Gift")
    assert [read_symbol(text) for text in ("BRK-B", "--", "-", None, " aapl ")] == ["BRK.B", None, None, None, "AAPL"]
    assert read_day("Mar. 15, 2024") == read_day("2024-03-15T00:00:00") == date(2024, 3, 15)
    assert read_day("Sept. 3, 2025") == date(2025, 9, 3)


ROW = (
    '["ABC","ST","2026-01-20T00:00:00","2026-01-05T00:00:00","it\'s [odd]",NaN,77,"Abc Co","Sale (Full)",'
    '"$1,001 - $15,000",1.5,"House","Industrials",null,1001.0]'
)


def test_a_politicians_page_is_read_by_balancing_brackets():
    page = (
        f'<html><script>let bioguideID = "P000197"; let directOrderName = "Nancy Pelosi";\n'
        f"let tradeData = [{ROW},\n{ROW.replace('ABC', '--')},{ROW}];\nlet other = [[1]];</script></html>"
    )
    batch = source("quiver_page").parse(payload("quiver_page", page, "politician_trades"))[0]
    assert [row["ordinal"] for row in batch.records] == [0, 1]
    first = batch.records[0]
    assert (first["symbol"], first["transaction"], first["chamber"]) == ("ABC", "sale_full", "House")
    assert (first["description"], first["amount_high"]) == ("it's [odd]", 15000.0)
    assert first["report_date"] == date(2026, 1, 20)
    assert batch.scopes == [{"politician": "Nancy Pelosi"}]


def test_the_page_of_all_trades_may_be_written_the_python_way():
    page = (
        "<script>let recentTradesData = [['ABC', \"Abc's\", 'ST', 'Purchase', '$15,001 - $50,000', 'Jane Doe', "
        "'Senate', 'R', '2026-01-20T00:00:00', '2026-01-05T00:00:00', None, 5, NaN, 'Jane Doe', '/x.jpg', "
        "'D000001']];</script>"
    )
    row = source("quiver_page").parse(payload("quiver_page", page, "politician_trades"))[0].records[0]
    assert (row["politician"], row["party"], row["chamber"]) == ("Jane Doe", "R", "Senate")
    assert row["bioguide_id"] == "D000001"


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("<html><title>Just a moment...</title></html>", "blocked or changed: 'Just a moment...'"),
        ("<script>let tradeData = [[1, 2</script>", "cut off"),
        ("<script>let tradeData = [[1, 2]];</script>", "2 columns instead of at least 12"),
        ("<script>let tradeData = [];</script>", "no trades on the page"),
    ],
)
def test_a_changed_page_is_refused(page, said):
    with pytest.raises(PayloadError, match=said):
        source("quiver_page").parse(payload("quiver_page", page, "politician_trades", politician="X"))


def test_titles_are_checked_against_what_was_asked():
    body = (
        '{"items":[{"project":"en.wikipedia","article":"Other","granularity":"daily","timestamp":"2026012800",'
        '"access":"all-access","agent":"user","views":1}]}'
    )
    with pytest.raises(PayloadError, match="views of 'Other' came, not of 'Mine'"):
        source("wikimedia").parse(payload("wikimedia", body, "wiki_views", article="Mine"))
    with pytest.raises(PayloadError, match=r"items\.views"):
        source("wikimedia").parse(payload("wikimedia", body.replace('"views"', '"count"'), "wiki_views"))


def test_the_window_of_a_vintage_request_does_not_invent_vintages():
    row = '{{"realtime_start":"{}","realtime_end":"9999-12-31","date":"2025-10-01","value":"{}"}}'
    rows = ",".join(row.format(*pair) for pair in (("2026-01-01", "5"), ("2026-01-30", "6")))
    body = (
        '{"realtime_start":"2026-01-01","realtime_end":"9999-12-31","output_type":1,"count":2,"offset":0,'
        f'"limit":9,"observations":[{rows}]}}'
    )
    context = {"series_id": "GDPC1", "window_start": "2026-01-01"}
    batch = source("fred").parse(payload("fred", body, "macro_series", **context))[0]
    assert batch.table.column("value").to_pylist() == [6.0]
    assert batch.scopes == []

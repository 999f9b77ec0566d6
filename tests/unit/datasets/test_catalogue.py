"""The catalogue: names, tables, time rules."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from pas_lib.clock import NY
from pas_lib.datasets import catalogue, dataset, due, leaders, raw_ddl
from pas_lib.errors import UnknownName
from pas_lib.ingest.validate import find_invalid
from pas_lib.sources import all_sources
from pas_lib.sources.fred_lags import LAGS, lag_day, lag_known_at
from pas_lib.warehouse.bitemporal import content_hashes

FETCHED = datetime(2026, 1, 31, 1, 0, tzinfo=UTC)


def ny(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=NY)


def known(name: str, **row: object) -> datetime:
    table = dataset(name).records_table([row])
    return dataset(name).known_at(table, FETCHED)[0].as_py()


def test_the_catalogue_is_consistent():
    assert {"prices", "corporate_actions", "universe", "securities", "macro_series"} <= set(catalogue())
    for name, entry in catalogue().items():
        assert entry.name == name
        own = {column.name for column in entry.columns} | {"event_date"}
        assert set(entry.key) <= own
        assert entry.event_date in own
        assert set(entry.scope_columns) <= set(entry.key)
        assert set(entry.sources) | set(entry.official) <= set(all_sources())
        assert all(catalogue()[follower].leader == name for follower in entry.followers)
    assert {entry.name for entry in catalogue().values() if entry.critical} == {
        "prices",
        "universe",
        "corporate_actions",
        "securities",
    }


def test_an_unknown_name_gets_a_suggestion():
    with pytest.raises(UnknownName, match="did you mean prices"):
        dataset("price")


def test_ddl_has_the_common_columns_and_the_key():
    text = raw_ddl(dataset("prices"))
    for column in ("row_id bigint", "known_at timestamptz not null", "content_hash text", "symbol text not null"):
        assert column in text
    assert "(symbol, event_date, known_at desc, row_id desc)" in text


@pytest.mark.parametrize(
    ("name", "session", "last", "expected"),
    [
        ("prices", date(2026, 1, 28), None, True),
        ("prices", date(2026, 1, 28), date(2026, 1, 27), True),
        ("prices", date(2026, 1, 28), date(2026, 1, 28), False),
        ("universe", date(2026, 1, 28), date(2026, 1, 23), False),
        ("universe", date(2026, 1, 30), date(2026, 1, 23), True),
        ("universe", date(2026, 2, 4), date(2026, 1, 28), True),
        ("universe", date(2026, 1, 28), None, True),
        ("securities", date(2026, 1, 30), None, False),
    ],
)
def test_due(name, session, last, expected):
    assert due(dataset(name), session, last) is expected


def test_leaders_are_what_is_collected():
    assert "corporate_actions" not in {entry.name for entry in leaders()}
    assert "prices" in {entry.name for entry in leaders()}


def test_known_at_rules():
    # A bar: its close, early closes included.
    assert known("prices", symbol="X", event_date=date(2026, 1, 30)) == ny(2026, 1, 30, 16)
    assert known("prices", symbol="X", event_date=date(2025, 11, 28)) == ny(2025, 11, 28, 13)
    # An ex-date: known before that day.
    assert known("corporate_actions", event_date=date(2026, 1, 30)) == ny(2026, 1, 30)
    # Page views: the second day after, UTC.
    assert known("wiki_views", event_date=date(2026, 1, 28)) == datetime(2026, 1, 30, tzinfo=UTC)
    # A disclosure of a Friday: Monday 00:00.
    assert known("politician_trades", report_date=date(2026, 1, 30)) == ny(2026, 2, 2)
    # A vintage of a Friday: Monday 00:00; a lag day: that day 16:30.
    row = {"series_id": "GDPC1", "event_date": date(2025, 10, 1), "realtime_start": date(2026, 1, 30)}
    assert known("macro_series", **row, vintage="alfred") == ny(2026, 2, 2)
    assert known("macro_series", **row, vintage="lag_rule") == ny(2026, 1, 30, 16, 30)
    # A vintage older than the trading calendar.
    assert known("macro_series", **{**row, "realtime_start": date(1991, 12, 4)}, vintage="alfred") == ny(1991, 12, 5)
    # Membership: the stated day, or when it was seen.
    member = {"effective_date": date(1957, 3, 4)}
    assert known("universe", **member, is_assumed=False) == ny(1957, 3, 4)
    assert known("universe", **member, is_assumed=True) == FETCHED
    assert known("securities", first_listed=None) == FETCHED


@pytest.mark.parametrize(
    ("series", "day", "expected"),
    [
        ("VIXCLS", date(2026, 1, 30), date(2026, 2, 2)),
        ("DGS10", date(2025, 10, 10), date(2025, 10, 14)),  # Columbus Day is no business day of the Treasury's
        ("DFF", date(2026, 1, 30), date(2026, 2, 2)),
        ("DFF", date(2026, 1, 31), date(2026, 2, 3)),
        ("FEDFUNDS", date(2025, 12, 1), date(2026, 1, 2)),
        ("DEXUSEU", date(2026, 1, 28), date(2026, 2, 3)),
        ("CPIAUCSL", date(2025, 12, 1), date(2026, 1, 16)),
        ("CPIAUCSL", date(2018, 12, 1), date(2019, 1, 31)),
        ("UNRATE", date(2025, 12, 1), date(2026, 1, 10)),
        ("GDPC1", date(2025, 10, 1), date(2026, 1, 31)),
        ("INDPRO", date(2026, 1, 1), date(2026, 2, 18)),
        ("UMCSENT", date(2026, 1, 1), date(2026, 2, 28)),
        ("NFCI", date(2026, 1, 30), date(2026, 2, 5)),
    ],
)
def test_lag_days(series, day, expected):
    assert lag_day(series, day) == expected


def test_a_series_without_a_lag_rule_says_so():
    assert lag_day("NOSUCH", date(2026, 1, 1)) is None
    assert all(rule(date(2025, 6, 2)) > date(2025, 6, 2) for rule in LAGS.values())
    assert lag_known_at(date(2026, 7, 1)) == ny(2026, 7, 1, 16, 30)


def bars(**changes: object) -> pa.Table:
    row = {
        "event_date": date(2026, 1, 30),
        "symbol": "X",
        "open": 10.0,
        "high": 11.0,
        "low": 9.0,
        "close": 10.5,
        "volume": 100.0,
        "currency": "USD",
        "split_factor": 1.0,
    }
    return dataset("prices").records_table([{**row, **changes}])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"close": None}, "close is missing"),
        ({"symbol": None}, "symbol is missing"),
        ({"low": -1.0}, "a price is not positive"),
        ({"high": 8.0}, "high is below low"),
        ({"volume": -5.0}, "volume is negative"),
        ({"event_date": date(2026, 1, 31)}, "not a session of the exchange"),
    ],
)
def test_invalid_bars_have_a_reason(change, reason):
    _, reasons = find_invalid(dataset("prices"), bars(**change))
    assert reasons == {0: reason}


def test_a_valid_bar_has_none():
    assert find_invalid(dataset("prices"), bars())[1] == {}
    assert find_invalid(dataset("prices"), bars(open=None, volume=None))[1] == {}


def test_rounding_is_not_news_but_a_cent_is():
    def digest(table: pa.Table) -> str:
        return content_hashes(dataset("prices"), table)[0].as_py()

    stated = digest(bars(close=10.5))
    # What a 32-bit float makes of 10.5 / 3 * 3.
    assert digest(bars(close=10.5000003)) == stated
    assert digest(bars(split_factor=2.0)) == stated
    assert digest(bars(close=10.51)) != stated
    assert digest(bars(close=None)) != digest(bars(close=0.0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"transaction_date": date(21, 5, 1)}, "the trade's date is implausible"),
        ({"report_date": date(2203, 5, 1)}, "the report's date is implausible"),
        ({"report_date": date(2025, 12, 1)}, "reported before it was traded"),
        ({"description": "a\x00b"}, "description holds a NUL character"),
        ({"transaction": None}, "transaction is missing"),
    ],
)
def test_mistyped_filings_have_a_reason(change, reason):
    row = {
        "event_date": date(2026, 1, 5),
        "politician": "Jane Doe",
        "symbol": "AAA",
        "transaction": "purchase",
        "amount_range": "$1,001 - $15,000",
        "transaction_date": date(2026, 1, 5),
        "report_date": date(2026, 1, 20),
        "owner": "",
        "document": "",
    }
    entry = dataset("politician_trades")
    assert find_invalid(entry, entry.records_table([row]))[1] == {}
    assert find_invalid(entry, entry.records_table([{**row, **change}]))[1] == {0: reason}

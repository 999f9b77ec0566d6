"""Up to where everything was asked: of the sources in use, without what was asked for a part only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from pas_lib.datasets import dataset
from pas_lib.errors import PasError, SourceError
from pas_lib.ingest import plan as planning
from pas_lib.landing import Landing
from pas_lib.sources.base import NOT_THERE
from pas_lib.warehouse import Warehouse
from tests.support.loopback import Answer
from tests.support.road import EVENING, FRIDAY, Road

RUN = (
    "insert into ops.ingest_runs (run_id, dataset, source, session, status, started_at, finished_at, watermark)"
    " values (%s, %s, %s, %s, 'loaded', %s, %s, %s)"
)


def ran(warehouse: Warehouse, name: str, source: str, watermark: date) -> None:
    run = f"{name}-{source}-{watermark}"
    warehouse.execute(RUN, (run, name, source, watermark, EVENING, EVENING, watermark))
    warehouse.execute(
        "insert into raw.insider_buying (source, event_date, known_at, ingested_at, source_url, run_id, content_hash,"
        " is_deleted, symbol, insider, code, ownership, security_title, transaction_date, filed_at, ordinal)"
        " values (%s, %s, %s, %s, '', %s, 'h', false, 'AAA', 'DOE JANE', 'P', 'D', '', %s, %s, 0)",
        (source, watermark, EVENING, EVENING, run, watermark, EVENING),
    )


def asked_from(road: Road, source: str) -> dict[str, date]:
    settings = road.settings.model_copy(update={"dataset_sources": {"insider_buying": (source,)}})
    return dict(planning.plan(dataset("insider_buying"), settings, EVENING, road.warehouse).starts)


def test_another_source_begins_with_its_own_history(road: Road) -> None:
    ran(road.warehouse, "insider_buying", "quiver_api", date(2026, 1, 29))
    assert asked_from(road, "quiver_api") == {"": date(2026, 1, 28)}
    assert asked_from(road, "sec_edgar") == {}
    ran(road.warehouse, "insider_buying", "sec_edgar", date(2025, 6, 2))
    # Back at a source that was not asked for half a year: from where it stopped.
    assert asked_from(road, "sec_edgar") == {"": date(2025, 6, 1)}


def watermarks(road: Road) -> list[Any]:
    return [
        row["watermark"]
        for row in road.rows(
            "select watermark from ops.ingest_runs where dataset = 'prices' and status <> 'failed' order by load_number"
        )
    ]


def test_a_window_beyond_what_is_loaded_does_not_hide_the_gap(road: Road) -> None:
    road.collect("universe")
    road.collect("prices")
    road.at(2026, 3, 1, 1)
    road.world.usual = [*road.world.usual, (date(2026, 2, 27), 53.0)]
    road.collect("prices", date(2026, 2, 27), start=date(2026, 2, 20))
    road.collect("prices", date(2026, 2, 27), items=["AAA"])
    assert watermarks(road) == [FRIDAY, None, None]
    # What begins within what is loaded reaches as far as it asks.
    road.collect("prices", date(2026, 2, 27), start=date(2026, 1, 20))
    assert watermarks(road)[-1] == date(2026, 2, 28)


def days_of(road: Road, symbol: str) -> list[date]:
    found = road.rows(f"select event_date from raw.prices where symbol = '{symbol}' order by event_date")
    return [row["event_date"] for row in found]


FEBRUARY = [(date(2026, 2, day), 50.0 + day) for day in (2, 9, 17, 23, 27)]


def with_a_gap(road: Road) -> None:
    """Prices up to the end of January, and the last week of February: what lies between is missing."""
    road.collect("universe")
    road.collect("prices")
    road.at(2026, 2, 28, 1)
    road.world.usual = [*road.world.usual, *FEBRUARY]
    result = road.collect("prices", date(2026, 2, 27), start=date(2026, 2, 20))
    assert [note for note in result.notes if "closes the gap" in note] == [
        "all is collected up to 2026-01-30 only: the next collection closes the gap before 2026-02-20"
    ]
    assert days_of(road, "AAA")[3:] == [date(2026, 2, 23), date(2026, 2, 27)]


def test_the_next_collection_closes_the_gap_before_a_window(road: Road) -> None:
    with_a_gap(road)
    road.collect("prices", date(2026, 2, 27))
    assert days_of(road, "AAA") == [day for day, _ in road.world.usual]
    assert watermarks(road)[-1] == date(2026, 2, 27)


def test_an_item_that_is_known_from_a_window_only_is_asked_from_its_beginning(road: Road) -> None:
    road.collect("universe")
    road.collect("prices")
    road.at(2026, 2, 28, 1)
    road.world.companies = [*road.world.companies, ("NEW", "New Nails", "2026-02-20", "0000000009")]
    road.collect("universe", date(2026, 2, 27))
    road.world.usual = [*road.world.usual, *FEBRUARY]
    road.collect("prices", date(2026, 2, 27), start=date(2026, 2, 20))
    assert days_of(road, "NEW") == [date(2026, 2, 23), date(2026, 2, 27)]
    road.collect("prices", date(2026, 2, 27))
    assert days_of(road, "NEW") == [day for day, _ in road.world.usual]


def test_an_item_without_an_answer_keeps_the_gap_open_for_the_next_time(road: Road) -> None:
    road.world.companies = [(f"Q{i:03d}", f"Quartz {i}", "2020-01-02", f"{i + 1:010d}") for i in range(100)]
    with_a_gap_of = road.world.companies[7][0]
    road.world.companies[0] = ("AAA", "Alpha Works", "2020-01-02", "0000000101")
    with_a_gap(road)
    road.world.instead = lambda seen: (
        Answer("down", 503, "text/plain") if seen.path.endswith(f"/{with_a_gap_of}") else None
    )
    road.collect("prices", date(2026, 2, 27))
    assert watermarks(road)[-1] == FRIDAY
    road.world.instead = lambda seen: None
    road.collect("prices", date(2026, 2, 27))
    assert days_of(road, with_a_gap_of) == [day for day, _ in road.world.usual]
    assert watermarks(road)[-1] == date(2026, 2, 27)


def test_a_past_that_is_stated_tolerates_no_missing_answer(road: Road) -> None:
    road.world.companies = [(f"Q{i:03d}", f"Quartz {i}", "2020-01-02", f"{i + 1:010d}") for i in range(100)]
    road.collect("universe")
    road.world.instead = lambda seen: Answer("down", 503, "text/plain") if seen.path.endswith("/Q007") else None
    with pytest.raises(SourceError, match=r"yahoo_chart: HTTP 503 from http://[^ ]*/Q007\?"):
        road.collect("prices", start=date(2020, 1, 1))
    assert road.rows("select 1 from raw.prices") == []


def test_a_window_that_ends_before_what_is_loaded_is_refused(road: Road) -> None:
    road.collect("universe")
    road.collect("prices", start=date(2026, 1, 29))
    before = road.rows("select * from ops.ingest_runs order by load_number")
    with pytest.raises(PasError, match="a window that ends 2026-01-20 would leave a gap") as caught:
        road.collect("prices", start=date(2026, 1, 5), end=date(2026, 1, 20))
    assert str(caught.value) == (
        "prices is collected from 2026-01-29 on: a window that ends 2026-01-20 would leave a gap"
        " (let it end 2026-01-28 or later, or leave --end out)"
    )
    assert road.rows("select * from ops.ingest_runs order by load_number") == before
    road.collect("prices", start=date(2026, 1, 5), end=date(2026, 1, 28))
    assert days_of(road, "AAA") == [day for day, _ in road.world.usual]
    # Now it begins there, and what ends just before that joins too.
    road.collect("prices", start=date(2026, 1, 1), end=date(2026, 1, 4))


def test_with_postgresql_away_a_stated_window_is_not_asked_again(road: Road) -> None:
    road.collect("universe")
    road.collect("prices")
    landing = Landing(road.settings.landing_url)
    usual = landing.load_state("ask-prices")
    road.collect("prices", start=date(2026, 1, 29))
    assert landing.load_state("ask-prices") == usual


def test_a_document_that_was_not_there_is_asked_for_again(road: Road) -> None:
    settings = road.settings.model_copy(update={"dataset_sources": {"politician_trades": ("house_clerk",)}})
    now = datetime(2026, 2, 1, tzinfo=UTC)

    def landed(document: str, fetched: datetime, reason: str | None) -> None:
        path = f"politician_trades/x/{document}-{fetched:%Y%m%d}"
        road.warehouse.execute(
            "insert into ops.landing_files (path, dataset, source, run_id, url, sha256, bytes, fetched_at, loaded_at)"
            " values (%s, 'politician_trades', 'house_clerk', 'r', %s, '', 0, %s, %s)",
            (path, f"https://site/ptr-pdfs/2026/{document}.pdf", fetched, fetched),
        )
        if reason:
            road.warehouse.execute(
                "insert into ops.quarantine (dataset, source, run_id, source_url, payload_path, reason, record,"
                " quarantined_at) values ('politician_trades', 'house_clerk', 'r', '', %s, %s, '{}', %s)",
                (path, reason, fetched),
            )

    landed("1", now - timedelta(days=3), None)
    landed("2", now - timedelta(days=3), "a scan without text, unreadable")
    landed("3", now - timedelta(days=3), NOT_THERE)
    landed("4", now - timedelta(days=3), NOT_THERE)
    landed("4", now - timedelta(days=1), None)
    landed("5", now - timedelta(days=40), NOT_THERE)
    landed("5", now - timedelta(days=1), NOT_THERE)
    ask = planning.plan(dataset("politician_trades"), settings, now, road.warehouse)
    assert ask.known == {"1.pdf", "2.pdf", "4.pdf", "5.pdf"}

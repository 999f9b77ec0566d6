"""Values as JSON and CSV carry them, formats of the pages, and messages of failures."""

from __future__ import annotations

import json
import logging
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from api import catalogue, pages
from api.errors import NotFound, Unprocessable
from api.middleware import keep_queries_out_of_the_access_log
from api.models import Metrics
from api.routers.dashboard import embedded
from api.routers.tables import as_csv
from api.store import Rows, missing, outdated
from api.values import plain


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (Decimal("NaN"), None),
        (Decimal("12.345678901"), 12.345678901),
        (0.1, 0.1),
        (True, True),
        (date(2026, 1, 2), date(2026, 1, 2)),
        ({"a": [float("nan"), Decimal(2)]}, {"a": [None, 2.0]}),
    ],
)
def test_plain(value: object, expected: object) -> None:
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)


def test_times_come_in_utc() -> None:
    at = datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=-5)))
    assert plain(at).isoformat() == "2026-01-02T06:00:00+00:00"


def test_a_nan_in_a_model_is_null() -> None:
    values = dict.fromkeys(Metrics.model_fields, float("nan")) | {
        "portfolio_id": "p", "basis": "model", "as_of": date(2026, 1, 2), "n_obs": 3,
    }  # fmt: skip
    assert json.loads(Metrics(**values).model_dump_json())["sharpe"] is None


def test_csv_is_exact() -> None:
    rows = Rows(
        ("a", "b,c"),
        [
            (0.1 + 0.2, 'say "x"\n'),
            (Decimal("100000000000000.123456789"), None),
            (float("nan"), True),
            (datetime(2026, 1, 2, 1, tzinfo=UTC), date(2026, 1, 2)),
            ({"b": 1, "a": [2]}, -0.0),
        ],
    )
    assert as_csv(rows) == (
        'a,"b,c"\r\n'
        '0.30000000000000004,"say ""x""\n"\r\n'
        "100000000000000.123456789,\r\n"
        ",true\r\n"
        "2026-01-02T01:00:00+00:00,2026-01-02\r\n"
        '"{""a"":[2],""b"":1}",-0.0\r\n'
    )


def test_missing_table_says_what_to_run() -> None:
    statement = "select 1 from ops.portfolios join marts.metrics on true"
    assert str(missing(statement, 'relation "marts.metrics" does not exist')) == (
        "marts.metrics is not there yet (build it with `pas build`)"
    )
    assert "`pas ingest prices`" in str(missing("select 1 from raw.prices", "Table with name prices does not exist!"))
    assert str(outdated("select x from marts.metrics", 'column "x" does not exist\nLINE 1: ...')) == (
        'marts.metrics has other columns than expected: column "x" does not exist (rebuild with `pas build`)'
    )


def test_an_older_warehouse_says_what_brings_it_up_to_date() -> None:
    told = str(outdated("select newest_at from ops.ingest_runs", 'column "newest_at" does not exist'))
    assert told.endswith("(`make run` brings the warehouse up to date)")


def test_catalogue_has_the_users_names() -> None:
    known = catalogue.tables()
    for name in ("prices", "politician_trades", "ops.trades", "weight_history", "marts.top_scores", "positions"):
        assert name in known
    assert catalogue.find("marts.metrics") is catalogue.find("metrics")


@pytest.mark.parametrize(
    "name", ["pg_catalog.pg_user", "staging.prices", "nosuch", 'prices"; drop table x', "PRICES", "", "x" * 500]
)
def test_only_catalogued_tables(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        catalogue.find(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["Close", 'close" desc --', "1", "close desc", ""])
def test_only_known_columns(name: str) -> None:
    with pytest.raises(Unprocessable):
        catalogue.checked(name, {"close": "double precision"}, catalogue.find("prices"))
    assert catalogue.checked("close", {"close": "double precision"}, catalogue.find("prices")) == '"close"'


def test_formats() -> None:
    assert pages.money(-1234.567, 2) == "−$1,234.57"
    assert pages.money(-0.001, 0) == "$0"
    assert pages.money(None) == pages.percent(None) == pages.quantity(None) == pages.moment(None) == "–"
    assert pages.percent(0.12345) == "12.3 %"
    assert [pages.signed_percent(v, 2) for v in (0.01234, -0.01, 0.00001, None)] == [
        "+1.23 %",
        "−1.00 %",
        "0.00 %",
        "–",
    ]
    assert pages.quantity(12.345678901) == "12.3457"
    assert [pages.signed_percent(v, 2) for v in (0.01234, -0.01, 0.00001, None)] == [
        "+1.23 %",
        "−1.00 %",
        "0.00 %",
        "–",
    ]
    assert pages.quantity(1200.0) == "1,200"
    assert pages.age(59) == "59 s"
    assert pages.age(7200) == "2 h"


def test_embedded_data_cannot_end_its_element() -> None:
    text = embedded({"name": "</script><script>alert(1)</script>&"})
    assert "<" not in text
    assert json.loads(text) == {"name": "</script><script>alert(1)</script>&"}


def test_every_file_of_the_pages_is_served_from_here() -> None:
    for name in ("style.css", "theme.js", "charts.js", "dashboard.js", "plotly.js", "plotly.css", "icon.svg"):
        found = pages.asset(name)
        assert found is not None
        assert found.version in pages.asset_url(name)
    assert pages.asset("../settings.py") is None
    # The library's own style elements, which the pages' content policy refuses, are found by their ids.
    assert all(f'"{one}"' in pages.asset("plotly.js").content.decode() for one in pages.chart_styles())  # type: ignore[union-attr]


def test_the_servers_access_log_leaves_queries_out() -> None:
    keep_queries_out_of_the_access_log()
    logger = logging.getLogger("uvicorn.access")
    values = ("1.2.3.4", "GET", "/db?token=x", "1.1", 200)
    record = logger.makeRecord(logger.name, logging.INFO, "f", 1, '%s - "%s %s HTTP/%s" %d', values, None)
    assert logger.filter(record)
    assert record.getMessage() == '1.2.3.4 - "GET /db HTTP/1.1" 200'

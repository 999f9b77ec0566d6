"""Every address against known rows: values, order, paging, failures."""

from __future__ import annotations

import csv
import io
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from pas_lib.clock import FixedClock
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.system_log import SystemLog
from tests.integration.api import seed
from tests.integration.api.conftest import MARKET_NOW


def get(client: TestClient, path: str, **params: Any) -> Any:
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-PAS-Source"] == "postgres"
    return answer.json()


def refused(client: TestClient, path: str, status: int, **params: Any) -> str:
    answer = client.get(path, params=params)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["instance"] == path
    assert "\n" not in body["detail"]
    assert "Traceback" not in answer.text
    return str(body["detail"])


def test_book(filled: Warehouse, client: TestClient) -> None:
    portfolios = get(client, "/portfolios")["records"]
    assert [p["portfolio_id"] for p in portfolios] == list(seed.IDS)
    first = portfolios[0]
    assert (first["session"], first["allocation"], first["scale"]) == ("2026-02-02", 0.4, 0.88)
    assert first["share"] == pytest.approx(0.352)
    assert first["positions"] == 2
    assert first["cash"] == pytest.approx(20_000 - 100 * 50 - 12.345678901 * 400.25, abs=1e-8)
    assert portfolios[3] | {"name": ""} == portfolios[3] | {"name": "", "positions": 0, "market_value": 0, "cash": None}

    detail = get(client, "/portfolios/congress_aggregate")
    assert [(t["symbol"], t["weight"]) for t in detail["targets"]] == [("AAA", 0.5), ("BRK.B", 0.3), ("CCC", 0.2)]
    assert detail["targets_session"] == "2026-02-02"
    assert {k: v for k, v in detail.items() if not k.startswith("targets")} == first

    # A portfolio that lost its share has no targets any more, though older decisions gave it some.
    filled.execute("delete from ops.weight_history where portfolio_id = 'sector_risk_parity' and decision_id = 'd2'")
    assert get(client, "/portfolios/sector_risk_parity")["targets"] == []
    # One that drifts keeps the targets of the decision that made it trade last.
    filled.execute("update ops.alloc_log set trades = false where decision_id = 'd2'")
    drifting = get(client, "/portfolios/sector_risk_parity")
    assert drifting["targets_session"] == "2026-01-30"
    assert len(drifting["targets"]) == 3

    close = {
        row["symbol"]: row["close"]
        for row in filled.rows("select symbol, close from marts.daily_returns where session = '2026-01-30'")
    }
    held = get(client, "/positions/congress_aggregate")
    values = {"AAA": 100 * close["AAA"], "BRK.B": 12.345678901 * close["BRK.B"]}
    assert {p["symbol"]: p["market_value"] for p in held["records"]} == pytest.approx(values)
    assert held["market_value"] == pytest.approx(sum(values.values()))
    assert sum(p["weight"] for p in held["records"]) == pytest.approx(1)
    assert held["records"][0]["unrealized_pnl"] == pytest.approx(values["AAA"] - 5000)
    everything = get(client, "/positions/all")
    assert len(everything["records"]) == 5
    assert everything["cash"] == pytest.approx(100_000 - sum(p["cost_basis"] for p in everything["records"]))
    assert get(client, "/positions/CASH")["cash"] == 40_000
    assert "did you mean wiki_attention" in refused(client, "/positions/wiki_atention", 404)


def test_trades_and_orders(filled: Warehouse, client: TestClient) -> None:
    trades = get(client, "/trades/all")["records"]
    assert [t["trade_id"] for t in trades] == ["t4", "t3", "t2", "t1", "t0"]
    one = get(client, "/trades/congress_aggregate")["records"]
    assert [(t["symbol"], t["qty"], t["price"]) for t in one] == [("BRK.B", 12.345678901, 400.25), ("AAA", 100, 50)]
    assert get(client, "/trades/all", end="2026-02-01")["records"] == []
    assert get(client, "/trades/wiki_attention")["records"] == []
    refused(client, "/trades/nobody", 404)

    pages = [get(client, "/trades/all", limit=2, page=n) for n in (1, 2, 3)]
    assert [t["trade_id"] for page in pages for t in page["records"]] == ["t4", "t3", "t2", "t1", "t0"]
    assert [page["next_page"] for page in pages] == [2, 3, None]

    orders = get(client, "/orders")["records"]
    assert len(orders) == 6
    rejected = get(client, "/orders", state="rejected")["records"]
    assert [(o["symbol"], o["reason"], o["filled_avg_price"]) for o in rejected] == [
        ("BRK.B", "not fractionable", None)
    ]
    assert (
        len(get(client, "/orders", portfolio_id="congress_aggregate", symbol="AAA", session="2026-01-30")["records"])
        == 1
    )
    assert "session" in refused(client, "/orders", 422, session="yesterday")


def test_listings_can_be_sorted(filled: Warehouse, client: TestClient) -> None:
    by_price = get(client, "/trades/all", sort_by="price", order="asc")["records"]
    assert [t["price"] for t in by_price] == [50.0, 50.0, 50.0, 400.25, 400.25]
    # Equal ones come as the listing has them, and pages fit together.
    pages = [get(client, "/trades/all", sort_by="price", order="asc", limit=2, page=n)["records"] for n in (1, 2, 3)]
    assert [t for page in pages for t in page] == by_price
    assert [t["trade_id"] for t in by_price[:3]] == ["t4", "t2", "t0"]
    # A value that is missing comes last in both directions.
    for order in ("asc", "desc"):
        prices = [
            o["filled_avg_price"] for o in get(client, "/orders", sort_by="filled_avg_price", order=order)["records"]
        ]
        assert prices[-1] is None
        assert prices[:-1] == sorted(prices[:-1], reverse=order == "desc")
    weights = get(client, "/weight_history/congress_aggregate", sort_by="symbol", order="asc")["records"]
    assert [w["symbol"] for w in weights] == ["AAA", "AAA", "BRK.B", "BRK.B", "CCC", "CCC"]
    for path in ("/trades/all", "/orders", "/weight_history/congress_aggregate"):
        for attack in ATTACKS:
            refused(client, path, 422, sort_by=attack)


def test_logs_and_approvals(filled: Warehouse, client: TestClient) -> None:
    clock = FixedClock(MARKET_NOW)
    SystemLog(filled, clock, "decide.decide", session=seed.FIRST, run_id="r7").write("info", "begun", names=3)
    SystemLog(filled, clock, "freshness").write("error", "stale", datasets=["prices"])
    SystemLog(filled, clock, "decide.decide", session=seed.SECOND).write("warning", "few")
    newest = get(client, "/logs")["records"]
    assert [(one["level"], one["program"], one["event"]) for one in newest] == [
        ("warning", "decide.decide", "few"), ("error", "freshness", "stale"), ("info", "decide.decide", "begun"),
    ]  # fmt: skip
    assert newest[1]["fields"] == {"datasets": ["prices"]}
    assert [one["event"] for one in get(client, "/logs", level="warning")["records"]] == ["few", "stale"]
    assert [one["event"] for one in get(client, "/logs", program="decide.decide", level="info")["records"]] == [
        "few", "begun",
    ]  # fmt: skip
    assert get(client, "/logs", session="2026-01-30", run_id="r7")["records"][0]["fields"] == {"names": 3}
    assert get(client, "/logs", limit=2)["next_page"] == 2
    assert [one["event"] for one in get(client, "/logs", limit=2, page=2)["records"]] == ["begun"]
    refused(client, "/logs", 422, level="loud")

    assert get(client, "/approvals")["records"] == []
    body = {"session": "2026-01-30", "plan_hash": "p", "decision": "refused", "by": "Ada", "note": "too much"}
    assert client.post("/approvals", json=body, headers={"Authorization": seed.ADMIN}).status_code == 201
    (one,) = get(client, "/approvals", session="2026-01-30")["records"]
    assert (one["decision"], one["decided_by"], one["note"], one["plan_hash"]) == ("refused", "Ada", "too much", "p")
    assert get(client, "/approvals", session="2026-02-02")["records"] == []


def test_a_method_that_is_not_there_names_those_that_are(filled: Warehouse, client: TestClient) -> None:
    for path, methods in (("/approvals", "GET, POST"), ("/metrics/x", "GET, POST"), ("/portfolios/x/weights", "PUT")):
        answer = client.delete(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)
        assert answer.json()["detail"] == f"DELETE is not possible here; {methods} is"


def test_characters_no_text_may_hold(filled: Warehouse, client: TestClient) -> None:
    for path in ("/orders?symbol=%00", "/positions/a%00b"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    admin = {"Authorization": seed.ADMIN, "Content-Type": "application/json"}
    for body in (rb'{"by": "\u0000"}', rb'{"by": "\ud800"}', b'{"by": NaN}', b'{"by": 1e999}'):
        answer = client.post("/risk/breaker", content=body, headers=admin)
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), body[:30]
    assert client.post("/risk/breaker", content=b"[" * 100_000, headers=admin).status_code == 400
    assert filled.rows("select count(*) as n from ops.trading_state") == [{"n": 2}]


def test_decisions(filled: Warehouse, client: TestClient) -> None:
    latest = get(client, "/allocations")
    assert latest["decision"]["decision_id"] == "d2"
    assert {a["portfolio_id"]: a["share"] for a in latest["records"]} == pytest.approx(
        dict(zip(seed.IDS, (0.352, 0.264, 0.176, 0.0), strict=True))
    )
    assert [a["trades"] for a in latest["records"]] == [True, True, True, False]
    assert latest["cash"] == pytest.approx(1 - 0.792)
    assert get(client, "/allocations", session="2026-01-30")["decision"]["cci"] == 0.8
    assert "2026-01-29" in refused(client, "/allocations", 404, session="2026-01-29")

    history = get(client, "/weight_history/congress_aggregate")["records"]
    assert [(w["session"], w["symbol"]) for w in history] == [
        (day, symbol) for day in ("2026-02-02", "2026-01-30") for symbol in ("AAA", "BRK.B", "CCC")
    ]
    assert len(get(client, "/weight_history/congress_aggregate", end="2026-01-30")["records"]) == 3

    regime = get(client, "/regime", sessions=5)
    assert [p["session"] for p in regime["records"]][-1] == regime["latest"]["session"] == "2026-01-29"
    assert len(regime["records"]) == 5
    assert regime["latest"]["parts"] == {"VIXCLS": 8.6}
    assert get(client, "/regime")["records"][0]["cci"] is None


def test_research(filled: Warehouse, client: TestClient) -> None:
    metrics = get(client, "/metrics/sector_risk_parity")["records"]
    assert [(m["basis"], m["as_of"], m["cvar_95"]) for m in metrics] == [("model", "2026-02-02", None)]
    assert metrics[0]["sharpe"] == pytest.approx(2.2)
    assert get(client, "/metrics/all")["records"][0]["basis"] == "realised"
    assert get(client, "/sector_exposure/all") == get(client, "/sector_exposure/ALL")
    found = get(client, "/correlations")
    assert (found["as_of"], found["portfolios"], len(found["records"])) == ("2026-02-02", list(seed.IDS), 16)

    sectors = get(client, "/sector_exposure/all")
    assert [(s["sector"], s["symbols"]) for s in sectors["records"]] == [
        ("Energy", 2),
        ("Utilities", 1),
        ("Unknown", 1),
    ]
    assert [s["weight"] for s in sectors["records"]] == pytest.approx([0.6, 0.3, 0.1])
    assert get(client, "/sector_exposure/congress_aggregate")["gross"] == pytest.approx(0.5)

    scores = get(client, "/scores/top", limit=3)
    assert scores["score_date"] == "2026-01-30"
    assert [(s["rank"], s["symbol"], s["momentum"]) for s in scores["records"]] == [
        (1, "T00", None), (2, "T01", 89.0), (3, "T02", 88.0),
    ]  # fmt: skip
    assert scores["is_frozen"] is True
    assert (scores["previous_date"], [s["previous_rank"] for s in scores["records"]]) == ("2025-12-31", [1, 2, 3])
    assert get(client, "/scores/top", date="2026-01-29")["score_date"] == "2025-12-31"
    assert get(client, "/scores/top", date="2020-01-01") == {
        "score_date": None,
        "is_frozen": None,
        "previous_date": None,
        "next_page": None,
        "records": [],
    }

    strategies = {s["strategy"]: s for s in get(client, "/strategies")["records"]}
    assert set(seed.IDS) <= set(strategies)
    assert (strategies["wiki_attention"]["names"], strategies["congress_aggregate"]["names"]) == (0, 2)
    assert strategies["wiki_attention"]["note"].startswith("stale")


def test_risk_is_that_of_the_holdings(filled: Warehouse, client: TestClient) -> None:
    answer = get(client, "/risk/congress_aggregate")
    rows = filled.rows("select symbol, session, ret, close from marts.daily_returns where symbol in ('AAA', 'BRK.B')")
    paths = {s: np.array([r["ret"] for r in rows if r["symbol"] == s]) for s in ("AAA", "BRK.B")}
    last = {r["symbol"]: r["close"] for r in rows if str(r["session"]) == "2026-01-30"}
    values = {"AAA": 100 * last["AAA"], "BRK.B": 12.345678901 * last["BRK.B"]}
    losses = np.sort(-sum(values[s] * paths[s] for s in values) / sum(values.values()))[::-1]
    # order statistic ceil((1 - a) T): the 9th largest of 175 losses at 95 %, the 2nd at 99 %
    assert answer["n_obs"] == 175
    assert answer["var_95"] == pytest.approx(losses[8], abs=1e-12)
    assert answer["var_99"] == pytest.approx(losses[1], abs=1e-12)
    assert answer["cvar_95"] >= answer["var_95"]
    assert (answer["largest"], answer["uncovered"]) == ("AAA", [])
    assert get(client, "/risk/wiki_attention")["var_95"] is None


def test_risk_without_a_part_of_the_history(filled: Warehouse, client: TestClient) -> None:
    def history() -> tuple[dict[str, float], dict[str, np.ndarray]]:
        rows = filled.rows(
            "select symbol, session, ret, close from marts.daily_returns where symbol in ('AAA', 'BRK.B')"
            " order by session"
        )
        days = sorted({row["session"] for row in rows})
        known = {(row["symbol"], row["session"]): row["ret"] for row in rows}
        last = {row["symbol"]: row["close"] for row in rows}
        paths = {s: np.array([known.get((s, day), np.nan) for day in days], dtype=float) for s in ("AAA", "BRK.B")}
        return {"AAA": 100 * last["AAA"], "BRK.B": 12.345678901 * last["BRK.B"]}, paths

    def delete(symbol: str, where: str) -> None:
        with filled.connect() as conn:
            conn.execute(f"delete from marts.daily_returns where symbol = '{symbol}' and {where}")  # type: ignore[arg-type]

    # The larger holding is away for a while: what is left is less than half of the value, and such days do not count.
    delete("AAA", "session between '2025-10-01' and '2025-10-31'")
    # The smaller one is away on other days: the larger stands for both.
    delete("BRK.B", "session between '2025-12-01' and '2025-12-31'")
    values, paths = history()
    away = np.isnan(paths["AAA"])
    both = sum(values[s] * paths[s] for s in values) / sum(values.values())
    moved = np.where(np.isnan(paths["BRK.B"]), paths["AAA"], both)[~away]
    assert (int(away.sum()), int(np.isnan(paths["BRK.B"]).sum())) == (23, 23)
    answer = get(client, "/risk/congress_aggregate")
    assert (answer["n_obs"], answer["n_symbols"], answer["uncovered"]) == (len(moved), 2, [])
    assert answer["annual_volatility"] == pytest.approx(np.std(moved, ddof=1) * np.sqrt(252), rel=1e-12)

    # With less than half of the sessions it is left out, and named.
    delete("AAA", "session < '2026-01-02'")
    alone = history()[1]["BRK.B"]
    alone = alone[~np.isnan(alone)]
    answer = get(client, "/risk/congress_aggregate")
    assert (answer["n_obs"], answer["n_symbols"], answer["uncovered"]) == (len(alone), 1, ["AAA"])
    assert answer["annual_volatility"] == pytest.approx(np.std(alone, ddof=1) * np.sqrt(252), rel=1e-12)
    assert (answer["largest"], answer["largest_weight"]) == ("BRK.B", 1.0)


def test_table_pages_are_stable(filled: Warehouse, client: TestClient) -> None:
    seen = []
    page: int | None = 1
    while page:
        answer = get(
            client, "/db/prices", sort_by="event_date", order="desc", limit=4, page=page, fields="row_id,event_date"
        )
        assert (answer["total"], answer["pages"], answer["columns"]) == (15, 4, ["row_id", "event_date"])
        seen += [(r["event_date"], r["row_id"]) for r in answer["records"]]
        page = answer["next_page"]
    assert len(set(seen)) == 15
    assert seen == sorted(seen, reverse=True)
    assert get(client, "/db/prices", page=99)["records"] == []
    nan = get(client, "/db/prices", sort_by="close", order="desc", limit=1)["records"][0]
    assert (nan["symbol"], nan["close"]) == ("CCC", None)


def test_table_list(filled: Warehouse, client: TestClient) -> None:
    tables = {f"{t['schema']}.{t['table']}": t for t in get(client, "/db")["records"]}
    assert tables["ops.trades"]["is_there"]
    assert "symbol" in tables["raw.prices"]["columns"]
    assert not tables["marts.ticker_scores"]["is_there"]
    for name, table in tables.items():
        if table["is_there"]:
            assert set(table["key"]) <= set(table["columns"]), name
            assert get(client, f"/db/{name}", limit=1)["table"] == table["table"]


def test_csv_equals_the_table(filled: Warehouse, client: TestClient) -> None:
    answer = client.get("/db/trades", params={"format": "csv", "fields": "trade_id,qty,price,executed_at,open_price"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["X-PAS-Total"] == "5"
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert rows[1] == {
        "trade_id": "t1",
        "qty": "12.345678901",
        "price": "400.250000000",
        "executed_at": "2026-02-02T03:31:00+00:00",
        "open_price": "",
    }
    everything = client.get("/db/prices", params={"format": "csv", "limit": 10_000}).text
    stored = filled.rows("select close from raw.prices order by row_id")
    closes = [row["close"] for row in csv.DictReader(io.StringIO(everything, newline=""))]
    assert closes == ["" if r["close"] != r["close"] else repr(r["close"]) for r in stored]


ATTACKS = (
    "close; drop table raw.prices",
    'close" desc; drop table raw.prices --',
    "(select 1)",
    "1",
    "pg_sleep(10)",
    "close desc",
    "close%00",
    "*",
    "ctid",
)


def test_identifiers_are_checked(filled: Warehouse, client: TestClient) -> None:
    for attack in ATTACKS:
        refused(client, "/db/prices", 422, sort_by=attack)
        refused(client, "/db/prices", 422, fields=f"symbol,{attack}")
        refused(client, "/db/prices", 422, order=attack)
        assert client.get(f"/db/{attack}").status_code == (400 if "%00" in attack else 404)
    for table in ("nosuch", "pg_user", "information_schema.tables", "staging.prices", "price"):
        assert f"unknown table '{table}'" in refused(client, f"/db/{table}", 404)
    assert filled.rows("select count(*) as n from raw.prices") == [{"n": 15}]


def test_values_are_bound(filled: Warehouse, client: TestClient) -> None:
    attack = "x' or '1'='1"
    assert get(client, "/orders", symbol=attack)["records"] == []
    refused(client, f"/portfolios/{attack}", 404)
    refused(client, f"/metrics/{attack}", 404)
    assert get(client, "/orders", symbol="%(state)s")["records"] == []


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"limit": 0}, "limit"),
    ({"limit": 10_001}, "limit"),
    ({"page": 0}, "page"),
    ({"page": "x"}, "page"),
    ({"order": "up"}, "order"),
    ({"format": "xml"}, "format"),
    ({"fields": ""}, "column"),
    ({"sort_by": "closed"}, "did you mean close"),
)


def test_bad_parameters(warehouse: Warehouse, client: TestClient) -> None:
    for params, named in BAD:
        assert named in refused(client, "/db/prices", 422, **params)


def test_missing_marts_are_named(warehouse: Warehouse, client: TestClient) -> None:
    seed.fill(warehouse, marts=False)
    for path, mart in (
        ("/scores/top", "marts.top_scores"),
        ("/metrics/congress_aggregate", "marts.metrics"),
        ("/correlations", "marts.correlations"),
        ("/sector_exposure/all", "marts.exposures"),
        ("/db/top_scores", "marts.top_scores"),
    ):
        detail = refused(client, path, 503)
        assert mart in detail
        assert "pas build" in detail
    held = get(client, "/positions/all")
    assert held["market_value"] is None
    assert {p["qty"] for p in held["records"]} == {100.0, 12.345678901}
    assert client.get("/dashboard").status_code == 200


def test_an_empty_warehouse_answers(warehouse: Warehouse, client: TestClient) -> None:
    assert get(client, "/portfolios") == {"next_page": None, "records": []}
    assert get(client, "/allocations") == {"next_page": None, "decision": None, "cash": None, "records": []}
    assert get(client, "/regime") == {"next_page": None, "latest": None, "records": []}
    assert get(client, "/positions/all")["records"] == []
    assert "no portfolios yet" in refused(client, "/portfolios/congress_aggregate", 404)
    page = client.get("/dashboard")
    assert page.status_code == 200
    assert "No decision yet" in page.text


def test_prometheus(filled: Warehouse, client: TestClient) -> None:
    lines = client.get("/metrics").text.splitlines()
    for line in (
        'pas_up{source="postgres"} 1.0',
        'pas_up{source="mirror"} 0.0',
        "pas_equity_usd 101500.123456789",
        'pas_orders_total{state="filled"} 5.0',
        'pas_orders_total{state="rejected"} 1.0',
        'pas_trades_total{kind="fill"} 5.0',
        'pas_trading_state{state="ACTIVE"} 1.0',
        'pas_trading_state{state="HALTED"} 0.0',
        'pas_positions{portfolio="congress_aggregate"} 2.0',
        'pas_dataset_stale{dataset="wiki_views"} 1.0',
        'pas_dataset_stale{dataset="prices"} 0.0',
        'pas_ingest_rows_total{dataset="prices"} 377511.0',
        'pas_quarantined_rows_total{dataset="prices"} 3.0',
        "pas_task_failures_total 0.0",
    ):
        assert line in lines, line


def test_dashboard_shows_what_the_api_answers(filled: Warehouse, client: TestClient) -> None:
    for address, texts in {
        "/dashboard": ("sandbox", "$101,500", "Congress aggregate", "35.2 %", "older than tolerated"),
        "/dashboard/research": ("T00", "+1 together", "2026-01-30"),
        "/dashboard/trading": ("not fractionable", "rejected", "ACTIVE"),
        "/dashboard/data": ("stale", "never loaded", "wiki_views"),
        "/dashboard/portfolios": ("BRK.B", "Off target", "Energy"),
    }.items():
        page = client.get(address).text
        for text in texts:
            assert text in page, (address, text)
    policy = client.get("/dashboard").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy

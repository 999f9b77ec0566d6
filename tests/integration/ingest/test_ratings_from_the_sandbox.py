"""Analyst ratings by both roads against the sandbox; the cookie and the crumb."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from pas_lib.clock import NY, clock_for, next_session
from pas_lib.errors import PayloadError, SourceError
from pas_lib.ingest import ingest, plan, road
from pas_lib.sandbox.faults import Fault
from pas_lib.sandbox.testing import RunningSandbox, running_sandbox
from pas_lib.settings import Settings
from pas_lib.sources import Ask, source
from pas_lib.sources.http import Client
from pas_lib.warehouse import Warehouse
from tests.support.loopback import Answer, Seen, serve
from tests.support.road import EVENING, settings_at

FRIDAY = date(2026, 1, 30)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def here(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Settings]:
    yield settings_at(sandbox.url, "postgresql://unused/unused", tmp_path).model_copy(update={"http_timeout_sec": 0.5})
    sandbox.faults.clear()


def symbols(sandbox: RunningSandbox, count: int = 100) -> tuple[str, ...]:
    on = sandbox.world.symbols_on(FRIDAY)
    return tuple(sorted(symbol for symbol, item in on.items() if item.tier != "F"))[:count]


def collect(name: str, settings: Settings, items: tuple[str, ...], **more: Any) -> list[dict[str, Any]]:
    now = more.pop("now", None) or clock_for(settings).now()
    site = source(name)
    ask = Ask("analyst_ratings", settings, now, date(2025, 1, 1), items, **more)
    with Client(site, settings, now) as client:
        pages = [page for pages in client.fetch_all(site.requests(ask)) for page in pages]
    assert not any("crumb" in page.url or "token" in page.url for page in pages)
    return [row for page in pages for batch in site.parse(page) for row in batch.records]


def rated(sandbox: RunningSandbox) -> tuple[str, ...]:
    """Two symbols of which there are ratings."""
    with_ratings = {row["symbol"] for row in collect("benzinga", settings_of(sandbox), ())}
    return tuple(symbol for symbol in symbols(sandbox) if symbol in with_ratings)[:2]


def settings_of(sandbox: RunningSandbox) -> Settings:
    return settings_at(sandbox.url, "postgresql://unused/unused", sandbox.home)


@pytest.mark.parametrize("name", ["benzinga", "benzinga_page", "yahoo_summary"])
@pytest.mark.parametrize("kind", ["429", "500", "truncated", "disconnect", "columns", "challenge", "empty", "blank"])
def test_a_fault_that_stays_is_an_error_and_one_that_passes_is_not(name, kind, here, sandbox):
    items = rated(sandbox)
    rows = len(collect(name, here, items))
    assert rows > 0
    sandbox.faults.put(Fault(source(name).site, kind, retry_after=0))
    with pytest.raises(SourceError) as caught:
        collect(name, here, items)
    assert str(caught.value).startswith(f"{name}:")
    assert sandbox.url in str(caught.value)
    sandbox.faults.clear()
    sandbox.faults.put(Fault(source(name).site, kind, times=1, retry_after=0))
    assert len(collect(name, here, items)) == rows


def test_both_roads_tell_the_same(here, sandbox):
    def slots(rows: list[dict[str, Any]], only: set[str]) -> list[tuple[Any, ...]]:
        names = ("symbol", "firm", "action", "rating_current", "rating_prior", "rated_at")
        return sorted(
            tuple(row[name] or "" for name in names)
            for row in rows
            # Symbols that changed: the one site tells the old one, the other the present one.
            if row["symbol"] in only and row["event_date"] >= date(2025, 9, 15)
        )

    stable = {s for s in symbols(sandbox) if len((sandbox.world.listing(s, FRIDAY) or fail()).spells) == 1}
    one, other = (collect(name, here, symbols(sandbox)) for name in ("benzinga", "yahoo_summary"))
    assert len(slots(one, stable)) > 150
    assert slots(one, stable) == slots(other, stable)


def test_the_page_tells_the_newest_ratings_as_the_calendar_does(here, sandbox):
    page = {row["rating_id"]: row for row in collect("benzinga_page", here, ())}
    calendar = {row["rating_id"]: row for row in collect("benzinga", here, ())}
    assert len(page) > 200
    assert {row["action"] for row in page.values()} >= {"upgrade", "downgrade", "maintain"}
    assert all(row == calendar[number] for number, row in page.items())
    newest = max(row["rated_at"] for row in calendar.values())
    assert newest in {row["rated_at"] for row in page.values()}


def fail() -> Any:
    raise AssertionError("a symbol of the day has no listing")


def test_benzinga_wants_a_token_and_gives_xml_unless_told(sandbox):
    url = f"{sandbox.url}/benzinga/api/v2.1/calendar/ratings"
    assert requests.get(url, params={"token": "wrong"}, timeout=5).status_code == 401
    answer = requests.get(url, params={"token": "sandbox"}, headers={"Accept": "*/*"}, timeout=5)
    assert answer.headers["content-type"].startswith("text/xml")
    ask = {"token": "sandbox", "pagesize": "7", "page": "1", "parameters[date_to]": "2026-01-20"}
    rows = requests.get(url, params=ask, headers={"Accept": "application/json"}, timeout=5).json()["ratings"]
    assert len(rows) == 7
    assert rows[0]["date"] <= "2026-01-20"
    assert [row["date"] + row["time"] for row in rows] == sorted((r["date"] + r["time"] for r in rows), reverse=True)


def test_targets_are_those_of_the_day_not_restated_for_later_splits(here, sandbox):
    rows = {row["rating_id"]: row for row in collect("benzinga", here, ())}
    url, params = f"{sandbox.url}/benzinga/api/v2.1/calendar/ratings", {"token": "sandbox", "pagesize": "1000"}
    shown = requests.get(url, params=params, headers={"Accept": "application/json"}, timeout=5).json()["ratings"]
    restated = [r for r in shown if r["pt_current"] and float(r["pt_current"]) != float(r["adjusted_pt_current"])]
    assert restated
    assert all(rows[r["id"]]["target_current"] == float(r["pt_current"]) for r in restated)


# -- cookie and crumb


def test_a_crumb_that_ran_out_is_renewed_once(here, sandbox):
    items = rated(sandbox)
    rows = collect("yahoo_summary", here, items[:1])
    before = sandbox.faults.requests["yahoo"]
    sandbox.faults.put(Fault("yahoo", "500", status=401, times=1, path="quoteSummary"))
    assert collect("yahoo_summary", here, items[:1]) == rows
    # Cookie, crumb, refused; cookie, crumb, answered.
    assert sandbox.faults.requests["yahoo"] == before + 6
    sandbox.faults.put(Fault("yahoo", "500", status=401, path="quoteSummary"))
    with pytest.raises(SourceError, match="HTTP 401"):
        collect("yahoo_summary", here, items[:1])
    assert sandbox.faults.requests["yahoo"] == before + 12


@pytest.mark.parametrize(
    ("crumb", "said"),
    [
        (Answer("Too Many Requests", content_type="text/plain"), "'Too Many Requests'"),
        (Answer("<html>consent</html>", content_type="text/html"), "no crumb but HTTP 200"),
        (Answer("", content_type="text/plain"), "no crumb but HTTP 200 ''"),
        (Answer("", 401), "no crumb but HTTP 401"),
    ],
)
def test_a_refusal_is_not_taken_for_a_crumb(crumb, said, tmp_path):
    def site(request: Seen) -> Answer:
        if request.path.endswith("getcrumb"):
            return crumb
        assert "quoteSummary" not in request.path
        return Answer("", 404, headers={"Set-Cookie": "A3=x; Path=/yahoo"})

    with serve(site) as server:
        settings = settings_at(server.url, "postgresql://unused/unused", tmp_path)
        with pytest.raises(SourceError) as caught:
            collect("yahoo_summary", settings, ("AAA",), now=EVENING)
        assert said in str(caught.value)
        assert server.url in str(caught.value)


def test_the_cookie_goes_with_every_question(tmp_path):
    grade = '{"epochGradeDate":1738352759,"firm":"F","toGrade":"Buy","fromGrade":"","action":"up"}'
    body = f'{{"quoteSummary":{{"result":[{{"upgradeDowngradeHistory":{{"history":[{grade}]}}}}],"error":null}}}}'

    def site(request: Seen) -> Answer:
        if request.path.endswith("getcrumb"):
            return Answer("abc./DEF12g", content_type="text/plain")
        if "quoteSummary" in request.path:
            return Answer(body)
        return Answer("", 404, headers={"Set-Cookie": "A3=secret; Path=/yahoo"})

    with serve(site) as server:
        settings = settings_at(server.url, "postgresql://unused/unused", tmp_path)
        assert len(collect("yahoo_summary", settings, ("AAA", "BBB"), now=EVENING)) == 2
        asked = [request for request in server.seen if "quoteSummary" in request.path]
        assert {request.query["crumb"] for request in asked} == {"abc./DEF12g"}
        assert all("A3=secret" in request.headers["cookie"] for request in asked)


# -- the whole road


@pytest.mark.parametrize("name", ["benzinga", "benzinga_page", "yahoo_summary"])
def test_sessions_are_collected_exactly_once(name, warehouse: Warehouse, tmp_path: Path, monkeypatch):
    for module in (road, plan):
        monkeypatch.setattr(module, "usable_sources", lambda data, settings: usable(data, settings, name))
    with running_sandbox(tmp_path / "sandbox") as sandbox:
        settings = settings_at(sandbox.url, warehouse.url, tmp_path)
        clock, session, new = clock_for(settings), FRIDAY, 0
        ingest("universe", session, settings=settings, clock=clock, warehouse=warehouse)
        for number in range(4):
            result = ingest("analyst_ratings", session, settings=settings, clock=clock, warehouse=warehouse)
            assert (result.deleted, result.quarantined) == (0, 0)
            assert result.changed == 0 or number
            new += result.new
            if number == 0:
                again = ingest("analyst_ratings", session, settings=settings, clock=clock, warehouse=warehouse)
                assert (again.status, again.new) == ("unchanged", 0)
            elif name == "benzinga":
                assert result.parsed < 40
            late = warehouse.rows("select count(*) as n from raw.analyst_ratings where known_at > %s", (clock.now(),))
            assert late == [{"n": 0}]
            for to in ("open", "evening"):
                requests.post(f"{sandbox.url}/sandbox/advance", json={"to": to}, timeout=10).raise_for_status()
            session = next_session(session)
        found = warehouse.rows(
            "select count(distinct rating_id) as n, max(event_date) as newest, bool_and(event_date ="
            " (rated_at at time zone 'America/New_York')::date) as dated from raw.analyst_ratings"
        )[0]
        assert (found["n"], found["dated"]) == (new, True)
        assert found["newest"] > FRIDAY
        assert found["newest"] <= clock.now().astimezone(NY).date()


def usable(data: Any, settings: Settings, name: str) -> list[Any]:
    from pas_lib.sources import usable_sources

    return [source(name)] if data.name == "analyst_ratings" else usable_sources(data, settings)


def test_an_empty_answer_leaves_raw_as_it_was(warehouse: Warehouse, here: Settings, sandbox):
    settings = here.model_copy(update={"database_url": warehouse.url})
    clock = clock_for(settings)
    ingest("analyst_ratings", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
    before = warehouse.rows("select count(*) as n, max(row_id) as last from raw.analyst_ratings")
    assert before[0]["n"] > 500
    for kind in ("challenge", "empty", "columns", "truncated"):
        sandbox.faults.put(Fault("benzinga", kind))
        with pytest.raises(PayloadError):
            ingest("analyst_ratings", FRIDAY, settings=settings, clock=clock, warehouse=warehouse)
        sandbox.faults.clear()
    assert warehouse.rows("select count(*) as n, max(row_id) as last from raw.analyst_ratings") == before

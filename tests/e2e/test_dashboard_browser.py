"""The dashboard in a real browser: one server and one Chromium for everything a person does on its pages."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import requests
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from api.factory import create_app
from pas_lib import access
from pas_lib.clock import FixedClock
from pas_lib.settings import PROJECT_ROOT, load_settings
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.conftest import database
from tests.integration.api import seed
from tests.integration.api.airflow_stand_in import PASSWORD, airflow_stand_in
from tests.support.job import free_ports, wait_for

pytestmark = pytest.mark.browser

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
NOW = datetime(2026, 2, 3, 4, 0, tzinfo=UTC)
#: Before the open of the session in which the stored plan is executed.
MARKET_NOW = datetime(2026, 2, 2, 13, 0, tzinfo=UTC)
PAGES = ("", "/portfolios", "/research", "/risk", "/trading", "/data", "/data/ops.trades", "/tokens")
READ = {"Authorization": seed.READ}


class Logged(logging.Handler):
    """Keeps what the server writes."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture(scope="module")
def book(postgres_server: EmbeddedPostgres, warehouse_template: str) -> Iterator[Warehouse]:
    """A filled warehouse, with some sessions of the account and an open alert."""
    for warehouse in database(postgres_server, warehouse_template):
        seed.fill(warehouse)
        with warehouse.connect() as conn:
            conn.execute(
                "create table marts.portfolio_returns (portfolio_id text, session date, equity double precision,"
                " ret double precision, cash_flow double precision)"
            )
            equity = 100_000.0
            for n, day in enumerate(seed.days(date(2025, 9, 2), 30)):
                ret = ((n * 31) % 17 - 7) / 1000 if n else 0.0
                equity *= 1.0 + ret
                conn.execute(
                    "insert into marts.portfolio_returns values ('ALL', %s, %s, %s, %s)",
                    (day, equity, ret, 0.0 if n else 100_000.0),
                )
            conn.execute(
                "insert into ops.risk_alerts (raised_at, session, decision_id, rule, metric, op, threshold, value,"
                " message) values (%s, %s, 'd2', 'setting', 'var_99', '>', 0.04, 0.05, 'var_99 is 0.05, > 0.04')",
                (seed.AT, seed.SECOND),
            )
        yield warehouse


@pytest.fixture(scope="module")
def app(book: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """The application, with jobs."""
    home = tmp_path_factory.mktemp("home")
    env = {"PAS_HOME": str(home), "PAS_DATABASE_URL": book.url}
    with airflow_stand_in() as airflow:
        settings = load_settings(env, root=home).model_copy(
            update={
                "api_token": SecretStr(seed.ADMIN),
                "api_read_token": SecretStr(seed.READ),
                "airflow_url": airflow,
                "airflow_password": SecretStr(PASSWORD),
            }
        )
        one = create_app(settings, clock=FixedClock(NOW), market_clock=FixedClock(MARKET_NOW))
        one.state.event_interval = 0.05
        yield one


@pytest.fixture(scope="module")
def server(app: FastAPI) -> Iterator[str]:
    """The address of a running server; at its end, what it wrote is searched for the tokens."""
    port = free_ports(1)[0]
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1)
    running = uvicorn.Server(config)
    kept = Logged()
    logging.getLogger("api").addHandler(kept)
    logging.getLogger("uvicorn").addHandler(kept)
    level = logging.getLogger("api").level
    logging.getLogger("api").setLevel(logging.DEBUG)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    wait_for(lambda: running.started)
    yield f"http://127.0.0.1:{port}"
    running.should_exit = True
    thread.join(timeout=20)
    logging.getLogger("api").setLevel(level)
    logging.getLogger("api").removeHandler(kept)
    logging.getLogger("uvicorn").removeHandler(kept)
    assert [line for line in kept.lines if "GET /dashboard/login" in line]
    assert not [line for line in kept.lines if "canary" in line]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: the package chromium)")
    with playwright.sync_playwright() as driver:
        one = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield one
        one.close()


Visit = Callable[..., Any]


@pytest.fixture
def visit(server: str, chromium: Any) -> Iterator[Visit]:
    """Open the dashboard with a token; whatever the browser complains of, or asks of elsewhere, fails the test."""
    contexts: list[Any] = []
    failures: list[str] = []

    def opened(
        token: str, path: str = "", *, width: int = 1360, scheme: str = "light", expect: tuple[str, ...] = ()
    ) -> Any:
        context = chromium.new_context(
            color_scheme=scheme, viewport={"width": width, "height": 900}, reduced_motion="reduce"
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()

        def told(text: str) -> None:
            if not any(known in text for known in expect):
                failures.append(text)

        page.on("pageerror", lambda error: told(str(error)))
        page.on("console", lambda line: told(line.text) if line.type in {"error", "warning"} else None)
        page.on("request", lambda r: None if r.url.startswith((server, "data:")) else told(f"asked for {r.url}"))
        page.goto(f"{server}/dashboard{path}")
        assert page.url == f"{server}/dashboard/login"
        page.fill("#token", token)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{server}/dashboard")
        go(page, server, path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert failures == []


def go(page: Any, address: str, path: str) -> None:
    """Show a page, with its charts drawn and its stream of events open."""
    if page.url != f"{address}/dashboard{path}":
        page.goto(f"{address}/dashboard{path}")
    if page.locator(".chart").count():
        page.wait_for_selector("html[data-charts-ready=yes]")
    page.wait_for_selector("#live.good")


#: Every text that can be seen with its contrast (WCAG 2) below what its size needs.
FAINT = """
() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const back = parse(getComputedStyle(e).backgroundColor);
      if (back.length === 3 || back[3] === 1) return back;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.checkVisibility()) continue;
    if (e.closest("svg, script, .hidden, .skip")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(parse(style.color)), light(behind(e))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.7 && style.fontWeight >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) faint.push(`${e.textContent.trim()} (${e.className})`);
  }
  return faint;
}
"""
#: Controls without a name, tables without a caption, pictures without words, headings that skip a level.
MUTE = """
() => {
  const mute = [];
  for (const e of document.querySelectorAll("button, a, input:not([type=hidden]), select, textarea")) {
    const name = e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim();
    if (!name) mute.push(e.outerHTML);
  }
  const all = (selector) => [...document.querySelectorAll(selector)];
  for (const e of all("table")) if (!e.caption?.textContent.trim()) mute.push(e.outerHTML.slice(0, 90));
  for (const e of all("[role=img]")) if (!(e.getAttribute("aria-label")?.length > 30)) mute.push(e.id);
  for (const e of all(".scroll")) if (e.tabIndex !== 0 || !e.getAttribute("aria-label")) mute.push("scroll");
  const levels = all("h1, h2, h3").filter((e) => !e.closest("dialog")).map((e) => +e.tagName[1]);
  if (levels.filter((n) => n === 1).length !== 1 || levels[0] !== 1) mute.push(`headings ${levels}`);
  for (const one of ["header", "nav", "main", "footer", "aside"]) if (all(one).length !== 1) mute.push(one);
  return mute;
}
"""


#: A write as a script of the page would send it, with a CSRF token or without one.
SEND = """
async (token) => {
  const headers = {"Content-Type": "application/json", ...(token ? {"X-CSRF-Token": token} : {})};
  const body = JSON.stringify({state: "ACTIVE", by: "Eve", reason: "x"});
  return (await fetch("/risk/breaker", {method: "POST", headers, body})).status;
}
"""


@pytest.mark.parametrize(("scheme", "width"), [("light", 1360), ("dark", 1360), ("dark", 390)])
def test_every_page_can_be_read(visit: Visit, server: str, scheme: str, width: int) -> None:
    page = visit(seed.ADMIN, scheme=scheme, width=width)
    for path in PAGES:
        go(page, server, path)
        assert page.locator(".banner strong").inner_text() == "SANDBOX"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(FAINT) == [], path
        assert page.evaluate(MUTE) == [], path
        # Charts lie inside their cards, one on another, and their legends with them.
        for chart in page.locator(".chart").all():
            frame = chart.bounding_box()
            for layer in chart.locator(".main-svg").all():
                inside = layer.bounding_box()
                assert abs(inside["y"] - frame["y"]) < 2
                assert inside["x"] + inside["width"] <= frame["x"] + frame["width"] + 2
    is_dark = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]) < 60"
    assert page.evaluate(is_dark) == (scheme == "dark")
    go(page, server, "")
    drawn = "document.querySelector('#chart-performance text').style.fill"
    before = page.evaluate(drawn)
    page.click("#theme")
    assert page.evaluate(is_dark) != (scheme == "dark")
    wait_for(lambda: page.evaluate(drawn) != before)
    assert page.evaluate(FAINT) == []
    # The choice stays, and no script can read the session.
    page.reload()
    assert page.evaluate(is_dark) != (scheme == "dark")
    assert page.evaluate("document.cookie") == ""


def test_charts_show_what_the_api_answers(visit: Visit, server: str) -> None:
    page = visit(seed.READ)

    def api(path: str) -> Any:
        answer = requests.get(f"{server}{path}", headers=READ, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def drawn(key: str) -> Any:
        script = (
            "key => document.getElementById(`chart-${key}`).data.map(t => ({x: t.x, y: t.y, z: t.z, name: t.name}))"
        )
        return page.evaluate(script, key)

    def column(records: list[dict[str, Any]], name: str) -> list[Any]:
        return [record[name] for record in records]

    points = api("/performance/all")["records"]
    equity, benchmark, drawdown, below = drawn("performance")
    assert equity["x"] == column(points, "session")
    assert equity["y"] == column(points, "equity")
    assert benchmark["y"] == column(points, "benchmark_equity")
    assert drawdown["y"] == column(points, "drawdown")
    assert below["y"] == column(points, "benchmark_drawdown")
    assert min(drawdown["y"]) < 0 < max(benchmark["y"])
    history = api("/allocation_history")["records"]
    *given, cash = drawn("allocation")
    assert cash["y"] == column(history, "cash")
    by_name = {one["name"]: one["portfolio_id"] for one in api("/portfolios")["records"]}
    for one in given:
        assert one["y"] == [record["shares"][by_name[one["name"]]] for record in history]
    assert len(given) == 3

    go(page, server, "/portfolios")
    sectors = api("/sector_exposure/all")["records"]
    (bars,) = drawn("sectors")
    assert list(zip(reversed(bars["y"]), reversed(bars["x"]), strict=True)) == [
        (one["sector"], one["weight"]) for one in sectors
    ]
    go(page, server, "/research")
    found = api("/correlations")
    (square,) = drawn("correlation")
    pairs = {(one["portfolio_a"], one["portfolio_b"]): one["correlation"] for one in found["records"]}
    assert square["z"] == [[pairs[a, b] for b in found["portfolios"]] for a in found["portfolios"]]
    rows = api("/db/model_returns?limit=10000&sort_by=session")["records"]
    for line in drawn("growth"):
        own = [row["model_return"] for row in rows if row["portfolio_id"] == by_name[line["name"]]]
        grown = 1.0
        for value in own:
            grown *= 1.0 + value
        assert (len(line["y"]), line["y"][-1]) == (len(own), pytest.approx(grown, rel=1e-12))
    scores = api("/scores/top")["records"]
    ranks = page.locator("section:has(#h-scores) tbody tr").all_inner_texts()
    assert [row.split("\t")[2] for row in ranks] == column(scores, "symbol")
    assert {row.split("\t")[1].strip() for row in ranks} == {"same"}
    go(page, server, "/risk")
    regime = api("/regime?sessions=504")
    cci, scale = drawn("regime")
    assert (cci["y"], scale["y"]) == (column(regime["records"], "cci"), column(regime["records"], "scale"))
    (parts,) = drawn("parts")
    assert parts["y"] == ["Expected volatility (VIX)"]
    assert parts["x"] == [pytest.approx(regime["latest"]["parts"]["VIXCLS"])]


def test_the_trading_state_is_switched_with_a_reason(visit: Visit, server: str, book: Warehouse) -> None:
    page = visit(seed.ADMIN, "/trading", expect=("status of 403",))
    page.click("[data-open=switch]")
    page.check("input[value=HALTED]")
    page.fill("#switch input[name=by]", "Ada")
    # Without a reason the browser itself does not send.
    page.click("#switch button[type=submit]")
    assert page.locator("#switch").is_visible()
    page.fill("#switch textarea", "strange fills")
    page.click("#switch button[type=submit]")
    page.wait_for_selector("#state-now .state.halted")
    assert not page.locator("#switch").is_visible()
    assert "strange fills" in page.locator("#state-now tbody tr").first.inner_text()
    latest = book.rows("select state, set_by, reason from ops.trading_state order by state_id desc limit 1")
    assert latest == [{"state": "HALTED", "set_by": "Ada", "reason": "strange fills"}]
    audited = book.rows(
        "select actor, stated_by, phase from ops.audit_log where path = '/risk/breaker' order by audit_id"
    )
    assert [tuple(row.values()) for row in audited] == [("admin", "Ada", "asked"), ("admin", "Ada", "done")]
    go(page, server, "")
    assert "Trading is HALTED: strange fills" in page.locator("#notices").inner_text()

    assert page.evaluate(SEND, "") == 403
    assert page.evaluate(SEND, "0" * 64) == 403
    reader = visit(seed.READ, "/trading", expect=("status of 403",))
    assert reader.locator("[data-open=switch]").count() == 0
    own = reader.locator("meta[name=csrf-token]").get_attribute("content")
    assert reader.evaluate(SEND, own) == 403
    assert page.evaluate(SEND, own) == 403
    assert book.rows("select state from ops.trading_state order by state_id desc limit 1") == [{"state": "HALTED"}]


def test_a_plan_is_approved_and_refused_and_an_alert_acknowledged(visit: Visit, server: str, book: Warehouse) -> None:
    _, token = access.create(book, "desk", "trade", who="Ada", now=NOW)
    page = visit(token, "/trading", expect=("status of 401",))
    assert page.locator("[data-open=switch]").count() == 0
    for button, reason in (("Approve", "looked at"), ("Refuse", "too large")):
        page.click(f".actions button:text-is('{button}')")
        page.fill("#approval input[name=by]", "Ada")
        page.fill("#approval textarea", reason)
        page.click("#approval button[type=submit]")
        page.wait_for_selector(f"#plan-now:has-text('{reason}')")
    stored = book.rows("select plan_hash, decision, decided_by, note from ops.approvals order by approval_id")
    assert [tuple(row.values()) for row in stored] == [
        ("p", "approved", "Ada", "looked at"),
        ("p", "refused", "Ada", "too large"),
    ]
    go(page, server, "/risk")
    page.click("text=Acknowledge alert")
    page.fill("#acknowledge textarea", "expected")
    assert page.input_value("#acknowledge input[name=by]") == "Ada"
    page.click("#acknowledge button[type=submit]")
    page.wait_for_selector("#alerts:has-text('seen by Ada')")
    actors = {row["actor"] for row in book.rows("select actor from ops.audit_log where path like '%%acknowledge'")}
    assert actors == {"desk"}

    # The end of the token is the end of its session: the page leads to the log-in by itself.
    access.revoke(book, "desk", who="Ada", now=NOW)
    page.wait_for_url(f"{server}/dashboard/login")


def test_a_token_is_made_shown_once_and_revoked(visit: Visit, server: str, book: Warehouse) -> None:
    page = visit(seed.ADMIN, "/tokens")
    page.click("[data-open=new-token]")
    page.fill("#new-token input[name=name]", "boards")
    page.check("#new-token input[value=trade]")
    page.fill("#new-token input[name=days]", "30")
    page.fill("#new-token input[name=by]", "Ada")
    page.fill("#new-token textarea", "the boards in the hall")
    page.click("#new-token button[type=submit]")
    page.wait_for_selector("#shown-token[open]")
    token = page.locator("#secret").inner_text()
    found = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{server}/portfolios", headers=found, timeout=30).status_code == 200
    page.click("#shown-token button")
    wait_for(lambda: page.locator("#tokens").inner_text().count("boards") == 2)
    # The browser tells that a dialog was closed a moment after it closed it.
    wait_for(lambda: token.split("_", 2)[2] not in page.content())
    page.click("button[aria-label='Revoke boards']")
    page.fill("#revoke-token textarea", "no longer used")
    page.click("#revoke-token button[type=submit]")
    page.wait_for_selector("#tokens tr:has-text('boards') .chip:text-is('revoked')")
    assert requests.get(f"{server}/portfolios", headers=found, timeout=30).status_code == 401
    row = book.rows(
        "select scope, created_by, revoked_by, expires_at - created_at as holds from ops.tokens where name = 'boards'"
    )[-1]
    assert (row["scope"], row["created_by"], row["revoked_by"], row["holds"].days) == ("trade", "Ada", "Ada", 30)
    audited = book.rows("select path, actor, body ->> 'reason' as reason from ops.audit_log where phase = 'done'")
    assert {"path": "/tokens/boards/revoke", "actor": "admin", "reason": "no longer used"} in audited


def test_fills_appear_while_one_looks(visit: Visit, book: Warehouse) -> None:
    page = visit(seed.READ, "/trading")
    page.evaluate("window.untouched = true")
    before = page.locator("#fills tr").count()
    assert before == 5
    key = "'sandbox', 'PA1'"
    columns = "broker, account_number, txn_id, line, kind, book, asset, amount, session, occurred_at, recorded_at"
    with book.connect() as conn:
        conn.execute(
            f"insert into ops.trades (trade_id, broker, account_number, kind, portfolio_id, symbol, side, qty, price,"
            f" notional, executed_at, execution_session, recorded_at) values ('late', {key}, 'fill', 'wiki_attention',"
            f" 'NEW', 'sell', 3, 12.5, 37.5, '2026-02-02 15:00Z', '2026-02-02', now())"
        )
        for line, (name, asset, amount) in enumerate(
            (
                ("wiki_attention", "NEW", -3),
                ("OUTSIDE", "NEW", 3),
                ("wiki_attention", "USD", 37.5),
                ("OUTSIDE", "USD", -37.5),
            )
        ):
            conn.execute(
                f"insert into ops.ledger_entries ({columns}) values ({key}, 'late', {line}, 'fill', '{name}',"
                f" '{asset}', {amount}, '2026-02-02', now(), now())"
            )
    page.wait_for_selector("#fills tr:has-text('NEW')")
    assert page.locator("#fills tr").count() == before + 1
    assert page.locator("#fills tr").first.inner_text().split("\t") == [
        "2026-02-02 15:00", "NEW", "sell", "wiki_attention", "3", "$12.50", "$38", "fill",
    ]  # fmt: skip
    assert page.evaluate("window.untouched")
    page.wait_for_selector("#said:text-is('New: 1 fill')", state="attached")
    book.execute("update ops.orders set state = 'canceled' where client_order_id = 'congress_aggregate-AAA'")
    book.execute(
        "insert into ops.order_events (client_order_id, at, state) values ('congress_aggregate-AAA', now(), 'canceled')"
    )
    page.wait_for_selector("#orders .chip.canceled")
    assert "1 canceled" in page.locator("#order-states").inner_text()


def test_the_keyboard_alone_is_enough(visit: Visit, server: str) -> None:
    page = visit(seed.ADMIN, "/trading")
    focus = "document.activeElement.textContent.trim() || document.activeElement.name"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate(focus) == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_selector("main:focus")
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(focus))
        if reached[-1] == "Change the trading state":
            break
    assert reached[-1] == "Change the trading state"
    page.keyboard.press("Enter")
    page.wait_for_selector("#switch[open]")
    inside = []
    for _ in range(9):
        page.keyboard.press("Tab")
        inside.append(page.evaluate("document.activeElement.closest('dialog')?.id ?? document.activeElement.tagName"))
    # The dialog keeps the focus; between its ends the browser's own bar may have it.
    assert set(inside) <= {"switch", "BODY"}
    page.keyboard.press("Escape")
    page.wait_for_selector("#switch", state="hidden")
    assert page.evaluate(focus) == "Change the trading state"
    go(page, server, "/portfolios")
    page.focus("#portfolio")
    page.keyboard.type("Wiki")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/portfolios?portfolio=wiki_attention")


@pytest.mark.parametrize(
    ("broker", "words"), [("paper", "real prices, paper money"), ("live", "real money at a real broker")]
)
def test_which_money_cannot_be_mistaken(visit: Visit, server: str, app: FastAPI, broker: str, words: str) -> None:
    colour = "getComputedStyle(document.querySelector('.banner')).backgroundColor"
    page = visit(seed.ADMIN)
    seen = page.evaluate(colour)
    before = app.state.settings
    app.state.settings = before.model_copy(update={"broker": broker})
    try:
        page.reload()
        banner = page.locator(".banner")
        assert banner.inner_text().split("\n") == [broker.upper(), words]
        assert banner.bounding_box()["width"] == 1360
        assert page.evaluate(colour) != seen
        assert page.evaluate(FAINT) == []
        go(page, server, "/trading")
        page.mouse.wheel(0, 5000)
        assert banner.bounding_box()["y"] == 0
    finally:
        app.state.settings = before


def test_jobs_are_shown_and_started(visit: Visit, server: str, book: Warehouse) -> None:
    page = visit(seed.ADMIN, "/data")
    page.wait_for_selector("#jobs th:text-is('decide')")
    assert page.locator("#jobs tr").count() == 3
    page.click("#jobs tr:has-text('decide') button")
    page.wait_for_selector("#jobs tr:has-text('decide') .chip.queued")
    assert "2026-01-30" in page.locator("#jobs tr:has-text('decide')").inner_text()
    asked = book.rows(
        "select actor, phase from ops.audit_log where path = '/scheduler/jobs/decide/run' order by audit_id"
    )
    assert [tuple(row.values()) for row in asked] == [("admin", "asked"), ("admin", "done")]
    reader = visit(seed.READ, "/data")
    reader.wait_for_selector("#jobs th:text-is('decide')")
    assert reader.locator("#jobs button").count() == 0


def test_a_break_in_the_line_is_told(visit: Visit) -> None:
    page = visit(seed.READ, expect=("ERR_FAILED",))
    page.context.route("**/events", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#live.warn:text-is('Reconnecting')")
    page.context.unroute("**/events")
    page.wait_for_selector("#live.good")


def test_log_out(visit: Visit, server: str) -> None:
    page = visit(seed.READ)
    page.click("text=Log out read")
    page.wait_for_url(f"{server}/dashboard/login")
    page.goto(f"{server}/dashboard/risk")
    assert page.url == f"{server}/dashboard/login"


def test_uvicorn_finds_the_application(book: Warehouse) -> None:
    port = free_ports(1)[0]
    env = {
        "PATH": os.environ["PATH"],
        "PAS_DATABASE_URL": book.url,
        "API_TOKEN": seed.ADMIN,
        "API_READ_TOKEN": seed.READ,
    }
    command = [sys.executable, "-m", "uvicorn", "api:app", "--port", str(port)]
    with subprocess.Popen(command, cwd=PROJECT_ROOT, env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            assert any("Uvicorn running" in line for line in process.stderr)
            answer = requests.get(f"http://127.0.0.1:{port}/db/trades?token={seed.READ}&limit=1", timeout=30)
            assert (answer.status_code, answer.json()["total"]) == (200, len(book.rows("select 1 from ops.trades")))
        finally:
            process.terminate()
            written = process.stderr.read()
    assert re.search(r"GET /db/trades 200|GET /db/trades HTTP", written) or "GET /db/trades" not in written
    assert "canary" not in written

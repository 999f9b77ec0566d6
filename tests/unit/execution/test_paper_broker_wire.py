"""The paper broker's answers against recorded ones: same fields, same wording, same kinds of values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.sandbox.broker import PaperBroker
from tests.support.paths import WIRE, needs

E = date(2026, 2, 2)
RECORDED = WIRE / "alpaca" / "payloads" / "paper_recording_2026-10-08"
HEADERS = {"APCA-API-KEY-ID": "SANDBOX", "APCA-API-SECRET-KEY": "sandbox-secret"}


@dataclass(frozen=True)
class Bar:
    open: float
    high: float
    low: float
    close: float


@dataclass(frozen=True)
class Asset:
    symbol: str
    name: str
    exchange: str = "NYSE"
    tradable: bool = True
    fractionable: bool = True


class OneStock:
    def refresh(self) -> None: ...

    def knows(self, session: date) -> bool:
        return True

    def bar(self, symbol: str, session: date) -> Bar | None:
        return Bar(86.87, 88.0, 85.0, 86.88) if symbol in ("KO", "OCGN") else None

    def previous_bar(self, symbol: str, session: date) -> Bar | None:
        return Bar(85.0, 86.0, 84.0, 85.82) if symbol in ("KO", "OCGN") else None

    def is_halted(self, symbol: str, session: date) -> bool:
        return False

    def assets(self, day: date | None = None) -> list[Asset]:
        return [Asset("KO", "Coca-Cola Company"), Asset("OCGN", "Ocugen, Inc.", "NASDAQ", fractionable=False)]

    def corporate_actions(self, symbol: str, start: date | None = None, end: date | None = None) -> list[Any]:
        return []


class Desk:
    def __init__(self, tmp_path: Path) -> None:
        self.clock = FixedClock(calendar.session_open(E) + timedelta(minutes=40))
        self.broker = PaperBroker(OneStock(), self.clock, tmp_path)
        app = Starlette(routes=[Mount("/alpaca", app=self.broker.router), *self.broker.admin_routes])
        self.http = TestClient(app, headers=HEADERS)

    def get(self, path: str, **params: Any) -> Any:
        return self.http.get(f"/alpaca/v2{path}", params=params).json()

    def order(self, status: int = 200, **body: Any) -> Any:
        base = {"symbol": "KO", "side": "buy", "type": "market", "time_in_force": "day", "qty": "1"}
        answer = self.http.post("/alpaca/v2/orders", json={k: v for k, v in {**base, **body}.items() if v is not None})
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.broker.book.close()


def kinds(body: Any) -> dict[str, type]:
    return {k: type(v) for k, v in body.items()}


def recorded(name: str) -> Any:
    return json.loads(needs(RECORDED / name).read_text())


@pytest.mark.needs_material
def test_account_has_the_recorded_fields_and_kinds(desk: Desk) -> None:
    assert kinds(desk.get("/account")) == kinds(recorded("account_after.json"))


@pytest.mark.needs_material
def test_order_has_the_recorded_fields_at_submission_and_when_filled(desk: Desk) -> None:
    seen = recorded("buy_notional_submit_then_filled.json")
    submitted = desk.order(qty=None, notional="5", client_order_id="c1")
    assert kinds(submitted) == kinds(seen["submit"])
    assert (submitted["status"], submitted["qty"], submitted["notional"], submitted["filled_avg_price"]) == (
        "pending_new", None, "5", None,
    )  # fmt: skip
    filled = desk.get("/orders:by_client_order_id", client_order_id="c1")
    assert kinds(filled) == kinds(seen["polls"][0])
    assert (filled["status"], filled["qty"], filled["filled_qty"]) == ("filled", None, "0.057557269")
    assert Decimal(filled["filled_qty"]) * Decimal(filled["filled_avg_price"]) <= 5


@pytest.mark.needs_material
def test_fill_position_and_asset_rows_have_the_recorded_fields(desk: Desk) -> None:
    desk.order(qty="0.5")
    row = desk.get("/account/activities/FILL")[0]
    seen = recorded("fill_activities.json")[0]
    assert kinds(row) == kinds(seen)
    # The id's prefix is New York local time.
    assert re.fullmatch(r"20260202\d{9}::[0-9a-f-]{36}", row["id"])
    assert row["id"].startswith("202602021010")
    assert row["transaction_time"].startswith("2026-02-02T15:10")
    assert kinds(desk.get("/positions")[0]) == kinds(recorded("positions_held.json")[0])
    assert kinds(desk.get("/assets")[0]) == kinds(recorded("assets.json")[0])


@pytest.mark.needs_material
def test_refusals_are_worded_as_recorded(desk: Desk) -> None:
    bodies = {
        e["when"]: (e["status"], json.loads(e["body"]))
        for e in json.loads(needs(WIRE / "alpaca" / "payloads" / "errors.json").read_text())
        if e["body"].startswith("{")
    }

    def like(body: Any, when: str) -> None:
        _, seen = bodies[when]
        assert body["code"] == seen["code"], when
        assert kinds(body) == kinds(seen), when
        loose = re.sub(r"[\d.]+", "#", str(seen["message"])).replace("OCGN", "X").replace("KO", "X")
        assert re.sub(r"[\d.]+", "#", body["message"]).replace("OCGN", "X").replace("KO", "X") == loose

    desk.order(client_order_id="same")
    like(desk.order(422, client_order_id="same"), "client_order_id reused (live, filled or canceled order)")
    like(desk.order(403, side="sell", qty="1.057"), "sell more than held/available")
    like(desk.order(403, symbol="OCGN", qty="0.5"), "fractional qty or notional on a non fractionable asset")
    like(desk.order(403, qty="100000"), "cost above buying power")
    like(desk.order(403, symbol="OCGN", side="sell"), "sell without a position on a no-short account")
    like(desk.order(422, qty="0.5", time_in_force="gtc"), "fractional qty with tif != day")
    like(desk.order(422, qty=None), "neither given")
    like(
        desk.order(422, type="limit", limit_price="290.123"),
        "sub-penny limit >= $1",
    )
    desk.order(type="limit", limit_price="10.00")
    opposite = next(when for when in bodies if when.startswith("opposite-side open order"))
    like(desk.order(403, side="sell"), opposite)
    missing = desk.http.get("/alpaca/v2/orders:by_client_order_id", params={"client_order_id": "never"})
    assert (missing.status_code, missing.json()) == bodies["unknown id"]
    nothing = desk.http.get("/alpaca/v2/positions/OCGN")
    assert (nothing.status_code, nothing.json()) == bodies["no position"]


def test_wrong_keys_get_no_hint(desk: Desk) -> None:
    answer = desk.http.get("/alpaca/v2/account", headers={"APCA-API-SECRET-KEY": "guess"})
    assert (answer.status_code, answer.json()) == (403, {"message": "forbidden."})


def test_outside_hours_orders_queue_and_fill_at_the_next_official_open(desk: Desk) -> None:
    desk.clock.at = calendar.session_close(E) + timedelta(hours=1)
    order = desk.order(client_order_id="q")
    assert order["status"] == "accepted"
    assert desk.get("/account/activities") == []
    desk.clock.at = calendar.session_open(calendar.next_session(E))
    filled = desk.get("/orders:by_client_order_id", client_order_id="q")
    assert (filled["status"], filled["filled_avg_price"]) == ("filled", "86.87")


def test_a_resting_limit_order_expires_at_the_close_or_is_cancelled_once(desk: Desk) -> None:
    low = desk.order(type="limit", limit_price="80", client_order_id="low")
    other = desk.order(type="limit", limit_price="81", client_order_id="other")
    assert desk.http.delete(f"/alpaca/v2/orders/{other['id']}").status_code == 204
    assert desk.http.delete(f"/alpaca/v2/orders/{other['id']}").status_code == 422
    assert [o["client_order_id"] for o in desk.get("/orders")] == ["low"]
    desk.clock.at = calendar.session_close(E)
    assert desk.get(f"/orders/{low['id']}")["status"] == "expired"


def test_activities_page_by_id_and_orders_by_time(desk: Desk) -> None:
    for n in range(5):
        desk.order(client_order_id=f"c{n}")
    whole = desk.get("/account/activities", direction="asc")
    first = desk.get("/account/activities", direction="asc", page_size=2)
    second = desk.get("/account/activities", direction="asc", page_size=2, page_token=first[-1]["id"])
    third = desk.get("/account/activities", direction="asc", page_size=2, page_token=second[-1]["id"])
    assert first + second + third == whole
    assert len(whole) == 5
    newest = desk.get("/orders", status="all", limit=2)
    assert [o["client_order_id"] for o in newest] == ["c4", "c3"]
    later = desk.get("/orders", status="all", direction="asc", after=newest[-1]["submitted_at"])
    assert [o["client_order_id"] for o in later] == ["c4"]


def test_clock_and_calendar_know_early_closes(desk: Desk) -> None:
    assert desk.get("/clock") == {
        "timestamp": "2026-02-02T10:10:00-05:00", "is_open": True, "next_open": "2026-02-03T09:30:00-05:00",
        "next_close": "2026-02-02T16:00:00-05:00",
    }  # fmt: skip
    rows = desk.get("/calendar", start="2026-11-26", end="2026-11-30")
    assert [(r["date"], r["open"], r["close"]) for r in rows] == [
        ("2026-11-27", "09:30", "13:00"), ("2026-11-30", "09:30", "16:00"),
    ]  # fmt: skip


def test_the_account_is_on_margin_so_nobody_may_size_on_buying_power(desk: Desk) -> None:
    desk.order(qty="100")
    account = desk.get("/account")
    assert Decimal(account["cash"]) == Decimal(100_000) - 100 * Decimal("86.87")
    assert Decimal(account["equity"]) == Decimal(100_000)
    assert Decimal(account["buying_power"]) > 3 * Decimal(account["equity"])


def test_unknown_faults_are_refused_and_known_ones_are_shown(desk: Desk) -> None:
    assert desk.http.put("/sandbox/broker-faults", json={"kind": "nonsense"}).status_code == 422
    shown = desk.http.put("/sandbox/broker-faults", json={"kind": "rate_limit", "times": 2}).json()
    assert shown == [{"kind": "rate_limit", "times": 2, "on": "POST /v2/orders", "symbol": ""}]
    answer = desk.http.post("/alpaca/v2/orders", json={"symbol": "KO"})
    assert (answer.status_code, answer.json()["code"]) == (429, 42910000)
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert desk.http.delete("/sandbox/broker-faults").json() == []

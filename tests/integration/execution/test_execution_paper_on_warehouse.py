"""PAS_BROKER=sandbox over real data: the paper broker fills at the warehouse's prices, once they have arrived."""

from __future__ import annotations

import contextlib
import csv
import gzip
import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.errors import GuardError
from pas_lib.execution import AlpacaGateway, Decision, Target, create_plan, execute, snapshot_account
from pas_lib.execution.broker import GatewayOptions
from pas_lib.execution.steps import Steps
from pas_lib.sandbox.broker import PaperBroker
from pas_lib.sandbox.paper_server import paper_broker
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse
from tests.support.paths import REAL, needs
from tests.support.raw_world import RawWorld

C, D, E, F = date(2026, 1, 29), date(2026, 1, 30), date(2026, 2, 2), date(2026, 2, 3)
#: symbol -> session -> (open, close); DDD stops trading after D, CCC is missing on E.
BARS: dict[str, dict[date, tuple[float, float]]] = {
    "AAA": {C: (99.0, 100.0), D: (100.0, 100.0), E: (102.5, 104.0), F: (52.0, 52.5)},
    "BBB": {C: (50.0, 50.0), D: (50.0, 50.0), E: (49.0, 48.0), F: (48.5, 49.0)},
    "CCC": {C: (20.0, 20.0), D: (20.0, 20.0), F: (21.0, 21.0)},
    **{f"X{n:02d}": {day: (10.0, 10.0) for day in (C, D, E, F)} for n in range(20)},
}


class Desk:
    """A real-origin warehouse that gets its prices evening by evening, and the broker over it."""

    def __init__(self, tmp_path: Path, settings: Settings, warehouse: Warehouse, start: datetime) -> None:
        warehouse.execute("update ops.warehouse_identity set origin = 'real'")
        self.warehouse = warehouse
        self.clock = FixedClock(start)
        self.broker, app = paper_broker(warehouse, self.clock, tmp_path / "paper")
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.settings = settings.model_copy(update={"sandbox_url": url, "sources": "public", "price_wait_sec": 0.0})

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self.broker.book.close()

    def gateway(self) -> AlpacaGateway:
        options = GatewayOptions(
            timeout=10, pause=0, poll_pause=0, polls=2, lookups=2, reads=2, calls_per_minute=0, use_stream=False
        )
        gateway = AlpacaGateway.from_settings(self.settings, options=options)
        gateway.sleep = lambda _: None
        return gateway

    def collect(self, *days: date, bars: Mapping[str, Mapping[date, tuple[float, float]]] = BARS) -> None:
        """Bring a session's bars in, as the evening does."""
        rows = RawWorld.__new__(RawWorld)
        rows.tables, rows.fetched = {}, self.clock.at
        for day in days:
            for symbol, path in bars.items():
                if day in path:
                    opened, closed = path[day]
                    rows.add(
                        "prices", day, calendar.session_close(day), symbol=symbol, open=opened, close=closed,
                        high=max(opened, closed), low=min(opened, closed), volume=1e6, currency="USD", split_factor=1.0,
                    )  # fmt: skip
        rows.load(self.warehouse)

    def action(self, day: date, symbol: str, action: str, **values: Any) -> None:
        rows = RawWorld.__new__(RawWorld)
        rows.tables, rows.fetched = {}, self.clock.at
        rows.add("corporate_actions", day, calendar.ny_midnight(day), symbol=symbol, action=action, ordinal=0, **values)
        rows.load(self.warehouse)

    def decide(self, session: date, weights: Mapping[str, Mapping[str, float]], closes: Mapping[str, float]) -> Any:
        targets = tuple(Target(p, s, w, Decimal(str(closes[s]))) for p, row in weights.items() for s, w in row.items())
        exact = {s: Decimal(str(c)) for s, c in closes.items()}
        decision = Decision(session, targets, frozenset(weights), closes=exact)
        return create_plan(decision, self.settings, self.clock, self.warehouse, gateway=self.gateway())

    def execute(self, session: date) -> Any:
        return execute(session, self.settings, self.clock, self.warehouse, gateway=self.gateway(), steps=Steps({}))

    def evening(self, session: date) -> Any:
        self.clock.at = calendar.decision_time(session)
        return snapshot_account(
            session, self.settings, self.clock, self.warehouse, gateway=self.gateway(), is_for_sizing=True
        )

    def orders(self, session: date) -> dict[tuple[str, str], tuple[str, Decimal | None]]:
        rows = self.warehouse.rows(
            "select symbol, side, state, filled_avg_price from ops.orders where session = %s", (session,)
        )
        return {(r["symbol"], r["side"]): (r["state"], r["filled_avg_price"]) for r in rows}

    def held(self) -> dict[tuple[str, str], Decimal]:
        return {(r["book"], r["symbol"]): r["qty"] for r in self.warehouse.rows("select * from ops.positions")}


@pytest.fixture
def desk(tmp_path: Path, settings: Settings, warehouse: Warehouse) -> Iterator[Desk]:
    with contextlib.closing(Desk(tmp_path, settings, warehouse, calendar.decision_time(D))) as made:
        made.collect(C, D)
        yield made


CLOSES = {s: path[D][1] for s, path in BARS.items()}


def test_orders_of_the_open_fill_at_the_open_that_the_evening_brings(desk: Desk) -> None:
    assert desk.broker.book.meta("account_number").startswith("PASW")
    plan = desk.decide(D, {"alpha": {"AAA": 0.2, "BBB": 0.1}, "beta": {"CCC": 0.1}}, CLOSES)
    assert plan.refusals == ()
    desk.clock.at = calendar.session_open(E) + timedelta(minutes=1)
    report = desk.execute(D)
    assert (report.sent, report.fills, report.refusals) == (3, 0, ())
    assert {o.state for o in report.orders} == {"accepted"}
    # Nobody knows the price of the open yet, not even what the order says about it.
    assert {o.open_price for o in report.orders} == {None}
    desk.clock.at = calendar.session_close(E) + timedelta(hours=1)
    assert desk.broker.book.positions() == {}
    desk.collect(E)
    result = desk.evening(E)
    assert result.is_clean
    assert desk.orders(D) == {
        ("AAA", "buy"): ("filled", Decimal("102.5")), ("BBB", "buy"): ("filled", Decimal(49)),
        ("CCC", "buy"): ("expired", None),
    }  # fmt: skip
    assert desk.held() == {("alpha", "AAA"): Decimal(196), ("alpha", "BBB"): Decimal(196)}
    fills = desk.warehouse.rows("select price, executed_at from ops.trades where symbol = 'AAA'")
    assert fills[0]["price"] == Decimal("102.5")
    assert abs(fills[0]["executed_at"] - calendar.session_open(E)) < timedelta(seconds=1)
    figures = desk.warehouse.rows("select equity, cash from ops.account_metrics where session = %s", (E,))
    cash = Decimal(100_000) - 196 * Decimal("102.5") - 196 * Decimal(49)
    assert figures == [{"cash": cash, "equity": cash + 196 * Decimal(104) + 196 * Decimal(48)}]


def test_a_rotation_sells_crosses_and_buys_before_any_price_is_known(desk: Desk) -> None:
    desk.decide(D, {"alpha": {"AAA": 0.45, "BBB": 0.45}}, CLOSES)
    desk.clock.at = calendar.session_open(E)
    desk.execute(D)
    desk.clock.at = calendar.session_close(E)
    desk.collect(E)
    desk.evening(E)
    closes = {**CLOSES, "AAA": 104.0, "BBB": 48.0}
    # alpha leaves AAA; beta takes some of it over; the rest is sold, and pays for CCC.
    desk.decide(E, {"alpha": {"BBB": 0.4, "CCC": 0.3}, "beta": {"AAA": 0.2}}, closes)
    desk.clock.at = calendar.session_open(F)
    report = desk.execute(E)
    assert report.crosses == 0
    assert "INSUFFICIENT_CASH" not in {r.code for r in report.refusals}
    bars = {**BARS, "AAA": {**BARS["AAA"], F: (106.0, 105.0)}}
    desk.clock.at = calendar.session_close(F)
    desk.collect(F, bars=bars)
    assert desk.evening(F).is_clean
    crosses = desk.warehouse.rows("select portfolio_id, side, price from ops.trades where kind = 'cross' order by 1")
    assert [(r["portfolio_id"], r["side"], r["price"]) for r in crosses] == [
        ("alpha", "sell", Decimal(106)), ("beta", "buy", Decimal(106)),
    ]  # fmt: skip
    assert desk.orders(E)[("CCC", "buy")] == ("filled", Decimal(21))
    assert desk.orders(E)[("AAA", "sell")] == ("filled", Decimal(106))
    assert ("alpha", "AAA") not in desk.held()
    # A second evening changes nothing.
    assert desk.evening(F).is_clean
    assert len(desk.warehouse.rows("select 1 as x from ops.trades where kind = 'cross'")) == 2


def test_a_split_known_in_the_evening_moves_holdings_and_cancels_what_was_ordered_in_old_shares(desk: Desk) -> None:
    desk.decide(D, {"alpha": {"AAA": 0.2}}, CLOSES)
    desk.clock.at = calendar.session_open(E)
    desk.execute(D)
    desk.clock.at = calendar.session_close(E)
    desk.collect(E)
    desk.evening(E)
    desk.decide(E, {"alpha": {"AAA": 0.1, "BBB": 0.1}}, {**CLOSES, "AAA": 104.0, "BBB": 48.0})
    desk.clock.at = calendar.session_open(F)
    desk.execute(E)
    desk.clock.at = calendar.session_close(F)
    desk.action(F, "AAA", "split", ratio=2.0)
    desk.action(F, "BBB", "dividend", amount=0.25)
    desk.collect(F)
    assert desk.evening(F).is_clean
    assert desk.orders(E) == {("AAA", "sell"): ("canceled", None), ("BBB", "buy"): ("filled", Decimal("48.5"))}
    assert desk.held()[("alpha", "AAA")] == Decimal(392)
    # BBB was bought on the ex-date: nobody held it at midnight.
    assert desk.warehouse.rows("select 1 as x from ops.ledger_entries where kind = 'dividend'") == []


def test_half_a_collection_moves_nothing(desk: Desk) -> None:
    desk.decide(D, {"alpha": {"AAA": 0.2}}, CLOSES)
    desk.clock.at = calendar.session_open(E)
    desk.execute(D)
    desk.clock.at = calendar.session_close(E)
    desk.collect(E, bars={s: BARS[s] for s in ("AAA", "BBB")})
    desk.evening(E)
    assert desk.orders(D) == {("AAA", "buy"): ("accepted", None)}
    desk.collect(E, bars={s: p for s, p in BARS.items() if s.startswith("X")})
    desk.evening(E)
    assert desk.orders(D) == {("AAA", "buy"): ("filled", Decimal("102.5"))}


def test_an_order_that_comes_late_does_not_fill_at_a_price_from_before(desk: Desk) -> None:
    desk.decide(D, {"alpha": {"AAA": 0.2}}, CLOSES)
    desk.clock.at = calendar.session_open(E) + timedelta(hours=3)
    desk.execute(D)
    desk.clock.at = calendar.session_close(E)
    desk.collect(E)
    desk.evening(E)
    assert desk.orders(D) == {("AAA", "buy"): ("filled", Decimal(104))}


def test_the_made_up_market_is_refused_with_real_data(desk: Desk, stage: Any) -> None:
    desk.settings = desk.settings.model_copy(update={"sandbox_url": stage.url})
    with pytest.raises(GuardError, match="made-up market, this warehouse holds real data"):
        desk.decide(D, {"alpha": {"AAA": 0.2}}, CLOSES)
    assert stage.broker_orders() == []


def test_real_history_of_the_crash_of_2008_is_traded_at_its_opens(
    tmp_path: Path, settings: Settings, warehouse: Warehouse
) -> None:
    """Equal weight in the Dow Jones stocks, turned over each session of the worst week of 2008."""
    bars: dict[str, dict[date, tuple[float, float]]] = {}
    path = needs(REAL / "prices" / "djia31_daily_2006_2017.csv.gz")
    with gzip.open(path, "rt", encoding="ascii") as lines:
        for row in csv.DictReader(lines):
            if "2008-10-01" <= row["date"] <= "2008-10-10" and row["open"] and row["close"]:
                bars.setdefault(row["symbol"], {})[date.fromisoformat(row["date"])] = (
                    float(row["open"]), float(row["close"]),
                )  # fmt: skip
    days = calendar.sessions(date(2008, 10, 1), date(2008, 10, 10))
    with contextlib.closing(Desk(tmp_path, settings, warehouse, calendar.decision_time(days[2]))) as desk:
        # The circuit breaker would rightly stop this in its first week.
        desk.settings = desk.settings.model_copy(update={"max_daily_loss": 0.5, "max_drawdown": 0.9})
        desk.collect(*days[:3], bars=bars)
        names = sorted(s for s, path in bars.items() if all(d in path for d in days))
        assert len(names) >= 25
        for n, day in enumerate(days[2:-1]):
            half = names[n % 2 :: 2]
            closes = {s: bars[s][day][1] for s in names}
            desk.decide(day, {"alpha": dict.fromkeys(half, 0.9 / len(half))}, closes)
            tomorrow = calendar.next_session(day)
            desk.clock.at = calendar.session_open(tomorrow)
            desk.execute(day)
            desk.clock.at = calendar.session_close(tomorrow)
            desk.collect(tomorrow, bars=bars)
            assert desk.evening(tomorrow).is_clean
            for (symbol, _), (state, price) in desk.orders(day).items():
                if state == "filled":
                    assert price == Decimal(str(bars[symbol][tomorrow][0]))
            states = [state for state, _ in desk.orders(day).values()]
            assert states.count("filled") >= 0.9 * len(states)
        figures = warehouse.rows("select session, equity from ops.account_metrics order by session")
        assert [r["session"] for r in figures] == list(days[3:])
        assert all(60_000 < r["equity"] < 130_000 for r in figures)
        assert isinstance(desk.broker, PaperBroker)

"""A stage for execution: a tiny market, a paper broker on loopback, the real client, real PostgreSQL."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from pas_lib import clock as calendar
from pas_lib.clock import FixedClock
from pas_lib.execution import AlpacaGateway, Decision, Target, create_plan, execute
from pas_lib.execution.broker import GatewayOptions
from pas_lib.execution.steps import Steps
from pas_lib.execution.types import ExecutionReport, StoredPlan
from pas_lib.sandbox.broker import PaperBroker
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

D = date(2026, 1, 30)  # a Friday
E = date(2026, 2, 2)
PRICES = {"AAA": 100.0, "BBB": 50.0, "CCC": 20.0, "BRK.B": 480.0, "WHL": 10.0, "HLT": 30.0}


@dataclass(frozen=True)
class TinyBar:
    open: float
    high: float
    low: float
    close: float
    volume: int = 1_000_000


@dataclass(frozen=True)
class TinyAsset:
    symbol: str
    name: str
    exchange: str = "NYSE"
    tradable: bool = True
    fractionable: bool = True


@dataclass(frozen=True)
class TinyAction:
    symbol: str
    kind: str
    ex_date: date
    ratio: float = 1.0
    amount: float = 0.0
    new_symbol: str = ""
    numerator: int = 1
    denominator: int = 1


@dataclass
class TinyWorld:
    """Prices stand still unless a test says otherwise: ``opens[(symbol, session)]`` and ``closes[...]``.

    ``late`` is how many minutes after the open a symbol trades for the first time.
    """

    prices: dict[str, float] = field(default_factory=lambda: dict(PRICES))
    opens: dict[tuple[str, date], float] = field(default_factory=dict)
    closes: dict[tuple[str, date], float] = field(default_factory=dict)
    late: dict[tuple[str, date], int] = field(default_factory=dict)
    halted: set[tuple[str, date]] = field(default_factory=set)
    actions: list[TinyAction] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def refresh(self) -> None: ...

    def knows(self, session: date) -> bool:
        return True

    def bar(self, symbol: str, session: date) -> TinyBar | None:
        if symbol not in self.prices or (symbol, session) in self.halted or not calendar.is_session(session):
            return None
        price = self.prices[symbol]
        opened = self.opens.get((symbol, session), price)
        closed = self.closes.get((symbol, session), price)
        return TinyBar(opened, max(opened, closed), min(opened, closed), closed)

    def previous_bar(self, symbol: str, session: date) -> TinyBar | None:
        return self.bar(symbol, calendar.previous_session(session))

    def is_halted(self, symbol: str, session: date) -> bool:
        return (symbol, session) in self.halted

    def assets(self, day: date | None = None) -> Sequence[TinyAsset]:
        return [
            TinyAsset(s, f"{s} Inc.", tradable=s not in self.gone, fractionable=s != "WHL") for s in sorted(self.prices)
        ]

    def corporate_actions(
        self, symbol: str, start: date | None = None, end: date | None = None
    ) -> Sequence[TinyAction]:
        return [
            a
            for a in self.actions
            if symbol in (a.symbol, a.new_symbol)
            and (start is None or a.ex_date >= start)
            and (end is None or a.ex_date <= end)
        ]


class Stage:
    """Everything a test of execution needs, with short names."""

    def __init__(self, tmp_path: Path, settings: Settings, warehouse: Warehouse) -> None:
        self.world = TinyWorld()
        self.clock = FixedClock(calendar.decision_time(D))
        self.state_dir = tmp_path / "broker"
        self.broker = PaperBroker(self.world, self.clock, self.state_dir)
        self.warehouse = warehouse
        self._server, self._thread, self.url = _serve(self.broker, self.clock)
        self.settings = settings.model_copy(update={"sandbox_url": self.url})
        self.naps: list[float] = []

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self.broker.book.close()

    def gateway(self, timeout: float = 5.0, **patience: Any) -> AlpacaGateway:
        """The real client, with patience that takes no time, and REST alone."""
        wanted = {"timeout": timeout, "pause": 0.0, "poll_pause": 0.0, "polls": 3, "lookups": 3, "reads": 3}
        options = GatewayOptions(**{**wanted, "calls_per_minute": 0, "use_stream": False, **patience})
        gateway = AlpacaGateway.from_settings(self.settings, options=options)
        gateway.sleep = self.naps.append
        return gateway

    # -- time
    def at_open(self, session: date = E, minutes: int = 1) -> None:
        self.clock.at = calendar.session_open(session) + timedelta(minutes=minutes)

    def at_evening(self, session: date) -> None:
        self.clock.at = calendar.decision_time(session)

    # -- acts
    def decide(
        self,
        weights: Mapping[str, Mapping[str, float]],
        session: date = D,
        *,
        closes: Mapping[str, float] | None = None,
        **more: Any,
    ) -> StoredPlan:
        prices = {**self.world.prices, **(closes or {})}
        targets = tuple(Target(p, s, w, Decimal(str(prices[s]))) for p, row in weights.items() for s, w in row.items())
        decision = Decision(
            session=session, targets=targets, trading=frozenset(weights),
            closes={s: Decimal(str(c)) for s, c in prices.items()}, **more,
        )  # fmt: skip
        return create_plan(decision, self.settings, self.clock, self.warehouse, gateway=self.gateway())

    def execute(
        self,
        session: date = D,
        *,
        timeout: float = 5.0,
        steps: Steps | None = None,
        gateway: AlpacaGateway | None = None,
    ) -> ExecutionReport:
        return execute(
            session, self.settings, self.clock, self.warehouse, gateway=gateway or self.gateway(timeout),
            steps=steps or Steps({}),
        )  # fmt: skip

    def gateway_that_passes_time(self) -> AlpacaGateway:
        """The real client; the world's clock goes on by as long as it sleeps."""
        gateway = self.gateway()

        def sleep(seconds: float) -> None:
            self.naps.append(seconds)
            self.clock.at += timedelta(seconds=seconds)

        gateway.sleep = sleep
        return gateway

    def run(self, weights: Mapping[str, Mapping[str, float]], session: date = D, **more: Any) -> ExecutionReport:
        """Decide in the evening, execute at the next open."""
        self.at_evening(session)
        self.decide(weights, session, **more)
        self.at_open(calendar.next_session(session))
        return self.execute(session)

    def action(self, symbol: str, kind: str, ex_date: date, **more: Any) -> None:
        """Let something happen to a symbol."""
        self.world.actions.append(TinyAction(symbol, kind, ex_date, **more))

    def fault(self, kind: str, **options: Any) -> None:
        answer = requests.put(f"{self.url}/sandbox/broker-faults", json={"kind": kind, **options}, timeout=5)
        assert answer.status_code == 200, answer.text

    def by_hand(self, symbol: str, side: str, qty: str, **options: Any) -> None:
        body = {"symbol": symbol, "side": side, "qty": qty, **options}
        assert requests.post(f"{self.url}/sandbox/broker-trade", json=body, timeout=5).status_code == 200

    # -- facts
    def rows(self, statement: str, parameters: Any = None) -> list[dict[str, Any]]:
        return self.warehouse.rows(statement, parameters)

    def broker_orders(self) -> list[tuple[str, str, str, str, str]]:
        return [
            (o["client_order_id"], o["symbol"], o["side"], o["qty"], o["status"]) for o in self.broker.book.orders()
        ]

    def holdings(self) -> dict[tuple[str, str], Decimal]:
        return {(r["book"], r["symbol"]): r["qty"] for r in self.rows("select * from ops.positions")}

    def cash(self) -> dict[str, Decimal]:
        return {r["book"]: r["cash"] for r in self.rows("select * from ops.book_cash")}

    def assert_books_are_the_brokers(self) -> None:
        """Sum over books = broker, to 1e-6 shares and one cent."""
        books: dict[str, Decimal] = {}
        for (_, symbol), qty in self.holdings().items():
            books[symbol] = books.get(symbol, Decimal(0)) + qty
        held = {s: h.qty for s, h in self.broker.book.positions().items()}
        for symbol in set(books) | set(held):
            assert abs(books.get(symbol, Decimal(0)) - held.get(symbol, Decimal(0))) <= Decimal("1e-6"), symbol
        assert abs(sum(self.cash().values()) - self.broker.book.cash) <= Decimal("0.01")

    def state(self) -> str:
        rows = self.rows("select state from ops.trading_state order by state_id desc limit 1")
        return rows[0]["state"] if rows else "ACTIVE"


def _serve(broker: PaperBroker, clock: FixedClock) -> tuple[uvicorn.Server, threading.Thread, str]:
    async def now(_: Any) -> JSONResponse:
        return JSONResponse({"now": clock.now().isoformat()})

    async def bars(request: Request) -> JSONResponse:
        day = date.fromisoformat(request.query_params["start"])
        found = {}
        for symbol in request.query_params["symbols"].split(","):
            first = timedelta(minutes=broker.world.late.get((symbol, day), 0))
            bar = broker.world.bar(symbol, day)
            if bar is not None and clock.now() >= calendar.session_open(day) + first:
                at = calendar.ny_midnight(day).strftime("%Y-%m-%dT%H:%M:%SZ")
                found[symbol] = [{"t": at, "o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close, "v": 1}]
        return JSONResponse({"bars": found, "next_page_token": None})

    async def actions(request: Request) -> JSONResponse:
        query, rows = request.query_params, {}
        for action in broker.world.actions:
            day = action.ex_date.isoformat()
            asked = {action.symbol, action.new_symbol} & set(query["symbols"].split(","))
            if not asked or not query["start"] <= day <= query["end"]:
                continue
            if action.kind == "split":
                new, old = Decimal(str(action.ratio)).as_integer_ratio()
                kind = "forward_splits" if action.ratio > 1 else "reverse_splits"
                rows.setdefault(kind, []).append(
                    {"symbol": action.symbol, "ex_date": day, "new_rate": new, "old_rate": old}
                )
            elif action.kind == "rename":
                rows.setdefault("name_changes", []).append(
                    {"old_symbol": action.symbol, "new_symbol": action.new_symbol, "process_date": day}
                )
            elif action.kind == "spin_off":
                rows.setdefault("spin_offs", []).append(
                    {"source_symbol": action.symbol, "new_symbol": action.new_symbol, "ex_date": day}
                )
        return JSONResponse({"corporate_actions": rows, "next_page_token": None})

    app = Starlette(
        routes=[
            Mount("/alpaca", app=broker.router),
            Route("/alpaca-data/v2/stocks/bars", bars),
            Route("/alpaca-data/v1/corporate-actions", actions),
            *broker.admin_routes,
            Route("/sandbox/clock", now),
        ]
    )
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    return server, thread, f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def stage(tmp_path: Path, settings: Settings, warehouse: Warehouse) -> Iterator[Stage]:
    """A fresh warehouse, a fresh account with 100,000 USD, the evening of Friday 2026-01-30."""
    made = Stage(tmp_path, settings, warehouse)
    yield made
    made.close()

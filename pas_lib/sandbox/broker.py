"""The paper broker over HTTP: the trading API v2 as the real one speaks it, mounted under ``/alpaca``.

    broker = PaperBroker(world, clock, state_dir)
    routes = [Mount("/alpaca", app=broker.router), *broker.admin_routes]

The mounted router answers /alpaca/v2/account, /alpaca/v2/orders and so on; `build_router` gives it alone. The admin
routes are ``PUT /sandbox/broker-faults`` with a body of `broker_faults.KINDS`, ``GET`` and ``DELETE`` of the same;
``POST /sandbox/broker-trade`` trades by hand (``silent`` leaves no activity); ``POST /sandbox/broker-cash`` deposits or
withdraws; ``POST /sandbox/broker-finish`` fills or cancels what is open in a symbol; ``PUT /sandbox/broker-rate`` sets
how many requests a minute are answered (200 at the real one; 0, the default, means all). Beside ``/v2`` there is
``/stream``, the websocket that tells what happens to orders.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route, Router, WebSocketRoute

from pas_lib import clock as calendar
from pas_lib.clock import NY, Clock
from pas_lib.errors import PasError, WarehouseUnavailable
from pas_lib.sandbox.broker_book import (
    OPEN_STATES,
    ZERO,
    Book,
    BrokerWorld,
    Refused,
    WorldAsset,
    asset_id,
    shown,
)
from pas_lib.sandbox.broker_faults import Fault, FaultSwitch
from pas_lib.sandbox.broker_rate import RateRule
from pas_lib.sandbox.broker_stream import API_KEY, API_SECRET, UpdateStream

_HTML = "<html><head><title>504 Gateway Time-out</title></head><body><h1>504 Gateway Time-out</h1></body></html>"
_CLOSED_STATES = ("filled", "canceled", "expired", "rejected", "replaced")
_LEFT_TO_HANDLERS = frozenset(
    {
        *("partial_fill", "no_fill", "fill_wins", "cancel_ignored"),
        *("duplicate_rows", "hidden_rows", "late_rows", "reversed_rows"),
    }
)
Handler = Callable[[Request], Awaitable[Response]]


class PaperBroker:
    """One account of a broker that speaks Alpaca's API.

    Parameters
    ----------
    world : BrokerWorld
        The market it trades in.
    clock : Clock
        What time it is there.
    state_dir : Path
        Where its books lie; they survive a restart.
    ticks : callable, optional
        Seconds that pass for the limit of requests, whatever the clock of the world says.
    numbers : str
        How account numbers begin.
    """

    def __init__(
        self,
        world: BrokerWorld,
        clock: Clock,
        state_dir: Path,
        *,
        ticks: Callable[[], float] = time.monotonic,
        numbers: str = "PASB",
    ) -> None:
        self.book = Book(world, clock, state_dir, numbers=numbers)
        self.faults = FaultSwitch()
        self.rate = RateRule(ticks)
        self.stream = UpdateStream(self.book)
        self.world = world
        self.clock = clock

    # ------------------------------------------------------------------------------------------------- routes

    @property
    def router(self) -> Router:
        """The trading API."""
        return Router(
            [
                self._route("/v2/account", self._account),
                self._route("/v2/account/configurations", self._configurations),
                self._route("/v2/account/activities", self._activities),
                self._route("/v2/account/activities/{kind}", self._activities),
                self._route("/v2/account/portfolio/history", self._history),
                self._route("/v2/clock", self._clock),
                self._route("/v2/calendar", self._calendar),
                self._route("/v2/assets", self._assets),
                self._route("/v2/assets/{symbol}", self._asset),
                self._route("/v2/orders:by_client_order_id", self._order_by_client_id),
                self._route("/v2/orders", self._list_orders, "GET"),
                self._route("/v2/orders", self._submit, "POST"),
                self._route("/v2/orders", self._cancel_all, "DELETE"),
                self._route("/v2/orders/{key}", self._order, "GET"),
                self._route("/v2/orders/{key}", self._cancel, "DELETE"),
                self._route("/v2/positions", self._positions),
                self._route("/v2/positions/{symbol}", self._position),
                WebSocketRoute("/stream", self.stream.serve),
            ]
        )

    @property
    def admin_routes(self) -> list[BaseRoute]:
        """What only tests and people in front of the sandbox use; absolute paths."""
        return [
            Route("/sandbox/broker-faults", self._faults, methods=["GET", "PUT", "DELETE"]),
            Route("/sandbox/broker-trade", self._by_hand, methods=["POST"]),
            Route("/sandbox/broker-cash", self._move_cash, methods=["POST"]),
            Route("/sandbox/broker-finish", self._finish, methods=["POST"]),
            Route("/sandbox/broker-rate", self._set_rate, methods=["GET", "PUT"]),
        ]

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        async def guarded(request: Request) -> Response:
            key, secret = (request.headers.get(f"APCA-API-{name}", "") for name in ("KEY-ID", "SECRET-KEY"))
            if not (hmac.compare_digest(key, API_KEY) and hmac.compare_digest(secret, API_SECRET)):
                return JSONResponse({"message": "forbidden."}, status_code=403)
            if not self.rate.take():
                body = {"code": 42910000, "message": "rate limit exceeded"}
                return JSONResponse(body, 429, self.rate.headers(self.clock.now().timestamp()))
            try:
                body = await _json_body(request) if method == "POST" else {}
                request.state.body = body
                # Paths are matched without the prefix the broker is mounted under.
                local = request.url.path.removeprefix(str(request.scope.get("root_path", "")))
                fault = self.faults.strike(request.method, local, str(body.get("symbol", "")))
                answer = await self._with_fault(fault, handler, request)
            except Refused as refusal:
                answer = JSONResponse(refusal.body, status_code=refusal.status)
            except WarehouseUnavailable as error:
                answer = JSONResponse({"code": 50310000, "message": str(error)}, status_code=503)
            except PasError as error:
                answer = JSONResponse({"code": 40010000, "message": str(error)}, status_code=400)
            for name, value in self.rate.headers(self.clock.now().timestamp()).items():
                answer.headers.setdefault(name, value)
            return answer

        return Route(path, guarded, methods=[method])

    async def _with_fault(self, fault: Fault | None, handler: Handler, request: Request) -> Response:
        request.state.fault = fault
        if fault is None or fault.kind in _LEFT_TO_HANDLERS:
            return await handler(request)
        kind = fault.kind
        if kind == "rate_limit":
            body = {"code": 42910000, "message": "rate limit exceeded"}
            return JSONResponse(body, 429, {"X-RateLimit-Remaining": "0", "Retry-After": "1"})
        if kind == "reject":
            options = fault.options
            raise Refused(
                int(options.get("status", 403)), int(options.get("code", 40310000)),
                str(options.get("message", "insufficient buying power")),
            )  # fmt: skip
        if kind == "wrong_order":
            request.state.body["qty"] = str(Decimal(str(request.state.body["qty"])) * 2)
        if kind.startswith("accept_then_") or kind == "wrong_order":
            await handler(request)
        if kind.endswith("timeout"):
            await asyncio.sleep(float(fault.options.get("seconds", 30.0)))
            return Response(status_code=504)
        if kind.endswith("cut"):
            return StreamingResponse(_broken(), headers={"content-length": "1000", "content-type": "application/json"})
        if kind.endswith("garbage"):
            return HTMLResponse(_HTML, status_code=200)
        return HTMLResponse(_HTML, status_code=int(fault.options.get("status", 504)))

    # ------------------------------------------------------------------------------------------------ account

    async def _account(self, _: Request) -> Response:
        with self.book.lock:
            self.book.advance()
            equity, held = self.book.equity()
            power = self.book.buying_power()
            cash = self.book.cash
            maintenance = held * Decimal("0.3")
            body = {
                "account_blocked": False, "account_number": self.book.meta("account_number"), "accrued_fees": "0",
                "admin_configurations": {}, "balance_asof": self._previous_session().isoformat(),
                "buying_power": shown(power), "cash": shown(cash.quantize(Decimal("0.01"))),
                "created_at": self.book.meta("created_at"), "crypto_status": "INACTIVE", "crypto_tier": 0,
                "currency": "USD", "effective_buying_power": shown(power), "equity": shown(equity),
                "id": self.book.meta("id"), "initial_margin": shown(held / 2), "intraday_adjustments": "0",
                "last_equity": shown(Decimal(self.book.meta("last_equity"))),
                "last_maintenance_margin": shown(maintenance), "long_market_value": shown(held),
                "maintenance_margin": shown(maintenance), "multiplier": "4",
                "non_marginable_buying_power": shown(max(ZERO, cash - self.book.reserved())),
                "options_approved_level": 0, "options_buying_power": "0", "options_trading_level": 0,
                "pending_reg_taf_fees": "0", "portfolio_value": shown(equity), "position_market_value": shown(held),
                "regt_buying_power": shown(power / 2), "short_market_value": "0", "shorting_enabled": False,
                "sma": shown(equity), "status": "ACTIVE", "trade_suspended_by_user": False, "trading_blocked": False,
                "transfers_blocked": False, "user_configurations": None,
            }  # fmt: skip
        return JSONResponse(body)

    def _previous_session(self) -> date:
        return calendar.previous_session(calendar.session_on_or_before(self.book.today()))

    async def _configurations(self, _: Request) -> Response:
        return JSONResponse({
            "dtbp_check": "entry", "fractional_trading": True, "max_margin_multiplier": "4", "no_shorting": True,
            "suspend_trade": False, "trade_confirm_email": "none",
        })  # fmt: skip

    async def _clock(self, _: Request) -> Response:
        now = self.clock.now()
        session = self.book.trading_session(now)
        is_open = self.book.is_open(now)
        opens = calendar.session_open(calendar.next_session(session) if is_open else session)
        return JSONResponse({
            "timestamp": _new_york(now), "is_open": is_open, "next_open": _new_york(opens),
            "next_close": _new_york(calendar.session_close(session)),
        })  # fmt: skip

    async def _calendar(self, request: Request) -> Response:
        start = _date(request.query_params.get("start"), date(2000, 1, 3))
        end = _date(request.query_params.get("end"), date(2029, 12, 31))
        rows = []
        for day in calendar.sessions(start, end):
            close = calendar.session_close(day).astimezone(NY)
            rows.append({
                "date": day.isoformat(), "open": "09:30", "close": close.strftime("%H:%M"), "session_open": "0400",
                "session_close": "2000" if close.hour == 16 else "1700",
                "settlement_date": calendar.next_session(day).isoformat(),
            })  # fmt: skip
        return JSONResponse(rows)

    async def _history(self, _: Request) -> Response:
        with self.book.lock:
            self.book.advance()
            points = self.book.history()
        equity = [float(value) for _, value in points]
        base = 100_000.0
        before = [base, *equity[:-1]]
        return JSONResponse({
            "timestamp": [int(calendar.ny_midnight(day).timestamp()) for day, _ in points], "equity": equity,
            "profit_loss": [a - b for a, b in zip(equity, before, strict=True)] if equity else [],
            "profit_loss_pct": [a / b - 1 for a, b in zip(equity, before, strict=True)] if equity else [],
            "base_value": base, "base_value_asof": points[0][0].isoformat() if points else "0000-00-00",
            "timeframe": "1D", "cashflow": {},
        })  # fmt: skip

    async def _activities(self, request: Request) -> Response:
        query = request.query_params
        kinds = request.path_params.get("kind") or query.get("activity_types", "")
        wanted = {k for k in kinds.split(",") if k}
        size = min(100, int(query.get("page_size", "100")))
        with self.book.lock:
            self.book.advance()
            rows = self.book.activities()
        rows = [r for r in rows if not wanted or r["activity_type"] in wanted]
        when = [str(r.get("transaction_time") or r["created_at"]) for r in rows]
        if after := query.get("after"):
            rows, when = _where(rows, when, lambda t: _moment(t) > _moment(after))
        if until := query.get("until"):
            rows, when = _where(rows, when, lambda t: _moment(t) <= _moment(until))
        if day := query.get("date"):
            rows, when = _where(rows, when, lambda t: _moment(t).astimezone(NY).date().isoformat() == day)
        if query.get("direction", "desc") != "asc":
            rows = rows[::-1]
        if token := query.get("page_token"):
            ids = [r["id"] for r in rows]
            if token not in ids:
                raise Refused(422, 40010001, "invalid page_token")
            rows = rows[ids.index(token) + 1 :]
        rows = rows[:size]
        fault: Fault | None = request.state.fault
        if fault is not None and fault.kind == "hidden_rows":
            rows = []
        if fault is not None and fault.kind == "late_rows":
            rows = [r for r in rows if r.get("type") != "partial_fill"]
        if fault is not None and fault.kind == "reversed_rows":
            rows = rows[::-1]
        if fault is not None and fault.kind == "duplicate_rows":
            rows = [r for row in rows for r in (row, row)][:size]
        return JSONResponse(rows)

    # ------------------------------------------------------------------------------------------------- assets

    async def _assets(self, request: Request) -> Response:
        status = request.query_params.get("status")
        rows = [self._asset_body(a) for a in self.book.assets()]
        return JSONResponse([r for r in rows if not status or r["status"] == status])

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["symbol"]
        for asset in self.book.assets():
            if name in (asset.symbol, asset_id(asset)):
                return JSONResponse(self._asset_body(asset))
        raise Refused(404, 40410000, f"asset not found for {name}")

    def _asset_body(self, asset: WorldAsset) -> dict[str, Any]:
        live = asset.tradable
        return {
            "attributes": ["fractional_eh_enabled"] if asset.fractionable else [],
            "borrow_status": "easy_to_borrow" if live else "not_available", "class": "us_equity",
            "easy_to_borrow": live, "exchange": _exchange(asset.exchange), "fractionable": asset.fractionable and live,
            "id": asset_id(asset), "maintenance_margin_requirement": 30, "margin_requirement_long": "30",
            "margin_requirement_short": "30", "marginable": True, "name": asset.name, "shortable": False,
            "status": "active" if live else "inactive", "symbol": asset.symbol, "tradable": live,
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------------- orders

    async def _submit(self, request: Request) -> Response:
        body = _check_form(request.state.body)
        fault: Fault | None = request.state.fault
        fraction: Decimal | None = None
        if fault is not None and fault.kind == "partial_fill":
            fraction = Decimal(str(fault.options.get("fraction", "0.4")))
        if fault is not None and fault.kind == "no_fill":
            fraction = ZERO
        with self.book.lock:
            self.book.advance()
            return JSONResponse(_public(self.book.submit(body, fraction=fraction)))

    async def _list_orders(self, request: Request) -> Response:
        query = request.query_params
        status = query.get("status", "open")
        limit = min(500, int(query.get("limit", "50")))
        with self.book.lock:
            self.book.advance()
            rows = self.book.orders()
        if status == "open":
            rows = [r for r in rows if r["status"] in OPEN_STATES]
        elif status == "closed":
            rows = [r for r in rows if r["status"] in _CLOSED_STATES]
        elif status != "all":
            raise Refused(422, 40010001, f"invalid status {status}")
        if symbols := query.get("symbols"):
            rows = [r for r in rows if r["symbol"] in symbols.split(",")]
        if side := query.get("side"):
            rows = [r for r in rows if r["side"] == side]
        if after := query.get("after"):
            rows = [r for r in rows if _nanos(r["submitted_at"]) > _nanos(after)]
        if until := query.get("until"):
            rows = [r for r in rows if _nanos(r["submitted_at"]) < _nanos(until)]
        if query.get("direction", "desc") != "asc":
            rows = rows[::-1]
        if token := query.get("after_order_id"):
            ids = [r["id"] for r in rows]
            rows = rows[ids.index(token) + 1 :] if token in ids else []
        return JSONResponse([_public(r) for r in rows[:limit]])

    async def _order(self, request: Request) -> Response:
        return self._one_order("id", request.path_params["key"])

    async def _order_by_client_id(self, request: Request) -> Response:
        return self._one_order("client_order_id", request.query_params.get("client_order_id", ""))

    def _one_order(self, column: str, value: str) -> Response:
        with self.book.lock:
            self.book.advance()
            found = self.book.orders(f"{column} = ?", (value,))
        if not found:
            raise Refused(404, 40410000, "order not found")
        return JSONResponse(_public(found[0]))

    async def _cancel(self, request: Request) -> Response:
        fault: Fault | None = request.state.fault
        key = request.path_params["key"]
        with self.book.lock:
            self.book.advance()
            if fault is not None and fault.kind == "fill_wins":
                self.book.finish(self.book.orders("id = ?", (key,))[0]["symbol"], "fill")
            if fault is None or fault.kind != "cancel_ignored":
                self.book.cancel(key)
        return Response(status_code=204)

    async def _cancel_all(self, _: Request) -> Response:
        with self.book.lock:
            self.book.advance()
            rows = []
            for order in self.book.open_orders():
                self.book.cancel(order["id"])
                rows.append({"id": order["id"], "status": 200})
        return JSONResponse(rows, status_code=207)

    # ---------------------------------------------------------------------------------------------- positions

    async def _positions(self, _: Request) -> Response:
        with self.book.lock:
            self.book.advance()
            return JSONResponse([self._position_body(s) for s in self.book.positions()])

    async def _position(self, request: Request) -> Response:
        with self.book.lock:
            self.book.advance()
            if request.path_params["symbol"] not in self.book.positions():
                raise Refused(404, 40410000, "position does not exist")
            return JSONResponse(self._position_body(request.path_params["symbol"]))

    def _position_body(self, symbol: str) -> dict[str, Any]:
        held = self.book.positions()[symbol]
        price, last = self.book.price(symbol)
        waiting = sum(
            (
                Decimal(o["qty"] or "0") - Decimal(o["filled_qty"])
                for o in self.book.open_orders(symbol)
                if o["side"] == "sell"
            ),
            ZERO,
        )
        asset = self.book.asset(symbol)
        value, today = held.qty * price, held.qty * (price - last)
        gain = value - held.cost
        return {
            "asset_class": "us_equity", "asset_id": asset_id(asset) if asset else "", "asset_marginable": True,
            "avg_entry_price": shown(held.cost / held.qty), "change_today": shown(price / last - 1 if last else ZERO),
            "cost_basis": shown(held.cost), "current_price": shown(price),
            "exchange": _exchange(asset.exchange) if asset else "", "lastday_price": shown(last),
            "market_value": shown(value), "qty": shown(held.qty), "qty_available": shown(held.qty - waiting),
            "side": "long", "symbol": symbol, "unrealized_intraday_pl": shown(today),
            "unrealized_intraday_plpc": shown(today / (value - today) if value != today else ZERO),
            "unrealized_pl": shown(gain), "unrealized_plpc": shown(gain / held.cost if held.cost else ZERO),
        }  # fmt: skip

    # -------------------------------------------------------------------------------------------------- admin

    async def _faults(self, request: Request) -> Response:
        if request.method == "PUT":
            try:
                self.faults.put(await request.json())
            except (ValueError, TypeError) as error:
                return JSONResponse({"detail": str(error)}, status_code=422)
        elif request.method == "DELETE":
            self.faults.clear()
        return JSONResponse(self.faults.shown())

    async def _by_hand(self, request: Request) -> Response:
        body = await request.json()
        with self.book.lock:
            self.book.advance()
            self.book.trade_by_hand(
                str(body["symbol"]), str(body["side"]), Decimal(str(body["qty"])), silent=bool(body.get("silent"))
            )
        return JSONResponse({"done": True})

    async def _move_cash(self, request: Request) -> Response:
        body = await request.json()
        with self.book.lock:
            self.book.advance()
            self.book.move_cash(Decimal(str(body["amount"])))
        return JSONResponse({"done": True})

    async def _finish(self, request: Request) -> Response:
        body = await request.json()
        with self.book.lock:
            self.book.advance()
            done = self.book.finish(str(body["symbol"]), str(body.get("how", "fill")))
        return JSONResponse({"done": done})

    async def _set_rate(self, request: Request) -> Response:
        if request.method == "PUT":
            self.rate.set(int((await request.json())["per_minute"]))
        return JSONResponse({"per_minute": self.rate.per_minute, "answered": self.rate.answered,
                             "refused": self.rate.refused})  # fmt: skip


def build_router(world: BrokerWorld, clock: Clock, state_dir: Path) -> Router:
    """Return the trading API of a paper broker, to be mounted under ``/alpaca``."""
    return PaperBroker(world, clock, state_dir).router


async def _broken() -> AsyncIterator[bytes]:
    yield b'{"id":'
    raise ConnectionResetError("the sandbox cuts this connection")


async def _json_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body(), parse_float=str)
    except ValueError:
        raise Refused(422, 40010001, "request body format is invalid") from None
    if not isinstance(body, dict):
        raise Refused(422, 40010001, "request body format is invalid")
    return body


def _check_form(body: dict[str, Any]) -> dict[str, Any]:
    def malformed(message: str, code: int = 40010001) -> Refused:
        return Refused(422, code, message)

    for name in ("symbol", "side", "type", "time_in_force"):
        if not body.get(name):
            raise malformed(f"{name} is required")
    if body["side"] not in ("buy", "sell"):
        raise malformed("invalid side")
    if body["type"] not in ("market", "limit"):
        raise malformed(f"order type {body['type']} is not served by the sandbox", 42210000)
    if len(str(body.get("client_order_id") or "")) > 128:
        raise malformed("client_order_id must be no more than 128 characters")
    amounts = [name for name in ("qty", "notional") if body.get(name) is not None]
    if not amounts:
        raise malformed("qty or notional is required")
    if len(amounts) == 2:
        raise malformed("only one of qty or notional is accepted")
    try:
        amount = Decimal(str(body[amounts[0]]))
    except InvalidOperation:
        raise malformed(f"{amounts[0]} must be a number") from None
    if not amount.is_finite() or amount <= 0:
        raise malformed(f"{amounts[0]} must be > 0")
    if amount != amount.quantize(Decimal("0.000000001")):
        raise malformed(f"{amounts[0]} must be limited to 9 decimal places")
    is_fractional = amounts == ["notional"] or amount != amount.to_integral_value()
    if is_fractional and body["time_in_force"] != "day":
        raise malformed("fractional orders must be DAY orders", 42210000)
    if is_fractional and body.get("order_class") not in (None, "", "simple"):
        raise malformed("fractional orders must be simple orders", 42210000)
    if amounts == ["notional"] and body["type"] != "market":
        raise malformed("notional orders must be market orders", 42210000)
    if body["type"] == "limit":
        limit = Decimal(str(body.get("limit_price") or "0"))
        places = Decimal("0.01") if limit >= 1 else Decimal("0.0001")
        if limit <= 0:
            raise malformed("limit orders require limit_price")
        if limit != limit.quantize(places):
            raise malformed(
                f"invalid limit_price {body['limit_price']}. "
                "sub-penny increment does not fulfill minimum pricing criteria",
                42210000,
            )
    return body


def _public(order: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in order.items() if not name.startswith("_")}


def _exchange(name: str) -> str:
    text = re.sub(r"[^A-Z]", "", name.upper())
    return "NASDAQ" if "NASDAQ" in text else "ARCA" if "ARCA" in text else text or "NYSE"


def _new_york(at: datetime) -> str:
    return at.astimezone(NY).isoformat()


def _moment(text: str) -> datetime:
    if len(text) == 10:
        return calendar.ny_midnight(date.fromisoformat(text))
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text.replace(" ", "+"))
    return datetime.fromisoformat(cut)


def _nanos(text: str) -> tuple[datetime, int]:
    fraction = re.search(r"\.(\d+)", text)
    return _moment(text), int(fraction[1].ljust(9, "0")) if fraction else 0


def _date(text: str | None, default: date) -> date:
    return date.fromisoformat(text[:10]) if text else default


def _where(
    rows: list[dict[str, Any]], when: list[str], keep: Callable[[str], bool]
) -> tuple[list[dict[str, Any]], list[str]]:
    pairs: Iterable[tuple[dict[str, Any], str]] = [(r, t) for r, t in zip(rows, when, strict=True) if keep(t)]
    kept = list(pairs)
    return [r for r, _ in kept], [t for _, t in kept]

"""The paper broker's own books and its matching: what an account is, without any HTTP.

Everything happens at three instants of a session, in the order of time: at midnight what corporate actions do to
positions,
at the open the fills of what queued, at the close the expiry of day orders. Nothing runs in the background:
`Book.advance` catches up with the clock whenever somebody asks. Market orders fill at the session's official open,
whole, whatever their size. State lies in one SQLite file, so that a restarted broker knows its account.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Protocol

from pas_lib import clock as calendar
from pas_lib.clock import NY

NANO = Decimal("0.000000001")
CENT = Decimal("0.01")
ZERO = Decimal(0)
START_CASH = Decimal(100_000)
MARGIN = Decimal(4)
#: What comes in so long after the open still fills at it, where fills are made up later; the rest fills at the close.
OPENING = timedelta(minutes=30)
OPEN_STATES = ("accepted", "new", "pending_new", "partially_filled")

_SCHEMA = """
create table if not exists meta (name text primary key, value text not null);
create table if not exists orders (
    seq integer primary key, id text unique not null, client_order_id text unique not null, symbol text not null,
    side text not null, status text not null, body text not null);
create index if not exists orders_status on orders (status, symbol);
create table if not exists positions (symbol text primary key, qty text not null, cost text not null);
create table if not exists activities (
    seq integer primary key, id text unique not null, type text not null, at text not null, body text not null);
create table if not exists marks (symbol text primary key, price text not null, previous text not null);
create table if not exists history (session text primary key, equity text not null);
"""


class WorldBar(Protocol):
    """One session of one symbol, unadjusted, in USD."""

    @property
    def open(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def close(self) -> float: ...  # noqa: D102


class WorldAsset(Protocol):
    """A line the broker lists."""

    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def exchange(self) -> str: ...  # noqa: D102
    @property
    def tradable(self) -> bool: ...  # noqa: D102
    @property
    def fractionable(self) -> bool: ...  # noqa: D102


class WorldAction(Protocol):
    """Something that changes what a share is: split, dividend, capital_gain, rename or delisting."""

    @property
    def symbol(self) -> str: ...  # noqa: D102
    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def ex_date(self) -> date: ...  # noqa: D102
    @property
    def ratio(self) -> float: ...  # noqa: D102
    @property
    def amount(self) -> float: ...  # noqa: D102
    @property
    def new_symbol(self) -> str: ...  # noqa: D102


class BrokerWorld(Protocol):
    """What the paper broker asks of the market it trades in."""

    def refresh(self) -> None:
        """Look whether there is anything new; called once before each request."""
        ...

    def knows(self, session: date) -> bool:
        """Return whether the prices of a session can be told; its orders wait until they can."""
        ...

    def bar(self, symbol: str, session: date) -> WorldBar | None:
        """Return the bar of a session, or None when the symbol does not trade in it."""
        ...

    def previous_bar(self, symbol: str, session: date) -> WorldBar | None:
        """Return the last bar before a session."""
        ...

    def is_halted(self, symbol: str, session: date) -> bool:
        """Return whether a listed symbol does not trade in a session."""
        ...

    def assets(self, day: date | None = None) -> Sequence[WorldAsset]:
        """Return all lines known on a day."""
        ...

    def corporate_actions(
        self, symbol: str, start: date | None = None, end: date | None = None
    ) -> Sequence[WorldAction]:
        """Return the events of a symbol between two days, both included."""
        ...


class Refused(Exception):
    """A request the broker answers with an error.

    Parameters
    ----------
    status, code : int
        HTTP status and the broker's own code.
    message : str
        As the real broker words it.
    extra : Any
        Further keys of the body.
    """

    def __init__(self, status: int, code: int, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, **extra}


@dataclass(frozen=True, slots=True)
class Holding:
    """A position: shares (negative never) and what they cost, in USD."""

    symbol: str
    qty: Decimal
    cost: Decimal


def money(value: float | Decimal) -> Decimal:
    """Return a price as a decimal of at most 9 places."""
    return Decimal(str(value)).quantize(NANO, rounding=ROUND_HALF_UP)


def shown(value: Decimal) -> str:
    """Write a number as the broker does: no exponent, no trailing zeros."""
    text = format(value.quantize(NANO) if value != value.to_integral_value() else value.to_integral_value(), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def stamp(at: datetime, nanos: int = 0) -> str:
    """Write a time in RFC 3339 with up to nine fraction digits, trailing zeros dropped."""
    at = at.astimezone(UTC)
    fraction = f"{at.microsecond * 1000 + nanos:09d}".rstrip("0")
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


class Book:
    """The account, its orders, positions and activities.

    Parameters
    ----------
    world : BrokerWorld
        The market.
    clock : pas_lib.clock.Clock
        What time it is there.
    state_dir : Path
        Folder of the SQLite file.
    numbers : str
        How account numbers begin: which market it is shows from them.
    """

    def __init__(self, world: BrokerWorld, clock: calendar.Clock, state_dir: Path, *, numbers: str = "PASB") -> None:
        self.world = world
        self.clock = clock
        self.lock = threading.RLock()
        state_dir.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(state_dir / "broker.sqlite", check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self._assets: tuple[date, dict[str, WorldAsset]] | None = None
        #: Who wants to know what happens to orders: called with (event, order, further fields).
        self.listeners: list[Callable[[str, dict[str, Any], dict[str, Any]], None]] = []
        if self._meta("cash") is None:
            with self._transaction():
                now = clock.now()
                number = uuid.uuid5(uuid.NAMESPACE_OID, f"pas-sandbox-{now.isoformat()}")
                self._set_meta("cash", str(START_CASH))
                self._set_meta("id", str(number))
                self._set_meta("account_number", f"{numbers}{number.int % 10**8:08d}")
                self._set_meta("created_at", stamp(now))
                self._set_meta("done_until", now.isoformat())
                self._set_meta("last_equity", str(START_CASH))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # ------------------------------------------------------------------------------------------------ storage

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._db.in_transaction:
            yield
            return
        self._db.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")

    def _meta(self, name: str) -> str | None:
        row = self._db.execute("select value from meta where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute("insert or replace into meta values (?, ?)", (name, value))

    def meta(self, name: str) -> str:
        """Return a fact about the account: ``id``, ``account_number``, ``created_at``, ``last_equity``."""
        return self._meta(name) or ""

    @property
    def cash(self) -> Decimal:
        """Cash in USD, same-day proceeds included."""
        return Decimal(self.meta("cash"))

    def _move_cash(self, amount: Decimal) -> None:
        self._set_meta("cash", str(self.cash + amount))

    def positions(self) -> dict[str, Holding]:
        """Return what is held, by symbol."""
        rows = self._db.execute("select symbol, qty, cost from positions order by symbol").fetchall()
        return {s: Holding(s, Decimal(q), Decimal(c)) for s, q, c in rows}

    def _hold(self, symbol: str, qty: Decimal, cost: Decimal) -> None:
        if qty == 0:
            self._db.execute("delete from positions where symbol = ?", (symbol,))
        else:
            self._db.execute("insert or replace into positions values (?, ?, ?)", (symbol, str(qty), str(cost)))

    def orders(self, where: str = "1", parameters: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return order bodies, oldest first."""
        rows = self._db.execute(f"select body from orders where {where} order by seq", parameters)  # noqa: S608
        return [json.loads(row[0]) for row in rows]

    def open_orders(self, symbol: str = "") -> list[dict[str, Any]]:
        """Return orders that can still fill."""
        marks = ", ".join("?" for _ in OPEN_STATES)
        if symbol:
            return self.orders(f"status in ({marks}) and symbol = ?", (*OPEN_STATES, symbol))
        return self.orders(f"status in ({marks})", OPEN_STATES)

    def _save_order(self, order: dict[str, Any]) -> None:
        self._db.execute(
            "update orders set status = ?, body = ? where id = ?", (order["status"], json.dumps(order), order["id"])
        )

    def _tell(self, event: str, order: dict[str, Any], **more: Any) -> None:
        for listener in self.listeners:
            listener(event, order, more)

    def activities(self) -> list[dict[str, Any]]:
        """Return all activities, oldest first."""
        rows = self._db.execute("select body from activities order by at, seq").fetchall()
        return [json.loads(row[0]) for row in rows]

    def _act(self, kind: str, at: datetime, body: dict[str, Any]) -> None:
        seq = self._db.execute("select coalesce(max(seq), 0) + 1 from activities").fetchone()[0]
        # The real ids begin with New York local time, too; readers must not take them for UTC.
        local = at.astimezone(NY)
        prefix = local.strftime("%Y%m%d%H%M%S") + f"{local.microsecond // 1000:03d}"
        key = f"{prefix}::{uuid.uuid5(uuid.UUID(self.meta('id')), f'activity-{seq}')}"
        row = {"activity_type": kind, "id": key, **body}
        self._db.execute(
            "insert into activities values (?, ?, ?, ?, ?)", (seq, key, kind, at.isoformat(), json.dumps(row))
        )

    # ------------------------------------------------------------------------------------------------- market

    def asset(self, symbol: str) -> WorldAsset | None:
        """Return a line by symbol as known today."""
        day = self.today()
        if self._assets is None or self._assets[0] != day:
            self._assets = (day, self._lines(day))
        return self._assets[1].get(symbol)

    def assets(self) -> list[WorldAsset]:
        """Return all lines known today."""
        day = self.today()
        self._assets = (day, self._lines(day))
        return list(self._assets[1].values())

    def _lines(self, day: date) -> dict[str, WorldAsset]:
        lines: dict[str, WorldAsset] = {}
        for line in self.world.assets(day):
            if line.symbol not in lines or line.tradable:
                lines[line.symbol] = line
        return lines

    def today(self) -> date:
        """Return the date in New York."""
        return self.clock.now().astimezone(NY).date()

    def is_open(self, at: datetime | None = None) -> bool:
        """Whether the market is open."""
        at = at or self.clock.now()
        day = at.astimezone(NY).date()
        return calendar.is_session(day) and calendar.session_open(day) <= at < calendar.session_close(day)

    def trading_session(self, at: datetime | None = None) -> date:
        """Return the session in which an order sent now trades: this one until its close, else the next."""
        at = at or self.clock.now()
        day = at.astimezone(NY).date()
        if calendar.is_session(day) and at < calendar.session_close(day):
            return day
        return calendar.next_session(day)

    def price(self, symbol: str) -> tuple[Decimal, Decimal]:
        """Return (current price, last close) of a symbol in USD; the last known mark when it does not trade."""
        now = self.clock.now()
        day = calendar.session_on_or_before(now.astimezone(NY).date())
        if now < calendar.session_open(day):
            day = calendar.previous_session(day)
        bar, before = self.world.bar(symbol, day), self.world.previous_bar(symbol, day)
        row = self._db.execute("select price, previous from marks where symbol = ?", (symbol,)).fetchone()
        last = money(before.close) if before else (Decimal(row[1]) if row else ZERO)
        if bar is None:
            return (Decimal(row[0]), last) if row else (last, last)
        return money(bar.close if now >= calendar.session_close(day) else bar.open), last

    def equity(self) -> tuple[Decimal, Decimal]:
        """Return (equity, long market value) in USD."""
        value = sum(((h.qty * self.price(s)[0]).quantize(NANO) for s, h in self.positions().items()), ZERO)
        return self.cash + value, value

    def reserved(self) -> Decimal:
        """Value of open buy orders in USD, at current prices."""
        total = ZERO
        for order in self.open_orders():
            if order["side"] == "buy":
                total += self._value(order)
        return total

    def _value(self, order: dict[str, Any]) -> Decimal:
        if order["notional"] is not None:
            return Decimal(order["notional"])
        left = Decimal(order["qty"]) - Decimal(order["filled_qty"])
        price = Decimal(order["limit_price"]) if order["limit_price"] else self.price(order["symbol"])[0]
        return left * price

    def buying_power(self) -> Decimal:
        """Four times equity less what is held and reserved, as on a margin account."""
        equity, held = self.equity()
        return max(ZERO, MARGIN * equity - held - self.reserved()).quantize(CENT, rounding=ROUND_DOWN)

    # ------------------------------------------------------------------------------------------------ advance

    def advance(self) -> None:
        """Do everything that is due until now."""
        self.world.refresh()
        now = self.clock.now()
        done = datetime.fromisoformat(self.meta("done_until"))
        if now <= done:
            return
        with self._transaction():
            until = now
            for at, what, session in self._instants(done, now):
                if not self.world.knows(session):
                    # Its prices have not arrived: everything from here on happens when they have.
                    until = at - timedelta(microseconds=1)
                    break
                if what == "midnight":
                    self._corporate_actions(session, at)
                elif what == "open":
                    for order in self.open_orders():
                        if order["created_at"] <= stamp(at + OPENING):
                            self._match(order, session, at)
                else:
                    self._end_of_session(session, at)
            self._set_meta("done_until", until.isoformat())

    def _instants(self, after: datetime, until: datetime) -> Iterable[tuple[datetime, str, date]]:
        start = after.astimezone(NY).date()
        for session in calendar.sessions(start, until.astimezone(NY).date()):
            midnight = datetime.combine(session, time(0), tzinfo=NY).astimezone(UTC)
            for at, what in (
                (midnight, "midnight"),
                (calendar.session_open(session), "open"),
                (calendar.session_close(session), "close"),
            ):
                if after < at <= until:
                    yield at, what, session

    def _corporate_actions(self, session: date, at: datetime) -> None:
        earlier = calendar.previous_session(session) + timedelta(days=1)
        for symbol, holding in self.positions().items():
            for action in self.world.corporate_actions(symbol, earlier, session):
                if action.symbol != symbol:
                    continue
                group = str(uuid.uuid5(uuid.UUID(self.meta("id")), f"{action.kind}-{symbol}-{session}"))
                self._apply(action, holding, session, at, group)
                holding = self.positions().get(symbol, Holding(symbol, ZERO, ZERO))

    def _apply(self, action: WorldAction, holding: Holding, session: date, at: datetime, group: str) -> None:
        symbol, qty = holding.symbol, holding.qty
        if qty == 0:
            return
        base = {
            "date": session.isoformat(), "created_at": stamp(at), "currency": "USD", "status": "executed",
            "group_id": group,
        }  # fmt: skip
        if action.kind == "split":
            after = (qty * money(action.ratio)).quantize(NANO, rounding=ROUND_DOWN)
            sub = "FSPLIT" if after > qty else "RSPLIT"
            for part in (-qty, after):
                self._act("SPLIT", at, {**base, "activity_sub_type": sub, "symbol": symbol, "qty": shown(part),
                                        "net_amount": "0"})  # fmt: skip
            self._hold(symbol, after, holding.cost)
            # What was ordered in shares of yesterday means nothing in shares of today.
            for order in self.open_orders(symbol):
                self._finish(order, "canceled", at)
        elif action.kind in ("dividend", "capital_gain"):
            rate = money(action.amount)
            paid = (qty * rate).quantize(CENT, rounding=ROUND_HALF_UP)
            if paid:
                kind, sub = ("DIV", "CDIV") if action.kind == "dividend" else ("DIVCGL", "")
                self._act(kind, at, {**base, "activity_sub_type": sub, "symbol": symbol, "qty": shown(qty),
                                     "per_share_amount": shown(rate), "net_amount": shown(paid)})  # fmt: skip
                self._move_cash(paid)
        elif action.kind == "rename":
            new = action.new_symbol
            for name, part in ((symbol, -qty), (new, qty)):
                self._act("NC", at, {**base, "activity_sub_type": "SNC", "symbol": name, "qty": shown(part),
                                     "net_amount": "0"})  # fmt: skip
            self._hold(symbol, ZERO, ZERO)
            self._hold(new, qty, holding.cost)
            for order in self.open_orders(symbol):
                self._finish(order, "canceled", at)
        elif action.kind == "delisting":
            paid = (qty * money(action.amount)).quantize(CENT, rounding=ROUND_HALF_UP)
            kind, sub = ("MA", "CMA") if paid else ("REORG", "WRM")
            self._act(kind, at, {**base, "activity_sub_type": sub, "symbol": symbol, "qty": shown(-qty),
                                 "net_amount": shown(paid)})  # fmt: skip
            self._hold(symbol, ZERO, ZERO)
            self._move_cash(paid)
            for order in self.open_orders(symbol):
                self._finish(order, "canceled", at)

    def _end_of_session(self, session: date, at: datetime) -> None:
        for order in self.open_orders():
            if order["type"] == "limit" and order["status"] != "partially_filled":
                self._match_limit_inside(order, session, at)
        opened = stamp(calendar.session_open(session) + OPENING)
        for order in self.open_orders():
            bar = self.world.bar(order["symbol"], session)
            if order["type"] == "market" and order["created_at"] > opened and "_fraction" not in order and bar:
                self._fill(order, money(bar.close), at)
        for order in self.open_orders():
            if order["time_in_force"] == "day" and order["expires_at"] <= stamp(at):
                self._finish(order, "expired", at)
        for symbol in self.positions():
            self._mark(symbol, session)
        value = ZERO
        for symbol, holding in self.positions().items():
            row = self._db.execute("select price from marks where symbol = ?", (symbol,)).fetchone()
            value += holding.qty * Decimal(row[0]) if row else ZERO
        equity = (self.cash + value).quantize(NANO)
        self._set_meta("last_equity", str(equity))
        self._db.execute("insert or replace into history values (?, ?)", (session.isoformat(), str(equity)))

    def _mark(self, symbol: str, session: date) -> None:
        bar = self.world.bar(symbol, session)
        if bar is None:
            return
        row = self._db.execute("select price from marks where symbol = ?", (symbol,)).fetchone()
        price = money(bar.close)
        self._db.execute(
            "insert or replace into marks values (?, ?, ?)", (symbol, str(price), row[0] if row else str(price))
        )

    def history(self) -> list[tuple[date, Decimal]]:
        """Return equity at each close."""
        rows = self._db.execute("select session, equity from history order by session").fetchall()
        return [(date.fromisoformat(day), Decimal(value)) for day, value in rows]

    # ------------------------------------------------------------------------------------------------- orders

    def submit(self, body: dict[str, Any], *, fraction: Decimal | None = None) -> dict[str, Any]:
        """Take an order, or refuse it as the real broker does.

        Parameters
        ----------
        body : dict
            The request, checked for its form already.
        fraction : Decimal, optional
            Fill to this share only, and leave the rest open; 0 leaves all of it open.

        Returns
        -------
        dict
            The order as it is right after submission.

        Raises
        ------
        Refused
            With the status, code and wording of the real broker.
        """
        symbol, side = str(body["symbol"]), str(body["side"])
        now = self.clock.now()
        client_id = str(body.get("client_order_id") or "")
        if client_id and self.orders("client_order_id = ?", (client_id,)):
            raise Refused(422, 40010001, "client_order_id must be unique")
        asset = self.asset(symbol)
        if asset is None:
            raise Refused(422, 40010001, f'asset "{symbol}" not found')
        if not asset.tradable:
            raise Refused(422, 40010001, f'asset "{symbol}" is not active')
        qty = None if body.get("qty") is None else Decimal(str(body["qty"]))
        notional = None if body.get("notional") is None else Decimal(str(body["notional"]))
        if not asset.fractionable and (notional is not None or (qty is not None and qty != qty.to_integral_value())):
            raise Refused(403, 40310000, f'asset "{symbol}" is not fractionable')
        for other in self.open_orders(symbol):
            if other["side"] != side:
                raise Refused(
                    403, 40310000, "potential wash trade detected. use complex orders",
                    existing_order_id=other["id"], reject_reason="opposite side market/stop order exists",
                )  # fmt: skip
        if side == "sell":
            self._check_sell(symbol, qty if qty is not None else self._shares(notional or ZERO, symbol))
        else:
            self._check_buy(symbol, qty, notional, body)

        with self._transaction():
            seq = self._db.execute("select coalesce(max(seq), 0) + 1 from orders").fetchone()[0]
            key = str(uuid.uuid5(uuid.UUID(self.meta("id")), f"order-{seq}"))
            session = self.trading_session(now)
            nanos = (seq * 7919) % 1000
            order: dict[str, Any] = {
                "asset_class": "us_equity", "asset_id": asset_id(asset), "canceled_at": None,
                "client_order_id": client_id or str(uuid.uuid5(uuid.UUID(key), "client")),
                "created_at": stamp(now, nanos), "expired_at": None,
                "expires_at": stamp(calendar.session_close(session)), "extended_hours": False, "failed_at": None,
                "filled_at": None, "filled_avg_price": None, "filled_qty": "0", "hwm": None, "id": key, "legs": None,
                "limit_price": None if body.get("limit_price") is None else str(body["limit_price"]),
                "notional": None if notional is None else shown(notional), "order_class": "",
                "order_type": str(body["type"]), "position_intent": "buy_to_open" if side == "buy" else "sell_to_close",
                "qty": None if qty is None else shown(qty), "replaced_at": None, "replaced_by": None, "replaces": None,
                "side": side, "source": None, "status": "pending_new" if self.is_open(now) else "accepted",
                "stop_price": None, "submitted_at": stamp(now + timedelta(microseconds=seq), nanos), "subtag": None,
                "symbol": symbol, "time_in_force": str(body["time_in_force"]), "trail_percent": None,
                "trail_price": None, "type": str(body["type"]), "updated_at": stamp(now, nanos),
            }  # fmt: skip
            answer = dict(order)
            if fraction is not None:
                order["_fraction"] = str(fraction)
            self._db.execute(
                "insert into orders values (?, ?, ?, ?, ?, ?, ?)",
                (seq, key, order["client_order_id"], symbol, side, order["status"], json.dumps(order)),
            )
            if self.is_open(now):
                order["status"] = "new"
                self._save_order(order)
                self._tell("new", order)
                self._match(order, session, now)
        return answer

    def _shares(self, notional: Decimal, symbol: str) -> Decimal:
        price = self.price(symbol)[0]
        return ZERO if price <= 0 else (notional / price).quantize(NANO, rounding=ROUND_DOWN)

    def _check_sell(self, symbol: str, qty: Decimal) -> None:
        held = self.positions().get(symbol)
        if held is None:
            raise Refused(403, 40310000, "account is not allowed to short")
        waiting = sum(
            (
                Decimal(o["qty"] or "0") - Decimal(o["filled_qty"])
                for o in self.open_orders(symbol)
                if o["side"] == "sell"
            ),
            ZERO,
        )
        free = held.qty - waiting
        if qty > free:
            raise Refused(
                403, 40310000,
                f"insufficient qty available for order (requested: {shown(qty)}, available: {shown(free)})",
                available=shown(free), existing_qty=shown(held.qty), held_for_orders=shown(waiting), symbol=symbol,
            )  # fmt: skip

    def _check_buy(self, symbol: str, qty: Decimal | None, notional: Decimal | None, body: dict[str, Any]) -> None:
        limit = body.get("limit_price")
        price = Decimal(str(limit)) if limit is not None else self.price(symbol)[0]
        cost = notional if notional is not None else (qty or ZERO) * price
        power = self.buying_power()
        if cost > power:
            raise Refused(
                403, 40310000, "insufficient buying power",
                buying_power=shown(power), cost_basis=shown(cost.quantize(CENT)),
            )  # fmt: skip

    def _match(self, order: dict[str, Any], session: date, at: datetime) -> None:
        bar = self.world.bar(order["symbol"], session)
        if bar is None or self.world.is_halted(order["symbol"], session):
            return
        price = money(bar.open)
        if order["type"] == "limit":
            limit = Decimal(order["limit_price"])
            if (order["side"] == "buy" and price > limit) or (order["side"] == "sell" and price < limit):
                return
        self._fill(order, price, at)

    def _match_limit_inside(self, order: dict[str, Any], session: date, at: datetime) -> None:
        bar = self.world.bar(order["symbol"], session)
        if bar is None:
            return
        limit = Decimal(order["limit_price"])
        if (order["side"] == "buy" and money(bar.low) <= limit) or (
            order["side"] == "sell" and money(bar.high) >= limit
        ):
            self._fill(order, limit, at)

    def _fill(self, order: dict[str, Any], price: Decimal, at: datetime) -> None:
        done = Decimal(order["filled_qty"])
        if order["qty"] is not None:
            whole = Decimal(order["qty"])
        else:
            whole = (Decimal(order["notional"]) / price).quantize(NANO, rounding=ROUND_DOWN)
        qty = whole - done
        if "_fraction" in order:
            share = Decimal(order["_fraction"])
            qty = ZERO if done else (whole * share).quantize(NANO, rounding=ROUND_DOWN)
            asset = self.asset(order["symbol"])
            if asset is not None and not asset.fractionable:
                qty = qty.to_integral_value(rounding=ROUND_DOWN)
        if qty <= 0:
            return
        self._book_fill(order["symbol"], order["side"], qty, price)
        total = done + qty
        seq = int(self._db.execute("select count(*) from activities").fetchone()[0])
        moment = at + timedelta(milliseconds=3, microseconds=seq)
        order["filled_qty"] = shown(total)
        order["filled_avg_price"] = shown(price)
        order["status"] = "filled" if total >= whole else "partially_filled"
        order["updated_at"] = stamp(moment, 833)
        if order["status"] == "filled":
            order["filled_at"] = stamp(moment)
        self._save_order(order)
        self._act("FILL", moment, {
            "cum_qty": shown(total), "leaves_qty": shown(whole - total), "order_id": order["id"],
            "order_status": order["status"], "price": shown(price), "qty": shown(qty), "side": order["side"],
            "symbol": order["symbol"], "transaction_time": stamp(moment),
            "type": "fill" if order["status"] == "filled" else "partial_fill",
        })  # fmt: skip
        self._tell(
            "fill" if order["status"] == "filled" else "partial_fill", order, price=shown(price), qty=shown(qty),
            position_qty=shown(self.positions().get(order["symbol"], Holding(order["symbol"], ZERO, ZERO)).qty),
            execution_id=str(uuid.uuid5(uuid.UUID(order["id"]), f"execution-{seq}")), timestamp=stamp(moment),
        )  # fmt: skip

    def _book_fill(self, symbol: str, side: str, qty: Decimal, price: Decimal) -> None:
        held = self.positions().get(symbol, Holding(symbol, ZERO, ZERO))
        value = (qty * price).quantize(NANO, rounding=ROUND_HALF_UP)
        if side == "buy":
            self._hold(symbol, held.qty + qty, held.cost + value)
            self._move_cash(-value)
        else:
            left = held.qty - qty
            cost = ZERO if left == 0 else (held.cost * left / held.qty).quantize(NANO)
            self._hold(symbol, left, cost)
            self._move_cash(value)
        self._db.execute("insert or ignore into marks values (?, ?, ?)", (symbol, str(price), str(price)))

    def finish(self, symbol: str, how: str) -> int:
        """Fill what is left of the open orders in a symbol, or cancel them; return how many there were."""
        now = self._moment()
        found = self.open_orders(symbol)
        with self._transaction():
            for order in found:
                order.pop("_fraction", None)
                if how == "cancel":
                    self._finish(order, "canceled", now)
                else:
                    self._match(order, self.trading_session(now), now)
        return len(found)

    def _finish(self, order: dict[str, Any], status: str, at: datetime) -> None:
        order["status"] = status
        order[f"{status}_at"] = order["updated_at"] = stamp(at)
        self._save_order(order)
        self._tell(status, order, timestamp=stamp(at))

    def cancel(self, key: str) -> None:
        """Cancel an open order.

        Raises
        ------
        Refused
            404 when unknown, 422 when it is final already.
        """
        found = self.orders("id = ?", (key,))
        if not found:
            raise Refused(404, 40410000, "order not found")
        if found[0]["status"] not in OPEN_STATES:
            raise Refused(422, 42210000, f'order is already in "{found[0]["status"]}" state')
        with self._transaction():
            self._finish(found[0], "canceled", self.clock.now())

    def _moment(self) -> datetime:
        """Now, and later than whatever happened before: the clock may stand still."""
        count = int(self._db.execute("select count(*) from activities").fetchone()[0])
        return self.clock.now() + timedelta(microseconds=count + 1)

    def trade_by_hand(self, symbol: str, side: str, qty: Decimal, *, silent: bool = False) -> None:
        """Trade as a person would outside the system; ``silent`` leaves no activity behind (a broker's mistake)."""
        price = self.price(symbol)[0]
        now = self._moment()
        with self._transaction():
            self._book_fill(symbol, side, qty, price)
            if not silent:
                count = self._db.execute("select count(*) from activities").fetchone()[0]
                self._act("FILL", now, {
                    "cum_qty": shown(qty), "leaves_qty": "0",
                    "order_id": str(uuid.uuid5(uuid.UUID(self.meta("id")), f"hand-{count}")), "order_status": "filled",
                    "price": shown(price), "qty": shown(qty), "side": side, "symbol": symbol,
                    "transaction_time": stamp(now), "type": "fill",
                })  # fmt: skip

    def move_cash(self, amount: Decimal) -> None:
        """Deposit (positive) or withdraw cash."""
        with self._transaction():
            self._move_cash(amount)
            now = self._moment()
            self._act("CSD" if amount > 0 else "CSW", now, {
                "date": now.astimezone(NY).date().isoformat(), "created_at": stamp(now), "net_amount": shown(amount),
                "status": "executed", "currency": "USD",
            })  # fmt: skip


def asset_id(asset: WorldAsset) -> str:
    """Return the broker's id of a line."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"pas-sandbox/{asset.symbol}/{asset.name}"))

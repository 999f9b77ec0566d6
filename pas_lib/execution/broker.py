"""The broker over alpaca-py: raw answers, time-outs, no retries of its own for anything that could trade twice.

What can be known about an order that was sent::

    accepted    the broker answered, or was asked and knows the id
    rejected    the broker refused, and does not know the id
    unknown     time-out, broken connection, 5xx, unreadable answer, and the broker could not be asked

`AlpacaGateway.submit` never decides that an order does not exist from the answer to a POST alone: it looks the id up.
"""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from pas_lib.clock import NY, ny_midnight
from pas_lib.errors import BrokerError, GuardError
from pas_lib.execution.rate import MINUTE, RateBudget
from pas_lib.execution.stream import TradeUpdates
from pas_lib.execution.types import (
    ZERO,
    Account,
    AccountKey,
    Activity,
    AssetRule,
    BrokerOrder,
    StoredOrder,
    text_of,
)
from pas_lib.settings import LIVE_HOST, PAPER_HOST

if TYPE_CHECKING:
    from pas_lib.settings import Settings

SANDBOX_KEY = "SANDBOX"
SANDBOX_SECRET = "sandbox-secret"  # noqa: S105 - opens nothing but the loopback sandbox
#: How numbers of the paper broker's accounts begin when it fills at a warehouse's real prices.
REAL_MARKET_ACCOUNTS = "PASW"
DATA_HOST = "data.alpaca.markets"
_PAGE = 100
_SYMBOLS_AT_ONCE = 100
#: A spin-off's shares are delivered up to so long after it went ex.
_SPIN_OFF_DAYS = timedelta(days=14)

#: Broker status -> state of a stored order. What is not here is open: unknown words are never final.
_STATES: Mapping[str, str] = {
    "filled": "filled", "partially_filled": "partially_filled", "canceled": "canceled", "expired": "expired",
    "rejected": "rejected", "replaced": "canceled",
}  # fmt: skip

#: Wording of a refusal -> reason code. The numeric code alone says nothing: 40310000 means four different things.
_REFUSALS: Sequence[tuple[str, str]] = (
    (r"client_order_id must be unique", "DUPLICATE_ID"),
    (r"insufficient qty", "INSUFFICIENT_QTY"),
    (r"not allowed to short", "INSUFFICIENT_QTY"),
    (r"not fractionable", "NOT_FRACTIONABLE"),
    (r"insufficient buying power", "INSUFFICIENT_CASH"),
    (r"wash trade|opposite side", "OPPOSITE_OPEN_ORDER"),
    (r"asset .*not found|could not find asset|not active|not tradable", "NOT_TRADABLE"),
    (r"trading halt|halted", "SYMBOL_HALTED"),
    (r"fractional orders must be|sub-penny", "MALFORMED"),
    (r"rate limit|too many requests", "RATE_LIMIT"),
)


def state_of(status: str) -> str:
    """Return the state that a broker's status means."""
    return _STATES.get(status, "accepted")


class OutcomeUnknown(BrokerError):
    """The broker may or may not have taken the order."""


class OrderRejected(BrokerError):
    """The broker refused the order and does not know its id.

    Parameters
    ----------
    code : str
        A reason code.
    message : str
        The broker's words.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(f"{code}: {message}")


class OrderMismatch(BrokerError):
    """The broker has an order under our id that is not the order we meant.

    Parameters
    ----------
    message : str
        What was meant and what is there.
    found : BrokerOrder
        What is there.
    """

    def __init__(self, message: str, found: BrokerOrder) -> None:
        self.found = found
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """Patience, in seconds and numbers of tries."""

    timeout: float = 20.0
    lookups: int = 4
    sends: int = 3
    rate_waits: int = 8
    reads: int = 4
    pause: float = 0.5
    poll_pause: float = 1.0
    polls: int = 60
    price_pause: float = 10.0
    calls_per_minute: int = 200
    use_stream: bool = True


class _PatientAdapter(HTTPAdapter):
    """alpaca-py sends without a time-out; this gives every request one, and its turn in the budget."""

    def __init__(self, seconds: float, budget: RateBudget) -> None:
        self._seconds = seconds
        self._budget = budget
        super().__init__()

    def send(self, request: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Send a request with the time-out."""
        self._budget.take()
        kwargs["timeout"] = kwargs.get("timeout") or self._seconds
        return super().send(request, **kwargs)


class AlpacaGateway:
    """One account at Alpaca, or at the sandbox's paper broker, which speaks the same language.

    Parameters
    ----------
    broker : str
        ``sandbox``, ``paper`` or ``live``.
    key, secret : str
        Credentials.
    trading_url, data_url : str
        Addresses without a path of a version.
    options : GatewayOptions, optional
        Time-outs and patience.
    sleep : callable, optional
        Waits a number of seconds.
    ticks : callable, optional
        Seconds of the rate budget.

    Attributes
    ----------
    budget, data_budget : RateBudget
        Requests to the trading host and to the data host, each with a limit of its own.
    """

    def __init__(
        self,
        broker: str,
        key: str,
        secret: str,
        trading_url: str,
        data_url: str,
        *,
        options: GatewayOptions | None = None,
        sleep: Callable[[float], None] = time.sleep,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        # alpaca-py takes more than a second to import: only who really talks to a broker waits for it.
        from alpaca.common.exceptions import APIError
        from alpaca.data.historical.stock import StockHistoricalDataClient
        from alpaca.trading.client import TradingClient

        self._api_error: type[Exception] = APIError
        self.broker = broker
        self.options = options or GatewayOptions()
        self.sleep = sleep
        self._trading = TradingClient(key, secret, paper=broker != "live", raw_data=True, url_override=trading_url)
        self._feed = ""
        #: Since when the activity feed is read again in this process; None before it was read whole.
        self.read_since: datetime | None = None
        self._data = StockHistoricalDataClient(key, secret, raw_data=True, url_override=data_url)
        self._stream = (f"ws{trading_url.removeprefix('http').rstrip('/')}/stream", key, secret)
        limit = self.options.calls_per_minute
        self.budget, self.data_budget = (RateBudget(limit, ticks, lambda s: self.sleep(s)) for _ in range(2))
        for client, budget in ((self._trading, self.budget), (self._data, self.data_budget)):
            # The constructors refuse zero retries; a retried POST is a second order.
            client._retry = 0
            session: requests.Session = client._session
            adapter = _PatientAdapter(self.options.timeout, budget)
            session.mount("http://", adapter)
            session.mount("https://", adapter)
            if broker == "sandbox":
                session.trust_env = False

    @classmethod
    def from_settings(cls, settings: Settings, *, options: GatewayOptions | None = None) -> AlpacaGateway:
        """Return the configured gateway.

        Raises
        ------
        GuardError
            If credentials are missing, or key, address and PAS_BROKER contradict each other.
        """
        if settings.broker == "sandbox":
            base = settings.sandbox_url.rstrip("/")
            if not _is_loopback(urlsplit(base).hostname or ""):
                raise GuardError("PAS_BROKER=sandbox talks to loopback only, PAS_SANDBOX_URL is another address")
            patience = options or GatewayOptions(
                pause=0.05, poll_pause=0.05, polls=3, price_pause=0.05, calls_per_minute=0
            )
            return cls(
                "sandbox", SANDBOX_KEY, SANDBOX_SECRET, f"{base}/alpaca", f"{base}/alpaca-data", options=patience
            )
        key, secret = settings.alpaca_api_key, settings.alpaca_api_secret
        if key is None or secret is None:
            missing = "ALPACA_API_KEY" if key is None else "ALPACA_API_SECRET"
            raise GuardError(f"{missing} is not set: PAS_BROKER={settings.broker} cannot trade")
        want = LIVE_HOST if settings.broker == "live" else PAPER_HOST
        url = (settings.alpaca_base_url or f"https://{want}").rstrip("/").removesuffix("/v2")
        check_address(settings.broker, url)
        check_key(settings.broker, key.get_secret_value())
        return cls(
            settings.broker, key.get_secret_value(), secret.get_secret_value(), url, f"https://{DATA_HOST}",
            options=options,
        )  # fmt: skip

    def updates(self) -> TradeUpdates | None:
        """Return a listener to what happens to orders, not started yet; None when streams are switched off."""
        return TradeUpdates(*self._stream) if self.options.use_stream else None

    # -------------------------------------------------------------------------------------------------- reads

    def _read(
        self, what: str, call: Callable[[], Any], *, shape: type | None = dict, passes: tuple[int, ...] = ()
    ) -> Any:
        """Ask for something that can be asked twice: repeated on time-outs, 429, 5xx and unreadable answers.

        An answer that is not of the ``shape`` promised counts as unreadable. Statuses in ``passes`` are raised as they
        are; any other refusal becomes a `BrokerError`.
        """
        problem = "no answer"
        tries, waits, pause = 0, 0, 0.0
        while tries < self.options.reads:
            if pause or tries:
                self.sleep(pause)
            pause = self.options.pause * 2**tries
            tries += 1
            try:
                answer = call()
                if shape is None or isinstance(answer, shape):
                    return answer
                problem = "an answer of another shape"
            except self._api_error as error:
                status, message = _error(error)
                if status in (401, 403) and "forbidden" in message.lower():
                    raise BrokerError(f"the {self.broker} broker refuses the key ({status})") from None
                if status in passes:
                    raise
                if status != 429 and status < 500:
                    raise BrokerError(f"the {self.broker} broker does not tell {what}: {status} {message}") from None
                problem = f"status {status}"
                if status == 429 and waits < self.options.rate_waits:
                    # Turned away at the door is not one of the tries.
                    tries, waits = tries - 1, waits + 1
                    pause = _retry_after(error, self.options.pause * 2**waits)
            except (requests.RequestException, ValueError) as error:
                problem = type(error).__name__
        raise BrokerError(f"the {self.broker} broker does not tell {what}: {problem}", hint="try again later")

    def account(self) -> Account:
        """Return the account's figures in USD.

        Raises
        ------
        BrokerError
            If the broker does not answer or the answer lacks a field.
        """
        row = self._read("the account", lambda: self._trading.get("/account"))
        try:
            return Account(
                key=AccountKey(self.broker, str(row["account_number"])),
                cash=_decimal(row["cash"]),
                equity=_decimal(row["equity"]),
                long_market_value=_decimal(row.get("long_market_value") or "0"),
                buying_power=_decimal(row.get("buying_power") or "0"),
                is_blocked=bool(row.get("trading_blocked") or row.get("account_blocked"))
                or row.get("status", "ACTIVE") != "ACTIVE",
            )
        except (KeyError, TypeError, InvalidOperation) as error:
            raise BrokerError(f"the account's answer has no usable field {error}") from None

    def assets(self) -> dict[str, AssetRule]:
        """Return what the broker trades, by symbol."""
        rows = self._read(
            "its assets",
            lambda: self._trading.get("/assets", {"status": "active", "asset_class": "us_equity"}),
            shape=list,
        )
        if not rows:
            raise BrokerError(f"the {self.broker} broker shows no assets at all")
        return {
            str(r["symbol"]): AssetRule(str(r["symbol"]), bool(r.get("tradable")), bool(r.get("fractionable")))
            for r in rows
        }

    def positions(self) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Return (shares by symbol, average price paid by symbol)."""
        rows = self._read("its positions", lambda: self._trading.get("/positions"), shape=list)
        try:
            qty = {str(r["symbol"]): _decimal(r["qty"]) for r in rows}
            return qty, {str(r["symbol"]): _decimal(r.get("avg_entry_price") or "0") for r in rows}
        except (KeyError, TypeError, InvalidOperation) as error:
            raise BrokerError(f"a position has no usable field {error}") from None

    def market_prices(self) -> dict[str, Decimal]:
        """Return the price of each position as it counts in the account's equity, in USD."""
        rows = self._read("its positions", lambda: self._trading.get("/positions"), shape=list)
        try:
            return {str(r["symbol"]): _decimal(r["current_price"]) for r in rows if r.get("current_price") is not None}
        except (KeyError, TypeError, InvalidOperation) as error:
            raise BrokerError(f"a position has no usable field {error}") from None

    def open_orders(self) -> list[BrokerOrder]:
        """Return all open orders of the account, ours or not."""
        return self._orders("open", "")

    def orders_since(self, at: datetime) -> dict[str, BrokerOrder]:
        """Return every order of the account sent after a time, whatever became of it, by our id."""
        return {o.client_order_id: o for o in self._orders("all", _iso(at))}

    def _orders(self, status: str, after: str) -> list[BrokerOrder]:
        found: dict[str, BrokerOrder] = {}
        while True:
            params: dict[str, Any] = {"status": status, "limit": 500, "direction": "asc"}
            if after:
                params["after"] = after
            rows = self._read("its orders", partial(self._trading.get, "/orders", params), shape=list)
            try:
                new = [r for r in rows if r["id"] not in found]
                found.update({r["id"]: _order(r) for r in new})
            except (KeyError, TypeError, InvalidOperation) as error:
                raise BrokerError(f"an order of its list has no usable field {error}") from None
            if len(rows) < 500 or not new:
                return list(found.values())
            after = str(rows[-1]["submitted_at"])

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """Return the order under one of our ids; None when the broker says that there is none.

        Raises
        ------
        BrokerError
            If the broker could not be asked.
        """
        return self._one(lambda: self._trading.get("/orders:by_client_order_id", {"client_order_id": client_order_id}))

    def order(self, broker_order_id: str) -> BrokerOrder | None:
        """Return an order by the broker's id."""
        return self._one(lambda: self._trading.get(f"/orders/{broker_order_id}"))

    def _one(self, call: Callable[[], Any]) -> BrokerOrder | None:
        try:
            return _order(self._read("about an order", call, passes=(404,)))
        except self._api_error:
            return None
        except (KeyError, TypeError, InvalidOperation) as error:
            raise BrokerError(f"the broker's order has no usable field {error}") from None

    def activities(self, after: datetime) -> list[Activity]:
        """Return all activities later than a time, oldest first, each id once."""
        found: dict[str, Activity] = {}
        token = ""
        while True:
            params: dict[str, Any] = {"after": _iso(after), "direction": "asc", "page_size": _PAGE}
            if token:
                params["page_token"] = token
            rows = self._read("its activities", partial(self._trading.get, "/account/activities", params), shape=list)
            for row in rows:
                activity = parse_activity(row)
                found.setdefault(activity.activity_id, activity)
            if len(rows) < _PAGE or str(rows[-1]["id"]) == token:
                return sorted(found.values(), key=lambda a: (a.occurred_at, a.activity_id))
            token = str(rows[-1]["id"])

    def opens(self, symbols: Iterable[str], session: date) -> dict[str, Decimal]:
        """Return the open of a session by symbol, in USD, from the data host; symbols without a bar are absent."""
        found: dict[str, Decimal] = {}
        names = sorted(set(symbols))
        for i in range(0, len(names), _SYMBOLS_AT_ONCE):
            part = names[i : i + _SYMBOLS_AT_ONCE]
            token: str | None = None
            while True:
                params = {
                    "symbols": ",".join(part), "timeframe": "1Day", "start": session.isoformat(),
                    "end": _iso(ny_midnight(session).replace(hour=23)), "limit": 10_000, "adjustment": "raw",
                    **({"page_token": token} if token else {}), **({"feed": self._feed} if self._feed else {}),
                }  # fmt: skip
                try:
                    body = self._read("prices", partial(self._data.get, "/stocks/bars", params))
                except BrokerError as error:
                    # A plan without the consolidated feed may not ask it for the last quarter of an hour.
                    if self._feed or "recent SIP data" not in str(error):
                        raise
                    self._feed = "iex"
                    continue
                if "bars" not in body:
                    raise BrokerError("the broker's prices have no field 'bars'")
                for symbol, bars in (body["bars"] or {}).items():
                    for bar in bars:
                        if _moment(str(bar["t"])).astimezone(NY).date() == session and _decimal(bar["o"]) > 0:
                            found[symbol] = _decimal(bar["o"])
                token = body.get("next_page_token")
                if not token:
                    break
        return found

    def share_changes(self, symbols: Iterable[str], session: date) -> tuple[dict[str, Decimal], dict[str, str]]:
        """Return (split ratio new/old by symbol, new symbol by old symbol) effective in a session."""
        ratios: dict[str, Decimal] = {}
        renames: dict[str, str] = {}
        names = sorted(set(symbols))
        for i in range(0, len(names), _SYMBOLS_AT_ONCE):
            params = {
                "symbols": ",".join(names[i : i + _SYMBOLS_AT_ONCE]), "start": session.isoformat(),
                "end": session.isoformat(), "types": "forward_split,reverse_split,name_change", "limit": 1000,
            }  # fmt: skip
            body = self._read(
                "corporate actions",
                partial(self._data.get, "/corporate-actions", params, api_version="v1"),
            )
            if "corporate_actions" not in body:
                raise BrokerError("the broker's corporate actions have no field 'corporate_actions'")
            actions = body["corporate_actions"] or {}
            for kind in ("forward_splits", "reverse_splits"):
                for row in actions.get(kind, []):
                    if row.get("ex_date") == session.isoformat():
                        ratios[str(row["symbol"])] = _decimal(row["new_rate"]) / _decimal(row["old_rate"])
            for row in actions.get("name_changes", []):
                if row.get("process_date") == session.isoformat():
                    renames[str(row["old_symbol"])] = str(row["new_symbol"])
        return ratios, renames

    def spun_off_from(self, symbol: str, day: date) -> str:
        """Return the symbol whose holders got shares of a new one around a day; empty when nothing is known of it."""
        params = {
            "symbols": symbol, "start": (day - _SPIN_OFF_DAYS).isoformat(), "end": day.isoformat(),
            "types": "spin_off", "limit": 1000,
        }  # fmt: skip
        body = self._read("corporate actions", partial(self._data.get, "/corporate-actions", params, api_version="v1"))
        rows = (body.get("corporate_actions") or {}).get("spin_offs", [])
        found = [row for row in rows if row.get("new_symbol") == symbol]
        return str(max(found, key=lambda row: str(row.get("ex_date")))["source_symbol"]) if found else ""

    # ------------------------------------------------------------------------------------------------- writes

    def submit(self, order: StoredOrder, *, posted: Callable[[], None] = lambda: None) -> BrokerOrder:
        """Send an order, at most once as far as the broker is concerned.

        Parameters
        ----------
        order : StoredOrder
            What to send; its id is the only thing that keeps it from being sent twice.
        posted : callable, optional
            Called after each POST, before its outcome is looked at.

        Returns
        -------
        BrokerOrder
            The order as the broker has it.

        Raises
        ------
        OrderRejected
            If the broker refused it and does not know the id.
        OutcomeUnknown
            If nothing certain could be learned.
        OrderMismatch
            If the broker has another order under this id.
        """
        body = {
            "symbol": order.symbol, "side": order.side, "type": "market", "time_in_force": "day",
            "qty": text_of(order.qty), "client_order_id": order.client_order_id,
        }  # fmt: skip
        if order.limit_price is not None:
            body |= {"type": "limit", "limit_price": text_of(order.limit_price)}
        refused: OrderRejected | None = None
        sends, waits = 0, 0
        while sends < self.options.sends and waits <= self.options.rate_waits:
            if sends:
                self.sleep(self.options.pause * 2**sends)
            sends += 1
            try:
                answer = self._trading.post("/orders", body)
                posted()
                return self.matching(order, _order(answer))
            except OrderMismatch:
                raise
            except self._api_error as error:
                posted()
                status, message = _error(error)
                if status == 429:
                    # Turned away at the door: not one of the tries, but no proof either.
                    sends, waits = sends - 1, waits + 1
                    self.sleep(_retry_after(error, self.options.pause * 2**waits))
                elif 400 <= status < 500 and refusal_code(message) != "DUPLICATE_ID":
                    # "Already there" is no refusal: the broker's list may show the order later than its door knows it.
                    refused = OrderRejected(refusal_code(message), message)
            except (requests.RequestException, ValueError, KeyError, TypeError, InvalidOperation):
                posted()
            # Whatever the answer said, only the broker's own books tell whether the order is there.
            found = self.look_up(order)
            if found is not None:
                return found
            if refused is not None:
                raise refused
        raise OutcomeUnknown(f"order {order.client_order_id} was sent {sends + waits} times without a certain answer")

    def look_up(self, order: StoredOrder) -> BrokerOrder | None:
        """Return the broker's order under a stored order's id, checked; None when there is none.

        Raises
        ------
        OutcomeUnknown
            If the broker cannot be asked.
        OrderMismatch
            If it is another order.
        """
        for n in range(self.options.lookups):
            if n:
                self.sleep(self.options.pause * 2 ** (n - 1))
            try:
                found = self.find(order.client_order_id)
            except BrokerError:
                continue
            return None if found is None else self.matching(order, found)
        raise OutcomeUnknown(f"the broker cannot be asked about order {order.client_order_id}")

    def matching(self, order: StoredOrder, found: BrokerOrder) -> BrokerOrder:
        """Return the broker's order if it is the one we meant.

        Raises
        ------
        OrderMismatch
            If symbol, side, quantity or limit are others.
        """
        meant = (order.client_order_id, order.symbol, order.side, order.qty, order.limit_price)
        got = (found.client_order_id, found.symbol, found.side, found.qty, found.limit_price)
        if meant != got:
            limits = tuple("" if x.limit_price is None else f" limit {text_of(x.limit_price)}" for x in (found, order))
            raise OrderMismatch(
                f"the broker has {found.side} {found.qty} {found.symbol}{limits[0]} under the id of {order.side} "
                f"{text_of(order.qty)} {order.symbol}{limits[1]} ({order.client_order_id})",
                found,
            )
        return found

    def cancel(self, broker_order_id: str) -> None:
        """Ask for the cancellation of an order; one that is final already is no error."""
        try:
            self._read(
                "that it cancels an order",
                lambda: self._trading.delete(f"/orders/{broker_order_id}"),
                shape=None,
                passes=(404, 422),
            )
        except self._api_error:
            return


# ------------------------------------------------------------------------------------------------------ checks


def check_address(broker: str, url: str) -> None:
    """Check by parsed host and scheme that an address belongs to the chosen broker.

    Raises
    ------
    GuardError
        If it does not.
    """
    parts = urlsplit(url)
    want = LIVE_HOST if broker == "live" else PAPER_HOST
    # A loopback stand-in may play the paper broker; nothing may play the live one.
    if broker == "paper" and _is_loopback(parts.hostname or ""):
        return
    if (
        parts.scheme != "https"
        or parts.hostname != want
        or parts.port not in (None, 443)
        or parts.path not in ("", "/")
    ):
        raise GuardError(f"ALPACA_BASE_URL is {parts.hostname!r} but PAS_BROKER={broker} means https://{want}")


def check_key(broker: str, key: str) -> None:
    """Check that a key is of the chosen broker: paper keys begin with PK, live keys with AK.

    Raises
    ------
    GuardError
        If it is of the other one.
    """
    wrong = "PK" if broker == "live" else "AK"
    if key.upper().startswith(wrong):
        kind = "paper" if wrong == "PK" else "live"
        raise GuardError(f"ALPACA_API_KEY is a {kind} key but PAS_BROKER={broker}")


def check_origin(settings: Settings, origin: str) -> None:
    """Check that a warehouse of made-up data never meets a real broker.

    Raises
    ------
    GuardError
        If it does.
    """
    if settings.broker != "sandbox" and origin == "sandbox":
        raise GuardError(f"a sandbox warehouse cannot trade with PAS_BROKER={settings.broker}: origins never mix")


def check_market(settings: Settings, origin: str, account_number: str) -> None:
    """Check that the sandbox's paper broker trades the market that the warehouse's data are of.

    Raises
    ------
    GuardError
        If real data meet the made-up market, or made-up data the real one.
    """
    if settings.broker != "sandbox":
        return
    is_real = account_number.startswith(REAL_MARKET_ACCOUNTS)
    if origin == "real" and not is_real:
        raise GuardError(
            "the paper broker trades the sandbox's made-up market, this warehouse holds real data",
            hint="start it over the warehouse's prices: `pas sandbox` with this PAS_SOURCES",
        )
    if origin == "sandbox" and is_real:
        raise GuardError(
            "the paper broker trades a real market, this warehouse holds made-up data",
            hint="start it over the sandbox's world: `pas sandbox` with PAS_SOURCES=sandbox",
        )


def fills_later(settings: Settings) -> bool:
    """Return whether fills appear after the session only: the paper broker over real data learns prices then."""
    return settings.broker == "sandbox" and settings.origin == "real"


def refusal_code(message: str) -> str:
    """Return the reason code of a broker's refusal, by its wording."""
    for pattern, code in _REFUSALS:
        if re.search(pattern, message, re.IGNORECASE):
            return code
    return "REJECTED"


def parse_activity(row: Mapping[str, Any]) -> Activity:
    """Read a row of the activity feed.

    Raises
    ------
    BrokerError
        If it has no id, type or time.
    """
    try:
        when = row.get("transaction_time") or row.get("created_at")
        occurred = _moment(str(when)) if when else ny_midnight(date.fromisoformat(str(row["date"])[:10]))
        if row.get("date") and not row.get("transaction_time"):
            # A non-trade row counts on its date, whenever the broker wrote it down.
            occurred = ny_midnight(date.fromisoformat(str(row["date"])[:10]))
        return Activity(
            activity_id=str(row["id"]),
            activity_type=str(row["activity_type"]),
            occurred_at=occurred,
            symbol=str(row.get("symbol") or ""),
            side=str(row.get("side") or ""),
            qty=_optional(row.get("qty")),
            price=_optional(row.get("price")),
            net_amount=_optional(row.get("net_amount")),
            order_id=str(row.get("order_id") or ""),
            payload=dict(row),
        )
    except (KeyError, ValueError, TypeError, InvalidOperation) as error:
        raise BrokerError(f"an activity of the account cannot be read: {type(error).__name__} {error}") from None


def _order(row: Any) -> BrokerOrder:
    return BrokerOrder(
        broker_order_id=str(row["id"]),
        client_order_id=str(row["client_order_id"]),
        symbol=str(row["symbol"]),
        side=str(row["side"]),
        qty=_optional(row.get("qty")),
        status=str(row["status"]),
        filled_qty=_optional(row["filled_qty"]) or ZERO,
        filled_avg_price=_optional(row.get("filled_avg_price")),
        limit_price=_optional(row.get("limit_price")),
    )


def _decimal(value: Any) -> Decimal:
    number = Decimal(str(value))
    if not number.is_finite():
        raise InvalidOperation(f"{value!r}")
    return number


def _optional(value: Any) -> Decimal | None:
    return None if value is None or value == "" else _decimal(value)


def _moment(text: str) -> datetime:
    """Read RFC 3339 with any number of fraction digits."""
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
    at = datetime.fromisoformat(cut)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _error(error: Exception) -> tuple[int, str]:
    """Return (status, message) of an answer that may be JSON, HTML or nothing."""
    status = int(getattr(error, "status_code", None) or 0)
    text = str(error)
    try:
        body = json.loads(text)
        message = str(body.get("message", text)) if isinstance(body, dict) else text
    except ValueError:
        message = "no readable body"
    return status, message[:200]


def _retry_after(error: Exception, default: float) -> float:
    """Return how many seconds the broker asks to wait, at most its minute."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return min(MINUTE, max(default, float(headers.get("Retry-After", default))))
    except ValueError:
        return min(MINUTE, default)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

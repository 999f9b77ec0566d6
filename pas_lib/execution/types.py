"""Words of the execution room: decisions, wishes, plans, orders, fills. Frozen, `Decimal`, no I/O.

Units: quantities are shares (at most 9 decimals), prices and amounts USD, weights and shares of equity fractions
(0.05 is five per cent). Sides are ``"buy"`` and ``"sell"``; quantities are always positive.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Literal

Side = Literal["buy", "sell"]

#: Alpaca's smallest share fraction, and the ledger's smallest unit.
NANO = Decimal("0.000000001")
CENT = Decimal("0.01")
ZERO = Decimal(0)

#: The book of cash that no portfolio holds, of what people trade by hand, and the counterpart of the outside world.
CASH_BOOK = "CASH"
EXTERNAL_BOOK = "EXTERNAL"
OUTSIDE_BOOK = "OUTSIDE"
USD = "USD"
RESERVED_BOOKS = frozenset({CASH_BOOK, EXTERNAL_BOOK, OUTSIDE_BOOK})


def to_decimal(value: float | int | str | Decimal) -> Decimal:
    """Convert a number to the nearest of 9 decimals; the one place where floats become money.

    Raises
    ------
    ValueError
        If the value is not a finite number.
    """
    number = value if isinstance(value, Decimal) else Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number.quantize(NANO)


def floor_to(value: Decimal, unit: Decimal) -> Decimal:
    """Round a non-negative value down to a multiple of ``unit``."""
    return (value / unit).to_integral_value(rounding=ROUND_DOWN) * unit


def text_of(value: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros, as the broker writes it."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# ------------------------------------------------------------------------------------------------- decisions


@dataclass(frozen=True, slots=True)
class Target:
    """What one portfolio wants to hold of one symbol.

    Attributes
    ----------
    portfolio_id, symbol : str
        Symbols are canonical, with a dot (``BRK.B``).
    weight_of_equity : float
        Share of sizing equity, after allocation, exposure scale and caps; 0 means "sell all".
    decision_close : Decimal or float
        The unadjusted close of the decision session, in USD; NaN when there is none (the target is refused).
    """

    portfolio_id: str
    symbol: str
    weight_of_equity: float
    decision_close: Decimal | float


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decision of session D hands over to execution.

    Attributes
    ----------
    session : date
        D. Orders go out in the next session.
    targets : tuple of Target
        All targets of the portfolios that trade. A symbol that a trading portfolio holds and that is missing here is
        sold.
    trading : frozenset of str
        Portfolios that trade at this decision (also those without any target: they go to cash). The others drift.
    shares : mapping of str to float
        Portfolio -> its share of equity (allocation x S), cash included; by default the sum of its targets' weights.
    closes : mapping of str to Decimal or float
        Decision closes of symbols that are held but not targeted. Missing ones are read from ``raw.prices``.
    inputs_hash : str
        Hash of what was decided upon; part of the plan's hash.
    managed_equity : Decimal, optional
        USD, before the buffer. By default the ledger's: all books but EXTERNAL, at the decision closes.
    """

    session: date
    targets: tuple[Target, ...]
    trading: frozenset[str]
    shares: Mapping[str, float] = field(default_factory=dict)
    closes: Mapping[str, Decimal | float] = field(default_factory=dict)
    inputs_hash: str = ""
    managed_equity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AssetRule:
    """What the broker says about a symbol."""

    symbol: str
    is_tradable: bool = True
    is_fractionable: bool = True


@dataclass(frozen=True, slots=True)
class Constraints:
    """Limits of a plan, from the settings. Amounts in USD."""

    min_trade_notional: Decimal = Decimal(5)
    max_order_notional: Decimal = Decimal(25_000)
    gross_cap: Decimal = Decimal(1)
    cash_buffer: Decimal = Decimal("0.02")


# ------------------------------------------------------------------------------------------------------ plans


@dataclass(frozen=True, slots=True)
class Refusal:
    """A wish, or a part of it, that will not be executed, and why.

    ``code`` is one of ``REASONS`` in `pas_lib.execution.plan` or `pas_lib.execution.guards`; ``qty`` is the part
    refused.
    """

    portfolio_id: str
    symbol: str
    side: Side
    qty: Decimal
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class PlannedOrder:
    """One portfolio's order to the broker."""

    portfolio_id: str
    symbol: str
    side: Side
    qty: Decimal
    decision_close: Decimal

    @property
    def notional(self) -> Decimal:
        """USD at the decision close."""
        return self.qty * self.decision_close


@dataclass(frozen=True, slots=True)
class CrossLeg:
    """One portfolio's part of an internal crossing; the legs of a symbol add up to zero."""

    portfolio_id: str
    symbol: str
    side: Side
    qty: Decimal
    decision_close: Decimal


@dataclass(frozen=True, slots=True)
class Funding:
    """Cash that moves from the CASH book into a portfolio's book (negative: back), in USD."""

    portfolio_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class OrderPlan:
    """What a decision makes happen at the next open. Orders: sells before buys, then by symbol and portfolio."""

    session: date
    execution_session: date
    managed_equity: Decimal
    sizing_equity: Decimal
    orders: tuple[PlannedOrder, ...]
    crosses: tuple[CrossLeg, ...]
    funding: tuple[Funding, ...]
    refusals: tuple[Refusal, ...]
    inputs_hash: str = ""

    @property
    def plan_hash(self) -> str:
        """SHA-256 over everything that would be executed; what an approval approves."""
        body = {
            "session": self.session.isoformat(),
            "execution_session": self.execution_session.isoformat(),
            "inputs": self.inputs_hash,
            "orders": [
                [o.portfolio_id, o.symbol, o.side, text_of(o.qty), text_of(o.decision_close)] for o in self.orders
            ],
            "crosses": [
                [c.portfolio_id, c.symbol, c.side, text_of(c.qty), text_of(c.decision_close)] for c in self.crosses
            ],
            "funding": [[f.portfolio_id, text_of(f.amount)] for f in self.funding],
        }
        return hashlib.sha256(json.dumps(body, separators=(",", ":")).encode()).hexdigest()


# --------------------------------------------------------------------------------------------------- accounts


@dataclass(frozen=True, slots=True)
class AccountKey:
    """Whose books: (broker, account number)."""

    broker: str
    account_number: str


@dataclass(frozen=True, slots=True)
class Account:
    """The broker's account, in USD. ``buying_power`` is on margin: never size on it."""

    key: AccountKey
    cash: Decimal
    equity: Decimal
    long_market_value: Decimal
    buying_power: Decimal
    is_blocked: bool


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker tells it."""

    broker_order_id: str
    client_order_id: str
    symbol: str
    side: str
    qty: Decimal | None
    status: str
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    limit_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """A row of the account's activity feed.

    ``net_amount`` is set for non-trade rows, ``price`` and ``order_id`` for fills; ``qty`` where the row has one.
    """

    activity_id: str
    activity_type: str
    occurred_at: datetime
    symbol: str
    side: str
    qty: Decimal | None
    price: Decimal | None
    net_amount: Decimal | None
    order_id: str
    payload: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A row of ``ops.orders``; without a limit price it is a market order."""

    client_order_id: str
    intent_id: str
    portfolio_id: str
    session: date
    execution_session: date
    symbol: str
    side: Side
    attempt: int
    qty: Decimal
    state: str
    reason: str
    broker_order_id: str | None
    filled_qty: Decimal
    filled_avg_price: Decimal | None
    decision_close: Decimal
    open_price: Decimal | None
    expires_at: datetime
    limit_price: Decimal | None = None

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen to it."""
        return self.state in FINAL_STATES


#: Final states of a stored order; `done_for_day` and `calculated` of the broker are not final.
FINAL_STATES = frozenset({"filled", "canceled", "expired", "rejected", "denied"})


@dataclass(frozen=True, slots=True)
class StoredIntent:
    """A row of ``ops.intents``."""

    intent_id: str
    session: date
    execution_session: date
    plan_hash: str
    seq: int
    kind: str
    portfolio_id: str
    symbol: str
    side: Side | None
    qty: Decimal
    decision_close: Decimal | None


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan as it lies in the store."""

    key: AccountKey
    session: date
    execution_session: date
    plan_hash: str
    managed_equity: Decimal
    sizing_equity: Decimal
    intents: tuple[StoredIntent, ...]
    refusals: tuple[Refusal, ...]
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One line on which books and broker disagree (symbol, or ``USD``)."""

    asset: str
    ledger: Decimal
    broker: Decimal


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Result of comparing the sum of all books with the broker over the union of symbols."""

    at: datetime
    differences: tuple[Difference, ...]
    cash_ledger: Decimal
    cash_broker: Decimal

    @property
    def is_clean(self) -> bool:
        """Whether nothing is unexplained."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """What one call of ``execute`` did and how things stand.

    ``orders`` are all orders of the session, ``sent`` how many this call sent. ``is_complete`` tells that every order
    reached a final state; ``problems`` are one-line texts for people.
    """

    session: date
    execution_session: date
    key: AccountKey
    state: str
    orders: tuple[StoredOrder, ...]
    sent: int
    fills: int
    crosses: int
    refusals: tuple[Refusal, ...]
    reconciliation: Reconciliation | None
    problems: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left open or unknown."""
        return all(order.is_final for order in self.orders)

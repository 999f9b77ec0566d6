"""Conditions an order must meet just before it goes out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from pas_lib.clock import session_close, session_open
from pas_lib.errors import GuardError
from pas_lib.execution.types import ZERO, Side

#: Why an order is refused just before it would go out.
REASONS: Mapping[str, str] = {
    "NO_PRICE_TODAY": "the symbol has no price in this session so far (halted, or not listed any more)",
    "PRICE_MOVED": "the price is further from the last close than PAS_MAX_PRICE_MOVE allows",
    "MAX_ORDER_NOTIONAL": "the order is above PAS_MAX_ORDER_NOTIONAL",
    "MAX_SESSION_TURNOVER": "the session's orders are above PAS_MAX_SESSION_TURNOVER",
    "TRADING_STATE": "the trading state does not allow it",
    "NOT_HELD": "the portfolio's book does not hold the shares",
    "INSUFFICIENT_CASH": "not enough cash: sells did not bring it in",
    "NOT_TRADABLE": "the broker does not trade the symbol",
}


def price_guard(price: Decimal | None, last_close: Decimal, max_move: Decimal) -> str:
    """Return a reason code when a price is missing or too far from the last close, else an empty text."""
    if price is None or price <= 0:
        return "NO_PRICE_TODAY"
    return "PRICE_MOVED" if abs(price / last_close - 1) > max_move else ""


def session_guard(execution_session: date, now: datetime) -> str:
    """Say where a moment lies: ``open``, or ``over`` when the session has closed.

    Raises
    ------
    GuardError
        If the session has not opened yet.
    """
    if now < session_open(execution_session):
        raise GuardError(
            f"session {execution_session} has not opened yet ({session_open(execution_session):%Y-%m-%d %H:%M} UTC)",
            hint="orders go out at the open",
        )
    return "over" if now >= session_close(execution_session) else "open"


class TurnoverGuard:
    """Adds up what a session trades; the larger of bought and sold value counts.

    Parameters
    ----------
    limit : Decimal
        In USD.
    """

    def __init__(self, limit: Decimal) -> None:
        self._limit = limit
        self._used: dict[Side, Decimal] = {"buy": ZERO, "sell": ZERO}

    def take(self, side: Side, notional: Decimal) -> bool:
        """Count a value if it still fits; return whether it did."""
        if self._used[side] + notional > self._limit:
            return False
        self._used[side] += notional
        return True

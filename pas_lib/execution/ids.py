"""Deterministic ids: the same intent always makes the same order."""

from __future__ import annotations

import hashlib
from datetime import date
from decimal import Decimal

from pas_lib.errors import OrderError
from pas_lib.execution.types import AccountKey, Side, text_of

#: The broker takes no longer ones.
MAX_LENGTH = 128


def client_order_id(
    portfolio_id: str,
    session: date,
    symbol: str,
    side: Side,
    attempt: int,
    key: AccountKey,
    warehouse_id: str,
    qty: Decimal,
) -> str:
    """Return an order's id: a pure function of what is ordered, by whom, from which books.

    Raises
    ------
    OrderError
        If it would be longer than the broker allows.
    """
    tail = _hash(key.broker, key.account_number, warehouse_id, text_of(qty))
    text = f"{portfolio_id}-{session:%Y%m%d}-{symbol}-{side}-{attempt}-{tail}"
    if len(text) > MAX_LENGTH:
        raise OrderError(
            f"the order id {text[:40]}... is longer than {MAX_LENGTH} characters", hint="shorten the portfolio id"
        )
    return text


def intent_id(key: AccountKey, session: date, kind: str, portfolio_id: str, symbol: str, side: Side | None) -> str:
    """Return the id of an intent; one per account, session, kind, portfolio, symbol and side."""
    return f"{kind}-{session:%Y%m%d}-{portfolio_id}-{symbol}-{side or 'none'}-{_hash(key.broker, key.account_number)}"


def _hash(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]

"""The trading state: what is allowed to happen at all. Lowered by the system, raised by a person with a reason.

======== ============================================================
ACTIVE   everything
REDUCING only what lowers exposure: sells of what is held, crossings, cancels
HALTED   only cancels
======== ============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from pas_lib.clock import Clock
from pas_lib.errors import GuardError
from pas_lib.execution import store

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

TradingState = Literal["ACTIVE", "REDUCING", "HALTED"]
_RANK = {"ACTIVE": 0, "REDUCING": 1, "HALTED": 2}
SYSTEM = "system"


def current_state(warehouse: Warehouse) -> tuple[TradingState, str]:
    """Return (state, reason); ACTIVE when nothing was ever set."""
    with warehouse.connect() as conn:
        row = store.trading_state(conn)
    return ("ACTIVE", "") if row is None else (cast("TradingState", row["state"]), str(row["reason"]))


def set_state(warehouse: Warehouse, clock: Clock, state: TradingState, *, who: str, reason: str) -> None:
    """Set the state by hand, in either direction.

    Raises
    ------
    GuardError
        If the state is unknown, or nobody or no reason is named.
    """
    if state not in _RANK:
        raise GuardError(f"unknown trading state {state!r}", hint=f"one of {', '.join(_RANK)}")
    if not reason.strip() or not who.strip() or who == SYSTEM:
        raise GuardError("setting the trading state needs a person's name and a reason")
    with warehouse.connect() as conn:
        store.insert_trading_state(conn, state, clock.now(), who.strip(), reason.strip())


def lower_state(warehouse: Warehouse, clock: Clock, state: TradingState, reason: str) -> bool:
    """Lower the state to at most ``state``; never raises it. Return whether it changed."""
    with warehouse.connect() as conn:
        row = store.trading_state(conn)
        if row is not None and _RANK[row["state"]] >= _RANK[state]:
            return False
        store.insert_trading_state(conn, state, clock.now(), SYSTEM, reason[:500])
    return True

"""The circuit breaker: what the account has lost lowers the trading state, until a person raises it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pas_lib.execution import store
from pas_lib.execution.state import SYSTEM, lower_state
from pas_lib.execution.types import AccountKey
from pas_lib.risk import TradingState, circuit_breaker

if TYPE_CHECKING:
    from pas_lib.clock import Clock
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse


def judge_losses(settings: Settings, key: AccountKey, warehouse: Warehouse, clock: Clock) -> bool:
    """Lower the trading state when the account's figures say so; return whether it changed.

    The last session's loss is held against PAS_MAX_DAILY_LOSS (REDUCING), the loss since the highest value against
    PAS_MAX_DRAWDOWN (HALTED), both without what was deposited, withdrawn or traded by hand. Once a person has set the
    state to ACTIVE, counting begins anew with the figures that person could see.
    """
    with warehouse.connect() as conn:
        path = store.managed_path(conn, key, not_by=SYSTEM)
    verdict = circuit_breaker(
        [float(equity) for equity, _ in path],
        [float(flow) for _, flow in path],
        max_daily_loss=settings.max_daily_loss,
        max_drawdown=settings.max_drawdown,
    )
    if verdict.state is TradingState.ACTIVE:
        return False
    state: Literal["REDUCING", "HALTED"] = "HALTED" if verdict.state is TradingState.HALTED else "REDUCING"
    return lower_state(warehouse, clock, state, f"circuit breaker: {verdict.reason}")

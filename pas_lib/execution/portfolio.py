"""One portfolio as its owner sees it: a read-only view of its book."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from pas_lib.execution import store
from pas_lib.execution.types import USD, ZERO

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class EquityPortfolio:
    """Holdings and cash of one book.

    Attributes
    ----------
    portfolio_id : str
        The book.
    positions : mapping of str to Decimal
        Shares by symbol.
    costs : mapping of str to Decimal
        What they cost in USD, at average cost.
    cash : Decimal
        USD in the book; below zero only while its orders are open, or when CASH cannot cover what fills cost above
        the plan's closes.
    """

    portfolio_id: str
    positions: Mapping[str, Decimal]
    costs: Mapping[str, Decimal]
    cash: Decimal

    @classmethod
    def load(cls, portfolio_id: str, warehouse: Warehouse) -> EquityPortfolio:
        """Read a book of the account that the ledger belongs to; empty when it never traded."""
        with warehouse.connect() as conn:
            key = store.active_binding(conn)
            balances = store.balances(conn, key) if key else {}
        own = {asset: line for (book, asset), line in balances.items() if book == portfolio_id}
        return cls(
            portfolio_id=portfolio_id,
            positions={a: amount for a, (amount, _) in own.items() if a != USD},
            costs={a: cost for a, (_, cost) in own.items() if a != USD},
            cash=own[USD][0] if USD in own else ZERO,
        )

    def equity(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Return the book's value in USD at given prices.

        Raises
        ------
        KeyError
            If a holding has no price.
        """
        return self.cash + sum((qty * prices[symbol] for symbol, qty in self.positions.items()), ZERO)

    def weights(self, prices: Mapping[str, Decimal]) -> dict[str, float]:
        """Return each holding's share of the book's value; empty when the book is worth nothing."""
        whole = self.equity(prices)
        if whole <= 0:
            return {}
        return {symbol: float(qty * prices[symbol] / whole) for symbol, qty in sorted(self.positions.items())}

"""Strategies over history, pure: prices and weights in, equity and ledger out; one portfolio, or a book of them."""

from pas_lib.backtest.book import BookFill, BookHoldings, BookOrder, fill_book
from pas_lib.backtest.delisting import GONE_AFTER, write_off
from pas_lib.backtest.engine import SimulationError, SimulationResult, simulate
from pas_lib.backtest.trials import deflated_sharpe, expected_best_sharpe

__all__ = [
    "GONE_AFTER",
    "BookFill",
    "BookHoldings",
    "BookOrder",
    "SimulationError",
    "SimulationResult",
    "deflated_sharpe",
    "expected_best_sharpe",
    "fill_book",
    "simulate",
    "write_off",
]

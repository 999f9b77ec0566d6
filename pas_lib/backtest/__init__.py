"""Strategies over history. :func:`simulate` is pure: prices and target weights in, equity and ledger out."""

from pas_lib.backtest.engine import SimulationError, SimulationResult, simulate

__all__ = ["SimulationError", "SimulationResult", "simulate"]

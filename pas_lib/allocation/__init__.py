"""Sizing of portfolios: how much of the book's equity each one gets. Pure functions, no I/O, no clock."""

from pas_lib.allocation.covariance import Covariance, estimate, ledoit_wolf
from pas_lib.allocation.engine import MAX_WEEKS, MIN_WEEKS, Allocation, allocate
from pas_lib.allocation.errors import AllocationError, NoSolution
from pas_lib.allocation.methods import METHODS, Moments
from pas_lib.allocation.sizing import apply_band
from pas_lib.allocation.weekly import ClippedCell, weekly_returns, winsorise

__all__ = [
    "MAX_WEEKS",
    "METHODS",
    "MIN_WEEKS",
    "Allocation",
    "AllocationError",
    "ClippedCell",
    "Covariance",
    "Moments",
    "NoSolution",
    "allocate",
    "apply_band",
    "estimate",
    "ledoit_wolf",
    "weekly_returns",
    "winsorise",
]

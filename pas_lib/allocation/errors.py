"""Errors of the allocation room."""

from __future__ import annotations

from pas_lib.errors import PasError


class AllocationError(PasError, ValueError):
    """The input of an allocation is not a table of daily returns (infinite, duplicated, wrong unit)."""


class NoSolution(PasError):
    """A method has no portfolio to offer; the message is the reason that goes to the allocation log."""

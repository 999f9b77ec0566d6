"""Risk figures and caps: pure functions of holdings and returns."""

from pas_lib.risk.measures import cvar, historical_var

__all__ = ["cvar", "historical_var"]

"""Risk figures, look-through exposures, caps and rules: pure functions of holdings and returns."""

from pas_lib.risk.caps import CapResult, Reason, Refusal, RiskLimits, apply_caps
from pas_lib.risk.exposure import (
    Exposures,
    RiskInputError,
    book_figures,
    exposures,
    holdings_returns,
    holdings_var,
    look_through,
    returns_of_the_whole,
)
from pas_lib.risk.measures import cvar, historical_var
from pas_lib.risk.rules import (
    Alert,
    BreakerVerdict,
    Rule,
    TradingState,
    circuit_breaker,
    evaluate_rules,
    losses,
    parse_rules,
)

__all__ = [
    "Alert",
    "BreakerVerdict",
    "CapResult",
    "Exposures",
    "Reason",
    "Refusal",
    "RiskInputError",
    "RiskLimits",
    "Rule",
    "TradingState",
    "apply_caps",
    "book_figures",
    "circuit_breaker",
    "cvar",
    "evaluate_rules",
    "exposures",
    "historical_var",
    "holdings_returns",
    "holdings_var",
    "look_through",
    "losses",
    "parse_rules",
    "returns_of_the_whole",
]

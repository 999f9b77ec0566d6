"""Alert rules on figures, and the circuit breaker."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pas_lib.errors import UnknownName

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


@dataclass(frozen=True)
class Rule:
    """Raise an alert when `metric` stands in relation `op` to `threshold`."""

    metric: str
    op: str
    threshold: float

    def __post_init__(self) -> None:
        if self.op not in OPERATORS:
            raise UnknownName("operator", self.op, OPERATORS)


@dataclass(frozen=True)
class Alert:
    """A rule that fired: the value seen (NaN when the figure is unknown) and a sentence for people."""

    rule: Rule
    value: float
    message: str


def evaluate_rules(figures: Mapping[str, float], rules: Iterable[Rule]) -> tuple[Alert, ...]:
    """Return the alerts of the rules that fire.

    Parameters
    ----------
    figures : mapping of str to float
        Metric name to value.
    rules : iterable of Rule
        The rules.

    Returns
    -------
    tuple of Alert
        In the order of the rules.

    Notes
    -----
    NaN policy: a figure that is absent or NaN raises an alert that says so; silence would read as "fine".
    """
    alerts = []
    for rule in rules:
        value = float(figures.get(rule.metric, math.nan))
        if math.isnan(value):
            alerts.append(Alert(rule, value, f"{rule.metric} is unknown; rule {rule.op} {rule.threshold:g} not judged"))
        elif OPERATORS[rule.op](value, rule.threshold):
            alerts.append(Alert(rule, value, f"{rule.metric} is {value:.4g}, {rule.op} {rule.threshold:g}"))
    return tuple(alerts)


class TradingState(StrEnum):
    """What may be sent: everything, only orders that lower exposure, only cancels."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


@dataclass(frozen=True)
class BreakerVerdict:
    """The state a circuit breaker asks for, and why (empty when ACTIVE)."""

    state: TradingState
    reason: str


def circuit_breaker(
    equity: Iterable[float],
    flows: Iterable[float] | None = None,
    *,
    max_daily_loss: float,
    max_drawdown: float,
) -> BreakerVerdict:
    """Judge the last session's loss and the drawdown, both adjusted for deposits and withdrawals.

    Parameters
    ----------
    equity : iterable of float
        Equity at each session's close, oldest first, currency.
    flows : iterable of float, optional
        Net deposits of each session, currency, included in that session's equity.
    max_daily_loss, max_drawdown : float
        Positive fractions; reaching one trips the breaker.

    Returns
    -------
    BreakerVerdict
        HALTED on the drawdown, REDUCING on the daily loss, else ACTIVE. A breaker never resets a state by itself.

    Notes
    -----
    NaN policy: an equity that is not a positive number asks for REDUCING, since nothing can be judged.
    """
    path = [float(v) for v in equity]
    moved = [float(v) for v in flows] if flows is not None else [0.0] * len(path)
    if len(moved) != len(path):
        raise ValueError("equity and flows differ in length")
    if any(not (math.isfinite(v) and v > 0.0) for v in path) or any(not math.isfinite(v) for v in moved):
        return BreakerVerdict(TradingState.REDUCING, "equity is not a positive number in every session")
    wealth, peak, last = 1.0, 1.0, 0.0
    for before, after, flow in zip(path, path[1:], moved[1:], strict=False):
        last = (after - flow) / before - 1.0
        wealth *= 1.0 + last
        peak = max(peak, wealth)
    drawdown = 1.0 - wealth / peak
    if drawdown >= max_drawdown:
        return BreakerVerdict(TradingState.HALTED, f"drawdown {drawdown:.2%} has reached {max_drawdown:.2%}")
    if -last >= max_daily_loss:
        return BreakerVerdict(TradingState.REDUCING, f"daily loss {-last:.2%} has reached {max_daily_loss:.2%}")
    return BreakerVerdict(TradingState.ACTIVE, "")

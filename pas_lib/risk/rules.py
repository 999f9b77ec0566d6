"""Alert rules on figures, and the circuit breaker."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pas_lib.errors import SettingsError, UnknownName

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


_RULE = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<)\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*")


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a setting such as ``var_99 > 0.04; drawdown >= 0.1`` (empty: none).

    Raises
    ------
    SettingsError
        Naming the part that is not ``metric operator number``.
    """
    rules = []
    for part in (one.strip() for one in text.split(";")):
        if not part:
            continue
        found = _RULE.fullmatch(part)
        try:
            threshold = float(found[3]) if found else math.nan
        except ValueError:
            threshold = math.nan
        if not found or not math.isfinite(threshold):
            raise SettingsError(f"risk rule {part!r} is not 'metric operator number'", hint="e.g. var_99 > 0.04")
        rules.append(Rule(found[1], found[2], threshold))
    return tuple(rules)


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


def losses(equity: Iterable[float], flows: Iterable[float] | None = None) -> tuple[float, float]:
    """Return the last session's loss and the loss since the highest value, without deposits and withdrawals.

    Parameters
    ----------
    equity, flows
        As in :func:`circuit_breaker`.

    Returns
    -------
    (float, float)
        Positive fractions (a gain is a negative daily loss); 0 before there are two sessions.

    Notes
    -----
    NaN policy: an equity that is not a positive number, or a flow that is not finite, gives NaN for both.
    """
    path = [float(v) for v in equity]
    moved = [float(v) for v in flows] if flows is not None else [0.0] * len(path)
    if len(moved) != len(path):
        raise ValueError("equity and flows differ in length")
    if any(not (math.isfinite(v) and v > 0.0) for v in path) or any(not math.isfinite(v) for v in moved):
        return math.nan, math.nan
    wealth, peak, last = 1.0, 1.0, 0.0
    for before, after, flow in zip(path, path[1:], moved[1:], strict=False):
        last = (after - flow) / before - 1.0
        wealth *= 1.0 + last
        peak = max(peak, wealth)
    return 0.0 - last, 1.0 - wealth / peak


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
    loss, drawdown = losses(equity, flows)
    if math.isnan(loss):
        return BreakerVerdict(TradingState.REDUCING, "equity is not a positive number in every session")
    if drawdown >= max_drawdown:
        return BreakerVerdict(TradingState.HALTED, f"drawdown {drawdown:.2%} has reached {max_drawdown:.2%}")
    if loss >= max_daily_loss:
        return BreakerVerdict(TradingState.REDUCING, f"daily loss {loss:.2%} has reached {max_daily_loss:.2%}")
    return BreakerVerdict(TradingState.ACTIVE, "")

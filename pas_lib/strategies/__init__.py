"""Strategies: the target weights of one portfolio at one session.

A strategy is one dbt model (its signal: ``marts.signals`` holds a score and a rank per security and
rebalance session) and one small class here, which says how many names to take, how to weigh them, and what
to do when there are too few or when the data behind them is old. The registry finds every module of this
package: nothing else is touched when a strategy is added.
"""

from pas_lib.strategies.base import Cadence, MarketView, Strategy, StrategyWeights, due_sessions
from pas_lib.strategies.market import FrameMarket
from pas_lib.strategies.registry import all_strategies, strategy, strategy_ids

__all__ = [
    "Cadence",
    "FrameMarket",
    "MarketView",
    "Strategy",
    "StrategyWeights",
    "all_strategies",
    "due_sessions",
    "strategy",
    "strategy_ids",
]

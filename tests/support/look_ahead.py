"""Everything the system says about the sessions up to one, and whether two warehouses say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.clock import FixedClock
from pas_lib.datasets import catalogue
from pas_lib.execution import Decision as ExecutionDecision
from pas_lib.execution import plan
from pas_lib.pipeline import decide
from pas_lib.pipeline.decide import execution_decision
from pas_lib.pipeline.model import run_model
from pas_lib.pipeline.regime import compute_regimes
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse

COST_BPS = 10.0
#: What a difference of two numbers may be: rounding of sums in another order.
TOLERANCE = 1e-9


def erase_what_was_known_later(warehouse: Warehouse, at: date) -> int:
    """Delete every raw row that was not known at a session's decision time; return how many."""
    return sum(
        warehouse.execute(f"delete from raw.{name} where known_at > %s", (clock.decision_time(at),))
        for name in catalogue()
    )


def spoil_what_was_known_later(warehouse: Warehouse, at: date) -> int:
    """Replace what such rows say by nonsense, their keys apart: numbers, dates and texts; return how many."""
    total = 0
    for name, dataset in catalogue().items():
        nonsense = []
        for column in dataset.columns:
            if column.name in dataset.key:
                continue
            if column.type in ("double precision", "bigint", "integer"):
                nonsense.append(f"{column.name} = coalesce({column.name}, 1) * 7 + 13 + row_id %% 11")
            elif column.type == "text" and column.name not in ("asset_class", "asset_type"):
                # texts that mean something are dealt out anew, so that they name the wrong company
                nonsense.append(f"{column.name} = 'X' || (row_id %% 7)")
            elif column.type == "date":
                nonsense.append(f"{column.name} = {column.name} - 400")
        total += warehouse.execute(
            f"update raw.{name} set {', '.join(nonsense)} where known_at > %s",
            (clock.decision_time(at),),
        )
    return total


@dataclass(frozen=True)
class Answers:
    """What a warehouse says up to a session.

    Attributes
    ----------
    selections
        (strategy, session) -> symbols in order of rank.
    numbers
        A name -> a number, for everything that is one: scores, weights, returns, indicators, shares, prices.
    """

    selections: Mapping[tuple[str, date], tuple[str, ...]]
    numbers: Mapping[Any, float]


def answers(warehouse: Warehouse, session: date, settings: Settings, *, end: date) -> Answers:
    """Ask everything from the signals to the prices that orders are sized with; nothing is written.

    Parameters
    ----------
    warehouse
        With marts built up to `end`.
    session
        What is said of the sessions up to this one, and of its decision.
    settings
        Of the decision.
    end
        Last session of the history.
    """
    numbers: dict[Any, float] = {}
    selections: dict[tuple[str, date], tuple[str, ...]] = {}
    signals = warehouse.frame(
        "select strategy, session, security_id, symbol, score, rank from marts.signals"
        f" where session <= date '{session}' order by strategy, session, rank"
    )
    signals["session"] = signals["session"].dt.date
    for (strategy, day), rows in signals.groupby(["strategy", "session"]):
        selections[str(strategy), day] = tuple(rows["symbol"])
        for key, score in zip(rows["security_id"], rows["score"], strict=True):
            numbers["score", strategy, day, key] = score
    for mart, dated in (("ticker_scores", "score_date"), ("top_scores", "score_date")):
        scores = warehouse.frame(f"select * from marts.{mart} where {dated} <= date '{session}'")
        for row in scores.to_dict("records"):
            for name in ("momentum", "risk_adjusted", "overall"):
                numbers[mart, row[dated].date(), row["security_id"], name] = row[name]

    # Once as on that day, and once as a backtest over the whole history passes by.
    for horizon in (session, end):
        model = run_model(warehouse, horizon, cost_bps=COST_BPS, recompute=True)
        for strategy, items in model.weights.items():
            for item in items:
                if item.session > session:
                    continue
                selections[f"weights of {strategy}, run to {horizon}", item.session] = tuple(item.by_symbol().index)
                numbers["stale", strategy, item.session, horizon] = float(item.is_stale)
                for key, weight in item.weights.items():
                    numbers["weight", strategy, item.session, horizon, key] = float(weight)
        for strategy, path in model.new_returns.items():
            for column in path.columns:
                for stamp, value in path.loc[: pd.Timestamp(session), column].items():
                    numbers[column, strategy, stamp.date(), horizon] = float(value)
        if horizon == session:
            drifted = model.drifted
    for strategy, held in drifted.items():
        for key, weight in held.items():
            numbers["drifted", strategy, key] = float(weight)

    for state in compute_regimes(warehouse, session):
        numbers["CCI", state.session] = state.cci
        numbers["S", state.session] = state.scale

    evening = FixedClock(clock.decision_time(session) + timedelta(minutes=10))
    made = decide(session, settings, evening, warehouse, dry_run=True, planner=_plan)
    numbers["gross"] = made.gross
    numbers["expected volatility"] = made.expected_vol if made.expected_vol is not None else np.nan
    for part in made.portfolios:
        numbers["allocation", part.portfolio_id] = part.allocation
        numbers["share", part.portfolio_id] = part.share
        selections[f"holdings of {part.portfolio_id}", session] = tuple(sorted(part.weights))
        for symbol, share in part.weights.items():
            numbers["holding", part.portfolio_id, symbol] = share
    for breach in made.caps:
        numbers["cap", breach.code, breach.name] = breach.after
    sized = execution_decision(made, warehouse, settings)
    for target in sized.targets:
        numbers["sized at", target.portfolio_id, target.symbol] = float(sized.closes[target.symbol])
    return Answers(selections, numbers)


def _plan(  # type: ignore[no-untyped-def]
    decision: ExecutionDecision, settings: Settings, clock, warehouse: Warehouse, *, dry_run: bool = False
):
    """Plan without a broker: the order list follows from the decision alone."""
    from decimal import Decimal

    return plan(decision, {}, Decimal(100_000))


def compare(left: Answers, right: Answers) -> list[str]:
    """Return what differs, in words: empty when both say the same."""
    out = [
        f"{key}: {left.selections.get(key)} <> {right.selections.get(key)}"
        for key in sorted(left.selections.keys() | right.selections.keys(), key=str)
        if left.selections.get(key) != right.selections.get(key)
    ]
    only = left.numbers.keys() ^ right.numbers.keys()
    out += [f"{key}: only on one side" for key in sorted(only, key=str)]
    for key in left.numbers.keys() & right.numbers.keys():
        a, b = left.numbers[key], right.numbers[key]
        if not (a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1.0) or (pd.isna(a) and pd.isna(b))):
            out.append(f"{key}: {a!r} <> {b!r}")
    return out

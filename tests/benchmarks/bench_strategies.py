"""All strategies over ten years and 1,500 stocks, from the marts in a DuckDB file; each one worked out slowly first.

``PAS_BENCH_STOCKS`` makes it smaller. Drawing the marts comes before and is not part of the time.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from pas_lib import clock
from pas_lib.pipeline.backtest import backtest
from pas_lib.pipeline.model import decide_history
from pas_lib.settings import load_settings
from pas_lib.strategies import StrategyWeights, strategy_ids
from pas_lib.warehouse import DuckWarehouse
from tests.benchmarks.report import Result
from tests.support.scale_marts import ScaleMarts

ONLY_BY_NAME = True
SECONDS = 20
Wanted = dict[str, float]
Rule = Callable[[pd.DataFrame], Wanted]
Decided = Mapping[str, list[StrategyWeights]]


def run() -> Iterator[Result]:
    """Yield the row."""
    world = ScaleMarts(stocks=int(os.environ.get("PAS_BENCH_STOCKS", "1500")))
    with tempfile.TemporaryDirectory(prefix="pas-bench-") as folder:
        began = time.perf_counter()
        warehouse = DuckWarehouse(world.write(Path(folder) / "history.duckdb"))
        drawn = time.perf_counter() - began
        settings = load_settings({"PAS_HOME": folder})
        with warehouse.kept_open():
            weights = decide_history(warehouse, world.end)
            reports = {one.strategy: one for one in backtest(warehouse, settings, [], None, world.end)}
            rate = settings.cost_bps / 1e4
            wrong = _wrong(world, warehouse, weights, {key: one.total_return for key, one in reports.items()}, rate)
            # Processor time of all threads: what else the machine does does not count, waiting for its own file neither
            # shortens nor lengthens it much.
            began, used = time.perf_counter(), time.process_time()
            backtest(warehouse, settings, [], None, world.end)
            clock, ms = time.perf_counter() - began, (time.process_time() - used) * 1e3
    sessions = max(one.n_obs for one in reports.values())
    decided = sum(len(items) for items in weights.values())
    yield Result(
        f"{len(reports)} portfolios, {sessions:,} sessions, {world.stocks:,} stocks, {decided:,} decisions",
        ms,
        parity=wrong
        or "names, weights and final wealth of every portfolio as worked out name by name and day by day;"
        f" drawing the marts ({drawn:.0f} s) is not timed; {clock:.1f} s by the clock at load {os.getloadavg()[0]:.1f}",
        gate=f"at most {SECONDS} s of processor time",
        passed=not wrong and ms <= SECONDS * 1e3 and set(reports) == set(strategy_ids()),
    )


# ----------------------------------------------------------------------- the rules of DESIGN.md section 9, once more


def _equal(take: int, *, above_zero: bool = True) -> Rule:
    def rule(rows: pd.DataFrame) -> Wanted:
        names = [r.security_id for r in rows.itertuples() if r.score > 0 or not above_zero][:take]
        return dict.fromkeys(names, 1.0 / take)

    return rule


def _sleeve(rows: pd.DataFrame) -> Wanted:
    held = {r.security_id: r.score for r in rows.itertuples() if r.score > 0}
    return {key: min(value / math.fsum(held.values()), 0.2) for key, value in held.items()}


def _tilt(rows: pd.DataFrame) -> Wanted:
    best = {r.security_id: r.score for r in rows.itertuples() if r.score > 0}
    best = dict(list(best.items())[:30])
    return {key: value / math.fsum(best.values()) * len(best) / 30 for key, value in best.items()}


def _contracts(rows: pd.DataFrame) -> Wanted:
    names = [r.security_id for r in rows.itertuples() if r.score >= 50e6]
    return dict.fromkeys(names, 1.0 / max(len(names), 10))


RULES: dict[str, Rule] = {
    "app_reviews_hype": _equal(20),
    "capito": _sleeve,
    "composite_leaders": _equal(20, above_zero=False),
    "congress_aggregate": _equal(20),
    "dc_insider_tilt": _tilt,
    "gov_contracts_momentum": _contracts,
    "insider_buying_pulse": _equal(25),
    "leveraged_sector": _equal(3),
    "lobbying_growth": _equal(20),
    "meuser": _sleeve,
    "micro_small_leaders": _equal(20, above_zero=False),
    "pelosi": _sleeve,
    "sector_neutral": _equal(33, above_zero=False),
    "trends_news_sentiment": _equal(30, above_zero=False),
    "volatility_momentum": _equal(20, above_zero=False),
    "wiki_attention": _equal(10),
    "wsb_buzz": _equal(15),
}


def _wrong(
    world: ScaleMarts, warehouse: DuckWarehouse, weights: Decided, totals: Mapping[str, float], rate: float
) -> str:
    """Return what differs first; nothing when all agree."""
    rows = warehouse.frame("select * from marts.signals order by strategy, session, rank, symbol").astype(
        {"security_id": object}
    )
    signals = {
        (str(key[0]), pd.Timestamp(str(key[1])).date()): part
        for key, part in rows.groupby(["strategy", "session"], sort=False)
    }
    memory = {"sector_risk_parity": _same_risk, "upgrade_momentum": _same_baskets, "small_cap_momentum": _same_exits}
    for name, items in weights.items():
        if name in RULES:
            for item in items:
                want = RULES[name](signals[(name, item.session)])
                got = item.weights.to_dict()
                if got.keys() != want.keys() or any(abs(got[key] - value) > 1e-12 for key, value in want.items()):
                    return f"{name} decided something else on {item.session}"
        elif found := memory[name](world, items, {day: part for (one, day), part in signals.items() if one == name}):
            return f"{name}: {found}"
        slow = _wealth(world, items, rate)
        if not abs(slow / (1.0 + totals[name]) - 1.0) < 1e-9:
            return f"{name} ends at {1.0 + totals[name]}, worked out day by day at {slow}"
    return ""


def _wealth(world: ScaleMarts, items: list[StrategyWeights], rate: float) -> float:
    """Return what 1 becomes: each decision filled at the next open, costs first, shares kept in between."""
    opened, close = world.bars
    place = {key: i for i, key in enumerate(world.ids)}
    number = {day: i for i, day in enumerate(world.sessions)}
    fills = {number[clock.next_session(item.session)]: item for item in items if item.session < world.end}
    cash, shares, last = 1.0, dict[str, float](), dict[str, float]()
    for day in range(min(fills), len(world.sessions)):
        if day in fills:
            want = fills[day].weights.to_dict()
            price, blind = dict[str, float](), set[str]()
            for key in shares.keys() | want.keys():
                price[key] = float(opened[day, place[key]])
                if math.isnan(price[key]):
                    price[key] = last.get(key, math.nan)
                    blind.add(key)
            held = {key: n * price[key] for key, n in shares.items()}
            before, refused = cash + math.fsum(held.values()), set[str]()
            while True:
                after = before
                names = [key for key in price if key not in refused]
                for _ in range(60):
                    traded = math.fsum(abs(want.get(key, 0.0) * after - held.get(key, 0.0)) for key in names)
                    after = before - rate * traded
                newly = {key for key in names if key in blind and want.get(key, 0.0) * after > held.get(key, 0.0)}
                if not newly:
                    break
                refused |= newly
            for key in names:
                value = want.get(key, 0.0) * after
                cash -= value - held.get(key, 0.0) + rate * abs(value - held.get(key, 0.0))
                shares[key] = value / price[key] if value else 0.0
            shares = {key: n for key, n in shares.items() if n}
            last = {key: price[key] for key in shares}
        for key in shares:
            now = float(close[day, place[key]])
            last[key] = last[key] if math.isnan(now) else now
    return cash + math.fsum(n * last[key] for key, n in shares.items())


def _same_risk(world: ScaleMarts, items: list[StrategyWeights], signals: Mapping[date, pd.DataFrame]) -> str:
    """The best three by rank, each with the same part of the risk over 65 sessions."""
    place = {key: i for i, key in enumerate(world.ids)}
    close = world.bars[1]
    for item in items:
        names = list(signals[item.session]["security_id"].head(3))
        if set(item.weights.index) != set(names):
            return f"other names on {item.session}"
        i = world.sessions.index(item.session)
        path = close[i - 65 : i + 1, [place[key] for key in names]]
        own = item.weights[names].to_numpy()
        parts = own * (np.cov(path[1:] / path[:-1] - 1.0, rowvar=False) @ own)
        if abs(own.sum() - 1.0) > 1e-9 or np.ptp(parts) > 1e-6 * parts.sum():
            return f"risk is not shared equally on {item.session}"
    return ""


def _same_baskets(_: ScaleMarts, items: list[StrategyWeights], signals: Mapping[date, pd.DataFrame]) -> str:
    """The mean of the last eight weeks' baskets: the best tenth, as far as above zero, a fifth at most."""
    baskets: list[Wanted] = []
    for item in items:
        rows = signals[item.session]
        best = rows.head(math.ceil(0.1 * len(rows)))
        names = [r.security_id for r in best.itertuples() if r.score > 0]
        baskets.append(dict.fromkeys(names, 1.0 / max(len(names), 5)))
        last = baskets[-8:]
        want = {key: math.fsum(one.get(key, 0.0) for one in last) / len(last) for key in set().union(*last)}
        got = item.weights.to_dict()
        if got.keys() != want.keys() or any(abs(got[key] - value) > 1e-12 for key, value in want.items()):
            return f"another mean on {item.session}"
    return ""


def _same_exits(world: ScaleMarts, items: list[StrategyWeights], signals: Mapping[date, pd.DataFrame]) -> str:
    """Twenty places; out at +50 %, after three months or past the catalyst, looked at every session."""
    place = {key: i for i, key in enumerate(world.ids)}
    close = pd.DataFrame(world.bars[1]).ffill().to_numpy()
    stored = {item.session: set(item.weights.index) for item in items}
    held: dict[str, tuple[int, date]] = {}
    for i, day in enumerate(world.sessions):
        if day < min(signals):
            continue
        gone = {
            key
            for key, (entry, until) in held.items()
            if close[i, place[key]] / close[entry, place[key]] >= 1.5 - 1e-9
            or day >= (pd.Timestamp(world.sessions[entry]) + pd.DateOffset(months=3)).date()
            or day > until
        }
        before = set(held)
        held = {key: one for key, one in held.items() if key not in gone}
        if day in signals:
            rows = [r for r in signals[day].itertuples() if r.score > 0 and r.security_id not in before]
            for r in rows[: 20 - len(held)]:
                held[r.security_id] = (i, pd.Timestamp(r.until).date())
        if bool(day in signals or gone) != (day in stored) or (day in stored and stored[day] != set(held)):
            return f"others are held on {day}"
    return ""

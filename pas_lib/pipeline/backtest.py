"""Strategies over history, from stored signals: the same weights, fills and costs as the model, and a book on top."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from pas_lib import clock as calendar
from pas_lib.analytics import performance_summary
from pas_lib.backtest import GONE_AFTER, SimulationResult, write_off
from pas_lib.datasets import catalogue
from pas_lib.dbt import PROJECT_DIR, signal_numbers
from pas_lib.errors import PasError
from pas_lib.pipeline import marts
from pas_lib.pipeline.book_backtest import BookPath, Layers, Prices, backtest_book
from pas_lib.pipeline.decide import decisive_settings, known_rows
from pas_lib.pipeline.model import decide_history, executions, model_path, model_prices, simulate_weights
from pas_lib.pipeline.register import Register
from pas_lib.settings import PROJECT_ROOT, Settings
from pas_lib.strategies import Strategy, StrategyWeights, strategy, strategy_ids
from pas_lib.warehouse import Warehouse

#: The book as a whole, beside its portfolios.
BOOK = "ALL"
#: Where equity starts, USD.
CAPITAL = 1_000_000.0


@dataclass(frozen=True)
class Options:
    """How to run.

    Attributes
    ----------
    cost_bps, slippage_bps
        Commission, and what a fill is worse than the open, in basis points of the traded value. None: the commission
        of the settings.
    delisting_return
        What is lost of the last close of a name whose bars have ended; see `pas_lib.backtest.delisting`.
    layers
        What lies on top of the strategies.
    capital
        USD of the book.
    """

    cost_bps: float | None = None
    slippage_bps: float = 0.0
    delisting_return: float = 0.0
    layers: Layers = field(default_factory=Layers)
    capital: float = CAPITAL


@dataclass(frozen=True)
class Coverage:
    """What is known of names that are gone.

    Attributes
    ----------
    held
        Securities that were ever held in the range.
    gone_while_held
        Symbols of those that were held in the range when their bars ended, more than five sessions before its end.
    universe
        Securities the register knows.
    ended
        How many of them have bars that ended more than five sessions before the end: what was paid for these is not
        recorded anywhere, the rule for delistings is assumed.
    without_prices
        How many have no bar at all: nothing can hold them, so that what they did is missing from every figure.
    """

    held: int
    gone_while_held: tuple[str, ...]
    universe: int
    ended: int
    without_prices: int


@dataclass(frozen=True)
class BacktestReport:
    """One strategy, or the book, over a range of sessions.

    Attributes
    ----------
    strategy
        Its id; `BOOK` for the book.
    start, end
        First and last session with a return.
    n_obs
        Sessions.
    total_return
        Compounded, a fraction.
    turnover
        Traded value over equity, mean per year.
    summary
        As `pas_lib.analytics.performance_summary` tells; against the benchmark where it has bars.
    returns
        Daily returns, fractions, indexed by session.
    path
        Index session; `model_return`, `turnover`, `cost` and `gross`, fractions.
    sectors
        Month-ends x sectors, shares of equity at the close.
    names
        Mean number of names held.
    note
        Where a dataset has no history: the first capture of each such one, and the first decision; else empty.
    """

    strategy: str
    start: date
    end: date
    n_obs: int
    total_return: float
    turnover: float
    summary: Mapping[str, Any]
    returns: pd.Series
    path: pd.DataFrame
    sectors: pd.DataFrame
    names: float
    note: str = ""


@dataclass(frozen=True)
class Backtest:
    """Everything a backtest came to.

    Attributes
    ----------
    reports
        One per strategy, in the order asked for, and the book's last.
    benchmark
        Daily returns of the benchmark over the same sessions; empty when it has no bars.
    benchmark_symbol
        Its symbol.
    coverage
        Of names that are gone.
    book
        None without layers.
    parameters
        What was tried: range, costs, layers, settings, the strategies' own numbers; see `trial_key`.
    data_cut
        Dataset -> newest row number that was there.
    code_version
        Hash of the code that decides.
    without
        Strategies that were not named and have no returns in the range: nothing became known in time.
    """

    reports: tuple[BacktestReport, ...]
    benchmark: pd.Series
    benchmark_symbol: str
    coverage: Coverage
    book: BookPath | None
    parameters: Mapping[str, Any]
    data_cut: Mapping[str, int]
    code_version: str
    without: tuple[str, ...] = ()

    @property
    def start(self) -> date:
        """First session with a return."""
        return min(one.start for one in self.reports)

    @property
    def end(self) -> date:
        """Last session with a return."""
        return max(one.end for one in self.reports)


def backtest(
    warehouse: Warehouse, settings: Settings, strategies: Sequence[str], start: date | None, end: date
) -> list[BacktestReport]:
    """Backtest strategies on the marts at the settings' costs; see `run_backtest`."""
    return list(run_backtest(warehouse, settings, strategies, start, end).reports)


def run_backtest(
    warehouse: Warehouse,
    settings: Settings,
    strategies: Sequence[str],
    start: date | None,
    end: date,
    options: Options | None = None,
) -> Backtest:
    """Backtest strategies on the marts; nothing is read from or written to decisions.

    Parameters
    ----------
    warehouse, settings
        The store (or its mirror), and costs, bounds and limits.
    strategies
        Ids; empty means all.
    start, end
        First (None: the earliest there is) and last session. A strategy decides from its first signal on whatever
        `start` is, so that it holds at `start` what it would have held; the book begins there in cash.
    options
        Costs and layers.

    Raises
    ------
    UnknownName
        When a strategy does not exist.
    PasError
        When one that is named, or all, has no returns in the range.
    """
    asked = options or Options()
    chosen = [strategy(name) for name in strategies] or [strategy(name) for name in strategy_ids()]
    if start is not None and start > end:
        raise PasError(f"a backtest cannot start at {start} and end at {end}, which is before")
    newest = newest_session(warehouse)
    if newest is not None and end > newest:
        raise PasError(
            f"the marts have prices up to {newest}, not to {end}", hint="name an earlier --end, or `pas build`"
        )
    commission = settings.cost_bps if asked.cost_bps is None else asked.cost_bps
    _check(commission, asked)
    cost_bps = commission + asked.slippage_bps
    weights = decide_history(warehouse, end, chosen)
    executed = executions(weights, end)
    close, opened = model_prices(warehouse, executed, end)
    valued = write_off(close, asked.delisting_return) if asked.delisting_return and len(close) else close
    simulated = {
        key: simulate_weights([(day, item.weights) for day, item in items], valued, opened, cost_bps)
        for key, items in executed.items()
        if items
    }
    market = _benchmark(warehouse, settings.benchmark, end)
    register = Register(warehouse, [str(key) for key in close.columns])
    sectors = _sectors(register, close.index)
    reports: list[BacktestReport] = []
    without: list[str] = []
    for one in chosen:
        result = simulated.get(one.id)
        path = pd.DataFrame() if result is None else model_path(result)
        if start is not None and len(path):
            path = path.loc[pd.Timestamp(start) :]
        if result is None or path.empty:
            if strategies:
                captured = _captures(warehouse, one)
                raise _nothing(
                    one.id, start, end, f"its sites show no past; {captured}" if captured else "run `pas build`"
                )
            without.append(one.id)
            continue
        held = result.weights.loc[path.index]
        path = path.assign(gross=held.sum(axis=1))
        note = _first_capture(warehouse, one, weights[one.id][0].session)
        reports.append(_summed(one.id, path, held, market, sectors, note))
    if not reports:
        raise _nothing("no strategy", start, end)
    book = None
    if asked.layers.any:
        book = backtest_book(
            warehouse,
            settings,
            weights,
            simulated,
            Prices(close, opened, valued),
            start or min(items[0].session for items in weights.values() if items),
            end,
            asked.layers,
            cost_bps=cost_bps,
            capital=asked.capital,
        )
        if book.table.empty:
            raise _nothing("the book", start, end)
        reports.append(_summed(BOOK, book.table, book.weights, market, sectors, ""))
    days = marts.session_index(sorted({stamp for one in reports for stamp in one.returns.index}))
    return Backtest(
        tuple(reports),
        market.reindex(days).dropna(),
        settings.benchmark,
        _coverage(warehouse, close, simulated, weights, days[0], end),
        book,
        _parameters(chosen, settings, asked, commission, start, end),
        known_rows(warehouse),
        code_version(),
        tuple(without),
    )


def newest_session(warehouse: Warehouse) -> date | None:
    """Return the last session with prices in the marts; None without any."""
    found = marts.read(warehouse, "select max(session) as newest from marts.daily_returns")["newest"].iloc[0]
    return marts.as_date(found)


def _check(commission: float, options: Options) -> None:
    if commission < 0.0 or options.slippage_bps < 0.0 or commission + options.slippage_bps > 1000.0:
        raise PasError("commission and slippage must be basis points of 0 and more, at most 1000 together")
    if not -1.0 <= options.delisting_return <= 0.0:
        raise PasError(
            f"the return of a delisting must lie between -1 and 0, not {options.delisting_return:g}",
            hint="-1 is nothing left, 0 the last close",
        )
    if not options.capital > 0.0:
        raise PasError("the capital must be a positive amount")


def _nothing(name: str, start: date | None, end: date, hint: str = "run `pas build`") -> PasError:
    verb = "has no" if name != "no strategy" else "has"
    return PasError(f"{name} {verb} returns from {start or 'its beginning'} to {end}", hint=hint)


# ------------------------------------------------------------------------------------------------- reports


def _summed(
    name: str,
    path: pd.DataFrame,
    held: pd.DataFrame,
    market: pd.Series,
    sectors: Mapping[pd.Timestamp, Mapping[str, str]],
    note: str,
) -> BacktestReport:
    returns = path["model_return"]
    against = market.reindex(returns.index) if len(market) else None
    return BacktestReport(
        name,
        returns.index[0].date(),
        returns.index[-1].date(),
        len(returns),
        float(np.prod(1.0 + returns.to_numpy(dtype=float))) - 1.0,
        float(path["turnover"].sum() / len(path) * 252.0),
        performance_summary(returns, benchmark=against),
        returns,
        path[["model_return", "turnover", "cost", "gross"]],
        _by_sector(held, sectors),
        float((held > 0.0).sum(axis=1).mean()),
        note,
    )


def _sectors(register: Register, index: pd.Index) -> dict[pd.Timestamp, dict[str, str]]:
    """Return what was known of sectors (funds apart) at each month-end, and at the last session."""
    out = {}
    days = [stamp for stamp in pd.DatetimeIndex(index) if calendar.is_month_end(stamp.date()) or stamp == index[-1]]
    for stamp in days:
        known = register.advance(calendar.decision_time(stamp.date()))
        out[stamp] = {**known.sector, **dict.fromkeys(known.etfs, "Funds")}
    return out


def _by_sector(held: pd.DataFrame, sectors: Mapping[pd.Timestamp, Mapping[str, str]]) -> pd.DataFrame:
    days = [stamp for stamp in held.index if stamp in sectors]
    values = held.to_numpy()[held.index.get_indexer(pd.Index(days))]
    ids = [str(key) for key in held.columns]
    rows = []
    for stamp, shares in zip(days, values, strict=True):
        known = sectors[stamp]
        row: dict[str, float] = {}
        for i in np.flatnonzero(shares > 0.0):
            name = known.get(ids[i], "Unclassified")
            row[name] = row.get(name, 0.0) + float(shares[i])
        rows.append(row)
    return pd.DataFrame(rows, index=marts.session_index(days), dtype=float).fillna(0.0).sort_index(axis=1)


def _first_capture(warehouse: Warehouse, one: Strategy, first: date) -> str:
    """Return the label of a strategy one of whose datasets has no history, with its first decision; else nothing."""
    captured = _captures(warehouse, one)
    return f"starts at {captured}, first decision {first}" if captured else ""


def _captures(warehouse: Warehouse, one: Strategy) -> str:
    """Return when each of a strategy's datasets without history was first captured; nothing when all have one."""
    without = [name for name in one.datasets if catalogue()[name].history == "none"]
    if not without:
        return ""
    known = []
    for name in without:
        seen = marts.read(warehouse, f"select min(known_at) as first from raw.{name}")["first"].iloc[0]  # noqa: S608
        if not pd.isna(seen):
            known.append(f"{name} {pd.Timestamp(seen).tz_convert(calendar.NY).date()}")
    return f"first capture ({', '.join(known) or 'none'})"


def _benchmark(warehouse: Warehouse, symbol: str, end: date) -> pd.Series:
    rows = marts.read(
        warehouse,
        "select session, ret from marts.daily_returns where symbol = {symbol} and session <= {end} order by session",
        symbol=symbol,
        end=end,
    )
    return pd.Series(rows["ret"].to_numpy(dtype=float), index=marts.session_index(rows["session"]))


def _coverage(
    warehouse: Warehouse,
    close: pd.DataFrame,
    simulated: Mapping[str, SimulationResult],
    weights: Mapping[str, Sequence[StrategyWeights]],
    start: pd.Timestamp,
    end: date,
) -> Coverage:
    limit = calendar.sessions(date(1990, 1, 1), end)[-GONE_AFTER - 1]
    known = marts.read(
        warehouse,
        "select count(*) as universe, sum(case when bars.last is null then 1 else 0 end) as bare,"
        " sum(case when bars.last < {limit} then 1 else 0 end) as ended"
        " from (select distinct security_id from raw.securities where known_at <= {at}) s"
        " left join (select security_id, max(session) as last from marts.daily_returns where session <= {end}"
        " group by security_id) bars on bars.security_id = s.security_id",
        limit=limit,
        end=end,
        at=calendar.decision_time(end),
    ).iloc[0]
    symbols = {key: name for items in weights.values() for item in items for key, name in item.symbols.items()}
    bars = close.notna().to_numpy()
    last = len(bars) - 1 - bars[::-1].argmax(axis=0) if len(bars) else np.empty(0, dtype=int)
    is_gone = (close.index.to_numpy()[last] < np.datetime64(limit)) & bars.any(axis=0) if len(bars) else last
    gone: set[str] = set()
    held: set[str] = set()
    for result in simulated.values():
        owned = result.positions.loc[start:]
        positions = owned.to_numpy() > 0.0
        names = [str(key) for key in owned.columns]
        held |= {names[i] for i in np.flatnonzero(positions.any(axis=0))}
        first = int(close.index.searchsorted(owned.index[0])) if len(owned) else 0
        for column, place in enumerate(close.columns.get_indexer(owned.columns)):
            row = int(last[place]) - first
            if is_gone[place] and 0 <= row < len(positions) and positions[row, column]:
                gone.add(symbols.get(names[column], names[column]))

    def number(value: Any) -> int:
        return 0 if value is None or value != value else int(value)

    return Coverage(
        len(held), tuple(sorted(gone)), number(known["universe"]), number(known["ended"]), number(known["bare"])
    )


# ---------------------------------------------------------------------------------------------- what was tried


def _parameters(
    chosen: Sequence[Strategy],
    settings: Settings,
    options: Options,
    commission: float,
    start: date | None,
    end: date,
) -> dict[str, Any]:
    layers = options.layers
    out: dict[str, Any] = {
        "start": start.isoformat() if start else None,
        "end": end.isoformat(),
        "cost_bps": commission,
        "slippage_bps": options.slippage_bps,
        "delisting_return": options.delisting_return,
        "layers": dataclasses.asdict(layers),
        "strategies": {one.id: _numbers(one) for one in chosen},
    }
    if layers.any:
        out |= {"capital": options.capital, "settings": decisive_settings(settings)}
    return out


def _numbers(one: Strategy) -> dict[str, Any]:
    """Return a strategy's own numbers by name: those of its class, and those that its signal model takes."""
    own = {name: value for name, value in vars(one).items() if not name.startswith("_")}
    return dict(sorted((own | signal_numbers(one.signal_model)).items()))


def trial_key(parameters: Mapping[str, Any], portfolio_id: str) -> str:
    """Return what tells a trial of one portfolio from another one: a hash of the parameters its holdings follow from.

    The range is none of them: another window of the same is no other configuration. Nor are a strategy's costs, which
    change what its holdings earn and not the holdings; a book's do, since it is sized by returns after costs.
    """
    own = {name: value for name, value in parameters.items() if name not in ("start", "end")}
    strategies = own.pop("strategies")
    body = [own, strategies] if portfolio_id == BOOK else strategies.get(portfolio_id)
    return hashlib.sha256(json.dumps([portfolio_id, body], sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def code_version() -> str:
    """Return the hash of the code and the models that decide: twelve hexadecimal digits."""
    digest = hashlib.sha256()
    files = [*(PROJECT_ROOT / "pas_lib").rglob("*.py"), *PROJECT_DIR.rglob("*.sql"), PROJECT_DIR / "dbt_project.yml"]
    for file in sorted(files):
        if "target" not in file.parts:
            digest.update(str(file.relative_to(PROJECT_ROOT)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def run_id_of(now: datetime, parameters: Mapping[str, Any]) -> str:
    """Return the id of a run: when it was made, and what it tried."""
    body = json.dumps(parameters, sort_keys=True, default=str).encode()
    return f"{now:%Y%m%dT%H%M%S%f}-{hashlib.sha256(body).hexdigest()[:8]}"

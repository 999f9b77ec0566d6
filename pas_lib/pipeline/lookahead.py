"""The proof that no number up to a session depends on what became known after it.

The raw rows are copied into a DuckDB file, dbt builds the models over all of them, and everything is asked that the
system says of the sessions up to a date: signals, scores, target weights, model returns, regime, allocation, holdings.
Then every row that was not known at the date's decision time is deleted, or replaced by nonsense, every model is made
again from nothing (by the statements that dbt compiled, in dbt's order), and the answers must be the same: selections
exactly, numbers to 1e-9.

A bar is of the company that had its symbol when it was fetched. Where the register tells of that company only after
the date, and another one had the symbol before, the bars of the later one go with it: without its row they would be
taken for bars of the earlier one, which no row ever said.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from pas_lib import clock
from pas_lib.datasets import catalogue
from pas_lib.dbt import CompiledModel, Dbt
from pas_lib.errors import PasError
from pas_lib.pipeline.decide import execution_decision, work_out
from pas_lib.pipeline.differences import TOLERANCE
from pas_lib.pipeline.model import ModelRun, run_model
from pas_lib.settings import Settings
from pas_lib.strategies import all_strategies
from pas_lib.warehouse import DuckWarehouse, Warehouse

#: Marts that the answers come from; dbt builds what they need.
_MARTS = ("signals", "daily_returns", "regime_inputs", "ticker_scores", "top_scores")
#: Columns of text that say what kind of thing a row is about: nonsense there would only hide rows.
_KINDS = frozenset({"asset_class", "asset_type"})
#: Datasets whose rows are of the company that had the symbol when they were fetched.
_OF_THE_HOLDER = ("corporate_actions", "prices")
#: What belongs to no single strategy.
BOOK = "regime, scores and sizing"
HOW = ("deleted", "garbage")


@dataclass(frozen=True)
class Answers:
    """What a store says up to a session.

    Attributes
    ----------
    selections
        (whose, what) -> symbols in order of rank, or sorted.
    numbers
        (whose, what, ...) -> a number: scores, weights, returns, indicators, shares, prices.
    """

    selections: Mapping[tuple[str, str], tuple[str, ...]]
    numbers: Mapping[tuple[str, ...], float]

    def size(self, whose: str) -> int:
        """Return how many answers there are about one strategy."""
        return sum(key[0] == whose for key in self.selections) + sum(key[0] == whose for key in self.numbers)


@dataclass(frozen=True)
class Verdict:
    """What was found for one strategy, or for what belongs to none.

    Attributes
    ----------
    name
        Its id, or `BOOK`.
    dates
        Sessions at which the future was cut off.
    compared
        Selections and numbers compared, over all dates and both ways.
    differences
        What differed, in words; empty for an honest strategy.
    """

    name: str
    dates: tuple[date, ...]
    compared: int
    differences: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing differed; with nothing compared nothing is proved, but nothing is wrong either."""
        return not self.differences

    @property
    def line(self) -> str:
        """One line for a person."""
        if self.differences:
            return f"{self.name}: KNOWS THE FUTURE, {len(self.differences)} differences, first {self.differences[0]}"
        if not self.compared:
            return f"{self.name}: nothing to compare up to {self.dates[-1]}"
        return f"{self.name}: clean, {self.compared:,} answers at {len(self.dates)} dates"


def look_ahead(
    raw: Path,
    dates: Sequence[date],
    end: date,
    settings: Settings,
    dbt: Dbt,
    *,
    strategies: Sequence[str] = (),
    how: Sequence[str] = HOW,
    told: Callable[[str], None] | None = None,
) -> list[Verdict]:
    """Compare the answers with and without the future, at every date.

    Parameters
    ----------
    raw
        A DuckDB file from `copy_raw`; it stays as it is. Files are made beside it and removed.
    dates
        Sessions at which the future begins, before `end`.
    end
        Last session of the history.
    settings
        Of the decisions.
    dbt
        Whose project and work folder are used; its target is a file beside `raw`.
    strategies
        Ids to judge; all by default. What belongs to no strategy is judged with all.
    how
        Ways to take the future away.
    told
        Called with a line as each comparison begins.

    Returns
    -------
    list of Verdict
        One per strategy, by id, and one for the rest.

    Raises
    ------
    PasError
        When a date is not before the end, or no row became known after it: nothing would be proved.
    DbtError
        When a model fails.
    """
    for session in dates:
        if session >= end:
            raise PasError(
                f"{session} has no future before {end}: nothing would be proved", hint="take an earlier date"
            )
    wanted = [*(strategies or [one.id for one in all_strategies()]), *(() if strategies else (BOOK,))]
    found: dict[str, list[str]] = {name: [] for name in wanted}
    compared = dict.fromkeys(wanted, 0)
    slot, whole = raw.with_name("slot.duckdb"), raw.with_name("whole.duckdb")
    dbt = replace(dbt, url=str(slot), target="duckdb")
    say = told or (lambda _: None)
    try:
        say(f"all rows, to {end}")
        models = _build(raw, slot, dbt, end)
        shutil.copyfile(slot, whole)
        passed_by = _history(DuckWarehouse(whole), end, settings)
        for session in sorted(dates):
            with_future = answers(DuckWarehouse(whole), session, end, settings, passed_by)
            for way in how:
                say(f"{session}, what became known later {'is deleted' if way == 'deleted' else 'is garbage'}")
                shutil.copyfile(whole, slot)
                _take_away(slot, session, way)
                _make_again(slot, models)
                without = answers(DuckWarehouse(slot), session, end, settings)
                for name in wanted:
                    compared[name] += with_future.size(name)
                    found[name] += [f"{session}, {way}: {line}" for line in compare(with_future, without, name)]
    finally:
        for path in (slot, whole, slot.with_name("slot.duckdb.wal")):
            path.unlink(missing_ok=True)
    return [Verdict(name, tuple(sorted(dates)), compared[name], tuple(found[name])) for name in wanted]


def copy_raw(warehouse: Warehouse, path: Path) -> None:
    """Write raw rows and calendar into a new DuckDB file, with empty books: what `look_ahead` starts from.

    Raises
    ------
    WarehouseUnavailable
        When the store of record cannot be reached.
    """
    from pas_lib.warehouse.mirror import extract

    def condition(table: str) -> str | None:
        schema, _, name = table.partition(".")
        if schema == "raw" or table == "ops.sessions":
            return "true"
        return "false" if schema == "ops" and name in _BOOKS else None

    extract(path, warehouse, condition)


#: Tables that a decision reads beside the marts: a book without a past.
_BOOKS = frozenset(
    {
        "portfolios", "decisions", "alloc_log", "model_weights", "simulated_returns", "regime_history",
        "portfolio_events", "manual_weights", "ledger_bindings", "ledger_entries", "order_plans", "intents", "orders",
    }
)  # fmt: skip


def spread(first: date, last: date, count: int) -> list[date]:
    """Return sessions at which strategies decide, evenly spread: the last ones of weeks, month ends among them."""
    days = clock.sessions(first, last)
    weeks = [day for day in days if clock.is_week_end(day)]
    if len(weeks) <= count:
        return weeks
    step = len(weeks) / count
    return [
        next((d for d in weeks[int(i * step) : int((i + 1) * step)][::-1] if clock.is_month_end(d)), None)
        or weeks[int((i + 1) * step) - 1]
        for i in range(count)
    ]


# ---------------------------------------------------------------------------------------------- the future


def _build(raw: Path, slot: Path, dbt: Dbt, end: date) -> tuple[CompiledModel, ...]:
    slot.with_name(f"{slot.name}.wal").unlink(missing_ok=True)
    shutil.copyfile(raw, slot)
    return dbt.build(end, data_tests=False, select=[f"+{name}" for name in _MARTS]).models()


def _make_again(path: Path, models: Sequence[CompiledModel]) -> None:
    """Fill every table from what lies under it now; its columns and types stay those of the contract."""
    import duckdb

    with duckdb.connect(str(path)) as conn:
        conn.execute("set timezone = 'UTC'")
        for model in models:
            if not model.is_view:
                conn.execute(f"truncate {model.relation}")
                conn.execute(f"insert into {model.relation} by name {model.select}")


def _take_away(path: Path, session: date, how: str) -> None:
    import duckdb

    at = f"timestamptz '{clock.decision_time(session).isoformat()}'"
    with duckdb.connect(str(path)) as conn:
        conn.execute("set timezone = 'UTC'")
        tables = {
            row[0]
            for row in conn.execute("select table_name from duckdb_tables() where schema_name = 'raw'").fetchall()
        }
        for name in sorted(tables & set(_OF_THE_HOLDER)):
            conn.execute(
                f"delete from raw.{name} as stated using {_later_holders(at)} as holders"  # noqa: S608
                " where stated.symbol = holders.symbol"
                " and stated.ingested_at >= holders.valid_from and stated.ingested_at < holders.valid_to"
            )
        changed = 0
        for name in sorted(tables & set(catalogue())):
            where = f"from raw.{name} where known_at > {at}"
            changed += int(conn.execute(f"select count(*) {where}").fetchall()[0][0])
            if how == "deleted":
                conn.execute(f"delete {where}")
            else:
                conn.execute(f"update raw.{name} set {', '.join(_nonsense(name))} where known_at > {at}")  # noqa: S608
    if not changed:
        raise PasError(f"no row became known after {session}: nothing would be proved", hint="take an earlier date")


def _later_holders(at: str) -> str:
    """Return the query for spells in a used symbol of companies that no row known at an instant tells of."""
    return (
        "(select symbol, valid_from, valid_to from intermediate.int_security_symbols as spells"  # noqa: S608
        " where exists (select 1 from intermediate.int_security_symbols as earlier"
        " where earlier.symbol = spells.symbol and earlier.valid_from < spells.valid_from)"
        f" and security_id not in (select security_id from raw.securities where known_at <= {at}))"
    )


def _nonsense(name: str) -> list[str]:
    """Return what is set in rows of the future: other numbers, other days, wrong names; keys stay."""
    dataset = catalogue()[name]
    out = []
    for column in dataset.columns:
        if column.name in dataset.key:
            continue
        if column.type in ("double precision", "bigint", "integer"):
            out.append(f"{column.name} = coalesce({column.name}, 1) * 7 + 13 + row_id % 11")
        elif column.type == "text" and column.name not in _KINDS:
            out.append(f"{column.name} = 'X' || (row_id % 7)")
        elif column.type == "date":
            out.append(f"{column.name} = {column.name} - 400")
    return out or ["run_id = 'X'"]


# --------------------------------------------------------------------------------------------- the answers


def answers(
    warehouse: DuckWarehouse, session: date, end: date, settings: Settings, passed_by: ModelRun | None = None
) -> Answers:
    """Ask everything from the signals to the prices that orders are sized with; nothing is written.

    Parameters
    ----------
    warehouse
        With marts built up to `end`, and books without a past.
    session
        What is said of the sessions up to this one, and of its decision.
    end
        Last session of the history.
    settings
        Of the decision.
    passed_by
        The models of a backtest up to `end`, where they have been worked out before.
    """
    numbers: dict[tuple[str, ...], float] = {}
    selections: dict[tuple[str, str], tuple[str, ...]] = {}
    with warehouse.kept_open():
        _ask_marts(warehouse, session, numbers, selections)
        # Once as on that day, and once as a backtest over the whole history passes by.
        _tell_model(passed_by or _history(warehouse, end, settings), session, numbers, selections)
        _ask_decision(warehouse, session, settings, numbers, selections)
    return Answers(selections, numbers)


def _history(warehouse: DuckWarehouse, end: date, settings: Settings) -> ModelRun:
    with warehouse.kept_open():
        return run_model(warehouse, end, cost_bps=settings.cost_bps, recompute=True)


def _ask_decision(
    warehouse: DuckWarehouse,
    session: date,
    settings: Settings,
    numbers: dict[tuple[str, ...], float],
    selections: dict[tuple[str, str], tuple[str, ...]],
) -> None:
    at = clock.decision_time(session) + timedelta(minutes=10)
    worked_out = work_out(session, settings, warehouse, "live", at)
    _tell_model(worked_out.model, session, numbers, selections)
    for state in worked_out.regimes:
        numbers[BOOK, "CCI", f"{state.session}"] = state.cci
        numbers[BOOK, "S", f"{state.session}"] = state.scale
    made = worked_out.decision
    numbers[BOOK, "gross"] = made.gross
    numbers[BOOK, "expected volatility"] = math.nan if made.expected_vol is None else made.expected_vol
    for part in made.portfolios:
        numbers[BOOK, "allocation", part.portfolio_id] = part.allocation
        numbers[BOOK, "share", part.portfolio_id] = part.share
        selections[BOOK, f"holdings of {part.portfolio_id}"] = tuple(sorted(part.weights))
        for symbol, share in part.weights.items():
            numbers[BOOK, "holding", part.portfolio_id, symbol] = share
    for breach in made.caps:
        numbers[BOOK, "cap", breach.code, breach.name] = breach.after
    sized = execution_decision(made, warehouse, settings)
    for target in sized.targets:
        numbers[BOOK, "sized at", target.portfolio_id, target.symbol] = float(sized.closes[target.symbol])


def _ask_marts(
    warehouse: Warehouse,
    session: date,
    numbers: dict[tuple[str, ...], float],
    selections: dict[tuple[str, str], tuple[str, ...]],
) -> None:
    signals = warehouse.frame(
        "select strategy, session, security_id, symbol, score, rank from marts.signals where session <= %s"
        " order by strategy, session, rank",
        (session,),
    )
    signals["day"] = pd.to_datetime(signals["session"]).dt.date.astype(str)
    for (strategy, day), rows in signals.groupby(["strategy", "day"]):
        selections[str(strategy), f"ranks of {day}"] = tuple(rows["symbol"].astype(str))
    for row in zip(*(signals[name].tolist() for name in ("strategy", "day", "security_id", "score")), strict=True):
        numbers[row[0], "score", row[1], row[2]] = float(row[3])
    for mart in ("ticker_scores", "top_scores"):
        scores = warehouse.frame(f"select * from marts.{mart} where score_date <= %s", (session,))  # noqa: S608
        figures = [name for name in scores.columns if pd.api.types.is_float_dtype(scores[name])]
        days = pd.to_datetime(scores["score_date"]).dt.date.astype(str).tolist()
        for name in figures:
            for day, key, value in zip(days, scores["security_id"].tolist(), scores[name].tolist(), strict=True):
                numbers[BOOK, mart, day, key, name] = float(value)


def _tell_model(
    model: ModelRun,
    session: date,
    numbers: dict[tuple[str, ...], float],
    selections: dict[tuple[str, str], tuple[str, ...]],
) -> None:
    to = "as on that day" if model.session == session else "as in a backtest"
    for strategy, items in model.weights.items():
        for item in (one for one in items if one.session <= session):
            day = f"{item.session}"
            selections[strategy, f"weights of {day} {to}"] = tuple(item.by_symbol().index.astype(str))
            numbers[strategy, "stale", day, to] = float(item.is_stale)
            for key, weight in item.weights.items():
                numbers[strategy, "weight", day, str(key), to] = float(weight)
    last = pd.Timestamp(session)
    for strategy, path in model.new_returns.items():
        for column in path.columns:
            for stamp, value in path.loc[:last, column].items():
                numbers[strategy, str(column), str(stamp)[:10], to] = float(value)
    if model.session == session:
        for strategy, held in model.drifted.items():
            for key, weight in held.items():
                numbers[strategy, "drifted", str(key)] = float(weight)


def compare(left: Answers, right: Answers, whose: str | None = None) -> list[str]:
    """Return what differs, in words, of one strategy if it is named; empty when both say the same."""
    return list(_compare(left, right, whose))


def _compare(left: Answers, right: Answers, whose: str | None) -> Iterator[str]:
    def of(keys: Any) -> list[Any]:
        return sorted(key for key in keys if whose is None or key[0] == whose)

    for key in of(left.selections.keys() | right.selections.keys()):
        if left.selections.get(key) != right.selections.get(key):
            yield f"{key[1]}: {_few(left.selections.get(key))} <> {_few(right.selections.get(key))}"
    for key in of(left.numbers.keys() | right.numbers.keys()):
        a, b = left.numbers.get(key), right.numbers.get(key)
        if a is None or b is None:
            yield f"{' '.join(key[1:])}: only {'with' if b is None else 'without'} the future"
        elif not (a == b or abs(a - b) <= TOLERANCE * max(abs(a), abs(b), 1.0) or (math.isnan(a) and math.isnan(b))):
            yield f"{' '.join(key[1:])}: {a!r} <> {b!r}"


def _few(symbols: tuple[str, ...] | None) -> str:
    if symbols is None:
        return "nothing"
    return ", ".join(symbols[:5]) + (f" and {len(symbols) - 5} more" if len(symbols) > 5 else "")

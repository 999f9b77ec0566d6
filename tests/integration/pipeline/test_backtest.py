"""Backtests on known marts: one symbol to the cent, the live road, the book and its layers, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from pas_lib import clock as calendar
from pas_lib.backtest import expected_best_sharpe
from pas_lib.cli.research import _remarks
from pas_lib.clock import FixedClock
from pas_lib.pipeline import decide
from pas_lib.pipeline.backtest import BOOK, Backtest, Options, run_backtest, trial_key
from pas_lib.pipeline.backtest_store import count_trials, store_backtest
from pas_lib.pipeline.book_backtest import Layers, Prices, _Run
from pas_lib.pipeline.decide import work_out
from pas_lib.pipeline.model import decide_history, executions, model_prices, simulate_weights
from pas_lib.settings import Settings
from pas_lib.strategies.wiki_attention import WikiAttention
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, FIRST_SIGNAL, STOCKS, MartsWorld, security_id
from tests.integration.pipeline.test_decide import EVENING, Planner

Pas = Callable[..., tuple[int, object, str]]
NEXT = calendar.next_session(DECISION)
#: A Friday from which on enough macro values are known for S to be 1.
KNOWN = date(2026, 1, 16)
D = DECISION.isoformat()


@pytest.fixture
def warehouse(marts: Warehouse) -> Warehouse:
    return marts


def test_a_backtest_is_what_the_live_road_stored(warehouse: Warehouse, settings: Settings) -> None:
    """Two evenings of decisions: history worked out in the first one, one more session in the second."""
    before = calendar.previous_session(DECISION)
    for session in (before, DECISION):
        MartsWorld(end=session).write(warehouse)
        at = calendar.decision_time(session) + timedelta(minutes=5)
        decide(session, settings, FixedClock(at), warehouse, planner=Planner())
    stored = warehouse.frame("select * from ops.simulated_returns order by session", ())
    assert set(stored["origin"]) == {"history", "live"}
    done = run_backtest(warehouse, settings, [], None, DECISION)
    assert len(done.reports) == 4
    for one in done.reports:
        rows = stored[stored["portfolio_id"] == one.strategy].set_index("session")
        assert list(rows.index) == list(one.path.index)
        for name in ("model_return", "turnover", "cost"):
            assert_allclose(one.path[name], rows[name], rtol=0, atol=1e-12)


def test_a_first_evening_of_the_book_is_the_decision(warehouse: Warehouse, settings: Settings) -> None:
    """The same shares, wishes and cuts as `decide` makes from empty books, with S below 1 and narrow limits."""
    MartsWorld(end=NEXT, vix_shock=20.0).write(warehouse)
    narrow = settings.model_copy(update={"max_name_weight": 0.01, "max_sector_weight": 0.04})
    made = work_out(DECISION, narrow, warehouse, "live", EVENING.now())
    assert 0.3 <= made.decision.scale < 1.0
    assert {one.code for one in made.decision.caps} >= {"NAME_CAP", "SECTOR_CAP"}
    weights = decide_history(warehouse, NEXT)
    executed = executions(weights, NEXT)
    close, opened = model_prices(warehouse, executed, NEXT)
    simulated = {
        key: simulate_weights([(day, item.weights) for day, item in items], close, opened, narrow.cost_bps)
        for key, items in executed.items()
        if items
    }
    layers = Layers(True, True, True)
    book = _Run(
        warehouse, narrow, weights, simulated, Prices(close, opened, close), (DECISION, NEXT), layers, 10.0, 1e6
    )
    at = list(close.index).index(pd.Timestamp(DECISION))
    empty = _Book(len(book.names), len(book.ids))
    state, wishes, _, breaches = book._decide(
        DECISION, at, empty, np.zeros((len(book.names), len(book.ids))), 1e6, None, made.decision.scale
    )
    assert state is not None
    assert_allclose(state.target.sort_index(), made.allocation.target.sort_index(), rtol=1e-12)
    assert book.scales[DECISION] == made.decision.scale
    theirs = {one.portfolio_id: one for one in made.wishes}
    for one in wishes:
        other = theirs[one.portfolio_id]
        assert (one.trades, one.why) == (other.trades, other.why)
        expected = {security_id(str(symbol)): share for symbol, share in other.holdings.items()}
        assert set(one.holdings.index) == set(expected)
        assert_allclose(one.holdings.to_numpy(), [expected[str(key)] for key in one.holdings.index], rtol=1e-9)
    assert sorted(one.code for one in breaches) == sorted(one.code for one in made.decision.caps)


@dataclass
class _Book:
    """Holdings of a book that has none."""

    portfolios: int
    symbols: int

    @property
    def cash(self) -> np.ndarray:
        return np.zeros(self.portfolios)


class Calm(MartsWorld):
    """The same world, moving a quarter as much: a volatility target that does not bind."""

    def prices(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        opened, close = super().prices()
        return 100.0 * (opened / 100.0) ** 0.25, 100.0 * (close / 100.0) ** 0.25


def test_a_book_of_one_portfolio_that_nothing_binds_is_that_portfolio(warehouse: Warehouse, settings: Settings) -> None:
    Calm().write(warehouse)
    free = settings.model_copy(
        update={
            "cash_buffer": 0.0, "max_name_weight": 1.0, "max_etf_weight": 1.0, "max_sector_weight": 1.0,
            "max_leveraged_weight": 10.0, "max_var_99": 1.0, "max_adv_share": 1.0, "allocation_method": "equal",
        }
    )  # fmt: skip
    for layers, start in ((Layers(allocate=True), FIRST_SIGNAL), (Layers(True, True, True), KNOWN)):
        done = run_backtest(warehouse, free, ["congress_aggregate"], start, DECISION, Options(layers=layers))
        alone, book = done.reports
        assert book.strategy == BOOK
        assert done.book is not None
        assert (done.book.table["scale"] == 1.0).all()
        assert_allclose(done.book.shares["congress_aggregate"], 1.0, atol=1e-12)
        # One that begins later buys from cash what the strategy has held for long: the first fill differs.
        first = 0 if start == FIRST_SIGNAL else 1
        mine, theirs = book.path.iloc[first:], alone.path.loc[book.path.index[first] :]
        assert list(mine.index) == list(theirs.index)
        assert len(mine) >= 8
        for name in ("model_return", "turnover", "cost", "gross"):
            assert_allclose(mine[name], theirs[name], rtol=0, atol=1e-12)


def test_layers_do_what_they_say(warehouse: Warehouse, settings: Settings) -> None:
    MartsWorld(vix_shock=20.0).write(warehouse)

    narrow = settings.model_copy(update={"max_name_weight": 0.01, "max_etf_weight": 0.05})

    def book(**layers: bool) -> pd.DataFrame:
        options = Options(layers=Layers(**layers))
        done = run_backtest(warehouse, narrow, [], KNOWN, DECISION, options)
        assert done.book is not None
        return done.book.table.assign(largest=done.book.weights.max(axis=1), most=done.book.shares.sum(axis=1))

    plain, crisis = book(allocate=True), book(allocate=True, cci=True)
    limited = book(allocate=True, caps=True)
    # The shock comes on the 28th: what is filled from the 29th on is scaled, and nothing before.
    assert plain["scale"].eq(1.0).all()
    late = plain.index > pd.Timestamp("2026-01-28")
    assert (crisis["scale"][late] < 1.0).all()
    assert_allclose(crisis["gross"][~late], plain["gross"][~late], rtol=1e-12)
    assert (crisis["gross"][late] < 0.9 * plain["gross"][late]).all()
    assert (plain["most"] <= 1.0 - settings.cash_buffer + 0.02).all()
    assert plain["largest"].max() > 0.1
    assert limited["largest"].max() < 0.052
    assert limited["capped"].sum() > 0
    assert set(crisis.columns) == set(limited.columns)


# ------------------------------------------------------------------------------------------- to the cent


DAYS = list(calendar.sessions(date(2025, 11, 7), date(2025, 12, 19)))


class OneName(MartsWorld):
    """One stock: split 2:1 and dividend, then its bars end. Raw prices, USD; adjusted levels as the mart makes them.

    Friday 7 November: decided at a close of 100. Monday opens at 102, closes at 104. On the 12th a split of 2 for 1:
    closes at 53 (factor 2). On the 18th it goes ex 1.06 USD and closes at 53: factor 2 x (1 + 1.06 / 53) = 2.04. Its
    last bar, at 50, is of the 26th of November.
    """

    def signals(self) -> pd.DataFrame:
        rows = [
            ("congress_aggregate", day, "cik0000000001", "S01", 1.0, 1, None)
            for day in DAYS
            if calendar.is_week_end(day) and day <= date(2025, 11, 21)
        ]
        rows += [("congress_aggregate", date(2025, 12, 12), "cik0000000002", "S02", 1.0, 1, None)]
        return pd.DataFrame(rows, columns=["strategy", "session", "security_id", "symbol", "score", "rank", "until"])

    def write_bars(self, warehouse: Warehouse) -> None:
        bars = []
        for day in DAYS:
            raw_open, raw_close, factor = 104.0, 104.0, 1.0
            if day == DAYS[0]:
                raw_open, raw_close = 100.0, 100.0
            elif day == DAYS[1]:
                raw_open = 102.0
            elif day >= date(2025, 11, 12):
                raw_open, raw_close, factor = 53.0, 53.0, 2.0
            if day >= date(2025, 11, 18):
                factor = 2.04
            if day == date(2025, 11, 26):
                raw_close = 50.0
            if day <= date(2025, 11, 26):
                bars.append(("cik0000000001", "S01", day, raw_open, raw_close, factor))
            bars.append(("cik0000000002", "S02", day, 10.0, 10.0, 1.0))
        with warehouse.connect() as conn:
            conn.execute("delete from marts.daily_returns")
            for key, symbol, day, opened, close, factor in bars:
                conn.execute(
                    "insert into marts.daily_returns values (%s, %s, %s, %s, %s, %s, %s, null, 1e8)",
                    (key, symbol, day, opened, close, opened * factor, close * factor),
                )


def test_one_symbol_to_the_cent(warehouse: Warehouse, settings: Settings) -> None:
    """1,000,000 USD, one of twenty places: 5 % in S01 each Friday; 10 bp of commission and 10 of slippage.

    10 November, open 102: E + 0.002 x 0.05 E = 1,000,000, E = 999,900.01; 49,995.00 in S01 and 949,905.01 in cash.
    Close 104: the stock is worth 49,995.00 x 104 / 102 = 50,975.29, equity 1,000,880.30.
    """
    world = OneName(end=DAYS[-1])
    world.write(warehouse)
    world.write_bars(warehouse)
    options = Options(cost_bps=10.0, slippage_bps=10.0)
    done = run_backtest(warehouse, settings, ["congress_aggregate"], None, DAYS[-1], options)
    (one,) = done.reports
    equity = 1_000_000.0 * (1.0 + one.returns).cumprod()
    first = 1_000_000.0 / 1.0001
    stock, cash = 0.05 * first, 0.95 * first
    assert equity.iloc[0] == pytest.approx(cash + stock * 104 / 102, abs=0.005)
    # The split moves nothing: 104 in one share are 53 x 2 = 106 in two.
    assert equity[pd.Timestamp("2025-11-12")] == pytest.approx(cash + stock * 106 / 102, abs=0.005)
    stock *= 106 / 102

    def rebalanced(held: float, rest: float) -> tuple[float, float]:
        whole = held + rest
        after = whole
        for _ in range(50):
            after = whole - 0.002 * abs(0.05 * after - held)
        return 0.05 * after, 0.95 * after

    # Monday 17th at the open; the dividend of the 18th is 2 % of the close; Monday 24th at the open.
    stock, cash = rebalanced(stock, cash)
    assert equity[pd.Timestamp("2025-11-17")] == pytest.approx(stock + cash, abs=0.005)
    stock *= 1.02
    assert equity[pd.Timestamp("2025-11-18")] == pytest.approx(stock + cash, abs=0.005)
    stock, cash = rebalanced(stock, cash)
    stock *= 50 / 53
    # Its bars end: worth the last close. Nothing is decided on the 28th or on the 5th of December but to hold nothing,
    # so that it is sold on Monday, 1 December at that last close, for 20 bp.
    assert equity[pd.Timestamp("2025-11-28")] == pytest.approx(stock + cash, abs=0.005)
    cash += stock * 0.998
    for day in ("2025-12-01", "2025-12-12"):
        assert equity[pd.Timestamp(day)] == pytest.approx(cash, abs=0.005)
    # Then S02, which does not move, for one cost.
    assert equity.iloc[-1] == pytest.approx(cash / 1.0001, abs=0.005)
    assert done.coverage.gone_while_held == ("S01",)
    assert (done.coverage.held, done.coverage.ended) == (2, 1)
    assert one.path["cost"].sum() == pytest.approx(0.002 * one.path["turnover"].sum(), rel=1e-3)


# -------------------------------------------------------------------------------------------- what is kept


def test_every_run_leaves_its_row_and_equal_parameters_are_one_trial(
    warehouse: Warehouse, pas: Pas, tmp_path: Path
) -> None:
    page = tmp_path / "deep" / "sheet.html"
    status, first, _ = pas("backtest", "--end", "2026-01-30", "--html", str(page))
    assert status == 0
    assert first["trials"] == 4  # type: ignore[index]
    assert page.stat().st_size > 1_000_000
    again = pas("backtest", "--end", "2026-01-30")[1]
    dearer = pas("backtest", "wiki_attention", "--end", "2026-01-30", "--slippage-bps", "25")[1]
    whole = pas("backtest", "--end", "2026-01-30", "--allocate", "--cci", "--caps")[1]
    # The same four strategies, other costs or not; with a book on top they are one more.
    assert [one["trials"] for one in (again, dearer, whole)] == [4, 4, 5]  # type: ignore[index]
    assert [one["strategy"] for one in whole["strategies"]][-1] == BOOK  # type: ignore[index]
    assert len({one["run_id"] for one in (first, again, dearer, whole)}) == 4  # type: ignore[index]

    listed = pas("backtest", "--list")[1]
    assert [one["run_id"] for one in listed] == [one["run_id"] for one in (whole, dearer, again, first)]  # type: ignore[union-attr, index]
    shown = pas("backtest", "--show", dearer["run_id"])[1]  # type: ignore[index]
    figures = dearer["strategies"][0]["metrics"]  # type: ignore[index]
    assert shown["metrics"]["wiki_attention"] == figures  # type: ignore[index]
    assert shown["parameters"]["slippage_bps"] == 25.0  # type: ignore[index]
    status, _, err = pas("backtest", "--show", "nothing")
    assert (status, "there is no backtest 'nothing'" in err) == (1, True)

    # Stored as computed; and never among what is live.
    rows = warehouse.rows(
        "select count(*) as n, sum(ret) as total from ops.backtest_returns where run_id = %s",
        (dearer["run_id"],),  # type: ignore[index]
    )
    assert rows[0]["n"] == dearer["strategies"][0]["n_obs"]  # type: ignore[index]
    assert rows[0]["total"] == pytest.approx(sum(dearer["strategies"][0]["returns"].values()), rel=1e-12)  # type: ignore[index]
    for table in ("simulated_returns", "model_weights", "weight_history", "decisions", "alloc_log", "regime_history"):
        assert warehouse.rows(f"select count(*) as n from ops.{table}")[0]["n"] == 0, table


def test_luck_is_judged_over_all_trials(
    warehouse: Warehouse, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_backtest(warehouse, settings, ["wiki_attention"], None, DECISION)
    trials = count_trials(warehouse, done)
    assert (trials.count, trials.best_by_luck) == (1, 0.0)
    assert trials.deflated["wiki_attention"] == pytest.approx(done.reports[0].summary["probabilistic_sharpe"])
    at = iter(datetime(2026, 2, 1, n, tzinfo=UTC) for n in range(24))

    def tried(*, start: date | None = None, end: date = DECISION, **options: float) -> Backtest:
        run = run_backtest(warehouse, settings, ["wiki_attention"], start, end, Options(**options))
        store_backtest(warehouse, run, count_trials(warehouse, run), now=next(at))
        return run

    # Other windows and other costs of the same configuration are no further trials, and no other measure of luck.
    tried()
    tried(end=date(2026, 1, 23))
    tried(start=date(2025, 12, 15))
    tried(slippage_bps=50.0, delisting_return=-1.0)
    assert (count_trials(warehouse, done).count, count_trials(warehouse, done).best_by_luck) == (1, 0.0)

    sharpes = {10: done.reports[0].summary["sharpe"]}
    for take in (2, 4, 7):
        monkeypatch.setattr("pas_lib.pipeline.backtest.strategy", lambda _, take=take: WikiAttention(take=take))
        sharpes[take] = tried().reports[0].summary["sharpe"]
        # A shorter run afterwards does not speak for it.
        assert tried(start=date(2025, 12, 15)).reports[0].summary["sharpe"] != sharpes[take]
    more = count_trials(warehouse, done)
    assert more.count == 4
    assert len(set(sharpes.values())) == 4
    assert more.best_by_luck == pytest.approx(expected_best_sharpe(list(sharpes.values())), rel=1e-12)
    assert more.best_by_luck > 0.01
    assert more.deflated["wiki_attention"] < trials.deflated["wiki_attention"]
    # A week's Sharpe ratio can be anything: such a trial is counted, and no measure of luck.
    monkeypatch.setattr("pas_lib.pipeline.backtest.strategy", lambda _: WikiAttention(take=1))
    assert abs(tried(start=date(2026, 1, 26)).reports[0].summary["sharpe"]) > 1.0
    after = count_trials(warehouse, done)
    assert (after.count, after.best_by_luck) == (5, more.best_by_luck)


def test_a_trial_is_told_apart_by_what_its_holdings_follow_from(warehouse: Warehouse, settings: Settings) -> None:
    layers = Layers(allocate=True)
    done = run_backtest(warehouse, settings, ["volatility_momentum"], None, DECISION, Options(layers=layers))
    # The numbers of the class and those of its signal model.
    numbers = done.parameters["strategies"]["volatility_momentum"]
    assert numbers == {"stock_indices": ["sp500", "sp400", "russell2000"], "take": 20}

    def differs(portfolio_id: str, **changed: object) -> bool:
        return trial_key(done.parameters | changed, portfolio_id) != trial_key(done.parameters, portfolio_id)

    for name in ("start", "end"):
        assert not differs("volatility_momentum", **{name: "2020-01-02"})
        assert not differs(BOOK, **{name: "2020-01-02"})
    for name in ("cost_bps", "slippage_bps", "delisting_return"):
        assert not differs("volatility_momentum", **{name: -0.5})
        assert differs(BOOK, **{name: -0.5})
    other = {"strategies": {"volatility_momentum": numbers | {"stock_indices": ["sp500"]}}}
    assert differs("volatility_momentum", **other)
    assert differs(BOOK, **other)
    tighter = {"settings": done.parameters["settings"] | {"max_name_weight": 0.01}}
    assert (differs("volatility_momentum", **tighter), differs(BOOK, **tighter)) == (False, True)


def test_what_makes_no_sense_is_refused(warehouse: Warehouse, pas: Pas) -> None:
    for words, told in (
        (("--end", D, "--cost-bps", "-1"), "commission and slippage must be basis points of 0 and more"),
        (("--end", D, "--delisting-return", "0.5"), "must lie between -1 and 0"),
        (("--end", D, "--capital", "0", "--caps"), "the capital must be a positive amount"),
        (("wiki_attention", "--start", "2025-11-10", "--end", "2025-11-12"), "wiki_attention has no returns"),
        (("--start", "2025-10-01", "--end", "2025-10-31"), "no strategy has returns from 2025-10-01 to 2025-10-31"),
        (("--start", D, "--end", "2026-01-29"), "a backtest cannot start at 2026-01-30 and end at 2026-01-29"),
        (("--end", "2026-02-02"), "the marts have prices up to 2026-01-30, not to 2026-02-02"),
        (("nonsense", "--end", D), "nonsense"),
    ):
        status, _, err = pas("backtest", *words)
        assert status == 1, words
        assert told in err
    assert warehouse.rows("select count(*) as n from ops.backtest_runs")[0]["n"] == 0


# -------------------------------------------------------------------------------------- sites without a past


CAPTURED = date(2025, 12, 3)


class Captured(MartsWorld):
    """Two strategies whose sites show no past, first captured on 3 December; one of them never decides on more."""

    def signals(self) -> pd.DataFrame:
        rows = []
        for number, day in enumerate(self.sessions):
            if day >= FIRST_SIGNAL and calendar.is_week_end(day):
                rows += self._ranked("volatility_momentum", day, STOCKS, number)
                if day > CAPTURED + timedelta(days=7):
                    rows += self._ranked("wsb_buzz", day, STOCKS, number)
                if day > CAPTURED:
                    rows += self._ranked("dc_insider_tilt", day, STOCKS, number)
        return pd.DataFrame(rows, columns=["strategy", "session", "security_id", "symbol", "score", "rank"])

    def write_captures(self, warehouse: Warehouse) -> None:
        common = (
            "select 'test', s.session, s.close_at, s.close_at, 'https://data.example.org/x', 'r1',"
            " md5(s.session::text), false, s.session, 'S00', {} from ops.sessions s where s.session between %s and %s"
        )
        head = "source, event_date, known_at, ingested_at, source_url, run_id, content_hash, is_deleted, capture_date"
        own = {
            "reddit_mentions": ("symbol, forum, rank, mentions", "'all-stocks', 1, 12"),
            "dc_insider_scores": ("symbol, score", "55.5"),
        }
        with warehouse.connect() as conn:
            for table, (columns, values) in own.items():
                conn.execute(
                    f"insert into raw.{table} ({head}, {columns}) {common.format(values)}", (CAPTURED, self.end)
                )


def test_what_is_only_captured_starts_at_its_first_capture_and_says_so(
    warehouse: Warehouse, pas: Pas, settings: Settings, tmp_path: Path
) -> None:
    world = Captured()
    world.write(warehouse)
    world.write_captures(warehouse)
    names = ("volatility_momentum", "wsb_buzz", "dc_insider_tilt")
    page = tmp_path / "sheet.html"
    status, told, _ = pas("backtest", *names, "--end", D, "--html", str(page))
    assert status == 0
    one = {item["strategy"]: item for item in told["strategies"]}  # type: ignore[index]
    assert one["volatility_momentum"]["note"] == ""
    assert one["volatility_momentum"]["start"] == "2025-11-10"
    label = "starts at first capture (reddit_mentions 2025-12-03), first decision 2025-12-12"
    assert one["wsb_buzz"]["note"] == label
    assert one["wsb_buzz"]["start"] == "2025-12-15"
    assert one["dc_insider_tilt"]["note"].endswith("(dc_insider_scores 2025-12-03), first decision 2025-12-05")
    assert one["dc_insider_tilt"]["start"] == "2025-12-08"
    text = page.read_text(encoding="utf-8")
    assert '<span class="tag warn">starts at first capture</span>' in text
    assert f"wsb_buzz: {label}; its sites show no past" in text
    assert "<td>wsb_buzz <sup>1</sup></td><td>2025-12-15</td>" in text
    # Before the first decision there is nothing, and that is why.
    status, _, err = pas("backtest", "wsb_buzz", "--end", "2025-12-05")
    assert (status, err.splitlines()) == (
        1,
        [
            "pas: wsb_buzz has no returns from its beginning to 2025-12-05 (its sites show no past; first capture"
            " (reddit_mentions 2025-12-03))"
        ],
    )
    # The table of the terminal says it as well.
    done = run_backtest(warehouse, settings, names, None, DECISION)
    assert f"wsb_buzz {label}" in _remarks(done, count_trials(warehouse, done), None)
    coverage = told["coverage"]  # type: ignore[index]
    assert (coverage["universe"], coverage["ended"], coverage["without_prices"]) == (41, 0, 0)
    assert "Coverage of delisted names" in text


def test_coverage_counts_what_was_held_within_the_range(warehouse: Warehouse, settings: Settings) -> None:
    """The stock whose bars ended in November is no holding of December."""
    world = OneName(end=DAYS[-1])
    world.write(warehouse)
    world.write_bars(warehouse)
    for start, held, gone in ((None, 2, ("S01",)), (date(2025, 11, 26), 2, ("S01",)), (date(2025, 12, 2), 1, ())):
        done = run_backtest(warehouse, settings, ["congress_aggregate"], start, DAYS[-1])
        assert (done.coverage.held, done.coverage.gone_while_held) == (held, gone), start

"""The sandbox's data through the whole road, and every signal worked out again with pandas from the raw rows alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pas_lib import clock as calendar
from pas_lib.cli.app import run
from pas_lib.clock import Clock, clock_for
from pas_lib.datasets import leaders
from pas_lib.dbt import Dbt
from pas_lib.ingest import ingest
from pas_lib.pipeline import decide, load_decision
from pas_lib.pipeline.explain import explain
from pas_lib.pipeline.model import stored_weights
from pas_lib.sandbox.testing import running_sandbox
from pas_lib.settings import Settings, load_settings
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.test_decide import Planner

KEYS = {
    "politician_trades": [
        "politician", "symbol", "transaction_date", "report_date", "transaction", "amount_range", "owner", "ordinal",
    ],
    "wiki_views": ["project", "article", "access", "agent", "event_date"],
    "prices": ["symbol", "event_date"],
    "corporate_actions": ["symbol", "action", "event_date", "ordinal"],
    "universe": ["index_name", "symbol", "event", "effective_date"],
    "securities": ["security_id", "symbol"],
}  # fmt: skip
SECTORS = ("XLB", "XLC", "XLE", "XLF", "XLI", "XLK", "XLP", "XLRE", "XLU", "XLV", "XLY")


@dataclass(frozen=True)
class Decided:
    """A warehouse after its first decision."""

    settings: Settings
    clock: Clock
    warehouse: Warehouse
    session: date

    def raw(self, name: str, at: datetime) -> pd.DataFrame:
        """Return the rows of a dataset as they were known at a time."""
        rows = self.warehouse.frame(f"select * from raw.{name} order by known_at, row_id")
        for column in ("event_date", "transaction_date", "effective_date"):
            if column in rows:
                rows[column] = pd.to_datetime(rows[column])
        rows["first_known_at"] = rows.groupby(KEYS[name])["known_at"].transform("min")
        known = rows[rows["known_at"] <= pd.Timestamp(at)]
        known = known.groupby([*KEYS[name], "source"]).tail(1)
        return known[~known["is_deleted"]].groupby(KEYS[name]).tail(1)

    def signal(self, strategy: str, session: date) -> pd.Series:
        """Return the stored signal of a session by symbol."""
        rows = self.warehouse.frame(
            f"select symbol, score from marts.signals where strategy = '{strategy}' and session = '{session}'"
            " order by rank"
        )
        return rows.set_index("symbol")["score"]

    def sessions(self, strategy: str, count: int) -> list[date]:
        """Return the newest rebalance sessions that have a signal."""
        rows = self.warehouse.frame(f"select distinct session from marts.signals where strategy = '{strategy}'")
        return [stamp.date() for stamp in sorted(rows["session"])[-count:]]


@pytest.fixture(scope="module")
def decided(dbt_world: Warehouse, dbt_work: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decided]:
    home = tmp_path_factory.mktemp("numbers")
    (home / "dbt").symlink_to(dbt_work)
    warehouse = dbt_world
    with running_sandbox(home / "sandbox", small=True) as sandbox:
        env = {
            "PAS_HOME": str(home),
            "PAS_SANDBOX_URL": sandbox.url,
            "PAS_DATABASE_URL": warehouse.url,
            "PAS_CONTACT": "ops@example.com",
        }
        settings = load_settings(env, root=home)
        clock = clock_for(settings)
        session = calendar.session_on_or_before(clock.now().astimezone(calendar.NY).date())
        for name in sorted((entry.name for entry in leaders()), key=lambda name: (name != "universe", name)):
            ingest(name, session, settings=settings, clock=clock, warehouse=warehouse)
        Dbt.from_settings(settings).build(session, data_tests=False)
        decide(session, settings, clock, warehouse, planner=Planner())
        yield Decided(settings, clock, warehouse, session)


def _levels(decided: Decided, at: datetime) -> pd.DataFrame:
    """Return total-return levels by symbol from bars and actions."""
    bars = decided.raw("prices", at).pivot(index="event_date", columns="symbol", values="close")
    actions = decided.raw("corporate_actions", at)
    out = {}
    for symbol in bars.columns:
        close = bars[symbol].dropna()
        own = actions[actions["symbol"] == symbol].fillna({"ratio": 1.0, "amount": 0.0})
        shares, cash = np.ones(len(close)), np.zeros(len(close))
        # An action counts at the first bar on or after its day.
        places = close.index.searchsorted(own["event_date"])
        for place, action, ratio, amount in zip(places, own["action"], own["ratio"], own["amount"], strict=True):
            if 0 < place < len(close) and action == "split":
                shares[place] *= ratio
            elif 0 < place < len(close):
                cash[place] += amount
        bar = close.to_numpy()
        gains = (bar[1:] * shares[1:] + cash[1:]) / bar[:-1]
        out[symbol] = pd.Series(np.cumprod([1.0, *gains]), index=close.index)
    return pd.DataFrame(out)


@pytest.fixture(scope="module")
def levels(decided: Decided) -> pd.DataFrame:
    return _levels(decided, calendar.decision_time(decided.session))


def _same(got: pd.Series, expected: pd.Series, *, rel: float = 1e-9) -> None:
    assert set(got.index) == set(expected.index)
    np.testing.assert_allclose(got.to_numpy(dtype=float), expected[got.index].to_numpy(dtype=float), rtol=rel)
    assert list(got.index) == sorted(got.index, key=lambda symbol: (-got[symbol], symbol))


def _known_stocks(decided: Decided, at: datetime) -> pd.DataFrame:
    """Return the newest row of each security known at a time, of those that hold their symbol: a symbol is reused."""
    everything = decided.raw("securities", calendar.decision_time(decided.session))
    holders = everything.sort_values(["known_at", "row_id"]).groupby("symbol").tail(1)
    rows = decided.raw("securities", at).sort_values(["known_at", "row_id"]).groupby("security_id").tail(1)
    return rows[rows["security_id"].isin(holders["security_id"])]


def _traded(levels: pd.DataFrame, session: date) -> set[str]:
    row = levels.loc[pd.Timestamp(session)]
    return set(row[row.notna()].index)


def test_net_purchases_of_congress(decided: Decided, levels: pd.DataFrame) -> None:
    for session in decided.sessions("congress_aggregate", 4):
        at = calendar.decision_time(session)
        start = (pd.Timestamp(session) - pd.DateOffset(months=1) + pd.Timedelta(hours=22.5)).tz_localize(calendar.NY)
        rows = decided.raw("politician_trades", at)
        rows = rows[(rows["first_known_at"] > start) & rows["transaction"].ne("exchange") & rows["asset_type"].eq("ST")]
        middle = (rows["amount_low"] + rows["amount_high"].fillna(rows["amount_low"])) / 2
        net = (middle * np.where(rows["transaction"] == "purchase", 1, -1)).groupby(rows["symbol"]).sum()
        known = set(_known_stocks(decided, at)["symbol"]) & _traded(levels, session)
        _same(decided.signal("congress_aggregate", session), net[[s in known for s in net.index]])


def test_jumps_of_page_views(decided: Decided, levels: pd.DataFrame) -> None:
    found = 0
    for session in decided.sessions("wiki_attention", 3):
        at = calendar.decision_time(session)
        views = decided.raw("wiki_views", at)
        last = pd.Timestamp(at.date()) - pd.Timedelta(days=2)
        assert (views["event_date"] <= last).all()
        age = (last - views["event_date"]).dt.days
        recent = views[age < 7].groupby("article")["views"]
        before = views[(age >= 7) & (age < 97)].assign(log=lambda rows: np.log(rows["views"] + 1.0)).groupby("article")
        jump = np.log((recent.mean() + 1) / (before["views"].mean() + 1)) / before["log"].std()
        jump = jump[(recent.count() >= 5) & (before["log"].count() >= 60)].dropna()
        stocks = _known_stocks(decided, at)
        stocks = stocks[stocks["symbol"].isin(_traded(levels, session)) & (stocks["asset_class"] == "stock")]
        stocks = stocks.sort_values("symbol").drop_duplicates("wiki_title").set_index("symbol")["wiki_title"]
        expected = stocks[stocks.isin(jump.index)].map(jump)
        _same(decided.signal("wiki_attention", session), expected.astype(float))
        found += len(expected)
    assert found > 20


def test_sector_returns_over_26_weeks_and_their_risk_parity(decided: Decided, levels: pd.DataFrame) -> None:
    weeks = [day for day in calendar.sessions(levels.index[0].date(), decided.session) if calendar.is_week_end(day)]
    stored = {item.session: item for item in stored_weights(decided.warehouse, decided.session)["sector_risk_parity"]}
    for session in decided.sessions("sector_risk_parity", 4):
        before = weeks[weeks.index(session) - 26]
        expected = levels.loc[pd.Timestamp(session)] / levels.loc[pd.Timestamp(before)] - 1
        _same(decided.signal("sector_risk_parity", session), expected[list(SECTORS)])
        weights = stored[session].by_symbol()
        assert set(weights.index) == set(expected[list(SECTORS)].nlargest(3).index)
        # Every name carries the same risk.
        daily = levels[list(weights.index)].pct_change(fill_method=None).loc[: pd.Timestamp(session)].tail(65)
        risk = weights * (daily.cov() @ weights)
        np.testing.assert_allclose(risk / risk.sum(), 1 / 3, rtol=1e-6)


def test_momentum_over_volatility(decided: Decided, levels: pd.DataFrame) -> None:
    sessions = decided.sessions("volatility_momentum", 3)
    assert sessions
    for session in sessions:
        at = calendar.decision_time(session)
        events = decided.raw("universe", at)
        events = events[events["index_name"].isin(["sp500", "sp400", "russell2000"])]
        newest = events.sort_values(["effective_date", "row_id"]).groupby(["index_name", "symbol"]).tail(1)
        members = set(newest.loc[newest["event"] != "removed", "symbol"])
        expected = {}
        for symbol in members & _traded(levels, session):
            path = levels[symbol].loc[: pd.Timestamp(session)].dropna()
            if len(path) > 252:
                spread = path.pct_change().iloc[-60:].std() * np.sqrt(252)
                expected[symbol] = (path.iloc[-1] / path.iloc[-253] - 1) / spread
        _same(decided.signal("volatility_momentum", session), pd.Series(expected))


def test_what_is_recomputed_agrees_with_what_was_stored(
    decided: Decided, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAS_HOME", str(decided.settings.home))
    monkeypatch.setenv("PAS_SANDBOX_URL", decided.settings.sandbox_url)
    monkeypatch.setenv("PAS_DATABASE_URL", decided.warehouse.url)
    monkeypatch.setenv("PAS_CONTACT", "ops@example.com")
    day = decided.session.isoformat()
    assert run(["decide", "--as-of", day, "--recompute", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["agrees"]
    assert told["raw_rows"] > 10_000
    stored = load_decision(decided.warehouse, decided.session)
    assert stored is not None
    for part, again in zip(stored.portfolios, told["portfolios"], strict=True):
        assert part.portfolio_id == again["portfolio_id"]
        assert again["weights"] == pytest.approx(dict(part.weights), abs=1e-9)
    assert any(part.weights for part in stored.portfolios)


def _net(rows: pd.DataFrame) -> float:
    middle = (rows["amount_low"] + rows["amount_high"].fillna(rows["amount_low"])) / 2
    return float((middle * np.where(rows["transaction"] == "purchase", 1, -1)).sum())


def test_the_rows_that_explain_a_weight_make_its_score(decided: Decided) -> None:
    at = calendar.decision_time(decided.session)
    by_hand: dict[str, Callable[[pd.DataFrame], float]] = {
        "congress_aggregate": _net,
        "capito": _net,
        "meuser": _net,
        "pelosi": _net,
        "gov_contracts_momentum": lambda rows: float(rows["amount"].sum()),
        "dc_insider_tilt": lambda rows: float(rows["score"].iloc[-1]),
        "wiki_attention": lambda rows: float(
            np.log((rows["views"].iloc[-7:].mean() + 1) / (rows["views"].iloc[:-7].mean() + 1))
            / np.log(rows["views"].iloc[:-7] + 1).std()
        ),
    }
    for name, score in by_hand.items():
        held = stored_weights(decided.warehouse, decided.session)[name][-1]
        assert len(held.symbols) >= 1, name
        for symbol in held.symbols.values():
            told = explain(decided.warehouse, name, symbol, decided.session)
            assert all(row.known_at <= at for row in told.rows)
            rows = pd.DataFrame([{**row.values, "event_date": row.event_date} for row in told.rows])
            assert score(rows) == pytest.approx(told.score, rel=1e-9), (name, symbol)


def test_the_filings_behind_a_score_are_shown_of_companies_without_a_number_too(decided: Decided) -> None:
    """Lists of small companies state no CIK; their filings are found by whom they were asked for."""
    numbered = decided.raw("securities", calendar.decision_time(decided.session)).groupby("security_id")["cik"].count()
    found = 0
    for name in ("micro_small_leaders", "sector_neutral", "small_cap_momentum"):
        items = stored_weights(decided.warehouse, decided.session).get(name, [])
        for key, symbol in items[-1].symbols.items() if items else ():
            if numbered[str(key)] == 0:
                told = explain(decided.warehouse, name, symbol, decided.session)
                assert "sec_facts" in {row.source for row in told.rows if row.dataset == "fundamentals"}, (name, symbol)
                found += 1
    assert found > 0


def test_a_symbol_that_was_given_to_another_company_is_the_other_company(decided: Decided) -> None:
    """The table of changes still names the company that left under it; the fund's list names the one that has it."""
    rows = decided.raw("securities", calendar.decision_time(decided.session))
    reused = rows.groupby("symbol")["security_id"].nunique()
    symbols = set(reused[reused > 1].index)
    assert symbols
    listed = decided.raw("universe", calendar.decision_time(decided.session))
    for symbol in symbols & set(listed.loc[listed["event"] == "listed", "symbol"]):
        (left,) = listed.loc[(listed["symbol"] == symbol) & (listed["event"] == "removed"), "effective_date"]
        old = rows[(rows["symbol"] == symbol) & (rows["known_at"] <= left.tz_localize(calendar.NY))]
        new = rows[(rows["symbol"] == symbol) & ~rows["security_id"].isin(old["security_id"])]
        assert (len(old), len(new)) == (1, 1)
        bars = decided.warehouse.frame(
            f"select distinct security_id from marts.daily_returns where symbol = '{symbol}'"
        )
        assert list(bars["security_id"]) == list(new["security_id"])

"""No number up to a session depends on a raw row that was not known at its decision time: over the whole road.

From the signals over the strategies' weights, model returns, crisis indicator, allocation and caps to the prices that
orders are sized with. The same comparison catches a strategy and a signal that cheat.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import ClassVar

import duckdb
import pandas as pd
import pytest

from pas_lib import clock
from pas_lib.dbt import PROJECT_DIR, Dbt
from pas_lib.errors import PasError
from pas_lib.pipeline.lookahead import BOOK, Verdict, answers, copy_raw, look_ahead, spread
from pas_lib.settings import Settings, load_settings
from pas_lib.strategies import MarketView, all_strategies, due_sessions, strategy
from pas_lib.strategies.base import labelled
from pas_lib.strategies.volatility_momentum import VolatilityMomentum
from pas_lib.warehouse import DuckWarehouse, Warehouse
from tests.support.marts import END
from tests.support.raw_world import RawWorld

#: Last sessions of a week and a month; before the rename and before a year of prices; in the middle of a month.
DATES = [date(2025, 7, 3), date(2025, 8, 29), date(2025, 10, 31), date(2025, 12, 10)]
#: Weeks and months all through the year in which the history has everything.
MORE_DATES = [*spread(date(2025, 3, 14), date(2025, 12, 19), 22), date(2025, 7, 3), date(2025, 12, 10)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"PAS_HOME": str(tmp_path_factory.mktemp("look_ahead"))})


@pytest.fixture(scope="module")
def raw(dbt_world: Warehouse, world: RawWorld, slot: Path) -> Iterator[Path]:
    """The raw rows of the small history in a DuckDB file, and nothing made of them."""
    path = slot.with_name("look_ahead.duckdb")  # `look_ahead` builds in a file called slot.duckdb beside it
    world.load(dbt_world)
    copy_raw(dbt_world, path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def known(world: RawWorld) -> list[str]:
    """The strategies whose datasets the history has."""
    return [one.id for one in all_strategies() if set(one.datasets) <= set(world.tables)]


def judged(raw: Path, dates: Sequence[date], settings: Settings, duck: Dbt) -> dict[str, Verdict]:
    return {one.name: one for one in look_ahead(raw, dates, END, settings, duck)}


def test_what_became_known_later_changes_nothing(raw: Path, settings: Settings, duck: Dbt, known: list[str]) -> None:
    verdicts = judged(raw, DATES, settings, duck)
    assert [(one.name, one.differences[:3]) for one in verdicts.values() if one.differences] == []
    for name in [*known, BOOK]:
        assert verdicts[name].compared > 500, name
        assert len(verdicts[name].dates) == 4


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_what_became_known_later_changes_nothing_at_many_dates(raw: Path, settings: Settings, duck: Dbt) -> None:
    assert len(set(MORE_DATES)) >= 24
    verdicts = judged(raw, sorted(set(MORE_DATES)), settings, duck)
    assert [(one.name, one.differences[:3]) for one in verdicts.values() if one.differences] == []
    assert all(len(one.dates) >= 24 for one in verdicts.values())


def test_a_member_the_register_knew_later_is_none_before(
    raw: Path, settings: Settings, duck: Dbt, tmp_path: Path
) -> None:
    """A list of changes dates an addition; who is behind the symbol was read years afterwards."""
    late = tmp_path / "late.duckdb"
    shutil.copyfile(raw, late)
    with duckdb.connect(str(late)) as conn:
        day = clock.ny_midnight(date(2025, 10, 1))
        conn.execute("update raw.securities set known_at = ?, ingested_at = ? where symbol = 'S014'", [day, day])
        assert conn.execute(
            "select count(*) from raw.universe where symbol = 'S014' and known_at < ?", [day]
        ).fetchall()
    names = ["composite_leaders", "volatility_momentum"]
    found = look_ahead(late, DATES[1:2], END, settings, duck, strategies=names, how=("deleted",))
    assert [(one.name, one.differences[:3]) for one in found if one.differences] == []
    assert all(one.compared > 100 for one in found)


def test_bars_of_a_company_that_was_known_later_are_not_those_of_who_had_the_symbol_before(
    raw: Path, settings: Settings, duck: Dbt, tmp_path: Path
) -> None:
    """A symbol goes to another company, whose bars are read at once and whose register is read months afterwards."""
    late = tmp_path / "late.duckdb"
    shutil.copyfile(raw, late)
    with duckdb.connect(str(late)) as conn:
        conn.execute("set timezone = 'UTC'")
        known = clock.decision_time(date(2025, 12, 15))
        conn.execute(
            """
            insert into raw.securities by name
            select * replace (
                'cik9999999999' as security_id, '9999999999' as cik, null as wiki_title,
                $known as known_at, $known as ingested_at,
                (select max(row_id) + 1 from raw.securities) as row_id
            )
            from raw.securities where symbol = 'S014' order by row_id limit 1
            """,
            {"known": known},
        )
        taken = "symbol = 'S014' and event_date between date '2025-07-01' and date '2025-12-15'"
        bars = conn.execute(f"select count(*) from raw.prices where {taken}").fetchall()[0][0]
        assert bars > 100
        conn.execute(f"update raw.prices set ingested_at = ? where {taken}", [known])
    names = ["volatility_momentum", "wiki_attention"]
    found = look_ahead(late, DATES[2:3], END, settings, duck, strategies=names, how=("deleted",))
    assert [(one.name, one.differences[:3]) for one in found if one.differences] == []
    assert all(one.compared > 100 for one in found)


@dataclass(frozen=True)
class NextWeek(VolatilityMomentum):
    """A strategy that looks behind its market view: at the returns of the week to come."""

    id: ClassVar[str] = "volatility_momentum"

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:
        names = [str(key) for key in chosen["security_id"]]
        ahead = market.source.up_to(END, names, 10_000)  # type: ignore[attr-defined]
        ahead = ahead.loc[ahead.index > pd.Timestamp(market.session)].head(5).sum()
        best = ahead.sort_values(ascending=False).index[:5]
        return labelled(list(best), [0.2] * len(best))


def test_a_strategy_and_a_model_that_cheat_are_caught(
    raw: Path, settings: Settings, duck: Dbt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    model = project / "models/intermediate/signals/int_signal_sector_risk_parity.sql"
    honest = model.read_text(encoding="utf-8")
    # the return of the 26 weeks to come instead of those that have passed
    cheat = honest.replace("var('sector_etfs'), 26)", "var('sector_etfs'), -4)")
    assert cheat != honest
    model.write_text(cheat, encoding="utf-8")
    cheats = tuple(NextWeek() if one.id == NextWeek.id else one for one in all_strategies())
    monkeypatch.setattr("pas_lib.pipeline.model.all_strategies", lambda: cheats)
    dbt = replace(duck, project_dir=project)
    names = ["congress_aggregate", "sector_risk_parity", "volatility_momentum"]
    found = look_ahead(raw, [DATES[1]], END, settings, dbt, strategies=names, how=("garbage",))
    verdicts = {one.name: one for one in found}
    assert list(verdicts) == names
    assert verdicts["congress_aggregate"].is_clean
    assert verdicts["congress_aggregate"].line.endswith("answers at 1 dates")
    for name in names[1:]:
        assert "KNOWS THE FUTURE" in verdicts[name].line
    assert any(line.startswith("2025-08-29, garbage: ranks of") for line in verdicts["sector_risk_parity"].differences)
    # the signal of the strategy is honest, and as on that day there is nothing to see: the backtest gives it away
    assert all("as in a backtest" in line for line in verdicts["volatility_momentum"].differences if "weights" in line)
    assert not any("ranks of" in line for line in verdicts["volatility_momentum"].differences)


def test_the_answers_are_about_something(raw: Path, settings: Settings, duck: Dbt, known: list[str]) -> None:
    path = Path(duck.url)
    path.write_bytes(raw.read_bytes())
    duck.build(END, data_tests=False, select=["+signals", "+daily_returns", "+regime_inputs", "+top_scores"])
    day = DATES[2]
    found = answers(DuckWarehouse(path), day, END, settings)
    assert {"CCI", "S", "share", "holding", "sized at", "top_scores"} <= {key[1] for key in found.numbers}
    for name in known:
        last = max(due_sessions(strategy(name).cadence, clock.sessions(date(2025, 1, 1), day)))
        assert len(found.selections[name, f"ranks of {last}"]) > 2
        assert found.selections[name, f"weights of {last} as in a backtest"], name
        assert {"score", "weight", "model_return", "turnover", "drifted"} <= {
            k[1] for k in found.numbers if k[0] == name
        }
        assert len({v for k, v in found.numbers.items() if k[:2] == (name, "model_return")}) > 20
    assert len({v for k, v in found.numbers.items() if k[1] == "CCI" and v == v}) > 50
    assert sum(key[1] == "holding" for key in found.numbers) > 20


def test_a_date_without_a_future_proves_nothing(raw: Path, settings: Settings, duck: Dbt) -> None:
    with pytest.raises(PasError, match="nothing would be proved"):
        judged(raw, [date(2026, 1, 30)], settings, duck)


def test_dates_are_spread_over_weeks_and_months() -> None:
    days = spread(date(2025, 1, 2), date(2025, 12, 31), 12)
    assert len(set(days)) == 12
    assert all(clock.is_week_end(day) for day in days)
    assert sum(clock.is_month_end(day) for day in days) >= 3
    assert spread(date(2025, 1, 2), date(2025, 1, 17), 5) == [date(2025, 1, 3), date(2025, 1, 10), date(2025, 1, 17)]

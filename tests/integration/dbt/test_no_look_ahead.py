"""No number up to a session depends on a raw row that was not known at its decision time: over the whole road.

From the signals over the strategies' weights, model returns, crisis indicator, allocation and caps to the prices that
orders are sized with. The same comparison catches a strategy and a signal that cheat.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
from psycopg.conninfo import conninfo_to_dict

from pas_lib import clock
from pas_lib.dbt import Dbt
from pas_lib.settings import Settings, load_settings
from pas_lib.strategies import MarketView, all_strategies, due_sessions
from pas_lib.strategies.base import labelled
from pas_lib.strategies.volatility_momentum import VolatilityMomentum
from pas_lib.warehouse import Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.support.look_ahead import (
    Answers,
    answers,
    compare,
    erase_what_was_known_later,
    spoil_what_was_known_later,
)
from tests.support.marts import END
from tests.support.raw_world import RawWorld

#: Last sessions of a week and a month: every strategy decides.
DATES = [date(2025, 8, 29), date(2025, 10, 31)]
#: Before the rename and before a year of prices, after a quarter, in the middle of a month.
MORE_DATES = [date(2025, 6, 27), date(2025, 7, 3), date(2025, 9, 30), date(2025, 11, 28), date(2025, 12, 10)]

_EVERY = [(day, how) for day in [*DATES, *MORE_DATES] for how in ("erased", "spoilt")]
_QUICK = {(DATES[0], "erased"), (DATES[0], "spoilt"), (DATES[1], "spoilt")}
CASES = [
    pytest.param(day, how, id=f"{day}-{how}", marks=() if (day, how) in _QUICK else pytest.mark.slow)
    for day, how in _EVERY
]
_CHANGE = {"erased": erase_what_was_known_later, "spoilt": spoil_what_was_known_later}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings({"PAS_HOME": str(tmp_path_factory.mktemp("look_ahead"))})


@dataclass(frozen=True)
class Whole:
    """The warehouse that knows everything up to the end of the history."""

    server: EmbeddedPostgres
    template: str
    world: RawWorld
    warehouse: Warehouse
    work: Path
    name: str = "look_ahead_whole"

    @contextmanager
    def copy(self, template: str | None = None) -> Iterator[Warehouse]:
        """Open a database of its own: empty, or a copy of another one."""
        admin, name = Warehouse(self.server.url()), f"look_ahead_{next(_numbers)}"
        with admin.connect(autocommit=True) as conn:
            conn.execute(f"create database {name} template {template or self.template} strategy file_copy")
        yield Warehouse(self.server.url(name))
        with admin.connect(autocommit=True) as conn:
            conn.execute(f"drop database {name} with (force)")

    def build(self, warehouse: Warehouse) -> None:
        Dbt(warehouse.url, self.work, threads=2).build(END, data_tests=False)


@pytest.fixture(scope="module")
def whole(
    postgres_server: EmbeddedPostgres,
    warehouse_template: str,
    world: RawWorld,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Whole]:
    admin = Warehouse(postgres_server.url())
    with admin.connect(autocommit=True) as conn:
        conn.execute(f"create database look_ahead_whole template {warehouse_template} strategy file_copy")
    made = Whole(
        postgres_server,
        warehouse_template,
        world,
        Warehouse(postgres_server.url("look_ahead_whole")),
        tmp_path_factory.mktemp("look_ahead_dbt"),
    )
    world.load(made.warehouse)
    made.build(made.warehouse)
    yield made
    with admin.connect(autocommit=True) as conn:
        conn.execute("drop database look_ahead_whole with (force)")


@pytest.fixture(scope="module")
def told(whole: Whole, settings: Settings) -> Callable[[date], Answers]:
    kept: dict[date, Answers] = {}

    def of(session: date) -> Answers:
        if session not in kept:
            kept[session] = answers(whole.warehouse, session, settings, end=END)
        return kept[session]

    return of


@pytest.fixture(scope="module")
def changed(whole: Whole) -> Iterator[Callable[[date, str], Warehouse]]:
    """Return a function that gives the warehouse in which everything known after a session was changed; kept."""
    with ExitStack() as kept:
        made: dict[tuple[date, str], Warehouse] = {}

        def of(session: date, how: str) -> Warehouse:
            if (session, how) not in made:
                warehouse = kept.enter_context(whole.copy())
                whole.world.load(warehouse)
                assert _CHANGE[how](warehouse, session) > 500
                whole.build(warehouse)
                made[session, how] = warehouse
            return made[session, how]

        yield of


@pytest.mark.parametrize(("session", "how"), CASES)
def test_what_became_known_later_changes_nothing(
    told: Callable[[date], Answers],
    changed: Callable[[date, str], Warehouse],
    settings: Settings,
    session: date,
    how: str,
) -> None:
    assert compare(told(session), answers(changed(session, how), session, settings, end=END)) == []


def test_the_comparison_is_one_of_something(whole: Whole, told: Callable[[date], Answers]) -> None:
    found = told(DATES[-1])
    kinds = {key[0] if isinstance(key, tuple) else key for key in found.numbers}
    assert {
        "score",
        "weight",
        "model_return",
        "turnover",
        "drifted",
        "CCI",
        "S",
        "share",
        "holding",
        "sized at",
    } <= kinds
    for one in all_strategies():
        name, last = one.id, max(due_sessions(one.cadence, clock.sessions(date(2025, 1, 1), DATES[-1])))
        assert len(found.selections[name, last]) > 2
        assert found.selections[f"weights of {name}, run to {END}", last]
        assert len({value for key, value in found.numbers.items() if key[:2] == ("model_return", name)}) > 20
    assert len({value for key, value in found.numbers.items() if key[0] == "CCI" and value == value}) > 50
    assert sum(key[0] == "holding" for key in found.numbers) > 20


@dataclass(frozen=True)
class NextWeek(VolatilityMomentum):
    """A strategy that looks behind its market view: at the returns of the week to come."""

    id: ClassVar[str] = "volatility_momentum"

    def weigh(self, chosen: pd.DataFrame, market: MarketView) -> pd.Series:
        names = [str(key) for key in chosen["security_id"]]
        ahead = market.source.of(names)  # type: ignore[attr-defined]
        ahead = ahead.loc[ahead.index > pd.Timestamp(market.session)].head(5).sum()
        best = ahead.sort_values(ascending=False).index[:5]
        return labelled(list(best), [0.2] * len(best))


def _cheating_signal(warehouse: Warehouse) -> None:
    """Rank by the return of the five sessions after the one that is decided."""
    warehouse.execute("update marts.signals set rank = -rank where strategy = 'volatility_momentum'")
    warehouse.execute(
        "update marts.signals set score = ahead.score, rank = ahead.rank from ("
        " select security_id, session, coalesce(later / adj_close - 1, 0) as score,"
        " row_number() over (partition by session order by coalesce(later / adj_close - 1, 0) desc, symbol) as rank"
        " from (select s.security_id, s.session, s.symbol, r.adj_close, r.later from marts.signals s join ("
        " select *, lead(adj_close, 5) over (partition by security_id order by session) as later"
        " from marts.daily_returns) r using (security_id, session) where s.strategy = 'volatility_momentum') x) ahead"
        " where signals.strategy = 'volatility_momentum' and signals.security_id = ahead.security_id"
        " and signals.session = ahead.session"
    )


def test_a_strategy_and_a_signal_that_cheat_are_caught(
    whole: Whole,
    changed: Callable[[date, str], Warehouse],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = DATES[0]
    spoilt = changed(session, "spoilt")
    cheats = tuple(NextWeek() if one.id == NextWeek.id else one for one in all_strategies())
    with monkeypatch.context() as patch:
        patch.setattr("pas_lib.pipeline.model.all_strategies", lambda: cheats)
        found = compare(
            answers(whole.warehouse, session, settings, end=END), answers(spoilt, session, settings, end=END)
        )
    assert any(line.startswith("('weights of volatility_momentum, run to 2025-12-31'") for line in found)

    with whole.copy(whole.name) as one, whole.copy(conninfo_to_dict(spoilt.url)["dbname"]) as other:
        for warehouse in (one, other):
            _cheating_signal(warehouse)
        found = compare(answers(one, session, settings, end=END), answers(other, session, settings, end=END))
    assert any(line.startswith("('volatility_momentum', datetime.date(2025, 8, 29))") for line in found)
    assert any(line.startswith("('score', 'volatility_momentum'") for line in found)

"""Three clocks: what was stored, what comes out of the rows of then, and what comes out of those of now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

from pas_lib import clock
from pas_lib.cli.app import run
from pas_lib.clock import FixedClock
from pas_lib.dbt import Dbt
from pas_lib.errors import PasError, TableMissing, WarehouseError
from pas_lib.pipeline import decide
from pas_lib.pipeline.model import run_model, stored_weights
from pas_lib.pipeline.recompute import recompute
from pas_lib.settings import Settings, load_settings
from pas_lib.sources.registry import read_sources
from pas_lib.warehouse import DuckWarehouse, Warehouse
from pas_lib.warehouse.embedded import EmbeddedPostgres
from tests.conftest import database
from tests.integration.pipeline.test_decide import Planner
from tests.integration.pipeline.test_whole_session import table_counts
from tests.support.raw_world import RawWorld

#: A Tuesday, and the last session of the month.
FIRST, SECOND = date(2025, 12, 30), date(2025, 12, 31)
FRIDAY = date(2025, 12, 26)
Pas = Callable[..., tuple[int, dict, str]]


def evening(session: date) -> datetime:
    return clock.decision_time(session) + timedelta(minutes=10)


class World(RawWorld):
    """The small history, from the sources that staging reads."""

    def arrow(self, dataset: str) -> pa.Table:
        table = super().arrow(dataset)
        read = read_sources(load_settings({}))[dataset]
        return table.set_column(
            table.column_names.index("source"), "source", pa.repeat(pa.scalar(read[0]), table.num_rows)
        )


@dataclass(frozen=True)
class Decided:
    """A warehouse in which two sessions were decided, each with what had been collected by then."""

    warehouse: Warehouse
    settings: Settings
    home: Path
    work: Path

    def build(self, session: date) -> None:
        replace(Dbt.from_settings(self.settings), work_dir=self.work).build(session, data_tests=False)

    def late_purchase(self, symbol: str, ingested_at: datetime) -> None:
        """A purchase that was disclosed before the last Friday and collected later: the largest of all."""
        RawWorld().append(
            self.warehouse,
            "politician_trades",
            date(2025, 12, 1),
            datetime(2025, 12, 22, 5, tzinfo=UTC),
            ingested_at=ingested_at,
            source=read_sources(self.settings)["politician_trades"][0],
            politician="Late One",
            symbol=symbol,
            asset_type="ST",
            transaction="purchase",
            amount_range="x",
            amount_low=5e8,
            amount_high=5e8,
            transaction_date=date(2025, 12, 1),
            report_date=date(2025, 12, 19),
            owner="",
            document="",
            ordinal=0,
        )


def settings_for(warehouse: Warehouse, home: Path) -> Settings:
    return load_settings({"PAS_HOME": str(home), "PAS_DATABASE_URL": warehouse.url}, root=home)


@pytest.fixture(scope="module")
def decided(dbt_world: Warehouse, dbt_work: Path, tmp_path_factory: pytest.TempPathFactory) -> Decided:
    home = tmp_path_factory.mktemp("recompute")
    made = Decided(dbt_world, settings_for(dbt_world, home), home, dbt_work)
    world = World()
    world.fetched = clock.decision_time(FIRST) - timedelta(hours=2)
    for session, before in ((FIRST, None), (SECOND, evening(FIRST))):
        world.load(made.warehouse, known_until=evening(session), known_after=before)
        made.build(session)
        decide(session, made.settings, FixedClock(evening(session)), made.warehouse, planner=Planner())
    return made


@pytest.fixture
def own(decided: Decided, postgres_server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Decided]:
    """A copy that a test may change."""
    for warehouse in database(postgres_server, str(conninfo_to_dict(decided.warehouse.url)["dbname"])):
        yield Decided(warehouse, settings_for(warehouse, decided.home), decided.home, tmp_path)


@pytest.fixture
def pas(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Decided], Pas]:
    def of(where: Decided) -> Pas:
        monkeypatch.setenv("PAS_HOME", str(where.home))
        monkeypatch.setenv("PAS_DATABASE_URL", where.warehouse.url)

        def call(*words: str) -> tuple[int, dict, str]:
            capsys.readouterr()
            status = run([*words, "--json"])
            out = capsys.readouterr()
            return status, json.loads(out.out) if out.out else {}, out.err

        return call

    return of


def test_what_was_decided_comes_out_again_and_nothing_is_written(decided: Decided) -> None:
    before = table_counts(decided.warehouse)
    # settings that changed since do not matter
    changed = decided.settings.model_copy(update={"allocation_method": "equal", "max_name_weight": 0.01})
    for session, settings in ((FIRST, changed), (SECOND, decided.settings)):
        again = recompute(session, settings, decided.warehouse)
        assert again.differences == ()
        assert again.rows > 10_000
    assert table_counts(decided.warehouse) == before
    # the second decision had something to work out: a strategy was due, and days of returns and of the regime
    new = again.made.model.new_weights
    assert "wiki_attention" in {item.strategy for item in new}
    assert {item.session for item in new} == {SECOND}
    assert "congress_aggregate" not in {item.strategy for item in new}
    assert all(list(path.index.date) == [SECOND] for path in again.made.model.new_returns.values())
    assert again.made.decision.allocated_at == FIRST


def test_rows_that_come_late_move_research_and_not_what_is_recomputed(
    own: Decided, pas: Callable[[Decided], Pas]
) -> None:
    own.late_purchase("S007", datetime(2026, 1, 2, 20, tzinfo=UTC))
    own.build(SECOND)
    stored = stored_weights(own.warehouse, SECOND)["congress_aggregate"][-1]
    assert stored.session == FRIDAY
    researched = run_model(own.warehouse, SECOND, cost_bps=own.settings.cost_bps, recompute=True)
    now = researched.latest("congress_aggregate")
    assert now is not None
    assert list(now.by_symbol().index) != list(stored.by_symbol().index)
    assert "S007" in set(now.by_symbol().index) - set(stored.by_symbol().index)

    call = pas(own)
    D = SECOND.isoformat()
    kept = call("weights", "congress_aggregate", "--as-of", D)
    again = call("weights", "congress_aggregate", "--as-of", D, "--recompute")
    research = call("weights", "congress_aggregate", "--as-of", D, "--research")
    assert (kept[0], again[0], research[0]) == (0, 0, 0)
    assert again[1]["weights"] == pytest.approx(kept[1]["weights"], abs=1e-9)
    assert (again[1]["agrees"], again[1]["differences"]) == (True, [])
    assert set(research[1]["weights"]) != set(kept[1]["weights"])


@pytest.mark.slow
def test_a_row_of_the_same_moment_that_came_after_the_decision_does_not_count(own: Decided) -> None:
    own.late_purchase("S007", evening(FIRST))
    assert recompute(FIRST, own.settings, own.warehouse).differences == ()
    # without the note of the rows that were there it would
    own.warehouse.execute("update ops.alloc_log set details = details - 'raw' where event = 'inputs'")
    found = recompute(FIRST, own.settings, own.warehouse)
    assert f"congress_aggregate {FRIDAY} S007" in {one.name for one in found.of("weight")}


@pytest.mark.slow
def test_whatever_was_changed_in_the_store_is_named(own: Decided, pas: Callable[[Decided], Pas]) -> None:
    D = SECOND.isoformat()
    (row,) = own.warehouse.rows(
        "update ops.model_weights set weight = weight + 1e-6 where portfolio_id = 'wiki_attention' and session = %s"
        " and symbol = (select min(symbol) from ops.model_weights where portfolio_id = 'wiki_attention'"
        " and session = %s and symbol <> 'CASH') returning symbol, weight",
        (SECOND, SECOND),
    )
    own.warehouse.execute("update ops.regime_history set scale = 0.9 where session = %s", (SECOND,))
    own.warehouse.execute(
        "update ops.alloc_log set share = share + 0.001 where event = 'allocation' and session = %s"
        " and portfolio_id = 'congress_aggregate'",
        (SECOND,),
    )
    call = pas(own)
    status, told, err = call("decide", "--as-of", D, "--recompute")
    assert status == 1
    assert "3 numbers differ from what was stored" in err
    name = f"wiki_attention {SECOND} {row['symbol']}"
    assert [(one["part"], one["name"]) for one in told["differences"]] == [
        ("weight", name),
        ("regime", f"{SECOND} S"),
        ("share", "congress_aggregate"),
    ]
    assert told["differences"][0]["stored"] == row["weight"]
    assert told["differences"][0]["recomputed"] == pytest.approx(row["weight"] - 1e-6, abs=1e-12)

    status, told, err = call("weights", "wiki_attention", "--as-of", D, "--recompute")
    assert (status, [one["name"] for one in told["differences"]]) == (1, [name])
    assert "1 number differs" in err


@pytest.mark.slow
def test_each_command_judges_its_own_part(own: Decided, pas: Callable[[Decided], Pas]) -> None:
    own.warehouse.execute("update ops.regime_history set scale = 0.9 where session = %s", (SECOND,))
    call, D = pas(own), SECOND.isoformat()
    assert call("regime", "--as-of", D, "--recompute")[0] == 1
    assert call("regime", "--as-of", FIRST.isoformat(), "--recompute")[0] == 0
    assert call("allocate", "--as-of", D, "--recompute")[0] == 0
    assert call("weights", "congress_aggregate", "--as-of", D, "--recompute")[0] == 0


def test_what_nobody_decided_cannot_be_recomputed(decided: Decided, pas: Callable[[Decided], Pas]) -> None:
    with pytest.raises(PasError, match=r"nothing was decided at 2025-12-29.*--research"):
        recompute(date(2025, 12, 29), decided.settings, decided.warehouse)
    status, _, err = pas(decided)("allocate", "--as-of", SECOND.isoformat(), "--recompute", "--research")
    assert (status, "take one" in err) == (1, True)


def test_a_copy_is_read_only_and_says_what_is_missing(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "copy.duckdb"
    with duckdb.connect(str(path)) as conn:
        conn.execute("create table t as select 1 as a, date '2026-01-02' as d, '{\"x\": [1]}'::json as j")
    copy = DuckWarehouse(path)
    assert copy.rows("select * from t where a = %s", (1,)) == [{"a": 1, "d": date(2026, 1, 2), "j": {"x": [1]}}]
    assert copy.frame("select 7 %% 4 as a", ()).to_dict("records") == [{"a": 3}]
    with pytest.raises(TableMissing, match="run `pas build` first"):
        copy.frame("select * from marts.signals")
    for refused in (lambda: copy.execute("delete from t"), lambda: copy.connect().__enter__()):
        with pytest.raises(WarehouseError, match="for reading only"):
            refused()

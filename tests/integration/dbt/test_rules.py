"""What a broken row does to a build: it fails in one line that names the rule. A night looks at what is new."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from pas_lib.dbt import Dbt, DbtError
from pas_lib.warehouse import Warehouse
from tests.support.marts import END, Built

RATINGS = "stg_raw__analyst_ratings"
NEXT = "(select max(row_id) from raw.{table}) + row_number() over (order by row_id) as row_id"


@pytest.fixture
def file(on_duckdb: Path, slot: Path) -> Path:
    """A file that was built and tested."""
    slot.write_bytes(on_duckdb.read_bytes())
    return slot


def _change(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as conn:
        conn.execute("set timezone = 'UTC'")
        for statement in statements:
            conn.execute(statement)


def _append(table: str, changes: str, where: str) -> str:
    """Return SQL that loads changed copies of rows as new ones."""
    return (
        f"insert into raw.{table} by name"
        f" select * replace ({NEXT.format(table=table)}, {changes}) from raw.{table} where {where}"
    )


def _failure(duck: Dbt, **build: object) -> str:
    with pytest.raises(DbtError) as caught:
        duck.build(END, **build)  # type: ignore[arg-type]
    return str(caught.value).split(" (its log is ")[0]


def test_a_broken_row_is_named_with_its_rule_and_number_until_it_is_mended(file: Path, duck: Dbt) -> None:
    first = "row_id in (select row_id from raw.analyst_ratings order by row_id limit 2)"
    _change(
        file,
        _append("analyst_ratings", "'shrug' as action, 'x' || rating_id as rating_id", first),
        _append("analyst_ratings", "cast(null as text) as firm, 'y' || rating_id as rating_id", f"{first} limit 1"),
    )
    told = _failure(duck, select=[RATINGS])
    assert told.startswith("dbt build failed: node test.portfolio_allocation.rules_of_stg_raw__analyst_ratings.")
    assert "fail: firm is NULL (1 rows); action is none of upgrade, downgrade, initiate, " in told
    assert told.endswith("(2 rows)")
    with pytest.raises(DbtError, match=r"firm is NULL \(1 rows\)"):
        duck.retry(END)
    assert "(2 rows)" in _failure(duck, select=[RATINGS])
    _change(file, "delete from raw.analyst_ratings where action = 'shrug' or firm is null")
    assert duck.retry(END).count("pass") == 1


def test_a_night_looks_at_new_rows_and_a_full_refresh_at_all(file: Path, duck: Dbt) -> None:
    assert set(duck.build(END, select=[RATINGS]).statuses.values()) == {"pass", "success"}
    _change(file, "update raw.analyst_ratings set firm = null where row_id = 5")
    assert set(duck.build(END, select=[RATINGS]).statuses.values()) == {"pass", "success"}
    assert "firm is NULL (1 rows)" in _failure(duck, select=[RATINGS], full_refresh=True)
    # and what failed there is looked at again, all of it, as long as it fails
    assert "firm is NULL (1 rows)" in _failure(duck, select=[RATINGS], full_refresh=True)


def test_sessions_computed_again_are_tested_until_they_pass(file: Path, duck: Dbt) -> None:
    old, new = "session = date '2025-12-01'", f"session = date '{END}'"
    _change(file, f"insert into marts.regime_inputs select * from marts.regime_inputs where {old}")
    # nothing of it was computed again
    assert set(duck.build(END, select=["regime_inputs"]).statuses.values()) == {"pass", "success"}
    late = f"series_id = 'DGS10' and known_at < timestamptz '{END} 12:00:00+00'"
    _change(file, _append("macro_series", "value + 1 as value", f"{late} order by known_at desc limit 1"))
    duck.build(END, select=["regime_inputs"], data_tests=False)
    _change(file, f"insert into marts.regime_inputs select * from marts.regime_inputs where {new} limit 1")
    for _ in range(2):
        told = _failure(duck, select=["regime_inputs"])
        assert "rules_of_regime_inputs" in told
        assert told.endswith("fail: session, series_id are not unique (1 rows)")


def test_a_signal_of_a_name_that_did_not_trade_fails(file: Path, duck: Dbt) -> None:
    _change(
        file,
        "insert into intermediate.test_state (model, from_session) values ('signals', date '2025-12-31')",
        "insert into marts.signals select * replace ('nobody' as security_id, 9999 as rank) from marts.signals"
        f" where session = date '{END}' limit 1",
    )
    assert "security_id, session are not in daily_returns (1 rows)" in _failure(duck, select=["rules_of_signals"])


def test_companies_made_anew_are_tested(file: Path, duck: Dbt) -> None:
    models = ["stg_raw__insider_buying", "int_insider_lines"]
    duck.build(END, select=models)
    _change(
        file,
        "update raw.insider_buying set insider = null where row_id ="
        " (select row_id from raw.insider_buying order by row_id limit 1)",
    )
    assert set(duck.build(END, select=models).statuses.values()) == {"pass", "success"}
    # something else of the same company comes in: its lines are made anew, the broken one too
    _change(
        file,
        _append(
            "insider_buying",
            "99 as ordinal",
            "symbol = (select symbol from raw.insider_buying where insider is null) and insider is not null limit 1",
        ),
    )
    assert "rules_of_int_insider_lines" in (told := _failure(duck, select=models))
    assert told.endswith("fail: insider is NULL (1 rows)")


def test_on_postgresql_a_broken_row_is_named_too(built: Built, copy_of: object, tmp_path: Path) -> None:
    warehouse: Warehouse = copy_of("dbt_built")  # type: ignore[operator]
    dbt = Dbt(warehouse.url, tmp_path / "work", threads=1)
    assert set(dbt.build(END, select=[RATINGS]).statuses.values()) == {"pass", "success"}
    columns = ", ".join(
        row["column_name"]
        for row in warehouse.rows(
            "select column_name from information_schema.columns where table_schema = 'raw'"
            " and table_name = 'analyst_ratings' and column_name not in ('row_id', 'action', 'rating_id')"
        )
    )
    warehouse.execute(
        f"insert into raw.analyst_ratings (action, rating_id, {columns})"
        f" select 'shrug', 'x' || rating_id, {columns} from raw.analyst_ratings order by row_id limit 3"
    )
    told = _failure(dbt, select=[RATINGS])
    assert told.split(" fail: ")[1].startswith("action is none of upgrade, downgrade")
    assert told.endswith("(3 rows)")
    result = json.loads((dbt.target_path("transform") / "run_results.json").read_text(encoding="utf-8"))
    assert [one["failures"] for one in result["results"] if one["status"] == "fail"] == [1]

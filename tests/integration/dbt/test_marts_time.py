"""Nothing knows the future, and building night by night gives what building at once gives."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import pytest

from pas_lib import clock
from pas_lib.dbt import Dbt
from pas_lib.warehouse import Warehouse, copy_arrow
from tests.support.marts import DATED, END, Built, differences, disagreements, duckdb_frame, everything, read, relations
from tests.support.raw_world import RawWorld

CUT = date(2025, 9, 30)  # a month's last session, after the rename and the reuse of a symbol
Frame = Callable[[str], pd.DataFrame]


def _known_after(path: Path) -> list[tuple[str, list[str]]]:
    """Return the raw tables, without the register of securities, and the names of their numeric columns."""
    rows = duckdb_frame(path)(
        "select table_name, column_name from information_schema.columns where table_schema = 'raw'"
        " and table_name <> 'securities' and data_type in ('DOUBLE', 'BIGINT') and column_name <> 'row_id'"
    )
    return [(str(name), list(group["column_name"])) for name, group in rows.groupby("table_name")]


def _literal(day: date) -> str:
    return f"timestamptz '{clock.decision_time(day).isoformat()}'"


@pytest.mark.parametrize("how", ["deleted", "garbage"])
def test_rows_known_later_change_nothing_up_to_a_session(
    built: Built, raw_mirror: Path, rebuild: Callable[..., Frame], how: str
) -> None:
    """The register of securities stays: which company a symbol means is identity, not something a rule selects on."""
    late = f"known_at > {_literal(CUT)}"
    changes: list[str] = []
    for table, numbers in _known_after(raw_mirror):
        if how == "deleted":
            changes.append(f"delete from raw.{table} where {late}")
        else:
            garbage = ", ".join(f"{name} = {name} * 7 + 13 + row_id % 11" for name in numbers)
            changes.append(f"update raw.{table} set {garbage} where {late}")
    changed = rebuild(*changes)
    for mart, dated in DATED.items():
        where = f"{dated} <= date '{CUT}'"
        ours, theirs = read(built.warehouse.frame, mart, where), read(changed, mart, where)
        assert len(ours) > 0
        assert differences(ours, theirs) == [], mart
    # and afterwards it does change: the comparison above is no comparison of nothing
    after = f"session > date '{CUT}'"
    assert differences(read(built.warehouse.frame, "daily_returns", after), read(changed, "daily_returns", after)) != []


def _load_ingested(warehouse: Warehouse, world: RawWorld, start: date | None, end: date) -> None:
    """Load what became known after the decision of ``start`` and up to that of ``end``."""
    with warehouse.connect() as conn:
        for dataset in world.tables:
            table = world.arrow(dataset)
            known = table.column("known_at")
            keep = pc.less_equal(known, pc.cast(clock.decision_time(end), known.type))
            if start is not None:
                keep = pc.and_(keep, pc.greater(known, pc.cast(clock.decision_time(start), known.type)))
            copy_arrow(conn, table.filter(keep), f"raw.{dataset}")


def test_night_by_night_equals_all_at_once(built: Built, warehouse: Warehouse, dbt_work: Path) -> None:
    """Three builds, with rows that came in late, against one from nothing on the same rows."""
    world = built.world
    first, second = date(2025, 12, 17), date(2025, 12, 18)
    dbt = Dbt(warehouse.url, dbt_work, threads=2)
    _load_ingested(warehouse, world, None, first)
    dbt.build(first, data_tests=False)
    provisional = warehouse.rows("select distinct score_date from marts.ticker_scores where not is_frozen")
    assert [row["score_date"] for row in provisional] == [first]

    _load_ingested(warehouse, world, first, second)
    dbt.build(second, data_tests=False)
    provisional = warehouse.rows("select distinct score_date from marts.ticker_scores where not is_frozen")
    assert [row["score_date"] for row in provisional] == [second]
    assert warehouse.rows("select max(session) as last from marts.daily_returns")[0]["last"] == second
    # only the new session was made again
    state = warehouse.rows(
        "select min(from_session) as start from intermediate.build_state where model = 'daily_returns'"
    )
    assert state[0]["start"] == second

    # late: a disclosure of weeks ago, a dividend of last month, views and a rate of days ago
    _load_ingested(warehouse, world, second, END)
    day = date(2025, 11, 10)
    world.append(
        warehouse,
        "politician_trades",
        day,
        clock.next_session_midnight(date(2025, 11, 14)),
        politician="Late",
        symbol="S011",
        asset_type="ST",
        transaction="purchase",
        amount_range="x",
        amount_low=4e6,
        amount_high=5e6,
        transaction_date=day,
        report_date=date(2025, 11, 14),
        owner="",
        document="",
        ordinal=0,
    )
    # an amended report of three weeks ago: ten times the profit
    world.append(
        warehouse,
        "fundamentals",
        date(2025, 9, 30),
        clock.next_session_midnight(date(2025, 12, 10)),
        source="sec_facts",
        entity="cik0000000013",
        symbol="S013",
        cik="0000000013",
        taxonomy="us-gaap",
        concept="NetIncomeLoss",
        unit="USD",
        frequency="nine_months",
        period_start=date(2025, 1, 1),
        period_days=272,
        value=9e9,
        filed=date(2025, 12, 10),
        form="10-Q/A",
        accession="amended",
    )
    world.append(
        warehouse,
        "corporate_actions",
        day,
        clock.ny_midnight(day),
        symbol="S012",
        action="dividend",
        amount=2.5,
        currency="USD",
        ordinal=7,
    )
    world.append(
        warehouse,
        "macro_series",
        date(2025, 12, 2),
        clock.ny_midnight(date(2025, 12, 3)) + timedelta(hours=1),
        series_id="DGS10",
        value=99.0,
        realtime_start=date(2025, 12, 4),
        vintage="alfred",
    )
    dbt.build(END, data_tests=False)
    names = relations(dbt.target_path("transform"), nightly=True)
    nightly = everything(warehouse.frame, names)

    state = {
        row["model"]: row["start"]
        for row in warehouse.rows(
            "select model, min(from_session) as start from intermediate.build_state group by model"
        )
    }
    assert state["int_signal_congress_aggregate"] == day
    assert state["regime_inputs"] == date(2025, 12, 3)

    dbt.build(END, data_tests=False, full_refresh=True)
    assert disagreements(nightly, everything(warehouse.frame, names)) == {}
    late = warehouse.rows(
        "select rank from marts.signals where strategy = 'congress_aggregate' and session = '2025-11-21'"
        " and symbol = 'S011'"
    )
    assert late[0]["rank"] == 1
    everywhere = everything(built.warehouse.frame, ["marts.daily_returns"])
    assert disagreements(everywhere, nightly) != {}


def test_a_build_for_a_past_session_keeps_the_later_ones(on_duckdb: Path, slot: Path, duck: Dbt) -> None:
    slot.write_bytes(on_duckdb.read_bytes())
    duck.build(CUT, data_tests=False)
    for mart in DATED:
        assert differences(read(duckdb_frame(on_duckdb), mart), read(duckdb_frame(slot), mart)) == [], mart

"""Commands on a decided warehouse: what they answer agrees with what was stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from pas_lib.pipeline.explain import explain
from pas_lib.warehouse import Warehouse
from tests.integration.pipeline.marts_world import DECISION, FIRST_SIGNAL, MartsWorld, security_id

Pas = Callable[..., tuple[int, object, str]]
D = DECISION.isoformat()


@pytest.fixture
def warehouse(decided: Warehouse) -> Warehouse:
    return decided


@pytest.fixture
def world() -> MartsWorld:
    return MartsWorld()


def test_stored_answers_and_those_of_research_agree(world: MartsWorld, pas: Pas, warehouse: Warehouse) -> None:
    for strategy in ("wiki_attention", "sector_risk_parity"):
        status, stored, _ = pas("weights", strategy, "--as-of", D)
        again = pas("weights", strategy, "--as-of", D, "--research")[1]
        assert status == 0
        assert stored == again
    assert sorted(stored["weights"]) == world.expected_names("sector_risk_parity", DECISION, 3)  # type: ignore[index]

    regime, regime_again = (pas("regime", "--as-of", D, *more)[1] for more in ((), ("--research",)))
    assert regime["scale"] == regime_again["scale"] == 1.0  # type: ignore[index]
    assert regime["cci"] == pytest.approx(regime_again["cci"], rel=1e-9)  # type: ignore[index]

    shares, shares_again = (pas("allocate", "--as-of", D, *more)[1] for more in ((), ("--research",)))
    for name, part in shares["portfolios"].items():  # type: ignore[index]
        assert part == pytest.approx(shares_again["portfolios"][name], rel=1e-9)  # type: ignore[index]
    rows = warehouse.rows("select portfolio_id, share from ops.alloc_log where event = 'allocation'")
    assert {row["portfolio_id"]: row["share"] for row in rows} == {
        name: part["share"]
        for name, part in shares["portfolios"].items()  # type: ignore[index]
    }


def test_stored_weights_do_not_move_with_the_marts_but_those_of_research_do(
    world: MartsWorld, pas: Pas, warehouse: Warehouse
) -> None:
    before = pas("weights", "congress_aggregate", "--as-of", D)[1]
    with warehouse.connect() as conn:
        conn.execute("update marts.signals set rank = 31 - rank")
    assert pas("weights", "congress_aggregate", "--as-of", D)[1] == before
    again = pas("weights", "congress_aggregate", "--as-of", D, "--research")[1]
    assert again["weights"] != before["weights"]  # type: ignore[index]


def test_an_earlier_session_answers_with_what_held_then(world: MartsWorld, pas: Pas) -> None:
    _, got, _ = pas("weights", "wiki_attention", "--as-of", "2026-01-15")
    assert got["session"] == "2025-12-31"  # type: ignore[index]
    assert sorted(got["weights"]) == world.expected_names("wiki_attention", date(2025, 12, 31), 10)  # type: ignore[index]
    status, _, err = pas("weights", "wiki_attention", "--as-of", "2025-08-01")
    assert status == 1
    assert "has no weights up to 2025-08-01" in err


def test_backtest_without_costs_earns_more_and_refuses_an_empty_range(
    world: MartsWorld, pas: Pas, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, dear, _ = pas("backtest", "congress_aggregate", "--end", D)
    monkeypatch.setenv("PAS_COST_BPS", "0")
    _, free, _ = pas("backtest", "congress_aggregate", "--end", D)
    (dear,), (free,) = dear["strategies"], free["strategies"]  # type: ignore[index]
    assert dear["start"] == "2025-11-10"
    assert date(2025, 11, 7) == FIRST_SIGNAL
    assert dear["end"] == D
    assert free["total_return"] > dear["total_return"]
    # Costs are 10 basis points of what was traded.
    years = dear["n_obs"] / 252
    assert free["total_return"] - dear["total_return"] == pytest.approx(dear["turnover"] * years * 1e-3, rel=0.15)
    status, _, err = pas("backtest", "congress_aggregate", "--start", "2025-10-01", "--end", "2025-10-31")
    assert status == 1
    assert "has no returns from 2025-10-01 to 2025-10-31" in err


# ------------------------------------------------------------------------------------------------ explain


def write_trades(warehouse: Warehouse) -> None:
    """Disclosures about S00: one in the window, one too old, one corrected, one withdrawn, one not yet known."""
    rows = [
        # politician, transaction date, known at, range, deleted
        ("Ann", "2026-01-05", "2026-01-20", "$1,001 - $15,000", False),
        ("Bob", "2025-11-05", "2025-12-01", "$1,001 - $15,000", False),
        ("Cid", "2026-01-06", "2026-01-21", "$1,001 - $15,000", False),
        ("Dan", "2026-01-07", "2026-01-22", "$1,001 - $15,000", False),
        ("Dan", "2026-01-07", "2026-01-26", "$1,001 - $15,000", True),
        ("Eve", "2026-01-08", "2026-02-02", "$1,001 - $15,000", False),
    ]
    with warehouse.connect() as conn:
        # As the staging model says it where no row replaces another one.
        conn.execute("create schema if not exists staging")
        conn.execute(
            "create view staging.stg_raw__politician_trades as"
            " select *, known_at as first_known_at, null::timestamptz as superseded_at from raw.politician_trades"
        )
        conn.execute("delete from raw.politician_trades")
        for number, (who, day, known, amount, deleted) in enumerate(rows):
            conn.execute(
                "insert into raw.politician_trades (source, event_date, known_at, ingested_at, source_url, run_id,"
                " content_hash, is_deleted, politician, symbol, transaction_date, report_date, transaction,"
                " amount_range, amount_low, owner, ordinal) values ('quiver', %s, %s, %s, %s, 'r', %s, %s, %s, 'S00',"
                " %s, %s, 'purchase', %s, 1001, '', 1)",
                (
                    day,
                    known,
                    known,
                    f"https://data.example.org/{who}",
                    f"h{number}",
                    deleted,
                    who,
                    day,
                    day,
                    amount,
                ),
            )


def test_explain_shows_the_rows_that_were_known_and_no_others(
    world: MartsWorld, pas: Pas, warehouse: Warehouse
) -> None:
    write_trades(warehouse)
    with warehouse.connect() as conn:  # whatever the ranking was, S00 is held
        conn.execute(
            "update ops.model_weights set symbol = 'S00', security_id = %s where portfolio_id = 'congress_aggregate'"
            " and session = %s and symbol = (select min(symbol) from ops.model_weights where session = %s"
            " and portfolio_id = 'congress_aggregate')",
            (security_id("S00"), DECISION, DECISION),
        )
    status, told, _ = pas("explain", "congress_aggregate", "S00", "--as-of", D)
    assert status == 0
    assert told["decided"] == D  # type: ignore[index]
    assert told["weight"] == 0.05  # type: ignore[index]
    rows = [(row["values"]["politician"], row["source_url"], row["content_hash"]) for row in told["rows"]]  # type: ignore[index]
    assert rows == [
        ("Ann", "https://data.example.org/Ann", "h0"),
        ("Cid", "https://data.example.org/Cid", "h2"),
    ]


def test_explain_of_prices_and_of_what_is_not_held(world: MartsWorld, warehouse: Warehouse, pas: Pas) -> None:
    sector = world.expected_names("sector_risk_parity", DECISION, 3)[0]
    with warehouse.connect() as conn:
        conn.execute("update raw.prices set symbol = %s", (sector,))
    told = explain(warehouse, "sector_risk_parity", sector, DECISION)
    assert (told.rank is not None, told.names) == (True, 11)
    days = [row.event_date for row in told.rows]
    assert days[-1] == DECISION
    assert (DECISION - days[0]).days in range(185, 191)
    assert all(row.known_at <= datetime(2026, 1, 31, 3, 30, tzinfo=UTC) for row in told.rows)
    status, _, err = pas("explain", "sector_risk_parity", "S00", "--as-of", D)
    assert status == 1
    assert "unknown symbol in sector_risk_parity decided at 2026-01-30 'S00'" in err

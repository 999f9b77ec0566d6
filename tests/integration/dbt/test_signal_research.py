"""Signal research: values against scipy, night by night, and that nothing that decides can read it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import duckdb
import pytest
from numpy.testing import assert_allclose
from scipy.stats import spearmanr

from pas_lib import clock
from pas_lib.dbt import PROJECT_DIR, Dbt
from pas_lib.pipeline.signal_research import read_research
from pas_lib.settings import PROJECT_ROOT
from tests.support.marts import END, Built, differences, duckdb_frame, read

MODELS = ("signal_research", "signal_turnover", "signal_summary")


def test_every_figure_of_two_strategies_against_scipy(built: Built) -> None:
    frame = built.warehouse.frame
    scores = frame("select * from marts.signals where strategy in ('volatility_momentum', 'sector_risk_parity')")
    bars = frame("select security_id, session, adj_open, adj_close from marts.daily_returns")
    close = bars.pivot(index="session", columns="security_id", values="adj_close")
    opened = bars.pivot(index="session", columns="security_id", values="adj_open")
    # A name whose bars have ended counts at its last close, one that pauses does not.
    for key in close.columns:
        last = close[key].last_valid_index()
        close.loc[last:, key] = close.at[last, key]
    days = list(close.index)
    expected = {}
    for (strategy, session), rows in scores.groupby(["strategy", "session"]):
        at = days.index(session)
        own = rows.set_index("security_id")["score"]
        for first, last in ((0, 1), (0, 21), (5, 10), (42, 63)):
            if at + max(last, 1) >= len(days):
                continue
            bought = opened.loc[days[at + 1]].reindex(own.index)
            begin = bought if first == 0 else close.loc[days[at + first]].reindex(own.index).where(bought.notna())
            gain = (close.loc[days[at + last]].reindex(own.index) / begin - 1.0).where(bought.notna()).dropna()
            gain = gain.map(lambda value: float(f"{value:.10g}"))  # as the mart: the last bits are no ranks
            moves = gain.nunique() > 1
            value = spearmanr(own[gain.index], gain).statistic if len(gain) >= 5 and moves else float("nan")
            expected[strategy, session.date(), first, last] = (value, len(gain), gain.mean())
    found = read(frame, "signal_research")
    assert len(expected) > 150
    for key, (value, names, mean) in expected.items():
        row = found.loc[key]
        assert row["names"] == names, key
        assert row["information_coefficient"] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), key
        assert row["mean_return"] == pytest.approx(mean, rel=1e-8, abs=1e-9), key


def test_a_range_counts_what_was_bought_and_ended_within_it(built: Built) -> None:
    """The whole range is the mart's summary; a part of it is worked out again row by row."""
    frame = built.warehouse.frame
    whole = read(frame, "signal_summary")
    names = sorted({key[0] for key in whole.index})
    ours = read_research(built.warehouse, names, built.world.start, END)
    assert ours is not None
    ours = ours.set_index(["strategy", "from_day", "to_day"]).sort_index()
    assert list(ours.index) == list(whole.index)
    for column in ours.columns:
        assert_allclose(
            ours[column].to_numpy(dtype=float),
            whole[column].to_numpy(dtype=float),
            rtol=1e-9,
            atol=1e-12,
            err_msg=column,
        )

    rows = read(frame, "signal_research").reset_index()
    told = rows[(rows["from_day"] == 0) & (rows["to_day"] == 1)]
    name = str(told["strategy"].value_counts().idxmax())
    days = sorted(told[told["strategy"] == name]["session"])
    start, end = clock.next_session(days[1]), days[-1]
    known = list(clock.sessions(start, end))
    part = read_research(built.warehouse, [name], start, end)
    assert part is not None
    part = part.set_index(["from_day", "to_day"])
    rows = rows[rows["strategy"] == name]
    for first, last in ((0, 1), (0, 21), (5, 10)):
        own = rows[(rows["from_day"] == first) & (rows["to_day"] == last)]
        bought = own["session"].map(clock.next_session)
        # Bought at the open of its first session, sold at the close of the last: both are sessions of the range.
        inside = [day in known and known.index(day) + last <= len(known) for day in bought]
        values = own[inside]["information_coefficient"].dropna()
        row = part.loc[(first, last)]
        assert row["sessions"] == len(values)
        assert row["mean_ic"] == pytest.approx(values.mean(), rel=1e-12, nan_ok=True)
        t = values.mean() / values.std() * len(values) ** 0.5
        assert row["ic_t"] == pytest.approx(t, rel=1e-9, nan_ok=True)
        assert row["mean_spread"] == pytest.approx(own[inside]["quantile_spread"].mean(), rel=1e-12, nan_ok=True)
        assert row["names"] == pytest.approx(own[inside]["names"].mean(), rel=1e-12)
        assert first or last > 1 or sum(inside) == len(days) - 2 > 0
    turned = read(frame, "signal_turnover", f"strategy = '{name}'").reset_index()
    turned = turned[(turned["previous_session"].map(clock.next_session) >= start) & (turned["session"] <= end)]
    assert part["new_share"].iloc[0] == pytest.approx(turned["new_share"].mean(), rel=1e-12)
    nothing = read_research(built.warehouse, [name], END, END)
    assert nothing is not None
    assert nothing.empty


def test_a_session_whose_window_is_not_over_has_no_figure(built: Built) -> None:
    found = read(built.warehouse.frame, "signal_research").reset_index()
    last = list(clock.sessions(date(2024, 7, 1), END))
    for (first, day), rows in found.groupby(["from_day", "to_day"]):
        assert first < day
        assert rows["session"].max() <= last[-1 - day]


def test_nothing_that_decides_reads_what_came_afterwards() -> None:
    """The models know forward returns: only models of research refer to them, and no strategy or decision does."""
    wanted = re.compile(r"\b(" + "|".join(MODELS) + r")\b")
    readers = {
        str(file.relative_to(PROJECT_DIR))
        for file in (PROJECT_DIR / "models").rglob("*.sql")
        if wanted.search(re.sub(r"--.*", "", file.read_text(encoding="utf-8")))
    }
    assert {Path(name).parent.name for name in readers} == {"research"}
    code = PROJECT_ROOT / "pas_lib"
    told = {
        str(file.relative_to(code)) for file in code.rglob("*.py") if wanted.search(file.read_text(encoding="utf-8"))
    }
    assert told == {"cli/research.py", "pipeline/signal_research.py", "pipeline/tearsheet.py"}


@pytest.mark.slow
def test_night_by_night_equals_all_at_once(on_duckdb: Path, slot: Path, duck: Dbt) -> None:
    """Told in September, when a name seemed to be gone, and at the end of the year, when it had come back long ago."""
    slot.write_bytes(on_duckdb.read_bytes())
    gap, night = "session between date '2025-09-15' and date '2025-10-03'", date(2025, 9, 22)
    tables = ("intermediate.int_sessions", "marts.daily_returns", "marts.signals")
    with duckdb.connect(str(slot)) as conn:
        conn.execute("set timezone = 'UTC'")
        paused = (
            "(select security_id from marts.signals where session between date '2025-07-01' and date '2025-09-12'"
            " group by security_id order by count(*) desc, security_id limit 1)"
        )
        conn.execute(f"delete from marts.daily_returns where security_id = {paused} and {gap}")
    duck.build(END, select=list(MODELS), data_tests=False, full_refresh=True)
    frame = duckdb_frame(slot)
    expected = {model: read(frame, model) for model in MODELS}
    with duckdb.connect(str(slot)) as conn:
        conn.execute("set timezone = 'UTC'")
        for number, table in enumerate(tables):
            conn.execute(f"create table raw.kept_{number} as select * from {table} where session > date '{night}'")
            conn.execute(f"delete from {table} where session > date '{night}'")
    duck.build(END, select=list(MODELS), data_tests=False, full_refresh=True)
    then = read(frame, "signal_research")
    told = expected["signal_research"].loc[then.index]
    assert len(differences(told, then)) > 0  # as if it had been sold at its last close
    with duckdb.connect(str(slot)) as conn:
        conn.execute("set timezone = 'UTC'")
        for number, table in enumerate(tables):
            conn.execute(f"insert into {table} by name select * from raw.kept_{number}")
    duck.build(END, select=list(MODELS), data_tests=False)
    for model in MODELS:
        assert differences(expected[model], read(frame, model)) == [], model

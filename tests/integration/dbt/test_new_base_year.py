"""A benchmark revision restates a whole series on another base: rates of twelve months must not see that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pandas as pd
import pytest

from pas_lib import clock
from pas_lib.regime import stress_frame

#: From here on the index is stated on a base on which it is half as high.
REBASED = date(2025, 7, 15)
GROWTH = 1.02


def observations() -> list[tuple[date, float, date]]:
    """(month, value, published) of an index that grows by 2 % a year, and again on its new base."""
    months = [stamp.date() for stamp in pd.date_range("2023-01-01", "2025-10-01", freq="MS")]
    out = []
    for number, month in enumerate(months):
        published = (pd.Timestamp(month) + pd.DateOffset(months=1, days=14)).date()
        level = 100.0 * GROWTH ** (number / 12)
        out.append((month, level if published < REBASED else level / 2, published))
        if published < REBASED:
            out.append((month, level / 2, REBASED))
    return out


def insert() -> str:
    rows = []
    for number, (month, value, published) in enumerate(observations()):
        at = clock.next_session_midnight(published).isoformat()
        rows.append(
            f"({1_000_000 + number}, 'made_up', date '{month}', timestamptz '{at}', timestamptz '{at}', 'made-up://',"
            f" 't', 'base-{number}', false, 'INDPRO', {value!r}, date '{published}', 'alfred')"
        )
    return (
        "insert into raw.macro_series (row_id, source, event_date, known_at, ingested_at, source_url, run_id,"
        f" content_hash, is_deleted, series_id, value, realtime_start, vintage) values {', '.join(rows)}"
    )


def test_a_new_base_year_changes_no_rate(rebuild: Callable[..., Callable[[str], pd.DataFrame]]) -> None:
    frame = rebuild(insert())
    rows = frame("select * from marts.regime_inputs where series_id = 'INDPRO' order by session").set_index("session")
    rows.index = pd.DatetimeIndex(rows.index)
    before, after = rows.loc["2025-07-15"], rows.loc["2025-07-16"]
    assert after["value"] == pytest.approx(before["value"] / 2 * GROWTH ** (1 / 12), rel=1e-12)
    # golden: May 2025 over May 2024 on the old base, June over June on the new one
    assert (before["value"], before["value_year_before"]) == pytest.approx((104.729, 102.676), abs=5e-4)
    assert (after["value"], after["value_year_before"]) == pytest.approx((52.451, 51.423), abs=5e-4)
    rate = rows["value"] / rows["value_year_before"] - 1
    assert rate.loc["2024-03-01":].to_numpy() == pytest.approx(GROWTH - 1, rel=1e-9)

    known = rows[["value"]].set_axis(["INDPRO"], axis=1)
    earlier = rows[["value_year_before"]].set_axis(["INDPRO"], axis=1)
    stress = stress_frame(known, year_before=earlier)["INDPRO"].loc["2024-03-01":]
    assert stress.to_numpy() == pytest.approx(-(GROWTH - 1), rel=1e-9)
    # what was compared before: a value on the new base with one that was known a year earlier, on the old
    assert stress_frame(known)["INDPRO"].loc["2025-07-16"] > 0.4


def test_a_revision_of_the_year_before_alone_moves_the_rate(
    rebuild: Callable[..., Callable[[str], pd.DataFrame]],
) -> None:
    at = clock.next_session_midnight(date(2025, 10, 1))
    frame = rebuild(
        insert(),
        "insert into raw.macro_series (row_id, source, event_date, known_at, ingested_at, source_url, run_id,"
        " content_hash, is_deleted, series_id, value, realtime_start, vintage) values (2000000, 'made_up',"
        f" date '2024-08-01', timestamptz '{at.isoformat()}', timestamptz '{at.isoformat()}', 'made-up://', 't',"
        " 'r', false, 'INDPRO', 40.0, date '2025-10-01', 'alfred')",
    )
    rows = frame("select * from marts.regime_inputs where series_id = 'INDPRO' order by session").set_index("session")
    rows.index = pd.DatetimeIndex(rows.index)
    day = pd.Timestamp(clock.session_on_or_before(at.date() - timedelta(days=1)))
    assert rows.loc[day, "value"] == rows.loc["2025-10-02", "value"]
    assert rows.loc[day, "value_year_before"] == pytest.approx(100.0 * GROWTH ** (19 / 12) / 2, rel=1e-12)
    assert rows.loc["2025-10-02", "value_year_before"] == 40.0

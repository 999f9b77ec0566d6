"""The indicator on the real FRED histories, each value known by the conservative lag rule of its series."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest
from pandas.tseries.offsets import BDay, MonthBegin, MonthEnd

from pas_lib.errors import PasError
from pas_lib.pipeline.regime_report import CRISES, draw, write_html, yearly
from pas_lib.regime import SERIES, regime_history, stress_frame
from tests.support.paths import REAL, needs

pytestmark = pytest.mark.needs_material


def observations(series_id: str) -> pd.Series:
    path = needs(REAL / "fred" / f"{series_id}.csv")
    table = pd.read_csv(path, header=0, names=["date", "value"])
    values = pd.to_numeric(table["value"], errors="coerce")
    return pd.Series(values.to_numpy(), index=pd.to_datetime(table["date"])).dropna()


def known_from(series_id: str, dates: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """First day on which a value may be used when no vintage is stored."""
    following = dates + MonthBegin(1)
    if series_id == "DEXUSEU":  # weekly release on Monday, usable the business day after
        return dates + pd.to_timedelta(7 - dates.day_of_week, unit="D") + BDay(1)
    if series_id == "FEDFUNDS":  # first business day of the next month
        return pd.DatetimeIndex([d if d.isoweekday() < 6 else d + BDay(1) for d in following])
    if series_id == "CPIAUCSL":
        return pd.DatetimeIndex([d + pd.Timedelta(days=15) if d.year >= 2020 else d + MonthEnd(1) for d in following])
    if series_id == "UNRATE":
        return following + pd.Timedelta(days=9)
    if series_id == "INDPRO":
        return following + pd.Timedelta(days=17)
    if series_id == "UMCSENT":
        return following + MonthEnd(1)
    if series_id == "GDPC1":
        return dates + MonthBegin(3) + pd.Timedelta(days=30)
    return dates + BDay(1)


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    prices = pd.read_csv(needs(REAL / "prices" / "etf_equity_daily_adjusted.csv.gz"))
    sessions = pd.DatetimeIndex(prices.loc[prices["symbol"] == "SPY", "date"])
    known, known_at = {}, {}
    for item in SERIES:
        values = observations(item.series_id)
        stamps = known_from(item.series_id, pd.DatetimeIndex(values.index))
        usable = pd.Series(values.to_numpy(), index=stamps)
        usable = usable[~usable.index.duplicated(keep="last")].sort_index()
        known[item.series_id] = usable.reindex(sessions, method="ffill")
        known_at[item.series_id] = pd.Series(usable.index, index=usable.index).reindex(sessions, method="ffill")
    result = regime_history(stress_frame(pd.DataFrame(known), pd.DataFrame(known_at)))
    return result.loc["2005-01-01":"2025-08-31"]


def test_yearly_minima(history: pd.DataFrame) -> None:
    low = history["scale"].groupby(pd.DatetimeIndex(history.index).year).min()
    expected = {2008: 0.53, 2011: 0.76, 2015: 0.66, 2018: 0.74, 2020: 0.30}
    for year, value in expected.items():
        assert low[year] == pytest.approx(value, abs=0.012), year
    for year in (2012, 2013, 2017, 2021, 2022, 2023):
        assert low[year] == 1.0, year


def test_the_table_and_the_picture_of_the_crises(history: pd.DataFrame, tmp_path: Path) -> None:
    table = yearly(history)
    assert list(table.index) == list(range(2005, 2026))
    assert table.loc[2020, "lowest_scale"] == pytest.approx(0.30, abs=0.012)
    assert table.loc[2008, "days_below_1"] > table.loc[2011, "days_below_1"] > 0.0
    assert table.loc[2022, "days_below_1"] == 0.0
    assert (table["days_below_1"] * table["sessions"]).sum() / table["sessions"].sum() == pytest.approx(0.13, abs=0.01)
    picture = draw(history)
    # A label without a text would be shown as the library's "new text"; each crisis is named once.
    labels = [note.text for note in picture.layout.annotations]
    assert all(labels)
    assert [text for text in labels if text.isdigit()] == [name for *_, name in CRISES]
    # The table has room for every year: 20 pixels a row, and the header.
    share = picture.data[-1].domain.y
    room = (share[1] - share[0]) * (picture.layout.height - 180)
    assert room >= 20 * (len(yearly(history)) + 1)
    page = write_html(history, tmp_path / "regime.html").read_text(encoding="utf-8")
    # One file: the chart library and the numbers are in it, nothing is loaded from anywhere.
    assert page.count("<script") == page.count("</script>")
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)
    assert "Exposure scale S" in page
    assert [name for *_, name in CRISES if f'"text":"{name}"' in page] == ["2008", "2011", "2020", "2022"]
    with pytest.raises(PasError, match="no session has an indicator"):
        yearly(history.assign(cci=float("nan")))


def test_share_of_days_below_full_exposure(history: pd.DataFrame) -> None:
    assert (history["scale"] < 1).mean() == pytest.approx(0.13, abs=0.01)
    assert history["complete"].all()

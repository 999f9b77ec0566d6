"""FRED with vintages, and the graph's CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from typing import Any

import pytest

from tests.support.paths import WIRE, needs

KEY = "sandbox0".ljust(32, "0")


def ask(site: Any, path: str, **params: str) -> Any:
    return site.get(f"/fred/fred/{path}", params={"api_key": KEY, "file_type": "json", **params})


def rows(site: Any, **params: str) -> list[dict[str, str]]:
    answer = ask(site, "series/observations", **params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["observations"])


def test_shape_equals_the_recorded_one(site: Any) -> None:
    recorded = json.loads(needs(WIRE / "fred/payloads/series_observations_GDP_latest.json").read_text())
    ours = ask(site, "series/observations", series_id="GDPC1").json()
    assert list(ours) == list(recorded)
    assert {k: type(v) for k, v in ours.items()} == {k: type(v) for k, v in recorded.items()}
    assert list(ours["observations"][0]) == list(recorded["observations"][0])
    assert ours["count"] == len(ours["observations"])
    theirs = json.loads(needs(WIRE / "fred/payloads/series_GDP.json").read_text())
    series = ask(site, "series", series_id="GDPC1").json()
    assert list(series["seriess"][0]) == list(theirs["seriess"][0])
    vintages = json.loads(needs(WIRE / "fred/payloads/series_vintagedates_GDP.json").read_text())
    assert list(ask(site, "series/vintagedates", series_id="GDPC1").json()) == list(vintages)


def test_both_spellings_of_the_path(site: Any) -> None:
    one = ask(site, "series/observations", series_id="UNRATE").content
    other = site.get(
        "/fred/series/observations", params={"api_key": KEY, "file_type": "json", "series_id": "UNRATE"}
    ).content
    assert one == other


def test_every_series_of_the_indicator_is_there(site: Any) -> None:
    for name in [
        "VIXCLS",
        "DEXUSEU",
        "DGS1MO",
        "DGS5",
        "DGS10",
        "DGS30",
        "FEDFUNDS",
        "CPIAUCSL",
        "UNRATE",
        "GDPC1",
        "INDPRO",
        "UMCSENT",
        "DTB3",
        "TB3MS",
    ]:
        found = rows(site, series_id=name)
        assert found[0]["date"] == "2018-01-01"
        assert found[-1]["date"] < "2026-01-30"
        assert len({r["realtime_start"] for r in found}) == 1
        assert all(r["value"] == "." or float(r["value"]) == float(r["value"]) for r in found)


def test_the_value_known_on_a_day_never_changes_afterwards(moving: Any) -> None:
    def known(series: str, end: str) -> dict[str, str]:
        found = rows(moving, series_id=series, realtime_start="1776-07-04", realtime_end=end)
        return {r["date"]: r["value"] for r in found if r["realtime_end"] == end}

    before = {name: known(name, "2026-01-30") for name in ("GDPC1", "INDPRO", "CPIAUCSL", "UNRATE")}
    latest = {name: {r["date"]: r["value"] for r in rows(moving, series_id=name)} for name in before}
    assert before == latest
    moving.advance("2026-06-26T20:00")
    assert {name: known(name, "2026-01-30") for name in before} == before
    later = {name: {r["date"]: r["value"] for r in rows(moving, series_id=name)} for name in before}
    for name in before:
        changed = [d for d in before[name] if later[name][d] != before[name][d]]
        assert changed or name == "UNRATE", name  # unemployment is revised in January only
        assert len(later[name]) > len(before[name])


def test_nothing_is_shown_before_its_publication(moving: Any) -> None:
    moving.advance("2026-02-06T08:30")  # the first Friday: unemployment comes at 08:45
    assert rows(moving, series_id="UNRATE")[-1]["date"] == "2025-12-01"
    moving.advance("2026-02-06T09:30")
    found = rows(moving, series_id="UNRATE", realtime_start="1776-07-04", realtime_end="9999-12-31")
    assert found[-1] == {
        **found[-1],
        "date": "2026-01-01",
        "realtime_start": "2026-02-06",
        "realtime_end": "9999-12-31",
    }
    assert all(date.fromisoformat(r["realtime_start"]) <= date(2026, 2, 6) for r in found)
    assert all(r["realtime_end"] <= "2026-02-06" or r["realtime_end"] == "9999-12-31" for r in found)


def test_initial_releases_only(site: Any) -> None:
    found = rows(site, series_id="GDPC1", output_type="4", realtime_start="1776-07-04", realtime_end="9999-12-31")
    assert len(found) == len({r["date"] for r in found}) == 32
    assert found[0]["realtime_end"] != "9999-12-31"
    full = rows(site, series_id="GDPC1", realtime_start="1776-07-04", realtime_end="9999-12-31")
    first = {r["date"]: r for r in reversed(full)}
    assert found == list(reversed(list(first.values())))


def test_windows_paging_order(site: Any) -> None:
    everything = rows(site, series_id="DGS10")
    assert rows(site, series_id="DGS10", sort_order="desc", limit="3") == everything[:-4:-1]
    assert rows(site, series_id="DGS10", limit="5", offset="7") == everything[7:12]
    part = rows(site, series_id="DGS10", observation_start="2025-12-24", observation_end="2025-12-26")
    assert [r["value"] == "." for r in part] == [False, True, False]
    window = rows(
        site, series_id="INDPRO", realtime_start="2025-06-01", realtime_end="2025-06-30", observation_start="2025-03-01"
    )
    assert {r["realtime_start"] for r in window} == {"2025-06-01", "2025-06-16"}
    assert {r["realtime_end"] for r in window} == {"2025-06-15", "2025-06-30"}


def test_errors_are_the_recorded_ones(site: Any) -> None:
    recorded = {
        e["body"]["error_message"]
        for e in json.loads(needs(WIRE / "fred/payloads/errors.json").read_text())
        if isinstance(e["body"], dict)
    }

    def message(**params: str) -> str:
        answer = site.get("/fred/fred/series/observations", params=params)
        assert answer.status_code == 400
        assert answer.json()["error_code"] == 400
        return str(answer.json()["error_message"])

    js = {"file_type": "json", "series_id": "GDPC1"}
    for asked in (
        js,
        {**js, "api_key": "short"},
        {**js, "api_key": "f" * 32},
        {**js, "api_key": KEY, "series_id": "NOPE"},
        {**js, "api_key": KEY, "series_id": "NOPE", "realtime_start": "2020-01-01"},
        {**js, "api_key": KEY, "realtime_start": "2010-01-01", "realtime_end": "2011-01-01"},
    ):
        assert message(**asked) in recorded
    assert "(2026-01-30)" in message(**js, api_key=KEY, realtime_end="2026-02-01")
    assert "maximum number of vintage dates allowed" in message(
        file_type="json", series_id="DGS10", api_key=KEY, realtime_start="1776-07-04", realtime_end="9999-12-31"
    )
    xml = site.get("/fred/fred/series/observations", params={"series_id": "NOPE", "api_key": KEY})
    assert xml.headers["content-type"] == "text/xml"
    assert 'message="Bad Request.  The series does not exist."' in xml.text


@pytest.mark.parametrize("path", ["/fredgraph/graph/fredgraph.csv", "/fredgraph/fredgraph.csv"])
def test_graph_csv(site: Any, path: str) -> None:
    table = list(
        csv.reader(io.StringIO(site.get(path, params={"id": "DGS10", "cosd": "2025-12-24", "coed": "2025-12-26"}).text))
    )
    assert table[0] == ["observation_date", "DGS10"]
    assert [r[0] for r in table[1:]] == ["2025-12-24", "2025-12-25", "2025-12-26"]
    assert table[2][1] == ""
    latest = {r["date"]: r["value"] for r in rows(site, series_id="DGS10")}
    assert table[1][1] == latest["2025-12-24"]
    several = site.get(path, params={"id": "CPIAUCSL,UNRATE"}).text.splitlines()
    assert several[0] == "observation_date,CPIAUCSL,UNRATE"
    unknown = site.get(path, params={"id": "NOPE"})
    assert unknown.status_code == 404
    assert unknown.text.startswith("<!DOCTYPE html>")

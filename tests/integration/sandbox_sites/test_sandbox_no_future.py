"""Whatever the clock says, no site shows anything later, and what was shown stays (or was revised openly)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

import pytest

from pas_lib.clock import NY, is_session, session_close, session_on_or_before, session_open

MOMENTS = (
    "2026-02-02T09:30",
    "2026-02-02T15:59",
    "2026-02-02T20:00",
    "2026-02-08T12:00",
    "2026-03-20T09:31",
    "2026-04-24T20:00",
)
VIEWS = "/wikimedia/api/rest_v1/metrics/pageviews/per-article/en.wikipedia/all-access/user"
KEY = "sandbox0".ljust(32, "0")
HEADERS = {"Authorization": "Bearer sandbox", "APCA-API-KEY-ID": "SANDBOX", "APCA-API-SECRET-KEY": "sandbox-secret"}
SYMBOLS = ("L0", "L3", "M5", "S4", "SPY", "XLRE")


def look(site: Any) -> dict[str, Any]:
    """Everything that is shown now, reduced to what has a date."""
    world, today = site.sandbox.world, site.sandbox.clock.today()
    seen: dict[str, Any] = {"bars": {}, "views": {}, "fred": {}}
    for slot in SYMBOLS:
        symbol = world.roster.by_slot(slot)[0].symbol_on(today)
        query = "period1=0&period2=99999999999&interval=1d&events=div,splits"
        path = f"/yahoo/v8/finance/chart/{symbol.replace('.', '-')}?{query}"
        chart = site.get(path).json()["chart"]["result"][0]
        seen["bars"][slot] = dict(zip(chart["timestamp"], chart["indicators"]["quote"][0]["close"], strict=True))
        for kind in chart.get("events", {}).values():
            assert all(datetime.fromtimestamp(e["date"], NY).date() <= today for e in kind.values())
    for title in [t for t in world.views.titles if t.isascii()][:6]:
        name = quote(title.replace(" ", "_"), safe="")
        path = f"{VIEWS}/{name}/daily/20250601/20271231"
        answer = site.get(path)
        seen["views"][title] = {i["timestamp"]: i["views"] for i in answer.json().get("items", [])}
    for series in ("UNRATE", "GDPC1", "INDPRO", "CPIAUCSL", "FEDFUNDS", "UMCSENT"):
        params = {
            "series_id": series,
            "api_key": KEY,
            "file_type": "json",
            "realtime_start": "1776-07-04",
            "realtime_end": "9999-12-31",
        }
        rows = site.get("/fred/fred/series/observations", params=params).json()["observations"]
        seen["fred"][series] = {(r["date"], r["realtime_start"]): (r["realtime_end"], r["value"]) for r in rows}
    rows = site.get("/quiver-api/beta/bulk/congresstrading", headers=HEADERS).json()
    seen["trades"] = [
        (r["BioGuideID"], r["Ticker"], r["TransactionDate"], r["ReportDate"], r["last_modified"]) for r in rows
    ]
    seen["pages"] = "".join(site.get(f"/wikipedia/wiki/List_of_S%26P_{n}_companies").text for n in (500, 400))
    seen["holdings"] = site.get("/ishares/us/products/239710/ishares-russell-2000-etf/latest-holdings.csv").text
    bars = site.get(
        "/alpaca-data/v2/stocks/bars", headers=HEADERS, params={"symbols": "SPY", "start": "2025-01-02"}
    ).json()
    seen["alpaca"] = {b["t"]: (b["o"], b["h"], b["l"], b["c"]) for b in bars["bars"]["SPY"]}
    return seen


@pytest.fixture
def walk(moving: Any) -> list[tuple[datetime, dict[str, Any]]]:
    """What is seen at each of the moments."""
    found = [(moving.sandbox.clock.now(), look(moving))]
    for moment in MOMENTS:
        moving.advance(moment)
        found.append((moving.sandbox.clock.now(), look(moving)))
    return found


def test_nothing_is_later_than_now_and_what_was_shown_stays(walk: list[tuple[datetime, dict[str, Any]]]) -> None:
    for now, seen in walk:
        local = now.astimezone(NY)
        for closes in seen["bars"].values():
            assert all(session_close(datetime.fromtimestamp(t, NY).date()) <= now for t in closes)
        newest = max(datetime.fromtimestamp(t, NY).date() for t in seen["bars"]["SPY"])
        today = session_on_or_before(local.date())
        assert newest == (today if session_close(today) <= now else session_on_or_before(today - timedelta(days=1)))
        running = session_open(today) <= now < session_close(today) and is_session(local.date())
        latest = max(seen["alpaca"])
        assert datetime.fromisoformat(latest).astimezone(NY).date() == (today if running else newest)
        if running:  # the bar of the running session knows its open and nothing else
            assert len(set(seen["alpaca"].pop(latest))) == 1
        yesterday = now.astimezone(UTC).date() - timedelta(days=1)
        assert max(t for views in seen["views"].values() for t in views) == f"{yesterday:%Y%m%d}00"
        assert all(start <= local.date().isoformat() for rows in seen["fred"].values() for _, start in rows)
        assert all(
            filed <= local.date().isoformat() and changed <= local.date().isoformat()
            for *_, filed, changed in seen["trades"]
        )
        changes = re.findall(r"<td>([A-Z][a-z]+ \d{1,2}, 20\d\d)\n?</td>", seen["pages"])
        assert changes
        assert max(datetime.strptime(c, "%B %d, %Y").replace(tzinfo=NY).date() for c in changes) <= local.date()
        as_of = re.search(r'as of,"(\w{3} \d\d, \d{4})"', seen["holdings"])
        assert as_of is not None
        assert datetime.strptime(as_of[1], "%b %d, %Y").replace(tzinfo=NY).date() < local.date()

    for (_, before), (_, after) in pairwise(walk):
        for title, views in before["views"].items():
            assert views.items() <= after["views"][title].items()
        assert before["alpaca"].items() <= after["alpaca"].items()
        for slot in ("L0", "SPY"):  # these do not split
            assert before["bars"][slot].items() <= after["bars"][slot].items()
        for series, rows in before["fred"].items():
            for key, (end, value) in rows.items():
                later_end, later_value = after["fred"][series][key]
                assert later_value == value
                assert later_end == end or end == "9999-12-31"
        gone = set(before["trades"]) - set(after["trades"])
        assert len(gone) <= 5  # amended or withdrawn
        assert date.fromisoformat(max(t[3] for t in after["trades"])) >= date.fromisoformat(
            max(t[3] for t in before["trades"])
        )

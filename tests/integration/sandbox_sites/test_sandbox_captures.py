"""Sites that show the moment only: ApeWisdom, Finviz and QuiverQuant's scores."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from pas_lib.clock import NY
from pas_lib.sandbox.buzz import Buzz
from pas_lib.sandbox.headlines import Newsroom

BASE = "/apewisdom/api/v1.0/filter/all-stocks"
TOKEN = {"Authorization": "Token sandbox"}


def test_the_ranking_comes_in_pages(site: Any) -> None:
    first, second = (site.get(f"{BASE}/page/{n}").json() for n in (1, 2))
    assert site.get(BASE).json() == first
    assert (first["pages"], first["current_page"], second["current_page"]) == (2, 1, 2)
    assert len(first["results"]) == 100
    rows = first["results"] + second["results"]
    assert len(rows) == first["count"]
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["mentions"] for row in rows] == sorted((row["mentions"] for row in rows), reverse=True)
    assert all((row["rank_24h_ago"] == 0) == (row["mentions_24h_ago"] is None) for row in rows)
    assert any(row["upvotes"] < 0 for row in rows)
    assert any("&amp;" in row["name"] for row in rows)
    assert {"IT", "DTE"} <= {row["ticker"] for row in rows}
    assert site.get(f"{BASE}/page/3").json()["results"] == []
    assert site.get("/apewisdom/api/v1.0/filter/nothing").status_code == 404


def test_the_ranking_follows_the_readers(site: Any) -> None:
    buzz = Buzz(site.sandbox.world)
    again = Buzz(site.sandbox.world)
    assert (buzz.mentions == again.mentions).all()
    talk = next(i for i, t in enumerate(buzz.talks) if t.listing and t.listing.slot == "L4")
    surprise = buzz.surprise["L4"]
    loud, usual = surprise > 2, (surprise > 0.8) & (surprise < 1.2)
    assert buzz.mentions[talk][loud].mean() > 1.5 * buzz.mentions[talk][usual].mean()


def test_news_come_newest_first_and_never_early(moving: Any) -> None:
    page = moving.get("/finviz/news.ashx?v=3")
    assert page.url.endswith("/finviz/news?v=3")
    assert [hop.status_code for hop in page.history] == [301]
    assert page.text.count("news_table-row") > 50
    nameless = moving.get("/finviz/news?v=3", headers={"User-Agent": "python-requests/2"})
    assert (nameless.status_code, nameless.text) == (403, "error code: 1010")
    assert moving.get("/finviz/rss.ashx").status_code == 404
    room = Newsroom(Buzz(moving.sandbox.world))
    for moment in ("2026-02-02T09:31", "2026-02-02T20:00"):
        moving.advance(moment)
        now = moving.sandbox.clock.now()
        text = moving.get("/finviz/news?v=3").text
        today = room.of_day(now.astimezone(NY).date())
        assert today
        assert all((item.url.rpartition("/")[2] in text) == (item.at <= now) for item in today)
    assert room.of_day(date(2026, 2, 1)) != room.of_day(date(2026, 2, 2))


@pytest.mark.parametrize(
    ("path", "headings"),
    [
        ("googletrends/", "<th>Ticker</th><th>Trend Score</th>"),
        ("scores/dcinsider", "<th>Ticker</th><th>DC Insider Score</th><th>Date</th><th>Return Since</th>"),
        ("sources/appratings", "<th>Ticker</th><th>App</th><th>Publisher</th><th>Rating</th><th>Count</th>"),
    ],
)
def test_scores_are_tables(path: str, headings: str, site: Any) -> None:
    answer = site.get(f"/quiver/{path}")
    assert headings in answer.text
    assert 'id="myTable"' in answer.text
    assert site.get(f"/quiver/{path}", headers={"User-Agent": "x"}).status_code == 403


def test_app_ratings_are_those_of_the_last_week(moving: Any) -> None:
    url = "/quiver-api/beta/live/appratings"
    assert moving.get(url).json() == {"detail": "Authentication credentials were not provided."}
    assert moving.get(url, headers={"Authorization": "Bearer x"}).status_code == 401
    for moment, newest in (("2026-02-02T05:59", date(2026, 2, 1)), ("2026-02-02T06:00", date(2026, 2, 2))):
        moving.advance(moment)
        rows = moving.get(url, headers=TOKEN).json()
        assert set(rows[0]) == {"Ticker", "App", "Created", "Publisher", "Rating", "Count", "Time"}
        assert {row["Time"] for row in rows} == {f"{newest - timedelta(days=back)}T06:00:00" for back in range(7)}

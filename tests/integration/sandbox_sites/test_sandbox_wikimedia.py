"""Page views."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import numpy as np

from tests.support.paths import WIRE, needs

ROOT = "/wikimedia/api/rest_v1/metrics/pageviews/per-article"


def views(
    site: Any, title: str, *, access: str = "all-access", agent: str = "user", span: str = "daily/20250601/20260131"
) -> Any:
    return site.get(f"{ROOT}/en.wikipedia/{access}/{agent}/{quote(title.replace(' ', '_'), safe='')}/{span}")


def title_with(site: Any, mark: str) -> str:
    known = site.sandbox.world.views
    return next(t for t in known.titles if mark in t and known.views[known.rows[t.replace(" ", "_")]].any())


def test_shape_equals_the_recorded_one(site: Any) -> None:
    recorded = json.loads(
        needs(
            WIRE / "wikimedia_pageviews" / "pageviews_daily_Python_programming_language_2021-01-01_03.json"
        ).read_text()
    )
    items = views(site, title_with(site, "&")).json()["items"]
    assert [list(i) for i in items[:1]] == [list(recorded["items"][0])]
    assert {k: type(v) for k, v in items[0].items()} == {k: type(v) for k, v in recorded["items"][0].items()}
    assert [i["timestamp"] for i in items] == sorted(i["timestamp"] for i in items)


def test_titles_are_found_by_their_encoded_name_only(site: Any) -> None:
    for mark in "/&?'é(":
        title = title_with(site, mark)
        answer = views(site, title)
        assert answer.status_code == 200, title
        assert answer.json()["items"][0]["article"] == title.replace(" ", "_")
    slash = title_with(site, "/").replace(" ", "_")
    answer = site.get(f"{ROOT}/en.wikipedia/all-access/user/{slash}/daily/20250601/20260131")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "invalid route"


def test_a_day_is_there_from_the_next_day_on(moving: Any) -> None:
    title = moving.sandbox.world.views.titles[0]
    stamps = [i["timestamp"] for i in views(moving, title, span="daily/20260101/20270101").json()["items"]]
    assert stamps[-1] == "2026013000"  # 31 January 01:00 UTC
    moving.advance("2026-02-01T20:00")
    assert views(moving, title, span="daily/20260101/20270101").json()["items"][-1]["timestamp"] == "2026020100"


def test_parts_add_up_exactly(site: Any) -> None:
    title = site.sandbox.world.views.titles[0]

    def count(access: str, agent: str) -> dict[str, int]:
        return {i["timestamp"]: i["views"] for i in views(site, title, access=access, agent=agent).json()["items"]}

    whole = count("all-access", "all-agents")
    agents = [count("all-access", a) for a in ("user", "spider", "automated")]
    devices = [count(a, "all-agents") for a in ("desktop", "mobile-web", "mobile-app")]
    assert (
        whole
        == {d: sum(p.get(d, 0) for p in agents) for d in whole}
        == {d: sum(p.get(d, 0) for p in devices) for d in whole}
    )


def test_days_without_readers_are_left_out(site: Any) -> None:
    known = site.sandbox.world.views
    sums = known.views[:, :244].sum(axis=1).astype(float)
    row = int(np.argmin(np.where(sums > 0, sums, np.inf)))
    stamps = views(site, known.titles[row]).json()["items"]
    counts = known.views[row, :244]
    assert len(stamps) < 244
    assert sum(i["views"] for i in stamps) == int(counts.sum())


def test_monthly_sums_only_the_days_asked_for(site: Any) -> None:
    title = site.sandbox.world.views.titles[0]
    daily = {i["timestamp"]: i["views"] for i in views(site, title).json()["items"]}
    monthly = views(site, title, span="monthly/20251101/20260115").json()["items"]
    assert [i["timestamp"] for i in monthly] == ["2025110100", "2025120100", "2026010100"]
    assert monthly[2]["views"] == sum(v for k, v in daily.items() if "20260101" <= k[:8] <= "20260115")
    answer = views(site, title, span="monthly/20260110/20260120")
    recorded = json.loads(needs(WIRE / "wikimedia_pageviews" / "error_400_no_full_months.json").read_text())
    assert answer.status_code == 400
    assert list(answer.json()) == list(recorded)
    assert answer.json()["detail"] == recorded["detail"]


def test_errors(site: Any) -> None:
    recorded = json.loads(needs(WIRE / "wikimedia_pageviews" / "error_404_unknown_article.json").read_text())
    for title in ("Nobody_Knows_This", site.sandbox.world.views.dead[0]):
        answer = views(site, title)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert {**answer.json(), "uri": ""} == {**recorded, "uri": ""}
        assert answer.json()["uri"].startswith("/metrics/pageviews/per-article/en.wikipedia/all-access/user/")
    assert views(site, "X", span="hourly/20260101/20260102").status_code == 404
    assert views(site, "X", span="daily/2026-01-01/20260102").status_code == 400
    assert views(site, "X", span="daily/20260103/20260102").status_code == 400
    assert (
        site.get(
            f"{ROOT}/en.wikipedia/all-access/user/X/daily/20260101/20260102", headers={"User-Agent": ""}
        ).status_code
        == 403
    )

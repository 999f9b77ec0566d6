"""Congress trading: API and pages."""

from __future__ import annotations

import ast
import json
import re
from datetime import date
from typing import Any

import pytest

from tests.support.paths import WIRE, needs

BEARER = {"Authorization": "Bearer sandbox"}


def api(site: Any, path: str, headers: dict[str, str] | None = None, **params: str) -> Any:
    return site.get(f"/quiver-api/beta/{path}", headers=BEARER if headers is None else headers, params=params)


def literal(text: str, name: str) -> list[list[Any]]:
    """Read the array that a page assigns to `name`."""
    start = text.index(f"let {name} = [") + len(f"let {name} = ")
    body = text[start : text.index("];\n", start) + 1]
    return list(ast.literal_eval(body.replace("NaN", "None").replace("null", "None")))


def test_rows_have_the_recorded_fields(site: Any) -> None:
    recorded = json.loads(needs(WIRE / "quiverquant" / "api_rows_quoted_2025_2026.json").read_text())
    rows = api(site, "live/congresstrading").json()
    theirs = recorded["live_congresstrading_row_2025"]
    assert list(rows[0]) == list(theirs)
    full = next(r for r in rows if r["PriceChange"] is not None)
    assert {k: type(v) for k, v in full.items() if k != "Description"} == {
        k: type(v) for k, v in theirs.items() if k != "Description"
    }
    second = api(site, "bulk/congresstrading", version="V2", page="1", page_size="50").json()
    for row in recorded["bulk_congresstrading_v2_rows_2025_partial_keys"]:
        assert set(row) <= set(second[0])
    district = next(r["District"] for r in second if r["District"])
    assert re.fullmatch(r" [A-Z]{2}\d{2}", district)


@pytest.mark.parametrize(
    ("headers", "status", "case"),
    [
        ({"Authorization": ""}, 401, "401_missing"),
        ({"Authorization": "Basic x"}, 401, "401_missing"),
        ({"Authorization": "Bearer wrong"}, 401, "401_bad"),
        ({"Authorization": "Token wrong"}, 401, "401_bad"),
    ],
)
def test_credentials(site: Any, headers: dict[str, str], status: int, case: str) -> None:
    recorded = json.loads(needs(WIRE / "quiverquant" / "api_error_bodies.json").read_text())
    answer = api(site, "live/congresstrading", headers)
    assert (answer.status_code, answer.json()) == (status, recorded[case])


def test_doors(site: Any) -> None:
    assert api(site, "live/congresstrading", {"Authorization": "Token sandbox"}).status_code == 200
    edge = api(site, "live/congresstrading", {**BEARER, "User-Agent": "pas/0.1"})
    assert (edge.status_code, edge.text) == (403, "error code: 1010")
    missing = api(site, "live/nothing")
    assert missing.status_code == 404
    assert "json" not in missing.headers["content-type"]
    assert api(site, "historical/congresstrading/NOSUCH").json() == []


def test_only_what_was_filed_is_there_newest_first(moving: Any) -> None:
    rows = api(moving, "bulk/congresstrading").json()
    filed = [r["ReportDate"] for r in rows]
    assert filed == sorted(filed, reverse=True)
    assert filed[0] <= "2026-01-30"
    moving.advance("2026-02-27T16:00")
    assert api(moving, "bulk/congresstrading").json()[0]["ReportDate"] < "2026-02-27"
    moving.advance("2026-03-31T20:00")
    later = api(moving, "bulk/congresstrading").json()
    fresh = [r for r in later if r["ReportDate"] > "2026-01-30"]
    assert len(fresh) > 20
    assert max(r["ReportDate"] for r in later) <= "2026-03-31"
    assert any(r["TransactionDate"] < "2026-01-15" for r in fresh)  # disclosed late


def test_amendments_replace_and_withdrawals_vanish(moving: Any) -> None:
    trades = moving.sandbox.world.trades
    first = [t for t in trades if t.hidden and t.hidden > date(2026, 1, 30)]
    changed = min(
        (t for t in first if any(o.id == t.id and o.visible == t.hidden for o in trades)), key=lambda t: t.filed
    )
    withdrawn = [
        t for t in first if t.hidden <= changed.hidden and not any(o.id == t.id and o is not t for o in trades)
    ]

    def shown() -> list[tuple[str, str, str]]:
        found = api(moving, "bulk/congresstrading", bioguide_id=changed.bioguide_id).json()
        return [(r["TransactionDate"], r["Range"], r["Amount"]) for r in found if r["Ticker"] == changed.symbol]

    moving.advance(f"{max(changed.visible, date(2026, 1, 31))}T20:00")
    assert (changed.traded.isoformat(), changed.amount_range, f"{changed.amount:.1f}") in shown()
    moving.advance(f"{changed.hidden}T20:00")
    (version,) = [t for t in trades if t.id == changed.id and t.visible == changed.hidden]
    assert version.amount > changed.amount
    assert (version.traded.isoformat(), version.amount_range, f"{version.amount:.1f}") in shown()
    rows = api(moving, "bulk/congresstrading", version="V2").json()
    assert {"New", "Amended"} == {r["Status"] for r in rows}
    keys = {(r["BioGuideID"], r["Ticker"], r["Traded"], r["Filed"], r["Trade_Size_USD"]) for r in rows}
    for trade in (changed, *withdrawn):
        key = (
            trade.bioguide_id,
            trade.symbol,
            trade.traded.isoformat(),
            trade.filed.isoformat(),
            f"{trade.amount:.1f}",
        )
        assert key not in keys


def test_filters_and_paging(site: Any) -> None:
    everything = api(site, "bulk/congresstrading").json()
    pages = [api(site, "bulk/congresstrading", page=str(n), page_size="200").json() for n in range(1, 10)]
    assert [r for p in pages for r in p] == everything
    assert pages[-1] == []
    symbol = everything[0]["Ticker"]
    one = api(site, f"historical/congresstrading/{symbol}").json()
    assert {r["Ticker"] for r in one} == {symbol}
    assert [r["TransactionDate"] for r in one] == sorted((r["TransactionDate"] for r in one), reverse=True)
    assert {r["BioGuideID"] for r in api(site, "bulk/congresstrading", bioguide_id="P000197").json()} == {"P000197"}
    day = everything[0]["ReportDate"]
    assert {r["ReportDate"] for r in api(site, "bulk/congresstrading", date=day.replace("-", "")).json()} == {day}
    assert api(site, "bulk/congresstrading", page="0").status_code == 404
    live = api(site, "live/congresstrading").json()
    assert max(sum(r["House"] == h for r in live) for h in ("Representatives", "Senate")) <= 500


def test_the_public_page_agrees_with_the_api(site: Any) -> None:
    text = site.get("/quiver/congresstrading/").text
    rows = literal(text, "recentTradesData")
    assert {len(r) for r in rows} == {16}
    newest = api(site, "bulk/congresstrading", page="1", page_size=str(len(rows))).json()
    assert [(r[0], r[3], r[4], r[5], r[7], r[8][:10], r[9][:10]) for r in rows] == [
        (
            r["Ticker"],
            r["Transaction"],
            r["Range"],
            r["Representative"],
            r["Party"],
            r["ReportDate"],
            r["TransactionDate"],
        )
        for r in newest
    ]
    assert text.count('<tr><td><a href="/congresstrading/stock/') == len(rows)
    assert re.search(r"<td>Jan\. \d+, 2026</td>", text)


@pytest.mark.parametrize(
    "slug", ["Nancy%20Pelosi-P000197", "Daniel%20Meuser-M001204", "Shelley%20Moore%20Capito-C001047"]
)
def test_politicians_pages(site: Any, slug: str) -> None:
    text = site.get(f"/quiver/congresstrading/politician/{slug}").text
    name, member = slug.replace("%20", " ").rsplit("-", 1)
    assert f'let bioguideID = "{member}";' in text
    assert f'let directOrderName = "{name}";' in text
    rows = literal(text, "tradeData")
    theirs = api(site, "bulk/congresstrading", bioguide_id=member).json()
    assert [(r[0], r[2][:10], r[3][:10], r[9]) for r in rows] == [
        (r["Ticker"], r["ReportDate"], r["TransactionDate"], r["Range"]) for r in theirs
    ]


def test_unknown_pages(site: Any) -> None:
    assert site.get("/quiver/congresstrading/politician/Nobody-X000000").status_code == 404
    assert site.get("/quiver/congresstrading/", headers={"User-Agent": "curl/8"}).text == "error code: 1010"

"""Finviz' news page: rows, times, symbols, and what is no such page."""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib.metadata import version
from typing import Any

import pytest

from pas_lib.clock import NY
from pas_lib.datasets import dataset
from pas_lib.errors import PayloadError
from pas_lib.ingest import parse_file
from pas_lib.sources import Batch, Payload, source
from pas_lib.sources.finviz import read_time
from pas_lib.sources.sentiment import score
from pas_lib.warehouse.bitemporal import content_hashes
from tests.support.paths import WIRE, needs

EVENING = datetime(2026, 1, 30, 20, 0, tzinfo=NY).astimezone(UTC)
SITE = source("finviz")
ROW = "styled-row is-hoverable news_table-row"


def row(
    when: str = "6 min", title: str = "Acme Wins &amp; Grows", href: str = "https://n.example/1", **more: str
) -> str:
    labels = more.get("labels", '<a class="fv-label stock-news-label" href="/stock?t=BRK-B"><span>BRK-B</span></a>')
    onclick = more.get("onclick", "")
    return (
        f'<tr class="{ROW}"><td class="news_date-cell">{when}</td><td class="news_link-cell">'
        f'<div class="news-badges-container"><a class="nn-tab-link" href="{href}" onclick="{onclick}">{title}</a>'
        f'{labels}<span class="news_date-cell">{more.get("publisher", "PR Newswire")}</span></div></td></tr>'
    )


def payload(text: str, at: datetime = EVENING) -> Payload:
    return Payload("finviz", "news_headlines", "stocks", "http://site/x", 200, "", at, {}, text.encode())


def page(*rows: str) -> Payload:
    return payload(f"<!DOCTYPE html><html><body><table><tbody>{''.join(rows)}</tbody></table></body></html>")


def parse(*rows: str) -> Batch:
    return SITE.parse(page(*rows))[0]


@pytest.mark.needs_material
def test_the_recorded_fragment():
    (record,) = parse_file("news_headlines", needs(WIRE / "finviz/news_v3_row_fragment_2025-01_real.html"))
    assert record == {
        "event_date": None,
        "url": "https://www.prnewswire.com/news-releases/mark-arnold-appointed-as-next-president-of-rasmussen-"
        "university-302353770.html",
        "symbol": "APEI",
        "headline": "Mark Arnold Appointed as Next President of Rasmussen University",
        "publisher": "PR Newswire",
        "published_at": None,
        "published_precision": None,
        "capture_date": None,
        "sentiment": 0.0,
        "sentiment_library": "vaderSentiment",
        "sentiment_version": version("vaderSentiment"),
    }


def test_a_row_gives_one_record_per_symbol():
    old = '<a class="fv-label stock-news-label is-positive-50" href="quote.ashx?t=APEI"><span>x</span></a>'
    new = '<a class="fv-label stock-news-label" data-boxover-ticker="PBF"><span>x</span></a>'
    bare = '<a class="fv-label stock-news-label"><span class="font-semibold">MOG-A</span></a>'
    batch = parse(row(labels=old + new + bare + new))
    assert batch.rejects == []
    assert [record["symbol"] for record in batch.records] == ["APEI", "PBF", "MOG.A"]
    first: dict[str, Any] = batch.records[0]
    assert first["headline"] == "Acme Wins & Grows"
    assert (first["publisher"], first["url"]) == ("PR Newswire", "https://n.example/1")
    assert (first["event_date"], first["capture_date"]) == (date(2026, 1, 30), date(2026, 1, 30))
    assert (first["published_at"], first["published_precision"]) == (
        datetime(2026, 1, 30, 19, 54, tzinfo=NY),
        "minute",
    )
    assert first["sentiment"] == score("Acme Wins & Grows").score > 0


def test_without_a_symbol_the_headline_stays():
    batch = parse(row(), row(labels="", href="https://n.example/2"))
    assert [record["symbol"] for record in batch.records] == ["BRK.B", ""]


def test_a_blank_time_continues_the_row_above():
    batch = parse(row("2 hours"), row("", href="https://n.example/2"), row("1 day", href="https://n.example/3"))
    assert [record["published_precision"] for record in batch.records] == ["hour", "hour", "day"]
    assert batch.records[0]["published_at"] == batch.records[1]["published_at"]
    assert [record["event_date"].day for record in batch.records] == [30, 30, 29]


def test_the_full_address_of_an_own_article():
    tracked = "trackAndOpenNews(event, 'Market Desk', 'https://finviz.com/news/386695/slug')"
    batch = parse(row(href="/news/1/a", onclick=tracked), row(href="/news/2/b"))
    assert [record["url"] for record in batch.records] == [
        "https://finviz.com/news/386695/slug",
        "https://finviz.com/news/2/b",
    ]


@pytest.mark.parametrize(
    ("text", "expected", "precision"),
    [
        ("6 min", datetime(2026, 1, 30, 19, 54, tzinfo=NY), "minute"),
        ("1 hour", datetime(2026, 1, 30, 19, 0, tzinfo=NY), "hour"),
        ("23 hours", datetime(2026, 1, 29, 21, 0, tzinfo=NY), "hour"),
        ("1 day", datetime(2026, 1, 29, 20, 0, tzinfo=NY), "day"),
        ("10:35AM", datetime(2026, 1, 30, 10, 35, tzinfo=NY), "minute"),
        ("12:05AM", datetime(2026, 1, 30, 0, 5, tzinfo=NY), "minute"),
        ("11:30PM", datetime(2026, 1, 29, 23, 30, tzinfo=NY), "minute"),
        ("Jan-28", datetime(2026, 1, 28, tzinfo=NY), "day"),
        ("Dec-31", datetime(2025, 12, 31, tzinfo=NY), "day"),
        ("Feb-21-25", datetime(2025, 2, 21, tzinfo=NY), "day"),
    ],
)
def test_times_count_back_from_the_fetch(text, expected, precision):
    assert read_time(text, EVENING) == (expected.astimezone(UTC), precision)


@pytest.mark.parametrize("text", ["", "soon", "Feb-30", "13 weeks", "Jan-31-26"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="is not a time of publication"):
        read_time(text, EVENING)


def test_rows_that_cannot_be_read_are_set_aside():
    label = '<a class="stock-news-label" href="/stock?t=SEE%20NOTE">x</a>'
    batch = parse(
        row(), row("soon"), row(title=" "), row(labels=label), row(href="#"), row("5 min", href="https://n.example/9")
    )
    assert [record["url"] for record in batch.records] == ["https://n.example/1", "https://n.example/9"]
    assert [reject.reason for reject in batch.rejects] == [
        "'soon' is not a time of publication",
        "the headline is empty",
        "'SEE NOTE' is not a symbol",
        "the headline has no address",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the answer is empty"),
        ("<html><title>Just a moment...</title><body></body></html>", "blocked or changed: 'Just a moment...'"),
        ("error code: 1010", "blocked or changed: 'error code: 1010'"),
        (page(row()).body.decode()[:-20], "the page is cut off"),
        (page(row().replace("news_link-cell", "x")).body.decode(), "field 'td.news_link-cell': missing in a row"),
        (page(row().replace('td class="news_date', 'td class="x')).body.decode(), "'td.news_date-cell': missing"),
        (page(row().replace("nn-tab-link", "x")).body.decode(), "nn-tab-link, a.tab-link': missing in a row"),
        (
            page(row().replace('span class="news_date', 'span class="x')).body.decode(),
            "no headline names its publisher",
        ),
        (page(row(labels="")).body.decode(), "no headline names a symbol"),
    ],
)
def test_another_layout_is_refused_in_one_line(text, said):
    with pytest.raises(PayloadError) as caught:
        SITE.check(payload(text))
    message = str(caught.value)
    assert said in message
    assert message.startswith("finviz: ")
    assert message.endswith(" in http://site/x")
    assert "\n" not in message


def test_only_an_edited_headline_is_news():
    data = dataset("news_headlines")

    def digest(text: str, at: datetime = EVENING, **changes: Any) -> str:
        record = SITE.parse(payload(page(text).body.decode(), at))[0].records[0]
        return str(content_hashes(data, data.records_table([{**record, **changes}]))[0].as_py())

    stated = digest(row("6 min"))
    later = datetime(2026, 1, 31, 20, 0, tzinfo=NY).astimezone(UTC)
    assert digest(row("1 day", publisher="Elsewhere"), later, sentiment=0.1, sentiment_version="9") == stated
    assert digest(row("6 min", title="Acme Wins")) != stated


def test_scores_say_what_made_them():
    good, bad, none = score("Acme beats estimates, great quarter"), score("Acme fraud lawsuit"), score("Acme files")
    assert good.score > 0.3
    assert bad.score < -0.3
    assert none.score == 0.0
    assert (good.library, good.version) == ("vaderSentiment", version("vaderSentiment"))
    assert score("Mark Arnold wins") == score("Mark Arnold wins")

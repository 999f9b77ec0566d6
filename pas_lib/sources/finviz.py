"""Finviz' news page of stocks: headlines with the symbols they are about.

There is no history: the page shows about the last day, with times relative to the moment it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from pas_lib import clock
from pas_lib.sources.base import UNKNOWN_TIME, Ask, Batch, Payload, Reject, Request, Source, base_url, excerpt
from pas_lib.sources.capture import capture_session
from pas_lib.sources.members import canonical
from pas_lib.sources.sentiment import score

_HOST = "https://finviz.com"
_RELATIVE = re.compile(r"(\d+)\s*(min|hour|day)(?:ute)?s?(?:\s+ago)?$", re.I)
_CLOCK = re.compile(r"(\d{1,2}):(\d\d)\s*([AP]M)$", re.I)
_DATE = re.compile(r"([A-Z][a-z]{2})-(\d{1,2})(?:-(\d\d))?$")
_TRACKED = re.compile(r"trackAndOpenNews\(\s*event\s*,\s*'(?:[^'\\]|\\.)*'\s*,\s*'([^']+)'")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEP = {"min": ("minute", timedelta(minutes=1)), "hour": ("hour", timedelta(hours=1)), "day": ("day", timedelta(1))}


class Finviz(Source):
    """``/news.ashx?v=3``, which leads on to ``/news?v=3``."""

    name = "finviz"
    site = "finviz"
    host = _HOST

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield the one request."""
        url = f"{base_url(self, ask.settings)}/news.ashx"
        yield Request(self.name, ask.dataset, "stocks", url, params={"v": "3"})

    def recognises(self, body: bytes) -> bool:
        """Return whether a body is the news page, or a part of it."""
        return b"news_link-cell" in body or b"news_table-row" in body

    def check(self, payload: Payload) -> None:
        """Refuse a page without headlines: it is a block page or a new layout, not a quiet day."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return one record per headline and symbol."""
        text = payload.body.decode("utf-8", "replace")
        # A bare cell is dropped by HTML parsers: a fragment of the page is put where it belongs.
        fragment = text.lstrip().startswith("<td")
        if fragment:
            text = f"<html><table><tr class='news_table-row'>{text}</tr></table></html>"
        if not text.strip():
            raise payload.error("the answer is empty")
        tree = LexborHTMLParser(text)
        rows = tree.css("tr.news_table-row")
        if not rows:
            title = tree.css_first("title")
            said = title.text(strip=True) if title is not None else excerpt(payload.body)
            raise payload.error(f"blocked or changed: {said!r}", field_name="tr.news_table-row")
        if "</html" not in text[-2000:].lower():
            raise payload.error("the page is cut off")
        records: list[dict[str, Any]] = []
        rejects: list[Reject] = []
        shown, published, labels = "", False, 0
        for row in rows:
            cell = _one(payload, row, "td.news_link-cell")
            link = _one(payload, cell, "a.nn-tab-link, a.tab-link")
            if not fragment:
                # Blank on a row that continues the one above.
                shown = _one(payload, row, "td.news_date-cell").text(strip=True) or shown
            spans = cell.css("span.news_date-cell")
            published = published or bool(spans)
            record = {
                "headline": " ".join(link.text().split()),
                "publisher": spans[-1].text(strip=True) or None if spans else None,
            }
            tickers = [_ticker(label) for label in cell.css("a.stock-news-label")]
            labels += len(tickers)
            try:
                common = {**record, "url": _address(link), **_when(payload, shown, fragment)}
                found = [canonical(ticker) for ticker in tickers] or [""]
            except ValueError as error:
                rejects.append(Reject({**record, "time": shown, "symbols": tickers}, str(error)))
                continue
            if not record["headline"]:
                rejects.append(Reject(common, "the headline is empty"))
                continue
            mood = score(str(record["headline"]))
            common |= {
                "sentiment": mood.score,
                "sentiment_library": mood.library,
                "sentiment_version": mood.version,
            }
            records.extend({**common, "symbol": symbol} for symbol in dict.fromkeys(found))
        if not published:
            raise payload.error("no headline names its publisher", field_name="span.news_date-cell")
        if not labels:
            raise payload.error("no headline names a symbol", field_name="a.stock-news-label")
        return [Batch("news_headlines", records=records, rejects=rejects)]


def _one(payload: Payload, node: Any, selector: str) -> Any:
    found = node.css_first(selector)
    if found is None:
        raise payload.error("missing in a row", field_name=selector)
    return found


def _address(link: Any) -> str:
    href = str(link.attributes.get("href") or "").strip()
    if not urlsplit(href).netloc:
        tracked = _TRACKED.search(link.attributes.get("onclick") or "")
        href = str(tracked[1]) if tracked else href
    if not href or href.startswith(("#", "javascript:")):
        raise ValueError("the headline has no address")
    return str(urljoin(f"{_HOST}/", href))


def _ticker(label: Any) -> str:
    asked = parse_qs(urlsplit(label.attributes.get("href") or "").query).get("t")
    return str(asked[0] if asked else label.attributes.get("data-boxover-ticker") or label.text(strip=True))


def _when(payload: Payload, shown: str, fragment: bool) -> dict[str, Any]:
    session = capture_session(payload)
    if fragment or payload.fetched_at == UNKNOWN_TIME:
        return {"event_date": session, "capture_date": session, "published_at": None, "published_precision": None}
    at, precision = read_time(shown, payload.fetched_at)
    return {
        "event_date": at.astimezone(clock.NY).date(),
        "capture_date": session,
        "published_at": at,
        "published_precision": precision,
    }


def read_time(text: str, fetched_at: datetime) -> tuple[datetime, str]:
    """Return when something was published, in UTC and never after it was fetched, and how precisely that is known.

    ``6 min``, ``2 hours`` and ``1 day`` count back from the fetch; ``10:35AM`` is the last such time in New York;
    ``Feb-21`` is the last such day, from its beginning.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    here = fetched_at.astimezone(clock.NY)
    if found := _RELATIVE.match(text):
        precision, step = _STEP[found[2].lower()]
        at = fetched_at - int(found[1]) * step
        return at.astimezone(UTC).replace(second=0, microsecond=0), precision
    if found := _CLOCK.match(text):
        hour = int(found[1]) % 12 + (12 if found[3].upper() == "PM" else 0)
        local = datetime.combine(here.date(), time(hour, int(found[2])), clock.NY)
        if local > here:
            local = datetime.combine(here.date() - timedelta(days=1), time(hour, int(found[2])), clock.NY)
        return local.astimezone(UTC), "minute"
    if (found := _DATE.match(text)) and found[1] in _MONTHS:
        month, day = _MONTHS.index(found[1]) + 1, int(found[2])
        years = [2000 + int(found[3])] if found[3] else [here.year, here.year - 1]
        for year in years:
            try:
                stated = date(year, month, day)
            except ValueError:
                continue
            if stated <= here.date():
                return clock.ny_midnight(stated).astimezone(UTC), "day"
    raise ValueError(f"{text!r} is not a time of publication")


SOURCE = Finviz()

"""Finviz' news page of stocks."""

# ruff: noqa: E501 - lines of markup are kept whole

from __future__ import annotations

import html
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.buzz import Buzz
from pas_lib.sandbox.headlines import Headline, Newsroom
from pas_lib.sandbox.sites.base import Context, reply

ROWS: Final = 90
DAYS: Final = 2
HTML: Final = "text/html; charset=utf-8"
ROW: Final = (
    "styled-row is-hoverable is-bordered is-rounded is-border-top is-hover-borders has-color-text news_table-row"
)


class Finviz:
    """``/news?v=3``, and ``/news.ashx`` that leads there."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.newsroom = Newsroom(Buzz(context.world))
        self._page: tuple[datetime, str] | None = None

    async def answer(self, request: Request) -> Response:
        """Answer one page."""
        if "mozilla/" not in request.headers.get("user-agent", "").lower():
            return reply("error code: 1010", 403, "text/plain; charset=UTF-8")
        path = request.path_params["path"].strip("/")
        query = f"?{request.url.query}" if request.url.query else ""
        if path == "news.ashx":
            return reply("", 301, HTML, location=f"/finviz/news{query}")
        if path != "news" or request.query_params.get("v") != "3":
            return reply("<!DOCTYPE html>\n<html><head><title>404</title></head><body></body></html>\n", 404, HTML)
        now = self.context.now
        if self._page is None or self._page[0] != now:
            self._page = (now, self._render(now))
        return reply(self._page[1], 200, HTML)

    def _render(self, now: datetime) -> str:
        rows, above = [], ""
        for item in self.newsroom.before(now, DAYS)[:ROWS]:
            shown = age(item.at, now)
            rows.append(self._row(item, "" if shown == above else shown))
            above = shown
        body = "\n".join(rows)
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Stock Market News</title></head><body>\n'
            f'<table class="styled-table-new is-rounded table-fixed"><tbody>\n{body}\n</tbody></table>\n</body></html>\n'
        )

    def _row(self, item: Headline, shown: str) -> str:
        day = item.at.astimezone(NY).date()
        title, url = html.escape(item.title, quote=False), html.escape(item.url)
        full = url if url.startswith("http") else f"https://finviz.com{url}"
        labels = "".join(self._label(listing.symbol_on(day).replace(".", "-")) for listing in item.listings)
        return (
            f'<tr class="{ROW}"><td class="news_date-cell color-text is-muted text-right">{shown}</td>'
            '<td class="news_link-cell"><div class="news-badges-container">'
            f'<a href="{url}" onclick="trackAndOpenNews(event, \'{item.publisher}\', \'{full}\')" target="_blank" class="nn-tab-link" rel="nofollow">{title}</a>'
            f'{labels}<span class="news_date-cell color-text is-muted text-right">{item.publisher}</span></div></td></tr>'
        )

    @staticmethod
    def _label(ticker: str) -> str:
        return (
            f'<a href="/stock?t={ticker}" data-boxover-ticker="{ticker}" data-boxover="cssbody=[hoverchart] body=[<img src=\'c?t={ticker}\'><b>x</b>]"'
            f' class="fv-label stock-news-label is-neutral"><span class="select-none font-semibold">{ticker}</span></a>'
        )


def age(at: datetime, now: datetime) -> str:
    """Write how long ago something was, as the page does."""
    minutes = int((now - at).total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        hours = minutes // 60
        return f"{hours} hour{'s' if hours > 1 else ''}"
    return "1 day" if minutes < 48 * 60 else at.astimezone(NY).strftime("%b-%d")

"""Index constituents: two Wikipedia pages and the holdings file of a fund."""

# ruff: noqa: E501 - lines of markup and of recorded oddities are kept whole

from __future__ import annotations

import html
from datetime import date
from typing import Final
from urllib.parse import quote, unquote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pas_lib import clock as calendar
from pas_lib.clock import NY
from pas_lib.sandbox.roster import IndexChange, Listing
from pas_lib.sandbox.sites.base import Context, nameless, raw_path, reply

PAGES: Final = {"List_of_S&P_500_companies": "sp500", "List_of_S&P_400_companies": "sp400"}
HTML: Final = "text/html; charset=UTF-8"


def _link(title: str, text: str | None = None) -> str:
    shown = html.escape(text or title, quote=False)
    return f'<a href="/wiki/{quote(title.replace(" ", "_"), safe="/(),.:!~")}" title="{html.escape(title)}">{shown}</a>'


def _quote_link(item: Listing, symbol: str) -> str:
    url = (
        f"https://www.nyse.com/quote/XNYS:{symbol}"
        if item.exchange == "NYSE"
        else f"https://www.nasdaq.com/market-activity/stocks/{symbol.lower()}"
    )
    return f'<a rel="nofollow" class="external text" href="{url}">{symbol}</a>'


def _note(number: int) -> str:
    return (
        f'<sup id="cite&#95;ref-{number}" class="reference"><a href="#cite_note-{number}"><span class="cite-bracket">&#91;</span>'
        f'{number}<span class="cite-bracket">&#93;</span></a></sup>'
    )


class Wikipedia:
    """The two list pages, as pages and through ``api.php``; rendered once a day."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._cache: dict[tuple[str, date], str] = {}

    async def page(self, request: Request) -> Response:
        """Answer ``/wiki/{title}``."""
        if nameless(request):
            return reply("Please set a user-agent and respect our robot policy.\n", 403, "text/plain")
        title = unquote(raw_path(request).removeprefix("/wikipedia").removeprefix("/wiki/"))
        if title not in PAGES:
            return reply(
                "<!DOCTYPE html><html><body><p>Wikipedia does not have an article with this exact name.</p></body></html>",
                404,
                HTML,
            )
        index = PAGES[title]
        name = html.escape(title.replace("_", " "), quote=False)
        body = self._tables(index)
        return reply(
            f'<!DOCTYPE html>\n<html class="client-nojs" lang="en" dir="ltr">\n<head>\n<meta charset="UTF-8">\n'
            f'<title>{name} - Wikipedia</title>\n<meta name="generator" content="MediaWiki 1.46.0-wmf.26">\n'
            f'<link rel="canonical" href="https://en.wikipedia.org/wiki/{quote(title)}">\n</head>\n<body>\n{body}\n</body>\n</html>\n',
            200,
            HTML,
            last_modified=self._modified(),
        )

    async def api(self, request: Request) -> Response:
        """Answer ``/w/api.php?action=parse``."""
        if nameless(request):
            return reply("Please set a user-agent and respect our robot policy.\n", 403, "text/plain")
        query = request.query_params
        title = query.get("page", "").replace(" ", "_")
        if query.get("action") != "parse" or query.get("format") != "json":
            return reply({"error": {"code": "badvalue", "info": 'Unrecognized value for parameter "action".'}})
        if title not in PAGES:
            return reply({"error": {"code": "missingtitle", "info": "The page you specified doesn't exist."}})
        text = f'<div class="mw-content-ltr mw-parser-output" lang="en" dir="ltr">{self._tables(PAGES[title])}</div>'
        content = {
            "title": title.replace("_", " "),
            "pageid": 2676045,
            "text": text if query.get("formatversion") == "2" else {"*": text},
        }
        return reply({"parse": content})

    def _modified(self) -> str:
        return f"{self.context.today:%a, %d %b %Y} 05:00:00 GMT"

    def _tables(self, index: str) -> str:
        key = (index, self.context.today)
        if key not in self._cache:
            self._cache = {k: v for k, v in self._cache.items() if k[1] == key[1]}
            self._cache[key] = self._constituents(*key) + self._changes(*key)
        return self._cache[key]

    def _constituents(self, index: str, day: date) -> str:
        roster = self.context.world.roster
        added = {c.added: c.effective for c in roster.changes if c.index == index and c.added and c.effective <= day}
        rows = []
        members = sorted(roster.members(index, day), key=lambda x: x.name_on(day).casefold())
        for number, item in enumerate(members):
            symbol = item.symbol_on(day)
            name, title = item.name_on(day), item.title_on(day)
            security = _link(title, name) + (f" {item.label}" if item.label else "")
            city, _, state = item.place.partition(", ")
            place = _link(item.place, city) + f", {state}" if number % 3 else _link(item.place)
            sector, industry = html.escape(item.sector), html.escape(item.industry)
            entry = added.get(item.slot, item.added)
            when = entry.isoformat() if entry else ""
            if index == "sp500":
                cik = f"{item.cik}\n" if number % 13 == 5 else item.cik
                note = _note(9) if number % 97 == 11 and when else ""
                rows.append(
                    f"<tr>\n<td>{_quote_link(item, symbol)}\n</td>\n<td>{security}</td>\n<td>{sector}</td>\n<td>{industry}</td>\n"
                    f"<td>{place}</td>\n<td>{when}{note}</td>\n<td>{cik}</td>\n<td>{html.escape(item.founded)}\n</td></tr>"
                )
            else:
                rows.append(
                    f"<tr>\n<td>{_quote_link(item, symbol)}\n</td>\n<td>{security}\n</td>\n<td>{sector}\n</td>\n<td>{industry}\n</td>\n"
                    f'<td>{place}\n</td>\n<td><a rel="nofollow" class="external text" '
                    f'href="https://www.sec.gov/cgi-bin/browse-edgar?CIK={symbol}&amp;action=getcompany">view</a>\n</td></tr>'
                )
        gics = (
            '<a href="/wiki/Global_Industry_Classification_Standard" title="Global Industry Classification Standard">GICS</a> '
            "Sector"
        )
        first = '<th><a href="/wiki/Ticker_symbol" title="Ticker symbol">Symbol</a>\n</th>'
        if index == "sp500":
            heads = (
                f"{first}\n<th>Security</th>\n<th>{gics}</th>\n<th>GICS Sub-Industry</th>\n<th>Headquarters Location</th>\n"
                '<th>Date added</th>\n<th><a href="/wiki/Central_Index_Key" title="Central Index Key">CIK</a></th>\n<th>Founded\n</th>'
            )
            kind = "wikitable sortable mw-collapsible sticky-header"
        else:
            heads = (
                f"{first}\n<th>Security\n</th>\n<th>{gics}\n</th>\n<th>GICS Sub-Industry\n</th>\n"
                "<th>Headquarters Location\n</th>\n<th>SEC filings\n</th>"
            )
            kind = "wikitable sortable sticky-header"
        joined = "\n".join(rows)
        return f'<table class="{kind}" id="constituents">\n\n<tbody><tr>\n{heads}</tr>\n{joined}</tbody></table>\n'

    def _changes(self, index: str, day: date) -> str:
        roster = self.context.world.roster
        known = [c for c in roster.changes if c.index == index and c.effective <= day]
        rows = []
        for number, change in enumerate(sorted(known, key=lambda c: c.effective, reverse=True)):
            cells = [f"{change.effective:%B} {change.effective.day}, {change.effective.year}"]
            for slot in (change.added, change.removed):
                item = roster.by_slot(slot)[0] if slot else None
                cells += (
                    [
                        item.symbol_on(change.effective),
                        _link(item.title_on(change.effective), item.name_on(change.effective)),
                    ]
                    if item
                    else ["", ""]
                )
            cells.append(
                html.escape(self._reason(change), quote=False)
                + _note(number + 6)
                + (_note(40 + number) if number % 3 == 1 else "")
            )
            end = "\n" if number % 2 else ""
            rows.append(
                "<tr>\n"
                + "\n".join(f"<td>{c}{end if c or number % 2 else chr(10)}</td>" for c in cells[:-1])
                + f"\n<td>{cells[-1]}\n</td></tr>"
            )
        name = "Effective Date" if index == "sp500" else "Date"
        heads = (
            f'<tr>\n<th data-sort-type="date" rowspan="2">{name}\n</th>\n<th colspan="2">Added\n</th>\n<th colspan="2">Removed\n</th>\n'
            '<th rowspan="2">Reason\n</th></tr>\n<tr>\n<th>Ticker</th>\n<th>Security</th>\n<th>Ticker</th>\n<th>Security\n</th></tr>'
        )
        title = "S&amp;P 500" if index == "sp500" else "S&amp;P 400"
        joined = "\n".join(rows)
        return (
            f'<div class="mw-heading mw-heading2"><h2>Selected changes to the list of {title} components</h2></div>\n'
            f'<table class="wikitable sortable" id="changes">\n\n<tbody>{heads}\n{joined}</tbody></table>'
        )

    def _reason(self, change: IndexChange) -> str:
        roster = self.context.world.roster

        def name(slot: str | None) -> str:
            return roster.by_slot(slot)[0].name_on(change.effective) if slot else ""

        others = roster.by_slot("L0") or roster.listings[:1]
        return change.reason.format(added=name(change.added), removed=name(change.removed), other=others[0].name)


class Ishares:
    """``latest-holdings.csv`` of the Russell 2000 fund: yesterday's holdings, with the rows that are no shares."""

    PATH: Final = "us/products/239710/ishares-russell-2000-etf/latest-holdings.csv"

    def __init__(self, context: Context) -> None:
        self.context = context
        self._cache: dict[date, bytes] = {}

    async def answer(self, request: Request) -> Response:
        """Answer one request; the retired address gives the product page with status 200, as it does since May 2026."""
        path = request.path_params["path"]
        if path == self.PATH:
            day = self._as_of()
            if day not in self._cache:
                self._cache = {day: self._file(day)}
            return reply(self._cache[day], 200, "text/csv", cache_control="max-age=300")
        if path.startswith("us/products/239710/"):
            page = '<!DOCTYPE html>\n<html lang="en-US"><head><title>iShares Russell 2000 ETF | IWM</title></head><body></body></html>\n'
            return reply(page, 200, "text/csv" if path.endswith(".ajax") else "text/html")
        return reply("<!DOCTYPE html><html><body>Not found</body></html>", 404, "text/html")

    def _as_of(self) -> date:
        """Return the session before today's morning: holdings of a day are published the next business morning."""
        local = self.context.now.astimezone(NY)
        day = calendar.session_on_or_before(local.date())
        if day == local.date() or local.hour < 7:
            day = calendar.previous_session(day)
        return day

    def _file(self, day: date) -> bytes:
        world = self.context.world
        at = world.grid.index_of(day)
        holdings: list[tuple[float, str]] = []
        members = world.roster.members("russell2000", day)
        total = 0.0
        values = []
        for item in members:
            closes = world.market.close[item.row, : (at or 0) + 1]
            known = closes[~np.isnan(closes)]
            price = float(known[-1]) if known.size else 0.0
            factor = float(world.market.factors[item.row, at or 0])
            quantity = round(item.shares * 0.021 * factor)
            values.append((item, price, quantity))
            total += price * quantity
        scale = total / 0.994 if total else 1.0
        for item, price, quantity in values:
            symbol = item.symbol_on(day).replace(".", "")
            name = f"{item.name_on(day)} {item.label}".strip().upper()
            exchange = "NYSE" if item.exchange == "NYSE" else "NASDAQ"
            worth = price * quantity
            holdings.append(
                (
                    worth,
                    _row(
                        symbol,
                        name,
                        item.sector,
                        "Equity",
                        worth,
                        worth / scale,
                        worth,
                        quantity,
                        price,
                        "United States",
                        exchange,
                    ),
                )
            )
        first = members[0].symbol_on(day).replace(".", "") if members else "ABC"
        year = day.year % 10
        odd = [
            (
                4.5e6,
                _row(
                    "XTSLA",
                    "BLK CSH FND TREASURY SL AGENCY",
                    "Cash and/or Derivatives",
                    "Money Market",
                    4.5e6,
                    0.0056,
                    4.5e6,
                    4.5e6,
                    1.0,
                    "United States",
                    "-",
                ),
            ),
            (
                1.3e4,
                _row(
                    "INVQ",
                    "INVOQUILL INC CVR",
                    "Health Care",
                    "Equity",
                    1.3e4,
                    0.0,
                    1.3e4,
                    7944,
                    1.67,
                    "United States",
                    "NO MARKET (E.G. UNLISTED)",
                ),
            ),
            (
                9.0e3,
                _row(
                    first,
                    "CHIMEROOK THERAPEUTICS INC CVR",
                    "Health Care",
                    "Equity",
                    9.0e3,
                    0.0,
                    9.0e3,
                    17647,
                    0.51,
                    "United States",
                    "NO MARKET (E.G. UNLISTED)",
                ),
            ),
            (
                2.4e5,
                _row(
                    "MSFUT",
                    "CASH COLLATERAL MSFUT USD",
                    "Cash and/or Derivatives",
                    "Cash Collateral and Margins",
                    2.4e5,
                    0.0003,
                    2.4e5,
                    2.4e5,
                    100.0,
                    "United States",
                    "-",
                    accrual="Feb 01, 2009",
                ),
            ),
            (
                10.02,
                _row(
                    "GS",
                    "CASH COLLATERAL USD GS",
                    "Cash and/or Derivatives",
                    "Cash Collateral and Margins",
                    10.02,
                    0.0,
                    10.02,
                    10,
                    100.0,
                    "United States",
                    "-",
                    accrual="Dec 18, 2013",
                ),
            ),
            (
                0.12,
                _row(
                    "PDXI",
                    "PADLEX BIOPHARMA INC",
                    "Health Care",
                    "Equity",
                    0.12,
                    0.0,
                    0.12,
                    11853,
                    0.0,
                    "United States",
                    "NASDAQ",
                ),
            ),
            (
                0.26,
                _row(
                    "P5N994",
                    "Petrocrop Inc Escrow",
                    "Energy",
                    "Equity",
                    0.26,
                    0.0,
                    0.26,
                    26106,
                    0.0,
                    "United States",
                    "Non-Nms Quotation Service (Nnqs)",
                ),
            ),
            (
                1.31,
                _row(
                    "-",
                    "OMNIVAB INC $12.50 VESTING Prvt",
                    "Health Care",
                    "Equity",
                    1.31,
                    0.0,
                    1.31,
                    130676,
                    0.0,
                    "United States",
                    "NO MARKET (E.G. UNLISTED)",
                ),
            ),
            (
                0.0,
                _row(
                    f"RTY{'HMUZ'[(day.month - 1) // 3]}{year}",
                    "RUSSELL 2000 EMINI CME",
                    "Cash and/or Derivatives",
                    "Futures",
                    0.0,
                    0.0,
                    3.0e6,
                    20,
                    2973.5,
                    "-",
                    "Chicago Mercantile Exchange",
                ),
            ),
            (
                0.01,
                _row(
                    "CAD",
                    "CAD CASH",
                    "Cash and/or Derivatives",
                    "Cash",
                    0.01,
                    0.0,
                    0.01,
                    0,
                    71.36,
                    "Canada",
                    "-",
                    currency="1.40",
                    market="CAD",
                ),
            ),
            (
                -2.5e6,
                _row(
                    "USD",
                    "USD CASH",
                    "Cash and/or Derivatives",
                    "Cash",
                    -2.5e6,
                    -0.0032,
                    -2.5e6,
                    -2.5e6,
                    100.0,
                    "United States",
                    "-",
                ),
            ),
        ]
        lines = [text for _, text in sorted(holdings + odd, key=lambda pair: -pair[0])]
        if len(lines) > 6:
            lines[2], lines[5] = lines[5], lines[2]  # the order by weight is not guaranteed
        head = [
            "iShares Russell 2000 ETF",
            f'Fund Holdings as of,"{day:%b %d, %Y}"',
            'Inception Date,"May 22, 2000"',
            'Shares Outstanding,"279,100,000.00"',
            'Stock,"-"',
            'Bond,"-"',
            'Cash,"-"',
            'Other,"-"',
            "",
            "Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Notional Value,Quantity,Price,Location,Exchange,Currency,"
            "FX Rate,Market Currency,Accrual Date",
        ]
        return ("\n".join(head + lines) + "\n\n").encode()


def _row(
    ticker: str,
    name: str,
    sector: str,
    kind: str,
    value: float,
    weight: float,
    notional: float,
    quantity: float,
    price: float,
    location: str,
    exchange: str,
    *,
    currency: str = "1.00",
    market: str = "USD",
    accrual: str = "-",
) -> str:
    cells = [
        ticker,
        name,
        sector,
        kind,
        f"{value:,.2f}",
        f"{100 * weight:.2f}",
        f"{notional:,.2f}",
        f"{quantity:,.2f}",
        f"{price:,.2f}",
        location,
        exchange,
        "USD",
        currency,
        market,
        accrual,
    ]
    return ",".join(f'"{cell}"' for cell in cells)

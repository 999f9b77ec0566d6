"""QuiverQuant: the paid JSON API and the public pages."""

# ruff: noqa: E501 - lines of markup and of recorded oddities are kept whole

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from pas_lib.clock import NY
from pas_lib.sandbox.congress import Trade
from pas_lib.sandbox.insiders import Filing, InsiderFilings, Line
from pas_lib.sandbox.sites.base import Context, reply
from pas_lib.sandbox.sites.washington import Washington

TOKEN: Final = "sandbox"  # noqa: S105 - the sandbox's own, no secret
UPLOAD_HOUR: Final = 17
LIVE_ROWS: Final = 500
PAGE_ROWS: Final = 300
INSIDER_ROWS: Final = 200
UPLOAD_LAG: Final = timedelta(seconds=49)
HTML: Final = "text/html; charset=utf-8"


class Disclosures:
    """What is disclosed at the clock's time, newest first; shared by API and pages."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._seen: tuple[date, list[Trade]] | None = None
        market = context.world.market
        adjusted = market.close * market.factors
        at = np.where(np.isnan(adjusted), 0, np.arange(adjusted.shape[1]))
        np.maximum.accumulate(at, axis=1, out=at)
        self._closes = np.take_along_axis(adjusted, at, axis=1)
        self._spy = context.world.roster.by_slot("SPY")[0].row

    def visible(self) -> list[Trade]:
        """Return the trades published by now: filings of a day from 17:00 New York on, as last amended."""
        local = self.context.now.astimezone(NY)
        day = local.date() if local.hour >= UPLOAD_HOUR else local.date() - timedelta(days=1)
        if self._seen is None or self._seen[0] != day:
            found = [t for t in self.context.world.trades if t.visible <= day and (t.hidden is None or t.hidden > day)]
            self._seen = (day, sorted(found, key=lambda t: (t.filed, t.id), reverse=True))
        return self._seen[1]

    def changes(self, trade: Trade) -> tuple[float | None, float | None, float | None]:
        """Return price change, SPY's, and excess, in percent since the trade, with today's prices, as the site does."""
        world = self.context.world
        last = world.bars_at(self.context.now) - 1
        at = world.grid.first_at_or_after(trade.traded)
        if trade.row < 0 or at > last or last < 0:
            return None, None, None
        gains = []
        for row in (trade.row, self._spy):
            before, after = self._closes[row, at], self._closes[row, last]
            gains.append(float(100 * (after / before - 1)) if before == before and after == after else None)
        if gains[0] is None or gains[1] is None:
            return gains[0], gains[1], None
        return gains[0], gains[1], gains[0] - gains[1]


class Insiders:
    """What insiders reported, newest first, as API and page show it: transactions in shares on Form 4."""

    def __init__(self, context: Context, filings: InsiderFilings) -> None:
        self.context = context
        self.filings = filings

    def visible(self) -> list[tuple[Filing, Line]]:
        """Return the lines taken over by now, a minute after their filing."""
        found = self.filings.visible(self.context.now - UPLOAD_LAG)
        return [(filing, line) for filing in reversed(found) for line in filing.lines]

    def api(self, query: dict[str, str]) -> Response:
        """Answer ``/live/insiders``."""
        rows = self.visible()
        if query.get("ticker"):
            rows = [r for r in rows if r[0].listing.symbol_on(r[0].filed) == query["ticker"].upper()]
        if query.get("date"):
            rows = [r for r in rows if f"{r[1].day:%Y%m%d}" == query["date"]]
        if query.get("uploaded"):
            rows = [r for r in rows if f"{r[0].filed:%Y%m%d}" == query["uploaded"]]
        try:
            page, size = int(query.get("page", 1)), int(query.get("page_size", 1000))
        except ValueError:
            return reply({"detail": "Invalid page."}, 404)
        if page < 1 or size < 1:
            return reply({"detail": "Invalid page."}, 404)
        return reply([self._row(*r) for r in rows[(page - 1) * size : page * size]])

    @staticmethod
    def _row(filing: Filing, line: Line) -> dict[str, Any]:
        owner, local = filing.owners[0], filing.accepted.astimezone(NY)
        return {
            "Ticker": filing.listing.symbol_on(filing.filed),
            "Date": f"{line.day}T00:00:00.000",
            "Name": owner.name.upper(),
            "AcquiredDisposedCode": line.acquired,
            "TransactionCode": line.code,
            "Shares": line.shares,
            "PricePerShare": line.price,
            "SharesOwnedFollowing": line.following,
            "fileDate": f"{local:%Y-%m-%dT%H:%M:%S}.000",
            "officerTitle": owner.title or None,
            "isDirector": owner.director,
            "isOfficer": owner.officer,
            "isTenPercentOwner": owner.tenth,
            "isOther": False,
            "directOrIndirectOwnership": line.ownership,
            "uploaded": f"{local + UPLOAD_LAG:%Y-%m-%dT%H:%M:%S}.820",
        }

    def page(self) -> str:
        """Return the page of insiders: its script holds the newest purchases and sales as Python writes them."""
        rows = [
            {
                "rptOwnerName": filing.owners[0].name.title(),
                "rptOwnerCik": filing.owners[0].cik,
                "officerTitle": filing.owners[0].title or "-",
                "issuerTradingSymbol": filing.listing.symbol_on(filing.filed),
                "transactionCode": "Purchase" if line.code == "P" else "Sale",
                "transactionShares": line.shares,
                "transactionPricePerShare": line.price,
                "transactionValue": None if line.price is None else line.shares * line.price,
                "transactionDate": f"{line.day:%b} {line.day.day}, {line.day.year}",
                "fileDate": f"{filing.accepted.astimezone(NY):%b %d, %Y (%I:%M %p)}",
            }
            for filing, line in self.visible()
            if line.code in "PS"
        ]
        recent = ",\n".join(repr(row) for row in rows[:INSIDER_ROWS])
        top = sorted(rows[:1000], key=lambda row: -float(row["transactionValue"] or 0.0))[:10]
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Insider Trading - Quiver Quantitative</title></head><body>\n'
            f"<script>\nlet recentInsiderTransactionsData = [{recent}];\nlet topMonthlyInsiderTransactionsData = {top!r};\n</script>\n"
            '<table id="recentInsiderTransactionsTable"><thead><tr><th>Stock</th></tr></thead><tbody></tbody></table>\n</body></html>\n'
        )


class QuiverApi:
    """``/beta/{live|historical|bulk}/congresstrading`` and ``/beta/live/insiders``."""

    def __init__(self, context: Context, disclosures: Disclosures, insiders: Insiders, washington: Washington) -> None:
        self.context = context
        self.disclosures = disclosures
        self.insiders = insiders
        self.washington = washington
        self._rows: dict[tuple[int, date, str], dict[str, Any]] = {}

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if "mozilla/" not in request.headers.get("user-agent", "").lower():
            return reply("error code: 1010", 403, "text/plain; charset=UTF-8")
        scheme, _, key = request.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() not in ("bearer", "token") or not key.strip():
            return reply({"detail": "Authentication credentials were not provided."}, 401)
        if key.strip() != TOKEN:
            return reply({"detail": "Invalid token."}, 401)
        parts = request.path_params["path"].strip("/").split("/")
        query = request.query_params
        found_there = self.washington.quiver_api(parts, dict(query))
        if found_there is not None:
            return found_there
        trades = self.disclosures.visible()
        if parts == ["live", "congresstrading"]:
            who = query.get("representative")
            trades = [t for t in trades if who is None or t.politician == who]
            shown = [*self._newest(trades, "Representatives"), *self._newest(trades, "Senate")]
            return reply([self._v1(t) for t in sorted(shown, key=lambda t: (t.filed, t.id), reverse=True)])
        if len(parts) == 3 and parts[:2] == ["historical", "congresstrading"]:
            found = [t for t in trades if t.symbol == parts[2]]
            return reply([self._v1(t) for t in sorted(found, key=lambda t: (t.traded, t.id), reverse=True)])
        if parts == ["bulk", "congresstrading"]:
            return self._bulk(trades, dict(query))
        if parts == ["live", "insiders"]:
            return self.insiders.api(dict(query))
        return reply(
            "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body><h1>Not Found</h1></body></html>\n",
            404,
            HTML,
        )

    @staticmethod
    def _newest(trades: Iterable[Trade], chamber: str) -> list[Trade]:
        return [t for t in trades if t.chamber == chamber][:LIVE_ROWS]

    def _bulk(self, trades: list[Trade], query: dict[str, str]) -> Response:
        tests: dict[str, Callable[[Trade, str], bool]] = {
            "ticker": lambda t, v: t.symbol == v.upper(),
            "bioguide_id": lambda t, v: t.bioguide_id == v,
            "representative": lambda t, v: t.politician == v,
            "date": lambda t, v: t.filed.strftime("%Y%m%d") == v,
        }
        for name, test in tests.items():
            if query.get(name):
                trades = [t for t in trades if test(t, query[name])]
        if query.get("page") or query.get("page_size"):
            try:
                page, size = int(query.get("page", 1)), int(query.get("page_size", 100))
            except ValueError:
                return reply({"detail": "Invalid page."}, 404)
            if page < 1 or size < 1:
                return reply({"detail": "Invalid page."}, 404)
            trades = trades[(page - 1) * size : page * size]
        version = query.get("version", "V1").upper()
        return reply([self._v2(t) if version == "V2" else self._v1(t) for t in trades])

    def _cached(self, trade: Trade, version: str, make: Callable[[Trade], dict[str, Any]]) -> dict[str, Any]:
        key = (trade.id, trade.visible, f"{version}{self.context.world.bars_at(self.context.now)}")
        if key not in self._rows:
            if len(self._rows) > 30000:
                self._rows.clear()
            self._rows[key] = make(trade)
        return self._rows[key]

    def _v1(self, trade: Trade) -> dict[str, Any]:
        return self._cached(trade, "1-", self._make_v1)

    def _v2(self, trade: Trade) -> dict[str, Any]:
        return self._cached(trade, "2-", self._make_v2)

    def _make_v1(self, trade: Trade) -> dict[str, Any]:
        price, spy, excess = self.disclosures.changes(trade)
        return {
            "Representative": trade.politician,
            "BioGuideID": trade.bioguide_id,
            "ReportDate": trade.filed.isoformat(),
            "TransactionDate": trade.traded.isoformat(),
            "Ticker": trade.symbol,
            "Transaction": trade.transaction,
            "Range": trade.amount_range,
            "House": trade.chamber,
            "Amount": f"{trade.amount:.1f}",
            "Party": trade.party,
            "last_modified": trade.visible.isoformat(),
            "TickerType": trade.asset_type,
            "Description": trade.description,
            "ExcessReturn": excess,
            "PriceChange": price,
            "SPYChange": spy,
        }

    def _make_v2(self, trade: Trade) -> dict[str, Any]:
        _, _, excess = self.disclosures.changes(trade)
        return {
            "Ticker": trade.symbol,
            "TickerType": trade.asset_type,
            "Company": trade.company,
            "Traded": trade.traded.isoformat(),
            "Transaction": trade.transaction,
            "Trade_Size_USD": f"{trade.amount:.1f}",
            "Status": "New" if trade.visible == trade.filed else "Amended",
            "Subholding": trade.subholding,
            "Description": trade.description,
            "Name": trade.politician,
            "BioGuideID": trade.bioguide_id,
            "Filed": trade.filed.isoformat(),
            "Party": trade.party,
            "District": f" {trade.district}" if trade.district else None,
            "Chamber": trade.chamber,
            "Comments": None,
            "Quiver_Upload_Time": f"{trade.visible.isoformat()}T{UPLOAD_HOUR}:00:00",
            "excess_return": str(excess) if excess is not None else None,
            "State": trade.state,
            "last_modified": trade.visible.isoformat(),
        }


class QuiverPages:
    """``/congresstrading/``, the politicians' pages and ``/insiders/``."""

    def __init__(self, context: Context, disclosures: Disclosures, insiders: Insiders, washington: Washington) -> None:
        self.context = context
        self.disclosures = disclosures
        self.insiders = insiders
        self.washington = washington

    async def answer(self, request: Request) -> Response:
        """Answer one page."""
        if "mozilla/" not in request.headers.get("user-agent", "").lower():
            return reply("error code: 1010", 403, "text/plain; charset=UTF-8")
        path = request.path_params["path"].strip("/")
        if path == "congresstrading":
            return reply(self._recent(), 200, HTML)
        if path == "insiders":
            return reply(self.insiders.page(), 200, HTML)
        if path == "lobbying":
            return reply(self.washington.lobbying_page(), 200, HTML)
        if path == "sources/govcontracts":
            return reply(self.washington.contracts_page(), 200, HTML)
        if path.startswith("congresstrading/politician/"):
            name, _, member = path.removeprefix("congresstrading/politician/").rpartition("-")
            trades = [t for t in self.disclosures.visible() if t.bioguide_id == member]
            if trades:
                return reply(self._politician(name, member, trades), 200, HTML)
        return reply(
            "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body><h1>404</h1></body></html>\n",
            404,
            HTML,
        )

    def _recent(self) -> str:
        trades = self.disclosures.visible()[:PAGE_ROWS]
        rows = []
        cells = []
        for trade in trades:
            _, _, excess = self.disclosures.changes(trade)
            chamber = "House" if trade.chamber == "Representatives" else "Senate"
            rows.append(
                "["
                + ", ".join(
                    _loose(v)
                    for v in (
                        trade.symbol,
                        trade.company,
                        trade.asset_type,
                        trade.transaction,
                        trade.amount_range,
                        trade.politician,
                        chamber,
                        trade.party,
                        f"{trade.filed}T00:00:00",
                        f"{trade.traded}T00:00:00",
                        trade.description,
                        trade.id,
                        float("nan") if excess is None else excess,
                        trade.politician,
                        f"/static/images/{trade.bioguide_id}.jpg",
                        trade.bioguide_id,
                    )
                )
                + "]"
            )
            kind = "purchase" if trade.transaction == "Purchase" else "sale"
            tone = "positive" if kind == "purchase" else "negative"
            symbol = trade.symbol if trade.symbol != "--" else "-"
            stock = f'<span class="{tone}">{symbol}</span><br>{html.escape(trade.company)}' if symbol != "-" else "-"
            since = f"{excess:.2f}%" if excess is not None else "-"
            cells.append(
                f'<tr><td><a href="/congresstrading/stock/{symbol}">{stock}</a></td>'
                f'<td><span class="{kind}">{trade.transaction}</span> <br><span>{trade.amount_range.replace(" - ", "-")}</span></td>'
                f'<td><a href="/congresstrading/politician/{trade.politician}-{trade.bioguide_id}"><strong>{html.escape(trade.politician)}</strong></a>'
                f"<br>{chamber} / {trade.party}</td><td>{_short(trade.filed)}</td><td>{_short(trade.traded)}</td>"
                f"<td>{html.escape(trade.description or '-')}</td><td>{since}</td></tr>"
            )
        active: dict[str, int] = {}
        for trade in trades:
            active[trade.politician] = active.get(trade.politician, 0) + 1
        top = "".join(
            f"<tr><td>{html.escape(n)}</td><td>{c}</td></tr>"
            for n, c in sorted(active.items(), key=lambda x: -x[1])[:10]
        )
        joined, listed = ",\n".join(rows), "\n".join(cells)
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Congress Trading - Quiver Quantitative</title></head><body>\n'
            f"<script>\nlet recentTradesData = [{joined}];\nlet pageSize = 100;\n</script>\n"
            '<table class="table-congress table-politician"><thead><tr><th>Stock</th><th>Transaction</th><th>Politician</th>'
            "<th>Filed</th><th>Traded</th><th>Description</th><th>Est. Return</th></tr></thead>\n"
            f'<tbody>\n{listed}\n</tbody></table>\n<table class="table-congress"><thead><tr><th>Politician</th><th>Trades</th></tr></thead>'
            f"<tbody>{top}</tbody></table>\n</body></html>\n"
        )

    def _politician(self, name: str, member: str, trades: list[Trade]) -> str:
        rows = []
        for trade in trades:
            price, _, excess = self.disclosures.changes(trade)
            rows.append(
                "["
                + ", ".join(
                    _strict(v)
                    for v in (
                        trade.symbol,
                        trade.asset_type,
                        f"{trade.filed}T00:00:00",
                        f"{trade.traded}T00:00:00",
                        trade.description,
                        float("nan") if excess is None else excess,
                        trade.id,
                        trade.company,
                        trade.transaction,
                        trade.amount_range,
                        price,
                        "House" if trade.chamber == "Representatives" else "Senate",
                        trade.sector,
                        trade.subholding,
                        trade.amount,
                    )
                )
                + "]"
            )
        shown = trades[0].politician
        joined = ",\n".join(rows)
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(shown)} Stock Trades</title></head><body>\n'
            f"<h1>{html.escape(shown)}</h1>\n<script>\nlet bioguideID = {json.dumps(member)};\nlet directOrderName = {json.dumps(name)};\n"
            f"let tradeData = [{joined}];\nlet chartData = [[1, 2], [3, 4]];\n</script>\n</body></html>\n"
        )


def _short(day: date) -> str:
    """Dates as the tables show them: ``Mar. 15, 2024``, months of up to four letters without a dot."""
    name = day.strftime("%B")
    return f"{name if len(name) <= 4 else 'Sept.' if day.month == 9 else name[:3] + '.'} {day.day}, {day.year}"


def _loose(value: Any) -> str:
    """Write a value the Python way: None, and single quotes where the text allows."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"'{value}'" if "'" not in value and "\\" not in value else json.dumps(value, ensure_ascii=False)
    return "NaN" if value != value else repr(value)


def _strict(value: Any) -> str:
    """Write a value as JSON, with a bare NaN."""
    return json.dumps(value, ensure_ascii=False)

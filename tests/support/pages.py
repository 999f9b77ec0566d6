"""List pages in Wikipedia's layout and a holdings file in iShares' layout, for invented companies."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.loopback import Answer, Handler, Seen

Company = tuple[str, str, str, str]  # symbol, name, date added, cik


def list_page(companies: Sequence[Company], changes: Sequence[tuple[str, str, str, str, str]] = ()) -> str:
    """Return a page with a table of constituents and a table of changes (day, added, name, removed, name)."""
    rows = "".join(
        f'<tr><td><a href="https://www.nyse.com/quote/XNYS:{symbol}">{symbol}</a>\n</td><td><a href="/wiki/'
        f'{name.replace(" ", "_")}">{name}</a></td><td>Industrials</td><td>Machinery</td><td>Town</td><td>{added}</td>'
        f"<td>{cik}\n</td><td>1900</td></tr>"
        for symbol, name, added, cik in companies
    )
    changed = "".join(
        f"<tr><td>{day}<sup class='reference'>[1]</sup></td><td>{a}</td><td>{an}</td><td>{r}</td><td>{rn}</td>"
        "<td>x</td></tr>"
        for day, a, an, r, rn in changes
    )
    return (
        "<!DOCTYPE html><html><head><title>List</title></head><body>"
        '<table class="wikitable sortable" id="constituents"><tbody><tr><th>Symbol</th><th>Security</th>'
        "<th><a>GICS</a> Sector</th><th>GICS Sub-Industry</th><th>Headquarters Location</th><th>Date added</th>"
        f"<th>CIK</th><th>Founded</th></tr>{rows}</tbody></table>"
        '<table class="wikitable" id="changes"><tbody><tr><th rowspan="2">Effective Date</th>'
        '<th colspan="2">Added</th>'
        '<th colspan="2">Removed</th><th rowspan="2">Reason</th></tr><tr><th>Ticker</th><th>Security</th>'
        "<th>Ticker</th>"
        f"<th>Security</th></tr>{changed}</tbody></table></body></html>"
    )


def holdings(rows: Sequence[tuple[str, str]], as_of: str = "Jan 30, 2026") -> str:
    """Return a holdings file: (ticker, name) of listed shares."""
    share = f"{100 / len(rows):.2f}"
    lines = "".join(
        f'"{ticker}","{name}","Industrials","Equity","1,000.00","{share}","1,000.00","10.00","100.00","United States",'
        '"NYSE","USD","1.00","USD","-"\n'
        for ticker, name in rows
    )
    return (
        f'iShares Russell 2000 ETF\nFund Holdings as of,"{as_of}"\nInception Date,"May 22, 2000"\n\n'
        "Ticker,Name,Sector,Asset Class,Market Value,Weight (%),Notional Value,Quantity,Price,Location,Exchange,"
        f"Currency,FX Rate,Market Currency,Accrual Date\n{lines}"
    )


def universe_site(sp500: str, sp400: str, fund: str, otherwise: Handler | None = None) -> Handler:
    """Return a handler that serves the three lists and passes everything else on."""

    def handler(request: Seen) -> Answer:
        if "500" in request.path and "wiki" in request.path:
            return Answer(sp500, content_type="text/html")
        if "400" in request.path and "wiki" in request.path:
            return Answer(sp400, content_type="text/html")
        if request.path.startswith("/ishares/"):
            return Answer(fund, content_type="text/csv")
        return otherwise(request) if otherwise else Answer("{}", 404)

    return handler

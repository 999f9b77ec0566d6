"""Faults that can be switched on per site, and the counters of what was asked; an ASGI layer around all sites.

Kinds: ``429`` (with Retry-After), ``500``, ``timeout``, ``truncated`` (half a body that looks complete), ``disconnect``
(the connection ends inside the body), ``columns`` (names of fields changed), ``challenge`` (an HTML page with status
200), ``empty`` (a well-formed answer without rows), ``blank`` (no bytes at all).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pas_lib.errors import PasError

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SITES: Final = (
    "yahoo",
    "wikimedia",
    "wikipedia",
    "ishares",
    "fred",
    "fredgraph",
    "quiver-api",
    "quiver",
    "sec",
    "benzinga",
    "benzinga-page",
    "senate-lda",
    "usaspending",
    "house-clerk",
    "senate-efd",
    "alpaca",
    "alpaca-data",
    "apewisdom",
    "finviz",
)
KINDS: Final = ("429", "500", "timeout", "truncated", "disconnect", "columns", "challenge", "empty", "blank")
ALIASES: Final = {
    "rate_limit": "429",
    "ratelimit": "429",
    "error": "500",
    "changed_columns": "columns",
    "truncated_body": "truncated",
    "time-out": "timeout",
    "challenge_page": "challenge",
    "empty_answer": "empty",
}

CHALLENGE: Final = b"""<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title>
<meta charset="UTF-8"><meta name="robots" content="noindex,nofollow"></head>
<body class="no-js"><div class="main-wrapper" role="main"><div class="main-content">
<h1 class="zone-name-title h1">Just a moment...</h1><p>Verifying you are human. This may take a few seconds.</p>
<noscript>Enable JavaScript and cookies to continue</noscript></div></div>
<script>(function(){window._cf_chl_opt={cvId:'3',cType:'managed'};}());</script></body></html>
"""

# What a changed layout looks like, per site: the bytes that are replaced
RENAMED: Final[dict[str, tuple[tuple[bytes, bytes], ...]]] = {
    "yahoo": (
        (b'"close":', b'"closePrice":'),
        (b'"timestamp":', b'"times":'),
        (b'"epochGradeDate":', b'"gradeTime":'),
        (b'"defaultKeyStatistics":', b'"keyStatistics":'),
        (b'"reportedValue":', b'"value":'),
        (b'"earningsDate":', b'"earningsTime":'),
    ),
    "benzinga": ((b'"action_company":', b'"rating_action":'),),
    "benzinga-page": ((b'"rating_current":', b'"rating":'),),
    "wikimedia": ((b'"views":', b'"view_count":'),),
    "wikipedia": ((b">Symbol<", b">Code<"), (b">Ticker<", b">Code<")),
    "ishares": ((b"Ticker,Name,", b"Code,Issuer,"),),
    "fred": ((b'"value":', b'"val":'), (b'"observations":', b'"data":')),
    "fredgraph": ((b"observation_date,", b"period,"),),
    "quiver-api": ((b'"Ticker":', b'"Stock":'), (b'"Range":', b'"Bracket":')),
    "sec": (
        (b"Company Name", b"Registrant  "),
        (b"ownershipDocument", b"ownershipReport"),
        (b'"filed":', b'"filedOn":'),
        (b'"filingDate":', b'"filedOn":'),
    ),
    "quiver": (
        (b"recentTradesData", b"recentTrades2"),
        (b"let tradeData", b"let trades2"),
        (b"table-politician", b"table-people"),
        (b"<th>Ticker</th>", b"<th>Code</th>"),
        (b"'issuerTradingSymbol':", b"'symbol':"),
        (b"table-inner", b"table-panel"),
        (b'id="myTable"', b'id="grid"'),
    ),
    "senate-lda": ((b'"filing_uuid":', b'"id":'), (b'"client":', b'"customer":')),
    "usaspending": ((b'"Transaction Amount":', b'"transaction_amount":'), (b'"Recipient Name":', b'"recipient":')),
    # An archive cannot be edited without damaging it, which is a changed layout too.
    "house-clerk": ((b"FD.xml", b"FD.dat"), (b"%PDF-", b"%PDX-")),
    "senate-efd": ((b'"data":', b'"rows":'), (b">Ticker<", b">Code<"), (b"csrfmiddlewaretoken", b"token")),
    "alpaca": ((b'"equity":', b'"net_worth":'), (b'"filled_qty":', b'"done_qty":')),
    "alpaca-data": ((b'"bars":', b'"candles":'), (b'"corporate_actions":', b'"actions":')),
    "apewisdom": ((b'"mentions":', b'"mention_count":'),),
    "finviz": ((b"news_link-cell", b"headline-cell"),),
}
# A well-formed answer without rows, per site
EMPTY: Final[dict[str, tuple[str, bytes]]] = {
    "yahoo": ("application/json;charset=utf-8", b'{"chart":{"result":[],"error":null}}'),
    "wikimedia": ("application/json", b'{"items":[]}'),
    "wikipedia": (
        "text/html; charset=UTF-8",
        b"<!DOCTYPE html><html><body><table class='wikitable' id='constituents'><tbody></tbody></table></body></html>",
    ),
    "ishares": ("text/csv", b'iShares Russell 2000 ETF\nFund Holdings as of,"-"\n\n'),
    "fred": ("application/json; charset=UTF-8", b'{"count":0,"offset":0,"limit":100000,"observations":[]}'),
    "fredgraph": ("text/csv", b"observation_date\n"),
    "quiver-api": ("application/json", b"[]"),
    "benzinga": ("application/json", b'{"ratings":[]}'),
    "benzinga-page": (
        "text/html; charset=utf-8",
        b'<html><body><script id="__NEXT_DATA__" type="application/json">'
        b'{"props":{"pageProps":{"ratings":[]}}}</script></body></html>',
    ),
    "sec": (
        "application/octet-stream",
        b"Description:           Daily Index of EDGAR Dissemination Feed by Form Type\n \n"
        b"Form Type   Company Name      CIK         Date Filed  File Name\n" + b"-" * 80 + b"\n",
    ),
    "quiver": (
        "text/html; charset=utf-8",
        b"<html><body><script>let recentTradesData = [];\nlet tradeData = [];\n"
        b"let recentInsiderTransactionsData = [];</script></body></html>",
    ),
    "senate-lda": ("application/json", b'{"count":0,"next":null,"previous":null,"results":[]}'),
    "usaspending": (
        "application/json",
        b'{"limit":100,"results":[],"page_metadata":{"page":1,"hasNext":false,"hasPrevious":false,"next":null,'
        b'"previous":null}}',
    ),
    # An archive without members
    "house-clerk": ("application/x-zip-compressed", b"PK\x05\x06" + bytes(18)),
    "senate-efd": ("application/json", b'{"draw":0,"recordsTotal":0,"recordsFiltered":0,"data":[],"result":"ok"}'),
    "alpaca": ("application/json", b"[]"),
    "alpaca-data": ("application/json", b'{"bars":{},"next_page_token":null}'),
    "apewisdom": ("application/json", b'{"count":0,"pages":0,"current_page":1,"results":[]}'),
    "finviz": (
        "text/html; charset=utf-8",
        b"<html><body><table class='styled-table-new'><tbody></tbody></table></body></html>",
    ),
}


@dataclass
class Fault:
    """One fault: where, what, how often, and for which requests.

    Attributes
    ----------
    times : int or None
        How many requests it meets; None is until it is removed.
    retry_after : float or None
        Seconds in the ``Retry-After`` header (kind ``429``).
    seconds : float
        How long a ``timeout`` holds the request.
    path, method : str
        Only requests whose path contains `path`, and of this method (empty: all).
    skip : int
        So many matching requests pass first.
    after : bool
        The request is carried out, only its answer is lost (kinds ``429``, ``500``, ``timeout``).
    status : int or None
        Another status for kind ``500``.
    """

    site: str
    kind: str
    times: int | None = None
    retry_after: float | None = 1
    seconds: float = 30.0
    path: str = ""
    method: str = ""
    skip: int = 0
    after: bool = False
    status: int | None = None

    def __post_init__(self) -> None:
        self.kind = ALIASES.get(str(self.kind), str(self.kind))
        if self.site not in SITES and self.site != "*":
            raise PasError(f"unknown site '{self.site}'; sites: {', '.join(SITES)}")
        if self.kind not in KINDS:
            raise PasError(f"unknown kind of fault '{self.kind}'; kinds: {', '.join(KINDS)}")
        if self.times is not None and self.times < 1:
            raise PasError(f"times must be at least 1, not {self.times}")


class Faults:
    """The switchboard; counts requests and faults per site."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.requests: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()

    def put(self, fault: Fault) -> None:
        """Switch a fault on; it replaces the one of the same site, kind, path and method."""
        self.active = [
            f
            for f in self.active
            if (f.site, f.kind, f.path, f.method) != (fault.site, fault.kind, fault.path, fault.method)
        ]
        self.active.append(fault)

    def clear(self, site: str | None = None, kind: str | None = None) -> int:
        """Switch off the faults of a site and kind (None: all); return how many."""
        kept = [f for f in self.active if (site and f.site != site) or (kind and f.kind != ALIASES.get(kind, kind))]
        gone, self.active = len(self.active) - len(kept), kept
        return gone

    def take(self, site: str, path: str, method: str) -> Fault | None:
        """Return the fault that meets this request, and count it."""
        for fault in self.active:
            if (
                fault.site not in (site, "*")
                or fault.path not in path
                or (fault.method and fault.method.upper() != method)
            ):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.active.remove(fault)
            self.hits[f"{site} {fault.kind}"] += 1
            return fault
        return None

    def describe(self) -> list[dict[str, Any]]:
        """Return the active faults, JSON-ready."""
        return [asdict(fault) for fault in self.active]


class FaultLayer:
    """ASGI application around another: counts requests and spoils answers as told."""

    def __init__(self, app: App, faults: Faults) -> None:
        self.app = app
        self.faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, spoiled or not."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        site = path.split("/", 2)[1] if "/" in path else ""
        if site not in SITES:
            await self.app(scope, receive, send)
            return
        self.faults.requests[site] += 1
        fault = self.faults.take(site, path, scope["method"])

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.faults.statuses[f"{site} {message['status']}"] += 1
            await send(message)

        if fault is None:
            await self.app(scope, receive, counted)
        else:
            await self._spoil(fault, site, scope, receive, counted)

    async def _spoil(self, fault: Fault, site: str, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = 200, b""
        headers: list[tuple[bytes, bytes]] = []
        if fault.after or fault.kind in ("truncated", "disconnect", "columns"):
            # A spoiled answer is another one than before.
            plain = [(name, value) for name, value in scope["headers"] if not bytes(name).lower().startswith(b"if-")]
            scope = {**scope, "headers": plain}
            status, headers, body = await self._answer(scope, receive)
        kind = fault.kind
        if kind == "429":
            headers = [(b"retry-after", f"{fault.retry_after:g}".encode())] if fault.retry_after is not None else []
            text, mime = _too_many(site)
            await _reply(send, 429, mime, text, headers)
        elif kind == "500":
            await _reply(
                send, fault.status or 500, "text/html", b"<html><body><h1>Internal Server Error</h1></body></html>", []
            )
        elif kind == "timeout":
            await _hold(fault.seconds, receive if not fault.after else None)
            await _reply(send, 504, "text/html", b"<html><body>Gateway Time-out</body></html>", [])
        elif kind == "challenge":
            await _reply(send, 200, "text/html; charset=UTF-8", CHALLENGE, [])
        elif kind == "blank":
            await _reply(send, 200, EMPTY[site][0], b"", [])
        elif kind == "empty":
            await _reply(send, 200, EMPTY[site][0], EMPTY[site][1], [])
        elif kind == "disconnect":
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            raise ConnectionAbortedError("the connection was cut on purpose")
        else:
            if kind == "truncated":
                body = body[: len(body) // 2]
            else:
                for old, new in RENAMED[site]:
                    body = body.replace(old, new)
            kept = [(k, v) for k, v in headers if k.lower() != b"content-length"]
            await send(
                {
                    "type": "http.response.start",
                    "status": status,
                    "headers": [*kept, (b"content-length", str(len(body)).encode())],
                }
            )
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        start: Message = {}
        parts: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        await self.app(scope, receive, keep)
        return int(start.get("status", 200)), list(start.get("headers", [])), b"".join(parts)


async def _hold(seconds: float, receive: Receive | None) -> None:
    """Wait; end early when the client has gone, so that a stopping server has nothing to wait for."""

    async def gone() -> None:
        while receive is not None and (await receive())["type"] != "http.disconnect":
            pass
        if receive is None:
            await asyncio.sleep(seconds)

    task = asyncio.ensure_future(gone())
    await asyncio.wait([task], timeout=seconds)
    task.cancel()


async def _reply(send: Send, status: int, mime: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", mime.encode()), (b"content-length", str(len(body)).encode()), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


def _too_many(site: str) -> tuple[bytes, str]:
    if site == "fred":
        return (
            b'{"error_code":429,"error_message":"Too Many Requests.  Exceeded Rate Limit"}',
            "application/json; charset=UTF-8",
        )
    if site == "alpaca":
        return b'{"code":42910000,"message":"rate limit exceeded"}', "application/json"
    if site == "alpaca-data":
        return b'{"message":"too many requests."}', "application/json"
    if site == "senate-lda":
        return b'{"detail":"Request was throttled. Expected available in 4 seconds."}', "application/json"
    if site == "wikimedia":
        return (
            b"You are making too many requests to the API.\nPlease follow the best practices at "
            b"<https://www.mediawiki.org/wiki/Wikimedia_APIs/Rate_limits>.\n"
        ), "text/plain"
    return b"Too Many Requests\r\n", "text/plain"

"""Alpaca's market data: daily bars as traded, and corporate actions.

Bars are asked for unadjusted, so nothing has to be undone. One answer holds bars of many symbols, sorted by symbol and
time, and may break off in the middle of one: the token of the next page goes on from there. A symbol the site does not
know is silently left out. Corporate actions are told under the symbol of their day: those of a former symbol are asked
for once a change of name shows it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pas_lib import clock
from pas_lib.clock import NY
from pas_lib.errors import SettingsError
from pas_lib.sources.base import (
    UNKNOWN_TIME,
    Ask,
    Batch,
    Payload,
    Reject,
    Request,
    Source,
    base_url,
)
from pas_lib.sources.envelope import read_json

if TYPE_CHECKING:
    from pas_lib.settings import Settings

_SANDBOX_KEY, _SANDBOX_SECRET = "SANDBOX", "sandbox-secret"
_SYMBOLS_PER_REQUEST = 100
_BARS_PER_PAGE, _ACTIONS_PER_PAGE = 10_000, 1_000
#: Without a paid plan the last quarter of an hour of all exchanges together is refused.
_DELAY = timedelta(minutes=16)
#: More symbols than this share without a bar: the answer is incomplete rather than the symbols unknown.
_MOST_ABSENT = 0.25
_FEW = 8
_BAR = ("t", "o", "h", "l", "c", "v")
_TYPES = "cash_dividend,forward_split,reverse_split,stock_dividend,name_change"
_EPOCH = date(1970, 1, 1)


class AlpacaBars(Source):
    """``/v2/stocks/bars`` and ``/v1/corporate-actions``."""

    name = "alpaca_bars"
    site = "alpaca-data"
    host = "https://data.alpaca.markets"
    profiles = frozenset({"sandbox", "subscribed"})
    key_setting = "alpaca_api_key"

    def requests(self, ask: Ask) -> Iterable[Request]:
        """Yield requests for the bars of many symbols at a time, then for their corporate actions.

        Raises
        ------
        SettingsError
            If the second half of the key is missing.
        """
        base, headers = base_url(self, ask.settings), _credentials(ask.settings)
        today = ask.now.astimezone(NY).date()
        last = ask.end or today
        until = min(ask.now - _DELAY, datetime.combine(last + timedelta(days=1), time(), NY))
        by_start: dict[date, list[str]] = defaultdict(list)
        for symbol in ask.items:
            by_start[ask.start_of(symbol)].append(symbol)
        for start, symbols in sorted(by_start.items()):
            symbols.sort()
            for at in range(0, len(symbols), _SYMBOLS_PER_REQUEST):
                some = symbols[at : at + _SYMBOLS_PER_REQUEST]
                common = {"symbols": ",".join(some)}
                about = {"symbols": ",".join(some), "start": start.isoformat()}
                yield Request(
                    self.name,
                    ask.dataset,
                    f"bars_{some[0]}_{some[-1]}",
                    f"{base}/v2/stocks/bars",
                    params={
                        **common,
                        "timeframe": "1Day",
                        "start": start.isoformat(),
                        "end": f"{until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                        "adjustment": "raw",
                        "feed": ask.settings.alpaca_feed,
                        "limit": str(_BARS_PER_PAGE),
                        "sort": "asc",
                    },
                    headers=headers,
                    context={**about, "kind": "bars", "feed": ask.settings.alpaca_feed},
                )
                yield Request(
                    self.name,
                    ask.dataset,
                    f"actions_{some[0]}_{some[-1]}",
                    f"{base}/v1/corporate-actions",
                    params={
                        **common,
                        "types": _TYPES,
                        "start": start.isoformat(),
                        "end": min(last, today).isoformat(),
                        "limit": str(_ACTIONS_PER_PAGE),
                        "sort": "asc",
                    },
                    headers=headers,
                    context={**about, "kind": "actions", "end": min(last, today).isoformat()},
                )

    def follow(self, request: Request, payload: Payload) -> Request | None:
        """Return the next page, until no token for one comes."""
        document = _document(payload)
        token = document.get("next_page_token")
        if not token:
            return None
        bars = document.get("bars")
        after = {"after": max(bars)} if bars else {}
        following = request.with_params(page_token=str(token))
        return replace(following, context={**request.context, **after, "page": "next"})

    def expand(self, request: Request, payload: Payload) -> Iterable[Request]:
        """Yield requests for the actions under former symbols."""
        if request.context.get("kind") != "actions" or "renamed" in request.context:
            return
        asked = set(request.context["symbols"].split(","))
        for row in (_document(payload).get("corporate_actions") or {}).get("name_changes", []):
            old, new = str(row.get("old_symbol") or ""), str(row.get("new_symbol") or "")
            if new not in asked or not old or old == new:
                continue
            params = {**request.params, "symbols": old, "end": str(row["process_date"])}
            context = {"kind": "actions", "renamed": new, "symbols": old}
            yield replace(request, label=f"actions_{old}_{new}", params=params, context=context)

    def recognises(self, body: bytes) -> bool:
        """Return whether a body holds bars or corporate actions of this site."""
        head = body[:400].lstrip()
        return head.startswith(b"{") and (b'"bars"' in head or b'"corporate_actions"' in head)

    def check(self, payload: Payload) -> None:
        """Refuse whatever is neither bars nor corporate actions."""
        self.parse(payload)

    def parse(self, payload: Payload) -> list[Batch]:
        """Return bars as traded, or corporate actions in shares of their day.

        Bars that have not closed at the time of fetching are dropped.
        """
        document = _document(payload)
        if "corporate_actions" in document:
            return [_actions(payload, document)]
        return [_bars(payload, document)]


def _credentials(settings: Settings) -> dict[str, str]:
    key, secret = _SANDBOX_KEY, _SANDBOX_SECRET
    if settings.sources != "sandbox":
        if settings.alpaca_api_key is None or settings.alpaca_api_secret is None:
            raise SettingsError("ALPACA_API_SECRET is not set, and alpaca_bars needs it beside ALPACA_API_KEY")
        key, secret = settings.alpaca_api_key.get_secret_value(), settings.alpaca_api_secret.get_secret_value()
    return {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}


def _document(payload: Payload) -> dict[str, Any]:
    document = read_json(payload)
    if not isinstance(document, dict):
        raise payload.error(f"not an object but {type(document).__name__}")
    wanted = {"bars": "bars", "actions": "corporate_actions"}.get(payload.context.get("kind", ""))
    if not {"bars", "corporate_actions"} & document.keys() or (wanted and wanted not in document):
        said = document.get("message") or f"found {', '.join(list(document)[:4])}"
        raise payload.error(str(said), field_name=wanted or "bars")
    return document


@lru_cache(maxsize=16_384)
def _day(stamp: str) -> int:
    """Return New York's day (since 1970) of the time of a bar: midnight there, in UTC."""
    return (datetime.fromisoformat(stamp).astimezone(NY).date() - _EPOCH).days


def _last_closed(now: datetime) -> int:
    """Return the last session whose bar is whole: what was asked ends before now, and so would the day's bar."""
    if now == UNKNOWN_TIME:
        return 2**31 - 1
    session = clock.session_on_or_before(now.astimezone(NY).date())
    if clock.session_close(session) > now - _DELAY:
        session = clock.previous_session(session)
    return (session - _EPOCH).days


def _bars(payload: Payload, document: dict[str, Any]) -> Batch:
    found = document["bars"]
    if isinstance(found, list) and "symbol" in document:
        found = {document["symbol"]: found}
    if found is None:
        found = {}
    if not isinstance(found, dict) or not all(isinstance(rows, list) for rows in found.values()):
        raise payload.error("not lists by symbol", field_name="bars")
    note, missing = _check_coverage(payload, found, bool(document.get("next_page_token")))
    symbols: list[str] = []
    counts: list[int] = []
    columns: dict[str, list[Any]] = {name: [] for name in _BAR}
    for symbol, rows in found.items():
        symbols.append(symbol)
        counts.append(len(rows))
        try:
            for name, values in columns.items():
                values += [row[name] for row in rows]
        except (KeyError, TypeError):
            lacking = next((name for name in _BAR if any(name not in row for row in rows)), "t")
            raise payload.error(f"a bar of {symbol} lacks {lacking!r}", field_name="bars") from None
    try:
        days = np.array([_day(stamp) for stamp in columns["t"]], dtype=np.int64)
        numbers = {name: np.array(columns[name], dtype=np.float64) for name in _BAR[1:]}
    except (ValueError, TypeError):
        raise payload.error("a value is no number or no time", field_name="bars") from None
    keep = np.flatnonzero(days <= _last_closed(payload.fetched_at))
    owner = np.repeat(np.arange(len(symbols), dtype=np.int32), counts)[keep]
    kept = days[keep]
    table = pa.table(
        {
            "event_date": pa.array(kept.astype(np.int32), pa.int32()).cast(pa.date32()),
            "symbol": pa.array(symbols, pa.string()).take(pa.array(owner)),
            **{
                name: pa.array(numbers[short][keep], from_pandas=True)
                for name, short in (("open", "o"), ("high", "h"), ("low", "l"), ("close", "c"), ("volume", "v"))
            },
            "currency": pa.repeat(str(document.get("currency") or "USD"), len(keep)),
            "split_factor": pa.array(np.ones(len(keep))),
        }
    )
    # Between its first and last bar here a symbol's bars are complete, also where a page breaks off.
    scopes = []
    for number, symbol in enumerate(symbols):
        own = kept[slice(*np.searchsorted(owner, (number, number + 1)))]
        if len(own):
            bounds = {"scope_start": _EPOCH + timedelta(int(own[0])), "scope_end": _EPOCH + timedelta(int(own[-1]))}
            scopes.append({"symbol": symbol, **bounds})
    return Batch("prices", table=table, scopes=scopes, missing=missing, note=note)


def _check_coverage(payload: Payload, found: dict[str, Any], more: bool) -> tuple[str, bool]:
    """Return a note about the symbols this page should hold and does not, and whether it holds none at all.

    Raises
    ------
    PayloadError
        If they are too many.
    """
    if "symbols" not in payload.context:
        return "", False
    asked = sorted(payload.context["symbols"].split(","))
    after = payload.context.get("after")
    first = bisect_left(asked, after) + 1 if after in asked else 0
    last = bisect_left(asked, max(found)) + 1 if more and found else len(asked)
    due = asked[first:last]
    absent = [symbol for symbol in due if symbol not in found]
    if len(due) >= _FEW and len(absent) > _MOST_ABSENT * len(due):
        raise payload.error(f"no bars of {len(absent)} of {len(due)} symbols ({absent[0]}, ...)", field_name="bars")
    note = f"no bars of {', '.join(absent)}" if absent else ""
    return note, bool(due) and not found and not after


def _actions(payload: Payload, document: dict[str, Any]) -> Batch:
    found = document["corporate_actions"]
    if not isinstance(found, dict) or not all(isinstance(rows, list) for rows in found.values()):
        raise payload.error("not lists by kind", field_name="corporate_actions")
    renamed = payload.context.get("renamed")
    records: list[dict[str, Any]] = []
    rejects: list[Reject] = []
    for kind, rows in found.items():
        if kind not in ("cash_dividends", "forward_splits", "reverse_splits", "stock_dividends"):
            continue
        for row in rows:
            try:
                record = _action(kind, row)
            except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
                rejects.append(Reject(dict(row), f"{kind}: {type(error).__name__} {error}"))
                continue
            records.append({**record, "symbol": renamed or record["symbol"]})
    seen: Counter[tuple[str, str, date]] = Counter()
    for record in records:
        slot = (record["symbol"], record["action"], record["event_date"])
        record["ordinal"] = seen[slot]
        seen[slot] += 1
    scopes: list[dict[str, Any]] = []
    about = payload.context
    if "end" in about and about.get("page") is None and not document.get("next_page_token"):
        # Under its present symbol and on one page: complete. What came under a former symbol is not among it.
        changed = [str(row.get("new_symbol")) for row in found.get("name_changes", [])]
        start, end = date.fromisoformat(about["start"]), date.fromisoformat(about["end"])
        scopes = [
            {"symbol": symbol, "scope_start": start, "scope_end": end}
            for symbol in about["symbols"].split(",")
            if symbol not in changed
        ]
    return Batch("corporate_actions", records=records, scopes=scopes, rejects=rejects)


def _action(kind: str, row: dict[str, Any]) -> dict[str, Any]:
    common = {"event_date": date.fromisoformat(row["ex_date"]), "symbol": str(row["symbol"]), "currency": "USD"}
    if kind == "cash_dividends":
        return {**common, "action": "dividend", "amount": float(row["rate"])}
    if kind == "stock_dividends":
        return {**common, "action": "split", "ratio": 1.0 + float(row["rate"])}
    return {**common, "action": "split", "ratio": float(row["new_rate"]) / float(row["old_rate"])}


SOURCE = AlpacaBars()

"""What happens, as it happens: server-sent events for runs, orders, fills, alerts and the trading state."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from api.auth import Guard
from api.errors import NotReady, Unprocessable
from api.store import Provenance, Reader, Store

router = APIRouter(tags=["system"])

#: event -> the rows of it that are newer than a number ``after``; ``no`` only rises.
SOURCES: dict[str, str] = {
    "run": (
        "select log_id as no, logged_at, level, program, event, session from ops.system_logs where log_id > %(after)s"
    ),
    "order": (
        "select e.event_id as no, e.client_order_id, e.state, e.detail, e.at, o.portfolio_id, o.symbol, o.side"
        " from ops.order_events e join ops.orders o using (client_order_id) where e.event_id > %(after)s"
    ),
    "fill": (
        "select entry_id as no, txn_id, kind, book as portfolio_id, asset as symbol, amount as qty, cost, occurred_at"
        " from ops.ledger_entries where kind in ('fill', 'cross', 'external') and asset <> 'USD'"
        " and entry_id > %(after)s"
    ),
    "alert": (
        "select alert_id as no, raised_at, session, rule, metric, op, threshold, value, message from ops.risk_alerts"
        " where alert_id > %(after)s"
    ),
    "state": "select state_id as no, state, set_by, reason, set_at from ops.trading_state where state_id > %(after)s",
}
_MOST = 500
#: A number that the tables can hold.
_NUMBER = re.compile("[0-9]{1,18}")
_NEWEST = {
    "run": "select coalesce(max(log_id), 0) from ops.system_logs",
    "order": "select coalesce(max(event_id), 0) from ops.order_events",
    "fill": "select coalesce(max(entry_id), 0) from ops.ledger_entries",
    "alert": "select coalesce(max(alert_id), 0) from ops.risk_alerts",
    "state": "select coalesce(max(state_id), 0) from ops.trading_state",
}


@router.get(
    "/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "events until the client goes away"}},
)
async def follow(
    request: Request,
    last_event_id: Annotated[str | None, Header(description="goes on after this event, as browsers ask for")] = None,
    only: Annotated[str | None, Query(description=f"kinds wanted, by commas: {', '.join(SOURCES)}")] = None,
) -> EventSourceResponse:
    """Follow runs, orders, fills, alerts and the trading state as they happen.

    The stream quickens what a client sees; the tables are the truth, and are what to read after a pause.
    """
    wanted = list(SOURCES) if only is None else [one.strip() for one in only.split(",")]
    if unknown := [one for one in wanted if one not in SOURCES]:
        raise Unprocessable(f"there are no events of kind {unknown[0][:40]!r}", hint=f"kinds: {', '.join(SOURCES)}")
    store: Store = request.app.state.store
    after = _position(last_event_id)
    if after is None:
        after = await run_in_threadpool(_newest, store)
    interval: float = request.app.state.event_interval
    return EventSourceResponse(_events(store, wanted, after, interval, lambda: _still_may(request)), ping=15, sep="\n")


async def _events(
    store: Store, wanted: list[str], after: dict[str, int], interval: float, still_may: Callable[[], bool]
) -> AsyncIterator[ServerSentEvent]:
    while await run_in_threadpool(still_may):
        try:
            found = await run_in_threadpool(_newer, store, wanted, after)
        except NotReady as error:
            yield ServerSentEvent(event="unavailable", data=json.dumps({"detail": str(error)}), sep="\n")
            found = []
        for kind, row in found:
            after[kind] = int(row.pop("no"))
            yield ServerSentEvent(event=kind, id=_text(after), data=json.dumps(row, default=str), sep="\n")
        await asyncio.sleep(interval)


def _still_may(request: Request) -> bool:
    """Return whether the token or browser session that opened a stream still holds; what cannot be checked does not."""
    guard: Guard = request.app.state.guard
    try:
        return guard.who_asks(request) is not None
    except NotReady:
        return False


def _newer(store: Store, wanted: list[str], after: dict[str, int]) -> list[tuple[str, dict[str, Any]]]:
    def answer(reader: Reader) -> list[tuple[str, dict[str, Any]]]:
        rows = []
        for kind in wanted:
            query = f"{SOURCES[kind]} order by no limit {_MOST}"
            rows += [(kind, row) for row in reader.records(query, {"after": after[kind]})]
        return rows

    return store.read(answer, _ignore)


def _newest(store: Store) -> dict[str, int]:
    return store.read(lambda reader: {kind: int(reader.scalar(query)) for kind, query in _NEWEST.items()}, _ignore)


def _ignore(provenance: Provenance) -> None:
    del provenance


def _text(after: dict[str, int]) -> str:
    return ".".join(str(after[kind]) for kind in SOURCES)


def _position(text: str | None) -> dict[str, int] | None:
    """Return the numbers an event's id holds; None for a client that begins."""
    parts = (text or "").split(".")
    if len(parts) != len(SOURCES) or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    return dict(zip(SOURCES, map(int, parts), strict=True))

"""What has happened and was not told yet, read from ops."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pas_lib.notify.channels import Delivery, Message, addresses, send, summary
from pas_lib.notify.messages import (
    alert_message,
    fills_message,
    plan_message,
    reconciliation_message,
    stale_message,
    state_message,
    task_message,
)

if TYPE_CHECKING:
    from pas_lib.clock import Clock
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse

log = logging.getLogger(__name__)

#: What is older than this is no news.
NEWS = timedelta(days=3)
#: A message that no channel took is tried again by later calls, so many times in all.
ATTEMPTS = 5

Row = Mapping[str, Any]


def announce(settings: Settings, clock: Clock, warehouse: Warehouse) -> tuple[Delivery, ...]:
    """Tell every channel what happened since it was told last; nothing without PAS_NOTIFY_URLS.

    Parameters
    ----------
    settings, clock, warehouse
        Configuration, time, and the store of record.

    Returns
    -------
    tuple of Delivery
        What became of every message on every channel. All messages of a call together take no longer than
        PAS_NOTIFY_TIMEOUT_SEC. Nothing is ever raised: what cannot be told is logged.
    """
    if not addresses(settings):
        return ()
    try:
        return _announce(settings, clock, warehouse)
    except Exception as error:
        log.warning("notifications: %s", type(error).__name__)
        return ()


def _announce(settings: Settings, clock: Clock, warehouse: Warehouse) -> tuple[Delivery, ...]:
    end = time.monotonic() + settings.notify_timeout_sec
    now = clock.now()
    out: list[Delivery] = []
    for message in pending(warehouse, now):
        left = end - time.monotonic()
        if left <= 0.0:
            break
        if not _claim(warehouse, message, now):
            continue
        deliveries = send(message, settings, seconds=left)
        is_sent = any(not one.problem for one in deliveries)
        warehouse.execute(
            "update ops.notifications set sent_at = %s, outcome = %s where key = %s",
            (clock.now() if is_sent else None, summary(deliveries), message.key),
        )
        out.extend(deliveries)
    return tuple(out)


def _claim(warehouse: Warehouse, message: Message, now: datetime) -> bool:
    """Take a message for this call; false when somebody else has it or has told it.

    A process that dies between claim and outcome leaves its message untold: twice would be worse than not at all.
    """
    with warehouse.connect() as conn:
        row = conn.execute(
            "insert into ops.notifications (key, event, title, body, created_at, attempts, outcome)"
            " values (%s, %s, %s, %s, %s, 1, '') on conflict (key) do update"
            " set attempts = ops.notifications.attempts + 1, outcome = ''"
            " where ops.notifications.sent_at is null and ops.notifications.outcome <> ''"
            " and ops.notifications.attempts < %s returning key",
            (message.key, message.event, message.title, message.body, now, ATTEMPTS),
        ).fetchone()
    return row is not None


def pending(warehouse: Warehouse, now: datetime) -> list[Message]:
    """Return what is news and was told by nobody, oldest kind of fact first.

    Raises
    ------
    WarehouseError
        When ops cannot be read.
    """
    since = now - NEWS
    told = {
        str(row["key"])
        for row in warehouse.rows(
            "select key from ops.notifications where sent_at is not null or attempts >= %s", (ATTEMPTS,)
        )
    }
    found: list[Message] = []
    for query, build in _FACTS:
        found += [build(row) for row in warehouse.rows(query, {"since": since})]
    found += _stale(warehouse, since)
    return [message for message in found if message.key not in told]


def _stale(warehouse: Warehouse, since: datetime) -> Iterable[Message]:
    """One message for each session: the datasets of which every source failed, and what they said."""
    rows = warehouse.rows(
        "select session, dataset, max(note) as note from ops.ingest_runs r"
        " where session is not null and finished_at >= %(since)s"
        " and exists (select 1 from ops.decisions d where d.session = r.session)"
        " group by session, dataset having bool_and(status = 'failed') order by session, dataset",
        {"since": since},
    )
    by_session: dict[date, dict[str, str]] = {}
    for row in rows:
        by_session.setdefault(row["session"], {})[str(row["dataset"])] = str(row["note"] or "")
    return [stale_message(session, found) for session, found in by_session.items()]


_FACTS: tuple[tuple[str, Callable[[Row], Message]], ...] = (
    (
        "select log_id, session, reason, details from ops.alloc_log"
        " where event = 'task_failed' and logged_at >= %(since)s order by log_id",
        task_message,
    ),
    (
        "select p.broker, p.session, p.execution_session, p.plan_hash, p.managed_equity, p.refusals,"
        " d.method, d.cci, d.scale, d.gross,"
        " (select count(*) from ops.intents i where i.plan_hash = p.plan_hash and i.kind = 'order'"
        "  and i.side = 'buy') as buys,"
        " (select count(*) from ops.intents i where i.plan_hash = p.plan_hash and i.kind = 'order'"
        "  and i.side = 'sell') as sells,"
        " (select coalesce(sum(i.qty * i.decision_close), 0) from ops.intents i where i.plan_hash = p.plan_hash"
        "  and i.kind = 'order') as notional"
        " from ops.order_plans p left join ops.decisions d on d.session = p.session and d.origin = 'live'"
        " where p.created_at >= %(since)s order by p.session",
        plan_message,
    ),
    (
        "select decision_id, session, count(*) as n, string_agg(message, '; ' order by alert_id) as messages"
        " from ops.risk_alerts where raised_at >= %(since)s group by decision_id, session order by session",
        alert_message,
    ),
    (
        "select p.broker, p.account_number, p.session, p.execution_session, count(t.trade_id) as fills,"
        " count(t.trade_id) filter (where t.side = 'buy') as buys,"
        " coalesce(sum(t.notional) filter (where t.side = 'buy'), 0) as bought,"
        " coalesce(sum(t.notional) filter (where t.side = 'sell'), 0) as sold,"
        " (select count(*) from ops.orders o where o.broker = p.broker and o.account_number = p.account_number"
        "  and o.session = p.session and o.state in ('denied', 'rejected', 'expired', 'canceled')) as unfilled"
        " from ops.order_plans p left join ops.trades t on t.broker = p.broker"
        " and t.account_number = p.account_number and t.session = p.session and t.kind = 'fill'"
        " where p.finished_at >= %(since)s group by p.broker, p.account_number, p.session, p.execution_session"
        " order by p.session",
        fills_message,
    ),
    (
        "select broker, account_number, min(reconciliation_id) as reconciliation_id, min(at) as at, cash_ledger,"
        " cash_broker, differences from ops.reconciliations where not is_clean and at >= %(since)s"
        " group by broker, account_number, cash_ledger, cash_broker, differences order by min(reconciliation_id)",
        reconciliation_message,
    ),
    (
        "select state_id, state, set_at, set_by, reason from ops.trading_state where set_at >= %(since)s"
        " order by state_id",
        state_message,
    ),
)

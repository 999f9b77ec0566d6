"""The words of each notification. Pure; figures only, nothing that opens anything."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from pas_lib.notify.channels import Message

Row = Mapping[str, Any]


def plan_message(row: Row) -> Message:
    """Tell that a session was decided, and what it would trade; a live plan waits for a person."""
    where = f"{row['broker']} account"
    lines = [
        f"{row['buys']} buys and {row['sells']} sells, {float(row['notional']):,.2f} USD,"
        f" to be sent at the open of {row['execution_session']} ({where}).",
        f"Managed equity {float(row['managed_equity']):,.2f} USD.",
    ]
    if row["scale"] is not None:
        cci = "unknown" if row["cci"] is None else f"{row['cci']:.2f}"
        lines.append(f"{row['method']}, gross {row['gross']:.1%}, CCI {cci}, S {row['scale']:.2f}.")
    if row["refusals"]:
        lines.append(f"{len(row['refusals'])} refused at planning.")
    lines.append(f"Plan {row['plan_hash'][:12]}.")
    title = f"Plan of {row['session']}"
    if row["broker"] == "live":
        title += " waits for an approval"
        lines.append("Nothing is sent until a person approves it.")
    return Message("plan", f"plan:{row['broker']}:{row['plan_hash']}", title, "\n".join(lines))


def fills_message(row: Row) -> Message:
    """Tell what an execution came to."""
    lines = [
        f"{row['fills']} fills: bought {float(row['bought']):,.2f} USD in {row['buys']},"
        f" sold {float(row['sold']):,.2f} USD in {row['fills'] - row['buys']}."
    ]
    if row["unfilled"]:
        lines.append(f"{row['unfilled']} orders were refused, cancelled or expired.")
    return Message(
        "fills",
        f"fills:{row['broker']}:{_digest(row['account_number'])}:{row['session']}",
        f"Executed in {row['execution_session']}",
        "\n".join(lines),
    )


def state_message(row: Row) -> Message:
    """Tell that the trading state changed, and by whom."""
    return Message(
        "state",
        f"state:{row['state_id']}",
        f"Trading is {row['state']}",
        f"Set by {row['set_by']} at {row['set_at']:%Y-%m-%d %H:%M} UTC: {row['reason']}",
    )


def reconciliation_message(row: Row) -> Message:
    """Tell that the books and the broker do not agree."""
    differences = row["differences"]
    lines = [
        f"{one.get('asset', '?')}: books {one.get('ledger', '?')}, broker {one.get('broker', '?')}"
        for one in differences[:10]
    ]
    if len(differences) > len(lines):
        lines.append(f"and {len(differences) - len(lines)} more")
    lines.append(f"Cash: books {row['cash_ledger']}, broker {row['cash_broker']}.")
    same = _digest(
        json.dumps([row["account_number"], differences, str(row["cash_ledger"]), str(row["cash_broker"])], default=str)
    )
    return Message(
        "reconciliation", f"reconciliation:{row['broker']}:{same}", "Books and broker differ", "\n".join(lines)
    )


def alert_message(row: Row) -> Message:
    """Tell which risk rules fired."""
    return Message(
        "alert",
        f"alert:{row['decision_id']}",
        f"{row['n']} risk alert{'s' if row['n'] > 1 else ''} at {row['session']}",
        str(row["messages"]),
    )


def stale_message(session: date, found: Mapping[str, str]) -> Message:
    """Tell which datasets could not be collected; the decision went on with older data."""
    lines = [f"{name}: {note}" if note else name for name, note in sorted(found.items())]
    key = f"stale:{session}:{_digest(','.join(sorted(found)))}"
    return Message("stale", key, f"Stale data at {session}: {', '.join(sorted(found))}", "\n".join(lines))


def task_message(row: Row) -> Message:
    """Tell that a task failed."""
    details = row["details"] or {}
    name = ".".join(str(details[part]) for part in ("dag_id", "task_id") if details.get(part)) or "a task"
    when = f" of session {row['session']}" if row["session"] else ""
    return Message("task_failed", f"task:{row['log_id']}", f"{name}{when} failed", str(row["reason"]))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]

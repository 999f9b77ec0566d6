"""Approvals: a person says yes to one plan, by its hash, until the close of its execution session.

Whoever asks (Airflow step, command line, API) only writes the row; `check_live` is what counts, and `execute` calls it.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pas_lib.clock import Clock, session_close
from pas_lib.errors import GuardError, OrderError
from pas_lib.execution import store
from pas_lib.execution.types import AccountKey, StoredPlan

if TYPE_CHECKING:
    from pas_lib.settings import Settings
    from pas_lib.warehouse import Warehouse


def needs_approval(settings: Settings) -> bool:
    """Return whether plans wait for a person."""
    return settings.broker == "live"


def approve(
    session: date,
    warehouse: Warehouse,
    clock: Clock,
    *,
    who: str,
    plan_hash: str | None = None,
    refuse: bool = False,
    note: str = "",
) -> str:
    """Approve (or refuse) the stored plan of a session.

    Parameters
    ----------
    session : date
        The decision session.
    plan_hash : str, optional
        What the person has seen; must be the stored plan's.

    Returns
    -------
    str
        The plan hash.

    Raises
    ------
    OrderError
        If there is no such plan, or it is another one, or its time is over.
    """
    if not who.strip():
        raise OrderError("an approval needs a person's name")
    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        plan = store.load_plan(conn, key, session) if key else None
        if key is None or plan is None:
            raise OrderError(f"there is no plan for session {session}", hint="run `pas decide` first")
        if plan_hash is not None and plan_hash != plan.plan_hash:
            raise OrderError(
                f"the plan of {session} is {plan.plan_hash[:12]}, not {plan_hash[:12]}", hint="look at it again"
            )
        expires_at = session_close(plan.execution_session)
        now = clock.now()
        if now >= expires_at:
            raise OrderError(f"the plan of {session} expired at the close of {plan.execution_session}")
        decision = "refused" if refuse else "approved"
        store.insert_approval(conn, key, session, plan.plan_hash, decision, who.strip(), now, expires_at, note)
    return plan.plan_hash


def check_live(settings: Settings, key: AccountKey, plan: StoredPlan, warehouse: Warehouse, clock: Clock) -> None:
    """Let a plan pass to a live account only if all of its conditions are met.

    Raises
    ------
    GuardError
        Naming the first condition that is not met.
    """
    if key.broker != "live":
        return
    check_live_account(settings, key)
    with warehouse.connect() as conn:
        row = store.last_approval(conn, key, plan.plan_hash)
    if row is None:
        raise GuardError(
            f"plan {plan.plan_hash[:12]} of session {plan.session} is not approved", hint=f"pas approve {plan.session}"
        )
    if row["decision"] != "approved":
        raise GuardError(f"plan {plan.plan_hash[:12]} of session {plan.session} was refused by {row['decided_by']}")
    if clock.now() >= row["expires_at"]:
        raise GuardError(
            f"the approval of plan {plan.plan_hash[:12]} expired at {row['expires_at']:%Y-%m-%d %H:%M} UTC"
        )


def refused_by(key: AccountKey, plan: StoredPlan, warehouse: Warehouse) -> str:
    """Return who had the last word on a live plan and refused it; an empty text when nobody did."""
    if key.broker != "live":
        return ""
    with warehouse.connect() as conn:
        row = store.last_approval(conn, key, plan.plan_hash)
    return str(row["decided_by"]) if row is not None and row["decision"] != "approved" else ""


def check_live_account(settings: Settings, key: AccountKey) -> None:
    """Check that trading real money is switched on, for this very account.

    Raises
    ------
    GuardError
        If PAS_ALLOW_LIVE or PAS_LIVE_ACCOUNT says otherwise.
    """
    if key.broker != "live":
        return
    if not settings.allow_live:
        raise GuardError("PAS_BROKER=live needs PAS_ALLOW_LIVE=true")
    if settings.live_account != key.account_number:
        raise GuardError("PAS_LIVE_ACCOUNT does not name the account that the key opens")


def standing(session: date, settings: Settings, warehouse: Warehouse, clock: Clock) -> str:
    """Return what a session's plan waits for: ``none`` (nothing to ask), ``waiting`` for a person, or ``approved``.

    For whoever drives the steps; `check_live` alone lets anything pass.

    Raises
    ------
    GuardError
        If a person has refused the plan, or its time is over without an approval.
    """
    if not needs_approval(settings):
        return "none"
    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        plan = store.load_plan(conn, key, session) if key else None
        row = store.last_approval(conn, key, plan.plan_hash) if key and plan else None
    if plan is None or not any(intent.kind == "order" for intent in plan.intents):
        return "none"
    name = f"plan {plan.plan_hash[:12]} of session {session}"
    if row is not None and row["decision"] != "approved":
        raise GuardError(f"{name} was refused by {row['decided_by']}: nothing is sent")
    if row is not None:
        return "approved"
    if clock.now() >= session_close(plan.execution_session):
        raise GuardError(f"{name} was approved by nobody until the close of {plan.execution_session}: nothing is sent")
    return "waiting"

"""A decision beside the stored one, for upgrades: what the code of now would decide and order, and how that differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from pas_lib.clock import Clock, decision_time, next_session
from pas_lib.execution import AlpacaGateway, StoredPlan, ledger, plan, store
from pas_lib.execution import Decision as ExecutionDecision
from pas_lib.execution.broker import check_origin
from pas_lib.execution.intents import constraints_of, intents_of
from pas_lib.execution.plan import usable_closes
from pas_lib.pipeline.differences import Difference, decision_differences, plan_differences
from pas_lib.pipeline.records import Decision, load_decision
from pas_lib.settings import Settings
from pas_lib.warehouse import Warehouse


@dataclass(frozen=True)
class Shadow:
    """A dry run beside what is stored for its session.

    Attributes
    ----------
    stored
        The stored decision; None when the session has not been decided.
    plan
        The stored plan, if there is one.
    differences
        All there are: shares, targets, orders. Empty when nothing is stored, too.
    """

    stored: Decision | None
    plan: StoredPlan | None
    differences: Sequence[Difference] = ()


def beside(warehouse: Warehouse, dry: Decision) -> Shadow:
    """Compare a dry run with the decision and the plan that are stored for its session."""
    stored = load_decision(warehouse, dry.session)
    if stored is None:
        return Shadow(None, None)
    made = stored_plan(warehouse, dry.session)
    found = list(decision_differences(stored, dry))
    if made is not None or dry.plan is not None:
        found += plan_differences(made, dry.plan)
    return Shadow(stored, made, tuple(found))


def stored_plan(warehouse: Warehouse, session: date) -> StoredPlan | None:
    """Return the plan that is stored for a session at the account the books belong to, if there is one."""
    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        return store.load_plan(conn, key, session) if key is not None else None


def draft_plan(
    decision: ExecutionDecision,
    settings: Settings,
    clock: Clock,  # noqa: ARG001 - the books say what time it is
    warehouse: Warehouse,
    *,
    dry_run: bool = True,  # noqa: ARG001
    gateway: AlpacaGateway | None = None,
) -> StoredPlan:
    """Draw the order plan of a decision from the books as they stand; nothing is written, nothing is sent.

    The broker is asked what it trades, and, while there are no books yet, for the account's cash.

    Raises
    ------
    GuardError
        If this warehouse may not trade with this broker.
    BrokerError
        If the broker does not answer.
    """
    broker = gateway or AlpacaGateway.from_settings(settings)
    before = next_session(decision.session)
    with warehouse.connect() as conn:
        check_origin(settings, store.identity(conn)[1])
        key = store.active_binding(conn)
        holdings = store.holdings(conn, key, before=before) if key else {}
        cash = store.cash_by_book(conn, key, before=before) if key else {}
        missing = sorted({symbol for _, symbol in holdings} - set(usable_closes(decision)))
        if missing:
            found = store.closes(conn, missing, decision.session, decision_time(decision.session))
            decision = replace(decision, closes={**found, **decision.closes})
        equity = ledger.managed_equity(conn, key, usable_closes(decision), before=before) if key else None
    if key is None or equity is None:
        account = broker.account()
        key, equity = account.key, account.cash
        cash = {"CASH": account.cash}
    drawn = plan(decision, holdings, equity, cash=cash, assets=broker.assets(), constraints=constraints_of(settings))
    return StoredPlan(
        key=key,
        session=drawn.session,
        execution_session=drawn.execution_session,
        plan_hash=drawn.plan_hash,
        managed_equity=drawn.managed_equity,
        sizing_equity=drawn.sizing_equity,
        intents=intents_of(drawn, key),
        refusals=drawn.refusals,
    )

"""From target weights to positions: order plan, broker, ledger, reconciliation.

How the rooms before this one call it (both functions are safe to call again with the same session)::

    from pas_lib.execution import Decision, Target, create_plan, execute

    decision = Decision(
        session=D,                                    # the decision session; orders go out in the next one
        targets=(Target("congress_aggregate", "BRK.B", 0.0125, decision_close=481.5), ...),
        trading=frozenset({"congress_aggregate"}),    # portfolios that trade now; the others drift
        shares={"congress_aggregate": 0.25},          # optional: allocation x S; default: the sum of the weights
        inputs_hash="...",
    )
    stored = create_plan(decision, settings, clock, warehouse)   # StoredPlan: .intents .refusals .plan_hash .is_new
    draft = create_plan(decision, settings, clock, warehouse, dry_run=True)   # the same, nothing stored

    report = execute(D, settings, clock, warehouse)   # in the next session, at the open or after it
    snapshot_account(E, settings, clock, warehouse)   # in the evening of any session: the account's figures, late rows

`create_plan` asks the broker for its account and its assets, applies what the account's activity feed shows, sizes on
managed equity (all books but EXTERNAL, at the decision closes, less ``PAS_CASH_BUFFER``) and stores plan and intents
once: a second call for the session returns what was stored (``is_new`` False). Weights are shares of equity, never of a
portfolio, so all portfolios together cannot exceed the gross cap. What a decision may not contain raises `OrderError`;
what cannot be traded becomes a `Refusal` with a reason code while the rest of the basket goes on.

`managed_equity(warehouse, D)`, `current_shares(warehouse, D)` and `current_weights(warehouse, D)` tell what the books
are worth at a session's closes, for the no-trade band; shares are in the same unit as ``Decision.shares``.

Books. Every portfolio is a book with its own securities and its own cash. ``CASH`` holds cash that belongs to no
portfolio (the buffer, what allocation leaves out, deposits); ``EXTERNAL`` holds what was traded by hand, paid from
``CASH``. At each plan a trading portfolio's book is brought to its share of equity by a transfer from or to ``CASH``
(an intent of kind ``funding``), so that a book's return is what happened between its transfers, and the books always
add up to the account.

`EquityPortfolio` reads one book; `AlpacaGateway` speaks to the broker; `approve`, `set_state`, `adopt`, `reconcile` and
`cancel_open` are what a person does.
"""

from __future__ import annotations

from pas_lib.execution.approvals import approve, needs_approval, standing
from pas_lib.execution.broker import AlpacaGateway
from pas_lib.execution.execute import adopt, cancel_open, execute, reconcile, snapshot_account
from pas_lib.execution.intents import create_plan, current_shares, current_weights, managed_equity
from pas_lib.execution.plan import plan
from pas_lib.execution.portfolio import EquityPortfolio
from pas_lib.execution.state import current_state, set_state
from pas_lib.execution.types import (
    AssetRule,
    Constraints,
    Decision,
    ExecutionReport,
    OrderPlan,
    Reconciliation,
    Refusal,
    StoredPlan,
    Target,
)

__all__ = [
    "AlpacaGateway",
    "AssetRule",
    "Constraints",
    "Decision",
    "EquityPortfolio",
    "ExecutionReport",
    "OrderPlan",
    "Reconciliation",
    "Refusal",
    "StoredPlan",
    "Target",
    "adopt",
    "approve",
    "cancel_open",
    "create_plan",
    "current_shares",
    "current_state",
    "current_weights",
    "execute",
    "managed_equity",
    "needs_approval",
    "plan",
    "reconcile",
    "set_state",
    "snapshot_account",
    "standing",
]

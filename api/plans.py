"""The order plan of a session, and what people said to it."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from api.models import Answer
from api.queries import as_json
from api.store import Reader
from pas_lib.clock import session_close


class Intent(Answer):
    """One wish of a plan."""

    kind: str = Field(description="order: sent to the broker; cross: between two books; funding: cash between books")
    portfolio_id: str
    symbol: str
    side: str | None
    qty: float = Field(description="shares; US dollars of a funding, positive into the portfolio")
    decision_close: float | None
    notional: float = Field(description="shares at the decision close, US dollars")


class Refusal(Answer):
    """A wish that became no order."""

    portfolio_id: str = ""
    symbol: str = ""
    side: str = ""
    qty: float | None = None
    code: str
    message: str = ""


class Word(Answer):
    """What a person said to a plan."""

    decision: str = Field(description="approved or refused")
    decided_by: str
    decided_at: datetime
    expires_at: datetime
    note: str


class Plan(Answer):
    """One session's plan of orders."""

    session: date
    execution_session: date
    plan_hash: str
    created_at: datetime
    expires_at: datetime = Field(description="close of the session in which it is executed")
    finished_at: datetime | None = Field(description="when its execution was over; null before")
    needs_approval: bool = Field(description="whether a person has to approve it before anything is sent")
    sizing_equity: float
    buys: float = Field(description="of orders, at the decision closes, US dollars")
    sells: float
    turnover: float | None = Field(description="buys and sells as a share of the sizing equity")
    intents: list[Intent] = Field(description="orders first, the largest first")
    refusals: list[Refusal]
    words: list[Word] = Field(description="newest first; the newest counts")


class PlanAnswer(Answer):
    """The plan asked for; null before the first one."""

    plan: Plan | None


_PLAN = """
select p.broker, p.account_number, p.session, p.execution_session, p.plan_hash, p.created_at, p.finished_at,
       cast(p.sizing_equity as double precision) as sizing_equity, p.refusals
from ops.order_plans p
join ops.ledger_bindings b on b.broker = p.broker and b.account_number = p.account_number and b.is_active
where cast(%(session)s as date) is null or p.session = %(session)s
order by p.session desc limit 1
"""
_OWN = "broker = %(broker)s and account_number = %(account)s"
_INTENTS = f"""
select kind, portfolio_id, symbol, side, cast(qty as double precision) as qty,
       cast(decision_close as double precision) as decision_close,
       cast(case when kind = 'funding' then abs(qty) else qty * decision_close end as double precision) as notional
from ops.intents where {_OWN} and session = %(session)s
order by case kind when 'order' then 0 when 'cross' then 1 else 2 end, notional desc, portfolio_id, symbol
"""  # noqa: S608 - a condition of this module
_WORDS = f"""
select decision, decided_by, decided_at, expires_at, note
from ops.approvals where {_OWN} and session = %(session)s and plan_hash = %(hash)s order by approval_id desc
"""  # noqa: S608 - a condition of this module


def plan(reader: Reader, *, needs_approval: bool, session: date | None = None) -> PlanAnswer:
    """Return the plan of a session (the latest by default) of the account the books belong to.

    Parameters
    ----------
    needs_approval : bool
        Whether this broker's plans wait for a person.
    """
    row = reader.first(_PLAN, {"session": session})
    if row is None:
        return PlanAnswer(plan=None)
    key = {"broker": row["broker"], "account": row["account_number"], "session": row["session"]}
    intents = [Intent.model_validate(one) for one in reader.records(_INTENTS, key)]
    words = reader.records(_WORDS, {**key, "hash": row["plan_hash"]})
    orders = [one for one in intents if one.kind == "order"]
    buys, sells = (sum(one.notional for one in orders if one.side == side) for side in ("buy", "sell"))
    equity = row["sizing_equity"]
    return PlanAnswer(
        plan=Plan(
            **{name: row[name] for name in ("session", "execution_session", "plan_hash", "created_at", "finished_at")},
            expires_at=session_close(row["execution_session"]),
            needs_approval=needs_approval,
            sizing_equity=equity,
            buys=buys,
            sells=sells,
            turnover=(buys + sells) / equity if equity else None,
            intents=intents,
            refusals=[Refusal.model_validate(one) for one in as_json(row["refusals"])],
            words=[Word.model_validate(one) for one in words],
        )
    )

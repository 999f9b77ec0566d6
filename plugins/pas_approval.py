"""The approval of a live plan as a required action in the Airflow UI.

The task shows the plan and writes the person's answer as an approval row, exactly as the command line and the API do.
It opens nothing by itself: `pas_lib.execution` checks the row whoever calls it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pas_operators import runtime, session_of

if TYPE_CHECKING:
    import datetime as dt

    from airflow.sdk import Context

    from pas_lib.execution import StoredPlan

APPROVE, REFUSE = "Approve", "Refuse"
#: Orders shown; the rest is counted. All are in the API and in `pas decide`.
_SHOWN = 200


class ApprovePlanOperator(HITLOperator):
    """Ask a person about the plan of a session, in live mode only; elsewhere, and without a plan, it is skipped.

    Waits until the close of the execution session; a plan that nobody has answered by then is not executed.
    """

    def __init__(self, **kwargs: Any) -> None:
        # A DAG hands its own parameters to every task; the form shows this task's alone.
        kwargs.pop("params", None)
        kwargs.setdefault("doc_md", inspect.cleandoc(type(self).__doc__ or ""))
        super().__init__(
            subject="Approve the live order plan",
            body="The plan is shown here once it is made.",
            options=[APPROVE, REFUSE],
            params={"note": Param("", type="string", maxLength=500, description="Why; stored with your name.")},
            **kwargs,
        )

    def execute(self, context: Context) -> Any:
        """Show the plan and wait."""
        from pas_lib.clock import session_close
        from pas_lib.execution import needs_approval

        session, here = session_of(context), runtime()
        if not needs_approval(here.settings):
            raise AirflowSkipException(f"PAS_BROKER={here.settings.broker}: no approval is needed")
        plan, word = _plan_and_word(session, here.warehouse)
        if plan is None:
            raise AirflowSkipException(f"there is no plan for session {session}")
        if word:
            raise AirflowSkipException(f"the plan of {session} is {word} already")
        left = session_close(plan.execution_session) - here.clock.now()
        if left.total_seconds() <= 0:
            raise AirflowFailException(f"the plan of {session} expired at the close of {plan.execution_session}")
        self.subject = f"Live order plan of {session}: {plan.plan_hash[:12]}"
        self.body = plan_text(plan)
        self.response_timeout = left
        context["ti"].xcom_push(key="plan_hash", value=plan.plan_hash)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Write the answer as the approval row of the plan that was shown."""
        from pas_lib.execution import approve

        session, here = session_of(context), runtime()
        if event.get("error_type") == "timeout":
            plan, word = _plan_and_word(session, here.warehouse)
            if word:
                # Somebody has answered on the command line or over the API.
                return {"plan_hash": plan.plan_hash if plan else "", "decision": word}
            raise AirflowFailException(f"nobody has approved the plan of {session} in time: nothing is sent")
        answer = super().execute_complete(context, event)
        seen = context["ti"].xcom_pull(task_ids=self.task_id, key="plan_hash")
        if not seen:
            raise AirflowFailException("it is not known which plan was shown: nothing was approved")
        chosen = list(answer["chosen_options"])
        if chosen not in ([APPROVE], [REFUSE]):
            raise AirflowFailException(f"the answer {chosen} is neither {APPROVE} nor {REFUSE}")
        approve(
            session,
            here.warehouse,
            here.clock,
            who=person(answer["responded_by_user"]),
            plan_hash=str(seen),
            refuse=chosen == [REFUSE],
            note=str((answer["params_input"] or {}).get("note") or ""),
        )
        return {"plan_hash": str(seen), "decision": chosen[0]}


def person(user: Any) -> str:
    """Return who answered, as Airflow's log-in knows them.

    Raises
    ------
    AirflowFailException
        If nobody did: an answer without a person is none.
    """
    found = user if isinstance(user, Mapping) else getattr(user, "__dict__", {})
    name = str(found.get("name") or found.get("id") or "").strip()
    if not name:
        raise AirflowFailException("nobody is named with the answer: nothing was approved")
    return f"{name} (Airflow)"


def plan_text(plan: StoredPlan) -> str:
    """Return a plan as Markdown: what is bought and sold, for how much, and what was refused."""
    orders = [one for one in plan.intents if one.kind == "order"]
    value = {
        side: sum(
            (one.qty * (one.decision_close or 0) for one in orders if one.side == side), start=0 * plan.managed_equity
        )
        for side in ("buy", "sell")
    }
    lines = [
        f"Account of `{plan.key.broker}`, to be executed in **{plan.execution_session}**."
        f" Managed equity {plan.managed_equity:,.2f} USD.",
        "",
        f"**{sum(one.side == 'buy' for one in orders)} buys** for about {value['buy']:,.2f} USD,"
        f" **{sum(one.side == 'sell' for one in orders)} sells** for about {value['sell']:,.2f} USD,"
        f" {sum(one.kind == 'cross' for one in plan.intents)} crossed internally, {len(plan.refusals)} refused.",
        "",
        "| # | Portfolio | Side | Symbol | Shares | At about |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.seq} | {one.portfolio_id} | {one.side} | {one.symbol} | {one.qty.normalize():f}"
        f" | {one.decision_close} |"
        for one in orders[:_SHOWN]
    ]
    if len(orders) > _SHOWN:
        lines += ["", f"and {len(orders) - _SHOWN} more."]
    if plan.refusals:
        lines += ["", "Refused: " + ", ".join(f"{one.symbol} ({one.code})" for one in plan.refusals[:20])]
    return "\n".join(lines)


def _plan_and_word(session: dt.date, warehouse: Any) -> tuple[StoredPlan | None, str]:
    """Return the stored plan of a session, and the newest word on it: approved, refused, or nothing."""
    from pas_lib.execution import store

    with warehouse.connect() as conn:
        key = store.active_binding(conn)
        plan = store.load_plan(conn, key, session) if key else None
        row = store.last_approval(conn, key, plan.plan_hash) if key and plan else None
    return plan, "" if row is None else str(row["decision"])

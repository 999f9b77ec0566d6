"""Which tables ``/db`` shows, and in which order their rows come.

Raw tables follow the dataset catalogue; those of ops and marts are listed here. A table that is in neither is not
shown, whatever a request says; its columns are those the store reports, so an identifier that reaches a statement is
always one that exists.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from api.errors import NotFound, Unprocessable
from api.store import Reader, Rows
from pas_lib.errors import UnknownName


@dataclass(frozen=True)
class Table:
    """A table that may be read.

    Attributes
    ----------
    schema, name : str
        Where it is.
    key : tuple[str, ...]
        Columns that tell its rows apart; the default order, and the last word among equal rows of any other.
    description : str
        What one row is.
    sums : frozenset[str]
        Columns of a view whose decimals have no stated precision; the mirror keeps those as text.
    """

    schema: str
    name: str
    key: tuple[str, ...]
    description: str
    sums: frozenset[str] = frozenset()

    @property
    def qualified(self) -> str:
        """``schema.name``, for a statement: both come from this module."""
        return f'{self.schema}."{self.name}"'

    def value(self, column: str) -> str:
        """Return the expression that gives a column (one that exists) the same values on both engines."""
        return f'cast("{column}" as decimal(38, 9))' if column in self.sums else f'"{column}"'


_OPS: dict[str, tuple[tuple[str, ...], str]] = {
    "warehouse_identity": (("only_row",), "the warehouse's identity and origin"),
    "schema_version": (("version",), "one applied migration"),
    "sessions": (("session",), "one session of the exchange"),
    "ingest_runs": (("run_id", "dataset", "source"), "one load of one dataset from one source"),
    "landing_files": (("path", "dataset"), "one landed payload"),
    "quarantine": (("quarantine_id",), "one refused record and why"),
    "quarantine_states": (("state_id",), "what became of one refused record"),
    "cache": (("dataset", "cache_key"), "the validators of one answer"),
    "audit_log": (("audit_id",), "one request that changes something: asked, done or refused"),
    "system_logs": (("log_id",), "one event of a program"),
    "portfolios": (("portfolio_id",), "one portfolio"),
    "decisions": (("decision_id",), "one decision: allocation, indicator and scale of a session"),
    "weight_history": (("decision_id", "portfolio_id", "symbol"), "one target weight of a decision"),
    "alloc_log": (("log_id",), "one step of an allocation, or a failed task"),
    "model_weights": (("portfolio_id", "session", "symbol"), "one weight a strategy wanted at a rebalance session"),
    "simulated_returns": (("portfolio_id", "session"), "one day's model return of a portfolio"),
    "regime_history": (("session",), "the crisis indicator of a session"),
    "order_plans": (("broker", "account_number", "session"), "one account's plan of a session"),
    "intents": (("intent_id",), "one wish: an order to send, a cross between books, or a movement of cash"),
    "orders": (("client_order_id",), "one order as last known"),
    "order_events": (("event_id",), "one change of an order's state"),
    "broker_activities": (("broker", "account_number", "activity_id"), "one activity the account's feed showed"),
    "trades": (("trade_id",), "one fill, internal cross, or trade made by hand"),
    "ledger_bindings": (("binding_id",), "one account the books belong or belonged to"),
    "ledger_entries": (("entry_id",), "one line of the double-entry ledger"),
    "positions": (("broker", "account_number", "book", "symbol"), "what one book holds of a symbol"),
    "book_cash": (("broker", "account_number", "book"), "the cash of one book"),
    "reconciliations": (("reconciliation_id",), "one comparison of the books with the broker"),
    "approvals": (("approval_id",), "one approval or refusal of a plan"),
    "trading_state": (("state_id",), "one change of the trading state; the newest counts"),
    "risk_figures": (("decision_id", "metric"), "one risk figure of a decision's book"),
    "risk_exposures": (("decision_id", "kind", "label"), "one exposure of a decision's book: name, sector, portfolio"),
    "portfolio_risk_figures": (
        ("decision_id", "portfolio_id", "metric"),
        "one risk figure of a portfolio's part in a decision's book",
    ),
    "portfolio_risk_exposures": (
        ("decision_id", "portfolio_id", "kind", "label"),
        "one exposure of a portfolio's part in a decision's book: name, sector",
    ),
    "risk_rules": (("rule_id",), "one rule that raises an alert; ended ones stay"),
    "risk_alerts": (("alert_id",), "one alert that a rule raised, and who has seen it"),
    "manual_weights": (("event_id", "symbol"), "one weight a person put into a manual portfolio"),
    "portfolio_events": (("event_id",), "what a person did to a portfolio"),
    "posted_returns": (("row_id",), "one daily return posted from outside; the newest of a session counts"),
    "posted_metrics": (("metrics_id",), "trailing statistics of a manual portfolio after a posting"),
    "notifications": (("key",), "one message to people, and what became of it"),
    "account_metrics": (("broker", "account_number", "session"), "the account at the end of a session"),
    "account_metrics_paper": (("broker", "account_number", "session"), "the same of sandbox and paper accounts"),
    "account_metrics_live": (("broker", "account_number", "session"), "the same of the live account"),
}

_MARTS: dict[str, tuple[tuple[str, ...], str]] = {
    "ticker_scores": (("score_date", "security_id"), "scores of one security at one date"),
    "top_scores": (("score_date", "rank", "security_id"), "one of the 20 best securities of a month"),
    "signals": (
        ("strategy", "session", "rank", "security_id"),
        "one security's score in a strategy's rebalance session",
    ),
    "daily_returns": (("security_id", "session"), "one security's adjusted prices and return of a session"),
    "model_returns": (("portfolio_id", "session"), "one day's model return of a portfolio"),
    "portfolio_returns": (("portfolio_id", "session"), "one day's realised equity and return of a portfolio"),
    "metrics": (("portfolio_id", "basis", "as_of"), "statistics of one portfolio"),
    "rolling_metrics": (("portfolio_id", "basis", "days", "session"), "statistics of one window of a portfolio"),
    "correlations": (("portfolio_a", "portfolio_b", "as_of"), "correlation of two portfolios' model returns"),
    "exposures": (("session", "portfolio_id", "sector", "symbol"), "one holding's weight and sector"),
    "implementation_shortfall": (("intent_id",), "what one wish cost on its way from decision close to fill"),
    "shortfall_by_session": (("portfolio_id", "execution_session"), "the same of a portfolio's session"),
    "regime_inputs": (("session", "series_id"), "one macro value as known at a session"),
    "signal_research": (
        ("strategy", "session", "from_day", "to_day"),
        "what a signal foretold of one window after a session",
    ),
    "signal_turnover": (("strategy", "session"), "how much a signal changed since the session before"),
    "signal_summary": (("strategy", "from_day", "to_day"), "what a signal foretold over all sessions"),
    "backtest_runs": (("run_id",), "one backtest that was run, with its parameters"),
    "backtest_returns": (("run_id", "portfolio_id", "session"), "one day's backtested return of a portfolio"),
    "backtest_metrics": (("run_id", "portfolio_id"), "the figures of a backtested portfolio"),
    "backtest_exposures": (
        ("run_id", "portfolio_id", "session", "sector"),
        "one sector's share of a backtested portfolio",
    ),
}

_SUMS = {"positions": frozenset({"qty", "avg_cost", "cost_basis"}), "book_cash": frozenset({"cash"})}

#: Columns that hold JSON: PostgreSQL gives them decoded, the mirror as text.
JSON_COLUMNS = frozenset(
    {
        "parts",
        "details",
        "record",
        "refusals",
        "payload",
        "differences",
        "figures",
        "parameters",
        "data_cut",
        "coverage",
    }
)


@cache
def tables() -> dict[str, Table]:
    """Return every table that may be read, by its bare name and by ``schema.name``."""
    from pas_lib.datasets import catalogue

    found = [Table("raw", name, ("row_id",), dataset.doc) for name, dataset in catalogue().items()]
    for schema, listed in (("ops", _OPS), ("marts", _MARTS)):
        found += [Table(schema, name, key, text, _SUMS.get(name, frozenset())) for name, (key, text) in listed.items()]
    named: dict[str, Table] = {}
    for table in found:
        named.setdefault(table.name, table)
        named[f"{table.schema}.{table.name}"] = table
    return named


def find(name: str) -> Table:
    """Return a table by its bare or qualified name.

    Raises
    ------
    NotFound
        If there is none of that name.
    """
    known = tables()
    if name not in known:
        bare = sorted(n for n in known if "." not in n)
        raise NotFound(str(UnknownName("table", name[:80], bare)))
    return known[name]


def decoded(rows: Rows) -> Rows:
    """Return rows with the text of JSON columns decoded."""
    places = [n for n, name in enumerate(rows.columns) if name in JSON_COLUMNS]
    if not places or not any(isinstance(row[n], str) for row in rows.rows for n in places):
        return rows
    return Rows(
        rows.columns,
        [
            tuple(json.loads(v) if n in places and isinstance(v, str) else v for n, v in enumerate(row))
            for row in rows.rows
        ],
    )


def columns_of(reader: Reader, table: Table) -> dict[str, str]:
    """Return a table's columns and their types in the store that is read; empty if it is not there."""
    return dict(reader.columns(table.schema, table.name))


def checked(column: str, columns: dict[str, str], table: Table) -> str:
    """Return a column as a statement names it.

    Raises
    ------
    Unprocessable
        If the table has no such column.
    """
    if column not in columns:
        raise Unprocessable(str(UnknownName(f"column of {table.schema}.{table.name}", column[:80], columns)))
    return table.value(column)

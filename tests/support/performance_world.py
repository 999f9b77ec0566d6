"""Model returns, decisions and a ledger for tests of the performance marts."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from pas_lib import clock
from pas_lib.warehouse import Warehouse, copy_arrow
from tests.support.raw_world import RawWorld

PORTFOLIOS = ("congress_aggregate", "sector_risk_parity", "volatility_momentum", "wiki_attention", "flat")
#: Series at the edges of the definitions; the first of each one falls on the session that makes the last the newest.
EDGES: dict[str, list[float]] = {
    "one": [0.01],
    "two": [0.01, -0.02],
    "only_gains": [0.001 * (1 + i % 7) for i in range(30)],
    "only_losses": [-0.001 * (1 + i % 7) for i in range(30)],
    "constant": [0.001] * 40,
    "ruined": [0.02, -0.01, -1.0, 0.05, 0.03],
    "lost_first": [-0.1, *[0.001 * (i % 5 - 1) for i in range(30)]],
    "nineteen": [0.004 * ((i * 7) % 11 - 5) for i in range(19)],
    "twenty": [0.004 * ((i * 7) % 11 - 5) for i in range(20)],
    "forty_with_ties": [(-0.03, 0.01, 0.0, 0.02)[i % 4] for i in range(40)],
    "fifty_one": [0.003 * ((i * 13) % 17 - 8) for i in range(51)],
}
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def load_performance(warehouse: Warehouse, world: RawWorld) -> None:
    """Fill ops with returns of portfolios, those at the edges too, and the ledger of one that holds two names."""
    rng = np.random.default_rng(5)
    sessions = list(world.sessions)[-200:]
    rows = {"portfolio_id": [], "session": [], "model_return": [], "turnover": [], "cost": []}
    for k, portfolio in enumerate(PORTFOLIOS):
        days = sessions[k * 10 :]
        for day in days:
            rows["portfolio_id"].append(portfolio)
            rows["session"].append(day)
            rows["model_return"].append(0.0 if portfolio == "flat" else float(rng.normal(0.0003, 0.01)))
            rows["turnover"].append(0.1)
            rows["cost"].append(0.0001)
    for portfolio, returns in EDGES.items():
        for day, value in zip(sessions[-len(returns) :], returns, strict=True):
            for name, field in zip(rows, (portfolio, day, value, 0.1, 0.0001), strict=True):
                rows[name].append(field)
    n = len(rows["session"])
    table = pa.table({**rows, "origin": ["live"] * n, "computed_at": pa.array([NOW] * n, pa.timestamp("us", "UTC"))})
    with warehouse.connect() as conn:
        copy_arrow(
            conn, table.set_column(1, "session", pa.array(rows["session"], pa.date32())), "ops.simulated_returns"
        )
        _decision(conn, sessions[-5])
        _ledger(conn, sessions[-6:])
        _orders(conn, sessions[-6:])
        _posted(conn, sessions[-30:])
        _backtest(conn, sessions[-3:])


#: (intent, attempt, portfolio, symbol, side, qty, filled, fill price, decision close, open at sending, state)
WISHES = (
    ("i1", 1, "volatility_momentum", "S001", "buy", 10.0, 10.0, 30.6, 29.5, 30.0, "filled"),
    ("i2", 1, "volatility_momentum", "SPY", "sell", 4.0, 1.0, 49.5, 50.0, None, "canceled"),
    ("i2", 2, "volatility_momentum", "SPY", "sell", 3.0, 1.0, 49.0, 50.0, None, "expired"),
    ("i3", 1, "wiki_attention", "S001", "buy", 5.0, 0.0, None, 29.5, None, "denied"),
    ("i4", 1, "wiki_attention", "NOBAR", "buy", 2.0, 2.0, 11.0, 10.0, 10.5, "filled"),
    ("i5", 1, "wiki_attention", "NOBAR", "buy", 2.0, 1.0, 11.0, 10.0, 10.5, "expired"),
)


def _backtest(conn, days: list[date]) -> None:
    """One backtest of one portfolio over three sessions; one figure cannot be said."""
    conn.execute(
        "insert into ops.backtest_runs (run_id, ran_at, start_session, end_session, strategies, parameters,"
        " code_version, data_cut, trials, coverage) values"
        " ('b1', %s, %s, %s, 'flat', '{\"cost_bps\": 10}', 'c', '{\"prices\": 7}', 1, '{\"held\": 2}')",
        (NOW, days[0], days[-1]),
    )
    for n, day in enumerate(days):
        conn.execute(
            "insert into ops.backtest_returns values ('b1', 'flat', %s, %s, 1000, 0.5, 0.0005, 0.9)", (day, n / 100)
        )
    for metric, value in (("sharpe", 1.5), ("n_obs", 3.0), ("beta", None)):
        conn.execute("insert into ops.backtest_metrics values ('b1', 'flat', 't', %s, %s)", (metric, value))
    conn.execute("insert into ops.backtest_exposures values ('b1', 'flat', %s, 'Energy', 0.9)", (days[-1],))


def _orders(conn, days: list[date]) -> None:
    """Wishes of the second last session, carried out in the last one, a crossing, and 1.50 USD of fees."""
    decided, done = days[-2], days[-1]
    conn.execute(
        "insert into ops.order_plans (broker, account_number, session, execution_session, plan_hash, inputs_hash,"
        " managed_equity, sizing_equity, refusals, created_at)"
        " values ('sandbox', 'A1', %s, %s, 'h', 'h', 1000, 980, '[]', %s)",
        (decided, done, NOW),
    )
    for seq, (intent, attempt, book, symbol, side, qty, filled, price, close, opened, state) in enumerate(WISHES):
        if attempt == 1:
            conn.execute(
                "insert into ops.intents values"
                " (%s, 'sandbox', 'A1', %s, %s, 'h', %s, 'order', %s, %s, %s, %s, %s, %s)",
                (intent, decided, done, seq, book, symbol, side, qty, close, NOW),
            )
        conn.execute(
            "insert into ops.orders (client_order_id, intent_id, broker, account_number, portfolio_id, session,"
            " execution_session, symbol, side, attempt, qty, state, filled_qty, filled_avg_price, decision_close,"
            " open_price, created_at, updated_at, expires_at)"
            " values (%s, %s, 'sandbox', 'A1', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (f"{intent}-{attempt}", intent, book, decided, done, symbol, side, attempt, qty, state, filled, price,
             close, opened, NOW, NOW, clock.session_close(done)),
        )  # fmt: skip
    conn.execute(
        "insert into ops.trades (trade_id, broker, account_number, kind, portfolio_id, symbol, side, qty, price,"
        " notional, executed_at, execution_session, session, decision_close, open_price, recorded_at) values"
        " ('x1', 'sandbox', 'A1', 'cross', 'wiki_attention', 'S001', 'sell', 3, 30, 90, %s, %s, %s, 29.5, 30, %s)",
        (clock.session_open(done), done, decided, NOW),
    )
    for line, (book, amount) in enumerate((("CASH", -1.5), ("OUTSIDE", 1.5))):
        conn.execute(
            "insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount, session,"
            " occurred_at, recorded_at) values ('sandbox', 'A1', 'fee', %s, 'fee', %s, 'USD', %s, %s, %s, %s)",
            (line, book, amount, done, clock.session_open(done), NOW),
        )


#: What a person posted for a manual portfolio in the end; a day was corrected, a strategy's returns do not count.
POSTED = [0.004 * ((i * 5) % 9 - 4) for i in range(30)]


def _posted(conn, days: list[date]) -> None:
    conn.execute("insert into ops.portfolios values ('mine', 'Mine', null, 'manual', 'manual', 'active', %s)", (NOW,))
    rows = [("mine", day, value) for day, value in zip(days, POSTED, strict=True)]
    rows[1:1] = [("mine", days[1], 0.5), ("volatility_momentum", days[0], 0.25)]
    for book, day, value in rows:
        conn.execute(
            "insert into ops.posted_returns (portfolio_id, session, ret, posted_at, posted_by)"
            " values (%s, %s, %s, %s, 'x')",
            (book, day, value, NOW),
        )


def _decision(conn, session: date) -> None:
    at = clock.decision_time(session)
    conn.execute(
        "insert into ops.portfolios values"
        " ('volatility_momentum', 'V', 'volatility_momentum', 'strategy', 'weekly', 'active', %s)",
        (at,),
    )
    conn.execute(
        "insert into ops.decisions values ('d1', %s, %s, 'live', 'h', 'equal', null, 1, 1, null, 'test', null, 'r')",
        (session, at),
    )
    for symbol, security, share in (("S001", "cik0000000001", 0.4), ("SPY", "etf:SPY", 0.2)):
        conn.execute(
            "insert into ops.weight_history values ('d1', %s, 'volatility_momentum', %s, %s, %s, %s, %s, 'live')",
            (session, symbol, security, share / 0.6, share, at),
        )


def _ledger(conn, days: list[date]) -> None:
    """1,000 USD come in, 500 go to a portfolio, which buys 10 S001 at 30 and 1 SPY at 50; later 100 more."""
    conn.execute(
        "insert into ops.ledger_bindings (broker, account_number, warehouse_id, bound_at, bound_by, reason, is_active)"
        " values ('sandbox', 'A1', 'w', %s, 'test', 'test', true)",
        (NOW,),
    )
    lines = [
        (days[0], "opening", [("OUTSIDE", "USD", -1000), ("CASH", "USD", 1000)]),
        (days[1], "funding", [("CASH", "USD", -500), ("volatility_momentum", "USD", 500)]),
        (
            days[1],
            "fill",
            [
                ("volatility_momentum", "USD", -300),
                ("OUTSIDE", "USD", 300),
                ("volatility_momentum", "S001", 10),
                ("OUTSIDE", "S001", -10),
            ],
        ),
        (
            days[1],
            "fill",
            [
                ("volatility_momentum", "USD", -50),
                ("OUTSIDE", "USD", 50),
                ("volatility_momentum", "SPY", 1),
                ("OUTSIDE", "SPY", -1),
            ],
        ),
        (days[3], "funding", [("CASH", "USD", -100), ("volatility_momentum", "USD", 100)]),
    ]
    for i, (day, kind, entries) in enumerate(lines):
        for j, (book, asset, amount) in enumerate(entries):
            conn.execute(
                "insert into ops.ledger_entries (broker, account_number, txn_id, line, kind, book, asset, amount,"
                " session, occurred_at, recorded_at) values ('sandbox', 'A1', %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (f"t{i}", j, kind, book, asset, amount, day, clock.session_open(day), NOW),
            )

"""Known rows for the API's tests."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg

from pas_lib.warehouse import Warehouse

ADMIN = "canary-admin-" + "A" * 40
READ = "canary-read-" + "R" * 40

FIRST = date(2026, 1, 30)
SECOND = date(2026, 2, 2)
AT = datetime(2026, 1, 31, 3, 30, tzinfo=UTC)
IDS = ("congress_aggregate", "sector_risk_parity", "volatility_momentum", "wiki_attention")

MARTS = """
create table marts.top_scores (score_date date, rank integer, security_id text, symbol text, overall double precision,
  momentum double precision, risk_adjusted double precision);
create table marts.daily_returns (security_id text, symbol text, session date, open double precision,
  close double precision, adj_open double precision, adj_close double precision, ret double precision,
  dollar_volume double precision);
create table marts.model_returns (portfolio_id text, session date, model_return double precision,
  turnover double precision, cost double precision);
create table marts.metrics (portfolio_id text, basis text, as_of date, n_obs bigint, sharpe double precision,
  sortino double precision, alpha double precision, beta double precision, tracking_error double precision,
  information_ratio double precision, max_drawdown double precision, cagr double precision,
  annual_volatility double precision, calmar double precision, win_rate double precision, var_95 double precision,
  cvar_95 double precision, sharpe_se double precision, probabilistic_sharpe double precision);
create table marts.correlations (portfolio_a text, portfolio_b text, as_of date, n_obs bigint,
  correlation double precision);
create table marts.exposures (session date, portfolio_id text, sector text, symbol text, weight double precision);
"""


def days(start: date, count: int) -> list[date]:
    """Return weekdays."""
    found: list[date] = []
    day = start
    while len(found) < count:
        if day.weekday() < 5:
            found.append(day)
        day += timedelta(days=1)
    return found


def fill(warehouse: Warehouse, *, marts: bool = True) -> None:
    """Fill an empty, migrated warehouse."""
    with warehouse.connect() as conn:
        _ops(conn)
        if marts:
            conn.execute(MARTS)
            _marts(conn)


def _many(conn: psycopg.Connection[Any], table: str, rows: list[dict[str, Any]]) -> None:
    names = list(rows[0])
    statement = f"insert into {table} ({', '.join(names)}) values ({', '.join(f'%({n})s' for n in names)})"
    with conn.cursor() as cursor:
        cursor.executemany(statement, rows)  # type: ignore[arg-type]


def _ops(conn: psycopg.Connection[Any]) -> None:
    _many(
        conn,
        "ops.portfolios",
        [
            {
                "portfolio_id": one,
                "name": one.replace("_", " ").capitalize(),
                "strategy": one,
                "kind": "strategy",
                "cadence": "weekly",
                "status": "active",
                "created_at": AT,
            }
            for one in IDS
        ],
    )
    for session, decision, cci, scale in ((FIRST, "d1", 0.8, 1.0), (SECOND, "d2", 1.4, 0.88)):
        _many(
            conn,
            "ops.decisions",
            [
                {
                    "decision_id": decision,
                    "session": session,
                    "decided_at": AT + (session - FIRST),
                    "origin": "live",
                    "inputs_hash": "h",
                    "method": "max_sharpe",
                    "cci": cci,
                    "scale": scale,
                    "gross": 0.9,
                    "expected_vol": 0.11,
                    "reason": "optimised",
                    "managed_equity": 98_000.0,
                    "run_id": "r",
                }
            ],
        )
        shares = dict(zip(IDS, (0.4, 0.3, 0.2, 0.0), strict=True))
        _many(
            conn,
            "ops.alloc_log",
            [
                {
                    "logged_at": AT,
                    "session": session,
                    "event": "allocation",
                    "decision_id": decision,
                    "portfolio_id": one,
                    "method": "max_sharpe",
                    "allocation": share,
                    "scale": scale,
                    "share": share * scale,
                    "trades": share > 0,
                    "reason": "due",
                }
                for one, share in shares.items()
            ],
        )
        _many(
            conn,
            "ops.weight_history",
            [
                {
                    "decision_id": decision,
                    "session": session,
                    "portfolio_id": one,
                    "symbol": symbol,
                    "security_id": f"sid:{symbol}",
                    "weight": weight,
                    "share": weight * shares[one] * scale,
                    "decided_at": AT,
                    "origin": "live",
                }
                for one in IDS[:3]
                for symbol, weight in (("AAA", 0.5), ("BRK.B", 0.3), ("CCC", 0.2))
            ],
        )
    _many(
        conn,
        "ops.regime_history",
        [
            {
                "session": day,
                "cci": 0.5 + i / 100 if i else float("nan"),
                "scale": max(0.3, 1 - i / 200),
                "parts": json.dumps({"VIXCLS": 0.1 * i}),
                "note": "",
                "computed_at": AT,
            }
            for i, day in enumerate(days(date(2025, 10, 1), 87))
        ],
    )
    _many(
        conn,
        "ops.model_weights",
        [
            {
                "portfolio_id": one,
                "session": FIRST,
                "symbol": symbol,
                "security_id": f"sid:{symbol}",
                "weight": 0.5,
                "note": "",
                "origin": "live",
                "computed_at": AT,
            }
            for one in IDS[:3]
            for symbol in ("AAA", "BRK.B")
        ]
        + [
            {
                "portfolio_id": IDS[3],
                "session": FIRST,
                "symbol": "CASH",
                "security_id": "cash",
                "weight": 1.0,
                "note": "stale: wiki_views has no rows; cash",
                "origin": "live",
                "computed_at": AT,
            }
        ],
    )
    _many(
        conn,
        "ops.ledger_bindings",
        [
            {
                "broker": "sandbox",
                "account_number": "PA1",
                "warehouse_id": "w",
                "bound_at": AT,
                "bound_by": "test",
                "reason": "first",
                "is_active": True,
            },
            {
                "broker": "sandbox",
                "account_number": "OLD",
                "warehouse_id": "w",
                "bound_at": AT,
                "bound_by": "test",
                "reason": "before",
                "is_active": False,
            },
        ],
    )
    _orders(conn)
    _many(
        conn,
        "ops.account_metrics",
        [
            {
                "broker": "sandbox",
                "account_number": account,
                "session": day,
                "taken_at": AT,
                "equity": equity,
                "cash": equity / 4,
                "long_market_value": equity * 3 / 4,
                "buying_power": equity / 4,
                "managed_equity": equity,
                "external_value": 0,
            }
            for account, day, equity in (
                ("PA1", FIRST, 100_000),
                ("PA1", SECOND, "101500.123456789"),
                ("OLD", SECOND, 7),
            )
            for equity in (float(equity),)
        ],
    )
    conn.execute(
        "update ops.account_metrics set equity = 101500.123456789 where account_number = 'PA1' and session = %s",
        (SECOND,),
    )
    _many(
        conn,
        "ops.trading_state",
        [
            {"state": "HALTED", "set_at": AT, "set_by": "t", "reason": "test"},
            {"state": "ACTIVE", "set_at": AT, "set_by": "t", "reason": "books agree"},
        ],
    )
    _many(
        conn,
        "ops.ingest_runs",
        [
            {
                "run_id": "r1",
                "dataset": "prices",
                "source": "yahoo_chart",
                "session": FIRST,
                "status": "loaded",
                "started_at": AT,
                "finished_at": AT,
                "rows_new": 377_000,
                "rows_quarantined": 3,
                "watermark": FIRST,
            },
            {
                "run_id": "r1",
                "dataset": "wiki_views",
                "source": "wikimedia",
                "session": FIRST,
                "status": "loaded",
                "started_at": AT,
                "finished_at": AT,
                "rows_new": 12,
                "rows_quarantined": 0,
                "watermark": date(2026, 1, 2),
            },
            {
                "run_id": "r2",
                "dataset": "prices",
                "source": "yahoo_chart",
                "session": SECOND,
                "status": "loaded",
                "started_at": AT + timedelta(days=3),
                "finished_at": AT + timedelta(days=3),
                "rows_new": 511,
                "rows_quarantined": 0,
                "watermark": SECOND,
            },
        ],
    )
    _many(
        conn,
        "raw.prices",
        [
            {
                "source": "yahoo_chart",
                "event_date": day,
                "known_at": AT,
                "ingested_at": AT,
                "source_url": "u",
                "run_id": "r1",
                "content_hash": f"h{n}",
                "is_deleted": False,
                "symbol": symbol,
                "open": 10.0,
                "high": 11.0,
                "low": 9.0,
                "close": float("nan") if symbol == "CCC" else 10.1 + n,
                "volume": 1e6,
                "currency": "USD",
                "split_factor": 1.0,
            }
            for n, (symbol, day) in enumerate((s, d) for s in ("AAA", "BRK.B", "CCC") for d in days(FIRST, 5))
        ],
    )


def _orders(conn: psycopg.Connection[Any]) -> None:
    key = {"broker": "sandbox", "account_number": "PA1"}
    _many(
        conn,
        "ops.order_plans",
        [
            {
                **key,
                "session": FIRST,
                "execution_session": SECOND,
                "plan_hash": "p",
                "inputs_hash": "h",
                "managed_equity": 98_000,
                "sizing_equity": 98_000,
                "refusals": "[]",
                "created_at": AT,
            }
        ],
    )
    wishes = [
        (one, symbol, qty, price)
        for one in IDS[:3]
        for symbol, qty, price in (("AAA", 100, 50.0), ("BRK.B", "12.345678901", 400.25))
    ]
    _many(
        conn,
        "ops.intents",
        [
            {
                **key,
                "intent_id": f"i{n}",
                "session": FIRST,
                "execution_session": SECOND,
                "plan_hash": "p",
                "seq": n,
                "kind": "order",
                "portfolio_id": one,
                "symbol": symbol,
                "side": "buy",
                "qty": qty,
                "decision_close": price,
                "created_at": AT,
            }
            for n, (one, symbol, qty, price) in enumerate(wishes)
        ],
    )
    _many(
        conn,
        "ops.orders",
        [
            {
                **key,
                "client_order_id": f"{one}-{symbol}",
                "intent_id": f"i{n}",
                "portfolio_id": one,
                "session": FIRST,
                "execution_session": SECOND,
                "symbol": symbol,
                "side": "buy",
                "attempt": 1,
                "qty": qty,
                "state": "rejected" if n == 5 else "filled",
                "reason": "not fractionable" if n == 5 else "",
                "filled_qty": 0 if n == 5 else qty,
                "filled_avg_price": None if n == 5 else price * 1.001,
                "decision_close": price,
                "created_at": AT,
                "updated_at": AT,
                "expires_at": AT + timedelta(days=3),
            }
            for n, (one, symbol, qty, price) in enumerate(wishes)
        ],
    )
    done = wishes[:5]
    _many(
        conn,
        "ops.trades",
        [
            {
                **key,
                "trade_id": f"t{n}",
                "kind": "fill",
                "portfolio_id": one,
                "symbol": symbol,
                "side": "buy",
                "qty": qty,
                "price": price,
                "notional": float(qty) * price,
                "executed_at": AT + timedelta(days=2, minutes=n),
                "execution_session": SECOND,
                "session": FIRST,
                "client_order_id": f"{one}-{symbol}",
                "recorded_at": AT,
            }
            for n, (one, symbol, qty, price) in enumerate(done)
        ],
    )
    lines: list[dict[str, Any]] = []

    def entry(txn: str, kind: str, *moves: tuple[str, str, Any, Any]) -> None:
        lines.extend(
            {
                **key,
                "txn_id": txn,
                "line": n,
                "kind": kind,
                "book": book,
                "asset": asset,
                "amount": amount,
                "cost": cost,
                "session": SECOND,
                "occurred_at": AT,
                "recorded_at": AT,
            }
            for n, (book, asset, amount, cost) in enumerate(moves)
        )

    entry("open", "opening", ("CASH", "USD", 100_000, 0), ("OUTSIDE", "USD", -100_000, 0))
    for one in IDS[:3]:
        entry(f"fund-{one}", "funding", ("CASH", "USD", -20_000, 0), (one, "USD", 20_000, 0))
    for n, (one, symbol, qty, price) in enumerate(done):
        cost = round(float(qty) * price, 9)
        entry(
            f"t{n}",
            "fill",
            (one, symbol, qty, cost),
            ("OUTSIDE", symbol, f"-{qty}", -cost),
            (one, "USD", -cost, 0),
            ("OUTSIDE", "USD", cost, 0),
        )
    _many(conn, "ops.ledger_entries", lines)


def _marts(conn: psycopg.Connection[Any]) -> None:
    _many(
        conn,
        "marts.top_scores",
        [
            {
                "score_date": day,
                "rank": n + 1,
                "security_id": f"sid:T{n}",
                "symbol": f"T{n:02d}",
                "overall": 99.0 - n,
                "momentum": 90.0 - n if n else float("nan"),
                "risk_adjusted": 80.0 - n,
            }
            for day in (date(2025, 12, 31), FIRST)
            for n in range(20)
        ],
    )
    rows = []
    for symbol, base in (("AAA", 50.0), ("BRK.B", 400.0), ("SPY", 600.0)):
        price = base
        for n, day in enumerate(days(date(2025, 6, 2), 175)):
            ret = ((n * 7919 + len(symbol) * 13) % 41 - 19) / 1000
            price *= 1 + ret
            rows.append(
                {
                    "security_id": f"sid:{symbol}",
                    "symbol": symbol,
                    "session": day,
                    "open": price,
                    "close": price,
                    "adj_open": price,
                    "adj_close": price,
                    "ret": ret,
                    "dollar_volume": 1e7,
                }
            )
    _many(conn, "marts.daily_returns", rows)
    _many(
        conn,
        "marts.model_returns",
        [
            {
                "portfolio_id": one,
                "session": day,
                "model_return": ((n * (31 + i) * 17) % 37 - 17.4) / 1500,
                "turnover": 0.0,
                "cost": 0.0,
            }
            for i, one in enumerate(IDS)
            for n, day in enumerate(days(date(2025, 3, 3), 240))
        ],
    )
    _many(
        conn,
        "marts.metrics",
        [
            {
                "portfolio_id": one,
                "basis": "model",
                "as_of": day,
                "n_obs": 240,
                "sharpe": 1.1 + i / 10 + n,
                "sortino": 1.5,
                "alpha": 0.02,
                "beta": 0.9,
                "tracking_error": 0.05,
                "information_ratio": 0.4,
                "max_drawdown": -0.08,
                "cagr": 0.12,
                "annual_volatility": 0.13,
                "calmar": 1.5,
                "win_rate": 0.54,
                "var_95": 0.012,
                "cvar_95": float("nan"),
                "sharpe_se": 0.9,
                "probabilistic_sharpe": 0.88,
            }
            for n, day in enumerate((FIRST, SECOND))
            for i, one in enumerate(IDS)
        ],
    )
    conn.execute(
        "insert into marts.metrics (portfolio_id, basis, as_of, n_obs, sharpe) values ('ALL', 'realised', %s, 1, null)",
        (SECOND,),
    )
    _many(
        conn,
        "marts.correlations",
        [
            {"portfolio_a": a, "portfolio_b": b, "as_of": SECOND, "n_obs": 240, "correlation": 1.0 if a == b else 0.25}
            for a in IDS
            for b in IDS
        ],
    )
    _many(
        conn,
        "marts.exposures",
        [
            {"session": SECOND, "portfolio_id": one, "sector": sector, "symbol": symbol, "weight": weight}
            for one in IDS[:2]
            for sector, symbol, weight in (
                ("Energy", "AAA", 0.2),
                ("Energy", "BBB", 0.1),
                (None, "CCC", 0.05),
                ("Utilities", "DDD", 0.15),
            )
        ],
    )

"""The fault matrix: what goes wrong, what is done about it, and a judge who looks at broker and store afterwards.

Each case plays on a stage of its own: three holdings from the first session, then a second session that sells, crosses
and buys while the fault is on. The judge asks after every one: was anything ordered twice, is a fill missing, do the
books say what the broker says, is state and reason stored, and does the next session go on or say why not.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from pas_lib import clock as calendar
from pas_lib.errors import BrokerError, GuardError, WarehouseUnavailable
from pas_lib.execution import adopt, execute, set_state, snapshot_account
from pas_lib.execution.steps import STEPS, Steps
from pas_lib.warehouse import Warehouse
from tests.integration.execution.conftest import E

F = calendar.next_session(E)
G = calendar.next_session(F)
FIRST = {"alpha": {"AAA": 0.2, "BBB": 0.1}}
SECOND = {"alpha": {"BBB": 0.1, "WHL": 0.1}, "beta": {"AAA": 0.05}}
THIRD = {"alpha": {"BBB": 0.1, "CCC": 0.1}, "beta": {"AAA": 0.05}}
SOLD, BOUGHT = ("AAA", "sell", "147", "filled"), ("WHL", "buy", "980", "filled")
#: After the second session: 49 of alpha's AAA went to beta without the broker.
FIRST_HELD = {("alpha", "AAA"): "196", ("alpha", "BBB"): "196"}
HELD = {("alpha", "BBB"): "196", ("alpha", "WHL"): "980", ("beta", "AAA"): "49"}

_SCRIPT = """
import os
from datetime import date
from pathlib import Path
os.environ.update(env)
from pas_lib.clock import clock_for
from pas_lib.execution import execute
from pas_lib.settings import load_settings
from pas_lib.warehouse import Warehouse

settings = load_settings(root=Path(env["PAS_HOME"]))
execute(date.fromisoformat(session), settings, clock_for(settings), Warehouse.from_settings(settings))
"""
#: Processes are forked from a clean one that has imported everything already; killing them is real all the same.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(
    ["pas_lib.execution", "alpaca.trading.client", "alpaca.data.historical.stock", "psycopg"]
)


@dataclass(frozen=True)
class Verdict:
    """What the judge found after a case.

    ``orders`` are the broker's of the session with the fault, ``held`` what the books had before the next one.
    """

    orders: tuple[tuple[str, str, str, str], ...]
    held: Mapping[tuple[str, str], Decimal]
    twice: int
    fills_at_broker: int
    fills_booked_once: int
    is_equal: bool
    state: str
    reason: str
    next_run: str

    @property
    def is_safe(self) -> bool:
        """No order twice, no fill lost or doubled, books equal to the broker's."""
        return not self.twice and self.fills_at_broker == self.fills_booked_once and self.is_equal


@dataclass(frozen=True)
class Case:
    """One row of the matrix: how it is played, and what must come out."""

    name: str
    play: Callable[[Any], str]
    orders: tuple[tuple[str, str, str, str], ...] = (SOLD, BOUGHT)
    held: Mapping[tuple[str, str], str] = field(default_factory=lambda: HELD)
    state: str = "ACTIVE"
    reason: str = ""
    next_run: str = "goes on"
    is_short: bool = False
    session: date = E


def run_process(stage: Any, session: date, kill_at: str) -> int:
    """Execute in a process of its own that kills itself at a step; return its exit status."""
    env = {
        "PAS_HOME": str(stage.settings.home), "PAS_DATABASE_URL": stage.warehouse.url, "PAS_SANDBOX_URL": stage.url,
        "PAS_KILL_AT": kill_at,
    }  # fmt: skip
    process = _PROCESSES.Process(target=exec, args=(_SCRIPT, {"env": env, "session": session.isoformat()}))
    process.start()
    process.join(timeout=120)
    assert process.exitcode is not None
    return process.exitcode


def begin(stage: Any) -> None:
    """First session bought, second one planned, its market open."""
    stage.run(FIRST)
    stage.at_evening(E)
    stage.decide(SECOND, E)
    stage.at_open(F)


def until_complete(stage: Any, **more: Any) -> None:
    """Call as often as a retrying task would."""
    for _ in range(5):
        if stage.execute(E, **more).is_complete:
            return


def next_run(stage: Any, session: date = F, weights: Mapping[str, Mapping[str, float]] = THIRD) -> str:
    """Decide and execute the session after; tell how it went in a few words."""
    stage.broker.faults.clear()
    if not hasattr(stage, "held_before"):
        stage.held_before = stage.holdings()
    try:
        report = stage.run(weights, session)
    except (BrokerError, GuardError) as error:
        return f"says: {error}"
    done = sum(1 for o in report.orders if o.state == "filled")
    if report.state != "ACTIVE":
        return f"says: {report.problems[-1]}"
    return f"goes on, {done} filled" if report.is_complete and done else f"{[o.state for o in report.orders]}"


# ------------------------------------------------------------------------------------------------------- cases


def _with_fault(kind: str, **options: Any) -> Callable[[Any], str]:
    def play(stage: Any) -> str:
        begin(stage)
        for symbol in ("AAA", "WHL"):
            stage.fault(kind, symbol=symbol, **options)
        until_complete(stage, timeout=0.4)
        return next_run(stage)

    return play


def _duplicate_422(stage: Any) -> str:
    begin(stage)
    stage.fault("accept_then_error", symbol="AAA", status=504)
    # The look-up lies once, so the order is posted again under the same id: 422, client_order_id must be unique.
    stage.fault("error", status=404, on="GET /v2/orders:by_client_order_id")
    until_complete(stage)
    return next_run(stage)


def _storm(stage: Any) -> str:
    begin(stage)
    stage.fault("rate_limit", on="", times=40)
    for _ in range(9):
        try:
            if stage.execute(E).is_complete:
                break
        except BrokerError:
            continue
    assert stage.naps.count(1.0) >= 20  # Retry-After: 1
    return next_run(stage)


def _wrong_quantity(stage: Any) -> str:
    begin(stage)
    # Not the doubled quantity of AAA, which is not there to be sold: the buy is taken twice as large.
    stage.fault("wrong_order", symbol="WHL")
    stage.execute(E)
    return next_run(stage)


def _partial_then_cancel(stage: Any) -> str:
    begin(stage)
    stage.fault("partial_fill", symbol="WHL", fraction=0.25)
    stage.execute(E)
    requests.post(f"{stage.url}/sandbox/broker-finish", json={"symbol": "WHL", "how": "cancel"}, timeout=5)
    stage.execute(E)
    return next_run(stage)


def _out_of_order(stage: Any) -> str:
    begin(stage)
    stage.fault("partial_fill", symbol="WHL", fraction=0.25)
    stage.fault("partial_fill", symbol="AAA", fraction=0.5)
    stage.fault("late_rows", times=100)
    stage.execute(E)
    for symbol in ("AAA", "WHL"):
        requests.post(f"{stage.url}/sandbox/broker-finish", json={"symbol": symbol, "how": "fill"}, timeout=5)
    stage.execute(E)
    # The last fills are booked, the first ones come only now, and in the wrong order.
    assert len(stage.rows("select 1 as x from ops.trades where kind = 'fill' and session = %s", (E,))) == 2
    stage.broker.faults.clear()
    stage.fault("reversed_rows", times=100)
    stage.execute(E)
    return next_run(stage)


def _twice(stage: Any) -> str:
    begin(stage)
    stage.fault("duplicate_rows", times=100)
    until_complete(stage)
    return next_run(stage)


def _unknown_position(stage: Any) -> str:
    begin(stage)
    stage.by_hand("BRK.B", "buy", "3", silent=True)
    stage.execute(E)
    told = next_run(stage)
    assert "books and broker disagree: BRK.B books 0 broker 3" in told
    adopt(stage.settings, stage.clock, stage.warehouse, who="ann", reason="my own", gateway=stage.gateway())
    set_state(stage.warehouse, stage.clock, "ACTIVE", who="ann", reason="adopted")
    return f"{told}; after adopt: {next_run(stage, G)}"


def _silent_stream(stage: Any) -> str:
    begin(stage)
    stage.broker.stream.is_silent = True
    stage.fault("no_fill", symbol="WHL")
    stage.execute(E, gateway=stage.gateway(use_stream=True, poll_pause=0.01))
    stage.clock.at += timedelta(hours=1)
    requests.post(f"{stage.url}/sandbox/broker-finish", json={"symbol": "WHL", "how": "fill"}, timeout=5)
    stage.execute(E, gateway=stage.gateway(use_stream=True, poll_pause=0.01))
    return next_run(stage)


def _down_all_day(stage: Any) -> str:
    begin(stage)
    stage.fault("error", status=503, on="", times=10**6)
    for hours in (0, 2, 4, 6):
        stage.at_open(F, minutes=1 + 60 * hours)
        with pytest.raises(BrokerError, match="does not tell the account: status 503"):
            stage.execute(E)
    stage.broker.faults.clear()
    stage.at_evening(F)
    snapshot_account(F, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway())
    return next_run(stage, F, SECOND)


def _killed(point: str) -> Callable[[Any], str]:
    def play(stage: Any) -> str:
        begin(stage)
        assert run_process(stage, E, point) == -signal.SIGKILL
        until_complete(stage)
        return next_run(stage)

    return play


def _database_away(point: str) -> Callable[[Any], str]:
    """Break every connection when a step is reached, and let nobody in until the run has failed."""

    def play(stage: Any) -> str:
        begin(stage)
        name = stage.warehouse.url.split("?")[0].rsplit("/", 1)[-1]
        admin = Warehouse(stage.warehouse.url.replace(f"/{name}", "/postgres", 1))

        def admit(yes: bool) -> None:
            with admin.connect(autocommit=True) as conn:
                conn.execute(f"alter database {name} with allow_connections {str(yes).lower()}")
                if not yes:
                    conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))

        class Away(Steps):
            def reach(self, step: str) -> None:
                super().reach(step)
                if step == point:
                    admit(False)

        try:
            with pytest.raises(WarehouseUnavailable, match="the warehouse went away"):
                execute(E, stage.settings, stage.clock, stage.warehouse, gateway=stage.gateway(), steps=Away({}))
        finally:
            admit(True)
        until_complete(stage)
        return next_run(stage)

    return play


def _before_the_open(stage: Any) -> str:
    begin(stage)
    stage.clock.at = calendar.session_open(F) - timedelta(seconds=1)
    with pytest.raises(GuardError, match="has not opened yet"):
        stage.execute(E)
    assert len(stage.broker_orders()) == 2
    stage.clock.at = calendar.session_open(F)
    until_complete(stage)
    return next_run(stage)


HALF_DAY = date(2026, 11, 27)
BEFORE_HALF_DAY = date(2026, 11, 25)


def _half_day(stage: Any) -> str:
    """A session that ends at 13:00: one order goes out a minute before, none a minute after."""
    assert calendar.session_close(HALF_DAY) == calendar.session_open(HALF_DAY) + timedelta(hours=3.5)
    stage.run(FIRST)
    stage.at_evening(BEFORE_HALF_DAY)
    stage.decide(SECOND, BEFORE_HALF_DAY)
    stage.fault("no_fill", symbol="WHL")
    stage.clock.at = calendar.session_close(HALF_DAY) - timedelta(minutes=1)
    first = stage.execute(BEFORE_HALF_DAY)
    assert {o.symbol: o.state for o in first.orders} == {"AAA": "filled", "WHL": "accepted"}
    stage.clock.at = calendar.session_close(HALF_DAY) + timedelta(minutes=1)
    after = stage.execute(BEFORE_HALF_DAY)
    assert (after.sent, {o.symbol: o.state for o in after.orders}) == (0, {"AAA": "filled", "WHL": "expired"})
    return next_run(stage, HALF_DAY)


def _after_the_close(stage: Any) -> str:
    begin(stage)
    stage.clock.at = calendar.session_close(F)
    report = stage.execute(E)
    assert (report.sent, {o.state for o in report.orders}) == (0, {"expired"})
    return next_run(stage, F, SECOND)


def _split(stage: Any) -> str:
    stage.run(FIRST)
    stage.at_evening(E)
    stage.decide(SECOND, E)
    stage.action("AAA", "split", F, ratio=4.0)
    stage.world.opens["AAA", F] = 25.0
    stage.at_open(F)
    until_complete(stage)
    stage.world.prices["AAA"] = 25.0
    return next_run(stage)


def _wiped(stage: Any) -> str:
    """The warehouse is gone and made anew; the account has positions and an order that is still open."""
    begin(stage)
    stage.fault("no_fill", symbol="WHL")
    stage.execute(E)
    stage.warehouse.execute(
        "truncate ops.order_plans, ops.intents, ops.orders, ops.order_events, ops.broker_activities, ops.trades,"
        " ops.ledger_bindings, ops.ledger_entries, ops.reconciliations, ops.trading_state, ops.account_metrics"
    )
    stage.warehouse.execute("update ops.warehouse_identity set warehouse_id = 'made-anew'")
    with pytest.raises(GuardError, match="2 positions and 1 open orders that these books do not know") as refused:
        stage.decide(SECOND, E)
    told = str(refused.value)
    assert [s for *_, s in stage.broker_orders()] == ["filled", "filled", "filled", "new"]
    done = adopt(stage.settings, stage.clock, stage.warehouse, who="ann", reason="rebuilt", gateway=stage.gateway())
    assert done.startswith("opened books")
    requests.post(f"{stage.url}/sandbox/broker-finish", json={"symbol": "WHL", "how": "fill"}, timeout=5)
    return f"says: {told[:60]}...; after adopt: {next_run(stage, F, {'alpha': {'CCC': 0.1}})}"


_PARTIAL = ("WHL", "buy", "980", "canceled")
_SPLIT_HELD = {("alpha", "BBB"): "196", ("alpha", "WHL"): "980", ("beta", "AAA"): "196"}
_SHORT_KILLS = ("sell_posted", "settled")
_AWAY = ("sells_stored", "sell_submitting", "sell_posted", "buys_stored", "buy_posted")

CASES: tuple[Case, ...] = (
    Case("accepted, then time-out", _with_fault("accept_then_timeout", seconds=0.8), is_short=True),
    Case("504, then duplicate 422", _duplicate_422, is_short=True),
    Case("storm of 429", _storm, is_short=True),
    Case("connection cut inside the answer", _with_fault("accept_then_cut"), is_short=True),
    Case("unreadable body", _with_fault("accept_then_garbage"), is_short=True),
    Case(
        "found order with another quantity", _wrong_quantity, (SOLD, ("WHL", "buy", "1960", "filled")),
        {**HELD, ("alpha", "WHL"): "1960"}, "HALTED", "the broker has buy 1960 WHL", "says: trading state HALTED", True,
    ),
    Case(
        "partial fill, then cancel", _partial_then_cancel, (SOLD, _PARTIAL), {**HELD, ("alpha", "WHL"): "245"},
        is_short=True,
    ),
    Case("fills out of order", _out_of_order, is_short=True),
    Case("the same fill twice", _twice, is_short=True),
    Case(
        "a position the books do not know", _unknown_position, (SOLD,),
        {("alpha", "BBB"): "196", ("beta", "AAA"): "49"}, reason="books and broker disagree: BRK.B", is_short=True,
        next_run="says: trading state REDUCING: books and broker disagree",
    ),
    Case("stream silent for an hour", _silent_stream, is_short=True),
    Case("broker down for the whole session", _down_all_day, (), FIRST_HELD, reason="NEVER_SENT", is_short=True),
    *(Case(f"kill -9 at {p}", _killed(p), is_short=p in _SHORT_KILLS) for p in STEPS),
    *(Case(f"PostgreSQL away at {p}", _database_away(p), is_short=p == "sell_submitting") for p in _AWAY),
    Case("clock before the open", _before_the_open, is_short=True),
    Case(
        "clock in a half day", _half_day, (SOLD, ("WHL", "buy", "980", "expired")),
        {("alpha", "BBB"): "196", ("beta", "AAA"): "49"}, is_short=True, session=BEFORE_HALF_DAY,
    ),
    Case("clock after the close", _after_the_close, (), FIRST_HELD, reason="NEVER_SENT", is_short=True),
    Case(
        "split effective on the execution day", _split, (("AAA", "sell", "588", "filled"), BOUGHT),
        _SPLIT_HELD, is_short=True,
    ),
    Case(
        "warehouse wiped, account not", _wiped, (SOLD, BOUGHT),
        {("EXTERNAL", "AAA"): "49", ("EXTERNAL", "BBB"): "196"}, next_run="says: account", is_short=True,
    ),
)  # fmt: skip


def judge(stage: Any, case: Case) -> Verdict:
    """Play a case and look at what broker and store say afterwards."""
    told = case.play(stage)
    sent = stage.broker.book.orders()
    wishes = Counter(o["client_order_id"].rsplit("-", 2)[0] for o in sent if Decimal(o["filled_qty"]) > 0)
    fills = [a["id"] for a in stage.broker.book.activities() if a["activity_type"] == "FILL"]
    booked = Counter(
        r["activity_id"]
        for r in stage.rows("select activity_id from ops.broker_activities where activity_type = 'FILL'")
    )
    doubled = stage.rows(
        "select activity_id from ops.trades where kind in ('fill', 'external') group by 1 having count(*) > 1"
    )
    try:
        stage.assert_books_are_the_brokers()
        is_equal = True
    except AssertionError:
        is_equal = False
    reasons = [r["reason"] for r in stage.rows("select reason from ops.trading_state order by state_id")]
    reasons += [r["reason"] for r in stage.rows("select distinct reason from ops.orders where reason <> ''")]
    return Verdict(
        orders=tuple(
            (o["symbol"], o["side"], o["qty"], o["status"])
            for o in sent
            if f"-{case.session:%Y%m%d}-" in o["client_order_id"]
        ),
        held=stage.held_before,
        twice=sum(1 for n in wishes.values() if n > 1),
        fills_at_broker=len(fills),
        fills_booked_once=sum(1 for i in fills if booked[i] == 1) if not doubled else -1,
        is_equal=is_equal,
        state=stage.state(),
        reason="; ".join(reasons),
        next_run=told,
    )

"""The order plan: values, rounding, crossing, refusals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pas_lib.errors import OrderError
from pas_lib.execution import AssetRule, Constraints, Decision, Target, plan
from pas_lib.execution.ids import client_order_id
from pas_lib.execution.plan import split_pro_rata
from pas_lib.execution.types import NANO, AccountKey, OrderPlan, text_of, to_decimal

D = date(2026, 1, 30)
KEY = AccountKey("sandbox", "PASB1")


def decide(weights: dict[str, dict[str, float]], closes: dict[str, Any] | None = None, **more: Any) -> Decision:
    prices = {"AAA": 100, "BBB": 50, "CCC": 20, **(closes or {})}
    return Decision(
        session=D,
        targets=tuple(Target(p, s, w, prices[s]) for p, row in weights.items() for s, w in row.items()),
        trading=frozenset(weights),
        closes=prices,
        **more,
    )


def orders_of(drawn: OrderPlan) -> list[tuple[str, str, str, str]]:
    return [(o.portfolio_id, o.symbol, o.side, text_of(o.qty)) for o in drawn.orders]


def test_sizes_on_equity_less_the_buffer() -> None:
    drawn = plan(decide({"a": {"AAA": 0.1, "CCC": 0.05}}), {}, Decimal(100_000))
    assert drawn.sizing_equity == Decimal(98_000)
    assert orders_of(drawn) == [("a", "AAA", "buy", "98"), ("a", "CCC", "buy", "245")]
    assert drawn.execution_session == date(2026, 2, 2)


def test_quantities_are_rounded_down_to_a_billionth_of_a_share() -> None:
    drawn = plan(decide({"a": {"AAA": 0.1}}, {"AAA": "333.33"}), {}, Decimal(100_000))
    assert orders_of(drawn) == [("a", "AAA", "buy", "29.400294002")]


def test_whole_shares_only_where_the_broker_says_so() -> None:
    rules = {"AAA": AssetRule("AAA", is_fractionable=False)}
    drawn = plan(decide({"a": {"AAA": 0.1}}, {"AAA": "333.33"}), {}, Decimal(100_000), assets=rules)
    assert orders_of(drawn) == [("a", "AAA", "buy", "29")]


def test_all_portfolios_together_never_exceed_equity() -> None:
    """Defect 25: every portfolio was sized on the whole account."""
    weights = {f"p{i}": {"AAA": 0.2} for i in range(5)}
    drawn = plan(decide(weights), {}, Decimal(100_000), constraints=Constraints(max_order_notional=Decimal(10**9)))
    assert sum(o.notional for o in drawn.orders) == Decimal(98_000)
    with pytest.raises(OrderError, match="above the gross cap"):
        plan(decide({**weights, "p6": {"AAA": 0.2}}), {}, Decimal(100_000))


def test_sells_before_buys_in_a_fixed_order() -> None:
    """Defect 25: set iteration order, no sells first."""
    held = {("b", "CCC"): Decimal(10), ("a", "CCC"): Decimal(10), ("a", "BBB"): Decimal(10)}
    drawn = plan(decide({"b": {"AAA": 0.1}, "a": {"AAA": 0.1}}), held, Decimal(100_000))
    assert [(o.side, o.symbol, o.portfolio_id) for o in drawn.orders] == [
        ("sell", "BBB", "a"), ("sell", "CCC", "a"), ("sell", "CCC", "b"), ("buy", "AAA", "a"), ("buy", "AAA", "b"),
    ]  # fmt: skip


def test_an_order_above_the_limit_is_cut_and_the_basket_goes_on() -> None:
    """Defect 25: the notional guard raised in mid-basket."""
    drawn = plan(decide({"a": {"AAA": 0.5, "CCC": 0.1}}), {}, Decimal(100_000))
    assert orders_of(drawn) == [("a", "AAA", "buy", "250"), ("a", "CCC", "buy", "490")]
    assert [(r.symbol, r.code, r.qty) for r in drawn.refusals] == [("AAA", "MAX_ORDER_NOTIONAL", Decimal(240))]


@pytest.mark.parametrize("name", ["cash", "CASH", "USD"])
def test_cash_is_never_traded_as_a_symbol(name: str) -> None:
    """Defect 25: cash was persisted as a symbol and traded after a restart."""
    decision = Decision(D, (Target("a", name, 0.1, Decimal(1)),), frozenset({"a"}))
    with pytest.raises(OrderError, match="cash is not a symbol"):
        plan(decision, {}, Decimal(100_000))


def test_negative_weights_are_refused_by_name() -> None:
    """Defect 26: long-short weights were emitted and always refused downstream."""
    with pytest.raises(OrderError, match=r"a/AAA has weight -0\.1.*short positions are not traded"):
        plan(decide({"a": {"AAA": -0.1}}), {}, Decimal(100_000))


def test_nan_weight_is_refused_and_nan_price_is_a_refusal() -> None:
    with pytest.raises(OrderError, match="not a finite number"):
        plan(decide({"a": {"AAA": float("nan")}}), {}, Decimal(100_000))
    drawn = plan(decide({"a": {"AAA": 0.1, "BBB": 0.1}}, {"AAA": float("nan")}), {}, Decimal(100_000))
    assert orders_of(drawn) == [("a", "BBB", "buy", "196")]
    assert [(r.symbol, r.code) for r in drawn.refusals] == [("AAA", "NO_PRICE")]


def test_reserved_books_and_doubled_targets_are_errors() -> None:
    with pytest.raises(OrderError, match="no name for a portfolio"):
        plan(decide({"EXTERNAL": {"AAA": 0.1}}), {}, Decimal(1))
    twice = Decision(D, (Target("a", "AAA", 0.1, 1), Target("a", "AAA", 0.2, 1)), frozenset({"a"}))
    with pytest.raises(OrderError, match="two targets for a/AAA"):
        plan(twice, {}, Decimal(1))


def test_small_changes_are_left_alone_but_exits_are_complete() -> None:
    held = {("a", "AAA"): Decimal("98.03"), ("a", "BBB"): Decimal("0.000000005")}
    drawn = plan(decide({"a": {"AAA": 0.1}}), held, Decimal(100_000))
    assert orders_of(drawn) == [("a", "BBB", "sell", "0.000000005")]
    assert [(r.symbol, r.code, r.qty) for r in drawn.refusals] == [("AAA", "BELOW_MIN_TRADE", Decimal("0.03"))]


def test_untradable_symbols_are_refused_with_a_code() -> None:
    rules = {"AAA": AssetRule("AAA"), "BBB": AssetRule("BBB", is_tradable=False)}
    drawn = plan(decide({"a": {"AAA": 0.1, "BBB": 0.1, "CCC": 0.1}}), {}, Decimal(100_000), assets=rules)
    assert [o.symbol for o in drawn.orders] == ["AAA"]
    assert [(r.symbol, r.code) for r in drawn.refusals] == [("BBB", "NOT_TRADABLE"), ("CCC", "NOT_TRADABLE")]


def test_crossing_is_pro_rata_on_the_larger_side() -> None:
    held = {("a", "AAA"): Decimal(30), ("b", "AAA"): Decimal(10)}
    drawn = plan(decide({"a": {}, "b": {}, "c": {"AAA": 0.02}}), held, Decimal(100_000))
    assert [(c.portfolio_id, c.side, text_of(c.qty)) for c in drawn.crosses] == [
        ("c", "buy", "19.6"), ("a", "sell", "14.7"), ("b", "sell", "4.9"),
    ]  # fmt: skip
    assert orders_of(drawn) == [("a", "AAA", "sell", "15.3"), ("b", "AAA", "sell", "5.1")]


def test_crossing_whole_share_assets_stays_whole() -> None:
    rules = {"AAA": AssetRule("AAA", is_fractionable=False)}
    held = {("a", "AAA"): Decimal("3.5"), ("b", "AAA"): Decimal(4)}
    drawn = plan(decide({"a": {}, "b": {}, "c": {"AAA": 0.01}}), held, Decimal(50_000), assets=rules)
    assert [(c.portfolio_id, c.side, text_of(c.qty)) for c in drawn.crosses] == [
        ("c", "buy", "4"), ("a", "sell", "2"), ("b", "sell", "2"),
    ]  # fmt: skip
    assert orders_of(drawn) == [("a", "AAA", "sell", "1"), ("b", "AAA", "sell", "2")]
    assert [(r.portfolio_id, r.code, r.qty) for r in drawn.refusals] == [("a", "NOT_FRACTIONABLE", Decimal("0.5"))]


def test_funding_brings_a_book_to_its_share() -> None:
    held = {("a", "AAA"): Decimal(50)}
    drawn = plan(decide({"a": {"AAA": 0.05}}, shares={"a": 0.2}), held, Decimal(100_000), cash={"a": Decimal(1_000)})
    # 0.2 x 98,000 less what the book is worth already: 5,000 of shares and 1,000 of cash.
    assert [(f.portfolio_id, f.amount) for f in drawn.funding] == [("a", Decimal("13600.00"))]


def test_planning_what_is_held_already_gives_no_order() -> None:
    drawn = plan(decide({"a": {"AAA": 0.1, "CCC": 0.05}}), {}, Decimal(100_000))
    held = {(o.portfolio_id, o.symbol): o.qty for o in drawn.orders}
    again = plan(decide({"a": {"AAA": 0.1, "CCC": 0.05}}), held, Decimal(100_000))
    assert again.orders == ()
    assert again.crosses == ()


def test_the_plan_hash_knows_every_order_and_nothing_else() -> None:
    one = plan(decide({"a": {"AAA": 0.1}}), {}, Decimal(100_000))
    same = plan(decide({"a": {"AAA": 0.1}}), {}, Decimal("100000.00"))
    other = plan(decide({"a": {"AAA": 0.1001}}), {}, Decimal(100_000))
    assert one.plan_hash == same.plan_hash
    assert one.plan_hash != other.plan_hash


def test_client_order_ids_are_deterministic_and_tell_orders_apart() -> None:
    """Defect 23: ids were random, so that a retry sent a second order."""

    def made(**change: Any) -> str:
        args: dict[str, Any] = {
            "portfolio_id": "congress_aggregate", "session": D, "symbol": "BRK.B", "side": "buy", "attempt": 1,
            "key": KEY, "warehouse_id": "w", "qty": Decimal("1.50"),
        }  # fmt: skip
        return client_order_id(**{**args, **change})

    assert made() == made(qty=Decimal("1.5"))
    assert made().startswith("congress_aggregate-20260130-BRK.B-buy-1-")
    changed = [
        made(attempt=2), made(qty=Decimal(2)), made(key=AccountKey("sandbox", "X")), made(warehouse_id="v"),
        made(side="sell"), made(symbol="BRK.A"), made(portfolio_id="b"), made(session=date(2026, 2, 2)),
    ]  # fmt: skip
    assert len({made(), *changed}) == 9
    with pytest.raises(OrderError, match="longer than 128"):
        made(portfolio_id="x" * 120)


# ---------------------------------------------------------------------------------------------------- properties

nanos = st.integers(1, 10**15).map(lambda n: Decimal(n) * NANO)


@given(st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), nanos, min_size=1, max_size=9), st.data())
@settings(max_examples=150, deadline=None)
def test_pro_rata_parts_add_up_exactly_and_exceed_no_claim(claims: dict[str, Decimal], data: Any) -> None:
    whole = sum(claims.values())
    total = data.draw(st.integers(0, int(whole / NANO))) * NANO
    parts = split_pro_rata(total, claims)
    assert sum(parts.values()) == total
    for key, part in parts.items():
        assert 0 <= part <= claims[key]
        assert abs(part - total * claims[key] / whole) <= NANO


books = st.sampled_from(["a", "b", "c", "d"])
symbols = st.sampled_from(["AAA", "BBB", "CCC"])


@given(
    st.dictionaries(st.tuples(books, symbols), st.floats(0, 0.08), max_size=12),
    st.dictionaries(st.tuples(books, symbols), nanos.map(lambda q: q / 1000), max_size=12),
    st.sets(symbols),
)
@settings(max_examples=150, deadline=None)
def test_plans_move_every_book_towards_its_target_and_never_oppose_an_order(
    weights: dict[tuple[str, str], float], held: dict[tuple[str, str], Decimal], whole_only: set[str]
) -> None:
    held = {k: q.quantize(NANO) for k, q in held.items() if q.quantize(NANO) > 0}
    nested: dict[str, dict[str, float]] = {b: {} for b in "abcd"}
    for (book, symbol), weight in weights.items():
        nested[book][symbol] = weight
    rules = {s: AssetRule(s, is_fractionable=s not in whole_only) for s in ("AAA", "BBB", "CCC")}
    free = Constraints(min_trade_notional=Decimal(0), max_order_notional=Decimal(10**12))
    drawn = plan(decide(nested), held, Decimal(1_000_000), assets=rules, constraints=free)
    for symbol in rules:
        assert len({o.side for o in drawn.orders if o.symbol == symbol}) <= 1
        legs = [c for c in drawn.crosses if c.symbol == symbol]
        assert sum((c.qty if c.side == "buy" else -c.qty) for c in legs) == 0
    after = dict(held)
    for move in (*drawn.crosses, *drawn.orders):
        key = (move.portfolio_id, move.symbol)
        after[key] = after.get(key, Decimal(0)) + (move.qty if move.side == "buy" else -move.qty)
        assert after[key] >= 0
        if move.symbol in whole_only and move in drawn.orders:
            assert move.qty == move.qty.to_integral_value()
    refused = {(r.portfolio_id, r.symbol) for r in drawn.refusals}
    for key in set(after) | set(weights):
        if key in refused:
            continue
        unit = Decimal(1) if key[1] in whole_only else NANO
        price = {"AAA": 100, "BBB": 50, "CCC": 20}[key[1]]
        target = to_decimal(weights.get(key, 0)) * drawn.sizing_equity / price
        assert abs(after.get(key, Decimal(0)) - target) < unit + (Decimal(1) if key[1] in whole_only else 0)

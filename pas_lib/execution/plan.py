"""From target weights to an order plan: pure, exact, deterministic.

For each trading portfolio ``p`` and symbol ``s``::

    wish(p, s) = floor(weight(p, s) * sizing_equity / close(s)) - held(p, s)        in shares

Opposite wishes in one symbol are crossed: the smaller side wholly, the larger one pro rata to its wishes (largest
remainder, ties by portfolio id). What remains points one way, so that an order never meets an open order of the other
side; every portfolio keeps its own order. Sizing equity is managed equity less the cash buffer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from pas_lib.clock import next_session
from pas_lib.errors import OrderError
from pas_lib.execution.types import (
    NANO,
    RESERVED_BOOKS,
    USD,
    ZERO,
    AssetRule,
    Constraints,
    CrossLeg,
    Decision,
    Funding,
    OrderPlan,
    PlannedOrder,
    Refusal,
    Side,
    floor_to,
    to_decimal,
)

#: Why a wish is refused, or a part of it.
REASONS: Mapping[str, str] = {
    "NO_PRICE": "the symbol has no decision close",
    "NOT_TRADABLE": "the broker does not trade the symbol",
    "NOT_FRACTIONABLE": "the broker trades whole shares of it only",
    "BELOW_MIN_TRADE": "worth less than PAS_MIN_TRADE_NOTIONAL",
    "MAX_ORDER_NOTIONAL": "cut to PAS_MAX_ORDER_NOTIONAL",
}

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class _Wish:
    portfolio_id: str
    symbol: str
    side: Side
    qty: Decimal
    is_exit: bool


def plan(
    decision: Decision,
    holdings: Mapping[tuple[str, str], Decimal],
    equity: Decimal,
    *,
    cash: Mapping[str, Decimal] | None = None,
    assets: Mapping[str, AssetRule] | None = None,
    constraints: Constraints | None = None,
) -> OrderPlan:
    """Turn a decision into an order plan.

    Parameters
    ----------
    decision : Decision
        Targets in shares of sizing equity.
    holdings : mapping of (portfolio, symbol) to Decimal
        Shares in the books of the portfolios; EXTERNAL and CASH are ignored.
    equity : Decimal
        Managed equity in USD, before the buffer.
    cash : mapping of portfolio to Decimal, optional
        Cash in the books, for funding.
    assets : mapping of symbol to AssetRule, optional
        What the broker says about symbols. A symbol missing from a given mapping cannot be traded; without a mapping
        all symbols can, in fractions.
    constraints : Constraints, optional
        Limits.

    Returns
    -------
    OrderPlan

    Raises
    ------
    OrderError
        If weights are negative, not finite, doubled or add up to more than the gross cap; if a portfolio bears a
        reserved name; if cash is given as a symbol. Such a decision is wrong as a whole and nothing of it is planned.
    """
    limits = constraints or Constraints()
    books = cash or {}
    _check(decision, limits)
    if equity < 0:
        raise OrderError(f"managed equity is {equity}: nothing can be sized")
    sizing = (equity * (_ONE - limits.cash_buffer)).quantize(NANO)
    closes = usable_closes(decision)
    held = {
        key: qty
        for key, qty in holdings.items()
        if key[0] in decision.trading and key[0] not in RESERVED_BOOKS and qty != 0
    }
    weights = {(t.portfolio_id, t.symbol): to_decimal(t.weight_of_equity) for t in decision.targets}

    refusals: list[Refusal] = []
    wishes: list[_Wish] = []
    for portfolio_id, symbol in sorted(set(weights) | set(held)):
        wish = _wish(
            portfolio_id,
            symbol,
            weights.get((portfolio_id, symbol), ZERO),
            held.get((portfolio_id, symbol), ZERO),
            closes.get(symbol),
            sizing,
            AssetRule(symbol) if assets is None else assets.get(symbol),
            limits,
            refusals,
        )
        if wish is not None:
            wishes.append(wish)

    orders: list[PlannedOrder] = []
    crosses: list[CrossLeg] = []
    by_symbol: dict[str, list[_Wish]] = defaultdict(list)
    for wish in wishes:
        by_symbol[wish.symbol].append(wish)
    for symbol, group in sorted(by_symbol.items()):
        rule = (assets or {}).get(symbol) or AssetRule(symbol)
        legs, rest = _cross(group, NANO if rule.is_fractionable else _ONE)
        crosses += [CrossLeg(w.portfolio_id, symbol, w.side, w.qty, closes[symbol]) for w in legs]
        for wish in rest:
            order = _order(wish, closes[symbol], rule, limits, refusals)
            if order is not None:
                orders.append(order)

    orders.sort(key=lambda o: (o.side != "sell", o.symbol, o.portfolio_id))
    return OrderPlan(
        session=decision.session,
        execution_session=next_session(decision.session),
        managed_equity=equity,
        sizing_equity=sizing,
        orders=tuple(orders),
        crosses=tuple(crosses),
        funding=_funding(decision, held, books, closes, sizing),
        refusals=tuple(refusals),
        inputs_hash=decision.inputs_hash,
    )


def _check(decision: Decision, limits: Constraints) -> None:
    where = f"decision of {decision.session}"
    seen: set[tuple[str, str]] = set()
    total = ZERO
    for target in decision.targets:
        name = f"{target.portfolio_id}/{target.symbol}"
        try:
            weight = to_decimal(target.weight_of_equity)
        except ValueError:
            raise OrderError(f"{where}: the weight of {name} is not a finite number") from None
        if weight < 0:
            raise OrderError(f"{where}: {name} has weight {weight}", hint="short positions are not traded")
        if target.symbol.upper() in {USD, "CASH", ""}:
            raise OrderError(f"{where}: {name}: cash is not a symbol", hint="leave the weight out")
        if target.portfolio_id not in decision.trading:
            raise OrderError(f"{where}: {name} is a target of a portfolio that does not trade")
        if (target.portfolio_id, target.symbol) in seen:
            raise OrderError(f"{where}: two targets for {name}")
        seen.add((target.portfolio_id, target.symbol))
        total += weight
    for portfolio_id in decision.trading:
        if portfolio_id in RESERVED_BOOKS or not portfolio_id:
            raise OrderError(f"{where}: {portfolio_id!r} is no name for a portfolio")
    if total > limits.gross_cap + Decimal("1e-6"):
        raise OrderError(f"{where}: weights add up to {total}, above the gross cap {limits.gross_cap}")


def usable_closes(decision: Decision) -> dict[str, Decimal]:
    """Return the decision closes that are positive numbers, by symbol, in USD.

    Raises
    ------
    OrderError
        If a symbol has two different ones.
    """
    closes: dict[str, Decimal] = {}
    given = [(s, c) for s, c in decision.closes.items()] + [(t.symbol, t.decision_close) for t in decision.targets]
    for symbol, value in given:
        try:
            price = to_decimal(value)
        except ValueError:
            continue  # no price is a refusal of this symbol, not of the plan
        if price <= 0:
            continue
        if closes.setdefault(symbol, price) != price:
            raise OrderError(f"decision of {decision.session}: two closes for {symbol}: {closes[symbol]} and {price}")
    return closes


def _wish(
    portfolio_id: str,
    symbol: str,
    weight: Decimal,
    held: Decimal,
    close: Decimal | None,
    sizing: Decimal,
    rule: AssetRule | None,
    limits: Constraints,
    refusals: list[Refusal],
) -> _Wish | None:
    def refuse(side: Side, qty: Decimal, code: str) -> None:
        refusals.append(Refusal(portfolio_id, symbol, side, qty, code, REASONS[code]))

    if close is None:
        if held or weight:
            refuse("sell" if not weight else "buy", held, "NO_PRICE")
        return None
    unit = NANO if rule is None or rule.is_fractionable else _ONE
    # An exit keeps its odd fraction even of a whole-share asset: another portfolio may take it over.
    delta = floor_to(weight * sizing / close, unit) - held
    if weight == 0:
        delta = -held
    if delta == 0:
        return None
    side: Side = "buy" if delta > 0 else "sell"
    qty = abs(delta)
    if rule is None or not rule.is_tradable:
        refuse(side, qty, "NOT_TRADABLE")
        return None
    is_exit = weight == 0
    if not is_exit and qty * close < limits.min_trade_notional:
        refuse(side, qty, "BELOW_MIN_TRADE")
        return None
    return _Wish(portfolio_id, symbol, side, qty, is_exit)


def _cross(group: Sequence[_Wish], unit: Decimal) -> tuple[list[_Wish], list[_Wish]]:
    """Split the wishes in one symbol into crossed legs (which add up to zero) and what remains on one side."""
    buys = [w for w in group if w.side == "buy"]
    sells = [w for w in group if w.side == "sell"]
    bought = sum((floor_to(w.qty, unit) for w in buys), ZERO)
    sold = sum((floor_to(w.qty, unit) for w in sells), ZERO)
    crossed = min(bought, sold)
    if crossed <= 0:
        return [], list(group)
    legs: list[_Wish] = []
    rest: list[_Wish] = []
    for side in (buys, sells):
        parts = split_pro_rata(crossed, {w.portfolio_id: floor_to(w.qty, unit) for w in side}, unit)
        for wish in side:
            part = parts[wish.portfolio_id]
            if part > 0:
                legs.append(_Wish(wish.portfolio_id, wish.symbol, wish.side, part, wish.is_exit))
            if wish.qty > part:
                rest.append(_Wish(wish.portfolio_id, wish.symbol, wish.side, wish.qty - part, wish.is_exit))
    # A fraction that whole-share crossing leaves on the smaller side would oppose the orders of the larger one.
    larger: Side = "buy" if bought > sold else "sell"
    return legs, [w for w in rest if w.side == larger]


def split_pro_rata(total: Decimal, claims: Mapping[str, Decimal], unit: Decimal = NANO) -> dict[str, Decimal]:
    """Share ``total`` out in proportion to ``claims`` so that the parts add up exactly.

    Largest remainder method at ``unit``; ties by key. No part exceeds its claim when ``total`` does not exceed their
    sum and claims are multiples of ``unit``.

    Raises
    ------
    ValueError
        If there is nothing to share by.
    """
    whole = sum(claims.values(), ZERO)
    if whole <= 0:
        raise ValueError("claims add up to nothing")
    exact = {key: total * claim / whole for key, claim in claims.items()}
    parts = {key: floor_to(value, unit) for key, value in exact.items()}
    left = total - sum(parts.values(), ZERO)
    for key in sorted(claims, key=lambda k: (parts[k] - exact[k], k)):
        if left <= 0:
            break
        step = min(unit, left)
        parts[key] += step
        left -= step
    return parts


def _order(
    wish: _Wish, close: Decimal, rule: AssetRule, limits: Constraints, refusals: list[Refusal]
) -> PlannedOrder | None:
    def refuse(qty: Decimal, code: str) -> None:
        refusals.append(Refusal(wish.portfolio_id, wish.symbol, wish.side, qty, code, REASONS[code]))

    qty = wish.qty
    unit = NANO if rule.is_fractionable else _ONE
    most = floor_to(limits.max_order_notional / close, unit)
    if qty > most:
        refuse(qty - most, "MAX_ORDER_NOTIONAL")
        qty = most
    whole = floor_to(qty, unit)
    if whole != qty:
        refuse(qty - whole, "NOT_FRACTIONABLE")
        qty = whole
    if qty <= 0:
        return None
    if not wish.is_exit and qty * close < limits.min_trade_notional:
        refuse(qty, "BELOW_MIN_TRADE")
        return None
    return PlannedOrder(wish.portfolio_id, wish.symbol, wish.side, qty, close)


def _funding(
    decision: Decision,
    held: Mapping[tuple[str, str], Decimal],
    cash: Mapping[str, Decimal],
    closes: Mapping[str, Decimal],
    sizing: Decimal,
) -> tuple[Funding, ...]:
    """Cash that brings each trading portfolio's book to its share of equity, at the decision closes."""
    moves: list[Funding] = []
    for portfolio_id in sorted(decision.trading):
        targets = sum(
            (to_decimal(t.weight_of_equity) for t in decision.targets if t.portfolio_id == portfolio_id), ZERO
        )
        share = to_decimal(decision.shares[portfolio_id]) if portfolio_id in decision.shares else targets
        # A holding without a close cannot be sold either: its book value stays out of the portfolio's capital.
        value = cash.get(portfolio_id, ZERO) + sum(
            (qty * closes[symbol] for (book, symbol), qty in held.items() if book == portfolio_id and symbol in closes),
            ZERO,
        )
        amount = (share * sizing - value).quantize(Decimal("0.01"))
        if amount != 0:
            moves.append(Funding(portfolio_id, amount))
    return tuple(moves)

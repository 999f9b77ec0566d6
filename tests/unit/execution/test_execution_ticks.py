"""Limit prices on the tick: the sub-penny rule, in Decimal, never worse than the collar."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pas_lib.execution.ticks import limit_price, tick_of, widened


@pytest.mark.parametrize(
    ("side", "reference", "collar", "limit"),
    [
        ("buy", "100", "0.005", "100.50"),
        ("sell", "100", "0.005", "99.50"),
        # 33.335 + 0.5 % = 33.501675: a buy gives up the fraction of a cent, a sale too.
        ("buy", "33.335", "0.005", "33.50"),
        ("sell", "33.335", "0.005", "33.17"),
        ("buy", "0.5", "0.005", "0.5025"),
        ("sell", "0.87654", "0.001", "0.8757"),
        # Across the dollar: the tick is that of the limit, not of the reference.
        ("buy", "0.9999", "0.01", "1.00"),
        ("sell", "1.004", "0.01", "0.9940"),
        ("sell", "0.00001", "0.5", "0.0001"),
    ],
)
def test_limits_by_hand(side: str, reference: str, collar: str, limit: str) -> None:
    assert str(limit_price(side, Decimal(reference), Decimal(collar))) == limit  # type: ignore[arg-type]


@given(
    st.sampled_from(["buy", "sell"]),
    st.decimals("0.01", "9999", places=6),
    st.decimals("0", "0.2", places=4),
)
def test_a_limit_is_on_its_tick_and_within_the_collar(side: str, reference: Decimal, collar: Decimal) -> None:
    limit = limit_price(side, reference, collar)  # type: ignore[arg-type]
    assert limit % tick_of(limit) == 0
    exact = reference * (1 + collar if side == "buy" else 1 - collar)
    assert (limit <= exact) if side == "buy" else (limit >= exact)
    assert abs(limit - exact) < tick_of(exact)


def test_a_collar_doubles_up_to_the_largest_move() -> None:
    steps = [widened(Decimal("0.03"), n, Decimal("0.20")) for n in range(4)]
    assert steps == [Decimal("0.03"), Decimal("0.06"), Decimal("0.12"), Decimal("0.20")]

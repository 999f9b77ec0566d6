"""Limit prices on the broker's tick, in Decimal. Pure.

The sub-penny rule (Regulation NMS, rule 612): prices of at least one dollar have two decimals, lower ones four. A
limit is rounded to the side that costs nothing more: a buy's down, a sale's up.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from pas_lib.execution.types import Side

_ONE = Decimal(1)
_CENT = Decimal("0.01")
_BELOW_ONE = Decimal("0.0001")


def tick_of(price: Decimal) -> Decimal:
    """Return the smallest step of a price in USD."""
    return _CENT if price >= _ONE else _BELOW_ONE


def limit_price(side: Side, reference: Decimal, collar: Decimal) -> Decimal:
    """Return the worst price an order accepts: the reference, worse by the collar, on the tick.

    Parameters
    ----------
    side : {"buy", "sell"}
        A buy's limit lies above the reference, a sale's below it.
    reference : Decimal
        USD per share, positive.
    collar : Decimal
        Fraction of the reference, at least 0 and below 1.

    Returns
    -------
    Decimal
        At least one tick; never beyond the collar by rounding, unless that would be no price at all.
    """
    if side == "buy":
        exact = reference * (_ONE + collar)
        rounded = exact.quantize(tick_of(exact), rounding=ROUND_FLOOR)
    else:
        exact = reference * (_ONE - collar)
        rounded = exact.quantize(tick_of(exact), rounding=ROUND_CEILING)
    return max(rounded, _BELOW_ONE)


def widened(collar: Decimal, times: int, most: Decimal) -> Decimal:
    """Return the collar after some replacements: doubled by each, never above the largest move that is allowed."""
    wide: Decimal = collar * 2**times
    return min(wide, most)

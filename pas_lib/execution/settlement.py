"""What a portfolio's book lacks in cash after its fills is paid from the CASH book.

A book is funded at the decision closes and pays at the fills: where these are dearer it ends a few dollars below
nothing, which no account of its own would allow. CASH holds the buffer for exactly that. The transfer is of kind
``funding`` and counts as money that came in at the start of the session, so the dearer fill shows in the book's return.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from pas_lib.clock import Clock, next_session
from pas_lib.execution import ledger, store
from pas_lib.execution.types import CASH_BOOK, RESERVED_BOOKS, USD, ZERO, AccountKey

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse


def settle(warehouse: Warehouse, key: AccountKey, session: date, clock: Clock) -> dict[str, Decimal]:
    """Bring books below nothing back to nothing, as far as CASH reaches.

    A book whose orders are not all over is left alone: its sells may still bring in what it lacks.

    Parameters
    ----------
    session : date
        The decision session whose orders were carried out.

    Returns
    -------
    dict of str to Decimal
        USD by book; empty when nothing was lacking.
    """
    paid: dict[str, Decimal] = {}
    with warehouse.connect() as conn:
        if store.unapplied_fills(conn, key):
            return {}
        cash = store.cash_by_book(conn, key)
        busy = {o.portfolio_id for o in store.unfinished_orders(conn, key)}
        there = max(ZERO, cash.get(CASH_BOOK, ZERO))
        now = clock.now()
        for book, amount in sorted(cash.items()):
            if book in RESERVED_BOOKS or book in busy or amount >= 0 or there <= 0:
                continue
            part = min(-amount, there)
            there -= part
            postings = ledger.Postings()
            postings.move(USD, part, CASH_BOOK, book)
            # Fills may come late and in parts: the number of a book's trades tells one settlement from the next.
            name = f"settle-{session:%Y%m%d}-{book}-{store.count_book_trades(conn, key, book)}"
            if ledger.post(
                conn, key, name, "funding", postings, occurred_at=now, recorded_at=now,
                session=next_session(session), memo="fills above the decision close",
            ):  # fmt: skip
                paid[book] = part
    return paid

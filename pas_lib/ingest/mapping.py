"""Symbols for rows whose source names companies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pas_lib.datasets.base import Named
from pas_lib.datasets.names import Listed, NameMap, company_of

if TYPE_CHECKING:
    from datetime import datetime

    import psycopg

_SHOWN = 5

_REGISTER = """
    select security_id, symbol, name,
           coalesce(first_listed, (known_at at time zone 'America/New_York')::date) as start
    from (
        select distinct on (security_id, symbol) security_id, symbol, name, first_listed, known_at, asset_class,
               is_deleted
        from raw.securities
        where ingested_at <= %s
        order by security_id, symbol, known_at desc, row_id desc
    ) latest
    where not is_deleted and name is not null and coalesce(asset_class, 'stock') = 'stock'
"""


def name_map(conn: psycopg.Connection[Any], now: datetime) -> NameMap:
    """Return the map of names by the register of securities as it was loaded at a time."""
    return NameMap(
        Listed(name, symbol, company_of(security_id), start)
        for security_id, symbol, name, start in conn.execute(_REGISTER, (now,)).fetchall()
    )


class SymbolFiller:
    """Fills the symbol column of tables and counts what stays without.

    Parameters
    ----------
    named : Named
        Which columns.
    names : Callable
        Makes the map; called once, when the first row without a symbol comes.
    """

    def __init__(self, named: Named, names: Callable[[], NameMap]) -> None:
        self.named = named
        self._make = names
        self._map: NameMap | None = None
        self.unmatched: Counter[str] = Counter()
        self.looked_up = 0

    def fill(self, table: pa.Table) -> pa.Table:
        """Return the table with symbols where the source states one or the name has one on the event date."""
        symbols = table.column(self.named.symbol).to_pylist()
        basis: list[str | None] = ["source" if symbol else None for symbol in symbols]
        names = days = None
        for i, symbol in enumerate(symbols):
            if symbol:
                continue
            if names is None or days is None:
                names, days = table.column(self.named.name).to_pylist(), table.column("event_date").to_pylist()
            if self._map is None:
                self._map = self._make()
            self.looked_up += 1
            found = self._map.match(names[i], days[i]) if names[i] and days[i] else None
            if found is None:
                symbols[i] = None
                self.unmatched[str(names[i])] += 1
            else:
                symbols[i], basis[i] = found.symbol, found.basis
        for column, values in ((self.named.symbol, symbols), (self.named.basis, basis)):
            table = table.set_column(table.schema.get_field_index(column), column, pa.array(values, pa.string()))
        return table

    def notes(self) -> list[str]:
        """Return one line about the names that stayed without a symbol, the most frequent first."""
        if not self.unmatched:
            return []
        shown = ", ".join(name for name, _ in sorted(self.unmatched.items(), key=lambda x: (-x[1], x[0]))[:_SHOWN])
        count = sum(self.unmatched.values())
        return [f"{count} of {self.looked_up} rows name no known company ({len(self.unmatched)} names: {shown})"]

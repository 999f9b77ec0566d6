"""Scores are rounded to ten significant digits, the same ones on both engines: a tie on one is a tie on the other."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

import duckdb
import jinja2

from pas_lib.dbt import PROJECT_DIR
from pas_lib.warehouse import Warehouse

#: Binary fractions that end in a half at the eleventh digit, and what is next to one; zero, the very large and small.
HALVES = [
    3051757812.5 * 10.0**-14,
    2**-15,
    105905444.05,
    27.219430485,
    1059054440.5,
    -1059054440.5,
    -0.5,
    12345678912.5,
]
OTHERS = [0.0, 1 / 3, -2 / 3, 1e200, 1e-200, 9.9999999999999, 0.99999999995, 123456.0, 1e9, 1e10]


def test_both_engines_round_to_the_same_digits(warehouse: Warehouse) -> None:
    macros = (PROJECT_DIR / "macros" / "cross_db" / "numbers.sql").read_text(encoding="utf-8")
    rounded = jinja2.Environment().from_string(macros).module.significant("x")  # type: ignore[attr-defined]
    values = [*HALVES, *OTHERS]
    listed = ", ".join(f"({n}, cast('{value!r}' as double precision))" for n, value in enumerate(values))
    query = f"select {rounded} as y from (values {listed}, (99, null)) as v (n, x) order by n"
    ours = [row["y"] for row in warehouse.rows(query)]
    with duckdb.connect() as con:
        theirs = [row[0] for row in con.execute(query).fetchall()]
    assert ours == theirs
    assert ours[-1] is None
    for value, found in zip(values, ours, strict=False):
        # The shifted value is what a half is told by: it is exact for the halves here.
        wanted = Context(prec=10, rounding=ROUND_HALF_UP).create_decimal(Decimal(repr(value)))
        assert abs(found - float(wanted)) <= 1e-15 * abs(float(wanted)), (value, found, wanted)

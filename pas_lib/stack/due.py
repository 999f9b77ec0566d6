"""Whether a dataset is to be collected for a session, by what was collected before."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from pas_lib.datasets import dataset, due
from pas_lib.errors import WarehouseUnavailable

if TYPE_CHECKING:
    from pas_lib.warehouse import Warehouse

_LAST = """
select max(session) as session from ops.ingest_runs where dataset = %s and status in ('loaded', 'unchanged')
"""


def is_due(name: str, session: date, warehouse: Warehouse) -> bool:
    """Return whether a dataset is due: never collected, or not since its cadence asks for it.

    While the warehouse is away everything is due: what is collected then waits in the landing.
    """
    try:
        last: date | None = warehouse.rows(_LAST, (name,))[0]["session"]
    except WarehouseUnavailable:
        last = None
    return due(dataset(name), session, last)

"""The store of record: connections, migrations, bulk load, the DuckDB mirror."""

from pas_lib.warehouse.connection import Warehouse, copy_arrow, trusted
from pas_lib.warehouse.duck import DuckWarehouse
from pas_lib.warehouse.migrate import Identity, check_origin, create_database, identity, migrate

__all__ = [
    "DuckWarehouse",
    "Identity",
    "Warehouse",
    "check_origin",
    "copy_arrow",
    "create_database",
    "identity",
    "migrate",
    "trusted",
]
